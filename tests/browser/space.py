"""A Space as a browser sees it: one address with TLS before the app, in the frame of huggingface.co, with an OAuth provider behind it.

Everything is on the loopback interface. It shows neither what huggingface.co really answers, nor a certificate that anybody trusts.
"""

import contextlib
import html
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.bench.server import ROOT, free_port, wait_for
from tests.hub.hub_server import Server
from tests.serve.test_sign_in import Provider

HOST, HUB = "x-y.hf.space", "huggingface.co"
FRAME = f'<!doctype html><title>x/y</title><iframe src="https://{HOST}" style="width:100%;height:95vh" allow="clipboard-write"></iframe>'
# As app.py starts, with a folder in the place of /data; where there is one it is mounted.
PROGRAM = """
import os, sys
from tuning import settings
settings.VOLUME, mounted = sys.argv[1], os.path.ismount
os.path.ismount = lambda folder: str(folder) == settings.VOLUME or mounted(folder)
from tuning.cli.app import main
sys.exit(main(["--port", sys.argv[2]]))
"""


class Front(socketserver.ThreadingTCPServer):
    """What a browser reaches under every name: the Space by its own, the Hub's pages by theirs, and nothing else."""

    daemon_threads, allow_reuse_address = True, True

    def __init__(self, folder: pathlib.Path, provider: Provider) -> None:
        super().__init__(("127.0.0.1", 0), Caller)
        self.app, self.provider = 0, provider
        self.others: list[str] = []  # names that are neither the Space's nor the Hub's
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
        subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
        self.context.load_cert_chain(certificate, key)


class Caller(socketserver.BaseRequestHandler):
    """One request; each has a connection of its own."""

    server: Front

    def handle(self) -> None:
        with contextlib.suppress(OSError), self.server.context.wrap_socket(self.request, server_side=True) as browser:
            head, _, body = self._read(browser)
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines if ": " in line)
            host = next(value for name, value in headers.items() if name.lower() == "host").split(":")[0]
            size = int(next((value for name, value in headers.items() if name.lower() == "content-length"), 0))
            while len(body) < size:  # all of it first: no two threads may use one TLS connection at once
                body += browser.recv(65536) or bytes(size)
            if host == HOST:
                self._pass_on(browser, first, lines, body)
            elif host == HUB:
                browser.sendall(self._hub(first.split()[1]))
            else:
                self.server.others.append(host)

    @staticmethod
    def _read(browser: ssl.SSLSocket) -> tuple[bytes, bytes, bytes]:
        found = b""
        while b"\r\n\r\n" not in found:
            more = browser.recv(65536)
            if not more:
                raise ConnectionError
            found += more
        return found.partition(b"\r\n\r\n")

    def _hub(self, path: str) -> bytes:
        asked = parse_qs(urlsplit(path).query)
        if not path.startswith("/oauth/authorize"):
            kind, body = "200 OK\r\ncontent-type: text/html", FRAME
        else:
            self.server.provider.nonce = asked["nonce"][0]
            back = asked["redirect_uri"][0]
            joined = f"{back}{'&' if '?' in back else '?'}code=c&state={asked['state'][0]}"
            kind, body = f"302 Found\r\nlocation: {joined}", html.escape(joined)
        return f"HTTP/1.1 {kind}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()

    def _pass_on(self, browser: ssl.SSLSocket, first: str, lines: list[str], body: bytes) -> None:
        """As the proxy of Spaces does: it says in headers of its own by which name and how the visitor came."""
        kept = [line for line in lines if not line.lower().startswith(("connection:", "host:"))]
        sent = [
            first,
            *kept,
            f"host: 10.0.0.7:{self.server.app}",
            "connection: close",
            f"x-forwarded-host: {HOST}",
            "x-forwarded-proto: https",
        ]
        with socket.create_connection(("127.0.0.1", self.server.app)) as app:
            app.sendall("\r\n".join(sent).encode("latin-1") + b"\r\n\r\n" + body)
            _pour(app, browser)


def _pour(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)


class Space:
    """A fresh clone of this repository on a machine that says it is a Space, started as often as one likes."""

    def __init__(self, folder: pathlib.Path, front: Front, hub: Server) -> None:
        self.folder, self.front, self.hub, self.starts = folder, front, hub, 0
        self.volume = folder / "data"

    @contextlib.contextmanager
    def awake(self) -> Iterator[pathlib.Path]:
        """The Space from a start to its end, with nothing left on its disk but what is mounted; where its log is."""
        self.starts += 1
        place = self.folder / f"start-{self.starts}"
        clone, port = place / "app", free_port()
        subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", str(clone)], check=True, timeout=300)
        oauth = {"OAUTH_CLIENT_ID": "client", "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "openid profile"}
        env = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ} | oauth
        env |= {"SYSTEM": "spaces", "SPACE_ID": "x/y", "SPACE_HOST": HOST, "SPACE_CREATOR_USER_ID": "owner", "HOME": str(place)}
        env |= {"HF_ENDPOINT": self.hub.address, "HF_TOKEN": "hf_token_of_the_space", "OPENID_PROVIDER_URL": self.front.provider.address}
        log = place / "log.txt"
        with log.open("wb") as said:
            command = [sys.executable, "-c", PROGRAM, str(self.volume), str(port)]
            process = subprocess.Popen(command, cwd=clone, env=env, stdout=said, stderr=said)
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz", process)
            self.front.app = port
            yield log
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def space(folder: pathlib.Path) -> Iterator[Space]:
    """The Space with its front, its provider and its Hub, before its first start."""
    with Provider() as provider, Front(folder, provider) as front, Server() as hub:
        provider.authorize = f"https://{HUB}/oauth/authorize"
        for server in (provider, front):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Space(folder, front, hub)
        for one in (provider, front, hub):
            one.shutdown()
