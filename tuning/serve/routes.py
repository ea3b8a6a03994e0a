"""The list of all routes that are open: what the page, the named endpoints and whoever reads their schema ask for.

Gradio brings three times as many; whatever is not in this list is answered with 404 by `serve.edge`, also what a new Gradio
brings. `tests/serve/test_routes.py` compares it with the routes that the app really has.
"""

import re
from collections.abc import Mapping

# By Gradio's own paths: `{name}` is one part of a path, `{name:path}` all that follows.
OPEN = {
    # the page
    "/": "GET",
    "/it": "GET",
    "/it/": "GET",
    "/theme.css": "GET",
    "/favicon.ico": "GET",
    "/robots.txt": "GET",
    "/assets/{path:path}": "GET",
    "/static/{path:path}": "GET",
    "/gradio_api/heartbeat/{session_hash}": "GET",
    "/gradio_api/app_id": "GET",  # by which a page that lost its connection sees that it is back
    "/gradio_api/upload": "POST",
    "/gradio_api/upload_progress": "GET",
    "/gradio_api/file={path_or_url:path}": "GET",  # Gradio serves from the folder of uploads alone
    # page and programs
    "/gradio_api/run/{api_name}": "POST",
    "/gradio_api/queue/join": "POST",
    "/gradio_api/queue/data": "GET",
    "/gradio_api/cancel": "POST",
    "/gradio_api/call/{api_name}": "POST",
    "/gradio_api/call/{api_name}/{event_id}": "GET",
    "/gradio_api/call/v2/{api_name}": "POST",
    "/gradio_api/call/v2/{api_name}/{event_id}": "GET",
    # what programs read of them
    "/config": "GET",
    "/gradio_api/info": "GET",
    "/gradio_api/openapi.json": "GET",
}
LOG_IN = {"/login": "POST", "/logout": "GET", "/name": "POST"}  # where others come in; the last one is the gate's own
OAUTH = {"/login/huggingface": "GET", "/login/callback": "GET", "/logout": "GET"}  # on a Space where one can sign in
WATCH = {"/watch/{secret}": "GET"}  # of our own, and for whoever has the secret
V1_PREFIX, MODELS, COMPLETIONS = "/v1/", "/v1/models", "/v1/chat/completions"
V1 = {MODELS: "GET", MODELS + "/{model:path}": "GET", COMPLETIONS: "POST"}  # of our own too, for programs that have a key
TAKE = {"/take/{secret}": "GET"}  # of our own, and told to whom the file belongs
STARTUP = "/gradio_api/startup-events"  # which `launch` asks for itself, once
ELSEWHERE = re.compile(r"/gradio_api/file=[\w+.-]{2,}:.*", re.DOTALL)  # an address: Gradio would fetch it for whoever asks


def pattern(path: str) -> re.Pattern[str]:
    """What matches the paths of a route."""
    parts = re.split(r"\{\w+(:path)?\}", path)
    kinds = {None: "[^/]+", ":path": ".*"}
    return re.compile("".join(kinds[part] if number % 2 else re.escape(part) for number, part in enumerate(parts)), re.DOTALL)


def _patterns(routes: Mapping[str, str]) -> list[tuple[re.Pattern[str], set[str]]]:
    return [(pattern(path), {method, "HEAD", "OPTIONS"}) for path, method in routes.items()]


class Door:
    """Says which requests go in. Until `launched` also the one by which Gradio starts itself, with `log_in` those to log in, and with
    `oauth` those to sign in with an account of the Hub.
    """

    def __init__(self, launched: bool = True, log_in: bool = False, oauth: bool = False) -> None:
        ours = {**OPEN, **WATCH, **TAKE, **V1}
        self.launched, self._open = launched, _patterns({**ours, **(LOG_IN if log_in else {}), **(OAUTH if oauth else {})})

    def __call__(self, method: str, path: str) -> bool:
        if path == STARTUP:
            return not self.launched
        known = any(method in methods and route.fullmatch(path) for route, methods in self._open)
        return known and not ELSEWHERE.fullmatch(path)
