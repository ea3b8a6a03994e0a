"""The one thread: runs wait their turn, questions are answered at once, in mid-run too, and no fault ends it."""

import itertools
import pathlib
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tuning import settings
from tuning.engine.workshop import Workshop
from tuning.errors import EngineError, InputError
from tuning.models.shelf import Shelf
from tuning.runs import files
from tuning.runs.store import Run, Store
from tuning.schema import ModelRef
from tuning.verbs import Verbs

Wait = Callable[..., Any]
ASK = [{"role": "user", "content": "How much is item 3?"}]


@pytest.fixture
def verbs(home: pathlib.Path) -> Iterator[Verbs]:
    """Verbs with a workshop of their own."""
    workshop = Workshop(Store(home))
    workshop.start()
    yield Verbs(settings.read(), workshop)
    workshop.close()


def status(run: Run) -> str:
    return run.state().status


def test_runs_are_trained_one_after_another(verbs: Verbs, make_run: Callable[..., Run], wait_until: Wait) -> None:
    runs = [make_run(max_steps=3) for _ in range(3)]
    starts = [threading.Thread(target=verbs.resume, args=(run.id,)) for run in runs]
    for start in starts:
        start.start()
    wait_until(lambda: all(status(run) in ("finished", "failed") for run in runs))
    spans = sorted((state.started, state.ended) for state in (run.state() for run in runs))
    assert {status(run) for run in runs} == {"finished"}
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))  # type: ignore[operator]


def test_talking_to_a_model_while_it_learns(verbs: Verbs, make_run: Callable[..., Run], wait_until: Wait) -> None:
    run = make_run(num_train_epochs=100)
    verbs.resume(run.id)
    wait_until(lambda: run.state().step >= 2)
    answer = "".join(verbs.chat(run.id, ASK))
    before = "".join(verbs.chat(run.id, ASK, base=True))
    assert isinstance(answer, str) and isinstance(before, str)
    assert status(run) == "running"
    verbs.stop(run.id)
    wait_until(lambda: status(run) == "stopped")
    assert "".join(verbs.chat(run.id, ASK)) is not None  # from the resident model, nothing is loaded


def test_an_answer_can_be_stopped(verbs: Verbs, make_run: Callable[..., Run], wait_until: Wait) -> None:
    run = make_run(max_steps=2)
    verbs.resume(run.id)
    wait_until(lambda: status(run) == "finished")
    question = verbs.question(run.id, ASK)
    question.max_new_tokens = 400
    assert verbs.workshop is not None
    question.stopped.set()
    verbs.workshop.ask(question)
    assert len("".join(question.stream())) < 20


def test_a_question_that_fails_is_told_and_the_next_is_answered(
    verbs: Verbs, tiny_model: pathlib.Path, tmp_path: pathlib.Path, make_run: Callable[..., Run], wait_until: Wait
) -> None:
    long = [{"role": "user", "content": "word " * 2000}]
    with pytest.raises(EngineError) as caught:
        list(verbs.chat(str(tiny_model), long))
    assert caught.value.code == "chat.too_long"
    assert isinstance("".join(verbs.chat(str(tiny_model), ASK)), str)


def test_a_queued_run_starts_by_itself_after_a_restart(home: pathlib.Path, make_run: Callable[..., Run], wait_until: Wait) -> None:
    run = make_run(max_steps=2)
    run.enqueue()
    assert status(run) == "queued"
    workshop = Workshop(Store(home))
    workshop.start()
    wait_until(lambda: status(run) == "finished")
    workshop.close()


def test_a_queued_run_can_be_taken_out(home: pathlib.Path, make_run: Callable[..., Run]) -> None:
    run = make_run()
    run.enqueue()
    run.request_stop()
    assert status(run) == "stopped" and not Store(home).queue()


def close(verbs: Verbs) -> None:
    """End the workshop that the fixture started: the test has one of its own over the same home."""
    assert verbs.workshop is not None
    verbs.workshop.close()
    verbs.workshop._thread.join(10)


def test_a_run_waits_for_its_model_and_others_train_meanwhile(
    home: pathlib.Path, verbs: Verbs, make_run: Callable[..., Run], tiny_model: pathlib.Path, wait_until: Wait
) -> None:
    close(verbs)
    come, asked = threading.Event(), []

    class Slow(Shelf):
        def fetch(self, model: ModelRef, *rest: Any, **named: Any) -> None:
            asked.append(model.id)
            assert come.wait(60)
            shutil.copytree(tiny_model, model.path)

    workshop = Workshop(Store(home), Slow(settings.read(), Store(home)))
    workshop.start()
    waiting, other = make_run(max_steps=2), make_run(max_steps=2)
    spec = waiting.spec()
    elsewhere = spec.model.model_copy(update={"path": str(home / "models" / "later")})
    files.write(
        waiting.folder / "spec.yaml", yaml.safe_dump(spec.model_copy(update={"model": elsewhere}).model_dump(mode="json", by_alias=True))
    )
    for run in (waiting, other):
        run.enqueue()
    wait_until(lambda: status(other) == "finished")
    assert status(waiting) == "queued"
    come.set()
    wait_until(lambda: status(waiting) == "finished")
    assert asked == [elsewhere.id]
    workshop.close()


def test_a_download_that_fails_ends_the_run_with_its_reason(
    home: pathlib.Path, verbs: Verbs, make_run: Callable[..., Run], wait_until: Wait
) -> None:
    close(verbs)

    class Broken(Shelf):
        def fetch(self, model: ModelRef, *rest: Any, **named: Any) -> None:
            raise InputError("model.broken", model=model.id, file="config.json")

    workshop = Workshop(Store(home), Broken(settings.read(), Store(home)))
    workshop.start()
    run = make_run(max_steps=2)
    spec = run.spec()
    elsewhere = spec.model.model_copy(update={"path": str(home / "models" / "never")})
    files.write(
        run.folder / "spec.yaml", yaml.safe_dump(spec.model_copy(update={"model": elsewhere}).model_dump(mode="json", by_alias=True))
    )
    run.enqueue()
    wait_until(lambda: status(run) == "failed")
    state = run.state()
    assert state.reason == "download" and state.error is not None and state.error.code == "model.broken"
    workshop.close()
