"""What axe-core finds on every tab and in every state of the page, and on those before and beside it: nothing serious, light and dark."""

import json
import pathlib
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import folders
from tests.bench.server import running
from tests.browser.accessibility import findings, in_theme
from tests.browser.conftest import SHOTS, Shop, Watched
from tests.browser.test_chat_tab import VIEWS, ask
from tests.browser.test_help import type_into
from tests.browser.test_whole_path import speaks, tab
from tests.hub.hub_server import Repo
from tests.ui.test_report import FOUND
from tuning import settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs import locks
from tuning.studio import Studio
from tuning.text import t

Visit = Callable[..., Watched]
GUESTS = ("a;b;c", "Quanto costa una notte?;Ottanta euro.;12", "Si può cenare?;Sì, alle otto.;13", "C'è la piscina?;Sì, da maggio.;14")
FAULTY = ("domanda;risposta", "Chi è il sarto?;", "Che ora è?;Ã¨ tardi", "Fate orli?;Sì.", "Fate orli?;Sì.")


class Looks:
    """Somebody who looks at a page in light and in dark, takes a picture of both, and keeps what is found."""

    def __init__(self, page: Page, lang: str, size: str) -> None:
        self.page, self.lang, self.folder = page, lang, SHOTS / "states" / f"{lang}-{size}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.page.set_viewport_size({"width": VIEWS[size][0], "height": VIEWS[size][1]})
        self.found: list[str] = []

    def at(self, state: str, anew: bool = False) -> None:
        """Look at this state; `anew` opens the page once more for each theme."""
        for scheme in ("dark", "light"):
            in_theme(self.page, scheme == "dark", anew)
            self.page.screenshot(path=self.folder / f"{state}-{scheme}.png", full_page=True)
            self.found += [f"{state}, {scheme}: {one}" for one in findings(self.page)]
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{state}: something sticks out"

    def tab(self, name: str) -> None:
        tab(self.page, self.lang, name)

    def unfold(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")

    def press(self, code: str) -> None:
        self.page.get_by_role("button", name=t(self.lang, code), exact=True).click()


def opened(look: Looks) -> None:
    """The page anew, with what has come since."""
    look.page.reload()
    look.page.locator("#next").wait_for()


def learned(shop: Shop, folder: pathlib.Path) -> None:
    """A run that has an adapter."""
    file, studio = folder / "prices.json", shop.studio
    file.write_text(json.dumps([{"question": f"Scatola {n}?", "answer": f"{n} euro."} for n in range(1, 13)]), encoding="utf-8")
    run = studio.runs.create("starter", str(file), "facts", {"report": False, "validation_share": 0.0, "max_steps": 2}, name="Scatole")
    train(run, studio.shared.store, Resident())


def of_models(look: Looks, shop: Shop, folder: pathlib.Path) -> None:
    page = look.page
    expect(page.locator("#chips .chip").first).to_be_attached()
    look.at("model")
    page.get_by_text(t(look.lang, "ui.model.other")).click()
    field = page.locator("#other input, #other textarea")
    field.fill("sarti/nessuno")
    look.press("ui.model.other.use")
    expect(page.locator("[role=alert]:visible").first).to_be_in_viewport()
    look.at("model-error")
    field.fill("minuscolo")
    look.press("ui.model.other.use")
    expect(page.locator("#found .card").first).to_be_visible()
    look.at("model-found")


def of_data(look: Looks, shop: Shop, folder: pathlib.Path) -> None:
    page = look.page
    page.locator("#next").click()  # take the starter; the Data tab comes
    expect(page.locator("#datasets .card").first).to_be_visible()
    look.at("data")
    file = folder / "agriturismo.csv"
    file.write_text("\n".join(GUESTS), encoding="utf-8")
    page.locator("#upload input[type=file]").set_input_files(file)
    expect(page.locator("#columns .ask .turn").first).to_be_visible()
    look.at("data-columns")
    file.write_text("\n".join(FAULTY), encoding="utf-8")
    page.locator("#upload input[type=file]").set_input_files(file)
    expect(page.locator("#audit pre .tok.learned").first).to_be_visible(timeout=60_000)
    look.at("data-audit")
    page.locator("#rows [data-do=edit]").first.click()
    expect(page.locator("#rows form.edits textarea").first).to_be_visible()
    look.at("data-edit")
    file.write_text("[" * 20_000, encoding="utf-8")
    page.locator("#upload input[type=file]").set_input_files(file)
    expect(page.locator("[role=alert]:visible").first).to_be_in_viewport()
    look.at("data-error")


def of_training(look: Looks, shop: Shop, folder: pathlib.Path) -> None:
    page = look.page
    page.locator('#models [data-value="starter"]').click()
    look.tab("data")
    page.locator(f'#datasets [data-value="starter-{look.lang}"]').click()
    look.tab("train")
    expect(page.locator("#recipes .card").first).to_be_visible()
    look.at("train")
    if not page.locator("#knob-learning_rate").is_visible():
        page.locator("#fine button").first.click()
    look.at("train-fine")
    type_into(page, "learning_rate", "abc")
    expect(page.locator("#knob-learning_rate")).to_have_attribute("aria-invalid", "true")
    look.at("train-error")
    type_into(page, "learning_rate", "20")
    expect(page.locator(".unusual").first).to_be_visible()
    run = folders.make(shop.studio, "prezzi", 30, status="running", ended=None)
    answers = [{"prompt": f"Scatola {n}?", "answer": f"{n} euro", "reference": f"{n} euro.", "general": n == 2} for n in range(3)]
    (run.folder / "samples.jsonl").write_text(
        json.dumps({"schema": 1, "step": 4, "time": 0.0, "answers": answers}) + "\n", encoding="utf-8"
    )
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        opened(look)
        look.tab("train")
        expect(page.locator("#live-view svg").first).to_be_visible(timeout=60_000)
        expect(page.locator(".timeline").first).to_be_visible()
        look.at("train-live")
        (run.folder / "evaluation.json").write_text(json.dumps(FOUND), encoding="utf-8")
        run.write_state(run.state().model_copy(update={"status": "finished"}))
    look.tab("runs")
    expect(page.locator("#runs .card.run")).to_contain_text(t(look.lang, "ui.status.finished"))
    look.unfold()
    look.at("report")


def of_talk(look: Looks, shop: Shop, folder: pathlib.Path) -> None:
    page = look.page
    learned(shop, folder)
    opened(look)
    look.tab("chat")
    expect(page.locator("#suggestions button").first).to_be_visible()
    look.at("chat")
    ask(page, "Scatola 3?", 1)
    expect(page.locator("#chat-note p")).to_be_visible()
    look.at("chat-answer")
    page.locator("#bot-tuned .message-buttons-left button").filter(visible=True).last.scroll_into_view_if_needed()
    for part in ("#chat-settings", "#chat-shelf"):
        page.locator(f"{part} button").first.click()
    expect(page.locator("#temperature")).to_be_visible()
    look.at("chat-settings")
    page.locator("#beside input").check()
    ask(page, "Scatola 4?", 2)
    expect(page.locator("#bot-base .bot").last).not_to_be_empty(timeout=60_000)
    look.at("chat-beside")


def of_runs(look: Looks, shop: Shop, folder: pathlib.Path) -> None:
    page = look.page
    look.tab("runs")
    look.at("runs")
    learned(shop, folder)
    folders.make(shop.studio, "scarpe", 40, {"lora_r": 4}, eval_loss=0.5)
    opened(look)
    look.tab("runs")
    expect(page.locator("#runs .card.run")).to_have_count(2)
    page.locator("#runs [data-do=run]").first.click()
    expect(page.locator("#run-ways")).to_contain_text("scarpe")
    look.at("runs-open")
    look.unfold()
    look.at("runs-unfolded")
    page.locator("#run-ways [data-do=ask]").first.click()
    look.at("runs-delete")
    for tick in page.locator("#runs .tick").all()[:2]:
        tick.click()
    expect(page.locator("#pair section.compare :is(h2, h3)").first).to_be_in_viewport()
    look.at("runs-compared")
    page.locator("#runs [data-do=run]", has_text="Scatole").click()
    page.locator('#take [data-do=make][data-value="adapter:"]').click()
    expect(page.locator("#take a.go")).to_be_visible(timeout=120_000)
    page.locator("#take .certificate summary").click()
    look.at("taken-away")


PARTS: dict[str, Callable[[Looks, Shop, pathlib.Path], None]] = {
    "model": of_models, "data": of_data, "train": of_training, "chat": of_talk, "runs": of_runs,
}  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize("size", VIEWS)
@pytest.mark.parametrize("lang", ["it", "en"])
@pytest.mark.parametrize("part", PARTS)
def test_no_state_of_the_page_keeps_anybody_out(
    shop: Shop, visit: Visit, tiny_model: pathlib.Path, tmp_path: pathlib.Path, part: str, lang: str, size: str
) -> None:
    shop.hub.repos["sarti/minuscolo-it"] = Repo.of(tiny_model, card={"language": ["it"]})
    visitor = visit(shop, lang)
    look = Looks(visitor.page, lang, size)
    visitor.open()
    PARTS[part](look, shop, tmp_path)
    speaks(visitor, lang)
    assert not look.found, "\n".join(look.found)


@pytest.mark.nightly
@pytest.mark.parametrize("size", VIEWS)
@pytest.mark.parametrize("lang", ["it", "en"])
def test_no_page_of_a_shared_machine_keeps_anybody_out(chromium: Browser, tmp_path: pathlib.Path, lang: str, size: str) -> None:
    """The log-in, a wrong one, the name that a pupil chooses, the code, the operator's list of all runs, and a watch link."""
    home = tmp_path / "home"
    with running(home, "--auth", "class:word", "--auth", "prof:word", "--open-class") as (address, _):
        studio = Studio(settings.opened(settings.read(home=str(home)), ("prof",)), "prof")
        found = []
        for who in ("class", "prof"):
            context = chromium.new_context(locale={"en": "en-GB", "it": "it-IT"}[lang])
            look = Looks(context.new_page(), lang, size)
            look.page.goto(address)
            look.at(f"log-in-{who}")
            for password in ("wrong", "word"):
                look.page.locator("input[name=username]").fill(who)
                look.page.locator("input[name=password]").fill(password)
                look.page.keyboard.press("Enter")
                if password == "wrong":
                    expect(look.page.locator("[role=alert]")).to_be_visible()
                    look.at(f"log-in-wrong-{who}")
            of_a_name(look) if who == "class" else of_the_operator(look, studio, address)
            found += look.found
            context.close()
    assert not found, "\n".join(found)


def of_a_name(look: Looks) -> None:
    look.page.locator("input[name=person]").fill("Anna")
    look.at("name")
    look.page.keyboard.press("Enter")
    expect(look.page.get_by_text(t(look.lang, "auth.page.code.hint"))).to_be_visible()
    look.at("code")


def of_the_operator(look: Looks, studio: Studio, address: str) -> None:
    run = folders.make(studio, "prezzi", 30)
    look.page.locator("#next").wait_for()
    look.tab("runs")
    expect(look.page.locator("table.everybody tbody tr")).to_have_count(1)
    look.at("everybody")
    look.page.goto(f"{address}/watch/{studio.links.give(run.id)}")
    expect(look.page.locator("#watched svg").first).to_be_visible()
    look.at("watched", anew=True)
