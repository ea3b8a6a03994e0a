"""The rows of the chosen data, a few at a time: page, search, and edit, add or remove a row by hand. One component in all.

What is looked at stands in the page's `browsed`: rows (the place of the first), find, edit (a row's number, or "new").
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import gradio as gr

from tuning.data.records import MOST_SYSTEM, system_text
from tuning.errors import InputError
from tuning.text import t
from tuning.ui import gradio_ways
from tuning.ui.caches import OwnerCache
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw import sheet
from tuning.ui.markup import Html, html, joined
from tuning.ui.slip import Order
from tuning.ui.view import number

ROWS = 4  # conversations to a page
NEW = "new"
LONGEST = 200  # characters of a search

# What is typed is kept while the page is drawn anew: of a row until it is no longer edited, of a search until it is made.
SCRIPT = """
let typed = {}, sought = null;
const texts = (form) => [...form.querySelectorAll("textarea")].map((area) => area.value);
element.addEventListener("input", (event) => {
  const form = event.target.closest("form");
  if (form?.dataset.form === "save") typed = {row: form.dataset.row, texts: texts(form)};
  if (form?.dataset.form === "find") sought = event.target.value;
  form?.classList.remove("sent");
});
element.addEventListener("click", (event) => { if (event.target.closest("[data-do=find]")) sought = null; });
element.addEventListener("click", (event) => event.target.closest("[data-do=cancel]")?.closest("form").classList.add("sent"));
element.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, what = form.dataset.form;
  if (what === "find") sought = null;
  form.classList.toggle("sent", what === "save");  // the style folds it away until it has been taken, or refused
  const said = what === "find" ? form.querySelector("input").value
    : what === "told" ? texts(form)[0] : JSON.stringify({row: form.dataset.row, texts: texts(form)});
  trigger("click", {what, value: said});
});
let open = null;
watch("value", () => {
  const search = element.querySelector("input[type=search]");
  if (search && sought !== null) search.value = sought;
  const form = element.querySelector("form[data-form=save]"), row = form?.dataset.row ?? null;
  if (row === null || row !== typed.row) typed = {};
  if (typed.texts) [...form.querySelectorAll("textarea")].forEach((area, place) => { area.value = typed.texts[place] ?? area.value; });
  if (row !== null && row !== open) form.querySelector("textarea")?.focus();
  open = row;
});
"""


class Edits(NamedTuple):
    """What is edited of rows that can be: one by its number, a new one, or nothing; whether they are plain texts."""

    row: str | None
    texts: bool
    made: int = 0  # rows by hand
    system: str = ""  # what every row was told by hand to begin with


def build(desk: Desk) -> None:
    """Lay out the rows and wire what is pressed in them."""
    place, fault = desk.cards("rows", script=SCRIPT), desk.slot()
    found = OwnerCache[Sequence[int]]()

    def press(choice: Any, browsed: Any, event: gr.EventData) -> Any:
        what, now, chosen = gradio_ways.text(event, "what"), dict(browsed or {}), Order.of(choice)
        if chosen.data is None:
            raise InputError("ui.train.needs")
        if what in ("save", "remove"):
            made = _saved(desk, chosen.data, what, gradio_ways.text(event, "value"))
            return asdict(chosen.but(data=made.id, source=made.id)), {key: now[key] for key in ("rows", "find") if key in now}
        if what in ("unedit", "told"):
            edits, data = desk.studio.edits, desk.studio.data
            made = edits.undo(chosen.data) if what == "unedit" else data.told(chosen.data, gradio_ways.text(event, "value"))
            return asdict(chosen.but(data=made.id, source=made.id)), {}
        if what == "rows":
            now |= {"rows": gradio_ways.whole(event, "value"), "edit": None}
        elif what == "find":
            now = _looked_for(desk, chosen.data, gradio_ways.text(event, "value").strip()[:LONGEST])
        else:
            now["edit"] = gradio_ways.text(event, "value") if what == "edit" else None
        return gr.skip(), now

    def paint(scene: Scene) -> list[str]:
        data = scene.choice.data
        if data is None:
            return [""]
        checked, words = desk.checked(data), str(scene.browsed.get("find") or "")
        search, owner = desk.studio.data.search, desk.studio.owner
        places = found.get(owner, (data, words), lambda: search(data, words)) if words else range(checked["rows_kept"])
        start = max(0, min(int(scene.browsed.get("rows", 0)), len(places) - 1))
        if words:
            rows = [row for place in places[start : start + ROWS] for row in desk.studio.data.preview(data, limit=1, start=place)]
        else:
            rows = desk.studio.data.preview(data, limit=ROWS, start=start)
        made = Edits(scene.browsed.get("edit"), checked["format"] == "text", checked["rows_edited"], system_text(checked["repairs"]))
        edits = made if checked["source_kept"] else None
        return [browser(rows, (start, len(places), words), edits, desk.lang)]

    desk.on(place.click, press, [desk.choice, desk.browsed], [desk.choice, desk.browsed], fault, repaint=True, show_progress="minimal")
    desk.paints(paint, [place])


def _saved(desk: Desk, data: str, what: str, sent: str) -> Any:
    """The version of data without a row, or with one as it was written: a row's number and its texts as JSON."""
    if what == "remove":
        return desk.studio.edits.remove(data, _whole(sent))
    try:
        said = json.loads(sent)
        row, texts = said["row"], [text for text in said["texts"] if isinstance(text, str)]
    except (ValueError, RecursionError, LookupError, TypeError):
        raise InputError("data.edit.empty") from None
    return desk.studio.edits.write(data, None if row == NEW else _whole(row), texts)


def _whole(sent: Any) -> int:
    if not isinstance(sent, str) or not sent.isascii() or not sent.isdigit() or len(sent) > 12:
        raise InputError("data.edit.row", row=str(sent)[:20])
    return int(sent)


def _looked_for(desk: Desk, data: str, words: str) -> dict[str, Any]:
    """Where to look for words: at the row of that number, where they are one, else at the rows that say them."""
    if words.isascii() and words.isdigit() and len(words) < 12:
        return {"rows": desk.studio.data.place(data, int(words))}
    return {"find": words, "rows": 0}


def browser(rows: Sequence[Mapping[str, Any]], at: tuple[int, int, str], edits: Edits | None, lang: str) -> Html:
    """Some of the rows as conversations, with the ways to others and to change them. `at`: the first from 0, of how many, words in them."""
    start, count, words = at
    says = {"first": number(start + 1, lang), "last": number(start + len(rows), lang), "count": number(count, lang)}
    place = t(lang, "ui.data.found", words=words, **says) if words else t(lang, "ui.data.rows.place", **says)
    if words and not rows:
        place = t(lang, "ui.data.found.none", words=words)
    pages = sheet.pager("rows", start, len(rows) or ROWS, count, place, lang)
    add = _button("edit", NEW, "ui.data.edit.add", lang) if edits else ""
    new = _form(NEW, _blank(edits.texts), lang) if edits and edits.row == NEW else ""

    def change(row: Mapping[str, Any]) -> Html:
        own = str(row["row"])
        if edits and edits.row == own:
            return _form(own, row, lang, told=bool(edits.system))
        buttons = _button("edit", own, "ui.data.edit", lang) + _button("remove", own, "ui.data.edit.remove", lang)
        return html('<p class="ways-on">{buttons}</p>', buttons=buttons)

    shown = sheet.conversations(rows, lang, ways=change if edits else None)
    title = t(lang, "ui.data.preview")
    return html(
        '<section class="paper browse"><h3>{title}</h3><div class="ways-on">{search}{add}</div>{told}{new}{pages}{shown}{edited}</section>',
        told=_told(rows, edits.system, lang) if edits and not edits.texts else "",
        title=title,
        search=_search(words, lang),
        add=add,
        new=new,
        pages=pages,
        shown=shown,
        edited=_edited(edits.made, lang) if edits and edits.made else "",
    )


def _told(rows: Sequence[Mapping[str, Any]], system: str, lang: str) -> Html:
    """Folded, the system text that these rows have, or were given, and the way to give another."""
    own = {turn["content"] for row in rows for turn in row.get("messages", ())[:1] if turn["role"] == "system"}
    now = system or (own.pop() if len(own) == 1 else "")
    return html(
        '<details class="more told" data-fold="told"><summary>{title}</summary><p class="hint">{hint}</p>'
        '<form data-form="told"><div class="edits"><label>{field}<textarea rows="3" maxlength="{most}">\n{now}</textarea></label>'
        '<p class="ways-on"><button type="submit" class="mend take">{go}</button></p></div></form></details>',
        title=t(lang, "ui.data.told"),
        hint=t(lang, "ui.data.told.hint"),
        field=t(lang, "ui.data.told.field"),
        most=MOST_SYSTEM,
        now=now,
        go=t(lang, "ui.data.told.go"),
    )


def _edited(count: int, lang: str) -> Html:
    """How many rows were edited by hand, and the way back; below them, for it comes when one is saved, and pushes nothing down."""
    said, undo = t(lang, "ui.data.edited", count=number(count, lang)), _button("unedit", "", "ui.data.edit.undo", lang)
    return html('<p class="fine">✎ {said} {undo}</p>', said=said, undo=undo)


def _blank(texts: bool) -> dict[str, Any]:
    return {"text": ""} if texts else {"messages": [{"role": role, "content": ""} for role in ("user", "assistant")]}


def _search(words: str, lang: str) -> Html:
    label = t(lang, "ui.data.find")
    every = _button("find", "", "ui.data.find.all", lang) if words else ""
    return html(
        '<form data-form="find" role="search">'
        '<input type="search" value="{words}" placeholder="{label}" aria-label="{label}">'
        '<button type="submit" class="mend">{go}</button>{every}</form>',
        words=words,
        label=label,
        go=t(lang, "ui.data.find.go"),
        every=every,
    )


def _form(row: str, content: Mapping[str, Any], lang: str, told: bool = False) -> Html:
    """A field for each turn of a row, or for its text; `told`: its system text is that of every row, and changed there."""
    said = [(sheet.SPEAKERS[turn["role"]], str(turn["content"])) for turn in content.get("messages", ())]
    if "text" in content:
        said = [("ui.data.text", str(content["text"]))]
    fields = joined(
        html(
            '<label>{says}<textarea rows="{tall}"{fixed}>\n{text}</textarea></label>',
            says=t(lang, code),
            fixed=html(" readonly") if told and code == sheet.SPEAKERS["system"] else "",
            tall=min(12, 2 + len(text) // 70),
            text=text,
        )
        for code, text in said
    )
    keep = html('<button type="submit" class="mend take">{keep}</button>', keep=t(lang, "ui.data.edit.keep"))
    title = t(lang, "ui.data.edit.new") if row == NEW else ""
    heading = html("<h4>{title}</h4>", title=title) if title else ""
    ways = html('<p class="ways-on">{keep}{button}</p>', keep=keep, button=_button("cancel", "", "ui.data.edit.cancel", lang))
    return html(
        '<form class="edits" data-form="save" data-row="{row}">{heading}{fields}{ways}</form>',
        row=row,
        heading=heading,
        fields=fields,
        ways=ways,
    )


def _button(do: str, value: str, code: str, lang: str) -> Html:
    return html(
        '<button type="button" class="mend" data-do="{do}" data-value="{value}">{says}</button>', do=do, value=value, says=t(lang, code)
    )
