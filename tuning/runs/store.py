"""All runs below one home folder: making, finding, listing and deleting them, and the queue of those that wait.

spec.yaml is written once, here. What stands in the folder of one run is told by `run_folder`.
"""

import json
import os
import pathlib
import re
import secrets
import shutil
import time
from collections.abc import Iterable

import yaml

from tuning.errors import InputError, RunError
from tuning.runs import disk, files, locks
from tuning.runs.queue import Place, Waiting, order, places
from tuning.runs.run_folder import Run
from tuning.schema import ALIVE, RunSpec

RUN_ID = re.compile(r"^[a-z0-9][a-z0-9.-]{0,120}$")


class Store:
    """All runs below one home folder. Every call names the owner; another owner's run is as good as none."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.folder = home / "runs"

    def new_id(self, model: str, name: str) -> str:
        """`<date>-<model>-<name>-<random>`; hard to guess, easy to read."""
        return "-".join([time.strftime("%Y%m%d-%H%M%S"), files.slug(model.split("/")[-1]), files.slug(name), secrets.token_hex(4)])

    def create(self, spec: RunSpec) -> Run:
        """Write a new run's folder, whole or not at all."""
        building = self.folder / f".{spec.id}"
        with files.whole(building):
            building.mkdir(parents=True)
            content = json.loads(spec.model_dump_json(by_alias=True))
            files.write(building / "spec.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
            building.replace(self.folder / spec.id)
        return Run(self.folder / spec.id)

    def all(self, owner: str) -> list[Run]:
        """The owner's runs, newest first. A folder that cannot be read never hides the others; `unreadable` has it."""
        known = _known(pathlib.Path(entry.path) for entry in self._entries())
        mine = [(spec.created, run) for run, spec in known if spec.owner == owner]
        return [run for _, run in sorted(mine, key=lambda pair: (pair[0], pair[1].id), reverse=True)]

    def unreadable(self, owner: str) -> list[Run]:
        """The owner's runs that are damaged or of a newer version, by their ids, the newest first: to be looked at and taken away."""
        runs = [Run(pathlib.Path(entry.path)) for entry in self._entries()]
        mine = [run for run in runs if run.known() is None and run.owner() == owner and files.anything_in(run.folder)]
        return sorted(mine, key=lambda run: run.id, reverse=True)

    def _entries(self) -> list[os.DirEntry[str]]:
        """What may be a run. Raises FileFault where the folder of all runs cannot be read."""
        if not self.folder.is_dir():
            return []
        try:
            with os.scandir(self.folder) as entries:
                return [entry for entry in entries if RUN_ID.match(entry.name) and entry.is_dir()]
        except OSError as error:
            raise disk.of_system(self.folder, error) from error

    def find(self, reference: str | None, owner: str, unreadable: bool = False) -> Run:
        """By id, by a unique beginning of it, by its name, or `last`. Raises InputError otherwise, RunError for one that cannot be read.

        With `unreadable` that one too is found, for whoever does no more than show it or take it away.
        """
        id, name = reference or "", files.clean_name(reference or "")
        if RUN_ID.match(id):
            exact = Run(self.folder / id)
            runs = [exact] if exact.owner() == owner and files.anything_in(exact.folder) else self.all(owner)
            matches = runs[:1] if id == "last" else [run for run in runs if run.id.startswith(id)]
            matches = matches or [run for run in self.unreadable(owner) if run.id.startswith(id)]
        else:
            runs, matches = self.all(owner), []
        matches = matches or [run for run in runs if name and run.name() == name]
        if len(matches) == 1 and (unreadable or matches[0].spec()):
            return matches[0]
        if matches:
            raise InputError("run.ambiguous", run=name, count=len(matches))
        raise InputError("run.unknown", run=name)

    def delete(self, run: Run) -> None:
        """Remove a run's folder. Raises RunError while it is being trained or waits."""
        status = run.state().status
        if status in ALIVE and (status != "queued" or run.known() is not None):  # one that cannot be read is never begun
            raise RunError("run.busy", run=run.id, status=status)
        doomed = self.folder / f".deleted-{run.id}"
        run.folder.replace(doomed)  # gone for every reader at once, even where removing takes long
        shutil.rmtree(doomed, ignore_errors=True)

    def of_everybody(self) -> list[Run]:
        """Every run of any owner whose spec can be read."""
        return [run for run, _ in self._runs()]

    def queue(self) -> list[Run]:
        """Runs of all owners that wait, in the order of their turns. One that cannot be read never holds up the others."""
        return [Run(self.folder / one.run) for one in self._ordered()]

    def places(self) -> dict[str, Place]:
        """The place of every run that waits, by its id, and its expected wait."""
        ordered = self._ordered()
        if not ordered:
            return {}
        left = [0.0]
        for run, spec in self._runs():
            if locks.held(run.lock_path):
                state, ahead = run.state(), run.line(spec).seconds
                left.append(ahead if state.seconds_left is None else state.seconds_left)
        return places(ordered, max(left))

    def _runs(self) -> list[tuple[Run, RunSpec]]:
        """Every run of any owner whose spec can be read, with that."""
        return _known(sorted(pathlib.Path(entry.path) for entry in self._entries()))

    def _ordered(self) -> list[Waiting]:
        found = _known(folder.parent for folder in self.folder.glob("*/queue"))
        waiting = [run.line(spec) for run, spec in found if not locks.held(run.lock_path)]
        served: dict[str, float] = {}
        if len({one.owner for one in waiting}) > 1:
            for run, spec in self._runs():
                began = locks.holder(run.lock_path).get("started", 0.0)
                served[spec.owner] = max(served.get(spec.owner, 0.0), began)
        return order(waiting, served)


def _known(folders: Iterable[pathlib.Path]) -> list[tuple[Run, RunSpec]]:
    """The runs in these folders with their specs, each read once. What is no run, or was one until now, is left out."""
    runs = [Run(folder) for folder in folders if RUN_ID.match(folder.name)]
    return [(run, spec) for run in runs if (spec := run.known()) is not None]
