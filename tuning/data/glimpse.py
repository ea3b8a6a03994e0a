"""A child process (`python -m tuning.data.glimpse`): the first records of files as a table, and what a mapping makes of them.

For a person who is to say which column is what. It keeps nothing, and what it shows is cut short.
"""

import json
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from tuning.data import child
from tuning.data.formats import registry
from tuning.data.formats.earlier import HISTORY
from tuning.data.formats.turns import CONTENT_KEYS, ROLE_KEYS
from tuning.data.formats.vocabulary import ANSWER, CONTEXT, CONVERSATIONS, MEANINGS, QUESTION, SYSTEM, THOUGHTS
from tuning.data.readers import file_kinds
from tuning.data.readers.books.workbook import SheetChoice
from tuning.data.readers.table_layout import letters
from tuning.data.records import REPORT, ROWS, SHEET, Values, shown, squeezed
from tuning.errors import InputError
from tuning.sandbox.limits import Limits, confine

SHOWN, TALKS = 5, 3  # records as they stand, and conversations
_LOOKED_AT = 20  # records
_COLUMNS, _CELL = 24, 240  # columns that can be mapped, characters of a cell
_ALREADY = ("messages", *CONVERSATIONS)
_NAMES = {
    **{"answer": ANSWER, "question": QUESTION, "reasoning": THOUGHTS, "system": SYSTEM, "context": CONTEXT, "history": HISTORY},
    "messages": _ALREADY,
}
_WORDS = re.compile(r"[^\W\d_]+")


def table(path: pathlib.Path, limits: Limits, bare: bool | None, sheet: str) -> tuple[list[Values], file_kinds.Opened, bool]:
    """The first records, their file (of a workbook by the sheet of that name, if any), and whether the columns are called by letters.

    They are where that is asked, and where nobody says and a row of data stands for their names.
    """
    try:
        return *_records(path, limits, bool(bare), sheet), bool(bare)
    except InputError as fault:
        if fault.code != "data.header" or bare is not None:
            raise
        return *_records(path, limits, True, sheet), True


def _records(path: pathlib.Path, limits: Limits, bare: bool, sheet: str) -> tuple[list[Values], file_kinds.Opened]:
    def known(columns: Sequence[str]) -> bool:
        return list(columns) == letters(len(columns)) != [] if bare else registry.known(columns, {})

    opened = file_kinds.open_kind(path, limits, known, SheetChoice(sheet, lambda rows: child.rank(rows, {})))
    return [record.values for record in islice(opened.records, _LOOKED_AT) if record.values], opened


def leaves(row: Values, path: str = "") -> Iterator[tuple[str, Any]]:
    """What a record holds, by column; of an object its parts, by dotted paths."""
    for name, value in row.items():
        if isinstance(value, dict) and value and path.count(".") < 2 and len(value) < _COLUMNS:
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def guesses(columns: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, bool]]:
    """The part of a conversation that each column seems to be, and whether its name says so; each part once.

    Where names do not tell, a column that mostly asks is the question, and of the others the one with the longest prose the answer.
    """
    talks = [column for column, cells in columns.items() if any(_talk(cell) for cell in cells)]
    found = _named(columns)
    if talks and "messages" not in _roles(found):
        found = {**{column: guess for column, guess in found.items() if guess[0] == "system"}, talks[0]: ("messages", False)}
    if "messages" in _roles(found):
        return {column: guess for column, guess in found.items() if guess[0] in ("messages", "system")}
    for role in ("answer", "question"):
        order = list(columns)[::-1] if role == "answer" else list(columns)  # of two that are level, the later one answers
        free = {column: _words(columns[column]) for column in order if column not in found}
        asking = {column: count for column, count in free.items() if _asks(columns[column])}
        free = (asking if role == "question" else {column: free[column] for column in free if column not in asking}) or free
        best = max(free, key=lambda column: free[column], default=None)
        if role not in _roles(found) and best is not None and free[best] >= 1:
            found[best] = role, False
    return found


def _named(columns: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, bool]]:
    """The parts that the names of columns tell: exactly, or by their surest words where one column alone has such."""
    found: dict[str, tuple[str, bool]] = {}
    telling = [column for column in columns if len(column) > 1]
    for role, names in _NAMES.items():
        best = next((column for name in names for column in telling if squeezed(column) == name and column not in found), None)
        meant = [column for column in telling if column not in found and _means(column) == role]
        if best is None and len(meant) == 1:
            best = meant[0]
        if best is not None:
            found[best] = role, True
    return found


def _roles(found: Mapping[str, tuple[str, bool]]) -> set[str]:
    return {role for role, _ in found.values()}


def _talk(cell: Any) -> bool:
    turn = cell[0] if isinstance(cell, list) and cell else None
    return isinstance(turn, dict) and not turn.keys().isdisjoint(ROLE_KEYS) and not turn.keys().isdisjoint(CONTENT_KEYS)


def _means(column: str) -> str | None:
    """What the surest words of a name mean, where they mean one thing."""
    words = [word.casefold() for word in _WORDS.findall(column)][:10]
    meant = {part for part, pattern in MEANINGS[0].items() if any(pattern.fullmatch(word) for word in words)}
    return meant.pop() if len(meant) == 1 else None


def _words(cells: Sequence[Any]) -> float:
    """Words of a cell in the mean: nothing but letters counts."""
    texts = [text for cell in cells for text in (cell if isinstance(cell, list) else [cell]) if isinstance(text, str)]
    return sum(len(_WORDS.findall(text[:1000])) for text in texts) / max(1, len(cells))


def _asks(cells: Sequence[Any]) -> bool:
    """Whether most cells with a text in them end in a question mark."""
    texts = [cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()]
    return 2 * sum(text.endswith("?") for text in texts) > len(texts)


def talks(paths: Sequence[pathlib.Path], mapping: Mapping[str, str], limits: Limits) -> list[dict[str, Any]]:
    """The first conversations that a mapping makes of files. Raises InputError as `child.read`."""
    out = pathlib.Path(ROWS)
    child.read(child.Task(paths[:1], out, pathlib.Path("index"), mapping, max_rows=_LOOKED_AT), limits)
    with open(out, encoding="utf-8") as stream:
        rows = [json.loads(line) for line in islice(stream, TALKS)]
    out.unlink()
    return rows


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return shown(text, _CELL)


def _answer(
    paths: Sequence[pathlib.Path], mapping: Mapping[str, str] | None, bare: bool | None, sheet: str, limits: Limits
) -> dict[str, Any]:
    """Columns with their guesses, first rows, conversations, and the sheets of a workbook; or the error."""
    try:
        records, opened, bare = table(paths[0], limits, bare, sheet)
    except InputError as error:
        return {"error": {"code": error.code, "params": error.params}}
    rows = [dict(islice(leaves(record), 10 * _COLUMNS)) for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row))[:_COLUMNS]
    guessed = guesses({name: [row.get(name) for row in rows] for name in names})
    report: dict[str, Any] = {
        "columns": [{"name": name, "role": guessed.get(name, ("", False))[0], "sure": guessed.get(name, ("", False))[1]} for name in names],
        "rows": [[_cell(row.get(name)) for name in names] for row in rows[:SHOWN]],
        "bare": bare,
        "flat": opened.kind in ("csv", "xlsx", "xls", "xlsb", "ods"),  # whether columns may be without names
        "sheets": [*opened.sheets],
        "sheet": opened.sheet,
    }
    if mapping is None:
        mapping = {role: name for name, (role, _) in guessed.items()}
        mapping = mapping if "messages" in mapping or {"question", "answer"} <= mapping.keys() else {}
    if mapping:
        try:
            report["talks"] = talks(paths, {**mapping, SHEET: opened.sheet} if opened.sheet else mapping, limits)
        except InputError as error:
            report["fault"] = {"code": error.code, "params": error.params}
    return report


def main() -> int:
    """Reads the request on stdin; the working folder takes the report. Returns the exit code."""
    request = json.load(sys.stdin)
    limits = Limits(**request["limits"])
    confine(limits)
    paths = [pathlib.Path(path) for path in request["sources"]]
    report = _answer(paths, request["mapping"], request["bare"], request.get("sheet") or "", limits)
    pathlib.Path(REPORT).write_text(json.dumps(report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
