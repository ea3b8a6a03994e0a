"""What the tabs of one page share: the studio, the language, the visitor's choices, and how events are wired and drawn.

Around every handler stands `door.guard`. No tab, no text and no look lives here.
"""

import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import gradio as gr

from tuning.errors import InputError, TuningError
from tuning.schema import ALIVE, UNREADABLE
from tuning.studio import Studio
from tuning.text import t
from tuning.ui import gradio_ways
from tuning.ui.caches import OwnerCache
from tuning.ui.door import caught, guard
from tuning.ui.draw import offers
from tuning.ui.markup import Html
from tuning.ui.overtaking import Presses, Turns, Wired, nudging
from tuning.ui.slip import Order
from tuning.ui.visits import Visits

PLAN_SECONDS = 10.0  # a plan is arithmetic, but the free memory in it changes
NAMES_SECONDS = 60.0  # what a model is called does not, and hardly which ones are here
HEAL_SECONDS = 20.0  # after so long everything is drawn, whether it seems to be shown already or not
FAST, SLOW = 1.5, 5.0  # seconds between looks at the run folder: while something is about to happen, and while nothing is
SETTLED_SECONDS = 60.0  # a run that has trained for so long gives nobody news in a second, but every look takes some time from it
EVERYBODY = ""  # who is nobody's name: for what is the same for all owners
SHARED_SECONDS = 0.7  # viewers whose pages only tick share one reading of the list of runs

Planned = tuple[dict[str, Any] | None, tuple[str, dict[str, Any]] | None]  # a plan, or what is wrong with the choices

# A click on a card is (what, value); the focus stays on the same card when the server draws it anew.
CLICKS = """
let last = null;
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  last = [button.dataset.do, button.dataset.value];
  button.classList.add("pressed");
  trigger("click", {what: last[0], value: last[1]});
});
watch("value", () => {
  if (!last || (document.activeElement && document.activeElement !== document.body)) return;
  const same = [...element.querySelectorAll("[data-do]")].find((b) => b.dataset.do === last[0] && b.dataset.value === last[1]);
  if (same) same.focus({preventScroll: true});
});
"""

# What a visitor has unfolded stays so when all is drawn anew. A fold is known by its name, else by its place.
FOLDS = """
{
  const kept = {}, folds = () => [...element.querySelectorAll("details")].filter((fold) => !fold.closest(".timeline"));
  const name = (fold) => fold.dataset.fold || folds().indexOf(fold);
  element.addEventListener("click", (event) => {
    const fold = event.target.closest("summary")?.parentElement;
    if (fold && !fold.closest(".timeline")) kept[name(fold)] = !fold.open;
  });
  watch("value", () => folds().forEach((fold) => { if (name(fold) in kept) fold.open = kept[name(fold)]; }));
}
"""

# A fault that has come is seen, wherever the page stands.
INTO_VIEW = """
watch("value", () => requestAnimationFrame(() => element.querySelector(".fault")?.scrollIntoView({block: "nearest"})));
"""


@dataclass(frozen=True)
class Scene:
    """What a painter may look at: the choices of this visitor, and how things stand in the home folder."""

    choice: Order
    overrides: dict[str, Any]
    tab: str
    run: dict[str, Any] | None  # the run that is watched, as `Runs.show` gives it
    runs: list[dict[str, Any]]  # all, newest first, in short
    opened: str | None = None  # the run that is looked at among all
    talker: str | None = None  # who is chosen to talk to
    followed: str | None = None  # the run that was last chosen for talking without being asked
    talk: str | None = None  # the conversation that is open
    wanted: dict[str, Any] = field(default_factory=dict)  # what the models are looked through for: goal, italian, fits
    browsed: dict[str, Any] = field(default_factory=dict)  # which rows of the data are looked at: rows, audit
    name: str = ""  # that was typed for the next run
    look: dict[str, Any] = field(default_factory=dict)  # how the list of runs is looked at: words, most, ticked, sure
    passing: bool = False  # a look between whole draws


@dataclass(frozen=True)
class Painter:
    """A function from a scene to the values of its outputs. `live` ones are asked again while a run goes on."""

    paint: Callable[[Scene], Sequence[Any]]
    outputs: Sequence[Any]
    live: bool


class Desk(Visits):
    """One page in one language. `studio` is the one of whoever asks."""

    def __init__(self, house: Studio, lang: str, beside: "Desk | None" = None) -> None:
        """`beside` is the page in the other language: what is the same on both is found once."""
        super().__init__(house)
        self.lang, self.local, self.space = lang, house.settings.mode == "local", house.settings.space
        self.painters: list[Painter] = []
        self.nudge = gr.State(0)  # another number: the page is to be drawn anew
        self.choice = gr.BrowserState({}, storage_key="sartoria", secret="sartoria: nothing secret")
        self.talk = gr.BrowserState("", storage_key="sartoria-talk", secret="sartoria: nothing secret")
        self.tab = gr.State("model")
        self.run, self.opened, self.followed = gr.State(None), gr.State(None), gr.State(None)
        self.overrides, self.seen, self.wanted = gr.State({}), gr.State({}), gr.State({})
        self.browsed, self.look = gr.State({}), gr.State({})
        self.name = gr.Textbox(render=False)  # these two stand in tabs, and others need them too
        self.target = gr.Dropdown(render=False)
        self.tabs = gr.Tabs(render=False, overflow_behavior="wrap")
        self._plans, self._reports, self._ways = OwnerCache[Planned](), OwnerCache[dict[str, Any]](), OwnerCache[dict[str, Any]]()
        self._recipes: OwnerCache[list[dict[str, Any]]] = beside._recipes if beside else OwnerCache()
        self._listed = OwnerCache[list[dict[str, Any]]]()
        self._models: OwnerCache[list[dict[str, Any]]] = beside._models if beside else OwnerCache()
        self._guides: OwnerCache[dict[str, Any]] = beside._guides if beside else OwnerCache()
        self.kept = [self.choice, self.overrides, self.wanted, self.browsed, self.look]
        self._turns, self._presses = Turns(), Presses()

    @property
    def silent(self) -> dict[str, Any]:
        """Options of an event that shows no progress. It waits on a part that nobody sees: Gradio draws what waits, even hidden."""
        return {"show_progress": "hidden", "show_progress_on": self.seen, "api_visibility": "private", "concurrency_limit": None}

    def say(self, code: str, **params: Any) -> str:
        """A line in the page's language."""
        return t(self.lang, code, **params)

    def cards(self, elem_id: str, value: str = "", script: str = "", **options: Any) -> gr.HTML:
        """A place for cards whose clicks are events; `script` runs once on the page, for what needs no server."""
        return gr.HTML(str(Html.escape(value)), elem_id=elem_id, js_on_load=CLICKS + FOLDS + script, apply_default_css=False, **options)

    def html(self, value: str = "", script: str | None = None, **options: Any) -> gr.HTML:
        """A place for HTML that only says something; `script` runs once on the page, for what needs no server."""
        return gr.HTML(str(Html.escape(value)), js_on_load=script and script + FOLDS, apply_default_css=False, **options)

    def slot(self) -> gr.HTML:
        """Where a fault is said, beside what causes it."""
        return gr.HTML("", js_on_load=INTO_VIEW, apply_default_css=False, elem_classes="slot")

    def on(self, trigger: Any, handler: Callable[..., Any], inputs: Any, outputs: Sequence[Any], fault: gr.HTML, **options: Any) -> Any:
        """Wire a private event. The handler returns as many values as `outputs`; its faults appear in `fault`.

        With `repaint` the page is drawn anew afterwards.
        """
        guarded, settings = guard(handler, len(outputs), self.lang), {**self.silent, **options}
        told, asked = [*outputs, fault], [inputs] if isinstance(inputs, gr.blocks.Block) else list(inputs or [])
        if any(part in self.kept for part in (*asked, *outputs)):
            guarded = self._presses.merging(guarded, Wired(asked, told, self.kept, isinstance(inputs, set)), lambda: self.page)
        if settings.pop("repaint", False):
            guarded, told = nudging(guarded, len(told), lambda: self._turns.begin(self.page, True)), [*told, self.nudge]
        if settings["show_progress"] != "hidden":
            del settings["show_progress_on"]
        listen = functools.partial(gr.on, trigger) if isinstance(trigger, list) else trigger
        return listen(fn=self.bound(guarded), inputs=inputs, outputs=told, **settings)

    def paints(self, paint: Callable[[Scene], Sequence[Any]], outputs: Sequence[Any], live: bool = False) -> None:
        """Have `outputs` drawn from the scene whenever it may have changed."""
        self.painters.append(Painter(paint, outputs, live))

    @property
    def asked(self) -> set[Any]:
        """What `draw` wants to know of the page."""
        chosen = {self.choice, self.overrides, self.tab, self.name, self.wanted, self.browsed, self.look}
        return chosen | {self.run, self.opened, self.target, self.followed, self.talk, self.seen}

    def drawn(self, live_only: bool) -> list[Any]:
        """What `draw` returns values for."""
        return [self.choice, self.run, self.seen, *(output for painter in self._chosen(live_only) for output in painter.outputs)]

    def draw(self, values: Mapping[Any, Any], live_only: bool, visitor: str = "") -> list[Any]:
        """Values for `drawn`; what this page shows already is skipped, so that focus and selection stay.

        Draws of one visitor may overtake each other: one that ends after a newer whole one has begun, or a press ended, shows nothing, and
        no look shows anything after a newer look. A whole one during which a look was shown looks again, for what it saw is older.
        """
        turn = self._turns.begin(visitor, whole=not live_only)
        drawn = self._painted(values, live_only)
        if not live_only and self._turns.looked_since(visitor, turn):
            drawn = self._painted(values, live_only)
        return drawn if self._turns.end(visitor, turn) else [gr.skip()] * len(drawn)

    def _painted(self, values: Mapping[Any, Any], live_only: bool) -> list[Any]:
        scene = self.scene(self._presses.now_all(self.page, values, self.kept), shared=live_only)
        told = asdict(scene.choice) if scene.choice != Order.of(values[self.choice]) else gr.skip()
        drawn, now = [], dict(values[self.seen])
        if time.time() - now.pop("at", 0.0) > HEAL_SECONDS:  # whatever the page has lost comes back
            now = {"at": time.time()}
        else:
            now["at"] = values[self.seen]["at"]
        for painter in self._chosen(live_only):
            fresh: Sequence[Any] = [gr.skip()] * len(painter.outputs)
            with caught(self.lang):
                fresh = painter.paint(scene)
            for output, value in zip(painter.outputs, fresh, strict=True):
                key, form = gradio_ways.key(output), hashlib.sha1(repr(value).encode(), usedforsecurity=False).hexdigest()
                drawn.append(gr.skip() if now.get(key) == form else value)
                now[key] = form
        return [told, scene.run["run"] if scene.run else None, now, *drawn]

    def _chosen(self, live_only: bool) -> list[Painter]:
        return [painter for painter in self.painters if painter.live or not live_only]

    def runs(self, shared: bool) -> list[dict[str, Any]]:
        """All runs; where it may be `shared`, as they were for another viewer a moment ago."""
        seconds = SHARED_SECONDS if shared else -1.0
        return self._listed.get(self.studio.owner, "runs", self.studio.runs.list, seconds)

    def watched(self, runs: Sequence[Mapping[str, Any]], run: str | None) -> dict[str, Any] | None:
        """The newest run at work, else the newest that waits, one that broke off last of all, the one watched before, the newest."""
        ids = [entry["run"] for entry in runs if entry["status"] != UNREADABLE]
        living = sorted((entry for entry in runs if entry["status"] in ALIVE), key=lambda entry: bool(entry["status"] == "queued"))
        broken = [one for one in sorted(runs, key=lambda one: one["ended"] or 0.0)[-1:] if one["status"] == "interrupted"]
        found = next(iter([*(entry["run"] for entry in [*living, *broken]), *([run] if run in ids else []), *ids]), None)
        return self.studio.runs.show(found) if found else None

    def scene(self, values: Mapping[Any, Any], shared: bool = False) -> Scene:
        """How things stand; the list of runs may be a moment old where it is `shared`."""
        runs = self.runs(shared)
        try:
            run = self.watched(runs, values[self.run])
        except TuningError:  # somebody deleted it just now
            runs = self.runs(shared=False)
            run = self.watched(runs, values[self.run])
        return Scene(
            choice=self.known(Order.of(values[self.choice])),
            overrides=dict(values[self.overrides] or {}),
            tab=values[self.tab],
            run=run,
            runs=runs,
            opened=values[self.opened],
            talker=values[self.target],
            followed=values[self.followed],
            talk=values[self.talk] or None,
            wanted=dict(values[self.wanted] or {}),
            browsed=dict(values[self.browsed] or {}),
            look=dict(values[self.look] or {}),
            passing=shared,
            name=values[self.name] or "",
        )

    def known(self, choice: Order) -> Order:
        """Choices whose model, data and recipe are still there."""
        lost: dict[str, None] = {}
        if choice.model is not None and not self._there(self.studio.models.find, choice.model):
            lost["model"] = None
        if choice.data is not None and not self._there(self.studio.data.preview, choice.data):
            lost |= {"data": None, "source": None}
        if choice.recipe is not None and not self._there(self.studio.plans.recipe, choice.recipe):
            lost["recipe"] = None
        return choice.but(**lost) if lost else choice

    @staticmethod
    def _there(verb: Callable[[str], Any], reference: str) -> bool:
        try:
            verb(reference)
        except TuningError:
            return False
        return True

    def settings(self, choice: Order, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """What differs from the recipe."""
        return {**overrides, **({"max_samples": choice.limit} if choice.limit else {})}

    def plan(self, choice: Order, overrides: Mapping[str, Any]) -> Planned:
        """The plan for these choices, or what is wrong with them; neither while model or data are missing."""
        if choice.model is None or choice.data is None:
            return None, None
        self.studio.preload()  # a start comes next: not before, for the libraries take half a GB
        key = json.dumps([asdict(choice), dict(overrides)], sort_keys=True, default=str)

        def plan() -> Planned:
            try:
                changes = self.settings(choice, overrides)
                return self.studio.plans.plan(choice.model, choice.data, choice.recipe, changes, lang=self.lang), None
            except TuningError as error:
                return None, (error.code, error.params)

        return self._plans.get(self.studio.owner, key, plan, PLAN_SECONDS)

    def start(self, choice: Any, overrides: Any, name: str) -> tuple[dict[str, Any], str]:
        """Put a run with these choices in the queue; the choices, which remember it, and its id."""
        chosen = Order.of(choice)
        if chosen.model is None or chosen.data is None:
            raise InputError("ui.train.needs")
        settings = self.settings(chosen, overrides)
        made = self.studio.runs.train(chosen.model, chosen.data, chosen.recipe, settings, name or self.data_title(chosen), lang=self.lang)
        return asdict(chosen.but(made=made["run"])), made["run"]

    def checked(self, data: str) -> dict[str, Any]:
        """The report on data, which never change under their id."""
        return self._reports.get(self.studio.owner, data, lambda: self.studio.data.report(data))

    def models(self, old: float = PLAN_SECONDS) -> list[dict[str, Any]]:
        """The catalog, best first for this machine, as it was at most `old` seconds ago.

        Some dozens of plans, a tenth of a second: made once for all who look, for the catalog and the machine are the same for all.
        """
        return self._models.get(EVERYBODY, "models", self.studio.models.list, old)

    def guide(self) -> dict[str, Any]:
        """What this machine trains well, as `Models.guide` tells it: some dozens of plans more, of cards that are not here."""
        return self._guides.get(EVERYBODY, "guide", lambda: self.studio.models.guide(self.models()), NAMES_SECONDS)

    def ways(self, run: str) -> dict[str, Any]:
        """The ways out for a run in trouble; for one that is in none they cost nothing."""

        def look() -> dict[str, Any]:
            try:
                return self.studio.runs.ways(run)
            except TuningError:  # its data or its model are gone
                return {"cause": None, "offers": []}

        return self._ways.get(self.studio.owner, run, look, PLAN_SECONDS)

    def instead(self, trouble: tuple[str, Mapping[str, Any]] | None) -> Html:
        """For a model that cannot be had, what to take in its place, as buttons."""
        return offers.instead(*trouble, self.models(), self.lang) if trouble and trouble[0] in offers.CLOSED else Html()

    def warm(self) -> bool:
        """Whether the libraries are loaded."""
        return self.studio.warm()

    def recipes(self) -> list[dict[str, Any]]:
        """All recipes: those that came with the app, and the owner's own as they are now."""
        return self._recipes.get(self.studio.owner, str(self.studio.recipes.all()), self.studio.plans.recipes, NAMES_SECONDS)

    def recipe(self, choice: Order) -> dict[str, Any]:
        """The chosen recipe, or the first."""
        recipes = self.recipes()
        return next((recipe for recipe in recipes if recipe["id"] == choice.recipe), recipes[0])

    def titles(self) -> dict[str, str]:
        """Names of built-in data in the page's language."""
        return {entry["id"]: entry["title"][self.lang] for entry in self.studio.data.list() if entry["offered"]}

    def data_title(self, choice: Order) -> str:
        """What the chosen data are called."""
        for entry in self.studio.data.list():
            if entry["id"] in (choice.source, choice.data):
                return str(entry["title"][self.lang] if entry["offered"] else entry["name"])
        return choice.source or ""


def since(run: Mapping[str, Any]) -> float:
    """Seconds since a run ended; infinite where it is not known."""
    ended = run["state"]["ended"]
    return time.time() - ended if ended else float("inf")
