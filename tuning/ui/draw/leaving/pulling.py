"""The fold of the Chat tab in which an adapter of the Hub is named, fetched, talked to and taken off the disk again.

Pure functions of what `Pulls.offer` returns. A press is heard as (what, adapter), with what stands in the fields.
"""

from collections.abc import Mapping
from typing import Any

from tuning.text import t
from tuning.ui.draw.leaving.pushing import field
from tuning.ui.view import escape, fault, number


def fold(offer: Mapping[str, Any], lang: str) -> str:
    """What stands in the fold."""
    making = offer["making"]
    going = _going(making, lang) if making and not making["over"] else ""
    told = fault(lang, *making["fault"]) if making and making["over"] and making["fault"] else ""
    rows = "".join(_row(one, offer["busy"], lang) for one in offer["here"])
    listed = f'<ul class="forms">{rows}</ul>' if rows else ""
    return f'<div class="leaving"><p class="hint">{escape(t(lang, "ui.pull.says"))}</p>{going or _asks(offer, lang)}{told}{listed}</div>'


def _asks(offer: Mapping[str, Any], lang: str) -> str:
    fields = field("pull", "adapter", "text", "", t(lang, "ui.pull.adapter"))
    if offer["needs_token"]:
        fields += field("pull", "token", "password", "", t(lang, "ui.pull.token"))
    off = " disabled" if offer["busy"] else ""
    press = f'<button type="button" class="mend" data-what="pull" data-sends=""{off}>{escape(t(lang, "ui.pull.fetch"))}</button>'
    return f'{fields}<div class="ways">{press}</div>'


def _going(making: Mapping[str, Any], lang: str) -> str:
    """How far a fetch is, and the press that stops it."""
    share = making["share"]
    says = t(lang, "ui.pull.going", adapter=making["run"]) + ("" if share is None else f" {number(round(100 * share), lang)} %")
    stop = "" if making["stopping"] else _button("stop", "", t(lang, "ui.take.stop"))
    return f'<p class="num" role="status">{escape(says)}</p><div class="ways">{stop}</div>'


def _row(one: Mapping[str, Any], busy: bool, lang: str) -> str:
    """One that is here: what it stands on, and the presses. One whose base has gone can be fetched again."""
    name = one["adapter"]
    says = t(lang, "ui.pull.base" if one["base_here"] else "ui.pull.base_gone", base=one["base"])
    more = f'<p class="soft">{escape(t(lang, "pull.template", target=name))}</p>' if one["template"] == "other" else ""
    way = _button("talk", name, t(lang, "ui.pull.talk")) if one["base_here"] else _button("again", name, t(lang, "ui.pull.fetch"), busy)
    gone = _button("gone", name, t(lang, "ui.take.remove"), busy)
    return f'<li><strong>{escape(name)}</strong><p class="soft">{escape(says)}</p>{more}<div class="ways">{way}{gone}</div></li>'


def _button(do: str, value: str, label: str, disabled: bool = False) -> str:
    off = " disabled" if disabled else ""
    return f'<button type="button" class="mend" data-do="{do}" data-value="{escape(value)}"{off}>{escape(label)}</button>'
