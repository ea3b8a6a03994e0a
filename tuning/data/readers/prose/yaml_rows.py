"""Rows of a YAML file: a list of mappings whose keys are known, questions mapped to answers, or ChatterBot's lists of texts.

Scalars are texts, to the letter. Anchors are refused: a few lines of them unfold to gigabytes. Nothing in the file is made an object of.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tuning.data.readers.encoding import TextFile
from tuning.data.records import FileRecord, KnowsColumns
from tuning.errors import InputError
from tuning.sandbox.limits import Limits

_MOST = 64 * 2**20  # bytes: the whole is held
_LIST = re.compile(
    r"(?:[ \t]*(?:#[^\n]*|---[^\n]*)?\r?\n)*(?:[\w \"']+:[ \t]*[\w. \"']{0,60}\r?\n){0,20}"
    r"[ \t]*-[ \t]+[\"']?(?P<key>[^\W\d][\w -]{0,60}?)[\"']?\s*:(?:\s|$)"
)
_TALKS = re.compile(r"(?m)^(?:conversations|conversazioni)[ \t]*:[ \t]*\r?\n[ \t]*-[ \t]+-[ \t]")
_BOT = re.compile(  # Rasa's: what it holds is nothing to learn line by line
    r"(?:[ \t]*(?:#[^\n]*|---[^\n]*)?\r?\n)*version[ \t]*:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*"
    r"(?:[a-z]+:[ \t]*\r?\n[ \t]*-[ \t]+[a-z]+[ \t]*:|(?:intents|entities|slots|actions|responses|forms|session_config)[ \t]*:[ \t]*\r?\n)"
)
_ASKED = re.compile(r"""(?m)^(?:"[^"\n]+\?"|'[^'\n]+\?'|[^\s#"'\-\n][^\n]*?\?)[ \t]*:[ \t]""")
_KEY = re.compile(r"(?m)^\S[^\n]*:(?:\s|$)")
_Plain: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # makes nothing but texts, lists and mappings


class _Loader(_Plain):  # type: ignore[misc]
    """The plain loader, which also refuses a key that stands twice: one of the two would be lost."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys: set[str] = set()
        for key, _ in node.value:
            if key.value.__class__ is str and key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, "a key that stands twice", key.start_mark)
            keys.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def takes(head: str, known: KnowsColumns) -> bool:
    """Whether a text begins as such a file does."""
    if _TALKS.search(head) or _BOT.match(head):
        return True
    found = _LIST.match(head)
    if found:
        item = head[found.end("key") :].split("\n-", 1)[0]
        keys = [found["key"], *re.findall(r"(?m)^[ \t]+[\"']?([^\W\d][\w -]{0,60}?)[\"']?\s*:(?:\s|$)", item)]
        return known(keys)
    asked = len(_ASKED.findall(head))
    return asked > 1 and asked == len(_KEY.findall(head))


def records(text: TextFile, limits: Limits) -> Iterator[FileRecord]:
    """The rows in the order of the file. Raises InputError `data.yaml` (line), `data.large` (limit)."""
    if text.path.stat().st_size > _MOST:
        raise InputError("data.large", limit=_MOST // 2**20)
    with text.open() as stream:
        content = stream.read()
    try:
        for event in yaml.parse(content, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise InputError("data.yaml", line=event.start_mark.line + 1)
        documents = list(yaml.load_all(content, Loader=_Loader))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError("data.yaml", line=mark.line + 1 if mark else 1) from error
    rows = [row for document in documents for row in _rows(document)]
    for number, row in enumerate(rows, start=1):
        if isinstance(row, dict):
            yield FileRecord(number, number, values=row, size=len(str(row)))
        else:
            yield FileRecord(number, number, fault=InputError("data.row.object"))


def _rows(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return []
    inside = list(document.values())
    if len(inside) == 1 and isinstance(inside[0], list) and not all(isinstance(one, list) for one in inside[0]):
        return inside[0]
    lists = [held for held in inside if isinstance(held, list) and held and all(isinstance(one, dict | list) for one in held)]
    if len(lists) == 1:
        return [{"conversations": one} if isinstance(one, list) else one for one in lists[0]]
    if document.keys() and not any(isinstance(held, str) and str(key).rstrip().endswith("?") for key, held in document.items()):
        return [document]
    return [{"question": question, "answer": answer} for question, answer in document.items()]
