"""In the place of llama.cpp's server: `llama_double.py ROLE ANSWERS.json WORDS…`, with the words that llama-server is given.

After tools/server/README.md of llama.cpp: it takes no option and no field that is not there, and no request without the key that it was
given. ANSWERS.json: of each prompt in tokens (as JSON) `tokens` and `content`, its `turns`, and how they are `rendered`, in tokens.
"""

import argparse
import http.server
import json
import os
import pathlib
import sys
import time
from typing import Any

COMPLETION = {"prompt", "n_predict", "temperature", "top_k", "seed", "repeat_penalty", "cache_prompt", "return_tokens", "stream"}
ROLE, ANSWERS, WORDS = sys.argv[1], json.loads(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8")), sys.argv[3:]


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    alias = ""

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def told(self, status: int, said: Any) -> None:
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        if self.path == "/health":
            return self.told(503, {"error": {"message": "Loading model"}}) if ROLE == "loads" else self.told(200, {"status": "ok"})
        return self.told(200, {"data": [{"id": "another" if ROLE == "another" else self.alias}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {os.environ['LLAMA_API_KEY']}":
            return self.told(401, {"error": {"message": "Invalid API Key"}})
        if self.path == "/completion":
            return self.completion(body)
        if ROLE == "older":
            return self.told(404, {"error": {"message": "File Not Found"}})
        known = next(one for one in ANSWERS.values() if body in ({"messages": one["turns"]}, one["tokenize"]))
        return self.told(200, {"prompt": known["tokenize"]["content"]} if "messages" in body else {"tokens": known["rendered"]})

    def completion(self, body: dict[str, Any]) -> None:
        if body.keys() != COMPLETION or body["temperature"] != 0 or body["stream"]:
            return self.told(400, {"error": {"message": "odd"}})
        if ROLE == "mute":
            time.sleep(60)
        known = ANSWERS[json.dumps(body["prompt"])]
        if ROLE == "breaks" and known is not next(iter(ANSWERS.values())):
            sys.stderr.write("/build/ggml/src/ggml.c:1: GGML_ASSERT error\n")
            os._exit(3)
        made = {"content": known["content"], "tokens": known["tokens"], "stop_type": "eos"}
        return self.told(200, {"content": known["content"]} if ROLE == "oldest" else made)


def main() -> None:
    """Play the part."""
    if WORDS == ["--version"]:
        sys.stderr.write(
            "" if ROLE == "wordless" else "load_backend: loaded CPU backend\nversion: 6970 (7f09a680a)\nbuilt with cc for x86_64\n"
        )
        sys.exit(1 if ROLE == "wordless" else 0)
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for option in ("model", "host", "alias", "device"):
        parser.add_argument(f"--{option}", required=True)
    for option in ("port", "ctx-size", "parallel", "n-gpu-layers"):
        parser.add_argument(f"--{option}", type=int, required=True)
    parser.add_argument("--jinja", action="store_true", required=True)
    given = parser.parse_args(WORDS)
    assert (given.device, given.n_gpu_layers, given.host) == ("none", 0, "127.0.0.1")
    if ROLE in ("old", "crashes"):
        unknown = f"llama_model_load: error loading model: unknown model architecture: 'sarto' in {given.model}\nmain: exiting"
        sys.stderr.write("error: invalid argument: --jinja\n" if ROLE == "old" else unknown)
        sys.exit(1)
    assert pathlib.Path(given.model).read_bytes().startswith(b"GGUF")
    Handler.alias = given.alias
    http.server.ThreadingHTTPServer((given.host, given.port), Handler).serve_forever(0.02)


main()
