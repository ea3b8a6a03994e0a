"""From process start to the first 200: our page against an empty Gradio app. `python -m tests.bench.startup [PAIRS]`."""

import pathlib
import subprocess
import sys
import tempfile
import time

from tests.bench.measure import compare
from tests.bench.server import ROOT, free_port, wait_for

EMPTY = """
import sys, gradio
with gradio.Blocks() as demo:
    gradio.Markdown("hello")
demo.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)
"""


def first_page(*command: str, port: int) -> float:
    """Seconds until the first 200."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
        return time.perf_counter() - started
    finally:
        process.kill()
        process.wait()


def ours() -> float:
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        return first_page(sys.executable, "app.py", "--no-browser", "--port", str(port), "--home", str(pathlib.Path(home)), port=port)


def empty() -> float:
    port = free_port()
    return first_page(sys.executable, "-c", EMPTY, str(port), port=port)


if __name__ == "__main__":
    compare(("sartoria", "empty gradio"), ours, empty, int(sys.argv[1]) if len(sys.argv) > 1 else 5, "s")
