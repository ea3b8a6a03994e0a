"""A Space played on this machine: who a visitor is, by which address and in which frame the page is shown, whose account is believed."""

import asyncio
import base64
import hashlib
import hmac
import html
import json
import os
import pathlib
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gradio_client import Client

from tests.bench.server import ROOT
from tests.serve.conftest import SPACE
from tests.serve.school import press
from tests.serve.security.places import Place
from tuning import settings
from tuning.errors import InputError
from tuning.schema import ANONYMOUS, LOCAL, SIGNED_IN
from tuning.serve import edge, hosted, owners
from tuning.text import t
from tuning.ui import view
from tuning.ui.markup import Html

HOST = "x-y.hf.space"
PROXY = {"x-forwarded-host": HOST, "x-forwarded-proto": "https"}
ON_SPACE = settings.Settings(home=pathlib.Path("home"), mode="space", space=settings.Space(oauth=True))


def session_cookie(info: dict[str, Any], secret: str) -> str:
    """A session cookie as Starlette signs it with `secret`, which is what Gradio makes of OAUTH_CLIENT_SECRET."""
    word = hashlib.sha256((secret + "-v4").encode()).hexdigest().encode()
    stamp = base64.urlsafe_b64encode(int(time.time()).to_bytes(4, "big")).rstrip(b"=")
    value = base64.b64encode(json.dumps({"oauth_info": info}).encode()) + b"." + stamp
    made = hashlib.sha1(b"itsdangerous.Signer" + b"signer" + word).digest()
    return (value + b"." + base64.urlsafe_b64encode(hmac.new(made, value, hashlib.sha1).digest()).rstrip(b"=")).decode()


def account(subject: Any = "64f1", lasts: float = 3600) -> dict[str, Any]:
    return {"userinfo": {"sub": subject, "preferred_username": "anna"}, "expires_at": time.time() + lasts, "access_token": "x"}


def asked(here: settings.Settings, **scope: Any) -> str:
    """Whom a request speaks for, as Gradio hands it to an event."""
    return owners.of(SimpleNamespace(request=SimpleNamespace(scope=scope), username=None), here)


def test_on_a_space_the_account_is_the_owner_and_else_the_cookie() -> None:
    visitor = {owners.VISITOR: ANONYMOUS + "1"}
    assert asked(ON_SPACE, session={"oauth_info": account()}, **visitor) == SIGNED_IN + "64f1"
    for session in ({}, {"oauth_info": None}, {"oauth_info": {}}, {"oauth_info": account(lasts=-1)}, {"oauth_info": account("")}):
        assert asked(ON_SPACE, session=session, **visitor) == ANONYMOUS + "1"
    with pytest.raises(InputError, match=r"auth\.log_in"):
        asked(ON_SPACE)


@pytest.mark.parametrize(
    ("here", "owner"),
    [
        (settings.Settings(home=pathlib.Path("home")), LOCAL),
        (settings.Settings(home=pathlib.Path("home"), mode="shared"), None),
        (settings.Settings(home=pathlib.Path("home"), mode="space"), None),  # by name alone
        (settings.Settings(home=pathlib.Path("home"), mode="space", space=settings.Space(oauth=False)), None),
    ],
)
def test_no_account_is_believed_where_nobody_can_sign_in(here: settings.Settings, owner: str | None) -> None:
    scope = {"session": {"oauth_info": account()}}
    if owner is not None:
        assert asked(here, **scope) == owner
        return
    with pytest.raises(InputError, match=r"auth\.log_in"):
        asked(here, **scope)


def through(hosts: tuple[str, ...] = (), key: bytes = b"k" * 32, **options: Any) -> tuple[httpx.Response, dict[str, Any]]:
    """One request through both edges, and what arrives of it."""
    found: dict[str, Any] = {}

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        found.update(scope, host=dict(scope["headers"])[b"host"].decode())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"inside"})

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=hosted.Hosted(edge.Edge(inside, hosts=None), hosts, key))
        async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:7860") as client:
            return await client.request(options.pop("method", "POST"), options.pop("path", "/gradio_api/queue/join"), **options)

    return asyncio.run(go()), found


@pytest.mark.parametrize(
    ("hosts", "headers", "host", "status"),
    [
        ((), PROXY | {"origin": f"https://{HOST}"}, HOST, 200),
        ((), {"host": HOST, "origin": f"https://{HOST}"}, HOST, 200),
        ((HOST, "tailor.example"), {"x-forwarded-host": "tailor.example", "origin": "https://tailor.example"}, "tailor.example", 200),
        ((), PROXY | {"origin": "https://huggingface.co"}, "", 403),
        ((), PROXY | {"origin": "https://other.hf.space"}, "", 403),
        ((), PROXY | {"origin": "null"}, "", 403),
        ((), PROXY | {"sec-fetch-site": "cross-site"}, "", 403),
        ((), {"x-forwarded-host": "evil.example", "origin": "https://evil.example"}, "", 403),
        ((HOST,), {"x-forwarded-host": "other.hf.space", "origin": "https://other.hf.space"}, "", 403),
        ((), {}, "10.0.0.7:7860", 200),
    ],
)
def test_the_proxy_is_believed_for_the_space_s_own_names_alone(
    hosts: tuple[str, ...], headers: dict[str, str], host: str, status: int
) -> None:
    answer, found = through(hosts, headers=headers)
    assert (answer.status_code, found.get("host", "")) == (status, host)
    if host and "." in host and not host[0].isdigit():
        assert found["scheme"] == "https"


def test_the_page_may_stand_in_the_frame_of_huggingface_and_in_no_other() -> None:
    for path in ("/", "/nowhere", "/it?lang=en"):
        answer, _ = through(method="GET", path=path)
        (policy,) = answer.headers.get_list("content-security-policy")
        assert (
            policy.endswith("frame-ancestors 'self' https://huggingface.co https://*.hf.space") and "x-frame-options" not in answer.headers
        )
    language = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("sartoria_language"))
    assert language.endswith("SameSite=None; Secure; Partitioned") and "Lax" not in language


def test_a_frame_keeps_every_cookie_of_the_page() -> None:
    """Without a jar of its own the browser of a visitor forgets within the frame that somebody has signed in."""
    made = [
        b"session=e30.a.b; path=/; httponly; samesite=none; secure",
        b"other=1; Path=/; SameSite=Lax",
        b"gone=null; Max-Age=0; SameSite=strict",
    ]

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 302, "headers": [(b"Set-Cookie", line) for line in made]})
        await send({"type": "http.response.body", "body": b""})

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=hosted.Hosted(inside, (), b"k" * 32))
        async with httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}") as client:
            return await client.get("/login/callback")

    kept = [line for line in asyncio.run(go()).headers.get_list("set-cookie") if not line.startswith(hosted.COOKIE)]
    assert [line.split(";")[0] for line in kept] == ["session=e30.a.b", "other=1", "gone=null"]
    for line in kept:
        said = [part.strip().lower() for part in line.split(";")]
        assert [part for part in said if part.startswith(("samesite", "secure", "partitioned"))] == [
            "samesite=none",
            "secure",
            "partitioned",
        ]
    assert "httponly" in kept[0].lower() and "max-age=0" in kept[2].lower()


def test_where_signing_in_is_wanted_and_its_packages_are_missing_the_program_says_which(tmp_path: pathlib.Path) -> None:
    hidden = "import sys; sys.modules['authlib'] = None; from tuning.cli import app; from tuning import settings\n"
    oauth = dict.fromkeys(settings.OAUTH, "x")
    said = subprocess.run(
        [sys.executable, "-c", hidden + "app.doors(app.options([]), settings.read())"],
        cwd=ROOT, env={**os.environ, **SPACE, **oauth, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "gradio[oauth]" in said.stderr and "authlib" in said.stderr and "itsdangerous" not in said.stderr, said


def test_a_visitor_is_who_the_cookie_says_and_a_forged_one_is_somebody_new() -> None:
    answer, first = through()
    kept = answer.headers["set-cookie"]
    assert all(word in kept for word in ("HttpOnly", "SameSite=None", "Secure", "Partitioned", "Path=/"))
    value = kept.split(";")[0].partition("=")[2]
    assert len(base64.urlsafe_b64decode(value.split(".")[0] + "=")) == 32 and value.split(".")[0] not in first[owners.VISITOR]
    again, found = through(headers={"cookie": f"{hosted.COOKIE}={value}"})
    assert found[owners.VISITOR] == first[owners.VISITOR] and "set-cookie" not in again.headers
    token, signature = value.split(".")
    turned = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    forged = [
        f"{token}",
        f"{token}.",
        f"{token}.{turned}",
        f"x.{signature}",
        first[owners.VISITOR],
        "\u00e8.\u00e8",
        ".",
        f"{value}.x",
        "x" * 5000,
    ]
    seen = {first[owners.VISITOR]}
    for cookie in forged:
        answer, found = through(headers=[(b"cookie", f"{hosted.COOKIE}={cookie}".encode("latin-1"))])
        assert found[owners.VISITOR] not in seen and hosted.COOKIE in answer.headers["set-cookie"], cookie
        seen.add(found[owners.VISITOR])
    _, elsewhere = through(key=b"l" * 32, headers={"cookie": f"{hosted.COOKIE}={value}"})
    assert elsewhere[owners.VISITOR] not in seen


def test_what_signs_the_cookies_is_kept_for_its_owner_alone(tmp_path: pathlib.Path) -> None:
    made = hosted.key(tmp_path)
    assert len(made) == 32 and hosted.key(tmp_path) == made and [*tmp_path.iterdir()] == [tmp_path / "visitors.key"]
    assert sys.platform == "win32" or (tmp_path / "visitors.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("options", [["--share"], ["--auth", "anna:gatto7"], ["--public-url", "https://x.example"], None])
def test_what_does_not_go_with_a_space_is_refused(options: list[str] | None, tmp_path: pathlib.Path) -> None:
    env = {**os.environ, **(SPACE if options is not None else {"TUNING_MODE": "space"})}
    command = [sys.executable, "app.py", "--no-browser", "--home", str(tmp_path), "--lang", "en", *(options or [])]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert (options or ["SYSTEM=spaces"])[0] in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="session")
def space(hosted_place: Place) -> str:
    return hosted_place.address


def call(address: str, cookie: str, endpoint: str, *values: Any) -> Any:
    """What an endpoint answers to a browser with this cookie; a sentence where it refuses."""
    place, headers = f"{address}/gradio_api/call/{endpoint}", {"cookie": cookie}
    event = httpx.post(place, json={"data": values}, headers=headers).json()["event_id"]
    kind, said = httpx.get(f"{place}/{event}", headers=headers, timeout=60).text.strip().split("\n")[-2:]
    found = json.loads(said.removeprefix("data: "))
    return found[0] if kind == "event: complete" else found["error"]


def names(address: str, cookie: str) -> list[str]:
    return [run["run"] for run in call(address, cookie, "runs")]


def test_two_visitors_train_the_starter_and_neither_sees_the_other_s_run(space: str) -> None:
    anna, bruno = (httpx.get(space + "/", headers=PROXY).headers["set-cookie"].split(";")[0] for _ in range(2))
    fast = {"max_steps": 2, "report": False}
    runs = [call(space, who, "train", "starter", "starter-en", None, fast, None)["run"] for who in (anna, bruno)]
    for who, own, other in ((anna, *runs), (bruno, *runs[::-1])):
        assert names(space, who) == [own]
        for endpoint, *more in (("run",), ("stop",), ("resume",), ("delete",), ("export", "adapter")):
            assert "There is no run" in call(space, who, endpoint, other, *more)
    deadline = time.monotonic() + 120
    while call(space, anna, "run", runs[0])["step"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    turned = anna[:-1] + ("0" if anna[-1] != "0" else "1")
    for cookie in (turned, f"{hosted.COOKIE}=anna", f"session={session_cookie(account(), '')}"):
        assert names(space, cookie) == []
    program = Client(space, headers={"cookie": anna}, verbose=False)
    assert [run["run"] for run in program.predict(api_name="/runs")] == [runs[0]]
    for secret in ("/etc/passwd", str(ROOT / "README.md")):
        with pytest.raises(Exception, match="no longer here, or never was"):
            program.predict(secret, api_name="/check")


def test_the_page_is_served_as_the_space_s_and_without_a_log_in(space: str) -> None:
    for path, lang in (("/", "en"), ("/it", "it")):
        answer = httpx.get(space + path, headers=PROXY | {"accept-language": lang})
        assert answer.status_code == 200 and "huggingface.co https://*.hf.space" in answer.headers["content-security-policy"]
    config = httpx.get(space + "/config", headers=PROXY).json()
    assert config["root"] == f"https://{HOST}" and httpx.get(space + "/config").json()["root"] == space
    shown = json.dumps(config, ensure_ascii=False)
    for lang in ("en", "it"):
        assert t(lang, "space.visitor") in shown and t(lang, "space.sign_in") not in shown
    assert not config.get("space_id")  # with one the page would ask other hosts
    assert httpx.get(space + "/login/huggingface").status_code == 404


@pytest.mark.parametrize(("lang", "price"), [("en", "$0.80"), ("it", "0,80 $")])
def test_a_visitor_finds_the_way_to_a_copy_with_a_card_and_what_it_takes(lang: str, price: str) -> None:
    banner = view.on_a_space(settings.Space(id='x/y"><script>', oauth=True), lang)
    signed = view.on_a_space(settings.Space(oauth=True), lang, signed_in=True)
    assert html.escape(t(lang, "space.visitor_oauth")) in banner and html.escape(t(lang, "space.visitor_oauth")) not in signed
    assert "https://huggingface.co/spaces/x/y%22%3E%3Cscript%3E?duplicate=true" in banner and "<script" not in banner
    assert price in html.unescape(banner) and "24 GB" in banner


def test_an_order_of_a_visitor_s_is_refused_by_its_key(space: str) -> None:
    with httpx.Client(base_url=space, timeout=60, headers=PROXY) as browser:
        browser.headers["cookie"] = browser.get("/").headers["set-cookie"].split(";")[0]
        config = browser.get("/config").json()
        for text, code, params in (
            ("settings: {sft: {report_to: wandb}}", "settings.web", {"key": "sft.report_to"}),
            ("title: x\nsettings: {sft: {run_name: x}}", "settings.web", {"key": "sft.run_name"}),
            ("model: /etc", "quota.model", {"model": "/etc"}),
        ):
            said = press(browser, config, "order-file", what="file", value=text, name="mine.yaml")
            assert Html.escape(view.sentence("en", code, params)) in said
