"""What there is to choose from and what became of it, as HTML: cards of models, data and recipes, the report on data.

Every card is a real button that says whether it is pressed. Pure functions; data from files and people are escaped.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tuning.models.catalog import COMFORT, EVENING
from tuning.text import form, t, table
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, number, parameters, plain, sentence, size


def card(action: str, value: str, inside: Html, chosen: bool, kind: str = "") -> Html:
    """One card: a button whose click the page hears as (action, value)."""
    attributes = html(
        'data-do="{action}" data-value="{value}" aria-pressed="{chosen}"', action=action, value=value, chosen="true" if chosen else "false"
    )
    return html('<button type="button" class="card {kind}" {attributes}>{inside}</button>', kind=kind, attributes=attributes, inside=inside)


def group(label: str, cards: Iterable[Html]) -> Html:
    """Cards with a name for the whole."""
    return html('<div class="cards" role="group" aria-label="{label}">{cards}</div>', label=label, cards=joined(cards))


def chosen_mark(chosen: bool, lang: str) -> Html:
    """A tick and a word, so that the border's colour is not alone."""
    return html(
        '<span class="mark">{tick}{word}</span>',
        tick="✓ " if chosen else "",
        word=t(lang, "ui.model.chosen" if chosen else "ui.model.choose"),
    )


def fold(label: str, inside: Html) -> Html:
    """What is there for those who look for it."""
    return html('<details class="more"><summary>{label}</summary>{inside}</details>', label=label, inside=inside)


WEIGHT_BYTES = 2  # of a parameter in a file: 16 bits, and where a model is kept in 32 twice as many
FITS = {"comfortable": "yes", "tight": "tight", "no": "no"}  # how the style sheet calls them


def fit(need: int, have: int, fits: bool) -> str:
    """yes, tight or no."""
    return "no" if not fits else "tight" if have and need > COMFORT * have else "yes"


def model(entry: Mapping[str, Any], chosen: bool, lang: str, advised: bool = False) -> Html:
    """A base model: why, how big, what it speaks, whether memory and time suffice here, and what has to be downloaded."""
    how = FITS[entry["fit"]]
    if how == "yes" and entry["seconds"] > EVENING:
        how = "slow"
    facts = [parameters(entry["parameters"], lang), t(lang, "ui.model.context", tokens=number(entry["context_length"], lang))]
    spoken = [t(lang, f"ui.lang.{code}") for code in entry["languages"] if f"ui.lang.{code}" in table(lang)]
    others = len(entry["languages"]) - len(spoken)
    if spoken:
        more = [t(lang, "ui.model.others", count=others)] if others else []
        facts.append(t(lang, "ui.model.languages", languages=", ".join([*spoken, *more])))
    if entry["languages"]:  # else nobody has said what it speaks
        facts.append(t(lang, "ui.model.italian_rating", rating=t(lang, f"ui.rating.{entry['italian']}")))
    facts.append(_license(entry, "ui.model.license" if entry["free_license"] else "ui.model.license_bound", lang))
    least = size(WEIGHT_BYTES * entry["parameters"], lang)
    near = "ui.model.here" if entry["here"] else "ui.model.in_cache" if entry["in_cache"] else None
    facts.append(t(lang, near) if near else t(lang, "ui.model.download", size=least))
    listed = joined(html("<li>{fact}</li>", fact=fact) for fact in facts)
    memory = t(lang, "ui.model.memory", memory=size(entry["predicted_peak_bytes"], lang)) if entry["predicted_peak_bytes"] else ""
    length = t(lang, "ui.model.seconds", duration=duration(entry["seconds"], lang)) if entry["seconds"] else ""
    badge = html('<span class="advised">★ {advised}</span>', advised=t(lang, "ui.model.advised")) if advised else ""
    inside = html(
        '{badge}<span class="top"><strong>{title}</strong>{chosen_mark}</span><span class="why">{why}</span>'
        '<ul class="facts">{listed}</ul><span class="fit {how}">{fit}</span>'
        '<span class="soft num predicted">{part}</span>',
        badge=badge,
        title=entry["title"],
        chosen_mark=chosen_mark(chosen, lang),
        why=entry["why"][lang],
        listed=listed,
        how=how,
        fit=t(lang, f"ui.model.fit.{how}"),
        part=" · ".join(part for part in (memory, length) if part),
    )
    return card("model", entry["id"], inside, chosen)


def _license(entry: Mapping[str, Any], code: str, lang: str) -> str:
    return t(lang, "ui.model.license.unknown") if entry["license"] == "unknown" else t(lang, code, license=entry["license"])


def found(entry: Mapping[str, Any], lang: str) -> Html:
    """A model that a search of the Hub found; what it needs is known once it is chosen."""
    facts = [parameters(entry["parameters"], lang)] if entry["parameters"] else []
    facts.append(_license(entry, "ui.model.license", lang))
    facts.append(t(lang, "ui.model.downloads", count=number(entry["downloads"], lang)))
    if entry["gated"]:
        facts.append(t(lang, "ui.model.gated"))
    listed = joined(html("<li>{fact}</li>", fact=fact) for fact in facts)
    return card(
        "model",
        entry["id"],
        html('<span class="top"><strong>{id}</strong></span><ul class="facts">{listed}</ul>', id=entry["id"], listed=listed),
        False,
    )


def dataset(entry: Mapping[str, Any], chosen: bool, lang: str) -> Html:
    """A set of examples, built in, on the Hub, or brought; of one that cannot be read what is wrong with it."""
    if entry.get("faults"):
        title, why = entry["name"], " ".join(sentence(lang, one["code"], one["params"]) for one in entry["faults"])
        facts = [t(lang, "ui.status.unreadable"), t(lang, "ui.data.unreadable")]
    elif entry["offered"]:
        title, why = entry["title"][lang], entry["why"][lang]
        bound = "ui.model.license" if entry["free_license"] else "ui.hub.license.bound"
        license = t(lang, bound, license=entry["license"]) if entry["license"] else t(lang, "ui.hub.license.none")
        rows = [t(lang, "ui.data.rows", rows=number(entry["rows"], lang))] if entry["rows"] else []
        facts = [
            t(lang, "ui.data.builtin" if entry["builtin"] else "ui.data.on_hub"),
            t(lang, f"ui.lang.{entry['language']}"),
            *rows,
            license,
        ]
    else:
        title, why = entry["name"], ""
        facts = [t(lang, "ui.data.own"), t(lang, "ui.data.rows", rows=number(entry["rows_kept"], lang)), form(lang, entry["format"])]
    listed = joined(html("<li>{fact}</li>", fact=fact) for fact in facts)
    inside = html('<span class="top"><strong>{title}</strong>{chosen_mark}</span>', title=title, chosen_mark=chosen_mark(chosen, lang))
    inside += html('<span class="why">{why}</span>', why=why) if why else ""
    return card("data", entry["id"], html('{inside}<ul class="facts">{listed}</ul>', inside=inside, listed=listed), chosen)


def waiting(id: str, name: str, chosen: bool, lang: str) -> Html:
    """Files that were not understood, and wait for a word on what is in them."""
    fact = html('<ul class="facts"><li>{waiting}</li></ul>', waiting=t(lang, "ui.data.waiting"))
    return card(
        "data",
        id,
        html(
            '<span class="top"><strong>{name}</strong>{chosen_mark}</span>{fact}',
            name=name,
            chosen_mark=chosen_mark(chosen, lang),
            fact=fact,
        ),
        chosen,
    )


def recipe(entry: Mapping[str, Any], chosen: bool, lang: str, here: str = "") -> Html:
    """A recipe: its purpose, what that comes to, and `here` (HTML), what this machine would change in it."""
    settings = entry["settings"]
    epochs = settings["num_train_epochs"]
    passes = t(lang, "ui.train.pass") if epochs == 1 else t(lang, "ui.train.passes", number=plain(epochs, lang))
    facts = [passes, t(lang, "ui.train.rank", number=settings["lora_r"])]
    if isinstance(settings["target_modules"], str):
        facts.append(t(lang, f"ui.choice.{settings['target_modules']}"))
    listed = joined(html("<li>{fact}</li>", fact=fact) for fact in facts)
    inside = html(
        '<span class="top"><strong>{title}</strong>{chosen_mark}</span><span class="why">{why}</span><ul class="facts">{listed}</ul>{here}',
        title=entry["title"][lang],
        chosen_mark=chosen_mark(chosen, lang),
        why=entry["why"][lang],
        listed=listed,
        here=here,
    )
    return card("recipe", entry["id"], inside, chosen)
