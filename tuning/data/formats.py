"""The formats of instruction data: which columns hold what, and how a row becomes messages.

To add one: a class with its own example row, and its place in `FORMATS`. Texts go through to the letter; what cannot be
used is refused with a code, never mended.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from tuning.data.records import Row, broken, listed, shown
from tuning.errors import InputError
from tuning.schema import Message

Role = Literal["system", "user", "assistant"]
Targets = Mapping[str, Sequence[str]]  # what a row holds -> the column names it goes by, best first

ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer", "sistema"), "system"),
    **dict.fromkeys(("user", "human", "utente"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "assistente"), "assistant"),
}
SYSTEM = ("system", "system_prompt", "sistema")
QUESTION = ("question", "domanda", "instruction", "istruzione", "prompt", "query", "quesito", "richiesta", "user", "utente", "q", "input")
ANSWER = ("answer", "risposta", "response", "output", "completion", "reply", "assistant", "assistente", "a")
CONTEXT = ("context", "contesto", "input")
_FOUND = {bool: "boolean", float: "number", int: "number", list: "list", dict: "object"}


class Format:
    """One way to write down instruction data."""

    name: ClassVar[str]
    example: ClassVar[Row]
    targets: ClassVar[Targets]
    required: ClassVar[frozenset[str]]

    def matches(self, columns: Sequence[str]) -> dict[str, str] | None:
        """Target -> column, where all that is required is there; else None. Case, spaces and hyphens do not count."""
        return self.complete(columns, {})

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As `matches`, with some targets given by hand and only the others looked for."""
        mapping = self._found(columns, given)
        return mapping if self.required <= mapping.keys() else None

    def lacks(self, columns: Sequence[str], given: Mapping[str, str]) -> str:
        """The first target that is required and has no column; empty where there is none."""
        mapping = self._found(columns, given)
        return next((target for target in self.targets if target in self.required and target not in mapping), "")

    def _found(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
        free: dict[str, str] = {}
        for column in columns:
            if column not in given.values():
                free.setdefault(column.strip().casefold().replace(" ", "_").replace("-", "_"), column)
        mapping = dict(given)
        for target, names in self.targets.items():
            found = next((name for name in names if name in free), None)
            if found is not None and target not in mapping:
                mapping[target] = free.pop(found)
        return mapping

    def to_messages(self, row: Row, mapping: Mapping[str, str]) -> list[Message]:
        """The messages of a row, each text as it stands there.

        Raises InputError: `data.row.columns`, `data.row.type`, `data.row.surrogate` (column), `data.row.empty_question`,
        `data.row.empty_answer`, `data.row.role`, `data.row.roles` (turn, role).
        """
        raise NotImplementedError


class _Pair(Format):
    """A question (with a context, where there is one) and an answer, each in a column of its own."""

    asks: ClassVar[tuple[str, str]]  # the targets of question and context
    answers: ClassVar[str]

    def to_messages(self, row: Row, mapping: Mapping[str, str]) -> list[Message]:
        for target in sorted(self.required):
            if mapping[target] not in row:
                raise InputError("data.row.columns", column=shown(mapping[target]))
        texts = {target: _text(row.get(column), column) for target, column in mapping.items()}
        question = "\n\n".join(part for part in (texts.get(target, "") for target in self.asks) if not _blank(part))
        if not question:
            raise InputError("data.row.empty_question")
        answer = texts[self.answers]
        if _blank(answer):
            raise InputError("data.row.empty_answer")
        return [*_system(texts.get("system", "")), Message(role="user", content=question), Message(role="assistant", content=answer)]


class _Turns(Format):
    """A conversation: a list of turns, each with who speaks and what is said."""

    turns: ClassVar[str]

    def to_messages(self, row: Row, mapping: Mapping[str, str]) -> list[Message]:
        column = mapping[self.turns]
        if column not in row:
            raise InputError("data.row.columns", column=shown(column))
        turns = row[column]
        if turns is None or turns == []:
            raise InputError("data.row.empty_question")
        if not isinstance(turns, list):
            raise InputError("data.row.type", column=shown(column), found=_FOUND.get(type(turns), "text"))
        said = [_turn(turn, number, f"{column} #{number}") for number, turn in enumerate(turns, start=1)]
        if "system" in mapping and not _blank(system := _text(row.get(mapping["system"]), mapping["system"])):
            said.insert(0, ("system", system, 0))
        return _in_order(said)


class Messages(_Turns):
    """Conversations as chat templates take them."""

    name = "messages"
    example: ClassVar[Row] = {
        "messages": [
            {"role": "system", "content": "You answer briefly."},
            {"role": "user", "content": "What is the capital of Italy?"},
            {"role": "assistant", "content": "Rome."},
        ]
    }
    targets: ClassVar[Targets] = {"messages": ("messages", "messaggi"), "system": SYSTEM}
    required = frozenset({"messages"})
    turns = "messages"


class ShareGpt(_Turns):
    """Conversations as ShareGPT exported them."""

    name = "sharegpt"
    example: ClassVar[Row] = {
        "conversations": [
            {"from": "human", "value": "What is the capital of Italy?"},
            {"from": "gpt", "value": "Rome."},
        ]
    }
    targets: ClassVar[Targets] = {"conversations": ("conversations", "conversation", "conversazioni", "conversazione"), "system": SYSTEM}
    required = frozenset({"conversations"})
    turns = "conversations"


class Alpaca(_Pair):
    """Stanford Alpaca: an instruction, sometimes an input, and the output."""

    name = "alpaca"
    example: ClassVar[Row] = {"instruction": "Translate into Italian.", "input": "Good morning!", "output": "Buongiorno!"}
    targets: ClassVar[Targets] = {"instruction": ("instruction",), "input": ("input", "context"), "output": ("output",), "system": SYSTEM}
    required = frozenset({"instruction", "output"})
    asks = ("instruction", "input")
    answers = "output"


class Dolly(_Pair):
    """Databricks Dolly: an instruction, sometimes a context, and the response. Its category is not learned."""

    name = "dolly"
    example: ClassVar[Row] = {
        "instruction": "Who wrote it?",
        "context": "The Betrothed is by Manzoni.",
        "response": "Manzoni.",
        "category": "closed_qa",
    }
    targets: ClassVar[Targets] = {
        "instruction": ("instruction",),
        "context": ("context", "input"),
        "response": ("response",),
        "system": SYSTEM,
    }
    required = frozenset({"instruction", "response"})
    asks = ("instruction", "context")
    answers = "response"


class PromptCompletion(_Pair):
    """A prompt and how it goes on."""

    name = "prompt-completion"
    example: ClassVar[Row] = {"prompt": "Name a river in Italy.", "completion": "The Po."}
    targets: ClassVar[Targets] = {"prompt": ("prompt",), "completion": ("completion",), "context": CONTEXT, "system": SYSTEM}
    required = frozenset({"prompt", "completion"})
    asks = ("prompt", "context")
    answers = "completion"


class QuestionAnswer(_Pair):
    """Questions and answers, by any of the names that English and Italian have for them."""

    name = "question-answer"
    example: ClassVar[Row] = {"domanda": "Qual è la capitale d'Italia?", "risposta": "Roma."}
    targets: ClassVar[Targets] = {"question": QUESTION, "answer": ANSWER, "context": CONTEXT, "system": SYSTEM}
    required = frozenset({"question", "answer"})
    asks = ("question", "context")
    answers = "answer"


FORMATS: tuple[Format, ...] = (Messages(), ShareGpt(), Alpaca(), Dolly(), PromptCompletion(), QuestionAnswer())


def known(columns: Sequence[str], given: Mapping[str, str]) -> bool:
    """Whether some format has a place for a row with these columns, `given` being the targets mapped by hand."""
    missing = [column for column in given.values() if column not in columns]
    return not missing and any(form.complete(columns, given) is not None for form in _candidates(given))


def choose(sample: Sequence[Row], given: Mapping[str, str]) -> Format:
    """The format by which most rows of the sample become messages; the earlier in `FORMATS` where two are level.

    Raises InputError: `data.format` (columns, formats), `data.mapping.target`, `data.mapping.column`, `data.mapping.twice`.
    """
    columns = list(dict.fromkeys(column for row in sample for column in row))
    _check_given(given, columns)
    forms = [form for form in _candidates(given) if form.complete(columns, given) is not None]
    if not forms:
        raise InputError("data.format", columns=listed(columns), formats=", ".join(form.name for form in FORMATS))
    votes = {form: 0 for form in forms}
    for row in sample:
        winner = next((form for form in forms if _converts(form, row, given)), None)
        if winner is not None:
            votes[winner] += 1
    return max(forms, key=lambda form: votes[form])


def _candidates(given: Mapping[str, str]) -> Iterable[Format]:
    return (form for form in FORMATS if given.keys() <= form.targets.keys())


def _converts(form: Format, row: Row, given: Mapping[str, str]) -> bool:
    mapping = form.complete(list(row), given)
    if mapping is None:
        return False
    try:
        return bool(form.to_messages(row, mapping))
    except InputError:
        return False


def _check_given(given: Mapping[str, str], columns: Sequence[str]) -> None:
    targets = list(dict.fromkeys(target for form in FORMATS for target in form.targets))
    for target, column in given.items():
        if target not in targets:
            raise InputError("data.mapping.target", target=shown(target), targets=", ".join(targets))
        if column not in columns or broken(column):
            raise InputError("data.mapping.column", column=shown(column), columns=listed(columns))
        if list(given.values()).count(column) > 1:
            raise InputError("data.mapping.twice", column=shown(column))


def _text(value: Any, column: str) -> str:
    """A text to the letter; null is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError("data.row.type", column=shown(column), found=_FOUND[type(value)])
    if broken(value):
        raise InputError("data.row.surrogate", column=shown(column))
    return value


def _blank(text: str) -> bool:
    return not text or text.isspace()


def _system(text: str) -> list[Message]:
    return [] if _blank(text) else [Message(role="system", content=text)]


def _turn(turn: Any, number: int, column: str) -> tuple[Role, str, int]:
    """Who says what in one turn, in the keys of either format."""
    if not isinstance(turn, dict):
        raise InputError("data.row.type", column=shown(column), found=_FOUND.get(type(turn), "text"))
    speaker = turn.get("role", turn.get("from"))
    named = speaker if isinstance(speaker, str) else ""
    role = ROLES.get(named.strip().casefold())
    if role is None or turn.get("tool_calls"):
        raise InputError("data.row.role", turn=number, role=shown("tool_calls" if role else named))
    return role, _text(turn.get("content", turn.get("value")), column), number


def _in_order(said: Sequence[tuple[Role, str, int]]) -> list[Message]:
    """One system text at most, then user and assistant in turn, the assistant last. An empty system text is none."""
    messages: list[Message] = []
    for place, (role, content, number) in enumerate(said):
        if role == "system" and (place == 0 or _blank(content)):
            messages.extend(_system(content))
            continue
        before = messages[-1].role if messages else "system"
        if role != ("assistant" if before == "user" else "user"):
            raise InputError("data.row.roles", turn=number, role=role)
        if _blank(content):
            raise InputError("data.row.empty_question" if role == "user" else "data.row.empty_answer")
        messages.append(Message(role=role, content=content))
    if not messages or messages[-1].role != "assistant":
        raise InputError("data.row.roles", turn=len(said), role=said[-1][0])
    return messages
