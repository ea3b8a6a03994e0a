"""Files of any content, and reading them in this process: the limits of the child are tested where it is started."""

import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from tuning.data import child
from tuning.data.records import Limits


class Taken(NamedTuple):
    reading: child.Reading
    rows: list[dict[str, Any]]

    @property
    def texts(self) -> list[tuple[str, ...]]:
        return [tuple(message["content"] for message in row["messages"]) for row in self.rows]

    @property
    def faults(self) -> list[tuple[int, str]]:
        return [(fault["row"], fault["code"]) for fault in self.reading.refused]


Take = Callable[..., Taken]
Write = Callable[..., pathlib.Path]


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
        out = tmp_path / "rows"
        reading = child.read(write(content), out, mapping or {}, Limits(**limits))
        rows = [json.loads(line) for line in out.read_bytes().split(b"\n") if line]
        assert reading.rows_kept == len(rows)
        assert reading.rows_read == len(rows) + len(reading.refused)
        return Taken(reading, rows)

    return take
