"""Knobs: fields of `TrainSettings` to be turned, each explained where it stands. Values and bounds stay in the schema.

A knob shows what the recipe says; only what differs from it is passed on. All are drawn as HTML, for a page holds some
two hundred components and not more. Pure functions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tuning import presets
from tuning.forecast.full_finetune import ADAPTER_ONLY
from tuning.schema import TrainSettings
from tuning.text import t, table
from tuning.ui import view
from tuning.ui.markup import Html, html, joined


@dataclass(frozen=True)
class Knob:
    """A setting in sight: its name in the schema, values worth offering, and whether others may be typed."""

    key: str
    options: tuple[str, ...]
    typed: bool = True


TEMPLATE = "chat_template"
FIRST = (
    Knob("num_train_epochs", ("1", "2", "3", "5", "8", "12", "20")),
    Knob("learning_rate", ("auto", "0.00005", "0.0001", "0.0002", "0.0005", "0.001", "0.002")),
    Knob("lora_r", ("4", "8", "16", "32", "64")),
    Knob("max_length", ("auto", "128", "256", "512", "1024", "2048", "4096")),
)
FOLDED = {
    "adapter": (
        Knob("method", ("lora", "full"), typed=False),
        Knob("lora_alpha", ("8", "16", "32", "64", "128")),
        Knob("target_modules", ("all-linear", "attention")),
        Knob("lora_dropout", ("0", "0.05", "0.1")),
        Knob("lora.use_rslora", ("false", "true"), typed=False),
        Knob("lora.use_dora", ("false", "true"), typed=False),
    ),
    "learning": (
        Knob("lr_scheduler_type", ("cosine", "linear", "constant", "constant_with_warmup"), typed=False),
        Knob("thinking", ("auto", "learn", "keep", "off"), typed=False),
        Knob("general_share", ("0", "0.1", "0.2", "0.3", "0.5")),
        Knob("warmup_ratio", ("0", "0.03", "0.05", "0.1")),
        Knob("early_stopping_patience", ("auto", "0", "2", "3", "5", "10")),
        Knob("validation_share", ("auto", "0", "0.05", "0.1", "0.2")),
        Knob("max_steps", ("-1", "100", "500", "1000", "5000")),
        Knob("seed", ("1", "2", "3", "42")),
    ),
    "optimizer": (
        Knob(
            "sft.optim",
            ("adamw_torch_fused", "adamw_torch", "adamw_8bit", "paged_adamw_8bit", "adafactor", "lion_8bit", "sgd"),
            typed=False,
        ),
        Knob("sft.weight_decay", ("0", "0.01", "0.1")),
        Knob("sft.max_grad_norm", ("0", "0.3", "1", "5")),
    ),
    "memory": (
        Knob("per_device_train_batch_size", ("auto", "1", "2", "4", "8", "16", "32")),
        Knob("gradient_accumulation_steps", ("auto", "1", "2", "4", "8", "16")),
        Knob("quantization", ("auto", "none", "int8", "nf4"), typed=False),
        Knob("gradient_checkpointing", ("auto", "none", "every_4", "every_2", "full"), typed=False),
        Knob("precision", ("auto", "bf16", "fp16", "fp32"), typed=False),
        Knob("packing", ("auto", "true", "false"), typed=False),
        Knob("allow_shorter", ("false", "true"), typed=False),
        Knob("device", ("auto", "cpu"), typed=False),
    ),
    "following": (Knob("sft.report_to", ("none", "tensorboard", "wandb", "trackio"), typed=False),),
    "template": (Knob(TEMPLATE, ("none", "own", "plain", "chatml"), typed=False),),
}
KNOBS = {knob.key: knob for knob in (*FIRST, *(knob for some in FOLDED.values() for knob in some))}
UNSAID = {  # what the libraries take where the open maps say nothing
    "sft.report_to": "none",
    "sft.optim": "adamw_torch_fused",
    "sft.weight_decay": 0.0,
    "sft.max_grad_norm": 1.0,
    "lora.use_rslora": False,
    "lora.use_dora": False,
}
USUAL = {
    "learning_rate": (1e-5, 5e-3),
    "num_train_epochs": (0.1, 50),
    "lora_r": (2, 256),
    "lora_dropout": (0, 0.5),
    "warmup_ratio": (0, 0.3),
    "sft.weight_decay": (0, 0.3),
    "sft.max_grad_norm": (0, 10),
}
RESET = "reset"  # in the place of a knob's key: all settings are the recipe's again
OTHER = "…"  # the option after which another value can be typed

# A turned knob is (key, value, typed). Another value is typed where the list stood. The focus stays when all is drawn anew.
TURNS = """
let last = null;
element.addEventListener("change", (event) => {
  const knob = event.target.closest("[data-key]");
  if (!knob) return;
  if (knob.value !== "…") { trigger("input", {key: knob.dataset.key, value: knob.value, typed: knob.tagName === "INPUT"}); return; }
  const field = document.createElement("input");
  field.type = "text";
  field.maxLength = 400;
  field.id = knob.id;
  field.dataset.key = knob.dataset.key;
  field.value = knob.dataset.now;
  knob.replaceWith(field);
  field.focus();
  field.select();
});
element.addEventListener("click", (event) => {
  const back = event.target.closest("[data-reset]");
  if (back) trigger("input", {key: back.dataset.reset, value: "", typed: false});
});
element.addEventListener("focusin", (event) => { last = event.target.dataset.key || null; });
watch("value", () => {
  requestAnimationFrame(() => element.querySelector(".knob .fault")?.scrollIntoView({block: "nearest"}));
  if (!last || (document.activeElement && document.activeElement !== document.body)) return;
  const same = [...element.querySelectorAll("[data-key]")].find((knob) => knob.dataset.key === last);
  if (same) same.focus({preventScroll: true});
});
"""


@dataclass(frozen=True)
class Told:
    """Settings by where they come from: what was turned, what the recipe says, and what the plan makes of both, if there is one."""

    turned: Mapping[str, Any]
    recipe: Mapping[str, Any]
    plan: Mapping[str, Any] | None = None
    faults: Mapping[str, str] = field(default_factory=dict)  # of values that are not taken, as HTML
    layers: Sequence[str] = ()  # of the model, that may be named by hand

    def asked(self, key: str) -> Any:
        """What is wanted of `key`, by hand or by the recipe."""
        return self.turned[key] if key in self.turned else value_of(self.recipe, key)


def first(told: Told, lang: str) -> Html:
    """The few knobs in sight, and the way back to the recipe's settings."""
    label = t(lang, "ui.train.group.first")
    return html(
        '<div class="knobs" role="group" aria-label="{label}">{drawn}</div>{reset}',
        label=label,
        drawn=joined(_drawn(knob, told, lang) for knob in FIRST),
        reset=html('<button type="button" class="mend" data-reset="{key}">{says}</button>', key=RESET, says=t(lang, "ui.train.reset"))
        if told.turned
        else "",
    )


def folded(told: Told, cards: list[str], lang: str) -> Html:
    """The others, in groups. `cards` are the graphics cards that can be used, as PyTorch names them."""
    drawn = Html()
    for name, knobs in FOLDED.items():
        title, drawing = t(lang, f"ui.train.group.{name}"), _template if name == "template" else _drawn
        inside = joined(drawing(with_cards(knob, cards), told, lang) for knob in knobs)
        drawn += html('<h3>{title}</h3><div class="knobs" role="group" aria-label="{title}">{inside}</div>', title=title, inside=inside)
    return drawn + _others(told, lang)


def _others(told: Told, lang: str) -> Html:
    """Settings that have no knob: a file has turned them."""
    said = joined(
        html("<li><code>{key}</code> {value}</li>", key=key, value=show(value, lang, key))
        for key, value in told.turned.items()
        if key not in KNOBS
    )
    return html('<h3>{others}</h3><ul class="others">{said}</ul>', others=t(lang, "ui.train.group.others"), said=said) if said else Html()


def with_cards(knob: Knob, cards: list[str]) -> Knob:
    """The knob for the device offers those that are there."""
    return replace(knob, options=(*knob.options, *cards)) if knob.key == "device" else knob


def _drawn(knob: Knob, told: Told, lang: str) -> Html:
    """A knob: what it is called, what it does, its values, where the one in use comes from, and when to change it."""
    key, name = knob.key, t(lang, f"ui.knob.{knob.key}")
    now, usual = canonical(told.asked(key)), canonical(value_of(told.recipe, key))
    options = joined(
        html(
            '<option value="{value}"{mark}>{name}</option>',
            value=value,
            mark=" selected" if value == now else "",
            name=option_name(value, lang, key),
        )
        for value in _values(knob, now, usual)
    )
    if knob.typed:
        options += html('<option value="{other}">{name}</option>', other=OTHER, name=t(lang, "ui.train.other"))
    when = ""
    if f"ui.knob.{key}.when" in table(lang):
        says = t(lang, f"ui.knob.{key}.when")
        when = html(
            '<details data-fold="{key}"><summary>{when}</summary><p>{says}</p></details>', key=key, when=t(lang, "ui.train.when"), says=says
        )
    by_hand = " turned" if key in told.turned else ""
    off = " disabled" if unused(key, told) else ""
    wrong = told.faults.get(key, "")
    off += html(' aria-invalid="true"') if wrong else ""
    kept = html('data-key="{key}" data-now="{asked}"', key=key, asked=show(told.asked(key), lang, key))
    here = f" {t(lang, 'ui.knob.target_modules.here', layers=', '.join(told.layers))}" if key == "target_modules" and told.layers else ""
    return html(
        '<div class="knob{by_hand}"><div><label for="knob-{key}">{name}</label>'
        '<p class="info" id="why-{key}">{why}</p>{when}</div>'
        '<div><select id="knob-{key}" {kept} aria-describedby="why-{key}"{off}>{options}</select>'
        '<p class="source">{source} · <code>{key}</code></p>{wrong}</div></div>',
        by_hand=by_hand,
        key=key,
        name=name,
        why=t(lang, f"ui.knob.{key}.why") + here,
        when=when,
        kept=kept,
        off=off,
        options=options,
        source=source(key, told, lang),
        wrong=wrong or unusual(key, told, lang),
    )


def _template(knob: Knob, told: Told, lang: str) -> Html:
    """The chat template: whose it is, or which it begins with, and its text where it is written by hand."""
    key, text = knob.key, str(told.asked(knob.key) or "")
    now, offered = ("hand", (*knob.options, "hand")) if text else ("none", knob.options)
    options = joined(
        html(
            '<option value="{one}"{selected}>{name}</option>',
            one=one,
            selected=html(" selected") if one == now else "",
            name=option_name(one, lang, key),
        )
        for one in offered
    )
    field = Html()
    if text:
        field = html(
            '<textarea data-key="{key}" aria-label="{hand}" rows="12" maxlength="50000" spellcheck="false">\n{text}</textarea>',
            key=key,
            hand=t(lang, "ui.template.text"),
            text=text,
        )
    return html(
        '<div class="knob whole{turned}"><div><label for="knob-{key}">{name}</label><p class="info" id="why-{key}">{why}</p>'
        '<details data-fold="{key}"><summary>{fold}</summary><p>{when}</p></details></div>'
        '<div><select id="knob-{key}" data-key="{key}" aria-describedby="why-{key}">{options}</select>{field}'
        '<p class="source">{source} · <code>{key}</code></p>{fault}</div></div>',
        turned=" turned" if key in told.turned else "",
        key=key,
        name=t(lang, f"ui.knob.{key}"),
        why=t(lang, f"ui.knob.{key}.why"),
        fold=t(lang, "ui.train.when"),
        when=t(lang, f"ui.knob.{key}.when"),
        options=options,
        field=field,
        source=source(key, told, lang),
        fault=told.faults.get(key, ""),
    )


def unusual(key: str, told: Told, lang: str) -> Html:
    """A warning with the usual range for a value far outside of it, as HTML."""
    value, (low, high) = told.turned.get(key), USUAL.get(key, (0, 0))
    if key not in USUAL or isinstance(value, bool) or not isinstance(value, int | float) or low <= value <= high:
        return Html()
    said = t(lang, "ui.train.unusual", low=show(low, lang, key), high=show(high, lang, key))
    return html('<p class="unusual" role="status"><b aria-hidden="true">!</b> {said}</p>', said=said)


def _values(knob: Knob, now: str, usual: str) -> Sequence[str]:
    """What is offered, with what is chosen and what the recipe says; numbers in order."""
    values = dict.fromkeys([*knob.options, usual, now])
    if not knob.typed:
        return list(values)

    def place(value: str) -> tuple[bool, float]:
        try:
            return True, float(value)
        except ValueError:
            return value != "auto", 0.0

    return sorted(values, key=place)


def unused(key: str, told: Told) -> bool:
    """Is it a setting of an adapter, where there is to be none?"""
    return told.asked("method") == "full" and key.split(".")[0] in ADAPTER_ONLY


def source(key: str, told: Told, lang: str) -> str:
    """Where the value in use comes from, with the one that the plan found for "auto"."""
    if unused(key, told):
        return t(lang, "ui.train.from.unused")
    asked, found = told.asked(key), None if told.plan is None else value_of(told.plan, key)
    if found is not None and found != asked and (asked == "auto" or key not in told.turned):
        return t(lang, "ui.train.from.plan", value=show(found, lang, key))
    if asked == "auto":
        return t(lang, "ui.train.from.auto")
    return t(lang, "ui.train.from.you" if key in told.turned else "ui.train.from.recipe")


def value_of(settings: Mapping[str, Any], key: str) -> Any:
    """A setting by its name; of an open map by `map.name`, where nothing given is what `UNSAID` says, or None."""
    group, dot, name = key.partition(".")
    return settings.get(group, {}).get(name, UNSAID.get(key)) if dot else settings.get(key)


def option_name(value: str, lang: str, key: str = "") -> str:
    """A value as it is shown."""
    return show(value, lang, key)


def show(value: Any, lang: str, key: str = "") -> str:
    """A setting's value in the reader's way of writing."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if value is None:
        return "–"
    for code in (f"ui.choice.{key}.{canonical(value)}", f"ui.choice.{canonical(value)}"):
        if code in table(lang):
            return t(lang, code)
    try:
        return view.rate(float(value), lang) if float(value) < 1000 else view.number(float(value), lang)
    except (TypeError, ValueError):
        return str(value)


def canonical(value: Any) -> str:
    """A setting's value as the page holds it: without a language."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return view.rate(value, "en")
    return ",".join(value) if isinstance(value, list) else str(value)


def parse(text: Any, lang: str) -> Any:
    """What was chosen or typed, as the schema takes it: "0,05" is 0.05 in Italian; what is no number stays as it is."""
    if not isinstance(text, str):
        return text
    plain = text.strip()
    if plain.lower() == t(lang, "ui.choice.auto"):
        return "auto"
    if plain in ("true", "false"):
        return plain == "true"
    if lang == "it" and ("," in plain or re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+", plain)):
        plain = plain.replace(".", "").replace(",", ".")
    elif lang == "en" and re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", plain):
        plain = plain.replace(",", "")
    try:
        value = float(plain)
    except ValueError:
        return text.strip()
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def suited(recipe: Mapping[str, Any], turned: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's settings for who has turned these knobs; see `presets.suited`."""
    return presets.suited(TrainSettings.model_validate(recipe), turned).model_dump()


def differing(changes: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `changes` that differ from the recipe."""
    return {key: value for key, value in changes.items() if value not in ("", None) and value != value_of(recipe, key)}
