"""Conversations: from a list of turns, in any of the keys and names in use, to messages in normal form; tools and their calls.

Texts go through to the letter. What cannot be used is refused with a code; only `mended`, where it is asked for, drops turns.
Which column holds a conversation is for the formats to say. What a model thought before it answered is not taken: each family
of templates has its own name for it, and the normal form has none.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tuning.data.readers.python_literals import as_json
from tuning.data.records import Number, shown
from tuning.errors import InputError
from tuning.sandbox.limits import DEFAULT

RawMessage = dict[str, Any]

WORDS = frozenset({"role", "content", "user", "assistant"})  # targets that name keys and speakers inside of turns, not columns
ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text")
ROLES = {  # without spaces, hyphens and underscores; a "call" is an assistant's turn that holds nothing but calls of tools
    **dict.fromkeys(("system", "developer", "sistema"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "utente", "umano"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "ai", "chatbot", "assistente", "modello"), "assistant"),
    **dict.fromkeys(("functioncall", "toolcall", "toolcalls", "chiamata"), "call"),
    **dict.fromkeys(("tool", "observation", "function", "functionresponse", "functionresult", "toolresponse", "toolresult"), "tool"),
    **dict.fromkeys(("ipython", "strumento", "funzione", "osservazione"), "tool"),
}
_TEXT_PARTS = (None, "text", "input_text", "output_text")
_FOLLOWS = {  # who may speak after whom; "calls" is an assistant who called tools
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user",),
    "calls": ("tool",),
    "tool": ("tool", "assistant"),
}
_FOUND = {bool: "boolean", int: "number", float: "number", list: "list", dict: "object", str: "text", bytes: "bytes"}
_SEPARATORS = re.compile(r"[\s_-]+")
_WHOLE = re.compile(r"-?[0-9]+")
_LARGEST = 2**63  # beyond it JSON writers and readers disagree


class TurnKeys(NamedTuple):
    """How the turns of one file are read: the keys, the most usual first, and who is who."""

    role_keys: Sequence[str] = ROLE_KEYS
    content_keys: Sequence[str] = CONTENT_KEYS
    roles: Mapping[str, str] = ROLES


USUAL = TurnKeys()
SHAREGPT = TurnKeys(("from", "role", "speaker"), ("value", "content", "text"))


def squeezed(name: str) -> str:
    """A name of a column or a speaker, as names are compared: case, spaces, hyphens and underscores do not count."""
    return _SEPARATORS.sub("", name.casefold())


def blank(text: str) -> bool:
    """Whether nothing can be seen in a text."""
    return not text or text.isspace()


def text(value: Any, column: str, turn: int = 0) -> str:
    """A text to the letter; null is an empty one, a number what the file spells. `turn` counts from 1, 0 where there is none.

    Raises InputError `data.row.type`, `data.row.surrogate` (column).
    """
    if value.__class__ is not str:
        if value is None:
            return ""
        if not isinstance(value, Number):
            raise _wrong_type(value, column, turn)
        value = str(value)
    said: str = value
    if not said.isascii():
        try:
            said.encode()  # several times faster than to search for what it cannot take
        except UnicodeEncodeError:
            raise InputError("data.row.surrogate", column=_place(column, turn)) from None
    return said


def words(mapping: Mapping[str, str], usual: TurnKeys = USUAL) -> TurnKeys:
    """The keys and speakers that a mapping names by hand, else the usual ones."""
    if WORDS.isdisjoint(mapping):
        return usual
    named = {squeezed(mapping[role]): role for role in ("user", "assistant") if role in mapping}
    role_keys = (mapping["role"],) if "role" in mapping else usual.role_keys
    content_keys = (mapping["content"],) if "content" in mapping else usual.content_keys
    return TurnKeys(role_keys, content_keys, {**ROLES, **named})


def messages(turns: Any, column: str, known: TurnKeys = USUAL) -> list[RawMessage]:
    """One message per turn, in whatever order they stand; a list as text, of JSON or of Python, is read.

    Raises InputError: `data.row.turns`, `data.row.type`, `data.row.surrogate` (column), `data.row.role` (turn, role),
    `data.row.part` (turn, found), `data.row.call` (turn).
    """
    if turns.__class__ is str and turns.lstrip()[:1] == "[":
        try:
            turns = parsed(turns)
        except ValueError:
            raise InputError("data.row.turns", column=shown(column)) from None
    if not isinstance(turns, list):
        raise InputError("data.row.turns", column=shown(column))
    said: list[RawMessage] = []
    names: dict[str, str] = {}  # of tools, by the id of a call
    role_key, content_key, roles = known.role_keys[0], known.content_keys[0], known.roles
    for turn in turns:
        if turn.__class__ is dict and len(turn) == 2:  # most turns are so; what follows is `_message` for them, in a third of the time
            speaker, content = turn.get(role_key), turn.get(content_key)
            role = roles.get(speaker) if speaker.__class__ is str else None
            if role is not None and role != "call" and content.__class__ is str:
                said.append({"role": role, "content": content if content.isascii() else text(content, column, len(said) + 1)})
                continue
        said.append(_message(turn, len(said) + 1, column, known, names))
    return said


def plain(turns: Any, known: TurnKeys = USUAL) -> list[RawMessage] | None:
    """The messages of a conversation in which there is nothing to judge, in a third of the time; None for any other.

    Lists of turns with nothing but speaker and text, a system text at most, then user and assistant in turn, nothing blank.
    """
    if turns.__class__ is not list:
        return None
    role_key, content_key, roles = known.role_keys[0], known.content_keys[0], known.roles
    said: list[RawMessage] = []
    awaited = "user"
    for turn in turns:
        if turn.__class__ is not dict or len(turn) != 2:
            return None
        speaker, content = turn.get(role_key), turn.get(content_key)
        if speaker.__class__ is not str or content.__class__ is not str or not content or content.isspace():
            return None
        role = roles.get(speaker)
        if role != awaited and (role != "system" or said):
            return None
        if not content.isascii():
            try:
                content.encode()
            except UnicodeEncodeError:
                return None
        said.append({"role": role, "content": content})
        if role == awaited:
            awaited = "assistant" if awaited == "user" else "user"
    return said if said and said[-1]["role"] == "assistant" else None


def ordered(said: Sequence[RawMessage], first: int = 1) -> list[RawMessage]:
    """The messages, if they follow one another as they should; `first` is the number of the first turn.

    One system text at most and at the head (an empty one is none), then user and assistant in turn; after calls of tools their
    answers, then the assistant again; the assistant last. Raises InputError: `data.row.roles` (turn, role),
    `data.row.empty_question`, `data.row.empty_answer`.
    """
    kept: list[RawMessage] = []
    before, number = "system", first
    for number, message in enumerate(said, start=first):
        role, content = message["role"], message["content"]
        empty = not content or content.isspace()
        if role == "system" and (empty or not kept):
            if not empty:
                kept.append(message)
            continue
        calls = "tool_calls" in message
        if role not in _FOLLOWS[before] or role == "system":
            raise InputError("data.row.roles", turn=number, role=role)
        if empty and role != "tool" and not calls:
            raise InputError("data.row.empty_question" if role == "user" else "data.row.empty_answer")
        before = "calls" if calls else role
        kept.append(message)
    if before not in ("assistant", "calls"):
        raise InputError("data.row.roles", turn=number, role=said[-1]["role"] if said else "")
    return kept


def mended(said: Sequence[RawMessage]) -> list[RawMessage] | None:
    """The messages without what stands before the first question (but system texts) and after the last answer; None if none is left."""
    head = [message for message in said if message["role"] == "system"][:1] if said and said[0]["role"] == "system" else []
    begin = next((place for place, message in enumerate(said) if message["role"] == "user"), len(said))
    end = next((place for place in range(len(said) - 1, begin, -1) if said[place]["role"] == "assistant"), None)
    return None if end is None else [*head, *said[begin : end + 1]]


def tools(value: Any, column: str) -> list[dict[str, Any]]:
    """The tools of a row, from a list or its JSON text; bare schemas of functions are wrapped. Raises InputError `data.row.tools`."""
    try:
        return [_tool(tool) for tool in _listed(value)]
    except ValueError:
        raise InputError("data.row.tools", column=shown(column)) from None


def calls(value: Any, turn: int, names: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Calls of tools in normal form, from an object, a list of them or their JSON text; `names` learns who is behind an id.

    Raises InputError `data.row.call` (turn).
    """
    try:
        found = [_call(call, {} if names is None else names) for call in _listed(value)]
    except ValueError:
        found = []
    if not found:
        raise InputError("data.row.call", turn=turn)
    return found


def parsed(source: str) -> Any:
    """What a JSON text says, or one by Python, numbers still spelled as there. Raises ValueError, for keys that stand twice too."""
    try:
        return _decoded(source)
    except ValueError:
        if "'" not in source:
            raise
        return _decoded(as_json(source))


def _decoded(source: str) -> Any:
    try:
        return json.loads(source, parse_int=Number, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _wrong_type(value: Any, column: str, turn: int = 0) -> InputError:
    return InputError("data.row.type", column=_place(column, turn), found=_FOUND.get(type(value), "value"))


def _place(column: str, turn: int) -> str:
    return shown(f"{column} #{turn}" if turn else column)


def _first(turn: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """What stands under the first of the keys that holds something."""
    for key in keys:
        value = turn.get(key)
        if value is not None:
            return value
    return None


def _message(turn: Any, number: int, column: str, known: TurnKeys, names: dict[str, str]) -> RawMessage:
    if turn.__class__ is not dict:
        raise InputError("data.row.turns", column=shown(column))
    speaker = _first(turn, known.role_keys)
    role = known.roles.get(speaker) if speaker.__class__ is str else None
    if role is None:
        role = known.roles.get(squeezed(speaker)) if isinstance(speaker, str) else None
        if role is None:
            raise InputError("data.row.role", turn=number, role=shown(speaker) if isinstance(speaker, str) else "")
    content = _first(turn, known.content_keys)
    if role == "call":
        return {"role": "assistant", "content": "", "tool_calls": calls(content, number, names)}
    if content.__class__ is list:
        content = _joined(content, column, number)
    message = {"role": role, "content": text(content, column, number)}
    if len(turn) > 2:
        _add_calls(message, turn, number, names)
    return message


def _add_calls(message: RawMessage, turn: Mapping[str, Any], number: int, names: dict[str, str]) -> None:
    """What a turn says of tools beside its text. A key without a value is as good as none."""
    called = turn.get("tool_calls") or turn.get("function_call")
    if called and called != "[]":
        if message["role"] != "assistant":
            raise InputError("data.row.call", turn=number)
        message["tool_calls"] = calls(called, number, names)
    if message["role"] == "tool":
        name = turn.get("name") or names.get(str(turn.get("tool_call_id")))
        if name:
            message["name"] = text(name, "name", number)


def _joined(parts: list[Any], column: str, number: int) -> str:
    """The texts of the typed parts of a content, one right after the other."""
    texts = []
    for part in parts:
        if not isinstance(part, dict):
            raise _wrong_type(parts, column, number)
        kind = part.get("type")
        if kind not in _TEXT_PARTS or (kind is None and "text" not in part):
            raise InputError("data.row.part", turn=number, found=shown(str(kind)))
        texts.append(text(part.get("text"), column, number))
    return "".join(texts)


def _listed(value: Any) -> list[Any]:
    """A list of JSON values, from a list, one object or the JSON text of either; nothing is an empty one. Raises ValueError."""
    if isinstance(value, str):
        value = None if blank(value) else parsed(value)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _object_of(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = parsed(value)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _named(function: Mapping[str, Any]) -> str:
    name = function.get("name")
    if not isinstance(name, str) or blank(name):
        raise ValueError("no name")
    return str(_plain(name))


def _tool(value: Any) -> dict[str, Any]:
    tool = _object_of(value)
    function = tool.get("function")
    if isinstance(function, dict):
        _named(function)
        return {"type": "function", **_plain(tool)}
    _named(tool)
    return {"type": "function", "function": _plain(tool)}


def _call(value: Any, names: dict[str, str]) -> dict[str, Any]:
    call = _object_of(value)
    function = call.get("function", call)
    function = function if isinstance(function, dict) else call  # {"function": null, "name": …} of files with one schema for all
    name = _named(function)
    arguments = function.get("arguments", function.get("parameters"))
    nothing = arguments is None or (isinstance(arguments, str) and blank(arguments))
    if isinstance(call.get("id"), str):
        names[call["id"]] = name
    return {"type": "function", "function": {"name": name, "arguments": {} if nothing else _plain(_object_of(arguments))}}


def _plain(value: Any, depth: int = 1) -> Any:
    """JSON values with numbers as numbers. Raises ValueError for what no JSON holds exactly, and where it is nested too deep."""
    if depth > DEFAULT.depth:
        raise ValueError("nested too deep")
    if isinstance(value, Number):
        value = int(value) if _WHOLE.fullmatch(value) else float(value)
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError is a ValueError
    elif isinstance(value, dict):
        return {_plain(str(key)): _plain(inner, depth + 1) for key, inner in value.items()}
    elif isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    elif (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and not -_LARGEST <= value < _LARGEST):
        raise ValueError("a number out of range")
    elif not isinstance(value, bool | int | float | None):
        raise ValueError("no JSON")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found
