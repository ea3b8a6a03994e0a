"""A Hub on the loopback interface that takes pushes, too: accounts, repositories with branches and tags, large files by LFS, commits.

It answers as the real one does to `HfApi`, and refuses as it does: a token that is not known or may not write, a name that is taken, a
card with a head that is none, storage that is full; and it cuts uploads in the middle.
"""

import base64
import hashlib
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.hub.hub_server import Handler, Repo, Server

TOKEN = "hf_SentinelOfAnna12345"
CARD_KEYS = {"library_name", "base_model", "tags", "license", "license_name", "license_link", "language", "pipeline_tag", "datasets"}
LIBRARIES = {"peft", "transformers", "gguf"}
MODEL = re.compile(r"[\w.-]+(?:/[\w.-]+)?", re.ASCII)


@dataclass
class Kept(Repo):
    """A repository that was pushed to: branches and tags to commits, commits to files, and how each commit was called."""

    heads: dict[str, str] = field(default_factory=dict)
    tagged: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def at(self, revision: str) -> dict[str, bytes] | None:
        return self.commits.get(self.heads.get(revision) or self.tagged.get(revision) or revision)

    def commit(self, branch: str, files: dict[str, bytes], words: str) -> str:
        self.said.append(words)
        made = hashlib.sha1(f"{len(self.said)}{words}".encode()).hexdigest()
        self.heads[branch], self.commits[made] = made, files
        if branch == "main":
            self.files = files
        return made


class Receiving(Server):
    """`accounts`: what whoami says, by token. `cut`: so many uploads end in the middle. `full`: there is no room for large files."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = Taking  # type: ignore[assignment]
        role = {"type": "access_token", "accessToken": {"displayName": "t", "role": "write"}}
        self.accounts: dict[str, dict[str, Any]] = {TOKEN: {"type": "user", "name": "anna", "orgs": [{"name": "tailors"}], "auth": role}}
        self.large: dict[str, bytes] = {}
        self.sent: list[str] = []  # large files that came whole
        self.cut, self.full, self.forbidden = 0, False, False

    def kept(self, id: str) -> Kept:
        found = self.repos[id]
        assert isinstance(found, Kept)
        return found

    def bodies(self) -> str:
        return "\n".join(path for _, path, _ in self.asked)


class Taking(Handler):
    server: Receiving

    def _held(self, repo: Repo, parts: list[str]) -> tuple[dict[str, bytes], str] | None:
        if not isinstance(repo, Kept):
            return super()._held(repo, parts)
        revision = parts[3] if parts[2:3] in (["revision"], ["resolve"]) else "main"
        files = repo.at(revision)
        return None if files is None else (files, repo.heads.get(revision) or repo.tagged.get(revision) or revision)

    def _info(self, id: str, repo: Repo, files: dict[str, bytes], revision: str, sizes: bool = True) -> dict[str, Any]:
        found = super()._info(id, repo, files, revision, sizes)
        head = files.get("README.md", b"").decode().split("---")
        said = yaml.safe_load(head[1]) if isinstance(repo, Kept) and len(head) > 2 else {}
        return {**found, "tags": [*said.get("tags", []), *repo.tags], "cardData": said} if said else found

    def do_GET(self) -> None:
        if self.path == "/api/whoami-v2":
            self._note()
            return self._send(200, json.dumps(self._account()).encode()) if self._account() else self._refuse(401, "Invalid user token.")
        super().do_GET()

    def do_DELETE(self) -> None:
        self._note()
        words = self.path.split("/")
        self.server.kept("/".join(words[3:5])).tagged.pop(words[6])
        self._send(200, b"{}")

    def do_PUT(self) -> None:
        """A large file, as S3 takes it: under an address of its own, without a token."""
        self._note()
        assert "Authorization" not in self.headers
        length = int(self.headers["Content-Length"])
        if self.server.cut:
            self.server.cut -= 1
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        content = self.rfile.read(length)
        assert hashlib.sha256(content).hexdigest() == self.path.rpartition("/")[2]
        self.server.large[self.path.rpartition("/")[2]] = content
        self.server.sent.append(self.path)
        self._send(200, b"")

    def do_POST(self) -> None:
        self._note()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        words = urllib.parse.unquote(self.path.partition("?")[0]).strip("/").split("/")
        account = self._account()
        if not account:
            return self._refuse(401, "Invalid username or password.")
        if self.server.forbidden:
            return self._refuse(403, "Forbidden: you must use a token with the right scope.")
        if words == ["api", "validate-yaml"]:
            return self._validate(json.loads(body)["content"])
        if words == ["api", "repos", "create"]:
            return self._create(json.loads(body), account)
        if words[-4:] == ["info", "lfs", "objects", "batch"]:
            return self._batch(json.loads(body))
        id, act = "/".join(words[2:4]), words[4]
        repo = self.server.repos.get(id)
        if not isinstance(repo, Kept):
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if act == "preupload":
            return self._modes(json.loads(body), repo, words[5])
        if act == "super-squash":
            repo.said[:] = [json.loads(body)["message"]]
            return self._send(200, b"{}")
        if act == "commit":
            return self._commit(body, repo, id, words[5])
        return self._name(json.loads(body), repo, act, words[5])

    def _note(self) -> None:
        self.server.asked.append((self.command, self.path, {key.lower(): value for key, value in self.headers.items()}))

    def _account(self) -> dict[str, Any] | None:
        return self.server.accounts.get((self.headers.get("Authorization") or "").removeprefix("Bearer "))

    def _refuse(self, status: int, said: str) -> None:
        self._send(status, json.dumps({"error": said}).encode(), {"X-Error-Message": said})

    def _validate(self, content: str) -> None:
        """The head of a card, as strictly as the real one: known keys, a licence in lower case, a base that is an id."""
        head = yaml.safe_load(content.split("---")[1]) if content.startswith("---\n") else {}
        wrong = [f'"{key}" is not allowed' for key in head.keys() - CARD_KEYS]
        wrong += ['"base_model" is no id'] if "base_model" in head and not MODEL.fullmatch(str(head["base_model"])) else []
        wrong += ['"license" is no licence'] if not re.fullmatch(r"[a-z0-9.-]+", str(head.get("license", "other"))) else []
        wrong += ['"library_name" is not known'] if head.get("library_name", "peft") not in LIBRARIES else []
        answer = {"errors": [{"message": one} for one in wrong], "warnings": [] if head else [{"message": "empty metadata"}]}
        self._send(400 if wrong else 200, json.dumps(answer).encode())

    def _create(self, asked: dict[str, Any], account: dict[str, Any]) -> None:
        owner = asked.get("organization") or account["name"]
        id = f"{owner}/{asked['name']}"
        if owner not in {account["name"], *(one["name"] for one in account["orgs"])}:
            return self._refuse(403, "You don't have the rights to create a model under this namespace")
        if id in self.server.repos:
            return self._refuse(409, "You already created this model repo")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        made = Kept({}, private=asked.get("visibility") == "private" or asked.get("private") is True, token=token, tags=())
        made.commit("main", {".gitattributes": b"*.safetensors filter=lfs"}, "initial commit")
        self.server.repos[id] = made
        self._send(200, json.dumps({"url": f"{self.server.address}/{id}"}).encode())

    def _batch(self, asked: dict[str, Any]) -> None:
        if self.server.full:
            return self._refuse(403, "Private repository storage limit reached, please upgrade your plan.")
        objects = []
        for one in asked["objects"]:
            found: dict[str, Any] = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.server.large:
                found["actions"] = {"upload": {"href": f"{self.server.address}/lfs/{one['oid']}", "header": {}}}
            objects.append(found)
        self._send(200, json.dumps({"transfer": "basic", "objects": objects}).encode())

    def _modes(self, asked: dict[str, Any], repo: Kept, branch: str) -> None:
        there = repo.at(branch)
        if there is None:
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        found = []
        for file in asked["files"]:
            name, content = file["path"], there.get(file["path"])
            lfs = name.endswith((".safetensors", ".gguf"))
            git = content and hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            oid = None if content is None else hashlib.sha256(content).hexdigest() if lfs else git
            found.append({"path": name, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, "oid": oid})
        self._send(200, json.dumps({"files": found}).encode())

    def _commit(self, body: bytes, repo: Kept, id: str, branch: str) -> None:
        files, words = dict(repo.at(branch) or {}), ""
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                words = value["summary"]
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            else:
                del files[value["path"]]
        made = repo.commit(branch, files, words)
        self._send(200, json.dumps({"commitUrl": f"{self.server.address}/{id}/commit/{made}", "commitOid": made}).encode())

    def _name(self, asked: dict[str, Any], repo: Kept, act: str, name: str) -> None:
        """A new branch, or a tag: of a tag the address says where, and the body how it is called."""
        names = repo.heads if act == "branch" else repo.tagged
        called, at = (name, asked.get("startingPoint", "main")) if act == "branch" else (asked["tag"], name)
        if called in names:
            return self._refuse(409, f"Reference {called} already exists")
        names[called] = repo.heads.get(at, at)
        self._send(200, b"{}")
