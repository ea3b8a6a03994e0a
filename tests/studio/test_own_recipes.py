"""Recipes of one's own: kept for their owner alone, the same as a file, and held against what a machine allows."""

from typing import Any

import gradio as gr
import pytest
import yaml

from tuning import presets, settings
from tuning.errors import InputError
from tuning.schema import Recipe, TrainSettings
from tuning.studio import Studio
from tuning.ui.desk import Desk
from tuning.ui.slip import Order

CHANGES = {"lora_r": 4, "sft.weight_decay": 0.1, "max_samples": 30, "target_modules": "q_proj,v_proj"}


def fault(studio: Studio, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        studio.recipes.take(text, "mine.yaml")
    return caught.value


def test_settings_are_kept_as_a_recipe_that_every_verb_knows(studio: Studio) -> None:
    kept = studio.plans.save("facts", CHANGES, "  Prezzi <b> ")
    assert kept.id == "own-prezzi-b" and kept.title.it == "Prezzi <b>"
    (mine,) = [one for one in studio.plans.recipes() if one["id"].startswith("own-")]
    assert mine == kept.model_dump() and studio.plans.settings_for(kept.id, {})["lora_r"] == 4
    other = studio.plans.settings_for("facts", CHANGES)
    assert mine["settings"] == other
    for name, code in (("prezzi  <b>", "recipe.taken"), (" ", "recipe.no_name")):
        with pytest.raises(InputError, match=code):
            studio.plans.save("facts", {}, name)
    studio.recipes.delete(kept.id)
    assert not studio.recipes.all()


def test_a_recipe_is_the_same_as_a_file(studio: Studio) -> None:
    kept = studio.plans.save("style", CHANGES, "Prezzi")
    text = studio.recipes.write(kept.id)
    said = yaml.safe_load(text)
    assert said["title"] == "Prezzi" and said["settings"]["sft"] == {"weight_decay": 0.1} and "seed" not in said["settings"]
    studio.recipes.delete(kept.id)
    assert studio.recipes.take(text, "mine.yaml") == kept
    assert [*studio.orders.read(f"recipe: {kept.id}", "x.yaml", "en").changes] == []


def test_every_recipe_that_came_with_the_app_may_be_brought_as_a_file(studio: Studio) -> None:
    for path in sorted((settings.PRESETS / "recipes").glob("*.yaml")):
        there, _ = presets.read(path, Recipe)
        kept = studio.recipes.take(path.read_text(encoding="utf-8"), path.name)
        assert kept == there.model_copy(update={"id": kept.id})
        assert (
            studio.recipes.take(studio.recipes.write(kept.id).replace(kept.title.en, f"{kept.title.en} 2"), "again.yaml").settings
            == there.settings
        )


def test_what_a_file_says_of_its_purpose_is_kept(studio: Studio) -> None:
    kept = studio.recipes.take("title: Prezzi\nwhy: {en: For prices., it: Per i prezzi.}\nsettings: {lora_r: 4}", "mine.yaml")
    text = studio.recipes.write(kept.id)
    studio.recipes.delete(kept.id)
    assert studio.recipes.take(text, "mine.yaml").why.it == "Per i prezzi."


def test_a_recipe_that_is_gone_is_chosen_no_more(studio: Studio) -> None:
    kept = studio.plans.save("facts", {}, "Prezzi")
    with gr.Blocks():
        desk = Desk(studio, "en")
    with desk.serving(None):
        assert desk.known(Order(recipe=kept.id)).recipe == kept.id
        studio.recipes.delete(kept.id)
        assert desk.known(Order(recipe=kept.id, limit=3)) == Order(limit=3)


def test_a_file_that_is_called_otherwise_than_its_recipe_is_none(studio: Studio) -> None:
    kept = studio.plans.save("facts", {}, "Prezzi")
    (path,) = studio.settings.home.glob("recipes/*/own-*.json")
    path.rename(path.with_name("own-other.json"))
    assert not studio.recipes.all()
    with pytest.raises(InputError, match=r"recipe\.unknown"):
        studio.recipes.delete(kept.id)


def test_what_is_another_s_is_unknown(studio: Studio) -> None:
    kept = studio.plans.save("facts", {}, "Prezzi")
    anna = studio.for_owner("anna")
    assert not anna.recipes.all()
    for verb in (anna.recipes.write, anna.recipes.delete, anna.plans.recipe):
        with pytest.raises(InputError, match=r"recipe\.unknown"):
            verb(kept.id)
    assert anna.plans.save("facts", {"lora_r": 2}, "Prezzi").id == kept.id and studio.recipes.all()[kept.id].settings.lora_r == 16


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("title: x\nsettings: {lora_rank: 4}", "settings.unknown", {"key": "settings.lora_rank", "where": "mine.yaml"}),
        ("title: x\nsettings: {sft: {push_to_hub: true}}", "settings.refused.hub", {"key": "sft.push_to_hub"}),
        ("title: x\nsettings: {sft: {weight_decay: 11}}", "settings.value", {"key": "sft.weight_decay"}),
        ("title: x\ncolour: red", "settings.unknown", {"key": "colour"}),
        ("title: 3", "settings.value", {"key": "title"}),
        ("title: {en: x}", "preset.missing", {"key": "title.it"}),
        ("title: ''", "recipe.no_name", {}),
        ("title: x\nwhy: [1]", "settings.value", {"key": "why"}),
        ("title: x\nsettings: 3", "settings.value", {"key": "settings"}),
    ],
)
def test_what_is_not_taken_is_named(studio: Studio, text: str, code: str, named: dict[str, Any]) -> None:
    found = fault(studio, text)
    assert found.code == code and named.items() <= found.params.items()
    assert not studio.recipes.all()


def test_what_a_machine_with_others_does_not_allow_is_no_recipe_either(studio: Studio) -> None:
    anna = Studio(settings.opened(settings.read(), ("prof",)), "anna")
    for key, value in (("report_to", "wandb"), ("run_name", "x")):
        found = fault(anna, f"title: x\nsettings: {{sft: {{{key}: {value}}}}}")
        assert (found.code, found.params) == ("settings.web", {"key": f"sft.{key}"})
    for number in range(50):
        anna.recipes.save(f"Recipe {number}", TrainSettings())
    assert fault(anna, "title: one more").code == "recipe.many"
