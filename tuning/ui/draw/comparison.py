"""Two to five runs side by side as HTML: their curves in one picture, what they decided differently, what came out, and their reports.

Pure functions of what `Runs.show` returns. Which settings differ is found in `tuning.runs.differences`.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.runs.differences import differences, series
from tuning.runs.summary import perplexity
from tuning.text import t, table
from tuning.ui import form, view
from tuning.ui.draw.curves.curve_look import PLAIN, CurveLook, buttons
from tuning.ui.draw.history import Names
from tuning.ui.draw.pictures import Track, losses, reached_by, trained
from tuning.ui.draw.report_view import report
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, loss, number, plain, size, when

RunFacts = Mapping[str, Any]
SIDES = ("a", "b", "c", "d", "e")
POINTS = 120  # of each line: dashes want room


def together(runs: Sequence[RunFacts], names: Names, lang: str, look: CurveLook = PLAIN) -> Html:
    """The whole comparison, with the runs' own reports where there are any."""
    title = t(lang, "ui.compare.title", first=runs[0]["name"], second=runs[1]["name"])
    if len(runs) > 2:
        title = t(lang, "ui.compare.title.many", count=number(len(runs), lang))
    close = html('<button type="button" class="mend" data-do="untick" data-value="">{close}</button>', close=t(lang, "ui.compare.close"))
    told = joined(
        html(
            '<section class="report-of" aria-label="{name}"><h4>{key}</h4>{own}</section>',
            name=run["name"],
            key=_name(run, side),
            own=own,
        )
        for run, side in zip(runs, SIDES, strict=False)
        if (own := report(run, lang))
    )
    drawn = chart(runs, lang, look) + figures(runs, lang) + settings(runs, names, lang)
    return html(
        '<section class="paper compare"><h2>{title}</h2>{drawn}{reports}<p class="pager">{close}</p></section>',
        title=title,
        drawn=drawn,
        reports=html('<div class="reports">{told}</div>', told=told) if told else "",
        close=close,
    )


def _name(run: RunFacts, side: str) -> Html:
    return html('<span class="key {side}"></span>{name}', side=side, name=run["name"])


def chart(runs: Sequence[RunFacts], lang: str, look: CurveLook = PLAIN) -> Html:
    """All runs' losses over the steps, told apart by line and by name, with a sentence that says who ended lower."""
    tracks, legend, last = list[Track](), "", max([1.0, *(reached_by(run["metrics"]) for run in runs)])
    for run, side in zip(runs, SIDES, strict=False):
        tracks += trained(side, run["metrics"], look, POINTS, last)
        for kind, key in (("training", "loss"), ("validation", "eval_loss")):
            if series(run["metrics"], key):
                label = t(lang, "ui.compare.line", name=run["name"], line=t(lang, f"ui.live.{kind}"))
                legend += html('<span class="key {kind} {side}">{label}</span>', kind=kind, side=side, label=label)
    if not legend:
        return html('<div class="curve none"><p>{none}</p></div>', none=t(lang, "ui.live.curve.none"))
    says = _says(runs, lang)
    drawn = losses(tracks, last, lang, look)
    return html(
        '<figure class="curve"><div class="legend">{legend}</div>{drawn}<figcaption>{says}</figcaption>{buttons}</figure>',
        legend=legend,
        drawn=drawn,
        says=says,
        buttons=buttons(look, lang),
    )


def _says(runs: Sequence[RunFacts], lang: str) -> str:
    """Which of them is best on what neither has seen, as far as that can be said."""
    ends = [run["eval_loss"] for run in runs]
    if None in ends:
        return t(lang, "ui.compare.says.none")
    better = runs[ends.index(min(ends))]
    fair = len({run["spec"]["data"]["sha256"] for run in runs}) == 1
    if len({loss(end, lang) for end in ends}) == 1:
        return t(lang, "ui.compare.says.same" if len(runs) == 2 else "ui.compare.says.same_many", number=loss(ends[0], lang))
    code, others = "ui.compare.says" if len(runs) == 2 else "ui.compare.says.many", sorted(ends)[1:]
    says = t(lang, code, name=better["name"], low=loss(min(ends), lang), next=loss(others[0], lang), high=loss(others[-1], lang))
    return says if fair else f"{says} {t(lang, 'ui.compare.says.unfair')}"


def figures(runs: Sequence[RunFacts], lang: str) -> Html:
    """What came out of each, beside each other."""

    def step(run: RunFacts) -> str:
        return t(lang, "ui.compare.steps", steps=number(run["steps"], lang), total=number(run["total_steps"], lang))

    def surprise(run: RunFacts, key: str) -> str:
        return "–" if run[key] is None else view.perplexity(perplexity(run[key]), lang)

    def gone(before: str, after: str) -> str:
        return before if before == after == "–" else f"{before} → {after}"

    lines = [
        ("ui.compare.status", [t(lang, f"ui.status.{run['status']}") for run in runs]),
        ("ui.compare.created", [when(run["created"], lang) for run in runs]),
        ("ui.compare.step", [step(run) for run in runs]),
        ("ui.compare.eval_loss", [gone(loss(run["base_eval_loss"], lang), loss(run["eval_loss"], lang)) for run in runs]),
        ("ui.compare.perplexity", [gone(surprise(run, "base_eval_loss"), surprise(run, "eval_loss")) for run in runs]),
        ("ui.compare.train_loss", [loss(run["train_loss"], lang) for run in runs]),
        ("ui.compare.seconds", [duration(run["seconds"], lang) if run["seconds"] else "–" for run in runs]),
        ("ui.compare.speed", [number(run["tokens_per_second"], lang) if run["tokens_per_second"] else "–" for run in runs]),
        ("ui.compare.memory", [size(run["peak_bytes"], lang) if run["peak_bytes"] else "–" for run in runs]),
        ("ui.compare.predicted", [size(run["predicted_peak_bytes"], lang) for run in runs]),
        ("ui.compare.size", [size(run["size_bytes"], lang) for run in runs]),
    ]
    return _table(t(lang, "ui.compare.figures"), runs, [(t(lang, code), *values) for code, values in lines], lang)


def settings(runs: Sequence[RunFacts], names: Names, lang: str) -> Html:
    """Only what they decided differently; a sentence where that is nothing."""
    found = differences(*(run["spec"] for run in runs))
    lines = [(called(key, lang), *(said(key, value, names, lang) for value in values)) for key, *values in found]
    if not lines:
        return html('<p class="hint">{no_difference}</p>', no_difference=t(lang, "ui.compare.no_difference"))
    return _table(t(lang, "ui.compare.settings"), runs, lines, lang)


def called(key: str, lang: str) -> str:
    """What a setting is called: as its knob is, or by its own name where it has none."""
    if key.startswith("versions."):
        return key.removeprefix("versions.")
    return next((t(lang, code) for code in (f"ui.compare.{key}", f"ui.knob.{key}") if code in table(lang)), key)


def said(key: str, value: Any, names: Names, lang: str) -> str:
    """A setting's value in the reader's way of writing."""
    if key == "data":
        return names.data.get(value, value)
    if key == "recipe":
        return names.recipes.get(value, value)
    counted = key in ("train_rows", "validation_rows", "general_rows", "max_length", "max_steps", "max_samples")
    if counted and isinstance(value, int) and value >= 0:
        return plain(value, lang)
    if key == form.TEMPLATE:
        return textwrap.shorten(value, 60, placeholder="…") if value else form.show("none", lang, key)
    if isinstance(value, bool):
        return t(lang, "ui.yes" if value else "ui.no")
    if key.startswith("versions.") or key in ("model", "data_content"):
        return str(value or "–")
    return form.show(value, lang, key)


def _table(caption: str, runs: Sequence[RunFacts], lines: Sequence[Sequence[str]], lang: str) -> Html:
    head = joined(html('<th scope="col">{name}</th>', name=_name(run, side)) for run, side in zip(runs, SIDES, strict=False))
    body = joined(
        html(
            '<tr><th scope="row">{name}</th>{inside}</tr>',
            name=name,
            inside=joined(html('<td class="num">{value}</td>', value=value) for value in values),
        )
        for name, *values in lines
    )
    corner = html('<th scope="col"><span class="visually-hidden">{what}</span></th>', what=t(lang, "ui.compare.what"))
    head = html("<caption>{caption}</caption><thead><tr>{corner}{head}</tr></thead>", caption=caption, corner=corner, head=head)
    return html(
        '<div class="scroll" tabindex="0"><table class="settings two">{head}<tbody>{body}</tbody></table></div>', head=head, body=body
    )
