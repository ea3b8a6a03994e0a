"""A press is heard, also where its answer would lie unfetched because the stream that should bring it was just being closed."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Route, expect

from tests.browser.conftest import Shop, Watched
from tuning.text import t


def test_a_press_that_comes_as_the_stream_is_closed_is_heard(shop: Shop, visit: Callable[..., Watched]) -> None:
    """A slow line: the server's last word of one press is still on its way when the next press is made."""
    visitor = visit(shop)
    page = visitor.open()
    expect(page.locator("#chips .chip").first).to_be_attached()
    page.get_by_text(t("en", "ui.model.other")).click()
    page.locator("#other input, #other textarea").fill("sarti/nessuno")
    page.wait_for_timeout(1_000)
    held: list[tuple[Route, Any]] = []

    def hold(route: Route) -> None:
        held.append((route, route.fetch())) if not held else route.continue_()

    page.route("**/queue/data*", hold)
    page.locator('#models [data-value="starter"]').first.click()
    while not held:
        page.wait_for_timeout(50)
    with page.expect_response("**/queue/join*"):
        page.get_by_role("button", name=t("en", "ui.model.other.use")).click()
    page.wait_for_timeout(500)  # the page has read that it is in the line
    route, said = held[0]
    route.fulfill(response=said)
    expect(page.locator("[role=alert]:visible").first).to_contain_text("sarti/nessuno")
