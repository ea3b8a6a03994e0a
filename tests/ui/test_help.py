"""The buttons out of trouble and the knobs as HTML: said in both languages, safe, and what a press sends is what is meant."""

import html
import json
import re
import shlex
from typing import Any

import pytest

from tuning import presets, settings
from tuning.cli import main, options
from tuning.schema import TrainSettings
from tuning.text import LANGUAGES, t
from tuning.ui import form
from tuning.ui.draw import offers as help

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "batch": ({"batch": 1, "accumulation": 16}, {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 16}),
    "adapter": ({}, {"method": "lora"}),
    "nf4": ({}, {"quantization": "nf4"}),
    "shorter": ({"length": 512, "cut": 3}, {"max_length": 512}),
    "rank": ({"rank": 4, "alpha": 8}, {"lora_r": 4, "lora_alpha": 8}),
    "targets": ({"targets": "c_attn"}, {"target_modules": ["c_attn"]}),
    "model": ({"model": "Qwen2.5 1.5B"}, {"model": "Qwen/Qwen2.5-1.5B"}),
    "cpu": ({}, {"device": "cpu"}),
    "card": ({}, {"device": "auto"}),
    "epochs": ({"epochs": 2, "of": 10.0}, {"num_train_epochs": 2}),
    "rows": ({"rows": 1000, "of": 20000}, {"max_samples": 1000}),
}
TOGETHER = {"steps": [{"code": f"help.{name}", "params": KINDS[name][0]} for name in ("shorter", "rank")]}
KINDS["together"] = (TOGETHER, {"max_length": 512, "lora_r": 4, "lora_alpha": 8})
ENTRIES = [
    {"id": "starter", "title": "Starter", "fits": True, "parameters": 4e6},
    {"id": "Qwen/Qwen2.5-7B", "title": "Qwen2.5 7B", "fits": False, "parameters": 7.6e9},
    {"id": "Qwen/Qwen2.5-1.5B", "title": "Qwen2.5 1.5B", "fits": True, "parameters": 1.5e9},
    {"id": "distilbert/distilgpt2", "title": "DistilGPT2", "fits": True, "parameters": 82e6},
]
MODELS = [{**entry, "predicted_peak_bytes": 7 * 2**30, "available_bytes": 8 * 2**30} for entry in ENTRIES]
RECIPE = presets.recipes(settings.PRESETS)["facts"].settings.model_dump()


def offer(name: str, **changes: Any) -> dict[str, Any]:
    params, made = KINDS[name]
    facts = {"predicted_peak_bytes": 7 * 2**30, "available_bytes": 8 * 2**30, "seconds": 2400.0, "suffices": True, "advised": False}
    return {"code": f"help.{name}", "params": params, "changes": made, **facts, **changes}


def pressed(drawn: str, action: str) -> list[str]:
    return [html.unescape(value) for value in re.findall(rf'data-do="{action}" data-value="([^"]*)"', drawn)]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", KINDS)
def test_every_way_out_has_words_and_figures_and_sends_its_changes(name: str, lang: str) -> None:
    drawn = help.way(offer(name), "memory", lang)
    said = html.unescape(re.sub(r"<[^>]*>", " ", drawn))
    assert "help." not in said and "{" not in said and "7 GB" in said and "40 min" in said
    (value,) = pressed(drawn, "mend")
    assert json.loads(value) == KINDS[name][1]


def test_numbers_are_the_language_s() -> None:
    assert "1,000" in help.words(offer("rows"), "en") and "1.000" in help.words(offer("rows"), "it")
    assert help.words(offer("epochs"), "en").endswith("2 instead of 10")
    assert "3%" in help.words(offer("shorter"), "en") and "512" in help.words(offer("together"), "it")


@pytest.mark.parametrize("name", [name for name in KINDS if name != "model"])
def test_the_line_to_copy_is_taken_by_the_command_line(name: str) -> None:
    words = shlex.split(f"plan {help.options(offer(name)['changes'])}")
    changes = main._pairs(options.parser().parse_args(words).changes, "--set")
    taken = presets.parse_settings(TrainSettings(), changes, "--set")[0].model_dump()
    assert taken.items() >= KINDS[name][1].items()


def test_a_model_to_copy() -> None:
    words = shlex.split(f"plan {help.options(offer('model')['changes'])}")
    assert options.parser().parse_args(words).model == "Qwen/Qwen2.5-1.5B"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_advised_one_and_those_that_do_not_suffice_are_told_apart_in_words(lang: str) -> None:
    offers = [offer("nf4", advised=True), offer("model"), offer("rank", suffices=False)]
    plan = {"cause": "memory", "offers": offers, "predicted_peak_bytes": 2**33, "available_bytes": 2**32, "seconds": 1.0}
    drawn = help.before(plan, lang)
    assert [json.loads(value) for value in pressed(drawn, "mend")] == [one["changes"] for one in offers]
    assert drawn.count('class="mark"') == 1 and drawn.count('class="mark less"') == 1
    short = help.before(plan, lang, most=1)
    assert len(pressed(short, "mend")) == 1 and pressed(short, "tab") == ["train"]
    assert help.before({"cause": None, "offers": []}, lang) == help.before(None, lang) == ""
    hopeless = help.before({**plan, "offers": []}, lang)
    assert hopeless and "data-do" not in hopeless


def test_what_comes_from_elsewhere_is_escaped() -> None:
    evil = '"><img src=x onerror=alert(1)>${1}`'
    drawn = help.way(offer("model", params={"model": evil}, changes={"model": evil}), "slow", "en")
    drawn += help.instead("model.gated", {"model": evil, "page": f"https://hub/{evil}", "other": "Qwen/Qwen2.5-1.5B"}, MODELS, "en")
    run = {"name": evil, "state": {"seconds_left": 1.0, "finishing": None}, "spec": {"forecast": {"seconds": 1.0}}, "stop_requested": False}
    drawn += help.after(run, {"cause": "slow", "offers": []}, "en") + help.after(run, {"cause": "memory", "offers": []}, "en")
    assert "<img" not in drawn and "${" not in drawn and "`" not in drawn
    drawn = help.instead("model.private", {"model": "a/b", "page": "javascript:alert(1)", "other": ""}, MODELS, "en")
    assert "href" not in drawn


@pytest.mark.parametrize("lang", LANGUAGES)
def test_missing_private_and_gated_models_have_each_their_buttons(lang: str) -> None:
    params = {"model": "Qwen/Qwen25-1.5B", "page": "https://hub/Qwen/Qwen25-1.5B", "other": "distilbert/distilgpt2"}
    ways = {code: help.instead(f"model.{code}", params, MODELS, lang) for code in ("missing", "private", "gated")}
    assert pressed(ways["missing"], "instead") == ["Qwen/Qwen2.5-1.5B", "distilbert/distilgpt2"] and "href" not in ways["missing"]
    assert pressed(ways["private"], "instead") == ["Qwen/Qwen2.5-1.5B", "distilbert/distilgpt2"] and "href" in ways["private"]
    assert pressed(ways["gated"], "instead") == ["distilbert/distilgpt2"] and "https://hub/Qwen/Qwen25-1.5B" in ways["gated"]
    assert help.instead("model.offline", params, MODELS, lang) == ""


def test_instead_of_a_model_that_does_not_fit_comes_the_nearest_that_does() -> None:
    assert help.open_one("Qwen/Qwen2.5-7B", MODELS) == MODELS[2]
    assert help.open_one("distilbert/distilgpt2", MODELS) == MODELS[3]
    assert help.open_one("nobody/knows", MODELS) is None


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("qwen/qwen2.5-1.5b", 2), ("Qwen/Qwen2.5-1.5", 2), ("Qwen/Quen2.5-7B", 1), ("distilbert/distilgpt-2", 3),
        ("someone/distilgpt2", 3), ("sarti/minuscolo-it", None), ("a/b", None),
    ],
)  # fmt: skip
def test_a_name_that_is_close_to_a_known_one(wanted: str, meant: int | None) -> None:
    assert help.misspelt(wanted, MODELS) == (None if meant is None else MODELS[meant])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_recipe_says_what_this_machine_changes_in_it(lang: str) -> None:
    changed = {"code": "plan.precision_cpu", "params": {"precision": "bf16"}}
    found = {"fits": False, "predicted_peak_bytes": 2**34, "available_bytes": 2**33, "changed": [changed], "error": None}
    assert help.suits(found, True, lang).count("<span") == 2 and "16 GB" in help.suits(found, True, lang)
    assert "16 GB" not in help.suits(found, False, lang) and "bf16" in help.suits(found, False, lang)
    assert help.suits({**found, "fits": True, "changed": []}, True, lang) == ""
    refused = {**found, "fits": None, "changed": [], "error": {"code": "plan.no_device", "params": {"device": "cuda:3", "count": 1}}}
    assert "cuda:3" in help.suits(refused, True, lang)


# Knobs


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_knob_is_a_setting_that_takes_its_values_and_is_explained(lang: str) -> None:
    told = form.Told({}, RECIPE)
    drawn = form.first(told, lang) + form.folded(told, ["cuda:0", "cuda:1", "mps"], lang)
    assert sorted(re.findall(r'data-key="([^"]*)"', drawn)) == sorted(form.KNOBS)
    assert len(set(re.findall(r'id="([^"]*)"', drawn))) == 2 * len(form.KNOBS)
    for key, knob in form.KNOBS.items():
        part = drawn[drawn.index(f'id="knob-{key}"') :]
        values = re.findall(r'<option value="([^"]*)"', part[: part.index("</select>")])
        assert ("…" in values) == knob.typed and ("cuda:1" in values) == (key == "device")
        for value in values:
            if value != "…":
                presets.parse_settings(TrainSettings(), {key: form.parse(value, "en")}, "--set")
    assert drawn.count(" selected") == len(form.KNOBS)
    for key in ("lora_r", "lora_alpha", "target_modules", "lora_dropout", "learning_rate", "lr_scheduler_type", "warmup_ratio"):
        assert f'<details data-fold="{key}">' in drawn


@pytest.mark.parametrize(("turned", "shown"), [({}, "16"), ({"lora_r": 12}, "12"), ({"lora_r": 8}, "8")])
def test_a_knob_shows_what_is_wanted_and_offers_the_recipe_s_value_still(turned: dict[str, Any], shown: str) -> None:
    drawn = form.first(form.Told(turned, RECIPE), "en")
    part = drawn[drawn.index('id="knob-lora_r"') :]
    part = part[: part.index("</select>")]
    assert re.findall(r'value="([^"]*)" selected', part) == [shown] and 'value="16"' in part
    numbers = [float(value) for value in re.findall(r'<option value="(\d+)"', part)]
    assert numbers == sorted(numbers)


def test_where_a_value_comes_from() -> None:
    plan = {**RECIPE, "learning_rate": 0.0025}
    told = form.Told({"lora_r": 8}, RECIPE, plan)
    assert form.source("lora_r", told, "en") == "set by you"
    assert form.source("lora_alpha", told, "en") == "from the recipe"
    assert form.source("learning_rate", told, "it") == "0,0025: deciso dal piano"
    assert form.source("learning_rate", form.Told({}, RECIPE), "en") == "the plan decides"
    assert form.source("lora.use_dora", form.Told({"lora.use_dora": True}, RECIPE), "en") == "set by you"


def test_an_optimizer_that_the_plan_has_taken_is_no_recipe_s() -> None:
    plan = {**RECIPE, "sft": {"optim": "adamw_8bit"}}
    assert form.source("sft.optim", form.Told({}, RECIPE, plan), "en") == "AdamW, 8 bit: decided by the plan"
    assert form.source("sft.optim", form.Told({}, RECIPE, RECIPE), "en") == "from the recipe"
    assert form.source("sft.optim", form.Told({"sft.optim": "sgd"}, RECIPE, plan), "en") == "set by you"


def test_a_setting_is_only_left_out_where_it_is_what_the_libraries_take_anyway() -> None:
    said = {"sft.max_grad_norm": 0, "sft.dataloader_pin_memory": False, "sft.weight_decay": 0, "sft.optim": "adamw_torch_fused"}
    assert form.differing(said, RECIPE) == {"sft.max_grad_norm": 0, "sft.dataloader_pin_memory": False}
    assert all(key in form.UNSAID for key in form.KNOBS if "." in key)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_layers_are_named_by_hand_and_those_of_the_model_stand_beside(lang: str) -> None:
    drawn = form.folded(form.Told({"target_modules": ["q_proj", "v_proj"]}, RECIPE, layers=["q_proj", "<b>"]), [], lang)
    assert "q_proj, &lt;b&gt;" in drawn and '<option value="q_proj,v_proj" selected>q_proj,v_proj</option>' in drawn
    assert form.parse("q_proj, v_proj", lang) == "q_proj, v_proj"


def test_where_the_whole_model_is_trained_the_adapter_s_knobs_are_out_of_use() -> None:
    told = form.Told({"method": "full"}, RECIPE)
    drawn = form.first(told, "en") + form.folded(told, [], "en")
    for key in form.KNOBS:
        part = drawn[drawn.index(f'id="knob-{key}"') :]
        off = key.split(".")[0] in ("lora_r", "lora_alpha", "lora_dropout", "target_modules", "lora")
        assert (" disabled>" in part[: part.index(">") + 1]) is off, key
        assert (t("en", "ui.train.from.unused") in part[: part.index("</p></div>")]) is off, key
    assert "disabled" not in form.first(form.Told({}, RECIPE), "en")


@pytest.mark.parametrize(("finishing", "stopping"), [("measuring", False), (None, True)])
def test_a_run_that_is_about_to_end_is_not_called_late(finishing: str | None, stopping: bool) -> None:
    state = {"seconds_left": 900.0, "finishing": None}
    run = {"name": "mine", "state": state, "spec": {"forecast": {"seconds": 60.0}}, "stop_requested": False}
    found = {"cause": "slow", "offers": []}
    assert "15 min" in help.after(run, found, "en")
    assert help.after(run | {"state": state | {"finishing": finishing}, "stop_requested": stopping}, found, "en") == ""
