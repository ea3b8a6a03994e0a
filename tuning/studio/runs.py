"""What is trained and was trained: create, queue, stop, look at, rename and delete runs. What a run gives out is `leaving`'s affair."""

import time
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any

from tuning import presets
from tuning.errors import InputError, RunError
from tuning.forecast import plan as planning
from tuning.forecast import ways_out as helping
from tuning.hub import pulled
from tuning.hub.pulled import PulledAdapter
from tuning.mirror import mirrored
from tuning.presets import judged
from tuning.rent import rented
from tuning.runs import followers, reading, summary
from tuning.runs.files import clean_name, whole
from tuning.runs.run_folder import Run
from tuning.schema import DataRef, Notice, RunSpec, RunState
from tuning.studio.correcting import rehearsal
from tuning.studio.plans import Decided, Plans, audited
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared

if TYPE_CHECKING:
    from tuning.engine.ranks import Ranks

LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets")
SHAPE = ("method", "lora_r", "lora_alpha", "target_modules", "lora")  # of an adapter: what goes on from one has the same


class Runs:
    """The runs of an owner."""

    def __init__(self, shared: Shared, owner: str, plans: Plans) -> None:
        self.shared, self.owner, self.quotas = shared, owner, Quotas(shared, owner)
        self._plans = plans

    def create(
        self,
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: dict[str, Any] | None = None,
        name: str | None = None,
        lang: str = "en",
        continues: Run | PulledAdapter | None = None,
    ) -> Run:
        """A new run folder with everything decided; it waits for `enqueue` or an engine. `continues`: see `further`.

        Raises InputError where a choice is at fault or the audit found nothing to learn, RunError where it does not fit into memory.
        """
        self.quotas.pace("start")
        reference, spec, chosen, resolved = self._plans.resolve(model, data, recipe, settings or {}, None, lang)
        self.quotas.model(reference)
        self.shared.shelf.require(reference, self.owner)
        return self.write((reference, spec, chosen, resolved), settings or {}, name, continues)

    def write(self, decided: Decided, changes: dict[str, Any], name: str | None, continues: Run | PulledAdapter | None = None) -> Run:
        """The folder of a new run, of what its choices have come to. Raises as `create` does."""
        reference, spec, chosen, resolved = decided
        followers.check(resolved.settings)
        if not resolved.forecast.fits:
            gib = planning.GIB
            raise RunError("plan.refused", need=resolved.forecast.peak_bytes / gib, have=resolved.forecast.available_bytes / gib)
        found = self.shared.audits.known(audited(spec, reference, resolved.settings))
        learned = found and self.shared.audits.learned(found, spec.id, resolved.settings, self.owner)
        blocked = learned and learned.blocked(int(resolved.settings.max_length))
        if blocked:
            raise InputError(blocked.code, **blocked.params)
        self.quotas.run(resolved.forecast.seconds)
        title = clean_name(name or "") or spec.name
        run_id = self.shared.store.new_id(reference.card.title, title)
        made = self.shared.store.create(
            RunSpec(
                owner=self.owner,
                id=run_id,
                name=title,
                created=time.time(),
                model=reference,
                data=DataRef(
                    id=spec.id,
                    name=spec.name,
                    sha256=spec.sha256,
                    train_rows=resolved.train_rows,
                    validation_rows=resolved.validation_rows,
                    general_rows=resolved.general_rows,
                ),
                recipe=chosen.id,
                continues=None if continues is None else continues.id,
                changes=changes,
                processes=resolved.processes,
                shares=resolved.shares,
                settings=resolved.settings,
                forecast=resolved.forecast,
                notices=resolved.notices,
                versions={library: metadata.version(library) for library in LIBRARIES},
            )
        )
        if continues is not None:
            with whole(made.folder):
                made.begin_with(continues.adapter)
        return made

    def train(
        self,
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: dict[str, Any] | None = None,
        name: str | None = None,
        lang: str = "en",
    ) -> dict[str, Any]:
        """Put a new run in the queue of the workshop: same parameters as `create`. Returns `run` and `status` at once."""
        made = self.create(model, data, recipe, settings, name, lang)
        with whole(made.folder):
            return self._enqueue(made)

    def work(self, run: Run, progress: Callable[[], None]) -> RunState:
        """Train a run where there is no workshop, in this process or in one for each card; how it ended.

        Raises RunError while a card is in use, EngineError where processes ended before they had begun.
        """
        from tuning.engine import launching

        here = self.shared.settings
        count = launching.processes(run.spec(), len(self.shared.probe().gpus)) if here.world_size == 1 else 1
        if count > 1:
            job = launching.Launch(run, self.shared.store, count, here.remote_code)
            job.work(progress)
            return run.state() if job.gone is None else RunState(status="failed", reason="gone", error=job.gone)
        from tuning.engine.learn.train import train
        from tuning.engine.resident import Resident

        return train(run, self.shared.store, Resident(self.shared.shelf.trusts, self._ranks(run.spec().shares)), progress)

    def assist(self, begun: Callable[[], None]) -> Notice | None:
        """Take part, in this process, in the training that rank 0 of the same launcher begins; why it did not come to its end.

        `begun` is called as soon as it is known which run it is.
        """
        from tuning.engine.learn.train import assist
        from tuning.engine.resident import Resident

        ranks = self._ranks()
        store = self.shared.store
        run = Run(store.folder / ranks.called())
        begun()
        ranks.shares = run.spec().shares
        return assist(run, store, Resident(self.shared.shelf.trusts, ranks))

    def _ranks(self, shares: bool = False) -> "Ranks":
        from tuning.engine.ranks import Ranks

        here = self.shared.settings
        return Ranks(here.rank, here.world_size, here.local_rank, here.local_world_size, shares=shares and here.world_size > 1)

    def resume(self, run: str) -> dict[str, Any]:
        """Put an interrupted, stopped, paused or failed run back in the queue; it goes on from its newest whole checkpoint."""
        self.quotas.pace("start")
        return self._enqueue(self.resumable(run))

    def queued(self, run: str) -> Run:
        """A run that the queue has begun, whoever it belongs to: for a process that the queue has started."""
        return Run(self.shared.store.folder / run)

    def resumable(self, run: str) -> Run:
        """The run, if it can go on. Raises RunError where it is at work, has nothing left to do, or has a setting that is refused."""
        found = self.shared.store.find(run, self.owner)
        _require_here(found)
        status = found.state().status
        if status in ("queued", "starting", "running", "finished"):
            raise RunError("run.not_resumable", run=found.id, status=status)
        try:
            judged.check(found.spec().settings, "spec.yaml")
        except InputError as error:  # an older version let it through
            raise RunError("run.setting", run=found.id, key=error.params["key"]) from error
        (found.folder / "stop").unlink(missing_ok=True)
        return found

    def waiting(self) -> int:
        """How many runs wait on this machine, whosever they are."""
        return len(self.shared.store.queue())

    def stop(self, run: str) -> dict[str, Any]:
        """Ask a run to stop after its step; what it has learned is kept as an adapter."""
        self.quotas.pace("change")
        found = self.shared.store.find(run, self.owner)
        found.request_stop()
        return summary.brief(found)

    def show(self, run: str) -> dict[str, Any]:
        """Everything about one run: the result, spec, state and metrics; of one that cannot be read its `faults` and `files`."""
        return shown(self.shared, self.shared.store.find(run, self.owner, unreadable=True))

    def ways(self, run: str) -> dict[str, Any]:
        """What is wrong with a run (`cause`: memory, slow or None), and the `offers`, as of `plan`, to start it anew with."""
        found = self.shared.store.find(run, self.owner)
        spec, state = found.spec(), found.state()
        left = state.seconds_left or 0.0
        late = state.status == "running" and not state.finishing and left > helping.LATE * spec.forecast.seconds
        if not late and (state.reason != "memory" or state.status not in ("paused", "failed")):
            return {"cause": None, "offers": []}
        asked, _ = presets.parse_settings(presets.base(self._plans.recipe(spec.recipe), _by_hand(spec)), _by_hand(spec), "--set")
        case = self._plans.case(spec.model, self.shared.library.get(spec.data.id, self.owner), asked)
        takes = state.seconds + left if late else None
        cause, offers = helping.after(case, spec.forecast.seconds, takes, helped_itself=bool(state.recoveries), left=left)
        return {"cause": cause, "offers": [offer.model_dump() for offer in offers]}

    def again(self, run: str, changes: dict[str, Any], lang: str = "en") -> dict[str, Any]:
        """Put a new run with the choices of another one, but for `changes` (settings, and `model`), in the queue.

        One that is at work is stopped for it, and keeps what it has learned.
        """
        found = self.shared.store.find(run, self.owner)
        spec = found.spec()
        settings = {**_by_hand(spec), **changes}
        model = str(settings.pop("model", spec.model.id))
        made = self.create(model, spec.data.id, spec.recipe, settings, found.name(), lang)
        with whole(made.folder):
            if found.state().status in ("starting", "running", "queued"):
                found.request_stop()
            return self._enqueue(made)

    def further(self, run: str, data: str | None = None, settings: dict[str, Any] | None = None, name: str | None = None) -> Run:
        """A new run that begins with the adapter of another one, on the same data or on other; it waits as one of `create` does.

        Its adapter is shaped as the other's, and corrected answers are learned as `rehearsal` says.
        Raises InputError where `settings` would change that, RunError `run.no_adapter`. `run` may be an adapter of the Hub that is here.
        """
        if pulled.parsed(run) is not None:
            return self._further_of_the_hub(run, data, settings or {}, name)
        found = self.shared.store.find(run, self.owner)
        spec = found.spec()
        found.require_adapter()
        method = spec.settings.method
        shape = {key: getattr(spec.settings, key) for key in SHAPE if method == "lora" or key == "method"}
        _require_shape(settings or {}, shape)
        version = next((one for one in self.shared.library.list(self.owner) if one.id == data), None)
        gentle = rehearsal.settings(version.corrected, spec.settings) if version is not None and version.corrected else {}
        worded = {"chat_template": spec.settings.chat_template} if spec.settings.chat_template else {}
        changes = {**_by_hand(spec), **worded, **shape, **gentle, **(settings or {})}
        return self.create(spec.model.id, data or spec.data.id, spec.recipe, changes, name or found.name(), continues=found)

    def _further_of_the_hub(self, target: str, data: str | None, settings: dict[str, Any], name: str | None) -> Run:
        """As `further`: the shape is that of its configuration, and it has no data of its own. Raises InputError `pull.…`."""
        found = pulled.find(self.shared.settings.home, self.owner, target)
        if data is None:
            raise InputError("pull.data", target=target)
        shape = pulled.shape(found)
        _require_shape(settings, shape)
        return self.create(found.base, data, None, {**shape, **settings}, name or found.name.partition("@")[0], continues=found)

    def go_on(self, run: str, data: str, name: str) -> dict[str, Any]:
        """Put what `further` makes in the queue of the workshop."""
        made = self.further(run, data, name=name)
        with whole(made.folder):
            return self._enqueue(made)

    def glimpse(self, run: str) -> dict[str, Any]:
        """What a list shows of a run beside `list`: its losses as a few points (`spark`), and `size_bytes` on disk."""
        return summary.glimpse(self.shared.store.find(run, self.owner, unreadable=True))

    def rename(self, run: str, name: str) -> dict[str, Any]:
        """Give a run another name."""
        self.quotas.pace("change")
        found = self.shared.store.find(run, self.owner)
        found.rename(name)
        return summary.brief(found)

    def delete(self, run: str) -> dict[str, Any]:
        """Remove a run and all it made. Raises RunError while it is at work."""
        self.quotas.pace("change")
        found = self.shared.store.find(run, self.owner, unreadable=True)
        _require_here(found)
        self.shared.store.delete(found)
        self.shared.errands.end(found.id)
        return {"run": found.id, "deleted": True}

    def id(self, run: str) -> str:
        """The whole id of a run that is named by its beginning, its name or `last`. Raises InputError where none or several are."""
        return self.shared.store.find(run, self.owner, unreadable=True).id

    def ids(self) -> list[str]:
        """The ids of all runs, newest first, those that cannot be read last."""
        store = self.shared.store
        return [run.id for run in [*store.all(self.owner), *store.unreadable(self.owner)]]

    def list(self) -> list[dict[str, Any]]:
        """All runs of the owner, newest first, in short; after them those that cannot be read, with their `faults`."""
        store = self.shared.store
        places, found = store.places(), []
        for run in store.all(self.owner):
            try:
                found.append(summary.brief(run, places))
            except RunError:  # deleted, or spoiled, this very moment
                continue
        return found + [summary.unreadable(run) for run in store.unreadable(self.owner)]

    def gone(self) -> dict[str, Any] | None:
        """That the folder of the run which was trained last was taken away in the middle of it; there is no run left to say so."""
        told = self.shared.workshop.gone.get(self.owner) if self.shared.workshop else None
        return told.model_dump() if told else None

    def _enqueue(self, run: Run) -> dict[str, Any]:
        """Raises RunError where it is one too many: `create` has looked before, but so may it have done for another at the same time."""
        with self.shared.queueing:
            self.quotas.turn()
            run.enqueue()
        if self.shared.workshop is not None:
            self.shared.workshop.wake()
        return summary.brief(run)


def _require_here(run: Run) -> None:
    """Raises RunError `rent.away` for a run that is on a rented machine, which would go on, and cost."""
    if rented.away(run) is not None:
        raise RunError("rent.away", run=run.id)


def shown(shared: Shared, run: Run) -> dict[str, Any]:
    """Everything about one run of whomever, as `Runs.show` returns it."""
    if run.known() is None:
        return summary.remains(run)
    state, logged, unmirrored = run.state(), run.logged(), mirrored.trouble(run.folder)
    if unmirrored is not None:
        state = state.model_copy(update={"notices": [*state.notices, unmirrored]})
    return {
        **summary.result(run, state),
        "spec": summary.spec(run),
        "state": state.model_dump(by_alias=True),
        "metrics": logged.records,
        "logged": logged.version,
        "log": run.log([]),
        "samples": run.samples(),
        "size_bytes": reading.size(run.folder),
        "stop_requested": run.stop_requested(),
        "stopped_by": run.stopped_by(),
        "download": shared.shelf.coming.get(run.spec().model.path),
    }


def _require_shape(settings: dict[str, Any], shape: dict[str, Any]) -> None:
    """Raises InputError for a setting that would give what is gone on from another shape."""
    for key, value in settings.items():
        if key == "method" and value != shape["method"]:
            raise InputError("run.method", was=shape["method"])
        if key != "method" and key.split(".")[0] in shape:
            raise InputError("run.shape", key=key)


def _by_hand(spec: RunSpec) -> dict[str, Any]:
    """What was set over a run's recipe; all its settings where that was not written down."""
    return spec.settings.model_dump() if spec.changes is None else dict(spec.changes)
