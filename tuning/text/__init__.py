"""Words: every sentence a user reads, by language and code, but for the titles that presets carry themselves.

`t` fills placeholders, `say` speaks an error or a notice, and numbers take the language's own separators. No decision is
made here.
"""

import functools
import pathlib
from typing import Any

import yaml

LANGUAGES = ("en", "it")
HERE = pathlib.Path(__file__).parent
_SWAPPED = str.maketrans(",.", ".,")


@functools.cache
def table(lang: str) -> dict[str, str]:
    """All lines of one language, key to text."""
    return dict(yaml.load((HERE / f"{lang}.yaml").read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def t(lang: str, code: str, **params: Any) -> str:
    """The line `code` in `lang` ("en" or "it") with its placeholders filled.

    Raises KeyError for an unknown code or a missing placeholder: a test holds that neither happens.
    """
    return table(lang)[code].format(**params)


def number(lang: str, value: float, digits: int = 0) -> str:
    """A number with the language's separators: 1,930.5 in English, 1.930,5 in Italian."""
    text = f"{value:,.{digits}f}"
    return text.translate(_SWAPPED) if lang == "it" else text


def say(lang: str, code: str, params: dict[str, Any]) -> str:
    """The sentence of an error or a notice, its numbers written as the language writes them."""
    return t(lang, code, **{key: _spoken(lang, value) for key, value in params.items()})


def _spoken(lang: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return number(lang, value)
    if value and abs(value) < 0.01:
        text = f"{value:.2e}".replace("e-0", "e-")
        return text.translate(_SWAPPED) if lang == "it" else text
    return number(lang, value, 1)
