"""Rows that lie within the objects of a JSON file: in a list somewhere inside of one, as pandas, schema.org or a search engine write them.

Asked only where no format has a place for the objects as they are, but for schema.org's questions, of which one would learn the answers
as plain texts. A list has to be the only one of rows whose columns are known.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.data.formats import registry
from tuning.data.formats.earlier import HISTORY
from tuning.data.formats.exchanges import NAMES, asked_and_answered
from tuning.data.formats.notes import Unused
from tuning.data.formats.vocabulary import CONTEXT, SYSTEM
from tuning.data.readers.json_lines import are_turns
from tuning.data.records import FileRecord, Number, Values, blank, given, listed, squeezed
from tuning.errors import InputError
from tuning.schema import Notice

_DEEPEST = 4  # names down to a list of rows
_DEEP = 2  # names down, where there are several objects: a list right in each may be a conversation
_LOOKED_AT = 100  # rows of it
_SOURCE = "_source"  # where Elasticsearch has the document of a hit
_ACCEPTED = "acceptedAnswer"
_ASKING = 0.8  # share of keys that are questions
_TALKS = {*NAMES, *HISTORY} - {"data"}
_INTENT = ("patterns", "responses")

_Rows = list[Values]


@dataclass(frozen=True)
class _Within:
    """A list of rows within an object."""

    place: str  # its name, as a dotted path
    rows: _Rows
    left: Sequence[str]  # what else the object holds
    depth: int  # of its place: names down to it


class Enclosed:
    """The rows within the objects of a file."""

    speaks = False

    def __init__(self, taken: Callable[[Values, Unused], _Rows]) -> None:
        self.unused: Unused = Counter()
        self._taken = taken

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """A record for each row within."""
        number = 0
        for record in whole:
            for values in self._taken(record.values, self.unused) if record.values is not None else [None]:
                number += 1
                yield FileRecord(number, record.line, values, record.fault, record.size if values is None else len(str(values)))

    def notices(self) -> Sequence[Notice]:
        """None: nothing is left out here but what is counted."""
        return ()


class EnclosedList(Enclosed):
    """The rows in a list that lies at one place of each object."""

    def __init__(self, place: str, asked: Mapping[str, str]) -> None:
        super().__init__(self._within)
        self._place, self._asked = place, asked
        self._rows = 0
        self._left: dict[str, None] = {}

    def notices(self) -> Sequence[Notice]:
        """Where the rows lay, and what stands beside them."""
        params = {"place": listed([self._place]), "count": self._rows}
        if not self._left:
            return (Notice(code="data.note.within", params=params),)
        return (Notice(code="data.note.within.left", params={**params, "left": listed(list(self._left))}),)

    def _within(self, values: Values, unused: Unused) -> _Rows:
        held = _only(values, self._asked)
        if held is None or held.place != self._place:
            return [values]
        self._rows += len(held.rows)
        self._left |= dict.fromkeys(held.left)
        return held.rows


def found(sample: Sequence[Values], asked: Mapping[str, str]) -> Enclosed | None:
    """The rows within a sample; None where there are none, or where a format can read it as it is. `asked` is a mapping by hand."""
    if not sample:
        return None
    meant = any(column in sample[0] for column in asked.values())  # the objects as they are
    if not meant and 2 * sum(map(_is_intent, sample)) > len(sample):
        return None if registry.reads(sample, asked) else Enclosed(_phrased)
    if not meant and 2 * sum(map(_is_question, sample)) > len(sample):
        return Enclosed(_answered)
    if not meant and len(sample) == 1 and _is_answers(sample[0]):
        return None if registry.reads(sample, asked) else Enclosed(_under_questions)
    first = _only(sample[0], asked)
    if first is None or (len(sample) > 1 and first.depth < _DEEP) or registry.reads(sample, asked):
        return None
    same = all((other := _only(row, asked)) is not None and other.place == first.place for row in sample[1:])
    return EnclosedList(first.place, asked) if same else None


def _only(value: Values, asked: Mapping[str, str]) -> _Within | None:
    """The one list of rows within an object. What stands beside it must not be what the rows are about."""
    lists = list(_lists(value, asked))
    about = len(lists) == 1 and any(squeezed(name.rpartition(".")[2]) in (*CONTEXT, *SYSTEM) for name in lists[0].left)
    return None if len(lists) != 1 or about else lists[0]


def _lists(value: Values, asked: Mapping[str, str]) -> Iterator[_Within]:
    """All lists of rows within an object."""
    for names, held in _walk(value):
        if isinstance(held, list) and squeezed(names[-1]) in _TALKS and asked_and_answered(next(iter(held), None)):
            continue  # a conversation in pairs
        rows = _of_table(held, asked) if isinstance(held, dict) else held if _are_rows(held, asked) else None
        if rows is None and isinstance(held, list) and 2 * sum(map(_is_question, held)) > len(held):
            rows = [row for one in held if isinstance(one, dict) for row in _answered(one, Counter())]
        if rows:
            place = (*names, "data") if isinstance(held, dict) else names
            heads = {".".join((*names, "columns"))} if isinstance(held, dict) else ()
            yield _Within(".".join(place), rows, [name for name in _beside(value, place) if name not in heads], len(place))


def _walk(value: Values) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The objects and lists within an object, itself first, by their names."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    for names, held in waiting:  # grows while it is walked
        yield names, held
        if isinstance(held, dict) and len(names) < _DEEPEST:
            waiting += [((*names, key), inner) for key, inner in held.items() if isinstance(inner, dict | list)]


def _beside(value: Values, place: Sequence[str]) -> list[str]:
    """What an object says beside the list at a place, by dotted paths."""
    left: list[str] = []
    for depth, name in enumerate(place):
        left += [".".join((*place[:depth], key)) for key, held in value.items() if key != name and given(held)]
        value = value[name]
    return left


def _are_rows(held: Any, asked: Mapping[str, str]) -> bool:
    """Whether a list is of rows with columns that are known, and no conversation."""
    if not isinstance(held, list) or not held or not all(isinstance(one, dict) for one in held) or are_turns(held):
        return False
    rows = held[:_LOOKED_AT]
    document = rows[0].get(_SOURCE)
    known = registry.known(list(rows[0]), asked) or (isinstance(document, dict) and registry.known(list(document), asked))
    return known and _are_read(rows, asked)


def _are_read(rows: _Rows, asked: Mapping[str, str]) -> bool:
    """Whether rows are understood as more than texts."""
    try:
        chosen = registry.choose(rows, asked)
    except InputError:
        return False
    return chosen.form.name != "text" and chosen.reason.params["rows"] != "0"


def _of_table(value: dict[str, Any], asked: Mapping[str, str]) -> _Rows | None:
    """The rows of a table as pandas writes it by `orient="split"`; None where it is none."""
    columns, held = value.get("columns"), value.get("data")
    if not isinstance(columns, list) or not isinstance(held, list) or not columns or len(set(map(str, columns))) < len(columns):
        return None
    if not all(map(_is_text, columns)) or not all(isinstance(cells, list) and len(cells) == len(columns) for cells in held):
        return None
    rows: _Rows = [dict(zip(columns, cells, strict=True)) for cells in held]
    return rows if registry.known(columns, asked) and _are_read(rows[:_LOOKED_AT], asked) else None


def _is_answers(value: Values) -> bool:
    """Whether an object is answers under their questions; several with the same keys would be a survey."""
    asking = sum(key.rstrip().endswith(("?", "？", "؟")) for key in value)
    return len(value) > 1 and asking >= _ASKING * len(value) and all(_is_text(held) and not blank(held) for held in value.values())


def _under_questions(value: Values, unused: Unused) -> _Rows:
    """The answers of an object with the questions that they stand under."""
    return [{"question": asks, "answer": says} for asks, says in value.items()] if _is_answers(value) else [value]


def _is_question(value: Any) -> bool:
    """Whether an object is a question of schema.org with its answer."""
    return isinstance(value, dict) and value.get("@type") == "Question" and _is_text(value.get("name")) and _accepted(value) is not None


def _accepted(question: Values) -> dict[str, Any] | None:
    """The one answer of a question of schema.org, if it has a text."""
    accepted = question.get(_ACCEPTED)
    accepted = accepted[0] if isinstance(accepted, list) and len(accepted) == 1 else accepted
    return accepted if isinstance(accepted, dict) and _is_text(accepted.get("text")) else None


def _answered(question: Values, unused: Unused) -> _Rows:
    """A question of schema.org as a row; what it holds beside is left for the columns that are not used."""
    accepted = _accepted(question)
    if accepted is None or not _is_text(question.get("name")):
        return [question]
    beside = {key: held for key, held in question.items() if key not in ("@type", "name", _ACCEPTED)}
    beside |= {f"{_ACCEPTED}.{key}": held for key, held in accepted.items() if key not in ("@type", "text")}
    return [{"question": question["name"], "answer": accepted["text"], **beside}]


def _is_intent(value: Any) -> bool:
    """Whether an object is an intent: what may be said, and what may be said to it."""
    return isinstance(value, dict) and all(
        isinstance(value.get(name), list) and value[name] and all(map(_is_text, value[name])) for name in _INTENT
    )


def _phrased(intent: Values, unused: Unused) -> _Rows:
    """A row for each way to ask, with the first answer: of those, a chatbot takes any."""
    if not _is_intent(intent):
        return [intent]
    asks, says = (intent[name] for name in _INTENT)
    if len(says) > 1:
        unused["part", "responses"] += len(says) - 1
    beside = {key: held for key, held in intent.items() if key not in _INTENT}
    return [{**beside, "question": pattern, "answer": says[0]} for pattern in asks]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)
