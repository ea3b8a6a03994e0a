"""Data on their way in: files and pasted text, with a bar that moves and a button that stops.

The reading itself is a child process below the studio; a thread here waits for it, so that closing the page ends it.
"""

import pathlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import gradio as gr

from tuning.data.ingest import ReadingOptions
from tuning.data.waiting import NotUnderstood
from tuning.errors import InputError
from tuning.sandbox.run import Watch
from tuning.schema import DataSpec
from tuning.text import t
from tuning.ui import view
from tuning.ui.desk import Desk
from tuning.ui.markup import Html, html
from tuning.ui.slip import Order

# The bar of a reading is seen when it comes, and so is what was understood, or what is asked, when that has been drawn: on a phone both
# would stand below the order.
BAR_IN_VIEW = """
let there = false;
watch("value", () => requestAnimationFrame(() => {
  const bar = element.querySelector("progress");
  if (bar && !there) bar.scrollIntoView({block: "nearest"});
  there = Boolean(bar);
}));
"""
READ = """() => {
  const tab = document.querySelector("#tab-data");
  if (tab.querySelector(".slot .fault")) { tab.querySelector(".coming")?.remove(); return; }
  const slip = document.querySelector("#slip");
  const foot = () => getComputedStyle(slip).position === "fixed" ? slip.getBoundingClientRect().top : innerHeight;
  const show = () => {
    drawn.disconnect();
    clearTimeout(due);
    const asked = tab.querySelector("#columns .ask"), place = asked?.checkVisibility() ? asked : tab.querySelector("#report");
    const top = place.getBoundingClientRect().top;
    if (top < 0 || top > foot() - 160) place.scrollIntoView({block: "start"});
  };
  let due = setTimeout(show, 3000);
  const drawn = new MutationObserver(() => { clearTimeout(due); due = setTimeout(show, 100); });
  for (const place of tab.querySelectorAll("#report, #columns")) drawn.observe(place, {childList: true, subtree: true});
}"""
LOOK = 0.3  # seconds between looks at the reading


class Readings:
    """The readings that go on, one to a visitor, so that a press of Stop finds its own; and where they are seen."""

    def __init__(self, desk: Desk, name: str, fault: gr.HTML | None = None) -> None:
        """`fault`: where its faults are told, if not below it."""
        self._desk = desk
        self._stops: dict[str, threading.Event] = {}
        self.note = desk.html(script=BAR_IN_VIEW, elem_id=f"reading-{name}")
        words = desk.say("ui.data.stop")
        self.button = gr.Button(words, visible=False, elem_classes="quiet", scale=0, min_width=140, elem_id=f"stop-{name}")
        self.fault = desk.slot() if fault is None else fault
        self._quiet = {**desk.silent, "queue": False}
        self.button.click(self.stop, None, None, **self._quiet)

    def stop(self, request: gr.Request) -> None:
        """End the reading of whoever asks."""
        if str(request.session_hash) in self._stops:
            self._stops[str(request.session_hash)].set()

    def wire(self, trigger: Any, handler: Callable[..., Iterator[Any]], inputs: list[Any], *cleared: Any, **options: Any) -> None:
        """Wire an event whose handler is `follow`; `cleared` are emptied afterwards, also after a fault."""
        desk = self._desk
        event = desk.on(trigger, handler, inputs, [desk.choice, desk.browsed, self.note, self.button], self.fault, repaint=True, **options)
        emptied = [*cleared, self.note, self.button]
        event.then(lambda: [*[None] * len(cleared), "", gr.update(visible=False)], None, emptied, js=READ, **self._quiet)

    def follow(self, choice: Any, read: Callable[[Watch], DataSpec], session: str | None) -> Iterator[Any]:
        """Choice, `browsed`, note and button while `read` goes on, and at its end. Raises what `read` raises, and `data.stopped`.

        Where `read` understands nothing, and the files are kept, what is in them is asked.
        """
        stop, share = threading.Event(), 0.0

        def watch(done: float) -> None:
            nonlocal share
            share = done
            if stop.is_set():
                raise InputError("data.stopped")

        self._stops[str(session)] = stop
        with ThreadPoolExecutor(1) as pool:
            try:
                reading = pool.submit(read, watch)
                while not wait([reading], LOOK).done:
                    yield gr.skip(), gr.skip(), bar(share, self._desk.lang), gr.update(visible=True)
                found = reading.result()
                yield asdict(Order.of(choice).but(data=found.id, source=found.id)), {}, "", gr.update(visible=False)
            except NotUnderstood as fault:
                yield asdict(Order.of(choice).but(data=None, source=None)), {"columns": fault.waiting}, "", gr.update(visible=False)
            finally:
                stop.set()  # also where the page went away
                self._stops.pop(str(session), None)


def build(desk: Desk) -> None:
    """A place for files, and one for text."""
    with gr.Row(elem_classes="beside ways"):
        with gr.Column(scale=1, min_width=270):
            desk.html(view.head(desk.say("ui.data.upload"), desk.say("ui.data.upload.hint"), level=3) + template(desk.lang))
            upload = gr.File(label=desk.say("ui.data.upload.label"), file_count="multiple", elem_id="upload", height=140, show_label=False)
        with gr.Column(scale=1, min_width=270):
            desk.html(view.head(desk.say("ui.data.paste"), desk.say("ui.data.paste.hint"), level=3))
            place = desk.say("ui.data.paste.place")
            text = gr.Textbox(label=desk.say("ui.data.paste"), placeholder=place, lines=4, max_lines=12, show_label=False, elem_id="paste")
            use = gr.Button(desk.say("ui.data.paste.use"), elem_classes="quiet", scale=0, min_width=140)
    readings = Readings(desk, "file")

    def bring(choice: Any, paths: list[str] | None, request: gr.Request) -> Iterator[Any]:
        files = [pathlib.Path(path) for path in paths or []]
        if not files:
            return
        wish, data = ReadingOptions(name=files[0].name, keep=True, ask=True), desk.studio.data
        try:
            yield from readings.follow(choice, lambda watch: data.ingest(files, wish, watch), request.session_hash)
        finally:
            for file in files:
                file.unlink(missing_ok=True)

    def paste(choice: Any, text: str, request: gr.Request) -> Iterator[Any]:
        if not text.strip():
            raise InputError("data.paste")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / desk.say("ui.data.pasted")
            file.write_text(text, encoding="utf-8", newline="")
            name = f"{file.name}, {time.strftime('%H:%M')}"  # two of them are told apart
            wish, data = ReadingOptions(name=name, keep=True, ask=True), desk.studio.data
            yield from readings.follow(choice, lambda watch: data.ingest([file], wish, watch), request.session_hash)

    readings.wire(upload.upload, bring, [desk.choice, upload], upload)
    readings.wire(use.click, paste, [desk.choice, text])


def template(lang: str) -> Html:
    """The way to a table to begin with: headings and two rows, as the spreadsheets of this language open it."""
    table = t(lang, "ui.data.template.rows").replace("\n", "\r\n") + "\r\n"
    place = "data:text/csv;charset=utf-8," + quote("\ufeff" + table, safe="")
    name = t(lang, "ui.data.template.name")
    return html(
        '<p class="hint template"><a download="{name}" href="{place}">{template}</a></p>',
        name=name,
        place=place,
        template=t(lang, "ui.data.template"),
    )


def bar(share: float, lang: str) -> Html:
    """How far a reading is."""
    said = t(lang, "ui.data.reading", percent=view.number(100 * share, lang))
    return html(
        '<p class="while"><i aria-hidden="true">●</i> {said}</p><progress max="1" value="{share:.3f}" aria-label="{said}"></progress>',
        said=said,
        share=share,
    )
