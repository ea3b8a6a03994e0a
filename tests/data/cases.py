"""What a bad or odd file is, as the corpus names it: its bytes, and the verdict that a person would call right.

The verdicts are thought, not copied from what the code says. Nothing is read here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Place = tuple[int, int, str]  # row, line and code of a row that is refused

GOOD = {"instruction": "Chi sei?", "input": "", "output": "Perché lo chiedi?"}
LINE = json.dumps(GOOD, ensure_ascii=False)
TEXTS = ("Chi sei?", "Perché lo chiedi?")  # of the messages of that row


@dataclass(frozen=True)
class Refused:
    """The whole file is refused: by one of these codes, with at least these params."""

    codes: str | tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """Rows are kept: how many were read and kept, which were refused, and how the first kept one reads."""

    read: int
    kept: int
    refused: Sequence[Place] = ()
    format: str | None = None
    first: tuple[str, ...] | None = None
    kind: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Case:
    """One file. What is `large` unfolds to much more than it is, and is read by a real child alone."""

    name: str
    make: Callable[[], bytes]
    verdict: Refused | Kept
    large: bool = False


def case(name: str, content: bytes | str | Callable[[], bytes], verdict: Refused | Kept, large: bool = False) -> Case:
    """A text is written as UTF-8; what takes time to make is made when it is read."""
    if callable(content):
        return Case(name, content, verdict, large)
    made = content.encode() if isinstance(content, str) else content
    return Case(name, lambda: made, verdict, large)


def all_kept(count: int, **about: Any) -> Kept:
    """Every row of the file is kept."""
    return Kept(count, count, **about)


def lines(*rows: str) -> str:
    """Texts as lines."""
    return "".join(row + "\n" for row in rows)


def alpaca(**changes: Any) -> str:
    """The good row with other values, as JSON."""
    return json.dumps({**GOOD, **changes})


def talk(*turns: tuple[str, Any], **columns: Any) -> str:
    """A row of messages, as JSON."""
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in turns], **columns})
