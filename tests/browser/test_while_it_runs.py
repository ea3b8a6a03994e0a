"""While a run is on, in a real browser: its answers as they change, the page's title, and a notice when it is over."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_whole_path import tab
from tuning.runs import files, locks
from tuning.runs.run_folder import Run
from tuning.schema import RunState
from tuning.text import t

Visit = Callable[..., Watched]
# The browser's own notices cannot be seen without a desktop: what would be shown is noted instead.
NOTICES = """
window.told = [];
window.Notification = class {
  static permission = "default";
  static requestPermission() { Notification.permission = "granted"; return Promise.resolve("granted"); }
  constructor(title, options) { window.told.push([title, options.body, options.tag]); }
};
"""
# What moves draws sixty pictures a second for as long as it does.
MOVES = """() => {
  window.moved = [];
  const note = (event) => window.moved.push(event.target.outerHTML);
  for (const kind of ["transitionrun", "animationstart"]) document.addEventListener(kind, note);
}"""


class Pretended:
    """A run that learns as far as one says: its folder is written as the engine writes it, its lock is held."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.run: Run = shop.studio.runs.create("starter", "starter-en", "style", name=name)
        self.lock = locks.Lock(self.run.lock_path)
        assert self.lock.acquire()
        self.go(1)

    def go(self, step: int) -> None:
        files.append_line(self.run.folder / "metrics.jsonl", {"step": step, "time": 0.0, "loss": 5.0 / step})
        self.run.write_state(RunState(status="running", step=step, total_steps=100, train_loss=5.0 / step, started=0.0))

    def answer(self, step: int) -> None:
        answers = [
            {"prompt": f"Question {n} <b>", "answer": f"Answer {n} at {step} ${{value}} <i>", "reference": f"Right {n}", "general": n == 2}
            for n in range(3)
        ]
        files.append_line(self.run.folder / "samples.jsonl", {"schema": 1, "step": step, "time": 0.0, "answers": answers})

    def end(self, ended: float) -> None:
        self.run.write_state(RunState(status="finished", step=100, total_steps=100, train_loss=0.05, started=0.0, ended=ended))
        self.lock.release()


Pretend = Callable[[str], Pretended]


@pytest.fixture
def pretend(shop: Shop) -> Iterator[Pretend]:
    """Makes runs by name; none of them is on any more when the test is over."""
    made: list[Pretended] = []

    def pretend(name: str) -> Pretended:
        made.append(Pretended(shop, name))
        return made[-1]

    yield pretend
    for one in made:
        one.lock.release()


@pytest.mark.drawn("looked")
@pytest.mark.parametrize("lang", ["it", pytest.param("en", marks=pytest.mark.nightly)])
def test_answers_change_and_the_chosen_moment_stays(shop: Shop, pretend: Pretend, visit: Visit, lang: str) -> None:
    pretended = pretend("La prova")
    for step in (0, 10, 20):
        pretended.answer(step)
    visitor = visit(shop, lang)
    page = visitor.open("/it" if lang == "it" else "/")
    tab(page, lang, "train")
    timeline = page.locator("#live-view .timeline")
    expect(timeline.locator("li.now").first).to_have_text("20%Answer 0 at 20 ${value} <i>")
    expect(timeline.locator("details").nth(1)).not_to_have_attribute("open", "")
    timeline.locator("summary").nth(1).click()
    before = t(lang, "ui.timeline.before")
    timeline.get_by_label(before).check()
    page.keyboard.press("ArrowRight")
    expect(timeline.locator("li.now").first).to_contain_text("10%")
    page.keyboard.press("ArrowLeft")
    page.evaluate(MOVES)
    for step in (30, 31):  # whatever is drawn anew, the moment and the open question stay
        pretended.go(step)
        pretended.answer(step)
        expect(timeline.locator("input")).to_have_count(4 + (step == 31))
        expect(timeline.get_by_label(before)).to_be_checked()
        expect(timeline.locator("details").nth(1).locator("li.now")).to_have_text(f"{before}Answer 1 at 0 ${{value}} <i>")
        expect(timeline.locator("details").nth(1).locator("li.now")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "31")
    assert page.evaluate("window.moved") == []
    timeline.locator("details").nth(0).locator("li[data-step='31']").click()  # back to the newest: it follows again
    pretended.go(40)
    pretended.answer(40)
    expect(timeline.locator("li.now").first).to_contain_text("40%")
    assert not timeline.locator("b, i").count()
    visitor.shot(f"timeline-{lang}")
    tab(page, lang, "runs")
    expect(page.locator("#summary .timeline li.now").first).to_contain_text("Answer 0 at 40")
    visitor.clean()


@pytest.mark.drawn("looked")
@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_page_that_nobody_looks_at_says_when_it_is_over(shop: Shop, pretend: Pretend, visit: Visit, lang: str) -> None:
    now = time.time()
    old = pretend("Long ago")
    old.end(now - 86_400)
    visitor = visit(shop, lang)
    visitor.page.add_init_script(NOTICES)
    page = visitor.open("/it" if lang == "it" else "/")
    expect(page).to_have_title("Sartoria")
    expect(page.locator("button.tell")).to_be_hidden()
    pretended = pretend('A "test" <of> it')
    pretended.go(42)
    expect(page).to_have_title("42% – Sartoria")
    button = page.locator("button.tell")
    expect(button).to_have_text(t(lang, "ui.tell.button"))
    button.click()
    expect(button).to_have_text(t(lang, "ui.tell.on"))
    visitor.shot(f"telling-{lang}")
    elsewhere = visitor.context.new_page()  # another page in front: this one is in the background
    elsewhere.goto("about:blank")
    elsewhere.bring_to_front()
    pretended.end(now)
    expect(page).to_have_title('✓ A "test" <of> it – Sartoria')
    body = t(lang, "ui.live.step", step="100", total="100")
    assert page.evaluate("window.told") == [[t(lang, "ui.tell.finished", name='A "test" <of> it'), body, pretended.run.id]]
    expect(button).to_be_hidden()
    page.bring_to_front()
    another = pretend("Another")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_text(t(lang, "ui.tell.button"))
    another.end(now)
    expect(page).to_have_title("✓ Another – Sartoria")
    assert len(page.evaluate("window.told")) == 1
    visitor.clean()


FRAMES = """
window.drawn = new Set();
const ask = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (then) => ask((now) => { window.drawn.add(now); then(now); });
"""


@pytest.mark.nightly
def test_a_page_that_only_looks_on_draws_nothing_at_every_frame(shop: Shop, visit: Visit) -> None:
    """A loading screen's clock that nobody stopped took a twentieth of a core from the run, for as long as a page was open."""
    visitor = visit(shop)
    visitor.page.add_init_script(FRAMES)
    page = visitor.open("/")
    tab(page, "en", "train")
    page.wait_for_timeout(3000)
    page.evaluate("window.drawn.clear()")
    page.wait_for_timeout(2000)
    assert page.evaluate("window.drawn.size") < 40, "a third of the frames of these two seconds; a look asks for some"
