"""Rows that hold several questions each, as SQuAD's own files have them, to one row for each question.

An article holds paragraphs, a paragraph its context and questions. Records of any other kind never come here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuning.data.formats.earlier import HISTORY
from tuning.data.formats.exchanges import NAMES
from tuning.data.formats.kinds.pairs import QuestionAnswer
from tuning.data.formats.notes import Unused
from tuning.data.formats.turns import ROLE_KEYS
from tuning.data.records import FileRecord, Values, squeezed
from tuning.schema import Notice

_PARAGRAPHS = ("paragraphs", "paragrafi")
_QUESTIONS = ("qas", "qa", "qapairs", "questions", "domande", "faq", "faqs")


class Paragraphs:
    """The rows of a file, each with several questions."""

    speaks = False

    def __init__(self) -> None:
        self.unused: Unused = Counter()

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """One record for each question, with what its paragraph and its article hold; any other row as it is."""
        number = 0
        for record in whole:
            for values in _flat(record.values) if record.values is not None else [None]:
                number += 1
                yield FileRecord(number, record.line, values, record.fault, record.size if values is None else len(str(values)))

    def notices(self) -> Sequence[Notice]:
        """None: nothing is left out here."""
        return ()


def found(sample: Sequence[Values], asked: Mapping[str, str]) -> Paragraphs | None:
    """The paragraphs of a file of which most rows hold such, or questions that have their answers with them; else None."""
    several = not asked and 2 * sum(_inside(row) is not None for row in sample) > len(sample)
    return Paragraphs() if several else None


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
    if any(
        isinstance(held, list) and held and isinstance(held[0], dict) and not held[0].keys().isdisjoint(ROLE_KEYS) for held in row.values()
    ):
        return None  # a conversation, with pairs beside it
    lists = [name for name, held in row.items() if isinstance(held, list) and held and squeezed(name) not in (*NAMES, *HISTORY)]
    pairs = [name for name in lists if all(isinstance(part, dict) and _asks(part) for part in row[name])]
    return pairs[0] if len(pairs) == 1 and not _asks(dict(row)) else None


def _asks(part: dict[str, Any]) -> bool:
    return QuestionAnswer().matches(list(part)) is not None
