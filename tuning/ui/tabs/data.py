"""The second tab: what to learn from. Sets that are included, files that are brought, and what was understood of them."""

import pathlib
from dataclasses import asdict
from typing import Any

import gradio as gr

from tuning.errors import InputError
from tuning.ui import cards, form, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.slip import Choice

PREVIEW = 4


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    desk.html(view.head(desk.say("ui.data.title"), desk.say("ui.data.hint")))
    grid = desk.cards("datasets")
    fault = desk.slot()
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=3, min_width=280):
            desk.html(view.head(desk.say("ui.data.upload"), desk.say("ui.data.upload.hint"), level=3))
            upload = gr.File(
                label=desk.say("ui.data.upload.label"),
                file_types=[".csv", ".json", ".jsonl"],
                elem_id="upload",
                height=140,
                show_label=False,
            )
            note, upload_fault = desk.html(elem_id="reading"), desk.slot()
        with gr.Column(scale=1, min_width=220):
            limit = gr.Textbox(label=desk.say("ui.data.limit"), info=desk.say("ui.data.limit.hint"), max_lines=1, elem_id="limit")
            limit_fault = desk.slot()
    report = desk.html(elem_id="report")

    def pick(choice: Any, event: gr.EventData) -> Any:
        source = str(event._data.get("value", ""))
        found = desk.verbs.dataset(source, lang=desk.lang)
        return asdict(Choice.of(choice).but(data=found.id, source=source))

    def bring(choice: Any, path: str | None) -> Any:
        if path is None:
            return gr.skip()
        file = pathlib.Path(path)
        try:
            found = desk.verbs.ingest(file, file.name)
        finally:
            file.unlink(missing_ok=True)
        return asdict(Choice.of(choice).but(data=found.id, source=found.id))

    def cap(choice: Any, text: str) -> Any:
        value = form.parse(text, desk.lang)
        if value == "":
            value = None
        elif not isinstance(value, int) or value < 1:
            raise InputError("settings.value", key=desk.say("ui.data.limit"), value=text[:80], allowed="integer >= 1")
        return asdict(Choice.of(choice).but(limit=value))

    def paint(scene: Scene) -> list[Any]:
        chosen = {scene.choice.source, scene.choice.data} - {None}
        drawn = [cards.dataset(entry, entry["id"] in chosen, desk.lang) for entry in desk.verbs.datasets()]
        limit_text = view.number(scene.choice.limit, desk.lang) if scene.choice.limit else ""
        return [cards.group(desk.say("ui.data.cards"), drawn), limit_text, _report(desk, scene.choice)]

    desk.on(grid.click, pick, [desk.choice], [desk.choice], fault, repaint=True)
    reading = f'<p class="while"><i aria-hidden="true">●</i> {view.escape(desk.say("ui.data.reading"))}</p>'
    came = desk.on(upload.upload, lambda: reading, [], [note], limit_fault, queue=False)
    brought = desk.on(came.then, bring, [desk.choice, upload], [desk.choice], upload_fault, repaint=True)
    desk.on(brought.then, lambda: (None, ""), [], [upload, note], limit_fault)  # the place is free for the next file, also after a bad one
    desk.on([limit.blur, limit.submit], cap, [desk.choice, limit], [desk.choice], limit_fault, repaint=True, trigger_mode="always_last")
    desk.paints(paint, [grid, limit, report])


def _report(desk: Desk, choice: Choice) -> str:
    if choice.data is None:
        return view.empty(desk.say("ui.data.empty"))
    found = desk.checked(choice.data)
    return cards.report(found, desk.verbs.preview(choice.data, limit=PREVIEW), desk.data_title(choice), desk.lang)
