"""Flashcards as Obsidian's decks hold them: `Question::Answer` on a line, or both with a line of `?` between them. One record for each.

Three colons, or `??`, are a card for each direction. Headings, tags, notes of when a card was shown, and other lines are no part of them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.prose.fences import opened
from tuning.data.records import FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_SHOWN = re.compile(r"<!--SR:[^>]*-->")  # when a card was shown, and will be again
_ASIDE = re.compile(r"\s*(?:#{1,6}\s|(?:#[^\W\d][\w/-]*\s*)+$|---\s*$)")  # headings, tags alone in their line, rules
_TAG = re.compile(r"\A(?:#flashcards?[\w/-]*\s+)+", re.IGNORECASE)
_TAGGED = re.compile(r"(?m)(?:^|\s)#flashcards?\b|^[ \t]*-?[ \t]*flashcards?[ \t]*$|^tags:.*\bflashcards?\b", re.IGNORECASE)
_POINT = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+")
_SIGN = re.compile(r"`[^`]*`|:{2,}")  # code, in which colons are none; and colons
_ADDRESS = re.compile(r"[\da-fA-F:.%/]+")
_CODE = re.compile(r"[;{]$|\w\([^()]*\)$|::")
_GAP = re.compile(r"\{\{c\d+::")
_LEAST = 2


class _Card(NamedTuple):
    """A card as it stands, and how many lines it takes."""

    line: int
    asked: str
    said: str
    both: bool  # whether it is asked in both directions
    sign: str
    lines: int


def takes(head: str) -> bool:
    """Whether a text is a deck: three of four of its lines belong to cards, and it has their tag or nothing else looks like them."""
    if not _is_deck(head):
        return False
    cards = _read(head)[0]
    return _TAGGED.search(head) is not None or not (_doubtful(cards) or _program(cards))


def unsure(head: str) -> Notice | None:
    """The finding that what may be cards is learned as it stands: single words with colons between them, as fields of notes are, too."""
    if not _is_deck(head) or takes(head):
        return None
    cards = _read(head)[0]
    if _program(cards):
        return None
    return Notice(code="data.note.cards", level="warning", params={"count": len(cards), "line": cards[0].line})


def records(text: TextFile, limits: Limits, notes: list[Notice]) -> Iterator[FileRecord]:
    """The cards in the order of the file; `notes` hears at the end how many lines belong to none."""
    tally: Counter[str] = Counter()
    row = 0
    with opened(text, limits) as (lines, _):
        for card in _cards(lines, tally):
            pairs = [(card.asked, card.said), (card.said, card.asked)][: 1 + card.both]
            for asked, said in pairs:
                row += 1
                size = len(asked) + len(said)
                if size > limits.line:
                    yield FileRecord(row, card.line, fault=InputError("data.row.long", limit=limits.line))
                else:
                    yield FileRecord(row, card.line, values={"question": asked, "answer": said}, size=size)
    if tally["left"]:
        notes.append(Notice(code="data.note.faq", params={"lines": tally["left"], "pairs": row}))


def _read(head: str) -> tuple[list[_Card], int]:
    """The cards of a text, and how many of its lines are neither in them nor aside."""
    tally: Counter[str] = Counter()
    return list(_cards(iter(head.splitlines()), tally)), tally["left"] - tally["aside"]


def _is_deck(head: str) -> bool:
    """Whether cards, of which most ask something else, are three quarters of a text."""
    if "::" not in head and "\n?" not in head.replace("\r", "\n"):
        return False
    cards, left = _read(head)
    inside = sum(card.lines for card in cards)
    different = len({card.asked for card in cards})
    return len(cards) >= _LEAST and inside >= 3 * left and 2 * different > len(cards)


def _program(cards: Sequence[_Card]) -> bool:
    """Whether half of what may be cards are lines of a program, addresses, or have colons on both sides of a word."""
    found = sum(_CODE.search(card.said) is not None or _ADDRESS.fullmatch(card.asked) is not None for card in cards)
    return 2 * found >= len(cards)


def _doubtful(cards: Sequence[_Card]) -> bool:
    """Whether all cards may be fields of a note (`author:: Rossi`) or names of a program (`std::map`): a single word before the colons."""
    return all(card.sign == "::" and len(card.asked.split()) == 1 and not card.asked.endswith("?") for card in cards)


def _cards(lines: Iterator[str], tally: Counter[str]) -> Iterator[_Card]:
    """The cards; `tally` counts the lines that belong to none, and those of them that are headings, tags or what stands above a note."""
    block: list[tuple[int, str]] = []
    above = False  # within what stands above a note, between two lines of hyphens
    for number, line in enumerate(lines, start=1):
        if (number == 1 and line.rstrip() == "---") or above:
            above = number == 1 or line.rstrip() != "---"
            tally["left"] += 1
            tally["aside"] += 1
        elif bare := _SHOWN.sub("", line).rstrip():
            block.append((number, bare))
        else:
            yield from _of_block(block, tally)
            block = []
    yield from _of_block(block, tally)


def _of_block(block: Sequence[tuple[int, str]], tally: Counter[str]) -> Iterator[_Card]:
    """The cards of lines that stand together: one around a line of `?`, else one for each line with colons."""
    turn = next((place for place, (_, line) in enumerate(block) if line.strip() in ("?", "??")), -1)
    single = [None if _ASIDE.match(line) or _GAP.search(line) else _on_line(number, line) for number, line in block]
    begin = next((place + 1 for place in range(turn - 1, -1, -1) if single[place] or _ASIDE.match(block[place][1])), 0)
    around = begin < turn < len(block) - 1
    for place, (_, line) in enumerate(block[:begin] if around else block):
        card = single[place]
        if card is not None:
            yield card
        else:
            tally["left"] += 1
            tally["aside"] += _ASIDE.match(line) is not None
    if around:
        asked, said = ("\n".join(line for _, line in part).strip() for part in (block[begin:turn], block[turn + 1 :]))
        sign = block[turn][1].strip()
        yield _Card(block[begin][0], _TAG.sub("", asked, count=1), said, sign == "??", sign, len(block) - begin)


def _on_line(number: int, line: str) -> _Card | None:
    """The card that a line is, with two or three colons between question and answer."""
    sign = next((found for found in _SIGN.finditer(line) if found[0][0] == ":"), None)
    if sign is None or len(sign[0]) > 3:
        return None
    point = _POINT.match(line)
    asked = _TAG.sub("", line[point.end() if point else 0 : sign.start()].lstrip(), count=1).strip()
    said = line[sign.end() :].strip()
    return _Card(number, asked, said, len(sign[0]) == 3, sign[0], 1) if asked and said and not asked.startswith("..") else None
