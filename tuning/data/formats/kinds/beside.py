"""Pairs of a text and a second column of prose, where no header says that one answers the other ("text" and "simple").

A guess, and said to be one. What headers mean is in `meant`; titles, notes and the like are about a text and answer nothing.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from tuning.data.formats.kinds.meant import SURE, meaning, words
from tuning.data.formats.kinds.pairs import QuestionAnswer
from tuning.data.formats.shapes import Format
from tuning.data.formats.vocabulary import NO_PROSE
from tuning.data.records import Values

_ABOUT = re.compile(
    r"titles?|titol[oi]|head(?:er|ing)s?|not[ae]s?|comment[oi]?|comments|source|fonte|fonti|origin[e]?|keywords?|tags?|argoment[oi]|topics?"
    r"|soggetto|subject|oggetto|metadata|licen[sc]e|licenza|citation|citazione|reason|motivo|system"
)
_MOST = 0.8  # share of the rows that must hold prose
_LOOK = 200  # characters of a value that are looked at


class TextAnswer(QuestionAnswer):
    """A text, and what was written about or out of it."""

    name = "text-answer"
    example: ClassVar[Values] = {"text": "L'orlo è da rifare per intero.", "simple": "Bisogna rifare l'orlo."}
    reason = "data.reason.beside"


def beside(sample: Sequence[Values], text: str) -> Format | None:
    """The pair that a column of text makes with the only other one of prose: what stands after it answers, a question before or after asks.

    None where there is no such column, or the text holds the question already.
    """
    columns = list(dict.fromkeys(column for row in sample for column in row))
    others = [column for column in columns if column != text and _prose(sample, column)]
    if text not in columns or len(others) != 1:
        return None
    other = others[0]
    if meaning(other) == ("question", SURE):
        whole = sum(str(row[other]).strip() in str(row.get(text)) for row in sample if row.get(other))
        return TextAnswer().placed({"question": other, "answer": text}) if 2 * whole <= len(sample) else None
    about = any(_ABOUT.fullmatch(word) or NO_PROSE.fullmatch(word) for word in words(other))
    return None if about or columns.index(other) < columns.index(text) else TextAnswer().placed({"question": text, "answer": other})


def _prose(sample: Sequence[Values], column: str) -> bool:
    """Whether nearly all rows hold a sentence there, and hardly two the same."""
    texts = [value.strip()[:_LOOK] for row in sample if isinstance(value := row.get(column), str)]
    said = [value for value in texts if len(value.split()) > 2]
    return len(said) >= _MOST * len(sample) and 2 * len(set(said)) > len(said)
