"""What the Hub says of a data set before it is fetched, rows to look at, and its files.

No loading script is ever run and no address out of an answer is followed: files are fetched by name, at a revision. The branch
where the Hub keeps a data set converted to Parquet goes before the files as they were brought, for there parts and variants are plain.
"""

import contextlib
import functools
import json
import math
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import httpx2
from huggingface_hub import DatasetCardData, DatasetInfo, errors, get_session, hf_hub_url
from huggingface_hub.file_download import http_get

from tuning.errors import InputError
from tuning.hub import dataset_files
from tuning.hub.download import ASIDE, FULL, GIB, right
from tuning.hub.models import FREE, SECONDS, Caller, DownloadMeter, sha256_of
from tuning.hub.repository import ID, Collection, Config, HubFile, Split
from tuning.schema import DatasetCard

Progress = Callable[[int, int], None]  # hears what is done and what is to do in all, in bytes or rows; what it raises ends the download

CONVERTED = "refs/convert/parquet"
HUB, VIEWER = "https://huggingface.co", "https://datasets-server.huggingface.co"
VIEWER_SECONDS = 5.0
PAGE_ROWS = 100  # the viewer gives no more at once
FEW_ROWS = 1_000  # are asked of the viewer rather than taken from a file
MANY_ROWS = 10_000  # are asked of the viewer where the files are large
LARGE = 200 * 2**20  # bytes
USUAL_ROWS = 15_000  # of a data set to begin with
MEGABYTE = 2**20
FREE_DATA = FREE | {
    *("cc-by-2.0", "cc-by-3.0", "cc-by-sa-3.0", "odc-by", "odbl", "pddl", "cdla-permissive-1.0", "cdla-permissive-2.0"),
    *("cdla-sharing-1.0", "bsd", "bsd-2-clause", "bsl-1.0", "isc", "wtfpl", "gfdl", "gpl-3.0", "agpl-3.0", "lgpl-3.0"),
}
SAID = {  # the same of a data set
    "model.gated": "data.hub.gated",
    "model.private": "data.hub.private",
    "model.missing": "data.hub.missing",
    "model.offline": "data.hub.offline",
    "model.hub_answer": "data.hub.answer",
    "model.hub_busy": "data.hub.busy",
    "model.hub_down": "data.hub.down",
    "model.hub_unreachable": "data.hub.unreachable",
}


class HubData(Caller):
    """Data sets, as one person may see them. `cards` are those that are offered."""

    def __init__(self, endpoint: str, token: str | None, offline: bool, cards: Mapping[str, DatasetCard] | None = None) -> None:
        super().__init__(endpoint, token, offline)
        self._viewer = VIEWER if self.endpoint == HUB else self.endpoint
        self._cards = [card for card in (cards or {}).values() if card.hub]

    def describe(self, id: str) -> Collection:
        """What a data set is, and its variants with their parts. A few answers of the Hub are read, no row.

        Raises InputError that says which it is: no id, missing, private, gated, only a script, no rows in a form that is known;
        the Hub busy, down, not reached, or not to be asked.
        """
        if not ID.fullmatch(id) or ".." in id:
            raise InputError("data.hub.id", data=id[:100])
        with self._asking(id):
            info = self._api.dataset_info(id, timeout=SECONDS)
            if info.private and not self._token:
                raise InputError("data.hub.private", data=id, page=self.page(id), other=self._other(id))
            if info.gated and not self._token:
                raise InputError("data.hub.gated", data=id, page=self.page(id), other=self._other(id))
            said = info.card_data.to_dict() if isinstance(info.card_data, DatasetCardData) else {}
            files_at, configs = self._layout(id, info, said)
        license, free = self._license(id, info, said)
        spoken = said.get("language") or []
        return Collection(
            id=id,
            title=str(said.get("pretty_name") or id.partition("/")[2])[:120],
            revision=str(info.sha or "main"),
            files_at=files_at,
            license=license,
            free_license=free,
            languages=[str(word)[:20] for word in (spoken if isinstance(spoken, list) else [spoken])[:40]],
            gated=bool(info.gated),
            downloads=info.downloads or 0,
            configs=configs,
        )

    def preview(self, id: str, split: Split, limit: int = 5) -> list[dict[str, Any]] | None:
        """The first rows (at most 20) by column, without a download; long cells are cut. None where the viewer does not answer."""
        answer = self._view("first-rows", dataset=id, config=split.config, split=split.name)
        found = None if answer is None else _viewed(answer)
        if found is None:
            return None
        return [
            {key: f"{value}…" if key in cut and isinstance(value, str) else value for key, value in row.items()}
            for row, cut in found[: min(limit, 20)]
        ]

    def fetch(
        self,
        found: Collection,
        split: Split,
        folder: pathlib.Path,
        rows: int | None,
        most: int,
        progress: Progress = lambda done, total: None,
    ) -> list[pathlib.Path]:
        """Files in `folder` that hold the first `rows` rows of a split, or more; all where None. At most `most` bytes come.

        A connection that is cut is taken up where it was, and what came is held against the Hub's hashes. Raises InputError as
        `describe` does, and where it is too much for `most` or the disk, or not what the Hub promised.
        """
        files = dataset_files.needed(split, rows, most)
        size = sum(file.size for file in files)
        by_line = rows is not None and all(dataset_files.kind(file) in ("jsonl", "ndjson") for file in files)
        if rows is not None and (rows <= FEW_ROWS or (rows <= MANY_ROWS and size > min(most, LARGE) and not by_line)):
            streamed = self._by_viewer(found, split, folder, rows, progress)
            if streamed is not None:
                return [streamed]
        if size > most and not by_line:
            raise _large(found, size, most)
        download = _Download(self, found, folder, most, progress)
        with self._asking(found.id), download.room(0 if by_line else size):
            return download.run(split, files, rows if by_line else None)

    def bring(self, found: Collection, file: HubFile, stream: Any, progress: Callable[[int], None]) -> None:
        """Write a file to `stream`, going on where the connection is cut. Raises what huggingface_hub does."""
        http_get(
            hf_hub_url(found.id, file.name, repo_type="dataset", revision=found.files_at, endpoint=self.endpoint),
            stream,
            headers=self._headers,
            expected_size=file.size,
            displayed_filename="rows",
            tqdm_class=functools.partial(DownloadMeter, progress),  # type: ignore[arg-type]
        )

    def page(self, id: str) -> str:
        """Where a person reads about a data set and accepts its licence."""
        return f"{self.endpoint}/datasets/{id}"

    # Inside

    def _layout(self, id: str, info: DatasetInfo, said: Mapping[str, Any]) -> tuple[str, list[Config]]:
        """The revision that the files are in, and what they are. Raises InputError where none can be used."""
        try:
            branch = self._api.dataset_info(id, revision=CONVERTED, files_metadata=True, timeout=SECONDS)
        except (errors.HfHubHTTPError, httpx2.HTTPError):  # not converted: then its own files
            branch = None
        configs = dataset_files.converted(_files(branch)) if branch else []
        if branch and configs:
            rows = dataset_files.rows_said(said) | self._rows(id)
            return str(branch.sha or CONVERTED), dataset_files.counted(dataset_files.first(configs, said), rows)
        listing = self._api.dataset_info(id, revision=info.sha, files_metadata=True, timeout=SECONDS)
        files = _files(listing)
        configs = dataset_files.own(files, said)
        if configs:
            return str(listing.sha or "main"), dataset_files.counted(dataset_files.first(configs, said), dataset_files.rows_said(said))
        script = any(re.fullmatch(r"[^/]+\.py", file.name) for file in files)
        raise InputError(
            "data.hub.script" if script else "data.hub.nothing", data=id, kinds=", ".join(dataset_files.KINDS), other=self._other(id)
        )

    def _rows(self, id: str) -> dict[tuple[str, str], int]:
        """Rows by config and split, as the viewer counted them; nothing where it does not answer."""
        answer = self._view("size", dataset=id) or {}
        sizes = answer.get("size")
        splits = sizes.get("splits") if isinstance(sizes, dict) else None
        return {
            (str(entry.get("config")), str(entry.get("split"))): entry["num_rows"]
            for entry in (splits if isinstance(splits, list) else [])
            if isinstance(entry, dict) and isinstance(entry.get("num_rows"), int)
        }

    def _license(self, id: str, info: DatasetInfo, said: Mapping[str, Any]) -> tuple[str | None, bool]:
        """The licence and whether it allows commercial use. Our own card may know more: of what the data were made from, say."""
        named = [str(tag).partition(":")[2] for tag in info.tags or [] if str(tag).startswith("license:")]
        if not named:
            given = said.get("license") or []
            named = [str(name) for name in (given if isinstance(given, list) else [given])]
        named = [name[:60] for name in named if name not in ("unknown", "")]
        free = bool(named) and all(name.lower() in FREE_DATA for name in named)
        card = next((card for card in self._cards if card.hub == id and card.license is not None), None)
        if card is not None:
            return ", ".join(named) or card.license, card.free_license and (free or not named)
        return ", ".join(named) or None, free

    def _other(self, id: str) -> str:
        """An open data set among those that are offered, of the same language."""
        italian = re.search(r"ital|(?:^|[^a-z])ita?(?:[^a-z]|$)", id.lower())
        fitting = [card for card in self._cards if card.language == ("it" if italian else "en") and card.hub != id]
        return min(fitting, key=lambda card: (not card.free_license, abs((card.rows or 0) - USUAL_ROWS))).id if fitting else "starter"

    def _by_viewer(self, found: Collection, split: Split, folder: pathlib.Path, rows: int, progress: Progress) -> pathlib.Path | None:
        """The first rows as JSON Lines, asked for by the hundred. None where the viewer does not give them all, and whole."""
        want = min(rows, split.rows or rows)
        path = folder / _local(split, 0, "jsonl")
        came = 0
        with path.open("w", encoding="ascii") as stream:
            while came < want:
                length = min(PAGE_ROWS, want - came)
                answer = self._view("rows", dataset=found.id, config=split.config, split=split.name, offset=came, length=length)
                page = None if answer is None else _viewed(answer)
                if page is None or any(cut for _, cut in page):
                    break
                stream.writelines(json.dumps(row) + "\n" for row, _ in page[:length])
                came += len(page)
                progress(min(came, want), want)
                if len(page) < length:  # it has no more
                    want = came
        if came and came >= want:
            return path
        path.unlink()
        return None

    def _view(self, what: str, **query: str | int) -> dict[str, Any] | None:
        """An answer of the dataset viewer, or None: nothing depends on it."""
        if self.offline:
            return None
        try:
            response = get_session().get(f"{self._viewer}/{what}", params=query, headers=self._headers, timeout=VIEWER_SECONDS)
            content = response.json() if response.status_code == 200 else None
        except (httpx2.HTTPError, errors.OfflineModeIsEnabled, ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    @contextlib.contextmanager
    def _asking(self, id: str) -> Iterator[None]:
        try:
            with super()._asking(id):
                yield
        except InputError as error:
            if error.code not in SAID:
                raise
            about = {key: value for key, value in error.params.items() if key != "model"}
            raise InputError(SAID[error.code], data=id, **about) from error


class _Download:
    """Files of a split on their way into a folder, under names of ours."""

    def __init__(self, hub: HubData, found: Collection, folder: pathlib.Path, most: int, progress: Progress) -> None:
        self._hub, self._found, self._folder, self._most, self._progress = hub, found, folder, most, progress
        self._done = self._size = 0

    @contextlib.contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Raises InputError where the disk is too small, now or later."""
        free = shutil.disk_usage(self._folder).free
        full = InputError("data.hub.disk", data=self._found.id, need=size / GIB, have=free / GIB)
        if size + ASIDE > free:
            raise full
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise full from error

    def run(self, split: Split, files: list[HubFile], lines: int | None) -> list[pathlib.Path]:
        """All of `files`, or of files with a row on each line so many lines, and no more of the last file than that takes."""
        self._size = sum(file.size for file in files)
        paths = []
        for number, file in enumerate(files):
            paths.append(self._folder / _local(split, number, dataset_files.kind(file)))
            count = self._bring(file, paths[-1], lines)
            if lines is not None:
                lines -= count
                if lines <= 0:
                    break
        return paths

    def _bring(self, file: HubFile, path: pathlib.Path, lines: int | None) -> int:
        """One file, fetched again from its beginning where what came is wrong. Returns its lines where they are counted."""
        before = self._done
        for _ in range(2):
            self._done = before
            with path.open("wb") as stream:
                head = _Head(stream, lines)
                try:
                    self._hub.bring(self._found, file, head, self._count)
                except _Enough:
                    return head.count
                except OSError as error:  # huggingface_hub says so of a file of another length than promised
                    if error.errno is not None or isinstance(error, httpx2.HTTPError | errors.OfflineModeIsEnabled):
                        raise
            if right(path, file):
                return head.count
        raise InputError("data.hub.wrong_hash", data=self._found.id, file=file.name[:100])

    def _count(self, came: int) -> None:
        self._done += came
        self._progress(min(self._done, self._size), self._size)
        if self._done > self._most:
            raise _large(self._found, self._size, self._most)


class _Enough(Exception):
    """The lines that were wanted are there."""


class _Head:
    """A file that takes so many lines (any number where None) and then says that it is enough."""

    def __init__(self, stream: BinaryIO, lines: int | None) -> None:
        self._stream, self._lines = stream, lines
        self.count = 0

    def write(self, data: bytes) -> int:
        if self._lines is None:
            return self._stream.write(data)
        more = data.count(b"\n")
        if self.count + more < self._lines:
            self.count += more
            return self._stream.write(data)
        end = 0
        for _ in range(self._lines - self.count):
            end = data.index(b"\n", end) + 1
        self._stream.write(data[:end])
        self.count = self._lines
        raise _Enough

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, place: int) -> int:
        self.count = 0  # huggingface_hub begins anew
        return self._stream.seek(place)

    def truncate(self) -> int:
        return self._stream.truncate()


def _large(found: Collection, size: int, most: int) -> InputError:
    return InputError("data.hub.large", data=found.id, need=math.ceil(size / MEGABYTE), limit=most // MEGABYTE, rows=FEW_ROWS)


def _local(split: Split, number: int, kind: str) -> str:
    """A name for a file here; nothing of the Hub's path but the name of the split, and of that only letters."""
    return f"{re.sub('[^A-Za-z0-9]+', '-', split.name)[:40]}-{number:04}.{kind}"


def _files(info: DatasetInfo) -> list[HubFile]:
    return [HubFile(name=file.rfilename, size=file.size or 0, sha256=sha256_of(file), git=file.blob_id) for file in info.siblings or []]


def _viewed(answer: Mapping[str, Any]) -> list[tuple[dict[str, Any], list[Any]]] | None:
    """Each row with the names of its cells that were cut. None where the answer is not of that form."""
    entries = answer.get("rows")
    if not isinstance(entries, list):
        return None
    found = []
    for entry in entries:
        row, cut = (entry.get("row"), entry.get("truncated_cells")) if isinstance(entry, dict) else (None, None)
        if not isinstance(row, dict):
            return None
        found.append((row, cut if isinstance(cut, list) else []))
    return found
