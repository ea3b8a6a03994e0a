"""The ways out of trouble: what could be changed where memory does not suffice or a run takes too long. Pure.

Each comes with the memory and the time of a plan of its own. Nothing is changed here: people choose.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tuning import presets
from tuning.errors import InputError
from tuning.forecast import choose, memory
from tuning.forecast.data_facts import DataFacts
from tuning.forecast.duration import START_SECONDS
from tuning.forecast.plan import Lookup, Machine, Resolved, resolve
from tuning.models.catalog import GOOD
from tuning.schema import ActivationProfile, ModelCard, Record, TrainSettings

Cause = Literal["memory", "slow"]
LONG = 3 * 3600.0  # seconds of a run from which on it is asked whether it has to be so long
LATE = 2.0  # times its forecast that a run may still have to go before the same is asked
SMALL = 3e9  # parameters of the models that are advised where a run takes too long
SHORT = 600.0  # seconds that a run may always take
LESS = 0.9  # of what a run was forecast to take beside the libraries, where that was too much
WORTH = {"memory": 0.97, "slow": 0.8}  # a way is offered if it takes no more than this share of what it takes now
PASSES = (200, 100, 50, 20, 10, 5, 3, 2, 1)
ROWS = (20_000, 10_000, 5_000, 2_000, 1_000, 500, 200)
CHANGED = ("plan.precision_cpu", "plan.precision_card", "settings.mapped", "settings.dropped")  # a machine or a version does otherwise
MOST_TRIED = 12  # models, from the nearest in size on


class Offer(Record):
    """One way out: its sentence, the settings (and `model`) that it changes, and what that comes to."""

    code: str
    params: dict[str, Any]
    changes: dict[str, Any]
    predicted_peak_bytes: int
    available_bytes: int
    seconds: float
    suffices: bool  # by itself
    advised: bool = False


@dataclass(frozen=True)
class Case:
    """A run that is in trouble, or would be. `asked` are its settings before the plan, `cards` the models to take instead.

    `most` bytes it may take on `device`, where what was free has been seen not to suffice; `pace` is how many times as long as
    planned a run has been seen to take, and `long` how long it may take.
    """

    card: ModelCard
    rows: DataFacts
    asked: TrainSettings
    machine: Callable[[ModelCard, str], Machine]  # for a model on a device
    cards: Mapping[str, ModelCard]
    most: int | None = None
    device: str = ""
    pace: float = 1.0
    long: float = LONG

    def attempt(self, changes: Mapping[str, Any]) -> Resolved | None:
        """The plan with `changes`; None where that cannot be done."""
        card = self.cards[changes["model"]] if "model" in changes else self.card
        rows = self.rows if card is self.card else self.rows.model_copy(update={"lengths": None})
        try:
            wanted, _ = presets.parse_settings(self.asked, {key: value for key, value in changes.items() if key != "model"}, "--set")
            return resolve(card, rows, wanted, self.machine(card, wanted.device))
        except InputError:
            return None

    def fits(self, plan: Resolved) -> bool:
        """Does it fit, also into what a run was seen to have?"""
        elsewhere = self.most is None or plan.settings.device != self.device
        return plan.forecast.fits and (elsewhere or plan.forecast.peak_bytes <= (self.most or 0))

    def seconds(self, plan: Resolved) -> float:
        """How long it would take at the pace that was seen; to get ready takes as long as ever."""
        return START_SECONDS + self.pace * max(0.0, plan.forecast.seconds - START_SECONDS)

    def offer(self, cause: Cause, name: str, changes: dict[str, Any], params: dict[str, Any]) -> Offer | None:
        """A way out with its figures; None where it cannot be gone."""
        plan = self.attempt(changes)
        if plan is None:
            return None
        enough = self.fits(plan) and (cause == "memory" or self.seconds(plan) <= self.long)
        forecast = plan.forecast
        return Offer(
            code=f"help.{name}",
            params=params,
            changes=changes,
            predicted_peak_bytes=forecast.peak_bytes,
            available_bytes=forecast.available_bytes,
            seconds=self.seconds(plan),
            suffices=enough,
        )


def ways(case: Case, plan: Resolved) -> tuple[Cause | None, list[Offer]]:
    """What is wrong with `plan`, if anything, and the ways out: those that suffice first."""
    if not case.fits(plan):
        return "memory", out_of_memory(case, plan)
    if case.seconds(plan) > case.long:
        return "slow", out_of_time(case, plan)
    return None, []


def after(
    case: Case, expected: float, takes: float | None, helped_itself: bool, left: float = math.inf
) -> tuple[Cause | None, list[Offer]]:
    """The same for a run that is on, or has ended for want of memory.

    `expected` and `takes` are its seconds as forecast and as they come to be, None where memory is what is wrong: what was
    forecast did not suffice then. One that has `helped_itself` has tried already what costs nothing. It is over in `left` seconds:
    what would take nearly as long or longer is no help.
    """
    plan = case.attempt({})
    if plan is None:
        return None, []
    if takes is not None:
        pace = max(1.0, takes - START_SECONDS) / max(1.0, expected - START_SECONDS)
        found = out_of_time(replace(case, pace=pace, long=max(plan.forecast.seconds, SHORT)), plan)
        return "slow", _ordered([offer for offer in found if offer.seconds <= WORTH["slow"] * left])
    libraries = plan.forecast.parts["libraries"]  # take the same whatever is changed
    most = libraries + LESS * (plan.forecast.peak_bytes - libraries)
    offers = out_of_memory(replace(case, most=int(most), device=plan.settings.device), plan)
    return "memory", _ordered([offer for offer in offers if offer.code != "help.batch" or not helped_itself])


def out_of_memory(case: Case, plan: Resolved) -> list[Offer]:
    """What would make it fit, from what changes least to what changes most; beside that, what only helps."""
    found: list[Offer | None] = []
    rungs = choose.ladder(case.card, plan.settings)
    for name in dict.fromkeys(name for name, _ in rungs):
        offers = (_step(case, plan, name, changes) for rung, changes in rungs if rung == name)
        found.append(_first(offers, lambda offer: offer.suffices))
    if not any(offer and offer.suffices for offer in found):
        found.append(_together(case, plan, rungs))
    found += [_model(case, "memory", plan), _processor(case, plan)]
    return _ordered([offer for offer in found if offer and (offer.suffices or _helps(offer, plan))])


def out_of_time(case: Case, plan: Resolved) -> list[Offer]:
    """What would make it short enough, in the order of what is usually tried; beside that, what only helps."""
    settings, count = plan.settings, plan.train_rows + plan.validation_rows
    found = [_card(case, plan), _model(case, "slow", plan)]
    shorter = [length for length in choose.LENGTHS if length < int(settings.max_length)]
    found.append(_quicker(case, "shorter", ({"max_length": length} for length in shorter), plan))
    if settings.max_steps < 1:
        passes = [number for number in PASSES if number < settings.num_train_epochs]
        found.append(_quicker(case, "epochs", ({"num_train_epochs": number} for number in passes), plan))
        fewer = [rows for rows in ROWS if rows < count]
        found.append(_quicker(case, "rows", ({"max_samples": rows} for rows in fewer), plan))
    most = WORTH["slow"] * case.seconds(plan)
    return _ordered([offer for offer in found if offer and offer.seconds <= most])


def nearest(wanted: ModelCard, cards: Mapping[str, ModelCard]) -> list[str]:
    """Models to take instead of `wanted`, the likest first: of its kind, then by size. Not those that came with the app.

    One that speaks Italian well is replaced by such.
    """

    def unlike(id: str) -> tuple[bool, float, int]:
        card = cards[id]
        return card.instruct != wanted.instruct, round(abs(math.log2(card.parameters / wanted.parameters)), 1), -card.stars

    known = [id for id, card in cards.items() if card.path is None and id != wanted.id]
    return sorted((id for id in known if wanted.italian not in GOOD or cards[id].italian in GOOD), key=unlike)


def standing_in(find: Lookup, look: Lookup) -> Lookup:
    """What `find` knows of a model; where that is nothing, what `look` knows of it on a card, or with all its layers adapted."""

    def lookup(card: ModelCard, settings: TrainSettings) -> ActivationProfile | None:
        found = find(card, settings)
        on_card, all_layers = {"device": "cuda:0", "precision": "bf16"}, {"target_modules": "all-linear"}
        others = ({}, on_card, all_layers, {**all_layers, **on_card}) if found is None else ()
        return found or next((other for one in others if (other := look(card, settings.model_copy(update=one))) is not None), None)

    return lookup


# Inside


def _step(case: Case, plan: Resolved, name: str, changes: dict[str, Any]) -> Offer | None:
    return case.offer("memory", name, changes, _params(case, name, changes, plan))


def _params(case: Case, name: str, changes: dict[str, Any], plan: Resolved) -> dict[str, Any]:
    """What fills the sentence of a step."""
    settings = plan.settings
    if name == "batch":
        return {"batch": changes["per_device_train_batch_size"], "accumulation": changes["gradient_accumulation_steps"]}
    if name == "shorter":
        length = int(changes["max_length"])
        return {"length": length, **_cut(case.rows, length)}
    if name == "rank":
        return {"rank": changes["lora_r"], "alpha": changes["lora_alpha"]}
    if name == "targets":
        return {"targets": ", ".join(changes["target_modules"])}
    if name == "epochs":
        return {"epochs": changes["num_train_epochs"], "of": settings.num_train_epochs}
    if name == "rows":
        return {"rows": changes["max_samples"], "of": plan.train_rows + plan.validation_rows}
    return {}


def _cut(rows: DataFacts, length: int) -> dict[str, Any]:
    """The share of tokens that a length cuts, in percent, where that is known."""
    if rows.lengths is None:
        return {}
    totals = rows.lengths.totals(length)
    return {"cut": round(100 * totals.cut / max(1, totals.cut + totals.tokens))}


def _together(case: Case, plan: Resolved, rungs: Sequence[tuple[str, dict[str, Any]]]) -> Offer | None:
    """Several steps at once, where none suffices alone."""

    def suffices(changes: dict[str, Any]) -> bool:
        tried = case.attempt(changes)
        return tried is not None and case.fits(tried)

    taken = choose.least([changes for _, changes in rungs], suffices)
    if taken is None or len(taken) < 2:
        return None
    names = {id(changes): name for name, changes in rungs}
    steps = [{"code": f"help.{names[id(one)]}", "params": _params(case, names[id(one)], one, plan)} for one in taken]
    return case.offer("memory", "together", choose.joined(taken), {"steps": steps})


def _model(case: Case, cause: Cause, plan: Resolved) -> Offer | None:
    """A smaller model: the largest alike that suffices; where it should be quicker one below SMALL."""
    most = min(case.card.parameters, SMALL) if cause == "slow" else case.card.parameters
    names = {name for name, *_ in memory.linear_shapes(case.card)}
    listed = case.asked.target_modules if isinstance(case.asked.target_modules, list) else []
    smaller = [id for id in nearest(case.card, case.cards) if case.cards[id].parameters < 0.95 * most]
    taken = [id for id in smaller if not listed or names <= {name for name, *_ in memory.linear_shapes(case.cards[id])}]
    offers = (case.offer(cause, "model", {"model": id}, {"model": case.cards[id].title}) for id in taken[:MOST_TRIED])
    return _first(offers, lambda offer: offer.suffices) if cause == "memory" else _quickest(offers)


def _processor(case: Case, plan: Resolved) -> Offer | None:
    """The last resort; slow."""
    if not plan.settings.on_card:
        return None
    found = case.offer("memory", "cpu", {"device": "cpu"}, {})
    return found if found and found.suffices else None


def _card(case: Case, plan: Resolved) -> Offer | None:
    """A card that is there, where the processor was chosen."""
    if plan.settings.on_card:
        return None
    hardware = case.machine(case.card, "auto").hardware
    if hardware.apple is not None:
        return case.offer("slow", "apple", {"device": "mps"}, {})
    return case.offer("slow", "card", {"device": "auto"}, {}) if hardware.gpus else None


def _quicker(case: Case, name: str, steps: Iterator[dict[str, Any]], plan: Resolved) -> Offer | None:
    return _quickest(case.offer("slow", name, changes, _params(case, name, changes, plan)) for changes in steps)


def _quickest(offers: Iterator[Offer | None]) -> Offer | None:
    """The first that suffices, else the one that takes the least time."""
    seen: list[Offer] = []
    for offer in offers:
        if offer and offer.suffices:
            return offer
        seen += [offer] if offer else []
    return min(seen, key=lambda offer: offer.seconds, default=None)


def _first(offers: Iterator[Offer | None], good: Callable[[Offer], bool]) -> Offer | None:
    """The first that is good, else the last."""
    last = None
    for offer in offers:
        if offer is not None and good(offer):
            return offer
        last = offer or last
    return last


def _helps(offer: Offer, plan: Resolved) -> bool:
    return "model" not in offer.changes and offer.predicted_peak_bytes <= WORTH["memory"] * plan.forecast.peak_bytes


def _ordered(offers: Sequence[Offer]) -> list[Offer]:
    """Those that suffice first, the first of them advised."""
    enough = [offer for offer in offers if offer.suffices]
    advised = [offer.model_copy(update={"advised": place == 0}) for place, offer in enumerate(enough)]
    return advised + [offer for offer in offers if not offer.suffices]
