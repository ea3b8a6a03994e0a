"""Brings back what a home has on the Hub and not here: looked at whole before it takes its place, and taken up again where it was at work.

Whose it is stands in the files. What was deleted here does not come back.
"""

import functools
import logging
import os
import pathlib
import shutil
from collections.abc import Callable

import yaml

from tuning import presets
from tuning.data.library import folder_of
from tuning.errors import caught
from tuning.hub.repository import folder_name
from tuning.hub.shadow import Shadow
from tuning.mirror import mirrored
from tuning.mirror.mirrored import Mirrored
from tuning.models import catalog
from tuning.rent import rented
from tuning.runs import checkpoints, disk, files
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import RunSpec
from tuning.settings import Settings

logger = logging.getLogger(__name__)

ASIDE = ".mirror"  # of the home: what is on its way


def bring_back(shadow: Shadow, settings: Settings, store: Store, kept: Mirrored, came: Callable[[Run, RunSpec], None]) -> None:
    """Fetch each run that is not here and was not deleted here; one that was at work goes to the head of the queue.

    Raises InputError and RunError `hub.push.…` where the Hub does not give them, and OSError of this disk; what has come stays.
    """
    names, failed = shadow.names(), None

    def bring(run: Run) -> None:
        spec = _fetch(shadow, names, settings, run)
        if spec is not None:
            came(run, spec)
            _take_up(run)

    for id in mirrored.runs_in(names):
        run = Run(store.folder / id)
        if id not in kept.runs and not run.folder.exists():  # one that does not come holds up no other
            failed = caught(functools.partial(bring, run), f"bringing back {id}") or failed
    if failed is not None:
        raise failed


def _fetch(shadow: Shadow, names: list[str], settings: Settings, run: Run) -> RunSpec | None:
    """The spec of a run that is in its place now; None for one of which the Hub has no whole spec."""
    home, aside = settings.home, settings.home / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    shadow.fetch(mirrored.of_run(names, run.id), aside)
    arrived = Run(aside / mirrored.RUNS / run.id)
    spec = arrived.known()
    if spec is None or spec.id != run.id:
        logger.warning("%s of %s cannot be read, and is left there", run.id, shadow.repo)
        return None
    rows = folder_of(home) / spec.data.id
    if not rows.exists():
        shadow.fetch(mirrored.of_data(names, spec.data.id), aside)
        rows.parent.mkdir(exist_ok=True)
        if (aside / mirrored.DATA / spec.data.id).is_dir():
            (aside / mirrored.DATA / spec.data.id).replace(rows)
    _leave_out_broken(arrived)
    _place_model(arrived, spec, settings)
    run.folder.parent.mkdir(exist_ok=True)
    arrived.folder.replace(run.folder)
    shutil.rmtree(aside, ignore_errors=True)
    return spec


def _leave_out_broken(run: Run) -> None:
    """What is not whole is as good as not there: nothing is loaded that its manifest does not vouch for."""
    for checkpoint in checkpoints.by_age(run.checkpoints):
        if not checkpoints.verified(checkpoint):
            files.remove(checkpoint)
    if run.adapter.is_dir() and disk.adapter_fault(run.adapter) is not None:
        files.remove(run.adapter)


def _place_model(run: Run, spec: RunSpec, settings: Settings) -> None:
    """Let the spec say where its model is, or will be, in this home: that may lie elsewhere than the one that the run began in."""
    known, downloads, id = presets.models(settings.presets), settings.home / "models", spec.model.id
    if id in known:
        path = catalog.placed(known[id], settings.presets, downloads).path
    elif os.path.isabs(id) or os.path.isdir(spec.model.path):  # a folder of this machine
        return
    else:
        path = str(downloads / folder_name(id, None))
    if path != spec.model.path:
        place: pathlib.Path = run.folder / "spec.yaml"
        content = disk.yaml_document(place)
        content["model"]["path"] = path
        files.write(place, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _take_up(run: Run) -> None:
    """Have a run go on that its machine left in the middle of it, unless that came to nothing before; else it waits for Resume."""
    state = run.state()
    if state.status == "interrupted" and state.error is None and rented.away(run) is None and run.retry("recovery.woken"):
        run.enqueue(first=True)
