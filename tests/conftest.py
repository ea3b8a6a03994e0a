"""What all tests share: a home folder of their own, a tiny model, and the minutes that each folder takes."""

import collections
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import huggingface_hub.constants
import pytest

from tests.models.hub_server import Server
from tuning import settings
from tuning.verbs import Verbs

ROOT = pathlib.Path(__file__).resolve().parent.parent

_seconds: dict[str, float] = collections.defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    parts = pathlib.PurePath(report.nodeid.split("::")[0]).parts
    _seconds[parts[1] if len(parts) > 2 else "core"] += report.duration


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = [f"{folder} {seconds / 60:.1f}" for folder, seconds in sorted(_seconds.items())]
    terminalreporter.write_line("minutes: " + ", ".join(lines))


@pytest.fixture(autouse=True)
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A home folder of the test's own, for this process and its children; no token and no Hub."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TUNING_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return folder


@pytest.fixture
def verbs(home: pathlib.Path) -> Verbs:
    return Verbs(settings.read())


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
    import time

    def wait(look: Callable[[], Any], seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := look()):
            assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
            time.sleep(0.05)
        return value

    return wait


@pytest.fixture(scope="session", autouse=True)
def _one_thread_each() -> Iterator[None]:
    """Children that compute share two cores with this process: spinning threads would fight."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    if before is None:
        del os.environ["OMP_NUM_THREADS"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A Hub on the loopback interface that this process asks in place of the real one."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with Server() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.address)
        yield made
        made.shutdown()
