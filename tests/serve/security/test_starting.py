"""What the program refuses to start beside, each in one sentence, and where it listens when it starts."""

import pathlib
import socket
import subprocess
import sys

import psutil
import pytest

from tests.bench.server import ROOT, free_port
from tests.serve.security.places import Place
from tuning.text import t


def started(home: pathlib.Path, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    """A start that comes to nothing."""
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--home", str(home), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_alone_the_page_listens_on_this_machine_only(alone: Place) -> None:
    """Bound to every address by default, as peers are: nothing but loopback listens, on any port of the program."""
    process = psutil.Process(alone.pid)
    kept = [one for each in (process, *process.children(recursive=True)) for one in each.net_connections("inet")]
    assert {one.laddr.ip for one in kept if one.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_second_page_over_the_same_home_does_not_start(alone: Place, lang: str) -> None:
    """Two programs with one folder of uploads and one queue: the second says who is there, touches nothing and ends with 1."""
    mine = alone.home / "uploads" / "kept" / "rows.csv"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("a,b\n", encoding="utf-8")
    done = started(alone.home, free_port(), "--lang", lang)
    words = {"home": alone.home, "pid": alone.pid, "program": "python app.py"}
    assert (done.returncode, done.stdout) == (1, "") and done.stderr == t(lang, "app.home", **words) + "\n"
    assert mine.is_file() and psutil.Process(alone.pid).is_running()


def test_a_port_that_is_taken_is_named_and_no_other_is_tried(tmp_path: pathlib.Path) -> None:
    """A page that looks for another port by itself is found at an address that nobody was told."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = started(tmp_path, port)
    assert (done.returncode, done.stdout) == (1, "") and str(port) in done.stderr and done.stderr.count("\n") == 1
