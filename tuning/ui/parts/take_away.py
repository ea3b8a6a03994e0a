"""The place beside a run in which its result is taken away: made in the background, page open or not, and fetched by a link.

What it looks like stands in `ui.draw.leaving.taking`; what is made, and where it stays, is the affair of `studio.leaving`.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr

from tuning.errors import TuningError
from tuning.ui import gradio_ways
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw.leaving import taking


def build(desk: Desk, shown: Callable[[Scene], Any], fault: gr.HTML) -> None:
    """Lay out the place for the run that `shown` says, and wire it; empty where that has nothing to take. Faults are said in `fault`."""
    place = desk.cards("take")

    def press(run: str | None, event: gr.EventData) -> None:
        exports, what = desk.studio.exports, gradio_ways.text(event, "what")
        form, _, type = gradio_ways.text(event, "value").partition(":")
        if what == "make":
            exports.make(run or "", form, type, desk.lang)
        elif what == "remove":
            exports.remove(run or "", form, type)
        elif what == "fetch":
            exports.fetch_converter(run or "")
        elif what == "stop":
            exports.stop()

    def paint(scene: Scene) -> list[Any]:
        if scene.tab != "runs":
            return [gr.skip()]  # nobody sees it
        run = shown(scene)
        if run is None:
            return [""]
        try:
            offers = desk.studio.exports.offers(run["run"])
        except TuningError:  # it was deleted this very moment
            return [""]
        names = {one["run"]: one["name"] for one in scene.runs}
        elsewhere = names.get(offers["making"]["run"], "…") if offers["making"] else ""
        return [taking.panel(offers, run["name"], elsewhere, desk.lang)]

    desk.on(place.click, press, [desk.opened], [], fault, repaint=True, trigger_mode="once")
    desk.paints(paint, [place], live=True)
