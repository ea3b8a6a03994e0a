"""What the formats have in common: finding columns by their names, and turning a row into its normal form.

Each shape of row has its class here: two columns, two columns that may hold messages, a list of turns, one text. The formats
themselves, with their names and columns, are in `formats`.
"""

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from tuning.data.formats.earlier import earlier
from tuning.data.formats.notes import Notes
from tuning.data.formats.tool_calls import tools
from tuning.data.formats.turns import (
    USUAL,
    WORDS,
    RawMessage,
    TurnKeys,
    add_thought,
    flat,
    mended,
    messages,
    ordered,
    plain,
    text,
    words,
)
from tuning.data.formats.vocabulary import RESPONSES
from tuning.data.records import MISSING, Number, Values, blank, given, shown, squeezed, value_at
from tuning.errors import InputError

_SPEAKERS = frozenset({"role", "from", "speaker"})
_HANDED_IN = (None, "submitted")

Targets = Mapping[str, Sequence[str]]  # what a row holds -> the column names it goes by, squeezed, best first


class Format:
    """One way to write down what is to be learned."""

    name: ClassVar[str]
    example: ClassVar[Values]
    targets: ClassVar[Targets]
    required: ClassVar[frozenset[str]]
    reason: ClassVar[str] = "data.reason.columns"
    by_content: ClassVar[bool] = False  # whether its columns are those of others, and only what they hold tells
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

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        """A row in normal form: its `messages`, with `tools` where it has some, or its `text`; each text as it stands there.

        An answer that is not to be learned has `weight` 0. `notes` hears what the row holds beside, but for whole columns without a target.
        `mend` joins turns of one role, and drops those before the first question and after the last answer. Raises InputError:
        `data.row.columns`, `data.row.type`, `data.row.surrogate`, `data.row.tools` (column), `data.row.empty_question`,
        `data.row.empty_answer`, `data.row.empty_text`, `data.row.role`, `data.row.roles` (turn, role), `data.row.part` (turn, found),
        `data.row.turns` (column), `data.row.call` (turn), `data.row.unwanted`.
        """
        raise NotImplementedError

    def seen(self, sample: Sequence[Values], mapping: Mapping[str, str]) -> "Format":
        """The same format, with what only several rows can tell."""
        return self

    def _find(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
        mapping = {**self.found, **given}
        taken = {column for target, column in mapping.items() if target not in WORDS}
        free: dict[str, str] = {}
        for column in columns:
            if column not in taken and not any(path.startswith(f"{column}.") for path in taken):
                free.setdefault(squeezed(column), column)
        for target, names in self.targets.items():
            name = next((name for name in names if name in free), None)
            if name is not None and target not in mapping:
                mapping[target] = free.pop(name)
        return mapping


def needed(row: Values, mapping: Mapping[str, str], target: str) -> Any:
    """What a row holds for a target that it must have. Raises InputError `data.row.columns` (column)."""
    column = mapping.get(target)
    value = MISSING if column is None else row[column] if column in row else value_at(row, column)
    if value is MISSING:
        raise InputError("data.row.columns", column=shown(column or target))
    return value


def wanted(row: Values, mapping: Mapping[str, str], target: str) -> Any:
    """What a row holds for a target that it may have; None where it has none."""
    column = mapping.get(target)
    if column is None:
        return None
    value = value_at(row, column)
    return None if value is MISSING else value


def system_of(row: Values, mapping: Mapping[str, str], notes: Notes | None = None) -> list[RawMessage]:
    if "system" not in mapping:
        return []
    said = flat(wanted(row, mapping, "system"), mapping["system"], notes or Notes())
    return [] if blank(said) else [{"role": "system", "content": said}]


def context_of(row: Values, mapping: Mapping[str, str], target: str, notes: Notes | None) -> str:
    """The text of a context, or its texts; what is neither is noted as not used."""
    value = wanted(row, mapping, target)
    texts = value if isinstance(value, list) and value else [value]
    numbers = isinstance(value, list) and value and all(isinstance(part, Number) for part in value)  # tokens, as Ollama logs them
    if not numbers and all(part is None or isinstance(part, str) for part in texts):
        return "\n\n".join(said for part in texts if not blank(said := text(part, mapping[target])))
    if notes is not None:
        notes.leave("column", [mapping[target]])
    return ""


def _earlier(row: Values, mapping: Mapping[str, str], notes: Notes) -> list[RawMessage]:
    """The turns that a column holds of before the question."""
    value = wanted(row, mapping, "history")
    found = earlier(value, mapping["history"], notes) if given(value) else []
    if found is None:
        notes.leave("column", [mapping["history"]])
    return found or []


def think(row: Values, mapping: Mapping[str, str], answer: RawMessage, notes: Notes | None) -> None:
    """Gives an answer the thought that a column holds; what is none is noted as not used."""
    value = wanted(row, mapping, "reasoning")
    if given(value) and not (isinstance(value, str) and add_thought(answer, text(value, mapping["reasoning"]))):
        _leave(notes, "column", [mapping["reasoning"]])


def learnable(said: list[RawMessage], notes: Notes) -> list[RawMessage]:
    """The same messages; those whose marks say not to learn them are counted. Raises InputError `data.row.unwanted` where none is left."""
    if notes.marked:
        answers = [message for message in said if message["role"] == "assistant"]
        notes.marked = sum("weight" in message for message in answers)
        if notes.marked == len(answers):
            raise InputError("data.row.unwanted")
    return said


def with_tools(
    row: Values, mapping: Mapping[str, str], converted: dict[str, Any], notes: Notes | None, strict: bool = True
) -> dict[str, Any]:
    """A row with its tools, from their column and from the turns.

    Raises InputError `data.row.tools` (column) where they cannot be read; unless `strict` the column is noted as not used.
    """
    found: list[dict[str, Any]] = []
    if "tools" in mapping:
        try:
            found = tools(wanted(row, mapping, "tools"), mapping["tools"])
        except InputError:
            if strict:
                raise
            if notes is not None:
                notes.leave("column", [mapping["tools"]])
    if notes is not None and notes.tools:
        found += [tool for tool in notes.tools if tool not in found]
    return {**converted, "tools": found} if found else converted


def submitted(value: Any, column: str, notes: Notes | None = None) -> Any:
    """The answer of Argilla's list of `{value, status}`, or of one beside its annotators; anything else as it is."""
    if value.__class__ is not list:
        return value
    if value and column.endswith(RESPONSES) and all(isinstance(one, str) for one in value):
        _leave(notes, "part", [column] * (len(value) - 1))
        return value[0]
    if not value or not all(isinstance(one, dict) and "value" in one and _SPEAKERS.isdisjoint(one) for one in value):
        return value
    good = [one for one in value if one.get("status") in _HANDED_IN and given(one["value"])]
    for one in value:
        _leave(notes, "key", [f"{column}.{key}" for key, held in one.items() if key not in ("value", "status") and given(held)])
    _leave(notes, "part", [column] * (sum(given(one["value"]) for one in value) - bool(good)))
    return good[0]["value"] if good else ""


def _leave(notes: Notes | None, kind: str, names: list[str]) -> None:
    if notes is not None and names:
        notes.leave(kind, names)


class PairShape(Format):
    """A question (with a context, where there is one) and an answer, each in a column of its own.

    Question and context become one text: joined by `"\\n\\n"`, an empty line between them; a part that is blank is left out.
    """

    asks: ClassVar[tuple[str, str]]  # the targets of question and context
    answers: ClassVar[str]
    strict: ClassVar[bool] = False  # a column called tools must hold some

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        asks, with_context = self.asks
        question = text(needed(row, mapping, asks), mapping[asks])
        answer = text(submitted(needed(row, mapping, self.answers), mapping[self.answers], notes), mapping[self.answers])
        if with_context in mapping:
            context = context_of(row, mapping, with_context, notes)
            if not blank(context):
                question = context if blank(question) else f"{question}\n\n{context}"
        if blank(question):
            raise InputError("data.row.empty_question")
        if blank(answer):
            raise InputError("data.row.empty_answer")
        said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        if "reasoning" in mapping:
            think(row, mapping, said[-1], notes)
        if "history" in mapping:
            said = [*_earlier(row, mapping, notes or Notes()), *said]
        said = [*system_of(row, mapping, notes), *said] if "system" in mapping else said
        return with_tools(row, mapping, {"messages": said}, notes, self.strict)


class TurnsShape(Format):
    """A conversation: a list of turns, each with who speaks and what is said."""

    turns: ClassVar[str]
    words: ClassVar[TurnKeys] = USUAL

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        if len(mapping) == 1 and not mend:  # no system text, tools or words of their own
            simple = plain(row.get(mapping[self.turns]), self.words)
            if simple is not None:
                return {"messages": simple}
        turns = needed(row, mapping, self.turns)
        if turns is None or turns == [] or (turns.__class__ is str and blank(turns)):
            raise InputError("data.row.empty_question")
        notes = notes or Notes()
        said = messages(turns, mapping[self.turns], words(mapping, self.words), notes)
        system = system_of(row, mapping, notes) if "system" in mapping else []
        said = [*system, *said] if system else said
        before = len(system)
        if "context" in mapping:
            said, before = _informed(said, context_of(row, mapping, "context", notes), before)
        if mend:
            said = mended(said) or said
        kept = learnable(ordered(said, 1 - before), notes)
        return with_tools(row, mapping, {"messages": kept}, notes)


def _informed(said: list[RawMessage], context: str, before: int) -> tuple[list[RawMessage], int]:
    """The messages with a context in their system text, unless it is said anyway; and how many stand before the first turn."""
    if blank(context) or any(context in message["content"] for message in said):
        return said, before
    if said and said[0]["role"] == "system":
        return [{**said[0], "content": f"{said[0]['content']}\n\n{context}"}, *said[1:]], before
    return [{"role": "system", "content": context}, *said], before + 1


class TextShape(Format):
    """A text without question and answer: everything in it is learned."""

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        learned = text(needed(row, mapping, "text"), mapping["text"])
        if blank(learned):
            raise InputError("data.row.empty_text")
        return {"text": learned}
