"""A model on its way into its folder: built aside, taken up again where it was cut, and held against the Hub's hashes.

What huggingface_hub's own cache has is taken from there and held against the same hashes; where it is not right, it is downloaded.

Which folder that is, and who may have it, is `shelf`'s affair; how the Hub is spoken to is `models`'.
"""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from tuning.errors import InputError, TuningError
from tuning.hub import cached
from tuning.hub.repository import Cut, HubFile, Repository
from tuning.runs import files

if TYPE_CHECKING:
    from tuning.hub.models import Hub

MANIFEST = "sartoria.json"
ASIDE = 1 << 30  # bytes that a download leaves free: checkpoints want some
GIB = 2**30
PIECE = 16 * 2**20  # bytes that are copied at a time
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Download:
    """One model on its way into its folder."""

    def __init__(
        self,
        hub: "Hub",
        repository: Repository,
        folder: pathlib.Path,
        cache: pathlib.Path,
        progress: Callable[[int, int], None] = lambda done, total: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """What lies in huggingface_hub's `cache` is taken from there."""
        self.hub, self.repository, self.folder, self.cache = hub, repository, folder, cache
        self.building = folder.parent / f".{folder.name}.part"
        self._progress, self._stopped = progress, stopped
        self._done = 0

    def run(self) -> None:
        """Fetch what is missing, check it, write the manifest, and give the folder its name. Raises InputError."""
        if self.folder.is_dir():  # here, but not whole: what is right of it is kept
            if self.building.exists():
                shutil.rmtree(self.building)
            files.put(self.folder, self.building)
        self.building.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.building).free
        need = self._room()
        if need and need + ASIDE > free:
            raise InputError("model.disk", model=self.repository.id, need=need / GIB, have=free / GIB)
        try:
            for file in self.repository.files:
                self._bring(file)
        except Cut as error:
            raise InputError("model.stopped", model=self.repository.id) from error
        except OSError as error:
            if error.errno not in FULL:
                raise
            free = shutil.disk_usage(self.building).free
            raise InputError("model.disk", model=self.repository.id, need=need / GIB, have=free / GIB) from error
        for left in set(self.building.iterdir()) - {self.building / file.name for file in self.repository.files}:
            left.unlink()
        write_manifest(self.building, self.repository)
        files.sync_folder(self.building)
        self.building.rename(self.folder)

    def _room(self) -> int:
        """Bytes that are still to come to the disk."""
        coming = cached.taking_room(self.cache, self.repository, self.building)
        there = [path for file in coming for path in (self.building / file.name, self._part(file)) if path.is_file()]
        return max(0, sum(file.size for file in coming) - sum(path.stat().st_size for path in there))

    def _part(self, file: HubFile) -> pathlib.Path:
        return self.building / f"{file.name}.{(file.sha256 or file.git or '')[:12]}.incomplete"

    def _bring(self, file: HubFile) -> None:
        """One file, fetched again from its beginning where what came is wrong."""
        path = self.building / file.name
        if path.is_file() and right(path, file):
            self._count(file.size)
            return
        if self._take(file, path):
            return
        part = self._part(file)
        before = self._done
        for _ in range(2):
            if part.exists() and part.stat().st_size > file.size:
                part.unlink()
            self._done = before + (part.stat().st_size if part.exists() else 0)
            try:
                self.hub.fetch(self.repository, file, part, self._count)
                if right(part, file):
                    part.replace(path)
                    self._done = before + file.size
                    return
            except TuningError:
                raise
            except OSError as error:  # huggingface_hub says so of a file of another length than promised
                if error.errno is not None:
                    raise
            part.unlink(missing_ok=True)
        raise InputError("model.wrong_hash", model=self.repository.id, file=file.name)

    def _take(self, file: HubFile, path: pathlib.Path) -> bool:
        """Have a file from huggingface_hub's cache: by a second name, from another disk as a copy. False where none is right."""
        found = cached.find(self.cache, self.repository.id, self.repository.revision, file)
        if found is None:
            return False
        before, aside = self._done, self.building / f"{file.name}.cached"
        aside.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # then it is downloaded
            self._second(found, aside, file.size)
            if right(aside, file):
                aside.replace(path)
                return True
        aside.unlink(missing_ok=True)
        self._done = before
        return False

    def _second(self, found: pathlib.Path, aside: pathlib.Path, size: int) -> None:
        """Give a file a second name, or where that cannot be (another disk, somebody else's file) make a copy."""
        try:
            os.link(found, aside)
        except OSError:
            with found.open("rb") as source, aside.open("xb") as target:  # never into what has two names
                while piece := source.read(PIECE):
                    target.write(piece)
                    self._count(len(piece))
            return
        self._count(size)

    def _count(self, came: int) -> None:
        self._done += came
        self._progress(self._done, self.repository.size)
        if self._stopped():
            raise Cut


def right(path: pathlib.Path, file: HubFile) -> bool:
    """Has `path` the content that the Hub promised? Large files carry a SHA-256, small ones git's hash of a blob."""
    if path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        if file.sha256:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
        if file.git:
            digest = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
            digest.update(stream.read())
            return digest.hexdigest() == file.git
    return True


def write_manifest(place: pathlib.Path, repository: Repository) -> None:
    """What the folder holds, and when each file of it was last found right."""
    stamps = {file.name: (place / file.name).stat().st_mtime_ns for file in repository.files}
    record = {"repository": json.loads(repository.model_dump_json(by_alias=True)), "stamps": stamps}
    files.write(place / MANIFEST, json.dumps(record, ensure_ascii=False))
