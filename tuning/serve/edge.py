"""The edge of the server: language of the visitor, who may send what, how much of it, and the headers of every answer.

Plain ASGI around Gradio's app. Streams pass through untouched; only the two pages themselves, which are small, are
read as a whole to put a script first in their head. It knows nothing of models, runs or components.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tuning.serve import gradio_words
from tuning.text import t

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

VISITOR = "sartoria.visitor"  # where a request's scope says who comes, by a cookie or a log-in
NEW = "sartoria.new"  # and whether they come for the first time, or keep no cookie
TOLD = "sartoria.told"  # set in a scope where what went wrong is told in a sentence that was foreseen
HEALTH = "/healthz"
PAGES = {"/": "en", "/it": "it"}
HOME = {"en": "/", "it": "/it"}
COOKIE = "sartoria_language"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
BODY_LIMIT = 20_000_000  # bytes of a request that is not a file
HEARTBEAT = "/gradio_api/heartbeat/"  # a stream for as long as a page is open, which nobody has to read
NEW_SECONDS, IDLE_SECONDS = 30.0, 3600.0  # how long it stays where its session has not done anything yet, and has done nothing since
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CHANGES = frozenset({"/logout"})  # what a GET changes all the same
TWO_LENGTHS = {b"content-length", b"transfer-encoding"}  # a proxy may believe the one, and this server the other
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port", b"x-real-ip"})

# Gradio's frontend makes functions from templates and styles elements in place, hence both `unsafe` words; no source is remote.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
SECURITY: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", POLICY.encode()),
]


class Edge:
    """Middleware for `launch(app_kwargs={"middleware": [Middleware(Edge, …)]})`.

    `lang` pins the first page's language unless it is "auto"; `hosts` are the names under which this server may be addressed,
    None for any; `alive` says whether the thread that trains and answers lives, which is what /healthz is asked for; `door`
    whether anything is served for a method and a path; `idle` since how many seconds a session has done nothing, None where it is
    not known. What a proxy says of the address is believed only where `public`, the address under which it shows this server, is
    given.
    """

    def __init__(
        self,
        app: App,
        lang: str = "auto",
        hosts: Iterable[str] | None = LOOPBACK,
        alive: Callable[[], bool] = lambda: True,
        public: str | None = None,
        door: Callable[[str, str], bool] = lambda method, path: True,
        idle: Callable[[str], float | None] = lambda session: 0.0,
    ) -> None:
        self.app = app
        self.lang = lang
        self.public = urlsplit(public or "")
        self.hosts = None if hosts is None else frozenset([*hosts, *filter(None, [self.public.hostname])])
        self.alive, self.door, self.idle = alive, door, idle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = {**scope, "headers": self._addressed(scope["headers"])}
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if headers.keys() >= TWO_LENGTHS:
            await answer(send, 400, "A request has one length.", more=[(b"connection", b"close")])
        elif refusal is not None:
            await answer(send, 403, refusal)
        elif scope["method"] in ("GET", "HEAD") and scope["path"] == HEALTH:
            await self._health(send)
        elif not self.door(scope["method"], scope["path"]):
            await answer(send, 404, t(self._language(headers), "edge.nothing", path=scope["path"][:80]))
        elif scope["method"] == "GET" and (target := self._elsewhere(scope, headers)) is not None:
            await redirect(send, *target)
        elif scope["method"] == "GET" and scope["path"] in PAGES:
            await self._page(scope, receive, send)
        elif scope["path"].startswith(HEARTBEAT):
            await self._beat(scope, headers, receive, send)
        else:
            await self._pass(scope, headers, receive, send)

    def _addressed(self, headers: Iterable[Header]) -> list[Header]:
        """The headers with what a proxy may say of the address as it is known here, or without it."""
        given, netloc = list(headers), self.public.netloc.encode()
        kept = [(name, value) for name, value in given if name.lower() not in FORWARDED]
        if netloc and (len(kept) < len(given) or (b"host", netloc) in kept):
            kept += [(b"x-forwarded-host", netloc), (b"x-forwarded-proto", self.public.scheme.encode())]
        return kept

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> str | None:
        """Why this request is turned away: a name that is not ours (DNS rebinding), or a page of another site."""
        host = headers.get(b"host", "")
        if self.hosts is not None and host_name(host) not in self.hosts:
            return "This address is not served here."
        if scope["method"] in SAFE and scope["path"].rstrip("/") not in CHANGES:
            return None
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc.lower() not in (host.lower(), self.public.netloc.lower() or None):
            return "Requests from other sites are refused."
        if origin is None and headers.get(b"sec-fetch-site", "none") not in ("none", "same-origin"):
            return "Requests from other sites are refused."
        return None

    async def _beat(self, scope: Scope, headers: dict[bytes, str], receive: Receive, send: Send) -> None:
        """A page's heartbeat, ended where its session never does anything or has long done nothing."""
        session, began = scope["path"].removeprefix(HEARTBEAT), time.monotonic()
        ended = whole = False

        async def hear() -> Event:
            nonlocal ended
            while not ended:
                idle = self.idle(session)
                ended = time.monotonic() - began > NEW_SECONDS if idle is None else idle > IDLE_SECONDS
                with contextlib.suppress(TimeoutError):
                    return await asyncio.wait_for(receive(), NEW_SECONDS / 4)
            return {"type": "http.disconnect"}

        async def say(event: Event) -> None:
            nonlocal whole
            whole = event["type"] == "http.response.body" and not event.get("more_body", False)
            await send(event)

        await self._pass(scope, headers, hear, say)
        if ended and not whole:
            await send({"type": "http.response.body", "body": b""})

    async def _health(self, send: Send) -> None:
        """200 while what is asked for is done, 503 once nobody trains and answers any more; the same as JSON."""
        alive = self.alive()
        found = {"alive": alive, "error": None if alive else t("en", "workshop.ended")}
        await answer(send, 200 if alive else 503, json.dumps(found), b"application/json")

    def _language(self, headers: dict[bytes, str]) -> str:
        """The language of whoever asks: chosen before, pinned, or the better liked one."""
        pinned = self.lang if self.lang in HOME else None
        return cookie_language(headers.get(b"cookie", "")) or pinned or preferred(headers.get(b"accept-language", ""))

    def _elsewhere(self, scope: Scope, headers: dict[bytes, str]) -> tuple[str, str | None] | None:
        """Where a page request should go instead, and the language to remember; None where it is right as it is."""
        path = scope["path"]
        if path not in PAGES:
            return None
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [""])[0]
        if asked in HOME:
            return HOME[asked], asked
        if self.lang in HOME and cookie_language(headers.get(b"cookie", "")) is None:
            return (HOME[self.lang], None) if path != HOME[self.lang] else None
        if path == "/":
            wanted = language(headers)
            return (HOME[wanted], None) if wanted != "en" else None
        return None

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A page as a whole, with our script first in its head."""
        lang = PAGES[scope["path"]]
        plain = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]}
        start: Event = {}
        body = bytearray()

        async def collect(event: Event) -> None:
            nonlocal start
            if event["type"] == "http.response.start":
                start = event
                return
            body.extend(event.get("body", b""))
            if event.get("more_body", False):
                return
            content = bytes(body)
            if content_type(start).startswith("text/html"):
                content = gradio_words.inject(content, lang)
            ours = {b"content-length", *(name for name, _ in SECURITY)}
            kept = [(name, value) for name, value in start["headers"] if name.lower() not in ours]
            kept += [*SECURITY, (b"content-length", str(len(content)).encode()), (b"vary", b"cookie, accept-language")]
            await send({**start, "headers": kept})
            await send({"type": "http.response.body", "body": content})

        await self.app(plain, receive, collect)

    async def _pass(self, scope: Scope, headers: dict[bytes, str], receive: Receive, send: Send) -> None:
        """Everything else, piece by piece, with a bound on what comes in."""
        counted = scope["method"] not in SAFE and not scope["path"].startswith(gradio_words.UPLOAD)
        length = headers.get(b"content-length", "")
        if counted and length.isdigit() and int(length) > BODY_LIMIT:
            await answer(send, 413, "This request is too large.")
            return
        seen, answered, refused = 0, False, False

        async def measure() -> Event:
            nonlocal seen, refused
            event = await receive()
            seen += len(event.get("body", b""))
            if seen > BODY_LIMIT:
                refused = True
                return {"type": "http.disconnect"}
            return event

        async def dress(event: Event) -> None:
            nonlocal answered
            if refused and not answered:
                return
            if event["type"] == "http.response.start":
                answered = True
                present = {name.lower() for name, _ in event["headers"]}
                event = {**event, "headers": [*event["headers"], *(pair for pair in SECURITY if pair[0] not in present)]}
            await send(event)

        try:
            await self.app(scope, measure if counted else receive, dress)
        finally:
            if refused and not answered:
                await answer(send, 413, "This request is too large.")


def preferred(accept: str) -> str:
    """The better liked of our languages by an Accept-Language header; English where it says nothing of either."""
    liked = {"en": 0.0, "it": 0.0}
    for part in accept.lower().split(","):
        tag, _, weight = part.strip().partition(";")
        match = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d*)?)\s*", weight)
        name = tag.strip().split("-")[0]
        if name in liked:
            liked[name] = max(liked[name], float(match.group(1)) if match else 0.0 if weight else 1.0)
    order = re.findall(r"\b(en|it)\b", accept.lower())
    if liked["it"] == liked["en"]:
        return order[0] if order and liked["it"] else "en"
    return max(liked, key=lambda name: liked[name])


def cookie(header: str, name: str) -> str | None:
    """What a Cookie header keeps under a name."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


def cookie_language(header: str) -> str | None:
    """The language that a visitor chose before."""
    chosen = cookie(header, COOKIE)
    return chosen if chosen in HOME else None


def language(headers: Mapping[bytes, str]) -> str:
    """The language in which a visitor is answered: the one that was chosen before, else the better liked one."""
    return cookie_language(headers.get(b"cookie", "")) or preferred(headers.get(b"accept-language", ""))


def host_name(host: str) -> str:
    """A Host header without its port."""
    return re.sub(r":\d+$", "", host.strip().lower())


def content_type(start: Event) -> str:
    """The Content-Type of an answer's start."""
    return next((value.decode("latin-1").lower() for name, value in start["headers"] if name.lower() == b"content-type"), "")


async def answer(send: Send, status: int, text: str, kind: bytes = b"text/plain; charset=utf-8", more: Iterable[Header] = ()) -> None:
    """A short answer of our own, with the headers of every answer."""
    body = text.encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *SECURITY, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def redirect(send: Send, target: str, remember: str | None, more: Iterable[Header] = ()) -> None:
    """Send a browser to another page of ours; it remembers the language where one is given."""
    headers: list[Header] = [
        *more,
        (b"location", target.encode()),
        (b"cache-control", b"no-store"),
        (b"vary", b"cookie, accept-language"),
        (b"content-length", b"0"),
        *SECURITY,
    ]
    if remember is not None:
        headers.append((b"set-cookie", f"{COOKIE}={remember}; Path=/; Max-Age=31536000; SameSite=Lax".encode()))
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
