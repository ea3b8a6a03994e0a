"""Knobs: fields of `TrainSettings` as widgets, each with one sentence of why. Values and bounds stay in the schema.

A knob shows what the recipe says; only what differs from it is passed on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tuning.text import t, table
from tuning.ui import view


@dataclass(frozen=True)
class Knob:
    """A setting in sight: its name in the schema, values worth offering, and whether others may be typed."""

    key: str
    options: tuple[str, ...]
    typed: bool = True


KNOBS = (
    Knob("num_train_epochs", ("1", "2", "3", "5", "8", "12", "20")),
    Knob("learning_rate", ("auto", "0.00005", "0.0001", "0.0002", "0.0005", "0.001", "0.002")),
    Knob("per_device_train_batch_size", ("auto", "1", "2", "4", "8", "16", "32")),
    Knob("gradient_accumulation_steps", ("auto", "1", "2", "4", "8", "16")),
    Knob("max_length", ("auto", "128", "256", "512", "1024", "2048", "4096")),
    Knob("lora_r", ("4", "8", "16", "32", "64")),
    Knob("lora_alpha", ("8", "16", "32", "64", "128")),
    Knob("lora_dropout", ("0", "0.05", "0.1")),
    Knob("target_modules", ("all-linear", "attention"), typed=False),
    Knob("validation_share", ("auto", "0", "0.05", "0.1", "0.2")),
    Knob("precision", ("auto", "bf16", "fp16", "fp32"), typed=False),
    Knob("quantization", ("auto", "none", "nf4"), typed=False),
    Knob("gradient_checkpointing", ("auto", "none", "every_4", "every_2", "full"), typed=False),
    Knob("device", ("auto", "cpu", "cuda:0", "cuda:1"), typed=False),
    Knob("seed", ("42", "1", "2", "3")),
)


def widget(knob: Knob, lang: str) -> gr.Dropdown:
    """The knob as a list to choose from, or to type another value into."""
    return gr.Dropdown(
        choices=[(option_name(option, lang), option) for option in knob.options],
        value=knob.options[0],
        label=t(lang, f"ui.knob.{knob.key}"),
        info=t(lang, f"ui.knob.{knob.key}.why"),
        allow_custom_value=knob.typed,
        interactive=True,
        elem_classes="knob",
    )


def option_name(value: str, lang: str) -> str:
    """A value as it is shown."""
    if f"ui.choice.{value}" in table(lang):
        return t(lang, f"ui.choice.{value}")
    return show(value, lang)


def show(value: Any, lang: str) -> str:
    """A setting's value in the reader's way of writing."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if value is None:
        return "–"
    if isinstance(value, str) and f"ui.choice.{value}" in table(lang):
        return t(lang, f"ui.choice.{value}")
    try:
        return view.rate(float(value), lang) if float(value) < 1000 else view.number(float(value), lang)
    except (TypeError, ValueError):
        return str(value)


def canonical(value: Any) -> str:
    """A setting's value as the widget holds it: without a language."""
    if isinstance(value, float):
        return view.rate(value, "en")
    return ",".join(value) if isinstance(value, list) else str(value)


def held(knob: Knob, value: Any, lang: str) -> str:
    """What to put into the widget for a value: an option, or the value as people write it."""
    text = canonical(value)
    return text if text in knob.options or not knob.typed else show(value, lang)


def parse(text: Any, lang: str) -> Any:
    """What was chosen or typed, as the schema takes it: "0,05" is 0.05 in Italian; what is no number stays as it is."""
    if not isinstance(text, str):
        return text
    plain = text.strip()
    if plain.lower() == t(lang, "ui.choice.auto"):
        return "auto"
    if lang == "it" and ("," in plain or re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+", plain)):
        plain = plain.replace(".", "").replace(",", ".")
    elif lang == "en" and re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", plain):
        plain = plain.replace(",", "")
    try:
        value = float(plain)
    except ValueError:
        return text.strip()
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def changes(values: Mapping[str, Any], recipe: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """The knobs that differ from the recipe."""
    parsed = {key: parse(value, lang) for key, value in values.items()}
    return {key: value for key, value in parsed.items() if value not in ("", None) and value != recipe.get(key)}


def sources(resolved: Mapping[str, Any], recipe: Mapping[str, Any], overrides: Mapping[str, Any], lang: str) -> list[tuple[str, str, str]]:
    """(name, value, where it comes from) of every knob, after the plan."""
    rows = []
    for key in [*(knob.key for knob in KNOBS), "max_samples"]:
        if key == "max_samples" and resolved.get(key) is None:
            continue
        from_you, open_before = key in overrides and overrides[key] != "auto", recipe.get(key) == "auto" or overrides.get(key) == "auto"
        source = "ui.train.from.you" if from_you else "ui.train.from.plan" if open_before else "ui.train.from.recipe"
        rows.append((t(lang, f"ui.knob.{key}"), show(resolved.get(key), lang), t(lang, source)))
    return rows
