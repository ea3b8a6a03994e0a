"""Everybody's runs as a table, for whoever runs the machine. Pure: what `Everybody.list` returns goes in, HTML comes out."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui.draw.progress import status
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, head, number, size, when

MOST = 200  # rows


def table(runs: Sequence[Mapping[str, Any]], sure: str | None, lang: str) -> Html:
    """The table under its heading; `sure` is the run about which it was asked whether it is really to go."""
    heads = joined(
        html('<th scope="col">{title}</th>', title=t(lang, f"ui.everybody.{key}")) for key in ("who", "what", "state", "takes", "do")
    )
    rows = joined(_row(run, run["run"] == sure, lang) for run in runs[:MOST])
    none = "" if runs else html('<p class="soft">{none}</p>', none=t(lang, "ui.everybody.none"))
    body = html(
        '<div class="wide" tabindex="0"><table class="everybody"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>',
        heads=heads,
        rows=rows,
    )
    return head(t(lang, "ui.everybody.title"), t(lang, "ui.everybody.hint"), 3) + (none or body)


def _row(run: Mapping[str, Any], sure: bool, lang: str) -> Html:
    alive, waits = run["status"] in ALIVE, run["place"] is not None
    state = [t(lang, "ui.live.step", step=number(run["step"], lang), total=number(run["total_steps"], lang))]
    if waits:
        state = [t(lang, "ui.runs.place", place=number(run["place"], lang)), duration(run["wait_seconds"], lang)]
    takes = [duration(run["seconds"], lang)] if run["seconds"] else []
    takes += [size(run["predicted_peak_bytes"], lang), size(run["size_bytes"], lang)]
    ways = [("ahead", "ui.everybody.ahead")] if waits and run["place"] > 1 else []
    ways += [("halt", "ui.everybody.stop")] if alive else [("drop", "ui.runs.delete.yes"), ("keep", "ui.runs.delete.no")] if sure else []
    ways += [] if alive or sure else [("ask", "ui.runs.delete")]
    buttons = joined(
        html(
            '<button type="button" class="way" data-do="{do}" data-value="{run}">{says}</button>', do=do, run=run["run"], says=t(lang, code)
        )
        for do, code in ways
    )
    what = html(
        '{model_title}<br><span class="soft num">{created}</span>', model_title=run["model_title"], created=when(run["created"], lang)
    )
    cells = [
        html("<b>{owner}</b>", owner=run["owner"]),
        what,
        status(run["status"], lang) + html('<br><span class="soft num">{state}</span>', state=" · ".join(state)),
        html('<span class="num">{takes}</span>', takes=" · ".join(takes)),
        html('<span class="ways">{buttons}</span>', buttons=buttons),
    ]
    return html("<tr>{cells}</tr>", cells=joined(html("<td>{cell}</td>", cell=cell) for cell in cells))
