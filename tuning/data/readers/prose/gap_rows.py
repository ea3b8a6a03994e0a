"""Sentences with hidden words, as Anki writes them: `The capital of France is {{c1::Paris::city}}`. One record for each number in them.

The sentence with a gap, or with the hint in brackets, is the question; the words are the answer. What else a note holds is left out.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.prose.fences import opened
from tuning.data.readers.prose.gift_rows import GAP
from tuning.data.records import FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_HIDDEN = re.compile(r"\{\{c(?P<number>\d{1,3})::(?P<said>(?:(?!\}\}|::|\{\{).)+)(?:::(?P<hint>(?:(?!\}\}|\{\{).)*))?\}\}")
_SETTING = re.compile(r"#[a-z ]+:")
_SEPARATOR = re.compile(r"(?im)^#separator:[ \t]*(.+?)[ \t]*$")
_NAMES = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "colon": ":", "space": " "}
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


@dataclass(frozen=True)
class Gaps:
    """How such notes stand in a text: what divides the fields of a line; nothing where the line is the sentence."""

    separator: str = ""


def takes(head: str) -> Gaps | None:
    """How sentences with hidden words stand in a text; None where its first line has none, or less than three of four lines have some."""
    if "{{c" not in head:
        return None
    lines = [line for line in head.splitlines() if line.strip() and not _SETTING.match(line)]
    found = [line for line in lines if _HIDDEN.search(line)]
    if len(found) < 2 or not _HIDDEN.search(lines[0]) or 4 * len(found) < 3 * len(lines):
        return None
    named = _SEPARATOR.search(head) if head.lstrip("\ufeff").startswith("#") else None
    if named is not None:
        return Gaps(_NAMES.get(named[1].casefold(), named[1][:1]))
    return Gaps("\t" if 2 * sum("\t" in line for line in found) > len(found) else "")


def learned(head: str) -> Notice | None:
    """The finding that hidden words are learned with their signs, in a text that has other lines, too."""
    found = [number for number, line in enumerate(head.splitlines(), start=1) if "{{c" in line and _HIDDEN.search(line)]
    return Notice(code="data.note.gaps", level="warning", params={"count": len(found), "line": found[0]}) if len(found) > 1 else None


def records(text: TextFile, limits: Limits, gaps: Gaps, notes: list[Notice]) -> Iterator[FileRecord]:
    """The sentences in the order of the file; `notes` hears at the end what is left out."""
    tally: Counter[str] = Counter()
    row = 0
    with opened(text, limits) as (lines, _):
        for number, line in enumerate(lines, start=1):
            if not line.strip() or (row == 0 and _SETTING.match(line)):
                continue
            fields = _fields(line, gaps.separator)
            sentence = next((field for field in fields if _HIDDEN.search(field)), None)
            if sentence is None:
                tally["lines"] += 1
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


def _fields(line: str, separator: str) -> Sequence[str]:
    if not separator:
        return [line]
    if separator == "\t":
        return [quoted[1].replace('""', '"') if (quoted := _QUOTED.fullmatch(field)) else field for field in line.split("\t")]
    return next(csv.reader([line], delimiter=separator), [])


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
