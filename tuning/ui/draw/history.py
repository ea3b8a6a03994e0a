"""The list of runs as HTML: newest first, searched, with the ticks that choose runs to compare or to delete, and what can be done with one.

Pure functions of what `Runs.list` and `Runs.glimpse` return. A press is heard as (what, value).
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.schema import ALIVE, UNREADABLE
from tuning.text import t
from tuning.ui.draw.curves.curve_look import PLAIN, CurveLook
from tuning.ui.draw.pictures import spark
from tuning.ui.draw.progress import head, log, status
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, fault, loss, number, sentence, size, when

PAGE = 50  # runs shown at once
COMPARED = 5  # runs that are held against each other, at most

RunBrief = Mapping[str, Any]


@dataclass(frozen=True)
class Look:
    """How a visitor looks at the list. It comes from a page, so it is read with `of`."""

    words: str = ""
    most: int = PAGE
    ticked: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()  # runs about which it was asked whether they are really to go
    curve: CurveLook = PLAIN
    key: str = ""  # an API key that was made on this page, which shows it until it is loaded anew

    @classmethod
    def of(cls, value: Mapping[str, Any], there: Sequence[str]) -> "Look":
        """With only those runs that are still there."""
        chosen = {key: tuple(run for run in value.get(key, ()) if run in there) for key in ("ticked", "sure")}
        return cls(
            words=value.get("words", ""),
            most=value.get("most", PAGE),
            key=value.get("key", ""),
            curve=CurveLook.of(value.get("curve")),
            **chosen,
        )


@dataclass(frozen=True)
class Names:
    """What data and recipes are called in the page's language, by id."""

    data: Mapping[str, str] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)

    def of(self, run: RunBrief) -> tuple[str, str]:
        """Of one run's data and recipe."""
        return self.data.get(run["data"], run["data"]), self.recipes.get(run["recipe"], run["recipe"])


def found(runs: Sequence[RunBrief], words: str, names: Names, lang: str) -> list[RunBrief]:
    """The runs in which each of the words stands: in name, model, data, recipe or status. Accents and capitals do not count."""
    wanted = _plain(words).split()
    if not wanted:
        return list(runs)

    def says(run: RunBrief) -> str:
        parts = [run["name"], run["model"], run["model_title"], run["data"], run["recipe"], *names.of(run)]
        return _plain(" ".join([*parts, t(lang, f"ui.status.{run['status']}")]))

    return [run for run in runs if all(word in says(run) for word in wanted)]


def _plain(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))


def listing(
    runs: Sequence[RunBrief], look: Look, opened: str | None, names: Names, glimpse: Callable[[str], Mapping[str, Any]], lang: str
) -> Html:
    """The list with what stands above and below it. `glimpse` is asked only of the runs that are shown."""
    matching = found(runs, look.words, names, lang)
    if not matching:
        again = _button("words", "", t(lang, "ui.runs.search.all"))
        return html(
            '<div class="empty"><p>{none}</p>{again}</div>', none=t(lang, "ui.runs.search.none", words=look.words[:80]), again=again
        )
    rows = joined(
        _row(run, run["run"] == opened, run["run"] in look.ticked, names, glimpse(run["run"]), lang) for run in matching[: look.most]
    )
    left = len(matching) - look.most
    more = ""
    if left > 0:
        label = t(lang, "ui.runs.more", count=number(min(left, PAGE), lang), left=number(left, lang))
        more = html('<p class="pager">{button}</p>', button=_button("more", str(look.most + PAGE), label))
    counted = (
        t(lang, "ui.runs.search.count", count=number(len(matching), lang), total=number(len(runs), lang)) if look.words.strip() else ""
    )
    said = html('<p class="soft num" role="status">{counted}</p>', counted=counted) if counted else ""
    label = t(lang, "ui.runs.list")
    return html(
        '{ticked}{said}<ul class="runs" aria-label="{label}">{rows}</ul>{more}',
        ticked=_ticked(runs, look, glimpse, lang),
        said=said,
        label=label,
        rows=rows,
        more=more,
    )


def _row(run: RunBrief, opened: bool, ticked: bool, names: Names, seen: Mapping[str, Any], lang: str) -> Html:
    facts = [fact for fact in (run["model_title"], *names.of(run), when(run["created"], lang)) if fact]
    figures = [size(seen["size_bytes"], lang)]
    if run["seconds"]:
        figures.insert(0, duration(run["seconds"], lang))
    if run["eval_loss"] is not None:
        before = loss(run["base_eval_loss"], lang)
        figures.insert(0, t(lang, "ui.runs.losses", before=before, after=loss(run["eval_loss"], lang)))
    if run["status"] in ALIVE or run["status"] in ("stopped", "interrupted", "paused", "failed"):
        figures.insert(0, t(lang, "ui.live.step", step=number(run["step"], lang), total=number(run["total_steps"], lang)))
    if run["place"]:
        figures.insert(0, t(lang, "ui.runs.place", place=number(run["place"], lang)))
    facts += [sentence(lang, fault["code"], fault["params"]) for fault in run.get("faults", ())]
    tick = t(lang, "ui.runs.tick", name=run["name"])
    return html(
        '<li><button type="button" class="card run" data-do="run" data-value="{run}" aria-pressed="{opened}">'
        '<span class="said"><span class="top"><strong>{name}</strong>{status}</span>'
        '<span class="facts-line">{facts}</span><span class="soft num">{figures}</span></span>{spark}</button>'
        '<button type="button" class="tick" data-do="tick" data-value="{run}" aria-pressed="{ticked}" aria-label="{tick}" '
        'title="{tick}">'
        '<i aria-hidden="true"></i></button></li>',
        run=run["run"],
        opened="true" if opened else "false",
        name=run["name"],
        status=status(run["status"], lang),
        facts=" · ".join(facts),
        figures=" · ".join(figures),
        spark=spark(seen["spark"]),
        ticked="true" if ticked else "false",
        tick=tick,
    )


def _ticked(runs: Sequence[RunBrief], look: Look, glimpse: Callable[[str], Mapping[str, Any]], lang: str) -> Html:
    """What can be done with the runs that are ticked."""
    if not look.ticked:
        return Html()
    if len(look.sure) > 0 and set(look.sure) == set(look.ticked):
        return sure(look.sure, runs, sum(glimpse(run)["size_bytes"] for run in look.sure), lang)
    names = {run["run"]: run["name"] for run in runs}
    ticked = len(look.ticked)
    code = "ui.runs.ticked.one" if ticked == 1 else "ui.runs.ticked.some" if ticked <= COMPARED else "ui.runs.ticked.many"
    says = t(lang, code, name=names[look.ticked[0]], count=number(ticked, lang), most=number(COMPARED, lang))
    buttons = _button("ask", "ticked", t(lang, "ui.runs.delete")) + _button("untick", "", t(lang, "ui.runs.untick"))
    return html(
        '<div class="ticked" role="status"><span>{says}</span><span class="ways">{buttons}</span></div>', says=says, buttons=buttons
    )


def sure(asked: Sequence[str], runs: Sequence[RunBrief], freed: int, lang: str) -> Html:
    """Ask before anything is lost, with the bytes that become free."""
    names = {run["run"]: run["name"] for run in runs}
    room = size(freed, lang)
    if len(asked) == 1:
        says, keep = t(lang, "ui.runs.delete.sure", name=names.get(asked[0], asked[0]), size=room), "ui.runs.delete.no"
    else:
        says, keep = t(lang, "ui.runs.delete.sure_many", count=number(len(asked), lang), size=room), "ui.runs.delete.no_many"
    buttons = _button("delete", "", t(lang, "ui.runs.delete.yes"), "stop") + _button("keep", "", t(lang, keep))
    return html(
        '<div class="sure" role="alertdialog" aria-label="{says}"><p>{says}</p><span class="ways">{buttons}</span></div>',
        says=says,
        buttons=buttons,
    )


def ways(run: RunBrief, asked: bool, resumable: bool, lang: str, measuring: bool = False) -> Html:
    """The head of the run that is open, and what can be done with it. `measuring`: a report on it is being made."""
    at_work, known = run["status"] in ("starting", "running"), run["status"] != UNREADABLE
    shown = [
        ("talk", "ui.runs.talk", (run["has_adapter"] and known) or at_work),
        ("resume", "ui.runs.resume", resumable),
        ("unqueue", "ui.runs.unqueue", run["status"] == "queued"),
        ("again", "ui.runs.again", known),
        ("rename", "ui.runs.rename", known),
        ("ask", "ui.runs.delete", run["status"] not in ALIVE),
    ]
    buttons = joined(_button(do, run["run"], t(lang, code), do) for do, code, there in shown if there)
    buttons += "" if measuring or run["status"] in ALIVE else _ask_all(run, lang)
    below = html('<p class="soft" role="status">{asking}</p>', asking=t(lang, "ui.report.asking")) if measuring else ""
    if run["status"] in ALIVE:
        below = html(
            '<p class="soft">{hint}</p>', hint=t(lang, "ui.runs.unqueue.hint" if run["status"] == "queued" else "ui.runs.delete.busy")
        )
    elif asked:
        below = sure([run["run"]], [run], run["size_bytes"], lang)
    label = t(lang, "ui.runs.ways", name=run["name"])
    above = head(run, lang) if known else _unreadable(run, lang)
    return html(
        '<section class="summary">{above}<div class="ways" role="group" aria-label="{label}">{buttons}</div>{below}</section>',
        above=above,
        label=label,
        buttons=buttons,
        below=below,
    )


def _ask_all(run: RunBrief, lang: str) -> Html:
    """The way to a report on all questions, where the one that is there is on some."""
    found = run.get("evaluation") or {}
    if not run["has_adapter"] or not found.get("all_seconds"):
        return Html()
    return _button(
        "ask_all",
        run["run"],
        t(lang, "ui.report.ask_all", count=number(found["questions"], lang), duration=duration(found["all_seconds"], lang)),
    )


def _unreadable(run: RunBrief, lang: str) -> Html:
    """The head of a run that cannot be read: what is wrong with it, and what can be done."""
    faults = joined(fault(lang, one["code"], one["params"]) for one in run["faults"])
    says = t(lang, "ui.runs.unreadable.adapter" if run["has_adapter"] else "ui.runs.unreadable")
    return html(
        '<h2>{name} {status}</h2>{faults}<p class="hint">{says}</p>',
        name=run["name"],
        status=status(run["status"], lang),
        faults=faults,
        says=says,
    )


def remains(run: RunBrief, lang: str) -> Html:
    """What is left of a run that cannot be read: its files, and its log."""
    named = [(one["name"], size(one["bytes"], lang)) for one in run["files"]]
    files = joined(html('<li>{name} <span class="soft num">{room}</span></li>', name=name, room=room) for name, room in named)
    title = t(lang, "ui.runs.files")
    return html(
        '<section class="summary"><h3>{title}</h3><ul class="facts">{files}</ul>{log}</section>',
        title=title,
        files=files,
        log=log(run, lang),
    )


def _button(do: str, value: str, label: str, kind: str = "") -> Html:
    return html(
        '<button type="button" class="mend {kind}" data-do="{do}" data-value="{value}">{label}</button>',
        kind=kind,
        do=do,
        value=value,
        label=label,
    )
