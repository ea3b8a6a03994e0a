"""A route that fails: one sentence in the place of a traceback, under a number that the log has too."""

import errno
import logging
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tuning.serve.faults import Faults

FAILS = {
    "misfit": (KeyError("/secret"), 400),
    "ours": (ZeroDivisionError("/secret"), 500),
    "disk": (OSError(errno.ENOSPC, "no room", "/secret/file"), 507),
}


async def fail(request: Request) -> Response:
    raise FAILS[request.path_params["how"]][0]


async def breaks(request: Request) -> Response:
    def pieces() -> Iterator[str]:
        yield "one"
        raise KeyError("secret")

    return StreamingResponse(pieces())


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[Route("/fail/{how}", fail), Route("/breaks", breaks)], middleware=[Middleware(Faults)]))


@pytest.mark.parametrize("how", FAILS)
def test_a_route_that_fails_is_a_sentence(client: TestClient, caplog: pytest.LogCaptureFixture, how: str) -> None:
    caplog.set_level(logging.WARNING, "tuning.serve.faults")
    answer = client.get(f"/fail/{how}")
    said = answer.json()["error"]
    assert answer.status_code == FAILS[how][1] and "secret" not in said and said.endswith(".")
    logged = [record for record in caplog.records if record.name == "tuning.serve.faults"]
    assert len(logged) == (how != "disk") and all(record.args[0] in said for record in logged)  # type: ignore[index]
    assert [bool(record.exc_info) for record in logged] == ([how == "ours"] if logged else [])


def test_a_stream_that_breaks_off_ends(client: TestClient) -> None:
    assert client.get("/breaks").text == "one"
