"""Of each kind of small input that came out wrong once, others: other names, kinds of files and languages.

`python -m pytest tests/data/test_kinds.py -k listed -s` prints how many there are of each.
"""

import itertools
import pathlib

import pytest

from tests.data import kinds_choices, kinds_files, kinds_forms, kinds_json, kinds_marks, kinds_public
from tests.data.conftest import Taken, read_here
from tests.data.kinds import Input, Said
from tuning.errors import InputError

KINDS: dict[str, dict[str, Input]] = {
    **kinds_marks.KINDS,
    **kinds_choices.KINDS,
    **kinds_forms.KINDS,
    **kinds_files.KINDS,
    **kinds_public.KINDS,
    **kinds_json.KINDS,
}
LEAST = 3  # further inputs of a kind
ALL = [pytest.param(one, id=f"{kind.partition(' (')[0]}: {name}") for kind, held in KINDS.items() for name, one in held.items()]


def test_of_each_kind_there_are_others_and_they_are_listed() -> None:
    for kind, held in KINDS.items():
        print(f"{len(held):3} {kind}")
        assert len(held) >= LEAST, kind
    print(f"{len(ALL):3} in all, of {len(KINDS)} kinds")


def said(taken: Taken) -> list[Said]:
    """The texts of the rows; what is context and not learned is marked."""
    return [
        (row["text"],) if "text" in row else tuple("~" * (message.get("weight") == 0) + message["content"] for message in row["messages"])
        for row in taken.rows
    ]


@pytest.mark.parametrize("one", ALL)
def test_an_input_of_a_kind_comes_out_as_it_should(one: Input, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(one.content.encode() if isinstance(one.content, str) else one.content)
    try:
        taken = read_here([path], tmp_path / "rows", one.mapping, repairs=[one.repair] if one.repair else [])
    except InputError as error:
        assert error.code == one.code, error
        return
    assert not one.code and said(taken)[: len(one.rows)] == list(one.rows)
    reading = taken.reading
    assert reading.rows_refused + reading.rows_dropped == one.left
    assert dict(itertools.chain(*(names.items() for names in reading.unused.values()))) == dict(one.unused)
    assert (reading.thoughts, sum("tools" in row for row in taken.rows)) == (one.thoughts, one.tools)
    found = [finding["code"] for finding in reading.findings]
    assert not one.finding or (one.finding.removeprefix("-") in found) != one.finding.startswith("-")
    assert ("data.check.marked" in found) == any(text.startswith("~") for row in one.rows for text in row)
