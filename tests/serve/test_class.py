"""A class behind one log-in: everybody has a name of their own, a browser that knows it, and a code that brings it elsewhere."""

import pathlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.bench.server import running
from tuning.errors import InputError
from tuning.serve.entrance.doors import TRIES, people
from tuning.serve.entrance.names import COOKIE, FILE, Nicknames
from tuning.text import t

HTML = {"accept": "text/html"}


def fault(names: Nicknames, name: str, code: str = "") -> str:
    with pytest.raises(InputError) as caught:
        names.take(name, code)
    return caught.value.code


def test_a_name_is_its_browser_s_and_whoever_has_the_code(home: pathlib.Path) -> None:
    home.mkdir(exist_ok=True)
    names = Nicknames(home, ["class", "prof"])
    cookie, code = names.take("  Anna   Bianchi ", "")
    assert names.of(cookie) == "Anna Bianchi" and code is not None
    assert fault(names, "anna bianchi") == "auth.person.taken"
    assert fault(names, "Anna Bianchi", "wrong") == "auth.person.taken"
    other, again = names.take("ANNA BIANCHI", f" {code.upper()} ")
    assert (names.of(other), again) == ("Anna Bianchi", None) and names.of(cookie) == "Anna Bianchi"
    for name in ("prof", "Class", "local", "", "../x", "a" * 41):
        assert fault(names, name) == "auth.person.name"
    kept = (home / FILE).read_text(encoding="utf-8")
    assert cookie not in kept and code not in kept
    for forged in ("", "x", kept[-70:-6], None):
        assert names.of(forged) is None


def test_two_who_want_a_name_at_once_do_not_both_have_it(home: pathlib.Path) -> None:
    home.mkdir(exist_ok=True)

    def take(_: int) -> str | None:
        try:
            return Nicknames(home).take("anna", "")[1]
        except InputError:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sum(code is not None for code in pool.map(take, range(16))) == 1


def test_the_class_s_log_in_is_no_operator_s() -> None:
    found = people(["class:word", "prof:other"], None, open_class=True)
    assert (found.common, found.operators) == ("class", ("prof",))
    assert people(["class:word"], None, open_class=True).operators == ()
    with pytest.raises(InputError, match=r"auth\.class"):
        people([], None, open_class=True)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    options = ("--auth", "class:word", "--auth", "prof:other", "--open-class")
    with running(tmp_path_factory.mktemp("school") / "home", *options) as (address, _):
        yield address


def comes(school: str, name: str = "class", password: str = "word") -> httpx.Client:
    browser = httpx.Client(base_url=school, headers=HTML, timeout=60)
    assert browser.post("/login", data={"username": name, "password": password, "lang": "en"}).status_code == 303
    return browser


def names_itself(browser: httpx.Client, name: str, code: str = "") -> httpx.Response:
    return browser.post("/name", data={"person": name, "code": code, "lang": "en"})


def runs(browser: httpx.Client) -> list[str]:
    answer = browser.post("/gradio_api/run/runs", json={"data": []})
    assert answer.status_code == 200, answer.text
    return [run["run"] for run in answer.json()["data"][0]]


def train(browser: httpx.Client) -> str:
    given = ["starter", "starter-en", None, {"max_steps": 1}, None]
    return str(browser.post("/gradio_api/run/train", json={"data": given}).json()["data"][0]["run"])


def test_pupils_have_their_own_under_names_that_they_choose(school: str) -> None:
    anna, bruno, prof = comes(school), comes(school), comes(school, "prof", "other")
    asked = anna.get("/")
    assert t("en", "auth.page.person") in asked.text and "gradio" not in asked.text
    nothing = anna.post("/gradio_api/run/runs", json={"data": []})
    assert (nothing.status_code, nothing.json()["error"]) == (401, t("en", "auth.person.first"))
    shown = names_itself(anna, "Anna")
    code = re.search(r"<code>(\w+)</code>", shown.text)
    assert code is not None and COOKIE in anna.cookies
    assert names_itself(bruno, "anna").status_code == 400
    names_itself(bruno, "Bruno")
    run = train(anna)
    assert (runs(anna), runs(bruno), runs(prof)) == ([run], [], [])
    assert "gradio" in anna.get("/").text
    elsewhere = comes(school)
    assert names_itself(elsewhere, "Anna", code[1]).status_code == 303
    assert runs(elsewhere) == [run]
    assert prof.post("/name", data={"person": "x"}).status_code == 404  # no log-in of the class


def test_a_code_is_not_guessed_and_a_name_without_the_log_in_opens_nothing(school: str) -> None:
    clara, thief = comes(school), comes(school)
    names_itself(clara, "Clara")
    tried = [names_itself(thief, "Clara", f"guess{number}").status_code for number in range(TRIES + 5)]
    assert tried[:TRIES] == [400] * TRIES and set(tried[TRIES:]) == {429}
    alone = httpx.get(f"{school}/config", cookies={COOKIE: clara.cookies[COOKIE]})
    assert alone.status_code == 401
