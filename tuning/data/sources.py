"""Data sets of the Hub as a person names them: which one is meant, which part of it, and its files for the time of reading.

What comes is put aside below the home folder and is gone after reading; the library keeps what it needs. How the Hub is spoken to
is `hub.datasets`'s affair, what is in the files is `read`'s.
"""

import contextlib
import pathlib
import re
import shutil
import tempfile
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning import presets
from tuning.data.library import folder_of
from tuning.data.records import listed, shown
from tuning.errors import InputError
from tuning.hub.repository import ID, Collection, Split
from tuning.sandbox.limits import DEFAULT
from tuning.sandbox.run import Watch
from tuning.schema import LOCAL, DatasetCard, DataSpec
from tuning.settings import Settings

if TYPE_CHECKING:
    from tuning.hub.datasets import HubData

KEPT_SECONDS = 600.0  # how long an answer of the Hub is taken for true
MOST_KEPT = 100
STALE_SECONDS = 86_400.0  # after which what a process that was killed left behind is removed

_STAGE = ".hub-"
_PAGE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/datasets/([^/?#]+/[^/?#]+)"
    r"(?:/viewer(?:/([^/?#]+)(?:/([^/?#]+))?)?|/(?!viewer)[^?#]*)?/?(?:[?#].*)?"
)
_FILE = re.compile(r".*\.(?:csv|tsv|json|jsonl|ndjson|parquet|txt|xlsx|zip|gz)", re.IGNORECASE)


@dataclass(frozen=True)
class Reference:
    """A data set of the Hub; where config or split is None, the one that most people mean."""

    id: str
    config: str | None = None
    split: str | None = None

    def __str__(self) -> str:
        """As it may be typed, and as the library calls it."""
        parts = [self.id, self.config or "", self.split or ""]
        return ":".join(parts).rstrip(":")


@dataclass(frozen=True)
class Brought:
    """Files that are there until the reading is over, and what is known of them."""

    paths: list[pathlib.Path]
    split: Split
    license: str | None
    free_license: bool  # commercial use is allowed; false also where nobody says so
    revision: str


def parse(text: str) -> Reference | None:
    """`owner/name`, `owner/name:config:split`, or the address of a page of the Hub. None where it is none of these.

    What ends as a file does is taken for one: names of files here are nothing to ask the Hub about.
    """
    text = text.strip()
    page = _PAGE.fullmatch(text)
    parts = [urllib.parse.unquote(part or "") for part in page.groups()] if page else text.split(":")
    id, config, split = (*parts, "", "")[:3]
    named = all(len(part) <= 100 and part.isprintable() and not re.search(r"[/\\:]", part) for part in (config, split))
    if len(parts) > 3 or not named or not ID.fullmatch(id) or ".." in id or "--" in id or _FILE.fullmatch(id):
        return None
    return Reference(id, config or None, split or None)


def find(text: str) -> Reference:
    """As `parse`. Raises InputError `data.hub.id` where nothing is named."""
    found = parse(text)
    if found is None:
        raise InputError("data.hub.id", data=shown(text.strip(), 100))
    return found


def of_card(card: DatasetCard) -> Reference | None:
    """What a card of the Hub stands for; None for one of a file."""
    return Reference(card.hub, card.config, card.split) if card.hub else None


def choose(found: Collection, reference: Reference) -> Split:
    """The part that is meant. Raises InputError `data.hub.config` or `data.hub.split`, with those there are."""
    configs = {config.name: config for config in found.configs}
    config = configs.get(reference.config) if reference.config else found.configs[0]
    if config is None:
        raise InputError("data.hub.config", data=found.id, config=shown(reference.config or ""), known=listed(list(configs)))
    splits = {split.name: split for split in config.splits}
    split = splits.get(reference.split) if reference.split else config.splits[0]
    if split is None:
        raise InputError("data.hub.split", data=found.id, split=shown(reference.split or ""), known=listed(list(splits)))
    return split


def kept(specs: Iterable[DataSpec], reference: Reference, rows: int | None = None) -> DataSpec | None:
    """The data of a library that were read from it under its name, with so many rows and nothing changed by hand."""
    name = shown(str(reference), 120)  # as a spec holds it
    as_it_was: tuple[object, ...] = (name, rows, {}, [], 0)
    return next((spec for spec in specs if (spec.name, spec.max_rows, spec.given, spec.repairs, spec.validation_rows) == as_it_was), None)


class Sources:
    """Data sets of the Hub for all owners of one home folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._known: dict[tuple[str, bool], tuple[float, Collection]] = {}

    def describe(self, reference: Reference, owner: str) -> Collection:
        """What the Hub says of it, its variants and their parts; those that most people mean come first.

        Raises InputError `data.hub.…`.
        """
        key = (reference.id, self._mine(owner))
        when, found = self._known.get(key, (0.0, None))
        if found is None or time.monotonic() - when > KEPT_SECONDS:
            found = self._hub(owner).describe(reference.id)
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            self._known[key] = (time.monotonic(), found)
        return found

    def preview(self, reference: Reference, owner: str, limit: int = 5) -> list[dict[str, Any]] | None:
        """Its first rows by column, without a download; None where the Hub's viewer does not show them. Raises as `describe`."""
        return self._hub(owner).preview(reference.id, choose(self.describe(reference, owner), reference), limit)

    @contextlib.contextmanager
    def bring(
        self, reference: Reference, owner: str, rows: int | None = None, most: int = DEFAULT.file_bytes, watch: Watch | None = None
    ) -> Iterator[Brought]:
        """Its files, until the end of the `with`: at least the first `rows` rows, all where None, in at most `most` bytes.

        There may be more rows than asked for: whoever reads them stops. `watch` hears the share that is done; what it raises
        ends the download. Raises InputError `data.hub.…`.
        """
        found = self.describe(reference, owner)
        split = choose(found, reference)
        parent = folder_of(self.settings.home)
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        stage = pathlib.Path(tempfile.mkdtemp(prefix=_STAGE, dir=parent))

        def progress(done: int, total: int) -> None:
            if watch is not None:
                watch(done / max(1, total))

        try:
            paths = self._hub(owner).fetch(found, split, stage, rows, most, progress)
            yield Brought(paths, split, found.license, found.free_license, found.revision)
        finally:
            shutil.rmtree(stage, ignore_errors=True)

    # Inside

    def _mine(self, owner: str) -> bool:
        """Only on a machine of one's own does the token of its environment count."""
        return owner == LOCAL and self.settings.mode == "local"

    def _hub(self, owner: str) -> "HubData":
        from tuning.hub.datasets import HubData

        token = self.settings.token if self._mine(owner) else None
        return HubData(self.settings.endpoint, token, self.settings.offline, presets.datasets(self.settings.presets))


def _sweep(folder: pathlib.Path) -> None:
    for path in folder.glob(_STAGE + "*"):
        with contextlib.suppress(FileNotFoundError):  # it had an owner after all, who has just finished
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
