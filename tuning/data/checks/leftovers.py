"""What other programs leave in texts: HTML, places not filled in, words that stand for nothing, signs that were lost. Pure functions.

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
_TAG = re.compile(r"</?(?:p|br|div|span|b|i|u|strong|em|ul|ol|li|d[ldt]|h[1-6]|font|a)(?:\s[^<>]{0,300})?\s?/?>", re.IGNORECASE)
_BREAK = re.compile(r"<br\s?/?>", re.IGNORECASE)
_END = re.compile(r"</(?:p|div|li|d[ldt]|h[1-6]|ul|ol)>\s*", re.IGNORECASE)
_CODE = re.compile(r"```|<!doctype|</?(?:html|head|body|script|style|table|form|input|svg)\b|\bhtml\b|&&|=>", re.IGNORECASE)
_PLACE = re.compile(
    r"\{\{ ?[A-Za-z_][\w .-]{0,40} ?\}\}|\[(?:nome|cognome|azienda|indirizzo|telefono|data|name|first name|last name|your name|company"
    r"|company name|address|date|phone|insert [^\[\]]{1,40}|inserisci[^\[\]]{0,40}|il tuo [^\[\]]{1,40}|la tua [^\[\]]{1,40}"
    r"|your [^\[\]]{1,40})\](?!\()",
    re.IGNORECASE,
)
_SIGN = re.compile(r"<\|[A-Za-z][\w-]{1,40}\|>|<｜[^｜\s]{2,40}｜>|\[/?INST\]|<(?:start|end)_of_turn>|</s>|<<SYS>>")
_TEMPLATE = re.compile(r"```|\{%|\bjinja|\btemplate\b|\bmustache\b|\bhandlebars\b", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff]")  # and signs without width, soft hyphens
_WRAPPED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")  # letters of Thai, Lao, Burmese and Khmer, whose words such signs divide
_ESCAPE = re.compile(
    r"(?<=[^\s\\'\"`(/:\[])(?:\\r)?\\n(?:(?=(?:\\r)?\\n|[A-ZÀ-Ý0-9•*#-])|\s*\Z)"  # after a word, before the beginning of a line
    r"|(?<=[.!?;,])(?:\\r)?\\n|(?<=\\n)(?:\\r)?\\n"
)
_PROGRAM = re.compile(r"[`{};]|\\(?:[tx0u]|r(?!\\n))|\bprint|\\n['\"]")
_ASKED = re.compile(r"\?(?=[a-zß-ÿ]| \? )")  # quick: what is followed by the rest of its word, or alone after one
_SMALL = "a-zß-öø-ÿ"
_LETTER = re.compile(rf"(?<![\w./=&?@-])[^\W\d_]+\?[{_SMALL}]+(?![\w./=&])|[{_SMALL}]\? \? (?=[{_SMALL}])")


def control(text: str) -> str | None:
    """The first control character of a text, or sign without width that no script needs, as its number; None where it has none."""
    found = _CONTROL.search(text) if not text.isprintable() else None
    return f"U+{ord(found[0]):04X}" if found and (found[0] < " " or not _WRAPPED.search(text)) else None


def uncontrolled(text: str) -> str | None:
    """The text without control characters; None where it has none."""
    return None if control(text) is None else _CONTROL.sub("", text)


def escape(text: str) -> str | None:
    """Where a text says `\\n` with a line end meant: the words about it; None where it has none, or is about programs."""
    if "\\n" not in text or "\n" in text or _PROGRAM.search(text):
        return None
    found = _ESCAPE.search(text)
    return text[max(0, found.start() - 20) : found.end() + 20] if found else None


def unescaped(text: str) -> str | None:
    """The text with line ends where it said `\\n`; None where it did not."""
    return None if escape(text) is None else _ESCAPE.sub("\n", text)


def asked(text: str) -> bool:
    """Whether a text has a question mark that may stand for a letter: quick, and true of some sound texts."""
    return _ASKED.search(text) is not None


def letter(text: str) -> str | None:
    """Where a question mark stands for a letter that was lost: within a word, or alone between words after one; None where none does."""
    found = _LETTER.search(text) if asked(text) else None
    return text[max(0, found.start() - 20) : found.end() + 20] if found else None


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
