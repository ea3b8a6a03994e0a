"""Answers put right: rows of a new version of the run's data, learned by a run that goes on, told by its report."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tuning.cli import main
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import InputError
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.studio.correcting import rehearsal
from tuning.ui.draw import report_view

PRICES = {"tea": 14, "bread": 3, "a coat": 65, "a zip": 22, "the cat": 900, "a button": 80, "lunch": 11, "the lamp": 37}


def question(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def said(studio: Studio, data: str) -> dict[str, str]:
    """Question and answer of all rows of data."""
    rows = studio.shared.library.rows(data, studio.owner)
    return {row["messages"][-2]["content"]: row["messages"][-1]["content"] for row in rows}


def test_a_corrected_answer_is_a_row_of_a_new_version_of_the_data(make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run()
    learned, held_out = studio.shared.library.parts(run.spec().data.id, LOCAL, run.spec().settings)
    old = learned[0]["messages"][0]["content"]
    first = studio.corrections.add(run.id, question(old), "It is sold out.")
    second = studio.corrections.add(run.id, question("Do you deliver?"), "By bike.")
    third = studio.corrections.add(run.id, question("  do you DELIVER? "), "By train.", "it")
    assert [one["count"] for one in (first, second, third)] == [1, 2, 2]
    rows = said(studio, third["data"])
    assert len(rows) == len(learned) + 1 and rows[old] == "It is sold out." and "By bike." not in rows.values()
    assert sorted(
        row["messages"] == [*question(old), {"role": "assistant", "content": "It is sold out."}]
        for row in studio.data.preview(third["data"], 2)
    ) == [False, True], "the corrected ones come first"
    kept = [row["messages"] for row in studio.shared.library.validation_rows(third["data"], LOCAL)]
    assert kept == [row["messages"] for row in held_out]
    mine = {entry["id"]: entry["name"] for entry in studio.data.list() if not entry["offered"]}
    assert mine[third["data"]] == "rows.json: 2 correzioni"
    assert not {first["data"], second["data"]} & mine.keys(), "nobody needs the older versions"
    assert not [entry for entry in studio.for_owner("anna").data.list() if not entry["offered"]]
    with pytest.raises(InputError, match=r"run\.unknown"):
        studio.for_owner("anna").corrections.add(run.id, question("x"), "y")
    studio.data.delete(third["data"])
    assert studio.corrections.waiting(run.id) == 0
    with pytest.raises(InputError, match=r"data\.in_use"):
        studio.data.delete(run.spec().data.id)


def test_the_same_answer_corrected_for_two_runs_is_kept_for_each(make_run: Callable[..., Run], studio: Studio) -> None:
    one, other = make_run(), make_run()
    for run in (one, other):
        studio.corrections.add(run.id, question("Do you deliver?"), "By bike.")
    studio.corrections.add(one.id, question("Are you open?"), "From nine.")  # its older version goes
    assert [studio.corrections.waiting(run.id) for run in (one, other)] == [2, 1]
    studio.data.delete(str(studio.corrections.newest(one.id).id))  # type: ignore[union-attr]
    assert [studio.corrections.waiting(run.id) for run in (one, other)] == [0, 1]


@pytest.mark.parametrize(("turns", "answer"), [([], "Yes."), (question("Why?"), "  "), ([{"role": "assistant", "content": "No."}], "Yes.")])
def test_what_is_no_answer_to_a_question_is_refused(make_run: Callable[..., Run], studio: Studio, turns: Any, answer: str) -> None:
    with pytest.raises(InputError, match=r"correct\.empty"):
        studio.corrections.add(make_run().id, turns, answer)


@pytest.mark.drawn("judged")
def test_a_run_that_goes_on_with_them_says_whether_they_hold_and_what_was_right_still_is(
    studio: Studio, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {f"How much is {thing}?": f"It costs {price} pounds." for thing, price in PRICES.items()}
    file = tmp_path / "prices.json"
    file.write_text(json.dumps([{"question": asked, "answer": answer} for asked, answer in facts.items()]), encoding="utf-8")
    first = studio.runs.create("starter", str(file), "facts", {"report": False, "validation_share": 0.0, "num_train_epochs": 24})
    assert train(first, studio.shared.store, Resident()).status == "finished"
    with pytest.raises(InputError, match=r"correct\.none"):
        studio.corrections.learn(first.id)
    asked = next(iter(facts))
    for prompt, answer in ((asked, facts[asked]), ("Who sews the dresses?", "Clara Finch does.")):
        assert main.main(["correct", first.id, "--prompt", prompt, "--answer", answer, "--json"]) == 0
        kept = json.loads(capsys.readouterr().out)
    assert kept["count"] == 2 == studio.corrections.waiting(first.id)
    idle = ["--set", "learning_rate=1e-9", "--set", "max_steps=1", "--set", "report=true"]
    assert main.main(["train", "--continue", first.id, "-d", kept["data"], *idle, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert studio.corrections.waiting(first.id) == 0
    second = studio.shared.store.find(made["run"], LOCAL).spec()
    assert (second.continues, second.settings.validation_share, second.settings.max_samples) == (first.id, 0, 2 + rehearsal.LEAST)
    found = made["evaluation"]["corrected"]
    assert (found["held"], found["of"]) == (1, 2), "one was right before, and nothing was learned"
    assert 4 <= found["right"] == found["kept"] <= len(facts) - 1
    assert "1 of 2" in report_view.spoken(made["evaluation"], "en")["verdict"]
    assert "1 su 2" in report_view.spoken(made["evaluation"], "it")["verdict"]
    assert not list(studio.shared.store.find(made["run"], LOCAL).folder.glob(".before-*"))


def test_what_is_corrected_after_that_is_added_to_it(make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run()
    one = studio.corrections.add(run.id, question("Do you deliver?"), "By bike.")
    again = make_run(data=one["data"])
    two = studio.corrections.add(again.id, question("Do you bake?"), "Only bread.")
    assert two["count"] == 2 and two["name"] == "rows.json: 2 corrected answers"
    assert studio.data.users(one["data"]) and one["data"] in {entry["id"] for entry in studio.data.list()}
