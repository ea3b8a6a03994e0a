"""The studio about data: read in one way and in another, mended and back, and audited as a run will learn them."""

import json
import pathlib
from typing import Any

import pytest

from tuning import settings
from tuning.data.ingest import ReadingOptions
from tuning.errors import InputError, TuningError
from tuning.schema import LOCAL, TrainSettings
from tuning.studio import Studio
from tuning.tokens import labels
from tuning.tokens.kept import Audited, Audits

ROWS = [{"question": f"Quanto costa l'abito {n}?", "answer": f"L'abito {n} costa {n * 10} €."} for n in range(1, 41)]
HELD_OUT = [{"question": f"Chi è {n}?", "answer": f"{n}"} for n in range(3)]


@pytest.fixture
def studio(home: pathlib.Path) -> Studio:
    return Studio(settings.read(home=str(home)), LOCAL)


def write(path: pathlib.Path, rows: list[Any]) -> pathlib.Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_data_are_mended_and_the_repairs_undone(studio: Studio, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "listino.jsonl", [*ROWS, ROWS[0], {"question": "Ã¨ vero?", "answer": "sì"}])
    first = studio.data.ingest([path], ReadingOptions(name=path.name, keep=True))
    path.unlink()  # what was brought is gone; the data know it still
    once = studio.data.mend(first.id, "duplicates")
    assert (once.rows_kept, once.rows_dropped, once.repairs) == (41, 1, ["duplicates"])
    twice = studio.data.mend(once.id, "encoding")
    assert twice.repairs == ["duplicates", "encoding"] and twice.rows_kept == 41
    assert studio.data.preview(twice.id, start=40)[0]["messages"][0]["content"] == "è vero?"
    assert studio.data.mend(twice.id, None) == first
    assert studio.data.report(twice.id)["rows_read"] == 42
    with pytest.raises(InputError, match=r"data\.repair"):
        studio.data.mend(first.id, "everything")


def test_data_are_read_in_another_way_and_with_rows_to_check_with(studio: Studio, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "listino.jsonl", ROWS)
    first = studio.data.ingest([path], ReadingOptions(name=path.name, keep=True))
    turned = studio.data.reread(first.id, ReadingOptions(mapping={"question": "answer", "answer": "question"}))
    assert studio.data.preview(turned.id)[0]["messages"][0]["content"] == ROWS[0]["answer"]
    both = studio.data.reread(turned.id, ReadingOptions(validation=[write(tmp_path / "aside.jsonl", HELD_OUT)]))
    assert (both.validation_rows, both.given, both.rows_kept) == (3, turned.given, 40)
    assert studio.data.reread(both.id, ReadingOptions()) == both
    again = studio.data.mend(both.id, "duplicates")
    assert again.validation_rows == 3  # they come along
    leak = studio.data.reread(first.id, ReadingOptions(validation=[write(tmp_path / "leak.jsonl", ROWS[:2])]))
    [notice] = [notice for notice in leak.findings if notice.code == "data.check.leak"]
    assert (notice.params["count"], notice.params["repair"]) == (2, "leak")
    assert studio.data.mend(leak.id, "leak").rows_kept == 38


def test_nested_columns_are_named_and_can_be_chosen(studio: Studio, tmp_path: pathlib.Path) -> None:
    rows = [{"id": 1, "item": {"said": {"first": f"a{n}", "then": f"b{n}"}, "question": f"c{n}", "answer": f"d{n}"}} for n in range(5)]
    path = write(tmp_path / "x.jsonl", rows)
    first = studio.data.ingest([path], ReadingOptions(name="x", keep=True))
    assert studio.data.preview(first.id)[0]["messages"][0]["content"] == "c0"  # found by itself
    assert "item.said.first" in first.columns
    turned = studio.data.reread(first.id, ReadingOptions(mapping={"question": "item.said.first", "answer": "item.said.then"}))
    assert [turn["content"] for turn in studio.data.preview(turned.id)[0]["messages"]] == ["a0", "b0"]


def test_what_was_not_kept_cannot_be_read_again(studio: Studio, tmp_path: pathlib.Path) -> None:
    spec = studio.data.find(str(write(tmp_path / "x.jsonl", ROWS)))
    with pytest.raises(InputError, match=r"data\.gone"):
        studio.data.mend(spec.id, "duplicates")


@pytest.mark.parametrize("changes", [{}, {"validation_share": 0}, {"max_samples": 17}, {"seed": 7, "validation_share": 0.3}])
def test_the_audit_counts_what_a_run_learns(studio: Studio, tmp_path: pathlib.Path, changes: dict[str, Any]) -> None:
    data = studio.data.find(str(write(tmp_path / "x.jsonl", ROWS))).id
    plan = studio.plans.plan("starter", data, settings={"max_length": 24, **changes})
    found = studio.data.audit(data, "starter", plan["settings"])
    assert found is not None
    resolved = TrainSettings.model_validate(plan["settings"])
    learned = studio.shared.library.parts(data, LOCAL, resolved)[0]
    tokenizer = labels.load(str(settings.PRESETS / "starter" / "model"))
    totals = labels.encode_rows(tokenizer, learned, 24)[1]
    seen = found.totals(24)
    assert (seen.rows, seen.learned, seen.context, seen.cut) == (len(learned), totals.learned, totals.context, totals.cut)
    assert len(learned) == plan["train_rows"]


def test_the_audit_is_kept_and_a_damaged_one_found_anew(studio: Studio, tmp_path: pathlib.Path) -> None:
    data = studio.data.find(str(write(tmp_path / "x.jsonl", ROWS))).id
    model = studio.models.find("starter")
    assert studio.shared.audits.known(Audited(data, model, LOCAL)) is None
    before = studio.plans.plan("starter", data)["seconds"]
    found = studio.shared.audits.find(Audited(data, model, LOCAL))
    assert found is not None and studio.plans.plan("starter", data)["seconds"] != before  # no guess any more
    [kept] = (studio.settings.home / "data" / data).glob("audit-*.json")
    fresh = Studio(studio.settings, LOCAL)
    again = fresh.shared.audits.known(Audited(data, model, LOCAL))
    assert again is not None and again.audit == found.audit
    kept.write_text("{", encoding="utf-8")
    assert Studio(studio.settings, LOCAL).shared.audits.known(Audited(data, model, LOCAL)) is None
    anew = Studio(studio.settings, LOCAL).shared.audits.find(Audited(data, model, LOCAL))
    assert anew is not None and anew.audit.looked == found.audit.looked


def test_a_page_waits_for_nothing_and_hears_what_went_wrong(studio: Studio, tmp_path: pathlib.Path, wait_until: Any) -> None:
    data = studio.data.find(str(write(tmp_path / "x.jsonl", ROWS))).id
    audits = Audits(studio.settings.home, studio.shared.library, studio.shared.shelf, wait=False)
    model = studio.models.find("starter")
    assert audits.find(Audited(data, model, LOCAL)) is None and audits.busy(LOCAL)
    wait_until(lambda: audits.find(Audited(data, model, LOCAL)) is not None, 60)
    broken = model.model_copy(update={"path": str(tmp_path)})
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    assert audits.find(Audited(data, broken, LOCAL)) is None
    wait_until(lambda: not audits.busy(LOCAL), 60)
    with pytest.raises(TuningError, match=r"model\.missing_file"):
        audits.find(Audited(data, broken, LOCAL))


def test_nothing_to_learn_starts_no_run(studio: Studio, tmp_path: pathlib.Path) -> None:
    rows = [{"question": "parola " * 60, "answer": f"{n}"} for n in range(12)]
    data = studio.data.find(str(write(tmp_path / "x.jsonl", rows))).id
    assert studio.data.report(data, "starter")["tokens"]["blocked"] is None
    with pytest.raises(InputError, match=r"audit\.nothing"):
        studio.runs.create("starter", data, settings={"max_length": 16})
    assert studio.runs.list() == []
