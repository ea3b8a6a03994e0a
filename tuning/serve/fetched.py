"""The addresses under which files that were made for taking away are fetched, with a stop in between and on again, and without a copy.

Plain ASGI, behind the gate. Which file an address stands for is handed in as `find`; nothing here writes.
"""

import asyncio
import pathlib
from collections.abc import Callable

from starlette.responses import FileResponse

from tuning.serve.edge import App, Receive, Scope, Send, answer, language
from tuning.text import t

PATH = "/take/"


class Fetched:
    """Middleware; `find` gives the file for the secret of an address, and None where there is none."""

    def __init__(self, app: App, find: Callable[[str], pathlib.Path | None]) -> None:
        self.app, self.find = app, find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self.app(scope, receive, send)
            return
        path = await asyncio.to_thread(self.find, scope["path"].removeprefix(PATH))
        if path is None:
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            await answer(send, 404, t(language(headers), "edge.taken"))
            return
        headers = {"cache-control": "private, no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
        await FileResponse(path, filename=path.name, media_type="application/zip", headers=headers)(scope, receive, send)
