"""How a job tells of its run in its log: one line of JSON behind a mark for each thing that its folder gained. Nothing is opened here."""

import json
from typing import Any

MARK = "sartoria> "
STOP = "stop"  # a file of the repository by which the owner asks for the end
STATE, GROWING = "state.json", ("metrics.jsonl", "samples.jsonl")


def line(file: str, content: Any) -> str:
    """That `content` is the state, or was added to a file that grows."""
    return MARK + json.dumps({"file": file, "content": content}, ensure_ascii=True)


def read(text: str) -> tuple[str, Any] | None:
    """File and content of such a line; None for any other, which somebody else has said."""
    if not text.startswith(MARK):
        return None
    try:
        found = json.loads(text.removeprefix(MARK))
        return (found["file"], found["content"]) if found["file"] in (STATE, *GROWING) else None
    except (ValueError, KeyError, TypeError):
        return None
