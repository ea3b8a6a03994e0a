"""General rows in a run: learned beside somebody's own, and counted, held out and reported as nobody's."""

import pathlib
from collections.abc import Callable

import pytest

from tests.engine.conftest import Trainer
from tuning.data.library import Library
from tuning.engine.learn.train import load_rows
from tuning.engine.resident import Resident
from tuning.presets import replay
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.tokens import labels


def test_a_run_learns_them_beside_its_rows_and_holds_none_of_them_out(make_run: Callable[..., Run], studio: Studio) -> None:
    """Of forty rows ten are held out; half of what is learned is general."""
    spec = make_run(general_share=0.5, validation_share=0.25, max_length=256).spec()
    assert (spec.data.train_rows, spec.data.validation_rows, spec.data.general_rows) == (30, 10, 30)
    resident = Resident()
    resident.tokenizer = labels.load(spec.model.path)
    found = load_rows(spec, studio.shared.store, resident)
    own, held_out = Library(studio.settings.home).parts(spec.data.id, LOCAL, spec.settings)
    assert found.totals.rows == len(own) == 30 and len(found.train) == 60 and len(found.validation) == len(held_out) == 10
    texts = [resident.tokenizer.decode(row["input_ids"]) for row in found.train[30:]]
    asked = [row["messages"][0]["content"] for row in replay.of(spec)]
    assert all(question in text for question, text in zip(asked, texts, strict=True))
    assert found.totals.learned == labels.encode_rows(resident.tokenizer, own, 256)[1].learned


@pytest.mark.nightly
def test_report_card_and_bundle_name_them(trained: Trainer, studio: Studio, tmp_path: pathlib.Path) -> None:
    run, state = trained(general_share=0.5, validation_share=0.25, num_train_epochs=1, max_length=256, report=True)
    assert state.status == "finished" and state.total_steps == run.spec().forecast.steps
    shown = studio.runs.show(run.id)
    assert shown["evaluation"]["general"] == 30 and shown["evaluation"]["of"] == 10
    assert '30 rows of "rows.json" and 30 general rows' in (run.adapter / "README.md").read_text(encoding="utf-8")
    folder = studio.exports.export(run.id, "bundle", tmp_path / "taken")
    lines = [len((folder / name).read_text(encoding="utf-8").splitlines()) for name in ("rows.jsonl", "conversations.jsonl")]
    assert lines == [60, 60]
