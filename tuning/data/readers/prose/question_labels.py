"""Labels before questions and answers: `Q:` and `A:`, `D.` and `R.`, `Domanda n. 1:` and `Risposta:`, in several languages.

Which of them a text uses is settled for the text as a whole, so that what only looks like one within an answer stays what it is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_EMPHASIS = r"[*_]{0,3}"
_ASKS = r"domanda|question|q|d|cliente chiede|frage|pregunta|pergunta|instruction|istruzione|prompt"
_SAYS = r"risposta|answer|a|r|antwort|respuesta|resposta|réponse|response|completion"
_NUMBER = r"(?:[ \t]*(?:(?:(?:nr|no|n)[.°º]{0,2}|[#№])[ \t]*)?\d{1,4})?"  # white space is read once
_LABEL = re.compile(
    rf"[ \t]*(?P<before>[-*][ \t]+|#{{1,6}}[ \t]+|\d{{1,3}}[.)][ \t]+)?"
    rf"{_EMPHASIS}(?:(?P<asks>{_ASKS})|(?P<says>{_SAYS})){_NUMBER}{_EMPHASIS}[ \t]*"
    rf"(?:(?P<sign>:|=(?![=>])|[.)](?=[\s*_]|$)|[-–—](?=\s)){_EMPHASIS}[ \t]*(?P<said>.*)|$)",
    re.IGNORECASE,
)
_IN_LINE = re.compile(  # both on a line
    rf"[ \t]*(?:[-*][ \t]+|\d{{1,3}}[.)][ \t]+)?{_EMPHASIS}(?:{_ASKS}){_NUMBER}{_EMPHASIS}[ \t]*:{_EMPHASIS}[ \t]*(?P<asked>\S.*?)"
    rf"(?<=[ \t])(?:[-–—|/][ \t])?{_EMPHASIS}(?P<word>{_SAYS}){_NUMBER}{_EMPHASIS}[ \t]*:{_EMPHASIS}[ \t]*(?P<said>\S.*)$",
    re.IGNORECASE,
)
_HALF_BOLD = re.compile(r"^([*_]{1,3})\s*|\s*(?<=\S)[*_]{2,3}$")
_LETTER = re.compile(r"[ \t]*[*_]{0,2}([b-c])[*_]{0,2}[ \t]*[:.)-]", re.IGNORECASE)
_SIGNS = (":", "=", ".", ")", "-", "")  # what ends a label; the last are labels that stand alone in their line


class LabelledLine(NamedTuple):
    """A line that begins with a label."""

    asks: bool
    word: str
    sign: str
    said: str


@dataclass(frozen=True)
class Labels:
    """The labels of a text: how they end, and which words begin the answers to a question, by the word that begins it."""

    sign: str
    says: Mapping[str, frozenset[str]]
    before: bool = False  # whether answers stand above their questions

    def read(self, line: str, around: tuple[str, str], asked: str) -> LabelledLine | None:
        """The label that a line begins with, `asked` being that of the question before it; None where it has none of this text's."""
        found = labelled(line, around)
        if found is None or found.sign != self.sign:
            return None
        if self.before:
            return found if found.word in self.says or any(found.word in words for words in self.says.values()) else None
        return found if found.word in (self.says if found.asks else self.says.get(asked, ())) else None


def labelled(line: str, around: tuple[str, str] = ("", "")) -> LabelledLine | None:
    """What a line begins with, if it is a label; `around` are the lines before and after, by which letters of a list are told."""
    found = _LABEL.match(line)
    if found is None:
        return None
    word = (found["asks"] or found["says"]).casefold()
    sign = found["sign"]
    if sign is None:
        sign = ":" if "#" in (found["before"] or "") else ""  # a heading that is nothing but the label
        if not sign and len(word) < 3:
            return None
    if sign == "=" and len(word) < 3:  # the name of a variable
        return None
    beside = {"d": ("c", around[0]), "a": ("b", around[1])}.get(word)
    if beside is not None and (letter := _LETTER.match(beside[1])) is not None and letter[1].casefold() == beside[0]:
        return None
    said = (found["said"] or "").strip()
    said = _HALF_BOLD.sub("", said) if said.count("**") % 2 else said
    return LabelledLine(found["asks"] is not None, word, "-" if sign in "–—" and sign else sign, said)


def settled(lines: Sequence[str], code: Sequence[int]) -> Labels | None:
    """The labels of a text; None where it has none.

    With a colon, half of the questions have an answer; any other sign is one only where each question has one.
    """
    marks = [
        found
        for place, line in enumerate(lines)
        if not code[place]
        and (found := labelled(line, (lines[place - 1] if place else "", lines[place + 1] if place + 1 < len(lines) else ""))) is not None
    ]
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    begins = labelled(first)
    for sign in _SIGNS:
        used = [found for found in marks if found.sign == sign]
        says, answered = _pairs(used)
        asked = sum(found.word in says for found in used if found.asks)
        if sign == ":":
            leads = begins is not None and begins.asks and begins.word in says
            certain = 2 * answered >= asked and (asked > 1 or leads)
        else:
            kept = [found.asks for found in used if found.word in says or any(found.word in words for words in says.values())]
            certain = len(says) == 1 and asked > 1 and answered == asked and kept[0]
        if says and certain:
            return Labels(sign, says, _above(lines, code, Labels(sign, says, before=True)))
    return None


def in_line(line: str) -> tuple[str, str] | None:
    """Question and answer of a line that holds both, each behind its label; None for any other."""
    found = _IN_LINE.match(line)
    return (found["asked"].strip(), found["said"].strip()) if found is not None else None


def _above(lines: Sequence[str], code: Sequence[int], labels: Labels) -> bool:
    """Whether each answer stands above its question: blocks between blank lines begin with an answer, and each has one question."""
    blocks: list[list[bool]] = [[]]
    for place, line in enumerate(lines):
        if not line.strip():
            blocks += [[]] if blocks[-1] else []
        elif not code[place] and (found := labels.read(line, ("", ""), "")) is not None:
            blocks[-1].append(found.asks)
    whole = [block for block in blocks if block]
    return len(whole) > 1 and all(block == [False, True] for block in whole)


def _pairs(marks: Sequence[LabelledLine]) -> tuple[dict[str, frozenset[str]], int]:
    """Which words begin the answers to which questions, and how many questions have one."""
    says: dict[str, frozenset[str]] = {}
    answered, asked = 0, ""
    for found in marks:
        if found.asks:
            asked = found.word
        elif asked:
            says[asked] = says.get(asked, frozenset()) | {found.word}
            answered, asked = answered + 1, ""
    return says, answered
