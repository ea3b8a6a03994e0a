"""What a maximum length does to rows whose lengths in tokens are known: learned, context, cut; and what packing would save.

Arithmetic over what `tokens.audit` found; it answers in milliseconds for any length, and tokenises nothing.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

from pydantic import Field

from tuning.schema import Notice, Record

NEVER = 2**62  # a position that no row reaches


class Looked(Record):
    """One row in tokens, uncut."""

    row: int  # its number in the user's file
    length: int
    learned: list[tuple[int, int]]  # spans of tokens: first, and one after the last
    unlearned: list[tuple[int, int]] = Field(default_factory=list)  # answers that are context, for their mark says so
    stop: int = -1  # position of the end of turn that closes the last answer; -1 where it is not learned
    text: bool = False  # without roles: what is too long goes on in the next sequence
    unknown: str = ""  # what the tokenizer has no token for, in short


class Piece(Record):
    """Some text as it is shown. Mostly one token; characters that take several tokens stand in one piece with them."""

    text: str
    kind: Literal["learned", "unlearned", "context"]
    tokens: int = 1
    special: bool = False


class Shown(Record):
    """A row as the model will see it. The texts of all pieces, joined, are what the template made, if `more` is 0."""

    row: int
    pieces: list[Piece]
    more: int = 0  # tokens at its end that are not shown


class Refused(Record):
    """A row that the model's chat template does not take, with the code that says why and what fills its words."""

    row: int
    code: str
    params: dict[str, Any] = Field(default_factory=dict)


class Audit(Record):
    """What the audit found in the rows of one data set for one model. It holds for any maximum length."""

    rows: int  # that were to be looked at
    looked: list[Looked]  # all of them but those refused, or where they are many an even sample
    shown: list[Shown] = Field(default_factory=list)
    refused: list[Refused] = Field(default_factory=list)
    merged: int = 0  # rows whose system text stands in front of the question
    rewritten: int = 0  # rows of which an earlier answer is not learned
    thinking: list[Notice] = Field(default_factory=list)  # what becomes of thoughts
    seconds: float = 0.0  # it took to render and tokenise them

    @property
    def sampled(self) -> int | None:
        """How many rows were looked at, where not all."""
        seen = len(self.looked) + len(self.refused)
        return seen if seen < self.rows else None

    def notices(self) -> list[Notice]:
        """What there is to know beside the numbers."""
        found = []
        if self.sampled is not None:
            found.append(Notice(code="audit.sampled", params={"count": self.sampled, "total": self.rows}))
        if self.refused and self.looked:
            rows, first = listed([one.row for one in self.refused]), self.refused[0]
            told = {**first.params, "count": len(self.refused), "rows": rows, "fault": first.code}
            found.append(Notice(code="audit.refused", level="warning", params=told))
        if self.merged:
            found.append(Notice(code="audit.merged", params={"count": self.merged}))
        unknown = [one for one in self.looked if one.unknown]
        if unknown:
            params = {"count": len(unknown), "rows": listed([one.row for one in unknown]), "words": unknown[0].unknown}
            found.append(Notice(code="audit.unknown", level="warning", params=params))
        if self.rewritten:
            found.append(Notice(code="audit.rewritten", level="warning", params={"count": self.rewritten}))
        return [*found, *self.thinking]


class LengthTotals(Record):
    """Tokens of all rows at one maximum length, and the numbers of the rows that lose something, ascending."""

    max_length: int
    rows: int
    tokens: int  # in all sequences: learned and context
    learned: int
    context: int
    unlearned: int  # of the context: answers that are given, and marked as not to be learned
    cut: int
    rows_cut: list[int]  # lose anything
    answers_cut: list[int]  # lose a part of an answer
    rows_nothing: list[int]  # teach nothing


class Packing(Record):
    """Sequences and padding with a row each, in batches by chance, and with as many rows in a sequence as fit."""

    sequences: int
    padding: int  # tokens, as expected
    packed_sequences: int
    packed_padding: int
    saved: float  # share of all tokens, padding included, that packing spares; sequences are fewer in any case


class Lengths:
    """The rows of an audit, sorted once."""

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        self._chats = [one for one in audit.looked if not one.text]
        self._texts = [one for one in audit.looked if one.text]
        self._lengths = _Sorted([(one.length, one.row) for one in self._chats])
        self._first = _Sorted([(_first(one), one.row) for one in audit.looked])
        self._last = _Sorted([(one.learned[-1][1], one.row) for one in self._chats if one.learned])
        self._starts = _Sorted([(start, one.row) for one in self._chats for start, _ in one.learned])
        self._ends = _Sorted([(end, one.row) for one in self._chats for _, end in one.learned])
        self._unlearned = [span for one in self._chats for span in one.unlearned]
        self._stops = sorted(one.stop if not one.text else 0 for one in audit.looked if one.stop >= 0)

    @cached_property
    def shortest(self) -> int:
        """Tokens of the shortest row; 0 where there is none."""
        return min((one.length for one in self.audit.looked), default=0)

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest row; 0 where there is none."""
        return max((one.length for one in self.audit.looked), default=0)

    def totals(self, max_length: int) -> LengthTotals:
        """What is left of the rows at `max_length` tokens."""
        texts = [_sequences(one.length, max_length) for one in self._texts]
        tokens = self._lengths.clipped(max_length) + sum(sum(some) for some in texts)
        learned = self._ends.clipped(max_length) - self._starts.clipped(max_length)
        learned += sum(end - start for one in self._texts for start, end in one.learned)
        return LengthTotals(
            max_length=max_length,
            rows=len(self.audit.looked),
            tokens=tokens,
            learned=learned,
            context=tokens - learned,
            unlearned=sum(max(0, min(end, max_length) - start) for start, end in self._unlearned),
            cut=self._lengths.sum - self._lengths.clipped(max_length),
            rows_cut=self._lengths.above(max_length),
            answers_cut=self._last.above(max_length),
            rows_nothing=self._first.above(max_length - 1),
        )

    def blocked(self, max_length: int) -> Notice | None:
        """Why a training at `max_length` must not start; None where it may."""
        if self.audit.refused and not self.audit.looked:
            return Notice(code=self.audit.refused[0].code, level="error", params=self.audit.refused[0].params)
        totals = self.totals(max_length)
        if not totals.learned:
            return Notice(code="audit.nothing", level="error", params={"rows": totals.rows, "max_length": max_length})
        ended = bisect_left(self._stops, max_length)
        if not ended and len(totals.answers_cut) < totals.rows:
            return Notice(code="audit.no_end", level="error")
        return None

    def notices(self, max_length: int) -> list[Notice]:
        """What there is to know of the rows at `max_length` tokens: those that lose the end of an answer, those that teach nothing."""
        totals, found = self.totals(max_length), []
        cut = [row for row in totals.answers_cut if row not in set(totals.rows_nothing)]
        for code, rows in (("audit.rows_nothing", totals.rows_nothing), ("audit.answers_cut", cut)):
            if rows:
                found.append(Notice(code=code, level="warning", params={"count": len(rows), "rows": listed(rows)}))
        return [*found, *self.audit.notices()]

    def histogram(self, bins: int = 40) -> list[tuple[int, int, int]]:
        """Rows by length: (from, to, count), both ends within, of one width, up to the longest row."""
        width = max(1, -(-self.longest // bins))
        counts = [0] * -(-self.longest // width)
        for one in self.audit.looked:
            counts[max(0, one.length - 1) // width] += 1
        return [(at * width + 1, (at + 1) * width, count) for at, count in enumerate(counts)]

    def packing(self, max_length: int, batch: int) -> Packing:
        """What packing would save at `max_length` tokens, with `batch` sequences in a batch. Rows that teach nothing are left out."""
        nothing = set(self._first.above(max_length - 1))
        alone = [min(one.length, max_length) for one in self._chats if one.row not in nothing]
        for one in self._texts:
            if one.row not in nothing:
                alone.extend(_sequences(one.length, max_length))
        alone.sort()
        packed = _filled(alone, max_length)
        padding, packed_padding = _padding(alone, batch), _padding(packed, batch)
        tokens = sum(alone)
        return Packing(
            sequences=len(alone),
            padding=round(padding),
            packed_sequences=len(packed),
            packed_padding=round(packed_padding),
            saved=max(0.0, 1 - (tokens + packed_padding) / (tokens + padding)) if tokens else 0.0,
        )


def parts(shown: Shown, max_length: int) -> list[tuple[str, Literal["learned", "unlearned", "context", "cut"], bool]]:
    """The pieces of a row at `max_length` tokens: text, what becomes of it, and whether it is a special token.

    A piece that lies across the cut is cut. Not for rows of text, which are never cut.
    """
    ends = accumulate(piece.tokens for piece in shown.pieces)
    return [(piece.text, piece.kind if end <= max_length else "cut", piece.special) for piece, end in zip(shown.pieces, ends, strict=True)]


def listed(rows: Sequence[int], most: int = 5) -> str:
    """Numbers of rows in a sentence: "3, 9, 12, …"."""
    return ", ".join(str(row) for row in rows[:most]) + (", …" if len(rows) > most else "")


class _Sorted:
    """Values with the row they belong to, for sums and rows beyond any bound."""

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        pairs.sort()
        self._values = [value for value, _ in pairs]
        self._rows = [row for _, row in pairs]
        self._sums = [0, *accumulate(self._values)]
        self.sum = self._sums[-1]

    def clipped(self, most: int) -> int:
        """The sum, where no value counts for more than `most`."""
        at = bisect_right(self._values, most)
        return self._sums[at] + (len(self._values) - at) * most

    def above(self, bound: int) -> list[int]:
        """The rows of all values above a bound, ascending."""
        return sorted(self._rows[bisect_right(self._values, bound) :])


def _first(one: Looked) -> int:
    return one.learned[0][0] if one.learned else NEVER


def _sequences(length: int, max_length: int) -> list[int]:
    """Lengths of the sequences of a text: each next one begins with the last token of the one before."""
    full, rest = divmod(max(0, length - 1), max_length - 1)
    return [max_length] * full + ([rest + 1] if rest or not full else [])


def best_fit(lengths: Sequence[int], room: int) -> Iterator[tuple[int, int, int, int]]:
    """Best fit decreasing (Johnson, 1973): each row, longest first, goes where the least room is left; no length is above `room`.

    Yields (length, left, rows, sequences): so many sequences with that much room left take so many rows of that length each.
    Where all of `room` is left, the sequences are new.
    """
    free: dict[int, int] = {}  # sequences by the room that they have left
    rooms: list[int] = []  # the keys of `free`, ascending
    for length, count in sorted(Counter(lengths).items(), reverse=True):
        while count:
            at = bisect_left(rooms, length)
            left = rooms[at] if at < len(rooms) else room  # where none has room: new ones
            rows = min(left // length, count)
            sequences = count // rows
            if at < len(rooms):
                sequences = min(sequences, free[left])
                free[left] -= sequences
                if not free[left]:
                    del free[left], rooms[at]
            if left - rows * length not in free:
                insort(rooms, left - rows * length)
            free[left - rows * length] = free.get(left - rows * length, 0) + sequences
            count -= rows * sequences
            yield length, left, rows, sequences


def _filled(lengths: Sequence[int], room: int) -> list[int]:
    """How full the sequences get by best fit, ascending."""
    full: Counter[int] = Counter()
    for length, left, rows, sequences in best_fit(lengths, room):
        full[room - left] -= sequences
        full[room - left + rows * length] += sequences
    return sorted((+full).elements())


def _padding(lengths: Sequence[int], batch: int) -> float:
    """Tokens of padding, as expected, where batches are drawn by chance; `lengths` ascend.

    In a batch of b out of n the i-th shortest is the longest with probability C(i-1, b-1) / C(n, b).
    """
    count = len(lengths)
    batches, rest = divmod(count, batch)
    total = float(-sum(lengths))
    for size, times in ((batch, batches), (rest, 1)):
        if not size or not times:
            continue
        chance = size / count
        for at in range(count, size - 1, -1):
            total += times * size * chance * lengths[at - 1]
            chance *= (at - size) / (at - 1) if at > 1 else 0
            if chance < 1e-12:
                break
    return max(0.0, total)
