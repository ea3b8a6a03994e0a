"""Rows that hold several questions each, as SQuAD's own files have them, to one row for each question.

An article holds paragraphs, a paragraph its context and questions. Records of any other kind never come here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuning.data.formats.earlier import HISTORY
from tuning.data.formats.exchanges import NAMES
from tuning.data.formats.kinds.pairs import QuestionAnswer
from tuning.data.records import FileRecord, Values, squeezed

_PARAGRAPHS = ("paragraphs", "paragrafi")
_QUESTIONS = ("qas", "qa", "qapairs", "questions", "domande", "faq", "faqs")


def found(sample: Sequence[Values], asked: Mapping[str, str]) -> bool:
    """Whether most rows of a sample hold paragraphs with questions, or questions that have their answers with them."""
    return not asked and 2 * sum(_inside(row) is not None for row in sample) > len(sample)


def records(whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
    """One record for each question, with what its paragraph and its article hold; any other row as it is."""
    number = 0
    for record in whole:
        for values in _flat(record.values) if record.values is not None else [None]:
            number += 1
            yield FileRecord(number, record.line, values, record.fault, record.size if values is None else len(str(values)))


def _flat(row: Values) -> Iterator[Values]:
    name = _inside(row)
    if name is None:
        yield row
        return
    beside = {key: value for key, value in row.items() if key != name}
    for part in row[name]:
        yield from _flat({**beside, **part})


def _inside(row: Values) -> str | None:
    """The column of a row that holds paragraphs or questions; under any name, where it is the one list of pairs and no conversation."""
    for name, held in row.items():
        if isinstance(held, list) and held and all(isinstance(part, dict) for part in held):
            if squeezed(name) in _PARAGRAPHS and any(_inside(part) for part in held):
                return name
            if squeezed(name) in _QUESTIONS and all(_asks(part) for part in held):
                return name
    lists = [name for name, held in row.items() if isinstance(held, list) and held and squeezed(name) not in (*NAMES, *HISTORY)]
    pairs = [name for name in lists if all(isinstance(part, dict) and _asks(part) for part in row[name])]
    return pairs[0] if len(pairs) == 1 and not _asks(dict(row)) else None


def _asks(part: dict[str, Any]) -> bool:
    return QuestionAnswer().matches(list(part)) is not None
