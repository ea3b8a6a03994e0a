"""Questions and answers written as prose: Markdown headings or bold lines that ask, and lines labelled `Q:` and `A:` in two languages.

One record for each pair. What stands before the first question, or under a heading that asks nothing, is left out and counted.
"""

import re
from collections.abc import Iterator

from tuning.data.readers.encoding import TextFile
from tuning.data.records import FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_EMPHASIS = r"[*_]{0,3}"
_ASKS = r"(?:domanda|question|q|d|cliente chiede)"
_SAYS = r"(?:risposta|answer|a|r)"
_LABELLED = r"(?i:^[ \t]*(?:[-*][ \t]+|#{{1,6}}[ \t]+)?{e}{name}(?:[ \t]*\d{{1,4}})?{e}[ \t]*[:.)]{e}[ \t]*(?P<said>.*))"
_LABEL_ASKS = re.compile(_LABELLED.format(e=_EMPHASIS, name=_ASKS).replace("[:.)]", ":"))
_LABEL_SAYS = re.compile(_LABELLED.format(e=_EMPHASIS, name=_SAYS).replace("[:.)]", ":"))
_HEADING = re.compile(r"^(?:#{1,6}[ \t]+(?P<heading>.*)|(?:\d{1,3}[.)][ \t]+)?(?:\*\*|__)(?P<bold>[^*_\n]+)(?:\*\*|__)[ \t]*)$")


def labelled(head: str) -> bool | None:
    """Whether questions are told by labels (True) or by headings that ask (False); None where a text is neither."""
    lines = head.splitlines()
    asks = sum(_LABEL_ASKS.match(line) is not None for line in lines)
    says = sum(_LABEL_SAYS.match(line) is not None for line in lines)
    first = next((line for line in lines if not line.isspace() and line and not line.lstrip().startswith("#")), "")
    if asks and says and 2 * says >= asks and (asks > 1 or _LABEL_ASKS.match(first)):
        return True
    heads = [asked for line in lines if (asked := _asked(line)) is not None]
    return False if sum(heads) > 1 and 2 * sum(heads) >= len(heads) else None


def records(text: TextFile, limits: Limits, labels: bool, notes: list[Notice]) -> Iterator[FileRecord]:
    """The pairs in the order of the file; `notes` hears at the end how many lines belong to none."""
    row = begin = left = 0
    question: list[str] | None = None
    answer: list[str] | None = None

    def pair() -> FileRecord:
        values = {"question": "\n".join(question or ()).strip(), "answer": "\n".join(answer or ()).strip()}
        size = sum(map(len, values.values()))
        if size > limits.line:
            return FileRecord(row, begin, fault=InputError("data.row.long", limit=limits.line))
        return FileRecord(row, begin, values=values, size=size)

    with text.open("\n" if "\n" in text.head() else "") as stream:
        for number, raw in enumerate(iter(lambda: stream.readline(limits.line + 2), ""), start=1):
            line = raw.rstrip("\r\n")
            kind, said = _read(line, labels)
            if kind in ("asks", "other") and question is not None:
                row += 1
                yield pair()
                question = answer = None
            if kind == "asks":
                question, answer, begin = [said], None if labels else [], number
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


def _asked(line: str) -> bool | None:
    """Whether a heading asks; None where a line is no heading."""
    found = _HEADING.match(line.strip())
    return None if found is None else (found["heading"] or found["bold"] or "").rstrip("*_# \t").endswith("?")


def _read(line: str, labels: bool) -> tuple[str, str]:
    """What a line is: a question, an answer's beginning, a heading of something else, or text."""
    if labels:
        for kind, label in (("asks", _LABEL_ASKS), ("says", _LABEL_SAYS)):
            found = label.match(line)
            if found:
                said = found["said"].strip()
                return kind, re.sub(r"^([*_]{1,3})\s*|\s*(?<=\S)[*_]{2,3}$", "", said) if said.count("**") % 2 else said
        return ("other", "") if re.match(r"#{1,6}\s", line) else ("text", "")
    asked = _asked(line)
    if asked is None:
        return "text", ""
    if not asked:
        return ("other" if line.lstrip().startswith("#") else "text"), ""
    found = _HEADING.match(line.strip())
    return "asks", ((found["heading"] or found["bold"] or "") if found else line).rstrip("# \t").strip("*_ ")
