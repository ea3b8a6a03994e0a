"""What huggingface_hub's own cache holds of a model: its files by name or hash, and whether it is whole. Nothing is written there.

Nobody believes that a file there is what its name says: `download` holds what it takes against the Hub's hashes, as what it fetches.
"""

import contextlib
import os
import pathlib
from collections.abc import Mapping

from tuning.errors import InputError
from tuning.hub.repository import HubFile, Repository
from tuning.models import catalog, examine, model_folder
from tuning.schema import ModelCard


def folder(cache: pathlib.Path, id: str) -> pathlib.Path:
    """Where the cache has a model, if it has anything of it."""
    return cache / f"models--{id.replace('/', '--')}"


def find(cache: pathlib.Path, id: str, revision: str, file: HubFile) -> pathlib.Path | None:
    """The file of a revision in its full length, also as another revision's file of the same hash; None where there is none."""
    place = folder(cache, id)
    blobs = [place / "blobs" / name for name in (file.sha256, file.git) if name]
    for path in (place / "snapshots" / revision / file.name, *blobs):
        with contextlib.suppress(OSError, RuntimeError):  # a link that leads nowhere, or to itself
            real = path.resolve(strict=True)
            if real.is_file() and real.stat().st_size == file.size:
                return real
    return None


def missing(cache: pathlib.Path, repository: Repository) -> list[HubFile]:
    """The files of a repository that have to be downloaded."""
    return [file for file in repository.files if find(cache, repository.id, repository.revision, file) is None]


def taking_room(cache: pathlib.Path, repository: Repository, home: pathlib.Path) -> list[HubFile]:
    """The files that would take room in `home`: all but those of the same disk, which get a second name there."""
    disk = home.stat().st_dev
    found = ((file, find(cache, repository.id, repository.revision, file)) for file in repository.files)
    return [file for file, there in found if there is None or there.stat().st_dev != disk]


def main(cache: pathlib.Path, id: str, cards: Mapping[str, ModelCard]) -> Repository | None:
    """The model that the cache has as the branch `main`, for whoever cannot ask the Hub; None where that is not whole or may not be used.

    The hashes are those by which the cache names its files: the Hub's, as it was asked then. Where the file system has no links it
    names none, and only lengths and headers are known.
    """
    try:
        found = catalog.describe(folder(cache, id))
        place = pathlib.Path(str(found.path))
        names = {path.name for path in place.iterdir()}
        words = model_folder.text(place, "tokenizer_config.json", id)
        wanted = [_named(place / name) for name in examine.wanted(sorted(names), examine.weights(id, names))]
    except (InputError, OSError, ValueError):
        return None
    instruct = "chat_template" in words or "chat_template.jinja" in names
    card = found.model_copy(update={"id": id, "title": id.partition("/")[2], "path": None, "instruct": instruct})
    return Repository(id=id, revision=place.name, card=catalog.with_family(card, cards), files=wanted)


def _named(path: pathlib.Path) -> HubFile:
    """A file of a snapshot, with the hash that its blob is called by: SHA-256 of a large one, else git's."""
    blob = os.path.basename(os.readlink(path)) if path.is_symlink() else ""
    return HubFile(
        name=path.name,
        size=path.stat().st_size,
        sha256=blob if len(blob) == 64 else None,
        git=blob if len(blob) == 40 else None,
    )
