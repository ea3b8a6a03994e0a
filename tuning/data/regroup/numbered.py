"""Tables with numbered pairs of columns: `Domanda 1, Risposta 1, Domanda 2` to a row for each, `user_1, assistant_1` to a conversation.

The numbers run from 1 without a gap, and each has both sides. What else a row holds stands beside each of its pairs. Prompts and responses
(`prompt_1, response_1`) may be either: each is a row, and that is told with the way to have them as a conversation.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning.data.formats import registry
from tuning.data.formats.notes import Unused
from tuning.data.formats.vocabulary import ANSWER, QUESTION
from tuning.data.records import FileRecord, Values, given, squeezed
from tuning.data.roles import ROLES
from tuning.schema import Notice

_NUMBERED = re.compile(r"(?P<stem>.*?[^\W\d_])(?:[\s_.-]*n[.°]+)?[\s_.#°-]*(?P<number>[1-9]\d?)", re.DOTALL)
_ASKS = frozenset(("question", "domanda", "quesito", "q", "frage", "pregunta", "pergunta"))  # a pair of such stands for itself
_PROMPTS = frozenset((*QUESTION, "inputs", "message", "messaggio")) - _ASKS - ROLES.keys()  # of which nobody knows
_FEWEST = 2  # pairs

_Pair = tuple[str, str]  # columns


class NumberedPairs:
    """The pairs of each row, each a row of its own; one in which nothing stands is none."""

    speaks = False

    def __init__(self, names: _Pair, pairs: Sequence[_Pair]) -> None:
        self.unused: Unused = Counter()
        self._names, self._pairs = names, pairs
        self._taken = frozenset(column for pair in pairs for column in pair)
        self._rows = self._found = 0

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """A record for each pair; a row without any is one that says nothing."""
        number = 0
        for record in whole:
            for values, formulas in self._flat(record):
                number += 1
                yield replace(record, row=number, values=values, formulas=formulas, unnamed=())
            self._rows += record.values is not None

    def notices(self) -> Sequence[Notice]:
        """How many pairs there are, in how many rows; and where they may be turns, how to have them so."""
        params = {"pairs": self._found, "rows": self._rows}
        if squeezed(self._names[0]) in _PROMPTS:
            return (Notice(code="data.note.pairs.turns", level="warning", params=params),)
        return (Notice(code="data.note.pairs", params=params),)

    def _flat(self, record: FileRecord) -> Iterator[tuple[Values | None, Sequence[str]]]:
        row = record.values
        if row is None:
            yield None, ()
            return
        beside = {key: held for key, held in row.items() if key not in self._taken}
        filled = [pair for pair in self._pairs if any(given(row.get(column)) or column in record.formulas for column in pair)]
        self._found += len(filled)
        for pair in filled or self._pairs[:1]:
            both = list(zip(self._names, pair, strict=True))
            said = {name: row.get(column, "") for name, column in both}
            yield {**beside, **said}, [name for name, column in both if column in record.formulas]


class NumberedTurns(NumberedPairs):
    """The pairs of each row, one conversation. Cells that are blank at its end are no turns; any other is one that says nothing."""

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """A record of messages for each row."""
        for record in whole:
            yield record if record.values is None else replace(record, values=self._talk(record.values))
            self._rows += record.values is not None

    def notices(self) -> Sequence[Notice]:
        """How many conversations there are, with how many turns."""
        return (Notice(code="data.note.turned", params={"messages": self._found, "talks": self._rows}),)

    def _talk(self, row: Values) -> dict[str, Any]:
        beside = {key: held for key, held in row.items() if key not in self._taken}
        turns = [
            {"role": role, "content": row.get(column)}
            for pair in self._pairs
            for role, column in zip(("user", "assistant"), pair, strict=True)
        ]
        while turns and not given(turns[-1]["content"]):
            turns.pop()
        self._found += len(turns)
        return {**beside, "messages": turns}


def found(sample: Sequence[Values], asked: Mapping[str, str]) -> NumberedPairs | None:
    """The pairs that a sample is the beginning of; None where its rows are something else, or a mapping by hand says what they are."""
    columns = list(dict.fromkeys(column for row in sample for column in row))
    if any(column in columns for column in asked.values()):
        return None
    sides: dict[str, dict[int, str]] = {}
    stems: dict[str, str] = {}
    for column in columns:
        if named := _NUMBERED.fullmatch(column.strip()):
            name = squeezed(named["stem"])
            stems.setdefault(name, named["stem"])
            if int(named["number"]) in sides.setdefault(name, {}):
                return None
            sides[name][int(named["number"])] = column
    both = _sides(sides)
    if both is None or registry.reads(sample, {}):
        return None
    pairs = [(sides[both[0]][number], sides[both[1]][number]) for number in sorted(sides[both[0]])]
    return (NumberedPairs if both[0] in _ASKS | _PROMPTS else NumberedTurns)((stems[both[0]], stems[both[1]]), pairs)


def _sides(sides: Mapping[str, Mapping[int, str]]) -> _Pair | None:
    """What the two sides are called: questions and answers, or two speakers; None where there are not two of one kind and length."""
    for asks, says in ((_ASKS, frozenset(ANSWER)), (_named("user"), _named("assistant")), (_PROMPTS, frozenset(ANSWER))):
        one, two = [name for name in sides if name in asks], [name for name in sides if name in says]
        if len(one) == len(two) == 1 and (numbers := sorted(sides[one[0]])) == sorted(sides[two[0]]):
            whole = len(numbers) >= _FEWEST and numbers == list(range(1, len(numbers) + 1))
            return (one[0], two[0]) if whole else None
    return None


def _named(role: str) -> frozenset[str]:
    return frozenset(name for name, known in ROLES.items() if known == role)
