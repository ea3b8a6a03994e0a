"""llama.cpp's server, where it is on this machine: started beside this process with a GGUF file, asked by tokens, and ended.

Nothing is fetched, and no card is used. Written after tools/server/README.md of llama.cpp. What the answers are compared with is the
certificate's affair.
"""

import contextlib
import http.client
import json
import pathlib
import re
import secrets
import select
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from tuning import settings
from tuning.errors import FOLDERS, RunError
from tuning.export import errands

NAME = "llama-server.exe" if sys.platform == "win32" else "llama-server"  # no .cmd: its words would go through a shell
HERE = "127.0.0.1"
FAULTS = ("export.llama.ended", "export.llama.slow", "export.llama.old")
SECONDS = 1800.0  # to load a file and to answer all prompts
HELLO_SECONDS = 60.0  # to say which version it is
BLOCK_SECONDS = 30.0  # for the rest of an answer that has begun
SPARE = 64  # tokens beside a prompt and its answer
VERSION = re.compile(r"version:\s*(\S.{0,60})", re.IGNORECASE)
STAMP = re.compile(r"^[\d.]+ [A-Z] ")  # before a line of its log
UNKNOWN = re.compile(r"invalid argument|unknown argument", re.IGNORECASE)
BROKEN = (OSError, http.client.HTTPException, ValueError)


def find() -> pathlib.Path | None:
    """The program on the path; None where there is none, or only one beside which this process happens to stand."""
    found = shutil.which(NAME)
    return pathlib.Path(found) if found and pathlib.Path(found).is_absolute() else None


def version(program: pathlib.Path) -> str:
    """What it says that it is. Raises RunError where it says nothing."""
    try:
        done = errands.current().process([str(program), "--version"], "", HELLO_SECONDS, env=_environment())
    except subprocess.TimeoutExpired:
        raise RunError("export.llama.slow", version="?", minutes=max(1, round(HELLO_SECONDS / 60))) from None
    except OSError as error:  # it is for another machine
        raise RunError("export.llama.ended", version="?", said=str(error.strerror)) from None
    said = f"{done.stdout}\n{done.stderr}"
    if done.returncode:
        raise RunError("export.llama.ended", version="?", said=_fault(said) or f"exit {done.returncode}")
    found = VERSION.search(said)
    return found[1].strip() if found else "?"


def ask(program: pathlib.Path, file: pathlib.Path, live: dict[str, Any], scratch: pathlib.Path) -> dict[str, Any]:
    """Its `version`, and its greedy `answers` to the prompts of the live model, given in tokens; of each the `prompt` that it makes itself.

    Raises RunError where it gives none.
    """
    said, log = version(program), scratch / "llama-server.txt"
    server = Server(_free_port(), secrets.token_hex(16), said, time.monotonic() + SECONDS)
    name, context = secrets.token_hex(8), max(map(len, live["prompts"]), default=0) + live["most"] + SPARE
    words = [str(program), "--model", str(file.resolve()), "--host", HERE, "--port", str(server.port), "--alias", name]
    words += ["--ctx-size", str(context), "--parallel", "1", "--n-gpu-layers", "0", "--device", "none", "--jinja"]
    env = {**_environment(), "LLAMA_API_KEY": server.key}  # words of a command are seen by everybody on a machine
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    with log.open("wb") as out, errands.current().beside(words, stdout=out, cwd=scratch, env=env, **pipes) as child:
        try:
            server.wait(child, name)
            pairs = zip(live["asked"], live["prompts"], strict=True)
            return {"version": said, "answers": [server.answer(asked, ids, live["most"]) for asked, ids in pairs]}
        except BROKEN as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1)  # what broke off is about to end
            written = log.read_text(encoding="utf-8", errors="replace") if child.poll() is not None else ""
            told = _fault(written.replace(str(file.resolve().parent), ""))
            code = "export.llama.old" if UNKNOWN.search(told) else "export.llama.ended"
            raise RunError(code, version=said, said=told or str(error) or type(error).__name__) from error


@dataclass(frozen=True)
class Server:
    """One that listens on this machine, until a moment of the steady clock."""

    port: int
    key: str
    version: str
    until: float

    def wait(self, child: "subprocess.Popen[Any]", name: str) -> None:
        """Wait until it has loaded its model, and it is the one that we started. Raises RunError, OSError where it ended."""
        while True:
            self._go_on()
            if child.poll() is not None:
                raise ConnectionError
            with contextlib.suppress(*BROKEN):
                if self._told("GET", "/health")[0] == http.HTTPStatus.OK:
                    break
            time.sleep(errands.LOOK_SECONDS)
        models = self._told("GET", "/v1/models")[1].get("data") or []
        if name not in [one.get("id") for one in models]:
            raise ConnectionError(f"another program at {HERE}:{self.port}")

    def answer(self, asked: list[Any], ids: list[int], most: int) -> dict[str, Any]:
        """Its greedy answer to a prompt in tokens, and the tokens that it makes of the turns by the file's own template, where it does."""
        wanted = {"prompt": ids, "n_predict": most, "temperature": 0, "top_k": 1, "seed": 0, "repeat_penalty": 1.0, "cache_prompt": False}
        status, made = self._told("POST", "/completion", {**wanted, "return_tokens": True, "stream": False})
        tokens = made.get("tokens")
        if status == http.HTTPStatus.OK and not tokens:
            raise RunError("export.llama.old", version=self.version, said="/completion, no tokens")
        if status != http.HTTPStatus.OK:
            raise ConnectionError
        return {"prompt": self._prompt(*asked), "tokens": tokens, "text": str(made.get("content") or "")}

    def _prompt(self, turns: list[dict[str, Any]], tools: Any) -> list[int] | None:
        """None where it does not say: it is older than that, or its template takes no such turns."""
        messages = [{**turn, "content": turn.get("content") or ""} for turn in turns]
        status, made = self._told("POST", "/apply-template", {"messages": messages, **({"tools": tools} if tools else {})})
        if status != http.HTTPStatus.OK or not isinstance(made.get("prompt"), str):
            return None
        found = self._told("POST", "/tokenize", {"content": made["prompt"], "add_special": True, "parse_special": True})[1]
        return [int(token) for token in found["tokens"]] if isinstance(found.get("tokens"), list) else None

    def _told(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON of one answer. Raises RunError where it is to stop or takes too long, OSError, HTTPException, ValueError."""
        connection = http.client.HTTPConnection(HERE, self.port, timeout=BLOCK_SECONDS)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            while not select.select([connection.sock], [], [], errands.LOOK_SECONDS)[0]:
                self._go_on()
            answer = connection.getresponse()
            said = json.loads(answer.read() or b"{}")
        finally:
            connection.close()
        return answer.status, said if isinstance(said, dict) else {}

    def _go_on(self) -> None:
        errands.current().check()
        if time.monotonic() > self.until:
            raise RunError("export.llama.slow", version=self.version, minutes=max(1, round(SECONDS / 60)))


def _environment() -> dict[str, str]:
    return {**settings.child_environment(), "CUDA_VISIBLE_DEVICES": ""}


def _free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as found:
        found.bind((HERE, 0))
        return int(found.getsockname()[1])


def _fault(said: str) -> str:
    """The first line that speaks of an error, else the last one; without folders of this machine."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    line = STAMP.sub("", next((line for line in lines if "error" in line.lower()), lines[-1] if lines else ""))
    return FOLDERS.sub("", line)[:300]
