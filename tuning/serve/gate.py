"""The gate of a shared machine: behind the edge, before Gradio's app, nobody passes without a log-in.

Gradio asks for its cookie on most of its routes and not on all (cancel, heartbeat, reset); here it is asked for on every one but
the log-in page and what is the same for everybody. Plain ASGI; it knows nothing of models, runs or components.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from tuning.serve import gradio_words, login_page
from tuning.serve.doors import Throttle
from tuning.serve.edge import HOME, PAGES, App, Event, Header, Receive, Scope, Send, answer, cookie, language, redirect
from tuning.serve.routes import STARTUP
from tuning.text import t

LOGIN, LOGOUT = "/login", "/logout"
OPEN = ("/assets/", "/static/")  # the same for everybody
OPEN_FILES = frozenset({LOGOUT, STARTUP, "/theme.css", "/favicon.ico"})
FORM_LIMIT = 10_000  # bytes of a log-in
KNOWN = "sartoria_known"
HTML = b"text/html; charset=utf-8"


class Gate:
    """Middleware for `launch(app_kwargs={"middleware": [..., Middleware(Gate, …)]})`; `user` finds who a request's cookie stands for."""

    def __init__(self, app: App, throttle: Throttle, user: Callable[[Scope, str], str | None] = gradio_words.user) -> None:
        self.app, self.throttle, self.user = app, throttle, user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # no websocket is in use
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"].rstrip("/") or "/"
        if path == LOGIN:
            await self._login(scope, headers, receive, send)
        elif self.user(scope, headers.get(b"cookie", "")) is not None or path in OPEN_FILES or scope["path"].startswith(OPEN):
            await self.app(scope, receive, send)
        elif path in PAGES:
            await answer(send, 200, login_page.page(PAGES[path]).decode(), HTML)
        else:
            said = json.dumps({"error": t(language(headers), "auth.log_in")}, ensure_ascii=False)
            await answer(send, 401, said, b"application/json")

    async def _login(self, scope: Scope, headers: dict[bytes, str], receive: Receive, send: Send) -> None:
        """Gradio's own log-in: as JSON for programs, and for the form of our page, which says that it wants HTML, as pages."""
        form = "text/html" in headers.get(b"accept", "")
        if scope["method"] != "POST":
            await redirect(send, HOME[language(headers)], None)
            return
        body = await _whole(receive)
        given = parse_qs(body.decode("utf-8", "replace"))
        name, lang = given.get("username", [""])[0].strip()[:100], given.get("lang", [""])[0]
        lang = lang if lang in HOME else language(headers)
        who = (name, str((scope.get("client") or ("",))[0]), cookie(headers.get(b"cookie", ""), KNOWN) or "")
        kept: list[Header] = []

        async def refuse(status: int, said: str) -> None:
            text = login_page.page(lang, said, name).decode() if form else json.dumps({"detail": said}, ensure_ascii=False)
            await answer(send, status, text, HTML if form else b"application/json")

        async def again() -> Event:
            return {"type": "http.request", "body": body, "more_body": False}

        async def watched(event: Event) -> None:
            if event["type"] == "http.response.start":
                kept.extend((key, value) for key, value in event["headers"] if key.lower() == b"set-cookie")
                if event["status"] != 200:
                    self.throttle.failed(*who)
                    await refuse(400, t(lang, "auth.wrong"))
                    return
                known = f"{KNOWN}={self.throttle.cookie(name)}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
                kept.append((b"set-cookie", known.encode()))
                if form:
                    await redirect(send, HOME[lang], lang, kept)
                else:
                    await send({**event, "headers": [*event["headers"], kept[-1]]})
            elif kept and not form:
                await send(event)

        if seconds := self.throttle.wait(*who):
            await refuse(429, t(lang, "auth.wait", seconds=int(seconds) + 1))
        else:
            await self.app(scope, again, watched)


async def _whole(receive: Receive) -> bytes:
    """The body of a log-in; nothing where it is larger than one, which no log-in is."""
    body, more = bytearray(), True
    while more and len(body) <= FORM_LIMIT:
        event: Any = await receive()
        body.extend(event.get("body", b""))
        more = event.get("more_body", False)
    return b"" if more or len(body) > FORM_LIMIT else bytes(body)
