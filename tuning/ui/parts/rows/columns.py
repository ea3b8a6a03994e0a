"""Which column is what: asked where files were not understood, and where a person says that they were understood otherwise.

The same place asks who of a chat is the assistant, and offers to throw files away that wait for an answer.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from tuning.data.records import SHEET
from tuning.data.waiting import WaitingFiles
from tuning.errors import InputError
from tuning.ui import gradio_ways
from tuning.ui.caches import OwnerCache
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw import cards, chooser
from tuning.ui.markup import Html
from tuning.ui.parts.rows.bring import Readings
from tuning.ui.view import sentence

# What a person calls a part -> the targets that formats have for it, the one to ask for first.
ROLES: dict[str, Sequence[str]] = {
    "question": ("question", "instruction", "prompt"),
    "context": ("context", "input"),
    "answer": ("answer", "response", "output", "completion", "chosen"),
    "reasoning": ("reasoning",),
    "system": ("system",),
    "history": ("history",),
    "messages": ("messages", "conversations"),
    "text": ("text",),
}
NONE = ""
MOST = 100_000  # characters of what a page sends
# Faults that the question itself tells.
SAID = ("data.format", "data.format.sheet", "data.header", "data.languages", "data.speakers", "data.speakers.table")


class Chooser:
    """The question, and what is answered. What was answered so far stands in the page's `browsed`: columns, roles, bare, sheet, sure."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._seen = OwnerCache[dict[str, Any]]()
        self.place = desk.html(elem_id="columns", script=chooser.SCRIPT)
        self.readings = Readings(desk, "columns")
        self.readings.wire(self.place.click, self.press, [desk.choice, desk.browsed], trigger_mode="multiple")
        desk.paints(self.paint, [self.place])

    def press(self, choice: Any, browsed: Any, request: gr.Request, event: gr.EventData) -> Iterator[Any]:
        """What was pressed: the roles of the columns, that there are no names, who the assistant is, take it, delete it."""
        data, now = str((browsed or {}).get("columns") or ""), dict(browsed or {})
        do, value, studio = gradio_ways.text(event, "what"), gradio_ways.text(event, "value"), self.desk.studio
        if not data:
            raise InputError("ui.train.needs")
        if do in ("take", "speaker"):
            wish = {"assistant": value} if do == "speaker" else mapping(by_role(value)) | self.sheet(now)
            yield from self.readings.follow(choice, lambda watch: studio.data.take(data, wish, watch), request.session_hash)
            return
        if do == "delete":
            studio.data.delete(data)
            now = {}
        elif do in ("sure", "keep"):
            now["sure"] = do == "sure"
        elif do == "sheet":
            now |= {"sheet": value, "bare": None, "roles": None}
        elif do == "bare":
            now |= {"bare": bool(value), "roles": None}
        elif do == "roles":
            now["roles"] = by_role(value)
        if now:
            self.look(now)
        yield gr.skip(), now, "", gr.update(visible=False)

    def look(self, browsed: Mapping[str, Any]) -> dict[str, Any]:
        """The first rows, and what the roles chosen so far make of them."""
        data, roles, bare, sheet = browsed["columns"], browsed.get("roles"), browsed.get("bare"), str(browsed.get("sheet") or "")
        wish = None
        if roles is not None:
            try:
                wish = mapping(roles)
            except InputError:  # not enough yet
                wish = {}
        find = self.desk.studio.data.columns
        return self._seen.get(self.desk.studio.owner, json.dumps([data, wish, bare, sheet]), lambda: find(data, wish, bare, sheet))

    def sheet(self, browsed: Mapping[str, Any]) -> dict[str, str]:
        """The sheet that is looked at, as a part of a mapping, where a workbook has several."""
        seen = self.look(browsed)
        return {SHEET: seen["sheet"]} if len(seen["sheets"]) > 1 else {}

    def paint(self, scene: Scene) -> list[str]:
        """The question about files that wait, or about the chosen data where that was asked for; else nothing."""
        data, desk = scene.browsed.get("columns"), self.desk
        entry = next((one for one in desk.studio.data.waiting() if one.id == data), None)
        if not data or (entry is None and data != scene.choice.data):
            return [""]
        seen = self.look(scene.browsed)
        roles = scene.browsed.get("roles")
        if roles is None:
            roles = {column["role"]: column["name"] for column in seen["columns"] if column["role"]}
        table = chooser.chooser(seen, {column: role for role, column in roles.items()}, desk.lang)
        if entry is None:
            return [chooser.frame(str(data), desk.say("ui.data.columns"), desk.say("ui.data.columns.hint"), table, Html())]
        own = chooser.deletion(entry.name, bool(scene.browsed.get("sure")), desk.lang)
        if entry.code in ("data.speakers", "data.speakers.table"):
            return [self.chat(entry, table, own)]
        why = "" if entry.code in SAID else sentence(desk.lang, entry.code, entry.params)
        hint = " ".join(filter(None, (why, desk.say("ui.data.ask.hint"))))
        return [chooser.frame(entry.id, desk.say("ui.data.ask.title", name=entry.name), hint, table, own)]

    def chat(self, entry: WaitingFiles, table: Html, own: Html) -> Html:
        """The question of a chat; below a fold the columns, where its messages are rows of a table."""
        desk, names = self.desk, [name for name in entry.params.get("names", ()) if isinstance(name, str)]
        inside = chooser.speakers(names, desk.lang)
        if entry.code == "data.speakers.table":
            inside += cards.fold(desk.say("ui.data.ask.no_chat"), table)
        return chooser.frame(entry.id, desk.say("ui.data.ask.speaker", name=entry.name), desk.say("ui.data.ask.speaker.why"), inside, own)


def asked(desk: Desk, data: str) -> dict[str, Any]:
    """What `browsed` holds where somebody wants to say what the columns of data are that were understood otherwise."""
    found = desk.checked(data)
    sheet = next((notice["params"]["sheet"] for notice in found["findings"] if notice["code"] == "data.note.sheets"), None)
    return {"columns": data, "roles": roles(found["mapping"]), "sheet": sheet}


def roles(found: Mapping[str, str]) -> dict[str, str]:
    """The column of each part, from a format's mapping."""
    return {role: found[target] for role, targets in ROLES.items() for target in targets if target in found}


def by_role(sent: str) -> dict[str, str]:
    """The column of each role, from what a page sends: the role of each column, as JSON. Anything else in it is left out."""
    try:
        found = json.loads(sent[:MOST])
    except (ValueError, RecursionError):
        found = None
    pairs = found.items() if isinstance(found, dict) else ()
    return {role: column for column, role in pairs if isinstance(role, str) and role in ROLES}


def mapping(columns: Mapping[str, Any]) -> dict[str, str]:
    """The mapping to ask for: conversations or plain text alone (with their system text), else question and answer."""
    chosen = {role: str(column) for role, column in columns.items() if isinstance(column, str) and column != NONE}
    for whole in ("messages", "text"):
        if whole in chosen and "answer" not in chosen:
            return {role: chosen[role] for role in (whole, "system") if role in chosen and (role == whole or whole == "messages")}
    if not {"question", "answer"} <= chosen.keys():
        raise InputError("data.mapping.roles")
    return {role: chosen[role] for role in ("question", "context", "answer", "reasoning", "system", "history") if role in chosen}
