"""What of a home is mirrored: of each run its spec, state, logs, newest checkpoint and adapter, and the rows that it learns.

Never mirrored: tokens, keys, log-ins, conversations, models, what nobody has trained on. No network here.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterable

from pydantic import ConfigDict, Field

from tuning.data.library import folder_of
from tuning.data.records import INDEX, ROWS, SPEC, VALIDATION
from tuning.runs import checkpoints, disk, files
from tuning.runs.run_folder import Run
from tuning.schema import SCHEMA, Notice, Record, RunSpec

RUNS, DATA = "runs", "data"  # folders of the repository, named as those of the home
LINKED = ("adapter", "start.safetensors")  # written once, or replaced as a whole
COPIED: tuple[str, ...] = (
    "spec.yaml",
    "name",
    "queue",
    "restarts",
    "rented.json",
    "metrics.jsonl",
    "samples.jsonl",
    "log.txt",
    "evaluation.json",
)
COPIED += ("strengths.json", "state.json")  # the state last: it never tells of less than what stands beside it
PLACE = re.compile(r"(runs|data)/([a-z0-9][a-z0-9.-]{0,120})/([\w.-]+)(?:/[\w./-]+)?", re.ASCII)
KEPT = "mirror.json"  # of the home: what is on the Hub
TROUBLE = "unmirrored.json"  # of a run, and of the home: why its last state is not


class MirroredRun(Record):
    """A run on the Hub: how it looked here when it was sent, and which data went with it."""

    look: str
    data: str


class Mirrored(Record):
    """All that this home has on the Hub, by the ids of runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_version: int = Field(default=SCHEMA, alias="schema")
    repo: str
    runs: dict[str, MirroredRun] = Field(default_factory=dict)


def look(run: Run) -> str:
    """A text that changes when there is something new to send: a checkpoint, an adapter, a report, a name, a place in the queue, an end."""
    saved, newest = run.saved_state(), next(iter(checkpoints.by_age(run.checkpoints)), None)
    told = [run.folder / name for name in ("adapter", "evaluation.json", "strengths.json", "name", "queue", "restarts", "rented.json")]
    told += [] if newest is None else [newest / checkpoints.MANIFEST]
    times = [path.stat().st_mtime_ns if path.exists() else 0 for path in told]
    return json.dumps([newest and newest.name, saved and saved.status, *times])


def stage(run: Run, spec: RunSpec, aside: pathlib.Path) -> dict[str, pathlib.Path]:
    """Lay what is sent of a run into the empty folder `aside`, so that nothing of it goes or grows meanwhile; paths by their names there.

    Checkpoint first: what is logged is then never less than it knows. Raises OSError, FileNotFoundError where something went just now.
    """
    newest = next(iter(checkpoints.by_age(run.checkpoints)), None)
    wanted = [*LINKED] if newest is None else [f"checkpoints/{newest.name}", *LINKED]
    for name in wanted:
        if (run.folder / name).is_dir():
            shutil.copytree(run.folder / name, aside / RUNS / run.id / name, copy_function=_link)
        elif (run.folder / name).exists():
            _put(run.folder / name, aside / RUNS / run.id / name, _link)
    for name in COPIED:
        if (run.folder / name).is_file():
            _put(run.folder / name, aside / RUNS / run.id / name, shutil.copyfile)
    rows = folder_of(run.folder.parent.parent) / spec.data.id
    for name in (SPEC, ROWS, VALIDATION, INDEX):
        if (rows / name).is_file():
            _put(rows / name, aside / DATA / spec.data.id / name, _link)
    return {path.relative_to(aside).as_posix(): path for path in sorted(aside.rglob("*")) if path.is_file()}


def _put(source: pathlib.Path, target: pathlib.Path, how: object) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    how(source, target)  # type: ignore[operator]


def _link(source: str | pathlib.Path, target: str | pathlib.Path) -> None:
    """A second name for a file that is never written again; a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def of_run(names: Iterable[str], id: str) -> list[str]:
    """Those of a repository's files that are of one run, and may be; nothing comes to another place than below it."""
    inside = [found for name in names if ".." not in name and (found := PLACE.fullmatch(name))]
    return [found[0] for found in inside if found[1] == RUNS and found[2] == id and found[3] in (*LINKED, *COPIED, "checkpoints")]


def of_data(names: Iterable[str], id: str) -> list[str]:
    """Those of a repository's files that are of one data set, and may be."""
    known = {f"{DATA}/{id}/{name}" for name in (SPEC, ROWS, VALIDATION, INDEX)}
    return [name for name in names if name in known]


def runs_in(names: Iterable[str]) -> list[str]:
    """The ids of the runs that a repository holds, the newest first: they begin with the date."""
    return sorted({found[2] for name in names if (found := PLACE.fullmatch(name)) and found[1] == RUNS}, reverse=True)


def tell(folder: pathlib.Path, why: Notice | None) -> None:
    """Have the folder of a run or a home say why it is not on the Hub as it is here, or that it is again."""
    path = folder / TROUBLE
    with contextlib.suppress(OSError):  # a run that goes this moment, or a disk that is full: its own sentence says so
        if why is None:
            path.unlink(missing_ok=True)
        elif trouble(folder) != why:
            files.write(path, why.model_dump_json())


def trouble(folder: pathlib.Path) -> Notice | None:
    """What `tell` left."""
    path = folder / TROUBLE
    return disk.kept(lambda: disk.record(path, Notice), None) if os.path.exists(path) else None
