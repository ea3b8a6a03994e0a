"""The order slip: what was chosen, what will happen, why, and the one next step. Pure functions.

The next step is decided here and nowhere else; what it does is wired in `page`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui.draw.cards import fit
from tuning.ui.draw.pictures import memory_bar
from tuning.ui.draw.progress import line
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, fault, number, sentence, size

TABS = ("model", "data", "train", "chat", "runs")
RESUMABLE = frozenset({"interrupted", "paused"})
REASONS = (
    "model.",
    "plan.text_part",
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
    chosen: float | None = field(default=None, compare=False)  # when model or data were, in seconds since 1970

    @classmethod
    def of(cls, value: object) -> "Order":
        """From the browser's memory: anything that is not as expected counts as not chosen."""
        if not isinstance(value, Mapping):
            return cls()
        texts = {key: value.get(key) for key in ("model", "data", "source", "recipe", "made")}
        kept: dict[str, Any] = {key: text for key, text in texts.items() if isinstance(text, str) and 0 < len(text) <= 4096}
        limit, chosen = value.get("limit"), value.get("chosen")
        kept["chosen"] = float(chosen) if isinstance(chosen, int | float) and 0 < chosen < 1e12 else None
        return cls(**kept, limit=limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else None)

    def but(self, **changes: Any) -> "Order":
        """With some choices changed: no longer those that a run was made with."""
        found = replace(self, **{"made": None, **changes})
        return found if (found.model, found.data) == (self.model, self.data) else replace(found, chosen=time.time())


def next_step(
    choice: Order, tab: str, run: Mapping[str, Any] | None, fits: bool = True, ways: bool = False, placed: bool = False, asks: bool = False
) -> str:
    """The one thing to do next, as the end of a key `ui.next.…`. `run` is the one that the page is watching.

    `ways` says whether there is something else than the model that would make it fit, `placed` whether a run with just these
    choices is at work or waits, `asks` whether the Data tab asks what is in a file.
    """
    busy = run is not None and run["status"] in ALIVE
    if busy and (placed or choice.model is None or choice.data is None):
        if run is not None and not answers(run):
            return "watch"
        return "watch" if tab == "chat" else "talk_now"
    if choice.model is None:
        return "take_model" if tab == "model" else "choose_model"
    if choice.data is None:
        if tab == "data":
            return "say_data" if asks else "take_data"
        return "choose_data"
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


def order(lines: Sequence[tuple[str, str, str]], lang: str) -> Html:
    """(key, what, note) as a list; what is empty was not chosen yet."""
    rows = []
    for key, what, note in lines:
        value = html("<b>{what}</b>", what=what) if what else html('<span class="unset">{none}</span>', none=t(lang, "ui.slip.none"))
        below = html('<span class="soft">{note}</span>', note=note) if note else ""
        term = t(lang, f"ui.slip.{key}")
        rows.append(html("<dt>{term}</dt><dd>{value}{below}</dd>", term=term, value=value, below=below))
    return html("<dl>{rows}</dl>", rows=joined(rows))


def forecast(plan: Mapping[str, Any], lang: str, explained: bool = True) -> Html:
    """Memory and time, as predicted, and why so where there is room to be `explained`."""
    need, have = plan["predicted_peak_bytes"], plan["available_bytes"]
    how = fit(need, have, plan["fits"])
    if how == "yes" and plan["cause"] == "slow":
        how = "slow"
    words = {"yes": "ui.slip.fits", "tight": "ui.slip.tight", "slow": "ui.slip.slow", "no": "ui.slip.no"}[how]
    memory = t(lang, "ui.slip.memory", need=size(need, lang), have=size(have, lang))
    length = t(lang, "ui.about", duration=duration(plan["seconds"], lang))
    steps = t(lang, "ui.train.plan.steps", steps=number(plan["steps"], lang), rows=number(plan["train_rows"], lang))
    listed = joined(html("<li>{reason}</li>", reason=reason) for reason in reasons(plan["notices"], lang))
    why = html('<div class="reasons"><h3>{title}</h3><ul>{listed}</ul></div>', title=t(lang, "ui.slip.why"), listed=listed)
    return html(
        '<div class="forecast"><p class="verdict num"><span class="fit {how}">{says}</span> '
        '<b class="length">{length}</b></p><details class="more" data-fold="forecast"><summary>{details}</summary>'
        '<p class="num">{memory}</p>{memory_bar}<p class="soft num">{steps}</p>{why}</details></div>',
        how=how,
        says=t(lang, words),
        length=length,
        details=t(lang, "ui.slip.details"),
        memory=memory,
        memory_bar=memory_bar(plan["parts"], have, lang),
        steps=steps,
        why=why if explained else "",
    )


def at_work(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], lang: str) -> Html:
    """The run that is at work or waits, in a panel of its own, with those behind it; what is ordered next stands below."""
    behind = [other for other in runs if other["status"] == "queued" and other["run"] != run["run"]]
    others = sorted((other["place"] or 0, other["name"], other["wait_seconds"]) for other in behind)
    queue = joined(
        html("<li>{waits}</li>", waits=t(lang, "ui.slip.waits", place=number(place, lang), name=name, duration=duration(wait or 0, lang)))
        for place, name, wait in others
    )
    kind, code = ("at-work waits", "ui.slip.turn") if run["status"] == "queued" else ("at-work", "ui.slip.working")
    return html(
        '<div class="{kind}"><b>{says}</b><p class="soft num">{line}</p>{queue}</div>',
        kind=kind,
        says=t(lang, code, name=run["name"]),
        line=line(run, lang),
        queue=html("<ul>{queue}</ul>", queue=queue) if queue else "",
    )


def slip(
    lines: Sequence[tuple[str, str, str]],
    plan: Mapping[str, Any] | None,
    lang: str,
    trouble: tuple[str, Mapping[str, Any]] | None = None,
    above: str = "",
    ways: str = "",
    under: str = "",
) -> Html:
    """What is written on the slip, below its title and its button. `above`, `ways` (out of what is wrong) and `under` are HTML."""
    below = (fault(lang, *trouble) if trouble else "") + ways
    if plan is not None:
        below += forecast(plan, lang, explained=not ways)
    elif not trouble and not any(what for _, what, _ in lines[:2]):
        below += html('<p class="hint">{empty}</p>', empty=t(lang, "ui.slip.empty"))
    short = " · ".join(what for _, what, _ in lines if what)
    brief = html('<p class="short">{short}</p>', short=short or t(lang, "ui.slip.title"))
    return html(
        '<div class="slip-paper">{above}{order}{below}{under}{brief}</div>',
        above=above,
        order=order(lines, lang),
        below=below,
        under=under,
        brief=brief,
    )
