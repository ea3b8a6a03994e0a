"""The one reader of files in the home folder: each as a typed value, or as a named fault of that file.

Whatever a disk, a copy or a hand has made of a file, no error of the system or of a decoder gets past here: a `FileFault` names the
file and what is wrong with it. Only regular files are opened, so that nothing is waited for. Writing stands in `files`.
"""

import functools
import json
import logging
import os
import pathlib
import stat
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

import pydantic
import yaml

from tuning.errors import InputError
from tuning.runs import files
from tuning.runs.contents import AdapterConfig, ModelConfig
from tuning.schema import SCHEMA, Notice

logger = logging.getLogger(__name__)

MOST = 64 * 2**20  # bytes of a file that is read whole: what we write has some kB, an audit of a large set some MB
MOST_YAML = 2**20  # PyYAML takes a second for a quarter of that
MOST_BRACKETS = 5000  # in YAML; a text of ours may have some
DEEPEST = 64  # lists and maps inside each other: nothing of ours has ten
# What PyYAML raises beside its own errors, for dates, numbers and tags that are none.
NO_YAML = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError)

Kind = TypeVar("Kind", bound=pydantic.BaseModel)
Content = TypeVar("Content")


class FileFault(InputError):
    """A file of the home that cannot be used. `code` says what is wrong with it, `file` is its place below the home or the run."""

    def __init__(self, what: str, path: pathlib.Path, **params: Any) -> None:
        super().__init__(f"home.{what}", file=path.name, **params)
        self.path, self.missing = path, what == "missing"

    def told(self) -> Notice:
        """The fault as a run or a plan shows it."""
        return Notice(code=self.code, level="warning", params=self.params)


def opened(path: pathlib.Path) -> BinaryIO:
    """A regular file, open for reading. Raises FileFault, also for a folder, a pipe or a device in its place; it never waits for one."""

    def work() -> BinaryIO:
        _require_file(path, os.stat(path).st_mode)
        if os.name == "posix" and not os.access(path, os.R_OK):  # for good, and nothing to be patient with
            raise FileFault("rights", path)
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        file = os.fdopen(handle, "rb")
        _require_file(path, os.fstat(handle).st_mode)  # another may have taken its place meanwhile
        return file

    try:
        return files.patiently(work)
    except OSError as error:
        raise of_system(path, error) from error


def _require_file(path: pathlib.Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise FileFault("folder" if stat.S_ISDIR(mode) else "no_file", path)


def of_system(path: pathlib.Path, error: OSError) -> FileFault:
    """What the system says of a file, as a fault."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return FileFault("missing", path)
    if isinstance(error, PermissionError):
        return FileFault("rights", path)
    return FileFault("disk", path, kind=error.strerror or type(error).__name__)


def content(path: pathlib.Path, most: int = MOST) -> bytes:
    """All of a file. Raises FileFault, also where it has more than `most` bytes."""
    with opened(path) as file:
        try:
            found = file.read(most + 1)
        except OSError as error:
            raise of_system(path, error) from error
    if len(found) > most:
        raise FileFault("large", path)
    return found


def text(path: pathlib.Path, most: int = MOST) -> str:
    """A file in UTF-8. Raises FileFault."""
    found = content(path, most)
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise FileFault("encoding", path, line=found[: error.start].count(b"\n") + 1) from error


def document(path: pathlib.Path) -> Any:
    """A file in JSON. Raises FileFault."""
    found = text(path)
    if not found.strip():
        raise FileFault("empty", path)
    return parsed(path, found)


def parsed(path: pathlib.Path, found: str | bytes) -> Any:
    """What JSON says, which stands in the file `path`. NaN is none: JSON has no such number. Raises FileFault."""
    try:
        value = json.loads(found, parse_constant=_no_number)
    except RecursionError as error:
        raise FileFault("deep", path) from error
    except ValueError as error:
        raise FileFault("broken", path, line=getattr(error, "lineno", 1)) from error
    _require_flat(path, value)
    return value


def _no_number(name: str) -> None:
    raise ValueError(name)


def _require_flat(path: pathlib.Path, value: Any) -> None:
    """Raises FileFault for what those who get it would not take: encoders give up far above what a decoder does."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level if isinstance(one, dict | list) for inner in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return
    raise FileFault("deep", path)


def checked(path: pathlib.Path, value: Any, kind: type[Kind]) -> Kind:
    """A document as a record of this kind. Raises FileFault with the first key that is wrong, and for a newer schema."""
    schema = value.get("schema") if isinstance(value, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise FileFault("newer", path, schema=schema)
    try:
        return kind.model_validate(value)
    except pydantic.ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"])
        raise FileFault("wrong" if place else "broken", path, **({"key": place[:80]} if place else {"line": 1})) from error


def record(path: pathlib.Path, kind: type[Kind]) -> Kind:
    """A file in JSON as a record. Raises FileFault."""
    return checked(path, document(path), kind)


def record_or_new(path: pathlib.Path, kind: type[Kind]) -> Kind:
    """A file in JSON as a record, one without anything said where there is no file. Raises FileFault."""
    try:
        return record(path, kind)
    except FileFault as fault:
        if fault.missing:
            return kind()
        raise


def records(path: pathlib.Path, kind: type[Kind]) -> tuple[list[Kind], list[Notice]]:
    """The records of a file in JSON Lines, and the fault of the first line that is none; the others count all the same."""
    found, faults = list[Kind](), list[Notice]()
    for number, line in enumerate(kept(lambda: content(path), b"", faults).splitlines(), 1):
        try:
            found.append(checked(path, parsed(path, line), kind))
        except FileFault as fault:
            faults = faults or [Notice(code=fault.code, level="warning", params={**fault.params, "line": number})]
    return found, faults


def yaml_document(path: pathlib.Path) -> Any:
    """A file in YAML, without anchors: none of ours has them, and they can stand for more than any memory holds. Raises FileFault."""
    return yaml_parsed(path, text(path, MOST_YAML))


def yaml_parsed(path: pathlib.Path, found: str) -> Any:
    """What YAML says, without anchors, which stands in the file `path`. Raises FileFault."""
    if not found.strip():
        raise FileFault("empty", path)
    if found.count("[") + found.count("{") > MOST_BRACKETS:  # PyYAML takes seconds to find out
        raise FileFault("deep", path)
    try:
        value = _SafePlain(found).get_single_data()
    except RecursionError as error:
        raise FileFault("deep", path) from error
    except NO_YAML as error:
        mark = getattr(error, "problem_mark", None)
        raise FileFault("broken", path, line=mark.line + 1 if mark else 1) from error
    _require_flat(path, value)
    return value


class _SafePlain(yaml.SafeLoader):
    """A loader that refuses anchors."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "an anchor", self.peek_event().start_mark)
        return super().compose_node(parent, index)


def whole_tensors(path: pathlib.Path) -> None:
    """Look whether a safetensors file has all the bytes that its header names. Raises FileFault; no tensor is read."""
    with opened(path) as file:
        size, length = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
        header = parsed(path, file.read(length)) if length <= min(MOST, size - 8) else None
    try:
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"] if header else []
        agree = bool(ends) and 8 + length + max(ends) == size
    except (AttributeError, LookupError, TypeError):
        agree = False
    if not agree:
        raise FileFault("tensors", path)


def adapter_fault(folder: pathlib.Path) -> Notice | None:
    """What keeps an adapter, or a whole model, from being loaded; None where nothing does that is seen without loading it."""
    parts = [*folder.glob("*.json"), *folder.glob("*.safetensors")]
    names, found = {path.name for path in parts}, list[Notice]()
    config = "config.json" if "config.json" in names else "adapter_config.json"
    weights = next((name for name in sorted(names) if name.endswith(".safetensors")), "adapter_model.safetensors")
    for path in (folder / config, folder / weights):
        if path.name not in names:
            return FileFault("missing", path).told()
    kind = ModelConfig if config == "config.json" else AdapterConfig
    kept(lambda: record(folder / config, kind), None, found)
    for path in sorted(parts):
        kept(functools.partial(whole_tensors if path.suffix == ".safetensors" else document, path), None, found)
    return found[0] if found else None


def kept(read: Callable[[], Content], otherwise: Content, faults: list[Notice] | None = None) -> Content:
    """What `read` returns; `otherwise` where the file is missing or faulty. A fault is added to `faults`, or logged without those."""
    try:
        return read()
    except FileFault as fault:
        if faults is None and not fault.missing:
            logger.warning("%s: %s", fault.path, fault)
        elif faults is not None and not fault.missing:
            faults.append(fault.told())
        return otherwise
