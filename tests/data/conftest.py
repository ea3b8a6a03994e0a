"""Files of any content, and reading them in this process: the limits of the child are tested where it is started."""

import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from tuning.data import child
from tuning.sandbox.limits import Limits


class Taken(NamedTuple):
    reading: child.Reading
    rows: list[dict[str, Any]]

    @property
    def texts(self) -> list[tuple[str, ...]]:
        return [texts_of(row) for row in self.rows]

    @property
    def faults(self) -> list[tuple[int, str]]:
        return [(fault["row"], fault["code"]) for fault in self.reading.refused]


Take = Callable[..., Taken]
Write = Callable[..., pathlib.Path]


def texts_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a row in normal form says, turn by turn."""
    return (row["text"],) if "text" in row else tuple(message["content"] for message in row["messages"])


def read_here(
    sources: Sequence[pathlib.Path], out: pathlib.Path, mapping: Mapping[str, str] | None = None, limits: Limits | None = None, **task: Any
) -> Taken:
    """Reads files as the child would, in this process, and counts what came of them."""
    reading, _ = child.read(child.Task(sources, out, mapping=mapping or {}, **task), limits or Limits())
    rows = [json.loads(line) for line in out.read_bytes().split(b"\n") if line]
    assert reading.rows_kept == len(rows)
    assert reading.rows_read == reading.rows_kept + reading.rows_refused + reading.rows_dropped
    said = sum(len(text) for row in rows for text in texts_of(row))
    tools = any("tools" in row or any(len(message) > 2 for message in row.get("messages", ())) for row in rows)
    assert reading.characters == said or (tools and reading.characters > said)  # calls of tools count, too
    numbers = [row["row"] for row in rows]
    assert numbers == sorted(set(numbers)) and not set(numbers) & {fault["row"] for fault in reading.refused}
    return Taken(reading, rows)


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Write:
    """Bytes, a text or lines of JSON to a file."""

    def write(content: bytes | str | list[Any], name: str = "upload") -> pathlib.Path:
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def take(write: Write, tmp_path: pathlib.Path) -> Take:
    """Reads a content as the child would."""

    def take(content: bytes | str | list[Any], mapping: Mapping[str, str] | None = None, **limits: int) -> Taken:
        return read_here([write(content)], tmp_path / "rows", mapping, Limits(**limits))

    return take


@pytest.fixture
def small_disk() -> Iterator[pathlib.Path]:
    """A disk of one megabyte; only root may have one."""
    with tempfile.TemporaryDirectory() as name:
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", name]
        if not hasattr(os, "geteuid") or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount")
        try:
            yield pathlib.Path(name)
        finally:
            subprocess.run(["umount", name], check=True)
