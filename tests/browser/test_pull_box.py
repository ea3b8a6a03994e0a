"""An adapter of the Hub on the page: named, fetched, talked to beside its base, refused with a sentence, and taken off the disk."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_chat_tab import ask
from tests.browser.test_whole_path import speaks, tab
from tests.folders import HOME
from tests.hub.hub_server import Repo
from tuning.hub import pulled
from tuning.text import t

pytestmark = pytest.mark.nightly


def fetch(page: Page, name: str) -> None:
    page.locator("#pull input[data-field=adapter]").fill(name)
    page.locator("#pull [data-what=pull]").click()


def press(button: Locator) -> None:
    """On a phone the order slip lies over the foot of the page: a person scrolls."""
    button.evaluate("place => place.scrollIntoView({block: 'center'})")
    button.click()


@pytest.mark.drawn("boxes")
@pytest.mark.parametrize(("lang", "size"), [("en", "desktop"), ("it", "phone")])
def test_it_is_fetched_talked_to_beside_its_base_and_removed(shop: Shop, visit: Callable[..., Watched], lang: str, size: str) -> None:
    folder = next(HOME.glob("runs/20261128-165418-*")) / "adapter"
    files = {name: (folder / name).read_bytes() for name in pulled.MOST}
    other = {**files, pulled.CONFIG: json.dumps(json.loads(files[pulled.CONFIG]) | {"peft_type": "IA3"}).encode()}
    shop.hub.repos |= {f"anna/{lang}": Repo(files), "anna/ia3": Repo(other)}
    visitor = visit(shop, lang, size)
    page = visitor.open("/it" if lang == "it" else "/")
    tab(page, lang, "chat")
    page.locator("#chat-pull button").first.click()
    fetch(page, "anna/ia3@main")
    expect(page.locator("#pull .fault")).to_contain_text(t(lang, "pull.kind", repo="anna/ia3", kind="IA3 CAUSAL_LM")[:60], timeout=60_000)
    name = f"anna/{lang}@main"
    fetch(page, name)
    row = page.locator("#pull li", has_text=name)
    expect(row).to_contain_text(t(lang, "ui.pull.base", base="starter"), timeout=60_000)
    visitor.shot(f"pull-{lang}-{size}")
    press(row.get_by_text(t(lang, "ui.pull.talk")))
    expect(page.locator("#pull")).to_be_hidden()
    expect(page.locator("#target input")).to_have_value(name, timeout=60_000)
    expect(page.locator("#talking-to")).to_contain_text(name)
    page.locator("#beside input").check()
    ask(page, "Quanto costa l'articolo 1?", 1)
    expect(page.locator("#bot-base .bot.message:not(:has(.proof))")).to_have_count(1, timeout=90_000)
    expect(page.locator("#bot-tuned .proof")).to_contain_text(name)
    visitor.shot(f"pull-talk-{lang}-{size}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#chat-pull button").first.click()
    press(row.get_by_text(t(lang, "ui.take.remove")))
    expect(row).to_have_count(0, timeout=60_000)
    speaks(visitor, lang)
