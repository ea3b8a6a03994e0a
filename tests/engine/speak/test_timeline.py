"""The answers on the way: which questions, when, and that a run learns the same with them as without."""

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.conftest import losses
from tuning.data.library import Library
from tuning.engine import shutdown
from tuning.engine.learn.train import train
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak import timeline as samples
from tuning.engine.speak.chat import answer
from tuning.runs.run_folder import Run
from tuning.schema import Message
from tuning.studio import Studio

CHANGES = {"num_train_epochs": 4, "lora_dropout": 0.1, "early_stopping_patience": 0}


@pytest.fixture
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a second have no time for answers: here they have."""
    monkeypatch.setattr(samples, "SHARE", 1e6)
    monkeypatch.setattr(samples, "WHOLE_SHARE", 1e6)
    monkeypatch.setattr(samples, "NEW_TOKENS", 8)


def raw(run: Run, studio: Studio) -> tuple[Any, Any]:
    spec = run.spec()
    return Library(studio.shared.store.home).parts(spec.data.id, spec.owner, spec.settings)


def test_a_run_with_answers_learns_what_one_without_learns(
    make_run: Callable[..., Run], studio: Studio, generous: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, resident = make_run(**CHANGES), Resident()
    assert train(asked, studio.shared.store, resident).status == "finished"
    steps = [record["step"] for record in asked.samples()]
    total = asked.spec().forecast.steps
    assert steps == sorted({0, *(-(-total * tenth // 10) for tenth in range(1, 11))}) and len(steps) == 11
    with monkeypatch.context() as silent:
        silent.setattr(samples, "ROWS", 0)
        plain = make_run(**CHANGES)
        assert train(plain, studio.shared.store, Resident()).status == "finished"
    assert plain.samples() == []
    assert losses(asked) == losses(plain)
    assert (asked.adapter / "adapter_model.safetensors").read_bytes() == (plain.adapter / "adapter_model.safetensors").read_bytes()

    _, held_out = raw(asked, studio)
    questions = {row["messages"][0]["content"]: row["messages"][1]["content"] for row in held_out}
    first, last = asked.samples()[0]["answers"], asked.samples()[-1]["answers"]
    assert 3 <= len(first) <= 5
    for one in first[:-1]:
        assert questions[one["prompt"]] == one["reference"]
    assert (first[-1]["prompt"], first[-1]["general"]) == ("What is the capital of France?", True)
    assert all([one["prompt"] for one in record["answers"]] == [one["prompt"] for one in first] for record in asked.samples())
    assert [one["answer"] for one in first] != [one["answer"] for one in last]
    for at, record in ((None, first), (asked, last)):  # as chat would have answered, one by one
        question = Question([Message(role="user", content=record[0]["prompt"])], asked.spec().model, "cpu", "fp32", at, max_new_tokens=8)
        answer(resident, question)
        assert "".join(question.stream()).strip() == record[0]["answer"].removesuffix("…").strip()


def test_after_a_stop_the_same_questions_and_no_point_twice(make_run: Callable[..., Run], studio: Studio, generous: None) -> None:
    run = make_run(**CHANGES)

    def stop_at_six() -> None:
        if max(losses(run), default=0) >= 6 and not run.stop_requested():
            run.request_stop()

    assert train(run, studio.shared.store, Resident(), stop_at_six).status == "stopped"
    before = (run.folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    lines = (run.folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert lines[: len(before)] == before and len(before) > 1
    assert len(steps) == len(set(steps)) and max(steps) == run.spec().forecast.steps
    assert len({tuple(one["prompt"] for one in json.loads(line)["answers"]) for line in lines}) == 1


class Silent(samples.Timeline):
    """A timeline that notes when it would ask and how long that would take, all answers being as long as they may."""

    def _ask(self, step: int, limit: float, count: int, least: int = 0) -> None:
        took = min(count, int(limit / self._token_seconds)) * self._token_seconds
        self._spent += took
        self.noted: list[tuple[int, float, float]] = [*getattr(self, "noted", []), (step, limit, took)]


@pytest.mark.parametrize(("token_seconds", "expected"), [(0.001, 10), (0.1, 10), (0.3, 6), (0.5, 5)])
def test_answers_that_cost_too_much_are_left_out(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, token_seconds: float, expected: int
) -> None:
    now = [0.0]
    monkeypatch.setattr(samples.time, "monotonic", lambda: now[0])
    timeline = Silent(make_run(), Resident(), [samples.TimelineQuestion("?", (("user", "?"),))], 1000.0, 512)
    timeline._token_seconds = token_seconds
    timeline.begin()
    for step in range(1, 101):
        now[0] += 10.0
        timeline.maybe(step, 100)
    steps = [step for step, _, _ in timeline.noted]
    assert steps[0] == 0 and len(steps) == 1 + expected
    assert sum(took for _, _, took in timeline.noted) <= samples.WHOLE_SHARE * 1000.0 + 1e-6
    for step, limit, took in timeline.noted[1:]:
        assert took <= limit <= samples.SECONDS
        assert step == 100 or limit <= samples.SHARE * 10.0 * step
        assert took >= samples.FEWEST_TOKENS * token_seconds


@pytest.mark.parametrize("total", [1, 2, 40])
def test_the_shortest_run_shows_what_came_of_it(make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, total: int) -> None:
    """A run of a few seconds has no time for answers by its share: those at its end are few tokens, however long they take."""
    now = [0.0]
    monkeypatch.setattr(samples.time, "monotonic", lambda: now[0])
    timeline = Silent(make_run(), Resident(), [samples.TimelineQuestion("?", (("user", "?"),))], 2.0, 512)
    timeline._token_seconds = 0.05
    timeline.begin()
    for step in range(1, total + 1):
        now[0] += 2.0 / total
        timeline.maybe(step, total)
    assert [(step, took) for step, _, took in timeline.noted[1:]] == [(total, pytest.approx(samples.FEWEST_TOKENS * 0.05))]


def test_an_answer_cut_after_a_few_tokens_is_not_shown_beside_the_whole_ones(
    make_run: Callable[..., Run], studio: Studio, generous: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that is busy for a moment: the next point is there again, and the first and the last are there anyway."""
    run, resident, tokens = make_run(), Resident(), [3]
    resident.load(run.spec().model.path, "cpu", "fp32")
    monkeypatch.setattr(samples, "greedy", lambda *_: [samples.Answer("La", tokens[0], False)] * len(timeline.asked))
    timeline = samples.Timeline(run, resident, samples.pick(raw(run, studio)[1]), 1000.0, 512)
    timeline.begin()
    for step in range(1, 11):
        tokens[0] = 3 if step in (2, 3, 10) else samples.FEWEST_TOKENS
        timeline.maybe(step, 10)
    assert [record["step"] for record in run.samples()] == [0, 1, 4, 5, 6, 7, 8, 9, 10]


def test_whoever_has_to_leave_does_not_wait_and_what_goes_wrong_is_only_logged(
    make_run: Callable[..., Run], studio: Studio, generous: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run, resident = make_run(), Resident()
    resident.load(run.spec().model.path, "cpu", "fp32")
    timeline = samples.Timeline(run, resident, samples.pick(raw(run, studio)[1]), 10.0, 512)
    shutdown.ask(run)
    timeline.begin()
    assert run.samples() == []
    shutdown.forget(run)
    timeline.begin()
    assert [record["step"] for record in run.samples()] == [0]

    def broken(*_: Any, **__: Any) -> Iterator[list[int]]:
        raise RuntimeError("no memory for answers")

    monkeypatch.setattr(samples, "_prompts", broken)
    for step in (5, 10):
        timeline.maybe(step, 10)
    assert caplog.text.count("RuntimeError: no memory for answers") == 1
    assert len(run.samples()) == 1


def row(number: int, question: str, reply: str, **more: Any) -> dict[str, Any]:
    return {"row": number, "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": reply}], **more}


def test_questions_are_short_unlike_and_the_same_each_time() -> None:
    rows = [row(n, f"Quanto costa l'articolo numero {n} del listino?", f"L'articolo {n} costa {n} euro.") for n in range(50)]
    rows += [row(50, "x" * 1000, "too long"), row(51, "?", "tools", tools=[{"function": {"name": "f"}}])]
    asked = samples.pick(rows)
    assert asked == samples.pick(rows) and len({one.prompt for one in asked}) == len(asked) == 5
    assert [one.general for one in asked] == [False] * 4 + [True]
    assert "Francia" in asked[-1].prompt and asked[-1].reference == "Parigi."
    assert samples.pick([]) == []
    assert [one.prompt for one in samples.pick([row(1, "Who?", "Me."), row(2, "Who?", "You.")])][:1] == ["Who?"]


def test_a_text_without_roles_is_to_go_on_from_its_first_words() -> None:
    words = " ".join(f"word{n}" for n in range(40))
    (one,) = samples.pick([{"row": 1, "text": words}, {"row": 2, "text": "short"}])
    assert not one.turns and f"{one.prompt} {one.reference}" == words


def test_the_folder_is_read_as_it_is(make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run()
    assert studio.runs.show(run.id)["samples"] == []
    answer = {"prompt": "One?", "answer": "Two.", "reference": "One."}
    lines = [{"step": 4, "answers": []}, {"step": 0, "answers": []}, {"step": 4, "answers": [answer]}, {"no": 1}]
    half = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9, "answ'
    pathlib.Path(run.folder / "samples.jsonl").write_text(half, encoding="utf-8")
    assert studio.runs.show(run.id)["samples"] == [lines[1], lines[2]]
