"""How often and how much a visitor may upload: the one thing that takes the machine's time and passes no studio.

All else is paced by `studio.quotas`. Plain ASGI, behind the gate where there is one; it asks who comes, and knows nothing of what is
uploaded.
"""

import json
import math
from collections.abc import Callable, Iterable

from tuning.serve import gradio_words
from tuning.serve.edge import VISITOR, App, Header, Receive, Scope, Send, answer, language
from tuning.text import t

ENVELOPE = 1_000_000  # bytes around the files of an upload


class PacedUploads:
    """Middleware for `launch(app_kwargs={"middleware": [..., Middleware(PacedUploads, take=…, most=…)]})`.

    `take` is as `Pace.take`; `most` is how many bytes one upload may have, and is counted where it does not say how many it has.
    """

    def __init__(self, app: App, take: Callable[..., float], most: int) -> None:
        self.app, self.take, self.most = app, take, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(gradio_words.UPLOAD):
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        said, who, lang = headers.get(b"content-length", ""), str(scope.get(VISITOR, "?")), language(headers)
        length = int(said) if said.isdigit() else self.most
        if length > self.most + ENVELOPE:
            await refuse(send, 413, t(lang, "quota.upload", most=self.most / 2**20))
        elif wait := math.ceil(self.take(who, "upload") or self.take(who, "uploaded bytes", length)):
            await refuse(send, 429, t(lang, "quota.pace", seconds=wait), [(b"retry-after", str(wait).encode())])
        else:
            await self.app(scope, receive, send)


async def refuse(send: Send, status: int, text: str, more: Iterable[Header] = ()) -> None:
    """A sentence in the form in which Gradio's own refusals come."""
    await answer(send, status, json.dumps({"error": text}, ensure_ascii=False), b"application/json", more)
