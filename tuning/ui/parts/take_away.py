"""The place beside a run in which its result is taken away: made in the background, page open or not, and fetched by a link.

What it looks like stands in `ui.draw.leaving.taking`; what is made, and where it stays, is the affair of `studio.leaving`.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr

from tuning.errors import TuningError
from tuning.ui import gradio_ways
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw.leaving import pushing, taking


def build(desk: Desk, shown: Callable[[Scene], Any], fault: gr.HTML) -> None:
    """Lay out the place for the run that `shown` says, and wire it; empty where that has nothing to take. Faults are said in `fault`."""
    place = desk.cards("take", script=pushing.FIELDS)

    def press(run: str | None, event: gr.EventData) -> None:
        _press(desk, run or "", event)

    def paint(scene: Scene) -> list[Any]:
        if scene.tab != "runs":
            return [gr.skip()]  # nobody sees it
        run = shown(scene)
        if run is None:
            return [""]
        try:
            offers = desk.studio.exports.offers(run["run"])
            offers["hub"] = desk.studio.pushes.offer(run["run"], bool(desk.hub_token))
        except TuningError:  # it was deleted this very moment
            return [""]
        names = {one["run"]: one["name"] for one in scene.runs}
        elsewhere = names.get(offers["making"]["run"], "…") if offers["making"] else ""
        return [taking.panel(offers, run["name"], elsewhere, desk.lang)]

    desk.on(place.click, press, [desk.opened], [], fault, repaint=True, trigger_mode="once")
    desk.paints(paint, [place], live=True)


def _press(desk: Desk, run: str, event: gr.EventData) -> None:
    """What a press asks for. A token comes along with a push where one was typed; it is never sent back."""
    exports, pushes, what = desk.studio.exports, desk.studio.pushes, gradio_ways.text(event, "what")
    value = gradio_ways.text(event, "value")
    form, _, type = value.partition(":")
    presses: dict[str, Callable[[], None]] = {
        "make": lambda: exports.make(run, form, type, desk.lang),
        "remove": lambda: exports.remove(run, form, type),
        "fetch": lambda: exports.fetch_converter(run),
        "stop": exports.stop,
        "push": lambda: pushes.begin(
            run, gradio_ways.text(event, "repo").strip(), value, desk.hub_token, gradio_ways.text(event, "token").strip()
        ),
        "forget": lambda: pushes.keep(""),
    }
    if what in presses:
        presses[what]()
