"""Signing in on a Space, with an OAuth provider on the loopback interface: the whole way through Gradio's routes and Authlib.

It does not show what huggingface.co really answers, nor how browsers treat a cookie in its frame.
"""

import json
import os
import pathlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.bench.server import running
from tests.serve.test_hosted import SPACE, call, names
from tuning.text import t

pytestmark = pytest.mark.nightly
pytest.importorskip("authlib")
pytest.importorskip("itsdangerous")
jwt: Any = pytest.importorskip("joserfc.jwt")
jwk: Any = pytest.importorskip("joserfc.jwk")


class Provider(ThreadingHTTPServer):
    """Gives an account to whoever asks: the one that `subject` names."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "k", "alg": "RS256", "use": "sig"})
        self.subject = self.nonce = ""
        self.authorize = f"{self.address}/authorize"  # where it asks the person


class Answers(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, format: str, *values: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        base = self.server.address
        places = {"authorization_endpoint": self.server.authorize, "token_endpoint": f"{base}/token", "jwks_uri": f"{base}/jwks"}
        keys = {"keys": [self.server.key.as_dict(private=False)]}
        self.say(keys if self.path == "/jwks" else {"issuer": base, "id_token_signing_alg_values_supported": ["RS256"], **places})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        now = int(time.time())
        facts = {"iss": self.server.address, "aud": "client", "iat": now, "exp": now + 3600, "nonce": self.server.nonce}
        facts |= {"sub": self.server.subject, "name": "Anna", "preferred_username": "anna", "profile": "", "picture": ""}
        token = jwt.encode({"alg": "RS256", "kid": "k"}, facts, self.server.key)
        self.say({"access_token": "hf_oauth_secret", "token_type": "bearer", "expires_in": 3600, "id_token": token})

    def say(self, found: dict[str, Any]) -> None:
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def session(answer: httpx.Response) -> str:
    line = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("session="))
    assert line.lower().endswith("samesite=none; secure; partitioned"), line  # else no frame of the Hub keeps it
    return line.split(";")[0]


def sign_in(address: str, provider: Provider, subject: str) -> str:
    """The session cookie of an account; kept by hand, for it is one for TLS."""
    asked = httpx.get(f"{address}/login/huggingface?_target_url=/it")
    query = parse_qs(urlsplit(asked.headers["location"]).query)
    provider.subject, provider.nonce = subject, query["nonce"][0]
    back = {"code": "c", "state": query["state"][0], "_target_url": "/it"}
    came = httpx.get(f"{address}/login/callback", params=back, headers={"cookie": session(asked)})
    assert came.headers["location"] == "/it"
    return session(came)


def test_an_account_finds_its_things_in_every_browser_and_after_a_restart(tmp_path: pathlib.Path, provider: Provider) -> None:
    oauth = {"OAUTH_CLIENT_ID": "client", "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "openid profile"}
    env = {"HF_HUB_OFFLINE": "1", **os.environ, **SPACE, **oauth, "OPENID_PROVIDER_URL": provider.address}
    home = tmp_path / "space"
    with running(home, env=env) as (address, _):
        anna, bruno = sign_in(address, provider, "64f1"), sign_in(address, provider, "77aa")
        run = call(address, anna, "train", "starter", "starter-en", None, {"max_steps": 1, "report": False}, None)["run"]
        assert names(address, anna) == names(address, sign_in(address, provider, "64f1")) == [run]
        assert names(address, bruno) == [] and "There is no run" in call(address, bruno, "run", run)
        other = ("train", "Qwen/Qwen3-0.6B", "starter-en", None, {}, None)
        visitor = httpx.get(address + "/").headers["set-cookie"].split(";")[0]
        assert "for those who sign in" in call(address, visitor, *other)
        assert "for those who sign in" not in call(address, anna, *other)
        left = httpx.get(address + "/logout", headers={"cookie": anna})
        assert session(left) == "session=null"
        config = httpx.get(address + "/config").json()
        shown = {str(part["props"].get("value")) for part in config["components"]}
        buttons = [part["id"] for part in config["components"] if part["props"].get("elem_id") == "sign-in"]
        for page in (config["page"][route] for route in ("", "it")):  # each page's button learns on opening who has signed in
            told = {out for step in config["dependencies"] if step["id"] in page["dependencies"] for out in step["outputs"]}
            assert len({*buttons} & {*page["components"]} & told) == 1
        assert {t("en", "space.sign_in"), t("it", "space.sign_in")} <= shown
        assert "_check_login_status" not in httpx.get(address + "/gradio_api/info").text
    with running(home, env=env) as (address, _):
        assert names(address, anna) == [run] and names(address, "session=e30.x.y") == []
        provider.shutdown()
        provider.server_close()
        for path in ("huggingface", "callback?code=c&state=s&_nb_redirects=x"):
            told = httpx.get(f"{address}/login/{path}")
            assert told.status_code == 502 and told.text == "\n\n".join(t(lang, "space.sign_in.failed") for lang in ("en", "it"))
    assert "hf_oauth_secret" not in (home / "app.log").read_text(encoding="utf-8")
