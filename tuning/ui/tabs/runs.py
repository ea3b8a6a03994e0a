"""The fifth tab: everything that was trained. Find a run, see what it gained, compare up to five, take one away, tidy up."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import gradio as gr

from tuning.errors import InputError, TuningError
from tuning.runs.evaluation.verdict import BY_HAND
from tuning.runs.files import clean_name
from tuning.schema import ALIVE, UNREADABLE
from tuning.ui import gradio_ways, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw import comparison, history, progress, timeline_view
from tuning.ui.draw.history import Look, Names
from tuning.ui.draw.leaving import outside
from tuning.ui.markup import Html
from tuning.ui.parts import take_away, watch_link
from tuning.ui.slip import RESUMABLE, Order
from tuning.ui.tabs import everybody
from tuning.ui.tabs.train import advised, choices_of

MOST_WORDS = 200
# A comparison that has come is seen, below however long a list.
COMES = """
let compared = false;
watch("value", () => {
  const shown = element.querySelector(".compare");
  if (shown && !compared) requestAnimationFrame(() => element.querySelector(".compare")?.scrollIntoView({block: "nearest"}));
  compared = !!shown;
});
"""
# So is a question, and whoever goes by keyboard can answer it at once.
ASKS = """
let asked = false;
watch("value", () => {
  const shown = !!element.querySelector(".sure");
  if (shown && !asked) requestAnimationFrame(() => {
    element.querySelector(".sure")?.scrollIntoView({block: "nearest"});
    element.querySelector(".sure [data-do=keep]")?.focus({preventScroll: true});
  });
  asked = shown;
});
"""


class RunActions:
    """What can be done with runs that are there. How the list is looked at comes from the page and goes back to it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def press(self, look: Any, opened: str | None, event: gr.EventData) -> Any:
        """Something in the list or in the comparison was pressed."""
        do, value = gradio_ways.text(event, "what"), gradio_ways.text(event, "value")
        seen = self.look(look)
        if do == "run":
            return asdict(replace(seen, sure=())), self.desk.studio.runs.show(value)["run"], gr.skip()
        if do == "tick":
            kept = [run for run in seen.ticked if run != value]
            seen = replace(seen, ticked=tuple(kept if value in seen.ticked else [*kept, value]), sure=())
        elif do == "untick":
            seen = replace(seen, ticked=(), sure=())
        elif do == "more":
            seen = replace(seen, most=seen.most + history.PAGE)
        elif do == "ask":
            seen = replace(seen, sure=self.ended(seen.ticked))
        elif do == "keep":
            seen = replace(seen, sure=())
        elif do == "delete":
            seen = self.remove(seen)
        elif do == "curve":
            seen = replace(seen, curve=seen.curve.turned(value))
        elif do == "words":
            seen = replace(seen, words="")
        return asdict(seen), opened, "" if do == "words" else gr.skip()

    def look(self, value: Any) -> Look:
        return Look.of(value or {}, self.desk.studio.runs.ids())

    def ended(self, runs: tuple[str, ...]) -> tuple[str, ...]:
        """Runs that may be deleted. Raises InputError with the name of the first that has not ended."""
        for entry in self.desk.studio.runs.list():
            if entry["run"] in runs and entry["status"] in ALIVE:
                raise InputError("ui.runs.delete.alive", name=clean_name(entry["name"]))
        return runs

    def remove(self, look: Look) -> Look:
        """Remove the runs about which it was asked. Raises RunError for the first that cannot go; those before it are gone."""
        for run in look.sure:
            self.desk.studio.runs.delete(run)
        return replace(look, ticked=tuple(run for run in look.ticked if run not in look.sure), sure=())

    def search(self, look: Any, words: str) -> Any:
        """Look for words; the list begins at its top again."""
        return asdict(replace(self.look(look), words=(words or "")[:MOST_WORDS], most=history.PAGE))

    def act(self, values: Mapping[Any, Any], name: gr.Textbox, event: gr.EventData) -> dict[Any, Any]:
        """What was pressed below a run. Returns what changes on the page. Raises InputError for one that is gone."""
        desk, do, look = self.desk, gradio_ways.text(event, "what"), self.look(values[self.desk.look])
        run = desk.studio.runs.id(values[desk.opened] or "")
        changed: dict[Any, Any] = {name: gr.update(visible=False)}
        if do == "talk":
            changed |= {desk.run: run, desk.tabs: gr.update(selected="chat"), desk.tab: "chat"}
        elif do == "resume":
            changed[desk.run] = desk.studio.rentals.resume(run)["run"]
        elif do in ("ask_all", "unqueue"):
            (desk.studio.talk.ask_all if do == "ask_all" else desk.studio.runs.stop)(run)
        elif do in ("again", "advise"):
            tip = gradio_ways.text(event, "value") if do == "advise" else ""
            chosen, turned = self.again(run, Order.of(values[desk.choice]))
            place = BY_HAND.get(tip, "train")
            changed |= {desk.choice: asdict(chosen), desk.overrides: turned | advised(desk, run, tip)}
            changed |= {desk.tabs: gr.update(selected=place), desk.tab: place} | ({desk.run: run} if place == "chat" else {})
        elif do == "rename":
            changed[name] = gr.update(visible=True, value=desk.studio.runs.show(run)["name"])
        elif do in ("ask", "keep"):
            changed[desk.look] = asdict(replace(look, sure=(run,) if do == "ask" else ()))
        elif do == "curve":
            changed[desk.look] = asdict(replace(look, curve=look.curve.turned(gradio_ways.text(event, "value"))))
        elif do == "delete":
            changed |= {desk.look: asdict(self.remove(replace(look, sure=(run,)))), desk.opened: None}
        elif do in ("key", "no_key"):
            changed[desk.look] = asdict(replace(look, key=self.key(do)))
        return changed

    def key(self, do: str) -> str:
        """A new API key, or none any more."""
        if do == "key":
            return self.desk.studio.keys.give()
        self.desk.studio.keys.withdraw()
        return ""

    def outside(self, run: Mapping[str, Any], key: str) -> Html:
        """How other programs talk to a run, for whoever may have a key."""
        keys = self.desk.studio.keys
        if not keys.offered or not (run["has_adapter"] or run["status"] in ("starting", "running")):
            return Html()
        try:
            there, fresh = keys.there(), key if keys.holder(key) == self.desk.studio.owner else ""
        except TuningError as error:  # all else of the run is shown
            return view.fault(self.desk.lang, error.code, error.params)
        return outside.box(run["run"], there, fresh, self.desk.lang)

    def again(self, run: str, choice: Order) -> tuple[Order, dict[str, Any]]:
        """The choices of a run, and the settings that the plan would not find by itself. Raises InputError where model or data are gone."""
        studio, shown = self.desk.studio, self.desk.studio.runs.show(run)
        spec = shown["spec"]
        for verb, reference, code in (
            (studio.models.find, spec["model"]["id"], "ui.runs.again.model"),
            (studio.data.preview, spec["data"]["id"], "ui.runs.again.data"),
            (studio.plans.recipe, spec["recipe"], "ui.runs.again.recipe"),
        ):
            try:
                verb(reference)
            except TuningError as error:
                raise InputError(code, name=clean_name(shown["name"]), gone=clean_name(str(reference))) from error
        found, turned = choices_of(self.desk, spec, choice)
        kept: dict[str, Any] = {}
        while missing := self.missing(found, turned, kept):  # each time at least one more is given, until nothing is missing
            kept |= missing
        return replace(found, made=None), kept

    def missing(self, choice: Order, wanted: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the `wanted` settings that a plan with the `given` ones decides otherwise."""
        settings = self.desk.settings(choice, given)
        planned = self.desk.studio.plans.plan(choice.model, choice.data, choice.recipe, settings, lang=self.desk.lang)
        return {key: value for key, value in wanted.items() if key not in given and planned["settings"][key] != value}

    def paint(self, scene: Scene) -> list[Any]:
        """The list, the comparison, and the run that is open: the watched one until another is chosen."""
        if scene.tab != "runs":
            return [gr.skip()] * 7  # nobody sees it: it is drawn when the tab is opened
        desk, lang = self.desk, self.desk.lang
        ids = [run["run"] for run in scene.runs]
        look = Look.of(scene.look, ids)
        found = opened(scene)
        if found is None:
            return [gr.update(visible=False), view.empty(desk.say("ui.runs.empty")), "", None, gr.update(visible=False), "", ""]
        reference = found["run"]
        names = Names(desk.titles(), {entry["id"]: entry["title"][lang] for entry in desk.recipes()})
        run = desk.studio.runs.show(reference)
        pair = ""
        if 2 <= len(look.ticked) <= history.COMPARED:
            compared = sorted((desk.studio.runs.show(ticked) for ticked in look.ticked), key=lambda one: one["created"])
            known = all(one["status"] != UNREADABLE for one in compared)
            pair = comparison.together(compared, names, lang, look.curve) if known else ""
        resumable, unreadable = run["status"] in (*RESUMABLE, "stopped", "failed"), run["status"] == UNREADABLE
        return [
            gr.update(visible=len(ids) > 1 or bool(look.words)),
            history.listing(scene.runs, look, reference, names, desk.studio.runs.glimpse, lang),
            pair,
            reference,
            gr.update(visible=True),
            history.remains(run, lang) if unreadable else progress.summary({**run, "data": names.of(run)[0]}, lang, look.curve),
            history.ways(run, look.sure == (reference,), resumable, lang, desk.studio.talk.asking(reference)) + self.outside(run, look.key),
        ]


def opened(scene: Scene) -> dict[str, Any] | None:
    """The run that is looked at, in short: the one that was chosen, else the watched one, else the newest."""
    runs = {run["run"]: run for run in scene.runs}
    watched = scene.run["run"] if scene.run else None
    return next((runs[run] for run in (scene.opened, watched, *runs) if run in runs), None)


def build(desk: Desk) -> None:
    """Lay out the tab and wire it."""
    desk.html(view.head(desk.say("ui.runs.title"), desk.say("ui.runs.hint" if desk.local else "ui.runs.hint.others")))
    words = gr.Textbox(
        label=desk.say("ui.runs.search"),
        placeholder=desk.say("ui.runs.search.place"),
        max_lines=1,
        max_length=MOST_WORDS,
        visible=False,
        elem_id="search-runs",
    )
    listed = desk.cards("runs", script=ASKS)
    fault = desk.slot()
    pair = desk.cards("pair", script=COMES)
    with gr.Column(visible=False, elem_id="run", elem_classes="paper") as panel:
        ways = desk.cards("run-ways", script=outside.COPIES + ASKS)
        name = gr.Textbox(
            label=desk.say("ui.runs.rename.label"),
            max_lines=1,
            max_length=80,
            visible=False,
            submit_btn=desk.say("ui.runs.rename"),
            elem_id="new-name",
        )
        run_fault = desk.slot()
        take_away.build(desk, opened, run_fault)
        watch_link.build(desk, "runs", opened, run_fault)
        summary = desk.cards("summary", script=timeline_view.KEEPS)

    shelf, chosen = RunActions(desk), desk.opened
    for cards in (listed, pair):  # "multiple": no tick may get lost while an earlier one is on its way
        outputs = [desk.look, chosen, words]
        desk.on(cards.click, shelf.press, [desk.look, chosen], outputs, fault, repaint=True, trigger_mode="multiple")
    desk.on(words.change, shelf.search, [desk.look, words], [desk.look], fault, repaint=True, trigger_mode="always_last")
    changing = [name, desk.run, desk.tabs, desk.tab, desk.choice, desk.overrides, desk.look, chosen]

    def act(values: dict[Any, Any], event: gr.EventData) -> list[Any]:
        changed = shelf.act(values, name, event)
        return [changed.get(part, gr.skip()) for part in changing]

    def rename(run: str, text: str) -> Any:
        desk.studio.runs.rename(run, text)
        return gr.update(visible=False)

    for cards in (ways, summary):
        desk.on(cards.click, act, {desk.look, chosen, desk.choice}, changing, run_fault, repaint=True, trigger_mode="once")
    desk.on(name.submit, rename, [chosen, name], [name], run_fault, repaint=True)
    desk.paints(shelf.paint, [words, listed, pair, chosen, panel, summary, ways], live=True)
    everybody.build(desk)
