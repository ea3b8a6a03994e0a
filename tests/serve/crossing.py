"""What one visitor tries to get at another's things: calls of every function with the other's ids, by name and number, and every route.

The thief knows all ids, places and names that the owner was ever told; only the secret of a watch link is not known, for that one is meant
to open. `tests.ui.fuzz` sends the calls and judges the answers.
"""

import pathlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.ui.fuzz import Call, Caller

DOES = (
    "run",
    "tick",
    "rename",
    "take",
    "talk",
    "resume",
    "unqueue",
    "again",
    "delete",
    "ask_all",
    "give",
    "withdraw",
    "halt",
    "drop",
    "make",
    "remove",
    "ahead",
)


@dataclass(frozen=True)
class Things:
    """What belongs to somebody, by the names under which it is asked for."""

    runs: Sequence[str]
    data: Sequence[str]
    files: Sequence[str]
    sessions: Sequence[str]
    events: Sequence[str]
    folders: Sequence[pathlib.Path] = field(default=())  # in which nothing may change

    def all(self) -> list[Any]:
        """As values of a function."""
        files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in self.files]
        return [*self.runs, *self.data, *self.files, *files, [*files], *map(str, self.folders), *(run[:-3] for run in self.runs)]

    def written(self) -> dict[str, int]:
        """Every file of theirs and when it was changed last."""
        return {str(path): path.stat().st_mtime_ns for folder in self.folders for path in folder.rglob("*") if path.name != "engine.lock"}


class Thief(Caller):
    """Calls that name another's things."""

    def __init__(self, address: str, dice: random.Random, things: Things, headers: Mapping[str, str]) -> None:
        super().__init__(address, dice, pathlib.Path(), [*things.runs, "last"], headers)
        self.things, self.wanted = things, things.all()
        self.sessions = [*things.sessions, "of-the-thief"]

    def calls(self, count: int) -> Iterator[Call]:
        for call in super().calls(count):
            yield self.route() if self.dice.random() < 0.25 else call

    def values(self, function: Mapping[str, Any]) -> Any:
        names = [*self.known.get(function["api_name"], {})]
        return [self.value(names[at] if at < len(names) else "", part) for at, part in enumerate(function["inputs"])]

    def value(self, name: str, part: int) -> Any:
        """What is asked for by its name where it has one, and anything else of theirs now and then."""
        if name in ("run", "data"):
            return self.dice.choice(self.things.runs if name == "run" else self.things.data)
        if self.parts[part]["type"] == "browserstate":
            choice = {"model": "starter", "data": self.dice.choice(self.things.data), "source": None, "recipe": None, "limit": None}
            return {**choice, "made": self.dice.choice(self.things.runs)}
        if name in self.known.get("chat", {}) or name in self.known["plan"]:
            return self.dice.choice([*self.known["chat"].get(name, []), *self.known["plan"].get(name, []), None])
        return self.dice.choice(self.wanted) if self.dice.random() < 0.7 else self.usual(part)

    def whole(self, function: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"data": self.values(function), "trigger_id": next((target[0] for target in function["targets"]), None)}
        body["event_data"] = {"what": self.dice.choice(DOES), "value": self.dice.choice(self.things.runs)}
        if self.dice.random() < 0.4:
            body["session_hash"] = self.dice.choice(self.sessions)
        return body

    def number(self, function: Mapping[str, Any]) -> Any:
        return function["id"]

    def route(self) -> Call:
        """A route of Gradio's or ours with another's name in it."""
        things, dice = self.things, self.dice
        run, file, session, event = (dice.choice(some) for some in (things.runs, things.files, things.sessions, things.events))
        name, place = (
            dice.choice(self.functions)["api_name"],
            dice.choice([file, *map(str, things.folders), str(pathlib.Path(file).parent)]),
        )
        inside = dice.choice(["", "/spec.yaml", "/watch", "/metrics.jsonl", "/rows.jsonl", "/../x", "/adapter/README.md"])
        paths = [
            f"/gradio_api/file={quote(place + inside)}",
            f"/gradio_api/queue/data?session_hash={session}",
            f"/gradio_api/call/{name}/{event}",
            f"/gradio_api/upload_progress?upload_id={session}",
            f"/watch/{run}",
            f"/watch/{''.join(dice.choices('abcdefgh_-XYZ0189', k=32))}",
            f"/it?run={run}&session={session}",
            f"/gradio_api/{run}",
        ]
        return Call("route", name, dice.choice(paths), b"", method="GET")
