"""How large an export will be, told before it is made, by the sizes of what it comes from. How it is made is not its affair."""

import contextlib
import pathlib
from typing import Any

from tuning.models import examine
from tuning.runs import disk
from tuning.runs.run_folder import Run
from tuning.schema import RunSpec

ROW = 500  # bytes of a row in tokens and in words, of a short question and answer
BYTES = {"f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_K_M": 4.9 / 8}  # of a weight; of q8_0 a block of 32 has one scale of 16 bits


def expected(run: Run, spec: RunSpec | None, form: str, type: str = "") -> int | None:
    """Bytes of the file, about; None where nothing is known of them before."""
    own = _files(run.adapter)
    if form == "adapter" or (form == "merged" and (run.adapter / "config.json").is_file()):
        return sum(own.values())
    if spec is None:
        return None
    words = own.get(run.adapter / "tokenizer.json", 0)
    if form == "bundle":
        base = sum(_files(pathlib.Path(spec.model.path)).values()) if spec.model.card.path else 0  # one of our own goes along
        return base + words + ROW * (spec.data.train_rows + spec.data.validation_rows)
    if form == "merged":
        return spec.model.card.parameters * _weight(spec.model.path) + words
    type = {"here": "q4_K_M", "away": "f16"}.get(type, type)  # what Ollama makes of it, and what it makes it of
    return int(BYTES[type] * spec.model.card.parameters) + words if type in BYTES else None


def _files(folder: pathlib.Path) -> dict[pathlib.Path, int]:
    """The files of a folder and their sizes; nothing of one that goes away this very moment."""
    with contextlib.suppress(OSError):
        return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return {}


def _weight(base: str) -> int:
    """Bytes of a weight in the precision of which config.json speaks; see `engine.full_weights.precision`."""
    said: Any = disk.kept(lambda: disk.document(pathlib.Path(base) / "config.json"), None)
    found = examine.text_part(said) if isinstance(said, dict) else {}
    return 4 if str(found.get("dtype") or found.get("torch_dtype")).endswith("float32") else 2


def changed(run: Run) -> float:
    """When what a run has learned was written last, in seconds since 1970; 0 where that is not known."""
    with contextlib.suppress(OSError, ValueError):
        return max(path.stat().st_mtime for path in run.adapter.iterdir())
    return 0.0
