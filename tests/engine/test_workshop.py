"""The one thread: runs wait their turn, questions are answered at once, in mid-run too, and no fault ends it."""

import itertools
import json
import logging
import pathlib
import shutil
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import transformers
import yaml

from tests.bench.server import running
from tests.engine.conftest import Trainer
from tests.tiny import UNMARKED
from tests.tokens.test_endless import TRIGGER
from tuning import settings
from tuning.engine.device import Device
from tuning.engine.jobs import Compare, Job
from tuning.engine.learn import train
from tuning.engine.question import Comparison
from tuning.engine.workshop import Workshop
from tuning.errors import EngineError, InputError, RunError, TuningError, caught
from tuning.hub.shelf import Shelf
from tuning.machine.hardware import Gpu
from tuning.runs import files, locks
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL, ModelRef
from tuning.studio import Studio
from tuning.text import say
from tuning.tokens import template

Wait = Callable[..., Any]
GIB = 2**30
ASK = [{"role": "user", "content": "How much is item 3?"}]


@pytest.fixture
def studio(home: pathlib.Path) -> Iterator[Studio]:
    """A studio with a workshop of their own."""
    workshop = Workshop(Store(home))
    workshop.start()
    yield Studio(settings.read(), LOCAL, workshop)
    workshop.close()


def status(run: Run) -> str:
    return run.state().status


def close(studio: Studio) -> None:
    """End the workshop that the fixture started: the test has one of its own over the same home."""
    assert studio.workshop is not None
    studio.workshop.close()
    studio.workshop._thread.join(10)


def test_runs_are_trained_one_after_another(studio: Studio, make_run: Callable[..., Run], wait_until: Wait) -> None:
    runs = [make_run(max_steps=3) for _ in range(3)]
    starts = [threading.Thread(target=studio.runs.resume, args=(run.id,)) for run in runs]
    for start in starts:
        start.start()
    wait_until(lambda: all(status(run) in ("finished", "failed") for run in runs))
    spans = sorted((state.started, state.ended) for state in (run.state() for run in runs))
    assert {status(run) for run in runs} == {"finished"}
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))  # type: ignore[operator]


def test_talking_to_a_model_while_it_learns(studio: Studio, make_run: Callable[..., Run], wait_until: Wait) -> None:
    run = make_run(num_train_epochs=100)
    studio.runs.resume(run.id)
    wait_until(lambda: run.state().step >= 2)
    answer = "".join(studio.talk.chat(run.id, ASK))
    before = "".join(studio.talk.chat(run.id, ASK, base=True))
    assert isinstance(answer, str) and isinstance(before, str)
    assert status(run) == "running"
    studio.runs.stop(run.id)
    wait_until(lambda: status(run) == "stopped")
    assert "".join(studio.talk.chat(run.id, ASK)) is not None  # from the resident model, nothing is loaded


def test_an_answer_can_be_stopped(studio: Studio, make_run: Callable[..., Run], wait_until: Wait) -> None:
    run = make_run(max_steps=2)
    studio.runs.resume(run.id)
    wait_until(lambda: status(run) == "finished")
    question = studio.talk.question(run.id, ASK)
    question.max_new_tokens = 400
    assert studio.workshop is not None
    question.stopped.set()
    studio.workshop.ask(question)
    assert len("".join(question.stream())) < 20


def test_a_question_that_fails_is_told_and_the_next_is_answered(
    studio: Studio, tiny_model: pathlib.Path, tmp_path: pathlib.Path, make_run: Callable[..., Run], wait_until: Wait
) -> None:
    long = [{"role": "user", "content": "word " * 2000}]
    with pytest.raises(EngineError) as caught:
        list(studio.talk.chat(str(tiny_model), long))
    assert caught.value.code == "chat.too_long"
    assert isinstance("".join(studio.talk.chat(str(tiny_model), ASK)), str)


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


@pytest.mark.drawn("waits")
def test_a_run_waits_for_its_model_and_others_train_meanwhile(
    home: pathlib.Path, studio: Studio, make_run: Callable[..., Run], tiny_model: pathlib.Path, wait_until: Wait
) -> None:
    close(studio)
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
    home: pathlib.Path, studio: Studio, make_run: Callable[..., Run], wait_until: Wait
) -> None:
    close(studio)

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


# What goes wrong in a job, or between two, ends neither the thread nor anybody's patience.

SOON = 5.0  # seconds within which whoever waits has to be told


def within(work: Callable[[], Any], seconds: float = SOON) -> Any:
    """What `work` returns, or the error that it tells; fails where it takes longer, as a wait without an end would."""
    found: list[Any] = []

    def go() -> None:
        try:
            found.append(work())
        except TuningError as error:
            found.append(error)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"nothing came within {seconds} s"
    return found[0]


def said(error: Any) -> str:
    """The code of what somebody was told, which has to have words in both languages."""
    assert isinstance(error, TuningError), repr(error)
    for lang in ("en", "it"):
        assert say(lang, error.code, error.params)
    return error.code


def works(studio: Studio, run: Run, wait_until: Wait) -> None:
    """The thread lives, answers and trains."""
    assert studio.workshop is not None and studio.workshop._thread.is_alive()
    assert isinstance(within(lambda: "".join(studio.talk.chat(run.spec().model.path, ASK)), 60), str)
    studio.runs.resume(run.id)
    wait_until(lambda: status(run) == "finished")


@pytest.fixture
def done(studio: Studio, make_run: Callable[..., Run], wait_until: Wait) -> Run:
    """A run that the workshop has trained."""
    run = make_run(max_steps=2)
    studio.runs.resume(run.id)
    wait_until(lambda: status(run) == "finished")
    return run


@pytest.mark.parametrize("library", ["tuning.engine.resident", "tuning.engine.speak.chat"])
def test_a_library_that_cannot_be_loaded_is_said_to_everybody_who_waits(
    library: str, studio: Studio, trained: Trainer, make_run: Callable[..., Run], wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade that has left one out of step: a run ends with the reason, question and report with a sentence."""
    close(studio)
    finished, run, workshop = trained(max_steps=2)[0], make_run(max_steps=2), Workshop(studio.shared.store)
    studio = Studio(settings.read(), LOCAL, workshop)
    with monkeypatch.context() as broken:
        broken.setitem(sys.modules, library, None)
        package, _, name = library.rpartition(".")
        broken.delattr(sys.modules[package], name, raising=False)
        workshop.preload()
        workshop.start()
        assert said(within(lambda: list(studio.talk.chat(finished.id, ASK)))) == "engine.cannot_load"
        assert said(within(lambda: studio.talk.evaluate(finished.id))) == "engine.cannot_load"
        studio.runs.resume(run.id)
        wait_until(lambda: status(run) == "failed", SOON)
        state = run.state()
        assert state.reason == "libraries" and state.error is not None and state.error.code == "engine.cannot_load"
    works(studio, run, wait_until)
    workshop.close()


class Panic(BaseException):
    """As a library written in Rust raises where it gives up: no Exception, for pyo3's PanicException is none."""


@pytest.mark.parametrize("fault", [RuntimeError("a bug"), Panic("a panic"), SystemExit(1), KeyboardInterrupt()], ids=repr)
def test_whatever_a_library_raises_ends_one_job_alone(
    fault: BaseException, studio: Studio, done: Run, make_run: Callable[..., Run], wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise fault

    run = make_run(max_steps=2)
    with monkeypatch.context() as patch:
        patch.setattr(transformers.GenerationMixin, "generate", broken)
        assert said(within(lambda: list(studio.talk.chat(done.id, ASK)))) == "chat.failed"
    with monkeypatch.context() as patch:
        patch.setattr(transformers.LlamaForCausalLM, "forward", broken)
        assert said(within(lambda: studio.talk.evaluate(done.id))) == "evaluate.failed"
    with monkeypatch.context() as patch:
        patch.setattr(train.transformers, "set_seed", broken)  # of several modules of that name the one that is used
        studio.runs.resume(run.id)
        wait_until(lambda: status(run) == "failed", SOON)
        error = run.state().error
        assert error is not None and error.code == "train.unexpected"
    works(studio, run, wait_until)


class Faulty(Job):
    """Does something inside itself, and then comes upon a fault of a card."""

    failed = "chat.failed"

    def __init__(self, inner: Callable[[], Any] = lambda: None) -> None:
        self.inner = inner

    def run(self, resident: Any, between: Callable[[], None], inside: bool) -> None:
        self.inner()
        raise RuntimeError("CUDA error: device-side assert triggered")

    def refuse(self, error: TuningError) -> None:
        assert error.code == self.failed


@pytest.mark.parametrize(
    ("used", "dead", "replaced"), [(True, True, True), (True, False, False), (False, True, False)], ids=["dead", "alive", "never used"]
)
def test_a_process_whose_card_computes_nothing_any_more_is_replaced_whatever_the_job(
    used: bool, dead: bool, replaced: bool, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the outermost job, which has a run to put in order."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: used)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(Device, "alive", lambda device: not (dead and device.name == "cuda:1"))
    workshop, seen = Workshop(Store(home)), []
    assert isinstance(workshop._do(Faulty(lambda: (workshop._do(Faulty()), seen.append(workshop.spoiled.is_set())))), RuntimeError)
    assert (seen, workshop.spoiled.is_set()) == ([False], replaced)


def test_a_card_that_is_full_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    for fault, alive in ((torch.OutOfMemoryError("CUDA out of memory"), True), (RuntimeError("CUDA error: device-side assert"), False)):

        def ones(*_: Any, fault: Exception = fault, **__: Any) -> Any:
            raise fault

        with monkeypatch.context() as patch:
            patch.setattr(torch, "ones", ones)
            assert Device("cpu").alive() is alive


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_ctrl_c_and_the_end_of_the_program_pass_in_a_terminal_and_a_panic_does_not(fault: BaseException) -> None:
    """Only the main thread gets signals: there the user is heard, and nothing else that a library raises."""

    def broken(what: BaseException) -> None:
        raise what

    with pytest.raises(type(fault)):
        caught(lambda: broken(fault), "a job")
    panic = Panic("a panic")
    assert caught(lambda: broken(panic), "a job") is panic


def test_a_queue_that_cannot_be_locked_is_said_and_the_next_run_trains(
    home: pathlib.Path, studio: Studio, make_run: Callable[..., Run], wait_until: Wait
) -> None:
    """As where another user's program made the file: here a folder stands in its place."""
    run = make_run(max_steps=2)
    (home / "queue.lock").unlink(missing_ok=True)
    (home / "queue.lock").mkdir()
    studio.runs.resume(run.id)
    wait_until(lambda: status(run) == "failed", SOON)
    state = run.state()
    assert state.error is not None and said(EngineError(state.error.code, **state.error.params)) == "train.queue"
    (home / "queue.lock").rmdir()
    works(studio, run, wait_until)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_log_that_raises_ends_the_thread_and_everybody_is_told(
    studio: Studio, make_run: Callable[..., Run], tiny_model: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one thing that the guard itself relies on. Whoever waits is told, and whoever comes later."""
    close(studio)
    workshop = Workshop(studio.shared.store)
    studio, run = Studio(settings.read(), LOCAL, workshop), make_run(max_steps=2)

    def broken(*_: Any, **__: Any) -> Any:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tuning.engine.resident", None)
        patch.setattr(logging.Logger, "exception", broken)
        question = studio.talk.ask(str(tiny_model), ASK)
        workshop.start()
        workshop._thread.join(SOON)
    assert said(within(lambda: list(question.stream()))) == "workshop.ended"
    assert not workshop.alive
    assert said(within(lambda: list(studio.talk.chat(str(tiny_model), ASK)))) == "workshop.ended"
    assert said(within(lambda: studio.runs.resume(run.id))) == "workshop.ended"
    assert status(run) == "queued", "it is trained as soon as the program is started again"


DEADLY = """
import importlib.abc, logging, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "tuning.engine.resident":
            raise ImportError("libcudart.so.12: cannot open shared object file")

def broken(*words, **named):
    raise SystemExit

sys.meta_path.insert(0, Finder())
logging.Logger.exception = broken
"""


def health(address: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.drawn("waits")
def test_the_app_s_health_is_that_of_the_thread(
    home: pathlib.Path,
    tmp_path: pathlib.Path,
    studio: Studio,
    make_run: Callable[..., Run],
    wait_until: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real app, whose thread ends as in the test before as soon as a run is in the queue."""
    close(studio)
    run = make_run(max_steps=2)
    (tmp_path / "sitecustomize.py").write_text(DEADLY, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with running(home) as (address, process):
        assert health(address) == (200, {"alive": True, "error": None})
        run.enqueue()
        wait_until(lambda: health(address)[0] == 503)
        assert health(address)[1] == {"alive": False, "error": say("en", "workshop.ended", {})}
        assert process.poll() is None


def test_a_report_is_not_awaited_of_a_workshop_that_has_ended(trained: Trainer, studio: Studio) -> None:
    run, _ = trained(max_steps=2)
    assert studio.workshop is not None
    comparison = studio.talk.comparison(run.id)
    close(studio)
    assert said(within(lambda: studio.workshop.compare(comparison))) == "workshop.ended"  # type: ignore[union-attr]
    comparison.alive = lambda: False
    assert said(within(comparison.result)) == "workshop.ended"


def test_nobody_waits_without_a_limit(studio: Studio, tiny_model: pathlib.Path, trained: Trainer) -> None:
    """Nobody answers at all here; the limits are cut short."""
    question, comparison = studio.talk.question(str(tiny_model), ASK), studio.talk.comparison(trained(max_steps=2)[0].id)
    question.patience = comparison.patience = 0.2
    assert said(within(lambda: list(question.stream()))) == "workshop.late"
    assert said(within(comparison.result)) == "workshop.late"
    assert question.stopped.is_set(), "an answer that nobody reads is not made"


def test_a_report_is_refused_while_a_run_is_on(studio: Studio, done: Run, make_run: Callable[..., Run], wait_until: Wait) -> None:
    run = make_run(num_train_epochs=100)
    studio.runs.resume(run.id)
    wait_until(lambda: run.state().step >= 2)
    assert said(within(lambda: studio.talk.evaluate(done.id))) == "evaluate.busy"
    early = Comparison(done)  # handed over a moment before the run began
    assert studio.workshop is not None
    studio.workshop._jobs.append(Compare(early, studio.shared.store))
    assert said(within(early.result)) == "evaluate.busy"
    studio.runs.stop(run.id)
    wait_until(lambda: status(run) == "stopped")


@pytest.mark.parametrize("looks", range(6))
def test_a_run_deleted_at_any_moment_never_holds_up_the_others(
    looks: int, studio: Studio, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two owners' runs goes right after its spec was looked at for so many times."""
    close(studio)
    store, doomed, other = studio.shared.store, make_run(), make_run()
    files.write(other.folder / "spec.yaml", (other.folder / "spec.yaml").read_text(encoding="utf-8").replace("owner: local", "owner: anna"))
    for run in (doomed, other):
        run.enqueue()
    stat, left = pathlib.Path.stat, looks

    def looking(path: pathlib.Path, **named: Any) -> Any:
        nonlocal left
        found = stat(path, **named)
        if path == doomed.folder / "spec.yaml":
            if not left:
                shutil.rmtree(doomed.folder)
            left -= 1
        return found

    monkeypatch.setattr(pathlib.Path, "stat", looking)
    waiting = [run.id for run in store.queue()]
    left = looks if doomed.folder.exists() else -1
    assert other.id in waiting and other.id in store.places()


# The card's lock: whoever puts a model on a card holds it.


@pytest.fixture
def carded(home: pathlib.Path, trained: Trainer) -> Run:
    """A run that was trained, as if on the first card of a machine."""
    from tests.runs.test_store import on_device

    return on_device(trained(max_steps=2)[0], "cuda:0")


def test_nobody_talks_on_a_card_that_a_terminal_trains_on(home: pathlib.Path, studio: Studio, carded: Run) -> None:
    """The lock is asked for before anything is loaded; it is another process's here, as far as the system can tell."""
    with locks.Lock(home / "gpu-0.lock") as card:
        assert card.acquire()
        told = within(lambda: list(studio.talk.chat(carded.id, ASK)))
        assert said(told) == "chat.gpu_busy" and told.params == {"device": "cuda:0"}
        assert said(within(lambda: studio.talk.evaluate(carded.id))) == "evaluate.busy"
    told = within(lambda: list(studio.talk.chat(carded.id, ASK)), 30)
    assert said(told) != "chat.gpu_busy"  # it goes on to load, and finds no card on this machine


def test_the_card_is_held_while_it_answers_and_a_processor_never(
    home: pathlib.Path, studio: Studio, carded: Run, tiny_model: pathlib.Path, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    load = transformers.AutoModelForCausalLM.from_pretrained

    def loading(*words: Any, **named: Any) -> Any:
        held.append(locks.held(home / "gpu-0.lock"))
        return load(*words, **{**named, "device_map": None})

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", loading)
    within(lambda: list(studio.talk.chat(carded.id, ASK)), 30)
    within(lambda: list(studio.talk.chat(str(tiny_model), ASK)), 30)
    assert held == [True, False]
    assert [path.name for path in home.glob("*.lock") if path.name.startswith("gpu")] == ["gpu-0.lock"]
    wait_until(lambda: not locks.held(home / "gpu-0.lock"))


def test_a_bare_model_is_asked_where_and_how_it_would_be_trained(studio: Studio, tiny_model: pathlib.Path) -> None:
    """Two cards of an older generation, the second emptier: not the first, and not in bf16, which they compute slowly or not at all."""
    free = {0: 2 * GIB, 1: 14 * GIB}
    cards = [
        Gpu(index=index, name="Tesla T4", memory_total=15 * GIB, memory_free=free[index], compute_capability=7.5, driver="580.1")
        for index in free
    ]
    studio.shared._hardware = (float("inf"), studio.shared.probe().model_copy(update={"gpus": cards, "trouble": None}))
    question = studio.talk.question(str(tiny_model), ASK)
    assert (question.device, question.precision, question.quantization) == ("cuda:1", "fp16", "none")
    studio.shared._hardware = (float("inf"), studio.shared.probe().model_copy(update={"gpus": []}))
    question = studio.talk.question(str(tiny_model), ASK)
    assert (question.device, question.precision, question.quantization) == ("cpu", "fp32", "none")


def test_a_template_that_loops_at_a_word_ends_in_a_sentence_and_the_next_question_is_answered(
    studio: Studio, tiny_model: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "MOST_SECONDS", 0.5)
    folder = shutil.copytree(tiny_model, tmp_path / "sly")
    (folder / "chat_template.jinja").write_text(TRIGGER + UNMARKED, encoding="utf-8")
    with pytest.raises(EngineError) as caught:
        list(studio.talk.chat(str(folder), [{"role": "user", "content": "abracadabra"}]))
    assert caught.value.code == "tokens.endless"
    assert isinstance("".join(studio.talk.chat(str(folder), [{"role": "user", "content": "Hello?"}])), str)


def test_a_model_that_does_not_fit_is_not_loaded_to_be_asked(
    studio: Studio, tiny_model: pathlib.Path, tmp_path: pathlib.Path, make_run: Callable[..., Run], wait_until: Wait
) -> None:
    """What is loaded already is asked on, though there would be no room for it once more; what gives way makes room."""
    run = make_run(max_steps=2)
    studio.runs.resume(run.id)
    wait_until(lambda: status(run) == "finished")
    other = str(shutil.copytree(tiny_model, tmp_path / "other"))
    studio.shared._hardware = (float("inf"), studio.shared.probe().model_copy(update={"gpus": [], "memory_free": 100_000}))
    assert studio.talk.question(run.id, ASK).model.path == studio.talk.question(str(tiny_model), ASK).model.path
    terminal = Studio(settings.read(), LOCAL)
    terminal.shared._hardware = studio.shared._hardware
    for asked, target in ((studio, other), (terminal, run.id), (terminal, other)):
        with pytest.raises(RunError) as caught:
            asked.talk.question(target, ASK)
        assert caught.value.code == "chat.no_room" and "GB" in say("it", caught.value.code, caught.value.params)
    assert studio.workshop is not None
    path, held = studio.workshop.holds()
    assert path == str(tiny_model) and held >= studio.talk.question(run.id, ASK).model.card.parameters * 4
