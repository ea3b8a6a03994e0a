"""Who comes in: log-ins as they are given, passwords that are tried too often, and a real app with two people in it."""

import pathlib
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from gradio_client import Client

from tests.bench.server import ROOT, running
from tests.serve.test_hosted import account, session_cookie
from tuning.errors import InputError
from tuning.serve.entrance.doors import AUTO_NAME, REFILL_SECONDS, TRIES, Throttle, people
from tuning.text import t

ANNA, BRUNO = ("anna", "gatto:7"), ("Bruno Rossi", "cane8")


def test_log_ins_come_from_options_and_a_file_and_the_first_is_the_operator(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "class.txt"
    file.write_bytes("\ufeff# the class\n\nBruno Rossi:cane8\r\nèlia: with space \n".encode())
    found = people(["anna:gatto:7"], str(file))
    assert found.passwords == {"anna": "gatto:7", "Bruno Rossi": "cane8", "èlia": " with space".rstrip("\n")}
    assert found.operators == ("anna",) and "gatto" not in repr(found)
    assert found.admits(*ANNA) and found.admits(" anna ", "gatto:7")
    for wrong in (("anna", "cane8"), ("anna", ""), ("nobody", "gatto:7"), ("", "")):
        assert not found.admits(*wrong)


def test_a_log_in_can_be_made_up() -> None:
    one, other = people(["auto"], None), people(["auto"], None)
    assert one.made and one.passwords[AUTO_NAME] != other.passwords[AUTO_NAME] and len(one.passwords[AUTO_NAME]) >= 12


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (["anna"], "auth.line"),
        (["anna:"], "auth.line"),
        ([":secret-word"], "auth.line"),
        (["local:secret-word"], "auth.name"),
        (["../anna:secret-word"], "auth.name"),
        (["a" * 41 + ":secret-word"], "auth.name"),
        (["anna:secret-word", "anna:other"], "auth.twice"),
    ],
)
def test_a_log_in_at_fault_is_told_without_its_password(given: list[str], code: str) -> None:
    with pytest.raises(InputError) as caught:
        people(given, None)
    assert caught.value.code == code and "secret-word" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"anna:x\n\xff\xfe", b"anna:x\nbruno\n"])
def test_a_file_of_log_ins_at_fault_is_told_with_the_line(tmp_path: pathlib.Path, content: bytes | None) -> None:
    file = tmp_path / "class.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        people([], str(file))
    assert str(file) in t("en", caught.value.code, **caught.value.params)
    assert caught.value.code == "auth.file" or ", 2" in caught.value.params["place"]


def test_passwords_are_not_tried_faster_than_one_in_six_seconds() -> None:
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])
    tried = 0
    for _ in range(1000):
        if not throttle.wait("anna", "1.2.3.4", ""):
            throttle.failed("anna", "1.2.3.4", "")
            tried += 1
    assert tried == TRIES
    assert 0 < throttle.wait("anna", "1.2.3.4", "") <= REFILL_SECONDS
    assert not throttle.wait("bruno", "1.2.3.4", "")  # another name
    assert not throttle.wait("anna", "5.6.7.8", "")  # from elsewhere
    assert not throttle.wait("anna", "1.2.3.4", throttle.cookie("anna"))  # where she has logged in before
    assert throttle.wait("anna", "1.2.3.4", throttle.cookie("bruno"))
    now[0] += REFILL_SECONDS
    assert not throttle.wait("anna", "1.2.3.4", "")


@pytest.mark.parametrize("options", [["--share"], ["--host", "0.0.0.0"], ["--auth", "anna"]])
def test_nobody_else_comes_in_without_a_log_in(options: list[str], tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "app.py", "--no-browser", "--home", str(tmp_path), "--lang", "en", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr and ("--auth auto" in done.stderr or "NAME:PASSWORD" in done.stderr)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    options = [word for pair in (ANNA, BRUNO) for word in ("--auth", ":".join(pair))]
    with running(tmp_path_factory.mktemp("shared") / "home", *options) as (address, _):
        yield address


def test_each_has_their_own_through_an_unmodified_client(shared: str) -> None:
    anna, bruno = (Client(shared, auth=who, verbose=False) for who in (ANNA, BRUNO))
    run = anna.predict("starter", "starter-en", None, {"max_steps": 1}, api_name="/train")["run"]
    assert [one["run"] for one in anna.predict(api_name="/runs")] == [run]
    assert bruno.predict(api_name="/runs") == []
    for endpoint in ("/run", "/stop", "/resume", "/delete", "/export"):
        with pytest.raises(Exception, match="There is no run"):
            bruno.predict(run, api_name=endpoint)
    with pytest.raises(Exception, match="credentials were not provided"):
        Client(shared, verbose=False)
    for secret in ("/etc/passwd", str(ROOT / "README.md")):
        with pytest.raises(Exception, match="no longer here, or never was"):
            bruno.predict(secret, api_name="/check")


# One of each kind, and what Gradio leaves open behind a log-in.
CLOSED = (
    "/config", "/gradio_api/info", "/gradio_api/heartbeat/x", "/gradio_api/queue/data?session_hash=x",
    "/gradio_api/file=/etc/passwd", "/gradio_api/upload_progress?upload_id=x",
)  # fmt: skip


@pytest.mark.parametrize("path", CLOSED)
def test_nothing_is_open_without_a_log_in(shared: str, path: str) -> None:
    answer = httpx.get(shared + path, headers={"accept-language": "it"})
    assert (answer.status_code, answer.json()) == (401, {"error": t("it", "auth.log_in")})
    for session in ("e30.forged", session_cookie(account(), "")):  # the second one as Gradio signs it where nobody can sign in
        assert httpx.get(shared + path, headers={"cookie": f"access-token-x=anna; session={session}"}).status_code == 401


@pytest.mark.parametrize("path", ["cancel", "queue/join", "run/train", "call/train", "upload"])
def test_nothing_is_done_without_a_log_in(shared: str, path: str) -> None:
    assert httpx.post(f"{shared}/gradio_api/{path}", json={"data": [], "fn_index": 1, "session_hash": "x"}).status_code == 401


def test_the_page_asks_for_the_log_in_in_the_visitor_s_language_and_without_scripts(shared: str) -> None:
    form = {"accept": "text/html", "accept-language": "en"}
    with httpx.Client(base_url=shared, headers=form) as browser:
        asked = browser.get("/it")
        assert asked.status_code == 200 and t("it", "auth.page.enter") in asked.text
        assert '<form method="post" action="/login">' in asked.text and len(asked.headers.get_list("content-security-policy")) == 1
        wrong = browser.post("/login", data={"username": 'x"><script>', "password": "no", "lang": "it"})
        assert wrong.status_code == 400 and t("it", "auth.wrong") in wrong.text and 'x"><script>' not in wrong.text
        right = browser.post("/login", data={"username": BRUNO[0], "password": BRUNO[1], "lang": "it"})
        assert (right.status_code, right.headers["location"]) == (303, "/it")
        assert "gradio" in browser.get("/it").text
        assert browser.get("/gradio_api/info").status_code == 200
        browser.get("/logout?all_session=false")
        assert browser.get("/gradio_api/info").status_code == 401


def test_wrong_passwords_are_slowed_down_and_the_right_one_still_comes_in(shared: str) -> None:
    known = httpx.post(f"{shared}/login", data={"username": ANNA[0], "password": ANNA[1]})
    answers = [httpx.post(f"{shared}/login", data={"username": ANNA[0], "password": "no"}).status_code for _ in range(30)]
    assert answers[:TRIES] == [400] * TRIES and answers.count(429) >= 15
    kept = {name: value for name, value in known.cookies.items() if name == "sartoria_known"}
    again = httpx.post(f"{shared}/login", data={"username": ANNA[0], "password": ANNA[1]}, cookies=kept)
    assert again.status_code == 200 and again.json() == {"success": True}
    assert httpx.post(f"{shared}/login", content=b"username=anna&password=" + b"x" * 1_000_000).status_code in (400, 422)
