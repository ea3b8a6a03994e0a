"""A Hub on the loopback interface: repositories that are open, gated, private or broken, and a log of all that was asked.

It answers as the real one does to huggingface_hub: the listing of a model, a search, files with ranges. (To somebody
without a token the real one says 401 of what is missing, too.)
"""

import hashlib
import http.server
import json
import pathlib
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

REVISION = "a" * 40


@dataclass
class Repo:
    """What a repository holds, and how it misbehaves."""

    files: dict[str, bytes]
    gated: str | bool = False
    private: bool = False
    token: str = "hf_theirs"  # with this one the repository opens
    status: int = 0  # answer everything with it
    cuts: int = 0  # so many downloads of large files end in the middle
    lies: int = 0  # so many have another content than promised
    tags: tuple[str, ...] = ("license:apache-2.0",)
    card: dict[str, Any] = field(default_factory=dict)
    downloads: int = 1000

    @classmethod
    def of(cls, folder: pathlib.Path, **changes: Any) -> "Repo":
        """The files of a model's folder."""
        return cls({path.name: path.read_bytes() for path in folder.iterdir()}, **changes)

    def but(self, **files: dict[str, Any]) -> "Repo":
        """The same with keys of JSON files changed: `config=…` for config.json. A key that is None is taken out."""
        content = dict(self.files)
        for name, keys in files.items():
            old = {**json.loads(content[f"{name}.json"]), **keys}
            content[f"{name}.json"] = json.dumps({key: value for key, value in old.items() if value is not None}).encode()
        return Repo(content)


class Server(http.server.ThreadingHTTPServer):
    """Serves `repos` until closed; `asked` has the method, path and headers of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up in the middle here; that is what is tested."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def tokens(self) -> set[str]:
        """All that was ever sent as authorization."""
        return {headers["authorization"] for _, _, headers in self.asked if "authorization" in headers}

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *words: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers))
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path == "/api/models":
            return self._search(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query))
        listing = path.startswith("/api/models/")
        parts = path.removeprefix("/api/models/").strip("/").split("/")
        id = "/".join(parts[:2])
        repo = self.server.repos.get(id)
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if repo is None:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if repo.status:
            return self._send(repo.status, b"{}", {"Retry-After": "7"} if repo.status == 429 else {})
        if repo.private and token != repo.token:
            return self._send(404 if token else 401, b"{}", {"X-Error-Code": "RepoNotFound"})
        if listing:
            return self._send(200, json.dumps(self._info(id, repo)).encode())
        if repo.gated and token != repo.token:
            return self._send(403 if token else 401, b"", {"X-Error-Code": "GatedRepo"})
        return self._file(repo, "/".join(parts[4:]))

    def _info(self, id: str, repo: Repo) -> dict[str, Any]:
        siblings = []
        for name, content in repo.files.items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(content)}
            entry["blobId"] = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            if name.endswith((".safetensors", ".bin", ".gguf")):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        return {
            "id": id,
            "modelId": id,
            "sha": REVISION,
            "gated": repo.gated,
            "private": repo.private,
            "tags": list(repo.tags),
            "cardData": repo.card,
            "downloads": repo.downloads,
            "siblings": siblings,
            "safetensors": {"parameters": {"F32": 100_000}, "total": 100_000},
        }

    def _search(self, query: dict[str, list[str]]) -> None:
        words = query.get("search", [""])[0].lower()
        found = [
            self._info(id, repo)
            for id, repo in self.server.repos.items()
            if words in id.lower() and not repo.private and (query.get("gated") != ["false"] or not repo.gated)
        ]
        found.sort(key=lambda info: -info["downloads"])
        self._send(200, json.dumps(found).encode())

    def _file(self, repo: Repo, name: str) -> None:
        if name not in repo.files:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        content = repo.files[name]
        start, end, status = 0, len(content) - 1, 200
        extra = {"ETag": '"' + hashlib.sha256(content).hexdigest() + '"', "X-Repo-Commit": REVISION}
        span = self.headers.get("Range")
        if span:
            first, _, last = span.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(int(last) if last else end, end), 206
            extra["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        whole_file = not (span or "").startswith("bytes=0-") and name.endswith(".safetensors") and self.command == "GET"
        part = content[start : end + 1]
        if whole_file and repo.lies:
            repo.lies -= 1
            part = part[:-1] + bytes([part[-1] ^ 1])
        cut = whole_file and repo.cuts > 0
        if cut:
            repo.cuts -= 1
        self._send(status, part, extra, sent=len(part) // 2 if cut else None)

    def _send(self, status: int, body: bytes, extra: dict[str, str] | None = None, sent: int | None = None) -> None:
        """Answer; with `sent`, promise all of `body`, send so many bytes of it and hang up."""
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(extra or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if sent is None else body[:sent])
        if sent is not None:
            self.wfile.flush()
            self.close_connection = True
