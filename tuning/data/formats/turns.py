"""Conversations: from a list of turns, in any of the keys and names in use, to messages in normal form.

Texts go through to the letter. What cannot be used is refused with a code; only `mended`, where it is asked for, drops turns.
Which column holds a conversation is for the formats to say. What a model thought before it answered stands in `reasoning_content`
of the answer, wherever a turn had it; within the text of an answer it stays where it is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tuning.data.formats import marks
from tuning.data.formats.exchanges import in_turn, speaking
from tuning.data.formats.notes import Notes
from tuning.data.formats.tool_calls import TOOLS, calls, parsed, tools
from tuning.data.formats.tool_parts import ITEM, condensed, spread
from tuning.data.formats.vocabulary import THOUGHTS
from tuning.data.records import Number, blank, given, listed, shown, squeezed
from tuning.data.roles import ROLES
from tuning.errors import InputError

RawMessage = dict[str, Any]

WORDS = frozenset({"role", "content", "user", "assistant"})  # targets that name keys and speakers inside of turns, not columns
ROLE_KEYS = ("role", "from", "speaker", "ruolo", "sender", "author", "mittente", "autore")
CONTENT_KEYS = ("content", "value", "text", "parts", "contenuto", "testo", "utterance", "message", "body", "messaggio")
THOUGHT = "reasoning_content"  # of an answer in normal form
_THOUGHT_PARTS = ("thinking", "reasoning", "thought")
_THINKING = ("isThought", "thought")  # marks of a turn
_UNREADABLE_PARTS = ("redacted_thinking", "encrypted_reasoning")
_TEXT_PARTS = (
    None,
    "text",
    "input_text",
    "output_text",
    "Text",
    "paragraph",
    "markdown",
    "plain_text",
    "string",
    "testo",
    "texte",
    "texto",
)
_PART_TEXTS = ("text", "value", "content", "Text", "data", "body", *_TEXT_PARTS[6:])  # keys of a part under which its text may stand
_CALL_IN_TEXT = re.compile(
    r"(tool|function)[_ ]?calls?\b|<function|python_tag|\b(action|azione)\s*:|\"name\"\s*:"
    r"|\A\s*(?:\[\s*)?[a-z_][\w.]*\([^\n]*\)\s*(?:\]\s*)?\Z",  # written as code
    re.IGNORECASE,
)
_PART = 2  # keys of a part that is only type and text
_FOLLOWS = {  # who may speak after whom; "calls" is an assistant who called tools
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user",),
    "calls": ("tool",),
    "tool": ("tool", "assistant"),
}
_FOUND = {bool: "boolean", int: "number", float: "number", list: "list", dict: "object", str: "text", bytes: "bytes"}


class TurnKeys(NamedTuple):
    """How the turns of one file are read: the keys, the most usual first, and who is who."""

    role_keys: Sequence[str] = ROLE_KEYS
    content_keys: Sequence[str] = CONTENT_KEYS
    roles: Mapping[str, str] = ROLES


USUAL = TurnKeys()
SHAREGPT = TurnKeys(("from", "role", "speaker"), ("value", "content", "text", "parts"))


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


def messages(turns: Any, column: str, known: TurnKeys = USUAL, notes: Notes | None = None) -> list[RawMessage]:
    """One message per turn, in whatever order they stand; a list as text, of JSON or of Python, is read.

    An answer with a mark that says not to learn it gets `weight` 0. `notes` hears what else the turns hold.

    Raises InputError: `data.row.turns`, `data.row.type`, `data.row.surrogate` (column), `data.row.role` (turn, role),
    `data.row.speaker` (turn, keys), `data.row.part` (turn, found), `data.row.call` (turn).
    """
    if turns.__class__ is str and turns.lstrip()[:1] == "[":
        try:
            turns = parsed(turns)
        except ValueError:
            raise InputError("data.row.turns", column=shown(column)) from None
    if not isinstance(turns, list):
        raise InputError("data.row.turns", column=shown(column))
    said: list[RawMessage] = []
    notes = notes or Notes()
    if turns and (turns[0].__class__ is not dict or turns[0].keys().isdisjoint(known.role_keys)):
        notes.unnamed = in_turn(turns)
        turns = speaking(turns, known.role_keys[0], known.content_keys[0], known.roles) or turns
    names: dict[str, str] = {}  # of tools, by the id of a call
    role_key, content_key, roles = known.role_keys[0], known.content_keys[0], known.roles
    for turn in turns:
        if turn.__class__ is dict and len(turn) == 2:  # most turns are so; what follows is `_message` for them, in a third of the time
            speaker, content = turn.get(role_key), turn.get(content_key)
            role = roles.get(speaker) if speaker.__class__ is str else None
            if role is not None and role != "call" and content.__class__ is str:
                said.append({"role": role, "content": content if content.isascii() else text(content, column, len(said) + 1)})
                continue
        for one in spread(turn, len(said) + 1):
            said.append(_message(one, len(said) + 1, (column, known, names, notes)))
            if one.__class__ is dict and ITEM in one:
                said[-1][ITEM] = True
    return condensed(said, THOUGHT) if any(ITEM in message for message in said) else said


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
        if speaker.__class__ is not str or content.__class__ is not str or blank(content):
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
    answers, then the assistant again, also where the call is written in the text; the assistant last.
    Raises InputError: `data.row.roles` (turn, role),
    `data.row.empty_question`, `data.row.empty_answer`.
    """
    kept: list[RawMessage] = []
    before, number = "system", first
    for number, message in enumerate(said, start=first):
        role, content = message["role"], message["content"]
        empty = blank(content)
        if role == "system" and (empty or not kept):
            if not empty:
                kept.append(message)
            continue
        calls = "tool_calls" in message
        if role == "tool" and before == "assistant" and _CALL_IN_TEXT.search(kept[-1]["content"]):
            before = "calls"
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
    """The messages without what stands before the first question (but system texts) and after the last answer; None if none is left.

    Messages of one role that follow one another are joined by an empty line.
    """
    said = merged(said)
    head = [message for message in said if message["role"] == "system"][:1] if said and said[0]["role"] == "system" else []
    begin = next((place for place, message in enumerate(said) if message["role"] == "user"), len(said))
    end = next((place for place in range(len(said) - 1, begin, -1) if said[place]["role"] == "assistant"), None)
    return None if end is None else [*head, *said[begin : end + 1]]


def merged(said: Sequence[RawMessage]) -> list[RawMessage]:
    """The messages, those of one role joined; answers of tools stay apart, as do an assistant's calls and what is said after them.

    What holds a part that is not to be learned is not learned.
    """
    kept: list[RawMessage] = []
    for message in said:
        last = kept[-1] if kept else {"role": ""}
        if message["role"] != last["role"] or message["role"] == "tool" or "tool_calls" in last:
            kept.append(message)
            continue
        both = {**last, **message}
        for key in ("content", THOUGHT):
            if key in both:
                both[key] = "\n\n".join(held for one in (last, message) if (held := one.get(key, "")) and not blank(held))
        kept[-1] = both
    return kept


def flat(value: Any, column: str, notes: Notes) -> str:
    """A text that may be written as one turn, or as the parts of one. Raises as `messages` does."""
    if value == {} or value == []:
        return ""
    if value.__class__ is dict:
        key, said = _first(value, CONTENT_KEYS)
        notes.leave("key", (f"{column}.{name}" for name, held in value.items() if name not in (key, "role", "type") and given(held)))
        value = (said if said.__class__ is not dict else [said]) if key else value
    if value.__class__ is list and value and all(part.__class__ is str for part in value):
        value = "\n".join(value)
    return _joined(value, column, 1, notes) if value.__class__ is list else text(value, column)


def _wrong_type(value: Any, column: str, turn: int = 0) -> InputError:
    return InputError("data.row.type", column=_place(column, turn), found=_FOUND.get(type(value), "value"))


def _place(column: str, turn: int) -> str:
    return shown(f"{column} #{turn}" if turn else column)


def _first(turn: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, Any]:
    """The first of the keys that holds something, and what; two times nothing where none does."""
    for key in keys:
        value = turn.get(key)
        if value is not None:
            return key, value
    return "", None


_Context = tuple[str, TurnKeys, dict[str, str], Notes]  # column, how turns are read, names of tools by the id of a call, what is noticed


def _message(turn: Any, number: int, context: _Context) -> RawMessage:
    column, known, names, notes = context
    if turn.__class__ is not dict:
        raise InputError("data.row.turns", column=shown(column))
    role_key, speaker = _first(turn, known.role_keys)
    role = known.roles.get(speaker) if speaker.__class__ is str else None
    if not role_key and turn:
        raise InputError("data.row.speaker", turn=number, keys=listed(list(turn)))
    if role is None:
        role = known.roles.get(squeezed(speaker)) if isinstance(speaker, str) else None
        if role is None:
            raise InputError("data.row.role", turn=number, role=shown(speaker) if isinstance(speaker, str) else "")
    content_key, content = _first(turn, known.content_keys)
    message: RawMessage
    if role == "call":
        message = {"role": "assistant", "content": "", "tool_calls": calls(content, number, names, notes)}
    else:
        thoughts: list[str] = []
        marked: RawMessage = {"weight": 0} if role == "assistant" and content.__class__ is list and any(map(_unwanted, content)) else {}
        if content.__class__ is list:
            content = _joined(content, column, number, notes, thoughts if role == "assistant" else None)
        message = {"role": role, "content": text(content, column, number)} | marked
        notes.marked += len(marked)
        if thoughts:
            message[THOUGHT] = "\n\n".join(thoughts)
    thinks = role == "assistant" and next((key for key in _THINKING if turn.get(key) is True), None)
    if thinks and not blank(message["content"]):  # AI Studio's: a turn that is only thought belongs to the answer after it
        message = {"role": role, "content": "", THOUGHT: message["content"], ITEM: True}
    _add_rest(message, turn, number, context, {role_key, content_key, ITEM, str(thinks)})
    return message


def _add_rest(message: RawMessage, turn: Mapping[str, Any], number: int, context: _Context, used: set[str]) -> None:
    """What a turn holds beside its speaker and its text: calls and names of tools, tools, marks. All else is noted as not used."""
    _, _, names, notes = context
    called = next((key for key in ("tool_calls", "function_call") if turn.get(key) and turn[key] != "[]"), None)
    if called:
        if message["role"] != "assistant":
            raise InputError("data.row.call", turn=number)
        message["tool_calls"] = calls(turn[called], number, names, notes)
        used.add(called)
    if message["role"] == "tool":
        name = turn.get("name") or names.get(str(turn.get("tool_call_id")))
        if name:
            message["name"] = text(name, "name", number)
        used |= {"name", "tool_call_id"}
    for key, value in turn.items():
        if key not in used and given(value) and value != "[]" and not _heeded(key, value, message, notes):
            notes.leave("key", [key])


def _heeded(key: str, value: Any, message: RawMessage, notes: Notes) -> bool:
    """Whether a key of a turn is of use: a mark that can be obeyed, or tools."""
    wanted = marks.wanted(key, value)
    if wanted is False and message["role"] == "assistant":
        notes.marked += "weight" not in message
        message["weight"] = 0
    if wanted is not None and isinstance(value, Mapping):
        notes.leave("key", (f"{key}.{name}" for name, held in value.items() if given(held) and marks.wanted(name, held) is None))
    if wanted is not None:
        return wanted is False or message["role"] == "assistant"  # questions are not learned, whatever a mark asks for
    if squeezed(key) in THOUGHTS and isinstance(value, str):
        return add_thought(message, text(value, key))
    if squeezed(key) not in TOOLS:
        return False
    try:
        notes.tools += tools(value, key)
    except InputError:
        return False
    return True


def add_thought(message: RawMessage, thought: str) -> bool:
    """Gives an answer its thought, to the letter. False where it is none of an assistant, or has one already."""
    if message["role"] != "assistant" or THOUGHT in message or "<think>" in message["content"]:
        return THOUGHT in message and thought in message[THOUGHT]
    message[THOUGHT] = thought
    return True


def _thought(part: Mapping[str, Any], column: str, number: int, notes: Notes) -> str | None:
    """What a typed part says of what was thought; None where it is no such part."""
    kind = part.get("type")
    if isinstance(part.get("reasoningContent"), dict):  # Bedrock's
        return _thought({"thought": True, **(part["reasoningContent"].get("reasoningText") or {})}, column, number, notes)
    if kind not in _THOUGHT_PARTS and part.get("thought") is not True:
        return None
    key, said = _first(part, (*_THOUGHT_PARTS, *_PART_TEXTS) if kind in _THOUGHT_PARTS else _PART_TEXTS)
    notes.leave("part", (name for name, value in part.items() if name not in ("type", key, "thought") and given(value)))
    return _joined(said, column, number, notes) if said.__class__ is list else text(said, column, number)


def _joined(parts: list[Any], column: str, number: int, notes: Notes, thoughts: list[str] | None = None) -> str:
    """The texts of the typed parts of a content, one right after the other; thoughts go to `thoughts`, or are noted as not used."""
    texts = []
    for part in parts:
        if isinstance(part, str) and not isinstance(part, Number) and len(parts) == 1:
            return text(part, column, number)
        if not isinstance(part, dict):
            raise _wrong_type(parts, column, number)
        thought, kind = _thought(part, column, number, notes), part.get("type")
        if thought is not None and thoughts is not None:
            thoughts += [thought] if given(thought) else []
            continue
        if thought is not None or kind in _UNREADABLE_PARTS:
            notes.leave("part", [str(kind or "thought")])
            continue
        key, said = _first(part, _PART_TEXTS)
        if kind not in _TEXT_PARTS or (kind is None and "text" not in part):
            raise InputError("data.row.part", turn=number, found=shown(str(kind or next(iter(part), kind))))
        if said.__class__ is dict and "value" in said:
            notes.leave("part", (f"{key}.{name}" for name, held in said.items() if name != "value" and given(held)))
            said = said["value"]
        texts.append(text(said, column, number))
        if len(part) > _PART:
            notes.leave("part", (name for name, value in part.items() if name not in ("type", key, "thought") and _unheard(name, value)))
    return "".join(texts)


def _unwanted(part: Any) -> bool:
    """Whether a typed part says of itself that it is not to be learned."""
    return isinstance(part, dict) and len(part) > _PART and any(marks.wanted(key, value) is False for key, value in part.items())


def _unheard(name: str, value: Any) -> bool:
    return given(value) and marks.wanted(name, value) is None
