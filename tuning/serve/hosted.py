"""What stands before the page on a Hugging Face Space: its proxy, the frame of huggingface.co, and a cookie for each visitor.

Plain ASGI, outside the edge, which it tells the address by which the visitor came. Who signed in is Gradio's affair; whose things
a request may see that of `owners`.
"""

import hashlib
import hmac
import os
import pathlib
import re
import secrets
from collections.abc import Iterable, Mapping

from tuning.schema import ANONYMOUS
from tuning.serve import edge
from tuning.serve.edge import App, Event, Receive, Scope, Send
from tuning.serve.entrance.gate import OPEN as SAME_FOR_ALL
from tuning.serve.routes import V1_PREFIX
from tuning.serve.watch import PATH as WATCH
from tuning.settings import Mirror

COOKIE = "sartoria_visitor"
IN_FRAME = "SameSite=None; Secure; Partitioned"  # of a cookie that a page in the frame of another site keeps
FRAMES = "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
OF_A_SPACE = re.compile(r"[a-z0-9-]+\.hf\.space")
KEY_BYTES = 32


class Hosted:
    """Middleware for `launch(app_kwargs={"middleware": [Middleware(Hosted, …), Middleware(Edge, …)]})`.

    `hosts` are the names of the Space where it says them; what its proxy says of the address is believed only for one of those.
    With `key` the cookies are signed, so that nobody chooses whose things they see.
    """

    def __init__(self, app: App, hosts: Iterable[str], key: bytes) -> None:
        self.app, self.hosts, self.key = app, frozenset(hosts), key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        token = self._token(edge.cookie(headers.get(b"cookie", ""), COOKIE) or "")
        made = None if token or scope["path"].startswith((*SAME_FOR_ALL, WATCH, V1_PREFIX)) else secrets.token_urlsafe(32)
        who = ANONYMOUS + hashlib.sha256((token or made or secrets.token_urlsafe(32)).encode()).hexdigest()[:32]

        async def framed(event: Event) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [(name, _framed(name.lower(), value)) for name, value in event["headers"]]}
                if made is not None and event["status"] < 400:
                    kept = f"{COOKIE}={made}.{self._signed(made)}; Path=/; Max-Age=31536000; HttpOnly; {IN_FRAME}"
                    event["headers"].append((b"set-cookie", kept.encode()))
            await send(event)

        await self.app({**self._addressed(scope, headers), edge.VISITOR: who, edge.NEW: not token}, receive, framed)

    def _addressed(self, scope: Scope, headers: Mapping[bytes, str]) -> Scope:
        """The request as the visitor sent it to the proxy."""
        host = headers.get(b"x-forwarded-host", "").split(",")[0].strip().lower()
        if host in self.hosts or (not self.hosts and OF_A_SPACE.fullmatch(host)):
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
            scope = {**scope, "headers": [*others, (b"host", host.encode())]}
        else:
            host = edge.host_name(headers.get(b"host", ""))
        ours = host in self.hosts or OF_A_SPACE.fullmatch(host) is not None
        return {**scope, "scheme": "https"} if ours else scope  # a Space is shown by TLS alone

    def _token(self, kept: str) -> str | None:
        """The random part of a cookie that was made here."""
        token, _, signature = kept.partition(".")
        return token if hmac.compare_digest(signature.encode(), self._signed(token).encode()) else None

    def _signed(self, token: str) -> str:
        return hmac.new(self.key, token.encode(), hashlib.sha256).hexdigest()


def _framed(name: bytes, value: bytes) -> bytes:
    """One header of an answer as it has to be for a page that stands in the frame of huggingface.co."""
    if name == b"content-security-policy":
        return value.replace(b"frame-ancestors 'self'", FRAMES.encode())
    if name == b"set-cookie":  # Gradio's own among them: without a jar of its own a frame forgets who has signed in
        kept = [
            part for part in map(bytes.strip, value.split(b";")) if not part.lower().startswith((b"samesite", b"secure", b"partitioned"))
        ]
        return b"; ".join([*kept, IN_FRAME.encode()])
    return value


def key(home: pathlib.Path, mirror: Mirror | None = None) -> bytes:
    """What the cookies of visitors are signed with: made once for a home folder, so that they know their things after a restart.

    A home that comes back from its mirror has none. There it follows from the token, which outlives the home, and stands in no file.
    """
    if mirror is not None:
        return hmac.new(mirror.token.encode(), b"sartoria visitors", hashlib.sha256).digest()
    path = home / "visitors.key"
    if not path.is_file() or path.stat().st_size != KEY_BYTES:
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        os.replace(fresh, path)
    return path.read_bytes()
