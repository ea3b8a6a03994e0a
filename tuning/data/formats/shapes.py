"""What the formats have in common: finding columns by their names, and turning a row into its normal form.

Each shape of row has its class here: two columns, two columns that may hold messages, a list of turns, one text. The formats
themselves, with their names and columns, are in `formats`.
"""

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from tuning.data.formats.turns import (
    USUAL,
    WORDS,
    RawMessage,
    TurnKeys,
    blank,
    mended,
    messages,
    ordered,
    plain,
    squeezed,
    text,
    tools,
    words,
)
from tuning.data.records import Values, shown
from tuning.errors import InputError

Targets = Mapping[str, Sequence[str]]  # what a row holds -> the column names it goes by, squeezed, best first

MISSING: Any = object()


def value_at(row: Values, column: str) -> Any:
    """What a row holds under a column, or at the end of a dotted path where no column has that name; MISSING where nothing is."""
    if column in row:
        return row[column]
    value: Any = row
    for key in column.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return value


class Format:
    """One way to write down what is to be learned."""

    name: ClassVar[str]
    example: ClassVar[Values]
    targets: ClassVar[Targets]
    required: ClassVar[frozenset[str]]
    reason: ClassVar[str] = "data.reason.columns"
    found: Mapping[str, str] = MappingProxyType({})  # targets that the content of the columns told

    def placed(self, found: Mapping[str, str]) -> "Format":
        """The same format, with some targets found where their names would not tell."""
        form = copy.copy(self)
        form.found = {**self.found, **found}
        return form

    def matches(self, columns: Sequence[str]) -> dict[str, str] | None:
        """Target -> column, where all that is required is there; else None. Case, spaces, hyphens and underscores do not count."""
        return self.complete(columns, {})

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As `matches`, with some targets given by hand and only the others looked for."""
        mapping = self._find(columns, given)
        return mapping if self.required <= mapping.keys() else None

    def lacks(self, columns: Sequence[str], given: Mapping[str, str]) -> str:
        """The first target that is required and has no column; empty where there is none."""
        mapping = self._find(columns, given)
        return next((target for target in self.targets if target in self.required and target not in mapping), "")

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False) -> dict[str, Any]:
        """A row in normal form: its `messages`, with `tools` where it has some, or its `text`; each text as it stands there.

        `mend` drops the turns of a conversation before its first question and after its last answer. Raises InputError:
        `data.row.columns`, `data.row.type`, `data.row.surrogate`, `data.row.tools` (column), `data.row.empty_question`,
        `data.row.empty_answer`, `data.row.empty_text`, `data.row.role`, `data.row.roles` (turn, role), `data.row.part` (turn, found),
        `data.row.turns` (column), `data.row.call` (turn), `data.row.unwanted`.
        """
        raise NotImplementedError

    def _find(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
        mapping = {**self.found, **given}
        taken = {column for target, column in mapping.items() if target not in WORDS}
        free: dict[str, str] = {}
        for column in columns:
            if column not in taken:
                free.setdefault(squeezed(column), column)
        for target, names in self.targets.items():
            name = next((name for name in names if name in free), None)
            if name is not None and target not in mapping:
                mapping[target] = free.pop(name)
        return mapping


def _needed(row: Values, mapping: Mapping[str, str], target: str) -> Any:
    """What a row holds for a target that it must have. Raises InputError `data.row.columns` (column)."""
    column = mapping.get(target)
    value = MISSING if column is None else row[column] if column in row else value_at(row, column)
    if value is MISSING:
        raise InputError("data.row.columns", column=shown(column or target))
    return value


def _wanted(row: Values, mapping: Mapping[str, str], target: str) -> Any:
    """What a row holds for a target that it may have; None where it has none."""
    column = mapping.get(target)
    if column is None:
        return None
    value = value_at(row, column)
    return None if value is MISSING else value


def _system(row: Values, mapping: Mapping[str, str]) -> list[RawMessage]:
    if "system" not in mapping:
        return []
    said = text(_wanted(row, mapping, "system"), mapping["system"])
    return [] if blank(said) else [{"role": "system", "content": said}]


class PairShape(Format):
    """A question (with a context, where there is one) and an answer, each in a column of its own.

    Question and context become one text: joined by `"\\n\\n"`, an empty line between them; a part that is blank is left out.
    """

    asks: ClassVar[tuple[str, str]]  # the targets of question and context
    answers: ClassVar[str]

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False) -> dict[str, Any]:
        asks, with_context = self.asks
        question = text(_needed(row, mapping, asks), mapping[asks])
        answer = text(_needed(row, mapping, self.answers), mapping[self.answers])
        if with_context in mapping:
            context = text(_wanted(row, mapping, with_context), mapping[with_context])
            if context and not context.isspace():
                question = context if blank(question) else f"{question}\n\n{context}"
        if not question or question.isspace():
            raise InputError("data.row.empty_question")
        if not answer or answer.isspace():
            raise InputError("data.row.empty_answer")
        said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return {"messages": [*_system(row, mapping), *said] if "system" in mapping else said}


class Sides(PairShape):
    """A pair, either side of which may be a list of messages; where the answer begins with a question, it is the whole conversation."""

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False) -> dict[str, Any]:
        asks, with_context = self.asks
        answer = _needed(row, mapping, self.answers)
        prompt = _wanted(row, mapping, asks)
        if prompt.__class__ not in (list, dict) and answer.__class__ not in (list, dict):
            return self._with_tools(row, mapping, super().convert(row, mapping))
        column = mapping[self.answers]
        said = _side(answer, column, "assistant")
        spoken = next((message["role"] for message in said if message["role"] != "system"), "")
        if spoken != "user":
            said = [*_side(_needed(row, mapping, asks), mapping[asks], "user"), *said]
            context = text(_wanted(row, mapping, with_context), mapping.get(with_context, ""))
            if not blank(context):  # where in a conversation it would belong, nobody says
                raise InputError("data.row.type", column=shown(mapping[asks]), found="list")
        system = _system(row, mapping)
        kept = ordered([*system, *said], 1 - len(system))
        return self._with_tools(row, mapping, {"messages": kept})

    def _with_tools(self, row: Values, mapping: Mapping[str, str], converted: dict[str, Any]) -> dict[str, Any]:
        found = tools(_wanted(row, mapping, "tools"), mapping["tools"]) if "tools" in mapping else []
        return {**converted, "tools": found} if found else converted


def _side(value: Any, column: str, role: str) -> list[RawMessage]:
    if isinstance(value, dict):
        value = [value]
    return messages(value, column) if isinstance(value, list) else [{"role": role, "content": text(value, column)}]


class TurnsShape(Format):
    """A conversation: a list of turns, each with who speaks and what is said."""

    turns: ClassVar[str]
    words: ClassVar[TurnKeys] = USUAL

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False) -> dict[str, Any]:
        if len(mapping) == 1 and not mend:  # no system text, tools or words of their own
            simple = plain(row.get(mapping[self.turns]), self.words)
            if simple is not None:
                return {"messages": simple}
        turns = _needed(row, mapping, self.turns)
        if turns is None or turns == [] or (turns.__class__ is str and blank(turns)):
            raise InputError("data.row.empty_question")
        said = messages(turns, mapping[self.turns], words(mapping, self.words))
        system = _system(row, mapping) if "system" in mapping else []
        if mend:
            said = mended(said) or said
        converted = {"messages": ordered([*system, *said], 0) if system else ordered(said)}
        if "tools" in mapping:
            found = tools(_wanted(row, mapping, "tools"), mapping["tools"])
            if found:
                converted["tools"] = found
        return converted


class TextShape(Format):
    """A text without question and answer: everything in it is learned."""

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False) -> dict[str, Any]:
        learned = text(_needed(row, mapping, "text"), mapping["text"])
        if blank(learned):
            raise InputError("data.row.empty_text")
        return {"text": learned}
