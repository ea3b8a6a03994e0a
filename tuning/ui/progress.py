"""A run as HTML: while it learns, in the list of runs, and after its end. Pure functions of what `Verbs.show` returns.

What was predicted and what was measured look different and carry the word.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui.pictures import curve
from tuning.ui.view import clock, duration, escape, fault, loss, number, plain, size, when

SIGNS = {
    "queued": "◌", "starting": "◌", "running": "●", "paused": "❙❙", "stopped": "■", "finished": "✓", "failed": "✕", "interrupted": "⌁",
}  # fmt: skip


def status(code: str, lang: str) -> str:
    """A sign and a word."""
    word = escape(t(lang, f"ui.status.{code}"))
    return f'<span class="status {escape(code)}"><i aria-hidden="true">{SIGNS.get(code, "·")}</i> {word}</span>'


def line(run: Mapping[str, Any], lang: str, warm: bool = True, now: float | None = None) -> str:
    """Where the run stands, in one sentence or two. Plain text."""
    moment = time.time() if now is None else now
    state = run["state"]
    steps = {"step": number(state["step"], lang), "total": number(run["total_steps"], lang)}
    code = run["status"]
    if code == "starting" and not warm:
        return t(lang, "ui.live.warming")
    if code == "queued" and run["download"]:
        done, total = run["download"]
        return t(lang, "ui.live.downloading", done=size(done, lang), total=size(total, lang)) if total else t(lang, "ui.live.asking")
    if code == "queued" and not warm:
        return t(lang, "ui.live.warming")
    if code == "running":
        parts = [t(lang, "ui.live.step", **steps)]
        if state["seconds_left"] is not None and state["step"]:
            left = state["seconds_left"]
            parts.append(t(lang, "ui.live.ends", clock=clock(moment + left, lang, moment), duration=duration(left, lang)))
        return " · ".join([*parts, t(lang, "ui.live.close")])
    return t(lang, f"ui.live.{code}", **steps, duration=duration(run["seconds"], lang), steps=steps["step"])


def live(run: Mapping[str, Any], lang: str, warm: bool = True) -> str:
    """The current run: where it stands, four numbers and the curve."""
    state, says = run["state"], line(run, lang, warm)
    if run["stop_requested"] and run["status"] == "running":
        says = t(lang, "ui.live.stopping")
    share = min(100.0, 100 * state["step"] / max(1, run["total_steps"]))
    progress = (
        f'<div class="progress" role="progressbar" aria-label="{escape(says)}" aria-valuemin="0" aria-valuemax="{run["total_steps"]}" '
        f'aria-valuenow="{state["step"]}"><i style="width:{share:.1f}%"></i></div>'
    )
    trouble = fault(lang, run["error"]["code"], run["error"]["params"]) if run.get("error") and run["status"] not in ALIVE else ""
    busy = " busy" if run["status"] in ALIVE else ""
    return (
        f'<div class="live{busy}"><h2>{escape(t(lang, "ui.live.title", name=run["name"]))} {status(run["status"], lang)}</h2>'
        f'<p class="hint num">{escape(says)}</p>{progress}{trouble}{stats(run, lang)}'
        f"{curve(run['metrics'], run['total_steps'], lang)}</div>"
    )


def stats(run: Mapping[str, Any], lang: str) -> str:
    """Loss, validation, speed and memory; the memory predicted until it is measured."""
    state = run["state"]
    before = t(lang, "ui.live.before", number=loss(state["base_eval_loss"], lang)) if state["base_eval_loss"] is not None else ""
    speed = number(state["tokens_per_second"], lang) if state["tokens_per_second"] else "–"
    predicted = t(lang, "ui.live.predicted", memory=size(run["predicted_peak_bytes"], lang))
    if run["peak_bytes"]:
        memory, note, kind = size(run["peak_bytes"], lang), predicted, "measured"
    else:
        memory, note, kind = "≈ " + size(run["predicted_peak_bytes"], lang), t(lang, "ui.slip.predicted"), "predicted"
    cells = [
        ("ui.live.loss", loss(state["train_loss"], lang), "", "measured", "ui.live.loss.why"),
        ("ui.live.validation", loss(state["eval_loss"], lang), before, "measured", "ui.live.validation.why"),
        ("ui.live.speed", speed, "", "measured", ""),
        ("ui.live.memory", memory, note, kind, ""),
    ]
    drawn = "".join(
        f'<div class="{kind}"><dt{_title(why, lang)}>{escape(t(lang, code))}</dt><dd>{escape(value)}</dd>'
        f'<dd class="note">{escape(note)}</dd></div>'
        for code, value, note, kind, why in cells
    )
    return f'<dl class="stats num">{drawn}</dl>'


def _title(code: str, lang: str) -> str:
    return f' title="{escape(t(lang, code))}"' if code else ""


def run_list(runs: Sequence[Mapping[str, Any]], selected: str | None, lang: str) -> str:
    """All runs, newest first, each a button that opens it."""
    rows = []
    for run in runs:
        facts = [run["model_title"], run["data"], when(run["created"], lang)]
        share = t(lang, "ui.live.step", step=number(run["step"], lang), total=number(run["total_steps"], lang))
        rows.append(
            f'<button type="button" class="card run" data-do="run" data-value="{escape(run["run"])}" '
            f'aria-pressed="{"true" if run["run"] == selected else "false"}"><span class="top"><strong>{escape(run["name"])}</strong>'
            f'{status(run["status"], lang)}</span><span class="facts-line">{escape(" · ".join(facts))}</span>'
            f'<span class="soft num">{escape(share)}</span></button>'
        )
    return f'<div class="cards runs" role="group" aria-label="{escape(t(lang, "ui.runs.list"))}">{"".join(rows)}</div>'


def summary(run: Mapping[str, Any], lang: str) -> str:
    """What became of a run, in plain words, with its curve."""
    facts = [
        f"{run['model_title']} · {run['data']} · {when(run['created'], lang)}",
        t(
            lang,
            "ui.runs.data_used",
            rows=number(run["spec"]["data"]["train_rows"], lang),
            held=number(run["spec"]["data"]["validation_rows"], lang),
        ),
    ]
    if run["trainable_parameters"]:
        share = 100 * run["trainable_parameters"] / run["total_parameters"]
        trained, whole = number(run["trainable_parameters"], lang), number(run["total_parameters"], lang)
        facts.append(t(lang, "ui.runs.adapter", trainable=trained, total=whole, percent=plain(round(share, 1), lang)))
    facts.append(t(lang, "ui.runs.size", size=size(run["size_bytes"], lang)))
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    trouble = fault(lang, run["error"]["code"], run["error"]["params"]) if run.get("error") and run["status"] not in ALIVE else ""
    return (
        f'<section class="summary"><h2>{escape(t(lang, "ui.live.title", name=run["name"]))} {status(run["status"], lang)}</h2>'
        f'<p class="hint num">{escape(line(run, lang))}</p>{trouble}<ul class="facts num">{listed}</ul>{gained(run, lang)}'
        f"{stats(run, lang)}{curve(run['metrics'], run['total_steps'], lang)}</section>"
    )


def gained(run: Mapping[str, Any], lang: str) -> str:
    """Base against tuned, said with perplexities."""
    before, after = run["base_perplexity"], run["perplexity"]
    if run["status"] in ALIVE:
        return ""
    if before is None or after is None:
        says = t(lang, "ui.runs.perplexity.none")
    else:
        code = "ui.runs.perplexity" if after < before else "ui.runs.perplexity.worse"
        says = " ".join([t(lang, code, before=_few(before, lang), after=_few(after, lang)), t(lang, "ui.runs.perplexity.name")])
    return f'<div class="gained"><b>{escape(t(lang, "ui.runs.summary"))}</b><p class="num">{escape(says)}</p></div>'


def _few(value: float, lang: str) -> str:
    return number(value, lang, 0 if value >= 20 else 1)
