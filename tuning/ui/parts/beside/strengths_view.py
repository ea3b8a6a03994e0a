"""An adapter at five strengths as a small table, with the press that measures it. HTML alone; nothing is measured here."""

from collections.abc import Mapping
from typing import Any

from tuning.runs.contents import STRENGTHS
from tuning.schema import Notice
from tuning.text import t
from tuning.ui import view
from tuning.ui.markup import Html, html, joined


def strengths(found: Mapping[str, Any] | None, lang: str) -> Html:
    """What is known of a run's strengths, and what can be pressed; `found` as `studio.beside.strength_table` reads it."""

    def button(verb: str) -> Html:
        word = t(lang, f"ui.beside.strengths.{verb}")
        return html('<button type="button" class="mend" data-do="{verb}">{word}</button>', verb=verb, word=word)

    points = found["points"] if found else []
    said, press = t(lang, "ui.beside.strengths.none"), button("again" if points else "go")
    if found and found["on"]:
        said, press = t(lang, "ui.beside.strengths.on", done=len(points), total=len(STRENGTHS)), button("stop")
    elif found and found["error"]:
        error = Notice(**found["error"])
        said = t(lang, error.code, **error.params)
    elif points and found:
        said = t(lang, "ui.beside.strengths.says", rows=view.number(found["rows"], lang))
    table = _table(points, lang) if points else ""
    return html(
        '<h4>{strengths}</h4>{table}<p class="hint" role="status">{said}</p>{press}',
        strengths=t(lang, "ui.beside.strengths"),
        table=table,
        said=said,
        press=press,
    )


def _table(points: list[dict[str, Any]], lang: str) -> Html:
    languages = list(points[0]["probe"])
    heads = [t(lang, "ui.beside.strengths.strength"), t(lang, "ui.beside.strengths.loss")]
    heads += [t(lang, "ui.beside.strengths.probe", language=t(lang, f"ui.lang.{one}")) for one in languages]

    def row(point: dict[str, Any]) -> Html:
        figures = [point["loss"], *(point["probe"].get(one) for one in languages)]
        cells = joined(html("<td>{figure}</td>", figure="–" if one is None else view.number(one, lang, 3)) for one in figures)
        return html('<tr><th scope="row">{strength}%</th>{cells}</tr>', strength=view.number(point["strength"], lang), cells=cells)

    head = joined(html('<th scope="col">{one}</th>', one=one) for one in heads)
    body = joined(map(row, points))
    return html(
        '<div class="scroll" tabindex="0"><table class="rows strengths"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>',
        head=head,
        body=body,
    )
