r"""Quizzes as Moodle writes them in GIFT: a question with its answers in braces, `Capitale? {=Roma ~Milano}`. One record for each.

Of multiple choice the options are part of the question, as anywhere; of short answers and numbers the best is learned. Comments, feedback,
titles and shares of a mark are no part of it. A question that is open (`{}`) has no answer, and is refused as such.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.languages import language
from tuning.data.readers.prose.fences import opened
from tuning.data.records import FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GAP = "_____"  # what stands in a sentence for the words that are asked for

_BRACES = re.compile(r"(?<!\\)\{(?P<said>(?:\\.|[^{}\\])*)(?<!\\)\}", re.DOTALL)
_TITLE = re.compile(r"\s*::(?:\\.|[^:\\]|:(?!:))*::", re.DOTALL)
_MARKUP = re.compile(r"\s*\[(?:html|moodle|plain|markdown)\]", re.IGNORECASE)
_TRUTH = re.compile(r"(T|TRUE|F|FALSE)", re.IGNORECASE)
_SIGNED = re.compile(r"(?<!\\)([=~])")  # where an answer begins
_SHARE = re.compile(r"\s*%(-?\d{1,3}(?:\.\d+)?)%")
_FEEDBACK = re.compile(r"(?<!\\)#")
_NUMBER = re.compile(r"(?P<said>-?\d*[.,]?\d+(?:[eE][-+]?\d+)?)\s*(?::\s*(?P<about>[\d.,eE+-]+)|\.\.\s*(?P<to>-?\d*[.,]?\d+))?")
_ESCAPED = re.compile(r"\\([~=#{}:\\n])")
TRUE_FALSE = {
    "it": ("Vero", "Falso"),
    "en": ("True", "False"),
    "de": ("Richtig", "Falsch"),
    "fr": ("Vrai", "Faux"),
    "es": ("Verdadero", "Falso"),
    "pt": ("Verdadeiro", "Falso"),
}


@dataclass(frozen=True)
class Gift:
    """That a text is such a quiz, and the words for true and false in its language."""

    true: str
    false: str


class _Answer(NamedTuple):
    """An answer as it stands in the braces: its sign, its share of the mark in percent where it has one, and its text."""

    sign: str
    share: float | None
    said: str

    def worth(self) -> float:
        """Its share of the mark."""
        return self.share if self.share is not None else 100.0 * (self.sign == "=")


class _Block(NamedTuple):
    """The lines of a question, and what its braces hold; None where it has none of this form."""

    line: int
    text: str
    braces: re.Match[str] | None

    def certain(self) -> bool:
        """Whether its braces hold answers with their signs, or a truth below a sentence."""
        if self.braces is None:
            return False
        said = self.braces["said"].strip()
        return bool(said) and (said[0] in "=~#" or self.text[: self.braces.start()].rstrip(" \t")[-1:] in ".?!:;,\n")


def takes(head: str) -> Gift | None:
    """The words of a text that is such a quiz; None where it is none: most of its blocks have answers in braces."""
    if "{" not in head:
        return None
    found = list(_blocks(enumerate(head.splitlines(), start=1), Counter()))
    certain = [block for block in found if block.certain()]
    signed = any(block.braces is not None and re.match(r"\s*[=~#]", block.braces["said"]) for block in certain)
    if not certain or 2 * len(certain) <= len(found) or (not signed and len(certain) < 2):
        return None
    stems = " ".join(_stem(block)[0] for block in certain if block.braces is not None)
    return Gift(*TRUE_FALSE.get(language(stems) or "", ("True", "False")))


def records(text: TextFile, limits: Limits, gift: Gift, notes: list[Notice]) -> Iterator[FileRecord]:
    """The questions in the order of the file; `notes` hears at the end what of them is left out, and how many lines belong to none."""
    tally: Counter[str] = Counter()
    row = 0
    with opened(text, limits) as (lines, _):
        for block in _blocks(enumerate(lines, start=1), tally):
            if block.braces is None:
                tally["lines"] += block.text.count("\n") + 1
                continue
            row += 1
            question, answer = _pair(block, block.braces["said"].strip(), gift, tally)
            size = len(question) + len(answer)
            if size > limits.line:
                yield FileRecord(row, block.line, fault=InputError("data.row.long", limit=limits.line))
            else:
                yield FileRecord(row, block.line, values={"question": question, "answer": answer}, size=size)
    left = {key: tally[key] for key in ("others", "feedback", "lines")}
    if any(left.values()):
        notes.append(Notice(code="data.note.gift", params={"pairs": row, **left}))


def _blocks(lines: Iterable[tuple[int, str]], tally: Counter[str]) -> Iterator[_Block]:
    """What stands between blank lines, without comments and categories; `tally` counts those lines."""
    held: list[str] = []
    begin = 0
    for number, line in lines:
        if line.lstrip().startswith(("//", "$CATEGORY:")):
            tally["lines"] += 1
        elif line.strip():
            begin = begin if held else number
            held.append(line)
        elif held:
            yield from _apart(begin, held)
            held = []
    if held:
        yield from _apart(begin, held)


def _apart(begin: int, lines: Sequence[str]) -> Iterator[_Block]:
    """The question that lines are; or one for each of them, where each has its braces."""
    single = [_block(begin + place, [line]) for place, line in enumerate(lines)] if len(lines) > 1 else []
    whole = bool(single) and all(block.certain() for block in single)
    yield from single if whole else [_block(begin, lines)]


def _block(begin: int, lines: Sequence[str]) -> _Block:
    text = "\n".join(lines)
    found = [one for one in _BRACES.finditer(text) if _holds(one["said"].strip(), text[: one.start()])]
    return _Block(begin, text, found[0] if len(found) == 1 else None)


def _holds(said: str, before: str) -> bool:
    """Whether braces hold answers: nothing (an open question), a truth, a number, or answers with signs; no marks of an edited text."""
    if before.endswith(("`", "^", "_", "$")) or said.startswith(("==", "~~")):
        return False
    truth = _FEEDBACK.split(said, maxsplit=1)[0].strip()
    number = said.startswith("#") and re.match(r"#\s*(?:[=%]|-?[\d.])", said) is not None
    return not said or number or said[0] in "=~" or _TRUTH.fullmatch(truth) is not None


def _stem(block: _Block) -> tuple[str, bool]:
    """What is asked, without title and name of a markup; and whether the braces stand within the sentence."""
    if block.braces is None:
        return "", False
    before, after = block.text[: block.braces.start()], block.text[block.braces.end() :]
    title = _TITLE.match(before)
    before = before[title.end() if title else 0 :]
    markup = _MARKUP.match(before)
    before = before[markup.end() if markup else 0 :]
    within = bool(after.strip())
    return _plain(f"{before}{GAP}{after}" if within else before), within


def _pair(block: _Block, said: str, gift: Gift, tally: Counter[str]) -> tuple[str, str]:
    """Question and answer; `tally` counts feedback, and other answers that would be right as well."""
    stem, _ = _stem(block)
    if said.startswith("#"):
        return stem, _number(said[1:], tally)
    if not said or said[0] not in "=~":
        truth, *feedback = _FEEDBACK.split(said)
        tally["feedback"] += sum(bool(one.strip()) for one in feedback)
        return stem, "" if not said else gift.true if truth.strip()[0] in "tT" else gift.false
    answers = list(_answers(said, tally))
    if any(answer.sign == "~" for answer in answers):
        return _choice(stem, answers)
    if all("->" in answer.said for answer in answers):
        return _matched(stem, answers)
    best = max(answers, key=_Answer.worth)
    tally["others"] += sum(answer.worth() > 0 for answer in answers) - (best.worth() > 0)
    return stem, _plain(best.said)


def _answers(said: str, tally: Counter[str]) -> Iterator[_Answer]:
    """The answers in braces, without feedback, which `tally` counts."""
    said, *general = re.split(r"(?<!\\)####", said, maxsplit=1)
    tally["feedback"] += len(general)
    signs = list(_SIGNED.finditer(said))
    ends = [sign.start() for sign in signs[1:]] + [len(said)]
    for sign, end in zip(signs, ends, strict=True):
        text, *feedback = _FEEDBACK.split(said[sign.end() : end])
        tally["feedback"] += sum(bool(one.strip()) for one in feedback)
        share = _SHARE.match(text)
        text = text[share.end() if share else 0 :].strip()
        if text:
            yield _Answer(sign[1], float(share[1]) if share else None, text)


def _choice(stem: str, answers: Sequence[_Answer]) -> tuple[str, str]:
    """What is asked with its options, and those that are right."""
    return asked_with(stem, [_plain(answer.said) for answer in answers], _right(answers))


def _right(answers: Sequence[_Answer]) -> list[int]:
    """The places of answers that are right; where none is wholly so, of all that have a share of the mark."""
    whole = [place for place, answer in enumerate(answers) if answer.worth() >= 100]
    return whole or [place for place, answer in enumerate(answers) if answer.worth() > 0]


def asked_with(stem: str, options: Sequence[str], right: Sequence[int]) -> tuple[str, str]:
    """What is asked, with a letter before each option; and the options at some places, those that are right."""
    if len(options) > len(LETTERS):
        return stem, ""
    lettered = [f"{sign}) {option}" for sign, option in zip(LETTERS, options, strict=False)]
    return "\n\n".join([stem, "\n".join(lettered)]), "\n".join(lettered[place] for place in right)


def _matched(stem: str, answers: Sequence[_Answer]) -> tuple[str, str]:
    """What is to be matched, as it stands in answers with arrows."""
    pairs = [answer.said.split("->", 1) for answer in answers]
    return matched(stem, [(_plain(first), _plain(second)) for first, second in pairs])


def matched(stem: str, pairs: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """What is to be matched, with all that it may be matched with in the order of the alphabet; and the pairs."""
    left = [f"- {first}" for first, _ in pairs if first]
    right = [f"- {second}" for second in sorted({second for _, second in pairs})]
    return "\n\n".join([stem, "\n".join(left), "\n".join(right)]), "\n".join(f"{first} -> {second}" for first, second in pairs if first)


def embedded(kind: str, said: str, tally: Counter[str]) -> tuple[str, list[str]]:
    """What is right in the braces of Moodle's gaps (`{1:MC:=Roma~Bari}`), by their kind, and the options where they are shown."""
    answers = []
    for part in re.split(r"(?<!\\)~", said):
        text, *feedback = _FEEDBACK.split(part.strip())
        tally["feedback"] += sum(bool(one.strip()) for one in feedback)
        sign, text = ("=", text[1:]) if text.startswith("=") else ("~", text)
        share = _SHARE.match(text)
        answers.append(_Answer(sign, float(share[1]) if share else None, text[share.end() if share else 0 :].strip()))
    if kind.startswith(("MULTI", "MC", "MR")):
        return ", ".join(_plain(answers[place].said) for place in _right(answers)), [_plain(answer.said) for answer in answers]
    best = max(answers, key=_Answer.worth)
    tally["others"] += sum(answer.worth() > 0 for answer in answers) - (best.worth() > 0)
    if best.worth() <= 0:
        return "", []
    return _number(f"={best.said}", tally) if kind in ("NUMERICAL", "NM") else _plain(best.said), []


def _number(said: str, tally: Counter[str]) -> str:
    """The number that has the best mark, without how far one may be off; a range as such."""
    signed = said if _SIGNED.search(said) else f"={said}"
    answers = [(answer, found) for answer in _answers(signed, tally) if (found := _NUMBER.match(answer.said))]
    if not answers:
        return ""
    best = max(answers, key=lambda one: one[0].worth())
    margin = any(sign in "123456789" for sign in best[1]["about"] or "")
    tally["others"] += sum(answer.worth() > 0 for answer, _ in answers) - (best[0].worth() > 0) + margin
    return f"{best[1]['said']}–{best[1]['to']}" if best[1]["to"] else best[1]["said"]


def _plain(text: str) -> str:
    """A text without the signs that GIFT writes before its own."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text).strip()
