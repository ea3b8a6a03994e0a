"""Owners see their own data sets and nothing of the others'; reports say what is in them."""

import json
import pathlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.data.library import Library
from tuning.data.overview import report
from tuning.data.split import split
from tuning.errors import InputError
from tuning.schema import LOCAL, DataSpec, Notice


def row(number: int, question: str, answer: str) -> dict[str, Any]:
    return {"row": number, "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def keep(home: pathlib.Path, id: str, owner: str, created: float = 0.0, rows: int = 3) -> DataSpec:
    spec = DataSpec(
        id=id, owner=owner, name=id, format="alpaca", encoding="utf-8", sha256="0" * 64, rows_read=rows, rows_kept=rows, created=created
    )
    folder = home / "data" / id
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(spec.model_dump_json(by_alias=True), encoding="utf-8")
    texts = [json.dumps(row(number, f"q{number}\u2028", "a"), ensure_ascii=False) for number in range(1, rows + 1)]
    (folder / "rows.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8", newline="\n")
    return spec


def test_owners_are_kept_apart(tmp_path: pathlib.Path) -> None:
    library = Library(tmp_path)
    assert library.list("anna") == []
    mine, theirs = keep(tmp_path, "a-1", "anna", 1.0), keep(tmp_path, "b-1", "bruno")
    newer = keep(tmp_path, "a-2", "anna", 2.0)
    assert library.list("anna") == [newer, mine]
    assert library.list("bruno") == [theirs]
    assert library.get("a-1", "anna") == mine
    for act in (library.get, library.rows, library.validation_rows, lambda id, owner: library.delete(id, owner, [])):
        errors = []
        for id in ("b-1", "z-1"):
            with pytest.raises(InputError) as caught:
                act(id, "anna")
            errors.append(str(caught.value).replace(id, "ID"))
        assert errors == ["data.unknown(data='ID')"] * 2
    assert library.get("b-1", "bruno") == theirs


@pytest.mark.parametrize("id", ["../b-1", "", ".", "..", "a-1/", "a-1\n", "A-1", "/etc", "a-1\x00", "-rf", ".new-x", "è", "a\\b"])
def test_an_id_is_no_path(tmp_path: pathlib.Path, id: str) -> None:
    keep(tmp_path, "a-1", "anna")
    with pytest.raises(InputError, match=r"data\.unknown"):
        Library(tmp_path).get(id, "anna")


def test_a_folder_that_cannot_be_read_hides_no_other(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = keep(tmp_path, "a-1", "anna")
    for id, content in (("b-1", "{"), ("c-1", spec.model_dump_json(by_alias=True).replace('"schema":1', '"schema":2')), ("d-1", "\ud800")):
        (tmp_path / "data" / id).mkdir()
        (tmp_path / "data" / id / "spec.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    (tmp_path / "data" / "e-1").mkdir()
    (tmp_path / "data" / "stray.txt").write_text("x", encoding="utf-8")
    assert Library(tmp_path).list("anna") == [spec]
    assert all(id in caplog.text for id in ("b-1", "c-1", "d-1"))


def test_rows_and_their_limit(tmp_path: pathlib.Path) -> None:
    keep(tmp_path, "a-1", "anna")
    library = Library(tmp_path)
    assert [found["row"] for found in library.rows("a-1", "anna")] == [1, 2, 3]
    assert list(library.rows("a-1", "anna", limit=1)) == [row(1, "q1\u2028", "a")]
    assert list(library.validation_rows("a-1", "anna")) == []


def test_data_in_use_is_not_deleted(tmp_path: pathlib.Path) -> None:
    keep(tmp_path, "a-1", "anna")
    library = Library(tmp_path)
    with pytest.raises(InputError) as caught:
        library.delete("a-1", "anna", ["run one", "run two"])
    assert (caught.value.code, caught.value.params) == ("data.in_use", {"data": "a-1", "count": 2, "runs": "run one, run two"})
    library.delete("a-1", "anna", [])
    assert list((tmp_path / "data").iterdir()) == []


ROWS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["x", " x", "x\n", "y"])), max_size=40)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(pairs=ROWS, share=st.floats(0, 0.5), seed=st.integers(0, 2**32 - 1))
def test_split(pairs: list[tuple[str, str]], share: float, seed: int) -> None:
    rows = [row(number, question, answer) for number, (question, answer) in enumerate(pairs)]
    train, validation = split(rows, share, seed)
    assert sorted(train + validation) == list(range(len(rows)))
    assert (train, validation) == split(iter(rows), share, seed) == (sorted(train), sorted(validation))
    if share == 0 or len(rows) < 10:
        assert validation == []
    elif len({(question, answer.strip()) for question, answer in pairs}) == len(pairs):
        assert len(validation) == max(1, round(share * len(rows)))
    assert train or not rows
    assert len(validation) <= max(1, len(rows) / 2)
    sides = [{(pairs[index][0], pairs[index][1].strip()) for index in side} for side in (train, validation)]
    assert not sides[0] & sides[1]


def test_split_depends_on_the_seed_alone() -> None:
    rows = [row(number, str(number), "a") for number in range(100)]
    assert split(rows, 0.1, 1) != split(rows, 0.1, 2)
    assert len(split(rows, 0.1, 1)[1]) == 10
    assert len(split(rows, 0.001, 1)[1]) == 1


def test_split_takes_the_smallest_group_where_none_fits() -> None:
    rows = [row(number, str(number % 5), "a") for number in range(30)]
    train, validation = split(rows, 0.1, 3)
    assert len(validation) == 6 and len({index % 5 for index in validation}) == 1
    assert split([row(number, "a", "b") for number in range(30)], 0.1, 3)[1] == []
    assert len(train) == 24


def test_text_rows_and_calls_of_tools_are_split_too() -> None:
    texts = [{"row": number, "text": f"{number % 20}"} for number in range(40)]
    call = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {}}}]}
    calls = [{"row": number, "messages": [{"role": "user", "content": str(number % 20)}, call]} for number in range(40)]
    for rows in (texts, calls):
        train, validation = split(rows, 0.1, 1)
        assert len(validation) == 4 and not {index % 20 for index in train} & {index % 20 for index in validation}


def test_a_report_adds_up() -> None:
    refused = [Notice(code="data.row.type", params={"row": 3, "line": 4, "column": "output", "found": "number"})]
    spec = DataSpec(
        owner=LOCAL,
        id="a",
        name="a",
        format="alpaca",
        sha256="",
        rows_read=6,
        rows_kept=4,
        rows_dropped=1,
        refused=refused,
        characters=9,
        created=0.0,
    )
    told = report(spec)
    assert json.loads(json.dumps(told)) == told
    assert told["refused"] == [{"code": "data.row.type", "row": 3, "line": 4, "column": "output", "found": "number"}]
    assert (told["rows_read"], told["rows_kept"], told["rows_dropped"], told["rows_refused"]) == (6, 4, 1, 1)
    assert told["source_kept"] is False
