"""A Hub on the loopback interface: repositories that are open, gated, private or broken, and a log of all that was asked.

It answers as the real one does to huggingface_hub: the listing of a model or a data set, a search, files with ranges; and as
the viewer of data sets does. (To somebody without a token the real one says 401 of what is missing, too.)
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
CONVERTED = "b" * 40  # of the branch where the Hub keeps a data set as Parquet
LARGE = (".safetensors", ".parquet", ".jsonl", ".csv")  # downloads of these can be cut, or lie
KEPT_APART = (".safetensors", ".bin", ".gguf", ".parquet")  # in Git LFS, and known by their SHA-256


def git_hash(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


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
    task: str = "text-generation"

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


@dataclass
class Data(Repo):
    """What a repository of a data set holds, what the Hub made of it, and what the viewer shows."""

    converted: dict[str, bytes] = field(default_factory=dict)
    shown: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)  # rows by config and split
    viewer: int = 200  # the status that the viewer answers with
    truncated: int = -1  # the row of which the viewer cuts the first cell


class Server(http.server.ThreadingHTTPServer):
    """Serves `repos` (models) and `data` until closed; `asked` has the method, path and headers of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.data: dict[str, Data] = {}
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


def _tree(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """A repository's files as huggingface_hub lists them before it downloads all of them."""
    found: list[dict[str, Any]] = []
    for name, content in files.items():
        found.append({"type": "file", "path": name, "size": len(content), "oid": git_hash(content)})
        if name.endswith(KEPT_APART):
            found[-1]["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return found


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for its second half
    server: Server

    def log_message(self, format: str, *words: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers))
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if path == "/api/models":
            return self._search(query)
        if path in ("/size", "/rows", "/first-rows"):
            return self._view(path, {key: values[0] for key, values in query.items()})
        listing = path.startswith("/api/")
        path = path.removeprefix("/api")
        repos = self.server.data if path.startswith("/datasets/") else self.server.repos
        parts = path.removeprefix("/models").removeprefix("/datasets").strip("/").split("/")
        id = "/".join(parts[:2])
        repo = repos.get(id)
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if repo is None:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if repo.status:
            return self._send(repo.status, b"{}", {"Retry-After": "7"} if repo.status == 429 else {})
        if repo.private and token != repo.token:
            return self._send(404 if token else 401, b"{}", {"X-Error-Code": "RepoNotFound"})
        found = self._held(repo, parts)
        if found is None:
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        held, revision = found
        if listing and parts[2:3] == ["tree"]:
            return self._send(200, json.dumps(_tree(held)).encode())
        if listing:
            return self._send(200, json.dumps(self._info(id, repo, held, revision, "blobs" in query)).encode())
        if repo.gated and token != repo.token:
            return self._send(403 if token else 401, b"", {"X-Error-Code": "GatedRepo"})
        return self._file(repo, held, "/".join(parts[4:]))

    def _held(self, repo: Repo, parts: list[str]) -> tuple[dict[str, bytes], str] | None:
        """Files and revision of what is asked for; None where the repository has no such revision."""
        if isinstance(repo, Data) and (parts[2:] == ["revision", "refs", "convert", "parquet"] or CONVERTED in parts):
            return (repo.converted, CONVERTED) if repo.converted else None
        other = parts[2:3] in (["revision"], ["resolve"]) and parts[3] not in (REVISION, "main")
        return None if other else (repo.files, REVISION)

    def _view(self, path: str, query: dict[str, str]) -> None:
        """What the viewer of data sets shows: sizes, the first rows, or some rows."""
        data = self.server.data.get(query["dataset"])
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if data is None or ((data.private or data.gated) and token != data.token):
            return self._send(401, b'{"error": "The dataset does not exist, or is not accessible without authentication"}')
        if data.viewer != 200:
            return self._send(data.viewer, b'{"error": "The dataset viewer is not available"}')
        if path == "/size":
            sizes = [{"config": config, "split": split, "num_rows": len(rows)} for (config, split), rows in data.shown.items()]
            return self._send(200, json.dumps({"size": {"splits": sizes}, "pending": [], "failed": [], "partial": False}).encode())
        rows = data.shown.get((query["config"], query["split"]))
        if rows is None:
            return self._send(404, b'{"error": "Not found."}')
        start, count = int(query.get("offset", 0)), int(query.get("length", 100))
        if count > 100:
            return self._send(422, b'{"error": "Parameter \'length\' must not be greater than 100"}')
        entries = [
            {"row_idx": number, "row": row, "truncated_cells": [next(iter(row))] if number == data.truncated else []}
            for number, row in list(enumerate(rows))[start : start + count]
        ]
        self._send(200, json.dumps({"features": [], "rows": entries}).encode())

    def _info(self, id: str, repo: Repo, files: dict[str, bytes], revision: str, sizes: bool = True) -> dict[str, Any]:
        siblings = []
        for name, content in files.items():
            entry: dict[str, Any] = {"rfilename": name}
            if sizes:
                entry |= {"size": len(content), "blobId": git_hash(content)}
            if sizes and name.endswith(KEPT_APART):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        return {
            "id": id,
            "modelId": id,
            "sha": revision,
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
            self._info(id, repo, repo.files, REVISION)
            for id, repo in self.server.repos.items()
            if words in id.lower()
            and not repo.private
            and (query.get("gated") != ["false"] or not repo.gated)
            and query.get("pipeline_tag") == [repo.task]
        ]
        found.sort(key=lambda info: -info["downloads"])
        self._send(200, json.dumps(found).encode())

    def _file(self, repo: Repo, files: dict[str, bytes], name: str) -> None:
        if name not in files:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        content = files[name]
        start, end, status = 0, len(content) - 1, 200
        etag = hashlib.sha256(content).hexdigest() if name.endswith(KEPT_APART) else git_hash(content)
        extra = {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION}
        span = self.headers.get("Range")
        if span:
            first, _, last = span.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(int(last) if last else end, end), 206
            extra["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        whole_file = not (span or "").startswith("bytes=0-") and name.endswith(LARGE) and self.command == "GET"
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
