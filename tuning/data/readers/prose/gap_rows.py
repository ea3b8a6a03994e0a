"""Sentences with hidden words, as Anki writes them: `The capital of France is {{c1::Paris::city}}`. One record for each number in them.

The sentence with a gap, or with the hint in brackets, is the question; the words are the answer. What else a note holds is left out.
A note is a line, or the lines between blank ones where their numbers go on from line to line; with fields it may have lines in quotes.
"""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.prose.fences import opened
from tuning.data.readers.prose.gift_rows import GAP
from tuning.data.records import FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_HIDDEN = re.compile(
    r"\{\{c(?P<number>\d{1,3})::(?P<said>(?:(?!\}\}|::|\{\{).){1,2000})(?:::(?P<hint>(?:(?!\}\}|\{\{).){0,2000}))?\}\}", re.DOTALL
)
_SETTING = re.compile(r"#[a-z ]+:")
_SEPARATOR = re.compile(r"(?im)^#separator:([^\r\n]+)")
_NAMES = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "colon": ":", "space": " "}
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_FIRST = "1"  # the number with which those of a note begin
_MOST_LINES = 200  # of a note with fields


@dataclass(frozen=True)
class Gaps:
    """How such notes stand in a text: what divides their fields, nothing where they are sentences; and whether they are of many lines."""

    separator: str = ""
    blocks: bool = False


def takes(head: str) -> Gaps | None:
    """How sentences with hidden words stand in a text; None where its first note has none, or less than three of four notes have some."""
    if "{{c" not in head:
        return None
    lines = [line for line in head.splitlines() if not _SETTING.match(line)]
    named = _SEPARATOR.search(head) if head.lstrip("\ufeff").startswith("#") else None
    if named is not None:
        sign = named[1].strip(" ")
        gaps = Gaps(_NAMES.get(sign.strip().casefold(), sign[:1]))
    else:
        found = [line for line in lines if _HIDDEN.search(line)]
        tabbed = 2 * sum("\t" in line for line in found) > len(found)
        gaps = Gaps("\t") if found and tabbed else Gaps(blocks=_are_blocks(lines))
    notes = [note for _, note in _notes(enumerate(lines, start=1), gaps)]
    found = [note for note in notes if _HIDDEN.search(note)]
    several = sum(len({hidden["number"] for hidden in _HIDDEN.finditer(note)}) for note in found) > 1
    return gaps if several and _HIDDEN.search(notes[0]) and 4 * len(found) >= 3 * len(notes) else None


def _are_blocks(lines: Sequence[str]) -> bool:
    """Whether notes are the lines between blank ones: in some of them a line does not begin anew with the first number, in none two do."""
    blocks = [block.split("\n") for _, block in _notes(enumerate(lines, start=1), Gaps(blocks=True))]
    several = len(blocks) > 1
    goes_on = False
    for block in blocks:
        numbers = [{found["number"] for found in _HIDDEN.finditer(line)} for line in block]
        if sum(_FIRST in held for held in numbers) > 1:
            return False
        goes_on = goes_on or any(_FIRST not in held and (held or several) for held in (numbers if len(block) > 1 else ()))
    return goes_on


def learned(head: str) -> Notice | None:
    """The finding that hidden words are learned with their signs, in a text that has other lines, too."""
    if "{{c" not in head:
        return None
    found = list(dict.fromkeys(head.count("\n", 0, hidden.start()) + 1 for hidden in _HIDDEN.finditer(head)))
    return Notice(code="data.note.gaps", level="warning", params={"count": len(found), "line": found[0]}) if len(found) > 1 else None


def records(text: TextFile, limits: Limits, gaps: Gaps, notes: list[Notice]) -> Iterator[FileRecord]:
    """The sentences in the order of the file; `notes` hears at the end what is left out."""
    tally: Counter[str] = Counter()
    row = 0
    with opened(text, limits) as (lines, _):
        settings = itertools.dropwhile(lambda line: not line[1].strip() or _SETTING.match(line[1]), enumerate(lines, start=1))
        for number, note in _notes(settings, gaps):
            fields = _fields(note, gaps.separator)
            sentence = next((field for field in fields if _HIDDEN.search(field)), None)
            if sentence is None:
                tally["lines"] += note.count("\n") + 1
                continue
            tally["cells"] += sum(bool(field.strip()) for field in fields) - 1
            for asked, said in _asked(sentence.strip()):
                row += 1
                size = len(asked) + len(said)
                if size > limits.line:
                    yield FileRecord(row, number, fault=InputError("data.row.long", limit=limits.line))
                else:
                    yield FileRecord(row, number, values={"question": asked, "answer": said}, size=size)
    notes.append(Notice(code="data.note.hidden_words", params={"pairs": row, "cells": tally["cells"], "lines": tally["lines"]}))


def _notes(lines: Iterable[tuple[int, str]], gaps: Gaps) -> Iterator[tuple[int, str]]:
    """The notes that are not blank, each with the line in which it begins."""
    held: list[str] = []
    begin = 0
    for number, line in lines:
        if held and (_whole(held, gaps) or (gaps.blocks and not line.strip())):
            yield begin, "\n".join(held)
            held = []
        if held or line.strip():
            begin = begin if held else number
            held.append(line)
        if gaps.separator and len(held) > _MOST_LINES:  # a quotation mark that nothing closes
            yield from ((begin + place, one) for place, one in enumerate(held) if one.strip())
            held = []
    if held and (_whole(held, gaps) or gaps.blocks):
        yield begin, "\n".join(held)
    else:
        yield from ((begin + place, one) for place, one in enumerate(held) if one.strip())


def _whole(held: Sequence[str], gaps: Gaps) -> bool:
    """Whether lines are all of a note: of blocks only a blank line says so, of fields their quotation marks."""
    if gaps.blocks:
        return False
    return not gaps.separator or sum(line.count('"') for line in held) % 2 == 0


def _fields(note: str, separator: str) -> Sequence[str]:
    if not separator:
        return [note]
    if separator == "\t":
        return [quoted[1].replace('""', '"') if (quoted := _QUOTED.fullmatch(field)) else field for field in note.split("\t")]
    return next(csv.reader(note.splitlines(keepends=True), delimiter=separator), [])


def _asked(sentence: str) -> Iterator[tuple[str, str]]:
    """For each number the sentence with its words hidden, those of others shown; and the words."""
    for number in dict.fromkeys(found["number"] for found in _HIDDEN.finditer(sentence)):
        words = [found["said"].strip() for found in _HIDDEN.finditer(sentence) if found["number"] == number]
        yield "".join(_shown(part, number) for part in _parts(sentence)), ", ".join(words)


def _parts(sentence: str) -> Iterator[str | re.Match[str]]:
    """Hidden words, and what stands between them."""
    end = 0
    for found in _HIDDEN.finditer(sentence):
        yield sentence[end : found.start()]
        yield found
        end = found.end()
    yield sentence[end:]


def _shown(part: str | re.Match[str], number: str) -> str:
    """How a part of a sentence stands in the question for a number."""
    if isinstance(part, str):
        return part
    if part["number"] != number:
        return part["said"]
    return f"[{part['hint']}]" if part["hint"] else GAP
