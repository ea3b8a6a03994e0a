"""From an uploaded file to a data set of ours: `ingest` has it read by a child process and keeps the result.

As a command (`python -m tuning.data.read`) this module is that child; all the reading is in `child`. This side never
opens a file from outside but to hash it.
"""

import dataclasses
import errno
import hashlib
import json
import logging
import os
import pathlib
import re
import shutil
import stat
import sys
import tempfile
import time
import unicodedata
from collections.abc import Mapping
from typing import Any

import pydantic

from tuning.data import sandbox
from tuning.data.child import main
from tuning.data.library import GRAVE, folder_of
from tuning.data.records import DEFAULT, MEGABYTE, REPORT, SPEC, Limits, shown
from tuning.errors import InputError
from tuning.schema import LOCAL, DataSpec, Notice

FORM = 1  # of reading: raise it when the same file would give other rows, and a new upload gets a new id

_log = logging.getLogger(__name__)
_STAGE = ".new-"
_STALE = 3600.0  # seconds after which a staging folder has no owner any more


def ingest(
    home: pathlib.Path,
    source: pathlib.Path,
    name: str,
    owner: str = LOCAL,
    mapping: Mapping[str, str] | None = None,
    validation: pathlib.Path | None = None,
    limits: Limits = DEFAULT,
) -> DataSpec:
    """Reads a file (and held-out rows of its own, in `validation`) into `home/data/<id>/`.

    `mapping` gives the column of some targets by hand, the others are found. The same content again is the same data set.
    Raises InputError with codes `data.*`; those about a file carry its name as `file`.
    """
    given = dict(mapping or {})
    files = {"source": source, "validation": validation}
    for path in (source, validation):
        if path is not None:
            _check_file(path, limits)
    digest, sha256 = _digest(source, validation, given, owner)
    target = folder_of(home) / f"{slug(name)}-{digest[:10]}"
    kept = _kept(target)
    if kept is not None:
        return kept
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    stage = _new_folder(target.parent)
    try:
        report = _read(stage, files, given, limits)
        spec = _spec(report, id=target.name, owner=owner, name=shown(name, 120), sha256=sha256)
        (stage / SPEC).write_text(spec.model_dump_json(by_alias=True, indent=2), encoding="utf-8")
        return _publish(stage, target, spec)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError("data.disk", file=shown(source.name, 80)) from error
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def slug(name: str) -> str:
    """A name as part of a folder's: small ASCII letters, digits and hyphens, at most 40."""
    plain = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain)[:40].strip("-") or "data"


def _check_file(path: pathlib.Path, limits: Limits) -> None:
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


def _digest(source: pathlib.Path, validation: pathlib.Path | None, mapping: Mapping[str, str], owner: str) -> tuple[str, str]:
    """What makes a data set this one, and the SHA-256 of its source file alone."""
    hashes = [_sha256(source), _sha256(validation) if validation is not None else ""]
    whole = json.dumps([FORM, *hashes, sorted(mapping.items()), owner])
    return hashlib.sha256(whole.encode()).hexdigest(), hashes[0]


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _kept(target: pathlib.Path) -> DataSpec | None:
    """The data set that is already there, if it can be read."""
    try:
        return DataSpec.model_validate_json((target / SPEC).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, pydantic.ValidationError):
        _log.warning("%s is damaged and is read anew", target)
        return None


def _read(stage: pathlib.Path, files: Mapping[str, pathlib.Path | None], mapping: Mapping[str, str], limits: Limits) -> dict[str, Any]:
    """The child's report. Raises its error, or how it died, with the name of the file at fault."""
    paths = {key: None if path is None else str(path.absolute()) for key, path in files.items()}
    request = {**paths, "mapping": mapping, "limits": dataclasses.asdict(limits)}
    names = {key: shown(path.name, 80) for key, path in files.items() if path is not None}
    try:
        sandbox.run("tuning.data.read", request, stage, limits)
    except InputError as error:
        raise InputError(error.code, **error.params, file=names["source"]) from error
    report: dict[str, Any] = json.loads((stage / REPORT).read_bytes())
    (stage / REPORT).unlink()
    fault = report.get("error")
    if fault is not None:
        raise InputError(fault["code"], **fault["params"], file=names[fault["at"]])
    held_out = report.get("validation")
    if held_out is not None and held_out["refused"]:  # the spec has no place for them, and silent loss is none of ours
        first = held_out["refused"][0]
        place = {"row": first["row"], "line": first["line"], "fault": first["code"], "file": names["validation"]}
        raise InputError("data.validation", **{**first["params"], **place})
    return report


def _spec(report: Mapping[str, Any], **about: Any) -> DataSpec:
    rows = report["source"]
    refused = [
        Notice(code=fault["code"], level="warning", params={"row": fault["row"], "line": fault["line"], **fault["params"]})
        for fault in rows["refused"]
    ]
    held_out = report.get("validation")
    return DataSpec(
        **{key: rows[key] for key in ("format", "mapping", "encoding", "rows_read", "rows_kept", "characters")},
        **about,
        refused=refused,
        validation_rows=held_out["rows_kept"] if held_out is not None else 0,
        created=time.time(),
    )


def _publish(stage: pathlib.Path, target: pathlib.Path, spec: DataSpec) -> DataSpec:
    """Gives the folder its name. Where somebody was faster with the same content, theirs stands."""
    try:
        os.replace(stage, target)
    except OSError:
        kept = _kept(target)
        if kept is not None:
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


if __name__ == "__main__":
    sys.exit(main())
