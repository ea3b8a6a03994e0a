"""OpenAI's routes as plain ASGI, behind the edge and before the gate: by a bearer key and not by a cookie, for the runs of the key's owner.

Whoever hangs up stops the answer in the model. How requests and answers look stands in `wire`, how an answer is asked for in `asking`.
"""

import asyncio
import collections
import json
import math
import secrets
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tuning.errors import InputError, RunError, TuningError
from tuning.serve.edge import App, Event, Header, Receive, Scope, Send, answer, language
from tuning.serve.faults import Faults
from tuning.serve.programs import wire
from tuning.serve.programs.asking import UnderWay, find, models
from tuning.serve.routes import COMPLETIONS, MODELS, V1, V1_PREFIX
from tuning.studio import Studio
from tuning.text import say

MOST, MOST_OF_ONE = 64, 16  # answers that are made or wait at once: of all owners, of one
BUSY_SECONDS = 5  # after which one more may be asked for
STREAM: list[Header] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
# Status and code of errors that OpenAI's API has, too; all others of input and state are 400, of the engine 500.
KNOWN: dict[str, tuple[int, str | None]] = {
    "v1.key": (401, "invalid_api_key"),
    "v1.model": (404, "model_not_found"),
    "v1.method": (405, None),
    "model.not_here": (404, "model_not_found"),
    "run.no_adapter": (404, "model_not_found"),
    "v1.busy": (429, "rate_limit_exceeded"),
    "quota.pace": (429, "rate_limit_exceeded"),
    "chat.too_long": (400, "context_length_exceeded"),
    "chat.no_room": (503, None),
    "chat.other_model": (503, None),
    "chat.gpu_busy": (503, None),
    "workshop.ended": (503, None),
    "workshop.late": (503, None),
    "workshop.hung": (503, None),
}


@dataclass
class Reply:
    """Where an answer goes: `send` of its connection, in the language of whoever asks. `begun`: a stream is on."""

    send: Send
    lang: str
    begun: bool = False

    async def whole(self, document: Any, status: int = 200, more: Iterable[Header] = ()) -> None:
        await answer(self.send, status, json.dumps(document), b"application/json", more)

    async def event(self, document: Any) -> None:
        """One server-sent event: a document, or a word as it is."""
        if not self.begun:
            self.begun = True
            await self.send({"type": "http.response.start", "status": 200, "headers": STREAM})
        text = document if isinstance(document, str) else json.dumps(document)
        await self.send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})

    async def end(self) -> None:
        """The stream is over."""
        await self.send({"type": "http.response.body", "body": b""})

    async def refuse(self, error: TuningError) -> None:
        """The error as OpenAI's API tells it; in the middle of a stream as its last event."""
        status, code = KNOWN.get(error.code, (400 if isinstance(error, InputError | RunError) else 500, None))
        kind = "rate_limit_error" if status == 429 else "invalid_request_error" if status < 500 else "server_error"
        param = {"v1.model": "model", "v1.field": error.params.get("name")}.get(error.code)
        document = {"error": {"message": say(self.lang, error.code, error.params), "type": kind, "param": param, "code": code}}
        if self.begun:
            await self.event(document)
            await self.end()
            return
        wait = [(b"retry-after", str(math.ceil(error.params["seconds"])).encode())] if status == 429 else []
        await self.whole(document, status, [*wait, *([(b"www-authenticate", b"Bearer")] if status == 401 else [])])


class Completions:
    """Middleware for `launch(app_kwargs={"middleware": [Middleware(Edge, …), Middleware(Completions, …), Middleware(Gate, …)]})`.

    `studio` is anybody's of this home; `admits` says whether an owner who has a key may come in now.
    """

    def __init__(self, app: App, studio: Studio, admits: Callable[[str], bool]) -> None:
        self.app, self.studio, self.admits = app, studio, admits
        self._guarded = Faults(self._serve)
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="v1")  # of its own: who waits for an answer takes none of the page's
        self._open: collections.Counter[str] = collections.Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and scope["path"].startswith(V1_PREFIX)
        await (self._guarded if ours else self.app)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path, reply = scope["path"], Reply(send, language(headers))
        try:
            studio = await asyncio.to_thread(self._studio, headers.get(b"authorization", ""))
            if scope["method"] != V1.get(path, "GET"):
                raise RunError("v1.method", method=scope["method"], path=path[:80])
            if path == COMPLETIONS:
                body = await _whole(receive)
                if body is not None:
                    await _while_heard(receive, self._complete(studio, wire.read(body), reply))
            elif path == MODELS:
                await reply.whole({"object": "list", "data": [*(await asyncio.to_thread(models, studio)).values()]})
            else:
                await reply.whole(await asyncio.to_thread(find, studio, path.removeprefix(f"{MODELS}/")))
        except TuningError as error:
            await reply.refuse(error)

    def _studio(self, authorization: str) -> Studio:
        """The studio of whoever has the key of a request. Raises InputError `v1.key`."""
        kind, _, key = authorization.partition(" ")
        owner = self.studio.keys.holder(key.strip()) if kind.lower() == "bearer" else None
        if owner is None or not self.admits(owner):
            raise InputError("v1.key")
        return self.studio.for_owner(owner)

    async def _complete(self, studio: Studio, asked: wire.Asked, reply: Reply) -> None:
        target = (await asyncio.to_thread(find, studio, asked.model))["id"]
        asking = UnderWay(studio, target, asked)
        self._begin(asking)
        try:
            await (_stream if asked.stream else _all)(asking, wire.Completion(secrets.token_hex(12), target), reply)
        finally:
            asking.leave()

    def _begin(self, asking: UnderWay) -> None:
        """Have it answered; its place is free again when the model has let go of it. Raises RunError `v1.busy` where too many are on."""
        owner, loop = asking.studio.owner, asyncio.get_running_loop()
        if self._open[owner] >= MOST_OF_ONE or self._open.total() >= MOST:
            raise RunError("v1.busy", count=self._open[owner], seconds=BUSY_SECONDS)
        self._open[owner] += 1
        over = self._pool.submit(asking.work)
        over.add_done_callback(lambda _: loop.call_soon_threadsafe(self._open.subtract, [owner]))


async def _all(asking: UnderWay, document: wire.Completion, reply: Reply) -> None:
    text = "".join([piece async for piece in asking.pieces()])
    await reply.whole(document.whole(text, _reason(asking), asking.outcome))


async def _stream(asking: UnderWay, document: wire.Completion, reply: Reply) -> None:
    """Begun with the first words: what goes wrong before them has a status of its own."""
    async for piece in asking.pieces():
        await reply.event(document.chunk({"content": piece} if reply.begun else {"role": "assistant", "content": piece}))
    await reply.event(document.chunk({} if reply.begun else {"role": "assistant", "content": ""}, _reason(asking)))
    if asking.asked.stream_options and asking.asked.stream_options.include_usage:
        await reply.event(document.used(asking.outcome))
    await reply.event("[DONE]")
    await reply.end()


def _reason(asking: UnderWay) -> str:
    return "length" if asking.outcome is not None and asking.outcome.cut else "stop"


async def _while_heard(receive: Receive, work: Awaitable[None]) -> None:
    """Do `work` as long as somebody waits for it."""

    async def hung_up() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    doing, gone = asyncio.ensure_future(work), asyncio.ensure_future(hung_up())
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            await doing
    finally:
        for task in (doing, gone):
            task.cancel()
        await asyncio.gather(doing, gone, return_exceptions=True)


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request; None where it breaks off, or the edge has found it too large."""
    body, more = bytearray(), True
    while more:
        event: Event = await receive()
        if event["type"] == "http.disconnect":
            return None
        body.extend(event.get("body", b""))
        more = event.get("more_body", False)
    return bytes(body)
