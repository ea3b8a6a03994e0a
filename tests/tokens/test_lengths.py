"""Totals at any length, the histogram, packing and what blocks a start: against counting it out row by row."""

import itertools
import random

import pytest

from tuning import text
from tuning.tokens import lengths
from tuning.tokens.lengths import Audit, Lengths, Looked, Piece, Refused, Shown


def rows(count: int, seed: int = 1, texts: float = 0.2) -> list[Looked]:
    """Rows by chance: conversations of several answers, some without any, and texts."""
    chance = random.Random(seed)
    made = []
    for row in range(1, count + 1):
        length = chance.randint(2, 300)
        if chance.random() < texts:
            made.append(Looked(row=row, length=length, learned=[(1, length)], stop=length - 1, text=True))
            continue
        marks = sorted(chance.sample(range(1, length + 1), min(length, 2 * chance.randint(0, 3))))
        spans = [(first, end) for first, end in zip(marks[::2], marks[1::2], strict=False)]
        made.append(Looked(row=row, length=length, learned=spans, stop=spans[-1][1] - 1 if spans else -1))
    return made


def counted(looked: list[Looked], max_length: int) -> tuple[int, int, list[int], list[int], list[int]]:
    """Tokens, learned, rows cut, answers cut, rows that teach nothing; one token after the other."""
    tokens, learned, cut, answers, nothing = 0, 0, [], [], []
    for one in looked:
        marks = [any(first <= at < end for first, end in one.learned) for at in range(one.length)]
        if one.text:
            tokens += one.length + sum(1 for at in range(1, one.length - 1) if at % (max_length - 1) == 0)
            learned += sum(marks)
            continue
        tokens += len(marks[:max_length])
        learned += sum(marks[:max_length])
        if one.length > max_length:
            cut.append(one.row)
        if any(marks[max_length:]):
            answers.append(one.row)
        if not any(marks[:max_length]):
            nothing.append(one.row)
    return tokens, learned, cut, answers, nothing


@pytest.mark.parametrize("max_length", [16, 17, 40, 128, 299, 300, 301, 4096])
def test_totals_are_what_counting_gives(max_length: int) -> None:
    looked = rows(500)
    totals = Lengths(Audit(rows=500, looked=looked)).totals(max_length)
    assert (totals.tokens, totals.learned, totals.rows_cut, totals.answers_cut, totals.rows_nothing) == counted(looked, max_length)
    assert totals.context == totals.tokens - totals.learned
    assert totals.cut == sum(max(0, one.length - max_length) for one in looked if not one.text)


def test_the_histogram_has_every_row_once() -> None:
    looked = rows(500)
    found = Lengths(Audit(rows=500, looked=looked))
    for bins in (1, 7, 40, 1000):
        bars = found.histogram(bins)
        assert sum(count for _, _, count in bars) == 500 and len(bars) <= bins
        assert bars[0][0] == 1 and bars[-1][1] >= found.longest and all(a[1] + 1 == b[0] for a, b in itertools.pairwise(bars))
        assert all(count == sum(first <= one.length <= last for one in looked) for first, last, count in bars)


def test_packing_puts_rows_where_the_least_room_is_left() -> None:
    def packed(sizes: list[int], max_length: int, batch: int = 1) -> lengths.Packing:
        looked = [Looked(row=at, length=size, learned=[(1, size)] if size > 1 else []) for at, size in enumerate(sizes, 1)]
        return Lengths(Audit(rows=len(sizes), looked=looked)).packing(max_length, batch)

    assert packed([60, 40, 30, 30, 20, 20], 100).packed_sequences == 2
    assert packed([50] * 10, 100).packed_sequences == 5
    assert packed([51] * 10, 100).packed_sequences == 10
    assert packed([30] * 10, 100).packed_sequences == 4
    assert packed([300, 100, 99, 1], 100).packed_sequences == 3  # what is cut fills a sequence; one token teaches nothing
    one = packed([10, 20, 30, 40], 50, batch=1)
    assert (one.sequences, one.padding, one.saved) == (4, 0, 0.0)
    # Pairs of four lengths by chance: the longer one of 10, 20, 30 and 40 is 33.3 on average.
    two = packed([10, 20, 30, 40], 50, batch=2)
    assert two.padding == round(4 * 100 / 3 - 100) and two.packed_padding == 0 and two.saved == pytest.approx(0.25)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_packing_is_best_fit_and_padding_is_what_chance_gives(batch: int) -> None:
    looked = rows(300, texts=0.0)
    found = Lengths(Audit(rows=300, looked=looked))
    sizes = [min(one.length, 128) for one in looked if one.learned and one.learned[0][0] < 128]
    room: list[int] = []
    for size in sorted(sizes, reverse=True):
        fitting = [left for left in room if left >= size]
        if fitting:
            room.remove(min(fitting))
        room.append((min(fitting) if fitting else 128) - size)
    packing = found.packing(128, batch)
    assert (packing.sequences, packing.packed_sequences) == (len(sizes), len(room))
    chance, total, tries = random.Random(3), 0, 400
    for _ in range(tries):
        chance.shuffle(sizes)
        total += sum(max(some) * len(some) - sum(some) for some in (sizes[at : at + batch] for at in range(0, len(sizes), batch)))
    assert packing.padding == pytest.approx(total / tries, rel=0.02, abs=1)


def test_what_must_not_start_is_blocked_with_its_reason() -> None:
    whole = Looked(row=1, length=50, learned=[(40, 50)], stop=49)
    endless = Looked(row=2, length=50, learned=[(40, 49)])
    late = Looked(row=3, length=90, learned=[(80, 90)], stop=89)

    def code(looked: list[Looked], max_length: int) -> str | None:
        blocked = Lengths(Audit(rows=len(looked), looked=looked)).blocked(max_length)
        return None if blocked is None else blocked.code

    assert code([whole, late], 50) is None
    assert code([whole, late], 40) == "audit.nothing"
    assert code([endless], 50) == "audit.no_end"
    assert code([endless, late], 50) == "audit.no_end"
    assert code([endless, late], 90) is None
    assert code([whole], 45) is None  # every answer is cut: that is said elsewhere
    assert code([], 50) == "audit.nothing"
    refused = Lengths(Audit(rows=1, looked=[], refused=[Refused(row=1, code="tokens.tools")])).blocked(50)
    assert refused is not None and refused.code == "tokens.tools"


def test_an_empty_audit_answers_too() -> None:
    found = Lengths(Audit(rows=0, looked=[]))
    assert found.longest == 0 and found.histogram() == [] and found.packing(64, 4).saved == 0.0


def test_the_cut_moves_over_the_pieces() -> None:
    pieces = [Piece(text="a", kind="context"), Piece(text="é", kind="learned", tokens=2), Piece(text="b", kind="learned", special=True)]
    shown = Shown(row=1, pieces=pieces)
    assert lengths.parts(shown, 4) == [("a", "context", False), ("é", "learned", False), ("b", "learned", True)]
    assert [fate for _, fate, _ in lengths.parts(shown, 3)] == ["context", "learned", "cut"]
    assert [fate for _, fate, _ in lengths.parts(shown, 2)] == ["context", "cut", "cut"]


@pytest.mark.parametrize("lang", ["en", "it"])
def test_every_notice_can_be_said(lang: str) -> None:
    refused = [Refused(row=row, code="tokens.tools") for row in range(3, 12)]
    audit = Audit(rows=30_000, looked=rows(10), refused=refused, merged=2, rewritten=3)
    said = [text.say(lang, notice.code, notice.params) for notice in audit.notices()]
    assert len(said) == 4 and "3, 4, 5, 6, 7, …" in said[1]
    for looked, max_length in (([], 64), ([Looked(row=1, length=50, learned=[(40, 49)])], 64)):
        blocked = Lengths(Audit(rows=1, looked=looked)).blocked(max_length)
        assert blocked is not None and text.say(lang, blocked.code, blocked.params)
