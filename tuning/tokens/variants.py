"""Conversations as stricter chat templates take them, and what tells that a template has left a part of one out.

Nothing is rendered here.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError

from tuning.errors import EngineError

Dialogue = list[dict[str, Any]]

LONGEST = 200  # characters of what a template says when it refuses


def unlearned_answers(turns: Dialogue) -> frozenset[int]:
    """Which answers, counted from 0, are not to be learned."""
    answers = [turn for turn in turns if turn["role"] == "assistant"]
    return frozenset(number for number, turn in enumerate(answers) if turn.get("weight") == 0)


def refusal(turns: Dialogue, tools: list[dict[str, Any]] | None, said: Exception | None) -> EngineError:
    """What is told of a conversation that a template takes in no variant; `said` is what it raised at the last.

    `tokens.template_broken` where it cannot be read, `tokens.tools` where the row has tools, `tokens.template_says` where it has words
    of its own, else `tokens.template`.
    """
    if isinstance(said, TemplateSyntaxError):
        return EngineError("tokens.template_broken", reason="data", line=said.lineno, said=in_short(said.message))
    if tools or any(turn["role"] == "tool" or turn.get("tool_calls") for turn in turns):
        return EngineError("tokens.tools", reason="data")
    if type(said) is TemplateError:  # its own words, by `raise_exception`
        return EngineError("tokens.template_says", reason="data", said=in_short(said.message))
    return EngineError("tokens.template", reason="data")


def in_short(said: str | None) -> str:
    """What a template says, in one line."""
    return " ".join((said or "?").split())[:LONGEST].rstrip(".")


def variants(turns: Dialogue) -> Iterator[tuple[Dialogue, bool]]:
    """A conversation as it is, then as stricter templates take it; and whether its system text was moved."""
    turns = [{key: value for key, value in turn.items() if value is not None and key != "weight"} for turn in turns]
    yield turns, False
    called = any(turn.get("tool_calls") or turn["role"] == "tool" for turn in turns)
    if called:
        yield _numbered(turns), False
    if any(turn["role"] == "system" for turn in turns):
        merged = _merged(turns)
        yield merged, True
        if called:
            yield _numbered(merged), True


def _merged(turns: Dialogue) -> Dialogue:
    """System texts in front of the question that follows them."""
    merged: Dialogue = []
    held: list[str] = []
    for turn in turns:
        if turn["role"] == "system":
            held.append(turn["content"])
        elif turn["role"] == "user" and held:
            merged.append({**turn, "content": "\n\n".join([*held, turn["content"]])})
            held = []
        else:
            merged.append(turn)
    return merged


def _numbered(turns: Dialogue) -> Dialogue:
    """Calls of tools and their answers with ids of nine letters and digits, which Mistral's templates ask for."""
    numbered: Dialogue = []
    waiting: list[str] = []
    count = 0
    for turn in turns:
        if turn.get("tool_calls"):
            calls = []
            for call in turn["tool_calls"]:
                count += 1
                waiting.append(f"call{count:05d}")
                calls.append({"id": waiting[-1], **call})
            numbered.append({**turn, "tool_calls": calls})
        elif turn["role"] == "tool" and waiting:
            numbered.append({"tool_call_id": waiting.pop(0), **turn})
        else:
            numbered.append(turn)
    return numbered


def check(text: str, turns: Dialogue, tools: list[dict[str, Any]] | None) -> None:
    """Raises ValueError where a template left something out in silence, as some do with roles that they do not know."""
    names = [tool.get("function", tool).get("name") for tool in tools or []]
    for turn in turns:
        names.extend(called_tools(turn))
        content = turn["content"].strip()
        # Answers may lose their thoughts; what tools say is sometimes quoted.
        if turn["role"] != "assistant" and content not in text and json.dumps(content, ensure_ascii=False)[1:-1] not in text:
            raise ValueError(f"{turn['role']} is left out")
    if not all(name and name in text for name in names):
        raise ValueError("tools are left out")


def called_tools(turn: Mapping[str, Any]) -> list[str]:
    """The names of the tools that a turn calls."""
    return [call["function"]["name"] for call in turn.get("tool_calls") or []]
