"""The list of open routes against those that the app has: what is not in it is closed, also what a new Gradio brings."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from gradio.routes import App

from tuning import settings
from tuning.schema import LOCAL
from tuning.serve import routes
from tuning.serve.edge import Edge
from tuning.studio import Studio
from tuning.text import t
from tuning.ui import page

CLOSED = [
    "/openapi.json", "/login", "/logout", "/svelte/x.js", "/endpoints", "/gradio_api/deep_link", "/config/", "/pwa_icon", "/pwa_icon/9",
    "/manifest.json", "/monitoring", "/monitoring/summary", "/monitoring/key", "/gradio_api/user", "/gradio_api/login_check",
    "/gradio_api/token", "/gradio_api/dev/reload", "/gradio_api/runs", "/gradio_api/info/",
    "/gradio_api/custom_component/1/client/component/index.js", "/gradio_api/proxy=http://localhost/", "/gradio_api/stream/1",
    "/gradio_api/stream/1/close", "/gradio_api/stream/a/1/2/playlist.m3u8", "/gradio_api/file/etc/hostname", "/gradio_api/reset",
    "/gradio_api/api/chat", "/gradio_api/run/chat/", "/gradio_api/component_server", "/gradio_api/queue/status",
    "/gradio_api/startup-events", "/gradio_api/theme.css", "/gradio_api/process_recording", "/gradio_api/vibe-edit",
    "/gradio_api/undo-vibe-edit", "/gradio_api/vibe-code", "/gradio_api/vibe-starter-queries", "/gradio_api/file=http://localhost/",
    "/gradio_api/file=https://example.org/a.png", "/gradio_api/profiling/traces", "//", "/it//", "/nowhere",
]  # fmt: skip


async def inside(scope: Any, receive: Any, send: Any) -> None:
    """An app that answers to everything."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(method: str, path: str, door: routes.Door | None = None, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=Edge(inside, door=door or routes.Door()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **options)

    return asyncio.run(go())


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The routes of the app by path, with their methods."""
    demo = page.build(Studio(settings.Settings(home=tmp_path_factory.mktemp("home")), LOCAL))
    app = App.create_app(demo)
    found = {path: {method.upper() for method in methods} for path, methods in app.openapi()["paths"].items()}
    for route in app.routes:  # those that have no description
        if hasattr(route, "methods"):
            found.setdefault(route.path.replace(":path}", "}"), set()).update(route.methods)
    return found


def test_each_open_route_is_one_of_the_app_s(real: dict[str, set[str]]) -> None:
    named = {path.replace(":path}", "}"): method for path, method in routes.OPEN.items()}
    assert not {path for path, method in named.items() if method not in real.get(path, set())}


def test_every_other_route_of_the_app_is_closed(real: dict[str, set[str]]) -> None:
    named = {path.replace(":path}", "}"): method for path, method in routes.OPEN.items()}
    door, left = routes.Door(), {}
    for path, methods in real.items():
        sample = re.sub(r"\{\w+\}", "x", path)
        for method in methods - {"HEAD", "OPTIONS"}:
            if door(method, sample) != (named.get(path) == method):
                left[path] = method
    assert not left and len(real) > 2 * len(named)


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_closed_says_so_in_a_sentence(path: str, method: str) -> None:
    answer = ask(method, "http://localhost" + path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert answer.text == t("en", "edge.nothing", path=path[:80]) and answer.headers["x-content-type-options"] == "nosniff"


def test_the_sentence_is_in_the_visitor_s_language() -> None:
    assert ask("GET", "/monitoring", headers={"accept-language": "it"}).text == t("it", "edge.nothing", path="/monitoring")


def test_the_app_is_started_by_itself_alone() -> None:
    assert ask("GET", routes.STARTUP, routes.Door(launched=False)).text == "inside"
    assert ask("GET", routes.STARTUP).status_code == 404
    assert ask("GET", "/monitoring", routes.Door(launched=False)).status_code == 404


def test_what_the_page_and_programs_need_goes_in() -> None:
    for path, method in routes.OPEN.items():
        answer = ask(method, re.sub(r"\{\w+(:path)?\}", "x", path))
        assert answer.text == "inside", path
    assert ask("HEAD", "/").status_code == ask("GET", "/gradio_api/file=C:/sartoria/uploads/a.zip").status_code == 200


def test_of_openai_s_routes_those_in_the_list_are_open() -> None:
    assert routes.V1 == {"/v1/models": "GET", "/v1/models/{model:path}": "GET", "/v1/chat/completions": "POST"}
    for path, method in routes.V1.items():
        there = path.replace("{model:path}", "owner/name")
        assert ask(method, there).text == "inside" and ask("DELETE", there).status_code == 404
    for path in ("/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/", "/v1/chat/completions/x"):
        assert ask("POST", path).status_code == 404
