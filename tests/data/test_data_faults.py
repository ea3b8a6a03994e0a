"""What is said of a fault: its row, its line, its measures. Which files have which fault is the corpus's."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.data.cases import GOOD, LINE, lines, talk
from tests.data.conftest import read_here
from tuning.errors import InputError
from tuning.sandbox.limits import Limits

Take = Callable[..., Any]  # the fixture
Write = Callable[..., pathlib.Path]


def test_a_ragged_row_has_its_line_and_widths(take: Take) -> None:
    fault = take('question,answer\n"a\nb",c\nd\ne,f\n').reading.refused[0]
    assert fault == {"code": "data.row.ragged", "row": 3, "line": 4, "params": {"found": 1, "expected": 2}}


def test_elements_have_their_lines(take: Take) -> None:
    taken = take(json.dumps([GOOD, {**GOOD, "output": ""}, GOOD], indent=2))
    assert [(fault["row"], fault["line"]) for fault in taken.reading.refused] == [(2, 7)]
    assert [row["row"] for row in taken.rows] == [1, 3]


def test_a_role_at_fault_is_named_with_its_turn(take: Take) -> None:
    taken = take(lines(talk(("user", "a"), ("assistant", "b")), talk(("user", "a"), ("<b>\x07", "b"))))
    assert taken.reading.refused[0]["params"] == {"turn": 2, "role": "<b>\ufffd"}


@pytest.mark.parametrize(
    ("row", "params"),
    [
        ('{"instruction": }', {"position": 17}),
        ('{"instruction": "a", "output": ["b"]}', {"column": "output", "found": "list"}),
        ('{"output": "a", "output": "b"}', {"column": "output"}),
        ('{"instruction": "a"}', {"column": "output"}),
        ('{"instruction": "a", "output": "\\ud83d"}', {"column": "output"}),
        ('{"instruction": "a", "output": ' + "[" * 30 + "]" * 30 + "}", {"limit": 20}),
    ],
)
def test_a_fault_of_a_row_has_what_fills_its_sentence(take: Take, row: str, params: dict[str, Any]) -> None:
    assert take(lines(LINE, row)).reading.refused[0]["params"] == params


def test_refused_rows_are_all_counted_but_not_all_named(write: Write, tmp_path: pathlib.Path) -> None:
    reading = read_here([write(lines(LINE, *["{}"] * 50))], tmp_path / "out", limits=Limits(refused=10)).reading
    assert (reading.rows_read, reading.rows_kept, reading.rows_refused, len(reading.refused)) == (51, 1, 50, 10)


def test_output_has_a_limit(take: Take) -> None:
    with pytest.raises(InputError) as caught:
        take("q,a\n" + "a,b\n" * 50_000, output_bytes=2**20)
    assert (caught.value.code, caught.value.params) == ("data.output", {"limit": 1})


@pytest.mark.parametrize("limit", [100, 1000])
def test_a_line_may_be_as_long_as_the_limit_and_no_longer(take: Take, limit: int) -> None:
    row = '{"question": "a", "answer": "%s"}'
    fits, long = (row % ("è" * (limit - len(row) + 2 + more)) for more in (0, 1))
    taken = take(lines(fits, long, fits), line=limit)
    assert taken.faults == [(2, "data.row.long")]
    assert taken.reading.refused[0]["params"] == {"limit": limit}


def test_rows_of_several_files_are_counted_through(write: Write, tmp_path: pathlib.Path) -> None:
    files = [
        write(lines(LINE, "{}", LINE), "a"),
        write("instruction,output\na,b\nc\n", "b"),
        write('[{"instruction": "d", "output": "e"}]', "c"),
    ]
    taken = read_here(files, tmp_path / "out")
    assert [row["row"] for row in taken.rows] == [1, 3, 5, 7]
    places = [(fault["row"], fault["line"], fault["code"]) for fault in taken.reading.refused]
    assert places == [(2, 2, "data.row.columns"), (6, 3, "data.row.ragged")]
    assert taken.texts[-1] == ("d", "e")


def test_only_the_first_rows_where_no_more_are_wanted(write: Write, tmp_path: pathlib.Path) -> None:
    files = [write(lines(*[LINE] * 3), "a"), write("{" * 100, "b")]
    taken = read_here(files, tmp_path / "out", max_rows=3)
    assert (taken.reading.rows_read, taken.reading.rows_kept) == (3, 3)


def test_a_fault_of_a_second_file_that_ends_it_ends_all(write: Write, tmp_path: pathlib.Path) -> None:
    files = [write(lines(LINE, LINE), "a"), write(f"[{LINE},\n", "b")]
    with pytest.raises(InputError, match=r"data\.json\.cut"):
        read_here(files, tmp_path / "out")


def test_repairs_drop_rows_and_all_are_accounted_for(write: Write, tmp_path: pathlib.Path) -> None:
    content = lines(LINE, LINE, "{}", '{"instruction": "a", "output": "b"}', LINE)
    taken = read_here([write(content)], tmp_path / "out", repairs=["duplicates"])
    assert (taken.reading.rows_read, taken.reading.rows_kept, taken.reading.rows_dropped, taken.reading.rows_refused) == (5, 2, 2, 1)
    assert [row["row"] for row in taken.rows] == [1, 4]


WITHIN = [{"question": f"Quanto costa l'orlo {number}?", "answer": f"Costa {number} euro, più o meno."} for number in range(40)]
AROUND = {  # files that are one object, longer than a row may be
    "further inside": {"meta": {"v": 1}, "result": {"items": WITHIN}},
    "beside an object": {"info": {"v": 1}, "voci": WITHIN},
    "beside a text": {"info": {"v": 1}, "version": "1.0", "faq": WITHIN},
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", AROUND)
def test_rows_are_found_in_an_object_that_is_longer_than_a_row_may_be(take: Take, name: str, indent: int | None) -> None:
    whole = json.dumps(AROUND[name], indent=indent)
    assert len(whole) > 3000
    for line in (200, 2000):
        taken = take(f"{whole}\n", line=line)
        assert taken.texts == [tuple(row.values()) for row in WITHIN] and not taken.faults


def test_a_row_within_such_an_object_that_is_too_long_is_refused_alone(take: Take) -> None:
    long = {"question": "E questo?", "answer": "x" * 500}
    assert take(json.dumps({"a": {"b": 1}, "voci": [*WITHIN, long]}), line=400).faults == [(41, "data.row.long")]


TALK = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b" * 900}], "id": 1})
LONG = '{"question": "a", "answer": "%s"}' % ("b" * 900)
HUGE = LONG.replace("b" * 900, "b" * 9000)
FAULTS = {  # files that begin with such an object, and what is said
    "a conversation": (TALK, "data.nothing"),
    "columns that are not known": (json.dumps({"a": 1, "b": [{"c": "d" * 9}] * 60}), "data.format"),
    "too large": (json.dumps({"info": {"v": 1}, "voci": WITHIN * 10}), "data.json.whole"),
    "too large, in lines": (json.dumps({"info": {"v": 1}, "voci": WITHIN * 10}, indent=1), "data.json.whole"),
    "cut off": (json.dumps({"info": {"v": 1}, "voci": WITHIN})[:-9], "data.json.cut"),
    "broken": (json.dumps({"info": {"v": 1}, "voci": WITHIN}, indent=1).replace('"Quanto costa l\'orlo 30?"', "x"), "data.json"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_such_an_object_that_cannot_be_read_is_refused(take: Take, name: str) -> None:
    content, code = FAULTS[name]
    with pytest.raises(InputError) as caught:
        take(content, line=200, whole=10_000)
    assert caught.value.code == code
    assert caught.value.params.get("fault", "data.row.long") == "data.row.long"


@pytest.mark.parametrize(
    "content", [f"{LONG}\n{LINE}\n{LINE}\n", f"{LINE}\n{LONG}\n{LINE}\n", f"{LINE}\n{LINE}\n{LONG}", f"{HUGE}\n{LINE}\n{LINE}"]
)
def test_a_row_that_is_too_long_costs_no_others(take: Take, content: str) -> None:
    taken = take(content, line=400, whole=500)
    assert len(taken.rows) == 2 and [code for _, code in taken.faults] == ["data.row.long"]
