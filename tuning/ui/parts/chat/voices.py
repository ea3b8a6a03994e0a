"""How one message is asked of one or two who answer, and the questions that became of it; those under way, so that Stop finds them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuning.runs.contents import AnswerSettings
from tuning.studio.talk import AS_IT_COMES

if TYPE_CHECKING:
    from tuning.engine.question import Question


class Talks:
    """Questions under way, by a token that the page holds, so that Stop finds them."""

    def __init__(self) -> None:
        self._open: dict[str, list[Question]] = {}

    def begin(self, questions: "list[Question]") -> str:
        token = uuid.uuid4().hex
        self._open[token] = questions
        return token

    def stop(self, token: str | None) -> None:
        """The model ends its answer at the next token; also the way to say that all is over."""
        for question in self._open.pop(token or "", []):
            question.stopped.set()


@dataclass(frozen=True)
class Voice:
    """Somebody who answers: a run, a checkpoint of one, or a model; or the base of it."""

    target: str
    base: bool = False


@dataclass
class Asking:
    """How one message is asked, and the questions that became of it, one for each side. `begun`: what answers go on from.

    `other`: who answers beside, in the place of the base. `blind`: nobody is told which side is whose;
    `turned`: they are exchanged.
    """

    how: AnswerSettings = AS_IT_COMES
    own_system: str = ""
    begun: Sequence[str] = ("", "")
    other: str = ""
    blind: bool = False
    turned: bool = False
    questions: "list[Question]" = field(default_factory=list)

    def voices(self, who: str) -> list[tuple[Voice, AnswerSettings]]:
        """Who answers on the left and on the right, and how. The strength is that of whoever is talked to."""
        beside = (Voice(self.other) if self.other else Voice(who, base=True), self.how.model_copy(update={"strength": None}))
        both = [(Voice(who), self.how), beside]
        return both[::-1] if self.turned else both
