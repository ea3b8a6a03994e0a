"""What other pages, other names and broken requests try: reading across origins, leading elsewhere, smuggling."""

import contextlib
import socket
from urllib.parse import quote, urlsplit

import fastapi
import httpx
import pytest
from gradio import oauth
from starlette.testclient import TestClient

from tests.serve.security.places import Place, call, listening, sent
from tests.serve.test_hosted import HOST, PROXY, account, session_cookie

ELSEWHERE = (
    "https://evil.example",
    "null",
    "http://localhost:9999",
    "http://127.0.0.1:1",
    "http://127.0.0.1.evil.example",
    f"http://{HOST}.evil.example",
)
AWAY = (
    "////evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil.example",
    "https:////evil.example", "/\t/evil.example", "//evil.example:80/x", "/.//evil.example", "javascript:alert(1)", "data:text/html,x",
    "/x\r\nLocation: https://evil.example", "//\u3002evil.example", "https://127.0.0.1@evil.example", "%2f%2fevil.example",
)  # fmt: skip


def named(place: Place) -> dict[str, str]:
    """As a browser asks that came by the place's own address."""
    return PROXY if place.mode == "space" else {}


def test_no_answer_may_be_read_by_a_page_of_another_origin(place: Place) -> None:
    """Cross-origin reading (CVE-2024-47084, CVE-2024-1727): no origin is admitted, with cookies or without, also by a preflight."""
    paths = (
        "/",
        "/config",
        "/gradio_api/info",
        "/gradio_api/queue/data?session_hash=x-y",
        "/gradio_api/file=/etc/passwd",
        "/v1/models",
        "/healthz",
    )
    with place.browser(**named(place)) as browser:
        for origin in place.some(ELSEWHERE, 2):
            asked = {"origin": origin, "sec-fetch-site": "cross-site"}
            answers = [browser.get(path, headers=asked) for path in paths if "queue" not in path]
            with browser.stream("GET", "/gradio_api/queue/data?session_hash=x-y", headers=asked) as stream:
                answers.append(stream)
            wish = {**asked, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
            answers += [browser.options(path, headers=wish) for path in ("/gradio_api/run/train", "/gradio_api/upload", "/login")]
            admitted = [(str(one.url), name) for one in answers for name in one.headers if name.startswith("access-control-")]
            assert not admitted, (origin, admitted)


def test_no_page_of_another_site_changes_anything(place: Place) -> None:
    """Forged requests to a local app (CVE-2024-1727): whatever changes something is refused to other origins, by every route."""
    before = place.runs()
    train = {"data": ["starter", "starter-en", None, {"max_steps": 1}, None], "fn_index": 1, "session_hash": "x", "event_id": "x"}
    with place.browser(**named(place)) as browser:
        for origin in place.some(ELSEWHERE, 2):
            for path in ("run/train", "call/train", "call/v2/train", "queue/join", "cancel", "run/predict"):
                for kind in ("application/json", "text/plain"):  # a form of another site can send the second without a preflight
                    answer = browser.post(f"/gradio_api/{path}", json=train, headers={"origin": origin, "content-type": kind})
                    assert answer.status_code == 403, (origin, path)
            assert browser.post("/gradio_api/upload", files={"files": b"x"}, headers={"origin": origin}).status_code == 403
            assert browser.post("/login", data={"username": "x", "password": "x"}, headers={"origin": origin}).status_code == 403
        for site in ("cross-site", "same-site"):
            assert browser.post("/gradio_api/run/train", json=train, headers={"sec-fetch-site": site}).status_code == 403
    assert place.runs() == before


def test_nobody_is_logged_out_by_a_page_of_another_site(shared: Place) -> None:
    """A forged log-out: the route is a GET, and closes every session of its person."""
    with shared.browser() as browser:
        for site in ("cross-site", "same-site"):
            assert browser.get("/logout", headers={"sec-fetch-site": site}).status_code == 403
        assert browser.get("/config").status_code == 200
        assert browser.get("/logout?all_session=false", headers={"sec-fetch-site": "same-origin"}).status_code == 302
        assert browser.get("/config").status_code == 401


@pytest.mark.parametrize("mode", ["alone", "school"])
def test_another_name_for_this_machine_is_not_served(request: pytest.FixtureRequest, mode: str) -> None:
    """DNS rebinding: a name of somebody else's that leads here is refused, for reading too."""
    address = request.getfixturevalue(mode).address
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "evil.example:7860",
        "",
        "127.0.0.1@evil.example",
        "[::1].evil.example",
    ):
        with httpx.Client(base_url=address, headers={"host": host, "x-forwarded-host": urlsplit(address).netloc}) as browser:
            for method, path in (("GET", "/config"), ("GET", "/"), ("OPTIONS", "/gradio_api/run/runs"), ("POST", "/gradio_api/run/runs")):
                assert browser.request(method, path).status_code in (400, 403), (host, method, path)


def leads_away(location: str, address: str) -> bool:
    """Whether a browser that follows this leaves the address; it takes a backslash for a slash, and drops tabs and line ends."""
    read = location.replace("\\", "/").translate({9: None, 10: None, 13: None})
    there = httpx.URL(f"{address}/").join(read)
    return (there.scheme, there.netloc) != (httpx.URL(address).scheme, httpx.URL(address).netloc) or read.startswith("//")


def test_no_address_of_ours_leads_to_another_site(place: Place) -> None:
    """Open redirects (CVE-2026-28415): whatever a link to the page, the log-in or the log-out asks for, its answer stays here."""
    paths = ["/", "/it", "/it/", "/logout", "/login", "/login/huggingface", "/login/callback"]
    with place.browser() as browser:
        kept = dict(browser.cookies)
        for away in place.some(AWAY):
            for path in place.some([*paths, f"/{quote(away)}", f"/it/{quote(away)}"], 4):
                query = {"_target_url": away, "next": away, "lang": "en" + away, "deep_link": away, "all_session": "false"}
                answer = browser.get(place.address + path, params=query)
                browser.cookies.update(kept)
                assert not leads_away(answer.headers.get("location", "/"), place.address), (path, away, answer.headers)
                assert answer.headers.get_list("location")[1:] == []


def test_signing_in_and_out_on_a_space_leads_to_no_other_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """The routes of OAuth (CVE-2026-28415), which are Gradio's: back from the provider, and out again. `test_sign_in` walks them whole."""
    for name in ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES"):
        monkeypatch.setattr(oauth, name, "x")
    monkeypatch.setattr(oauth, "OPENID_PROVIDER_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(oauth, "get_space", lambda: "x/y")
    app = fastapi.FastAPI()
    oauth.attach_oauth(app)
    with TestClient(app, base_url="https://x-y.hf.space", follow_redirects=False) as browser:
        for away in AWAY:
            for path in ("/logout", "/login/callback"):
                location = browser.get(path, params={"_target_url": away}).headers["location"]
                assert not leads_away(location, "https://x-y.hf.space"), (path, away, location)


def test_an_account_that_is_signed_with_what_everybody_knows_is_nobody_s(place: Place) -> None:
    """The session cookie off a Space (CVE-2026-27167): it is signed with a constant there, and opens nothing that was not open before."""
    asked = (("push", ["last", "", ""]), ("train", ["Qwen/Qwen3-0.6B", "starter-en", None, None, None]), ("runs", []))
    with httpx.Client(base_url=place.address, timeout=60) as nobody:
        without = [call(nobody, endpoint, *values) for endpoint, values in asked]
    with httpx.Client(base_url=place.address, timeout=60, cookies={"session": session_cookie(account(), "")}) as forger:
        assert [call(forger, endpoint, *values) for endpoint, values in asked] == without
        assert "anna" not in forger.get("/config").text
    if place.mode != "local":  # where "last" could be a run
        assert all("error" in said for said in without[:2])


def raw(address: str, content: bytes, more: bool = True) -> bytes:
    """What the server says to these bytes: the beginning, or with `more` all until it closes or has nothing more to say."""
    parts, said = urlsplit(address), b""
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30) as made, contextlib.suppress(TimeoutError):
        made.sendall(content)
        while piece := made.recv(65536):
            said += piece
            made.settimeout(0.3)
            if not more:
                break
    return said


def test_no_socket_is_opened_for_another_site(place: Place) -> None:
    """Hijacked websockets: nothing here speaks that way, whoever asks."""
    key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    for path in place.some(("/", "/queue/join", "/gradio_api/queue/join", "/gradio_api/stream/x", "/ws"), 1):
        for origin in ("https://evil.example", place.address):
            said = raw(place.address, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n{key}\r\n\r\n".encode(), more=False)
            assert said.startswith(b"HTTP/1.1 ") and b" 101 " not in said.split(b"\r\n")[0], said[:100]


INNER = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
TWO_LENGTHS = {
    "a length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(INNER),
    "chunks that are none": b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
    "a length with a sign": b"Content-Length: +0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "half a line end": b"Transfer-Encoding: chunked\r\n\r\n0\n\r\n",
}


@pytest.mark.parametrize("lengths", TWO_LENGTHS)
def test_a_request_is_never_read_as_two(alone: Place, lengths: str) -> None:
    """Request smuggling: what a proxy could read as one request with another in its body has one answer, and the connection ends."""
    head = b"POST /gradio_api/run/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    said = raw(alone.address, head + TWO_LENGTHS[lengths] + INNER)
    assert said.count(b"HTTP/1.1 ") == 1 and b'"alive"' not in said, said


def test_what_a_visitor_sends_is_no_header_of_an_answer(place: Place) -> None:
    """Header injection: line ends in a query, a cookie or a file's name make no line of their own."""
    with place.browser() as browser:
        for path in (
            "/?lang=en%0d%0aX-Evil:%201",
            "/it?lang=it%0d%0aX-Evil:%201",
            "/x%0d%0aX-Evil:%201",
            "/watch/x%0d%0aX-Evil:%201",
            "/take/x%0d%0aX-Evil:%201",
        ):
            assert "x-evil" not in browser.get(path).headers, path
        head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="'
        body = head + 'a";x="\\"\u2028\r\n X-Evil: 1;.csv'.encode() + b'"\r\n\r\na,b\r\n--b--\r\n'
        made = browser.post("/gradio_api/upload", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
        for path in made.json() if made.status_code == 200 else []:
            answer = browser.get(f"/gradio_api/file={quote(path)}")
            assert "x-evil" not in answer.headers and answer.headers["content-disposition"].startswith("attachment")


def test_every_answer_says_where_it_may_stand_and_that_it_is_no_script(place: Place) -> None:
    """Clickjacking, guessed types and remote images: a refusal and a file have the headers of a page too."""
    frames = "frame-ancestors 'self' https://huggingface.co https://*.hf.space" if place.mode == "space" else "frame-ancestors 'self'"
    with place.browser() as browser:
        file = f"/gradio_api/file={sent(browser, 'a.csv', b'a,b')}"
        for path in (
            "/",
            "/it",
            "/config",
            "/nowhere",
            file,
            "/gradio_api/file=/etc/passwd",
            "/watch/x",
            "/take/x",
            "/v1/models",
            "/theme.css",
        ):
            headers = browser.get(path).headers
            (policy,) = headers.get_list("content-security-policy")
            assert policy.split("; ")[-1] in (frames, "frame-ancestors 'self'") and headers["x-content-type-options"] == "nosniff", path
            assert "http:" not in policy and "*" not in policy.replace("https://*.hf.space", "") and "img-src *" not in policy


def test_nothing_is_fetched_for_a_visitor_by_a_route(place: Place) -> None:
    """A server that fetches (CVE-2024-47167, CVE-2026-28416, CVE-2026-48545): proxies and addresses in the place of files are closed."""
    with listening() as (there, asked), place.browser() as browser:
        for target in (there, there.replace("http", "HTTP"), f"//{urlsplit(there).netloc}", quote(there, safe=""), f"https+{there}"):
            for path in (
                "gradio_api/proxy=",
                "proxy=",
                "gradio_api/file=",
                "file=",
                "gradio_api/file/",
                "gradio_api/stream/",
                "static/",
                "assets/",
                "theme.css?x=",
            ):
                answer = browser.get(f"/{path}{target}/x.csv")
                assert answer.status_code in (400, 403, 404) or "theme" in path, (path, target, answer.status_code)
                assert "stolen" not in answer.text
        for path in (
            "/gradio_api/component_server",
            "/gradio_api/process_recording",
            "/gradio_api/vibe-edit",
            "/gradio_api/reset",
            "/gradio_api/dev/reload",
        ):
            assert browser.post(path, json={"url": there, "data": there}).status_code == 404
    assert asked == []
