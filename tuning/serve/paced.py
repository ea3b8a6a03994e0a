"""How often a visitor may upload: the one thing that takes the machine's time and passes no studio. All else is paced by `studio.quotas`.

Plain ASGI, behind the gate where there is one; it asks who comes, and knows nothing of what is uploaded.
"""

import json
import math
from collections.abc import Callable

from tuning.serve import gradio_words
from tuning.serve.edge import VISITOR, App, Receive, Scope, Send, answer, language
from tuning.text import t


class PacedUploads:
    """Middleware for `launch(app_kwargs={"middleware": [..., Middleware(PacedUploads, take=…)]})`; `take` is as `Pace.take`."""

    def __init__(self, app: App, take: Callable[[str, str], float]) -> None:
        self.app, self.take = app, take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        uploads = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(gradio_words.UPLOAD)
        wait = math.ceil(self.take(str(scope.get(VISITOR, "?")), "upload")) if uploads else 0
        if not wait:
            await self.app(scope, receive, send)
            return
        lang = language({name.lower(): value.decode("latin-1") for name, value in scope["headers"]})
        said = json.dumps({"error": t(lang, "quota.pace", seconds=wait)}, ensure_ascii=False)
        await answer(send, 429, said, b"application/json", [(b"retry-after", str(wait).encode())])
