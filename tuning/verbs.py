"""What can be done, once for page, command line and API: JSON-able values in, JSON-able values out.

Every verb takes the owner. The engine is imported only by those that need it, and only when they are called.
"""

import pathlib
import time
import zipfile
from importlib import metadata
from typing import TYPE_CHECKING, Any, get_args

from tuning import presets
from tuning.audits import Audits
from tuning.data.library import Library
from tuning.data.sources import Sources
from tuning.errors import InputError, RunError
from tuning.export.adapter import zip_adapter
from tuning.materials import STARTER
from tuning.models import catalog
from tuning.models.hardware import Hardware, probe
from tuning.models.profiles import Profiles
from tuning.models.shelf import Shelf, here
from tuning.plan import guide, whole
from tuning.plan import help as helping
from tuning.plan import plan as planning
from tuning.runs import files, reading, summary, trackers
from tuning.runs.store import Run, Store, clean_name
from tuning.schema import LOCAL, DataRef, DataSpec, Goal, ModelCard, ModelRef, Recipe, RunSpec, TrainSettings, on_card
from tuning.settings import Settings
from tuning.talking import Talking

if TYPE_CHECKING:
    from tuning.engine.workshop import Workshop

LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets")
HARDWARE_SECONDS = 2.0
SHAPE = ("method", "lora_r", "lora_alpha", "target_modules", "lora")  # of an adapter: what goes on from one has the same


class Verbs(Talking):
    """The verbs over one home folder. `workshop` is there in the app, and not in a terminal."""

    def __init__(self, settings: Settings, workshop: "Workshop | None" = None) -> None:
        self.settings = settings
        self.store = Store(settings.home)
        self.library = Library(settings.home)
        self.workshop = workshop
        self.shelf = (workshop and workshop.shelf) or Shelf(settings, self.store)
        self.sources = Sources(settings)
        self.profiles = Profiles(settings.home, wait=workshop is None)
        self.audits = Audits(settings.home, self.library, self.shelf, wait=workshop is None)
        self._hardware: tuple[float, Hardware] | None = None

    # What there is

    def hardware(self) -> dict[str, Any]:
        """This machine: system, cpu, cores, memory and disk in bytes, gpus."""
        return self._probe().model_dump()

    def models(self, goal: str | None = None, gpu_memory: float | None = None) -> list[dict[str, Any]]:
        """The catalog, best first for `goal`, on this machine or a card of `gpu_memory` GB.

        Each has `predicted_peak_bytes`, `available_bytes`, `seconds` (of one pass over 1000 examples), `fits`, `fit`
        (comfortable, tight or no) and `here` (nothing has to be downloaded). Raises InputError for an unknown goal.
        """
        if goal is not None and goal not in get_args(Goal):
            raise InputError("model.goal", goal=clean_name(goal), known=", ".join(get_args(Goal)))
        cards = presets.models(self.settings.presets)
        return catalog.advise([self.entry(self.model(id), gpu_memory) for id in cards], goal)

    def entry(self, model: ModelRef, gpu_memory: float | None = None) -> dict[str, Any]:
        """A model as `models` lists it."""
        offer = planning.offer(model.card, self._machine(model.card, gpu_memory, self.profiles.look))
        facts = model.card.model_dump(exclude={"path", "config"})
        return {**facts, "id": model.id, **offer, "here": here(model)}

    def recipes(self) -> list[dict[str, Any]]:
        """The recipes with their settings."""
        return [recipe.model_dump() for recipe in presets.recipes(self.settings.presets).values()]

    def suits(self, recipe: str, model: str | None = None, owner: str = LOCAL) -> dict[str, Any]:
        """How a recipe fares on this machine, with its model or else `model`, over 1000 examples.

        `fits` (None without a model), the bytes it needs and has, `changed` (notices of what is done in another way here), and
        `error` where it cannot be done at all.
        """
        chosen = self.recipe(recipe)
        found: dict[str, Any] = {"fits": None, "predicted_peak_bytes": 0, "available_bytes": 0, "changed": [], "error": None}
        if not (chosen.model or model):
            return found
        try:
            card = self.model(chosen.model or model or "", owner).card
            machine = self._machine(card, None, self.profiles.look, chosen.settings.device)
            plan = planning.resolve(card, planning.EXAMPLES, chosen.settings, machine)
        except InputError as error:
            return found | {"error": {"code": error.code, "params": error.params}}
        return found | {
            "fits": plan.forecast.fits,
            "predicted_peak_bytes": plan.forecast.peak_bytes,
            "available_bytes": plan.forecast.available_bytes,
            "changed": [notice.model_dump() for notice in plan.notices if notice.code in helping.CHANGED],
        }

    def guide(self) -> dict[str, Any]:
        """For this machine: the largest model that it trains well (`now`), and what one step up would bring (`step_up`)."""
        return guide.guide(self.models, max((gpu.memory_total for gpu in self._probe().gpus), default=0) / planning.GIB)

    # Plans and runs

    def model(self, model: str, owner: str = LOCAL) -> ModelRef:
        """A catalog id, an id of the Hub, or on a machine of one's own a folder. No weight is fetched."""
        return self.shelf.find(model, owner)

    def plan(
        self,
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: dict[str, Any] | None = None,
        gpu_memory: float | None = None,
        owner: str = LOCAL,
        lang: str = "en",
    ) -> dict[str, Any]:
        """What a run with these choices would do: resolved `settings`, `predicted_peak_bytes`, `parts`, `seconds`, `fits`, `notices`.

        `cause` is what is wrong with it (memory, slow or None), and `offers` are the ways out: {code, params, changes,
        predicted_peak_bytes, available_bytes, seconds, suffices, advised}.
        """
        reference, spec, chosen, resolved = self._resolve(model, data, recipe, settings or {}, gpu_memory, owner, lang)
        forecast = resolved.forecast
        asked, _ = presets.parse_settings(presets.base(chosen, settings or {}), settings or {}, "--set")
        cause, offers = helping.ways(self._case(reference, spec, asked, gpu_memory), resolved)
        return {
            "model": reference.id,
            "data": spec.id,
            "recipe": chosen.id,
            "settings": resolved.settings.model_dump(),
            "train_rows": resolved.train_rows,
            "validation_rows": resolved.validation_rows,
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
            "notices": [notice.model_dump() for notice in [*self.shelf.notices(reference, owner), *resolved.notices]],
        }

    def create(
        self,
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: dict[str, Any] | None = None,
        name: str | None = None,
        owner: str = LOCAL,
        lang: str = "en",
        continues: Run | None = None,
    ) -> Run:
        """A new run folder with everything decided; it waits for `enqueue` or an engine. `continues`: see `further`.

        Raises InputError where a choice is at fault or the audit found nothing to learn, RunError where it does not fit into memory.
        """
        reference, spec, chosen, resolved = self._resolve(model, data, recipe, settings or {}, None, owner, lang)
        self.shelf.require(reference, owner)
        trackers.check(resolved.settings)
        if not resolved.forecast.fits:
            gib = planning.GIB
            raise RunError("plan.refused", need=resolved.forecast.peak_bytes / gib, have=resolved.forecast.available_bytes / gib)
        found = self.audits.known(spec.id, reference, owner)
        blocked = found and self.audits.learned(found, spec.id, resolved.settings, owner).blocked(int(resolved.settings.max_length))
        if blocked:
            raise InputError(blocked.code, **blocked.params)
        title = clean_name(name or "") or spec.name
        run_id = self.store.new_id(reference.card.title, title)
        made = self.store.create(
            RunSpec(
                owner=owner,
                id=run_id,
                name=title,
                created=time.time(),
                model=reference,
                data=DataRef(
                    id=spec.id, name=spec.name, sha256=spec.sha256, train_rows=resolved.train_rows, validation_rows=resolved.validation_rows
                ),
                recipe=chosen.id,
                continues=None if continues is None else continues.id,
                changes=settings or {},
                settings=resolved.settings,
                forecast=resolved.forecast,
                notices=resolved.notices,
                versions={library: metadata.version(library) for library in LIBRARIES},
            )
        )
        if continues is not None:
            made.begin_with(continues)
        return made

    def settings_for(self, recipe: str | None, changes: dict[str, Any]) -> dict[str, Any]:
        """A recipe's settings with changes laid over them. Raises InputError for what the schema does not take."""
        return presets.parse_settings(self.recipe(recipe).settings, changes, "--set")[0].model_dump()

    def train(self, *choices: Any, **named: Any) -> dict[str, Any]:
        """Put a new run in the queue of the workshop: same parameters as `create`. Returns `run` and `status` at once."""
        run = self.create(*choices, **named)
        return self._enqueue(run)

    def resume(self, run: str, owner: str = LOCAL) -> dict[str, Any]:
        """Put an interrupted, stopped, paused or failed run back in the queue; it goes on from its newest whole checkpoint."""
        return self._enqueue(self.resumable(run, owner))

    def resumable(self, run: str, owner: str = LOCAL) -> Run:
        """The run, if it can go on. Raises RunError where it is at work or has nothing left to do."""
        found = self.store.find(run, owner)
        status = found.state().status
        if status in ("queued", "starting", "running", "finished"):
            raise RunError("run.not_resumable", run=found.id, status=status)
        (found.folder / "stop").unlink(missing_ok=True)
        return found

    def stop(self, run: str, owner: str = LOCAL) -> dict[str, Any]:
        """Ask a run to stop after its step; what it has learned is kept as an adapter."""
        found = self.store.find(run, owner)
        found.request_stop()
        return summary.brief(found)

    def runs(self, owner: str = LOCAL) -> list[dict[str, Any]]:
        """All runs of the owner, newest first, in short."""
        places = self.store.places()
        return [summary.brief(run, places) for run in self.store.all(owner)]

    def show(self, run: str, owner: str = LOCAL) -> dict[str, Any]:
        """Everything about one run: the result, spec, state and metrics."""
        found = self.store.find(run, owner)
        state, logged = found.state(), found.logged()
        return {
            **summary.result(found, state),
            "spec": summary.spec(found),
            "state": state.model_dump(by_alias=True),
            "metrics": logged.records,
            "logged": logged.version,
            "log": found.log(),
            "samples": found.samples(),
            "size_bytes": reading.size(found.folder),
            "stop_requested": found.stop_requested(),
            "download": self.shelf.coming.get(found.spec().model.path),
        }

    def ways(self, run: str, owner: str = LOCAL) -> dict[str, Any]:
        """What is wrong with a run (`cause`: memory, slow or None), and the `offers`, as of `plan`, to start it anew with."""
        found = self.store.find(run, owner)
        spec, state = found.spec(), found.state()
        left = state.seconds_left or 0.0
        late = state.status == "running" and left > helping.LATE * spec.forecast.seconds
        if not late and (state.reason != "memory" or state.status not in ("paused", "failed")):
            return {"cause": None, "offers": []}
        asked, _ = presets.parse_settings(presets.base(self.recipe(spec.recipe), _by_hand(spec)), _by_hand(spec), "--set")
        case = self._case(spec.model, self.library.get(spec.data.id, owner), asked)
        takes = state.seconds + left if late else None
        cause, offers = helping.after(case, spec.forecast.seconds, takes, helped_itself=bool(state.recoveries))
        return {"cause": cause, "offers": [offer.model_dump() for offer in offers]}

    def again(self, run: str, changes: dict[str, Any], owner: str = LOCAL, lang: str = "en") -> dict[str, Any]:
        """Put a new run with the choices of another one, but for `changes` (settings, and `model`), in the queue.

        One that is at work is stopped for it, and keeps what it has learned.
        """
        found = self.store.find(run, owner)
        spec = found.spec()
        settings = {**_by_hand(spec), **changes}
        model = str(settings.pop("model", spec.model.id))
        made = self.create(model, spec.data.id, spec.recipe, settings, found.name(), owner, lang)
        if found.state().status in ("starting", "running", "queued"):
            found.request_stop()
        return self._enqueue(made)

    def further(
        self, run: str, data: str | None = None, settings: dict[str, Any] | None = None, name: str | None = None, owner: str = LOCAL
    ) -> Run:
        """A new run that begins with the adapter of another one, on the same data or on other; it waits as one of `create` does.

        Its adapter is shaped as the other's. Raises InputError where `settings` would change that, RunError `run.no_adapter`.
        """
        found = self.store.find(run, owner)
        spec = found.spec()
        if not found.adapter.is_dir():
            raise RunError("run.no_adapter", run=found.id)
        method = spec.settings.method
        shape = {key: getattr(spec.settings, key) for key in SHAPE if method == "lora" or key == "method"}
        for key, value in (settings or {}).items():
            if key == "method" and value != method:
                raise InputError("run.method", was=method)
            if key != "method" and key.split(".")[0] in shape:
                raise InputError("run.shape", key=key)
        changes = {**_by_hand(spec), **shape, **(settings or {})}
        return self.create(spec.model.id, data or spec.data.id, spec.recipe, changes, name or found.name(), owner, continues=found)

    def glimpse(self, run: str, owner: str = LOCAL) -> dict[str, Any]:
        """What a list shows of a run beside `runs`: its losses as a few points (`spark`), and `size_bytes` on disk."""
        return summary.glimpse(self.store.find(run, owner))

    def rename(self, run: str, name: str, owner: str = LOCAL) -> dict[str, Any]:
        """Give a run another name."""
        found = self.store.find(run, owner)
        found.rename(name)
        return summary.brief(found)

    def delete(self, run: str, owner: str = LOCAL) -> dict[str, Any]:
        """Remove a run and all it made. Raises RunError while it is at work."""
        found = self.store.find(run, owner)
        self.store.delete(found)
        return {"run": found.id, "deleted": True}

    def export(self, run: str, to: str, out: pathlib.Path, owner: str = LOCAL) -> pathlib.Path:
        """Write what a run made as one file. Raises InputError for an unknown form, RunError where there is no adapter yet."""
        if to != "adapter":
            raise InputError("export.unknown", to=clean_name(to), known="adapter")
        found = self.store.find(run, owner)
        if not found.adapter.is_dir():
            raise RunError("run.no_adapter", run=found.id)
        try:
            return zip_adapter(found, out)
        except (OSError, zipfile.LargeZipFile) as error:
            raise InputError("export.cannot_write", path=out.name) from error

    # Inside

    def _enqueue(self, run: Run) -> dict[str, Any]:
        run.enqueue()
        if self.workshop is not None:
            self.workshop.wake()
        return summary.brief(run)

    def _resolve(
        self,
        model: str | None,
        data: str | None,
        recipe: str | None,
        changes: dict[str, Any],
        gpu_memory: float | None,
        owner: str,
        lang: str,
    ) -> tuple[ModelRef, DataSpec, Recipe, planning.Resolved]:
        chosen = self.recipe(recipe)
        reference = self.model(model or chosen.model or STARTER, owner)
        spec = self.dataset(data or chosen.dataset or STARTER, owner, lang=lang)
        asked, mapped = presets.parse_settings(presets.base(chosen, changes), changes, "--set")
        mapped = [*presets.mapped(self.settings.presets).get(chosen.id, []), *mapped]
        trackers.allow(asked, self.settings.mode)
        profile = helping.standing_in(self.profiles.find, self.profiles.look)
        machine = self._machine(reference.card, gpu_memory, profile, asked.device)
        resolved = planning.resolve(reference.card, self._rows(spec, reference), asked, machine)
        if asked.learning_rate == chosen.settings.learning_rate:  # not said to be set by whoever only took a recipe
            resolved = planning.rate_by_recipe(resolved)
        ignored = whole.ignored(changes, resolved.settings)
        return reference, spec, chosen, resolved.model_copy(update={"notices": [*mapped, *resolved.notices, *ignored]})

    def _rows(self, spec: DataSpec, model: ModelRef) -> planning.Rows:
        lengths = self.audits.known(spec.id, model, spec.owner)
        return planning.Rows(count=spec.rows_kept, characters=spec.characters, validation_rows=spec.validation_rows, lengths=lengths)

    def _case(self, model: ModelRef, spec: DataSpec, asked: TrainSettings, gpu_memory: float | None = None, **seen: Any) -> helping.Case:
        """Choices as the ways out of trouble are looked for; `seen` is what a run of them has shown."""

        def machine(card: ModelCard, device: str) -> planning.Machine:
            return self._machine(card, gpu_memory, helping.standing_in(self.profiles.look, self.profiles.look), device)

        cards = presets.models(self.settings.presets)
        return helping.Case(model.card, self._rows(spec, model), asked, machine, cards, **seen)

    def recipe(self, name: str | None) -> Recipe:
        """A recipe by name, or the first. Raises InputError `recipe.unknown`."""
        known = presets.recipes(self.settings.presets)
        if name is None:
            return next(iter(known.values()))
        if name not in known:
            raise InputError("recipe.unknown", recipe=clean_name(name), known=", ".join(known))
        return known[name]

    def _probe(self) -> Hardware:
        now = time.monotonic()
        if self._hardware is None or now - self._hardware[0] > HARDWARE_SECONDS:
            self._hardware = (now, probe(self.settings.home, self.settings.cuda_visible_devices, self.settings.cuda_device_order))
        return self._hardware[1]

    def _machine(self, card: ModelCard, gpu_memory: float | None, profile: planning.Lookup, device: str = "auto") -> planning.Machine:
        records = list(files.read_lines(self.settings.home / "calibration.jsonl"))
        on_cpu = not on_card(device) or (gpu_memory is None and not self._probe().gpus)
        shown = planning.calibrate(records, card, on_cpu)
        return planning.Machine(self._probe(), shown, gpu_memory, profile)


def _by_hand(spec: RunSpec) -> dict[str, Any]:
    """What was set over a run's recipe; all its settings where that was not written down."""
    return spec.settings.model_dump() if spec.changes is None else dict(spec.changes)
