"""The audit on the page: which tokens will be learned, how long the rows are, and where they are cut.

What is shown was found once by `studio.data.audit`; the cut moves by arithmetic.
"""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from tuning.text import t
from tuning.tokens import lengths
from tuning.ui import form, gradio_ways, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.door import caught
from tuning.ui.draw import sheet
from tuning.ui.markup import Html, html, joined

LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)


def build(desk: Desk) -> None:
    """Figures, histogram, the knob that moves the cut, and rows token by token."""
    with gr.Column(elem_id="audit", elem_classes="paper"):
        above = desk.html(elem_id="audit-figures")
        cut = gr.Dropdown(
            [(view.number(length, desk.lang), str(length)) for length in LENGTHS],
            label=desk.say("ui.audit.max_length"),
            info=desk.say("ui.audit.max_length.hint"),
            allow_custom_value=True,
            interactive=True,
            visible=False,
            elem_id="audit-cut",
        )
        fault = desk.slot()
        below = desk.cards("audit-rows")

    def move(overrides: Any, value: Any) -> Any:
        length = form.parse(value, desk.lang)
        desk.studio.plans.settings_for(None, {"max_length": length})
        return {**(overrides or {}), "max_length": length}

    def turn(browsed: Any, event: gr.EventData) -> Any:
        return {**(browsed or {}), "audit": gradio_ways.whole(event, "value")}

    def paint(scene: Scene) -> list[Any]:
        hidden = gr.update(visible=False)
        head = view.head(desk.say("ui.audit.title"), desk.say("ui.audit.needs_model"))
        if scene.choice.data is None:
            return ["", hidden, ""]
        if scene.choice.model is None:
            return [head, hidden, ""]
        title = desk.studio.models.find(scene.choice.model).card.title
        head = view.head(desk.say("ui.audit.title"), desk.say("ui.audit.hint", model=title))
        plan, _ = desk.plan(scene.choice, scene.overrides)
        found = None
        with caught(desk.lang) as trouble:
            found = desk.studio.data.audit(scene.choice.data, scene.choice.model, plan["settings"] if plan else None)
        if trouble:
            return [head + trouble[0], hidden, ""]
        if found is None:
            said = desk.say("ui.audit.working")
            return [html('{head}<p class="while"><i aria-hidden="true">●</i> {said}</p>', head=head, said=said), hidden, ""]
        at = int(plan["settings"]["max_length"]) if plan else 512
        drawn = figures(found, at, desk.lang, plan["general_rows"] if plan else 0)
        return [head + drawn, gr.update(visible=True, value=str(at)), rows(found, at, scene.browsed, desk.lang)]

    desk.on(cut.input, move, [desk.overrides, cut], [desk.overrides], fault, repaint=True, trigger_mode="always_last")
    desk.on(below.click, turn, [desk.browsed], [desk.browsed], fault, repaint=True)
    desk.paints(paint, [above, cut, below], live=True)


def figures(found: lengths.Lengths, at: int, lang: str, general: int = 0) -> Html:
    """Totals, what there is to know, and the histogram with its line. `general` rows are mixed in beside those that are counted."""
    blocked = found.blocked(at)
    said = view.fault(lang, blocked.code, blocked.params) if blocked else ""
    notes = joined(
        html('<li class="{level}"><span>{says}</span></li>', level=notice.level, says=view.sentence(lang, notice.code, notice.params))
        for notice in found.notices(at)
    )
    if general:
        notes += html('<li class="info"><span>{general}</span></li>', general=t(lang, "ui.audit.general", count=view.number(general, lang)))
    packing = found.packing(at, 4)
    spare = ""
    if packing.saved >= 0.05:
        spare = html('<p class="hint">{packing}</p>', packing=t(lang, "ui.audit.packing", percent=view.number(100 * packing.saved, lang)))
    listed = html('<ul class="findings">{notes}</ul>', notes=notes) if notes else ""
    sums = found.totals(at)
    drawn = sheet.histogram(found.histogram(), (found.shortest, found.longest), at, len(sums.rows_cut), lang)
    return said + sheet.totals(sums, lang) + listed + drawn + spare


def rows(found: lengths.Lengths, at: int, browsed: Mapping[str, Any], lang: str) -> Html:
    """One row after the other, token by token."""
    shown = found.audit.shown
    if not shown:
        return Html()
    place = max(0, min(int(browsed.get("audit", 0)), len(shown) - 1))
    said = t(lang, "ui.audit.place", number=view.number(place + 1, lang), count=view.number(len(shown), lang))
    ways = sheet.pager("audit", place, 1, len(shown), said, lang)
    looked = next(one for one in found.audit.looked if one.row == shown[place].row)
    return sheet.legend(lang, bool(looked.unlearned)) + ways + sheet.tokens(shown[place], looked, at, lang)
