"""Whatever is sent to the app: a refusal is a sentence, nothing of the machine comes out, nothing is done that nobody may, and it lives.

The app is a process with a token in its environment, a run in its home and a secret beside it. `TEST_LOT=number` draws the same calls
again; the long form has twenty thousand of them, and a run that has really learned.
"""

import contextlib
import os
import pathlib
import random
import re
import time
from collections.abc import Iterator

import httpx
import pytest

from tests import folders, lots
from tests.bench.server import ROOT, running
from tests.ui import fuzz
from tuning import settings
from tuning.schema import LOCAL
from tuning.studio import Studio

TOKEN, SECRET = "hf_sentinelsentinelsentinel93741", "a secret that lies beside 93741"
GROWTH = 500_000_000  # bytes: some hundred sessions are kept, each with what its page shows


class Place:
    """A home, a secret beside it, folders for all that a process may write to, and what was there before."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.home, self.outside = folder / "home", folder / "outside"
        for name in ("home", "outside", "tmp", "user"):
            (folder / name).mkdir()
        (self.outside / "secret.txt").write_text(SECRET, encoding="utf-8")
        self.env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_TOKEN": TOKEN, "TMPDIR": str(folder / "tmp"), "HOME": str(folder / "user")}

    def written(self) -> list[str]:
        """What stands where nothing may be written; libraries have caches of their own below the user's folder."""
        return sorted(str(path.relative_to(self.outside)) for path in self.outside.rglob("*"))

    def log(self) -> str:
        return (self.home / "app.log").read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def served(folder: pathlib.Path) -> Iterator[tuple[Place, str, int]]:
    """The place, the address of the app over it, and its process."""
    place = Place(folder)
    folders.make(Studio(settings.read(home=str(place.home)), LOCAL), "Prices")
    with running(place.home, env=place.env) as (address, process):
        yield place, address, process.pid


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    assert found is not None
    return int(found.group(1)) * 1024


def honest(address: str) -> None:
    """A call that nothing is wrong with is answered, and at once."""
    for name, values in (("runs", []), ("plan", ["starter", "starter-en", "facts", {"max_steps": 2}, None])):
        answer = httpx.post(f"{address}/gradio_api/run/{name}", json={"data": values}, timeout=60)
        assert answer.status_code == 200 and answer.json()["data"][0], answer.text[:500]
    assert httpx.get(f"{address}/healthz", timeout=60).json()["alive"]


def attack(place: Place, address: str, calls: int, dice: random.Random) -> fuzz.Verdict:
    """Send calls, and hold what must hold of their answers and of the log."""
    runs = [path.name for path in (place.home / "runs").glob("2*")]
    places = [SECRET, str(place.home), str(ROOT), "site-packages"]
    judge = fuzz.Judge(address, [TOKEN], places)
    verdict = judge.all(fuzz.Caller(address, dice, place.outside, runs).calls(calls))
    print(f"lot {lots.NUMBER}: {verdict}")
    assert not verdict.faults, str(verdict)
    honest(address)
    log = place.log()
    assert fuzz.traces(log) == 0, log[log.index("Traceback") - 500 :][:4000]
    assert TOKEN not in log and SECRET not in log
    assert place.written() == ["secret.txt"] and (place.outside / "secret.txt").read_text(encoding="utf-8") == SECRET
    return verdict


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_hostile_calls_get_sentences(tmp_path: pathlib.Path) -> None:
    with served(tmp_path) as (place, address, pid):
        before = resident(pid)
        verdict = attack(place, address, 100, lots.lot("fuzz"))
        assert sum(verdict.answers.values()) == 100 and resident(pid) - before < 2 * GROWTH  # the model libraries are loaded meanwhile


@pytest.mark.nightly
def test_twenty_thousand_hostile_calls_get_sentences(tmp_path: pathlib.Path) -> None:
    with served(tmp_path) as (place, address, pid):
        data = ["starter", "starter-en", "facts", {"max_steps": 4, "report": False}, "Learned"]
        made = httpx.post(f"{address}/gradio_api/run/train", json={"data": data}, timeout=60).json()["data"][0]["run"]
        until = time.monotonic() + 300
        while not (place.home / "runs" / made / "adapter").exists() and time.monotonic() < until:
            time.sleep(0.2)
        dice = lots.lot("long fuzz")
        attack(place, address, 1000, dice)
        before = resident(pid)
        for _ in range(19):
            attack(place, address, 1000, dice)
            assert resident(pid) - before < GROWTH, (before, resident(pid))
