"""Pulling adapters back from the Hub, one's own or another's, each at a version, with their base: to be talked to beside one's runs.

Only where nobody else's models are bounded: on a machine of one's own, and for its operator. What is judged of a stranger's files stands
in `hub.pulled`; with whose token the Hub is asked, in `pushes`.
"""

import pathlib
from collections.abc import Callable
from typing import Any

from tuning import presets
from tuning.errors import InputError, RunError, TuningError
from tuning.export.errands import Errand
from tuning.hub import pulled
from tuning.hub.download import Download
from tuning.hub.pulled import PulledAdapter
from tuning.hub.repository import Repository
from tuning.hub.shelf import here, whole
from tuning.runs import files, locks
from tuning.schema import ModelRef
from tuning.studio.leaving.pushes import Pushes
from tuning.studio.models import Models
from tuning.studio.shared import Shared
from tuning.studio.talk import Talk

ERRAND = "pull"  # an errand that makes nothing to take away


class Pulls:
    """The adapters that an owner has fetched."""

    def __init__(self, shared: Shared, owner: str, models: Models, talk: Talk, pushes: Pushes) -> None:
        self.shared, self.owner = shared, owner
        self._models, self._talk, self._pushes = models, talk, pushes

    def pull(self, target: str, token: str = "", progress: Callable[[int, int], None] = lambda done, total: None) -> dict[str, Any]:
        """Have `owner/name@revision` here, and its base: which commit it is, which base, and whose chat template it was trained with.

        Of a branch the newest commit, whatever was here before. Raises InputError `pull.…` for what is no adapter that can be talked
        to, and as `Models.find` and `Models.download` do of its base; RunError `chat.no_room` where that is too large.
        """
        repo, revision = self._named(target)
        self._models.quotas.pace("errand")
        hub = self._hub(token)
        found = hub.adapter(repo, revision)
        pulled.require_lora(found)
        kept = pulled.files_of(found)
        base = self._models.find(pulled.base_of(found, presets.models(self.shared.settings.presets)))
        self._talk.require_room(base)
        coming = Repository(id=repo, revision=found.commit, card=base.card, files=kept)
        folder = pulled.place(self.shared.settings.home, self.owner, repo, revision)
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = locks.Lock(folder.parent / f".{folder.name}.lock")
        if not lock.acquire(patience=5.0):
            raise RunError("pull.busy", target=target)
        with lock:
            fresh = folder if _same(folder, coming) else folder.with_name(f".{folder.name}.new")
            if fresh != folder:
                Download(hub, coming, fresh, self.shared.settings.hub_cache, progress).run()
            self._models.download(base, progress)
            try:
                pulled.require_fit(fresh, pathlib.Path(base.path), target, base.card.title)
            except TuningError:
                files.remove(fresh)
                raise
            self.shared.require_sound(base)
            if fresh != folder:
                files.remove(folder)
                fresh.replace(folder)
        size = sum(file.size for file in kept)
        told = {"adapter": target, "commit": found.commit, "base": base.id, "folder": str(folder), "bytes": size}
        return {**told, "template": pulled.template(folder, pathlib.Path(base.path))}

    def begin(self, target: str, token: str = "", typed: str = "") -> None:
        """Pull in the background, from a page. `typed` is kept as that of a push is. Raises as `pull` does for a name that is none."""
        self._named(target)
        if typed:
            self._pushes.keep(typed)
        errand = Errand(target, ERRAND)

        def moved(done: int, total: int) -> None:
            errand.check()
            errand.share = min(1.0, done / total) if total else None

        def work() -> None:
            errand.begin("fetch")
            self.pull(target, token, moved)

        self.shared.errands.begin(self.owner, errand, work)

    def offer(self) -> dict[str, Any]:
        """What a page shows of it: the adapters that are here, what is being fetched or went wrong, and whether a token can be typed."""
        errand = self.shared.errands.of(self.owner)
        mine = errand if errand is not None and errand.form == ERRAND else None
        told = {key: getattr(mine, key) for key in ("run", "share", "fault", "over", "stopping")} if mine is not None else None
        return {
            "allowed": self._models.quotas.bounds is None,
            "busy": errand is not None and not errand.over,
            "needs_token": self._pushes.needs_token,
            "making": told,
            "here": [self._entry(one) for one in self.all()],
        }

    def all(self) -> list[PulledAdapter]:
        """Those that are here, also where their base has gone meanwhile."""
        return pulled.kept(self.shared.settings.home, self.owner) if self._models.quotas.bounds is None else []

    def is_here(self, target: str) -> bool:
        """Whether a target names an adapter of the Hub that is here with its base; True of all that names none."""
        if pulled.parsed(target) is None:
            return True
        try:
            self._talk.whom(target)
        except InputError as error:
            return error.code not in ("pull.not_here", "model.not_here")
        return True

    def remove(self, target: str) -> int:
        """Take one off the disk; its base stays. Returns the bytes that this set free. Raises InputError where there is none."""
        repo, revision = self._named(target)
        folder = pulled.place(self.shared.settings.home, self.owner, repo, revision)
        if not folder.is_dir():
            raise InputError("pull.not_here", target=target)
        size = files.size(folder)
        files.remove(folder)
        return size

    def _named(self, target: str) -> tuple[str, str]:
        if self._models.quotas.bounds is not None:
            raise InputError("quota.model", model=target[:200])
        named = pulled.parsed(target)
        if named is None:
            raise InputError("pull.name", target=target[:200])
        return named

    def _hub(self, token: str) -> Any:
        from tuning.hub.models import Hub

        return Hub(self.shared.settings.endpoint, self._pushes.token(token) or None, self.shared.settings.offline)

    def _entry(self, one: PulledAdapter) -> dict[str, Any]:
        try:
            model = self._models.find(one.base)
        except TuningError:
            return {"adapter": one.name, "base": one.base, "base_here": False, "template": "same"}
        return {
            "adapter": one.name,
            "base": one.base,
            "base_here": here(model),
            "template": pulled.template(one.adapter, pathlib.Path(model.path)),
        }


def _same(folder: pathlib.Path, coming: Repository) -> bool:
    """Whether what is in `folder` is this very commit, and every file of it as the Hub has it."""
    before = pulled.read(folder)
    there = ModelRef(id=coming.id, path=str(folder), card=coming.card)
    return before is not None and before.id == f"{coming.id}@{coming.revision}" and whole(there)
