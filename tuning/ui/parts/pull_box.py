"""The fold of the Chat tab with adapters from the Hub: fetched in the background, page open or not, and chosen to be talked to.

What it looks like stands in `ui.draw.leaving.pulling`; what is fetched, and what is refused, is the affair of `studio.leaving.pulls`.
"""

from typing import Any

import gradio as gr

from tuning.ui import gradio_ways
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw.leaving import pulling, pushing


class PullBox:
    """The fold; visitors of somebody's machine, who stay with its catalog, have none."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with gr.Accordion(desk.say("ui.pull.title"), open=False, elem_id="chat-pull", elem_classes="fold") as self.fold:
            self.place = desk.cards("pull", script=pushing.FIELDS)

    def wire(self, slot: gr.HTML) -> None:
        """Presses in the fold; faults are said in `slot`."""
        desk = self.desk
        desk.on(self.place.click, self.press, [], [desk.target, self.fold], slot, repaint=True, trigger_mode="once")
        desk.paints(self.paint, [self.fold, self.place], live=True)

    def press(self, event: gr.EventData) -> list[Any]:
        """Fetch, stop, remove; or whom one talks to is chosen, and the fold closes."""
        what, adapter = gradio_ways.text(event, "what"), gradio_ways.text(event, "value")
        pulls = self.desk.studio.pulls
        if what in ("pull", "again"):
            wanted = adapter or gradio_ways.text(event, "adapter").strip()
            pulls.begin(wanted, self.desk.hub_token, gradio_ways.text(event, "token").strip())
        elif what == "stop":
            self.desk.studio.exports.stop()
        elif what == "gone":
            pulls.remove(adapter)
        return [gr.update(value=adapter), gr.update(open=False)] if what == "talk" else [gr.skip(), gr.skip()]

    def paint(self, scene: Scene) -> list[Any]:
        """What is here, and how far a fetch is; as long as somebody sees it."""
        if scene.tab != "chat":
            return [gr.skip(), gr.skip()]
        offer = self.desk.studio.pulls.offer()
        return [gr.update(visible=offer["allowed"]), pulling.fold(offer, self.desk.lang)]
