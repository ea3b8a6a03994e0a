"""A shared machine with a teacher and pupils, for tests of what they see of each other and of what comes from outside."""

import contextlib
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import httpx

from tests.bench.server import running
from tuning import settings
from tuning.studio import Studio

PROF, ANNA, BRUNO, DARIO = ("prof", "thimble"), ("anna", "gatto7"), ("bruno", "cane8"), ("dario", "pesce9")


class Class:
    """A shared machine with a teacher and pupils, and its home as this process sees it."""

    def __init__(self, home: pathlib.Path, address: str, pid: int) -> None:
        self.home, self.address, self.pid = home, address, pid
        self.house = Studio(settings.opened(settings.read(home=str(home)), ("prof",)), "prof")

    def of(self, name: str) -> Studio:
        return self.house.for_owner(name)

    def browser(self, who: tuple[str, str]) -> httpx.Client:
        client = httpx.Client(base_url=self.address, timeout=60)
        assert client.post("/login", data={"username": who[0], "password": who[1]}).status_code == 200
        return client

    def log(self) -> str:
        return (self.home / "app.log").read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def opened(home: pathlib.Path) -> Iterator[Class]:
    """The machine, and its page at an address."""
    options = [word for pair in (PROF, ANNA, BRUNO, DARIO) for word in ("--auth", ":".join(pair))]
    with running(home, *options) as (address, process):
        yield Class(home, address, process.pid)


def press(browser: httpx.Client, config: dict[str, Any], where: str, lang: str = "", **event: Any) -> str:
    """All that the page says to a press in the part `where`, as the browser is answered."""
    there = set(config["page"][lang]["components"])
    part = next(one["id"] for one in config["components"] if one["id"] in there and one["props"].get("elem_id") == where)
    wired = next(one for one in config["dependencies"] if [part, "click"] in [list(target) for target in one["targets"]])
    given = [{} if one["type"] == "browserstate" else None for at in wired["inputs"] for one in config["components"] if one["id"] == at]
    session = f"p-{time.monotonic_ns()}"
    body = {"fn_index": wired["id"], "data": given, "event_data": event, "session_hash": session, "trigger_id": part}
    assert browser.post("/gradio_api/queue/join", json=body).status_code == 200
    with browser.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
        told = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if "process_completed" in line]
    assert told[0]["success"], told
    return json.dumps(told[0]["output"]["data"], ensure_ascii=False)
