"""How values look: numbers, bytes, times and sentences in the reader's language, as text or as safe HTML.

Pure functions: nothing is read or written here but the words of `tuning.text`, and no component is made.
"""

import datetime
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tuning.schema import Notice
from tuning.settings import RemoteCode, Space
from tuning.text import number, plain, rate, say, t, table
from tuning.ui.markup import Html, html, joined

GIB = 2**30
MIB = 2**20
RENTED = (
    ("T4", 16, 0.40),
    ("L4", 24, 0.80),
    ("A100", 80, 2.50),
)  # cards of Spaces: GB of theirs, and US dollars per hour, as of the month that `space.rented` names
__all__ = ["number", "plain", "rate"]  # how numbers are written is the language's affair; tabs find it here


def loss(value: float | None, lang: str) -> str:
    """A loss with two decimals, three where it is small; a dash where there is none."""
    if value is None:
        return "–"
    return number(value, lang, 2 if abs(value) >= 0.1 else 3)


def perplexity(value: float | None, lang: str) -> str:
    """A perplexity, with decimals where it is small; a sign for one beyond all numbers."""
    return "∞" if value is None else number(value, lang, 0 if value >= 20 else 2)


def size(count: float, lang: str) -> str:
    """Bytes as people say them; a GB is 2^30 bytes, as on the box of a graphics card."""
    if count < MIB:
        return f"{number(max(1, count / 1024), lang)} kB"
    if count < GIB:
        return f"{number(count / MIB, lang)} MB"
    gib = count / GIB
    return f"{number(gib, lang, 0 if gib >= 100 or abs(gib - round(gib)) < 0.05 else 1)} GB"


def parameters(count: int, lang: str) -> str:
    """3945728 as "3.9 million parameters"."""
    for unit, of in (("billion", 1e9), ("million", 1e6), ("thousand", 1e3)):
        if count >= of:
            value = count / of
            return t(lang, f"ui.parameters.{unit}", number=number(value, lang, 1 if value < 100 and value % 1 >= 0.05 else 0))
    return number(count, lang)


def duration(seconds: float, lang: str) -> str:
    """Rounded as one would say it: 45 s, 6 min, 1 h 20 min, 14 h, 3 days."""
    if seconds < 90:
        exact = max(1, round(seconds))
        return t(lang, "ui.seconds", number=exact if exact < 20 else 5 * round(exact / 5))
    minutes = round(seconds / 60)
    if minutes < 60:
        return t(lang, "ui.minutes", number=minutes)
    if minutes >= 48 * 60:
        return t(lang, "ui.days", number=number(round(minutes / 1440), lang))
    if minutes >= 600 or minutes % 60 == 0:
        return t(lang, "ui.whole_hours", number=round(minutes / 60))
    return t(lang, "ui.hours", hours=number(minutes // 60, lang), minutes=minutes % 60)


def clock(moment: float, lang: str, now: float | None = None) -> str:
    """When something ends: "at 18:42", "tomorrow at 7:10"."""
    then, today = datetime.datetime.fromtimestamp(moment), datetime.datetime.fromtimestamp(now if now is not None else time.time())
    days = (then.date() - today.date()).days
    if days == 0:
        return t(lang, "ui.at", time=f"{then:%H:%M}")
    return t(lang, "ui.tomorrow", time=f"{then:%H:%M}") if days == 1 else _day(then, lang)


def when(moment: float, lang: str, now: float | None = None) -> str:
    """When something was: "today, 18:42", "yesterday, 9:10", "12 Nov 2026, 9:10"."""
    then, today = datetime.datetime.fromtimestamp(moment), datetime.datetime.fromtimestamp(now if now is not None else time.time())
    days = (today.date() - then.date()).days
    if days in (0, 1):
        return t(lang, "ui.today" if days == 0 else "ui.yesterday", time=f"{then:%H:%M}")
    return _day(then, lang)


def _day(then: datetime.datetime, lang: str) -> str:
    month = t(lang, "ui.months").split()[then.month - 1]
    return t(lang, "ui.day", day=then.day, month=month, year=then.year, time=f"{then:%H:%M}")


def sentence(lang: str, code: str, params: Mapping[str, Any] | None = None) -> str:
    """What a code says in this language, settings called as their knobs are. Plain text, not HTML."""
    given = dict(params or {})
    if f"ui.knob.{given.get('key')}" in table(lang):
        given["key"] = t(lang, f"ui.knob.{given['key']}")
    try:
        return say(lang, code, given)
    except (KeyError, IndexError):
        return t(lang, "ui.unexpected", kind=code, number="–")


def fault(lang: str, code: str, params: Mapping[str, Any] | None = None) -> Html:
    """A fault as it stands beside what caused it: a sign, a word and one sentence."""
    word = t(lang, "ui.fault")
    return html(
        '<div class="fault" role="alert"><span class="sign" aria-hidden="true">!</span><p><b>{word}.</b> {says}</p></div>',
        word=word,
        says=sentence(lang, code, params),
    )


def head(title: str, hint: str = "", level: int = 2) -> Html:
    """A heading and the sentence under it."""
    below = html('<p class="hint">{hint}</p>', hint=hint) if hint else ""
    return html("<h{level}>{title}</h{level}>{below}", level=level, title=title, below=below)


def empty(text: str, title: str = "") -> Html:
    """What will be here once there is something."""
    above = html("<b>{title}</b>", title=title) if title else ""
    return html('<div class="empty">{above}<p>{text}</p></div>', above=above, text=text)


def chip(strong: str, text: str, label: str = "", kind: str = "") -> Html:
    """A small fact in the header."""
    name = html('<span class="visually-hidden">{label}: </span>', label=label) if label else ""
    return html('<span class="chip {kind}">{name}<b>{strong}</b> {text}</span>', kind=kind, name=name, strong=strong, text=text)


def machine(hardware: Mapping[str, Any], lang: str) -> Html:
    """This machine in one chip: its first card, or its processor."""
    label = t(lang, "ui.machine.name")
    if hardware["gpus"]:
        card = hardware["gpus"][0]
        memory, free = size(card["memory_total"], lang), size(card["memory_free"], lang)
        return chip(
            card["name"].removeprefix("NVIDIA ").removeprefix("GeForce "), "· " + t(lang, "ui.machine.gpu", memory=memory, free=free), label
        )
    memory = f"{number(round(hardware['memory_total'] / GIB), lang)} GB"
    return chip("CPU", "· " + t(lang, "ui.machine.cpu", count=hardware["cores"], memory=memory), label)


def header(hardware: Mapping[str, Any], waiting: int, lang: str, visitor: str | None) -> Html:
    """The chips beside the brand; with the name of a visitor who has logged in, and the way out."""
    out = html(' <a href="/logout?all_session=false">{leave}</a>', leave=t(lang, "auth.leave"))
    name = "" if visitor is None else html('<span class="chip visitor"><b>{visitor}</b>{out}</span>', visitor=visitor, out=out)
    return name + machine(hardware, lang) + chip(number(waiting, lang), t(lang, "ui.queue"))


def remote_code(allowed: RemoteCode | None, lang: str) -> Html:
    """The chip that says which model may run its own code here, for as long as the program runs."""
    return Html() if allowed is None else chip(f"{allowed.id} @ {allowed.revision[:12]}", t(lang, "code.chip"))


def on_a_space(space: Space, lang: str, signed_in: bool = False, mirrored: bool = False, unmirrored: Notice | None = None) -> Html:
    """What visitors of a Space are told once: what they may do, and what outlives a restart where not all does."""
    codes = ["space.signed_in" if signed_in else "space.visitor_oauth" if space.oauth else "space.visitor"]
    codes += ["space.zero_gpu"] * space.zero_gpu + ["space.mirrored" if mirrored else "space.not_kept"] * (not space.kept)
    told = [t(lang, code) for code in codes] + ([] if unmirrored is None else [t(lang, unmirrored.code, **unmirrored.params)])
    words = joined(html("<p>{sentence}</p>", sentence=sentence) for sentence in told)
    cards = ", ".join(t(lang, "space.card", card=card, memory=memory, price=number(price, lang, 2)) for card, memory, price in RENTED)
    where = f"https://huggingface.co/spaces/{urllib.parse.quote(space.id)}?duplicate=true"
    link = html('<a href="{where}" target="_blank" rel="noopener">{copy}</a>', where=where, copy=t(lang, "space.copy"))
    return html(
        '<aside class="banner">{words}<p>{link} {rented}</p></aside>', words=words, link=link, rented=t(lang, "space.rented", cards=cards)
    )


def masthead(lang: str) -> Html:
    """Brand, and the switches for light or dark and for the language."""
    links = []
    for code, name in (("en", "English"), ("it", "Italiano")):
        page = "/" if code == "en" else "/it"
        current = html(' aria-current="true"') if code == lang else ""
        links.append(
            html(
                '<a href="{page}?lang={code}" lang="{code}" hreflang="{code}"{current}>{name}</a>',
                page=page,
                code=code,
                current=current,
                name=name,
            )
        )
    themes = joined(
        html('<option value="{name}">{theme}</option>', name=name, theme=t(lang, f"ui.theme.{name}"))
        for name in ("system", "light", "dark")
    )
    theme = html('<select class="theme" aria-label="{theme}">{themes}</select>', theme=t(lang, "ui.theme"), themes=themes)
    languages = html(
        '<nav class="languages" aria-label="{languages}">{links}</nav>', languages=t(lang, "ui.languages"), links=joined(links)
    )
    return html(
        '<div class="masthead"><h1 class="brand">{brand}<i aria-hidden="true">.</i></h1>'
        '<span class="tagline">{tagline}</span><section class="preferences">{theme}{languages}</section></div>',
        brand=t(lang, "ui.brand"),
        tagline=t(lang, "ui.tagline"),
        theme=theme,
        languages=languages,
    )


def mend_button(do: str, value: str, label: str, disabled: bool = False) -> Html:
    """A small button whose press is heard as (what, value): `do` and `value`."""
    off = " disabled" if disabled else ""
    return html(
        '<button type="button" class="mend" data-do="{do}" data-value="{value}"{off}>{label}</button>',
        do=do,
        value=value,
        off=off,
        label=label,
    )
