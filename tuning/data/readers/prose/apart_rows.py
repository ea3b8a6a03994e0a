"""Numbered questions, and further down in the same text numbered answers, as books of exercises have them. One record for each question.

The answers stand below a heading that says so, and go by their numbers; without one, all of the first list ask, none of the second does,
and both are of the same length. Files larger than what is looked at first are others. What belongs to neither list is left out and counted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tuning.data.readers.prose.fences import coded
from tuning.data.readers.prose.quiz_rows import KEY
from tuning.data.records import HEAD, FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_NUMBERED = re.compile(r"(?P<before>[ \t]*[*_]{0,3})(?P<number>\d{1,3})(?P<sign>[.)])[*_]{0,3}[ \t]+(?P<said>\S.*)$")
_HEADING = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[*_]{2,3}[^*_]+[*_]{2,3}[ \t]*$|[-*_]{3,}[ \t]*$)")
_LETTER = re.compile(r"[(\[]?[A-Ha-h][)\].]?")  # all that the answer to multiple choice may say
_LEAST = 2  # questions


class _NumberedEntry(NamedTuple):
    """A numbered entry, with the lines that it goes on over."""

    line: int
    number: int
    said: list[str]

    def text(self) -> str:
        """All that it says."""
        return "\n".join(self.said).strip()


@dataclass
class _Lists:
    """The numbered lists of a text, how many lines are in none, and which list is the first below a heading of answers."""

    lists: list[list[_NumberedEntry]] = field(default_factory=list)
    left: int = 0
    key: int | None = None
    form: tuple[int, str] = (0, "")  # of the numbers of the last list


@dataclass(frozen=True)
class AnswersApart:
    """The questions with their answers, and how many lines belong to neither."""

    pairs: Sequence[tuple[int, str, str]]  # line, question, answer
    left: int


def takes(head: str) -> AnswersApart | None:
    """The questions and answers of a text that is two such lists; None where it is none, or goes on beyond what is looked at."""
    if len(head) >= HEAD:
        return None
    lines = head.splitlines()
    found = _found(lines, coded(lines))
    if len(found.lists) != 2 or len(found.lists[0]) < _LEAST or 2 * found.left > sum(bool(line.strip()) for line in lines):
        return None
    asks, says = found.lists
    answers = {entry.number: entry.text() for entry in says}
    if all(_LETTER.fullmatch(answer) for answer in answers.values()):
        return None
    below = found.key == 1 and 2 * len(answers) >= len(asks) and answers.keys() <= {entry.number for entry in asks}
    asking = [entry.text().endswith("?") for entry in asks]
    if not below and not (len(asks) == len(says) and all(asking) and not any(answer.endswith("?") for answer in answers.values())):
        return None
    return AnswersApart([(entry.line, entry.text(), answers.get(entry.number, "")) for entry in asks], found.left)


def records(apart: AnswersApart, limits: Limits, notes: list[Notice]) -> Iterator[FileRecord]:
    """The questions in the order of the file; `notes` hears how many lines belong to none."""
    for row, (line, question, answer) in enumerate(apart.pairs, start=1):
        size = len(question) + len(answer)
        if size > limits.line:
            yield FileRecord(row, line, fault=InputError("data.row.long", limit=limits.line))
        else:
            yield FileRecord(row, line, values={"question": question, "answer": answer}, size=size)
    if apart.left:
        notes.append(Notice(code="data.note.faq", params={"lines": apart.left, "pairs": len(apart.pairs)}))


def _found(lines: Sequence[str], code: Sequence[int]) -> _Lists:
    """The lists of a text. What stands below an entry goes on with it, up to a heading."""
    found = _Lists()
    inside = False
    for place, line in enumerate(lines):
        key = None if code[place] else KEY.match(line)
        numbered = None if code[place] else _NUMBERED.match(line)
        if key is not None and not key["said"]:
            found.key, inside = len(found.lists), False
            found.left += 1
        elif numbered is not None and (_begins(numbered, found) or _goes_on(numbered, found)):
            if _begins(numbered, found):
                found.lists.append([])
                found.form = _form(numbered)
            said = numbered["said"].rstrip()
            said = said.rstrip("*_") if numbered["before"].strip() else said
            found.lists[-1].append(_NumberedEntry(place + 1, int(numbered["number"]), [said]))
            inside = True
        elif inside and (code[place] or not _HEADING.match(line)):
            found.lists[-1][-1].said.append(line)
        else:
            inside = False
            found.left += bool(line.strip())
    return found


def _form(numbered: re.Match[str]) -> tuple[int, str]:
    """How far in a number stands, and the sign after it."""
    return len(numbered["before"].rstrip("*_").expandtabs(4)), numbered["sign"]


def _begins(numbered: re.Match[str], found: _Lists) -> bool:
    """Whether a number begins a list: 1 as far in as those before, or any number right below a heading of answers."""
    below = bool(found.lists) and len(found.lists) == found.key
    return below or (numbered["number"] == "1" and (not found.lists or _form(numbered)[0] == found.form[0]))


def _goes_on(numbered: re.Match[str], found: _Lists) -> bool:
    """Whether a number is the next of its list; below a heading of answers some may have none."""
    if not found.lists or _form(numbered) != found.form:
        return False
    number, last = int(numbered["number"]), found.lists[-1][-1].number
    return number == last + 1 or (found.key == len(found.lists) - 1 and number > last)
