"""A Hub that rents out machines, on the loopback interface: it answers as the real one does to huggingface_hub's calls for Jobs.

Beside all that `hub_server` does: who a token speaks for, private repositories that can be written, flavours with prices, jobs with
a queue, a log that is streamed, and an end. What a job does there is a test's to say (`play`).
"""

import base64
import hashlib
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.hub.hub_server import Handler, Server

TOKEN = "hf_mine_and_nobody_elses"
ME = "sarta"
TERMINAL = ("COMPLETED", "CANCELED", "ERROR", "DELETED")


def flavour(
    name: str, title: str, usd_per_hour: float, card: str = "", vram: str = "", ram: str = "30 GB", cards: str = "1"
) -> dict[str, Any]:
    """A machine as `GET /api/jobs/hardware` lists it."""
    there = {"type": "gpu", "model": card, "quantity": cards, "vram": vram, "manufacturer": "Nvidia"} if card else None
    minute = usd_per_hour / 60
    price = {"unitCostMicroUSD": round(minute * 1e6), "unitCostUSD": minute, "unitLabel": "minute"}
    return {"name": name, "prettyName": title, "cpu": "4 vCPU", "ram": ram, "ephemeralStorage": "50 GB", "accelerator": there, **price}


FLAVOURS = [
    flavour("cpu-basic", "CPU Basic", 0.01, ram="16 GB"),
    flavour("t4-small", "Nvidia T4 - small", 0.4, "T4", "16 GB", "15 GB"),
    flavour("l4x1", "1x Nvidia L4", 0.8, "L4", "24 GB"),
    flavour("l4x4", "4x Nvidia L4", 3.8, "L4", "96 GB", "186 GB", "4"),
    flavour("h200", "Nvidia H200", 5.0, "H200", "141 GB", "256 GB"),
]


@dataclass
class Job:
    """One job: what was asked for, and how it is."""

    id: str
    spec: dict[str, Any]
    stage: str = "SCHEDULING"
    message: str | None = None
    said: list[str] = field(default_factory=list)
    running_seconds: int | None = None

    @property
    def repo(self) -> str:
        """The repository that its command line names."""
        return str(self.spec["command"][4])

    def say(self, *lines: str) -> None:
        self.said += lines

    def told(self) -> dict[str, Any]:
        """As the Hub shows it; secrets are never shown."""
        durations = {"schedulingSecs": 1, "runningSecs": self.running_seconds, "totalSecs": self.running_seconds}
        shown = {key: self.spec[key] for key in ("flavor", "command", "labels", "environment")}
        status = {"stage": self.stage, "message": self.message}
        owner = {"id": "1", "name": ME, "type": "user"}
        return {"id": self.id, "status": status, "owner": owner, "durations": durations, **shown}


Play = Callable[[Job, "JobsServer"], None]


class JobsServer(Server):
    """`boxes`: private repositories by id. `play` is what a job does, in a thread. `refuse`: routes that answer with a status."""

    def __init__(self, play: Play = lambda job, server: None) -> None:
        self.boxes: dict[str, dict[str, bytes]] = {}
        self.deleted: list[str] = []
        self.jobs: dict[str, Job] = {}
        self.flavours = [*FLAVOURS]
        self.token: dict[str, Any] = {"role": "write"}
        self.refuse: dict[str, int] = {}
        self.cuts = 0  # so many streams of a log break off after a line
        self.play = play
        super().__init__()
        self.RequestHandlerClass = JobsHandler


class JobsHandler(Handler):
    """One request."""

    server: JobsServer

    def do_POST(self) -> None:
        self._write()

    def do_DELETE(self) -> None:
        self._write()

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path == "/api/whoami-v2" or path.startswith("/api/jobs/") or self._box(path):
            self.server.asked.append((self.command, self.path, {key.lower(): value for key, value in self.headers.items()}))
            if not self._refused(path):
                self._read(path)
            return None
        return super().do_GET()

    def _box(self, path: str) -> str | None:
        inner = path.removeprefix("/api/models/").strip("/")
        return next((box for box in [*self.server.boxes, *self.server.deleted] if inner == box or inner.startswith(f"{box}/")), None)

    def _refused(self, path: str) -> bool:
        status = next((status for start, status in self.server.refuse.items() if path.startswith(start)), 0)
        if not status and path != "/api/jobs/hardware" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status = 401
        if status:
            self._send(status, b'{"error": "no"}')
        return bool(status)

    def _json(self, content: Any, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode())

    def _read(self, path: str) -> None:
        if path == "/api/whoami-v2":
            return self._json({"name": ME, "type": "user", "auth": {"type": "access_token", "accessToken": self.server.token}})
        if path == "/api/jobs/hardware":
            return self._json(self.server.flavours)
        if path.startswith("/api/jobs/"):
            _, _, _, _, id, *rest = path.split("/")
            job = self.server.jobs.get(id)
            if job is None:
                return self._send(404, b"{}")
            return self._stream(job) if rest == ["logs"] else self._json(job.told())
        id = self._box(path)
        files = self.server.boxes.get(id or "")
        if id is None or files is None:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if path.startswith("/api/"):
            return self._listed(id, files, path)
        name = path.removeprefix(f"/{id}/resolve/").partition("/")[2]
        if name not in files:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        return self._send(200, files[name], {"ETag": f'"{hashlib.sha1(files[name]).hexdigest()}"', "X-Repo-Commit": _revision(files)})

    def _listed(self, id: str, files: dict[str, bytes], path: str) -> None:
        if "/tree/" in path:
            oids = {name: hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest() for name, content in files.items()}
            return self._json([{"type": "file", "path": name, "size": len(files[name]), "oid": oid} for name, oid in oids.items()])
        siblings = [{"rfilename": name} for name in files]
        return self._json({"id": id, "modelId": id, "sha": _revision(files), "private": True, "tags": [], "siblings": siblings})

    def _stream(self, job: Job) -> None:
        """Server-sent events from the first line on, until the job has ended; a cut one breaks off after a line."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection, cut = True, self.server.cuts > 0
        self.server.cuts -= cut
        sent = 0
        while True:
            over = job.stage in TERMINAL
            for text in job.said[sent:]:
                event = json.dumps({"data": text, "timestamp": "2026-11-29T10:00:00.000Z"})
                self.wfile.write(f"data: {event}\n\n".encode())
                self.wfile.flush()
                sent += 1
                if cut:
                    return
            if over:
                return
            time.sleep(0.05)

    def _write(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        body = self._body()
        self.server.asked.append((self.command, path, {key.lower(): value for key, value in self.headers.items()}))
        if self._refused(path):
            return None
        if path == "/api/repos/create":
            asked = json.loads(body)
            id = f"{asked.get('organization') or ME}/{asked['name']}"
            assert asked["visibility"] == "private" and id not in self.server.boxes
            self.server.boxes[id] = {}
            return self._json({"url": f"{self.server.address}/{id}", "id": id, "name": id})
        if path == "/api/repos/delete":
            asked = json.loads(body)
            id = f"{asked.get('organization') or ME}/{asked['name']}"
            self.server.deleted.append(id)
            return self._json({}, 200 if self.server.boxes.pop(id, None) is not None else 404)
        if path.startswith("/api/jobs/"):
            return self._order(path, body)
        files = self.server.boxes.get(self._box(path) or "")
        if files is None:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if "/preupload/" in path:
            return self._json(
                {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in json.loads(body)["files"]]}
            )
        for entry in map(json.loads, body.decode().splitlines()):
            if entry["key"] == "file":
                files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
        oid = _revision(files)
        return self._json({"commitUrl": f"{self.server.address}/{self._box(path)}/commit/{oid}", "commitOid": oid})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _order(self, path: str, body: bytes) -> None:
        _, _, _, _, *rest = path.split("/")
        if len(rest) == 2 and rest[1] == "cancel":
            job = self.server.jobs[rest[0]]
            job.stage = "CANCELED"
            return self._json({})
        job = Job(f"job{len(self.server.jobs)}", json.loads(body))
        self.server.jobs[job.id] = job
        threading.Thread(target=self.server.play, args=(job, self.server), daemon=True).start()
        return self._json(job.told())


def _revision(files: dict[str, bytes]) -> str:
    return hashlib.sha1(b"".join(name.encode() + content for name, content in sorted(files.items()))).hexdigest()
