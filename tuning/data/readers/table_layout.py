"""How a table is laid out, told from its beginning: what separates its cells, how rows are quoted, which line names the columns.

Nothing is read here beyond that beginning, and what the columns mean is asked of whoever knows the formats.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from tuning.data.records import HEAD, KnowsColumns, listed
from tuning.errors import InputError

SEPARATORS = (",", ";", "\t", "|")  # Italian Excel writes the second
Style = Literal["csv", "piped", "wrapped"]  # piped: a table of Markdown; wrapped: each whole line in quotation marks

_MOST_ABOVE = 10  # lines (rows of a sheet) that may stand above the names of the columns
_EXCEL_HINT = re.compile(r'^"?sep=([,;\t|])"?[ \t]*(?:\r\n?|\n)')  # a first line by which Excel is told the separator
_ANKI = re.compile(r"(?:#[a-z][a-z ]*:[^\r\n]*(?:\r\n?|\n|\Z))+")  # settings above a deck of cards
_ANKI_SIGNS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_LINE_OF_MAC = re.compile(r"[^\r]*\r|[^\r]+")  # a lone carriage return ends lines only where nothing else does
_BAR = re.compile(r"(?<!\\)\|")
_NAME = re.compile(r"\s*[\w.-]+\s*")
_NAMES = re.compile(r"\s*[^\W\d_][\w .()/'’-]{0,39}(?<!\.)\s*")
_LETTER = re.compile(r"[^\W\d_]")
_SENTENCE = re.compile(r".*[?!…]|.*\s.*\.", re.DOTALL)
_FORMS = frozenset(  # how sheets of Google Forms begin, whose columns are called by the questions that were asked
    ("timestamp", "informazioni cronologiche", "zeitstempel", "horodateur", "marca temporal", "carimbo de data/hora")
)
_LONGEST_NAME = 80  # characters
_MOST_LETTERS = 16
_LOOKED_AT = 50  # records
_EVEN, _EVEN_ENOUGH = 0.9, 0.6  # share of the records

Table = list[list[str]]


@dataclass(frozen=True)
class Layout:
    """How to read one table."""

    separator: str
    style: Style = "csv"
    above: int = 0  # lines that are passed over
    unshown: int = 0  # of those, lines that a spreadsheet obeys and has no row for
    found: bool = False  # whether those are no part of the table but a title or comments, which its owner should hear of
    header: tuple[str, ...] | None = None  # the names, where no row holds them
    bare: bool = False  # whether a header is not to be expected: Anki writes none


def layout(head: str, known: KnowsColumns) -> Layout | None:
    """The layout of a table, from the beginning of a text; None where it is no table but prose.

    A text is a table if one of these holds, and the first of them decides:
    1. it begins with Excel's `sep=;` or with the settings of Anki, `#separator:tab`;
    2. it begins with a table of Markdown: names between bars, and a line of hyphens;
    3. some separator makes the first record two columns or more that have a form we know;
    4. the first record is one column that has such a form by itself, and nine of ten records are one column too;
    5. one of the former holds once each line is taken out of the quotation marks around it;
    6. 2 or 3 hold from one of the next ten lines on, six of ten records as wide as the first: above it stands a title;
    7. some separator makes at least two records, nine of ten as wide as the first (six of ten, where all names are single words).
       Two names at least are not empty, and the first of them has a letter in it. As prose, too, has commas, a space must not
       follow most of the separators, or all names must be single words and all of three or more records be as wide;
    8. from one of the next ten lines on there are three records or more, all as wide as the first, which can be nothing but
       names; what is above is narrower.
    So a table with columns nobody knows stays one, and its owner hears of its columns; a poem with a comma in each line is text.
    """
    hint = _EXCEL_HINT.match(head)
    if hint:
        below = _below(head, known, (hint[1],), 1)
        return replace(below or Layout(hint[1], above=1), unshown=1)
    anki = _anki(head)
    if anki is not None:
        return anki
    at_once = _piped(head, known) or _named(head, known) or _wrapped(head, known)
    if at_once is not None:
        return at_once
    below = _below(head, known, SEPARATORS, 0)
    if below is not None:
        return below
    tables = {sign: table for sign, table in _tables(head, head, SEPARATORS).items() if _is_table(table)}
    if tables:
        return Layout(_evenest(tables))
    return _below_unknown(head)


def header_at(rows: Sequence[Sequence[str]], known: KnowsColumns) -> int:
    """Which of the first rows of a sheet names its columns: the first, or the one that a title stands above."""
    if known(rows[0]):
        return 0
    for at in range(1, min(len(rows), _MOST_ABOVE + 1)):
        if _is_header(rows[:at], rows[at], known):
            return at
    if _filled(rows[0]) > 1:
        return 0
    at = next((at for at, row in enumerate(rows[: _MOST_ABOVE + 1]) if _filled(row) > 1), 0)
    rest = rows[at + 1 :]
    return at if rest and sum(_filled(row) > 1 for row in rest) >= _EVEN_ENOUGH * len(rest) else 0


def letters(count: int) -> list[str]:
    """The names of columns that have none, as spreadsheets call them; none beyond P, for `Q` and `A` name a question and its answer."""
    return [chr(ord("A") + place) for place in range(count)] if count <= _MOST_LETTERS else []


def letter(place: int) -> str:
    """What spreadsheets call the column at a place, from 0: A, B, ..., Z, AA."""
    return (letter(place // 26 - 1) if place > 25 else "") + chr(ord("A") + place % 26)


def named(header: Sequence[str], known: KnowsColumns, bare: bool = False) -> tuple[Sequence[str], bool]:
    """The names of the columns, and whether the row in their place is one of data: A, B, ... where somebody has said what those are.

    Raises InputError `data.header` (columns) where it is one of data, and nobody has.
    """
    if known([*header, ""]) or (header and header[0].strip().casefold() in _FORMS):
        return header, False
    if known(letters(len(header))):
        return letters(len(header)), True
    if bare or any(len(name) > _LONGEST_NAME or _SENTENCE.fullmatch(name.strip()) for name in header):
        raise InputError("data.header", columns=listed(header, 4))
    return header, False


def unwrapped(line: str) -> str:
    """A line without the quotation marks around all of it."""
    inside = line.rstrip("\r\n")
    if len(inside) < 2 or inside[0] != '"' or inside[-1] != '"':
        return line
    return inside[1:-1].replace('""', '"') + line[len(inside) :]


def piped(line: str) -> list[str]:
    """The cells of a line of a Markdown table."""
    inside = line.strip().removeprefix("|")
    if inside.endswith("|") and not inside.endswith("\\|"):
        inside = inside[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _BAR.split(inside)]


def _lines(head: str, most: int) -> list[str]:
    """The first lines of a text, with their ends."""
    return [match[0] for match in islice((_LINE if "\n" in head else _LINE_OF_MAC).finditer(head), most)]


def _anki(head: str) -> Layout | None:
    """A deck of cards as Anki writes it."""
    settings = _ANKI.match(head)
    if settings is None:
        return None
    lines = _lines(settings[0], len(settings[0]))
    said = dict(line[1:].rstrip("\r\n").split(":", 1) for line in lines)
    sign = said.get("separator", "")
    sign = _ANKI_SIGNS.get(sign.strip().lower(), sign)
    if sign not in SEPARATORS:
        return None
    names = tuple(said["columns"].split(sign)) if "columns" in said else None
    return Layout(sign, above=len(lines), header=names, bare=names is None)


def _piped(head: str, known: KnowsColumns) -> Layout | None:
    lines = [line for line in _lines(head, _LOOKED_AT) if not line.isspace()]
    if not _is_piped(lines):
        return None
    even = sum("|" in line for line in lines) >= _EVEN * len(lines)
    return Layout("|", "piped") if even or known(piped(lines[0])) else None


def _is_piped(lines: Sequence[str]) -> bool:
    """Whether a table of Markdown begins here: with names, and a line of hyphens below them."""
    if len(lines) < 2 or "|" not in lines[0]:
        return False
    return "|" in lines[1] and "-" in lines[1] and not lines[1].strip("|:- \t\r\n")


def _named(head: str, known: KnowsColumns) -> Layout | None:
    tables = _tables(head, head, SEPARATORS)
    found = {sign: table for sign, table in tables.items() if len(table[0]) > 1 and known(table[0])}
    if not found:
        one = {sign: table for sign, table in tables.items() if len(table[0]) == 1 and _evenness(table) >= _EVEN}
        found = {sign: table for sign, table in one.items() if known([*table[0], ""])}  # all by itself it might be the name of a list
    return Layout(_evenest(found)) if found else None


def _wrapped(head: str, known: KnowsColumns) -> Layout | None:
    lines = _lines(head, _LOOKED_AT)
    if unwrapped(lines[0]) == lines[0]:
        return None
    found = _named("".join(map(unwrapped, lines)), known)
    return Layout(found.separator, "wrapped") if found is not None else None


def _below(head: str, known: KnowsColumns, separators: Iterable[str], first: int) -> Layout | None:
    """A table with columns we know, below a title or comments; the first so many lines are neither."""

    def suits(above: Table, table: Table) -> bool:
        return len(table) > 1 and _evenness(table) >= _EVEN_ENOUGH and _is_header(above, table[0], known)

    return _search(head, separators, first, suits)


def _below_unknown(head: str) -> Layout | None:
    def suits(above: Table, table: Table) -> bool:
        names = table[0]
        plain = all(_NAMES.fullmatch(name) for name in names) and len(set(names)) == len(names)
        return len(table) > 2 and len(names) > 1 and plain and _evenness(table) == 1 and not _spaced(table) and _narrower(above, names)

    return _search(head, SEPARATORS, 0, suits)


def _search(head: str, separators: Iterable[str], first: int, suits: Callable[[Table, Table], bool]) -> Layout | None:
    last = first + _MOST_ABOVE
    lines = _lines(head, last + 2)
    start = sum(map(len, lines[:first]))
    for at in range(first, min(len(lines), last + 1)):
        if at > first and not lines[at].isspace():
            rest = head[start:]
            style: Style = "piped" if _is_piped(lines[at : at + 2]) else "csv"
            tables = {"|": _piped_table(rest)} if style == "piped" else _tables(rest, head, separators)
            found = {sign: table for sign, table in tables.items() if suits([_cells(line, sign) for line in lines[first:at]], table)}
            if found:
                return Layout(_evenest(found), style, at, found=True)
        start += len(lines[at])
    return None


def _cells(line: str, separator: str) -> list[str]:
    return line.strip("\r\n").split(separator)


def _filled(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell.strip())


def _is_header(above: Sequence[Sequence[str]], cells: Sequence[str], known: KnowsColumns) -> bool:
    """Whether a row names columns that we know, be there others above it. One name alone may be a word like any other."""
    if _filled(cells) < 2 or not known(cells):
        return False
    return not any(known([cell, ""]) for cell in cells) or _narrower(above, cells)


def _narrower(above: Sequence[Sequence[str]], cells: Sequence[str]) -> bool:
    """Whether what is above a row is no row of its table."""
    return all(_filled(row) < _filled(cells) or row[0].startswith("#") for row in above)


def _evenest(tables: dict[str, Table]) -> str:
    return max(tables, key=lambda sign: (_evenness(tables[sign]), len(tables[sign][0])))


def _tables(text: str, head: str, separators: Iterable[str]) -> dict[str, Table]:
    """By separator the first records of a text, which is the end of `head`, itself the beginning of a file."""
    return {sign: table for sign in separators if (table := _table(text, sign, len(head) >= HEAD))}


def _table(text: str, separator: str, ends_early: bool) -> Table:
    """The first records of a text by one separator, but for one that is cut off."""
    table: Table = []
    csv.field_size_limit(max(HEAD, csv.field_size_limit()))  # the limit is one for the whole process
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if len(cells) > 1 or "".join(cells).strip():
                table.append(cells)
            if len(table) > _LOOKED_AT:
                break
    except csv.Error:
        return []
    cut = len(table) > _LOOKED_AT or (len(table) > 1 and ends_early)
    return table[:-1] if cut else table


def _piped_table(text: str) -> Table:
    lines = [line for line in _lines(text, _LOOKED_AT) if not line.isspace()]
    return [piped(line) for line in (lines[0], *lines[2:])]


def _evenness(table: Table) -> float:
    """How many of the records are as wide as the first."""
    width = len(table[0])
    return sum(len(cells) == width for cells in table) / len(table)


def _spaced(table: Table) -> bool:
    """Whether most separators are followed by a space, as in prose."""
    cells = [cell for record in table for cell in record[1:]]
    return 2 * sum(cell.startswith(" ") for cell in cells) > len(cells)


def _is_table(table: Table) -> bool:
    names = [name for name in table[0] if name.strip()]
    if len(table) < 2 or len(names) < 2 or not _LETTER.search(names[0]):
        return False
    words = all(_NAME.fullmatch(name) for name in names)
    even = _evenness(table)
    if _spaced(table):
        return words and even == 1 and len(table) > 2
    return even >= (_EVEN_ENOUGH if words else _EVEN)
