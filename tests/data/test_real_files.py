"""Whole files of others, compared with what a small reader of its own finds: `TEST_REAL_DATA=FOLDER`, `-m nightly -n0 -s` and this file.

FOLDER holds JSON, JSON Lines, CSV and TSV files as their repositories have them, in folders or not; the project has none, and fetches
none. Compared are the number of rows and every letter; what is not understood is printed with its sentence, for a person to judge.
"""

import csv
import io
import json
import os
import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.data.conftest import Taken, read_here, texts_of
from tuning.errors import InputError
from tuning.text import say

FOLDER = os.environ.get("TEST_REAL_DATA", "")
SYSTEM = ("system", "system_prompt")
ASKS = (("instruction", "input"), ("instruction", "context"), ("prompt", ""), ("question", ""), ("query", ""))
SAYS = ("output", "response", "completion", "answer")
TURNS = {"messages": ("role", "content"), "conversations": ("from", "value")}

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not FOLDER, reason="TEST_REAL_DATA names no folder with data files of others"),
]


def records(path: pathlib.Path) -> list[Any] | None:
    """The rows of a file by the standard library alone; None of another kind of file."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix in (".csv", ".tsv"):
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix == ".tsv" else ","))
    if path.suffix not in (".json", ".jsonl"):
        return None
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    if isinstance(whole, list):
        return whole
    rows = list(whole.values())
    named = len(rows) > 1 and all(isinstance(row, dict) and list(row) == list(rows[0]) for row in rows)
    return rows if named else [whole]


def leaves(value: Any) -> Iterator[str]:
    """All texts in a value, and numbers as texts; of JSON in a text, what it holds too."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif value is not None:
        yield str(value)
        if str(value).lstrip()[:1] in ("[", "{"):
            try:
                yield from leaves(json.loads(value))
            except (TypeError, ValueError):
                return


def plain(row: Any) -> list[str] | None:
    """What a row of a usual form says, turn by turn; None of any other, and of one with more to it than texts."""
    for column, (role, content) in TURNS.items():
        turns = row.get(column) if isinstance(row, dict) else None
        if isinstance(turns, list) and turns and set(row) == {column} and all(set(turn) == {role, content} for turn in turns):
            return [turn[content] for turn in turns] if all(isinstance(turn[content], str) for turn in turns) else None
    for asks, more in ASKS:
        says = next((name for name in SAYS if isinstance(row, dict) and name in row), "")
        if isinstance(row, dict) and says and set(row) == {name for name in (asks, more, says) if name}:
            asked = "\n\n".join(part for name in (asks, more) if (part := row.get(name) or "").strip())
            return [asked, row[says]]
    return None


def made_of(said: str, row: Any) -> bool:
    """Whether a text is one of a row's, a part of one, or some of them with nothing but blanks between."""
    held = sorted(set(leaves(row)), key=len, reverse=True)
    if not said or any(said in text for text in held):
        return True
    rest = said
    for text in held:
        if text.strip():
            rest = rest.replace(text.strip(), "")
    return not rest.strip()


def faults(taken: Taken, rows: list[Any]) -> list[str]:
    """Where the rows differ from those that the small reader found."""
    numbers = sorted([row["row"] for row in taken.rows] + [fault["row"] for fault in taken.reading.refused])
    if taken.reading.rows_read != len(rows) or len(numbers) != len(rows):
        return [f"{taken.reading.rows_read} rows read, {len(rows)} are there"]
    found, places = list[str](), {number: at for at, number in enumerate(numbers)}
    for row in taken.rows:
        given = rows[places[row["row"]]]
        said, expected = list(texts_of(row)), plain(given)
        if (
            expected is not None
            and said != expected
            and [text.strip() for text in expected if text.strip()] != [one.strip() for one in said]
        ):
            found.append(f"row {row['row']}: {said} is not {expected}"[:300])
        wrong = [text for text in said if not made_of(text, given)]
        found += [f"row {row['row']}: nobody wrote {text!r}"[:300] for text in wrong]
    return found


def test_counts_and_letters_are_those_of_a_small_reader(tmp_path: pathlib.Path) -> None:
    wrong, sums = dict[str, list[str]](), Counter[str]()
    for path in sorted(one for one in pathlib.Path(FOLDER).rglob("*") if one.is_file()):
        name = str(path.relative_to(FOLDER))
        try:
            rows = records(path)
        except ValueError:
            rows = None
        try:
            taken = read_here([path], tmp_path / "rows")
        except InputError as error:
            print(f"{name[-70:]:70} | {say('en', error.code, {**error.params, 'file': 'It'})[:150]}")
            sums[error.code] += 1
            continue
        reading = taken.reading
        compared = rows is not None and reading.kind != "text"
        differ = faults(taken, rows or []) if compared else []
        left = ", ".join(sorted({fault["code"].removeprefix("data.row.") for fault in reading.refused}))
        letters = sum(map(len, (text for row in taken.rows for text in texts_of(row))))
        kept = f"{reading.format:16} | {reading.rows_kept:6} of {reading.rows_read:6} {left}"
        print(f"{name[-70:]:70} | {kept} | {letters:9} letters, {f'{len(differ)} differ' if compared else 'not compared'}")
        sums.update(files=1, rows=reading.rows_kept, letters=letters, compared=compared)
        if differ:
            wrong[name] = differ[:3]
    print(dict(sums))
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())
