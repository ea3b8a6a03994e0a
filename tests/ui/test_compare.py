"""Two runs side by side: what differs and nothing else, both curves told apart, and one sentence that is fair."""

from typing import Any

import pytest

from tests import folders
from tuning import settings
from tuning.runs.differences import differences, thin
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.ui.draw import comparison
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
    drawn = comparison.together(*pair, NAMES, lang)
    assert drawn.count("<polyline") == 4 and all(f'class="{kind} {side}"' in drawn for kind in ("training", "validation") for side in "ab")
    assert "cold &lt;i&gt;" in drawn and "cold <i>" not in drawn
    table = drawn[drawn.rindex("<table") :]
    assert ("Rank" if lang == "en" else "Rango") in table and "sft.weight_decay" in table and "Alpha" not in table
    assert ("“cold &lt;i&gt;” is better" if lang == "en" else "va meglio «cold &lt;i&gt;»") in drawn


def test_the_sentence_is_fair(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = pair
    assert "data differ" not in comparison.chart(pair, "en")
    moved = {**second, "spec": {**second["spec"], "data": {**second["spec"]["data"], "sha256": "0"}}}
    assert "data differ" in comparison.chart((first, moved), "en")
    assert "both ended" in comparison.chart((first, {**second, "eval_loss": 1.2501}), "en")
    assert "not measured" in comparison.chart((first, {**second, "eval_loss": None}), "en")


def test_the_same_twice_differs_in_nothing(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert "<table" not in comparison.settings((pair[0], pair[0]), NAMES, "en")


def test_a_run_without_points_has_no_curve(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    empty = {**pair[0], "metrics": []}
    assert "<svg" not in comparison.chart((empty, empty), "it") and comparison.chart((empty, pair[1]), "it").count("<polyline") == 2


def test_two_points_are_the_fewest() -> None:
    points = [(float(x), float(x)) for x in range(10)]
    assert thin(points, 2) == [points[0], points[-1]]
