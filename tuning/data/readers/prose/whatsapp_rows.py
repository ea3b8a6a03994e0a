"""Messages of a WhatsApp export (Android and iPhone): one record each, with author, date and content; a message over several lines is one.

Who is who, and what of it is learned, is not its business.
"""

import re
from collections.abc import Iterator

from tuning.data.moments import month_first
from tuning.data.readers.encoding import TextFile
from tuning.data.records import FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits

_HEAD = re.compile(
    r"[\u200e\u200f\ufeff]*\[?(?P<date>\d{1,4}[./-]\d{1,2}[./-]\d{2,4}),?\s(?:(?:alle|at|ore|à|um|a las)\s)?"
    r"(?P<time>\d{1,2}[:.]\d{2}(?:[:.]\d{2})?)(?:\s?(?P<half>[ap])\.?\s?m\.?)?(?:\]|\s[-\u2013])\s(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_WEB = re.compile(  # as it is copied from WhatsApp Web
    r"[\u200e\u200f\ufeff]*\[(?P<time>\d{1,2}[:.]\d{2}(?:[:.]\d{2})?)(?:\s?(?P<half>[ap])\.?\s?m\.?)?,\s"
    r"(?P<date>\d{1,4}[./-]\d{1,2}[./-]\d{2,4})\]\s(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ABOVE = 3  # lines above the first message, at most
_AUTHOR = re.compile(r"[\u200e\u200f]*(?P<author>[^:\n]{1,60}): (?P<content>.*)", re.DOTALL)


def takes(head: str) -> bool:
    """Whether a text is such an export: its first line and one more begin with a date, and somebody speaks.

    Where lines of another kind stand above them, somebody must speak twice.
    """
    lines = [line for line in head.splitlines()[:200] if line.strip()]
    found = [match for line in lines if (match := _head(line))]
    said = [match["author"] for one in found if (match := _AUTHOR.match(one["rest"]))]
    if lines and _head(lines[0].lstrip()):
        return len(found) > 1 and bool(said)
    return any(map(_head, lines[1 : _ABOVE + 1])) and len(found) > len(set(said)) > 1 and len(found) > 2


def _head(line: str) -> re.Match[str] | None:
    """The beginning of a message."""
    return _HEAD.match(line) or _WEB.match(line)


def records(text: TextFile, limits: Limits) -> Iterator[FileRecord]:
    """The messages in the order of the file; those of the service itself have no author. Too long ones are refused (`data.row.long`)."""
    dates = [match["date"] for line in text.head().splitlines() if (match := _head(line))]
    american = month_first(dates, otherwise=_halves(text.head()))
    row = begin = 0
    message: dict[str, str] | None = None
    with text.open("\n") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(limits.line + 2), ""), start=1):
            head = _head(line)
            if head is None and message is not None:
                if len(message["content"]) <= limits.line:
                    message["content"] += line
                continue
            if message is not None:
                row += 1
                yield _record(row, begin, message, limits)
            message, begin = _message(head, american) if head else {"author": "", "date": "", "content": line}, number
    if message is not None:
        yield _record(row + 1, begin, message, limits)


def _halves(head: str) -> bool:
    """Whether hours are counted to twelve, and dates begin with the month therefore."""
    return any(match["half"] and "/" in match["date"] for line in head.splitlines()[:50] if (match := _head(line)))


def _message(head: re.Match[str], american: bool) -> dict[str, str]:
    said = _AUTHOR.match(head["rest"])
    first, second, third = re.split("[./-]", head["date"])
    year, month, day = (first, second, third) if len(first) == 4 else (third, *((first, second) if american else (second, first)))
    hour, minute, second = [*re.split("[:.]", head["time"]), "0"][:3]
    if head["half"]:
        hour = str(int(hour) % 12 + (12 if head["half"].lower() == "p" else 0))
    date = f"{int(year) + (2000 if len(year) == 2 else 0):04}-{int(month):02}-{int(day):02}T{int(hour):02}:{minute}:{int(second):02}"
    if said is None:
        return {"author": "", "date": date, "content": head["rest"]}
    return {"author": said["author"], "date": date, "content": said["content"]}


def _record(row: int, line: int, message: dict[str, str], limits: Limits) -> FileRecord:
    message["content"] = message["content"].rstrip("\r\n")
    if len(message["content"]) > limits.line:
        return FileRecord(row, line, fault=InputError("data.row.long", limit=limits.line))
    return FileRecord(row, line, values=message, size=len(message["content"]))
