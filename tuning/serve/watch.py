"""The addresses by which anybody may look at one run: read-only, without a log-in, behind the edge and before the gate.

Plain ASGI. What an address shows and how it looks is handed in as `page`; whose run it is and whether the link still holds is the affair of
`studio.links`. Nothing here writes, and no secret stands in a log.
"""

import asyncio
import base64
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

from tuning.serve.edge import HOME, SECURITY, App, Header, Receive, Scope, Send, language

PATH = "/watch/"
KEPT_SECONDS, MOST_KEPT = 1.0, 200  # a page is drawn once for all who look at about the same time


class Onlookers:
    """Middleware for `launch(app_kwargs={"middleware": [Middleware(Edge, …), Middleware(Onlookers, …), Middleware(Gate, …)]})`.

    `page` makes the HTML for the secret of an address, a language and whether only the part is wanted that changes; with it a status
    of 200, or of 404 where there is nothing to see. `known` says whether the secret still holds, each time. `script` is the one that
    the page brings; no other runs in it.
    """

    def __init__(self, app: App, page: Callable[[str, str, bool], tuple[int, str]], known: Callable[[str], bool], script: str) -> None:
        self.app, self.page, self.known = app, page, known
        self._kept: OrderedDict[tuple[str, str, bool], tuple[float, tuple[int, str]]] = OrderedDict()
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        )
        ours: list[Header] = [
            (b"content-security-policy", policy.encode()),
            (b"referrer-policy", b"no-referrer"),  # the address is the key
            (b"cache-control", b"no-store"),
            (b"x-robots-tag", b"noindex"),
            (b"vary", b"cookie, accept-language"),
            (b"content-type", b"text/html; charset=utf-8"),
        ]
        self._headers = [*ours, *(pair for pair in SECURITY if pair[0] not in {name for name, _ in ours})]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self.app(scope, receive, send)
            return
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        lang = asked.get("lang", [""])[0]
        lang = lang if lang in HOME else language(headers)
        status, text = await self._drawn(scope["path"].removeprefix(PATH), lang, "part" in asked)
        body, more = text.encode(), []
        if status == 200 and "part" in asked:
            mark = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            more.append((b"etag", mark.encode()))
            if headers.get(b"if-none-match") == mark:
                status, body = 304, b""
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*self._headers, *more, length]})
        await send({"type": "http.response.body", "body": body})

    async def _drawn(self, secret: str, lang: str, part: bool) -> tuple[int, str]:
        key, now = (secret, lang, part), time.monotonic()
        when, found = self._kept.get(key, (0.0, (404, "")))
        if now - when > KEPT_SECONDS or not await asyncio.to_thread(self.known, secret):
            found = await asyncio.to_thread(self.page, secret, lang, part)
            if found[0] == 200:  # what is nowhere takes no room
                self._kept[key] = (time.monotonic(), found)
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return found
