"""The third tab: how to learn. Recipes, few knobs, the start, and the current run as it goes.

The run is read from its folder by the page's timer; nothing here waits for it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from tuning.schema import ALIVE
from tuning.ui import cards, form, progress, view
from tuning.ui.desk import Desk, Scene, caught, since
from tuning.ui.slip import RESUMABLE, Choice

SHOWN_SECONDS = 3600.0  # how long a run stays in sight here after its end


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    with gr.Column(visible=False, elem_id="live", elem_classes="paper") as panel:
        live = desk.html(elem_id="live-view")
        with gr.Row(elem_classes="actions"):
            stop = gr.Button(desk.say("ui.live.stop"), elem_classes="quiet", visible=False, scale=0, min_width=150)
            resume = gr.Button(desk.say("ui.live.resume"), elem_classes="quiet", visible=False, scale=0, min_width=150)
        live_fault = desk.slot()
    desk.html(view.head(desk.say("ui.train.title"), desk.say("ui.train.hint")))
    grid = desk.cards("recipes")
    with gr.Row(elem_classes="beside end"):
        desk.name.label, desk.name.info = desk.say("ui.train.name"), desk.say("ui.train.name.hint")
        desk.name.placeholder, desk.name.max_lines, desk.name.scale, desk.name.max_length = desk.say("ui.train.name.place"), 1, 3, 80
        desk.name.render()
        start = gr.Button(desk.say("ui.train.start"), scale=1, min_width=200, elem_id="start")
    fault = desk.slot()
    with gr.Accordion(desk.say("ui.train.fine"), open=False, elem_classes="fold", elem_id="fine"):
        desk.html(f'<p class="hint">{view.escape(desk.say("ui.train.fine.hint"))}</p>')
        with gr.Row(elem_classes="knobs"):
            knobs = {knob.key: form.widget(knob, desk.lang) for knob in form.KNOBS}
        knob_note, knob_fault = desk.slot(), desk.slot()
        used = desk.html(elem_id="used")
        reset = gr.Button(desk.say("ui.train.reset"), elem_classes="quiet", scale=0, min_width=160)
    promise = desk.html(elem_id="promise")

    def pick(choice: Any, event: gr.EventData) -> Any:
        wanted = str(event._data.get("value", ""))
        recipe = next((recipe for recipe in desk.verbs.recipes() if recipe["id"] == wanted), None)
        chosen = asdict(Choice.of(choice).but(recipe=recipe and wanted, **taken_along(desk, recipe or {})))
        return [chosen, *restore(chosen)]

    def turn(choice: Any, *values: Any) -> Any:
        chosen = Choice.of(choice)
        changed = form.changes(dict(zip(knobs, values, strict=True)), desk.recipe(chosen)["settings"], desk.lang)
        with caught(desk.lang) as trouble:
            desk.verbs.settings_for(chosen.recipe, changed)
        return asdict(chosen.but()), changed, *(trouble or [""])

    def restore(choice: Any) -> Any:
        settings = desk.recipe(Choice.of(choice))["settings"]
        return [{}, "", *(form.held(knob, settings[knob.key], desk.lang) for knob in form.KNOBS)]

    def paint(scene: Scene) -> list[Any]:
        recipe = desk.recipe(scene.choice)
        plan, _ = desk.plan(scene.choice, scene.overrides)
        asked = desk.settings(scene.choice, scene.overrides)
        table = cards.settings_table(form.sources(plan["settings"], recipe["settings"], asked, desk.lang), desk.lang) if plan else ""
        filled = dict(recipe["settings"])  # not what was turned since: it stands there already, and more may have been typed
        filled |= {key: scene.overrides[key] for key in ("max_length",) if key in scene.overrides}  # it can be turned on the Data tab, too
        return [
            recipes_of(desk, recipe["id"]),
            table,
            *(form.held(k, filled[k.key], desk.lang) for k in form.KNOBS),
        ]

    def paint_live(scene: Scene) -> list[Any]:
        run = scene.run
        if run is None or not in_sight(scene):
            return [
                gr.update(visible=False),
                "",
                gr.update(visible=False),
                gr.update(visible=False),
                view.empty(desk.say("ui.train.empty")),
            ]
        drawn = progress.live(run, desk.lang, desk.warm())
        can_stop = run["status"] in ALIVE and not run["stop_requested"]
        return [
            gr.update(visible=True),
            drawn,
            gr.update(visible=can_stop),
            gr.update(visible=run["status"] in (*RESUMABLE, "stopped", "failed")),
            "",
        ]

    desk.on(grid.click, pick, [desk.choice], [desk.choice, desk.overrides, knob_note, *knobs.values()], fault, repaint=True)
    turned = [knob.input for knob in knobs.values()]
    desk.on(
        turned,
        turn,
        [desk.choice, *knobs.values()],
        [desk.choice, desk.overrides, knob_note],
        knob_fault,
        repaint=True,
        trigger_mode="always_last",
    )
    desk.on(reset.click, restore, [desk.choice], [desk.overrides, knob_note, *knobs.values()], knob_fault, repaint=True)
    inputs = [desk.choice, desk.overrides, desk.name]
    desk.on(start.click, desk.start, inputs, [desk.choice, desk.run], fault, repaint=True, trigger_mode="once")
    desk.on(stop.click, lambda run: desk.verbs.stop(run) and None, [desk.run], [], live_fault, repaint=True)
    desk.on(resume.click, lambda run: desk.verbs.resume(run) and None, [desk.run], [], live_fault, repaint=True)
    desk.paints(paint, [grid, used, *knobs.values()])
    desk.paints(paint_live, [panel, live, stop, resume, promise], live=True)


def in_sight(scene: Scene) -> bool:
    """A run that lives, waits to be mended, or ended a while ago."""
    run = scene.run
    if run is None:
        return False
    return run["status"] in ALIVE or run["status"] in RESUMABLE or since(run) < SHOWN_SECONDS


def taken_along(desk: Desk, recipe: Mapping[str, Any]) -> dict[str, str]:
    """The model and the data that a recipe is made for; data only where nothing has to be fetched."""
    found = {"model": str(recipe["model"])} if recipe.get("model") else {}
    entry = next((entry for entry in desk.verbs.datasets() if entry["id"] == recipe.get("dataset")), None)
    if entry is not None and entry["here"]:
        found |= {"data": desk.verbs.dataset(entry["id"], lang=desk.lang).id, "source": entry["id"]}
    return found


def recipes_of(desk: Desk, chosen: str) -> str:
    """The recipes for any model and the chosen one as cards, those made for one model below a fold."""
    entries = desk.verbs.recipes()
    above = [one for one in entries if not one["model"] or one["id"] == chosen]
    below = [one for one in entries if one not in above]
    drawn, more = ([cards.recipe(one, one["id"] == chosen, desk.lang) for one in some] for some in (above, below))
    fold = cards.fold(desk.say("ui.train.presets"), cards.group(desk.say("ui.train.presets"), more))
    return cards.group(desk.say("ui.train.recipes"), drawn) + fold
