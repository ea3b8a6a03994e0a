"""Below the runs, for whoever runs a machine for others: everybody's runs. For anybody else there is nothing here."""

from typing import Any

import gradio as gr

from tuning.ui import gradio_ways
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw import everyone

SURE = "everybody"  # in how the runs are looked at: the one about which it was asked whether it is really to go


def build(desk: Desk) -> None:
    """Lay out the section and wire it; on a machine of one's own there is none."""
    if desk.local:
        return
    listed = desk.cards("everybody")
    fault = desk.slot()

    def press(look: Any, event: gr.EventData) -> dict[str, Any]:
        do, run = str(gradio_ways.sent(event, "what", "")), str(gradio_ways.sent(event, "value", ""))
        everybody = desk.studio.everybody
        act = {"ahead": everybody.ahead, "halt": everybody.stop, "drop": everybody.delete}.get(do)
        if act is not None:
            act(run)
        return {**(look or {}), SURE: run if do == "ask" else None}

    def paint(scene: Scene) -> list[Any]:
        if scene.tab != "runs":
            return [gr.skip()]
        everybody = desk.studio.everybody
        return [everyone.table(everybody.list(), scene.look.get(SURE), desk.lang) if everybody.allowed else ""]

    desk.on(listed.click, press, [desk.look], [desk.look], fault, repaint=True)
    desk.paints(paint, [listed], live=True)
