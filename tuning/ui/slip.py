"""The order slip: what was chosen, what will happen, why, and the one next step. Pure functions.

The next step is decided here and nowhere else; what it does is wired in `page`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui.draw.cards import fit
from tuning.ui.draw.pictures import memory_bar
from tuning.ui.draw.progress import line
from tuning.ui.view import duration, escape, fault, number, sentence, size

TABS = ("model", "data", "train", "chat", "runs")
RESUMABLE = frozenset({"interrupted", "paused"})
REASONS = (
    "model.",
    "plan.no_fit",
    "plan.nf4",
    "plan.optimizer",
    "plan.disk",
    "plan.full",
    "plan.general",
    "plan.learning_rate",
    "plan.batch",
    "plan.checkpointing_partial",
    "plan.checkpointing_full",
    "plan.validation",
    "plan.precision",
    "plan.device",
)


@dataclass(frozen=True)
class Order:
    """What the visitor has chosen; it lives in the browser and may be forged, so it is read with `of`."""

    model: str | None = None
    data: str | None = None  # id in the library
    source: str | None = None  # the card that was pressed
    recipe: str | None = None
    limit: int | None = None
    made: str | None = None  # the run that was started with exactly these choices

    @classmethod
    def of(cls, value: object) -> "Order":
        """From the browser's memory: anything that is not as expected counts as not chosen."""
        if not isinstance(value, Mapping):
            return cls()
        texts = {key: value.get(key) for key in ("model", "data", "source", "recipe", "made")}
        kept: dict[str, Any] = {key: text for key, text in texts.items() if isinstance(text, str) and 0 < len(text) <= 4096}
        limit = value.get("limit")
        return cls(**kept, limit=limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else None)

    def but(self, **changes: Any) -> "Order":
        """With some choices changed: no longer those that a run was made with."""
        return replace(self, **{"made": None, **changes})


def next_step(choice: Order, tab: str, run: Mapping[str, Any] | None, fits: bool = True, ways: bool = False, placed: bool = False) -> str:
    """The one thing to do next, as the end of a key `ui.next.…`. `run` is the one that the page is watching.

    `ways` says whether there is something else than the model that would make it fit, `placed` whether a run with just these
    choices is at work or waits.
    """
    busy = run is not None and run["status"] in ALIVE
    if busy and (placed or choice.model is None or choice.data is None):
        if run is not None and not answers(run):
            return "watch"
        return "watch" if tab == "chat" else "talk_now"
    if choice.model is None:
        return "take_model" if tab == "model" else "choose_model"
    if choice.data is None:
        return "take_data" if tab == "data" else "choose_data"
    if run is not None and choice.made == run["run"]:
        if run["status"] in RESUMABLE:
            return "resume"
        if run["has_adapter"]:
            return {"chat": "take_away", "runs": "again"}.get(tab, "talk")
    if fits:
        return "queue" if busy else "train"
    return "too_big" if not ways else "mend_now" if tab == "train" else "mend"


def answers(run: Mapping[str, Any]) -> bool:
    """Whether a run at work can be talked to: several processes of a launcher answer nobody."""
    return int(run.get("spec", {}).get("processes", 1)) == 1


def goes_to(step: str, tab: str) -> str:
    """The tab where a step takes place."""
    return {
        "take_model": "data", "choose_model": "model", "too_big": "model", "take_data": "train", "choose_data": "data", "train": "train",
        "queue": "train",
        "resume": "train", "watch": "train", "again": "train",
        "mend": "train", "mend_now": "train", "talk_now": "chat", "talk": "chat", "take_away": "runs",
    }.get(step, tab)  # fmt: skip


def label(step: str, lang: str, model: str = "", data: str = "", waits: bool = False) -> str:
    """What the button says; `waits` says that the watched run has not begun to learn."""
    if waits and step in ("watch", "talk_now"):
        return t(lang, f"ui.next.{step}.waits")
    return t(lang, f"ui.next.{step}", model=model, data=data)


def done(choice: Order, runs: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Which tabs have a tick."""
    return {
        "model": choice.model is not None,
        "data": choice.data is not None,
        "train": any(run["run"] == choice.made and run["status"] in ("finished", "stopped") for run in runs),
    }


def reasons(notices: Sequence[Mapping[str, Any]], lang: str, most: int = 3) -> list[str]:
    """The reasons that matter, warnings first; what would help has buttons of its own."""

    def rank(notice: Mapping[str, Any]) -> tuple[bool, int]:
        order = next((index for index, start in enumerate(REASONS) if notice["code"].startswith(start)), len(REASONS))
        return notice["level"] == "info", order

    told = [notice for notice in sorted(notices, key=rank) if notice["code"] != "plan.offer"]
    return [sentence(lang, notice["code"], notice["params"]) for notice in told[:most]]


def order(lines: Sequence[tuple[str, str, str]], lang: str) -> str:
    """(key, what, note) as a list; what is empty was not chosen yet."""
    rows = []
    for key, what, note in lines:
        value = f"<b>{escape(what)}</b>" if what else f'<span class="unset">{escape(t(lang, "ui.slip.none"))}</span>'
        below = f'<span class="soft">{escape(note)}</span>' if note else ""
        term = escape(t(lang, f"ui.slip.{key}"))
        rows.append(f"<dt>{term}</dt><dd>{value}{below}</dd>")
    return f"<dl>{''.join(rows)}</dl>"


def forecast(plan: Mapping[str, Any], lang: str, explained: bool = True) -> str:
    """Memory and time, as predicted, and why so where there is room to be `explained`."""
    need, have = plan["predicted_peak_bytes"], plan["available_bytes"]
    how = fit(need, have, plan["fits"])
    if how == "yes" and plan["cause"] == "slow":
        how = "slow"
    words = {"yes": "ui.slip.fits", "tight": "ui.slip.tight", "slow": "ui.slip.slow", "no": "ui.slip.no"}[how]
    memory = t(lang, "ui.slip.memory", need=size(need, lang), have=size(have, lang))
    length = t(lang, "ui.about", duration=duration(plan["seconds"], lang))
    steps = t(lang, "ui.train.plan.steps", steps=number(plan["steps"], lang), rows=number(plan["train_rows"], lang))
    why = "".join(f"<li>{escape(reason)}</li>" for reason in reasons(plan["notices"], lang))
    reasoned = f'<div class="reasons"><h3>{escape(t(lang, "ui.slip.why"))}</h3><ul>{why}</ul></div>' if explained else ""
    return (
        f'<div class="forecast"><p class="verdict num"><span class="fit {how}">{escape(t(lang, words))}</span> '
        f'<b class="length">{escape(length)}</b></p>'
        f'<details class="more" data-fold="forecast"><summary>{escape(t(lang, "ui.slip.details"))}</summary>'
        f'<p class="num">{escape(memory)}</p>{memory_bar(plan["parts"], have, lang)}'
        f'<p class="soft num">{escape(steps)}</p>{reasoned}</details></div>'
    )


def at_work(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], lang: str) -> str:
    """The run that is at work or waits, in a panel of its own, with those behind it; what is ordered next stands below."""
    behind = [other for other in runs if other["status"] == "queued" and other["run"] != run["run"]]
    others = sorted((other["place"] or 0, other["name"], other["wait_seconds"]) for other in behind)
    queue = "".join(
        f"<li>{escape(t(lang, 'ui.slip.waits', place=number(place, lang), name=name, duration=duration(wait or 0, lang)))}</li>"
        for place, name, wait in others
    )
    kind, code = ("at-work waits", "ui.slip.turn") if run["status"] == "queued" else ("at-work", "ui.slip.working")
    return (
        f'<div class="{kind}"><b>{escape(t(lang, code, name=run["name"]))}</b>'
        f'<p class="soft num">{escape(line(run, lang))}</p>{f"<ul>{queue}</ul>" if queue else ""}</div>'
    )


def slip(
    lines: Sequence[tuple[str, str, str]],
    plan: Mapping[str, Any] | None,
    lang: str,
    trouble: tuple[str, Mapping[str, Any]] | None = None,
    above: str = "",
    ways: str = "",
    under: str = "",
) -> str:
    """What is written on the slip, below its title and its button. `above`, `ways` (out of what is wrong) and `under` are HTML."""
    below = (fault(lang, *trouble) if trouble else "") + ways
    if plan is not None:
        below += forecast(plan, lang, explained=not ways)
    elif not trouble and not any(what for _, what, _ in lines[:2]):
        below += f'<p class="hint">{escape(t(lang, "ui.slip.empty"))}</p>'
    short = " · ".join(what for _, what, _ in lines if what)
    brief = f'<p class="short">{escape(short or t(lang, "ui.slip.title"))}</p>'
    return f'<div class="slip-paper">{above}{order(lines, lang)}{below}{under}{brief}</div>'
