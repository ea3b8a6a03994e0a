"""The pages on which somebody logs in, in both languages: forms that work without scripts and ask no other host for anything."""

import html
import pathlib
from string import Template

from tuning.text import t

LANGUAGES = {"en": ("/", "English"), "it": ("/it", "Italiano")}
PAGE = Template(pathlib.Path(__file__).with_name("login.html").read_text(encoding="utf-8"))
PLAIN = 'autocapitalize="none" spellcheck="false"'


def page(lang: str, fault: str = "", given: str = "") -> bytes:
    """Name and password, with what was wrong about the log-in before and the name that was given then."""
    name = _field(lang, "name", "username", given, f'autocomplete="username" {PLAIN}', focus=not given)
    password = _field(lang, "password", "password", "", 'type="password" autocomplete="current-password"', focus=bool(given))
    return _page(lang, "/login", "hint", "enter", name + password, fault)


def person(lang: str, fault: str = "", given: str = "") -> bytes:
    """The name that somebody goes by behind a common log-in, and the code where that name is used elsewhere already."""
    name = _field(lang, "person", "person", given, 'autocomplete="nickname" spellcheck="false"', focus=True)
    code = _field(lang, "code", "code", "", f'autocomplete="off" {PLAIN}', focus=False, needed=False) if fault else ""
    return _page(lang, "/name", "person.hint", "enter", name + code, fault)


def code(lang: str, made: str) -> bytes:
    """The code of a new name, shown this once."""
    return _page(lang, "/name", "code.hint", "go", f"<code>{html.escape(made)}</code>", "")


def _field(lang: str, label: str, name: str, value: str, options: str, focus: bool, needed: bool = True) -> str:
    shown, given = html.escape(t(lang, f"auth.page.{label}")), html.escape(value, quote=True)
    return f'<label>{shown}<input name="{name}" value="{given}" {options}{" required" * needed}{" autofocus" * focus}></label>'


def _page(lang: str, action: str, hint: str, enter: str, fields: str, fault: str) -> bytes:
    links = (
        f'<a href="{path}?lang={code}" lang="{code}"{" aria-current=true" if code == lang else ""}>{name}</a>'
        for code, (path, name) in LANGUAGES.items()
    )
    words = {"hint": t(lang, f"auth.page.{hint}"), "enter": t(lang, f"auth.page.{enter}"), "languages": t(lang, "ui.languages")}
    words = {key: html.escape(text) for key, text in words.items()}
    told = f'<p role="alert">{html.escape(fault)}</p>' if fault else ""
    return PAGE.substitute(words, lang=lang, action=action, links="".join(links), told=told, fields=fields).encode()
