"""Somebody who walks through the page by presses alone: pictures in both themes, what jumps, how soon the first card stands."""

import os
import pathlib
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.accessibility import findings, in_theme
from tests.browser.conftest import SHOTS, Shop, Watched
from tests.browser.test_chat_tab import VIEWS
from tests.browser.test_whole_path import foreign_words, tab
from tuning.text import t

# What Chromium calls layout shifts, but without those within a second of a press; the presses; when the shell and its first card are drawn.
WATCHES = """
window.jumps = []; window.presses = 0; window.still = false; window.pressed = -Infinity;
new PerformanceObserver((list) => list.getEntries().forEach((shift) => {
  const place = (source) => { const e = source.node?.parentElement ? (source.node.closest ? source.node : source.node.parentElement) : null;
    const box = (rect) => `${Math.round(rect.x)},${Math.round(rect.y)} ${Math.round(rect.width)}x${Math.round(rect.height)}`;
    return `${e ? `${e.tagName}#${e.id}.${e.getAttribute("class")}` : "gone"} ${box(source.previousRect)}>${box(source.currentRect)}`; };
  if (shift.hadRecentInput || window.still || shift.startTime - window.pressed < 1000) return;
  window.jumps.push([shift.value, shift.startTime, shift.sources.map(place).join("; ")]);
})).observe({type: "layout-shift", buffered: true});
addEventListener("click", (event) => { window.presses += event.isTrusted; }, true);
for (const kind of ["click", "keydown", "change"]) addEventListener(kind, () => { window.pressed = performance.now(); }, true);
const seen = {}, look = () => {
  seen.shell ??= document.querySelector("#masthead")?.checkVisibility() ? performance.now() : undefined;
  seen.card ??= document.querySelector("#models .card")?.checkVisibility() ? performance.now() : undefined;
  if (!seen.card) requestAnimationFrame(look); else window.seen = seen;
};
requestAnimationFrame(look);
"""


class Walker:
    """One person's browser, language and screen; `shot` takes the window as it stands, light and dark, and has axe-core look at it."""

    def __init__(self, visitor: Watched, shop: Shop, who: str, lang: str, size: str) -> None:
        self.visitor, self.shop, self.lang, self.size = visitor, shop, lang, size
        self.page: Page = visitor.page
        self.page.set_viewport_size({"width": VIEWS[size][0], "height": VIEWS[size][1]})
        self.page.add_init_script(WATCHES)
        self.folder = pathlib.Path(os.environ.get("TEST_WALKS", str(SHOTS / "walks"))) / f"{who}-{lang}-{size}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.number, self.total, self.found = 0, 0.0, list[str]()

    def open(self) -> Page:
        self.settle()
        self.visitor.open("/it" if self.lang == "it" else "/")
        return self.page

    def shot(self, name: str, full: bool = False) -> None:
        self.page.evaluate("window.still = true")
        for scheme in ("dark", "light"):
            in_theme(self.page, scheme == "dark")
            self.page.wait_for_timeout(300)  # colours of Gradio's own glide
            self.page.screenshot(path=self.folder / f"{self.number:02}-{name}-{scheme}.png", full_page=full, timeout=120_000)
            self.found += [f"{name}, {scheme}: {one}" for one in findings(self.page)]
        self.page.evaluate("requestAnimationFrame(() => requestAnimationFrame(() => { window.still = false; }))")
        self.number += 1
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name}: something sticks out"

    def tab(self, name: str) -> None:
        tab(self.page, self.lang, name)

    def say(self, code: str, **params: Any) -> str:
        return t(self.lang, code, **params)

    def press(self, code: str, **params: Any) -> None:
        self.page.get_by_role("button", name=t(self.lang, code, **params), exact=True).click()

    def fault(self, words: str = "") -> str:
        """The error that has just been made stands in the window, whole; what it says."""
        said = self.page.locator("[role=alert]:visible", has_text=words).first
        expect(said).to_be_in_viewport(ratio=0.99)
        return said.inner_text()

    def whole(self, *places: str) -> None:
        """Each of these stands in the window, whole, and nothing lies over its middle."""
        for place in places:
            found = self.page.locator(place).filter(visible=True).first
            expect(found, place).to_be_in_viewport(ratio=0.99)
            over = found.evaluate(
                "(e) => { const b = e.getBoundingClientRect(), top = document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2);"
                " return top && (e.contains(top) || top.contains(e)) ? '' : top?.outerHTML.slice(0, 200) ?? 'outside'; }"
            )
            assert not over, f"{place} lies under {over}"

    def settle(self) -> None:
        """What has jumped since the page was opened: less than 0.05 in all."""
        jumps = self.page.evaluate("window.jumps ?? []")
        self.total = max(self.total, sum(value for value, *_ in jumps))
        assert sum(value for value, *_ in jumps) < 0.05, jumps

    def end(self) -> None:
        """Nothing jumped, nothing keeps anybody out, nothing was said in another language, nothing went wrong that nobody sees."""
        self.settle()
        assert not self.found, "\n".join(self.found)
        self.visitor.clean()
        assert self.lang == "en" or not (said := foreign_words(self.page)), said
