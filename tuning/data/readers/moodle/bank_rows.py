r"""Question banks as Moodle exports them in XML: `<quiz><question type="multichoice">`. One record for each question.

They are asked as those of GIFT are: of multiple choice the options are part of the question, of short answers and numbers the best is
learned. Titles, feedback and shares of a mark are no part of it. A question without an answer, or of a kind that is not read, is refused.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.languages import language
from tuning.data.readers.moodle.html_texts import text_of
from tuning.data.readers.prose.gift_rows import GAP, TRUE_FALSE, asked_with, embedded, matched
from tuning.data.records import FileRecord, shown
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_ASIDE = r"(?:<!--(?:(?!-->).){0,2000}-->\s*)*"
_BEGINNING = re.compile(rf"[\s\ufeff]*(?:<\?xml\b[^>]{{0,200}}\?>\s*)?{_ASIDE}<quiz\b[^>]*>\s*{_ASIDE}<question\b", re.DOTALL)
_ASKED = re.compile(r"<questiontext\b[^>]*>\s*<text>(.{1,2000}?)</text>", re.DOTALL)
_MARKUP = re.compile(r"<!\[CDATA\[|\]\]>|</?\w[^<>]{0,300}>|&\w{1,10};")
_CLOZE = re.compile(r"\{\d*:(?P<kind>[A-Z_]{1,24}):(?P<said>(?:\\.|[^{}\\])*)\}")
_PLACE = re.compile(r"\[\[(\d{1,3})\]\]")
_STAR = re.compile(r"(?<!\\)\*")  # stands for any letters
_PIECE = 262_144
_DEEPEST = 30  # elements within a question
_NO_QUESTION = frozenset(("category", "description"))
_ASIDES = frozenset(("hint", "graderinfo"))  # said to pupils and teachers, as feedback is


class _MarkedAnswer(NamedTuple):
    """An answer, and its share of the mark in percent."""

    said: str
    worth: float


class _Pair(NamedTuple):
    """What is asked, and what is learned."""

    question: str
    answer: str


def takes(head: str) -> bool:
    """Whether a text begins as such a bank does; one that declares a document type is none of Moodle's."""
    return _BEGINNING.match(head) is not None


def records(text: TextFile, limits: Limits, notes: list[Notice]) -> Iterator[FileRecord]:
    """The questions in the order of the file; `notes` hears at the end what of them is left out.

    Raises InputError `data.moodle` (line) where the XML is broken or ends too soon.
    """
    tally: Counter[str] = Counter()
    stems = " ".join(_MARKUP.sub(" ", found[1]) for found in _ASKED.finditer(text.head()))
    reader = _BankReader(*TRUE_FALSE.get(language(stems) or "", ("True", "False")), tally)
    row = 0
    for line, question in _questions(text):
        kind = question.get("type", "")
        if kind in _NO_QUESTION:
            tally["none"] += 1
            continue
        row += 1
        try:
            pair = reader.pair(kind, question)
        except InputError as fault:
            yield FileRecord(row, line, fault=fault)
            continue
        size = len(pair.question) + len(pair.answer)
        if size > limits.line:
            yield FileRecord(row, line, fault=InputError("data.row.long", limit=limits.line))
        else:
            yield FileRecord(row, line, values={"question": pair.question, "answer": pair.answer}, size=size)
    left = {key: tally[key] for key in ("others", "feedback", "pictures", "none")}
    if any(left.values()):
        notes.append(Notice(code="data.note.moodle", params={"pairs": row, **left}))


def _questions(text: TextFile) -> Iterator[tuple[int, Element]]:
    """The questions with the line in which each begins. Raises as `records`."""
    builder = _QuestionBuilder()
    with text.open() as stream:
        first = stream.read(_PIECE).lstrip("\ufeff \t\r\n")  # before a declaration nothing may stand
        for piece in itertools.chain([first], iter(lambda: stream.read(_PIECE), "")):
            builder.feed(piece)
            yield from builder.whole
            builder.whole.clear()
    builder.feed("", last=True)


class _QuestionBuilder:
    """Takes XML piece by piece, and holds the questions that are whole; files within them, such as pictures, are forgotten."""

    def __init__(self) -> None:
        self.whole: list[tuple[int, Element]] = []
        self._tree: TreeBuilder | None = None
        self._depth = self._line = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        self._parser.StartDoctypeDeclHandler = self._refuse

    def feed(self, piece: str, last: bool = False) -> None:
        """Takes a piece. Raises InputError `data.moodle` (line)."""
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            raise InputError("data.moodle", line=error.lineno) from error

    def _refuse(self, *declared: object) -> None:
        raise InputError("data.moodle", line=self._parser.CurrentLineNumber)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._tree is None and self._depth == 2 and name == "question":
            self._tree, self._line = TreeBuilder(), self._parser.CurrentLineNumber
        if self._depth > _DEEPEST:
            self._refuse()
        if self._tree is not None:
            self._tree.start(name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._tree is None:
            return
        ended = self._tree.end(name)
        if name == "file":
            ended.clear()
        if self._depth == 1:
            self.whole.append((self._line, self._tree.close()))
            self._tree = None

    def _data(self, data: str) -> None:
        if self._tree is not None:
            self._tree.data(data)


class _BankReader:
    """Makes pairs of the questions of a bank; `tally` counts what is left out of them."""

    def __init__(self, true: str, false: str, tally: Counter[str]) -> None:
        self._true, self._false, self._tally = true, false, tally
        self._kinds: Mapping[str, Callable[[str, Element], _Pair]] = {
            "multichoice": self._choice,
            "truefalse": self._truth,
            "shortanswer": self._short,
            "numerical": self._number,
            "matching": self._matching,
            "cloze": self._cloze,
            "multianswer": self._cloze,
            "gapselect": self._places,
            "ddwtos": self._places,
            "essay": lambda stem, question: _Pair(stem, ""),
        }

    def pair(self, kind: str, question: Element) -> _Pair:
        """Question and answer. Raises InputError `data.row.question_kind` (found), `data.row.picture`."""
        if kind not in self._kinds:
            raise InputError("data.row.question_kind", found=shown(kind))
        stem = self._text(question.find("questiontext"))
        pair = self._kinds[kind](stem, question)
        asides = [one for one in question.iter() if one.tag.endswith("feedback") or one.tag in _ASIDES]
        self._tally["feedback"] += sum(any(said.strip() for said in one.itertext()) for one in asides)
        return pair

    def _text(self, element: Element | None) -> str:
        """The text of an element, in the form that it says it has. Raises `data.row.picture` where a picture is all it holds."""
        said = "" if element is None else _raw(element)
        form = "" if element is None else element.get("format", "")
        if form in ("plain_text", "markdown") or not ("<" in said or "&" in said or form == "html"):
            return said.strip()
        plain, pictures = text_of(said, lines=form != "html")
        if pictures and not plain:
            raise InputError("data.row.picture")
        self._tally["pictures"] += pictures
        return plain

    def _answers(self, question: Element, read: Callable[[Element], str]) -> list[_MarkedAnswer]:
        """The answers that say something."""
        held = [_MarkedAnswer(read(answer), _share(answer.get("fraction"))) for answer in question.findall("answer")]
        return [answer for answer in held if answer.said]

    def _best(self, answers: Sequence[_MarkedAnswer]) -> str:
        """The answer with the best mark; others that have one are counted."""
        right = [answer for answer in answers if answer.worth > 0]
        self._tally["others"] += max(0, len(right) - 1)
        return max(right, key=lambda answer: answer.worth).said if right else ""

    def _choice(self, stem: str, question: Element) -> _Pair:
        answers = self._answers(question, self._text)
        whole = [place for place, answer in enumerate(answers) if answer.worth >= 100]
        right = whole or [place for place, answer in enumerate(answers) if answer.worth > 0]
        return _Pair(*asked_with(stem, [answer.said for answer in answers], right))

    def _truth(self, stem: str, question: Element) -> _Pair:
        said = self._best(self._answers(question, _raw)).strip().casefold()
        return _Pair(stem, self._true if said == "true" else self._false if said == "false" else "")

    def _short(self, stem: str, question: Element) -> _Pair:
        """A short answer; of those with stars, which stand for any letters, only what is said without them."""
        answers = self._answers(question, lambda answer: _STAR.sub("\0", _raw(answer).strip()).strip("\0 ").replace("\\*", "*"))
        said = [answer for answer in answers if "\0" not in answer.said]
        self._tally["others"] += len(answers) - len(said)
        return _Pair(stem, self._best(said))

    def _number(self, stem: str, question: Element) -> _Pair:
        answers = self._answers(question, lambda answer: _raw(answer).strip())
        margins = [answer.findtext("tolerance") or "" for answer in question.findall("answer")]
        self._tally["others"] += sum(any(sign in "123456789" for sign in margin) for margin in margins)
        best = self._best([answer for answer in answers if answer.said != "*"])
        return _Pair(stem, best)

    def _matching(self, stem: str, question: Element) -> _Pair:
        pairs = [(self._text(one), self._text(one.find("answer"))) for one in question.findall("subquestion")]
        return _Pair(*matched(stem, [pair for pair in pairs if pair[1]]))

    def _cloze(self, stem: str, question: Element) -> _Pair:
        """A text with answers in it: those are gaps, with the options of each that has some."""
        said: list[str] = []

        def gap(found: re.Match[str]) -> str:
            answer, options = embedded(found["kind"], found["said"], self._tally)
            said.append(answer)
            return f"{GAP} ({' / '.join(options)})" if options else GAP

        asked = _CLOZE.sub(gap, stem)
        return _Pair(asked, "\n".join(said) if all(said) else "")

    def _places(self, stem: str, question: Element) -> _Pair:
        """A text with numbered places, and the words that may go into them."""
        words = [self._text(one) for one in (*question.findall("dragbox"), *question.findall("selectoption"))]
        places = [int(place) for place in _PLACE.findall(stem)]
        if not places or not all(0 < place <= len(words) for place in places):
            return _Pair(stem, "")
        options = "\n".join(f"- {word}" for word in sorted(set(words)))
        return _Pair("\n\n".join([_PLACE.sub(GAP, stem), options]), "\n".join(words[place - 1] for place in places))


def _raw(element: Element) -> str:
    """The text that an element has in the element of that name, as it stands."""
    return element.findtext("text") or ""


def _share(fraction: str | None) -> float:
    """A share of the mark in percent; none where it is no number."""
    try:
        return float(fraction or 0)
    except ValueError:
        return 0.0
