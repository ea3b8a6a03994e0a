"""The place beside a run from which its result is taken away: forms with their sizes, how far one is made, download and certificate.

Pure functions of what `Exports.offers` returns. A press is heard as (what, "form:type").
"""

from collections.abc import Mapping
from typing import Any

from tuning.text import t
from tuning.ui.draw.leaving import pushing
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, fault, mend_button, number, size, when

PATH = "/take/"
Offers = Mapping[str, Any]


def panel(offers: Offers, name: str, elsewhere: str, lang: str) -> Html:
    """All forms of the run `name`; nothing where it has none. `elsewhere` is the run of which something is made just now."""
    if not offers["forms"]:
        return Html()
    going = offers["making"] if offers["making"] and not offers["making"]["over"] else None
    other = going is not None and going["run"] != offers["run"]
    busy = html('<p class="soft" role="status">{elsewhere}</p>', elsewhere=t(lang, "ui.take.elsewhere", name=elsewhere)) if other else ""
    busy += html('<div class="ways">{stop}</div>', stop=_stop(going, lang)) if other and going else ""
    rows = joined(_form(one, offers, going is not None, lang) for one in offers["forms"])
    rows += _hub(offers, going is not None, lang) if "hub" in offers else ""
    label = t(lang, "ui.take.of", name=name)
    return html(
        '<details class="leaving" data-fold="take" open><summary><h3>{title}</h3></summary>'
        '<p class="hint">{hint}</p>{busy}<ul class="forms" aria-label="{label}">{rows}</ul></details>',
        title=t(lang, "ui.take.title"),
        hint=t(lang, "ui.take.hint"),
        busy=busy,
        label=label,
        rows=rows,
    )


def _form(one: Mapping[str, Any], offers: Offers, busy: bool, lang: str) -> Html:
    """One form: what it is for, what of it is there, what is being made, and the presses that make it."""
    form = one["form"]
    head = html(
        '<strong>{form}</strong><p class="soft">{says}</p>', form=t(lang, f"ui.take.form.{form}"), says=t(lang, f"ui.take.says.{form}")
    )
    making = offers["making"] if offers["making"] and offers["making"]["run"] == offers["run"] else None
    mine = making if making and (making["form"] == form or (one["needs_converter"] and making["form"] == "converter")) else None
    going = _going(mine, lang) if mine and not mine["over"] else ""
    told = fault(lang, *mine["fault"]) if mine and mine["over"] and mine["fault"] else ""
    made = joined(_made(file, form, lang) for file in one["files"] if file["made"])
    left = [file for file in one["files"] if not file["made"] or file["made"]["outdated"]]
    ways = "" if going else _fetch(offers, busy, lang) if one["needs_converter"] else _ways(left, form, busy, lang)
    return html("<li>{head}{made}{going}{told}{ways}</li>", head=head, made=made, going=going, told=told, ways=ways)


def _hub(offers: Offers, busy: bool, lang: str) -> Html:
    """The row of the Hub, and how far a push of this run is."""
    making = offers["making"] if offers["making"] and offers["making"]["run"] == offers["run"] else None
    mine = making if making and making["form"] == "hub" else None
    told = fault(lang, *mine["fault"]) if mine and mine["over"] and mine["fault"] else ""
    return pushing.row(offers, busy, _going(mine, lang) if mine and not mine["over"] else "", told, lang)


def _ways(files: list[Mapping[str, Any]], form: str, busy: bool, lang: str) -> Html:
    """The presses that make a form, each with its size."""
    shown = Html()
    for file in files:
        label = _make(file, form, lang)
        if file["size_bytes"] is not None:
            label += " · " + t(lang, "ui.take.about", size=size(file["size_bytes"], lang))
        shown += mend_button("make", f"{form}:{file['type']}", label, busy)
    hint = html('<p class="soft">{types}</p>', types=t(lang, "ui.take.types")) if form == "gguf" and len(files) > 1 else ""
    return html('{hint}<div class="ways">{shown}</div>', hint=hint, shown=shown) if shown else Html()


def _make(file: Mapping[str, Any], form: str, lang: str) -> str:
    """What the press says that makes a file, or makes it anew."""
    if form == "ollama":
        return t(lang, f"ui.take.ollama.{file['type']}")
    if file["made"]:
        return " ".join([t(lang, "ui.take.again"), file["type"].upper()]).strip()
    return t(lang, "ui.take.make.as", type=file["type"].upper()) if file["type"] else t(lang, "ui.take.make")


def _fetch(offers: Offers, busy: bool, lang: str) -> Html:
    """What has to be fetched before, what it is and how large; by a press of whoever may."""
    room = size(offers["converter_bytes"], lang)
    if not offers["may_fetch"]:
        return html('<p class="soft">{operator}</p>', operator=t(lang, "ui.take.fetch.operator"))
    says = t(lang, "ui.take.fetch.says", size=room)
    return html(
        '<p class="soft">{says}</p><div class="ways">{button}</div>',
        says=says,
        button=mend_button("fetch", "", t(lang, "ui.take.fetch", size=room), busy),
    )


def _going(making: Mapping[str, Any], lang: str) -> Html:
    """How far what is being made is, and its stop."""
    code = "ui.take.stopping" if making["stopping"] else f"ui.take.step.{making['step']}"
    says = f"{t(lang, code)} {duration(making['seconds'], lang)}"
    share = making["share"]
    value = "" if share is None else html(' aria-valuenow="{share:.2f}"', share=share)
    wide = "" if share is None else html(' style="width:{percent:.0f}%"', percent=100 * share)
    name = "progress" if share is not None else "progress unknown"
    bar = html(
        '<div class="{name}" role="progressbar" aria-label="{says}" aria-valuemin="0" aria-valuemax="1"{value}><i{wide}></i></div>',
        name=name,
        says=says,
        value=value,
        wide=wide,
    )
    percent = "" if share is None else f" · {number(round(100 * share), lang)}%"
    return html(
        '<p class="num" role="status">{says}</p>{bar}<div class="ways">{stop}</div>', says=says + percent, bar=bar, stop=_stop(making, lang)
    )


def _stop(making: Mapping[str, Any], lang: str) -> Html:
    return Html() if making["stopping"] else mend_button("stop", "", t(lang, "ui.take.stop"))


def _made(file: Mapping[str, Any], form: str, lang: str) -> Html:
    """A file that is there: its download, the press that removes it, and its certificate."""
    made, key = file["made"], f"{form}:{file['type']}"
    facts = f"{size(made['size_bytes'], lang)} · {when(made['time'], lang)}"
    place = html('href="{path}" download="{file}"', path=PATH + made["secret"], file=made["file"])
    link = html('<a class="mend go" {place}>{download}</a>', place=place, download=t(lang, "ui.take.download"))
    below = html('<p class="soft">{outdated}</p>', outdated=t(lang, "ui.take.outdated")) if made["outdated"] else ""
    if made["command"]:
        says, command = t(lang, "ui.take.command"), made["command"]
        below += html("<p>{says} <code>{command}</code></p>", says=says, command=command)
    return html(
        '<div class="made"><p class="num"><b>{file}</b> <span class="soft">{facts}</span></p>'
        '<div class="ways">{link}{button}</div>{below}{certificate}</div>',
        file=made["file"],
        facts=facts,
        link=link,
        button=mend_button("remove", key, t(lang, "ui.take.remove")),
        below=below,
        certificate=_certificate(made, key, lang),
    )


def _certificate(made: Mapping[str, Any], key: str, lang: str) -> Html:
    """The certificate that goes with the file, in its own words; open where something differs."""
    title, _, words = made["words"].get(lang, "").partition("\n\n")
    if not title.startswith("# "):
        return Html()
    first, _, rest = words.partition("\n")
    sign = {"same": "✓", "differs": "≠"}.get(made["verdict"], "–")
    opened = " open" if made["verdict"] == "differs" else ""
    return html(
        '<details class="certificate" data-fold="{key}"{opened}><summary>'
        '<i aria-hidden="true">{sign}</i> {title}: {first}</summary>{written}</details>',
        key="certificate " + key,
        opened=opened,
        sign=sign,
        title=title[2:],
        first=first,
        written=_written(rest),
    )


def _written(words: str) -> Html:
    """The few things of Markdown in which `export.certificate` writes: points, a question in bold, a text set off by four spaces."""
    shown = Html()
    for line in words.splitlines():
        if line.startswith("    "):
            shown += html("<q>{line}</q>", line=line[4:])
        elif line.startswith("- "):
            shown += html('<p class="point">{line}</p>', line=line[2:])
        elif line.startswith("**") and line.endswith("**"):
            shown += html("<h4>{line}</h4>", line=line[2:-2])
        elif line.strip():
            shown += html("<p>{line}</p>", line=line)
    return shown
