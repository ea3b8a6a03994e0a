"""Bad and odd files: each has a verdict, and the verdict names the place."""

import gzip
import io
import json
import pathlib
import string
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuning.data import child
from tuning.data.records import Limits
from tuning.errors import InputError

Take = Callable[..., Any]  # the fixture
GOOD = {"instruction": "Chi sei?", "input": "", "output": "Perché lo chiedi?"}
LINE = json.dumps(GOOD, ensure_ascii=False)
CSV = 'domanda;risposta\n"Chi sei?";Io\nE tu?;"Tu, ""certo"""\n'


def lines(*rows: str) -> str:
    return "".join(row + "\n" for row in rows)


def zipped(member: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(member, "question,answer\na,b\n")
    return out.getvalue()


def alpaca(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes})


def talk(*turns: tuple[str, Any]) -> str:
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]})


# content -> code and params of the error that refuses the whole file
REFUSED: dict[str, tuple[bytes | str, str, dict[str, Any]]] = {
    "white space alone": (" \n\n\t", "data.empty", {}),
    "byte order mark alone": (b"\xef\xbb\xbf", "data.empty", {}),
    "gzip": (gzip.compress(CSV.encode()), "data.binary", {"kind": "gzip"}),
    "zip": (zipped("data.csv"), "data.binary", {"kind": "zip"}),
    "xlsx": (zipped("xl/workbook.xml"), "data.binary", {"kind": "xlsx"}),
    "parquet": (b"PAR1\x15\x04" + bytes(50) + b"PAR1", "data.binary", {"kind": "parquet"}),
    "NUL": (lines(LINE, LINE).encode() + b"\0\n", "data.nul", {"line": 3}),
    "UTF-16 without mark": (CSV.encode("utf-16-le"), "data.nul", {"line": 1}),
    "half a UTF-16 unit": (CSV.encode("utf-16") + b"\x00", "data.encoding", {}),
    "damaged UTF-8": (lines(*[LINE] * 5).encode()[:-8].replace("é".encode(), b"\xc3", 1) + b"\n", "data.encoding", {"line": 1}),
    "no charset": (b"question,answer\na,\x81\n", "data.encoding", {"line": 2}),
    "20,000 brackets in a list": ("[" * 20_000, "data.json.deep", {"row": 1, "line": 1}),
    "20,000 brackets as a line": ("[" * 20_000 + "]" * 20_000 + "\n" + LINE, "data.json.deep", {"row": 1}),
    "20,000 braces": ('{"a":' * 20_000 + "1" + "}" * 20_000, "data.nothing", {"row": 1, "fault": "data.row.deep"}),
    "cut in a text": (f"[{LINE},\n{LINE},\n{LINE[:-20]}", "data.json.cut", {"row": 3, "line": 3}),
    "cut after a comma": (f"[{LINE},\n{LINE},\n", "data.json.cut", {"row": 3, "line": 3}),
    "cut before the bracket": (f"[{LINE},\n{LINE}\n", "data.json.cut", {"row": 3, "line": 3}),
    "cut data": ('{"data": [\n' + LINE + ",\n" + LINE + "\n]", "data.json.cut", {"row": 3, "line": 4}),
    "comma missing": (f"[{LINE}\n{LINE}]", "data.json", {"row": 2, "line": 2}),
    "comma too many": (f"[{LINE},\n{LINE},\n]", "data.json", {"row": 3, "line": 3}),
    "something after the list": (f"[{LINE}]\n{LINE}", "data.json", {"line": 2}),
    "single quotes": ("[{'instruction': 'a'}, " + " " * 100 + "]", "data.json", {"row": 1, "line": 1}),
    "element of 5 MB": (f'[{LINE},{{"a":"' + "x" * 5_000_000 + '"}]', "data.json.long", {"row": 2, "line": 1}),
    "no rows": ("[]", "data.no_rows", {}),
    "no rows in data": ('{"data": []}', "data.no_rows", {}),
    "header alone": ("question,answer\n", "data.no_rows", {}),
    "unclosed quote": ('q,a\n1,2\n3,"4\n5,6\n', "data.csv.quote", {"row": 2, "line": 3}),
    "unclosed quote, long": ('q,a\n1,2\n3,"4\n' + "5,6\n" * 300_000, "data.csv.quote", {"row": 2, "line": 3}),
    "a carriage return outside quotes": ("q,a\n1,2\n3,old\rMac\n5,6\n", "data.csv.quote", {"row": 2, "line": 3}),
    "text after a quote": ('q,a\n1,"2"x\n5,6\n', "data.csv.quote", {"row": 1, "line": 2}),
    "duplicate header": ("question,answer,question\na,b,c\n", "data.csv.header", {"column": "question"}),
    "CSV line of 1 MB": ("q,a\n1,2\n3," + "x" * 1_000_001 + "\n", "data.csv.long", {"line": 3}),
    "unknown columns": ("foo,bar\na,b\n", "data.format", {"columns": "foo, bar"}),
    "unknown keys": ('{"text": "a"}\n{"text": "b", "n": 1}\n', "data.format", {"columns": "text, n"}),
    "half a surrogate as a column": ('{"\\ud800": "a"}', "data.format", {"columns": "\ufffd"}),
    "numbers alone": ("[1, 2]", "data.nothing", {"row": 1, "fault": "data.row.object"}),
    "a text": ('["a"]', "data.nothing", {"row": 1, "fault": "data.row.object"}),
    "no answer at all": (f"[{alpaca(output='')}]", "data.nothing", {"row": 1, "line": 1, "fault": "data.row.empty_answer"}),
    "a number as the only answer": (alpaca(output=4), "data.nothing", {"fault": "data.row.type", "column": "output", "found": "number"}),
}

# content -> rows kept, and row and code of those refused
KEPT: dict[str, tuple[bytes | str, int, list[tuple[int, str]]]] = {
    "one row": (LINE, 1, []),
    "one row in a list": (f"[{LINE}]", 1, []),
    "one row over many lines": (json.dumps(GOOD, indent=2), 1, []),
    "objects over many lines": (json.dumps(GOOD, indent=2) + "\n" + json.dumps(GOOD, indent=2), 2, []),
    "one conversation": (json.dumps(json.loads(talk(("user", "a"), ("assistant", "b"))), indent=1), 1, []),
    "data": (json.dumps({"data": [GOOD, GOOD]}), 2, []),
    "data over many lines": ('{"data": [\n' + LINE + ",\n" + LINE + "\n]}\n", 2, []),
    "data, indented": (json.dumps({"rows": [GOOD, GOOD]}, indent=4), 2, []),
    "blank lines": (lines("", LINE, "", "  ", LINE), 2, []),
    "first line broken": (lines(LINE[:-9], LINE), 1, [(1, "data.row.json")]),
    "first line broken with its brace": (lines('{"instruction": }', LINE), 1, [(1, "data.row.json")]),
    "line broken": (lines(LINE, LINE[:20], LINE), 2, [(2, "data.row.json")]),
    "deep line": (lines(LINE, "[" * 20_000, alpaca(input="")), 2, [(2, "data.row.deep")]),
    "depth 21": (lines(LINE, alpaca(extra=json.loads("[" * 20 + "]" * 20))), 1, [(2, "data.row.deep")]),
    "depth 20": (lines(LINE, alpaca(extra=json.loads("[" * 19 + "]" * 19))), 2, []),
    "deep element": (f"[{LINE}, {alpaca(extra=json.loads('[' * 20 + ']' * 20))}, {LINE}]", 2, [(2, "data.row.deep")]),
    "line of 1 MB": (lines(LINE, alpaca(output="x" * 1_000_000), LINE), 2, [(2, "data.row.long")]),
    "element of 1 MB": (f"[{LINE},{alpaca(output='x' * 1_000_000)},{LINE}]", 2, [(2, "data.row.long")]),
    "NaN": (lines(LINE, LINE.replace('""', "NaN"), '{"a": -Infinity}'), 1, [(2, "data.row.nan"), (3, "data.row.nan")]),
    "NaN in a list": ("[" + LINE + "," + LINE.replace('""', "NaN") + "]", 1, [(2, "data.row.nan")]),
    "number of 5,000 digits": (lines(LINE, '{"instruction": ' + "9" * 5000 + ', "output": "a"}'), 1, [(2, "data.row.type")]),
    "key twice": (lines(LINE, '{"output": "a", "output": "b", "instruction": "c"}'), 1, [(2, "data.row.key")]),
    "numbers as answers": (f"[{LINE},{alpaca(output=4)},{alpaca(output=1.5)}]", 1, [(2, "data.row.type"), (3, "data.row.type")]),
    "booleans and lists": (lines(LINE, alpaca(input=True), alpaca(output=["a"])), 1, [(2, "data.row.type"), (3, "data.row.type")]),
    "null answer": (lines(LINE, alpaca(output=None)), 1, [(2, "data.row.empty_answer")]),
    "null input": (lines(LINE, alpaca(input=None)), 2, []),
    "blank answer": (lines(LINE, alpaca(output=" \n\u3000")), 1, [(2, "data.row.empty_answer")]),
    "blank question": (lines(LINE, alpaca(instruction=" ")), 1, [(2, "data.row.empty_question")]),
    "half a surrogate": (lines(LINE, '{"instruction": "a", "output": "\\ud83d"}'), 1, [(2, "data.row.surrogate")]),
    "a whole surrogate pair": (lines(LINE, '{"instruction": "a", "output": "\\ud83d\\ude42"}'), 2, []),
    "not an object": (lines(LINE, "4", '"a"', LINE), 2, [(2, "data.row.object"), (3, "data.row.object")]),
    "no input column": (lines('{"instruction": "a", "output": "b"}', LINE), 2, []),
    "answer missing": (lines(LINE, '{"instruction": "a"}'), 1, [(2, "data.row.columns")]),
    "mixed schemas": (lines(LINE, talk(("user", "a"), ("assistant", "b")), LINE), 2, [(2, "data.row.columns")]),
    "system last": (
        lines(talk(("user", "a"), ("assistant", "b")), talk(("user", "a"), ("assistant", "b"), ("system", "c"))),
        1,
        [(2, "data.row.roles")],
    ),
    "roles": (
        lines(
            talk(("system", "s"), ("user", "a"), ("assistant", "b")),
            talk(("assistant", "b"), ("user", "a")),
            talk(("user", "a"), ("user", "b"), ("assistant", "c")),
            talk(("user", "a"), ("assistant", "b"), ("user", "c")),
            talk(("system", "s")),
            talk(("user", "a"), ("tool", "b"), ("assistant", "c")),
            talk(("user", "a"), ("assistant", "")),
            talk(("user", ""), ("assistant", "b")),
            talk(("user", "a"), ("assistant", None)),
            talk(),
            '{"messages": "a"}',
            '{"messages": ["a"]}',
            '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "tool_calls": [{}]}]}',
            talk(("", "a")),
        ),
        1,
        [
            (2, "data.row.roles"),
            (3, "data.row.roles"),
            (4, "data.row.roles"),
            (5, "data.row.roles"),
            (6, "data.row.role"),
            (7, "data.row.empty_answer"),
            (8, "data.row.empty_question"),
            (9, "data.row.empty_answer"),
            (10, "data.row.empty_question"),
            (11, "data.row.type"),
            (12, "data.row.type"),
            (13, "data.row.role"),
            (14, "data.row.role"),
        ],
    ),
    "semicolons": (CSV, 2, []),
    "Excel's hint": ("sep=|\n" + CSV.replace(";", "|"), 2, []),
    "tabs": (CSV.replace(";", "\t"), 2, []),
    "bars": (CSV.replace(";", "|"), 2, []),
    "commas in a semicolon file": ("domanda;risposta\na, b, c;d, e\nf;g\n", 2, []),
    "ragged": ("question,answer\na,b\nc\nd,e,f\ng,h\n", 2, [(2, "data.row.ragged"), (3, "data.row.ragged")]),
    "lines inside quotes": ('question,answer\n"a\nb",c\nd\ne,f\n', 2, [(2, "data.row.ragged")]),
    "empty cells": ("question,answer\na,b\n,\nc,\n", 1, [(2, "data.row.empty_question"), (3, "data.row.empty_answer")]),
    "blank lines of a table": ("\nquestion,answer\n\na,b\n \nc,d\n\n", 2, []),
    "columns without a name": (",question,answer,,\n0,a,b,,\n", 1, []),
    "old Mac": ("question,answer\ra,b\rc,d", 2, []),
    "Windows": ("question,answer\r\na,b\r\nc,d\r\n", 2, []),
    "names with spaces and capitals": ("Domanda ;RISPOSTA\na;b\n", 1, []),
    "record of 1 MB": ("q,a\n1,2\n" + ",".join(['"' + "x\n" * 300_000 + '"'] * 2) + "\n3,4\n", 2, [(2, "data.row.long")]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_with_code_and_place(take: Take, name: str) -> None:
    content, code, params = REFUSED[name]
    with pytest.raises(InputError) as caught:
        take(content)
    assert caught.value.code == code
    assert {key: caught.value.params.get(key) for key in params} == params
    assert all(isinstance(value, str | int) for value in caught.value.params.values())


@pytest.mark.parametrize("name", KEPT)
def test_good_rows_are_kept_and_bad_ones_named(take: Take, name: str) -> None:
    content, kept, refused = KEPT[name]
    taken = take(content)
    assert (len(taken.rows), taken.faults) == (kept, refused)


ENCODINGS = {
    "utf-8": CSV.encode(),
    "utf-8-sig": CSV.encode("utf-8-sig"),
    "utf-16": CSV.encode("utf-16"),
    "cp1252": CSV.replace("Io", "Perché no? Già, così è").encode("cp1252"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_charset_is_found_and_told(take: Take, encoding: str) -> None:
    taken = take(ENCODINGS[encoding])
    assert taken.reading.encoding == encoding
    assert taken.texts[1] == ("E tu?", 'Tu, "certo"')
    assert taken.texts[0][1] == ("Perché no? Già, così è" if encoding == "cp1252" else "Io")


def test_big_endian_json_with_a_mark(take: Take) -> None:
    assert take(("\ufeff" + LINE).encode("utf-16-be")).texts == [("Chi sei?", "Perché lo chiedi?")]


def test_a_ragged_row_has_its_line_and_widths(take: Take) -> None:
    fault = take('question,answer\n"a\nb",c\nd\ne,f\n').reading.refused[0]
    assert fault == {"code": "data.row.ragged", "row": 2, "line": 4, "params": {"found": 1, "expected": 2}}


def test_elements_have_their_lines(take: Take) -> None:
    taken = take(json.dumps([GOOD, {**GOOD, "output": ""}, GOOD], indent=2))
    assert [(fault["row"], fault["line"]) for fault in taken.reading.refused] == [(2, 7)]
    assert [row["row"] for row in taken.rows] == [1, 3]


def test_a_role_at_fault_is_named_with_its_turn(take: Take) -> None:
    taken = take(lines(talk(("user", "a"), ("assistant", "b")), talk(("user", "a"), ("<b>\x07", "b"))))
    assert taken.reading.refused[0]["params"] == {"turn": 2, "role": "<b>\ufffd"}


def test_refused_rows_are_all_counted_but_not_all_named(write: Callable[..., pathlib.Path], tmp_path: pathlib.Path) -> None:
    reading = child.read(write(lines(LINE, *["{}"] * 50)), tmp_path / "out", {}, Limits(refused=10))
    assert (reading.rows_read, reading.rows_kept, len(reading.refused)) == (51, 1, 10)


def test_output_has_a_limit(take: Take) -> None:
    with pytest.raises(InputError, match=r"data\.output"):
        take("q,a\n" + "a,b\n" * 50_000, output_bytes=2**20)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["instruction", "output", "messages", "role"]), inner),
    max_leaves=8,
)
CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet=string.printable, max_size=80).map(lambda text: ("question;answer\n" + text).encode()),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.builds(lambda rows, cut: (LINE + "\n" + json.dumps(rows)).encode()[: -cut or None], st.lists(JSON, max_size=4), st.integers(0, 60)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(content=CONTENTS)
def test_any_bytes_give_rows_or_a_verdict(take: Take, content: bytes) -> None:
    try:
        take(content)  # which counts the rows
    except InputError as error:
        assert error.code.startswith("data.")
        assert all(isinstance(value, str | int) for value in error.params.values())
