"""What is advised for a goal on a card of some size: nothing that does not fit stands above something that does."""

import math
import pathlib
import shutil
from typing import Any

import pytest

from tuning.errors import InputError
from tuning.studio import Studio
from tuning.text import say

NAMED = {
    "quick": ["microsoft/phi-2", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "HuggingFaceTB/SmolLM-360M"],
    "italian": ["Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-1.5B", "Qwen/Qwen2-7B"],
    "quality": ["Qwen/Qwen2.5-7B", "microsoft/phi-2", "Qwen/Qwen2-7B"],
    "memory": ["Qwen/Qwen2.5-1.5B", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "HuggingFaceTB/SmolLM-1.7B"],
    "writing": ["Qwen/Qwen2.5-7B", "microsoft/phi-2"],
    "research": ["microsoft/phi-2", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"],
}
SIZES = (80, 24, 16, 12, 8, 6, 4)


@pytest.mark.parametrize("goal", [*NAMED, "chatbot", "code", None])
@pytest.mark.parametrize("gigabytes", SIZES)
def test_what_fits_stands_above_what_does_not(studio: Studio, goal: str | None, gigabytes: float) -> None:
    fits = [entry["fits"] for entry in studio.models.list(goal, gigabytes)]
    assert fits == sorted(fits, reverse=True)


@pytest.mark.parametrize("goal", NAMED)
@pytest.mark.parametrize("gigabytes", SIZES)
def test_the_named_models_keep_their_order_among_what_fits(studio: Studio, goal: str, gigabytes: float) -> None:
    fitting = [entry["id"] for entry in studio.models.list(goal, gigabytes) if entry["fits"]]
    named = [name for name in NAMED[goal] if name in fitting]
    assert [name for name in fitting if name in named] == named


def test_italian_gets_the_largest_good_model_with_room_to_spare(studio: Studio) -> None:
    first: dict[str, Any] = studio.models.list("italian", 24)[0]
    assert 7e9 <= first["parameters"] <= 9.5e9
    for gigabytes in (12, 8):
        entries = studio.models.list("italian", gigabytes)
        roomy = [entry for entry in entries if entry["italian"] in ("good", "excellent") and entry["fit"] == "comfortable"]
        assert roomy and entries[0]["parameters"] == max(entry["parameters"] for entry in roomy)


def test_an_unknown_goal_is_named(studio: Studio) -> None:
    with pytest.raises(InputError) as caught:
        studio.models.list("poetry")
    assert caught.value.code == "model.goal"


def test_every_model_can_be_planned_without_a_weight(studio: Studio) -> None:
    for entry in studio.models.list():
        for gigabytes in (24, 12, 8):
            planned = studio.plans.plan(entry["id"], "starter-en", "facts", {}, gigabytes)
            assert planned["predicted_peak_bytes"] > planned["parts"]["weights"] > 0
    assert not (studio.settings.home / "models").exists()


def test_a_model_whose_files_are_not_here_is_planned_for_and_not_started(studio: Studio) -> None:
    assert studio.plans.plan("Qwen/Qwen2.5-1.5B", "starter-en")["notices"][0]["code"] == "model.offline"
    with pytest.raises(InputError) as caught:
        studio.runs.create("Qwen/Qwen2.5-1.5B", "starter-en")
    assert caught.value.code == "model.offline" and "Qwen2.5-1.5B" in caught.value.params["model"]
    assert studio.runs.list() == []
    with pytest.raises(InputError):
        studio.talk.question("Qwen/Qwen2.5-1.5B", [{"role": "user", "content": "Ciao"}])


def test_a_copied_folder_takes_the_place_of_a_download(studio: Studio, tiny_model: pathlib.Path) -> None:
    shutil.copytree(tiny_model, studio.settings.home / "models" / "Qwen--Qwen2.5-1.5B")
    assert next(entry for entry in studio.models.list() if entry["id"] == "Qwen/Qwen2.5-1.5B")["here"]
    assert studio.runs.create("Qwen/Qwen2.5-1.5B", "starter-en").spec().model.id == "Qwen/Qwen2.5-1.5B"


@pytest.mark.parametrize("size", [0, -1, 1e308, 10**400, math.nan, math.inf, "8", [8], True])
def test_a_card_of_no_size_is_told(studio: Studio, size: Any) -> None:
    for ask in (lambda: studio.models.list(None, size), lambda: studio.plans.plan("starter", "starter-en", gpu_memory=size)):
        with pytest.raises(InputError) as caught:
            ask()
        assert caught.value.code == "plan.gpu_memory" and say("it", caught.value.code, caught.value.params)
