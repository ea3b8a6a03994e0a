"""From an uploaded file to a data set of ours: `ingest` has it read by a child process and keeps the result.

All the reading is in `child`, and none of it is imported here: this side never opens a file from outside but to hash it.
"""

import dataclasses
import errno
import hashlib
import json
import logging
import os
import pathlib
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.data.library import GRAVE, folder_of, require_rows
from tuning.data.records import MOST_SYSTEM, REPAIRS, REPORT, SOURCE, SPEC, SYSTEM, shown, system_text
from tuning.errors import InputError
from tuning.runs import disk, files
from tuning.sandbox import run
from tuning.sandbox.limits import DEFAULT, MEGABYTE, PROGRESS, Limits, roomy
from tuning.schema import CorrectedRows, DataSpec, Notice, NotUsed

FORM = 11  # of reading: raise it when the same file would give other rows, and a new upload gets a new id

_log = logging.getLogger(__name__)
_STAGE = ".new-"
_STALE = 3600.0  # seconds after which a staging folder has no owner any more


@dataclasses.dataclass(frozen=True)
class ReadingOptions:
    """What is asked of a reading, beside the files. `mapping` gives the column of some targets by hand, the others are found."""

    name: str = ""
    validation: Sequence[pathlib.Path] = ()  # files with held-out rows of their own
    held_out: str | None = None  # or a part of a data set of the Hub: id:config:split
    mapping: Mapping[str, str] = dataclasses.field(default_factory=dict)
    repairs: Sequence[str] | None = ()  # of `REPAIRS`, and SYSTEM with a text; None where those done before are to be undone
    edits: Mapping[int, Mapping[str, Any] | None] | None = None  # rows by hand, see DataSpec; None: as they were edited before, if at all
    max_rows: int | None = None  # the first so many rows of the files
    license: str | None = None
    corrected: CorrectedRows | None = None  # what the first rows are, where somebody has put a run's answers right
    keep: bool = False  # keep the files, so that they can be read again in another way
    ask: bool = False  # keep them also where they are not understood, for a person to say what is in them


def ingest(
    home: pathlib.Path,
    owner: str,
    sources: Sequence[pathlib.Path],
    wish: ReadingOptions,
    limits: Limits = DEFAULT,
    watch: run.Watch | None = None,
) -> DataSpec:
    """Reads files, one after another, as one data set of the owner into `home/data/<id>/`.

    The same content and wish again is the same data set. `watch` hears the share that is done; what it raises ends the
    reading, and nothing is left of it. Raises InputError with codes `data.*`; those about a file carry its name as `file`.
    """
    size = _check(sources, wish, limits)
    folder = folder_of(home)
    whole, sha256 = digest(owner, sources, wish)
    target = folder / f"{files.slug(wish.name, 40, 'data')}-{whole[:10]}"
    kept = _kept(target)
    if kept is not None and (kept.sources or not wish.keep):
        return kept  # before anything is written: a home may be read-only
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    stage = _new_folder(folder)
    try:
        report = _read(stage, sources, wish, roomy(limits, size), watch)
        spec = _spec(report, wish, owner=owner, id=target.name, sha256=sha256)
        if wish.keep:
            spec = spec.model_copy(update={"sources": keep_files(stage, sources, wish.validation)})
        (stage / SPEC).write_text(spec.model_dump_json(by_alias=True, indent=2), encoding="utf-8")
        return _publish(stage, target, spec)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError("data.disk", file=shown(sources[0].name, 80)) from error
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def again(home: pathlib.Path, spec: DataSpec, wish: ReadingOptions, **how: Any) -> DataSpec:
    """The files of a data set read anew in another way, as another data set. Raises as `ingest`, and `data.gone`."""
    paths = kept_files(home, spec)
    held_out = wish.validation or paths["validation"]
    return ingest(home, spec.owner, paths["rows"], dataclasses.replace(wish, keep=True, validation=held_out), **how)


def kept_files(home: pathlib.Path, spec: DataSpec) -> dict[str, list[pathlib.Path]]:
    """The files of a data set as they came, by what they are for: `rows`, `validation`. Raises InputError `data.gone`."""
    folder = folder_of(home) / spec.id
    paths = {key: [folder / name for name in spec.sources if name.startswith(f"{SOURCE}{key}-")] for key in ("rows", "validation")}
    if not paths["rows"]:
        raise InputError("data.gone", data=spec.name)
    return paths


def keep_files(stage: pathlib.Path, sources: Sequence[pathlib.Path], validation: Sequence[pathlib.Path]) -> list[str]:
    """Files under names of ours; a link where the disk can, for they are large. Who wishes it gives the files away."""
    names = []
    for key, paths in (("rows", sources), ("validation", validation)):
        for number, path in enumerate(paths):
            names.append(f"{SOURCE}{key}-{number}")
            try:
                os.link(path.resolve(), stage / names[-1])
            except OSError:
                shutil.copyfile(path, stage / names[-1])
    return names


def _check(sources: Sequence[pathlib.Path], wish: ReadingOptions, limits: Limits) -> int:
    """The size of all files, in bytes.

    Raises InputError for a repair that is none, for a system text that is too long or a second one, and for files that are too large or
    cannot be read.
    """
    unknown = next((name for name in wish.repairs or () if name not in REPAIRS and not name.startswith(SYSTEM)), None)
    if unknown is not None:
        raise InputError("data.repair", repair=shown(unknown), known=", ".join(REPAIRS))
    if len(system_text(wish.repairs or ())) > MOST_SYSTEM:
        raise InputError("data.system", count=len(system_text(wish.repairs or ())), most=MOST_SYSTEM)
    told = [shown(name.removeprefix(SYSTEM), 60) for name in wish.repairs or () if name.startswith(SYSTEM)]
    if len(told) > 1:
        raise InputError("data.systems", one=told[0], two=told[1])
    size = sum(_check_file(path, limits) for path in [*sources, *wish.validation])
    if size > limits.file_bytes:
        raise InputError("data.large", file=shown(sources[0].name, 80), limit=max(1, limits.file_bytes // MEGABYTE))
    return size


def _check_file(path: pathlib.Path, limits: Limits) -> int:
    """Its size, in bytes. Raises InputError where it cannot be read."""
    name = shown(path.name, 80)
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        raise InputError("data.missing", file=name) from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError("data.folder", file=name)
    if not stat.S_ISREG(status.st_mode):
        raise InputError("data.missing", file=name)
    try:
        path.open("rb").close()  # what counts is whether it can be read, whatever its rights say
    except PermissionError:
        raise InputError("data.permission", file=name) from None
    if status.st_size == 0:
        raise InputError("data.empty", file=name)
    if status.st_size > limits.file_bytes:
        raise InputError("data.large", file=name, limit=max(1, limits.file_bytes // MEGABYTE))
    return status.st_size


def digest(owner: str, sources: Sequence[pathlib.Path], wish: ReadingOptions) -> tuple[str, str]:
    """What makes a data set this one, and the SHA-256 of its files alone (of the one file, where there is one)."""
    hashes = [_sha256(path) for path in sources]
    held_out = [_sha256(path) for path in wish.validation]
    asked = [sorted(wish.mapping.items()), sorted(wish.repairs or ()), wish.max_rows, owner]
    asked += [wish.corrected.run] if wish.corrected else []
    asked += [sorted(wish.edits.items())] if wish.edits else []
    whole = json.dumps([FORM, hashes, held_out, asked])
    content = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    return hashlib.sha256(whole.encode()).hexdigest(), content


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _kept(target: pathlib.Path) -> DataSpec | None:
    """The data set that is already there, if it can be read."""

    def read() -> DataSpec:
        spec = disk.record(target / SPEC, DataSpec)
        require_rows(target, spec)
        return spec

    return disk.kept(read, None)


def _read(
    stage: pathlib.Path, sources: Sequence[pathlib.Path], wish: ReadingOptions, limits: Limits, watch: run.Watch | None
) -> dict[str, Any]:
    """The child's report. Raises its error, or how it died, with the name of the file at fault."""
    request = {
        "sources": [str(path.absolute()) for path in sources],
        "validation": [str(path.absolute()) for path in wish.validation],
        "mapping": dict(wish.mapping),
        "repairs": list(wish.repairs or ()),
        "edits": list((wish.edits or {}).items()),
        "max_rows": wish.max_rows,
        "limits": dataclasses.asdict(limits),
    }
    names = {"sources": _named(sources, wish), "validation": _named(wish.validation, wish)}
    try:
        run.run("tuning.data.child", request, stage, limits, watch)
    except InputError as error:
        raise InputError(error.code, **error.params, file=names["sources"]) from error
    report: dict[str, Any] = json.loads((stage / REPORT).read_bytes())
    for name in (REPORT, PROGRESS, f"{PROGRESS}.new"):
        (stage / name).unlink(missing_ok=True)
    fault = report.get("error")
    if fault is not None:
        raise InputError(fault["code"], **fault["params"], file=names[fault["at"]])
    held_out = report.get("validation")
    if held_out is not None and held_out["refused"]:  # the spec has no place for them, and silent loss is none of ours
        first = held_out["refused"][0]
        place = {"row": first["row"], "line": first["line"], "fault": first["code"], "file": names["validation"]}
        raise InputError("data.validation", **{**first["params"], **place})
    return report


def _named(paths: Sequence[pathlib.Path], wish: ReadingOptions) -> str:
    """A file as a person knows it: by its own name, or where the name is ours by that of the data."""
    name = paths[0].name if paths else ""
    return shown(wish.name if name.startswith(SOURCE) else name, 80)


def _spec(report: Mapping[str, Any], wish: ReadingOptions, **about: Any) -> DataSpec:
    rows = report["sources"]
    refused = [
        Notice(code=fault["code"], level="warning", params={"row": fault["row"], "line": fault["line"], **fault["params"]})
        for fault in rows["refused"]
    ]
    held_out = report.get("validation")
    unused = [
        NotUsed(kind=kind, name=name, count=count, of=rows["rows_kept"] if kind == "column" else None)
        for kind, names in sorted(rows["unused"].items())
        for name, count in sorted(names.items(), key=lambda pair: -pair[1])
    ]
    same = (
        "kind",
        "encoding",
        "format",
        "reason",
        "columns",
        "mapping",
        "rows_read",
        "rows_kept",
        "rows_dropped",
        "last_row",
        "characters",
        "thoughts",
        "findings",
    )
    return DataSpec(
        **{key: rows[key] for key in same},
        **about,
        name=shown(wish.name, 120),
        given=dict(wish.mapping),
        repairs=sorted(wish.repairs or ()),
        edits={row: None if content is None else dict(content) for row, content in (wish.edits or {}).items()},
        max_rows=wish.max_rows,
        license=wish.license,
        corrected=wish.corrected,
        refused=refused,
        unused=unused,
        validation_rows=held_out["rows_kept"] if held_out is not None else 0,
        created=time.time(),
    )


def _publish(stage: pathlib.Path, target: pathlib.Path, spec: DataSpec) -> DataSpec:
    """Gives the folder its name. Where somebody was faster with the same content, theirs stands."""
    try:
        os.replace(stage, target)
    except OSError:
        kept = _kept(target)
        if kept is not None and (kept.sources or not spec.sources):
            return kept
        grave = _new_folder(target.parent)
        os.replace(target, grave / target.name)
        os.replace(stage, target)
        shutil.rmtree(grave, ignore_errors=True)
    return spec


def _new_folder(parent: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(tempfile.mkdtemp(prefix=_STAGE, dir=parent))


def _sweep(folder: pathlib.Path) -> None:
    """Removes what a process that was killed left behind."""
    for path in [*folder.glob(_STAGE + "*"), *folder.glob(GRAVE + "*")]:
        try:
            stale = time.time() - path.stat().st_mtime > _STALE
        except FileNotFoundError:  # it had an owner after all, who has just finished
            continue
        if stale:
            shutil.rmtree(path, ignore_errors=True)
