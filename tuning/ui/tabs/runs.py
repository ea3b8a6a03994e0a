"""The fifth tab: everything that was trained. Choose a run, see what it gained, talk to it, take it away, tidy up."""

import pathlib
import shutil
import tempfile
from typing import Any

import gradio as gr

from tuning.schema import ALIVE
from tuning.ui import progress, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.slip import RESUMABLE

# The browser takes the file as soon as the hidden download button has it.
FETCH = "() => { setTimeout(() => document.querySelector('#fetch a, a#fetch, #fetch')?.click(), 150); }"


class Shelf:
    """What can be done with a run that is there."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def select(self, event: gr.EventData) -> Any:
        """Open the run that was pressed."""
        return self.desk.verbs.show(str(event._data.get("value", "")))["run"], gr.update(visible=False), gr.update(visible=False)

    def pack(self, run: str) -> Any:
        """Make the zip, in a folder of its own."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sartoria-"))
        path = self.desk.verbs.export(run, "adapter", folder)
        return gr.update(value=str(path)), str(folder)

    @staticmethod
    def unpack(folder: str | None) -> None:
        """The browser has it: away with the folder."""
        if folder and pathlib.Path(folder).name.startswith("sartoria-"):
            shutil.rmtree(folder, ignore_errors=True)

    def ask_name(self, run: str) -> Any:
        """Ask for another name."""
        return gr.update(visible=True), self.desk.verbs.show(run)["name"], gr.update(visible=False)

    def set_name(self, run: str, text: str) -> Any:
        """Give it."""
        self.desk.verbs.rename(run, text)
        return gr.update(visible=False)

    def ask_sure(self, run: str) -> Any:
        """Ask before anything is lost."""
        found = self.desk.verbs.show(run)
        size = view.size(found["size_bytes"], self.desk.lang)
        text = view.escape(self.desk.say("ui.runs.delete.sure", name=found["name"], size=size))
        return gr.update(visible=True), f"<p>{text}</p>", gr.update(visible=False)

    def remove(self, run: str) -> Any:
        """Remove it."""
        self.desk.verbs.delete(run)
        return None, gr.update(visible=False)

    def paint(self, scene: Scene) -> list[Any]:
        """The list, and the run that is open: the watched one until another is chosen."""
        ids = [run["run"] for run in scene.runs]
        reference = scene.opened if scene.opened in ids else scene.run["run"] if scene.run else None
        if reference is None:
            return [view.empty(self.desk.say("ui.runs.empty")), None, gr.update(visible=False), "", *[gr.skip()] * 5]
        run, titles = self.desk.verbs.show(reference), self.desk.titles()

        def named(entry: dict[str, Any]) -> dict[str, Any]:
            return {**entry, "data": titles.get(entry["data"], entry["data"])}

        status, has = run["status"], run["has_adapter"]
        drawn = (
            progress.summary(named(run), self.desk.lang),
            progress.run_list([named(entry) for entry in scene.runs], reference, self.desk.lang),
        )
        seen = [has or status in ("starting", "running"), has, status in (*RESUMABLE, "stopped", "failed"), True, status not in ALIVE]
        return [drawn[1], reference, gr.update(visible=True), drawn[0], *(gr.update(visible=each) for each in seen)]


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    desk.html(view.head(desk.say("ui.runs.title"), desk.say("ui.runs.hint")))
    listed = desk.cards("runs")
    fault = desk.slot()
    chosen = desk.opened
    with gr.Column(visible=False, elem_id="run", elem_classes="paper") as panel:
        summary = desk.html(elem_id="summary")
        with gr.Row(elem_classes="actions"):
            talk = gr.Button(desk.say("ui.runs.talk"), scale=0, min_width=120)
            take = gr.Button(desk.say("ui.runs.download"), scale=0, min_width=200, elem_id="take")
            resume = gr.Button(desk.say("ui.runs.resume"), scale=0, min_width=120, visible=False)
            rename = gr.Button(desk.say("ui.runs.rename"), scale=0, min_width=120, elem_classes="quiet")
            delete = gr.Button(desk.say("ui.runs.delete"), scale=0, min_width=120, elem_classes="quiet")
        fetch = gr.DownloadButton(desk.say("ui.runs.download"), elem_id="fetch", elem_classes="visually-hidden")
        with gr.Row(visible=False, elem_classes="beside end") as renaming:
            name = gr.Textbox(label=desk.say("ui.runs.rename.label"), max_lines=1, max_length=80, scale=3)
            named = gr.Button(desk.say("ui.runs.rename"), scale=0, min_width=140)
        with gr.Row(visible=False, elem_classes="sure") as sure:
            question = desk.html(elem_id="sure")
            yes = gr.Button(desk.say("ui.runs.delete.yes"), scale=0, min_width=160, variant="stop")
            no = gr.Button(desk.say("ui.runs.delete.no"), scale=0, min_width=120)
        run_fault = desk.slot()
    packed = gr.State(None)

    shelf = Shelf(desk)
    desk.on(listed.click, shelf.select, [], [chosen, renaming, sure], fault, repaint=True)
    desk.on(
        talk.click,
        lambda run: (run, gr.update(selected="chat"), "chat"),
        [chosen],
        [desk.run, desk.tabs, desk.tab],
        run_fault,
        repaint=True,
    )
    ready = desk.on(take.click, shelf.pack, [chosen], [fetch, packed], run_fault, show_progress="minimal", trigger_mode="once")
    ready.success(fn=None, js=FETCH, api_visibility="private").then(
        shelf.unpack, [packed], None, api_visibility="private", show_progress="hidden"
    )
    desk.on(resume.click, lambda run: desk.verbs.resume(run) and run, [chosen], [desk.run], run_fault, repaint=True)
    desk.on(rename.click, shelf.ask_name, [chosen], [renaming, name, sure], run_fault)
    desk.on([named.click, name.submit], shelf.set_name, [chosen, name], [renaming], run_fault, repaint=True)
    desk.on(delete.click, shelf.ask_sure, [chosen], [sure, question, renaming], run_fault)
    desk.on(yes.click, shelf.remove, [chosen], [chosen, sure], run_fault, repaint=True)
    desk.on(no.click, lambda: gr.update(visible=False), [], [sure], run_fault)
    desk.paints(shelf.paint, [listed, chosen, panel, summary, talk, take, resume, rename, delete], live=True)
