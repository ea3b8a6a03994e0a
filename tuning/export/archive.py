"""A finished folder as one zip, and what an export is called. What stands in the folder is `forms`' affair."""

import os
import pathlib
import tempfile
import zipfile

from tuning.runs.files import slug
from tuning.runs.store import Run


def name_of(run: Run, form: str) -> str:
    """A name for people, without an ending: the run's in plain letters, and the form."""
    kind = "model" if form == "adapter" and (run.adapter / "config.json").is_file() else form
    return f"{slug(run.name(), 40)}-{kind}"


def pack(folder: pathlib.Path, target: pathlib.Path) -> None:
    """Write all files of `folder` into the zip `target`, whole or not at all. Raises OSError where it cannot be written."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.write(path, path.relative_to(folder).as_posix())
        os.replace(temporary, target)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
