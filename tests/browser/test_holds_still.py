"""What comes late pushes nothing away: words at a knob, the card of a file, a run that begins, a message of the phone's order slip."""

import pathlib
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_help import type_into
from tests.browser.test_whole_path import tab

Visit = Callable[..., Watched]
PLACE = "(place) => Math.round(document.querySelector(place).getBoundingClientRect().top + scrollY)"
HIGH = "() => Math.round(document.querySelector('#slip').getBoundingClientRect().height)"
NOTES = f"""() => addEventListener("change", () => requestAnimationFrame(() => {{ window.first = ({PLACE})("#upload"); }}), true)"""
# What is drawn with the press itself, before anything is asked of the server.
PRESSES = """() => {
  document.querySelector("#start").click();
  return document.querySelector("#recipes").getBoundingClientRect().top >= innerHeight;
}"""


@pytest.mark.drawn("pressed")
@pytest.mark.parametrize("size", ["phone", pytest.param("desktop", marks=pytest.mark.nightly)])
def test_nothing_is_pushed_away(shop: Shop, visit: Visit, tmp_path: pathlib.Path, size: str) -> None:
    visitor = visit(shop, size=size)
    page = visitor.open()
    expect(page.locator("#chips .chip").first).to_be_attached()
    empty = page.evaluate(HIGH)
    begins(page)
    brings(page, tmp_path / "rooms.csv")
    tab(page, "en", "model")
    page.locator('#models [data-value="starter"]').first.click()
    expect(page.locator("#order .verdict")).to_be_attached()
    tab(page, "en", "train")
    expect(page.locator("#knobs .knob").first).to_be_visible()
    places = [page.evaluate(PLACE, "#fine"), page.evaluate(HIGH)]
    assert size == "desktop" or places[1] == empty, "the phone's slip has one height"
    for typed, said in (("abc", ".fault"), ("20", ".unusual")):
        type_into(page, "learning_rate", typed)
        expect(page.locator(f".knob:has(#knob-learning_rate) {said}")).to_be_in_viewport(ratio=0.99)
        now = [page.evaluate(PLACE, "#fine"), page.evaluate(HIGH)]
        assert now[0] == pytest.approx(places[0], abs=1) and (size == "desktop" or now[1] == empty), typed
    visitor.clean()


def begins(page: Page) -> None:
    """A training that is asked for has its place at once; where it is refused the recipes are back."""
    tab(page, "en", "train")
    expect(page.locator("#recipes .card").first).to_be_visible()
    before = page.evaluate(PLACE, "#recipes")
    assert page.evaluate(PRESSES)
    expect(page.locator("#tab-train [role=alert]:visible")).to_be_in_viewport()
    assert page.evaluate(PLACE, "#recipes") == before


def brings(page: Page, file: pathlib.Path) -> None:
    """The card of a file stands where it will stand as soon as the file has been chosen."""
    file.write_text("\n".join(["question,answer", *(f"Room {n}?,{n} euros." for n in range(1, 13))]), encoding="utf-8")
    tab(page, "en", "data")
    expect(page.locator("#datasets .card").first).to_be_visible()
    page.evaluate(NOTES)
    page.locator("#upload input[type=file]").set_input_files(file)
    expect(page.locator('#datasets .card[aria-pressed="true"]')).to_contain_text(file.name)
    expect(page.locator("#datasets .coming")).to_have_count(0)
    assert page.evaluate(PLACE, "#upload") == page.evaluate("window.first")
    expect(page.locator("#report .stats")).to_be_in_viewport(ratio=0.99)  # what was understood, however far below the field
