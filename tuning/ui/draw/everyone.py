"""Everybody's runs as a table, for whoever runs the machine. Pure: what `Everybody.list` returns goes in, HTML comes out."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui.draw.progress import status
from tuning.ui.view import duration, escape, head, number, size, when

MOST = 200  # rows


def table(runs: Sequence[Mapping[str, Any]], sure: str | None, lang: str) -> str:
    """The table under its heading; `sure` is the run about which it was asked whether it is really to go."""
    heads = "".join(f'<th scope="col">{escape(t(lang, f"ui.everybody.{key}"))}</th>' for key in ("who", "what", "state", "takes", "do"))
    rows = "".join(_row(run, run["run"] == sure, lang) for run in runs[:MOST])
    none = "" if runs else f'<p class="soft">{escape(t(lang, "ui.everybody.none"))}</p>'
    body = f'<div class="wide" tabindex="0"><table class="everybody"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    return head(t(lang, "ui.everybody.title"), t(lang, "ui.everybody.hint"), 3) + (none or body)


def _row(run: Mapping[str, Any], sure: bool, lang: str) -> str:
    alive, waits = run["status"] in ALIVE, run["place"] is not None
    state = [t(lang, "ui.live.step", step=number(run["step"], lang), total=number(run["total_steps"], lang))]
    if waits:
        state = [t(lang, "ui.runs.place", place=number(run["place"], lang)), duration(run["wait_seconds"], lang)]
    takes = [duration(run["seconds"], lang)] if run["seconds"] else []
    takes += [size(run["predicted_peak_bytes"], lang), size(run["size_bytes"], lang)]
    ways = [("ahead", "ui.everybody.ahead")] if waits and run["place"] > 1 else []
    ways += [("halt", "ui.everybody.stop")] if alive else [("drop", "ui.runs.delete.yes"), ("keep", "ui.runs.delete.no")] if sure else []
    ways += [] if alive or sure else [("ask", "ui.runs.delete")]
    buttons = "".join(
        f'<button type="button" class="way" data-do="{do}" data-value="{escape(run["run"])}">{escape(t(lang, code))}</button>'
        for do, code in ways
    )
    what = f'{escape(run["model_title"])}<br><span class="soft num">{escape(when(run["created"], lang))}</span>'
    cells = [
        f"<b>{escape(run['owner'])}</b>",
        what,
        status(run["status"], lang) + f'<br><span class="soft num">{escape(" · ".join(state))}</span>',
        f'<span class="num">{escape(" · ".join(takes))}</span>',
        f'<span class="ways">{buttons}</span>',
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
