"""What the readers of files and the formats share: one record, and the checks of a text.

Nothing is opened here.
"""

import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.errors import InputError
from tuning.runs import files
from tuning.sandbox.limits import PROGRESS

SPEC, ROWS, VALIDATION, REPORT = "spec.json", "rows.jsonl", "validation.jsonl", "report.json"
INDEX = "rows.index"  # where each row begins in ROWS: 8 bytes each, little end first
SOURCE = "source-"  # beginning of the names under which files are kept as they came
SHEET = "sheet"  # target of a mapping by hand that names no column, but the sheet of a workbook
REPAIRS = (  # what can be mended at a click
    "ratings", "roles", "control", "escape", "encoding", "html", "no_value", "unfilled", "duplicates", "near_duplicates", "leak",
)  # fmt: skip
SYSTEM = "system="  # begins a repair that says the system text of every conversation
MOST_SYSTEM = 20_000  # characters of it, as in the chat
LISTED = 240  # characters of column names in one sentence
HEAD = 65_536  # what is looked at to tell what a file is: bytes, or characters of text

MISSING: Any = object()

Values = Mapping[str, Any]
KnowsColumns = Callable[[Sequence[str]], bool]  # whether a row with these columns has a form that is known

_UNSEEN = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x2010)))
_UNSEEN += "\u2060\ufeff\u00ad\u180e\u202a\u202b\u202c\u2066\u2067\u2068\u2069"  # no white space, yet nothing is seen of them

_SEPARATORS = re.compile(r"[\s_-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile("[\t\r\n]+")
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def system_text(chosen: Sequence[str]) -> str:
    """The system text that is chosen among the repairs; empty where none is."""
    return next((name.removeprefix(SYSTEM).strip() for name in chosen if name.startswith(SYSTEM)), "")


def together(before: Sequence[str], wished: Sequence[str]) -> list[str]:
    """Repairs done before and those wished for now; of two system texts the new one, and none where that is empty."""
    again = [name for name in before if not name.startswith(SYSTEM)] if any(name.startswith(SYSTEM) for name in wished) else before
    return sorted({*again, *wished} - {SYSTEM})


class Number(str):
    """A number, as the file spells it: `007`, `1e5` and twenty digits arrive to the letter."""

    __slots__ = ()


def tell(share: float) -> None:
    """Write into the working folder, which has to be a child process's own, how far it is; who reads it never finds half a word."""
    aside = pathlib.Path(f"{PROGRESS}.new")
    aside.write_text(f"{share:.4f}", encoding="ascii")
    files.put(aside, pathlib.Path(PROGRESS))


@dataclass(slots=True)  # not frozen: a million of them are made for one file, and that costs half a second
class FileRecord:
    """One row as it stands in a file: its values by column, or the fault that keeps it out.

    `row` counts from 1, as whoever made the file counts: the row of a sheet or CSV as a spreadsheet shows it (the header is one, a
    blank one too), the line of JSON Lines, the element of a JSON list.
    `line` is the line of the file where it begins, `size` how many characters it takes there (where it was read), `unnamed` the letters of
    columns without a name in which it holds something, `formulas` the columns in which it holds a formula whose value nobody has stored.
    """

    row: int
    line: int
    values: Values | None = None
    fault: InputError | None = None
    size: int = 0
    unnamed: Sequence[str] = ()
    formulas: Sequence[str] = ()


@dataclass(slots=True)
class WholeRecord(FileRecord):
    """The one object that a file is, longer than a row may be: no row, but rows may lie within it."""


def value_at(row: Values, column: str) -> Any:
    """What a row holds under a column, or at the end of a dotted path where no column has that name; MISSING where nothing is."""
    if column in row:
        return row[column]
    value: Any = row
    for key in column.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return value


def squeezed(name: str) -> str:
    """A name of a column or a speaker, as names are compared: case, spaces, hyphens and underscores do not count."""
    return _SEPARATORS.sub("", name.casefold())


def blank(text: str) -> bool:
    """Whether nothing can be seen in a text: white space and signs without width are nothing."""
    return not text.strip(_UNSEEN)


def given(value: Any) -> bool:
    """Whether a value says anything: null, a blank text and an empty list or object do not."""
    return not (value is None or (value.__class__ is str and not value.strip(_UNSEEN)) or value == [] or value == {})


def broken(text: str) -> bool:
    """Whether a text holds half a surrogate pair, which no UTF-8 file and no tokenizer can take."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def shown(text: str, longest: int = 40) -> str:
    """A text from a file as it may stand in a message: short, and without control characters."""
    text = _UNSHOWN.sub("\ufffd", _SPACES.sub(" ", text[: longest + 1]))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Column names in one line: at most `most` of them, each at most 40 characters, and no more than a sentence can carry."""
    told = [shown(name) for name in names[:most]]
    while len(told) > 1 and len(", ".join(told)) > LISTED:
        told.pop()
    return ", ".join(told) + (", …" if len(names) > len(told) else "")
