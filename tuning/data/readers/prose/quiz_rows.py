"""Quizzes written as prose: a question, its options with a letter each, and a line that says which is right (Moodle's Aiken is one).

One record for each question. What belongs to none, such as an explanation, is left out and counted.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.prose.fences import coded, opened
from tuning.data.readers.prose.question_labels import labelled
from tuning.data.records import FileRecord, Values
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_OPTION = re.compile(r"[ \t]*(?:[-*][ \t]+)?[*_]{0,2}[(\[]?(?P<sign>[A-Ha-h])[).:\]-][*_]{0,2}[ \t]+(?P<said>\S.*)$")
_RIGHT = re.compile(
    r"[ \t]*[*_]{0,3}(?:(?:la[ \t]+)?(?:risposta|soluzione|opzione)(?:[ \t]+(?:corretta|esatta|giusta))?|corretta"
    r"|(?:the[ \t]+)?(?:right|correct)(?:[ \t]+(?:answer|option))?|answer|solution|ans|r"
    r"|(?:richtige[ \t]+)?antwort|lösung|(?:bonne[ \t]+)?réponse|respuesta(?:[ \t]+correcta)?)"
    r"[*_]{0,3}[ \t]*(?:[:=]|è:?(?=[ \t])|is:?(?=[ \t]))[*_]{0,3}[ \t]*(?P<said>.*)$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[ \t]*[*_]{0,3}\d{1,3}[.)][*_]{0,3}[ \t]+")
_BOLD = re.compile(r"(\*\*|__)(.+)\1")
_LED = re.compile(r"[*_]{0,3}[(\[]?(?P<sign>[A-Ha-h])(?:[).:\]-]|[*_\s]*$|[ \t]+-)")


@dataclass
class _Question:
    """A question as far as it is read."""

    line: int = 0
    asked: list[str] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)  # sign and text
    answer: str | None = None

    def values(self) -> Values:
        """What multiple choice is made of; an answer that is a letter and a text, by its letter."""
        said = (self.answer or "").strip().strip("*_").strip()
        led = _LED.match(said)
        signs = [sign.upper() for sign, _ in self.options]
        return {
            "question": _bare("\n".join(self.asked).strip()),
            "choices": [f"{sign.upper()}) {text.strip()}" for sign, text in self.options],
            "answer": led["sign"].upper() if led and led["sign"].upper() in signs else said,
        }

    def told(self) -> bool:
        """Whether the answer is one of the options."""
        values = self.values()
        texts = [text.strip().casefold() for _, text in self.options]
        return values["answer"] in [sign.upper() for sign, _ in self.options] or values["answer"].casefold() in texts


def takes(head: str) -> bool:
    """Whether a text is a quiz: of the questions that have options, half or more say which is right; few lines and questions are others."""
    tally: Counter[str] = Counter()
    lines = head.splitlines()
    found = list(_questions(iter(lines), coded(lines), tally))
    told = sum(question.told() for question in found)
    return told > 0 and 2 * told >= len(found) >= 4 * tally["others"] and 2 * tally["left"] <= sum(bool(line.strip()) for line in lines)


def records(text: TextFile, limits: Limits, notes: list[Notice]) -> Iterator[FileRecord]:
    """The questions in the order of the file, with options and answer; `notes` hears at the end how many lines belong to none."""
    tally: Counter[str] = Counter()
    row = 0
    with opened(text, limits) as (lines, code):
        for row, question in enumerate(_questions(lines, code, tally), start=1):
            values = question.values()
            size = len(values["question"]) + len(values["answer"]) + sum(map(len, values["choices"]))
            if size > limits.line:
                yield FileRecord(row, question.line, fault=InputError("data.row.long", limit=limits.line))
            else:
                yield FileRecord(row, question.line, values=values, size=size)
    if tally["left"]:
        notes.append(Notice(code="data.note.faq", params={"lines": tally["left"], "pairs": row}))


def _questions(lines: Iterator[str], code: Sequence[int], tally: Counter[str]) -> Iterator[_Question]:
    """The questions that have options; `tally` counts the lines that belong to none, and the questions without options."""
    reader = _QuizReader(tally)
    for place, line in enumerate(lines):
        done = reader.read(place + 1, line, bool(code[place]))
        if done is not None:
            yield done
    tally["left"] += sum(bool(line) for _, line in reader.before)
    if reader.one.answer is not None or len(reader.one.options) > 1:
        yield reader.one


class _QuizReader:
    """Puts questions together line by line."""

    def __init__(self, tally: Counter[str]) -> None:
        self.one = _Question()  # whose options are being read, or whose answer is
        self.before: list[tuple[int, str]] = []  # lines of which the next question is made
        self._tally = tally
        self._gap = True  # whether the line before is blank

    def read(self, number: int, line: str, code: bool) -> _Question | None:
        """Takes a line. Returns the question that is whole once it is there."""
        gap, self._gap = self._gap, not line.strip()
        if not line.strip():
            self.before += [(number, "")] if self.before else []
            return None
        option = None if code else _OPTION.match(line)
        right = None if code else _RIGHT.match(line)
        if option and self._first(option["sign"]):
            done, self.one = self.one, self._asked()
            self.one.options.append((option["sign"], option["said"]))
            return done if len(done.options) > 1 else None
        if option and self._next(option["sign"]):
            self.one.options.append((option["sign"], option["said"]))
        elif right and len(self.one.options) > 1 and self.one.answer is None and not self.before:
            self.one.answer = right["said"]
        elif self.one.options and not gap and not self.before and self.one.answer is None:
            sign, said = self.one.options[-1]
            self.one.options[-1] = sign, f"{said}\n{line}"
        elif self.one.answer is not None and not gap and not self.before and not _NUMBERED.match(line):
            self._tally["left"] += 1  # an explanation
        else:
            self.before.append((number, line))
        return None

    def _first(self, sign: str) -> bool:
        return sign in "aA" and bool(self.before)

    def _next(self, sign: str) -> bool:
        return bool(self.one.options) and self.one.answer is None and not self.before and ord(sign) == ord(self.one.options[-1][0]) + 1

    def _asked(self) -> _Question:
        """The question among the lines before: from the last that has a number or a label on, else the last paragraph."""
        lines, self.before = self.before, []
        while not lines[-1][1]:
            lines.pop()
        begins = [place for place, (_, line) in enumerate(lines) if _begins(line)]
        blanks = [place + 1 for place, (_, line) in enumerate(lines) if not line]
        begin = begins[-1] if begins else blanks[-1] if blanks else 0
        self._tally["left"] += sum(bool(line) for _, line in lines[:begin])
        self._tally["others"] += max(0, len(begins) - 1)
        return _Question(lines[begin][0], [line for _, line in lines[begin:]])


def _begins(line: str) -> bool:
    led = labelled(line)
    return _NUMBERED.match(line) is not None or (led is not None and led.asks and bool(led.sign))


def _bare(question: str) -> str:
    """A question without its number and its label."""
    first, *rest = question.split("\n")
    bold = _BOLD.fullmatch(first.strip())
    first = bold[2] if bold else first
    numbered = _NUMBERED.match(first)
    first = first[numbered.end() if numbered else 0 :]
    led = labelled(first)
    return "\n".join([led.said if led is not None and led.asks and led.sign else first, *rest]).strip()
