"""A public link, its tunnel stood in for: nobody comes in by it without a log-in; without a tunnel the page is open here all the same."""

import contextlib
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.bench.server import ROOT, free_port, wait_for
from tuning.text import t

LINK = "https://0123456789abcdef.gradio.live"
PROGRAM = """
import sys
from gradio import networking
def tunnel(**asked):
    assert (asked["local_host"], asked["local_port"]) == ("127.0.0.1", int(sys.argv[2])), asked
    if not sys.argv[1]:
        raise RuntimeError("no way out of here")
    return sys.argv[1]
networking.setup_tunnel = tunnel
from tuning.cli.app import main
main(["--share", "--auth", "anna:gatto:7", "--no-browser", "--port", sys.argv[2], "--home", sys.argv[3]])
"""


@contextlib.contextmanager
def shared(home: pathlib.Path, link: str) -> Iterator[tuple[str, pathlib.Path]]:
    """A shared page's address on this machine, and what the program says."""
    port, said = free_port(), home.parent / "said.txt"
    with said.open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, link, str(port), str(home)], cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", process)
        yield f"http://127.0.0.1:{port}", said
    finally:
        process.kill()
        process.wait()


def says(said: pathlib.Path, words: str, address: str) -> bool:
    """Whether the program has said so, once it answers."""
    for _ in range(600):
        if words in said.read_text(encoding="utf-8"):
            return True
        httpx.get(f"{address}/healthz")
    return False


@pytest.mark.parametrize("link", [LINK, pytest.param("", marks=pytest.mark.nightly)])
def test_by_a_public_link_one_comes_in_with_a_log_in_alone(link: str, tmp_path: pathlib.Path) -> None:
    with shared(tmp_path / "home", link) as (address, said):
        words = t("en", "app.shared", address=link) if link else t("en", "app.unshared")
        assert says(said, words, address), said.read_text(encoding="utf-8")
        outside = {"host": LINK.partition("//")[2], "x-forwarded-proto": "https", "origin": LINK} if link else {}
        with httpx.Client(base_url=address, headers=outside) as browser:
            assert browser.get("/gradio_api/info").status_code == browser.get("/config").status_code == 401
            assert browser.post("/login", data={"username": "anna", "password": "no"}).status_code == 400
            assert browser.post("/login", data={"username": "anna", "password": "gatto:7"}).status_code == 200
            assert browser.get("/gradio_api/info").status_code == 200
            assert (
                browser.post("/gradio_api/run/hardware", json={"data": []}, headers={"origin": "https://evil.example"}).status_code == 403
            )
        assert "Traceback" not in said.read_text(encoding="utf-8")
