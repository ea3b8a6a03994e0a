"""Slow connections, at a real server on a port of its own: heads, bodies and readers that never come to an end."""

import asyncio
import contextlib
import pathlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
import uvicorn

from tests.bench.server import free_port, running
from tuning.serve import patience
from tuning.ui.desk import SLOW as SLOWEST_LOOK

Wait = Callable[..., Any]
HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"


class Hasty(patience.Patient):
    """As patient as a test."""

    GRACE, RATE, STUCK, IDLE, MOST = 0.6, 1000, 0.6, 2, 60


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The length of a body at /echo; at /flood more than anybody reads; at /slow an answer after a second."""
    if scope["type"] != "http":
        return
    total, more = 0, scope["path"] == "/echo"
    while more:
        event = await receive()
        total, more = total + len(event.get("body", b"")), event.get("more_body", False)
    await asyncio.sleep(1.2 * (scope["path"] == "/slow"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(4000 if scope["path"] == "/flood" else 0):
        await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
    await send({"type": "http.response.body", "body": str(total).encode()})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    before = dict(patience.HTTP_PROTOCOLS)
    patience.HTTP_PROTOCOLS["auto"] = f"{__name__}:Hasty"
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join()
    patience.HTTP_PROTOCOLS.update(before)


def begin(port: int, first: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port))
    made.sendall(first)
    return made


def closed(made: socket.socket) -> bool:
    """Whether the other side has closed; what it sent before is thrown away."""
    made.setblocking(False)
    try:
        while made.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def drip(made: socket.socket) -> None:
    with contextlib.suppress(OSError):
        made.send(b"x")


def honest(port: int, size: int = 10) -> float:
    """Seconds until an honest call has its answer."""
    began = time.perf_counter()
    assert httpx.post(f"http://127.0.0.1:{port}/echo", content=b"y" * size, timeout=20).text == str(size)
    return time.perf_counter() - began


SLOW = {
    "nothing": b"",
    "half a head": HEAD + b"X-A: ",
    "no body": HEAD + b"Content-Length: 1000\r\n\r\n",
    "no end of chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    "a body that nobody asked for": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
    "half a second head": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT",
}


@pytest.mark.parametrize("dripping", [False, True], ids=["and no more", "a byte at a time"])
def test_what_does_not_arrive_is_closed_and_honest_calls_are_answered(port: int, dripping: bool, wait_until: Wait) -> None:
    slow = [begin(port, first) for first in SLOW.values() for _ in range(5)]

    def gone() -> bool:
        for made in slow if dripping else ():
            drip(made)
        assert honest(port) < 5
        return all(closed(made) for made in slow)

    wait_until(gone, 20)


def test_a_reader_who_never_reads_is_closed(port: int, wait_until: Wait) -> None:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", port))
    made.sendall(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(1.2)
    assert honest(port) < 5
    wait_until(lambda: closed(made), 10)


def test_more_than_there_is_room_for_push_out_the_slowest_and_nobody_else(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        answer: list[str] = []
        working = threading.Thread(target=lambda: answer.append(client.get("/slow").text))
        working.start()
        time.sleep(0.3)
        slow = [begin(port, HEAD) for _ in range(Hasty.MOST * 3)]
        assert honest(port) < 5
        working.join()
    assert answer == ["0"]  # at work meanwhile, and not pushed out
    deadline = time.monotonic() + 20  # on a busy machine the server comes to them later
    while (left := sum(not closed(made) for made in slow)) > Hasty.MOST + 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left <= Hasty.MOST + 5


def test_who_is_idle_is_held_for_a_while_and_is_the_first_to_go(port: int, wait_until: Wait) -> None:
    asked = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    idle: list[socket.socket] = []
    for _ in range(Hasty.MOST):
        idle.append(begin(port, asked))
        assert idle[-1].recv(1000)
    begin(port)
    assert honest(port) < 5
    assert closed(idle[0]) and not closed(idle[-1])
    wait_until(lambda: all(closed(one) for one in idle), 20)
    assert patience.Patient.IDLE > 2 * SLOWEST_LOOK


def test_who_is_slow_but_steady_and_who_waits_for_an_answer_are_served(port: int) -> None:
    made = begin(port, HEAD + b"Content-Length: 3000\r\n\r\n")
    for _ in range(10):  # twice as long as the grace, and faster than the least rate
        made.sendall(b"z" * 300)
        time.sleep(0.15)
    made.settimeout(10)
    assert b"\r\n3000\r\n" in made.recv(1000)
    assert httpx.get(f"http://127.0.0.1:{port}/slow", timeout=20).text == "0"
    assert honest(port, 5_000_000) < 20


def test_the_app_takes_it_over() -> None:
    before = dict(patience.HTTP_PROTOCOLS)
    try:
        patience.take_over()
        config = uvicorn.Config(app)
        config.load()
        assert config.http_protocol_class is patience.Patient and 20 <= patience.Patient.MOST <= 500
    finally:
        patience.HTTP_PROTOCOLS.update(before)


@pytest.mark.nightly
def test_two_hundred_slow_ones_at_the_app_itself(tmp_path: pathlib.Path) -> None:
    """Heads, bodies and streams that are never read: all closed by the app's own limits, and honest calls within a second."""
    with running(tmp_path / "home") as (address, _):
        at = int(address.rsplit(":", 1)[1])
        streams = [f"GET /gradio_api/heartbeat/forged{n} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for n in range(66)]
        bodies = [b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n{" for _ in range(67)]
        slow = [begin(at, first) for first in [HEAD] * 67 + bodies + streams]
        waits, began = [], time.monotonic()
        with httpx.Client(base_url=address, timeout=60) as client:
            while not all(left := [closed(made) for made in slow]) and time.monotonic() - began < 120:
                for made in slow[67:134]:
                    drip(made)
                asked = time.perf_counter()
                assert client.post("/gradio_api/run/hardware", json={"data": []}).status_code == 200
                waits.append(time.perf_counter() - asked)
                time.sleep(0.5)
    took, most = time.monotonic() - began, max(waits)
    print(f"200 slow connections: {sum(left)} closed after {took:.0f} s; {len(waits)} honest calls, at most {most:.2f} s")
    assert all(left)


@pytest.mark.nightly
@pytest.mark.parametrize("forged", [10_000])
def test_ten_thousand_forged_sessions_take_less_than_300_mb(forged: int, tmp_path: pathlib.Path) -> None:
    """Each joins the queue, asks by another way too, and opens a heartbeat and a stream that it leaves."""

    async def flood(address: str) -> None:
        gate = asyncio.Semaphore(16)

        async def one(client: httpx.AsyncClient, name: str, index: int) -> None:
            async with gate:
                asked = {"fn_index": index, "data": [], "session_hash": name}
                await client.post("/gradio_api/queue/join", json=asked)
                await client.post("/gradio_api/run/predict", json=asked)
                for stream in (f"heartbeat/{name}", f"queue/data?session_hash={name}"):
                    async with client.stream("GET", f"/gradio_api/{stream}"):
                        pass

        async with httpx.AsyncClient(base_url=address, timeout=300) as client:
            found = (await client.get("/config")).json()["dependencies"]
            index = next(one["id"] for one in found if one["api_name"] == "hardware")
            await asyncio.gather(*(one(client, f"forged-{number}", index) for number in range(forged)))

    with running(tmp_path / "home") as (address, process), httpx.Client(base_url=address, timeout=60) as client:
        client.post("/gradio_api/run/hardware", json={"data": []})
        before = psutil.Process(process.pid).memory_info().rss
        asyncio.run(flood(address))
        grown = psutil.Process(process.pid).memory_info().rss - before
        assert client.post("/gradio_api/run/hardware", json={"data": []}).status_code == 200
    print(f"{forged} forged sessions: {grown / 1e6:.0f} MB more")
    assert grown < 300e6
