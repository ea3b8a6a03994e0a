"""Rows that say almost the same as an earlier one: found by MinHash, and held against it before they count.

Broder, "On the resemblance and containment of documents" (1997): the share of equal minima of two sets estimates their
Jaccard similarity. Rows are compared by runs of three words; all is deterministic. Meaning is not looked at.
"""

import re
import zlib
from array import array

import numpy as np
import numpy.typing as npt

from tuning.data.formats.content import Said

SIMILAR = 0.8  # Jaccard similarity, of questions and of answers alike
MOST = 20_000  # rows that can be compared in a few seconds

_RUN = 3  # words
_BANDS, _HEIGHT = 12, 5  # 99 % of pairs at 0.8 share a band, 0.1 % at 0.25: 1 - (1 - s^5)^12
_CHAIN = 4  # earlier rows of one band looked at: a template that all rows share must not make it quadratic
_HOPEFUL = 0.55  # share of equal minima below which a pair is not held against each other
_CHUNK = 4096  # runs hashed at once
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")

_Hashes = npt.NDArray[np.uint64]
_random = np.random.default_rng(2024)
_FACTORS: _Hashes = (_random.integers(0, 2**63, (_BANDS * _HEIGHT, 1), dtype=np.uint64) << np.uint64(1)) | np.uint64(1)
_MIX: _Hashes = _random.integers(0, 2**63, _RUN, dtype=np.uint64) | np.uint64(1)
_UPPER = np.uint64(32)


class Near:
    """Rows seen so far, but for those that were near to one of them. About 2.5 kB for a row of 80 words."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._minima: list[npt.NDArray[np.uint32]] = []
        self._questions: list[npt.NDArray[np.uint32]] = []
        self._answers: list[npt.NDArray[np.uint32]] = []
        self._numbers = array("q")  # a checksum of the numbers in a row: rows that differ there say different things
        self._last: dict[int, int] = {}  # band -> the last row there
        self._before = array("q")  # the one before it there, row by row and band by band; -1 for none

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, texts: Said) -> int | None:
        """The number of an earlier row that says almost the same; None where there is none, and this one is remembered.

        `texts` are those of the messages without a system text, the answer last.
        """
        question, answer = _runs("\n".join(texts[:-1])), _runs(texts[-1])
        numbers = zlib.crc32(" ".join(_NUMBER.findall("\n".join(texts))).encode())
        both = np.concatenate((question, answer ^ np.uint64(1)))
        minima = _minima(both)
        small = ((question >> _UPPER).astype(np.uint32), (answer >> _UPPER).astype(np.uint32))
        bands = [zlib.crc32(band.tobytes()) * _BANDS + place for place, band in enumerate(minima.reshape(_BANDS, _HEIGHT))]
        for other in self._candidates(bands):
            if self._numbers[other] != numbers or (self._minima[other] == minima).mean() < _HOPEFUL:
                continue
            if _jaccard(self._answers[other], small[1]) >= SIMILAR and _jaccard(self._questions[other], small[0]) >= SIMILAR:
                return self._rows[other]
        place = len(self._rows)
        for band in bands:
            self._before.append(self._last.get(band, -1))
            self._last[band] = place
        self._rows.append(row)
        self._numbers.append(numbers)
        self._minima.append(minima)
        self._questions.append(small[0])
        self._answers.append(small[1])
        return None

    def _candidates(self, bands: list[int]) -> list[int]:
        """Earlier rows that share a band, the earliest first."""
        found: set[int] = set()
        for place, band in enumerate(bands):
            other = self._last.get(band, -1)
            for _ in range(_CHAIN):
                if other < 0:
                    break
                found.add(other)
                other = self._before[other * _BANDS + place]
        return sorted(found)


def _runs(text: str) -> _Hashes:
    """The different runs of three words as numbers, ascending; of a shorter text the one run there is."""
    words = _WORD.findall(text.casefold()) or [text]  # signs alone are a text too
    if len(words) < _RUN:
        words.extend([""] * (_RUN - len(words)))
    checks = np.fromiter(map(zlib.crc32, map(str.encode, words)), np.uint64, len(words))
    count = len(words) - _RUN + 1
    mixed = np.zeros(count, dtype=np.uint64)
    for place, factor in enumerate(_MIX):
        mixed += checks[place : place + count] * factor
        mixed ^= mixed >> _UPPER
    mixed.sort()
    different: _Hashes = mixed[np.append(True, mixed[1:] != mixed[:-1])]
    return different  # as np.unique, at a third of its time for lists this short


def _minima(runs: _Hashes) -> npt.NDArray[np.uint32]:
    lowest = np.full(len(_FACTORS), np.iinfo(np.uint32).max, dtype=np.uint32)
    for start in range(0, len(runs), _CHUNK):
        hashes = ((_FACTORS * runs[start : start + _CHUNK]) >> _UPPER).astype(np.uint32)
        np.minimum(lowest, hashes.min(axis=1), out=lowest)
    return lowest


def _jaccard(one: npt.NDArray[np.uint32], other: npt.NDArray[np.uint32]) -> float:
    """Of two ascending lists; by their lengths alone where those decide it."""
    short, long = sorted((len(one), len(other)))
    if short < SIMILAR * long:
        return 0.0
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)
