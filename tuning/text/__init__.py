"""Words: every sentence a user reads, by language and code, but for the titles that presets carry themselves.

`t` fills placeholders, `say` speaks an error or a notice, and numbers take the language's own separators. No decision is
made here, and nothing is shown.
"""

import functools
import math
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

LANGUAGES = ("en", "it")
HERE = pathlib.Path(__file__).parent
SEPARATORS = {"en": (",", "."), "it": (".", ",")}  # of thousands and of decimals
LISTED = 20  # names in one sentence
KINDS = r"integer|number|boolean|string|array|object|null|\$(?:words|layer|pairs)"  # as `presets.judged` names what a setting takes
BOUNDS = {">=": "from", ">": "over", "<=": "to", "<": "under"}
ENDLESS = 1e9  # a bound from here on says nothing to anybody
NAMES_OF_PLACES = frozenset({"row", "line", "step", "turn", "position", "port"})  # numbers that are names, not amounts


@functools.cache
def table(lang: str) -> dict[str, str]:
    """All lines of one language, key to text: two scalars each, so that YAML's types need not be found, which takes half of the time."""
    events = yaml.parse((HERE / f"{lang}.yaml").read_text(encoding="utf-8"), Loader=_loader())
    scalars = [event.value for event in events if isinstance(event, yaml.ScalarEvent)]
    return dict(zip(scalars[::2], scalars[1::2], strict=True))


def parsed(text: str) -> Any:
    """What a YAML file that a person wrote holds; by libyaml where it is there, ten times as fast. Raises yaml.YAMLError."""
    return _loader()(text).get_single_data()


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def t(lang: str, code: str, **params: Any) -> str:
    """The line `code` in `lang` ("en" or "it") with its placeholders filled; where it counts one, `code.one`, if that is there.

    `{command}` is filled by itself, with what is typed before a verb. Raises KeyError for an unknown code or a missing placeholder: a
    test holds that neither happens.
    """
    lines, counted = table(lang), params.get("count", params.get("rows"))
    return lines[f"{code}.one" if str(counted) == "1" and f"{code}.one" in lines else code].format(**{"command": called(), **params})


def called() -> str:
    """What somebody typed to start this program, and types before a verb: the command that a wheel installs, or the module."""
    return "sartoria" if pathlib.PurePath(sys.argv[0]).stem.lower() == "sartoria" else "python -m tuning"


def number(value: float, lang: str, digits: int = 0) -> str:
    """`1930` as "1.930", `0.84` with two digits as "0,84"."""
    thousands, decimal = SEPARATORS[lang]
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    return f"{value:,.{digits}f}".translate({ord(","): thousands, ord("."): decimal})


def rate(value: float, lang: str) -> str:
    """A learning rate in full, without an exponent: 0.0002."""
    digits = 0 if value == 0 else max(0, 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 12)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace(".", SEPARATORS[lang][1])


def plain(value: float, lang: str) -> str:
    """Any number without digits that say nothing."""
    if float(value).is_integer() and abs(value) < 1e15:
        return number(value, lang)
    return number(value, lang, 1) if abs(value) >= 10 else rate(round(value, 4) or value, lang)


def say(lang: str, code: str, params: Mapping[str, Any]) -> str:
    """The sentence of an error or a notice, what fills it spoken in the language too. `fault` may name another sentence."""
    spoken = {key: _spoken(lang, key, value) for key, value in params.items()}
    if isinstance(params.get("fault"), str):
        spoken["fault"] = say(lang, params["fault"], {key: value for key, value in params.items() if key != "fault"})
    return t(lang, code, **spoken)


def _spoken(lang: str, key: str, value: Any) -> str:
    """One parameter of a sentence."""
    if key == "status" and f"ui.status.{value}" in table(lang):
        return t(lang, f"ui.status.{value}")
    if key in _WORDS:
        return _WORDS[key](lang, str(value))
    if isinstance(value, bool) or value is None:
        return t(lang, "ui.yes" if value else "ui.no")
    if isinstance(value, int | float):
        if key in NAMES_OF_PLACES:
            return str(value)
        if key.endswith("usd"):  # a price: whole cents, never below it
            return number(math.ceil(100 * value - 1e-6) / 100, lang, 2)
        return rate(float(value), lang) if key == "rate" else plain(value, lang) if isinstance(value, int) else number(value, lang, 1)
    return str(value)


def form(lang: str, name: str) -> str:
    """What a format of rows is called; one that has a proper name keeps it."""
    return table(lang).get(f"data.form.{name}", name)


def _forms(lang: str, names: str) -> str:
    return ", ".join(dict.fromkeys(form(lang, name) for name in names.split(", ")))


def _columns(lang: str, said: str) -> str:
    """Columns and what was taken from each: `question -> Domanda` as "Domanda → domanda"; columns alone stay as they are."""
    pairs = [one.split(" -> ", 1) for one in re.split(r", (?=[a-z_]+ -> )", said)]
    if any(len(pair) == 1 for pair in pairs):
        return said
    parts = {part: table(lang).get(f"data.part.{part}", part) for part, _ in pairs}
    return ", ".join(f"{column} → {parts[part]}" for part, column in pairs)


def _allowed(lang: str, said: str) -> str:
    """What a setting takes: `integer >= 1 | auto` as "a whole number from 1, or auto"."""
    *others, last = (_option(lang, one) for one in said.split(" | "))
    return t(lang, "ui.allowed.or", others=", ".join(others), last=last) if others else last


def _option(lang: str, said: str) -> str:
    """One of the kinds that a setting takes, with its bounds in words."""
    found = [(word, float(value)) for sign, word in BOUNDS.items() for value in re.findall(rf" {sign} ([-+.e\d]+)", said)]
    bounds = {word: plain(value, lang) for word, value in found if value < ENDLESS}
    kind = re.sub(r" [<>]=? [-+.e\d]+", "", said)
    kind = re.sub(KINDS, lambda found: t(lang, f"ui.allowed.{found.group().lstrip('$')}"), kind)
    if bounds.keys() == {"from", "to"}:
        return f"{kind} {t(lang, 'ui.allowed.between', low=bounds['from'], high=bounds['to'])}"
    if bounds.keys() == {"from", "under"}:
        return f"{kind} {t(lang, 'ui.allowed.within', low=bounds['from'], high=bounds['under'])}"
    return " ".join([kind, *(t(lang, f"ui.allowed.{word}", number=value) for word, value in bounds.items())])


_WORDS = {"allowed": _allowed, "format": form, "formats": _forms, "columns": _columns}


REASONS = {  # why a part of a column is not used, as readers name it after the column
    "other branches": "data.unused.reason.branches",
    "without an answer": "data.unused.reason.answer",
    "without a question or an answer": "data.unused.reason.alone",
    "deleted, empty or of nobody known": "data.unused.reason.gone",
    "twice under one name": "data.unused.reason.twice",
    "answers in a circle": "data.unused.reason.circle",
    "internal notes": "data.unused.reason.notes",
}


def unused(lang: str, left: Sequence[Mapping[str, Any]]) -> str:
    """One sentence that names what of data is not used (kind, name, count, of), with its counts; empty where all is."""
    if not left:
        return ""
    named = [_unused(lang, one) for one in left[:LISTED]]
    return t(lang, "data.unused", names=", ".join(named) + (", …" if len(left) > LISTED else ""))


def _unused(lang: str, one: Mapping[str, Any]) -> str:
    code = f"data.unused.{one['kind']}"
    column, _, reason = str(one["name"]).rpartition(": ")
    name = f"{column}: {t(lang, REASONS[reason])}" if column and reason in REASONS else one["name"]
    return t(lang, code, name=name, count=number(one["count"], lang), of=number(one["of"] or 0, lang))
