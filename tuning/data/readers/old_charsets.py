"""Which old charset of one byte a Western text was written in: that of Windows, of DOS (cp850), or of an old Mac (mac-roman).

Told from where its letters stand: an accented one amid letters or at the end of a word is right, a sign there is not, nor a
capital after a small letter. What is not clear stays what it was taken for, Windows-1252.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

WINDOWS, _OTHERS = "cp1252", ("cp850", "mac-roman")
_WORD = re.compile(rb"[\x80-\xff](?:[A-Za-z]{0,30}[\x80-\xff])*[A-Za-z]{0,30}")  # from its first letter that is not ASCII on
_BEFORE = re.compile(rb"[A-Za-z0-9]{0,20}\Z")
_LONGEST = 20
_MOST = 5000  # words that are looked at
_FEWEST = 2  # letters that have to stand right where another charset is taken
_SMALL = frozenset("àèéìòùäöüßçêâîôûëïœñáíóú")
_COMMON = _SMALL | frozenset(letter.upper() for letter in _SMALL if letter != "ß")
_ALONE = frozenset("èàòéÈÀÉáó")  # words of one letter
_ODD_ALONE = frozenset("ŠŽšžŒœ")
_ANYWHERE = frozenset("©®™°ºª§€µ–—…·×÷±½¼¾¹²³\xa0\xad")  # signs that may stand by a letter
_OPENING, _CLOSING = frozenset("«‹“‘„‚¿¡”’»›"), frozenset("»›”’“‘«‹")  # quotation marks, which some languages turn round


class _Count(NamedTuple):
    """How many characters stand as they should, and how many do not."""

    well: int
    ill: int
    odd: str  # the first word in which one does not

    @property
    def sum(self) -> int:
        return self.well - 3 * self.ill


def told(pieces: Iterable[bytes]) -> tuple[str, str]:
    """The charset of a text in pieces; and where it stays that of Windows though most of its letters stand oddly, a word that shows it."""
    words = list(islice((word for piece in pieces for word in _words(piece)), _MOST))
    windows = _count(words, WINDOWS)
    if 3 * windows.ill <= windows.well:
        return WINDOWS, ""
    counts = {charset: _count(words, charset) for charset in _OTHERS}
    best = max(counts, key=lambda charset: counts[charset].sum)
    rest = max(counts[charset].sum for charset in counts if charset != best)
    found = counts[best]
    if found.well >= _FEWEST and 10 * found.ill <= found.well and 2 * max(0, rest) <= found.sum:
        return best, ""
    return WINDOWS, windows.odd if windows.ill > max(1, windows.well) else ""


def _words(piece: bytes) -> Iterator[bytes]:
    """The words of a piece that are not ASCII, each with the character that follows it."""
    for found in _WORD.finditer(piece):
        start = max(0, found.start() - _LONGEST)
        before = _BEFORE.search(piece[start : found.start()])
        yield (before[0] if before else b"") + piece[found.start() : found.end() + 1]


def _count(words: Iterable[bytes], charset: str) -> _Count:
    well = ill = 0
    odd = ""
    for raw in words:
        word = raw.decode(charset, "replace")
        verdicts = [_stands(word, place, charset) for place, letter in enumerate(word) if not letter.isascii()]
        well += verdicts.count(True)
        wrong = verdicts.count(False)
        ill += wrong
        odd = odd or (word.strip(" \t\r\n,;.:?!\"'") if wrong else "")
    return _Count(well, ill, odd)


def _stands(word: str, place: int, charset: str) -> bool | None:
    """Whether a character stands as it should; None where it says nothing."""
    letter, before, after = word[place], word[place - 1] if place else " ", word[place + 1] if place + 1 < len(word) else " "
    if letter.isalpha() and letter not in "ªºˆ":
        return _letter(letter, before, after, charset)
    if letter == "’" and before.isalpha() and after.isalpha():
        return None if charset == WINDOWS else True
    if letter in _ANYWHERE or not (before.isalpha() or after.isalpha()):
        return None
    if letter in _OPENING and not before.isalnum():
        return None
    return None if letter in _CLOSING and not after.isalpha() else False


def _letter(letter: str, before: str, after: str, charset: str) -> bool | None:
    """The same of a letter, by its case and by whether one of the five languages has it; in Windows' charset others have theirs."""
    if not before.isalpha() and not after.isalpha():
        return letter in _ALONE or (None if charset == WINDOWS and letter not in _ODD_ALONE else False)
    if letter.isupper() and before.islower():
        return False
    return letter in _COMMON or (None if charset == WINDOWS else False)
