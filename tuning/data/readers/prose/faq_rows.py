"""Questions and answers written as prose: labelled lines, headings, bold or numbered lines that ask, and lines in turn.

One record for each pair. What stands before the first question, or under a heading that asks nothing, is left out and counted. Code
within fences belongs to the answer that it stands in, whatever it looks like.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.prose.fences import coded, opened
from tuning.data.readers.prose.question_labels import LabelledLine, Labels, in_line, labelled, settled
from tuning.data.records import FileRecord, shown
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_HEADING = re.compile(
    r"^(?:(?P<level>#{1,6})[ \t]+(?P<heading>.*)"
    r"|(?:(?:\d{1,3}[.)]|[-*])[ \t]+)?(?:\*\*(?P<bold>[^*\n]+)\*\*|__(?P<under>[^_\n]+)__)(?:[ \t]*:?[ \t]+(?P<answer>\S.*)|[ \t]*)"
    r"|<summary>(?:<\w{1,6}>)?(?P<folded>[^<\n]+)(?:</\w{1,6}>)?</summary>)$"
)
_FOLD = re.compile(r"\A\s*<details(?: open)?>\s*|(?<!\s)\s*</details>\s*\Z|(?<=</summary>)(?=\S)")  # white space is read once
_NUMBERED = re.compile(r"\s*(\d{1,3})([.)])[ \t]+")
_EMPHASISED = re.compile(r"(?P<signs>([*_])\2{0,2})(?P<said>(?:(?!\2).)+)(?P=signs)")
_ASKS_FIRST = re.compile(r"[^.!?\n]{3,200}\?(?:[\s*_»\"”):]|$)")
_DEFINED = re.compile(r"(?m)^:[ \t]+")
_SECTION = re.compile(r"\[{1,2}[^\[\]\n]{1,60}\]{1,2}\s*$")  # of a file of settings, above its names and values
_NAMED = re.compile(r"[ \t]*[*_]{0,3}([^\W\d_][\w .'’]{0,24}?)[*_]{0,3}(?::|[ \t]+[-–—](?=[ \t]))")
_MOST_PROSE = 0.8  # of the paragraphs that begin with a question, where nothing else tells that they are some
_LEAST_IN_TURN = 3  # pairs, where nothing but their order tells them
_BODY = 7  # the level of a heading that is bold or folded


@dataclass(frozen=True)
class Telling:
    """How the questions of a text are told."""

    by: Literal["labels", "in line", "headings", "lines", "turn"]
    labels: Labels | None = None
    level: int = 0  # of the headings that ask, where those of others do not
    defined: bool = False  # whether answers stand behind a colon, as definitions in Markdown do
    answers: tuple[str, str] | None = None  # word and sign of a label that begins every answer, and is none of it


class _Line(NamedTuple):
    """A line as it stands: with those beside it, and whether it is code."""

    text: str
    before: str
    after: str
    code: bool


class _Seen(NamedTuple):
    """What a line is: a question, an answer's beginning, a heading of something else, or text."""

    kind: Literal["asks", "says", "other", "text"]
    said: str = ""
    answer: str = ""  # on the line of its question


def way(head: str) -> Telling | None:
    """How the questions are told: by labels, headings, as first lines of paragraphs, or by their turn; None where a text has none."""
    lines = [_FOLD.sub("", line) for line in head.splitlines()]
    code = coded(lines)
    used = settled(lines, code)
    if used is not None:
        return Telling("labels", used)
    filled = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(filled) > 1 and all(map(in_line, filled)):
        return Telling("in line")
    found = _by_headings(lines, code) or _by_lines(lines, code)
    if found is None:
        return None
    answers = [answer for _, _, answer in _pairs(iter(lines), code, found, Counter())]
    marks = {(led.word, led.sign) if led is not None and not led.asks and led.sign else None for led in map(_label, answers)}
    found = replace(found, defined=len(answers) > 1 and all(map(_DEFINED.match, answers)))
    return replace(found, answers=marks.pop()) if len(marks) == 1 and len(answers) > 1 else found


def records(text: TextFile, limits: Limits, told: Telling, notes: list[Notice]) -> Iterator[FileRecord]:
    """The pairs in the order of the file; `notes` hears at the end how many lines belong to none, and of a label before all answers."""
    tally: Counter[str] = Counter()
    named: Counter[str] = Counter()
    row = 0
    with opened(text, limits) as (found, code):
        lines = (_FOLD.sub("", line) for line in found)
        for row, (begin, question, answer) in enumerate(_pairs(lines, code, told, tally), start=1):
            name = _NAMED.match(answer)
            named[name[1] if name else ""] += 1
            size = len(question) + len(answer)
            if size > limits.line:
                yield FileRecord(row, begin, fault=InputError("data.row.long", limit=limits.line))
            else:
                yield FileRecord(row, begin, values={"question": question, "answer": answer}, size=size)
    if tally["left"]:
        notes.append(Notice(code="data.note.faq", params={"lines": tally["left"], "pairs": row}))
    label = next(iter(named), "")
    if label and named[label] == row > 1:
        notes.append(Notice(code="data.note.label", level="warning", params={"label": shown(label), "pairs": row}))


def asking(head: str) -> Notice | None:
    """The finding that a text which is learned as it stands holds questions: a quarter of its lines begin with one."""
    lines = head.splitlines()
    code = coded(lines)
    texts = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and not code[number - 1]]
    found = [number for number, line in texts if _ASKS_FIRST.match(line.lstrip("#*_- \t"))]
    if len(found) < 2 or 4 * len(found) < len(texts):
        return None
    return Notice(code="data.note.asks", level="warning", params={"count": len(found), "line": found[0]})


def _pairs(lines: Iterator[str], code: Sequence[int], told: Telling, tally: Counter[str]) -> Iterator[tuple[int, str, str]]:
    """The line where a pair begins, its question and its answer; `tally` counts the lines that are left out."""
    if told.by == "in line":
        yield from _in_lines(lines, tally)
        return
    question: list[str] | None = None
    answer: list[str] | None = None
    begin = 0
    above = told.labels is not None and told.labels.before
    reader = _FaqReader(told)

    def pair() -> tuple[int, str, str]:
        said = "\n".join(answer or ()).strip()
        said = _DEFINED.sub("", said) if told.defined else said
        led = _label(said) if told.answers else None
        if led is not None and (led.word, led.sign) == told.answers:
            said = "\n".join([led.said, *said.split("\n")[1:]]).strip()
        asked = "\n".join(question or ()).strip()
        return (begin, said, asked) if above else (begin, asked, said)

    for number, line in enumerate(_around(lines, code), start=1):
        seen = _Seen("text", line.text) if line.code else reader.read(line)
        if seen.kind in ("asks", "other") and question is not None:
            yield pair()
            question = answer = None
        if seen.kind == "asks":
            question, begin = [seen.said], number
            answer = None if told.by == "labels" else [seen.answer] if seen.answer else []
        elif seen.kind == "says" and question is not None:
            answer = [*(answer or ()), seen.said]
        elif seen.kind == "text" and question is not None:
            (question if answer is None else answer).append(line.text)
        else:
            tally["left"] += bool(line.text.strip())
    if question is not None:
        yield pair()


def _in_lines(lines: Iterator[str], tally: Counter[str]) -> Iterator[tuple[int, str, str]]:
    """The pairs that stand on a line each."""
    for number, line in enumerate(lines, start=1):
        both = in_line(line)
        if both is not None:
            yield number, *both
        else:
            tally["left"] += bool(line.strip())


def _around(lines: Iterator[str], code: Sequence[int]) -> Iterator[_Line]:
    before, text = "", next(lines, None)
    place = 0
    while text is not None:
        after = next(lines, None)
        yield _Line(text, before, after or "", bool(code[place]))
        before, text, place = text, after, place + 1


def _label(answer: str) -> LabelledLine | None:
    """The label that an answer begins with; a letter of a list is none."""
    lines = answer.split("\n", 2)
    return labelled(lines[0], ("", lines[1] if len(lines) > 1 else ""))


class _FaqReader:
    """Tells line by line what a line is, and remembers what was asked last."""

    def __init__(self, told: Telling) -> None:
        self._way = told
        self._settings = told.labels is not None and told.labels.sign == "="
        self._asked = ""  # the label of the question before
        self._number: tuple[int, str] | None = None  # of the question before, and the sign after it
        self._open = False  # whether the line before that is not blank asked

    def read(self, line: _Line) -> _Seen:
        """What a line is."""
        if self._way.by == "labels":
            return self._labelled(line)
        return self._headed(line) if self._way.by == "headings" else self._numbered(line)

    def _labelled(self, line: _Line) -> _Seen:
        found = self._way.labels.read(line.text, (line.before, line.after), self._asked) if self._way.labels else None
        if found is None:
            section = self._settings and _SECTION.match(line.text)
            return _Seen("other" if section or re.match(r"#{1,6}\s", line.text) else "text")
        self._asked = found.word if found.asks else self._asked
        begins = found.asks != (self._way.labels is not None and self._way.labels.before)
        return _Seen("asks" if begins else "says", _unquoted(found.said) if self._settings else found.said)

    def _headed(self, line: _Line) -> _Seen:
        found = _heading(line)
        if found is None or (self._way.level and found.level > self._way.level):
            return _Seen("text")
        if not found.asks and (led := labelled(found.said)) is not None and not (led.asks or led.said):
            return _Seen("says")  # a heading that says that the answer is below
        if not found.asks or (self._way.level and found.level < self._way.level):
            return _Seen("other" if found.level < _BODY else "text")
        return _Seen("asks", found.said, found.answer)

    def _numbered(self, line: _Line) -> _Seen:
        numbered = _NUMBERED.match(line.text)
        asks = line.text.rstrip().endswith("?")
        after_blank = not line.before.strip()
        if self._way.by == "turn":
            asks, self._open = asks and not self._open, (asks and not self._open) if line.text.strip() else self._open
        else:
            asks = (asks and after_blank) or (numbered is not None and self._follows(numbered) and (asks or (after_blank and _said(line))))
        if not asks:
            return _Seen("text")
        if numbered is not None:
            self._number = int(numbered[1]), numbered[2]
        return _Seen("asks", line.text[numbered.end() if numbered else 0 :].strip())

    def _follows(self, numbered: re.Match[str]) -> bool:
        """Whether a number is the next after that of the question before, or the first."""
        number, sign = int(numbered[1]), numbered[2]
        return (number - 1, sign) == self._number if self._number is not None else number == 1


def _unquoted(said: str) -> str:
    """A value without the quotation marks around it."""
    try:
        text = json.loads(said) if said[:1] == '"' else said
    except ValueError:
        return said
    return str(text)


def _said(line: _Line) -> bool:
    """Whether a line has its answer right after it."""
    return bool(line.after.strip()) and _NUMBERED.match(line.after) is None


class _Heading(NamedTuple):
    level: int
    asks: bool
    said: str
    answer: str


def _heading(line: _Line) -> _Heading | None:
    """The heading that a line is; a bold question with its answer on the line is one where a paragraph or a point of a list begins."""
    text = line.text.strip()
    found = _HEADING.match(text)
    if found is None:
        return None
    said = (found["heading"] or found["bold"] or found["under"] or found["folded"] or "").rstrip("# \t").strip()
    emphasised = _EMPHASISED.fullmatch(said)
    said = emphasised["said"].strip() if emphasised else said
    asks, answer = said.rstrip("*_ ").endswith("?"), found["answer"] or ""
    if answer and not (asks and (not line.before.strip() or text[0] not in "*_" or _HEADING.match(line.before.strip()))):
        return None
    return _Heading(len(found["level"]) if found["level"] else _BODY, asks, said, answer)


def _by_headings(lines: Sequence[str], code: Sequence[int]) -> Telling | None:
    """Headings of which half ask; or those of one level, where the others are of sections."""
    heads = [found for line in _around(iter(lines), code) if not line.code and (found := _heading(line)) is not None]
    alone = [found.asks for found in heads if not found.answer]
    if sum(alone) > 1 and 2 * sum(alone) >= len(alone):
        return Telling("headings")
    for level in (0, *range(1, _BODY + 1)):
        asks = [found.asks for found in heads if level in (0, found.level)]
        told = Telling("headings", level=level)
        if sum(asks) > 1 and 2 * sum(asks) >= len(asks) and _covers(told, lines, code):
            return told
    return None


def _covers(told: Telling, lines: Sequence[str], code: Sequence[int]) -> bool:
    """Whether most of a text belongs to pairs, if it is read so."""
    tally: Counter[str] = Counter()
    for _ in _pairs(iter(lines), code, told, tally):
        pass
    return 2 * tally["left"] <= sum(bool(line.strip()) for line in lines)


def _by_lines(lines: Sequence[str], code: Sequence[int]) -> Telling | None:
    """First lines of paragraphs that ask, numbered lines, or lines and paragraphs of which each other asks."""
    parts = _paragraphs(lines, code)
    asking = [part[0] for part in parts if len(part) > 1 and part[0].rstrip().endswith("?")]
    told = sum(_NUMBERED.match(line) is not None for line in asking) > 1 or sum(map(_follows, parts)) >= _MOST_PROSE * len(parts)
    if (len(asking) > 1 and told) or (_counted(lines, code) > 1 and _covers(Telling("lines"), lines, code)):
        return Telling("lines")
    units = [line for part in parts for line in part]
    while units and units[0].lstrip().startswith("#"):
        units.pop(0)
    turns = [line.rstrip().endswith("?") for line in units]
    if len(turns) >= 2 * _LEAST_IN_TURN and turns == [place % 2 == 0 for place in range(len(turns))] and len(turns) % 2 == 0:
        return Telling("turn")
    return None


def _counted(lines: Sequence[str], code: Sequence[int]) -> int:
    """How many questions are numbered from 1 on, each with its answer after it."""
    count, sign = 0, ""
    for line in _around(iter(lines), code):
        found = _NUMBERED.match(line.text) if line.text.rstrip().endswith("?") and not line.code and _said(line) else None
        if found is not None and int(found[1]) == count + 1 and found[2] == (sign or found[2]):
            count, sign = count + 1, found[2]
    return count


def _paragraphs(lines: Sequence[str], code: Sequence[int]) -> list[list[str]]:
    """The lines that stand together; a blank line within a fence divides nothing."""
    parts: list[list[str]] = [[]]
    for line, inside in zip(lines, code, strict=True):
        if line.strip() or inside:
            parts[-1].append(line)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _follows(part: Sequence[str]) -> bool:
    """Whether a paragraph is a question with its answer, or goes on with one as a list."""
    return (len(part) > 1 and part[0].rstrip().endswith("?")) or part[0].lstrip()[:1] in "-*•"
