"""Every file of the corpus gets the verdict that was thought for it: all of them in this process, some through the real child.

The nightly form sends every file through the child, under ten seconds and one gigabyte.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.data import corpus
from tests.data.cases import Case, Kept, Refused
from tests.data.conftest import read_here, texts_of
from tests.data.corpus import CASES
from tests.lots import lot
from tuning.data.ingest import ReadingOptions, ingest
from tuning.data.library import Library
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits
from tuning.schema import LOCAL, DataSpec
from tuning.text import LANGUAGES, say

TIGHT = Limits(seconds=10, memory_bytes=1024 * MEGABYTE, output_bytes=1024 * MEGABYTE)
SMALL = [case for case in CASES if not case.large]
SAMPLE = 30
DIED = {"data.crashed", "data.slow", "data.memory"}  # never, but where the case says so


def codes(verdict: Refused) -> tuple[str, ...]:
    return (verdict.codes,) if isinstance(verdict.codes, str) else verdict.codes


def judge(verdict: Refused | Kept, got: InputError | tuple[Mapping[str, Any], Sequence[tuple[str, ...]]]) -> None:
    """Fails where what came of a file (its error; or the report and the texts of its rows) is not what should have."""
    if isinstance(verdict, Refused):
        assert isinstance(got, InputError), f"kept: {got}"
        assert got.code in codes(verdict), got
        assert {key: got.params.get(key) for key in verdict.params} == dict(verdict.params)
        return
    assert not isinstance(got, InputError), str(got)
    report, texts = got
    assert (report["rows_read"], report["rows_kept"], report["places"]) == (verdict.read, verdict.kept, list(verdict.refused))
    assert verdict.first is None or texts[0] == verdict.first
    for key in ("format", "kind", "encoding"):
        wanted = getattr(verdict, key)
        assert wanted is None or report[key] == wanted


def speaks(code: str, params: Mapping[str, Any]) -> None:
    """An error or a finding is one sentence in both languages, all of its places filled."""
    assert all(isinstance(value, str | int) for value in params.values()), params
    for lang in LANGUAGES:
        sentence = say(lang, code, params)
        given = "".join(str(value) for value in params.values())
        assert ("{" not in sentence and "}" not in sentence) or "{" in given or "}" in given, sentence
        assert sentence.strip() == sentence and "\n" not in sentence and 10 <= len(sentence) <= 1000, sentence


def test_the_corpus_is_large_and_has_no_case_twice() -> None:
    names = [case.name for case in CASES]
    assert len(names) >= 300 and len(names) == len(set(names))


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_a_file_gets_its_verdict(case: Case, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "upload.csv"
    source.write_bytes(case.make())
    try:
        taken = read_here([source], tmp_path / "rows")
    except InputError as error:
        assert not error.code.startswith("data.row."), "a fragment is no sentence"
        speaks(error.code, {**error.params, "file": "upload.csv"})
        judge(case.verdict, error)
        return
    refused = taken.reading.refused
    for fault in refused[:20]:
        place = {"row": fault["row"], "line": fault["line"], **fault["params"]}
        speaks("data.nothing", {**place, "fault": fault["code"], "file": "upload.csv"})
    for notice in [*taken.reading.findings, taken.reading.reason or {}]:
        speaks(notice["code"], notice["params"])
    places = [(fault["row"], fault["line"], fault["code"]) for fault in refused]
    judge(case.verdict, ({**vars(taken.reading), "places": places}, taken.texts))


def through_the_child(case: Case, folder: pathlib.Path) -> None:
    """One file as the app takes it; then nothing may be left of it but the rows."""
    home, source = folder / "home", folder / corpus.file_name(0, case)
    source.write_bytes(case.make())
    died = set() if isinstance(case.verdict, Kept) else DIED & set(codes(case.verdict))
    try:
        spec = ingest(home, LOCAL, [source], ReadingOptions(name=source.name), TIGHT)
    except InputError as error:
        assert error.code not in DIED - died, error
        speaks(error.code, error.params)
        assert error.params["file"]
        assert not list(home.glob("data/*"))
        judge(case.verdict, error)
        return
    judge(case.verdict, (reported(spec), [texts_of(row) for row in Library(home).rows(spec.id, LOCAL)]))
    kept = home / "data" / spec.id
    assert [path.name for path in (home / "data").iterdir()] == [spec.id]
    assert sorted(path.name for path in kept.iterdir()) == ["rows.index", "rows.jsonl", "spec.json"]


def reported(spec: DataSpec) -> dict[str, Any]:
    """What a data set says of its file; all rows are accounted for."""
    assert spec.rows_read == spec.rows_kept + len(spec.refused) + spec.rows_dropped
    json.dumps(spec.model_dump())
    return {**spec.model_dump(), "places": [(notice.params["row"], notice.params["line"], notice.code) for notice in spec.refused]}


def sample() -> list[Case]:
    """Some files, others each time."""
    return lot("corpus").sample(SMALL, SAMPLE)


def test_a_sample_through_the_child(tmp_path: pathlib.Path) -> None:
    for number, case in enumerate(sample()):
        print(case.name)
        (tmp_path / str(number)).mkdir()
        through_the_child(case, tmp_path / str(number))


def through_by_name(name: str, folder: pathlib.Path) -> None:
    through_the_child(next(case for case in CASES if case.name == name), folder)


@pytest.mark.parametrize("name", ["parquet of 10 GB in one text over and over", "a workbook of 2 GB of nothing"])
def test_a_bomb_through_the_child(name: str, tmp_path: pathlib.Path) -> None:
    through_by_name(name, tmp_path)


def test_a_crowd_of_long_column_names_is_refused_in_one_sentence(tmp_path: pathlib.Path) -> None:
    through_by_name("10,000 columns and none known", tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_file_through_the_child(case: Case, tmp_path: pathlib.Path) -> None:
    through_the_child(case, tmp_path)


def test_the_corpus_can_be_written_out(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "CASES", SMALL[:5])
    corpus.write(tmp_path / "files")
    assert [path.read_bytes() for path in sorted((tmp_path / "files").iterdir())] == [case.make() for case in SMALL[:5]]
