"""Which model: the catalog for this machine, models of the Hub, and those on the disk."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, get_args

from tuning import presets
from tuning.errors import InputError
from tuning.forecast import guide
from tuning.forecast import plan as planning
from tuning.hub.repository import hub_id
from tuning.hub.shelf import here
from tuning.models import catalog
from tuning.runs.files import clean_name
from tuning.schema import Goal, ModelRef, Notice
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared


class Models:
    """The models that an owner can start from."""

    def __init__(self, shared: Shared, owner: str) -> None:
        self.shared, self.owner, self.quotas = shared, owner, Quotas(shared, owner)

    def find(self, model: str) -> ModelRef:
        """A catalog id, an id of the Hub, or on a machine of one's own a folder. No weight is fetched.

        Raises InputError `quota.model` for visitors and whatever is not in the catalog: so they do not learn either what else is here.
        """
        if self.quotas.bounds is not None and not {model, hub_id(model)} & presets.models(self.shared.settings.presets).keys():
            raise InputError("quota.model", model=clean_name(model))
        return self.shared.shelf.find(model, self.owner)

    def entry(self, model: ModelRef, gpu_memory: float | None = None) -> dict[str, Any]:
        """A model as `list` lists it."""
        offer = guide.offer(model.card, self.shared.machine(model.card, gpu_memory, self.shared.profiles.look))
        facts = model.card.model_dump(exclude={"path", "config"})
        return {**facts, "id": model.id, **offer, "here": here(model), "in_cache": self.shared.shelf.in_cache(model, self.owner)}

    def trusts(self, path: str) -> bool:
        """Whether the model in this folder may run its own code."""
        return self.shared.shelf.trusts(path)

    def guide(self, here: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """For this machine, of which `here` is the list: the largest model that it trains well (`now`), and what one step up would
        bring (`step_up`)."""
        have = max((gpu.memory_total for gpu in self.shared.probe().gpus), default=0) / planning.GIB
        cards = presets.models(self.shared.settings.presets)
        return guide.guide(here, lambda entry, size: self.entry(self.shared.shelf.placed(cards[entry["id"]]), size), have)

    def search(self, words: str) -> list[dict[str, Any]]:
        """Models of the Hub with these words in their name, as `Hub.search` lists them."""
        self.quotas.pace("errand")
        return self.shared.shelf.hub(self.owner).search(words)

    def download(self, model: ModelRef, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Fetch a model, or go on with a download that was cut. Raises InputError where it cannot be had."""
        self.quotas.pace("errand")
        self.quotas.model(model)
        self.shared.shelf.fetch(model, self.owner, progress)

    def coming(self, model: ModelRef) -> list[Notice]:
        """What a download of `model` would take, or that it lies in huggingface_hub's cache. Raises InputError where it cannot be had."""
        return self.shared.shelf.notices(model, self.owner)

    def downloaded(self) -> list[dict[str, Any]]:
        """The models on the disk: id, size_bytes, path, and whether they were moved and are whole. Visitors see those of the catalog, and
        no path.
        """
        found = self.shared.shelf.downloaded()
        if self.quotas.bounds is None:
            return found
        cards = presets.models(self.shared.settings.presets)
        return [{key: one[key] for key in ("id", "size_bytes", "whole")} for one in found if one["id"] in cards]

    def present(self) -> list[str]:
        """Ids of the models whose files are here: those of the catalog first, then others that were downloaded."""
        cards = presets.models(self.shared.settings.presets)
        found = [id for id, card in cards.items() if here(self.shared.shelf.placed(card))]
        return [*found, *(one["id"] for one in self.downloaded() if one["whole"] and one["id"] not in found)]

    def remove(self, model: str) -> int:
        """Take a downloaded model off the disk; the bytes that this set free. Raises RunError while a run needs it."""
        self.quotas.machine()
        return self.shared.shelf.delete(model, self.owner)

    def move(self, model: str, folder: pathlib.Path) -> pathlib.Path:
        """Put a downloaded model into another folder. Raises InputError where there is no place, RunError while a run needs it."""
        self.quotas.machine()
        return self.shared.shelf.move(model, self.owner, folder)

    def list(self, goal: str | None = None, gpu_memory: float | None = None) -> list[dict[str, Any]]:
        """The catalog, best first for `goal`, on this machine or a card of `gpu_memory` GB.

        Each has `predicted_peak_bytes`, `available_bytes`, `seconds` (of one pass over 1000 examples), `fits`, `fit`
        (comfortable, tight or no), `here` (the files are in the home) and `in_cache` (they lie in huggingface_hub's own cache). Raises
        InputError for an unknown goal.
        """
        if goal is not None and goal not in get_args(Goal):
            raise InputError("model.goal", goal=clean_name(goal), known=", ".join(get_args(Goal)))
        cards = presets.models(self.shared.settings.presets)
        return catalog.advise([self.entry(self.shared.shelf.placed(card), gpu_memory) for card in cards.values()], goal)
