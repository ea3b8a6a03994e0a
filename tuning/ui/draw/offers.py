"""The ways out of trouble as buttons, where the trouble is: what each changes, and what that comes to. Pure functions.

The offers are those of `forecast.ways_out`; what a press does is wired in the tabs. The command line says them with the same words.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.text import say, t
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, plain, sentence, size

CLOSED = ("model.gated", "model.private", "model.missing")
ALIKE = 0.75  # of difflib, from which on a name may be another one misspelt


def words(offer: Mapping[str, Any], lang: str) -> str:
    """What an offer changes, in a few words. Plain text."""
    params = dict(offer["params"])
    if "steps" in params:
        params["steps"] = "; ".join(words(step, lang) for step in params["steps"])
    cut = params.pop("cut", None)
    said = say(lang, offer["code"], {key: plain(value, lang) if isinstance(value, float) else value for key, value in params.items()})
    return said if cut is None else f"{said} ({t(lang, 'help.cut', percent=cut) if cut else t(lang, 'help.cut.none')})"


def figures(offer: Mapping[str, Any], cause: str, lang: str) -> str:
    """What it comes to: memory and time, what it is about first. Plain text."""
    need, have = size(offer["predicted_peak_bytes"], lang), size(offer["available_bytes"], lang)
    memory = t(lang, "ui.slip.memory", need=need, have=have)
    length = t(lang, "ui.about", duration=duration(offer["seconds"], lang))
    return " · ".join([memory, length] if cause == "memory" else [length, memory])


def options(changes: Mapping[str, Any]) -> str:
    """What takes it on the command line."""
    words = [f"-m {changes['model']}"] if "model" in changes else []
    for key, value in changes.items():
        if key != "model":
            written = f'"[{", ".join(value)}]"' if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)
            words.append(f"--set {key}={written}")
    return " ".join(words)


def lines(plan: Mapping[str, Any], lang: str) -> list[str]:
    """For a terminal: what is wrong with a plan, and each way out with the words that take it, to be copied."""
    told = [headline(plan, lang)]
    for offer in plan["offers"]:
        mark = f" ({t(lang, 'help.advised')})" if offer["advised"] else "" if offer["suffices"] else f" ({t(lang, 'help.not_enough')})"
        told += [f"* {words(offer, lang)}{mark}: {figures(offer, plan['cause'], lang)}", f"    {options(offer['changes'])}"]
    return told


def headline(plan: Mapping[str, Any], lang: str) -> str:
    """What is wrong with a plan. Plain text."""
    if plan["cause"] == "slow":
        return t(lang, "help.slow", duration=duration(plan["seconds"], lang))
    return t(lang, "help.memory", need=size(plan["predicted_peak_bytes"], lang), have=size(plan["available_bytes"], lang))


def way(offer: Mapping[str, Any], cause: str, lang: str) -> Html:
    """One offer as a button; what it changes goes with the press."""
    marks = []
    if offer["advised"]:
        marks.append(html('<span class="mark">{advised}</span>', advised=t(lang, "help.advised")))
    if not offer["suffices"]:
        marks.append(html('<span class="mark less">{not_enough}</span>', not_enough=t(lang, "help.not_enough")))
    changes = json.dumps(offer["changes"], sort_keys=True)
    kind = " advised" if offer["advised"] else ""
    return html(
        '<button type="button" class="way{kind}" data-do="mend" data-value="{changes}"><b>{words}</b>{marks}'
        '<span class="soft num">{figures}</span></button>',
        kind=kind,
        changes=changes,
        words=words(offer, lang),
        marks=joined(marks),
        figures=figures(offer, cause, lang),
    )


def before(plan: Mapping[str, Any] | None, lang: str, most: int | None = None) -> Html:
    """What is wrong with a plan and how to mend it; nothing where nothing is wrong. `most` buttons, or all."""
    if plan is None or not plan.get("cause") or (plan["cause"] == "slow" and not plan["offers"]):
        return Html()
    return panel(headline(plan, lang), t(lang, "help.press"), plan["offers"], plan["cause"], lang, most)


def after(run: Mapping[str, Any], found: Mapping[str, Any], lang: str) -> Html:
    """The same for a run that had not memory enough, or takes much longer than forecast and is not about to end."""
    if not found["cause"] or (found["cause"] == "slow" and (run["stop_requested"] or run["state"]["finishing"])):
        return Html()
    if found["cause"] == "memory":
        return panel(t(lang, "help.again", name=run["name"]), t(lang, "help.again.how"), found["offers"], "memory", lang)
    left, expected = (duration(seconds, lang) for seconds in (run["state"]["seconds_left"] or 0, run["spec"]["forecast"]["seconds"]))
    return panel(
        t(lang, "help.late", name=run["name"], left=left, expected=expected), t(lang, "help.late.how"), found["offers"], "slow", lang
    )


def panel(says: str, how: str, offers: Sequence[Mapping[str, Any]], cause: str, lang: str, most: int | None = None) -> Html:
    """A sentence, and the offers below it; those that only help stand apart."""
    enough = [offer for offer in offers if offer["suffices"]]
    rest = [offer for offer in offers if not offer["suffices"]]
    shown = (enough or rest)[:most]
    drawn = joined(way(offer, cause, lang) for offer in shown)
    if most is None and enough and rest:
        drawn += html('<p class="soft">{only_help}</p>', only_help=t(lang, "help.only_help")) + joined(
            way(offer, cause, lang) for offer in rest
        )
    more = len(offers) - len(shown)
    if most is not None and more > 0:
        drawn += html(
            '<button type="button" class="more-ways" data-do="tab" data-value="train">{more}</button>',
            more=t(lang, "help.more", count=more),
        )
    how = how if offers else t(lang, "help.none") if cause == "memory" else ""
    told = html('<p class="soft">{how}</p>', how=how) if how and (most is None or not offers) else ""
    return html(
        '<div class="way-outs" role="group" aria-label="{says}"><h3>{says}</h3>{told}{drawn}</div>', says=says, told=told, drawn=drawn
    )


def instead(code: str, params: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], lang: str) -> Html:
    """For a model that is missing, private or gated: its page, the one that may have been meant, and an open one that fits.

    `entries` is the catalog as `Models.list` gives it.
    """
    if code not in CLOSED:
        return Html()
    wanted, page = str(params["model"]), str(params.get("page", ""))
    drawn = Html()
    meant = None if code == "model.gated" else misspelt(wanted, entries)
    if meant is not None:
        drawn += _model(t(lang, "help.meant", model=meant["id"]), meant, lang)
    other = open_one(str(params.get("other", "")), entries)
    if other is not None and other is not meant:
        drawn += _model(t(lang, "help.instead", model=other["title"]), other, lang)
    if code != "model.missing" and page.startswith(("https://", "http://")):
        name = t(lang, "help.page", model=wanted)
        drawn += html('<a class="way" href="{page}" target="_blank" rel="noopener noreferrer"><b>{name} ↗</b></a>', page=page, name=name)
    return (
        html('<div class="way-outs" role="group" aria-label="{models}">{drawn}</div>', models=t(lang, "help.models"), drawn=drawn)
        if drawn
        else Html()
    )


def suits(found: Mapping[str, Any], own_model: bool, lang: str) -> Html:
    """On the card of a recipe: what this machine changes in it, or why it does not do.

    That it does not fit is said of a recipe with a model of its own; else the plan says it of what was chosen.
    """
    told = [sentence(lang, notice["code"], notice["params"]) for notice in found["changed"]]
    if found["error"]:
        told = [sentence(lang, found["error"]["code"], found["error"]["params"])]
    too_big = own_model and found["fits"] is False
    if too_big:
        need, have = size(found["predicted_peak_bytes"], lang), size(found["available_bytes"], lang)
        told.insert(0, t(lang, "help.recipe.no_fit", need=need, have=have))
    kind = "no" if found["error"] or too_big else "changed"
    return joined(html('<span class="here {kind}">{said}</span>', kind=kind, said=said) for said in told)


def misspelt(wanted: str, entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The model of the catalog that may have been meant."""
    names = {str(entry["id"]).lower(): entry for entry in entries if "/" in str(entry["id"])}
    close = difflib.get_close_matches(wanted.lower(), list(names), n=1, cutoff=ALIKE)
    if not close:  # its owner may be another one
        short = {name.partition("/")[2]: entry for name, entry in names.items()}
        close = difflib.get_close_matches(wanted.lower().partition("/")[2], list(short), n=1, cutoff=0.9)
        return short[close[0]] if close else None
    return names[close[0]]


def open_one(other: str, entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """`other`, or where that does not fit the model nearest to it in size that does."""
    known = next((entry for entry in entries if entry["id"] == other), None)
    if known is None or known["fits"]:
        return known
    fitting = [entry for entry in entries if entry["fits"] and "/" in str(entry["id"])]
    return min(fitting, key=lambda entry: abs(int(entry["parameters"]) - int(known["parameters"])), default=None)


def _model(label: str, entry: Mapping[str, Any], lang: str) -> Html:
    fits = t(lang, "ui.slip.fits" if entry["fits"] else "ui.slip.no")
    memory = t(lang, "ui.slip.memory", need=size(entry["predicted_peak_bytes"], lang), have=size(entry["available_bytes"], lang))
    return html(
        '<button type="button" class="way" data-do="instead" data-value="{id}"><b>{label}</b><span class="soft num">{fits}</span></button>',
        id=entry["id"],
        label=label,
        fits=f"{fits}: {memory}",
    )
