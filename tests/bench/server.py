"""A server process for measurements and browser tests: started, waited for, ended."""

import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port that nobody has, below those that systems give to connections: no connection takes it before the server is up."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)  # a training may have seeded the other dice
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 120.0) -> float:
    """Seconds from now to the first 200 of the address."""
    started = time.perf_counter()
    while True:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            urllib.request.urlopen(address, timeout=5) as answer,
        ):
            if answer.status == 200:
                return time.perf_counter() - started
        if process.poll() is not None or time.perf_counter() - started > seconds:
            raise RuntimeError(f"no answer from {address}, exit code {process.poll()}")
        time.sleep(0.01)


@contextlib.contextmanager
def running(
    home: pathlib.Path, *options: str, port: int | None = None, env: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The app on a port of its own: its address and its process. Whatever is left of it afterwards is killed.

    `env` is its whole environment; without one it has this process's, and no Hub unless that one has.
    """
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--home", str(home), *options]
    with (home / "app.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=env or {"HF_HUB_OFFLINE": "1", **os.environ})
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address, process)
        yield address, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
