"""A finished folder as one zip, and what an export is called. What stands in the folder is `forms`' affair."""

import os
import pathlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable

from tuning.models import examine
from tuning.runs.files import slug
from tuning.runs.run_folder import Run

# All that may leave of what a run published, and what an export adds to it; whatever else somebody has laid beside it stays here.
LEAVES = examine.TEXTS | {"adapter_config.json", "adapter_model.safetensors", examine.INDEX, "README.md"}
LEAVES |= {"certificate.json", "certificate.md"}
TEMPLATES = re.compile(r"additional_chat_templates(?:/[\w-]{1,100}\.jinja)?", re.ASCII)


def leaves(name: str) -> bool:
    """Whether a file with this path in what was published goes along: weights, tokenizer, template, configuration, licence and card."""
    known = name in LEAVES or examine.SHARD.fullmatch(name) or examine.LEGAL.fullmatch(name)
    return bool(known or TEMPLATES.fullmatch(name))


def copy(run: Run, folder: pathlib.Path, of_adapters: bool = True) -> None:
    """Copy what leaves of a run into `folder`; without adapter and card where a merged model is to stand there. Raises OSError."""
    for path in sorted(run.adapter.rglob("*")):
        name = path.relative_to(run.adapter)
        if path.is_file() and leaves(name.as_posix()) and (of_adapters or not (name.match("adapter_*") or name.name == "README.md")):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy2(path, folder / name)


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
