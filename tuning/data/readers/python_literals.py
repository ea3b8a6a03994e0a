"""Lists and objects as Python prints them, `[{'role': 'user'}]`, put into JSON: so pandas writes them into the cells of a CSV.

Token by token and in one pass: nothing is evaluated, and whether JSON comes of it is for the reader of JSON to say.
"""

import json
import re

_TOKEN = re.compile(
    r"""'(?P<single>(?:[^'\\\n]|\\.)*)'|"(?P<double>(?:[^"\\\n]|\\.)*)"|\b(?P<word>None|True|False)\b"""
    r"""|(?P<between>\}\s*(?=\{)|(?<=['"])\s+(?=['"]))|(?P<open>['"])"""
)
_ESCAPE = re.compile(r"\\(?:(?P<plain>[\\'\"])|(?P<white>[nrt])|x(?P<x>[0-9a-f]{2})|u(?P<u>[0-9a-f]{4})|U(?P<U>[0-9a-f]{8})|.)")
_WORDS = {"None": "null", "True": "true", "False": "false"}
_WHITE = {"n": "\n", "r": "\r", "t": "\t"}


def as_json(source: str) -> str:
    """The same in JSON, where Python printed it. Raises ValueError for an open string.

    NumPy leaves out the commas between objects, and between texts.
    """
    return _TOKEN.sub(_token, source)


def _token(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    if kind == "open":  # at once: to look for the end of each of many would take the square of the time
        raise ValueError("a string that does not end")
    if kind == "word":
        return _WORDS[found[0]]
    if kind == "between":
        return "}," if found[0][0] == "}" else ","
    return json.dumps(_ESCAPE.sub(_escaped, found[kind]))


def _escaped(found: re.Match[str]) -> str:
    kind = found.lastgroup
    if kind is None:
        raise ValueError(found[0])
    if kind == "plain":
        return found[kind]
    return _WHITE[found[kind]] if kind == "white" else chr(int(found[kind], 16))
