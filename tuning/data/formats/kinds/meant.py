"""Pairs of a question and an answer by what their headers mean ("Domanda del cliente", "Our answer"), where no format knows them.

Words and stems in English and Italian decide, then the values: where two columns could be meant, or the values are no prose, none is.
Exact names are in `vocabulary`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tuning.data.formats.kinds.pairs import QuestionAnswer
from tuning.data.formats.marks import verdict
from tuning.data.formats.shapes import Format, Targets
from tuning.data.formats.vocabulary import CONTEXT, HEAD_ENDS, MEANINGS, NO_PROSE
from tuning.data.records import Values, blank, squeezed, value_at

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORDS = re.compile(r"[^\W\d_]+")
_NO_TEXT = re.compile(r"\w+://\S+|\S+@\S+|[\d\s.,:/%€$+-]*")
_ENDS = ("?", "!", ".", "…")
_LOOK = 200  # characters of a value that are looked at: patterns take long on what is hostile
SURE = 0  # place of the words that mean one thing only, in `MEANINGS`

_Found = tuple[str, int]  # a part, and how sure it is: the less the surer


class MeantPairs(QuestionAnswer):
    """Question and answer columns that are recognised by the words of their headers."""

    name = "header-pairs"
    example: ClassVar[Values] = {"Domanda del cliente": "Qual è la capitale d'Italia?", "Risposta nostra": "È Roma."}
    targets: ClassVar[Targets] = {**QuestionAnswer.targets, "question": (), "answer": ()}

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As any format's; of several columns with one meaning none is taken."""
        held = {**self.found, **given}
        free = [column for column in columns if column not in held.values()]
        missing = [target for target in ("question", "answer") if target not in held]
        meant = {target: column for target in missing if (column := _best(free, target)) is not None}
        return super().complete(columns, {**meant, **given})

    def seen(self, sample: Sequence[Values], mapping: Mapping[str, str]) -> Format:
        """The same format, its columns being those of the whole sample."""
        return super().seen(sample, mapping).placed({target: mapping[target] for target in ("question", "answer")})

    def bears_out(self, sample: Sequence[Values], mapping: Mapping[str, str], given: Mapping[str, str]) -> bool:
        """Whether the values are prose, or under sure names texts that are no numbers, links or ratings."""
        return all(_texts(sample, mapping[target]) for target in ("question", "answer") if target not in given)


def _best(columns: Iterable[str], target: str) -> str | None:
    """The one column that most surely means this; None where there is none, or there are two."""
    found = {column: meant for column in columns if (meant := meaning(column)) is not None}
    places = {column: place for column, (part, place) in found.items() if part == target}
    surest = [column for column, place in places.items() if place == min(places.values())]
    return surest[0] if len(surest) == 1 else None


def words(header: str) -> list[str]:
    """The words of a header, in small letters."""
    return [word.casefold() for word in _WORDS.findall(_CAMEL.sub(" ", header))]


def meaning(header: str) -> _Found | None:
    """What a header means: its first part before "of", "del", ... where that says something, else the whole.

    What usually is the context is meant last.
    """
    said = words(header)
    if any(NO_PROSE.fullmatch(word) for word in said):
        return None
    end = next((place for place, word in enumerate(said) if place and HEAD_ENDS.fullmatch(word)), len(said))
    head = _of_words(said[:end])
    whole = _of_words(said)
    found = head if head is not None and (whole is None or head[1] <= whole[1]) else whole
    return (found[0], found[1] + len(MEANINGS)) if found is not None and squeezed(header) in CONTEXT else found


def _of_words(said: Sequence[str]) -> _Found | None:
    for place, names in enumerate(MEANINGS):
        meant = [part for part, name in names.items() if any(name.fullmatch(word) for word in said if len(word) > 1 or len(said) == 1)]
        if meant:
            return (meant[0], place) if len(meant) == 1 else None
    return None


def _texts(sample: Sequence[Values], column: str) -> bool:
    values: list[Any] = [value for row in sample if not (isinstance(value := value_at(row, column), str) and blank(value))]
    texts = [value.strip()[:_LOOK] for value in values if isinstance(value, str)]
    texts = [text for text in texts if not _NO_TEXT.fullmatch(text)]
    found = meaning(column)
    if 2 * len(texts) <= len(values) or all(verdict(value) is not None for value in values):
        return False
    prose = sum(len(text.split()) > 2 or text.endswith(_ENDS) for text in texts)
    return (found is not None and found[1] == SURE) or 2 * prose > len(texts)
