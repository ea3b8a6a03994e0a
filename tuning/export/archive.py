"""What a run published as one zip: PEFT folder or whole model, tokenizer and card, nothing of this machine."""

import os
import pathlib
import tempfile
import zipfile

from tuning.runs.files import slug
from tuning.runs.store import Run


def zip_name(run: Run) -> str:
    """A file name for people: the run's name in plain letters."""
    return f"{slug(run.name(), 40)}-{'model' if (run.adapter / 'config.json').is_file() else 'adapter'}.zip"


def zip_adapter(run: Run, out: pathlib.Path) -> pathlib.Path:
    """Write `out` (a file, or a folder to put one in) and return its path. Raises OSError where it cannot be written."""
    target = out / zip_name(run) if out.is_dir() else out
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(p for p in run.adapter.rglob("*") if p.is_file()):
                archive.write(path, path.relative_to(run.adapter).as_posix())
        os.replace(temporary, target)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
    return target
