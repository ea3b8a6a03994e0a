"""Questions and answers written as prose: headings, bold or numbered lines that ask, and lines labelled `Q:` and `A:` in several languages.

One record for each pair. What stands before the first question, or under a heading that asks nothing, is left out and counted.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from tuning.data.readers.encoding import TextFile
from tuning.data.records import FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_EMPHASIS = r"[*_]{0,3}"
_ASKS = r"(?:domanda|question|q|d|cliente chiede|frage|pregunta|pergunta|instruction|istruzione|prompt)"
_SAYS = r"(?:risposta|answer|a|r|antwort|respuesta|resposta|réponse|response|completion)"
_LABELLED = r"(?i:^[ \t]*(?:[-*][ \t]+|#{{1,6}}[ \t]+)?{e}{name}(?:[ \t]*\d{{1,4}})?{e}[ \t]*[:.)]{e}[ \t]*(?P<said>.*))"
_ALONE = r"|(?i:^[ \t]*#{{1,6}}[ \t]+{e}{name}(?:[ \t]*\d{{1,4}})?{e}[ \t]*$)"  # a heading that is nothing but the label
_LABEL_ASKS = re.compile((_LABELLED.replace("[:.)]", ":") + _ALONE).format(e=_EMPHASIS, name=_ASKS))
_LABEL_SAYS = re.compile((_LABELLED.replace("[:.)]", ":") + _ALONE).format(e=_EMPHASIS, name=_SAYS))
_HEADING = re.compile(
    r"^(?:#{1,6}[ \t]+(?P<heading>.*)|(?:\d{1,3}[.)][ \t]+)?(?:\*\*|__)(?P<bold>[^*_\n]+)(?:\*\*|__)[ \t]*"
    r"|<summary>(?:<\w{1,6}>)?(?P<folded>[^<\n]+)(?:</\w{1,6}>)?</summary>)$"
)
_FOLD = re.compile(r"\A\s*</?details(?: open)?>\s*\Z")
_NUMBERED = re.compile(r"\s*\d{1,3}[.)][ \t]+")
_EMPHASISED = re.compile(r"(?P<signs>([*_])\2{0,2})(?P<said>(?:(?!\2).)+)(?P=signs)")
_MOST_PROSE = 0.8  # of the paragraphs that begin with a question, where nothing else tells that they are some
Telling = Literal["labels", "headings", "lines"]  # by which questions are told


def way(head: str) -> Telling | None:
    """Whether questions are told by labels, by headings that ask, or by being the first line of a paragraph; None where a text has none."""
    lines = head.splitlines()
    asks = sum(_LABEL_ASKS.match(line) is not None for line in lines)
    says = sum(_LABEL_SAYS.match(line) is not None for line in lines)
    first = next((line for line in lines if not line.isspace() and line and not line.lstrip().startswith("#")), "")
    if asks and says and 2 * says >= asks and (asks > 1 or _LABEL_ASKS.match(first)):
        return "labels"
    heads = [asked for line in lines if (asked := _asked(line)) is not None]
    if sum(heads) > 1 and 2 * sum(heads) >= len(heads):
        return "headings"
    parts = [part.splitlines() for part in re.split(r"\n[ \t]*\n", head.replace("\r\n", "\n").strip()) if part]
    asking = [part[0] for part in parts if len(part) > 1 and part[0].rstrip().endswith("?")]
    told = sum(_NUMBERED.match(line) is not None for line in asking) > 1 or sum(map(_follows, parts)) >= _MOST_PROSE * len(parts)
    return "lines" if len(asking) > 1 and told else None


def records(text: TextFile, limits: Limits, told: Telling, notes: list[Notice]) -> Iterator[FileRecord]:
    """The pairs in the order of the file; `notes` hears at the end how many lines belong to none."""
    row = begin = left = 0
    question: list[str] | None = None
    answer: list[str] | None = None
    blank = True  # whether the line before was

    def pair() -> FileRecord:
        values = {"question": "\n".join(question or ()).strip(), "answer": "\n".join(answer or ()).strip()}
        size = sum(map(len, values.values()))
        if size > limits.line:
            return FileRecord(row, begin, fault=InputError("data.row.long", limit=limits.line))
        return FileRecord(row, begin, values=values, size=size)

    with text.open("\n" if "\n" in text.head() else "") as stream:
        for number, raw in enumerate(iter(lambda: stream.readline(limits.line + 2), ""), start=1):
            line = _FOLD.sub("", raw.rstrip("\r\n"))
            kind, said = _read(line, told, blank)
            blank = not line or line.isspace()
            if kind in ("asks", "other") and question is not None:
                row += 1
                yield pair()
                question = answer = None
            if kind == "asks":
                question, answer, begin = [said], None if told == "labels" else [], number
            elif kind == "says" and question is not None:
                answer = [*(answer or ()), said]
            elif kind == "text" and question is not None:
                (question if answer is None else answer).append(line)
            else:
                left += not (not line or line.isspace())
    if question is not None:
        row += 1
        yield pair()
    if left:
        notes.append(Notice(code="data.note.faq", params={"lines": left, "pairs": row}))


def _follows(part: Sequence[str]) -> bool:
    """Whether a paragraph is a question with its answer, or goes on with one as a list."""
    return (len(part) > 1 and part[0].rstrip().endswith("?")) or part[0].lstrip()[:1] in "-*•"


def _asked(line: str) -> bool | None:
    """Whether a heading asks; None where a line is no heading."""
    found = _HEADING.match(line.strip())
    return None if found is None else (found["heading"] or found["bold"] or found["folded"] or "").rstrip("*_# \t").endswith("?")


def _read(line: str, told: Telling, after_blank: bool) -> tuple[str, str]:
    """What a line is: a question, an answer's beginning, a heading of something else, or text."""
    if told == "lines":
        if not (after_blank and line.rstrip().endswith("?")):
            return "text", line
        numbered = _NUMBERED.match(line)
        return "asks", line[numbered.end() if numbered else 0 :].strip()
    if told == "labels":
        for kind, label in (("asks", _LABEL_ASKS), ("says", _LABEL_SAYS)):
            found = label.match(line)
            if found:
                said = (found["said"] or "").strip()
                return kind, re.sub(r"^([*_]{1,3})\s*|\s*(?<=\S)[*_]{2,3}$", "", said) if said.count("**") % 2 else said
        return ("other", "") if re.match(r"#{1,6}\s", line) else ("text", "")
    asked = _asked(line)
    if asked is None:
        return "text", ""
    if not asked:
        return ("other" if line.lstrip().startswith("#") else "text"), ""
    found = _HEADING.match(line.strip())
    said = ((found["heading"] or found["bold"] or found["folded"] or "") if found else line).rstrip("# \t").strip()
    if emphasis := _EMPHASISED.fullmatch(said):
        said = emphasis["said"].strip()
    return "asks", said
