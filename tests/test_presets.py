"""Every preset file is read, and every mistake in one is named with file and key."""

import pathlib
from typing import Any

import pytest
import yaml

from tuning import presets, settings
from tuning.errors import InputError
from tuning.schema import DatasetCard, ModelCard, Recipe, TrainSettings

FILES = sorted(settings.PRESETS.glob("*/*.yaml"))
KINDS: dict[str, Any] = {"models": ModelCard, "recipes": Recipe, "datasets": DatasetCard}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_is_valid(path: pathlib.Path) -> None:
    card = presets.read(path, KINDS[path.parent.name])
    assert card.id


def test_numbers_as_people_write_them() -> None:
    asked = yaml.safe_load("learning_rate: 2e-4")  # YAML 1.1 reads this as a string
    assert presets.parse_settings(TrainSettings(), asked, "x.yaml").learning_rate == 2e-4


def test_open_maps_are_merged_by_key() -> None:
    base = presets.parse_settings(TrainSettings(), {"sft": {"logging_steps": 5}}, "x.yaml")
    changed = presets.parse_settings(base, {"sft.weight_decay": 0.1, "lora.use_rslora": True}, "--set")
    assert changed.sft == {"logging_steps": 5, "weight_decay": 0.1}
    assert changed.lora == {"use_rslora": True}


@pytest.mark.parametrize(
    ("changes", "code", "key"),
    [
        ({"lora_rank": 4}, "settings.unknown", "lora_rank"),
        ({"learning_rate": "fast"}, "settings.value", "learning_rate"),
        ({"num_train_epochs": 0}, "settings.value", "num_train_epochs"),
        ({"precision": "bf8"}, "settings.value", "precision"),
        ({"device": "tpu"}, "settings.value", "device"),
        ({"gradient_checkpointing": "every_0"}, "settings.value", "gradient_checkpointing"),
        ({"target_modules": 3}, "settings.value", "target_modules"),
        ({"seed": -1}, "settings.value", "seed"),
    ],
)
def test_a_bad_setting_is_named(changes: dict[str, Any], code: str, key: str) -> None:
    with pytest.raises(InputError) as caught:
        presets.parse_settings(TrainSettings(), changes, "--set")
    assert (caught.value.code, caught.value.params["key"]) == (code, key)


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError) as caught:
        presets.parse_settings(TrainSettings(), {"learning_rat": 1e-4}, "--set")
    assert caught.value.params["nearest"] == "learning_rate"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("title: [", "preset.yaml"),
        ("- a\n- b\n", "preset.yaml"),
        ("title: {en: a, it: b}\n", "preset.missing"),
        ("title: {en: a, it: b}\nwhy: {en: a, it: b}\nsettings: {lora_rank: 3}\n", "settings.unknown"),
        ("title: {en: a, it: b}\nwhy: {en: a, it: b}\nmodle: x\n", "settings.unknown"),
    ],
)
def test_a_bad_file_is_named(tmp_path: pathlib.Path, text: str, code: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        presets.read(path, Recipe)
    assert caught.value.code == code
    assert "mine.yaml" in str(caught.value.params)
