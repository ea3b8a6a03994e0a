"""Quizzes written as prose: a question, its options with a letter each, and what says which is right.

That is a line below them (Moodle's Aiken), a mark at the option, or a list of solutions at the end. One record for each question. What
belongs to none, such as an explanation, is left out and counted.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.prose.fences import coded, opened
from tuning.data.readers.prose.question_labels import labelled
from tuning.data.records import HEAD, FileRecord, Values
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_TICKS = "✓✔✅☑"
_OPTION = re.compile(
    r"[ \t]*(?:[-*][ \t]+)?(?:[(\[☐][ \t]*[)\]]?[ \t]+)?"
    rf"(?P<lead>[*_]{{1,2}}|[{_TICKS}]\ufe0f?[ \t]*|(?:->|=>|[→➜»>=])[ \t]*|[(\[][xX][)\]][ \t]*)?"
    r"[(\[]?(?P<sign>[A-Ha-h])[).:\]-](?P<closed>[*_]{0,2})[ \t]+(?P<said>\S.*)$"
)
_TICKED = re.compile(  # what says at the end of an option that it is right
    rf"[ \t]*(?:[{_TICKS}]\ufe0f?|(?<=\s)\*"
    r"|[(\[](?:x|(?:la[ \t]+)?(?:risposta[ \t]+)?(?:corretta|esatta|giusta)|(?:right|correct)(?:[ \t]+answer)?"
    r"|richtig|korrekt|correcte?|correcta)[)\]]"
    r"|(?:<-+|←)[ \t]*(?:corretta|giusta|esatta|correct|right)?)[ \t]*$",
    re.IGNORECASE,
)
KEY = re.compile(  # the heading of the solutions, and a first part of them
    r"[ \t]*(?:#{1,6}[ \t]+)?[*_]{0,3}(?:(?:le[ \t]+)?soluzion[ei]|risposte(?:[ \t]+(?:corrette|esatte|giuste))?|correttore"
    r"|chiave(?:[ \t]+delle[ \t]+risposte)?|(?:correct[ \t]+)?answers|answer[ \t]+key|solutions?|key|lösungen|solutionnaire"
    r"|(?:bonnes[ \t]+)?réponses|corrigé|soluciones|respuestas(?:[ \t]+correctas)?)"
    r"[*_]{0,3}[ \t]*:?[*_]{0,3}[ \t]*(?P<said>(?:\d.*)?)$",
    re.IGNORECASE,
)
_SOLVED = re.compile(r"(\d{1,3})[ \t]*[.):=-]{0,2}[ \t]*[(\[]?([A-Ha-h])[)\].]?(?![^\W\d_])[ \t]*[,;/|]?\s*")
_RIGHT = re.compile(
    r"[ \t]*[*_]{0,3}(?:(?:la[ \t]+)?(?:risposta|soluzione|opzione)(?:[ \t]+(?:corretta|esatta|giusta))?|corretta"
    r"|(?:the[ \t]+)?(?:right|correct)(?:[ \t]+(?:answer|option))?|answer|solution|ans|r"
    r"|(?:richtige[ \t]+)?antwort|lösung|(?:bonne[ \t]+)?réponse|respuesta(?:[ \t]+correcta)?)"
    r"[*_]{0,3}[ \t]*(?:[:=]|è:?(?=[ \t])|is:?(?=[ \t]))[*_]{0,3}[ \t]*(?P<said>.*)$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[ \t]*[*_]{0,3}(\d{1,3})[.)][*_]{0,3}[ \t]+")
_COUNTED = re.compile(r"[ \t]*[*_#]{0,4}[ \t]*(?:[^\W\d_]{1,12}[ \t]*(?:n[.°º]{0,2})?[ \t]*)?(\d{1,3})[.):°]", re.IGNORECASE)
_BOLD = re.compile(r"(\*\*|__)(.+)\1")
_LED = re.compile(r"[*_]{0,3}[(\[]?(?P<sign>[A-Ha-h])(?:[).:\]-]|[*_\s]*$|[ \t]+-)")


class _Option(NamedTuple):
    """An option as it stands, with the mark before its letter."""

    sign: str
    said: str
    lead: str = ""

    def marked(self) -> bool:
        """Whether something sets it apart as the right one."""
        return bool(self.lead) or _TICKED.search(self.said) is not None or _BOLD.fullmatch(self.said.strip()) is not None

    def bare(self) -> str:
        """Its text without what marks it."""
        said = _TICKED.sub("", self.said).strip()
        said = said.removesuffix(self.lead) if self.lead.strip("*_") == "" else said
        bold = _BOLD.fullmatch(said)
        return (bold[2] if bold else said).strip()


@dataclass
class _Question:
    """A question as far as it is read."""

    line: int = 0
    asked: list[str] = field(default_factory=list)
    options: list[_Option] = field(default_factory=list)
    answer: str | None = None
    solved: str | None = None  # the letter that a list of solutions has for it

    def values(self) -> Values:
        """What multiple choice is made of; an answer that is a letter and a text, by its letter."""
        signs = [option.sign.upper() for option in self.options]
        ticked = self.ticked()
        if self.answer is None and ticked:
            said, texts = ", ".join(signs[place] for place in ticked), [option.bare() for option in self.options]
        else:
            said, texts = self._said(signs), [option.said.strip() for option in self.options]
        return {
            "question": _bare("\n".join(self.asked).strip()),
            "choices": [f"{sign}) {text}" for sign, text in zip(signs, texts, strict=True)],
            "answer": said,
        }

    def _said(self, signs: Sequence[str]) -> str:
        said = (self.answer or self.solved or "").strip().strip("*_").strip()
        led = _LED.match(said)
        return led["sign"].upper() if led and led["sign"].upper() in signs else said

    def ticked(self) -> list[int]:
        """The places of the options that are marked as right; none where all are, for then it says nothing."""
        marked = [place for place, option in enumerate(self.options) if option.marked()]
        return marked if len(marked) < len(self.options) else []

    def told(self) -> bool:
        """Whether the answer is one of the options."""
        if self.answer is None and self.ticked():
            return True
        said = self._said(signs := [option.sign.upper() for option in self.options])
        return said in signs or said.casefold() in [option.said.strip().casefold() for option in self.options]

    def offers(self) -> bool:
        """Whether it asks right above its options, and nothing says which is right; else they may be a list within an answer."""
        return bool(self.asked) and self.asked[-1].rstrip(" \t*_").endswith("?") and not self.told()

    def number(self) -> str | None:
        """The number before it."""
        found = _COUNTED.match(self.asked[0]) if self.asked else None
        return found[1].lstrip("0") if found else None


@dataclass(frozen=True)
class Quiz:
    """How a text is a quiz: the lines in which questions stand, and which option its list of solutions has for each of them."""

    lines: int | None = None  # those above the solutions; None for all
    solutions: Mapping[str, str] = field(default_factory=dict)  # letter by number


def takes(head: str) -> Quiz | None:
    """How a text is a quiz: of the questions that have options, half or more say which is right; few lines and questions are others."""
    lines = head.splitlines()
    for quiz in filter(None, (Quiz(), _solved(lines) if len(head) < HEAD else None)):
        tally: Counter[str] = Counter()
        found = list(_questions(islice(lines, quiz.lines), coded(lines), quiz, tally))
        told = sum(question.told() for question in found)
        all_told = told == len(found) and {question.number() for question in found} >= set(quiz.solutions)
        few_left = 2 * tally["left"] <= sum(bool(line.strip()) for line in lines)
        if told > 0 and 2 * told >= len(found) >= 4 * tally["others"] and few_left and (all_told or not quiz.solutions):
            return quiz
    return None


def unsolved(head: str) -> Notice | None:
    """The finding that options are learned as an answer: in a text that is no quiz, two questions or more have some right below them."""
    lines = head.splitlines()
    found = [question for question in _questions(iter(lines), coded(lines), Quiz(), Counter()) if question.offers()]
    if len(found) < 2:
        return None
    return Notice(code="data.note.unsolved", level="warning", params={"count": len(found), "line": found[0].line})


def records(text: TextFile, limits: Limits, quiz: Quiz, notes: list[Notice]) -> Iterator[FileRecord]:
    """The questions in the order of the file, with options and answer; `notes` hears at the end how many lines belong to none."""
    tally: Counter[str] = Counter()
    row = 0
    with opened(text, limits) as (lines, code):
        for row, question in enumerate(_questions(islice(lines, quiz.lines), code, quiz, tally), start=1):
            values = question.values()
            size = len(values["question"]) + len(values["answer"]) + sum(map(len, values["choices"]))
            if size > limits.line:
                yield FileRecord(row, question.line, fault=InputError("data.row.long", limit=limits.line))
            else:
                yield FileRecord(row, question.line, values=values, size=size)
    if tally["left"]:
        notes.append(Notice(code="data.note.faq", params={"lines": tally["left"], "pairs": row}))


def _solved(lines: Sequence[str]) -> Quiz | None:
    """A quiz with a list of solutions, which is the end of the text: a letter for each number, and nothing else."""
    place = next((place for place in range(len(lines) - 1, 0, -1) if KEY.match(lines[place])), None)
    if place is None:
        return None
    head = KEY.match(lines[place])
    rest = "\n".join([head["said"] if head else "", *lines[place + 1 :]]).strip()
    pairs, end = [], 0
    while (found := _SOLVED.match(rest, end)) is not None and found.end() > end:
        pairs.append((found[1].lstrip("0"), found[2]))
        end = found.end()
    solutions = dict(pairs)
    return Quiz(place, solutions) if len(pairs) > 1 and end == len(rest) and len(solutions) == len(pairs) else None


def _questions(lines: Iterator[str], code: Sequence[int], quiz: Quiz, tally: Counter[str]) -> Iterator[_Question]:
    """The questions that have options; `tally` counts the lines that belong to none, and the questions without options."""
    reader = _QuizReader(tally)
    for place, line in enumerate(lines):
        done = reader.read(place + 1, line, bool(code[place]))
        if done is not None:
            yield _with_solution(done, quiz)
    tally["left"] += sum(bool(line) for _, line in reader.before)
    if reader.one.answer is not None or len(reader.one.options) > 1:
        yield _with_solution(reader.one, quiz)


def _with_solution(question: _Question, quiz: Quiz) -> _Question:
    question.solved = quiz.solutions.get(question.number() or "")
    return question


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
            self.one.options.append(_option(option))
            return done if len(done.options) > 1 else None
        if option and self._next(option["sign"]):
            self.one.options.append(_option(option))
        elif right and len(self.one.options) > 1 and self.one.answer is None and not self.before:
            self.one.answer = right["said"]
        elif self.one.options and not gap and not self.before and self.one.answer is None:
            last = self.one.options[-1]
            self.one.options[-1] = last._replace(said=f"{last.said}\n{line}")
        elif self.one.answer is not None and not gap and not self.before and not _NUMBERED.match(line):
            self._tally["left"] += 1  # an explanation
        else:
            self.before.append((number, line))
        return None

    def _first(self, sign: str) -> bool:
        return sign in "aA" and bool(self.before)

    def _next(self, sign: str) -> bool:
        return bool(self.one.options) and self.one.answer is None and not self.before and ord(sign) == ord(self.one.options[-1].sign) + 1

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


def _option(found: re.Match[str]) -> _Option:
    """An option; emphasis that ends with its letter is that of the letter."""
    emphasised = found["closed"] or not found["lead"]
    return _Option(found["sign"], found["said"], "" if emphasised else found["lead"].strip())


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
