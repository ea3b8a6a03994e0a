"""The gate of a shared machine: behind the edge, before Gradio's app, nobody passes without a log-in.

Gradio asks for its cookie on most of its routes and not on all (cancel, heartbeat, reset); here it is asked for on every one but
the log-in page and what is the same for everybody. Plain ASGI; it knows nothing of models, runs or components.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from tuning.errors import TuningError
from tuning.serve import gradio_words
from tuning.serve.edge import HOME, PAGES, VISITOR, App, Event, Header, Receive, Scope, Send, answer, cookie, language, redirect
from tuning.serve.entrance import login_page
from tuning.serve.entrance.doors import Throttle
from tuning.serve.entrance.names import COOKIE, Nicknames
from tuning.serve.routes import STARTUP
from tuning.text import say, t

LOGIN, LOGOUT, NAME = "/login", "/logout", "/name"
OPEN = ("/assets/", "/static/")  # the same for everybody
OPEN_FILES = frozenset({LOGOUT, STARTUP, "/theme.css", "/favicon.ico"})
FORM_LIMIT = 10_000  # bytes of a log-in
KNOWN = "sartoria_known"
HTML = b"text/html; charset=utf-8"


class Gate:
    """Middleware for `launch(app_kwargs={"middleware": [..., Middleware(Gate, …)]})`; `user` finds who a request's cookie stands for.

    Who comes in by the `common` log-in has one of `names` too, or chooses one first.
    """

    def __init__(
        self,
        app: App,
        throttle: Throttle,
        common: str | None = None,
        names: Nicknames | None = None,
        user: Callable[[Scope, str], str | None] = gradio_words.user,
    ) -> None:
        self.app, self.throttle, self.user, self.common, self.names = app, throttle, user, common, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # no websocket is in use
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"].rstrip("/") or "/"
        user = self.user(scope, headers.get(b"cookie", ""))
        named = self._name(headers) if user is not None and user == self.common else None
        nameless = user is not None and user == self.common and named is None
        if path == LOGIN:
            await self._login(scope, headers, receive, send)
        elif path == NAME and user is not None and user == self.common:
            await self._take(scope, headers, receive, send)
        elif (user is not None and not nameless) or path in OPEN_FILES or scope["path"].startswith(OPEN):
            await self.app({**scope, VISITOR: named or user or ""}, receive, send)
        elif path in PAGES:
            asked = login_page.person if nameless else login_page.page
            await answer(send, 200, asked(PAGES[path]).decode(), HTML)
        else:
            said = json.dumps({"error": t(language(headers), "auth.person.first" if nameless else "auth.log_in")}, ensure_ascii=False)
            await answer(send, 401, said, b"application/json")

    def _name(self, headers: Mapping[bytes, str]) -> str | None:
        return self.names.of(cookie(headers.get(b"cookie", ""), COOKIE)) if self.names is not None else None

    async def _take(self, scope: Scope, headers: dict[bytes, str], receive: Receive, send: Send) -> None:
        """A name for a browser that came in by the common log-in: the code is shown once, and is tried no more often than a password."""
        form = parse_qs((await _whole(receive)).decode("utf-8", "replace"))
        given = {key: values[0].strip()[:100] for key, values in form.items()}
        lang = given.get("lang", "")
        lang = lang if lang in HOME else language(headers)
        name, who = given.get("person", ""), (given.get("person", "").casefold(), str((scope.get("client") or ("",))[0]), "")
        if not name:
            await redirect(send, HOME[lang], lang)
        elif seconds := self.throttle.wait(*who):
            await answer(send, 429, login_page.person(lang, t(lang, "auth.wait", seconds=int(seconds) + 1), name).decode(), HTML)
        else:
            assert self.names is not None
            try:
                kept, code = self.names.take(name, given.get("code", ""))
            except TuningError as error:
                if error.code == "auth.person.taken" and given.get("code"):
                    self.throttle.failed(*who)
                await answer(send, 400, login_page.person(lang, say(lang, error.code, error.params), name).decode(), HTML)
                return
            crumb = (b"set-cookie", f"{COOKIE}={kept}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax".encode())
            if code is None:
                await redirect(send, HOME[lang], lang, [crumb])
            else:
                await answer(send, 200, login_page.code(lang, code).decode(), HTML, [crumb])

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
