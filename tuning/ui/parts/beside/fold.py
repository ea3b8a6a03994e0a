"""The fold below the conversation's head in which an adapter is proven: its strengths. What is pressed goes to the studio."""

import contextlib
from typing import Any

import gradio as gr

from tuning.errors import TuningError
from tuning.ui import gradio_ways, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.parts.beside.strengths_view import strengths
from tuning.ui.parts.chat_lines import is_run


class BesideFold:
    """The fold's place for cards and its fault. What it shows is of whoever is talked to."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.panel = desk.cards("beside-panel")
        self.fault = desk.slot()

    def wire(self) -> None:
        """Presses, and what is drawn while something is measured."""
        desk = self.desk
        desk.on(self.panel.click, self.press, [desk.target], [self.panel], self.fault)
        desk.paints(lambda scene: [self.paint(scene)], [self.panel], live=True)

    def press(self, who: str | None, event: gr.EventData) -> Any:
        """Measure five strengths, or stop that."""
        verbs = {"go": self.desk.studio.strengths.ask, "again": self.desk.studio.strengths.ask, "stop": self.desk.studio.strengths.stop}
        verbs[gradio_ways.text(event, "what")](who or "")
        return self.shown(who)

    def paint(self, scene: Scene) -> str:
        """What stands there now."""
        return self.shown(scene.talker)

    def shown(self, who: str | None) -> str:
        """The cards, of a run; of a model as it is that there is nothing to prove."""
        if who and is_run(self.desk, who):
            with contextlib.suppress(TuningError):  # deleted just now
                return strengths(self.desk.studio.strengths.read(who), self.desk.lang)
        return f'<p class="hint">{view.escape(self.desk.say("ui.beside.strengths.run"))}</p>'
