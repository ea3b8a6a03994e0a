"""The verbs about data: read in one way and in another, mended and back, and audited as a run will learn them."""

import json
import pathlib
from typing import Any

import pytest

from tuning import settings
from tuning.audits import Audits
from tuning.data.read import Wish
from tuning.engine import tokens
from tuning.errors import InputError, TuningError
from tuning.schema import LOCAL, TrainSettings
from tuning.verbs import Verbs

ROWS = [{"question": f"Quanto costa l'abito {n}?", "answer": f"L'abito {n} costa {n * 10} €."} for n in range(1, 41)]
HELD_OUT = [{"question": f"Chi è {n}?", "answer": f"{n}"} for n in range(3)]


@pytest.fixture
def verbs(home: pathlib.Path) -> Verbs:
    return Verbs(settings.read(home=str(home)))


def write(path: pathlib.Path, rows: list[Any]) -> pathlib.Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_data_are_mended_and_the_repairs_undone(verbs: Verbs, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "listino.jsonl", [*ROWS, ROWS[0], {"question": "Ã¨ vero?", "answer": "sì"}])
    first = verbs.ingest([path], Wish(name=path.name, keep=True))
    path.unlink()  # what was brought is gone; the data know it still
    once = verbs.mend(first.id, "duplicates")
    assert (once.rows_kept, once.rows_dropped, once.repairs) == (41, 1, ["duplicates"])
    twice = verbs.mend(once.id, "encoding")
    assert twice.repairs == ["duplicates", "encoding"] and twice.rows_kept == 41
    assert verbs.preview(twice.id, start=40)[0]["messages"][0]["content"] == "è vero?"
    assert verbs.mend(twice.id, None) == first
    assert verbs.report(twice.id)["rows_read"] == 42
    with pytest.raises(InputError, match=r"data\.repair"):
        verbs.mend(first.id, "everything")


def test_data_are_read_in_another_way_and_with_rows_to_check_with(verbs: Verbs, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "listino.jsonl", ROWS)
    first = verbs.ingest([path], Wish(name=path.name, keep=True))
    turned = verbs.reread(first.id, Wish(mapping={"question": "answer", "answer": "question"}))
    assert verbs.preview(turned.id)[0]["messages"][0]["content"] == ROWS[0]["answer"]
    both = verbs.reread(turned.id, Wish(validation=[write(tmp_path / "aside.jsonl", HELD_OUT)]))
    assert (both.validation_rows, both.given, both.rows_kept) == (3, turned.given, 40)
    assert verbs.reread(both.id, Wish()) == both
    again = verbs.mend(both.id, "duplicates")
    assert again.validation_rows == 3  # they come along
    leak = verbs.reread(first.id, Wish(validation=[write(tmp_path / "leak.jsonl", ROWS[:2])]))
    [notice] = [notice for notice in leak.findings if notice.code == "data.check.leak"]
    assert (notice.params["count"], notice.params["repair"]) == (2, "leak")
    assert verbs.mend(leak.id, "leak").rows_kept == 38


def test_nested_columns_are_named_and_can_be_chosen(verbs: Verbs, tmp_path: pathlib.Path) -> None:
    rows = [{"id": 1, "item": {"said": {"first": f"a{n}", "then": f"b{n}"}, "question": f"c{n}", "answer": f"d{n}"}} for n in range(5)]
    path = write(tmp_path / "x.jsonl", rows)
    first = verbs.ingest([path], Wish(name="x", keep=True))
    assert verbs.preview(first.id)[0]["messages"][0]["content"] == "c0"  # found by itself
    assert "item.said.first" in first.columns
    turned = verbs.reread(first.id, Wish(mapping={"question": "item.said.first", "answer": "item.said.then"}))
    assert [turn["content"] for turn in verbs.preview(turned.id)[0]["messages"]] == ["a0", "b0"]


def test_what_was_not_kept_cannot_be_read_again(verbs: Verbs, tmp_path: pathlib.Path) -> None:
    spec = verbs.dataset(str(write(tmp_path / "x.jsonl", ROWS)))
    with pytest.raises(InputError, match=r"data\.gone"):
        verbs.mend(spec.id, "duplicates")


@pytest.mark.parametrize("changes", [{}, {"validation_share": 0}, {"max_samples": 17}, {"seed": 7, "validation_share": 0.3}])
def test_the_audit_counts_what_a_run_learns(verbs: Verbs, tmp_path: pathlib.Path, changes: dict[str, Any]) -> None:
    data = verbs.dataset(str(write(tmp_path / "x.jsonl", ROWS))).id
    plan = verbs.plan("starter", data, settings={"max_length": 24, **changes})
    found = verbs.audit(data, "starter", plan["settings"])
    assert found is not None
    resolved = TrainSettings.model_validate(plan["settings"])
    learned = verbs.library.parts(data, LOCAL, resolved)[0]
    tokenizer = tokens.load(str(settings.PRESETS / "starter" / "model"))
    totals = tokens.encode_rows(tokenizer, learned, 24)[1]
    seen = found.totals(24)
    assert (seen.rows, seen.learned, seen.context, seen.cut) == (len(learned), totals.learned, totals.context, totals.cut)
    assert len(learned) == plan["train_rows"]


def test_the_audit_is_kept_and_a_damaged_one_found_anew(verbs: Verbs, tmp_path: pathlib.Path) -> None:
    data = verbs.dataset(str(write(tmp_path / "x.jsonl", ROWS))).id
    model = verbs.model("starter")
    assert verbs.audits.known(data, model, LOCAL) is None
    before = verbs.plan("starter", data)["seconds"]
    found = verbs.audits.find(data, model, LOCAL)
    assert found is not None and verbs.plan("starter", data)["seconds"] != before  # no guess any more
    [kept] = (verbs.settings.home / "data" / data).glob("audit-*.json")
    fresh = Verbs(verbs.settings)
    again = fresh.audits.known(data, model, LOCAL)
    assert again is not None and again.audit == found.audit
    kept.write_text("{", encoding="utf-8")
    assert Verbs(verbs.settings).audits.known(data, model, LOCAL) is None
    anew = Verbs(verbs.settings).audits.find(data, model, LOCAL)
    assert anew is not None and anew.audit.looked == found.audit.looked


def test_a_page_waits_for_nothing_and_hears_what_went_wrong(verbs: Verbs, tmp_path: pathlib.Path, wait_until: Any) -> None:
    data = verbs.dataset(str(write(tmp_path / "x.jsonl", ROWS))).id
    audits = Audits(verbs.settings.home, verbs.library, verbs.shelf, wait=False)
    model = verbs.model("starter")
    assert audits.find(data, model, LOCAL) is None and audits.busy(LOCAL)
    wait_until(lambda: audits.find(data, model, LOCAL) is not None, 60)
    broken = model.model_copy(update={"path": str(tmp_path)})
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    assert audits.find(data, broken, LOCAL) is None
    wait_until(lambda: not audits.busy(LOCAL), 60)
    with pytest.raises(TuningError, match=r"model\.cannot_load"):
        audits.find(data, broken, LOCAL)


def test_nothing_to_learn_starts_no_run(verbs: Verbs, tmp_path: pathlib.Path) -> None:
    rows = [{"question": "parola " * 60, "answer": f"{n}"} for n in range(12)]
    data = verbs.dataset(str(write(tmp_path / "x.jsonl", rows))).id
    assert verbs.report(data, "starter")["tokens"]["blocked"] is None
    with pytest.raises(InputError, match=r"audit\.nothing"):
        verbs.create("starter", data, settings={"max_length": 16})
    assert verbs.runs() == []
