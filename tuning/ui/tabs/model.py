"""The first tab: which model to start from. Cards of the catalog and, on one's own machine, a folder."""

from dataclasses import asdict
from typing import Any, get_args

import gradio as gr

from tuning.errors import InputError
from tuning.models import catalog
from tuning.schema import Goal
from tuning.ui import cards, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.slip import Choice

SHOWN = 6  # cards before the fold


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    desk.html(view.head(desk.say("ui.model.title"), desk.say("ui.model.hint")))
    starter = desk.cards("starter")
    with gr.Row(elem_classes="beside end", elem_id="filters"):
        goals = [(desk.say(f"ui.goal.{name}"), name) for name in ("any", *get_args(Goal))]
        goal = gr.Dropdown(goals, value="any", label=desk.say("ui.goal"), interactive=True, filterable=False, scale=2, min_width=220)
        italian = gr.Checkbox(False, label=desk.say("ui.model.italian"), interactive=True, scale=1, min_width=170, container=False)
        fits = gr.Checkbox(False, label=desk.say("ui.model.fits"), interactive=True, scale=1, min_width=170, container=False)
    grid = desk.cards("models")
    desk.html(f'<p class="hint">{view.escape(desk.say("ui.model.context.why"))}</p>', elem_id="token-note")
    fault = desk.slot()
    with gr.Accordion(desk.say("ui.model.folder"), open=False, visible=desk.verbs.settings.mode == "local", elem_classes="fold"):
        with gr.Row(elem_classes="beside"):
            folder = gr.Textbox(
                label=desk.say("ui.model.folder.label"),
                info=desk.say("ui.model.folder.hint"),
                placeholder=desk.say("ui.model.folder.place"),
                max_lines=1,
                scale=4,
            )
            use = gr.Button(desk.say("ui.model.folder.use"), scale=1, min_width=160)
        folder_fault = desk.slot()

    def look(goal: str, italian: bool, fits: bool) -> Any:
        return {"goal": None if goal == "any" else goal, "italian": italian, "fits": fits}

    def pick(choice: Any, event: gr.EventData) -> Any:
        model = desk.verbs.model(str(event._data.get("value", "")))
        return asdict(Choice.of(choice).but(model=model.id))

    def use_folder(choice: Any, path: str) -> Any:
        if not path.strip():
            raise InputError("model.unknown", model="", known=", ".join(entry["id"] for entry in desk.verbs.models()))
        return asdict(Choice.of(choice).but(model=desk.verbs.model(path.strip()).id))

    def use_starter(choice: Any) -> Any:
        report = desk.verbs.check(f"starter-{desk.lang}", lang=desk.lang)
        return asdict(
            Choice.of(choice).but(model="starter", data=report["data"], source=f"starter-{desk.lang}", recipe="facts", limit=None)
        )

    def paint(scene: Scene) -> list[Any]:
        return [_grid(desk, scene), "" if scene.choice.model or scene.runs else invitation(desk)]

    desk.on([goal.input, italian.input, fits.input], look, [goal, italian, fits], [desk.wanted], fault, repaint=True)
    desk.on(grid.click, pick, [desk.choice], [desk.choice], fault, repaint=True)
    desk.on([use.click, folder.submit], use_folder, [desk.choice, folder], [desk.choice], folder_fault, repaint=True)
    desk.on(starter.click, use_starter, [desk.choice], [desk.choice], fault, repaint=True)
    desk.paints(paint, [grid, starter])


def invitation(desk: Desk) -> str:
    """For the first visit: what the starter is, and the one click that takes it."""
    title, text, button = (view.escape(desk.say(f"ui.start.{part}")) for part in ("title", "text", "button"))
    return (
        f'<div class="invitation"><div><b>{title}</b><p>{text}</p></div>'
        f'<button type="button" class="plain" data-do="starter" data-value="starter">{button}</button></div>'
    )


def _grid(desk: Desk, scene: Scene) -> str:
    """The best models for what is looked for, and the chosen one; the rest below a fold."""
    wanted, chosen = scene.wanted, scene.choice.model
    entries = desk.verbs.models(wanted.get("goal"))
    picked = [entry for entry in entries if entry["id"] == chosen]
    if chosen is not None and not picked:
        card = desk.verbs.model(chosen).card.model_dump()
        picked = [{**card, "predicted_peak_bytes": 0, "fit": "comfortable", "seconds": 0.0, "here": True}]
    if wanted.get("italian"):
        entries = [entry for entry in entries if entry["italian"] in catalog.GOOD]
    if wanted.get("fits"):
        entries = [entry for entry in entries if entry["fits"]]
    first = entries[:SHOWN]
    first += [entry for entry in picked if entry not in first]
    rest = [entry for entry in entries if entry not in first]
    drawn, more = ([cards.model(entry, entry["id"] == chosen, desk.lang) for entry in part] for part in (first, rest))
    trouble = desk.verbs.hardware()["trouble"]
    above = view.fault(desk.lang, trouble["code"], trouble["params"]) if trouble else ""
    if not first:
        return above + view.empty(desk.say("ui.model.none"))
    fold = cards.fold(desk.say("ui.model.more", count=len(more)), cards.group(desk.say("ui.model.cards"), more)) if more else ""
    return above + cards.group(desk.say("ui.model.cards"), drawn) + fold
