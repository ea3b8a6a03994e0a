"""The page on which somebody logs in, in both languages: a form that works without scripts and asks no other host for anything."""

import html
import pathlib
from string import Template

from tuning.text import t

LANGUAGES = {"en": ("/", "English"), "it": ("/it", "Italiano")}
PAGE = Template(pathlib.Path(__file__).with_name("login.html").read_text(encoding="utf-8"))


def page(lang: str, fault: str = "", given: str = "") -> bytes:
    """The page in a language, with what was wrong about the log-in before and the name that was given then."""
    links = (
        f'<a href="{path}?lang={code}" lang="{code}"{" aria-current=true" if code == lang else ""}>{name}</a>'
        for code, (path, name) in LANGUAGES.items()
    )
    words = {key: html.escape(t(lang, f"auth.page.{key}")) for key in ("hint", "name", "password", "enter")}
    told = f'<p role="alert">{html.escape(fault)}</p>' if fault else ""
    words |= {"languages": html.escape(t(lang, "ui.languages")), "given": html.escape(given, quote=True), "fault": told}
    words |= {"first": "" if given else " autofocus", "second": " autofocus" if given else ""}
    return PAGE.substitute(words, lang=lang, links="".join(links)).encode()
