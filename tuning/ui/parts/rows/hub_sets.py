"""Data sets of the Hub on the page: look one up, see its licence and its first rows, choose variant and part, bring so many rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tuning.data.ingest import ReadingOptions
from tuning.data.sources import Reference, find
from tuning.errors import InputError
from tuning.hub.repository import Collection
from tuning.text import t
from tuning.ui import form, view
from tuning.ui.desk import Desk
from tuning.ui.draw import sheet
from tuning.ui.markup import Html, html, joined
from tuning.ui.parts.rows.bring import Readings

ROWS = 3  # shown before anything is fetched
USUAL = 1000  # rows to begin with


@dataclass(frozen=True)
class Field:
    """Where a data set is named; `after` looks up what an event has put there. `grid` is the place for cards of those on offer."""

    words: gr.Textbox
    grid: gr.HTML
    after: Callable[[Any], Any]


def build(desk: Desk) -> Field:
    """The field, what the Hub says, and the button that brings it."""
    with gr.Accordion(desk.say("ui.hub.title"), open=False, elem_classes="fold", elem_id="hub-sets") as fold:
        with gr.Row(elem_classes="beside end"):
            words = gr.Textbox(
                label=desk.say("ui.hub.id"), info=desk.say("ui.hub.id.hint"), placeholder="databricks/databricks-dolly-15k",
                max_lines=1, max_length=400, scale=4, elem_id="hub-id",
            )  # fmt: skip
            ask = gr.Button(desk.say("ui.hub.look"), scale=1, min_width=160)
        fault, told = desk.slot(), desk.html(elem_id="hub-set")
        with gr.Row(visible=False, elem_classes="beside end") as parts:
            config = gr.Dropdown([], label=desk.say("ui.hub.config"), interactive=True, scale=2, elem_id="hub-config")
            split = gr.Dropdown([], label=desk.say("ui.hub.split"), interactive=True, scale=2, elem_id="hub-split")
            aside = gr.Dropdown([], label=desk.say("ui.hub.aside"), interactive=True, scale=2, elem_id="hub-aside")
            limit = gr.Textbox(str(USUAL), label=desk.say("ui.data.limit"), max_lines=1, scale=2, elem_id="hub-rows")
            use = gr.Button(desk.say("ui.hub.use"), scale=1, min_width=160, elem_id="hub-use")
        readings, grid = Readings(desk, "hub", fault), desk.cards("hub-datasets")

    def look(text: str) -> list[Any]:
        reference = find(text)
        found = desk.studio.data.describe(reference)
        configs = [one.name for one in found.configs]
        chosen = reference.config if reference.config in configs else configs[0]
        return [
            gr.update(visible=True),
            gr.update(choices=configs, value=chosen),
            *looked(found, Reference(found.id, chosen, reference.split)),
        ]

    def looked(found: Collection, reference: Reference) -> list[Any]:
        splits = {one.name: one for one in next(one for one in found.configs if one.name == reference.config).splits}
        name = reference.split if reference.split in splits else next(iter(splits))
        rows = desk.studio.data.glimpse(Reference(found.id, reference.config, name), ROWS)
        choices = [(split_name(one.name, one.rows, desk.lang), one.name) for one in splits.values()]
        others = [(desk.say("ui.hub.aside.none"), ""), *choices]
        return [gr.update(choices=choices, value=name), gr.update(choices=others, value=""), described(found, rows, desk.lang)]

    def turn(text: str, config: str) -> list[Any]:
        return looked(desk.studio.data.describe(find(text)), Reference(find(text).id, config))

    def bring(choice: Any, text: str, config: str, split: str, aside: str, limit: str, request: gr.Request) -> Iterator[Any]:
        rows = form.parse(limit, desk.lang)
        if rows != "" and (not isinstance(rows, int) or rows < 1):
            raise InputError("settings.value", key=desk.say("ui.data.limit"), value=limit[:80], allowed="integer >= 1")
        reference = Reference(find(text).id, config, split)
        if aside == split:
            raise InputError("data.hub.aside", split=split[:80])
        wish = ReadingOptions(ask=True, max_rows=rows or None, held_out=str(Reference(reference.id, config, aside)) if aside else None)
        data = desk.studio.data
        yield from readings.follow(choice, lambda watch: data.find(str(reference), wish=wish, watch=watch), request.session_hash)

    looking = {"show_progress": "minimal", "trigger_mode": "always_last"}
    desk.on([ask.click, words.submit], look, [words], [parts, config, split, aside, told], fault, **looking)
    desk.on(config.input, turn, [words, config], [split, aside, told], fault, **looking)
    readings.wire(use.click, bring, [desk.choice, words, config, split, aside, limit])

    def put(text: str) -> list[Any]:
        return [gr.update(open=True), *look(text)] if text else [gr.skip()] * 6

    return Field(words, grid, lambda event: desk.on(event.then, put, [words], [fold, parts, config, split, aside, told], fault, **looking))


def split_name(name: str, rows: int | None, lang: str) -> str:
    """A part with the number of its rows, where that is known."""
    return name if rows is None else f"{name} · {t(lang, 'ui.data.rows', rows=view.number(rows, lang))}"


def license_of(license: str | None, free: bool, lang: str) -> str:
    """What the licence allows, in words."""
    if license is None:
        return t(lang, "ui.hub.license.none")
    return t(lang, "ui.model.license" if free else "ui.hub.license.bound", license=license)


def described(found: Collection, rows: Sequence[Mapping[str, Any]] | None, lang: str) -> Html:
    """What the Hub says of a data set, and its first rows where it shows them."""
    facts = [license_of(found.license, found.free_license, lang), t(lang, "ui.model.downloads", count=view.number(found.downloads, lang))]
    if found.languages:
        facts.append(t(lang, "ui.model.languages", languages=", ".join(found.languages[:6])))
    listed = joined(html("<li>{fact}</li>", fact=fact) for fact in facts)
    shown = sheet.table(rows) if rows else html('<p class="hint">{no_preview}</p>', no_preview=t(lang, "ui.hub.no_preview"))
    return html(
        '<div class="paper"><h3>{title}</h3><ul class="facts">{listed}</ul>{shown}</div>', title=found.title, listed=listed, shown=shown
    )
