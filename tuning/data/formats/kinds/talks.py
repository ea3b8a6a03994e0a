"""Rows that hold a conversation as a list of turns, and texts that hold none. Single questions are in `pairs`."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tuning.data.formats import unfit
from tuning.data.formats.kinds.templated import Templated, turns
from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Format, Targets, TextShape, TurnsShape
from tuning.data.formats.tool_calls import TOOLS
from tuning.data.formats.turns import SHAREGPT
from tuning.data.formats.vocabulary import CONVERSATIONS, RATING, SYSTEM, TEXT
from tuning.data.records import Values, value_at

_ABOUT = (
    "context",
    "contexts",
    "contesto",
    "kontext",
    "contexte",
    "contexto",
    "background",
    "document",
    "documento",
    "passage",
    "knowledge",
)
_TALK: dict[str, Sequence[str]] = {
    "system": SYSTEM,
    "context": _ABOUT,
    "tools": TOOLS,
    **dict.fromkeys(("role", "content", "user", "assistant"), ()),
}


class Messages(TurnsShape):
    """Conversations as chat templates take them."""

    name = "messages"
    example: ClassVar[Values] = {
        "messages": [
            {"role": "system", "content": "You answer briefly."},
            {"role": "user", "content": "What is the capital of Italy?"},
            {"role": "assistant", "content": "Rome."},
        ]
    }
    targets: ClassVar[Targets] = {"messages": ("messages", "messaggi"), **_TALK}
    required = frozenset({"messages"})
    turns = "messages"


class KtoMessages(Messages):
    """Conversations, and whether each was wanted: what was not is refused."""

    name = "kto-messages"
    example: ClassVar[Values] = {**Messages.example, "label": True}
    targets: ClassVar[Targets] = {**Messages.targets, "messages": (*Messages.targets["messages"], *CONVERSATIONS), "label": RATING}
    required = frozenset({"messages", "label"})
    reason = "data.reason.kto"

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        unfit.refuse_unwanted(value_at(row, mapping["label"]), mapping["label"])
        return super().convert(row, mapping, mend, notes)


class ShareGpt(TurnsShape):
    """Conversations as ShareGPT exported them."""

    name = "sharegpt"
    example: ClassVar[Values] = {
        "conversations": [
            {"from": "human", "value": "What is the capital of Italy?"},
            {"from": "gpt", "value": "Rome."},
        ]
    }
    targets: ClassVar[Targets] = {"conversations": CONVERSATIONS, **_TALK}
    required = frozenset({"conversations"})
    turns = "conversations"
    words = SHAREGPT


class PlainText(TextShape):
    """Texts without questions and answers."""

    name = "text"
    example: ClassVar[Values] = {"text": "Quel ramo del lago di Como, che volge a mezzogiorno…"}
    targets: ClassVar[Targets] = {"text": TEXT}
    required = frozenset({"text"})

    def seen(self, sample: Sequence[Values], mapping: Mapping[str, str]) -> Format:
        """Texts in which a template marks who speaks are taken apart, where most of the sample are such."""
        marked = sum(turns(value_at(row, mapping["text"])) is not None for row in sample)
        return Templated().placed(self.found) if 2 * marked > len(sample) else self
