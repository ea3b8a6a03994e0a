"""An Ollama on the loopback interface, after docs/api.md, server/create.go and server/routes.go: what it is sent is checked as there.

It is stricter in two things: a key that the real one would read over is refused, and so is a blob for which nobody asked with HEAD.
It quantises nothing, and answers what it is given in `answers`.
"""

import hashlib
import http.server
import json
import re
import threading
from typing import Any

DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")
PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
NAME = re.compile(rf"(?:[A-Za-z0-9_][A-Za-z0-9_-]{{0,79}}/)?{PART}(?::{PART})?")
FILE_TYPES = {"F32", "F16", "BF16", "Q8_0", "Q4_K_S", "Q4_K_M", "Q4_K"}  # ggml.ParseFileType
CREATE = {"model": str, "files": dict, "quantize": str, "parameters": dict, "stream": bool, "system": str, "license": str}
CHAT = {"model": str, "messages": list, "options": dict, "stream": bool, "truncate": bool}
OPTIONS = {"temperature", "top_k", "top_p", "seed", "repeat_penalty", "num_predict", "num_ctx", "stop"}
PARAMETERS = {
    "temperature": (int, float),
    "top_p": (int, float),
    "top_k": int,
    "repeat_penalty": (int, float),
    "repeat_last_n": int,
    "stop": list,
}
ROLES = {"system", "user", "assistant", "tool"}
FULL = "write /usr/share/ollama/.ollama/models/blobs/sha256-123: no space left on device"


class OllamaServer(http.server.ThreadingHTTPServer):
    """Keeps `blobs` and `models`; `asked` has method and path of every request.

    `fault`: what goes wrong, and at which path: ("cut" or "full" or "error", "blobs" or "create" or "chat").
    """

    daemon_threads = True

    def __init__(self, version: str = "0.32.1") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.version, self.fault = version, ("", "")
        self.blobs: dict[str, bytes] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.chats: list[dict[str, Any]] = []
        self.answers: dict[str, tuple[str, int]] = {}  # by the last question: the text, and the tokens of the prompt
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: OllamaServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self.server.asked.append(f"GET {self.path}")
        self.document({"version": self.server.version} if self.path == "/api/version" else None)

    def do_HEAD(self) -> None:
        self.server.asked.append(f"HEAD {self.path}")
        digest = self.path.removeprefix("/api/blobs/")
        self.send_response(400 if not DIGEST.fullmatch(digest) else 200 if digest in self.server.blobs else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.server.asked.append(f"POST {self.path}")
        what, where = self.server.fault
        here = what if where in self.path else ""
        if self.path.startswith("/api/blobs/"):
            return self.blob(self.path.removeprefix("/api/blobs/"), here)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/show":
            known = body["model"].lower() in self.server.models
            return self.document({"details": {}} if known else None, f"model '{body['model']}' not found")
        if self.path == "/api/create":
            return self.create(body, here)
        if self.path == "/api/chat":
            return self.chat(body, here)
        return self.document(None)

    def document(self, content: Any, error: str = "404 page not found", status: int = 404) -> None:
        """JSON with a status of 200, or an error."""
        said = json.dumps({"error": error} if content is None else content).encode()
        self.send_response(status if content is None else 200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def stream(self, lines: list[dict[str, Any]], cut: bool) -> None:
        """Lines of JSON in chunks; `cut`: the last one is left out, and the connection breaks off in the one before."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines[:-1] if cut else lines:
            said = json.dumps(line).encode() + b"\n"
            self.wfile.write(f"{len(said):x}\r\n".encode() + said + b"\r\n")
        self.wfile.write(b'40\r\n{"status":' if cut else b"0\r\n\r\n")
        self.close_connection = cut

    def blob(self, digest: str, fault: str) -> None:
        size = int(self.headers["Content-Length"])
        if fault:
            self.rfile.read(size // 2)
            self.close_connection = True
            return self.document(None, FULL, 500) if fault == "full" else None
        content = self.rfile.read(size)
        found = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if not DIGEST.fullmatch(digest):
            return self.document(None, "invalid digest format", 400)
        if f"HEAD {self.path}" not in self.server.asked:
            return self.document(None, "nobody asked whether it is here", 400)
        if found != digest:
            return self.document(None, f'digest mismatch, expected "{digest}", got "{found}"', 400)
        self.server.blobs[digest] = content
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def create(self, body: dict[str, Any], fault: str) -> None:
        wrong = self.wrong(body, CREATE)
        files = body.get("files") or {}
        said = body.get("parameters") or {}
        wrong = wrong or ", ".join(name for name, value in said.items() if not isinstance(value, PARAMETERS.get(name, ())))
        if wrong or not files:
            return self.document(None, wrong or "neither 'from' or 'files' was specified", 400)
        if not NAME.fullmatch(body["model"]):
            return self.document(None, "invalid model name", 400)
        for name, digest in files.items():
            if name.startswith("/") or "\\" in name or ".." in name.split("/"):
                return self.document(None, "file path must be relative", 400)
            if not self.server.blobs.get(digest, b"").startswith(b"GGUF"):
                return self.document(None, "supplied file was not in GGUF format", 400)
        wanted = body.get("quantize", "").upper()
        if wanted and wanted not in FILE_TYPES:
            return self.document(None, f"unsupported quantization type {wanted} - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0", 500)
        lines: list[dict[str, Any]] = [{"status": "parsing GGUF"}]
        if wanted:
            lines += [{"status": f"quantizing F16 model to {wanted}", "digest": "0", "total": 100, "completed": 50}]
        if fault in ("full", "error"):
            said = FULL if fault == "full" else "llama-quantize failed: unknown model architecture: 'sarto'"
            return self.stream([*lines, {"error": said}], False)
        if fault != "cut":  # as there, the manifest is written before it says so
            self.server.models[body["model"].lower()] = body
        return self.stream([*lines, {"status": "writing manifest"}, {"status": "success"}], fault == "cut")

    def chat(self, body: dict[str, Any], fault: str) -> None:
        wrong = self.wrong(body, CHAT)
        if odd := set(body.get("options", {})) - OPTIONS:
            wrong = f"odd options {odd}"
        for turn in body.get("messages", []):
            if set(turn) != {"role", "content"} or turn["role"] not in ROLES or not isinstance(turn["content"], str):
                wrong = f"odd message {turn}"
        if wrong:
            return self.document(None, wrong, 400)
        if body["model"].lower() not in self.server.models:
            return self.document(None, f"model '{body['model']}' not found")
        if fault in ("full", "error"):
            return self.document(None, "model requires more system memory (9.1 GiB) than is available (3.0 GiB)", 500)
        self.server.chats.append(body)
        text, tokens = self.server.answers[body["messages"][-1]["content"]]
        usual = {"model": body["model"], "created_at": "2026-11-29T00:00:00Z"}
        pieces = [
            {**usual, "message": {"role": "assistant", "content": piece}, "done": False} for piece in re.findall(r"\s*\S+\s*$|\s*\S+", text)
        ]
        last = {**usual, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": tokens}
        return self.stream([*pieces, last], fault == "cut")

    @staticmethod
    def wrong(body: dict[str, Any], known: dict[str, type]) -> str:
        """What is not as the API takes it, "" where all is."""
        if not isinstance(body.get("model"), str) or not body["model"]:
            return "model is required"
        odd = [key for key, value in body.items() if not isinstance(value, known.get(key, ()))]
        return f"odd keys {odd}" if odd else ""
