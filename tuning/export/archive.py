"""A finished folder as one zip, and what an export is called. What stands in the folder is `forms`' affair."""

import os
import pathlib
import tempfile
import zipfile
from collections.abc import Callable

from tuning.runs.files import slug
from tuning.runs.store import Run


def name_of(run: Run, form: str) -> str:
    """A name for people, without an ending: the run's in plain letters, and the form."""
    kind = "model" if form == "adapter" and (run.adapter / "config.json").is_file() else form
    return f"{slug(run.name(), 40)}-{kind}"


WEIGHTS = (".safetensors", ".gguf", ".bin")  # which no packing makes smaller
BLOCK = 2**22


def pack(folder: pathlib.Path, target: pathlib.Path, moved: Callable[[int], None] = lambda count: None) -> None:
    """Write all files of `folder` into the zip `target`, whole or not at all. Raises OSError where it cannot be written.

    `moved` hears of the bytes that are done, and may raise what ends it.
    """
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                entry = zipfile.ZipInfo.from_file(path, path.relative_to(folder).as_posix())
                entry.compress_type = zipfile.ZIP_STORED if path.suffix in WEIGHTS else zipfile.ZIP_DEFLATED
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=entry.file_size > 2**31 - 1) as packed:
                    while block := source.read(BLOCK):
                        packed.write(block)
                        moved(len(block))
        os.replace(temporary, target)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
