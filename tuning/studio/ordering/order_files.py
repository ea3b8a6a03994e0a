"""The choices of a run as a YAML file, both ways: the one that `train --spec` takes and the page saves and opens.

Keys are those of a run's spec.yaml, settings those of `--set`. Nothing is fetched and no run is made here.
"""

import difflib
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from tuning import presets
from tuning.data.sources import kept, of_card, parse
from tuning.errors import InputError
from tuning.presets import judged, legacy
from tuning.runs import disk
from tuning.runs.files import clean_name
from tuning.schema import Notice, Recipe, RunSpec, TrainSettings
from tuning.studio.data import Data
from tuning.studio.models import Models
from tuning.studio.shared import STARTER, Shared
from tuning.text import t

if TYPE_CHECKING:
    from tuning.studio.plans import Plans

KEYS = ("model", "data", "recipe", "name", "settings")
MOST = 100_000  # characters: PyYAML takes half a second for them
# What else a run's spec.yaml holds, and a recipe.
BESIDE = {"schema", *RunSpec.model_fields, *Recipe.model_fields} - {*KEYS, "schema_version"}


@dataclass(frozen=True)
class OrderFile:
    """What a file orders, checked; None where it says nothing. `changes` by their names of today, `max_samples` among them."""

    model: str | None = None
    data: str | None = None
    source: str | None = None  # under which they are offered
    recipe: str | None = None
    name: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)  # of names of older scripts


def document(text: str, file: str) -> dict[str, Any]:
    """The keys of a file. Raises InputError with the line where it is no YAML, or says nothing by keys."""
    path = pathlib.Path(clean_name(file) or "order.yaml")
    if len(text) > MOST:
        raise disk.FileFault("large", path)
    try:
        found = disk.yaml_parsed(path, text)
    except disk.FileFault as fault:
        raise InputError("preset.yaml", file=path.name, line=fault.params["line"]) if "line" in fault.params else fault from fault
    if not isinstance(found, dict):
        raise InputError("cli.spec", file=path.name)
    return found


def choices(text: str, file: str) -> dict[str, Any]:
    """Those of `KEYS` that a file names, as `Runs.create` takes them; settings are not yet held against the schema.

    Raises InputError with the key that is not known, or has another kind of value.
    """
    content = document(text, file)
    for key in content:
        if key not in KEYS and key not in BESIDE:
            raise _unknown(str(key), clean_name(file))
    found = {key: content[key] for key in KEYS if content.get(key) is not None}
    if content.get("dataset") is not None:  # as a recipe calls them
        found.setdefault("data", content["dataset"])
    if content.get("max_samples") is not None and isinstance(found.get("settings", {}), dict):
        found["settings"] = {"max_samples": content["max_samples"], **found.get("settings", {})}
    for key in ("model", "data"):
        if isinstance(found.get(key), dict):  # in a run's spec.yaml
            found[key] = found[key].get("id")
    for key in found:
        if not isinstance(found[key], dict if key == "settings" else str):
            raise InputError("settings.value", key=key, value=judged.shown(found[key]), allowed="object" if key == "settings" else "string")
    return found


def _unknown(key: str, file: str) -> InputError:
    if key in TrainSettings.model_fields or key in legacy.RENAMED or key.partition(".")[0] in judged.MAPS:
        return InputError("order.inside", where=file, key=key)
    return InputError("settings.unknown", where=file, key=judged.shown(key), nearest=difflib.get_close_matches(key, KEYS, 1, 0.0)[0])


class Orders:
    """The orders of one owner."""

    def __init__(self, shared: Shared, owner: str, models: Models, data: Data, plans: "Plans") -> None:
        self.shared, self.owner = shared, owner
        self._models, self._data, self._plans = models, data, plans

    def read(self, text: str, file: str, lang: str) -> OrderFile:
        """What a file orders. Raises InputError for what it names and is not there, not taken, or not allowed to this owner."""
        self._models.quotas.pace("plan")
        found = choices(text, file)
        recipe = self._plans.recipe(found["recipe"]).id if "recipe" in found else None
        settings, notices = legacy.modern(found.get("settings", {}))
        data, source = self._there(found["data"], lang) if "data" in found else (None, None)
        taken = self._plans.settings_for(recipe, settings, clean_name(file))
        return OrderFile(
            model=self._models.find(found["model"]).id if "model" in found else None,
            data=data,
            source=source,
            recipe=recipe,
            name=clean_name(found["name"]) if "name" in found else None,
            changes={key: value_of(taken, key) for key in settings},
            notices=notices,
        )

    def write(self, model: str | None, data: str | None, recipe: str, changes: Mapping[str, Any], name: str, lang: str) -> str:
        """An order as such a file: what was changed by hand, and what the recipe says as lines that are not read."""
        chosen = self._plans.recipe(recipe)
        base = presets.base(chosen, changes).model_dump()
        order: dict[str, Any] = {"model": model, "data": data and self._called(data), "recipe": chosen.id, "name": clean_name(name)}
        order, settings = {key: value for key, value in order.items() if value}, legacy.nested(dict(changes))
        rest = {key: value for key, value in base.items() if key not in settings and value not in ({}, None)}
        head, note = (t(lang, code) for code in ("order.file.head", "order.file.rest"))
        inside = [f"  {line}" for line in dumped(settings).splitlines()] + [f"  # {line}" for line in [note, *dumped(rest).splitlines()]]
        return "\n".join([f"# {head}", *dumped(order).splitlines(), "settings:", *inside]) + "\n"

    def _there(self, data: str, lang: str) -> tuple[str, str]:
        """The id of data that are here, and under which they are listed.

        Raises InputError `order.data` for those that would have to be brought or fetched first.
        """
        wanted = f"{STARTER}-{lang}" if data == STARTER else data
        specs, card = self.shared.library.list(self.owner), presets.datasets(self.shared.settings.presets).get(wanted)
        if any(spec.id == wanted for spec in specs):
            return wanted, wanted
        if card is not None and card.path is not None:
            return self._data.find(wanted, lang=lang).id, wanted
        reference = of_card(card) if card is not None else parse(wanted)
        if reference is not None and (spec := kept(specs, reference)) is not None:
            return spec.id, wanted if card is not None else spec.id
        raise InputError("order.data", data=clean_name(data))

    def _called(self, data: str) -> str:
        """What data are called in other homes too, where that says all; else their id."""
        spec = self.shared.library.get(data, self.owner)
        card, reference = presets.datasets(self.shared.settings.presets).get(spec.name), parse(spec.name)
        if card is not None and card.path is not None and spec.corrected is None:
            return spec.name
        return spec.name if reference is not None and kept([spec], reference) is not None else spec.id


def value_of(settings: Mapping[str, Any], key: str) -> Any:
    """A setting by its name, `sft.name` in the open maps."""
    group, dot, name = key.partition(".")
    return settings[group][name] if dot else settings[key]


def dumped(values: Mapping[str, Any]) -> str:
    """Values as YAML, in the order that they have."""
    return "" if not values else str(yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000))


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # by libyaml ten times as fast: the page asks often
    """Texts of several lines, such as a chat template, stand as they are read."""


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None))
