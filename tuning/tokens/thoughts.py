"""Reasoning before an answer: where messages hold it, how a chat template writes it, and how a row says it by each choice of `thinking`.

`learn`: thoughts are learned. `keep`: an empty thought stands before each answer, as context, and the model goes on thinking where it is
asked to. `off`: answers only. `auto`: as the row and the template are. Nothing is rendered here, and no family is known by its name.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tuning.schema import Notice

OPEN, CLOSE = "<think>", "</think>"
EMPTY = f"{OPEN}\n\n{CLOSE}\n\n"
KEY = "reasoning_content"  # in our normal form
KEYS = (KEY, "reasoning", "thinking")  # of messages, as templates ask for them
SWITCHES = ("enable_thinking", "thinking")  # variables by which templates are told to think, or not to
NO_THOUGHT = re.compile(rf"\s*(?:{OPEN})?\s*{CLOSE}\s*")
THOUGHT = "\u2605"  # one that is in no template and in no row
_AHEAD = re.compile(rf"\s*{OPEN}(.*?){CLOSE}\n*", re.DOTALL)
# Stand for the signs where a template would take away what is between them; as long as they are, so that no place moves.
_HIDDEN = {OPEN: "\ue000" * len(OPEN), CLOSE: "\ue001" * len(CLOSE)}

Show = Callable[[Mapping[str, Any] | None, Mapping[str, Any]], str]  # an answer (None: the prompt for one) and variables, to a text


class Manner(NamedTuple):
    """What a chat template does with thoughts."""

    key: str = ""  # of a message that has one; none where it must stand in the text
    switch: str = ""  # the variable that turns thinking on and off
    drops: bool = False  # it takes thoughts out of the text, also of the last answer
    thinks: bool = False  # its model was made to think
    signs: bool = False  # by the signs <think> and </think>


def decide(asked: str, rows: int | None, thinks: bool) -> str:
    """The choice, where `asked` leaves it open: by the number of `rows` with thoughts (None: not known), and whether the model thinks."""
    if asked != "auto":
        return asked
    return "learn" if rows or (rows is None and not thinks) else "keep" if thinks else "off"


def manner(show: Show, source: str, probe: str) -> Manner:
    """What a template does, told from how it shows an answer `probe`. `show` gives an empty text for what it does not take."""
    switch = next((name for name in SWITCHES if name in source and show(None, {name: True}) != show(None, {name: False})), "")
    on = {switch: True} if switch else {}
    key = next((key for key in KEYS if key in source and THOUGHT in show({"content": probe, key: THOUGHT}, on)), "")
    drops = not key and THOUGHT not in show({"content": inside(THOUGHT, probe)}, on)
    return Manner(key, switch, drops, bool(key or switch or CLOSE in source), CLOSE in source)


def inside(thought: str, answer: str) -> str:
    """A thought and its answer in one text."""
    return f"{OPEN}\n{thought}\n{CLOSE}\n\n{answer}"


def split(turn: Mapping[str, Any]) -> tuple[str, str]:
    """The thought of an answer, and its own words; the thought is empty where it has none."""
    thought, content = turn.get(KEY) or "", str(turn.get("content") or "")
    if thought or OPEN not in content:
        return str(thought), content
    found = _AHEAD.match(content)
    return (found[1].strip("\n"), content[found.end() :]) if found else ("", content)


def has_thoughts(turns: Any) -> bool:
    """Whether an answer of a conversation has a thought."""
    return any(turn["role"] == "assistant" and split(turn)[0].strip() for turn in turns)


def begins(said: str) -> bool:
    """Whether a generated answer begins with a thought; of one that is not closed the sign that opens it has to be there."""
    before, closed, _ = said.partition(CLOSE)
    return bool(before.replace(OPEN, "").strip()) if closed else said.lstrip().startswith(OPEN)


def worded(turn: Mapping[str, Any], thinking: str, own: Manner, lead: str) -> dict[str, Any]:
    """An answer as the template is to take it. `lead` stands before it where nothing is thought; none before an earlier one."""
    thought, answer = split(turn)
    bare = {**{key: value for key, value in turn.items() if key not in KEYS}, "content": answer}
    if thinking != "learn" or not thought.strip():
        return {**bare, "content": hidden(lead + answer)} if lead and not turn.get("tool_calls") else bare
    if own.key:
        return {**bare, own.key: thought}
    said = inside(thought, answer) if turn.get(KEY) else str(turn["content"])
    return {**bare, "content": hidden(said) if own.drops else said}


def hidden(text: str) -> str:
    """The text with other signs for the beginning and the end of its first thought."""
    return text.replace(OPEN, _HIDDEN[OPEN], 1).replace(CLOSE, _HIDDEN[CLOSE], 1)


def unhidden(text: str) -> str:
    """The text as it was."""
    if _HIDDEN[CLOSE] not in text and _HIDDEN[OPEN] not in text:
        return text
    return text.replace(_HIDDEN[OPEN], OPEN).replace(_HIDDEN[CLOSE], CLOSE)


def told(thinking: str, own: Manner, counts: tuple[int, int], earlier: bool | None) -> list[Notice]:
    """What becomes of thoughts. `counts`: rows that have some, of all. `earlier`: whether those of earlier answers are shown."""
    some, rows = counts
    if not own.thinks and not some:
        return []
    found = []
    if some and thinking in ("learn", "auto"):
        aside = "audit.thoughts_learned_placed" if own.drops else "audit.thoughts_learned_inside"
        code = "audit.thoughts_learned" if own.key else aside
        found.append(Notice(code=code, params={"count": some, "total": rows}))
    elif some:
        found.append(Notice(code="audit.thoughts_left", level="warning", params={"count": some}))
    if own.thinks and (thinking == "keep" or (thinking == "learn" and some < rows)):
        code = "audit.thoughts_empty" if own.signs or own.switch else "audit.thoughts_none"
        found.append(Notice(code=code, params={"count": rows - some if thinking == "learn" else rows}))
    if own.thinks and thinking == "off":
        found.append(Notice(code="audit.thoughts_stop", level="warning"))
    if earlier is not None and some:
        found.append(Notice(code="audit.thoughts_earlier" if earlier else "audit.thoughts_earlier_left"))
    return found
