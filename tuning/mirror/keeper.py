"""Keeps runs on the Hub while the app works: a thread that looks at the home, sends what is new, and tries again what did not arrive.

It never waits for the engine, nor the engine for it. What is sent is the affair of `mirrored`, how it comes back that of `homing`.
"""

import collections
import logging
import pathlib
import shutil
import threading
import time
from collections.abc import Callable

from tuning.errors import RunError, TuningError, caught
from tuning.hub.shadow import Shadow
from tuning.mirror import homing, mirrored
from tuning.mirror.mirrored import Mirrored, MirroredRun
from tuning.runs import disk, files
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import Notice, RunSpec
from tuning.settings import Settings
from tuning.text import t

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
AGAIN_SECONDS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)  # until the next try, the last one for ever
MOST_AN_HOUR = 100  # commits; the Hub refuses more than 128
END_SECONDS = 8.0  # that the end of the program waits for the last state; who ended it kills it after 30 in all
SENTENCES = {  # what the Hub has against it, and how somebody is told
    "hub.push.cut": "mirror.cut",
    "hub.push.full": "mirror.full",
    "hub.push.busy": "mirror.busy",
    "hub.push.refused": "mirror.token",
    "hub.push.scope": "mirror.rights",
    "hub.push.missing": "mirror.rights",
    "hub.push.taken": "mirror.taken",
    "hub.push.public": "mirror.public",
}


def begun(settings: Settings, store: Store, woken: Callable[[], None]) -> "MirrorKeeper | None":
    """The keeper of a home, at work; None where no mirror is configured."""
    if settings.mirror is None:
        return None
    keeper = MirrorKeeper(settings, store, woken)
    keeper.start()
    return keeper


class MirrorKeeper:
    """Mirrors one home. `woken` is told when runs have come back that wait for their turn."""

    def __init__(self, settings: Settings, store: Store, woken: Callable[[], None] = lambda: None) -> None:
        assert settings.mirror is not None
        mirror = settings.mirror
        self._home, self._store, self._settings, self._woken = settings.home, store, settings, woken
        self._shadow = Shadow(settings.endpoint, mirror.repo, mirror.token, (mirrored.RUNS, mirrored.DATA))
        kept = disk.kept(lambda: disk.record(self._home / mirrored.KEPT, Mirrored), None)
        mine = kept is not None and kept.repo == mirror.repo and store.folder.is_dir()  # else it says nothing of this home
        self._kept = kept if kept is not None and mine else Mirrored(repo=mirror.repo)
        self._back = False  # whether all that is on the Hub is here, too
        self._tries, self._refused = 0, set[str]()
        self._sent: collections.deque[float] = collections.deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="mirror", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self, seconds: float = END_SECONDS) -> None:
        """Send what is new by now, for so long at most."""
        self._closing.set()
        self._thread.join(seconds)

    def _loop(self) -> None:
        pause = 0.0
        while not self._closing.wait(pause):
            pause = self.work()
        self.work()

    def work(self) -> float:
        """Bring back what is missing here and send what is new; seconds until it is worth doing again."""
        error = caught(self._work, "mirroring")
        if error is None:
            self._tries = 0
            mirrored.tell(self._home, None)
            return LOOK_SECONDS
        if isinstance(error, FileNotFoundError):  # a checkpoint that was let go of while it was looked at
            return LOOK_SECONDS
        why = self._sentence(error)
        logger.warning("%s", t("en", why.code, **why.params))
        mirrored.tell(self._home, why)
        caught(lambda: self._tell(why), "telling of a mirror")
        self._tries += 1
        return AGAIN_SECONDS[min(self._tries, len(AGAIN_SECONDS)) - 1]

    def _tell(self, why: Notice) -> None:
        for run, _, _ in self._unsent():
            mirrored.tell(run.folder, why)

    def _sentence(self, error: BaseException) -> Notice:
        told = error if isinstance(error, TuningError) else RunError("hub.push.answer", said=type(error).__name__)
        code, place = SENTENCES.get(told.code, "mirror.answer"), self._shadow.endpoint
        known = {"repo": self._shadow.repo, "host": place.partition("://")[2], "page": f"{place}/settings/tokens", "said": "-"}
        return Notice(code=code, level="warning", params={**known, **told.params})

    def _work(self) -> None:
        failed = None if self._back else caught(self._bring_back, "bringing back")
        if self._store.folder.is_dir():
            for id in [id for id in self._kept.runs if not (self._store.folder / id).exists()]:
                self._forget(id)
        for run, spec, look in sorted(self._unsent(), key=lambda one: one[0].id in self._refused):  # none holds up the others
            self._refused.add(run.id)
            self._send(run, spec, look)
            self._refused.discard(run.id)
        if failed is not None:
            raise failed

    def _bring_back(self) -> None:
        def came(run: Run, spec: RunSpec) -> None:
            self._keep(run.id, MirroredRun(look=mirrored.look(run), data=spec.data.id))

        try:
            homing.bring_back(self._shadow, self._settings, self._store, self._kept, came)
            self._back = True
        finally:
            self._woken()

    def _unsent(self) -> list[tuple[Run, RunSpec, str]]:
        found = []
        for run in self._store.of_everybody():
            spec, look = run.known(), mirrored.look(run)
            before = self._kept.runs.get(run.id)
            if spec is not None and (before is None or before.look != look):
                found.append((run, spec, look))
        return found

    def _send(self, run: Run, spec: RunSpec, look: str) -> None:
        aside = self._aside()
        staged = mirrored.stage(run, spec, aside)
        there = mirrored.of_run(self._shadow.names(), run.id)
        self._commit(staged, set(there) - staged.keys(), run.id)
        shutil.rmtree(aside, ignore_errors=True)
        self._keep(run.id, MirroredRun(look=look, data=spec.data.id))
        mirrored.tell(run.folder, None)

    def _forget(self, id: str) -> None:
        """What was deleted here is deleted there, with the rows that no other run has learned."""
        names, data = self._shadow.names(), self._kept.runs[id].data
        gone = mirrored.of_run(names, id)
        if all(one.data != data for other, one in self._kept.runs.items() if other != id):
            gone += mirrored.of_data(names, data)
        if gone:
            self._commit({}, gone, id)
        self._keep(id, None)

    def _commit(self, staged: dict[str, pathlib.Path], gone: "set[str] | list[str]", id: str) -> None:
        """Raises RunError where the Hub was asked for too many within an hour."""
        now = time.monotonic()
        while self._sent and self._sent[0] < now - 3600:
            self._sent.popleft()
        if len(self._sent) >= MOST_AN_HOUR and not self._closing.is_set():
            raise RunError("hub.push.busy")
        self._sent.append(now)
        self._shadow.put(staged, gone, id)

    def _keep(self, id: str, one: MirroredRun | None) -> None:
        runs = {other: kept for other, kept in self._kept.runs.items() if other != id} | ({} if one is None else {id: one})
        self._kept = self._kept.model_copy(update={"runs": runs})
        files.write(self._home / mirrored.KEPT, self._kept.model_dump_json(by_alias=True))

    def _aside(self) -> pathlib.Path:
        folder = self._home / homing.ASIDE
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()  # where the home is gone, this says so
        return folder
