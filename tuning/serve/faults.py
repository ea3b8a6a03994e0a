"""What goes wrong in a route before any function is called: one sentence as JSON instead of “Internal Server Error” and a traceback.

Plain ASGI, between the edge and Gradio's app. What goes wrong in a function is told by `ui.door`; nothing of it comes here.
"""

import json
import logging
import secrets
import traceback

from tuning.errors import of_disk
from tuning.serve.edge import TOLD, App, Event, Receive, Scope, Send
from tuning.text import LANGUAGES, say, t

logger = logging.getLogger(__name__)

# What Gradio's routes raise over a request that they did not expect: a function that is not there, a body of another shape.
MISFIT = (ValueError, TypeError, LookupError, AttributeError, RecursionError, AssertionError)
SIGN_IN = "/login/"  # where a browser is sent to the Hub and back
NAMED = ("FnIndexInferError", "HTTPException", "ClientDisconnect")  # theirs, which this room does not import


class Faults:
    """Middleware for `launch(app_kwargs={"middleware": [Middleware(Edge), Middleware(Faults)]})`."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, ended = False, False

        async def watch(event: Event) -> None:
            nonlocal begun, ended
            begun, ended = True, event["type"] == "http.response.body" and not event.get("more_body", False)
            if event["type"] == "http.response.start" and event["status"] == 500 and scope.get(TOLD):
                event = {**event, "status": 400}  # for Gradio every error of a function is one of the server
            await send(event)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if scope["type"] != "http":
                raise
            status, text = noted(error)
            if ended:
                return
            if not begun:
                body, kind = json.dumps({"error": text}).encode(), b"application/json"
                if scope["path"].startswith(SIGN_IN):  # a person reads it, in whatever language the page was
                    status, kind = 502, b"text/plain; charset=utf-8"
                    body = "\n\n".join(t(lang, "space.sign_in.failed") for lang in LANGUAGES).encode()
                headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": status, "headers": headers})
            else:  # a stream that breaks off has told what it could
                body = b""
            await send({"type": "http.response.body", "body": body})


def noted(error: Exception) -> tuple[int, str]:
    """Status and sentence for an error, which the log has under the number that is in the sentence."""
    known, number = of_disk(error), secrets.token_hex(3)
    if known is not None:
        return 507, say("en", known.code, known.params)
    if isinstance(error, MISFIT) or {type(error).__name__, type(error.__cause__).__name__} & {*NAMED}:
        place = traceback.extract_tb(error.__traceback__)[-1]
        logger.warning("error %s: a request that fits no route: %s in %s:%s", number, type(error).__name__, place.name, place.lineno)
        return 400, say("en", "call.route", {"number": number})
    logger.error("error %s: a route failed", number, exc_info=error)
    return 500, say("en", "ui.unexpected", {"kind": type(error).__name__, "number": number})
