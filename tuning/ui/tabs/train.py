"""The third tab: how to learn. Recipes, few knobs, the start, and the current run as it goes.

The run is read from its folder by the page's timer; nothing here waits for it.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import gradio as gr

from tuning.runs.evaluation import verdict
from tuning.schema import ALIVE, ENDED
from tuning.ui import form, gradio_ways, slip, view
from tuning.ui.desk import Desk, Scene, since
from tuning.ui.door import caught
from tuning.ui.draw import cards, offers, progress, sheet, timeline_view
from tuning.ui.draw.curves.curve_look import CurveLook
from tuning.ui.markup import Html, html
from tuning.ui.parts import card_row, order_box, watch_link
from tuning.ui.slip import RESUMABLE, Order

SHOWN_SECONDS = 3600.0  # how long a run stays in sight here after its end
# A run that begins is seen; to one that comes behind another its place is told where the button was pressed.
FIRST_SHOWN = """() => { if (document.documentElement.dataset.ordered === "first") window.scrollTo({top: 0}); }"""


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    rescue = desk.cards("rescue")
    current = _current(desk)
    head = view.head(desk.say("ui.train.title"), desk.say("ui.train.hint"))
    grid = desk.cards("recipes", head)
    ways = desk.cards("ways")
    fault = _knobs(desk)
    with gr.Row(elem_classes="beside end"):
        hint, place = desk.say("ui.train.name.hint"), desk.say("ui.train.name.place")
        gradio_ways.configure(desk.name, label=desk.say("ui.train.name"), info=hint, placeholder=place, max_lines=1, scale=3, max_length=80)
        desk.name.render()
        start = gr.Button(desk.say("ui.train.start"), scale=1, min_width=200, elem_id="start")
    promise = desk.html(elem_id="promise")

    def pick(choice: Any, event: gr.EventData) -> Any:
        wanted = gradio_ways.text(event, "value")
        recipe = next((recipe for recipe in desk.recipes() if recipe["id"] == wanted), None)
        return asdict(Order.of(choice).but(recipe=recipe and wanted, **taken_along(desk, recipe or {}))), {}

    def press(choice: Any, overrides: Any, event: gr.EventData) -> Any:
        value = gradio_ways.text(event, "value")
        changes = {"model": value} if gradio_ways.text(event, "what") == "instead" else pressed(event)
        return mended(desk, Order.of(choice), overrides, changes)

    def again(choice: Any, overrides: Any, run: str, event: gr.EventData) -> Any:
        changes = pressed(event)
        before = desk.studio.runs.show(run)["spec"]
        made = desk.studio.runs.again(run, changes, lang=desk.lang)["run"]
        chosen, turned = mended(desk, *choices_of(desk, before, Order.of(choice)), changes)
        return chosen | {"made": made}, turned, made

    def paint(scene: Scene) -> list[Any]:
        plan, trouble = desk.plan(scene.choice, scene.overrides)
        told = desk.instead(trouble) or offers.before(plan, desk.lang)
        told += card_row.drawn(desk, scene.choice, scene.overrides)
        return [head + recipes_of(desk, scene.choice), told]

    def paint_beside(scene: Scene) -> list[Any]:
        """What stands beside the current run: ways out of its trouble, and what is told where it is started."""
        run, gone = scene.run, desk.studio.runs.gone()
        told = view.fault(desk.lang, gone["code"], gone["params"]) if gone else ""
        busy = run is not None and run["status"] in ALIVE
        if run is not None and busy:  # beside the button that was pressed, however far up the rest stands
            told += slip.at_work(run, scene.runs, desk.lang)
        says = desk.say("ui.next.queue" if busy else "ui.train.start")
        if run is None or not in_sight(scene):
            return ["", told or view.empty(desk.say("ui.train.empty")), says]
        return [offers.after(run, desk.ways(run["run"]), desk.lang), told, says]

    desk.on(grid.click, pick, [desk.choice], [desk.choice, desk.overrides], fault, repaint=True)
    desk.on(ways.click, press, [desk.choice, desk.overrides], [desk.choice, desk.overrides], fault, repaint=True)
    known = [desk.choice, desk.overrides, desk.run]
    desk.on(rescue.click, again, known, known, current, repaint=True, trigger_mode="once")
    inputs = [desk.choice, desk.overrides, desk.name]
    begun = desk.on(start.click, desk.start, inputs, [desk.choice, desk.run], fault, repaint=True, trigger_mode="once")
    begun.success(fn=None, js=FIRST_SHOWN, api_visibility="private")
    desk.paints(paint, [grid, ways])
    desk.paints(paint_beside, [rescue, promise, start], live=True)


def _current(desk: Desk) -> Any:
    """The current run: where it stands, its curve and report, and what stops it or has it go on. Returns where its faults are told."""
    with gr.Column(visible=False, elem_id="live", elem_classes="paper") as panel:
        live = desk.cards("live-view", script=timeline_view.KEEPS)
        with gr.Row(elem_classes="actions"):
            stop = gr.Button(desk.say("ui.live.stop"), elem_classes="quiet", visible=False, scale=0, min_width=150)
            resume = gr.Button(desk.say("ui.live.resume"), elem_classes="quiet", visible=False, scale=0, min_width=150)
        fault = desk.slot()
        watch_link.build(desk, "train", lambda scene: scene.run if in_sight(scene) else None, fault)

    def press(choice: Any, run: str, look: Any, event: gr.EventData) -> list[Any]:
        """A piece of the report's advice, the run that ended before, or another look at the curve."""
        what, value, same = gradio_ways.text(event, "what"), gradio_ways.text(event, "value"), gr.skip()
        if what == "run":
            return [same, same, gr.update(selected="runs"), "runs", same, desk.studio.runs.show(value)["run"]]
        if what != "advise":
            return [same, same, same, same, turned_curve(look, value), same]
        found, turned = choices_of(desk, desk.studio.runs.show(run)["spec"], Order.of(choice))
        place = verdict.BY_HAND.get(value, "train")
        return [asdict(found), turned | advised(desk, run, value), gr.update(selected=place), place, same, same]

    def paint(scene: Scene) -> list[Any]:
        run, hidden = scene.run, gr.update(visible=False)
        if scene.passing and scene.tab != "train":
            return [gr.skip()] * 4  # nobody sees it before the next whole draw
        if run is not None and behind(scene):
            return [gr.update(visible=True), progress.passed(run, desk.lang), hidden, hidden]
        if run is None or not in_sight(scene):
            return [hidden, "", hidden, hidden]
        can_stop = run["status"] in ALIVE and (not run["stop_requested"] or progress.measures(run))
        label = "ui.runs.unqueue" if run["status"] == "queued" else "ui.live.stop_measuring" if progress.measures(run) else "ui.live.stop"
        before = ended_meanwhile(scene)
        ended = desk.studio.runs.show(before) if before else None
        return [
            gr.update(visible=True),
            progress.live(run, desk.lang, desk.warm(), CurveLook.of(scene.look.get("curve")), ended),
            gr.update(visible=can_stop, value=desk.say(label)),
            gr.update(visible=run["status"] in (*RESUMABLE, "stopped", "failed")),
        ]

    changing = [desk.choice, desk.overrides, desk.tabs, desk.tab, desk.look, desk.opened]
    desk.on(live.click, press, [desk.choice, desk.run, desk.look], changing, fault, repaint=True, trigger_mode="once")
    desk.on(stop.click, lambda run: desk.studio.rentals.stop(run) and None, [desk.run], [], fault, repaint=True)
    desk.on(resume.click, lambda run: desk.studio.rentals.resume(run) and None, [desk.run], [], fault, repaint=True)
    desk.paints(paint, [panel, live, stop, resume], live=True)
    return fault


def turned_curve(look: Any, value: str) -> dict[str, Any]:
    """What a page looks at, with its curves seen as was pressed."""
    return {**(look or {}), "curve": asdict(CurveLook.of((look or {}).get("curve")).turned(value))}


def _knobs(desk: Desk) -> gr.HTML:
    """The settings: a few in sight, the others folded away, and the order as a file. Returns where faults are told below them."""
    first = desk.html(script=form.TURNS, elem_id="knobs")
    with gr.Accordion(desk.say("ui.train.fine"), open=False, elem_classes="fold", elem_id="fine"):
        folded = desk.html(script=form.TURNS, elem_id="more-knobs")
        desk.paints(lambda scene: [template_seen(desk, scene)], [desk.html(elem_id="template-seen")], live=True)
    hint = html('<p class="hint">{hint}</p>', hint=desk.say("ui.train.fine.hint"))
    note = desk.slot()
    fault = order_box.build(desk)

    def turn(choice: Any, overrides: Any, event: gr.EventData) -> Any:
        key, chosen = gradio_ways.text(event, "key"), Order.of(choice)
        if key == form.RESET:
            return choice, {}, ""
        if key not in form.KNOBS:
            return choice, overrides, ""
        value = form.parse(gradio_ways.text(event, "value"), desk.lang if gradio_ways.sent(event, "typed") else "en")
        if key == form.TEMPLATE:
            value = desk.studio.plans.template(str(value), chosen.model, chosen.recipe)
        with caught(desk.lang) as alone:
            value = form.value_of(desk.studio.plans.settings_for(chosen.recipe, {key: value}), key)
        turned = {**overrides, key: value}
        changed = form.differing(turned, form.suited(desk.recipe(chosen)["settings"], turned))
        with caught(desk.lang) as trouble:
            desk.studio.plans.settings_for(chosen.recipe, changed)
        return asdict(chosen.but()), changed, *(trouble if trouble and not alone else [""])  # a knob's own fault is said at the knob

    def wrong(scene: Scene) -> dict[str, str]:
        found: dict[str, str] = {}
        for key, value in scene.overrides.items():
            with caught(desk.lang) as trouble:
                desk.studio.plans.settings_for(scene.choice.recipe, {key: value})
            found |= {key: trouble[0]} if trouble else {}
        return found

    def paint(scene: Scene) -> list[Any]:
        plan, _ = desk.plan(scene.choice, scene.overrides)
        recipe = form.suited(desk.recipe(scene.choice)["settings"], scene.overrides)
        card = desk.studio.models.find(scene.choice.model).card if scene.choice.model else None
        told = form.Told(scene.overrides, recipe, plan and plan["settings"], wrong(scene), card.target_modules if card else ())
        hardware = desk.studio.hardware()
        cards_there = [f"cuda:{card['index']}" for card in hardware["gpus"]] + ["mps"] * (hardware["apple"] is not None)
        cards_there += ["all", "shard"] * (len(hardware["gpus"]) > 1)
        drawn = form.first(told, desk.lang), hint + form.folded(told, cards_there, desk.lang)
        return list(drawn)

    for part in (first, folded):  # "multiple": no turn may get lost while an earlier one is on its way
        outputs = [desk.choice, desk.overrides, note]
        desk.on(part.input, turn, [desk.choice, desk.overrides], outputs, fault, repaint=True, trigger_mode="multiple")
    desk.paints(paint, [first, folded])
    return fault


def template_seen(desk: Desk, scene: Scene) -> Html:
    """The first row as the model will see it by a template that was written by hand, or what is wrong with that."""
    plan, _ = desk.plan(scene.choice, scene.overrides)
    if plan is None or not plan["settings"][form.TEMPLATE]:
        return Html()
    found, at = None, int(plan["settings"]["max_length"])
    with caught(desk.lang) as trouble:
        found = desk.studio.data.audit(str(scene.choice.data), str(scene.choice.model), plan["settings"])
    if trouble:
        return trouble[0]
    if found is None:
        return html('<p class="while" role="status"><i aria-hidden="true">●</i> {working}</p>', working=desk.say("ui.audit.working"))
    if not found.audit.shown:
        return Html()
    shown = found.audit.shown[0]
    looked = next(one for one in found.audit.looked if one.row == shown.row)
    said = html('<p class="hint">{seen}</p>', seen=desk.say("ui.template.seen"))
    return said + sheet.legend(desk.lang, bool(looked.unlearned)) + sheet.tokens(shown, looked, at, desk.lang)


def pressed(event: gr.EventData) -> dict[str, Any]:
    """What a button of `offers` changes. It comes from the browser: what it names is checked by whoever takes it."""
    try:
        changes = json.loads(gradio_ways.text(event, "value"))
    except ValueError:
        return {}
    return changes if isinstance(changes, dict) else {}


def mended(desk: Desk, choice: Order, overrides: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choices and turned knobs with `changes` laid over them. Raises InputError for a value that a setting does not take."""
    settings = {key: value for key, value in changes.items() if key not in ("model", "max_samples")}
    turned = form.differing({**overrides, **settings}, desk.recipe(choice)["settings"])
    desk.studio.plans.settings_for(choice.recipe, {**turned, **{key: changes[key] for key in ("max_samples",) if key in changes}})
    taken: dict[str, Any] = {"model": desk.studio.models.find(str(changes["model"])).id} if "model" in changes else {}
    if "max_samples" in changes:
        taken["limit"] = changes["max_samples"]
        turned.pop("max_samples", None)
    return asdict(choice.but(**taken)), turned


def choices_of(desk: Desk, spec: Mapping[str, Any], choice: Order) -> tuple[Order, dict[str, Any]]:
    """What a run was made with, as choices and turned knobs; the data keep the name under which they were chosen."""
    data, settings = spec["data"]["id"], dict(spec["settings"] if spec["changes"] is None else spec["changes"])
    source, limit = choice.source if choice.data == data else spec["data"]["name"], settings.pop("max_samples", None)
    found = replace(choice, model=spec["model"]["id"], data=data, source=source, recipe=spec["recipe"], limit=limit)
    return found, form.differing(settings, desk.recipe(found)["settings"])


def advised(desk: Desk, run: str, tip: str) -> dict[str, Any]:
    """The settings that a report's piece of advice would change in its run."""
    return verdict.changed(tip, desk.studio.runs.show(run)["spec"]["settings"])


def in_sight(scene: Scene) -> bool:
    """A run that lives, waits to be mended, or ended a while ago and is not behind whoever looks."""
    run = scene.run
    if run is None:
        return False
    return run["status"] in ALIVE or run["status"] in RESUMABLE or (since(run) < SHOWN_SECONDS and not behind(scene))


def behind(scene: Scene) -> bool:
    """A run that ended a while ago, after which another model or other data were chosen: the way to its report is enough."""
    run, choice = scene.run, scene.choice
    if run is None or run["status"] in ALIVE or run["status"] in RESUMABLE or not since(run) < SHOWN_SECONDS:
        return False
    whole = choice.model is not None and choice.data is not None
    other = (choice.model, choice.data) != (run["spec"]["model"]["id"], run["spec"]["data"]["id"])
    return whole and other and (choice.chosen or 0.0) > run["state"]["ended"]


def ended_meanwhile(scene: Scene) -> str | None:
    """The run that ended last while the watched one waited or worked, and not long ago: its verdict is not to pass by unseen."""
    watched = scene.run
    later = [one for one in scene.runs if watched and one["ended"] and one["run"] != watched["run"] and one["ended"] > watched["created"]]
    recent = [one for one in later if one["status"] in ENDED and time.time() - one["ended"] < SHOWN_SECONDS]
    return max(recent, key=lambda one: one["ended"])["run"] if recent else None


def taken_along(desk: Desk, recipe: Mapping[str, Any]) -> dict[str, str]:
    """The model and the data that a recipe is made for; data only where nothing has to be fetched."""
    found = {"model": str(recipe["model"])} if recipe.get("model") else {}
    entry = next((entry for entry in desk.studio.data.list() if entry["id"] == recipe.get("dataset")), None)
    if entry is not None and entry["here"]:
        found |= {"data": desk.studio.data.find(entry["id"], lang=desk.lang).id, "source": entry["id"]}
    return found


def recipes_of(desk: Desk, choice: Order) -> Html:
    """The recipes for any model and the chosen one as cards, those made for one model below a fold."""
    entries, chosen = desk.recipes(), desk.recipe(choice)["id"]
    above = [one for one in entries if not one["model"] or one["id"] == chosen]
    below = [one for one in entries if one not in above]

    def drawn(one: dict[str, Any]) -> Html:
        here = offers.suits(desk.studio.plans.suits(one["id"], choice.model), bool(one["model"]), desk.lang)
        return cards.recipe(one, one["id"] == chosen, desk.lang, here)

    label = desk.say("ui.train.presets")
    fold = cards.fold(label, cards.group(label, [drawn(one) for one in below]))
    return cards.group(desk.say("ui.train.recipes"), [drawn(one) for one in above]) + fold
