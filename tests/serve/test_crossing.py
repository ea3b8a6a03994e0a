"""Whatever one visitor tries, by any door and with any id of another's: nothing of the other's comes out, and nothing of it changes.

The suite draws some tries; the long form has ten thousand of them. Then the same with hostile calls, where others come in.
"""

import os
import pathlib
import random

import httpx
import pytest

from tests import lots
from tests.bench.server import running
from tests.serve.crossing import Thief, Things
from tests.serve.school import ANNA, BRUNO, Class
from tests.serve.test_hosted import PROXY, SPACE
from tests.serve.test_visitors import PRIVATE, told
from tests.ui.fuzz import Caller, Judge, Verdict, traces


@pytest.fixture(scope="module")
def things(school: Class, tmp_path_factory: pytest.TempPathFactory) -> Things:
    """What Anna has: data, a run with all that stands in one, a watch link, an upload, a session, an answer that waits to be fetched."""
    anna, browser = school.of("anna"), school.browser(ANNA)
    run = told(anna, tmp_path_factory.mktemp("hers"))
    anna.links.give(run.id)
    upload = {"files": ("mine.csv", f"question,answer\n{PRIVATE[1]},b\n", "text/csv")}
    (file,) = browser.post("/gradio_api/upload", files=upload).json()
    asked = {"data": ["starter", [{"role": "user", "content": PRIVATE[0]}], False, None]}
    events = [
        browser.post(f"/gradio_api/call/{name}", json=body).json()["event_id"] for name, body in (("runs", {"data": []}), ("chat", asked))
    ]
    assert browser.post("/gradio_api/run/runs", json={"data": [], "session_hash": "s-of-anna"}).status_code == 200
    data = run.spec().data.id
    return Things([run.id], [data], [file], ["s-of-anna"], events, [run.folder, school.home / "data" / data])


def cookies(browser: httpx.Client) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


def cross(school: Class, things: Things, tries: int, dice: random.Random) -> Verdict:
    """Let two try it, one who has logged in and the operator; what they may not see is in no answer."""
    secret = school.of("anna").links.of(things.runs[0])
    hidden, before = [*PRIVATE[:2], f"{PRIVATE[2]}.json", "Nine euro", secret or ""], things.written()
    assert all(hidden) and before
    headers = cookies(school.browser(BRUNO))
    verdict = Judge(school.address, hidden, ["site-packages"], headers).all(Thief(school.address, dice, things, headers).calls(tries))
    print(f"lot {lots.NUMBER}: {verdict}")
    assert things.written() == before
    return verdict


def leaks(verdict: Verdict) -> dict[str, list[str]]:
    """Answers that hold what they may not; that a refusal is no sentence is the affair of other tests."""
    return {fault: calls for fault, calls in verdict.faults.items() if fault.startswith(("an answer with", "an error"))}


def test_no_try_gets_at_another_s_things(school: Class, things: Things) -> None:
    assert not leaks(cross(school, things, 60, lots.lot("crossing")))


@pytest.mark.nightly
def test_ten_thousand_tries_get_at_nothing_of_another_s(school: Class, things: Things) -> None:
    verdict, dice = Verdict(), lots.lot("long crossing")
    for _ in range(20):
        one = cross(school, things, 500, dice)
        verdict.answers.update(one.answers)
        assert not leaks(one), str(one)
    print(f"in all {verdict}")


def made(home: pathlib.Path) -> set[pathlib.Path]:
    """The runs, data and uploads of everybody; what a run that is on writes into its own folder is another's doing."""
    return {path for folder in ("runs", "data", "uploads") for path in (home / folder).glob("[!.]*")}


def hostile(address: str, home: pathlib.Path, count: int, dice: random.Random, headers: dict[str, str]) -> Verdict:
    caller, log = Caller(address, dice, home.parent, [], headers), home / "app.log"
    before = traces(log.read_text(encoding="utf-8", errors="replace"))  # on a Space Gradio's own thread leaves one as it starts
    verdict = Judge(address, [], [str(home), "site-packages"], headers).all(caller.calls(count))
    print(f"lot {lots.NUMBER}: {verdict}")
    assert not verdict.faults, str(verdict)
    assert traces(log.read_text(encoding="utf-8", errors="replace")) == before
    return verdict


@pytest.mark.parametrize("count", [30, pytest.param(5000, marks=pytest.mark.nightly)])
def test_hostile_calls_of_somebody_who_has_logged_in_get_sentences(school: Class, count: int) -> None:
    hostile(school.address, school.home, count, lots.lot(f"hostile {count}"), cookies(school.browser(BRUNO)))


@pytest.mark.parametrize("count", [30, pytest.param(2000, marks=pytest.mark.nightly)])
def test_hostile_calls_without_a_log_in_are_all_refused_and_do_nothing(school: Class, count: int) -> None:
    dice, before = lots.lot(f"nobody {count}"), made(school.home)
    caller = Caller(school.address, dice, school.home.parent, [], cookies(school.browser(BRUNO)))
    verdict = Judge(school.address, [], [str(school.home)]).all(caller.calls(count))
    print(f"lot {lots.NUMBER}: {verdict}")
    assert not verdict.faults and set(verdict.answers) == {"4xx"}, str(verdict)
    assert made(school.home) == before


@pytest.mark.nightly
def test_hostile_calls_on_a_space_get_sentences(tmp_path: pathlib.Path) -> None:
    with running(tmp_path / "home", env={"HF_HUB_OFFLINE": "1", **os.environ, **SPACE}) as (address, _):
        kept = httpx.get(f"{address}/", headers=PROXY).headers["set-cookie"].split(";")[0]
        for headers in ({"cookie": kept}, {}):
            hostile(address, tmp_path / "home", 2500, lots.lot("hostile on a space"), headers)
