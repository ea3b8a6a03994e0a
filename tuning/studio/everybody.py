"""Everybody's runs for whoever runs the machine: who trains what, for how long and on how much disk; order, stop, delete.

It reads no data, no conversation and no answer, and hands none out. Whoever is no operator gets an error from each method.
"""

from typing import Any

from tuning.errors import InputError
from tuning.runs import files, reading, summary
from tuning.runs.run_folder import Run
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared

OPERATOR = "operator"  # in what a run keeps of its stop
SHOWN = ("run", "status", "model_title", "created", "seconds", "step", "total_steps", "place", "wait_seconds")


class Everybody:
    """The runs of all owners, in short."""

    def __init__(self, shared: Shared, owner: str) -> None:
        self.shared, self._quotas = shared, Quotas(shared, owner)

    @property
    def allowed(self) -> bool:
        """Whether this owner runs the machine for others."""
        return self.shared.settings.mode != "local" and self._quotas.operator

    def list(self) -> list[dict[str, Any]]:
        """All runs: at work, then those that wait in their order, then the others, newest first.

        Each has `owner`, what `Runs.list` says of it but for the names of run and data, `predicted_peak_bytes` and `size_bytes`.
        """
        self._quotas.machine()
        places = self.shared.store.places()
        found = []
        for run in self.shared.store.of_everybody():
            spec, brief = run.known(), summary.brief(run, places)
            if spec is not None:
                facts = {"owner": spec.owner, "predicted_peak_bytes": spec.forecast.peak_bytes, "size_bytes": reading.size(run.folder)}
                found.append({**facts, **{key: brief[key] for key in SHOWN}})
        order = {"running": 0, "starting": 0, "queued": 1}
        return sorted(found, key=lambda one: (order.get(one["status"], 2), one["place"] or 0, -one["created"]))

    def ahead(self, run: str) -> None:
        """Have a run that waits be the next. Raises RunError where it does not wait."""
        self._find(run).put_ahead()

    def stop(self, run: str) -> None:
        """As `Runs.stop`; whose run it is will see who did it."""
        found = self._find(run)
        found.request_stop()
        files.write(found.folder / "stop", OPERATOR)

    def delete(self, run: str) -> None:
        """As `Runs.delete`."""
        self.shared.store.delete(found := self._find(run))
        self.shared.errands.end(found.id)

    def _find(self, run: str) -> Run:
        self._quotas.machine()
        for found in self.shared.store.of_everybody():
            if found.id == run:
                return found
        raise InputError("run.unknown", run=files.clean_name(run))
