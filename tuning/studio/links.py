"""Watch links: an address by which anybody may look at one run, and at nothing else, until its owner withdraws it.

The secret of the address stands in the run's folder, for its owner alone to read. Where it is served is the affair of `serve.watch`,
how it looks that of `ui.draw.watching`.
"""

import hmac
import re
import secrets
from typing import Any

from tuning.errors import RunError
from tuning.runs import disk, files
from tuning.runs.contents import WatchLink
from tuning.runs.run_folder import Run
from tuning.runs.store import RUN_ID
from tuning.studio import runs
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared

FILE = "watch"
SECRET = re.compile(r"[A-Za-z0-9_-]{32}")  # 192 random bits
# What is handed out of a run: no id, no name of data, no setting, no log and no place on the disk.
SHOWN = (
    "name", "status", "model_title", "created", "seconds", "total_steps", "place", "wait_seconds", "download", "state", "metrics",
    "logged", "samples", "evaluation", "base_eval_loss", "eval_loss",
)  # fmt: skip


class Links:
    """The watch links of an owner's runs."""

    def __init__(self, shared: Shared, owner: str) -> None:
        self.shared, self.owner, self._quotas = shared, owner, Quotas(shared, owner)

    def of(self, run: str) -> str | None:
        """The secret of a run's link; None where it has none. Raises InputError for a run that is not the owner's."""
        return _secret(self.shared.store.find(run, self.owner, unreadable=True))

    def give(self, run: str) -> str:
        """The secret of a run's link, made where there is none yet."""
        self._quotas.pace("change")
        found = self.shared.store.find(run, self.owner)
        known = _secret(found)
        if known is not None:
            return known
        made, path = secrets.token_urlsafe(24), found.folder / FILE
        files.write(path, WatchLink(run=found.id, secret=made).model_dump_json())
        path.chmod(0o600)
        return made

    def withdraw(self, run: str) -> None:
        """From now on nobody gets in by the run's link; another one has another secret."""
        self._quotas.pace("change")
        files.remove(self.shared.store.find(run, self.owner, unreadable=True).folder / FILE)

    def holds(self, secret: str) -> bool:
        """Whether a secret is that of a run, whoever's it is."""
        return self._find(secret) is not None

    def follow(self, secret: str) -> dict[str, Any] | None:
        """What whoever has the secret may see of its run, as `Runs.show` tells it; None where it is no run's, or not any more."""
        run = self._find(secret)
        try:
            found = {} if run is None else runs.shown(self.shared, run)
        except RunError:  # deleted this very moment
            return None
        return {key: found[key] for key in SHOWN} if "state" in found else None

    def _find(self, secret: str) -> Run | None:
        if not SECRET.fullmatch(secret):
            return None
        for path in self.shared.store.folder.glob(f"*/{FILE}"):
            run = Run(path.parent)
            known = _secret(run) if RUN_ID.match(run.id) else None
            if known is not None and hmac.compare_digest(known, secret):
                return run
        return None


def _secret(run: Run) -> str | None:
    """What stands in a run's file; nothing in a copy of the run, whose owner has given no link."""
    found = disk.kept(lambda: disk.record(run.folder / FILE, WatchLink), None)
    return found.secret if found is not None and found.run == run.id and SECRET.fullmatch(found.secret) else None
