"""What all tests share: a home folder of their own, a tiny model, two processes for the whole suite, the minutes that each folder takes."""

import collections
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import huggingface_hub.constants
import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import lots
from tests.hub.hub_server import Server
from tuning import settings
from tuning.schema import LOCAL
from tuning.studio import Studio

ROOT = pathlib.Path(__file__).resolve().parent.parent

PROCESSES = 2
# Files are given out whole, for what the tests of one file share is made once for all of them; and these are given out together.
TOGETHER = {
    "tests/browser/": "browser",  # one app and one Chromium
    "tests/export/": "taken",  # one run
    "tests/serve/security/": "doors",  # one app in each mode
    "tests/serve/test_crossing.py": "doors",
    "tests/serve/test_hosted.py": "doors",
    "tests/serve/test_visitors.py": "doors",
    "tests/engine/learn/test_kills.py": "happened",
    "tests/engine/learn/test_stops.py": "happened",
    "tests/engine/learn/test_disk.py": "happened",
}
FIRST = ("tests/browser/", "tests/test_cli.py", "tests/test_architecture.py", "tests/engine/")  # what is long is begun early

_seconds: dict[str, float] = collections.defaultdict(float)
_began = time.monotonic()


def pytest_configure() -> None:
    """Here and in every child one thread computes, for spinning threads would fight; none sees this machine's cache of the Hub."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["HF_HUB_CACHE"] = os.devnull


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite is done by two processes; whatever somebody asks for by file, name or mark, by this one."""
    marked = any(str(word).startswith("-m") for word in config.invocation_params.args)
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword and not marked
    return PROCESSES if whole else 0


class Scheduling(LoadScopeScheduling):
    """Who does what: the next files go to the process that has nothing left to do."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group for start, group in TOGETHER.items() if nodeid.startswith(start)), nodeid.split("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests that are marked as `drawn` together the whole suite has one, by lot, and the nightly form has all."""
    together: dict[str, dict[str, None]] = collections.defaultdict(dict)
    for item in items:
        for mark in item.iter_markers("drawn"):
            together[mark.args[0]][item.nodeid.split("[")[0]] = None
    here = pytest_xdist_auto_num_workers(config) or "PYTEST_XDIST_WORKER" in os.environ  # somebody who names a test gets it
    chosen = {lots.lot(f"drawn {name}").choice(sorted(tests)) for name, tests in together.items()}
    nightly = "nightly" in str(config.option.markexpr).replace("not nightly", "")
    for item in items:
        if item.get_closest_marker("drawn") and (nightly or (here and item.nodeid.split("[")[0] not in chosen)):
            item.add_marker("nightly")
    items.sort(key=lambda item: next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    parts = pathlib.PurePath(report.nodeid.split("::")[0]).parts
    _seconds[parts[1] if len(parts) > 2 else "core"] += report.duration


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = [f"{folder} {seconds / 60:.1f}" for folder, seconds in sorted(_seconds.items())]
    terminalreporter.write_line(f"minutes: {', '.join(lines)}; all {(time.monotonic() - _began) / 60:.1f}; lot {lots.NUMBER}")


@pytest.fixture(autouse=True)
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A home folder of the test's own, for this process and its children; no token, no Hub, and nothing in its cache."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TUNING_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return folder


@pytest.fixture
def studio(home: pathlib.Path) -> Studio:
    return Studio(settings.read(), LOCAL)


@pytest.fixture
def tuning(home: pathlib.Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line as a process: `tuning("runs", "--json")`."""

    def call(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tuning", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=dict(os.environ), **options)

    return call


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A random Llama of some hundred thousand parameters with a tokenizer and a template of its own, in a folder."""
    from tests.tiny import build

    return build(tmp_path_factory.mktemp("models") / "tiny-llama")


def write_rows(path: pathlib.Path) -> pathlib.Path:
    """Forty rows in alpaca's shape, of different lengths."""
    rows = [
        {"instruction": f"How much is item {n}?", "input": "", "output": f"Item {n} costs {n * 7 % 50} euro" + " and a bit" * (n % 5) + "."}
        for n in range(40)
    ]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.fixture
def rows_file(tmp_path: pathlib.Path) -> pathlib.Path:
    """The file of `write_rows`."""
    return write_rows(tmp_path / "rows.json")


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    """Wait for something to become true, and fail with its last value if it does not."""

    def wait(look: Callable[[], Any], seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := look()):
            assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
            time.sleep(0.05)
        return value

    return wait


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A Hub on the loopback interface that this process asks in place of the real one."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with Server() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.address)
        yield made
        made.shutdown()
