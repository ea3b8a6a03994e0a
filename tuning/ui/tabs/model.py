"""The first tab: which model to start from. Cards of the catalog, any open model of the Hub, or a folder of one's own."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

import gradio as gr

from tuning.errors import InputError, TuningError
from tuning.hub.repository import hub_id
from tuning.models import catalog
from tuning.runs import files
from tuning.schema import Goal
from tuning.ui import gradio_ways, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw import cards
from tuning.ui.markup import Html, html, joined
from tuning.ui.slip import Order

SHOWN = 6  # cards before the fold
# Whether this browser has begun is kept by it for the next time: see `serve.gradio_words.BEGUN`.
KEEPS = """
watch("value", () => localStorage.setItem("sartoria-begun", element.querySelector(".invitation") ? "" : "1"));
"""
# The field stands far down: what was found, or why nothing was, comes into view.
FOUND = """
watch("value", () => requestAnimationFrame(() => element.querySelector(".fault, .empty, .card")?.scrollIntoView({block: "nearest"})));
"""


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    starter = desk.cards("starter", invitation(desk), KEEPS)
    starter_fault = desk.slot()
    desk.html(view.head(desk.say("ui.model.title"), desk.say("ui.model.hint")))
    with gr.Row(elem_classes="beside end", elem_id="filters"):
        goals = [(desk.say(f"ui.goal.{name}"), name) for name in ("any", *get_args(Goal))]
        goal = gr.Dropdown(goals, value="any", label=desk.say("ui.goal"), interactive=True, filterable=False, scale=2, min_width=220)
        italian = gr.Checkbox(False, label=desk.say("ui.model.italian"), interactive=True, scale=1, min_width=170, container=False)
        fits = gr.Checkbox(False, label=desk.say("ui.model.fits"), interactive=True, scale=1, min_width=170, container=False)
    grid = desk.cards("models", _grid(desk, Order(), {}))
    fault = desk.slot()
    local = desk.local
    with gr.Accordion(desk.say("ui.model.other"), open=False, elem_classes="fold"):
        with gr.Row(elem_classes="beside end"):
            words = gr.Textbox(
                label=desk.say("ui.model.other.label"),
                info=desk.say("ui.model.other.hint" if local else "ui.model.other.hint_hub"),
                placeholder="Qwen/Qwen2.5-1.5B",
                max_lines=1,
                max_length=1000,
                scale=4,
                elem_id="other",
            )
            use = gr.Button(desk.say("ui.model.other.use"), scale=1, min_width=160)
        other_fault = desk.slot()
        found = desk.cards("found", script=FOUND)
    if local:
        downloads(desk)

    def look(goal: str, italian: bool, fits: bool) -> Any:
        return {"goal": None if goal == "any" else goal, "italian": italian, "fits": fits}

    def pick(choice: Any, event: gr.EventData) -> Any:
        model = desk.studio.models.find(gradio_ways.text(event, "value"))
        return asdict(Order.of(choice).but(model=model.id))

    def pick_found(choice: Any, event: gr.EventData) -> Any:
        return pick(choice, event), "" if gradio_ways.text(event, "what") == "instead" else gr.skip()

    def other(choice: Any, text: str) -> Iterator[Any]:
        yield gr.skip(), html('<p class="hint" role="status">{says}</p>', says=desk.say("ui.model.looking"))
        yield looked_up(desk, choice, text.strip())

    def begin(choice: Any, overrides: Any, event: gr.EventData) -> Any:
        return begun(desk, choice, overrides, gradio_ways.text(event, "what"))

    def paint(scene: Scene) -> list[Any]:
        return [_grid(desk, scene.choice, scene.wanted), "" if scene.choice.model else invitation(desk)]

    desk.on(
        [goal.input, italian.input, fits.input], look, [goal, italian, fits], [desk.wanted], fault, repaint=True, trigger_mode="always_last"
    )
    desk.on(grid.click, pick, [desk.choice], [desk.choice], fault, repaint=True)
    desk.on(
        [use.click, words.submit], other, [desk.choice, words], [desk.choice, found], other_fault, repaint=True, show_progress="minimal"
    )
    desk.on(found.click, pick_found, [desk.choice], [desk.choice, found], other_fault, repaint=True, show_progress="minimal")
    outputs = [desk.choice, desk.overrides, desk.run, desk.tabs, desk.tab]
    desk.on(starter.click, begin, [desk.choice, desk.overrides], outputs, starter_fault, repaint=True, trigger_mode="once")
    desk.paints(paint, [grid, starter])


def looked_up(desk: Desk, choice: Any, text: str) -> tuple[Any, str]:
    """The choices and what is shown; a fault stands where the results of an earlier search stood, which were of other words."""
    try:
        if not text:
            raise InputError("model.nothing")
        if hub_id(text) or (desk.local and os.path.isdir(files.given(text))) or text.startswith(("/", "~", ".")):
            return asdict(Order.of(choice).but(model=desk.studio.models.find(text).id)), ""
        return choice, results(desk, desk.studio.models.search(text))
    except TuningError as error:  # where the Hub does not give it: with what to take in its place
        return choice, view.fault(desk.lang, error.code, error.params) + desk.instead((error.code, error.params))


def begun(desk: Desk, choice: Any, overrides: Any, what: str) -> tuple[Any, ...]:
    """Choices, turned knobs, run and tab after a press of the invitation: the starter is trained, or the way to a file is shown."""
    if what == "bring":
        return choice, overrides, gr.skip(), gr.update(selected="data"), "data"
    source = f"starter-{desk.lang}"
    data = desk.studio.data.check(source, lang=desk.lang)["data"]
    trial = Order.of(choice).but(model="starter", data=data, source=source, recipe="facts", limit=None)
    made, run = desk.start(asdict(trial), {}, "")
    return made, {}, run, gr.update(selected="train"), "train"


def invitation(desk: Desk) -> Html:
    """For the first visit: what one will have and in how long, the press that trains the starter, and the one for a file of one's own."""
    title, text, button, bring = (desk.say(f"ui.start.{part}") for part in ("title", "text", "button", "bring"))
    return html(
        '<div class="invitation"><div><h2>{title}</h2><p>{text}</p></div><div class="ways">'
        '<button type="button" class="plain go" data-do="starter" data-value="starter">{button}</button>'
        '<button type="button" class="plain" data-do="bring" data-value="">{bring}</button></div></div>',
        title=title,
        text=text,
        button=button,
        bring=bring,
    )


def results(desk: Desk, entries: list[dict[str, Any]]) -> Html:
    """What a search of the Hub found, as cards; a press asks the Hub for the rest and chooses the model."""
    if not entries:
        return view.empty(desk.say("ui.model.found.none"))
    return cards.group(desk.say("ui.model.found"), [cards.found(entry, desk.lang) for entry in entries])


def downloads(desk: Desk) -> None:
    """The models on the disk: how much each takes, and how to be rid of it or put it elsewhere."""
    with gr.Accordion(desk.say("ui.model.kept"), open=False, elem_classes="fold"):
        listed = desk.html(elem_id="kept-list")
        with gr.Column(visible=False) as panel:
            with gr.Row(elem_classes="beside end"):
                which = gr.Dropdown([], label=desk.say("ui.model.kept.which"), interactive=True, filterable=False, scale=3, elem_id="kept")
                delete = gr.Button(desk.say("ui.runs.delete"), scale=0, min_width=140)
            with gr.Row(elem_classes="beside end"):
                folder = gr.Textbox(label=desk.say("ui.model.kept.folder"), placeholder="/mnt/big", max_lines=1, max_length=1000, scale=3)
                move = gr.Button(desk.say("ui.model.kept.move"), scale=0, min_width=140)
        with gr.Row(visible=False, elem_classes="sure") as sure:
            question = desk.html()
            yes = gr.Button(desk.say("ui.runs.delete.yes"), scale=0, min_width=160, variant="stop")
            no = gr.Button(desk.say("ui.runs.delete.no"), scale=0, min_width=120)
        fault = desk.slot()

    def sizes() -> dict[str, str]:
        return {entry["id"]: view.size(entry["size_bytes"], desk.lang) for entry in desk.studio.models.downloaded()}

    def ask(model: str) -> Any:
        text = desk.say("ui.model.kept.sure", model=model, size=sizes().get(model, ""))
        return gr.update(visible=True), html("<p>{text}</p>", text=text)

    def remove(model: str) -> Any:
        desk.studio.models.remove(model)
        return gr.update(visible=False)

    def put(model: str, path: str) -> Any:
        desk.studio.models.move(model, files.given(path.strip()))
        return ""

    def paint(scene: Scene) -> list[Any]:
        kept = sizes()
        said = desk.say("ui.model.kept.total", count=len(kept)) if kept else desk.say("ui.model.kept.none")
        names = [(f"{id} · {size}", id) for id, size in kept.items()]
        return [
            html('<p class="hint">{said}</p>', said=said),
            gr.update(visible=bool(kept)),
            gr.update(choices=names, value=next(iter(kept), None)),
        ]

    desk.on(delete.click, ask, [which], [sure, question], fault)
    desk.on(yes.click, remove, [which], [sure], fault, repaint=True)
    desk.on(no.click, lambda: gr.update(visible=False), [], [sure], fault)
    desk.on(move.click, put, [which, folder], [folder], fault, repaint=True, show_progress="minimal")
    desk.paints(paint, [listed, panel, which])


@dataclass(frozen=True)
class Advice:
    """Models in the order in which they are shown, and the one of them that the red button takes."""

    entries: list[dict[str, Any]]
    taken: dict[str, Any]
    good: bool  # whether that one has memory and time enough here


def advice(desk: Desk, wanted: Mapping[str, Any], choice: Order) -> Advice:
    """The models for what is looked for. First stands the one that is recommended.

    For a first try that is the starter. Where there is a goal or a file of one's own, it is one that learns 1000 examples within an
    evening: the first for the goal, else the largest, on the Italian page of those that know most Italian.
    """
    goal, italian = wanted.get("goal"), wanted.get("italian") or desk.lang == "it"
    entries = catalog.advise(desk.models(), goal)
    own = bool(choice.data and not (choice.source or "").startswith("starter-"))
    if wanted.get("italian"):
        entries = [entry for entry in entries if entry["italian"] in catalog.GOOD]
    if wanted.get("fits"):
        entries = [entry for entry in entries if entry["fits"]]
    if not goal and italian:
        entries.sort(key=_of_italian)
    good = [entry for entry in entries if entry["fit"] == "comfortable" and entry["seconds"] <= catalog.EVENING]
    if goal or own or wanted.get("italian") or wanted.get("fits"):
        good = [entry for entry in good if entry["id"] != "starter"]
        if not goal:
            good.sort(key=lambda entry: (catalog.ITALIAN.index(entry["italian"]) if italian else 0, entry["parameters"]), reverse=True)
    fitting = [entry for entry in entries if entry["fits"]] or entries or desk.models()
    first = good[0] if good else min(fitting, key=lambda entry: float(entry["seconds"]))
    return Advice([first, *(entry for entry in entries if entry is not first)] if entries else [], first, bool(good))


def _of_italian(entry: Mapping[str, Any]) -> tuple[bool, ...]:
    """The key that sorts for Italian, best first: has room and time here, is here already, knows the language."""
    late, knows = entry["seconds"] > catalog.EVENING, entry["italian"] in catalog.GOOD
    return entry["fit"] == "no", late, not entry["here"], not knows, entry["fit"] != "comfortable", entry["italian"] == "none"


def _grid(desk: Desk, choice: Order, wanted: Mapping[str, Any]) -> Html:
    """The best models for what is looked for, and the chosen one; the rest below a fold."""
    advised, chosen = advice(desk, wanted, choice), choice.model
    entries = advised.entries
    picked = [entry for entry in desk.models() if entry["id"] == chosen]
    if chosen is not None and not picked:
        picked = [desk.studio.models.entry(desk.studio.models.find(chosen))]
    elsewhere = [entry for entry in picked if entry["id"] not in {known["id"] for known in entries}]
    first = [*elsewhere, *entries[: SHOWN - len(elsewhere)]]  # a chosen one that is not of the list stands where it is seen
    first += [entry for entry in picked if entry not in first]
    rest = [entry for entry in entries if entry not in first]
    best = advised.taken["id"] if advised.good and chosen is None else None
    drawn, more = ([cards.model(entry, entry["id"] == chosen, desk.lang, entry["id"] == best) for entry in part] for part in (first, rest))
    found = desk.studio.hardware()
    above = view.fault(desk.lang, found["trouble"]["code"], found["trouble"]["params"]) if found["trouble"] else ""
    above += joined(
        html('<p class="hint">{says}</p>', says=view.sentence(desk.lang, note["code"], note["params"])) for note in found["notes"]
    )
    said = guide(desk) if advised.good else desk.say("ui.model.slow", model=advised.taken["title"])
    if not found["gpus"]:
        said = desk.say("ui.model.no_card") + " " + said
    above += html('<p class="hint" id="guide">{said}</p>', said=said)
    if not first:
        return above + view.empty(desk.say("ui.model.none"))
    fold = cards.fold(desk.say("ui.model.more", count=len(more)), cards.group(desk.say("ui.model.cards"), more)) if more else ""
    below = html('<p class="hint" id="token-note">{why}</p>', why=desk.say("ui.model.context.why"))
    return above + cards.group(desk.say("ui.model.cards"), drawn) + fold + below


def guide(desk: Desk) -> str:
    """What this machine trains well, and what one step up would bring."""
    found = desk.guide()
    said = desk.say("ui.model.guide", model=found["now"]["title"]) if found["now"] else desk.say("ui.model.guide.none")
    if found["step_up"]:
        memory = view.number(found["step_up"]["gpu_memory"], desk.lang)
        said += " " + desk.say("ui.model.guide.up", memory=memory, model=found["step_up"]["model"]["title"])
    return said
