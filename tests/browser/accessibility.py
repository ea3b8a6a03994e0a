"""What axe-core says of a page: what keeps somebody out who sees little, hears a page, or has no mouse."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Axe()
GRAVE = ("serious", "critical")
DRAWN = "(dark) => !document.querySelector('.gradio-container') || !!document.querySelector('html.dark, body.dark') === dark"


def in_theme(page: Page, dark: bool, anew: bool = False) -> None:
    """The page in this theme, without whatever glides from colour to colour; `anew` opens it once more for that."""
    page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
    if anew:
        page.reload()
    page.wait_for_function(DRAWN, arg=dark)


def findings(page: Page) -> list[str]:
    """What is serious or critical: the rule, the part, and why."""
    found = [one for one in AXE.run(page).response["violations"] if one["impact"] in GRAVE]
    return [f"{one['id']}: {node['target'][0]}: {node['html'][:200]}: {node['failureSummary']}" for one in found for node in one["nodes"]]
