"""An order as a YAML file: what is saved is what is opened, on the page and in a terminal, and what is not taken is named by its key."""

import pathlib
from typing import Any

import pytest
import yaml

from tests.serve.test_hosted import SPACE
from tuning import settings
from tuning.cli.main import _read_spec
from tuning.errors import InputError
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import t

CHANGES = {"lora_r": 4, "learning_rate": 5e-5, "sft.weight_decay": 0.1, "sft.max_grad_norm": 0, "target_modules": ["q_proj", "v_proj"]}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A home in which the starter's data were read."""
    made = Studio(settings.Settings(home=tmp_path_factory.mktemp("home")), LOCAL)
    made.data.find("starter-en")
    return made


def own(studio: Studio) -> str:
    """The id of the data that are there."""
    return studio.shared.library.list(LOCAL)[0].id


def saved(studio: Studio, lang: str = "en", **changes: Any) -> str:
    return studio.orders.write("starter", own(studio), "style", {**CHANGES, **changes}, "Prices", lang)


def fault(studio: Studio, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        studio.orders.read(text, "mine.yaml", "en")
    return caught.value


@pytest.mark.parametrize("lang", ["en", "it"])
def test_what_is_saved_is_what_is_opened(studio: Studio, lang: str) -> None:
    text = saved(studio, lang, max_samples=20)
    found = studio.orders.read(text, "mine.yaml", lang)
    assert (found.model, found.recipe, found.name) == ("starter", "style", "Prices") and not found.notices
    assert found.data == own(studio)
    assert found.changes == {**CHANGES, "max_samples": 20}
    assert yaml.safe_load(text)["data"] == "starter-en"  # as it is called in every home
    assert text.startswith(f"# {t(lang, 'order.file.head')}")


def test_a_chat_template_stands_in_the_file_line_by_line(studio: Studio) -> None:
    template = "{% for message in messages %}\n{{ message.content }}: 'à'\n{% endfor %}\n"
    text = studio.orders.write(None, None, "facts", {"chat_template": template}, "", "en")
    assert "  chat_template: |\n    {% for message in messages %}\n" in text
    assert studio.orders.read(text, "mine.yaml", "en").changes == {"chat_template": template}


def test_the_same_file_says_the_same_to_the_command_line(studio: Studio, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "order.yaml"
    path.write_text(saved(studio), encoding="utf-8")
    told = _read_spec(str(path))
    assert told.pop("name") == "Prices"
    asked = {"model": "starter", "data": "starter-en", "recipe": "style"}
    assert studio.plans.plan(**told) == studio.plans.plan(**asked, settings=CHANGES)


def test_every_line_of_the_recipe_can_be_taken_up(studio: Studio) -> None:
    bare = studio.orders.write("starter", None, "facts", {}, "", "en")
    lines = bare.splitlines()
    at = next(number for number, line in enumerate(lines) if t("en", "order.file.rest") in line)
    taken = [line.replace("  # ", "  ") for line in lines[at + 1 :]]
    found = studio.orders.read("\n".join([*lines[: at + 1], *taken]), "mine.yaml", "en")
    assert found.changes["lora_r"] == 16 and len(found.changes) > 20
    assert studio.orders.read(bare, "mine.yaml", "en").changes == {}


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("modle: starter", "settings.unknown", {"key": "modle", "nearest": "model"}),
        ("lora_r: 4", "order.inside", {"key": "lora_r", "where": "mine.yaml"}),
        ("settings: {lora_rank: 4}", "settings.unknown", {"key": "lora_rank", "where": "mine.yaml"}),
        ("settings: {sft: {wieght_decay: 1}}", "settings.unknown", {"key": "sft.wieght_decay", "nearest": "sft.weight_decay"}),
        ("settings: {sft.weight_decay: 11}", "settings.value", {"key": "sft.weight_decay", "allowed": "number >= 0 <= 10"}),
        ("settings: {sft: {push_to_hub: true}}", "settings.refused.hub", {"key": "sft.push_to_hub"}),
        ("settings: [lora_r]", "settings.value", {"key": "settings", "allowed": "object"}),
        ("model: 3", "settings.value", {"key": "model", "allowed": "string"}),
        ("recipe: nothing", "recipe.unknown", {"recipe": "nothing"}),
        ("data: /etc/passwd", "order.data", {"data": "/etc/passwd"}),
        ("data: somebody/some-set", "order.data", {"data": "somebody/some-set"}),
        ("model: starter\n\tdata: x", "preset.yaml", {"file": "mine.yaml", "line": 2}),
        ("a: &a [1]\nb: *a", "preset.yaml", {"line": 2}),
        ("settings: {seed: " + "9" * 5000 + "}", "preset.yaml", {"file": "mine.yaml"}),
        ("just words", "cli.spec", {"file": "mine.yaml"}),
        ("", "home.empty", {"file": "mine.yaml"}),
        ("[" * 200, "preset.yaml", {}),
        ("# " + "x" * 100_000, "home.large", {"file": "mine.yaml"}),
    ],
)
def test_what_is_not_taken_is_named(studio: Studio, text: str, code: str, named: dict[str, Any]) -> None:
    found = fault(studio, text)
    assert found.code == code and named.items() <= found.params.items()


def test_names_of_older_scripts_are_told(studio: Studio) -> None:
    found = studio.orders.read("settings: {max_seq_length: 128, load_in_4bit: true, optim: adafactor}", "mine.yaml", "en")
    assert found.changes == {"max_length": 128, "quantization": "nf4", "sft.optim": "adafactor"} and len(found.notices) == 3


def test_what_is_another_s_is_as_unknown_as_what_never_was(studio: Studio) -> None:
    text = f"data: {own(studio)}"
    assert studio.orders.read(text, "mine.yaml", "en").data == own(studio)
    anna = studio.for_owner("anna")
    with pytest.raises(InputError) as caught:
        anna.orders.write(None, own(studio), "facts", {}, "", "en")
    assert (fault(anna, text).code, caught.value.code) == ("order.data", "data.unknown")


@pytest.mark.parametrize("mode", ["shared", "space"])
def test_what_a_mode_does_not_allow_is_refused_by_its_key(home: pathlib.Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if mode == "space":
        for name, value in SPACE.items():
            monkeypatch.setenv(name, value)
        visitor = Studio(settings.read(), "visitor:1")
    else:
        visitor = Studio(settings.opened(settings.read(), ("prof",)), "anna")
    assert visitor.settings.mode == mode
    for key, value in (("report_to", "wandb"), ("run_name", "x"), ("dataloader_num_workers", "4")):
        found = fault(visitor, f"settings: {{sft: {{{key}: {value}}}}}")
        assert (found.code, found.params["key"]) == ("settings.web", f"sft.{key}")
    assert fault(visitor, 'settings: {chat_template: "{{ messages }}"}').code == "settings.web_template"
    assert visitor.orders.read('settings: {chat_template: ""}', "mine.yaml", "en").changes == {"chat_template": ""}
    assert fault(visitor, "model: /etc").code == "quota.model"
    assert visitor.orders.read("settings: {sft: {weight_decay: 0.2}}", "mine.yaml", "en").changes == {"sft.weight_decay": 0.2}
    assert Studio(settings.read(), LOCAL).plans.settings_for(None, {"sft.report_to": "none"})
