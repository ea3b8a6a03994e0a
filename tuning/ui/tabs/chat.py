"""The fourth tab: talking to a run, while it learns and after, or to a model as it is; with the base beside it on request.

Answers stream from the workshop. Stop reaches the model itself, not only the page.
"""

import itertools
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from tuning.schema import ALIVE, UNREADABLE
from tuning.ui import gradio_ways, view
from tuning.ui.desk import NAMES_SECONDS, Desk, Scene

if TYPE_CHECKING:
    from tuning.engine.question import Question

SUGGESTIONS = 3
TUNED, BASE = 0, 1


class Talks:
    """Questions under way, by a token that the page holds, so that Stop finds them."""

    def __init__(self) -> None:
        self._open: dict[str, list[Question]] = {}

    def begin(self, questions: "list[Question]") -> str:
        token = uuid.uuid4().hex
        self._open[token] = questions
        return token

    def stop(self, token: str | None) -> None:
        """The model ends its answer at the next token; also the way to say that all is over."""
        for question in self._open.pop(token or "", []):
            question.stopped.set()


class Conversation:
    """What the tab does with one visitor's messages. Histories stay in the page; only open questions are kept here."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.talks = desk, Talks()

    def answer(self, text: str, who: str | None, both: bool, tuned: Any, base: Any) -> Iterator[Any]:
        """Stream the answer, and the base model's beside it where it was asked for."""
        desk, same = self.desk, gr.skip()
        histories = [said(tuned, text), said(base, text)]
        yield "", histories[TUNED], histories[BASE] if both else same, None, gr.update(visible=False), gr.update(visible=True)
        if not desk.warm():
            yield same, [*histories[TUNED], {"role": "assistant", "content": desk.say("ui.chat.warming")}], same, same, same, same
        sides = [TUNED, BASE] if both else [TUNED]
        questions = [desk.studio.talk.ask(who or "", histories[side], base=side == BASE) for side in sides]
        mine = self.talks.begin(questions)
        try:
            for side, question in zip(sides, questions, strict=True):
                for whole in itertools.accumulate(question.spoken()):
                    shown = [*histories[side], {"role": "assistant", "content": whole}]
                    yield same, shown if side == TUNED else same, shown if side == BASE else same, mine, same, same
        finally:
            self.talks.stop(mine)

    def choose(self, event: gr.EventData) -> Any:
        """A suggestion becomes the message."""
        return gradio_ways.text(event, "value")[:2000]

    def compare(self, both: bool) -> Any:
        """Show or hide the base model's side."""
        name = self.desk.say("ui.chat.tuned.name" if both else "ui.chat.conversation")
        return gr.update(label=name), gr.update(visible=both)

    def stop(self, mine: str | None) -> None:
        """End the answer under way, in the model too."""
        self.talks.stop(mine)

    def wipe(self, mine: str | None) -> Any:
        """A new conversation."""
        self.talks.stop(mine)
        return [], []

    def greet(self, who: str | None) -> Any:
        """Somebody else to talk to: other questions to try, and an empty sheet."""
        is_run = who not in [entry["id"] for entry in self.desk.models(NAMES_SECONDS)]
        return gr.update(visible=is_run, **({} if is_run else {"value": False})), suggested(self.desk, who), [], []

    def paint(self, scene: Scene) -> list[Any]:
        """Whom one can talk to; a run that was just started is chosen by itself."""
        options = targets(self.desk, scene)
        known = [value for _, value in options]
        watched = scene.run["run"] if scene.run else None
        follow = watched in known and watched != scene.followed
        wanted = watched if follow else scene.talker if scene.talker in known else next(iter(known), None)
        update = gr.update(choices=options, **({"value": wanted} if wanted != scene.talker else {}))
        return [update, watched if follow else scene.followed, talking(self.desk, scene, wanted)]


def rest() -> Any:
    """Send is back, Stop is gone."""
    return gr.update(visible=True), gr.update(visible=False)


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    talk = Conversation(desk)
    desk.html(view.head(desk.say("ui.chat.title"), desk.say("ui.chat.hint")))
    with gr.Row(elem_classes="beside end"):
        target = desk.target
        words = {"label": desk.say("ui.chat.target"), "info": desk.say("ui.chat.target.hint")}
        gradio_ways.configure(target, **words, interactive=True, scale=3, elem_id="target")
        target.render()
        hint = desk.say("ui.chat.base.hint")
        beside = gr.Checkbox(label=desk.say("ui.chat.base"), info=hint, scale=2, min_width=240, elem_id="beside")
    note = desk.html(elem_id="talking-to")
    with gr.Row(elem_classes="bots", equal_height=True):
        bots = [_bot(desk, "tuned", True), _bot(desk, "base", False)]
    suggestions = desk.cards("suggestions")
    with gr.Row(elem_classes="say"):
        message = gr.Textbox(
            label=desk.say("ui.chat.message"),
            placeholder=desk.say("ui.chat.place"),
            show_label=False,
            container=False,
            max_lines=6,
            scale=5,
            max_length=20_000,
            elem_id="message",
        )
        send = gr.Button(desk.say("ui.chat.send"), scale=0, min_width=100, elem_id="send", elem_classes="go")
        stop = gr.Button(desk.say("ui.chat.stop"), scale=0, min_width=100, elem_id="halt", visible=False)
        clear = gr.Button(desk.say("ui.chat.clear"), scale=0, min_width=160, elem_classes="quiet")
    fault, quiet = desk.slot(), desk.slot()
    token = gr.State(None)

    asked, outputs = [message, target, beside, *bots], [message, *bots, token, send, stop]
    first = desk.on([send.click, message.submit], talk.answer, asked, outputs, fault, trigger_mode="once")
    picked = desk.on(suggestions.click, talk.choose, [], [message], quiet)
    second = desk.on(picked.then, talk.answer, asked, outputs, fault, trigger_mode="once")
    for event in (first, second):
        desk.on(event.then, rest, [], [send, stop], quiet)
    desk.on(stop.click, talk.stop, [token], [], quiet, queue=False)
    desk.on(clear.click, talk.wipe, [token], bots, quiet, queue=False)
    desk.on(beside.change, talk.compare, [beside], bots, quiet, queue=False)
    desk.on(target.change, talk.greet, [target], [beside, suggestions, *bots], quiet)
    desk.paints(talk.paint, [target, desk.followed, note], live=True)


def _bot(desk: Desk, side: str, visible: bool) -> gr.Chatbot:
    return gr.Chatbot(
        label=desk.say("ui.chat.conversation" if visible else "ui.chat.base.name"),
        visible=visible,
        height=420,
        buttons=["copy"],
        layout="bubble",
        elem_id=f"bot-{side}",
        placeholder="### " + desk.say("ui.chat.empty") + "\n\n" + desk.say("ui.chat.empty.text"),
        feedback_options=None,
        allow_file_downloads=False,
    )


def said(history: Any, text: str) -> list[dict[str, str]]:
    """The conversation so far as plain messages, and the new question."""
    turns = []
    for turn in history or []:
        content = turn["content"]
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
        turns.append({"role": turn["role"], "content": str(content)})
    return [*turns, {"role": "user", "content": text}]


def targets(desk: Desk, scene: Scene) -> list[tuple[str, str]]:
    """Who can be talked to: runs with an adapter or at work, newest first, then the models as they are."""
    found = []
    for run in scene.runs:
        if run["status"] in ("starting", "running"):
            found.append((desk.say("ui.chat.learning", name=run["name"]), run["run"]))
        elif run["has_adapter"] and run["status"] not in (*ALIVE, UNREADABLE):
            found.append((f"{run['name']} · {view.when(run['created'], desk.lang)}", run["run"]))
    return [
        *found,
        *((desk.say("ui.chat.bare", model=entry["title"]), entry["id"]) for entry in desk.models(NAMES_SECONDS) if entry["here"]),
    ]


def talking(desk: Desk, scene: Scene, who: str | None) -> str:
    """With whom one talks; while a run learns, that it is talked to as it is now."""
    run = scene.run
    if run is not None and run["run"] == who and run["status"] in ("starting", "running"):
        step, total = view.number(run["state"]["step"], desk.lang), view.number(run["total_steps"], desk.lang)
        return f'<p class="while"><i aria-hidden="true">●</i> {view.escape(desk.say("ui.chat.while", step=step, total=total))}</p>'
    name = next((entry["name"] for entry in scene.runs if entry["run"] == who), None)
    title = next((entry["title"] for entry in desk.models(NAMES_SECONDS) if entry["id"] == who), who or "")
    says = desk.say("ui.chat.with_run", name=name) if name else desk.say("ui.chat.with_model", model=title)
    untaught = desk.say("chat.untaught") if who and not name and desk.studio.talk.untaught(who) else ""
    return f'<p class="hint">{view.escape(f"{says} {untaught}".strip())}</p>' if who else ""


def suggested(desk: Desk, who: str | None) -> str:
    """Questions to try, from the held-out rows of the run's data or, without any, its first ones."""
    questions = desk.studio.talk.questions(who or "", desk.lang, SUGGESTIONS)
    if not questions:
        return ""
    button = '<button type="button" class="suggestion" data-do="ask" data-value="{0}">{0}</button>'
    buttons = "".join(button.format(view.escape(text)) for text in questions)
    return f'<div class="suggestions" role="group" aria-label="{view.escape(desk.say("ui.chat.suggestions"))}">{buttons}</div>'
