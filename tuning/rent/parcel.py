"""What of a run leaves this machine for a rented one: a wheel of this program, the run's spec and its data, and no word more.

Paths of this machine are taken out of the spec; `inside` puts in those of the other.
"""

import base64
import hashlib
import pathlib
import zipfile
from collections.abc import Iterator
from importlib import metadata

import yaml

from tuning import __version__, settings
from tuning.data.records import INDEX, ROWS, SPEC, VALIDATION
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run

WHEEL = f"sartoria-{__version__}-py3-none-any.whl"
RUN, DATA = "run", "data"  # folders of the box
DATA_FILES = [SPEC, ROWS, VALIDATION, INDEX]
RUN_FILES = ["name", "start.safetensors", "start.safetensors/*", "metrics.jsonl", "samples.jsonl", "state.json"]


def wheel(folder: pathlib.Path, root: pathlib.Path = settings.ROOT, presets: pathlib.Path = settings.PRESETS) -> pathlib.Path:
    """Write this program, as it is here, as a wheel; the packages that it asks for are those of its own requirements."""
    path, info, record = folder / WHEEL, f"sartoria-{__version__}.dist-info", []
    with zipfile.ZipFile(path, "w") as archive:

        def add(name: str, content: bytes) -> None:
            packed = zipfile.ZIP_STORED if name.endswith(".safetensors") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), content, packed, compresslevel=1)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")

        for place, base in (("tuning", root / "tuning"), ("tuning_presets", presets)):
            for file in _files(base):
                add(f"{place}/{file.relative_to(base).as_posix()}", file.read_bytes())
        needs = "".join(f"Requires-Dist: {one}\n" for one in _requirements(root))
        add(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: sartoria\nVersion: {__version__}\n{needs}".encode())
        add(f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: sartoria\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "".join(record) + f"{info}/RECORD,,\n")
    return path


def _files(base: pathlib.Path) -> Iterator[pathlib.Path]:
    return (path for path in sorted(base.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def _requirements(root: pathlib.Path) -> list[str]:
    listed = root / "requirements.txt"
    if not listed.is_file():
        return [one for one in metadata.requires("sartoria") or [] if "extra ==" not in one]
    lines = (line.partition("#")[0].strip() for line in listed.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def spec(run: Run) -> bytes:
    """The run's spec.yaml without the folder that the model has here."""
    found = run.spec()
    plain = found.model_copy(update={"model": found.model.model_copy(update={"path": ""})})
    content = yaml.safe_load(plain.model_dump_json(by_alias=True))
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True)).encode()


def run_files(run: Run) -> list[str]:
    """Patterns of what goes along of a run that was at work before: its newest whole checkpoint and what it has logged."""
    newest = checkpoints.newest(run.checkpoints)
    return [*RUN_FILES, *([f"checkpoints/{newest.name}/*"] if newest is not None else [])]
