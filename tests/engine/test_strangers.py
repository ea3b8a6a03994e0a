"""Whoever made a model's folder cannot stop, stun or fill the app: each door answers in a sentence, and the next honest question goes well.

The app is a process of its own, asked over HTTP. The folder is one path: it was honest when a run learned from it, and is spoiled
afterwards. The suite has a sample by lot, the nightly form all folders.
"""

import logging
import pathlib
import re
import shutil
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests import hostile
from tests.bench.server import running
from tests.conftest import write_rows
from tests.lots import NUMBER, lot
from tests.ui.spoiled import App
from tuning.text import table

logger = logging.getLogger(__name__)

NAMES = sorted(hostile.FOLDERS)
SOME = lot("strangers").sample([name for name in NAMES if not name.startswith("t-")], 2)  # templates that loop take their time
SECONDS = 90.0  # of one door, on a machine that others share
GIB = 2**30
HONEST = [{"role": "user", "content": "How much is a hem?"}]
ATTACKS = [
    [{"role": "user", "content": "H" + "a" * 40 + "!"}],
    [*HONEST, {"role": "assistant", "content": "3 euro"}, {"role": "user", "content": f"And {hostile.WORD}?"}],
]
FORESEEN = ("model.", "audit.", "tokens.", "plan.refused", "chat.no_room", "chat.too_long", "chat.nothing")
SETTINGS = {"max_steps": 1, "max_length": 64, "report": False}


class Stranger:
    """A model's folder that changes, the app that is asked of it, and a run that learned from it when it was honest."""

    def __init__(self, app: App, process: psutil.Process, tiny: pathlib.Path, folder: pathlib.Path) -> None:
        self.app, self.process, self.tiny, self.folder, self.run = app, process, tiny, folder, ""
        self.data = str(write_rows(folder.parent / "rows.json"))

    def become(self, name: str | None) -> None:
        """The folder is that hostile one from now on; without a name the honest one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if name is None:
            shutil.copytree(self.tiny, self.folder)
        else:
            hostile.make(name, self.tiny, self.folder.parent / "made").rename(self.folder)

    def train(self) -> Any:
        made = self.app.call("train", str(self.folder), self.data, "facts", SETTINGS, "guest")
        if "told instead" in made:
            return made
        until = time.monotonic() + SECONDS
        while (shown := self.app.call("run", made["run"]))["status"] in ("queued", "starting", "running"):
            assert time.monotonic() < until, shown
            time.sleep(0.1)
        return shown if shown["status"] == "finished" else {"told instead": shown["error"]}

    def check(self) -> Any:
        while "told instead" not in (found := self.app.call("check", self.data, str(self.folder), None)):
            if not found["tokens"].get("looking"):
                break
            time.sleep(0.1)
        return found

    def doors(self) -> dict[str, Any]:
        """What each door says."""
        path = str(self.folder)
        ways = {
            "plan": lambda: self.app.call("plan", path, self.data, "facts", SETTINGS, None),
            "check": self.check,
            "chat": lambda: self.app.call("chat", path, ATTACKS[0], False, None),
            "chat later": lambda: self.app.call("chat", path, ATTACKS[1], False, None),
            "train": self.train,
            "the run": lambda: self.app.call("chat", self.run, ATTACKS[0], False, None),
            "evaluate": lambda: self.app.call("evaluate", self.run, None, False),
        }
        found = {}
        for door, ask in ways.items():
            began = time.monotonic()
            said = ask()
            took = time.monotonic() - began
            assert took < SECONDS, (door, took)
            told = said.get("told instead") if isinstance(said, dict) else None
            found[door] = (code_of(told) if told else "", round(took, 1))
        return found


def code_of(told: Any) -> str:
    """The key of a sentence, or of what a run ended with."""
    if isinstance(told, dict) and "code" in told:
        return str(told["code"])
    words = str(told.get("error", told) if isinstance(told, dict) else told)
    for key, text in table("en").items():
        parts = [re.escape(part) for part in re.split(r"\{\w+[^}]*\}", text)]
        if len(text) > 20 and re.fullmatch(r".*" + ".*".join(parts) + r".*", words, re.DOTALL):
            return key
    return f"no sentence: {words[:300]}"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory, tiny_model: pathlib.Path) -> Iterator[Stranger]:
    place = tmp_path_factory.mktemp("strangers")
    with running(place / "home") as (address, process):
        (place / "app.log").symlink_to(place / "home" / "app.log")
        made = Stranger(App(place / "home", address), psutil.Process(process.pid), tiny_model, place / "guest")
        made.app.http.timeout = SECONDS
        made.become(None)
        shown = made.train()
        assert shown.get("status") == "finished", shown
        made.run = shown["run"]
        yield made


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in SOME else pytest.mark.nightly) for name in NAMES])
def test_a_hostile_model_is_told_at_every_door(name: str, stranger: Stranger) -> None:
    """Of a model that is refused by what it is, all doors say the same."""
    stranger.become(name)
    before = stranger.process.memory_info().rss
    found = stranger.doors()
    assert all(not code or code.startswith(FORESEEN) for code, _ in found.values()), found
    assert stranger.process.is_running() and stranger.process.memory_info().rss - before < GIB
    assert stranger.app.http.get("/healthz").json()["alive"]
    began = time.monotonic()
    answer = stranger.app.call("chat", "starter", HONEST, False, None)
    print(f"lot {NUMBER}: {name}: {found}; then an answer after {time.monotonic() - began:.1f} s")
    assert isinstance(answer, str) and answer.strip(), answer
