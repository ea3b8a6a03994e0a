"""The fold of the Chat tab in which an adapter is proven: who answers beside it, blind or not, its strengths,
and questions of one's own.

What is pressed goes to the studio.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import gradio as gr

from tuning.errors import TuningError
from tuning.ui import gradio_ways
from tuning.ui.desk import Desk, Scene
from tuning.ui.markup import Html, html
from tuning.ui.parts.beside.all_questions import AllQuestions
from tuning.ui.parts.beside.pair import Pair
from tuning.ui.parts.beside.strengths_view import strengths
from tuning.ui.parts.chat.chat_shelf import SAVE
from tuning.ui.parts.chat.whom import is_run


class BesideFold:
    """The fold's place for cards and its fault. What it shows is of whoever is talked to."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.pair = desk, Pair(desk)
        self.panel = desk.cards("beside-panel")
        self.questions = AllQuestions(desk, self.pair)
        self.fault = desk.slot()

    def wire(self, beside: gr.Checkbox, bots: list[Any], file: gr.JSON) -> None:
        """Presses, who answers beside, and what is drawn while something is measured or asked."""
        desk = self.desk
        whom = [beside, desk.target, self.pair.other]
        outputs = [self.panel, beside, file]
        pressed = desk.on(self.panel.click, self.press, whom, outputs, self.fault, trigger_mode="multiple")
        pressed.success(fn=None, inputs=[file], js=SAVE, api_visibility="private")
        desk.on(pressed.success, self.pair.labels, whom, bots, self.fault)
        desk.on(self.questions.field.submit, self.add, [desk.target, self.questions.field], [self.panel, self.questions.field], self.fault)
        desk.on(self.pair.other.input, lambda: gr.update(value=True), [], [beside], self.fault)
        desk.on([beside.change, self.pair.other.change], self.pair.labels, whom, bots, self.fault, queue=False)
        desk.paints(lambda scene: [self.paint(scene)], [self.panel], live=True)

    def press(self, both: bool, who: str | None, other: str | None, event: gr.EventData) -> Iterator[list[Any]]:
        """Whatever is pressed among the cards."""
        what, studio, who, same = gradio_ways.text(event, "what"), self.desk.studio, who or "", gr.skip()
        if what == "ask":
            for _ in self.questions.ask(who, both, other or ""):
                yield [self.shown(who), same, None]
        elif what == "blind":
            studio.blind.switch()
        elif what == "csv":
            yield [same, same, self.questions.file(who)]
            return
        elif what == "drop":
            studio.questions.remove(who, gradio_ways.text(event, "value"))
        else:
            verbs = {"go": studio.strengths.ask, "again": studio.strengths.ask, "stop": studio.strengths.stop, "halt": self.questions.halt}
            verbs.get(what, lambda _: None)(who)
        yield [self.shown(who), gr.update(value=True) if what == "blind" and studio.blind.on else same, None]

    def add(self, who: str | None, text: str | None) -> list[Any]:
        """More test questions, one on each line."""
        self.desk.studio.questions.add(who or "", text or "")
        return [self.shown(who), ""]

    def paint(self, scene: Scene) -> Html:
        """What stands there now."""
        return self.shown(scene.talker)

    def shown(self, who: str | None) -> Html:
        """The cards, of a run; of a model as it is that there is nothing to prove."""
        if who and is_run(self.desk, who):
            with contextlib.suppress(TuningError):  # deleted just now
                measured = strengths(self.desk.studio.strengths.read(who), self.desk.lang)
                return self._blind() + measured + self.questions.shown(who)
        return html('<p class="hint">{says}</p>', says=self.desk.say("ui.beside.strengths.run"))

    def _blind(self) -> Html:
        """The switch that hides which side is whose."""
        on, say = self.desk.studio.blind.on, self.desk.say
        label = ("☑ " if on else "☐ ") + say("ui.blind.title")
        switch = html(
            '<button type="button" class="mend" role="switch" aria-checked="{on}" data-do="blind">{label}</button>',
            on=str(on).lower(),
            label=label,
        )
        return html('{switch}<p class="hint">{hint}</p>', switch=switch, hint=say("ui.blind.hint"))
