"""An owner's adapters measured at five strengths: asked for, stopped, and read. The measuring is `engine.judge.strengths`."""

from typing import Any

from tuning.errors import InputError, RunError
from tuning.hub.shelf import here
from tuning.runs import disk
from tuning.runs.contents import STRENGTHS_FILE, StrengthsReport
from tuning.runs.run_folder import Run
from tuning.schema import ALIVE
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared
from tuning.studio.talk import run_of, scaling


class StrengthTable:
    """What an owner can measure."""

    def __init__(self, shared: Shared, owner: str, quotas: Quotas) -> None:
        self.shared, self.owner, self._quotas = shared, owner, quotas

    def ask(self, run: str) -> None:
        """Have a run measured; nobody waits for it.

        Raises InputError for a run that is not there or has no adapter to scale, RunError while a run is on.
        """
        self._quotas.pace("errand")
        found = self._find(run)
        if found.state().status in ALIVE:
            raise RunError("evaluate.busy")
        found.require_adapter()
        if scaling(found) == "nothing":
            raise InputError("chat.strength")
        if not here(found.spec().model):
            raise InputError("model.not_here", model=found.spec().model.id)
        self.shared.require_sound(found.spec().model)
        from tuning.engine import question

        workshop = self.shared.workshop
        assert workshop is not None
        if workshop.measured(found.id) is None:
            workshop.measure(question.Strengths(found))

    def stop(self, run: str) -> None:
        """End the measuring of a run after its batch; what was found is kept."""
        workshop = self.shared.workshop
        asked = None if workshop is None else workshop.measured(self._find(run).id)
        if asked is not None:
            asked.stopped.set()

    def read(self, run: str) -> dict[str, Any] | None:
        """`points`, `rows`, `error` and whether it is `on`; None where nothing was measured, or an adapter that is no more."""
        found = self._find(run)
        asked = None if self.shared.workshop is None else self.shared.workshop.measured(found.id)
        path = found.folder / STRENGTHS_FILE
        kept = disk.kept(lambda: disk.record(path, StrengthsReport), None) if path.exists() else None
        if kept is not None and found.adapter.is_dir() and path.stat().st_mtime < found.adapter.stat().st_mtime:
            kept = None
        if kept is None:
            return {"points": [], "rows": 0, "error": None, "on": True} if asked is not None else None
        return {**kept.model_dump(include={"points", "rows", "error"}), "on": asked is not None}

    def _find(self, run: str) -> Run:
        return self.shared.store.find(run_of(run), self.owner)
