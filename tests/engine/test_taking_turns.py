"""Talk beside a run: answers are given in turns with its micro-steps, by a clock of the test's own, and nothing of the run is another."""

import pathlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.engine.conftest import Undisturbed, losses
from tuning.engine.jobs import Ask
from tuning.engine.question import Question
from tuning.engine.speak import talk_share
from tuning.engine.workshop import Workshop
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL, Message

WORK, WORD = 1.0, 0.25  # seconds of a micro-step, or a batch, and of a token
WANTED = {"lora_dropout": 0.1, "num_train_epochs": 4, "gradient_accumulation_steps": 2, "per_device_train_batch_size": 2}
WAYS = [
    pytest.param({**WANTED, "gradient_checkpointing": "full"}, id="lora"),
    pytest.param({**WANTED, "quantization": "nf4", "precision": "bf16"}, id="nf4", marks=pytest.mark.nightly),
]


class Watched(Workshop):
    """A workshop on the thread of the test: its clock goes by what is done, and `asks` are handed over at so many yield points."""

    def __init__(self, store: Store, asks: dict[int, Question]) -> None:
        super().__init__(store)
        self.asks, self.now, self.points = asks, 0.0, 0
        self.clock = lambda: self.now
        self.spoken: list[tuple[Question, int, float]] = []  # at which yield point somebody spoke, and for how long
        self._watchdog.sign = self.word  # type: ignore[method-assign]

    def word(self) -> None:
        """Each sign of life, of which every token is one."""
        self.now += WORD

    def _between(self) -> None:
        self.now += WORK
        if (question := self.asks.get(self.points)) is not None:
            self._jobs.append(Ask(question, self.store))
        super()._between()
        self.points += 1

    def _take_turn(self, job: Ask) -> None:
        began = self.now
        super()._take_turn(job)
        self.spoken.append((job.question, self.points, self.now - began))

    def train(self, run: Run) -> None:
        run.enqueue()
        self._train(run)
        assert run.state().status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
        while self._jobs:
            self._do(self._jobs.pop(0))


def talk(run: Run) -> dict[int, Question]:
    """Questions to a run and its base, one of them with a very long answer, asked again, changed, at other strengths; by yield point."""
    spec = run.spec()
    settings = spec.settings

    def ask(text: str, whom: Run | None = run, **how: Any) -> Question:
        said = [Message(role="user", content=text)]
        way = {"quantization": settings.quantization, "whose": LOCAL, "max_new_tokens": 6, **how}
        return Question(said, spec.model, settings.device, settings.precision, whom, **way)

    long = {"seed": 2, "temperature": 3.0, "max_new_tokens": 120}  # by this lot none of them ends soon, in 4 bits neither
    other = ask("How much is item 3?")
    followed = [*other.messages, Message(role="assistant", content="Item 3 costs 21 euro"), Message(role="user", content="And item 4?")]
    again = replace(ask("How much is item 3?"), messages=followed)
    changed = replace(ask("How much is item 3?"), messages=[*followed[:2], Message(role="user", content="And 5?")])
    return {
        **{0: ask("How much is item 1?", **long), 4: other, 9: ask("How much is item 3?"), 14: again, 20: changed},
        **{26: ask("How much is item 3?", None), 32: ask("How much is item 3?", strength=40.0), 40: ask("What?", seed=2)},
        **{48: ask("How much is item 3?", None, **long), 56: ask("How much is item 3?", strength=150.0)},
    }


@pytest.mark.drawn("turns")
@pytest.mark.parametrize("wanted", WAYS)
def test_a_run_and_those_who_talk_take_turns_and_its_losses_are_the_same(
    wanted: dict[str, Any], home: pathlib.Path, make_run: Callable[..., Run], undisturbed: Undisturbed
) -> None:
    run = make_run(**wanted)
    asks = talk(run)
    workshop = Watched(Store(home), asks)
    workshop.train(run)
    assert workshop.points > max(asks), "all were asked while it was at work"
    assert losses(run) == losses(undisturbed(**wanted))
    for question in asks.values():
        "".join(question.stream())  # raises what kept it from being made
        assert question.outcome is not None
    talked = sum(seconds for _, _, seconds in workshop.spoken)
    overhead = 3 * WORD  # of a turn: its beginning, its end and its last token
    assert 0 < talked <= talk_share.SHARE * workshop.now + talk_share.DEBT
    assert max(seconds for *_, seconds in workshop.spoken) <= talk_share.MOST + overhead
    for point, question in asks.items():
        assert next(at for who, at, _ in workshop.spoken if who is question) == point, "its first words come at once"
    for question in (asks[0], asks[48]):
        assert question.outcome.answer > 40 and len([1 for who, *_ in workshop.spoken if who is question]) > 3
    turned = [who for who, *_ in workshop.spoken]
    assert turned.index(asks[4]) < len(turned) - 1 - turned[::-1].index(asks[0]), "nobody waits for the end of the long one"
