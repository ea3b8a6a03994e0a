"""What there is to choose from and what became of it, as HTML: cards of models, data and recipes, the report on data.

Every card is a real button that says whether it is pressed. Pure functions; data from files and people are escaped.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuning.models.catalog import COMFORT
from tuning.text import t, table
from tuning.ui.view import duration, escape, number, parameters, plain, sentence, size


def card(action: str, value: str, inside: str, chosen: bool, kind: str = "") -> str:
    """One card: a button whose click the page hears as (action, value)."""
    attributes = f'data-do="{action}" data-value="{escape(value)}" aria-pressed="{"true" if chosen else "false"}"'
    return f'<button type="button" class="card {kind}" {attributes}>{inside}</button>'


def group(label: str, cards: Iterable[str]) -> str:
    """Cards with a name for the whole."""
    return f'<div class="cards" role="group" aria-label="{escape(label)}">{"".join(cards)}</div>'


def chosen_mark(chosen: bool, lang: str) -> str:
    """A tick and a word, so that the border's colour is not alone."""
    return f'<span class="mark">{"✓ " if chosen else ""}{escape(t(lang, "ui.model.chosen" if chosen else "ui.model.choose"))}</span>'


def fold(label: str, inside: str) -> str:
    """What is there for those who look for it."""
    return f'<details class="more"><summary>{escape(label)}</summary>{inside}</details>'


FITS = {"comfortable": "yes", "tight": "tight", "no": "no"}  # how the style sheet calls them


def fit(need: int, have: int, fits: bool) -> str:
    """yes, tight or no."""
    return "no" if not fits else "tight" if have and need > COMFORT * have else "yes"


def model(entry: Mapping[str, Any], chosen: bool, lang: str) -> str:
    """A base model: why, how big, what it speaks, whether it fits and how long it takes."""
    how = FITS[entry["fit"]]
    facts = [parameters(entry["parameters"], lang), t(lang, "ui.model.context", tokens=number(entry["context_length"], lang))]
    spoken = [t(lang, f"ui.lang.{code}") for code in entry["languages"] if f"ui.lang.{code}" in table(lang)]
    others = len(entry["languages"]) - len(spoken)
    if spoken:
        more = [t(lang, "ui.model.others", count=others)] if others else []
        facts.append(t(lang, "ui.model.languages", languages=", ".join([*spoken, *more])))
    facts.append(t(lang, "ui.model.italian_rating", rating=t(lang, f"ui.rating.{entry['italian']}")))
    facts.append(t(lang, "ui.model.license" if entry["free_license"] else "ui.model.license_bound", license=entry["license"]))
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    memory = t(lang, "ui.model.memory", memory=size(entry["predicted_peak_bytes"], lang)) if entry["predicted_peak_bytes"] else ""
    length = t(lang, "ui.model.seconds", duration=duration(entry["seconds"], lang)) if entry["seconds"] else ""
    inside = (
        f'<span class="top"><strong>{escape(entry["title"])}</strong>{chosen_mark(chosen, lang)}</span>'
        f'<span class="why">{escape(entry["why"][lang])}</span><ul class="facts">{listed}</ul>'
        f'<span class="fit {how}">{escape(t(lang, f"ui.model.fit.{how}"))}</span>'
        f'<span class="soft num predicted">{escape(" · ".join(part for part in (memory, length) if part))}</span>'
    )
    return card("model", entry["id"], inside, chosen)


def found(entry: Mapping[str, Any], lang: str) -> str:
    """A model that a search of the Hub found; what it needs is known once it is chosen."""
    facts = [parameters(entry["parameters"], lang)] if entry["parameters"] else []
    facts.append(t(lang, "ui.model.license", license=entry["license"]))
    facts.append(t(lang, "ui.model.downloads", count=number(entry["downloads"], lang)))
    if entry["gated"]:
        facts.append(t(lang, "ui.model.gated"))
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    return card(
        "model", entry["id"], f'<span class="top"><strong>{escape(entry["id"])}</strong></span><ul class="facts">{listed}</ul>', False
    )


def dataset(entry: Mapping[str, Any], chosen: bool, lang: str) -> str:
    """A set of examples, built in or brought."""
    if entry["builtin"]:
        title, why, badge = entry["title"][lang], entry["why"][lang], t(lang, "ui.data.builtin")
        facts = [t(lang, f"ui.lang.{entry['language']}"), t(lang, "ui.model.license", license=entry["license"])]
    else:
        title, why, badge = entry["name"], "", t(lang, "ui.data.own")
        facts = [t(lang, "ui.data.rows", rows=number(entry["rows_kept"], lang)), entry["format"]]
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in [badge, *facts])
    inside = f'<span class="top"><strong>{escape(title)}</strong>{chosen_mark(chosen, lang)}</span>'
    inside += f'<span class="why">{escape(why)}</span>' if why else ""
    return card("data", entry["id"], f'{inside}<ul class="facts">{listed}</ul>', chosen)


def recipe(entry: Mapping[str, Any], chosen: bool, lang: str) -> str:
    """A recipe: its purpose, and what that comes to."""
    settings = entry["settings"]
    epochs = settings["num_train_epochs"]
    passes = t(lang, "ui.train.pass") if epochs == 1 else t(lang, "ui.train.passes", number=plain(epochs, lang))
    facts = [passes, t(lang, "ui.train.rank", number=settings["lora_r"])]
    if isinstance(settings["target_modules"], str):
        facts.append(t(lang, f"ui.choice.{settings['target_modules']}"))
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    inside = (
        f'<span class="top"><strong>{escape(entry["title"][lang])}</strong>{chosen_mark(chosen, lang)}</span>'
        f'<span class="why">{escape(entry["why"][lang])}</span><ul class="facts">{listed}</ul>'
    )
    return card("recipe", entry["id"], inside, chosen)


def report(found: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], title: str, lang: str) -> str:
    """What was understood of data: counts, refusals with reasons, findings, and the first rows as conversations."""
    counts = [
        ("ui.data.read", number(found["rows_read"], lang), ""),
        ("ui.data.kept", number(found["rows_kept"], lang), "moss"),
        ("ui.data.refused", number(found["rows_refused"], lang), "red" if found["rows_refused"] else ""),
        ("ui.data.held_out", number(found["validation_rows"], lang), ""),
        ("ui.data.format", found["format"], "word"),
    ]
    why = f' title="{escape(t(lang, "ui.data.held_out.why"))}"'
    stats = "".join(
        f'<div class="{kind}"{why if code == "ui.data.held_out" else ""}><dt>{escape(t(lang, code))}</dt><dd>{escape(value)}</dd></div>'
        for code, value, kind in counts
    )
    findings = [
        f'<li class="{notice["level"]}">{escape(sentence(lang, notice["code"], notice["params"]))}</li>' for notice in found["findings"]
    ]
    heading, preview = escape(t(lang, "ui.data.report.title", name=title)), escape(t(lang, "ui.data.preview"))
    said = f'<ul class="findings">{"".join(findings)}</ul>' if findings else f'<p class="fine">✓ {escape(t(lang, "ui.data.fine"))}</p>'
    return (
        f'<section class="report"><h2>{heading}</h2><dl class="stats num">{stats}</dl>'
        f"{said}{_refused(found, lang)}<h3>{preview}</h3>{conversations(rows, lang)}</section>"
    )


def _refused(found: Mapping[str, Any], lang: str, most: int = 20) -> str:
    refused = found["refused"]
    if not refused:
        return ""
    lines = []
    for entry in refused[:most]:
        reason = sentence(lang, entry["code"], {key: value for key, value in entry.items() if key != "code"})
        said = t(lang, "ui.data.refused.row", row=entry.get("row", "?"), fault=reason)
        lines.append(f"<li>{escape(said)}</li>")
    rest = found["rows_refused"] - len(lines)
    if rest > 0:
        more = t(lang, "ui.data.refused.more", count=number(rest, lang))
        lines.append(f"<li>{escape(more)}</li>")
    return f'<details class="refused" open><summary>{escape(t(lang, "ui.data.refused.list"))}</summary><ul>{"".join(lines)}</ul></details>'


def conversations(rows: Sequence[Mapping[str, Any]], lang: str, longest: int = 600) -> str:
    """Rows as bubbles: who asks, who answers."""
    names = {"user": "ui.data.you", "assistant": "ui.data.model", "system": "ui.data.system"}
    shown = []
    for row in rows:
        turns = "".join(
            f'<div class="turn {escape(turn["role"])}"><small>{escape(t(lang, names.get(turn["role"], "ui.data.system")))}</small>'
            f"<p>{escape(_short(turn['content'], longest))}</p></div>"
            for turn in row["messages"]
        )
        shown.append(f'<li class="conversation">{turns}</li>')
    return f'<ol class="conversations">{"".join(shown)}</ol>'


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def settings_table(rows: Sequence[tuple[str, str, str]], lang: str) -> str:
    """(name, value, source) lines of what will be used."""
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="num">{escape(value)}</td><td class="soft">{escape(source)}</td></tr>'
        for name, value, source in rows
    )
    return f'<table class="settings"><caption>{escape(t(lang, "ui.train.settings"))}</caption><tbody>{lines}</tbody></table>'
