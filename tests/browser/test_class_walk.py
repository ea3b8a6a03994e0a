"""A class in a real browser: an operator and three pupils, each with a file, a log-in and a screen of their own, on one machine."""

import json
import pathlib
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.bench.server import running
from tests.browser.conftest import Watched
from tests.browser.test_whole_path import foreign_words, tab
from tuning.text import t

pytestmark = pytest.mark.nightly
ROWS = 600  # of a pupil: enough that the first one still learns when the others have said what they want
SCREENS = {"prof": (1280, 800), "anna": (1280, 800), "bruno": (1280, 800), "carla": (390, 844)}
THINGS = {"anna": "Scarf", "bruno": "Glove", "carla": "Boot"}

COVERED = """() => {
  const way = document.querySelector(".preferences")?.getBoundingClientRect();
  const words = [...document.querySelectorAll("#chips :is(.chip, .tell)")];
  const over = (box) => way && box.right > way.left && box.left < way.right && box.bottom > way.top && box.top < way.bottom;
  return words.filter((word) => word.checkVisibility() && over(word.getBoundingClientRect())).map((word) => word.textContent);
}"""  # of the header's words, by its switches


class Seat:
    """One person's browser, with a picture of every step."""

    def __init__(self, browser: Browser, address: str, who: str, lang: str, shots: pathlib.Path) -> None:
        width, height = SCREENS.get(who, SCREENS["carla"])
        context = browser.new_context(locale={"en": "en-GB", "it": "it-IT"}[lang], viewport={"width": width, "height": height})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.who, self.lang, self.shots, self.width = who, lang, shots, width
        self.watched = Watched(context, address)
        self.page: Page = self.watched.page

    def enter(self) -> None:
        """Log in, as somebody does who has got a name and a password on a slip of paper."""
        self.page.goto(self.watched.address)
        self.shot("log-in")
        self.page.locator("input[name=username]").fill(self.who)
        self.page.locator("input[name=password]").fill(f"{self.who}-pass")
        self.page.keyboard.press("Enter")
        self.page.locator("#next").wait_for(timeout=60_000)
        self.watched.faults.clear()  # the page that wants a log-in answers 401

    def shot(self, name: str, full: bool = False) -> None:
        number = len([*self.shots.glob("*.png")])
        self.page.screenshot(path=self.shots / f"{number:02}-{self.who}-{name}.png", full_page=full)

    def go(self, name: str) -> None:
        tab(self.page, self.lang, name)

    def right(self) -> None:
        """Nothing sticks out, nothing is foreign, nothing went wrong, nobody else's things are in sight."""
        self.watched.clean()
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width
        assert self.page.evaluate(COVERED) == []
        for row in self.page.locator("#tabs [role=tablist]").all():
            assert row.evaluate("(row) => row.scrollWidth - row.clientWidth") <= 0, "a tab is cut"
        mine = {"guest": "carla"}.get(self.who, self.who)
        assert not [thing for who, thing in THINGS.items() if who != mine and thing in self.page.content()]
        assert self.lang == "en" or not (said := foreign_words(self.page)), said

    def train(self, file: pathlib.Path) -> None:
        """From the first screen to the press that starts it."""
        page = self.page
        page.locator("#next").click()
        page.locator("#upload input[type=file]").set_input_files(file)
        expect(page.locator("#rows")).to_contain_text(f"{THINGS[self.who]} 1", timeout=60_000)
        self.shot("data", full=True)
        self.go("train")
        expect(page.locator("#recipes .card").first).to_be_visible()
        self.shot("before")
        page.locator("#start").click()
        for place in ("#live-view h2", "#slip .at-work"):
            expect(page.locator(place)).to_be_in_viewport(timeout=60_000)


@pytest.fixture
def school(tmp_path: pathlib.Path) -> Iterator[Any]:
    (tmp_path / "log-ins.txt").write_text("".join(f"{who}:{who}-pass\n" for who in SCREENS), encoding="utf-8")
    for thing in THINGS.values():
        rows = [{"instruction": f"Price of {thing} {n}?", "input": "", "output": f"{thing} {n} is {n} euro."} for n in range(1, ROWS + 1)]
        (tmp_path / f"{thing}.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "shots").mkdir()
    with running(tmp_path / "home", "--auth-file", str(tmp_path / "log-ins.txt")) as (address, _):
        yield SimpleNamespace(address=address, folder=tmp_path, shots=tmp_path / "shots")


@pytest.mark.parametrize("lang", ["it", "en"])
def test_a_class_of_three_and_an_operator_on_one_machine(chromium: Browser, school: Any, lang: str) -> None:
    seats = {who: Seat(chromium, school.address, who, lang, school.shots) for who in SCREENS}
    prof, *pupils = seats.values()
    for seat in seats.values():
        seat.enter()
        seat.shot("first")
        seat.right()
    for seat in pupils:
        seat.train(school.folder / f"{THINGS[seat.who]}.json")
        seat.shot("started")
        seat.right()
    for place, seat in enumerate(pupils[1:], 1):
        waits(seat, place)
    for seat in pupils:
        talks_and_looks(seat)
    reorders(prof)
    link = gives_a_link(seats["carla"])
    prof.page.locator("table.everybody [data-do=halt]").first.click()
    is_stopped(seats["anna"])
    watched_from_outside(Seat(chromium, school.address, "guest", lang, school.shots), seats["carla"], link)
    prof.shot("after", full=True)
    for seat, status in ((seats["carla"], "finished"), (seats["bruno"], "running")):
        seat.go("train")
        expect(seat.page.locator("#live-view")).to_contain_text(t(lang, f"ui.status.{status}"), timeout=240_000)
        seat.shot(status, full=True)
        seat.right()


def place_of(seat: Seat, place: int) -> str:
    return t(seat.lang, "ui.live.queued.place", place=str(place), duration="|").split("|")[1].split(".")[0]


def waits(seat: Seat, place: int) -> None:
    """Place and expected wait stand in the panel, beside the button that was pressed, and on the slip, on a phone too."""
    for part in ("#live-view", "#promise .waits", "#slip .waits"):
        expect(seat.page.locator(part)).to_contain_text(place_of(seat, place), timeout=60_000)
    expect(seat.page.locator("#slip .waits p")).to_be_in_viewport()
    expect(seat.page.locator("#next")).to_have_text(t(seat.lang, "ui.next.talk_now.waits"))
    seat.shot("waits", full=True)
    seat.right()


def talks_and_looks(seat: Seat) -> None:
    """Chat answers while others train, and among the runs there is one's own alone."""
    seat.go("chat")
    seat.page.locator("#message textarea").fill("Hello?")
    seat.page.locator("#send").click()
    expect(seat.page.locator("#bot-tuned .bot, #bot-base .bot").last).not_to_be_empty(timeout=60_000)
    expect(seat.page.locator("#halt")).not_to_be_visible(timeout=60_000)
    seat.shot("chat")
    seat.right()
    seat.go("runs")
    expect(seat.page.locator("#runs .card")).to_have_count(1)
    seat.shot("runs", full=True)
    seat.right()


def reorders(prof: Seat) -> None:
    """The operator sees all three in their order, and puts the last one ahead of the second."""
    prof.go("runs")
    rows = prof.page.locator("table.everybody tbody tr")
    for number, who in enumerate(THINGS):
        expect(rows.nth(number)).to_contain_text(who)
    expect(prof.page.locator("#chips")).to_contain_text(f"2 {t(prof.lang, 'ui.queue')}")
    prof.shot("everybody", full=True)
    prof.right()
    rows.locator("[data-do=ahead]").click()
    expect(rows.nth(1)).to_contain_text("carla")
    prof.shot("reordered", full=True)


def gives_a_link(seat: Seat) -> str:
    seat.go("train")
    expect(seat.page.locator("#live-view")).to_contain_text(place_of(seat, 1))
    seat.shot("is-next", full=True)
    seat.page.locator("#watch-train summary").click()
    seat.page.locator("#watch-train [data-do=give]").click()
    field = seat.page.locator("#watch-train input")
    expect(field).to_have_value(re.compile("^http"))  # the page puts its own address before it
    link = field.input_value()
    seat.shot("link", full=True)
    return link


def is_stopped(seat: Seat) -> None:
    seat.go("train")
    shown = seat.page.locator("#live-view")
    expect(shown).to_contain_text(t(seat.lang, "ui.status.stopped"), timeout=120_000)
    expect(shown).to_contain_text(t(seat.lang, "ui.live.stopped.operator"))
    sentence = shown.locator(".live > .hint").evaluate(
        "(hint) => { const all = new Range(); all.selectNodeContents(hint); return all.getBoundingClientRect().right; }"
    )
    button = seat.page.locator("#live .actions button").filter(visible=True).first.bounding_box()
    assert button is not None and sentence <= button["x"]
    seat.shot("stopped", full=True)
    seat.right()


def watched_from_outside(guest: Seat, seat: Seat, link: str) -> None:
    """A link shows the curve of the run to somebody without a log-in, and nothing to press or to fill in."""
    expect(seat.page.locator("#live-view")).to_contain_text(t(seat.lang, "ui.status.running"), timeout=120_000)
    seat.shot("learns", full=True)
    guest.page.goto(link)
    expect(guest.page.locator("#watched svg polyline.training")).to_have_count(1, timeout=60_000)
    guest.shot("watch", full=True)
    assert not guest.page.locator("button, form, textarea, select, input:not([type=radio])").count()
    guest.right()
    guest.page.goto(guest.watched.address)
    expect(guest.page.locator("input[name=password]")).to_be_visible()
