"""The row for a machine with several cards: one run on all of them, with what that comes to, or on one again. Where the whole model does
not fit on each, it is offered in shares.

It stands on the order slip and, with that tab open, on Train. A press changes the setting `device`; who starts the processes is the
workshop's affair.
"""

import json
from collections.abc import Mapping
from typing import Any

from tuning.text import t
from tuning.ui.desk import Desk
from tuning.ui.markup import Html, html
from tuning.ui.slip import Order
from tuning.ui.view import duration, number, size

ALL, SHARED, ONE = {"device": "all"}, {"device": "shard"}, {"device": "auto"}


def drawn(desk: Desk, choice: Order, overrides: Mapping[str, Any]) -> Html:
    """As HTML; nothing where there is one card or none, nothing to train yet, or it would not fit."""
    count = len(desk.studio.hardware()["gpus"])
    if count < 2 or desk.space is not None:
        return Html()
    alone = desk.plan(choice, {**overrides, **ONE})[0]
    plans = (
        (way, desk.plan(choice, {**overrides, **way})[0]) for way in ([SHARED] if overrides.get("device") == "shard" else [ALL, SHARED])
    )
    way, together = next(((way, plan) for way, plan in plans if plan is not None and plan["fits"]), (ONE, None))
    if together is None:
        return Html()
    how = "both" if count == 2 else "all"
    taken = overrides.get("device") == way["device"]
    words = t(desk.lang, f"ui.cards.used.{how}" if taken else f"ui.cards.use.{how}", count=count)
    words = t(desk.lang, "ui.cards.shared", cards=words) if way is SHARED else words
    says = figures(alone if alone and alone["fits"] else None, together, count, desk.lang)
    if taken:
        back = html('<button type="button" class="mend" {sends}>{one}</button>', sends=_sends(ONE), one=t(desk.lang, "ui.cards.one"))
        return html(
            '<div class="way-outs all-cards"><h3>{words}</h3><p class="soft num">{says}</p>{back}</div>', words=words, says=says, back=back
        )
    return html(
        '<div class="way-outs all-cards"><button type="button" class="way" {sends}><b>{words}</b>'
        '<span class="soft num">{says}</span></button></div>',
        sends=_sends(way),
        words=words,
        says=says,
    )


def figures(alone: Mapping[str, Any] | None, together: Mapping[str, Any], count: int, lang: str) -> str:
    """Time, memory of each card and rows of a step, beside those of one card where it fits there. Plain text."""
    params = {"memory": size(together["predicted_peak_bytes"], lang), "have": size(together["available_bytes"], lang)}
    params |= {"length": duration(together["seconds"], lang), "rows": number(count * _rows(together), lang)}
    if alone is None:
        return t(lang, "ui.cards.line", **params)
    params |= {"alone": duration(alone["seconds"], lang), "before": number(_rows(alone), lang)}
    step = "ui.cards.rows.same" if count * _rows(together) == _rows(alone) else "ui.cards.rows.other"
    return " · ".join(t(lang, code, **params) for code in ("ui.cards.line.alone", step))


def _rows(plan: Mapping[str, Any]) -> int:
    settings = plan["settings"]
    return int(settings["per_device_train_batch_size"]) * int(settings["gradient_accumulation_steps"])


def _sends(changes: Mapping[str, Any]) -> Html:
    return html('data-do="mend" data-value="{changes}"', changes=json.dumps(changes))
