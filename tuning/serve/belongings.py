"""Whose a session or an event is, and whose a file that waits to be fetched or read: the visitor's with whom it was first seen.

For everybody else it is not there.

Gradio lets a client choose the name of its session, and serves what was uploaded or exported to whoever knows its place. Plain ASGI,
behind the gate; what functions are given and hand out is held against it by `ui.gradio_ways`. In memory: uploads do not outlive a start.
"""

import json
import os
import pathlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from tuning.serve import gradio_words
from tuning.serve.edge import NEW, VISITOR, App, Event, Receive, Scope, Send, answer, language
from tuning.text import t

MOST = 20_000  # sessions and files that are remembered, those that were used last
FILE = "/gradio_api/file="
NAMED = re.compile(r"/gradio_api/(?:heartbeat|call/(?:v2/)?[^/]+)/([^/]+)")  # a session, or an event, in a path that is read
IN_QUERY = ("session_hash", "upload_id")
JOBS = ("/gradio_api/call/", "/gradio_api/queue/join")  # whose answer names an event
IN_BODY = ("/gradio_api/run/", "/gradio_api/call/", "/gradio_api/queue/join", "/gradio_api/cancel")
ANYBODY = ""  # a visitor whose browser keeps no cookie: nothing is bound to it


def visitor(scope: Scope) -> str | None:
    """Who comes with this request; None where there is one owner of all."""
    return ANYBODY if scope.get(NEW) else scope.get(VISITOR)


class Belongings:
    """What belongs to whom. `folder` is the one of uploads."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self._lock = os.path.abspath(folder), threading.Lock()
        self._whose: OrderedDict[tuple[str, str], set[str]] = OrderedDict()

    def session(self, name: str, who: str) -> bool:
        """Whether a session is this visitor's, as one is that nobody has used yet."""
        with self._lock:
            whose = self._look(("session", name))
            if not whose and who != ANYBODY:
                self._add(("session", name), who)
            return not whose or who in whose

    def hand(self, path: str, who: str) -> None:
        """Note that a visitor has brought this file or is given it: several may have the same one."""
        if (key := self._place(path)) is not None:
            with self._lock:
                self._add(("file", key), who)

    def hand_all(self, paths: Iterable[str], who: str) -> None:
        """As `hand`, for each of them."""
        for path in paths:
            self.hand(path, who)

    def may_have(self, path: str, who: str) -> bool:
        """Whether a visitor may have what lies at `path`. What lies elsewhere is others' to refuse."""
        key = self._place(path)
        if key is None:
            return True
        with self._lock:
            whose = self._look(("file", key))
        return who in whose or ANYBODY in whose

    def _place(self, path: str) -> str | None:
        """The folder of one upload, in which a path lies."""
        try:
            there = os.path.abspath(path)
        except (ValueError, OSError):
            return None
        inside = os.path.normcase(there).startswith(os.path.normcase(self.folder + os.sep))
        return there[len(self.folder) + 1 :].split(os.sep)[0] if inside else None

    def _look(self, key: tuple[str, str]) -> set[str]:
        if key in self._whose:
            self._whose.move_to_end(key)
        return self._whose.get(key, set())

    def _add(self, key: tuple[str, str], who: str) -> None:
        self._whose.setdefault(key, set()).add(who)
        self._whose.move_to_end(key)
        while len(self._whose) > MOST:
            self._whose.popitem(last=False)


class Owned:
    """Middleware for `launch(app_kwargs={"middleware": [..., Middleware(Owned, belongings=…)]})`."""

    def __init__(self, app: App, belongings: Belongings) -> None:
        self.app, self.belongings = app, belongings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = visitor(scope) if scope["type"] == "http" else None
        if who is None:
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path.startswith(FILE) and not self.belongings.may_have(path.removeprefix(FILE), who):
            await self._nothing(scope, send)
            return
        names = [*(NAMED.findall(path) if scope["method"] != "POST" else ()), *_asked(scope)]
        if scope["method"] == "POST" and path.startswith(IN_BODY):
            body, receive = await _read(receive)
            names += _named(body)
        if not all(self.belongings.session(name, who) for name in names):
            await self._nothing(scope, send)
        elif scope["method"] == "POST" and path.startswith(gradio_words.UPLOAD):
            await self.app(scope, receive, _told(send, lambda body: self.belongings.hand_all(_listed(body), who)))
        elif scope["method"] == "POST" and path.startswith(JOBS):
            await self.app(scope, receive, _told(send, lambda body: [self.belongings.session(name, who) for name in _named(body)]))
        else:
            await self.app(scope, receive, send)

    async def _nothing(self, scope: Scope, send: Send) -> None:
        lang = language({name.lower(): value.decode("latin-1") for name, value in scope["headers"]})
        said = json.dumps({"error": t(lang, "edge.not_yours")}, ensure_ascii=False)
        await answer(send, 404, said, b"application/json")


def _told(send: Send, note: Callable[[bytes], object]) -> Send:
    """`send` that notes what a short answer says before its end is out."""
    told = bytearray()

    async def watch(event: Event) -> None:
        if event["type"] == "http.response.body":
            told.extend(event.get("body", b""))
            if not event.get("more_body", False):
                note(bytes(told))
        await send(event)

    return watch


def _asked(scope: Scope) -> list[str]:
    given = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return [name for key in IN_QUERY for name in given.get(key, [])]


def _named(body: bytes) -> list[str]:
    """The session and the event that a call or its answer names; nothing where the body is none, which others will tell."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    given = [found.get(key) for key in ("session_hash", "event_id")] if isinstance(found, dict) else []
    return [name for name in given if isinstance(name, str)]


def _listed(body: bytes) -> list[str]:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return []
    return [path for path in found if isinstance(path, str)] if isinstance(found, list) else []


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """A whole body, which the edge has bounded, and what hands it out again."""
    body, first = bytearray(), True
    while True:
        event = await receive()
        body.extend(event.get("body", b""))
        if event["type"] != "http.request" or not event.get("more_body", False):
            break
    last = event

    async def again() -> Event:
        nonlocal first
        if first:
            first = False
            return last if last["type"] != "http.request" else {"type": "http.request", "body": bytes(body), "more_body": False}
        return await receive()

    return bytes(body), again
