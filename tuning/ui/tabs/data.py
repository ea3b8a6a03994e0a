"""The second tab: what to learn from. Sets on offer, data that are brought, what was understood of them, and what will be learned."""

import pathlib
from dataclasses import asdict
from typing import Any

import gradio as gr

from tuning.data.ingest import ReadingOptions
from tuning.errors import InputError
from tuning.ui import form, gradio_ways, view
from tuning.ui.desk import NAMES_SECONDS, Desk, Scene
from tuning.ui.draw import cards, chooser, sheet
from tuning.ui.markup import Html, html
from tuning.ui.parts import token_view
from tuning.ui.parts.rows import bring, columns, hub_sets, moving, row_browser
from tuning.ui.slip import Order

# A file that is brought has its card at once: nothing is pushed down when it has been read.
COMES = """
for (const kind of ["change", "drop"]) document.addEventListener(kind, (event) => {
  const file = event.target.closest?.("#upload") && (event.target.files ?? event.dataTransfer?.files)?.[0];
  const there = [...element.querySelectorAll(".card strong")].map((name) => name.textContent);
  if (!file || there.includes(file.name)) return;
  element.querySelector(".coming")?.remove();
  const part = (name, kind, text = "") => Object.assign(document.createElement(name), {className: kind, textContent: text});
  const card = part("div", "card coming"), top = part("span", "top"), facts = part("ul", "facts");
  top.append(part("strong", "", file.name));
  facts.append(part("li", "", "…"));
  card.append(top, facts);
  element.querySelector(".cards")?.append(card);
}, true);
"""


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    head = view.head(desk.say("ui.data.title"), desk.say("ui.data.hint"))
    grid = desk.cards("datasets", head, COMES)
    fault = desk.slot()
    bring.build(desk)
    hub = hub_sets.build(desk)
    report = repairs(desk)
    columns.Chooser(desk)
    with gr.Column(visible=False, elem_id="understood") as understood:
        limits(desk)
    row_browser.build(desk)
    token_view.build(desk)  # last: it grows once it has been found, and pushes nothing down

    def pick(choice: Any, event: gr.EventData) -> Any:
        source = gradio_ways.text(event, "value")
        if gradio_ways.text(event, "what") == "near":
            return asdict(Order.of(choice).but(model=desk.studio.models.find(source).id)), gr.skip(), gr.skip()
        entry = next((entry for entry in desk.studio.data.list() if entry["id"] == source), None)
        if entry is not None and not entry["here"]:
            return gr.skip(), gr.skip(), entry["hub"]
        if any(one.id == source for one in desk.studio.data.waiting()):
            return asdict(Order.of(choice).but(data=None, source=None)), {"columns": source}, ""
        found = desk.studio.data.find(source, lang=desk.lang)
        return asdict(Order.of(choice).but(data=found.id, source=source)), {}, ""

    def paint(scene: Scene) -> list[Any]:
        chosen = {scene.choice.source, scene.choice.data} - {None}
        entries = desk.studio.data.list()
        newest: dict[Any, dict[str, Any]] = {}  # of a file that was read in several ways, the chosen one or the newest
        for one in sorted(entries, key=lambda one: one["id"] not in chosen):
            newest.setdefault(one["id"] if one["offered"] else (one["name"], one["sha256"]), one)
        entries = [one for one in entries if one in newest.values()]
        asked = [cards.waiting(one.id, one.name, one.id == scene.browsed.get("columns"), desk.lang) for one in desk.studio.data.waiting()]
        near = [cards.dataset(one, one["id"] in chosen, desk.lang) for one in entries if one["builtin"] or not one["offered"]] + asked
        far = [cards.dataset(one, one["id"] in chosen, desk.lang) for one in entries if one["offered"] and not one["builtin"]]
        door = moving.card(desk.models(NAMES_SECONDS), scene.choice.model, desk.lang)
        drawn = [head + cards.group(desk.say("ui.data.cards"), near) + door, cards.group(desk.say("ui.hub.title"), far)]
        return [*drawn, *understood_of(desk, scene)]

    picked = desk.on(
        [grid.click, hub.grid.click],
        pick,
        [desk.choice],
        [desk.choice, desk.browsed, hub.words],
        fault,
        repaint=True,
        show_progress="minimal",
    )
    hub.after(picked)
    desk.paints(paint, [grid, hub.grid, report, understood])


def repairs(desk: Desk) -> gr.HTML:
    """The report, and what the buttons in it do. Returns its place."""
    report, fault = desk.cards("report"), desk.slot()

    def mend(choice: Any, event: gr.EventData) -> Any:
        chosen, what = Order.of(choice), gradio_ways.text(event, "what")
        if chosen.data is None:
            raise InputError("ui.train.needs")
        if what == "delete":
            desk.studio.data.delete(chosen.data)
            return asdict(chosen.but(data=None, source=None)), {}
        if what in ("sure", "keep", "columns"):
            return gr.skip(), columns.asked(desk, chosen.data) if what == "columns" else {"sure": what == "sure"}
        found = desk.studio.data.mend(chosen.data, gradio_ways.text(event, "value") if what == "repair" else None)
        return asdict(chosen.but(data=found.id, source=found.id)), {}

    desk.on(report.click, mend, [desk.choice], [desk.choice, desk.browsed], fault, repaint=True, show_progress="minimal")
    return report


def limits(desk: Desk) -> None:
    """How many rows are used, and rows to check with."""
    with gr.Accordion(desk.say("ui.data.more"), open=False, elem_classes="fold", elem_id="data-more"):
        with gr.Row(elem_classes="beside"):
            words, hint = desk.say("ui.data.limit"), desk.say("ui.data.limit.hint")
            limit = gr.Textbox(label=words, info=hint, max_lines=1, elem_id="limit", scale=2)
            held_out = gr.File(label=desk.say("ui.data.held_out.file"), height=180, elem_id="held-out", scale=3, min_width=270)
        fault = desk.slot()

    def cap(choice: Any, text: str) -> Any:
        value = form.parse(text, desk.lang)
        if value == "":
            value = None
        elif not isinstance(value, int) or value < 1:
            raise InputError("settings.value", key=desk.say("ui.data.limit"), value=text[:80], allowed="integer >= 1")
        return asdict(Order.of(choice).but(limit=value))

    def keep_aside(choice: Any, path: str | None) -> Any:
        chosen = Order.of(choice)
        if path is None or chosen.data is None:
            return gr.skip(), None
        file = pathlib.Path(path)
        try:
            found = desk.studio.data.reread(chosen.data, ReadingOptions(validation=[file]))
        finally:
            file.unlink(missing_ok=True)
        return asdict(chosen.but(data=found.id, source=found.id)), None

    def paint(scene: Scene) -> list[str]:
        return [view.number(scene.choice.limit, desk.lang) if scene.choice.limit else ""]

    desk.on([limit.blur, limit.submit], cap, [desk.choice, limit], [desk.choice], fault, repaint=True, trigger_mode="always_last")
    desk.on(held_out.upload, keep_aside, [desk.choice, held_out], [desk.choice, held_out], fault, repaint=True, show_progress="minimal")
    desk.paints(paint, [limit])


def understood_of(desk: Desk, scene: Scene) -> list[Any]:
    """The report, and whether what follows from it is in sight."""
    data = scene.choice.data
    if data is None:
        return ["" if scene.browsed.get("columns") else view.empty(desk.say("ui.data.empty")), gr.update(visible=False)]
    found = desk.checked(data)
    told = sheet.report(found, desk.data_title(scene.choice), desk.lang) + own_of(desk, scene, found)
    return [told, gr.update(visible=found["source_kept"])]


def own_of(desk: Desk, scene: Scene, found: dict[str, Any]) -> Html:
    """What can be done with data whose files were brought: say what their columns are, and delete them; of corrected answers only this."""
    if not found["source_kept"] and not found["corrected"]:
        return Html()
    name = desk.data_title(scene.choice)
    ways = html(
        '<button type="button" class="mend" data-do="columns" data-value="">{columns}</button>', columns=desk.say("ui.data.columns")
    )
    chat = any(notice["code"] == "data.note.chat" for notice in found["findings"])  # its columns are no parts of a conversation
    shown = ways if found["source_kept"] and not chat else ""
    return html(
        '<div class="owned">{shown}{deletion}</div>',
        shown=shown,
        deletion=chooser.deletion(name, bool(scene.browsed.get("sure")), desk.lang),
    )
