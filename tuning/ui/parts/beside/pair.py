"""Who answers beside whom, and the blind judgement of two answers: names, the buttons, and what is told when one was chosen.

Asking is the tab's affair; the score is kept by the studio.
"""

import secrets
import uuid
from typing import Any

import gradio as gr

from tuning.errors import InputError, TuningError
from tuning.studio.beside.blind_score import SIDES
from tuning.ui.desk import Desk
from tuning.ui.markup import Html, html, joined
from tuning.ui.parts.badge import proofs
from tuning.ui.parts.chat.voices import Asking, Voice

MOST = 500  # pairs of answers that wait to be judged


class Pair:
    """The choice of whom one talks to beside, and the pairs of answers that nobody has judged yet."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.other = gr.Dropdown(
            [(desk.say("ui.beside.base"), "")],
            value="",
            label=desk.say("ui.beside.whom"),
            interactive=True,
            elem_id="whom-beside",
            visible=False,
        )
        self._waiting: dict[str, tuple[Asking, str]] = {}

    def choices(self, who: str | None) -> Any:
        """Whom `who` can be set beside; the base is first."""
        desk = self.desk
        try:
            found = desk.studio.talk.beside(who or "")
        except TuningError:
            found = []
        named = [(self.name(Voice(one["id"])), one["id"]) for one in found]
        return gr.update(choices=[(desk.say("ui.beside.base"), ""), *named], value="", visible=bool(found))

    def name(self, voice: Voice) -> str:
        """What somebody who answers is called."""
        return self.desk.say("ui.beside.base") if voice.base else self.desk.studio.talk.called(voice.target, self.desk.lang)

    def labels(self, both: bool, who: str | None, other: str | None) -> list[Any]:
        """Updates of the two sheets: what each is called, and whether the second is there."""
        desk = self.desk
        names = [desk.say("ui.chat.tuned.name"), desk.say("ui.chat.base.name")]
        if other and who:
            names = [self.name(Voice(who)), self.name(Voice(other))]
        if desk.studio.blind.on:
            names = [desk.say("ui.blind.left"), desk.say("ui.blind.right")]
        first = names[0] if both else desk.say("ui.chat.conversation")
        return [gr.update(label=first, show_label=both), gr.update(label=names[1], visible=both)]

    def hide(self, asking: Asking, histories: list[list[dict[str, str]]]) -> list[list[dict[str, str]]]:
        """Have the question asked by itself of both, on sides that are drawn by lot."""
        asking.blind, asking.turned = True, secrets.choice((True, False))
        return [history[-1:] for history in histories]

    def vote(self, asking: Asking, who: str) -> Html:
        """The buttons below two answers."""
        id = uuid.uuid4().hex
        self._waiting[id] = (asking, who)
        for old in [*self._waiting][:-MOST]:
            del self._waiting[old]
        words = {side: self.desk.say(f"ui.blind.{side}.better") for side in SIDES}
        buttons = joined(
            html('<button type="button" class="mend" data-do="{side}" data-value="{id}">{word}</button>', side=side, id=id, word=word)
            for side, word in words.items()
        )
        return html('<p class="hint">{which}</p>{buttons}', which=self.desk.say("ui.blind.which"), buttons=buttons)

    def judge(self, id: str, side: str) -> Html:
        """Keep a judgement, and tell which side was whose, with the score and the proofs. Raises InputError for one that was given."""
        desk = self.desk
        asking, who = self._waiting.pop(id, (None, ""))
        if asking is None:
            raise InputError("ui.blind.over")
        left, right = (voice for voice, _ in asking.voices(who))
        first, second = (right, left) if asking.turned else (left, right)
        better = {"first": "second", "second": "first"}.get(side, side) if asking.turned else side
        one, two = [f"{voice.target}{' base' * voice.base}" for voice in (first, second)]
        desk.studio.blind.add(one, two, better)
        score, names = desk.studio.blind.of(one, two), [self.name(first), self.name(second)]
        said = desk.say("ui.blind.was", left=self.name(left), right=self.name(right))
        said += " " + desk.say(
            "ui.blind.score", first=names[0], second=names[1], one=score["first"], two=score["second"], none=score["equal"]
        )
        return html('{proofs}<p class="hint" role="status">{said}</p>', proofs=proofs(asking.questions, desk.lang), said=said)
