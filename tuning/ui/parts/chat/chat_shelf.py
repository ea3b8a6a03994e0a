"""The conversations that are kept, as a list in the Chat tab: opened, renamed, taken away as a file, deleted.

What a conversation is and where it lies is `studio.chats`; the talking itself is the tab's.
"""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from tuning.runs.contents import KeptChat, KeptTurn
from tuning.schema import Message
from tuning.ui import gradio_ways, view
from tuning.ui.desk import NAMES_SECONDS, Desk
from tuning.ui.markup import Html, html, joined
from tuning.ui.parts.badge import badge
from tuning.ui.parts.chat.chat_turns import folded

NEVER = 0.0  # was a conversation written
MOST_SEEN = 5000  # conversations that are open on pages
MOST = 100  # conversations in the list; those that were talked in last
# A file that the server has only said: the browser makes it.
SAVE = """(file) => {
  if (!file || !file.name) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file.text], {type: "text/plain"}));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}"""


def listed(desk: Desk, current: str | None, sure: str | None = None) -> Html:
    """The list as HTML; the conversation that is open has its ways, and `sure` is the one that may be deleted for good."""
    chats = desk.studio.chats.list()[:MOST]
    if not chats:
        return html('<p class="hint">{none}</p>', none=desk.say("ui.chats.none"))
    return html('<ul class="chats">{entries}</ul>', entries=joined(_entry(desk, chat, current, sure) for chat in chats))


def _entry(desk: Desk, chat: KeptChat, current: str | None, sure: str | None) -> Html:
    when = view.when(chat.updated, desk.lang)
    mark, name = html(' aria-current="true"') if chat.id == current else "", chat.name
    opens = html(
        '<button type="button" class="chat" data-do="open" data-value="{id}"{mark}><b>{name}</b> <small>{when}</small></button>',
        id=chat.id,
        mark=mark,
        name=name,
        when=when,
    )
    if chat.id != current:
        return html("<li>{opens}</li>", opens=opens)
    verbs = ["jsonl", "md", "keep", "delete"] if chat.id == sure else ["jsonl", "md", "sure"]
    ways = joined(
        html(
            '<button type="button" class="mend" data-do="{verb}" data-value="{id}">{word}</button>',
            verb=verb,
            id=chat.id,
            word=desk.say(f"ui.chats.do_{verb}"),
        )
        for verb in verbs
    )
    return html('<li>{opens}<div class="ways">{ways}</div></li>', opens=opens, ways=ways)


def _told(turns: list[KeptTurn], lang: str) -> list[dict[str, str]]:
    said = [turn for turn in turns if turn.role in ("user", "assistant")]
    badges = [{"badge": str(badge(turn.proof, lang))} if turn.proof else {} for turn in said]
    return [{"role": turn.role, "content": turn.content, **mark} for turn, mark in zip(said, badges, strict=True)]


class ChatShelf:
    """The list and what is pressed in it. `talk` is the conversation that is open, by its id."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._seen: dict[tuple[str, str], float] = {}  # when a conversation was written last, as far as a page knows
        self.list = desk.cards("chats")
        self.name = gr.Textbox(
            label=desk.say("ui.chats.rename.label"),
            max_lines=1,
            max_length=80,
            visible=False,
            submit_btn=desk.say("ui.chats.rename"),
            elem_id="chat-name",
        )
        self.file = gr.JSON(visible=False)

    def wire(self, bots: list[Any], fault: gr.HTML) -> None:
        """Presses in the list, and the new name."""
        desk = self.desk
        outputs = [self.list, desk.talk, desk.target, *bots, self.name, self.file]
        pressed = desk.on(self.list.click, self.press, [desk.talk, desk.target], outputs, fault)
        pressed.success(fn=None, inputs=[self.file], js=SAVE, api_visibility="private")
        desk.on(self.name.submit, self.rename, [desk.talk, self.name], [self.list], fault)

    def sheets(self, chat: KeptChat) -> list[list[dict[str, Any]]]:
        """A kept conversation as the page shows it from now on, and what was answered beside it; each answer with its badge."""
        self._saw(chat)
        return [folded(_told(turns, self.desk.lang), self.desk.say("ui.chat.thought")) for turns in (chat.turns, chat.beside)]

    def keep(self, talk: str | None, who: str, turns: Sequence[Message], beside: Sequence[Message]) -> str:
        """Keep what the page shows, and what was answered beside it; the id.

        A new one where another page has gone on with `talk`, or this one has never shown it, as where the run is gone that it was had with.
        """
        kept = self.desk.studio.chats.save(talk, who, turns, beside, self._seen.get((self.desk.page, str(talk)), NEVER))
        self._saw(kept)
        return kept.id

    def _saw(self, chat: KeptChat) -> None:
        self._seen.pop((self.desk.page, chat.id), None)  # who has looked last stands last
        self._seen[self.desk.page, chat.id] = chat.updated
        for forgotten in list(self._seen)[:-MOST_SEEN]:
            self._seen.pop(forgotten, None)

    def press(self, talk: str | None, target: str | None, event: gr.EventData) -> list[Any]:
        """Open, take away or delete a conversation."""
        desk, what, id = self.desk, gradio_ways.text(event, "what"), gradio_ways.text(event, "value")
        same = gr.skip()
        if what == "open":
            chat = desk.studio.chats.get(id)
            known = {run["run"] for run in desk.runs(shared=True)} | {one["id"] for one in desk.models(NAMES_SECONDS)}
            known |= {one.name for one in desk.studio.talk.pulled()}
            who = gr.update(value=chat.target) if chat.target in known - {target} else same
            return [listed(desk, id), id, who, *self.sheets(chat), self.named(id), None]
        if what in ("jsonl", "md"):
            name, text = desk.studio.chats.export(id, what, desk.lang)
            return [same, same, same, same, same, same, {"name": name, "text": text}]
        if what == "delete":
            desk.studio.chats.delete(id)
            return [listed(desk, None), "", same, [], [], self.named(None), None]
        return [listed(desk, talk, id if what == "sure" else None), same, same, same, same, same, None]

    def rename(self, talk: str | None, name: str) -> Any:
        """Give the open conversation another name."""
        self.desk.studio.chats.rename(talk or "", name)
        return listed(self.desk, talk)

    def named(self, id: str | None) -> Any:
        """The field for a new name, where a conversation is open."""
        known = next((chat.name for chat in self.desk.studio.chats.list() if chat.id == id), None)
        return gr.update(visible=known is not None, value=known or "")
