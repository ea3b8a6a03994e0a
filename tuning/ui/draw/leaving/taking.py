"""The place beside a run from which its result is taken away: forms with their sizes, how far one is made, download and certificate.

Pure functions of what `Exports.offers` returns. A press is heard as (what, "form:type").
"""

from collections.abc import Mapping
from typing import Any

from tuning.text import t
from tuning.ui.draw.leaving import pushing
from tuning.ui.view import duration, escape, fault, number, size, when

PATH = "/take/"
Offers = Mapping[str, Any]


def panel(offers: Offers, name: str, elsewhere: str, lang: str) -> str:
    """All forms of the run `name`; nothing where it has none. `elsewhere` is the run of which something is made just now."""
    if not offers["forms"]:
        return ""
    going = offers["making"] if offers["making"] and not offers["making"]["over"] else None
    other = going is not None and going["run"] != offers["run"]
    busy = f'<p class="soft" role="status">{escape(t(lang, "ui.take.elsewhere", name=elsewhere))}</p>' if other else ""
    busy += f'<div class="ways">{_stop(going, lang)}</div>' if other and going else ""
    rows = "".join(_form(one, offers, going is not None, lang) for one in offers["forms"])
    rows += _hub(offers, going is not None, lang) if "hub" in offers else ""
    label = escape(t(lang, "ui.take.of", name=name))
    return (
        f'<details class="leaving" data-fold="take" open><summary><h3>{escape(t(lang, "ui.take.title"))}</h3></summary>'
        f'<p class="hint">{escape(t(lang, "ui.take.hint"))}</p>{busy}<ul class="forms" aria-label="{label}">{rows}</ul></details>'
    )


def _form(one: Mapping[str, Any], offers: Offers, busy: bool, lang: str) -> str:
    """One form: what it is for, what of it is there, what is being made, and the presses that make it."""
    form = one["form"]
    head = f'<strong>{escape(t(lang, f"ui.take.form.{form}"))}</strong><p class="soft">{escape(t(lang, f"ui.take.says.{form}"))}</p>'
    making = offers["making"] if offers["making"] and offers["making"]["run"] == offers["run"] else None
    mine = making if making and (making["form"] == form or (one["needs_converter"] and making["form"] == "converter")) else None
    going = _going(mine, lang) if mine and not mine["over"] else ""
    told = fault(lang, *mine["fault"]) if mine and mine["over"] and mine["fault"] else ""
    made = "".join(_made(file, form, lang) for file in one["files"] if file["made"])
    left = [file for file in one["files"] if not file["made"] or file["made"]["outdated"]]
    ways = "" if going else _fetch(offers, busy, lang) if one["needs_converter"] else _ways(left, form, busy, lang)
    return f"<li>{head}{made}{going}{told}{ways}</li>"


def _hub(offers: Offers, busy: bool, lang: str) -> str:
    """The row of the Hub, and how far a push of this run is."""
    making = offers["making"] if offers["making"] and offers["making"]["run"] == offers["run"] else None
    mine = making if making and making["form"] == "hub" else None
    told = fault(lang, *mine["fault"]) if mine and mine["over"] and mine["fault"] else ""
    return pushing.row(offers, busy, _going(mine, lang) if mine and not mine["over"] else "", told, lang)


def _ways(files: list[Mapping[str, Any]], form: str, busy: bool, lang: str) -> str:
    """The presses that make a form, each with its size."""
    shown = ""
    for file in files:
        label = _make(file, form, lang)
        if file["size_bytes"] is not None:
            label += " · " + t(lang, "ui.take.about", size=size(file["size_bytes"], lang))
        shown += _button("make", f"{form}:{file['type']}", label, busy)
    hint = f'<p class="soft">{escape(t(lang, "ui.take.types"))}</p>' if form == "gguf" and len(files) > 1 else ""
    return f'{hint}<div class="ways">{shown}</div>' if shown else ""


def _make(file: Mapping[str, Any], form: str, lang: str) -> str:
    """What the press says that makes a file, or makes it anew."""
    if form == "ollama":
        return t(lang, f"ui.take.ollama.{file['type']}")
    if file["made"]:
        return " ".join([t(lang, "ui.take.again"), file["type"].upper()]).strip()
    return t(lang, "ui.take.make.as", type=file["type"].upper()) if file["type"] else t(lang, "ui.take.make")


def _fetch(offers: Offers, busy: bool, lang: str) -> str:
    """What has to be fetched before, what it is and how large; by a press of whoever may."""
    room = size(offers["converter_bytes"], lang)
    if not offers["may_fetch"]:
        return f'<p class="soft">{escape(t(lang, "ui.take.fetch.operator"))}</p>'
    says = escape(t(lang, "ui.take.fetch.says", size=room))
    return f'<p class="soft">{says}</p><div class="ways">{_button("fetch", "", t(lang, "ui.take.fetch", size=room), busy)}</div>'


def _going(making: Mapping[str, Any], lang: str) -> str:
    """How far what is being made is, and its stop."""
    code = "ui.take.stopping" if making["stopping"] else f"ui.take.step.{making['step']}"
    says = f"{t(lang, code)} {duration(making['seconds'], lang)}"
    share = making["share"]
    value = "" if share is None else f' aria-valuenow="{share:.2f}"'
    wide = "" if share is None else f' style="width:{100 * share:.0f}%"'
    name = "progress" if share is not None else "progress unknown"
    bar = (
        f'<div class="{name}" role="progressbar" aria-label="{escape(says)}" aria-valuemin="0" aria-valuemax="1"{value}><i{wide}></i></div>'
    )
    percent = "" if share is None else f" · {number(round(100 * share), lang)}%"
    return f'<p class="num" role="status">{escape(says + percent)}</p>{bar}<div class="ways">{_stop(making, lang)}</div>'


def _stop(making: Mapping[str, Any], lang: str) -> str:
    return "" if making["stopping"] else _button("stop", "", t(lang, "ui.take.stop"))


def _made(file: Mapping[str, Any], form: str, lang: str) -> str:
    """A file that is there: its download, the press that removes it, and its certificate."""
    made, key = file["made"], f"{form}:{file['type']}"
    facts = f"{size(made['size_bytes'], lang)} · {when(made['time'], lang)}"
    place = f'href="{escape(PATH + made["secret"])}" download="{escape(made["file"])}"'
    link = f'<a class="mend go" {place}>{escape(t(lang, "ui.take.download"))}</a>'
    below = f'<p class="soft">{escape(t(lang, "ui.take.outdated"))}</p>' if made["outdated"] else ""
    if made["command"]:
        says, command = escape(t(lang, "ui.take.command")), escape(made["command"])
        below += f"<p>{says} <code>{command}</code></p>"
    return (
        f'<div class="made"><p class="num"><b>{escape(made["file"])}</b> <span class="soft">{escape(facts)}</span></p>'
        f'<div class="ways">{link}{_button("remove", key, t(lang, "ui.take.remove"))}</div>{below}{_certificate(made, key, lang)}</div>'
    )


def _certificate(made: Mapping[str, Any], key: str, lang: str) -> str:
    """The certificate that goes with the file, in its own words; open where something differs."""
    title, _, words = made["words"].get(lang, "").partition("\n\n")
    if not title.startswith("# "):
        return ""
    first, _, rest = words.partition("\n")
    sign = {"same": "✓", "differs": "≠"}.get(made["verdict"], "–")
    opened = " open" if made["verdict"] == "differs" else ""
    return (
        f'<details class="certificate" data-fold="{escape("certificate " + key)}"{opened}><summary><i aria-hidden="true">{sign}</i> '
        f"{escape(title[2:])}: {escape(first)}</summary>{_written(rest)}</details>"
    )


def _written(words: str) -> str:
    """The few things of Markdown in which `export.certificate` writes: points, a question in bold, a text set off by four spaces."""
    shown = ""
    for line in words.splitlines():
        if line.startswith("    "):
            shown += f"<q>{escape(line[4:])}</q>"
        elif line.startswith("- "):
            shown += f'<p class="point">{escape(line[2:])}</p>'
        elif line.startswith("**") and line.endswith("**"):
            shown += f"<h4>{escape(line[2:-2])}</h4>"
        elif line.strip():
            shown += f"<p>{escape(line)}</p>"
    return shown


def _button(do: str, value: str, label: str, disabled: bool = False) -> str:
    off = " disabled" if disabled else ""
    return f'<button type="button" class="mend" data-do="{do}" data-value="{escape(value)}"{off}>{escape(label)}</button>'
