"""What other programs leave in texts: HTML, places that nobody filled in, and words that stand for nothing. Pure functions.

Code is left alone: a text that shows a page, or a template of one, is meant so.
"""

import html
import re

EMPTY = frozenset(("nan", "none", "null", "nil", "n/a", "na", "undefined"))  # how programs (pandas, R, SQL) write that nothing is there
# What a spreadsheet shows where a formula could not be computed, in English, Italian, German, French and Spanish; LibreOffice numbers some.
ERRORS = {f"err:{number}" for number in range(501, 541)} | {
    "#n/a", "#n/d", "#nv", "#name?", "#nome?", "#nom?", "#¿nombre?", "#ref!", "#rif!", "#bezug!", "#¡ref!", "#value!", "#valore!", "#wert!",
    "#valeur!", "#¡valor!", "#div/0!", "#¡div/0!", "#num!", "#zahl!", "#nombre!", "#¡num!", "#null!", "#nullo!", "#nul!", "#¡nulo!",
    "#spill!", "#espansione!", "#calc!", "#calcolo!", "#getting_data",
}  # fmt: skip
# A cell that says no more than this was empty in the program that wrote it; Alpaca's own file has `<noinput>`.
NO_VALUE = EMPTY | ERRORS | {
    "<na>", "n.a.", "n.d.", "nd", "no input", "noinput", "<noinput>", "<no input>", "nessun input", "<nessun input>",
}  # fmt: skip
_LONGEST = max(map(len, NO_VALUE))

_ENTITY = re.compile(
    r"&(?:#\d{2,5}|#[xX][0-9a-fA-F]{2,5}|amp|lt|gt|quot|apos|nbsp|euro|pound|copy|reg|deg|hellip|middot|bull|[lr]?[lrsb]?[sdab]quo|laquo|raquo"
    r"|[mn]dash|times|frac\d\d|[A-Za-z](?:grave|acute|circ|uml|tilde|cedil|ring|slash)|szlig);"
)
_TAG = re.compile(r"</?(?:p|br|div|span|b|i|u|strong|em|ul|ol|li|h[1-6]|font|a)(?:\s[^<>]{0,300})?\s?/?>", re.IGNORECASE)
_BREAK = re.compile(r"<br\s?/?>", re.IGNORECASE)
_END = re.compile(r"</(?:p|div|li|h[1-6]|ul|ol)>\s*", re.IGNORECASE)
_CODE = re.compile(r"```|<!doctype|</?(?:html|head|body|script|style|table|form|input|svg)\b|\bhtml\b|&&|=>", re.IGNORECASE)
_PLACE = re.compile(
    r"\{\{ ?[A-Za-z_][\w .-]{0,40} ?\}\}|\[(?:nome|cognome|azienda|indirizzo|telefono|data|name|first name|last name|your name|company"
    r"|company name|address|date|phone|insert [^\[\]]{1,40}|inserisci[^\[\]]{0,40}|il tuo [^\[\]]{1,40}|la tua [^\[\]]{1,40}"
    r"|your [^\[\]]{1,40})\](?!\()",
    re.IGNORECASE,
)
_SIGN = re.compile(r"<\|[A-Za-z][\w-]{1,40}\|>|<｜[^｜\s]{2,40}｜>|\[/?INST\]|<(?:start|end)_of_turn>|</s>|<<SYS>>")
_TEMPLATE = re.compile(r"```|\{%|\bjinja|\btemplate\b|\bmustache\b|\bhandlebars\b", re.IGNORECASE)


def no_value(value: object) -> bool:
    """Whether a value is a word that stands for nothing."""
    return value.__class__ is str and len(value) <= _LONGEST and value.strip().casefold() in NO_VALUE  # type: ignore[attr-defined, arg-type]


def markup(text: str) -> str | None:
    """The first of HTML that a text was left with; None where there is none, or where HTML is what it is about."""
    if "&" not in text and "<" not in text:
        return None
    found = _ENTITY.search(text) or _TAG.search(text)
    return found[0] if found and not _CODE.search(text) else None


def unmarked(text: str) -> str | None:
    """The text without its HTML: entities as the letters they are, breaks and paragraphs as lines; None where nothing is to be done."""
    if markup(text) is None:
        return None
    lines = _TAG.sub("", _END.sub("\n", _BREAK.sub("\n", text)))
    return html.unescape(lines).replace("\xa0", " ").strip() or None


def signs(text: str) -> str | None:
    """The first sign of a chat template in a text; None where there is none, or where it is about such."""
    found = _SIGN.search(text)
    return found[0] if found and not _TEMPLATE.search(text) else None


def unfilled(text: str) -> str | None:
    """The first place in a text that was to be filled in, such as `{{name}}`; None where there is none, or where it is about such."""
    if "{{" not in text and "[" not in text:
        return None
    found = _PLACE.search(text)
    return found[0] if found and not _TEMPLATE.search(text) else None
