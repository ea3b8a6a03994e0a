"""How answers are generated, on the page: system text, sampling, length, seed, and whether earlier turns are sent; kept for each target.

What the model, its template and the rows say is the default; only what differs from it is kept. Nothing is asked of a model here.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import gradio as gr

from tuning.errors import InputError, TuningError
from tuning.runs.contents import AnswerSettings
from tuning.studio.answering import Habits
from tuning.studio.talk import settings_of
from tuning.ui.desk import Desk


class ChatSettings:
    """The fold and its switch. `parts` are the components by the names of the settings."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.parts: dict[str, Any] = {}
        self.reset: gr.Button

    def build_switch(self) -> None:
        """Whether the conversation is remembered."""
        self.parts["remember"] = gr.Checkbox(
            label=self.desk.say("ui.chat.remember"), value=True, elem_id="remember", container=False, scale=0, min_width=190
        )

    def build(self) -> None:
        """The knobs, inside a fold that is open already."""
        say = self.desk.say
        self.parts["system"] = gr.Textbox(
            label=say("ui.chat.system"), info=say("ui.chat.system.hint"), lines=2, max_lines=5, max_length=20_000, elem_id="system"
        )
        with gr.Row(elem_classes="dials"):
            self.parts["temperature"] = gr.Slider(
                0, 2, 0, step=0.05, label=say("ui.chat.temperature"), info=say("ui.chat.temperature.hint"), elem_id="temperature"
            )
            self.parts["top_p"] = gr.Slider(0.05, 1, 0.9, step=0.05, label=say("ui.chat.top_p"), info=say("ui.chat.top_p.hint"))
            self.parts["max_new_tokens"] = gr.Slider(
                16, 4096, 512, step=16, label=say("ui.chat.length"), info=say("ui.chat.length.hint"), elem_id="length"
            )
            self.parts["seed"] = gr.Number(None, precision=0, label=say("ui.chat.seed"), info=say("ui.chat.seed.hint"), elem_id="seed")
            self.parts["strength"] = gr.Slider(
                0, 150, 100, step=5, label=say("ui.chat.strength"), info=say("ui.chat.strength.all"), elem_id="strength", visible=False
            )
        self.reset = gr.Button(say("ui.chat.reset"), elem_classes="quiet", scale=0, min_width=200)

    def wire(self, fault: gr.HTML) -> None:
        """Keep what somebody has changed, and bring the defaults back."""
        target, parts = self.desk.target, self.parts
        changes = [parts["system"].blur, parts["seed"].blur, parts["remember"].input]
        changes += [parts[name].release for name in ("temperature", "top_p", "max_new_tokens", "strength")]
        self.desk.on(changes, self.keep, {target, *parts.values()}, [], fault)
        self.desk.on(self.reset.click, self.forget, [target], [*parts.values()], fault)

    def habits(self, who: str | None) -> Habits:
        """How a target answers when nobody says otherwise; of one that is not there any more nothing is known."""
        try:
            return self.desk.studio.answering.habits(who or "")
        except TuningError:
            return Habits(AnswerSettings(system="", temperature=0.0, top_p=0.9, max_new_tokens=512, remember=True, strength=100.0))

    def shown(self, who: str | None) -> list[Any]:
        """Updates of `parts` for a target."""
        habits, kept = self.habits(who), self.desk.studio.chats.settings(who or "")
        values = {**habits.settings.model_dump(), **kept.model_dump(exclude_none=True)}
        return [gr.update(value=values[name], **self._extra(name, habits)) for name in self.parts]

    def _extra(self, name: str, habits: Habits) -> dict[str, Any]:
        if name == "strength":
            return {"visible": habits.scaling != "nothing", "info": self.desk.say(f"ui.chat.strength.{habits.scaling}")}
        return {"maximum": max(64, min(4096, habits.context or 4096))} if name == "max_new_tokens" else {}

    def told(self, values: Mapping[Any, Any], habits: Habits) -> AnswerSettings:
        """What the page says. An empty system text is one where it was emptied, and else the default that was not known yet."""
        given = {name: values[part] for name, part in self.parts.items()}
        given["strength"] = given["strength"] if habits.scaling != "nothing" else None  # the slider is of whoever was talked to before
        if not (given["system"] or "").strip():
            kept = self.desk.studio.chats.settings(values[self.desk.target] or "").system
            given["system"] = habits.settings.system if kept is None else kept
        given["thinking"] = self.desk.studio.chats.settings(values[self.desk.target] or "").thinking
        return settings_of(**given)

    def learned(self, who: str | None, values: Mapping[Any, Any]) -> Any:
        """The system text where it is known only now, for the libraries were not loaded before."""
        untold = not values[self.parts["system"]] and self.desk.studio.chats.settings(who or "").system is None
        return gr.update(value=self.habits(who).settings.system) if untold else gr.skip()

    def keep(self, values: dict[Any, Any]) -> None:
        """Keep what differs from the defaults."""
        who = values[self.desk.target]
        if not who:
            raise InputError("chat.empty")
        usual = self.habits(who).settings.model_dump()
        given = settings_of(**{name: values[part] for name, part in self.parts.items()}).model_dump()
        given["system"] = (given["system"] or "").strip()
        given["thinking"] = self.desk.studio.chats.settings(who).thinking
        self.desk.studio.chats.set(who, AnswerSettings(**{name: value for name, value in given.items() if value != usual[name]}))

    def forget(self, who: str | None) -> list[Any]:
        """The defaults again."""
        self.desk.studio.chats.set(who or "", AnswerSettings())
        return self.shown(who)


def sent(history: list[dict[str, str]], how: AnswerSettings, own_system: str) -> list[dict[str, str]]:
    """What of a conversation goes to the model: its last question alone, or all that was answered; before it the system text.

    The text that the template puts in by itself is left to it.
    """
    history = [{"role": turn["role"], "content": turn["content"]} for turn in history]
    asked = history[-1:]
    if how.remember is not False:
        pairs = itertools.pairwise(history)
        answered = [[one, two] for one, two in pairs if (one["role"], two["role"]) == ("user", "assistant") and two["content"]]
        asked = [*itertools.chain(*answered), *asked]
    text = (how.system or "").strip()
    return asked if text == own_system.strip() else [{"role": "system", "content": text}, *asked]
