"""The base beside the tuned model in the Chat tab: what was asked of both stands at one height, and both are read together."""

import pathlib
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_accessible import learned
from tests.browser.test_chat_tab import ask
from tests.browser.test_whole_path import tab


@pytest.mark.drawn("talked")
def test_the_base_that_came_in_later_is_asked_at_the_same_height(shop: Shop, visit: Callable[..., Watched], tmp_path: pathlib.Path) -> None:
    learned(shop, tmp_path)
    visitor = visit(shop)
    page = visitor.open()
    tab(page, "en", "chat")
    expect(page.locator("#suggestions button").first).to_be_visible()
    ask(page, "Scatola 1?", 1)
    page.locator("#beside input").check()
    for count in (2, 3):
        ask(page, f"Scatola {count}? " + "E poi? " * 60 * (count == 2), count)
    sides = {side: page.locator(f"#bot-{side} .bubble-wrap") for side in ("tuned", "base")}
    for side, deep in (("base", 0), ("tuned", 9999), ("tuned", 0)):
        sides[side].evaluate("(box, deep) => box.scrollTo(0, deep)", deep)
        page.wait_for_timeout(300)
        tuned, base = (heights(sides[side].locator(".user.message")) for side in sides)
        assert len(tuned) == 3, "one is not there"
        assert tuned == pytest.approx(base, abs=1)
    clear = (
        "(box) => box.getBoundingClientRect().top + box.clientTop - box.parentElement.querySelector('label').getBoundingClientRect().bottom"
    )
    assert sides["tuned"].evaluate(clear) >= -1, "an answer goes under the name of its side"
    moved = page.locator("[id^=bot-] .user-row[style*=padding-top]")
    assert moved.count()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(moved).to_have_count(0)  # the sides stand below each other
    sides["tuned"].evaluate("(box) => box.scrollTo(0, 9999)")
    sides["base"].evaluate("(box) => box.scrollTo(0, 0)")
    page.wait_for_timeout(300)
    assert sides["tuned"].evaluate("(box) => box.scrollTop") > 0, "one has moved the other"
    ask(page, "Scatola 4?", 4)
    tuned, base = (page.locator(f"#bot-{side}").bounding_box() for side in sides)
    assert tuned and base and 0 <= tuned["y"] < 100, "who asks sees both from their beginning"
    assert min(tuned["height"], base["height"]) > 844 / 3 and tuned["y"] + tuned["height"] < base["y"] < 844
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(moved).not_to_have_count(0)
    page.locator("#beside input").uncheck()
    expect(page.locator("#bot-base")).to_be_hidden()
    expect(moved).to_have_count(0)
    visitor.clean()


def heights(places: Locator) -> list[float]:
    return [box["y"] for place in places.all() if (box := place.bounding_box())]
