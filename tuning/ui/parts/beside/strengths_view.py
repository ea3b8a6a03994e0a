"""An adapter at five strengths as a small table, with the press that measures it. HTML alone; nothing is measured here."""

from collections.abc import Mapping
from typing import Any

from tuning.runs.contents import STRENGTHS
from tuning.schema import Notice
from tuning.text import t
from tuning.ui import view


def strengths(found: Mapping[str, Any] | None, lang: str) -> str:
    """What is known of a run's strengths, and what can be pressed; `found` as `studio.beside.strength_table` reads it."""

    def button(verb: str) -> str:
        return f'<button type="button" class="mend" data-do="{verb}">{view.escape(t(lang, f"ui.beside.strengths.{verb}"))}</button>'

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
    return f'<h4>{view.escape(t(lang, "ui.beside.strengths"))}</h4>{table}<p class="hint" role="status">{view.escape(said)}</p>{press}'


def _table(points: list[dict[str, Any]], lang: str) -> str:
    languages = list(points[0]["probe"])
    heads = [t(lang, "ui.beside.strengths.strength"), t(lang, "ui.beside.strengths.loss")]
    heads += [t(lang, "ui.beside.strengths.probe", language=t(lang, f"ui.lang.{one}")) for one in languages]

    def row(point: dict[str, Any]) -> str:
        figures = [point["loss"], *(point["probe"].get(one) for one in languages)]
        cells = "".join(f"<td>{'–' if one is None else view.number(one, lang, 3)}</td>" for one in figures)
        return f'<tr><th scope="row">{view.number(point["strength"], lang)}%</th>{cells}</tr>'

    head = "".join(f'<th scope="col">{view.escape(one)}</th>' for one in heads)
    body = "".join(map(row, points))
    return (
        f'<div class="scroll" tabindex="0"><table class="rows strengths"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
