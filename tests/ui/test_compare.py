"""Two runs side by side: what differs and nothing else, both curves told apart, and one sentence that is fair."""

import json
import pathlib
import re
from dataclasses import asdict
from typing import Any

import pytest

from tests import folders
from tests.ui.test_report import FOUND
from tuning import settings
from tuning.runs.differences import differences, thin
from tuning.runs.evaluation import verdict
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import t
from tuning.ui.draw import comparison, history, pictures, progress
from tuning.ui.draw.curves.curve_look import CurveLook, decades, smoothed
from tuning.ui.draw.history import Names

NAMES = Names({"starter-en": "A tailor's shop"}, {"facts": "Teach facts"})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    studio = Studio(settings.Settings(home=tmp_path_factory.mktemp("home")), LOCAL)
    first = folders.make(studio, "warm", 30, eval_loss=1.25)
    second = folders.make(studio, "cold <i>", 50, {"lora_r": 4, "sft": {"weight_decay": 0.1}, "max_length": 1024}, eval_loss=0.5)
    return studio.runs.show(first.id), studio.runs.show(second.id)


def test_only_what_differs_is_listed(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = pair
    found = {key: (one, other) for key, one, other in differences(first["spec"], second["spec"])}
    assert found["lora_r"] == (16, 4) and found["sft.weight_decay"] == (None, 0.1) and found["max_steps"] == (30, 50)
    assert not {"model", "data", "recipe", "seed", "versions.torch", "lora_alpha"} & found.keys()
    assert differences(first["spec"], first["spec"]) == []


def test_versions_and_data_count_too(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, _ = pair
    other = {**first["spec"], "versions": {"torch": "9.9"}, "data": {**first["spec"]["data"], "name": "b.csv", "sha256": "f" * 64}}
    keys = [key for key, _, _ in differences(first["spec"], other)]
    assert keys[:2] == ["data", "data_content"] and "versions.torch" in keys and "train_rows" not in keys


@pytest.mark.parametrize("lang", ["en", "it"])
def test_the_comparison_shows_curves_figures_and_settings(pair: tuple[dict[str, Any], dict[str, Any]], lang: str) -> None:
    drawn = comparison.together(pair, NAMES, lang)
    assert drawn.count("<polyline") == 4 and all(f'class="{kind} {side}"' in drawn for kind in ("training", "validation") for side in "ab")
    assert "cold &lt;i&gt;" in drawn and "cold <i>" not in drawn
    table = drawn[drawn.rindex("<table") :]
    assert (
        ("Rank" if lang == "en" else "Rango") in table
        and ("Weight decay" if lang == "en" else "Decadimento dei pesi") in table
        and "Alpha" not in table
    )
    assert ("“cold &lt;i&gt;” is better" if lang == "en" else "va meglio «cold &lt;i&gt;»") in drawn


@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_setting_without_a_limit_is_a_word_and_no_raw_number(pair: tuple[dict[str, Any], dict[str, Any]], lang: str) -> None:
    first, second = pair
    free = {**first, "spec": {**first["spec"], "settings": {**first["spec"]["settings"], "max_steps": -1}}}
    drawn = comparison.settings([free, second], NAMES, lang)
    assert t(lang, "ui.choice.max_steps.-1") in drawn and ">50<" in drawn
    assert not re.search(r"[>\s][-−]1<", drawn), drawn


def test_the_sentence_is_fair(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = pair
    assert "data differ" not in comparison.chart(pair, "en")
    moved = {**second, "spec": {**second["spec"], "data": {**second["spec"]["data"], "sha256": "0"}}}
    assert "data differ" in comparison.chart((first, moved), "en")
    assert "both ended" in comparison.chart((first, {**second, "eval_loss": 1.2501}), "en")
    assert "not measured" in comparison.chart((first, {**second, "eval_loss": None}), "en")


def test_the_same_twice_differs_in_nothing(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert "<table" not in comparison.settings((pair[0], pair[0]), NAMES, "en")


def test_a_run_with_a_report_has_one_held_out_loss_wherever_it_stands(tmp_path: pathlib.Path) -> None:
    """The evaluations on the way look at some of the held-out rows, and the report at all."""
    studio = Studio(settings.Settings(home=tmp_path), LOCAL)
    with_report, without = folders.make(studio, "warm", 30), folders.make(studio, "cold", 30)
    (with_report.folder / verdict.FILE).write_text(json.dumps(FOUND), encoding="utf-8")
    run, other = studio.runs.show(with_report.id), studio.runs.show(without.id)
    assert (run["base_eval_loss"], run["eval_loss"]) == (5.7, 0.0219) and (other["base_eval_loss"], other["eval_loss"]) == (5.6, 1.1)
    listed = history.listing(studio.runs.list(), history.Look(), None, NAMES, studio.runs.glimpse, "en")
    places = [progress.live(run, "en"), progress.summary(run, "en"), comparison.figures([run, run], "en"), listed]
    assert [("5.70" in place, "5.60" in place) for place in places] == [(True, False)] * 3 + [(True, True)]
    for place in (progress.live(run, "en"), comparison.together([run, run], NAMES, "en")):
        assert {*re.findall(r"1\.02\d*|(?<=[ >])1\.0(?=[ <])", place)} == {"1.02"}, "a perplexity is written in one way"
    with_report.write_state(with_report.state().model_copy(update={"status": "interrupted"}))
    later = studio.runs.show(with_report.id)
    assert (later["base_eval_loss"], later["eval_loss"]) == (5.6, 1.1), "it has learned since its report"


def test_a_run_without_points_has_no_curve(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    empty = {**pair[0], "metrics": []}
    assert "<svg" not in comparison.chart((empty, empty), "it") and comparison.chart((empty, pair[1]), "it").count("<polyline") == 2


def test_up_to_five_are_held_against_each_other(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = pair
    ranks = [{**second, "name": f"rank {r}", "eval_loss": 0.5 + r, "spec": changed(second["spec"], lora_r=r)} for r in (1, 2, 3)]
    five = [first, second, *ranks]
    drawn = comparison.together(five, NAMES, "en")
    assert "5 runs side by side" in drawn and drawn.count("<polyline") == 10
    assert all(f'class="training {side}"' in drawn for side in "abcde")
    (row,) = [values for key, *values in differences(*(run["spec"] for run in five)) if key == "lora_r"]
    assert row == [16, 4, 1, 2, 3] and "lora_alpha" not in {key for key, *_ in differences(*(run["spec"] for run in five))}
    assert drawn[drawn.rindex("<table") :].count('<th scope="col">') == 6
    assert "“cold &lt;i&gt;” is best" in drawn and "1.25 to 3.50" in drawn


def changed(spec: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {**spec, "settings": {**spec["settings"], **settings}}


def marks(drawn: str) -> list[str]:
    return re.findall(r'<span class="y"[^>]*>([^<]*)<', drawn)


def steps(drawn: str) -> list[str]:
    return re.findall(r'<span class="x"[^>]*>([^<]*)<', drawn)


def test_a_curve_is_looked_at_smoothed_in_a_window_and_by_the_logarithm(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, _ = pair  # thirty steps
    plain = pictures.curve(first["metrics"], 100, "en", CurveLook())
    assert steps(plain) == ["0", "50", "100"] and "raw" not in plain and plain.count('aria-pressed="true"') == 2
    assert "aria-pressed" not in pictures.curve(first["metrics"], 100, "en")
    window = pictures.curve(first["metrics"], 100, "en", CurveLook(window=50))
    assert steps(window) == ["15", "22", "30"]
    even = pictures.curve(first["metrics"], 100, "en", CurveLook(smooth=90))
    assert even.count("<polyline") == plain.count("<polyline") + 1 and 'class="training raw"' in even
    log = pictures.curve([{"step": n, "loss": 5 / 10**n} for n in range(4)], 4, "it", CurveLook(log=True))
    assert marks(log) == ["0,001", "0,010", "0,100", "1,000", "10,000"]
    (line,) = re.findall(r'class="training" points="([^"]*)"', log)
    heights = [float(point.split(",")[1]) for point in line.split()]
    assert heights[1] - heights[0] == pytest.approx(heights[3] - heights[2], abs=0.2)  # each a tenth of the one before
    both = comparison.chart(pair, "en", CurveLook(window=20))
    assert steps(both) == ["40", "45", "50"] and 'points=""' not in both


def test_a_smoothed_line_begins_where_it_begins_and_ends_near_what_it_comes_to() -> None:
    assert smoothed([(1, 4.0), (2, 2.0)], 50) == [(1, 4.0), (2, pytest.approx(8 / 3))]
    even = [y for _, y in smoothed([(n, 1.0 + n % 2) for n in range(400)], 98)]
    assert even[0] == 1.0 and even[-1] == pytest.approx(1.5, abs=0.02)
    assert smoothed([(1, 4.0), (2, 2.0)], 0) == [(1, 4.0), (2, 2.0)]


@pytest.mark.parametrize("said", [None, 3, [], {"smooth": True, "window": "50", "log": 1}, {"smooth": 61, "window": 0}, {"window": {}}])
def test_what_a_page_says_of_a_look_may_be_anything(said: object) -> None:
    assert CurveLook.of(said) == CurveLook()


def test_a_press_turns_one_thing_and_nothing_else_does() -> None:
    look = CurveLook().turned("smooth:90").turned("log:").turned("window:20")
    assert look == CurveLook(90, True, 20) == CurveLook.of(asdict(look)) and look.turned("log:") == CurveLook(90, False, 20)
    for odd in ("smooth:91", "window:90", "smooth:-1", "window:", "", "x:90", "smooth:" + "9" * 5000, "smooth:\u0669"):
        assert look.turned(odd) == look


def test_a_logarithmic_axis_has_marks_below_and_above() -> None:
    assert decades(0.3, 4.0) == [0.2, 0.5, 1, 2, 5]
    assert decades(1.0, 1.0)[0] == 1.0 and len(decades(1.0, 1.0)) >= 2
    assert decades(1e-6, 9.0) == [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10]


def test_two_points_are_the_fewest() -> None:
    points = [(float(x), float(x)) for x in range(10)]
    assert thin(points, 2) == [points[0], points[-1]]
