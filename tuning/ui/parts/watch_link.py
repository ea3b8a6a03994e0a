"""The box beside a run in which its owner gives a watch link and withdraws it. What the link shows stands in `ui.draw.watching`."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from tuning.schema import UNREADABLE
from tuning.ui import gradio_ways
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw import watching


def build(desk: Desk, tab: str, shown: Callable[[Scene], Any], fault: gr.HTML) -> None:
    """Lay out the box on a tab for the run that `shown` says, and wire it; empty where there is none. Faults are said in `fault`."""
    box = desk.cards(f"watch-{tab}", script=watching.COPIES)

    def press(event: gr.EventData) -> None:
        links, run = desk.studio.links, gradio_ways.text(event, "value")
        act = {"give": links.give, "withdraw": links.withdraw}.get(gradio_ways.text(event, "what"))
        if act is not None:
            act(run)

    def paint(scene: Scene) -> list[Any]:
        if scene.tab != tab:
            return [gr.skip()]  # nobody sees it
        run = shown(scene)
        if run is None or run["status"] == UNREADABLE:
            return [""]
        return [watching.box(run["run"], desk.studio.links.of(run["run"]), desk.local, desk.lang)]

    desk.on(box.click, press, [], [], fault, repaint=True)
    desk.paints(paint, [box], live=True)
