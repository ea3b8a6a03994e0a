"""An app in each mode as somebody who means harm sees it: who comes in, what is called, and what must be as it was afterwards."""

import contextlib
import json
import pathlib
import threading
from collections.abc import Collection, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import httpx

from tests import lots
from tests.serve.school import DARIO

T = TypeVar("T")
MODES = ("local", "shared", "space")
SECRET = "a secret that lies beside 60218"
FILE = {"_type": "gradio.FileData"}


class Place:
    """A running app: its mode, address, home and process. A file with SECRET lies beside the home.

    With `whole` all of a list is tried, else some that are drawn by lot.
    """

    def __init__(self, mode: str, address: str, home: pathlib.Path, pid: int, whole: bool = False) -> None:
        self.mode, self.address, self.home, self.pid, self.whole = mode, address, home, pid, whole
        self.secret = home.parent / "secret.txt"
        self.secret.write_text(SECRET, encoding="utf-8")

    def some(self, values: Collection[T], count: int = 3) -> list[T]:
        """What is tried of these."""
        return [*values] if self.whole or count >= len(values) else lots.lot(f"{self.mode} {count} {len(values)}").sample([*values], count)

    @contextlib.contextmanager
    def browser(self, **headers: str) -> Iterator[httpx.Client]:
        """Somebody who may come in, as their browser goes on: a new visitor on a Space, a pupil on a shared machine."""
        fresh = httpx.Limits(max_keepalive_connections=0)  # one that is kept may be closed just as a slow machine comes to use it again
        with httpx.Client(base_url=self.address, timeout=60, headers=headers, limits=fresh) as client:
            if self.mode == "shared":
                assert client.post("/login", data={"username": DARIO[0], "password": DARIO[1]}).status_code == 200
            elif self.mode == "space":
                client.headers["cookie"] = client.get("/").headers["set-cookie"].split(";")[0]
            yield client

    def log(self) -> str:
        return (self.home / "app.log").read_text(encoding="utf-8", errors="replace")

    def runs(self) -> list[str]:
        return sorted(path.name for path in (self.home / "runs").glob("[!.]*"))

    def outside(self) -> list[str]:
        """All files beside the home and in it that no upload and no library makes."""
        kept = (path for path in self.home.parent.rglob("*") if path.is_file())
        named = (str(path.relative_to(self.home.parent)) for path in kept)
        usual = tuple(f"{self.home.name}/{folder}/" for folder in ("uploads", "data", "waiting", "cache", "profiles"))
        return sorted(name for name in named if not name.startswith(usual) and name != "network.txt")


def call(browser: httpx.Client, endpoint: str, *values: Any, **more: Any) -> str:
    """What an endpoint answers through the queue, as it was sent."""
    begun = browser.post(f"/gradio_api/call/{endpoint}", json={"data": values, **more})
    if begun.status_code != 200:
        return begun.text
    return browser.get(f"/gradio_api/call/{endpoint}/{begun.json()['event_id']}").text


def done(browser: httpx.Client, function: dict[str, Any], values: list[Any], session: str, **more: Any) -> str:
    """What a function of the page answers, called by its number."""
    body = {"data": values, "fn_index": function["id"], "session_hash": session, **more}
    begun = browser.post("/gradio_api/queue/join", json=body)
    if begun.status_code != 200:
        return begun.text
    said = ""
    with browser.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            said += line + "\n"
            if '"process_completed"' in line or '"unexpected_error"' in line:
                break
    return said


def takes_files(browser: httpx.Client) -> tuple[dict[str, Any], set[int]]:
    """The function of the page that reads files, and the parts that they come by."""
    config = browser.get("/config").json()
    parts = {part["id"] for part in config["components"] if part["type"] == "file"}
    return next(one for one in config["dependencies"] if parts & set(one["inputs"])), parts


def read(browser: httpx.Client, files: list[Any], session: str) -> str:
    """What the page says of files, given as a client names them."""
    function, parts = takes_files(browser)
    return done(browser, function, [files if part in parts else {} for part in function["inputs"]], session)


def sent(browser: httpx.Client, name: str, content: bytes, kind: str = "text/csv") -> str:
    """Where an upload lies now."""
    answer = browser.post("/gradio_api/upload", files={"files": (name, content, kind)})
    assert answer.status_code == 200, answer.text
    (path,) = answer.json()
    return str(path)


def brought(browser: httpx.Client, name: str, content: bytes, session: str) -> str:
    """What the page says of a file that is uploaded to it."""
    return read(browser, [{"path": sent(browser, name, content), "meta": FILE}], session)


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that nobody has a reason to ask: its address, and what it was asked for."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def log_message(self, format: str, *values: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"stolen": True}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_POST = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
