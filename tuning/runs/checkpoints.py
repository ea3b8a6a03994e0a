"""Checkpoints that can be trusted: built aside, hashed, renamed into place; only whole ones count.

`checkpoint-<step>/manifest.json` is written last and names every file with size and SHA-256. What the files mean is
the engine's business.
"""

import hashlib
import json
import os
import pathlib
import shutil

from tuning.runs import disk, files
from tuning.runs.contents import CheckpointManifest

MANIFEST = "manifest.json"
PREFIX = "checkpoint-"
BUILDING = ".building"
WEIGHTS = ("adapter_model.safetensors", "model.safetensors")
SPARE_BYTES = 16 * 2**20  # for the state, the metrics, the log, samples and the report
RANDOM = "rng_state"
# Without these a Trainer resumes silently with a fresh optimizer or other random numbers.
NEEDED = ("optimizer.pt", "scheduler.pt", f"{RANDOM}.pth", "trainer_state.json")


def building(folder: pathlib.Path) -> pathlib.Path:
    """An empty folder beside the checkpoints, to save into. Left-overs of a crash are thrown away.

    Raises FileNotFoundError where the run's own folder is gone: nobody would find what is saved into another.
    """
    place = folder / BUILDING
    shutil.rmtree(place, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    place.mkdir()
    return place


def commit(built: pathlib.Path, folder: pathlib.Path, step: int) -> pathlib.Path:
    """Hash and sync all files in `built`, write the manifest, and rename it to its final name.

    Raises OSError where the disk is full; no checkpoint of that name exists then.
    """
    listing = {}
    for path in sorted(p for p in built.rglob("*") if p.is_file()):
        listing[path.relative_to(built).as_posix()] = {"size": path.stat().st_size, "sha256": digest(path)}
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    files.write(built / MANIFEST, json.dumps({"schema": 1, "step": step, "files": listing}, indent=1))
    files.sync_folder(built)
    final = folder / f"{PREFIX}{step}"
    if final.exists():  # a run that was resumed from an older one comes by again
        shutil.rmtree(final)
    os.replace(built, final)
    files.sync_folder(folder)
    return final


def digest(path: pathlib.Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def step_of(checkpoint: pathlib.Path) -> int:
    """The step in a checkpoint's name; -1 for any other name."""
    tail = checkpoint.name.removeprefix(PREFIX)
    return int(tail) if checkpoint.name.startswith(PREFIX) and tail.isdigit() else -1


def at(folder: pathlib.Path, step: int) -> pathlib.Path:
    """The checkpoint of a step among those in `folder`, whether it is there or not."""
    return folder / f"{PREFIX}{step}"


def spoken_to(folder: pathlib.Path) -> list[int]:
    """The steps of the checkpoints that hold an adapter, in order; none of a run that trains a whole model."""
    found = folder.glob(f"{PREFIX}*/adapter_config.json") if folder.is_dir() else ()
    return sorted(step for path in found if (step := step_of(path.parent)) >= 0)


def verified(checkpoint: pathlib.Path) -> bool:
    """Is every file there with the size and hash of the manifest, none beside them, and all that a faithful resume needs?

    Nothing is loaded for the answer: what has not been vouched for is never unpickled.
    """
    try:
        manifest = disk.record(checkpoint / MANIFEST, CheckpointManifest)
    except disk.FileFault:
        return False
    listing = {name: (entry.size, entry.sha256) for name, entry in manifest.files.items()}
    if manifest.step != step_of(checkpoint) or not all(name in listing for name in NEEDED) or not any(name in listing for name in WEIGHTS):
        return False
    try:
        there = {path.relative_to(checkpoint).as_posix(): path for path in checkpoint.rglob("*") if path.is_file()}
        if there.keys() - {MANIFEST} != listing.keys():  # a file that nobody vouches for might be loaded, too
            return False
        sizes = all(there[name].stat().st_size == size for name, (size, _) in listing.items())
        return sizes and all(digest(there[name]) == sha256 for name, (_, sha256) in listing.items())
    except OSError:
        return False


def by_age(folder: pathlib.Path) -> list[pathlib.Path]:
    """Checkpoints, newest step first, whether they are whole or not."""
    found = [path for path in folder.glob(f"{PREFIX}*") if step_of(path) >= 0]
    return sorted(found, key=step_of, reverse=True)


def newest(folder: pathlib.Path) -> pathlib.Path | None:
    """The newest checkpoint that verifies."""
    return next((path for path in by_age(folder) if verified(path)), None)


def require_room(folder: pathlib.Path, saves: int, least: int = 0) -> None:
    """Raises OSError (ENOSPC) where the disk has no room for so many saves as large as the newest one, and for what is written
    beside them. `least`: bytes of a save where there is none yet."""
    last = next((sum(path.stat().st_size for path in checkpoint.rglob("*")) for checkpoint in by_age(folder)), least)
    files.require_room(folder, saves * last + SPARE_BYTES)


def clear(folder: pathlib.Path) -> None:
    """Throw away what was half saved."""
    shutil.rmtree(folder / BUILDING, ignore_errors=True)


def rotate(folder: pathlib.Path, keep: int = 2) -> None:
    """Delete all but the newest `keep`; where none of those verifies, the newest older one that does stays too."""
    kept, older = by_age(folder)[:keep], by_age(folder)[keep:]
    safe = any(verified(path) for path in kept)
    for path in older:
        if not safe and verified(path):
            safe = True
            continue
        shutil.rmtree(path, ignore_errors=True)
