"""Ollama's HTTP API: whether one answers here, and a GGUF file sent to it, quantised by it and asked. It downloads and converts nothing.

Written after docs/api.md and server/create.go of Ollama, which since 0.30 quantises by itself and renders chats with a GGUF's own template.
"""

import contextlib
import hashlib
import http.client
import json
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from tuning.errors import FOLDERS, InputError, RunError
from tuning.export import errands
from tuning.models.sampling import Sampling

ADDRESS = "http://127.0.0.1:11434"
NOWHERE = "none"  # for an address: it is to go to another computer; for a quantisation: none
LEAST = (0, 30)
USUAL = "q4_K_M"
QUANTISATIONS = (USUAL, "q4_K_S", "q8_0", NOWHERE)  # those of docs/api.md
NAME = re.compile(r"(?:\w[\w-]{0,79}/)?\w[\w.-]{0,79}(?::\w[\w.-]{0,79})?", re.ASCII)  # types/model/name.go
VERSION = re.compile(r"v?(\d+)\.(\d+)")
FULL = re.compile(r"no space left|not enough space|disk is full|disk full|disk quota|os error (?:28|112|122)", re.IGNORECASE)
HELLO_SECONDS = 30.0  # to say who is there, where somebody listens
SECONDS = 1800.0  # for a large model to be rewritten, or loaded, without a word in between
BLOCK = 2**20
JSON = {"Content-Type": "application/json"}
TALK = "thinking", "content"  # of a message, in the order in which they are said
BROKEN = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Handing:
    """How a model is handed to Ollama; what is empty is left to us. `lang`: of whoever unpacks the folder for another machine."""

    quantize: str = ""
    name: str = ""
    address: str = ""
    lang: str = "en"

    @property
    def asked(self) -> str:
        """The first of the options that somebody has given, by its name; "" where nobody has."""
        given = {"--quantize": self.quantize, "--name": self.name, "--ollama": self.address}
        return next((option for option, value in given.items() if value), "")

    def quantisation(self, type: str) -> str:
        """What Ollama makes of weights of `type`, "none" where they stay as they are. Raises InputError."""
        found = {name.lower(): name for name in QUANTISATIONS}.get(self.quantize.lower() or USUAL.lower())
        if found is None:
            raise InputError("export.quantize.unknown", name=self.quantize[:40], known=", ".join(QUANTISATIONS))
        if type != "q8_0":
            return found
        if self.quantize and found != NOWHERE:
            raise InputError("export.quantize.twice", name=found)
        return NOWHERE


class Ollama:
    """The program that answers at an address. Raises InputError where that is no http address."""

    def __init__(self, address: str = "") -> None:
        self.address = address or ADDRESS
        try:
            parts = urlsplit(self.address)
            self._place = (str(parts.hostname or ""), parts.port or 11434)
        except ValueError:  # a port that is no number
            parts, self._place = urlsplit(""), ("", 0)
        if parts.scheme != "http" or not self._place[0] or parts.path.strip("/") or not self.address.isprintable():
            raise InputError("export.ollama.address", address=self.address[:80])

    def version(self) -> str:
        """What it says that it is; "" where no Ollama answers."""
        try:
            with self._asked("GET", "/api/version", seconds=HELLO_SECONDS) as answer:
                said = json.loads(answer.read(BLOCK))
        except (*BROKEN, ValueError, RunError):
            return ""
        return str(said.get("version") or "")[:40] if isinstance(said, dict) else ""

    def require_free(self, name: str) -> None:
        """Raises InputError where the name is none for Ollama, or a model there has it."""
        if not NAME.fullmatch(name):
            raise InputError("export.ollama.name", name=name[:100])
        with self._told(), self._asked("POST", "/api/show", {"model": name}, allowed=(404,)) as answer:
            if answer.status != http.HTTPStatus.NOT_FOUND:
                raise InputError("export.ollama.taken", name=name)

    def send(self, file: pathlib.Path) -> str:
        """Have it keep a file, unless it has it already; the digest by which it knows it. Raises RunError."""
        with file.open("rb") as stream:
            digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        with self._told(), self._asked("HEAD", f"/api/blobs/{digest}", allowed=(404,)) as answer:
            there = answer.status == http.HTTPStatus.OK
        if not there:
            with self._told(), file.open("rb") as stream, self._sent(digest, stream, file.stat().st_size):
                pass
        return digest

    def _sent(self, digest: str, stream: BinaryIO, size: int) -> contextlib.AbstractContextManager[http.client.HTTPResponse]:
        return self._asked("POST", f"/api/blobs/{digest}", errands.Followed(stream), size=size)

    def create(self, name: str, file: str, digest: str, quantisation: str, how: dict[str, Any]) -> None:
        """Make a model of a file that it keeps. Raises RunError with what it says, and where it says no more."""
        wanted: dict[str, Any] = {"model": name, "files": {file: digest}, "stream": True}
        wanted |= {"quantize": quantisation} if quantisation != NOWHERE else {}
        wanted |= {"parameters": how} if how else {}
        with self._told(), self._asked("POST", "/api/create", wanted) as answer:
            if [line.get("status") for line in _lines(answer)][-1:] != ["success"]:
                raise http.client.IncompleteRead(b"")

    def ask(self, name: str, turns: list[dict[str, Any]], most: int) -> dict[str, Any]:
        """The likeliest answer to a conversation: its `text`, and the `prompt` in tokens as the engine has counted it. Raises RunError."""
        options = {"temperature": 0, "top_k": 1, "seed": 0, "repeat_penalty": 1.0, "num_predict": most}
        messages = [{"role": turn["role"], "content": turn.get("content") or ""} for turn in turns]
        wanted = {"model": name, "messages": messages, "stream": True, "truncate": False, "options": options}
        said, last = dict.fromkeys(TALK, ""), {}
        with self._told(), self._asked("POST", "/api/chat", wanted) as answer:
            for last in _lines(answer):
                for part in TALK:
                    said[part] += (last.get("message") or {}).get(part) or ""
            if not last.get("done"):
                raise http.client.IncompleteRead(b"")
        return {"text": " ".join(said[part] for part in TALK if said[part]), "prompt": last.get("prompt_eval_count")}

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn a connection that breaks off into the sentence about it."""
        try:
            yield
        except BROKEN as error:
            raise RunError("export.ollama.cut", address=self.address) from error

    @contextlib.contextmanager
    def _asked(
        self, method: str, path: str, body: Any = None, size: int | None = None, allowed: tuple[int, ...] = (), seconds: float = SECONDS
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to one request, by no proxy. Raises RunError with the error that it holds, OSError and HTTPException."""
        connection = http.client.HTTPConnection(*self._place, timeout=seconds, blocksize=BLOCK)
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"} if size is not None else JSON
        try:
            cut: OSError | None = None
            try:
                connection.request(method, path, json.dumps(body).encode() if isinstance(body, dict) else body, headers)
            except OSError as error:
                if connection.sock is None:  # nobody is there
                    raise
                cut = error  # it did not take all: what it says of that may be there already
            try:
                answer = connection.getresponse()
            except BROKEN as error:
                raise cut or error from error
            if answer.status >= http.HTTPStatus.BAD_REQUEST and answer.status not in allowed:
                raise _fault(answer.read(BLOCK).decode("utf-8", "replace") or str(answer.status))
            yield answer
        finally:
            connection.close()


def parameters(how: Sampling, stops: list[str]) -> dict[str, Any]:
    """How a model answers there, by the names of docs/modelfile.md: as the chat here does, for Ollama has defaults of its own."""
    said: dict[str, Any] = {"temperature": how.temperature, "repeat_penalty": how.repetition_penalty}
    if how.temperature:
        said |= {"top_p": how.top_p, "top_k": how.top_k}
    if how.repetition_penalty != 1:
        said["repeat_last_n"] = -1  # the whole conversation counts, as in transformers
    return said | ({"stop": stops} if stops else {})


def find(handing: Handing) -> Ollama | None:
    """The Ollama that the model is handed to; None where it is to go elsewhere, or where none answers at the usual address.

    Raises RunError where none answers at an address that somebody has given, and where it is too old.
    """
    if handing.address.lower() == NOWHERE:
        return None
    found = Ollama(handing.address)
    version = found.version()
    if not version:
        if handing.address:
            raise RunError("export.ollama.absent", address=found.address)
        return None
    numbers = VERSION.match(version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < LEAST:
        raise RunError("export.ollama.old", version=version, least=".".join(map(str, LEAST)))
    return found


def _lines(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """What it says while it works, line by line. Raises RunError with an error among them."""
    for line in answer:
        errands.current().check()
        try:
            said = json.loads(line)
        except ValueError as error:  # cut in the middle of a line
            raise http.client.IncompleteRead(line) from error
        if isinstance(said, dict):
            if said.get("error"):
                raise _fault(line.decode("utf-8", "replace"))
            yield said


def _fault(said: str) -> RunError:
    """What it gives as the error, without folders of this machine; a disk that is full has its own sentence."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        said = str(json.loads(said)["error"])
    said = FOLDERS.sub("", " ".join(said.split()))[:300]
    return RunError("export.ollama.disk" if FULL.search(said) else "export.ollama.refused", said=said)
