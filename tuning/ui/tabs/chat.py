"""The fourth tab: talking to a run, while it learns and after, or to a model as it is; with the base beside it on request.

Answers stream from the workshop. Stop reaches the model itself, not only the page.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from tuning.errors import InputError, TuningError
from tuning.runs.contents import KeptProof, KeptTurn
from tuning.schema import Message
from tuning.studio.beside.blind_score import SIDES
from tuning.studio.talk import run_of
from tuning.ui import gradio_ways, view
from tuning.ui.desk import Desk
from tuning.ui.markup import html
from tuning.ui.parts.badge import badge, proof_of
from tuning.ui.parts.beside.fold import BesideFold
from tuning.ui.parts.beside.level import LEVEL, SIDES_IN_VIEW
from tuning.ui.parts.chat.chat_lines import LAST_IN_VIEW, chat_note, suggested, waiting
from tuning.ui.parts.chat.chat_settings import ChatSettings, sent
from tuning.ui.parts.chat.chat_shelf import ChatShelf, listed
from tuning.ui.parts.chat.chat_turns import before, folded, plain, question_at, said, spot
from tuning.ui.parts.chat.voices import Asking, Talks
from tuning.ui.parts.chat.whom import Whom, is_pulled, is_run
from tuning.ui.parts.pull_box import PullBox

TUNED, BASE = 0, 1


class Conversation:
    """What the tab does with one visitor's messages. Histories stay in the page; only open questions are kept here."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.talks = desk, Talks()

    def answer(self, text: str, who: str | None, both: bool, tuned: Any, base: Any) -> Iterator[Any]:
        """Stream the answer to a message, and the base model's beside it where it was asked for."""
        yield from self.stream([said(tuned, text), said(base, text)], who, both, Asking())

    def stream(self, histories: list[list[dict[str, str]]], who: str | None, both: bool, asking: Asking) -> Iterator[Any]:
        """Stream the answers to the last questions of these histories."""
        desk, same, title = self.desk, gr.skip(), self.desk.say("ui.chat.thought")
        sheets = [folded(history, title) for history in histories]
        yield "", sheets[TUNED], sheets[BASE] if both else same, None, gr.update(visible=False), gr.update(visible=True), ""
        sides = [TUNED, BASE] if both else [TUNED]
        for side, (voice, how) in zip(sides, asking.voices(who or ""), strict=False):
            turns = sent(histories[side], how, asking.own_system)
            asking.questions.append(desk.studio.talk.ask(voice.target, turns, voice.base, how, asking.begun[side], proven=True))
        mine = self.talks.begin(asking.questions)
        try:
            for side, question in zip(sides, asking.questions, strict=True):
                for wait in question.waited():
                    yield *[same] * 3, mine, same, same, waiting(desk, wait)
                for whole in itertools.accumulate(question.spoken(), initial=asking.begun[side]):
                    if whole:
                        shown = [*sheets[side], *folded([{"role": "assistant", "content": whole}], title)]
                        yield same, shown if side == TUNED else same, shown if side == BASE else same, mine, same, same, ""
        finally:
            self.talks.stop(mine)

    def choose(self, event: gr.EventData) -> Any:
        """A suggestion becomes the message."""
        return gradio_ways.text(event, "value")[:2000]

    def stop(self, mine: str | None) -> None:
        """End the answer under way, in the model too."""
        self.talks.stop(mine)


def rest() -> Any:
    """Send is back, Stop is gone."""
    return gr.update(visible=True), gr.update(visible=False)


class ChatTab:
    """The components of the tab, and what each press does with the conversation that lies on it."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.talk, self.whom, self.settings = desk, Conversation(desk), Whom(desk), ChatSettings(desk)
        with gr.Row(elem_classes="whom"):
            gradio_ways.configure(desk.target, label=desk.say("ui.chat.target"), interactive=True, scale=3, elem_id="target")
            desk.target.render()
            self.clear = gr.Button(desk.say("ui.chat.clear"), scale=0, min_width=150, elem_id="new-chat", elem_classes="quiet")
        self.about = desk.cards("talking-to")
        with gr.Row(elem_classes="switches"):
            self.settings.build_switch()
            self.beside = gr.Checkbox(label=desk.say("ui.chat.base"), container=False, scale=0, min_width=230, elem_id="beside")
        with gr.Row(elem_classes="folds"):
            with gr.Accordion(desk.say("ui.chat.settings"), open=False, elem_id="chat-settings", elem_classes="fold"):
                self.settings.build()
            with gr.Accordion(desk.say("ui.chats.title"), open=False, elem_id="chat-shelf", elem_classes="fold"):
                self.shelf = ChatShelf(desk)
            with gr.Accordion(desk.say("ui.beside.title"), open=False, elem_id="chat-beside", elem_classes="fold"):
                self.fold = BesideFold(desk)
            self.pulls = PullBox(desk)
        with gr.Row(elem_classes="bots", equal_height=True):
            self.bots = [_bot(desk, "tuned", True), _bot(desk, "base", False)]
        self.suggestions = desk.cards("suggestions")
        self.note = desk.cards("chat-note", script=LAST_IN_VIEW + LEVEL)
        self.fault, self.quiet = desk.slot(), desk.slot()
        with gr.Row(elem_classes="say"):
            self.message = _message(desk)
            self.send = gr.Button(desk.say("ui.chat.send"), scale=0, min_width=100, elem_id="send", elem_classes="go")
            self.stop = gr.Button(desk.say("ui.chat.stop"), scale=0, min_width=100, elem_id="halt", visible=False)
        self.token = gr.State(None)
        self.asked = {
            self.message,
            desk.target,
            self.beside,
            self.fold.pair.other,
            *self.bots,
            desk.talk,
            self.token,
            *self.settings.parts.values(),
        }
        self.spoken = [self.message, *self.bots, self.token, self.send, self.stop, self.note]
        self.spoken += [desk.talk, self.shelf.list, self.shelf.name, self.settings.parts["system"]]

    def wire(self) -> None:
        """Each press, and what it changes."""
        desk, tuned, once = self.desk, self.bots[TUNED], {"trigger_mode": "once", "js": SIDES_IN_VIEW}
        sending = desk.on([self.send.click, self.message.submit], self.ask, self.asked, self.spoken, self.fault, **once)
        picked = desk.on(self.suggestions.click, self.talk.choose, [], [self.message], self.quiet)
        events = [sending, desk.on(picked.then, self.ask, self.asked, self.spoken, self.fault, **once)]
        for trigger, handler in ((tuned.retry, self.retry), (tuned.edit, self.edit), (self.note.click, self.noted)):
            anew = {"repaint": trigger is not tuned.retry}  # data or a run may have come
            events.append(desk.on(trigger, handler, self.asked, self.spoken, self.fault, trigger_mode="once", **anew))
        for event in events:
            desk.on(event.then, rest, [], [self.send, self.stop], self.quiet)
        desk.on(tuned.undo, self.undo, self.asked, self.spoken, self.fault, queue=False)
        desk.on(self.stop.click, self.talk.stop, [self.token], [], self.quiet, queue=False)
        desk.on(self.clear.click, self.wipe, [self.token], [*self.bots, self.note, desk.talk, self.shelf.list, self.shelf.name], self.quiet)
        desk.on(self.about.click, self.whom.think, [desk.target], [], self.quiet, repaint=True)
        self.pulls.wire(self.quiet)
        self.fold.wire(self.beside, self.bots, self.shelf.file)
        greeted = [
            self.beside,
            self.suggestions,
            *self.bots,
            *self.settings.parts.values(),
            self.note,
            desk.talk,
            self.shelf.name,
            self.fold.pair.other,
        ]
        desk.on(desk.target.change, self.greet, [desk.target, desk.talk, tuned], greeted, self.quiet)
        self.settings.wire(self.quiet)
        self.shelf.wire(self.bots, self.quiet)
        desk.paints(self.whom.paint, [desk.target, desk.followed, self.about], live=True)
        desk.paints(lambda scene: [listed(desk, scene.talk)], [self.shelf.list])

    def ask(self, values: dict[Any, Any]) -> Iterator[Any]:
        """The message that was typed."""
        text = values[self.message] or ""
        yield from self._speak(values, [said(values[bot], text) for bot in self.bots])

    def retry(self, values: dict[Any, Any], event: gr.EventData) -> Iterator[Any]:
        """The same question again, and what came after it is gone."""
        at = self._spot(values, event)
        histories, asked = before(self._histories(values), at), question_at(values[self.bots[TUNED]], at)
        yield from self._speak(values, [said(history, asked) for history in histories])

    def edit(self, values: dict[Any, Any], event: gr.EventData) -> Iterator[Any]:
        """Another question in the place of one, and what came after it is gone; or a better answer, see `correct`."""
        at, text = self._spot(values, event), plain(gradio_ways.sent(event, "value"))[:20_000]
        turns = said(values[self.bots[TUNED]])
        if 0 <= at < len(turns) and turns[at]["role"] == "assistant":
            yield self.correct(values, at, text)
            return
        histories = before(self._histories(values), at)
        yield from self._speak(values, [said(history, text) for history in histories])

    def correct(self, values: dict[Any, Any], at: int, text: str) -> list[Any]:
        """Keep a better answer in the place of one, as a row that the run can learn."""
        desk, who, same = self.desk, values[self.desk.target] or "", gr.skip()
        if not is_run(desk, who):
            raise InputError("correct.model")
        histories, habits = self._histories(values), self.settings.habits(who)
        turns = sent(histories[TUNED][:at], self.settings.told(values, habits), habits.own_system)
        desk.studio.corrections.add(run_of(who), turns, text, desk.lang)
        histories[TUNED][at] = {"role": "assistant", "content": text}
        talk = self._save(values[desk.talk], who, histories)
        note = chat_note(desk, None, habits.single, who)
        return [same, self._drawn(histories)[TUNED], same, None, same, same, note, talk, *self._listed(talk), same]

    def noted(self, values: dict[Any, Any], event: gr.EventData) -> Iterator[Any]:
        """A press in the note: to go on with an answer, to learn those that were corrected, or which of two was better."""
        what = gradio_ways.text(event, "what")
        if what in SIDES:
            yield [*[gr.skip()] * 6, self.fold.pair.judge(gradio_ways.text(event, "value"), what), *[gr.skip()] * 4]
            return
        yield from self.learn(values) if what == "learn" else self.more(values)

    def learn(self, values: dict[Any, Any]) -> Iterator[Any]:
        """A run that goes on from this one, with its corrected answers, waits in the queue."""
        desk, same = self.desk, gr.skip()
        made = desk.studio.corrections.learn(run_of(values[desk.target] or ""), desk.lang)
        said_so = desk.say("ui.chat.learning_on", name=made["name"])
        yield [*[same] * 6, html('<p class="hint">{said_so}</p>', said_so=said_so), *[same] * 4]

    def more(self, values: dict[Any, Any]) -> Iterator[Any]:
        """The answers that were cut go on."""
        histories = self._histories(values)
        begun = [history[-1]["content"] if history and history[-1]["role"] == "assistant" else "" for history in histories]
        if not begun[TUNED]:
            raise InputError("chat.empty")
        yield from self._speak(values, [history[: -1 if words else None] for history, words in zip(histories, begun, strict=True)], begun)

    def undo(self, values: dict[Any, Any], event: gr.EventData) -> list[Any]:
        """A question and what came after it are gone, and it can be written anew."""
        self.talk.stop(values[self.token])
        at = self._spot(values, event)
        histories = before(self._histories(values), at)
        talk = values[self.desk.talk]
        kept = self._save(talk, values[self.desk.target], histories) if talk else ""
        return [question_at(values[self.bots[TUNED]], at), *self._drawn(histories), None, *rest(), "", kept, *self._listed(kept), gr.skip()]

    def wipe(self, mine: str | None) -> list[Any]:
        """A new conversation; the old one stays in the list."""
        self.talk.stop(mine)
        return [[], [], "", "", *self._listed("")]

    def greet(self, who: str | None, talk: str | None, spoken: Any) -> list[Any]:
        """Somebody else to talk to: other questions to try and other settings; an empty sheet, unless their conversation is open.

        A sheet with nothing on it yet is left alone: what is asked at this moment stays.
        """
        kept = self.whom.kept(talk)
        kept = kept if kept is not None and kept.target == who else None
        same = gr.skip()
        sheets = [*self.shelf.sheets(kept), kept.id] if kept else [[], [], ""] if spoken else [same] * 3
        beside = gr.update(visible=True) if is_run(self.desk, who) or is_pulled(who) else gr.update(visible=False, value=False)
        named = self.shelf.named(kept.id if kept else None)
        note = chat_note(self.desk, None, self.settings.habits(who).single, who)
        return [
            beside,
            suggested(self.desk, who),
            *sheets[:2],
            *self.settings.shown(who),
            note,
            sheets[2],
            named,
            self.fold.pair.choices(who),
        ]

    def _spot(self, values: dict[Any, Any], event: gr.EventData) -> int:
        return spot(values[self.bots[TUNED]], gradio_ways.whole(event, "index"))

    def _drawn(self, histories: list[list[dict[str, str]]]) -> list[list[dict[str, Any]]]:
        return [folded(history, self.desk.say("ui.chat.thought")) for history in histories]

    def _histories(self, values: Mapping[Any, Any]) -> list[list[dict[str, str]]]:
        return [said(values[bot]) for bot in self.bots]

    def _speak(self, values: dict[Any, Any], histories: list[list[dict[str, str]]], begun: Sequence[str] = ("", "")) -> Iterator[Any]:
        """Stream the answers, and keep the conversation; at the end what is to be said of them."""
        desk, same, who = self.desk, gr.skip(), values[self.desk.target] or self.whom.first()
        if not histories[TUNED] or not histories[TUNED][-1]["content"].strip():
            raise InputError("chat.empty")
        self.talk.stop(values[self.token])
        both, habits = bool(values[self.beside]), self.settings.habits(who)
        asking = Asking(self.settings.told(values, habits), habits.own_system, begun, values[self.fold.pair.other] or "")
        if both and desk.studio.blind.on:
            histories = self.fold.pair.hide(asking, histories)
        talk, sheets = values[desk.talk], list(histories)
        if not any(begun) and not asking.blind:
            with contextlib.suppress(TuningError, OSError):  # told after the answer, which comes all the same
                talk = self._save(talk, who, sheets)
        for step in self.talk.stream(histories, who, both, asking):
            sheets = [said(new) if isinstance(new, list) else old for old, new in zip(sheets, step[1:3], strict=True)]
            yield *step, talk, same, same, same
        note = self.fold.pair.vote(asking, who) if asking.blind else chat_note(desk, asking, habits.single, who)
        proofs = [] if asking.blind else [proof_of(question) for question in asking.questions]
        for sheet, proof in zip(sheets, proofs, strict=False):
            if proof and sheet[-1]["role"] == "assistant":  # it was not stopped before its first word
                sheet[-1] |= {"badge": str(badge(proof, desk.lang))}
        badged = self._drawn(sheets) if any(proofs) else [same, same]
        yield same, *badged, *[same] * 3, note, talk, same, same, self.settings.learned(who, values)
        if asking.blind:  # it is no conversation: each question is by itself, and the sides change
            return
        talk = self._save(talk, who, sheets, proofs)
        yield *[same] * 7, talk, *self._listed(talk), same

    def _save(self, talk: str | None, who: str | None, sheets: list[list[dict[str, str]]], proofs: Sequence[KeptProof | None] = ()) -> str:
        """Keep the conversation; of those who have just answered also the `proofs`."""
        turns = [[Message(role=turn["role"], content=turn["content"]) for turn in sheet] for sheet in sheets]  # type: ignore[arg-type]
        for sheet, proof in zip(turns, proofs, strict=False):
            sheet[-1:] = [KeptTurn(**dict(turn), proof=proof if turn.role == "assistant" else None) for turn in sheet[-1:]]
        return self.shelf.keep(talk, who or "", *turns)

    def _listed(self, talk: str) -> list[Any]:
        return [listed(self.desk, talk), self.shelf.named(talk)]


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    desk.html(view.head(desk.say("ui.chat.title"), desk.say("ui.chat.hint")), elem_id="chat-title")
    ChatTab(desk).wire()


def _message(desk: Desk) -> gr.Textbox:
    return gr.Textbox(
        label=desk.say("ui.chat.message"),
        placeholder=desk.say("ui.chat.place"),
        show_label=False,
        container=False,
        max_lines=6,
        scale=5,
        max_length=20_000,
        elem_id="message",
    )


def _bot(desk: Desk, side: str, visible: bool) -> gr.Chatbot:
    return gr.Chatbot(
        label=desk.say("ui.chat.conversation" if visible else "ui.chat.base.name"),
        visible=visible,
        show_label=not visible,
        height="100%",
        buttons=["copy"],
        editable="all" if visible else None,
        layout="bubble",
        elem_id=f"bot-{side}",
        placeholder="### " + desk.say("ui.chat.empty") + "\n\n" + desk.say("ui.chat.empty.text"),
        feedback_options=None,
        allow_file_downloads=False,
        group_consecutive_messages=False,
    )
