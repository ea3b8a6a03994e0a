"""What a run would do: recipes, settings, the plan for choices and the ways out where it does not fit."""

import contextlib
import pathlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tuning import presets
from tuning.errors import InputError, caught
from tuning.forecast import full_finetune
from tuning.forecast import plan as planning
from tuning.forecast import ways_out as helping
from tuning.forecast.data_facts import EXAMPLES, DataFacts
from tuning.forecast.duration import SMALLEST
from tuning.models import model_folder
from tuning.presets import replay
from tuning.runs import followers
from tuning.runs.files import clean_name
from tuning.schema import DataSpec, ModelCard, ModelRef, Notice, Recipe, TrainSettings
from tuning.studio.data import Data
from tuning.studio.models import Models
from tuning.studio.ordering.own_recipes import OwnRecipes
from tuning.studio.shared import STARTER, Shared
from tuning.tokens import kept
from tuning.tokens.kept import Audited

Decided = tuple[ModelRef, DataSpec, Recipe, planning.Resolved]  # what choices have come to
Elsewhere = Callable[[ModelCard, planning.Lookup], planning.Machine]  # another machine than this one, for a model


class Plans:
    """The plans of an owner."""

    def __init__(self, shared: Shared, owner: str, models: Models, data: Data, own: OwnRecipes) -> None:
        self.shared, self.owner, self.own = shared, owner, own
        self._models, self._data = models, data

    def recipes(self) -> list[dict[str, Any]]:
        """The recipes with their settings, those that came with the app first, then the owner's own."""
        return [recipe.model_dump() for recipe in self._known().values()]

    def recipe(self, name: str | None) -> Recipe:
        """A recipe by name, or the first. Raises InputError `recipe.unknown`."""
        known = self._known()
        if name is None:
            return next(iter(known.values()))
        if name not in known:
            raise InputError("recipe.unknown", recipe=clean_name(name), known=", ".join(known))
        return known[name]

    def save(self, recipe: str | None, changes: dict[str, Any], name: str) -> Recipe:
        """Keep a recipe with changes laid over it as one of the owner's own; see `OwnRecipes.save`."""
        return self.own.save(name, self._parsed(presets.base(self.recipe(recipe), changes), changes)[0])

    def _known(self) -> dict[str, Recipe]:
        return {**presets.recipes(self.shared.settings.presets), **self.own.all()}

    def suits(self, recipe: str, model: str | None = None) -> dict[str, Any]:
        """How a recipe fares on this machine, with its model or else `model`, over 1000 examples.

        `fits` (None without a model), the bytes it needs and has, `changed` (notices of what is done in another way here), and
        `error` where it cannot be done at all.
        """
        chosen = self.recipe(recipe)
        found: dict[str, Any] = {"fits": None, "predicted_peak_bytes": 0, "available_bytes": 0, "changed": [], "error": None}
        if not (chosen.model or model):
            return found
        try:
            card = self._models.find(chosen.model or model or "").card
            machine = self.shared.machine(card, None, self.shared.profiles.look, chosen.settings.device)
            plan = planning.resolve(card, EXAMPLES, chosen.settings, machine)
        except InputError as error:
            return found | {"error": {"code": error.code, "params": error.params}}
        return found | {
            "fits": plan.forecast.fits,
            "predicted_peak_bytes": plan.forecast.peak_bytes,
            "available_bytes": plan.forecast.available_bytes,
            "changed": [notice.model_dump() for notice in plan.notices if notice.code in helping.CHANGED],
        }

    def template(self, name: str, model: str | None, recipe: str | None) -> str:
        """A chat template to write on from, by its name: `own` is the model's, `none` is nothing. Any other text is a template itself."""
        from tuning.tokens.by_hand import STARTS

        if name == "own":
            path = self._models.find(model or self.recipe(recipe).model or STARTER).path
            return model_folder.template(pathlib.Path(path)) or STARTS["plain"]
        return "" if name == "none" else STARTS.get(name, name)

    def settings_for(self, recipe: str | None, changes: dict[str, Any], where: str = "--set") -> dict[str, Any]:
        """A recipe's settings with changes laid over them, from the file `where` if it says so.

        Raises InputError for what the schema does not take, and `settings.web` as `_parsed` does.
        """
        return self._parsed(self.recipe(recipe).settings, changes, where)[0].model_dump()

    def plan(
        self,
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: dict[str, Any] | None = None,
        gpu_memory: float | None = None,
        lang: str = "en",
    ) -> dict[str, Any]:
        """What a run with these choices would do: resolved `settings`, `predicted_peak_bytes`, `parts`, `seconds`, `fits`, `notices`.

        `cause` is what is wrong with it (memory, slow or None), and `offers` are the ways out: {code, params, changes,
        predicted_peak_bytes, available_bytes, seconds, suffices, advised}.
        """
        self._models.quotas.pace("plan")
        reference, spec, chosen, resolved = self.resolve(model, data, recipe, settings or {}, gpu_memory, lang, hurried=True)
        forecast = resolved.forecast
        asked, _ = presets.parse_settings(presets.base(chosen, settings or {}), settings or {}, "--set")
        cause, offers = helping.ways(self.case(reference, spec, asked, gpu_memory), resolved)
        return {
            "model": reference.id,
            "data": spec.id,
            "recipe": chosen.id,
            "settings": resolved.settings.model_dump(),
            "train_rows": resolved.train_rows,
            "validation_rows": resolved.validation_rows,
            "general_rows": resolved.general_rows,
            "steps": forecast.steps,
            "predicted_peak_bytes": forecast.peak_bytes,
            "parts": forecast.parts,
            "available_bytes": forecast.available_bytes,
            "seconds": forecast.seconds,
            "fits": forecast.fits,
            "disk_bytes": forecast.disk_bytes,
            "offer": resolved.offer,
            "cause": cause,
            "offers": [offer.model_dump() for offer in offers],
            "notices": [notice.model_dump() for notice in [*self.shared.shelf.notices(reference, self.owner), *resolved.notices]],
        }

    def resolve(
        self,
        model: str | None,
        data: str | None,
        recipe: str | None,
        changes: dict[str, Any],
        gpu_memory: float | None,
        lang: str,
        elsewhere: Elsewhere | None = None,
        hurried: bool = False,
    ) -> Decided:
        """Model, data, recipe and plan of these choices, `auto` decided everywhere. Raises InputError where one is at fault.

        `hurried`: as of `Profiles.find`, and a page does not wait for tokens to be counted. What a run keeps of its plan is not.
        """
        chosen = self.recipe(recipe)
        asked, mapped = self._parsed(presets.base(chosen, changes), changes)
        reference = self._models.find(model or chosen.model or STARTER)
        spec = self._data.find(data or chosen.dataset or STARTER, lang=lang)
        with self._counting(spec, reference, asked, not (hurried and self.shared.workshop)):
            self.shared.require_sound(reference)
        mapped = [*presets.mapped(self.shared.settings.presets).get(chosen.id, []), *mapped]
        followers.allow(asked, self.shared.settings.mode)
        profile = helping.standing_in(partial(self.shared.profiles.find, hurried=hurried), self.shared.profiles.look)
        there = elsewhere(reference.card, profile) if elsewhere is not None else None
        machine = there or self.shared.machine(reference.card, gpu_memory, profile, asked.device)
        asked, thought = self._thinking(asked, spec, reference)
        if asked.chat_template and not (hurried and self.shared.workshop):
            self.shared.audits.require(audited(spec, reference, asked))
        resolved = planning.resolve(reference.card, self._rows(spec, reference, asked), asked, machine)
        if asked.learning_rate == chosen.settings.learning_rate:  # not said to be set by whoever only took a recipe
            resolved = planning.rate_by_recipe(resolved)
        ignored = full_finetune.ignored(changes, resolved.settings)
        return reference, spec, chosen, resolved.model_copy(update={"notices": [*mapped, *resolved.notices, *thought, *ignored]})

    def case(self, model: ModelRef, spec: DataSpec, asked: TrainSettings, gpu_memory: float | None = None, **seen: Any) -> helping.Case:
        """Choices as the ways out of trouble are looked for; `seen` is what a run of them has shown."""

        def machine(card: ModelCard, device: str) -> planning.Machine:
            return self.shared.machine(card, gpu_memory, helping.standing_in(self.shared.profiles.look, self.shared.profiles.look), device)

        cards = presets.models(self.shared.settings.presets)
        return helping.Case(model.card, self._rows(spec, model, asked), asked, machine, cards, **seen)

    def _parsed(self, base: TrainSettings, changes: dict[str, Any], where: str = "--set") -> tuple[TrainSettings, list[Notice]]:
        """As `presets.parse_settings`. Raises InputError `settings.web` for a field that nobody sets who comes in over the web."""
        found = presets.parse_settings(base, changes, where)
        self._models.quotas.over_the_web(changes)
        return found

    def _thinking(self, asked: TrainSettings, spec: DataSpec, model: ModelRef) -> tuple[TrainSettings, list[Notice]]:
        """The settings with the choice for thoughts, and why where the plan has made it."""
        chosen = self.shared.audits.thinking(audited(spec, model, asked))
        codes = {"learn": "plan.thinking_learn", "keep": "plan.thinking_keep"}
        said = asked.thinking == "auto" and chosen in codes and (spec.thoughts or chosen == "keep")
        notices = [Notice(code=codes[chosen], params={"count": spec.thoughts or 0, "total": spec.rows_kept})] if said else []
        return asked.model_copy(update={"thinking": chosen}), notices

    @contextlib.contextmanager
    def _counting(self, spec: DataSpec, model: ModelRef, asked: TrainSettings, wanted: bool) -> Iterator[None]:
        """While this is open the tokens of the data are counted by the model's tokenizer, in a process that takes as long as its trial."""
        if not wanted or model.card.parameters < SMALLEST:  # those are through before it is counted how long they take
            yield
            return
        count = partial(self.shared.audits.counted, audited(spec, model, asked), look=True)
        work = threading.Thread(target=caught, args=(count, f"counting the tokens of {spec.id}"), daemon=True)
        work.start()
        try:
            yield
        finally:
            work.join(2 * kept.FEW_SECONDS)

    def _rows(self, spec: DataSpec, model: ModelRef, asked: TrainSettings) -> DataFacts:
        lengths = self.shared.audits.counted(audited(spec, model, asked), look=False)
        general = [row for items in replay.there(self.shared.settings.presets, model.card.languages) for row in items]
        return DataFacts(
            count=spec.rows_kept,
            characters=spec.characters,
            validation_rows=spec.validation_rows,
            lengths=lengths,
            general=len(general),
            general_characters=sum(len(row.question) + len(row.answer) for row in general),
        )


def audited(spec: DataSpec, model: ModelRef, settings: TrainSettings) -> Audited:
    """What the audit is of by which a run with these settings is planned."""
    return Audited(spec.id, model, spec.owner, settings.thinking, settings.chat_template)
