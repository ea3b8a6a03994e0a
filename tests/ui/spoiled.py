"""Homes of which one file is spoiled, and the app that looks at them: what `test_spoiled_homes` is made of.

The home is the one of version 0.1 with what was taken out of that put back: checkpoints, profiles, an audit, questions of restarts.
"""

import ctypes
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import yaml

from tests import folders
from tests.bench.server import free_port, wait_for
from tuning import settings
from tuning.runs import checkpoints
from tuning.schema import LOCAL
from tuning.studio import Studio

KINDS = ("empty", "cut", "type", "deep", "bytes", "newer", "folder", "rights")
DEEP = b"[" * 20_000 + b"]" * 20_000 + b"\n"
OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which root reads what nobody may read
DROP = 24  # PR_CAPBSET_DROP


def make(home: pathlib.Path, audited: bool) -> pathlib.Path:
    """A real home, whole: nine runs of version 0.1, and every kind of file that there is; `audited`: the one that takes longest, too."""
    folders.old_home(home)
    for without_rows in (home / "data").glob("starter-*"):
        shutil.rmtree(without_rows)
    Studio(settings.read(home=str(home)), LOCAL).data.check("starter-en", "starter" if audited else None)
    finished = folder(home, "tariffe")
    for number, name in ((1, "stopped"), (2, "tariffe")):
        aside = checkpoints.building(folder(home, name) / "checkpoints")
        for needed in (*checkpoints.NEEDED, "model.safetensors"):
            (aside / needed).write_bytes(b"{}")
        checkpoints.commit(aside, folder(home, name) / "checkpoints", number)
    (finished / "restarts").write_text('{"step": 1, "count": 1}', encoding="utf-8")
    (home / "queue.lock").write_text("{}", encoding="utf-8")
    return home


def folder(home: pathlib.Path, name: str) -> pathlib.Path:
    """The run of the fixture with this word in its id."""
    return next((home / "runs").glob(f"*-{name}-*"))


def files_of(home: pathlib.Path) -> list[str]:
    """One file of each kind, as paths in the home: those of the finished run, and what only others have."""
    there = [path for path in sorted(home.rglob("*")) if path.is_file() and path.name != "queue.lock"]
    there.sort(key=lambda path: "-tariffe-" not in str(path))
    found: dict[str, str] = {}
    for path in there:
        relative = path.relative_to(home)
        kind = re.sub(r"(?<=[-.])[0-9a-f]{10,}|checkpoint-\d+", "", "/".join([relative.parts[0], *relative.parts[2:]]))
        found.setdefault(kind if len(relative.parts) > 1 else relative.name, str(relative))
    return list(found.values())


def spoil(path: pathlib.Path, kind: str) -> bool:
    """Do it; False where a file of this sort has no such fault."""
    content = path.read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(content[: len(content) * 2 // 3])
    elif kind == "deep":
        path.write_bytes(DEEP)
    elif kind == "bytes":
        path.write_bytes(content + b"\nx: \xff\xfe\n")
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "rights":
        path.chmod(0)
    elif kind == "newer":
        changed = re.sub(rb'("?schema"?:\s*)1\b', rb"\g<1>2", content)
        path.write_bytes(changed)
        return changed != content
    else:
        changed = _mistyped(path.name, content)
        path.write_bytes(changed)
        return changed != content
    return True


def _mistyped(name: str, content: bytes) -> bytes:
    """Numbers where texts stand and the other way round, nothing where lists and maps stand."""

    def wrong(value: Any) -> Any:
        if isinstance(value, bool) or value is None:
            return [7]
        return "x" if isinstance(value, int | float) else 5 if isinstance(value, str) else None

    def turned(value: Any) -> Any:
        if not isinstance(value, dict):
            return 5
        return {key: inner if key in ("step", "schema", "owner") else wrong(inner) for key, inner in value.items()}

    try:
        if name.endswith(".jsonl"):
            return b"".join(json.dumps(turned(json.loads(line))).encode() + b"\n" for line in content.splitlines())
        return json.dumps(turned(yaml.safe_load(content) if name.endswith(".yaml") else json.loads(content))).encode()
    except ValueError:
        return content


@contextmanager
def spoiled(path: pathlib.Path, kind: str) -> Iterator[bool]:
    """The home with this one fault in it; as it was, afterwards."""
    content, mode = path.read_bytes(), path.stat().st_mode
    try:
        yield spoil(path, kind)
    finally:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.chmod(mode)
        path.write_bytes(content)


def without_overrides() -> None:
    """In a child that is about to begin: take root's right to read everything from it, so that a file without rights is one for it too."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        for capability in OVERRIDES:
            assert ctypes.CDLL(None).prctl(DROP, capability, 0, 0, 0) == 0


class App:
    """The app over one home, by the requests that its page and programs send."""

    def __init__(self, home: pathlib.Path, address: str) -> None:
        self.home, self.http = home, httpx.Client(base_url=address, timeout=60)
        self.config = self.http.get("/config").json()
        named = self.http.get("/gradio_api/info").json()["named_endpoints"]
        self.takes = {name.removeprefix("/"): len(about["parameters"]) for name, about in named.items()}
        self.known = len(self.log())

    def log(self) -> str:
        return (self.home.parent / "app.log").read_text(encoding="utf-8", errors="replace")

    def tracebacks(self) -> str:
        """What the app has said of itself since this was last asked."""
        before, self.known = self.known, len(self.log())
        told = self.log()[before:]
        return told if "Traceback" in told else ""

    def call(self, endpoint: str, *values: Any) -> Any:
        """The answer of a named endpoint, or its sentence. Values that are not given are those for which nothing is said."""
        every = [*values, *[None] * (self.takes[endpoint] - len(values))]
        event = self.http.post(f"/gradio_api/call/{endpoint}", json={"data": every}).json()["event_id"]
        answer = self.http.get(f"/gradio_api/call/{endpoint}/{event}").text
        data = json.loads(answer.rsplit("data: ", 1)[1].strip() or "null")
        return {"told instead": data} if "event: error" in answer else data[0]

    def page(self, tab: str) -> str:
        """What the page shows on a tab, opened anew."""
        session = os.urandom(8).hex()
        item = next(one["id"] for one in self.config["components"] if one["props"].get("elem_id") == f"tab-{tab}")
        wanted = [one for one in self.config["dependencies"] if [item, "select"] in [list(target) for target in one["targets"]]]
        nudge = wanted[0]["outputs"][-1]
        drawn = next(one for one in self.config["dependencies"] if [nudge, "change"] in [list(target) for target in one["targets"]])
        self._event(wanted[0], session)
        return json.dumps(self._event(drawn, session), ensure_ascii=False)

    def _event(self, event: dict[str, Any], session: str) -> Any:
        values: list[Any] = [None] * len(event["inputs"])
        answer = self.http.post(
            "/gradio_api/run/predict", json={"fn_index": event["id"], "data": values, "session_hash": session, "trigger_id": None}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@contextmanager
def app(home: pathlib.Path) -> Iterator[App]:
    """The app as a process of its own, which may read no more than its files' rights say."""
    port = free_port()
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--home", str(home)]
    with (home.parent / "app.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=settings.ROOT,
            stdout=log,
            stderr=log,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            preexec_fn=without_overrides,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address, process)
        yield App(home, address)
    finally:
        process.kill()
        process.wait()
