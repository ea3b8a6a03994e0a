"""Calls and answers of tools that stand among the parts or items of a conversation, as turns of their own, as OpenAI's chat has them.

So Anthropic, Bedrock, Gemini and OpenAI's Responses write them. What the turns then mean is for `turns` to say.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.data.formats.tool_calls import plain
from tuning.errors import InputError

_CALLS = ("functionCall", "function_call", "toolUse", "tool_use", "tool_call")  # keys of a part, or its type
_ANSWERS = ("functionResponse", "function_response", "toolResult", "tool_result")
_ITEMS = frozenset({"function_call", "function_call_output", "reasoning", "message"})  # types of an item of OpenAI's Responses
_OF_ITEMS = frozenset({"type", "summary", "content", "call_id", "name", "arguments", "output"})
ITEM = "\0item"  # mark of a turn that was one, by a key that no file has


def spread(turn: Any, number: int) -> Sequence[Any]:
    """The turns that one turn or item is; the turn itself where it holds neither calls nor answers. Raises InputError `data.row.call`."""
    if not isinstance(turn, dict):
        return (turn,)
    if is_item(turn):
        try:
            return _item(turn)
        except ValueError:
            raise InputError("data.row.call", turn=number) from None
    column = next((key for key in ("content", "parts", "value") if isinstance(turn.get(key), list)), None)
    if column is None or not any(_held(part, (*_CALLS, *_ANSWERS)) for part in turn[column]):
        return (turn,)
    try:
        return _parts(turn, column)
    except ValueError:
        raise InputError("data.row.call", turn=number) from None


def is_item(turn: Mapping[str, Any]) -> bool:
    """Whether it is an item of OpenAI's Responses."""
    kind = turn.get("type")
    return isinstance(kind, str) and kind in _ITEMS and (("role" in turn) == (kind == "message"))


def condensed(said: Sequence[dict[str, Any]], thought: str) -> list[dict[str, Any]]:
    """The messages, a thought or a call that stood as an item of its own being one with what the assistant says or calls after it."""
    kept: list[dict[str, Any]] = []
    for message in said:
        last = kept[-1] if kept else {}
        both_call = "tool_calls" in last and "tool_calls" in message
        if last.get(ITEM) and message["role"] == "assistant" and (both_call or "tool_calls" not in last):
            calls = [*last.get("tool_calls", ()), *message.get("tool_calls", ())]
            thoughts = [one[thought] for one in (last, message) if one.get(thought)]
            kept[-1] = {**last, **message, **({"tool_calls": calls} if calls else {})}
            if thoughts:
                kept[-1][thought] = "\n\n".join(thoughts)
            if ITEM not in message:
                kept[-1].pop(ITEM)
        else:
            kept.append(message)
    return [{key: held for key, held in message.items() if key != ITEM} for message in kept]


def _held(part: Any, names: Sequence[str]) -> tuple[str, Any] | None:
    """The key of a part that holds a call or an answer, or its type where it is one by that; and what it says of it."""
    if not isinstance(part, dict):
        return None
    if part.get("type") in ("tool_use", "tool_result", "tool_call"):
        return (part["type"], part) if part["type"] in names else None
    return next(((name, part[name]) for name in names if isinstance(part.get(name), dict)), None)


def _parts(turn: Mapping[str, Any], column: str) -> list[dict[str, Any]]:
    calls = [_call(held[1]) for part in turn[column] if (held := _held(part, _CALLS))]
    answers = [_answer(held[1]) for part in turn[column] if (held := _held(part, _ANSWERS))]
    rest = [part for part in turn[column] if not _held(part, (*_CALLS, *_ANSWERS))]
    beside = {key: value for key, value in turn.items() if key != column}
    speaker = {key: "tool" for key in ("role", "from", "speaker", "ruolo") if key in turn}
    found = [{**speaker, column: said, **name} for said, name in answers]
    if found and not (rest or calls):  # what else the turn holds is not lost
        return [{**beside, **found[0]}, *found[1:]]
    return [*found, {**beside, column: rest or "", **({"tool_calls": calls} if calls else {})}]


def _call(part: Mapping[str, Any]) -> Any:
    whole = next((part[key] for key in ("value", "function", "tool_call") if part.get("type") == "tool_call" and part.get(key)), None)
    if whole is not None:  # as LLaMA-Factory has them: the call as an object, or as its JSON text
        return whole
    arguments: Any = next((part[key] for key in ("args", "input", "arguments") if part.get(key) is not None), {})
    return {"id": part.get("toolUseId") or part.get("id"), "function": {"name": part.get("name"), "arguments": arguments}}


def _answer(part: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What an answer says, and whose it is: by the name of the tool, or by the id of the call."""
    said = next((part[key] for key in ("content", "response") if part.get(key) is not None), "")
    named = {"name": part["name"]} if part.get("name") else {}
    return _text(said), {"tool_call_id": part.get("tool_use_id") or part.get("toolUseId") or part.get("id"), **named}


def _text(said: Any) -> str:
    """An answer of a tool as text: parts of text to the letter, all else as JSON. Raises ValueError for what no JSON holds exactly."""
    if isinstance(said, list) and said and all(isinstance(part, dict) and ("text" in part or "json" in part) for part in said):
        return "".join(_text(part.get("text", part.get("json"))) for part in said)
    return said if type(said) is str else json.dumps(plain(said), ensure_ascii=False)


def _item(item: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    kind = item["type"]
    rest = {key: value for key, value in item.items() if key not in _OF_ITEMS}
    if kind == "message":
        return ({key: value for key, value in item.items() if key != "type"},)
    if kind == "function_call_output":
        return ({**rest, "role": "tool", "content": _text(item.get("output", "")), "tool_call_id": item.get("call_id")},)
    if kind == "function_call":
        call = {"id": item.get("call_id"), "function": {"name": item.get("name"), "arguments": item.get("arguments")}}
        return ({**rest, "role": "assistant", "content": "", "tool_calls": [call], ITEM: True},)
    lists = [held for key in ("summary", "content") if isinstance(held := item.get(key), list)]
    texts = [part.get("text") for held in lists for part in held if isinstance(part, dict)]
    thought = "\n\n".join(text for text in texts if isinstance(text, str))
    return ({**rest, "role": "assistant", "content": "", **({"reasoning_content": thought} if thought else {}), ITEM: True},)
