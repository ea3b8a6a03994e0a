"""The edge of the server against a tiny app: language, injection, origins, limits, and streams that are not held back."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tuning.serve import edge
from tuning.text import t

PAGE = """<!doctype html>
<html
\tlang="en">
<head>
<meta property="og:image" content="https://elsewhere.example/x.png" />
</head><body>è</body></html>""".encode()


async def tiny(scope: Any, receive: Any, send: Any) -> None:
    """Pages at / and /it, an echo of lengths at /echo, three pieces at /stream."""
    if scope["path"] == "/echo":
        total, more = 0, True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            total, more = total + len(event.get("body", b"")), event.get("more_body", False)
        body, kind = str(total).encode(), b"text/plain"
    else:
        body, kind = PAGE, b"text/html; charset=utf-8"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind), (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body[:20], "more_body": True})
    await send({"type": "http.response.body", "body": body[20:]})


def ask(method: str, path: str, lang: str = "auto", app: Any = tiny, alive: Any = None, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        made = edge.Edge(app, lang=lang) if alive is None else edge.Edge(app, lang=lang, alive=alive)
        transport = httpx.ASGITransport(app=made)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
            return await client.request(method, path, **options)

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("it-IT,it;q=0.9,en;q=0.8", "it"),
        ("en-GB,en;q=0.9,it;q=0.8", "en"),
        ("fr,it;q=0.5,en;q=0.3", "it"),
        ("de", "en"),
        ("", "en"),
        ("it;q=oops", "en"),
    ],
)
def test_the_better_liked_language(accept: str, expected: str) -> None:
    assert edge.preferred(accept) == expected


def test_first_visit_goes_to_the_browser_s_language() -> None:
    answer = ask("GET", "/", headers={"accept-language": "it"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/it")
    assert ask("GET", "/", headers={"accept-language": "en"}).status_code == 200


def test_the_switch_wins_afterwards() -> None:
    chosen = ask("GET", "/it?lang=en")
    assert chosen.headers["location"] == "/"
    cookie = chosen.headers["set-cookie"].split(";")[0]
    assert ask("GET", "/", headers={"accept-language": "it", "cookie": cookie}).status_code == 200
    assert ask("GET", "/", headers={"cookie": f"{edge.COOKIE}=it"}).headers["location"] == "/it"


def test_a_pinned_language_holds_until_the_switch_is_used() -> None:
    assert ask("GET", "/", lang="it").headers["location"] == "/it"
    assert ask("GET", "/it", lang="en", headers={"accept-language": "it"}).headers["location"] == "/"
    assert ask("GET", "/", lang="it", headers={"cookie": f"{edge.COOKIE}=en"}).status_code == 200


@pytest.mark.parametrize(("path", "lang", "locale"), [("/", "en", "en"), ("/it", "it", "ca")])
def test_the_script_stands_first_in_the_head(path: str, lang: str, locale: str) -> None:
    answer = ask("GET", path)
    head = answer.text.split("<head>")[1]
    assert head.startswith("<script>") and f'locale = "{locale}"' in head
    assert f'lang="{lang}"' in answer.text.split("<head>")[0]
    assert "elsewhere.example" not in answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "content-security-policy" in answer.headers and answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "localhost:7860", "origin": "http://localhost:7860"}, 200),
    ],
)
def test_only_this_site_may_send(headers: dict[str, str], status: int) -> None:
    assert ask("POST", "/echo", headers=headers, content=b"{}").status_code == status


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)])
def test_no_other_site_logs_anybody_out(site: str, status: int) -> None:
    for path in ("/logout", "/logout/"):
        assert ask("GET", path, headers={"sec-fetch-site": site}).status_code == status
    assert ask("GET", "/", headers={"sec-fetch-site": site}).status_code == 200


def test_a_request_with_two_lengths_is_refused_and_its_connection_ends() -> None:
    both = [("content-length", "3"), ("transfer-encoding", "chunked")]
    answer = ask("POST", "/echo", headers=both, content=b"abc")
    assert (answer.status_code, answer.headers["connection"]) == (400, "close")


def test_large_bodies_are_refused_announced_or_not() -> None:
    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 1_000_000 for _ in range(22))

    async def unannounced() -> Any:
        for piece in pieces():
            yield piece

    assert ask("POST", "/echo", headers={"content-length": "30000000"}, content=b"x").status_code == 413
    assert ask("POST", "/echo", content=unannounced()).status_code == 413
    assert ask("POST", "/echo", content=b"x" * 1000).text == "1000"


def test_streams_pass_piece_by_piece() -> None:
    sent: list[bytes] = []
    order: list[str] = []

    async def dripping(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for piece in (b"one", b"two"):
            order.append(piece.decode())
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def collect(event: Any) -> None:
        if event["type"] == "http.response.body":
            sent.append(event["body"])
            order.append("out")

    scope = {"type": "http", "method": "GET", "path": "/gradio_api/queue/data", "headers": [(b"host", b"localhost")], "query_string": b""}
    asyncio.run(edge.Edge(dripping)(scope, lambda: asyncio.sleep(0), collect))  # type: ignore[arg-type, return-value]
    assert order == ["one", "out", "two", "out", "out"] and sent == [b"one", b"two", b""]


@pytest.mark.parametrize(("alive", "status"), [(True, 200), (False, 503)])
def test_health_is_that_of_the_thread_that_trains(alive: bool, status: int) -> None:
    answer = ask("GET", "/healthz", alive=lambda: alive)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    found = answer.json()
    assert found["alive"] is alive and found["error"] == (None if alive else t("en", "workshop.ended"))
    assert ask("HEAD", "/healthz", alive=lambda: alive).status_code == status
    assert ask("GET", "/healthz", alive=lambda: alive, headers={"host": "evil.example"}).status_code == 403


def beats(idle: Any, seconds: float, monkeypatch: pytest.MonkeyPatch, closes: bool = False) -> list[Any]:
    """What a heartbeat that nobody leaves sends within `seconds`, and whether it has ended."""
    monkeypatch.setattr(edge, "NEW_SECONDS", 0.1)
    sent: list[Any] = []

    async def beating(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        if closes:
            await send({"type": "http.response.body", "body": b""})

    async def stays() -> Any:
        await asyncio.sleep(3600)

    async def collect(event: Any) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "GET", "path": f"{edge.HEARTBEAT}anna", "headers": [(b"host", b"localhost")], "query_string": b""}
    try:
        asyncio.run(asyncio.wait_for(edge.Edge(beating, idle=idle)(scope, stays, collect), seconds))
    except TimeoutError:
        sent.append("goes on")
    return sent


@pytest.mark.parametrize(("idle", "ends"), [(None, True), (edge.IDLE_SECONDS + 1, True), (5.0, False)], ids=["never", "long ago", "now"])
def test_a_heartbeat_ends_where_its_session_does_nothing(idle: float | None, ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    sent = beats(lambda session: names.append(session) or idle, 5.0 if ends else 0.6, monkeypatch)
    assert sent[-1] == ({"type": "http.response.body", "body": b""} if ends else "goes on") and set(names) == {"anna"}


@pytest.mark.parametrize("closes", [False, True])
def test_a_heartbeat_that_is_ended_is_closed_once(closes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = beats(lambda session: None, 5.0, monkeypatch, closes)
    assert [event["type"] for event in sent] == ["http.response.start", "http.response.body"]
