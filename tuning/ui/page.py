"""The page, once per language: header, five tabs, the order slip beside them, and what keeps it up to date.

`build` is all that `app` needs. It reads no environment, starts no thread and touches no model.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import gradio as gr

from tuning.mirror import mirrored
from tuning.schema import ALIVE, SIGNED_IN
from tuning.settings import Space
from tuning.studio import Studio
from tuning.text import t, table
from tuning.ui import api, gradio_ways, slip, view
from tuning.ui.caches import OwnerCache
from tuning.ui.desk import EVERYBODY, FAST, SETTLED_SECONDS, SHARED_SECONDS, SLOW, Desk, Scene
from tuning.ui.draw import offers, page_title
from tuning.ui.markup import Html, html
from tuning.ui.overtaking import FETCHED, another
from tuning.ui.parts import card_row, rent_box
from tuning.ui.slip import TABS, Order
from tuning.ui.staying import settings_kept
from tuning.ui.tabs import chat, data, model, runs, train

BUILDERS: dict[str, Callable[[Desk], None]] = {
    "model": model.build, "data": data.build, "train": train.build, "chat": chat.build, "runs": runs.build,
}  # fmt: skip
# Light or dark is the browser's affair; `serve.gradio_words` answers Gradio with it. Whoever has pressed for a training sees its place at
# once, as the style keeps it, and no earlier run's report; the run comes when it has been made.
SWITCH = """
const field = element.querySelector(".theme");
field.value = window.sartoriaTheme();
field.addEventListener("change", () => window.sartoriaTheme(field.value));
const root = document.documentElement;
document.addEventListener("click", (event) => {
  const button = event.target.closest("#next, #start, [data-do=starter]");
  const {step, run} = document.querySelector("#order [data-step]")?.dataset ?? {};
  if (button?.id === "next" && (step === "train" || step === "queue")) window.scrollTo({top: 0}); // before what stands there changes
  if (!button || (button.id === "next" && step !== "train")) return;
  root.dataset.ordered = document.querySelector("#live-view .live.busy") ? "behind" : "first";
  if (root.dataset.ordered === "first") root.dataset.awaits = "";
  const end = () => { comes.disconnect(); delete root.dataset.awaits; };
  const comes = new MutationObserver(() => {
    const shown = document.querySelector("#live-view .live"); // `run` is not known before the order is drawn
    const other = shown && (shown.matches(".busy") || (run !== undefined && shown.dataset.run !== run));
    if (other || document.querySelector("#bench .slot .fault")) end();
  });
  comes.observe(document.querySelector("#bench"), {childList: true, subtree: true});
  setTimeout(() => { end(); delete root.dataset.ordered; }, 20000);
});
"""
WAYS = 1  # out of trouble that the slip shows; all are on the Train tab


def build(house: Studio) -> gr.Blocks:
    """The page at `/` in English and at `/it` in Italian, over the same house, and the endpoints once.

    Each event sees the studio of the owner of its request.
    """
    demo = gradio_ways.Guarded(title="Sartoria", analytics_enabled=False, fill_width=True)
    # First: a private event that has a function of the same name must not take the name. And on a page of their own, which
    # nobody opens: the inputs of endpoints are components, too.
    demo.route("API", "endpoints", show_in_navbar=False)
    demo.route("Italiano", "it", show_in_navbar=False)
    with demo:  # once: each time that it is left costs a whole app
        gradio_ways.turn_to(demo, "endpoints")
        api.expose(house)
        gradio_ways.turn_to(demo, "")
        english = Desk(house, "en")
        _page(english, demo)
        gradio_ways.turn_to(demo, "it")
        _page(Desk(house, "it", beside=english), demo)
    if house.settings.space is not None:
        gradio_ways.forget_the_space(demo)
    return demo


def words() -> gr.I18n:
    """Gradio's own words in Italian, under the name of a language that its frontend knows (see `serve.gradio_words`)."""
    italian = table("it")
    ours = [key.removeprefix("gradio.") for key in italian if key.startswith("gradio.")]
    return gr.I18n(ca={key: italian[f"gradio.{key}"] for key in ours})


def _page(desk: Desk, demo: gr.Blocks) -> None:
    """One page. What is drawn here is the same for everybody, and comes with the shell; the rest comes with the first draw."""
    with desk.unasked():
        _lay_out(desk, demo)


def _lay_out(desk: Desk, demo: gr.Blocks) -> None:
    gr.Navbar(visible=False)
    for part in gradio_ways.in_order(desk.asked - {desk.target, desk.name}):
        if not part.is_rendered:
            part.render()
    with gr.Row(elem_id="top"):
        desk.html(view.masthead(desk.lang), script=SWITCH, elem_id="masthead")
        chips = desk.html(script=page_title.SCRIPT + FETCHED, elem_id="chips")
    if desk.space is not None:
        with gr.Row(elem_id="space"):
            _banner(desk, desk.space)
            if desk.space.oauth:  # elsewhere Gradio would show everybody as the machine's owner
                gr.LoginButton(desk.say("space.sign_in"), desk.say("space.sign_out"), size="sm", elem_id="sign-in")
    with gr.Row(elem_id="bench"):
        with gr.Column(elem_id="work"):
            gradio_ways.configure(desk.tabs, elem_id="tabs", selected="model")
            desk.tabs.render()
            with desk.tabs:
                items = {}
                for name in TABS:
                    with gr.Tab(desk.say(f"ui.tab.{name}"), id=name, elem_id=f"tab-{name}") as items[name]:
                        BUILDERS[name](desk)
        with gr.Column(elem_id="slip"):
            desk.html(view.head(desk.say("ui.slip.title")), elem_id="slip-title")
            button = gr.Button(label_of(desk, Order(), "take_model", {}), variant="primary", elem_id="next")
            fault = desk.slot()
            paper = desk.cards("order", slip.slip(_lines(desk, Order()), None, desk.lang))
    timer = gr.Timer(FAST)
    _slip(desk, paper, button, fault)
    _frame(desk, chips, timer, items)
    settings_kept.build(desk, demo, fault)
    _refresh(desk, timer, items)


def _banner(desk: Desk, space: Space) -> None:
    def told() -> Html:
        here, signed_in = desk.studio.settings, desk.studio.owner.startswith(SIGNED_IN)
        return view.on_a_space(space, desk.lang, signed_in, here.mirror is not None, mirrored.trouble(here.home))

    banner = desk.html(told())
    desk.paints(lambda scene: [told()], [banner])


_SHOWN = """() => {
  const asked = document.querySelector("#columns .ask");
  if (asked?.offsetParent) asked.scrollIntoView({block: "start"}); else window.scrollTo({top: 0});
}"""  # after the press the page is seen from its top, or from the question that a file has left open


def _slip(desk: Desk, paper: gr.HTML, button: gr.Button, fault: gr.HTML) -> None:
    """The order slip and its one button."""
    rented = rent_box.RentBox(desk)

    def paint(scene: Scene) -> list[Any]:
        plan, trouble = desk.plan(scene.choice, scene.overrides)
        step = step_of(desk, scene)
        ways = "" if scene.tab == "train" else desk.instead(trouble) or offers.before(plan, desk.lang, most=WAYS)  # there they are in full
        cards = "" if scene.tab == "train" else card_row.drawn(desk, scene.choice, scene.overrides)
        under = cards + rented.drawn(scene.choice, scene.overrides)
        under += html('<i class="in-sight" hidden></i>') if train.in_sight(scene) else ""  # the style keeps room for the current run by it
        under += html('<i data-step="{step}" data-run="{run}" hidden></i>', step=step, run=scene.run["run"] if scene.run else "")
        drawn = slip.slip(_lines(desk, scene.choice), plan, desk.lang, trouble, _above(desk, scene), ways, under)
        return [drawn, gr.update(value=label_of(desk, scene.choice, step, scene.wanted, scene.run))]

    def press(values: dict[Any, Any]) -> list[Any]:
        scene = desk.scene(values)
        step = step_of(desk, scene)
        choice, run, opened = _take(desk, scene, step, values[desk.name])
        tab, turned = slip.goes_to(step, scene.tab), scene.overrides
        if step == "take_model" and choice.data:  # who has begun with a file goes on to the training
            tab = "train"
        kept = asdict(choice)
        if step == "mend_now":
            plan, _ = desk.plan(choice, turned)
            advised: dict[str, Any] = next((offer["changes"] for offer in plan["offers"] if offer["advised"]), {}) if plan else {}
            kept, turned = train.mended(desk, choice, turned, advised)
        return [kept, turned, run, opened, gr.update(selected=tab), tab]

    def mend(choice: Any, overrides: Any, tab: str, run: Any, opened: Any, event: gr.EventData) -> list[Any]:
        what, value = gradio_ways.text(event, "what"), gradio_ways.text(event, "value")
        if what in (rent_box.LOOK, rent_box.PICK, rent_box.GO):
            made = rented.press(what, value, Order.of(choice), overrides)
            kept = asdict(replace(Order.of(choice), made=made)) if made else choice
            tab = "train" if made else tab
            return [kept, overrides, made or run, made or opened, gr.update(selected=tab), tab]
        if what == "tab":
            return [choice, overrides, run, opened, gr.update(selected="train"), "train"]
        changes = {"model": value} if what == "instead" else train.pressed(event)
        return [*train.mended(desk, Order.of(choice), overrides, changes), run, opened, gr.update(selected=tab), tab]

    outputs = [desk.choice, desk.overrides, desk.run, desk.opened, desk.tabs, desk.tab]
    asked = [desk.choice, desk.overrides, desk.tab, desk.run, desk.opened]
    desk.on(paper.click, mend, asked, outputs, fault, repaint=True)
    pressed = desk.on(button.click, press, desk.asked, outputs, fault, repaint=True, trigger_mode="once")
    pressed.success(fn=None, js=_SHOWN, api_visibility="private")
    desk.paints(paint, [paper, button], live=True)
    # Drawn when the order has changed: what was wrong with another one is gone.
    desk.paints(lambda scene: [html('<i data-order="{order}"></i>', order=f"{scene.choice} {scene.overrides}")], [fault])


def label_of(desk: Desk, choice: Order, step: str, wanted: Mapping[str, Any], run: Mapping[str, Any] | None = None) -> str:
    """What the button says."""
    taken = model.advice(desk, wanted, choice).taken["title"] if step == "take_model" else ""
    example = _example(desk)["title"][desk.lang] if step == "take_data" else ""
    return slip.label(step, desk.lang, taken, example, waits=run is not None and run["status"] == "queued")


def step_of(desk: Desk, scene: Scene) -> str:
    """The next step for this scene."""
    plan, _ = desk.plan(scene.choice, scene.overrides)
    ways = plan is not None and any(offer["advised"] for offer in plan["offers"])
    asks = scene.choice.data is None and any(one.id == scene.browsed.get("columns") for one in desk.studio.data.waiting())
    fits, placed = plan is None or plan["fits"], _placed(scene)
    return slip.next_step(scene.choice, scene.tab, scene.run, fits=fits, ways=ways, placed=placed, asks=asks)


def _take(desk: Desk, scene: Scene, step: str, name: str) -> tuple[Order, str | None, str | None]:
    """Do the step: the choices, the run to watch and the run to open after it."""
    choice, run = scene.choice, scene.run["run"] if scene.run else None
    if step == "take_model":
        return choice.but(model=model.advice(desk, scene.wanted, choice).taken["id"]), run, scene.opened
    if step == "take_data":
        source = _example(desk)["id"]
        return choice.but(data=desk.studio.data.find(source, lang=desk.lang).id, source=source), run, scene.opened
    if step in ("train", "queue"):
        kept, started = desk.start(asdict(choice), scene.overrides, name)
        return Order.of(kept), started, started
    if step == "resume" and run is not None:
        desk.studio.rentals.resume(run)
    if step == "again":
        return choice.but(), run, scene.opened
    return choice, run, run if step == "take_away" else scene.opened


def _example(desk: Desk) -> dict[str, Any]:
    """The built-in set in the page's language."""
    sets = [entry for entry in desk.studio.data.list() if entry["builtin"]]
    return next((entry for entry in sets if entry["language"] == desk.lang), sets[0])


def _placed(scene: Scene) -> bool:
    """Whether a run with just these choices is at work or waits."""
    return any(run["run"] == scene.choice.made and run["status"] in ALIVE for run in scene.runs)


def _above(desk: Desk, scene: Scene) -> Html:
    """The run at work or next in turn with those behind it, or that the order is done, as HTML."""
    run, made = scene.run, scene.choice.made
    if run is not None and run["status"] in ALIVE:
        return slip.at_work(run, scene.runs, desk.lang)
    if run is None or made != run["run"] or not run["has_adapter"]:
        return Html()
    return html('<p class="above">{done}</p>', done=desk.say("ui.slip.done", name=run["name"]))


def _lines(desk: Desk, choice: Order) -> list[tuple[str, str, str]]:
    """Model, data and recipe of the choices."""
    lang = desk.lang
    card = desk.studio.models.find(choice.model).card if choice.model else None
    rows = ""
    if choice.data:
        rows = t(lang, "ui.slip.rows", rows=view.number(desk.checked(choice.data)["rows_kept"], lang))
        rows = t(lang, "ui.slip.rows_limited", rows=view.number(choice.limit, lang)) if choice.limit else rows
    return [
        ("model", card.title if card else "", view.parameters(card.parameters, lang) if card else ""),
        ("data", desk.data_title(choice) if choice.data else "", rows),
        ("recipe", desk.recipe(choice)["title"][lang], ""),
    ]


def _frame(desk: Desk, chips: gr.HTML, timer: gr.Timer, items: Mapping[str, gr.Tab]) -> None:
    """Chips, ticks on tabs, and how often to look."""
    waiting = OwnerCache[int]()  # whosever they are: the queue is the machine's

    def paint(scene: Scene) -> list[Any]:
        ticked = slip.done(scene.choice, scene.runs)
        names = {name: desk.say(f"ui.tab.{name}") for name in items}
        labels = [desk.say("ui.tab.done", tab=text) if ticked.get(name) else text for name, text in names.items()]
        visitor = None if desk.local or desk.space else desk.studio.owner
        code = view.remote_code(desk.studio.settings.remote_code, desk.lang)
        shown = (
            view.header(
                desk.studio.hardware(), waiting.get(EVERYBODY, "waiting", desk.studio.runs.waiting, SHARED_SECONDS), desk.lang, visitor
            )
            + code
        )
        shown += page_title.telling(scene.run, scene.runs, desk.lang)
        return [
            shown,
            gr.update(value=pace(scene.run, desk.studio.data.auditing() or desk.studio.exports.busy())),
            *(gr.update(label=label) for label in labels),
        ]

    desk.paints(paint, [chips, timer, *items.values()], live=True)
    chips.click(lambda: None, None, None, **desk.silent)


def pace(run: Mapping[str, Any] | None, busy: bool) -> float:
    """Seconds from one look to the next, for the watched run and where data are looked through, which is `busy`."""
    if busy or run is None or run["status"] not in ALIVE:
        return FAST if busy else SLOW
    settled = run["status"] == "running" and run["seconds"] > SETTLED_SECONDS and not run["stop_requested"]
    return SLOW if settled else FAST


def _refresh(desk: Desk, timer: gr.Timer, items: Mapping[str, gr.Tab]) -> None:
    """Draw after each change and on the timer.

    All draws of the whole page are one event, so that the page asks for one at a time: of two answers on their way the larger, older
    one could come last.
    """
    quiet = {**desk.silent, "queue": False}

    def everything(values: dict[Any, Any], request: gr.Request) -> list[Any]:
        with desk.serving(request):
            return desk.draw(values, live_only=False, visitor=desk.page)

    def living(values: dict[Any, Any], request: gr.Request) -> list[Any]:
        with desk.serving(request):
            return desk.draw(values, live_only=True, visitor=desk.page)

    whole, part = desk.drawn(live_only=False), desk.drawn(live_only=True)
    desk.nudge.change(everything, desk.asked, whole, trigger_mode="always_last", **quiet)
    for name, item in items.items():
        item.select(lambda name=name: (name, another()), None, [desk.tab, desk.nudge], **desk.silent)
    timer.tick(living, desk.asked, part, **quiet)
