"""A run as HTML: while it learns, and after its end. Pure functions of what `Runs.show` returns.

What was predicted and what was measured look different and carry the word. Curves are drawn once per change of what was
logged, for all who look.
"""

import functools
import time
from collections.abc import Mapping
from typing import Any

from tuning.runs.differences import series
from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui.draw.curves.curve_look import PLAIN, CurveLook
from tuning.ui.draw.pictures import Ends, curve, small
from tuning.ui.draw.report_view import report, sentences
from tuning.ui.draw.timeline_view import timeline
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import clock, duration, fault, loss, number, perplexity, plain, rate, sentence, size, when

SIGNS = {
    "queued": "◌", "starting": "◌", "running": "●", "paused": "❙❙", "stopped": "■", "finished": "✓", "failed": "✕", "interrupted": "⌁",
    "unreadable": "?",
}  # fmt: skip


def status(code: str, lang: str) -> Html:
    """A sign and a word."""
    word = t(lang, f"ui.status.{code}")
    return html(
        '<span class="status {code}"><i aria-hidden="true">{sign}</i> {word}</span>', code=code, sign=SIGNS.get(code, "·"), word=word
    )


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
    if code == "queued" and run["wait_seconds"]:
        wait = duration(run["wait_seconds"], lang)
        return t(lang, "ui.live.queued.place", place=number(run["place"], lang), duration=wait)
    if code == "queued" and not warm:
        return t(lang, "ui.live.warming")
    if code == "running":
        parts = [t(lang, "ui.live.step", **steps)]
        if state["finishing"] == "measuring" and state["seconds_left"]:
            parts.append(t(lang, "ui.live.measuring", duration=duration(state["seconds_left"], lang)))
        elif state["finishing"]:
            parts.append(t(lang, "ui.live.measuring.longer" if state["finishing"] == "measuring" else "ui.live.saving"))
        elif state["seconds_left"] is not None and state["step"]:
            left = state["seconds_left"]
            parts.append(t(lang, "ui.live.ends", clock=clock(moment + left, lang, moment), duration=duration(left, lang)))
        return " · ".join([*parts, t(lang, "ui.live.close")])
    if code == "stopped" and not state["step"]:
        code = "stopped.before"
    says = t(lang, f"ui.live.{code}", **steps, duration=duration(run["seconds"], lang), steps=steps["step"])
    return f"{t(lang, 'ui.live.stopped.operator')} {says}" if run["status"] == "stopped" and run.get("stopped_by") else says


def measures(run: Mapping[str, Any]) -> bool:
    """Whether its steps are done and saved, and only the report is still being made."""
    return bool(run["status"] == "running" and run["state"]["finishing"] == "measuring")


def live(run: Mapping[str, Any], lang: str, warm: bool = True, look: CurveLook = PLAIN, before: Mapping[str, Any] | None = None) -> Html:
    """The current run: where it stands, what became of the one `before` it, four numbers and the curve."""
    state, says = run["state"], line(run, lang, warm)
    at_work = run["status"] == "running" and not state["finishing"]
    if run["stop_requested"] and at_work:
        says = t(lang, "ui.live.stopping")
    if measures(run):
        says = f"{says}. {t(lang, 'ui.live.measuring.stop')}"
    trouble = fault(lang, run["error"]["code"], run["error"]["params"]) if run.get("error") and run["status"] not in ALIVE else ""
    busy = " busy" if run["status"] in ALIVE else ""
    return html(
        '<div class="live{busy}" data-run="{run}"><h2>{title} {status}</h2>'
        '<p class="hint num">{says}</p>{bar}{trouble}{before}{stats}{told}{report}{charts}{timeline}{log}</div>',
        busy=busy,
        run=run["run"],
        title=t(lang, "ui.live.title", name=run["name"]),
        status=status(run["status"], lang),
        says=says,
        bar=bar(run, says),
        trouble=trouble,
        before=ended(before, lang) if before else "",
        told=told(run, lang),
        stats=stats(run, lang),
        report=report(run, lang, pressed=True),
        charts=charts(run, lang, look),
        timeline=timeline(run, lang, "live"),
        log=log(run, lang),
    )


def ended(run: Mapping[str, Any], lang: str) -> Html:
    """What became of a run that is not looked at, in one line with the way to it."""
    return html(
        '<p class="ended">{status} <b>{name}</b> <span>{says}</span> '
        '<button type="button" class="mend" data-do="run" data-value="{run}">{label}</button></p>',
        status=status(run["status"], lang),
        name=t(lang, "ui.live.title", name=run["name"]),
        says=sentences(run["evaluation"], lang)[0] if run["evaluation"] else line(run, lang),
        run=run["run"],
        label=t(lang, "ui.live.ended"),
    )


def passed(run: Mapping[str, Any], lang: str) -> Html:
    """A run that is behind whoever looks, in the place of the current one."""
    return html('<div class="live passed" data-run="{run}">{ended}</div>', run=run["run"], ended=ended(run, lang))


def bar(run: Mapping[str, Any], says: str) -> Html:
    """How much of the run is done."""
    step, total = run["state"]["step"], run["total_steps"]
    return html(
        '<div class="progress" role="progressbar" aria-label="{says}" aria-valuemin="0" aria-valuemax="{total}" '
        'aria-valuenow="{step}"><i style="width:{percent:.1f}%"></i></div>',
        says=says,
        total=total,
        step=step,
        percent=min(100.0, 100 * step / max(1, total)),
    )


def stats(run: Mapping[str, Any], lang: str) -> Html:
    """Loss, validation, speed and memory; the memory predicted until it is measured."""
    state = run["state"]
    before = t(lang, "ui.live.before", number=loss(run["base_eval_loss"], lang)) if run["base_eval_loss"] is not None else ""
    speed = number(state["tokens_per_second"], lang) if state["tokens_per_second"] else "–"
    predicted = t(lang, "ui.live.predicted", memory=size(run["predicted_peak_bytes"], lang))
    if run["peak_bytes"]:
        memory, note, kind = size(run["peak_bytes"], lang), predicted, "measured"
    else:
        memory, note, kind = "≈ " + size(run["predicted_peak_bytes"], lang), t(lang, "ui.slip.predicted"), "predicted"
    cells = [
        ("ui.live.loss", loss(state["train_loss"], lang), "", "measured", "ui.live.loss.why"),
        ("ui.live.validation", loss(run["eval_loss"], lang), before, "measured", "ui.live.validation.why"),
        ("ui.live.speed", speed, "", "measured", ""),
        ("ui.live.memory", memory, note, kind, ""),
    ]
    drawn = joined(
        html(
            '<div class="{kind}"><dt{title}>{says}</dt><dd>{value}</dd><dd class="note">{note}</dd></div>',
            kind=kind,
            title=_title(why, lang),
            says=t(lang, code),
            value=value,
            note=note,
        )
        for code, value, note, kind, why in cells
    )
    return html('<dl class="stats num">{drawn}</dl>', drawn=drawn)


def _title(code: str, lang: str) -> Html:
    return html(' title="{says}"', says=t(lang, code)) if code else Html()


class Traced:
    """What a run logged; equal to what was logged before as long as nothing was added, so that a picture of it can be kept."""

    def __init__(self, run: Mapping[str, Any]) -> None:
        self.metrics, self._mark = run["metrics"], (run["run"], run["logged"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Traced) and self._mark == other._mark

    def __hash__(self) -> int:
        return hash(self._mark)


def charts(run: Mapping[str, Any], lang: str, look: CurveLook = PLAIN) -> Html:
    """The curve of the losses and, folded, the small ones of all else that was logged."""
    return _charts(Traced(run), run["total_steps"], run["predicted_peak_bytes"], (run["base_eval_loss"], run["eval_loss"]), lang, look)


@functools.lru_cache(maxsize=64)
def _charts(traced: Traced, total_steps: int, predicted: int, ends: Ends, lang: str, look: CurveLook) -> Html:
    kinds = [
        ("learning_rate", lambda value: rate(value, lang), None),
        ("grad_norm", lambda value: plain(round(value, 2), lang), None),
        ("tokens_per_second", lambda value: number(value, lang), None),
        (
            "memory_bytes",
            lambda value: size(value, lang) if value else "0",
            (float(predicted), t(lang, "ui.live.predicted", memory=size(predicted, lang))),
        ),
    ]
    drawn = joined(small(t(lang, f"ui.live.chart.{key}"), series(traced.metrics, key), write, lang, limit) for key, write, limit in kinds)
    label = t(lang, "ui.live.charts")
    more = html(
        '<details class="folded" data-fold="charts"><summary>{label}</summary><div class="charts">{drawn}</div></details>',
        label=label,
        drawn=drawn,
    )
    return curve(traced.metrics, total_steps, lang, look, ends) + (more if drawn else "")


def log(run: Mapping[str, Any], lang: str) -> Html:
    """What the libraries said last, folded."""
    if not run["log"]:
        return Html()
    lines = "\n".join(run["log"])
    return html(
        '<details class="folded" data-fold="log"><summary>{log}</summary>'
        '<div class="log" tabindex="0" role="group" aria-label="{log}"><pre>{lines}</pre></div></details>',
        log=t(lang, "ui.live.log"),
        lines=lines,
    )


TOLD = ("settings.", "run.")  # notices of the plan that stay worth knowing: names that were mapped, and what the machine may do


def told(run: Mapping[str, Any], lang: str) -> Html:
    """What happened on the way, one line each: memory that was healed, an early end, older names that were understood."""
    planned = [notice for notice in run["spec"]["notices"] if notice["code"].startswith(TOLD)]
    signed = [("!", notice) for notice in run.get("faults", ())]
    signed += [("↺", notice) for notice in run["recoveries"]] + [("●", notice) for notice in [*run["notices"], *planned]]
    if run["status"] not in ALIVE:
        signed = [(sign, notice) for sign, notice in signed if notice["code"] != "run.may_sleep"]
    drawn = Html()
    for sign, notice in signed:
        kind = "" if notice["level"] == "info" else html(' class="warning"')
        drawn += html(
            '<li{kind}><i aria-hidden="true">{sign}</i> {says}</li>',
            kind=kind,
            sign=sign,
            says=sentence(lang, notice["code"], notice["params"]),
        )
    return html('<ul class="told">{drawn}</ul>', drawn=drawn) if drawn else Html()


def head(run: Mapping[str, Any], lang: str) -> Html:
    """Which run this is, where it stands, and what is wrong with it."""
    trouble = fault(lang, run["error"]["code"], run["error"]["params"]) if run.get("error") and run["status"] not in ALIVE else ""
    return html(
        '<h2>{title} {status}</h2><p class="hint num">{line}</p>{trouble}',
        title=t(lang, "ui.live.title", name=run["name"]),
        status=status(run["status"], lang),
        line=line(run, lang),
        trouble=trouble,
    )


def summary(run: Mapping[str, Any], lang: str, look: CurveLook = PLAIN) -> Html:
    """What became of a run, in plain words, with its curve; below its `head`."""
    facts = [
        f"{run['model_title']} · {run['data']} · {when(run['created'], lang)}",
        t(
            lang,
            "ui.runs.data_used",
            rows=number(run["spec"]["data"]["train_rows"], lang),
            held=number(run["spec"]["data"]["validation_rows"], lang),
        ),
    ]
    if general := run["spec"]["data"]["general_rows"]:
        facts.append(t(lang, "ui.runs.general", count=number(general, lang)))
    if run["trainable_parameters"]:
        share = 100 * run["trainable_parameters"] / run["total_parameters"]
        trained, whole = number(run["trainable_parameters"], lang), number(run["total_parameters"], lang)
        facts.append(t(lang, "ui.runs.adapter", trainable=trained, total=whole, percent=plain(round(share, 1), lang)))
    facts.append(t(lang, "ui.runs.size", size=size(run["size_bytes"], lang)))
    listed = joined(html("<li>{fact}</li>", fact=fact) for fact in facts)
    verdict = report(run, lang, pressed=True) or (gained(run, lang) if run["state"]["step"] else "")
    return html(
        '<section class="summary"><ul class="facts num">{listed}</ul>{told}{verdict}{stats}{charts}{timeline}{log}</section>',
        listed=listed,
        told=told(run, lang),
        verdict=verdict,
        stats=stats(run, lang),
        charts=charts(run, lang, look),
        timeline=timeline(run, lang, "run"),
        log=log(run, lang),
    )


def gained(run: Mapping[str, Any], lang: str) -> Html:
    """Base against tuned, said with perplexities."""
    before, after = run["base_perplexity"], run["perplexity"]
    if run["status"] in ALIVE:
        return Html()
    if before is None or after is None:
        says = t(lang, "ui.runs.perplexity.none")
    else:
        code = "ui.runs.perplexity" if after < before else "ui.runs.perplexity.worse"
        says = " ".join([t(lang, code, before=perplexity(before, lang), after=perplexity(after, lang)), t(lang, "ui.runs.perplexity.name")])
    return html('<div class="gained"><b>{summary}</b><p class="num">{says}</p></div>', summary=t(lang, "ui.runs.summary"), says=says)
