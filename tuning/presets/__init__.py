"""The only reader of presets/: YAML files to typed cards, every problem named with file and key.

A file's name is its id; folders are scanned, there is no registry. It does not look at the machine or the Hub.
"""

import difflib
import functools
import pathlib
from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic
import yaml

from tuning.errors import InputError
from tuning.presets import judged, legacy
from tuning.schema import DatasetCard, GeneralRow, GeneralRows, ModelCard, Notice, Probe, ProbeItem, Recipe, Record, TrainSettings
from tuning.text import parsed

Card = TypeVar("Card", bound=Record)
FIRST = ("facts", "quick", "style", "classify")  # what most people come for; the first is taken where nobody chooses


def models(root: pathlib.Path) -> dict[str, ModelCard]:
    """The catalog, by model id."""
    return {card.id: card for card in _folder(root / "models", ModelCard)}


def recipes(root: pathlib.Path) -> dict[str, Recipe]:
    """The recipes, by file name: what most people come for, the others for any model, then those for one model."""

    def place(card: Recipe) -> tuple[bool, int]:
        return card.model is not None, FIRST.index(card.id) if card.id in FIRST else len(FIRST)

    return {card.id: card for card in sorted(_folder(root / "recipes", Recipe), key=place)}


def mapped(root: pathlib.Path) -> dict[str, list[Notice]]:
    """What was mapped in each recipe from names of older scripts, by the recipe's id."""
    return {card.id: notices for card, notices in _pairs(root / "recipes", Recipe)}


def datasets(root: pathlib.Path) -> dict[str, DatasetCard]:
    """The data sets that are offered, by file name: those that are here first, then those that are free to use."""
    cards = sorted(_folder(root / "datasets", DatasetCard), key=lambda card: (card.path is None, not card.free_license))
    return {card.id: card for card in cards}


def probe(root: pathlib.Path) -> dict[str, list[ProbeItem]]:
    """What a model may forget, by language."""
    return {card.id: card.items for card in _folder(root / "probe", Probe)}


def general(root: pathlib.Path) -> dict[str, list[GeneralRow]]:
    """Questions and answers that are learned beside somebody's own, by language; see `presets.replay`."""
    return {card.id: card.items for card in _folder(root / "general", GeneralRows)}


def parse_settings(base: TrainSettings, changes: dict[str, Any], where: str) -> tuple[TrainSettings, list[Notice]]:
    """Settings and notices: `base` with `changes` laid over it; the open maps `sft` and `lora` are merged key by key.

    `sft.logging_steps` is the same as `{"sft": {"logging_steps": …}}`. Names of older scripts are mapped, and the
    notices tell which.
    Raises InputError naming `where` (a file, or "--set"), the key and the nearest known one, or the value's fault.
    """
    known, notices = legacy.modern(changes)
    merged: dict[str, Any] = base.model_dump()
    for key, value in known.items():
        group, _, name = key.partition(".")
        if name and group in judged.MAPS:
            merged[group] = {**merged[group], name: value}
        else:
            merged[key] = value
    return judged.check(_validate(TrainSettings, merged, where), where), notices


def over_the_web(changes: dict[str, Any]) -> None:
    """Raises InputError `settings.web` for a field of SFTConfig or LoraConfig that nobody sets who comes in over the web, and
    `settings.web_template` for a chat template by hand, which is a program."""
    for path, value in legacy.modern(changes)[0].items():
        if path == "chat_template" and value:
            raise InputError("settings.web_template", key=path)
        if path.partition(".")[0] in judged.MAPS and "." in path and not judged.over_the_web(path):
            raise InputError("settings.web", key=path)


def base(recipe: Recipe, changes: Mapping[str, Any]) -> TrainSettings:
    """The settings of a recipe, with its number of rows, for who changes some of them."""
    settings = suited(recipe.settings, changes)
    if recipe.max_samples is not None and settings.max_samples is None:
        settings = settings.model_copy(update={"max_samples": recipe.max_samples})
    return settings


def suited(settings: TrainSettings, changes: Mapping[str, Any]) -> TrainSettings:
    """A recipe's settings for who takes another method: an adapter wants ten times the learning rate of the whole model."""
    other = changes.get("method", settings.method) != settings.method
    return settings.model_copy(update={"learning_rate": "auto"}) if other else settings


def _folder(folder: pathlib.Path, kind: type[Card]) -> list[Card]:
    """All cards of a folder; a file is parsed again only when it has changed."""
    return [card for card, _ in _pairs(folder, kind)]


def _pairs(folder: pathlib.Path, kind: type[Card]) -> list[tuple[Card, list[Notice]]]:
    return [_kept(path, path.stat().st_mtime_ns, kind) for path in sorted(folder.glob("*.yaml"))]


@functools.lru_cache(maxsize=1000)
def _kept(path: pathlib.Path, changed: int, kind: type[Card]) -> tuple[Card, list[Notice]]:
    return read(path, kind)


def read(path: pathlib.Path, kind: type[Card]) -> tuple[Card, list[Notice]]:
    """A card and notices: one preset file, and which names of older scripts were mapped in it.

    Raises InputError naming the file, and the key or the line at fault.
    """
    try:
        content = parsed(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError("preset.yaml", file=path.name, line=mark.line + 1 if mark else 1) from error
    if not isinstance(content, dict):
        raise InputError("preset.yaml", file=path.name, line=1)
    content.setdefault("id", path.stem)
    if kind is not Recipe:
        return _validate(kind, content, path.name), []
    card, notices = recipe(content, path.name)
    return kind.model_validate(card), notices


def recipe(content: Mapping[str, Any], where: str) -> tuple[Recipe, list[Notice]]:
    """A recipe of what a file `where` says, and which names of older scripts were mapped in it.

    Raises InputError naming the key at fault.
    """
    notices: list[Notice] = []
    if isinstance(content.get("settings"), dict):
        known, notices = legacy.modern(content["settings"])
        content = {**content, "settings": legacy.nested(known)}
    card = _validate(Recipe, dict(content), where)
    return card.model_copy(update={"settings": judged.check(card.settings, where)}), notices


def _validate(kind: type[Card], content: dict[str, Any], where: str) -> Card:
    try:
        return kind.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        location = [str(part) for part in first["loc"]]
        known = kind.model_fields
        key = ".".join(location)
        if not location:  # of the card as a whole
            raise InputError("preset.missing", where=where, key=str(first["ctx"]["error"])) from error
        if first["type"] == "extra_forbidden":
            fields = TrainSettings.model_fields if location[0] == "settings" else known
            near = difflib.get_close_matches(location[-1], list(fields), n=1, cutoff=0.0)
            raise InputError("settings.unknown", where=where, key=key, nearest=near[0]) from error
        if first["type"] == "missing":
            raise InputError("preset.missing", where=where, key=key) from error
        name = location[1] if location[0] == "settings" and len(location) > 1 else location[0]
        raise InputError(
            "settings.value", where=where, key=name, value=judged.shown(first["input"]), allowed=_allowed(kind, name)
        ) from error


def _allowed(kind: type[Record], key: str) -> str:
    """What a key takes, in the notation of its type: `integer, at least 1, or auto`."""
    fields = TrainSettings.model_fields if key in TrainSettings.model_fields else kind.model_fields
    return judged.described(fields[key].rebuild_annotation())
