"""The first ten seconds and the order slip in a real browser: cards with the shell, nothing jumps, two presses to a training."""

import pathlib
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests import folders
from tests.browser.conftest import Shop, Watched
from tests.browser.test_help import type_into
from tests.browser.test_whole_path import speaks, tab
from tests.hub.hub_server import Repo
from tuning.text import t

Visit = Callable[..., Watched]
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
NIGHTLY_PHONE = pytest.param("en", "phone", marks=pytest.mark.nightly)
NIGHTLY_OTHERS = [pytest.param(lang, screen, marks=pytest.mark.nightly) for lang, screen in (("it", "phone"), ("en", "desktop"))]
# Sums what Chromium calls layout shifts, without those that follow a press.
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((shift) => {
  if (!shift.hadRecentInput) window.shifts.push(shift.value);
})).observe({type: "layout-shift", buffered: true});
"""
PRESSES = """
window.presses = [];
addEventListener("click", (event) => { if (event.isTrusted) presses.push(event.target.outerHTML.slice(0, 120)); }, true);
"""
DENIED = """
Object.defineProperty(window, "localStorage", {configurable: true, get() { throw new DOMException("denied", "SecurityError"); }});
"""


def sized(visit: Visit, shop: Shop, lang: str, screen: str) -> Watched:
    visitor = visit(shop, lang)
    visitor.page.set_viewport_size(SCREENS[screen])  # type: ignore[arg-type]
    return visitor


def whole(page: Page, what: str) -> bool:
    """Is all of it inside the window?"""
    return bool(
        page.locator(what).evaluate(
            "(e) => { const b = e.getBoundingClientRect(); return b.height > 0 && b.top >= 0 && b.left >= 0"
            " && b.bottom <= innerHeight && b.right <= innerWidth; }"
        )
    )


@pytest.mark.parametrize("lang", ["it", pytest.param("en", marks=pytest.mark.nightly)])
def test_the_first_cards_come_with_the_shell(shop: Shop, visit: Visit, lang: str) -> None:
    visitor = sized(visit, shop, lang, "desktop")
    asked = []
    visitor.page.route("**/*", lambda route: route.continue_() if route.request.method == "GET" else asked.append(route.request.url))
    page = visitor.open()  # nothing that the page asks its server to do is ever answered
    expect(page.locator("#models .card").first).to_be_visible(timeout=5_000)
    expect(page.locator('#starter [data-do="starter"]')).to_be_visible()
    expect(page.locator("#next")).to_have_text(t(lang, "ui.next.take_model", model="Sartoria starter"))
    assert asked, "the page has not even tried to be drawn"
    tab(page, lang, "data")
    kept = page.locator("#datasets").bounding_box()
    assert kept and kept["height"] > 240, "no room is kept for the data that are to come"
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize(("lang", "screen"), [("it", "desktop"), NIGHTLY_PHONE])  # on a busy machine a phone's page has jumped once
def test_nothing_jumps_on_the_first_screen(shop: Shop, visit: Visit, lang: str, screen: str) -> None:
    visitor = sized(visit, shop, lang, screen)
    visitor.page.add_init_script(SHIFTS)
    page = visitor.open()
    expect(page.locator("#chips .chip").first).to_be_attached()  # drawn for this visitor
    expect(page.locator("#models .card").first).to_be_visible()
    page.wait_for_timeout(1_000)
    shifts = page.evaluate("window.shifts")
    assert sum(shifts) < 0.05, shifts
    speaks(visitor, lang)


def test_where_the_browser_lets_nothing_be_kept_the_page_comes_up_whole(shop: Shop, visit: Visit) -> None:
    """As in a frame on another site: what is read as the parts come up would stop all after it, the timer too."""
    visitor = visit(shop, "it")
    visitor.page.add_init_script(DENIED)
    page = visitor.open()
    page.locator('#models [data-value="starter"]').click()
    expect(page.locator('#models [data-value="starter"][aria-pressed="true"]')).to_be_visible()
    visitor.clean()
    assert page.evaluate("[localStorage.length > 0, localStorage.getItem('nothing'), localStorage.key(99)]") == [True, None, None]


@pytest.mark.nightly
@pytest.mark.parametrize(("lang", "screen"), [("it", "desktop"), ("en", "phone")])
def test_nothing_jumps_for_who_comes_back_and_a_new_browser_is_invited(shop: Shop, visit: Visit, lang: str, screen: str) -> None:
    """Whatever others have trained here: the invitation is for a browser that has chosen nothing yet, and for no other."""
    folders.make(shop.studio, "prezzi", 30)
    visitor = sized(visit, shop, lang, screen)
    visitor.page.add_init_script(SHIFTS)
    for come in ("first", "again", "once more"):
        page = visitor.open()
        expect(page.locator("#chips .chip").first).to_be_attached()
        page.wait_for_timeout(1_000)
        shifts = page.evaluate("window.shifts")
        assert sum(shifts) < 0.05, (come, shifts)
        expect(page.locator('#starter [data-do="starter"]')).to_have_count(1 if come == "first" else 0)
        if come == "first":
            page.locator('#models [data-value="starter"]').first.click()
            expect(page.locator('#models [data-value="starter"]').first).to_have_attribute("aria-pressed", "true")
            expect(page.locator('#starter [data-do="starter"]')).to_have_count(0)


@pytest.mark.parametrize(("lang", "screen"), [("it", "desktop"), NIGHTLY_PHONE, *NIGHTLY_OTHERS])
def test_from_a_fresh_page_to_a_running_training_in_two_presses(shop: Shop, visit: Visit, lang: str, screen: str) -> None:
    visitor = sized(visit, shop, lang, screen)
    visitor.page.add_init_script(PRESSES)
    page = visitor.open()
    assert whole(page, '#starter [data-do="starter"]'), "the way in is below the fold"
    page.locator('#starter [data-do="starter"]').click()
    expect(page.locator("#live-view")).to_contain_text(t(lang, "ui.status.running"), timeout=60_000)
    expect(page.locator("#live-view")).to_be_visible()
    assert len(pressed := page.evaluate("presses")) <= 2, pressed
    assert shop.newest().spec().recipe == "facts"


@pytest.mark.nightly
@pytest.mark.parametrize("headers", ["Domanda del cliente;Risposta nostra", "a;b"])
@pytest.mark.parametrize(("lang", "screen"), [("it", "desktop"), ("en", "phone"), ("en", "desktop"), ("it", "phone")])
def test_from_a_spreadsheet_to_a_running_training_in_six_presses(
    shop: Shop, visit: Visit, tmp_path: pathlib.Path, lang: str, screen: str, headers: str
) -> None:
    """Also where the columns have to be confirmed. The choice of the file in the window of the system is not counted."""
    path = tmp_path / "agriturismo.csv"
    path.write_text(
        "\n".join([headers, *(f"Quanto costa la camera {n}?;Costa {n * 10} euro a notte." for n in range(1, 31))]), encoding="utf-8"
    )
    visitor = sized(visit, shop, lang, screen)
    visitor.page.add_init_script(PRESSES)
    page = visitor.open()
    page.locator('#starter [data-do="bring"]').click()
    with page.expect_file_chooser() as chooser:
        page.locator("#upload button").first.click()
    chooser.value.set_files(path)
    if headers == "a;b":
        expect(page.locator("#columns .ask .turn.assistant").first).to_contain_text("Costa")  # guessed
        page.get_by_role("button", name=t(lang, "ui.data.columns.use"), exact=True).click()
    expect(page.locator("#rows .turn.assistant").first).to_contain_text("Costa")
    tab(page, lang, "model")
    page.locator('#models [data-value="starter"]').first.click()
    expect(page.locator("#next")).to_have_text(t(lang, "ui.next.train"))
    page.locator("#next").click()
    expect(page.locator("#live-view")).to_contain_text(t(lang, "ui.status.running"), timeout=90_000)
    assert len(pressed := page.evaluate("presses")) <= 6, pressed
    assert shop.newest().spec().data.name == path.name


def test_a_file_of_one_s_own_is_one_press_away(shop: Shop, visit: Visit) -> None:
    page = visit(shop, "it").open()
    page.locator('#starter [data-do="bring"]').click()
    expect(page.locator("#upload")).to_be_visible()


@pytest.mark.parametrize(("lang", "screen"), [("it", "desktop"), NIGHTLY_PHONE])
def test_the_slip_stays_in_sight_with_its_whole_button(shop: Shop, visit: Visit, lang: str, screen: str) -> None:
    visitor = sized(visit, shop, lang, screen)
    page = visitor.open()
    assert whole(page, "#next")
    page.locator('#models [data-value="starter"]').click()
    tab(page, lang, "data")
    page.locator('#datasets [data-value="starter-en"]').click()
    expect(page.locator("#order .verdict")).to_be_visible()
    for name in ("data", "train", "model"):
        tab(page, lang, name)
        page.wait_for_timeout(500)
        assert whole(page, "#next"), name
        page.mouse.move(200, 400)
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(500)
        assert page.evaluate("scrollY") > 200, name
        assert whole(page, "#next"), f"{name}, scrolled"
    visitor.shot(f"slip-{lang}")


def test_a_fault_comes_into_view_beside_its_field(shop: Shop, visit: Visit) -> None:
    visitor = sized(visit, shop, "en", "desktop")
    page = visitor.open()
    tab(page, "en", "train")
    expect(page.locator("#knob-learning_rate")).to_be_visible()
    type_into(page, "learning_rate", "abc")
    expect(page.locator("#knob-learning_rate")).to_have_attribute("aria-invalid", "true")
    fault = page.locator("[role=alert]:visible").first
    expect(fault).to_be_in_viewport(ratio=1)
    below = page.locator("#knob-learning_rate").bounding_box()
    said = fault.bounding_box()
    assert below and said and abs(said["y"] - below["y"]) < 300
    type_into(page, "learning_rate", "20")
    warning = page.locator(".knob:has(#knob-learning_rate) .unusual")
    expect(warning).to_contain_text("0.00001")
    expect(page.locator("#knob-learning_rate")).not_to_have_attribute("aria-invalid", "true")


@pytest.mark.nightly
@pytest.mark.parametrize("system", ["light", "dark"])
def test_light_or_dark_is_chosen_kept_and_given_back_to_the_system(shop: Shop, visit: Visit, system: str) -> None:
    visitor, other = visit(shop, "it"), {"light": "dark", "dark": "light"}[system]
    visitor.page.emulate_media(color_scheme=system)  # type: ignore[arg-type]
    page = visitor.open()

    def dark() -> str:
        page.wait_for_function(
            "document.body.classList.contains('dark') === (getComputedStyle(document.body).backgroundColor === 'rgb(18, 24, 31)')"
        )
        return "dark" if page.evaluate("document.body.classList.contains('dark')") else "light"

    field = page.get_by_label(t("it", "ui.theme"))
    expect(field).to_have_value("system")
    assert dark() == system
    field.select_option(other)
    assert dark() == other
    page.wait_for_timeout(1000)  # else what the page was asking for is cut by the reload
    page = visitor.open()
    expect(page.get_by_label(t("it", "ui.theme"))).to_have_value(other)
    page.emulate_media(color_scheme=other)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=system)  # type: ignore[arg-type]
    assert dark() == other
    page.get_by_label(t("it", "ui.theme")).select_option("system")
    assert dark() == system


@pytest.mark.nightly
@pytest.mark.parametrize(("lang", "screen"), [("en", "desktop"), ("it", "phone")])
def test_what_is_asked_before_a_deletion_comes_into_view(shop: Shop, visit: Visit, lang: str, screen: str) -> None:
    run = folders.make(shop.studio, "old", 8)
    page = sized(visit, shop, lang, screen).open()
    tab(page, lang, "runs")
    page.locator(f'#runs [data-do="run"][data-value="{run.id}"]').click()
    ask = page.locator("#run-ways [data-do=ask]")
    box = ask.bounding_box()
    assert box
    page.set_viewport_size(
        {"width": SCREENS[screen]["width"], "height": round(box["y"] + box["height"]) + (140 if screen == "phone" else 10)}
    )
    ask.click()
    expect(page.locator("#run-ways .sure")).to_be_in_viewport(ratio=0.99)
    assert whole(page, "#run-ways [data-do=delete]")
    expect(page.locator("#run-ways [data-do=keep]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#run-ways .sure")).to_have_count(0)


@pytest.mark.nightly
def test_a_ring_is_whole_a_list_leaves_the_head_free_and_an_old_fault_goes_with_its_choice(
    shop: Shop, visit: Visit, tiny_model: pathlib.Path
) -> None:
    shop.hub.repos["distilbert/distilgpt2"] = Repo.of(tiny_model, gated="manual")
    page = sized(visit, shop, "en", "desktop").open()
    page.locator(".wrap input:visible").first.click()
    head, opened = page.locator("#tab-model-button").bounding_box(), page.locator(".options").bounding_box()
    assert head and opened and opened["y"] >= head["y"] + head["height"]
    page.keyboard.press("Escape")
    page.locator('#models [data-value="distilbert/distilgpt2"]').first.click()
    expect(page.locator("#next")).to_have_text(t("en", "ui.next.choose_data"))
    tab(page, "en", "data")
    page.locator('#datasets [data-value="starter-en"]').first.click()
    expect(page.locator("#next")).to_have_text(t("en", "ui.next.train"))
    page.locator("#next").click()
    expect(page.locator("#slip .fault")).to_be_visible()
    tab(page, "en", "model")
    page.locator('#models [data-value="starter"]').first.click()
    expect(page.locator("#slip .fault")).to_have_count(0)
    for name in ("one", "other"):
        folders.make(shop.studio, name, 8)
    tab(page, "en", "runs")
    search = page.locator("#search-runs textarea, #search-runs input")
    search.focus()
    outside = "(e) => { const style = getComputedStyle(e); return parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset); }"
    assert search.evaluate(outside) <= 0, "the box around the field cuts what is outside of it"
