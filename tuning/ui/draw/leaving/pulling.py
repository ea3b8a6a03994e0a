"""The fold of the Chat tab in which an adapter of the Hub is named, fetched, talked to and taken off the disk again.

Pure functions of what `Pulls.offer` returns. A press is heard as (what, adapter), with what stands in the fields.
"""

from collections.abc import Mapping
from typing import Any

from tuning.text import t
from tuning.ui.draw.leaving.pushing import field
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import fault, mend_button, number


def fold(offer: Mapping[str, Any], lang: str) -> Html:
    """What stands in the fold."""
    making = offer["making"]
    going = _going(making, lang) if making and not making["over"] else ""
    told = fault(lang, *making["fault"]) if making and making["over"] and making["fault"] else ""
    rows = joined(_row(one, offer["busy"], lang) for one in offer["here"])
    listed = html('<ul class="forms">{rows}</ul>', rows=rows) if rows else ""
    return html(
        '<div class="leaving"><p class="hint">{says}</p>{going}{told}{listed}</div>',
        says=t(lang, "ui.pull.says"),
        going=going or _asks(offer, lang),
        told=told,
        listed=listed,
    )


def _asks(offer: Mapping[str, Any], lang: str) -> Html:
    fields = field("pull", "adapter", "text", "", t(lang, "ui.pull.adapter"))
    if offer["needs_token"]:
        fields += field("pull", "token", "password", "", t(lang, "ui.pull.token"))
    off = " disabled" if offer["busy"] else ""
    press = html(
        '<button type="button" class="mend" data-what="pull" data-sends=""{off}>{fetch}</button>', off=off, fetch=t(lang, "ui.pull.fetch")
    )
    return html('{fields}<div class="ways">{press}</div>', fields=fields, press=press)


def _going(making: Mapping[str, Any], lang: str) -> Html:
    """How far a fetch is, and the press that stops it."""
    share = making["share"]
    says = t(lang, "ui.pull.going", adapter=making["run"]) + ("" if share is None else f" {number(round(100 * share), lang)} %")
    stop = "" if making["stopping"] else mend_button("stop", "", t(lang, "ui.take.stop"))
    return html('<p class="num" role="status">{says}</p><div class="ways">{stop}</div>', says=says, stop=stop)


def _row(one: Mapping[str, Any], busy: bool, lang: str) -> Html:
    """One that is here: what it stands on, and the presses. One whose base has gone can be fetched again."""
    name = one["adapter"]
    says = t(lang, "ui.pull.base" if one["base_here"] else "ui.pull.base_gone", base=one["base"])
    more = html('<p class="soft">{template}</p>', template=t(lang, "pull.template", target=name)) if one["template"] == "other" else ""
    way = (
        mend_button("talk", name, t(lang, "ui.pull.talk"))
        if one["base_here"]
        else mend_button("again", name, t(lang, "ui.pull.fetch"), busy)
    )
    gone = mend_button("gone", name, t(lang, "ui.take.remove"), busy)
    return html(
        '<li><strong>{name}</strong><p class="soft">{says}</p>{more}<div class="ways">{way}{gone}</div></li>',
        name=name,
        says=says,
        more=more,
        way=way,
        gone=gone,
    )
