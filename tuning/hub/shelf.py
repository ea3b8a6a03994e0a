"""The models of this machine: which folder a model is in, how it gets there, and how it leaves.

How a download is built and checked is `download`'s affair, what huggingface_hub's cache spares of it `cached`'s, how the Hub is spoken
to `models`'; who waits for a download is the workshop's.
"""

import contextlib
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tuning import presets
from tuning.errors import InputError, RunError
from tuning.hub import cached
from tuning.hub.download import ASIDE, GIB, MANIFEST, Download, right, write_manifest
from tuning.hub.repository import DownloadManifest, Repository, folder_name, hub_id
from tuning.models import catalog, examine
from tuning.runs import disk, files, locks
from tuning.runs.store import Store
from tuning.schema import ALIVE, LOCAL, ModelCard, ModelRef, Notice
from tuning.settings import Settings

if TYPE_CHECKING:
    from tuning.hub.models import Hub

ASK_AGAIN_SECONDS = 60.0  # after the Hub could not be asked
# What says nothing of the model itself: it may be asked again later, and a forecast holds all the same.
PASSING = frozenset({"model.offline", "model.hub_unreachable", "model.hub_busy", "model.hub_down", "model.hub_answer"})


class Shelf:
    """Models by what a person calls them: a catalog id, an id of the Hub, a folder."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self.folder = settings.home / "models"
        self.coming: dict[str, tuple[int, int]] = {}  # by path: bytes done and in all of what is fetched in this process
        self._unasked: dict[tuple[str, str], tuple[float, Notice]] = {}  # by model and owner, as `_asked`
        self._asked: dict[tuple[str, str], tuple[float, Repository]] = {}
        self._cached: dict[tuple[str, str], tuple[float, bool]] = {}

    def hub(self, owner: str) -> "Hub":
        """The Hub as `owner` may see it. Only on a machine of one's own does the token of its environment count."""
        from tuning.hub.models import Hub

        mine = self._mine(owner)
        cards = presets.models(self.settings.presets)
        token, code = (self.settings.token, self.settings.remote_code) if mine else (None, None)
        return Hub(self.settings.endpoint, token, self.settings.offline, self.folder / ".cache", cards, code)

    def trusts(self, path: str) -> bool:
        """Whether the model in the folder `path` may run its code: the one that the owner has pinned, every file as the Hub has it."""
        code = self.settings.remote_code
        if code is None or pathlib.Path(path) != self.folder / folder_name(code.id, code):
            return False
        kept = manifest_of(pathlib.Path(path))
        if kept is None or (kept.id, kept.revision) != (code.id, code.revision):
            return False
        modules = {file.name: file for file in kept.files if examine.MODULE.fullmatch(file.name)}
        there = {entry.name for entry in pathlib.Path(path).glob("**/*.py")}
        return there == modules.keys() and all(right(pathlib.Path(path) / name, file) for name, file in modules.items())

    def find(self, reference: str, owner: str) -> ModelRef:
        """The model that `reference` names; its files need not be here yet.

        Raises InputError where there is none, or none that may be used.
        """
        local = self._mine(owner)
        id = hub_id(reference)
        known = presets.models(self.settings.presets)
        if id is None or id in known or reference in known or (local and os.path.isdir(files.given(reference))):
            return catalog.find(id if id in known else reference, self.settings.presets, local, self.folder)
        code = self.settings.remote_code if local else None
        place = self.folder / folder_name(id, code) if code and code.id == id else self._place(id)
        kept = manifest_of(place)
        if kept is not None:
            return ModelRef(id=id, path=str(place), card=kept.card)
        if place.is_dir():
            return catalog.find(str(place), self.settings.presets, True, self.folder)
        return ModelRef(id=id, path=str(place), card=(self.hub(owner).recall(id) or self._described(id, owner)).card)

    def placed(self, card: ModelCard) -> ModelRef:
        """A model of the catalog, where it is or would be."""
        return catalog.placed(card, self.settings.presets, self.folder)

    def notices(self, model: ModelRef, owner: str) -> list[Notice]:
        """What to say of a model before a plan: nothing where it is here, else what the download takes or what is in its way.

        The Hub is asked now whether it is open. Raises InputError where it is gated, private, gone or not usable.
        """
        if here(model):
            return []
        now, key = time.monotonic(), (model.id, owner)
        when, notice = self._unasked.get(key, (0.0, None))
        if notice is not None and now - when < ASK_AGAIN_SECONDS:
            return [notice]
        when, repository = self._asked.get(key, (0.0, None))
        if repository is None or now - when > ASK_AGAIN_SECONDS:
            try:
                repository = self._described(model.id, owner)
            except InputError as error:
                if error.code not in PASSING:
                    raise
                notice = Notice(code=error.code, level="warning", params=error.params)
                self._unasked[key] = (now, notice)
                return [notice]
            self._asked[key] = (now, repository)
        cache, home = self.settings.hub_cache, _existing(self.folder)
        need = sum(file.size for file in cached.missing(cache, repository))
        room = sum(file.size for file in cached.taking_room(cache, repository, home))
        free = shutil.disk_usage(home).free
        if room and room + ASIDE > free:
            return [Notice(code="model.disk", level="warning", params={"model": model.card.title, "need": room / GIB, "have": free / GIB})]
        if not need:
            return [Notice(code="model.in_cache", params={"model": model.card.title})]
        return [Notice(code="model.to_download", params={"model": model.card.title, "need": need / GIB, "have": free / GIB})]

    def in_cache(self, model: ModelRef, owner: str) -> bool:
        """Whether all of `model` lies in huggingface_hub's cache, as far as is known without asking the Hub."""
        now, key = time.monotonic(), (model.id, owner)
        when, found = self._cached.get(key, (-ASK_AGAIN_SECONDS, False))
        if now - when >= ASK_AGAIN_SECONDS:
            found = self._lying(model.id, owner) is not None
            self._cached[key] = (now, found)
        return found

    def require(self, model: ModelRef, owner: str) -> None:
        """Raises InputError where a run of `model` could not begin: its files are neither here nor to be had."""
        for notice in self.notices(model, owner):
            if notice.code not in ("model.to_download", "model.in_cache"):
                raise InputError(notice.code, **notice.params)

    def fetch(
        self,
        model: ModelRef,
        owner: str,
        progress: Callable[[int, int], None] = lambda done, total: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Bring `model` to its path, from where an earlier attempt was cut. `progress` gets bytes done and bytes in all.

        Raises InputError where the Hub does not give it, the disk is too small, what came is not what the Hub promised, or
        `stopped` says so. What has come stays for the next attempt.
        """
        if whole(model):
            return
        repository = self._described(model.id, owner)  # asked for now: what was open yesterday may be gated today
        folder = pathlib.Path(model.path)
        with _alone(folder, model, stopped):
            if not whole(model):
                Download(self.hub(owner), repository, folder, self.settings.hub_cache, progress, stopped).run()

    def words(self, model: ModelRef, owner: str) -> pathlib.Path:
        """A folder with the tokenizer of `model`: its own, or where that is not here one with no more than those few files.

        Raises InputError as `fetch` does.
        """
        if here(model):
            return pathlib.Path(model.path)
        repository = self._described(model.id, owner)
        folder = self.folder / ".words" / f"{pathlib.Path(model.path).name}-{repository.revision[:12]}"
        if folder.is_dir():
            return folder
        small = [file for file in repository.files if not examine.SHARD.fullmatch(file.name)]
        with _alone(folder, model):
            if not folder.is_dir():
                Download(self.hub(owner), repository.model_copy(update={"files": small}), folder, self.settings.hub_cache).run()
        return folder

    def downloaded(self) -> list[dict[str, Any]]:
        """The models that were downloaded, and those copied beside them: id, title, bytes, path, and whether whole."""
        found = []
        for place in sorted(self.folder.glob("[!.]*")) if self.folder.is_dir() else []:
            if not place.is_dir():
                continue
            kept = manifest_of(place)
            id = kept.id if kept else place.name.replace("--", "/", 1)
            size = files.size(place.resolve())
            intact = kept is None or _sizes_agree(kept, place)
            found.append({"id": id, "size_bytes": size, "path": str(place.resolve()), "moved": place.resolve() != place, "whole": intact})
        return found

    def delete(self, id: str, owner: str) -> int:
        """Remove a downloaded model, wherever it was moved to. Returns the bytes that this set free."""
        place = self._downloaded(id, owner)
        size = files.size(place.resolve())
        shutil.rmtree(place.resolve())
        _unlink(place)
        return size

    def move(self, id: str, owner: str, folder: pathlib.Path) -> pathlib.Path:
        """Put a downloaded model into `folder`, on another disk for instance, and leave a link where it was.

        Raises InputError where `folder` is not one, has no room, or something of that name is in it.
        """
        place = self._downloaded(id, owner)
        real = place.resolve()
        target = folder.absolute() / place.name
        if not folder.is_dir() or target.exists() or target.is_relative_to(real):
            raise InputError("model.no_place", path=str(folder))
        size = files.size(real)
        free = shutil.disk_usage(folder).free
        if os.stat(folder).st_dev != os.stat(real).st_dev and size + ASIDE > free:
            raise InputError("model.disk", model=id, need=size / GIB, have=free / GIB)
        shutil.move(real, target)
        _unlink(place)
        _link(place, target)
        return target

    def _described(self, id: str, owner: str) -> Repository:
        """What the Hub says of a model; where it cannot be asked, what its cache has of it whole. Raises InputError as `Hub.describe`."""
        if self.settings.offline and (found := self._lying(id, owner)) is not None:
            return found
        try:
            return self.hub(owner).describe(id)
        except InputError as error:
            found = self._lying(id, owner) if error.code in PASSING else None
            if found is None:
                raise
            return found

    def _lying(self, id: str, owner: str) -> Repository | None:
        """A model that lies whole in huggingface_hub's cache, as the Hub once showed it to `owner`; on a machine of one's own also another.

        For the cache may hold what was fetched with the token of its owner, and a visitor may not have.
        """
        cache = self.settings.hub_cache
        if not cached.folder(cache, id).is_dir():
            return None
        known = self.hub(owner).recall(id)
        if known is not None and not cached.missing(cache, known):
            return known
        code = self.settings.remote_code
        if not self._mine(owner) or (code and code.id == id):
            return None
        return cached.main(cache, id, presets.models(self.settings.presets))

    def _mine(self, owner: str) -> bool:
        """Whether the machine is the owner's own, with its folders and the token of its environment."""
        return owner == LOCAL and self.settings.mode == "local"

    def _place(self, id: str) -> pathlib.Path:
        return self.folder / folder_name(id, None)

    def _downloaded(self, id: str, owner: str) -> pathlib.Path:
        """The folder of a model that may be taken away: downloaded, and no run waits for it or works with it."""
        place = self._place(id)
        if "/" not in id or place.parent != self.folder or not place.is_dir():
            raise InputError("model.not_downloaded", model=id[:200])
        for run in self.store.of_everybody():
            if run.spec().model.path == str(place) and run.state().status in ALIVE:
                raise RunError("model.in_use", model=id, run=run.id if run.spec().owner == owner else "…")
        return place


@contextlib.contextmanager
def _alone(folder: pathlib.Path, model: ModelRef, stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Hold what guards a download into `folder`, whoever else wants the same. Raises InputError where `stopped` says so meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = locks.Lock(folder.parent / f".{folder.name}.lock")
    while not lock.acquire():  # somebody else fetches it
        if stopped():
            raise InputError("model.stopped", model=model.id)
        time.sleep(0.2)
    with lock:
        yield


def here(model: ModelRef) -> bool:
    """Are the files of `model` on this machine? A look at names and sizes."""
    if not os.path.isdir(model.path):
        return False
    place = pathlib.Path(model.path)
    kept = manifest_of(place)
    return kept is None or _sizes_agree(kept, place)


def whole(model: ModelRef) -> bool:
    """Is every file of a downloaded model the one that was checked? A file touched since then is read and hashed again."""
    if not here(model):
        return False
    place = pathlib.Path(model.path)
    found = _stamped(place)
    if found is None:
        return True  # somebody's own folder: nobody promised anything of it
    kept = found.repository
    touched = [file for file in kept.files if (place / file.name).stat().st_mtime_ns != found.stamps.get(file.name)]
    if not all(right(place / file.name, file) for file in touched):
        return False
    if touched:  # copied from elsewhere, say: not to be read again the next time
        with contextlib.suppress(OSError):
            write_manifest(place, kept)
    return True


def manifest_of(place: pathlib.Path) -> Repository | None:
    """What the folder of a download says that it holds; None of any other folder."""
    found = _stamped(place)
    return None if found is None else found.repository


def _stamped(place: pathlib.Path) -> DownloadManifest | None:
    return disk.kept(lambda: disk.record(place / MANIFEST, DownloadManifest), None)


def _sizes_agree(kept: Repository, place: pathlib.Path) -> bool:
    with contextlib.suppress(OSError):
        return all((place / file.name).stat().st_size == file.size for file in kept.files)
    return False


def _existing(folder: pathlib.Path) -> pathlib.Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _unlink(place: pathlib.Path) -> None:
    """Remove a link to a folder; on Windows it is a junction, which counts as a folder."""
    if place.is_symlink():
        place.unlink()
    elif os.path.lexists(place):
        place.rmdir()


def _link(place: pathlib.Path, target: pathlib.Path) -> None:
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(target), str(place))  # unlike a symbolic link it needs no rights
    else:
        place.symlink_to(target, target_is_directory=True)
