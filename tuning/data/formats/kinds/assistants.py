"""Exports of conversations with an assistant, where who is who is known: ChatGPT's trees of messages, Claude's lists."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Format, Targets
from tuning.data.formats.turns import RawMessage, add_thought, mended, merged, ordered, text
from tuning.data.records import Values, blank, given, shown, value_at
from tuning.errors import InputError

_HEARD = ("all", None)


class ChatGptExport(Format):
    """A conversation of ChatGPT's export (`mapping`, `current_node`): the branch that is shown is learned, the others are not."""

    name = "chatgpt"
    example: ClassVar[Values] = {
        "mapping": {
            "a": {"parent": None, "message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Who are you?"]}}},
            "b": {"parent": "a", "message": {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["A model."]}}},
        },
        "current_node": "b",
    }
    targets: ClassVar[Targets] = {"mapping": ("mapping",), "current": ("currentnode",)}
    required = frozenset({"mapping"})

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        column, notes = mapping["mapping"], notes or Notes()
        nodes = value_at(row, column)
        if not isinstance(nodes, dict) or not all(isinstance(node, dict) and "message" in node for node in nodes.values()):
            raise InputError("data.row.turns", column=shown(column))
        current = value_at(row, mapping["current"]) if "current" in mapping else None
        branch = list(_branch(nodes, current if isinstance(current, str) and current in nodes else next(reversed(nodes), "")))
        aside = [node for key, node in nodes.items() if key not in branch and _text_of(node["message"])]
        notes.leave("part", [f"{column}: other branches"] * len(aside))
        said: list[RawMessage] = []
        for key in branch:
            message = nodes[key]["message"]
            words, role = _text_of(message), _role(message)
            if role in ("system", "user", "assistant") and words and message.get("recipient") in _HEARD and _spoken(message):
                said.append({"role": role, "content": text(words, column, len(said) + 1)})
            elif words or (isinstance(message, dict) and role in ("user", "assistant")):
                notes.leave("part", [f"{column}: {role or 'unknown'} {_kind(message)}".strip()])
        return _conversation(said, column, notes)


class ClaudeExport(Format):
    """A conversation of Claude's export: its `chat_messages`, each with a sender."""

    name = "claude"
    example: ClassVar[Values] = {
        "chat_messages": [{"sender": "human", "text": "Who are you?"}, {"sender": "assistant", "text": "A model."}]
    }
    targets: ClassVar[Targets] = {"chat_messages": ("chatmessages",)}
    required = frozenset({"chat_messages"})

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        column, notes = mapping["chat_messages"], notes or Notes()
        turns = value_at(row, column)
        if not isinstance(turns, list) or not all(isinstance(turn, dict) and isinstance(turn.get("sender"), str) for turn in turns):
            raise InputError("data.row.turns", column=shown(column))
        said: list[RawMessage] = []
        for turn in turns:
            parts = turn.get("content") if isinstance(turn.get("content"), list) else []
            texts = [
                str(part["text"]) for part in parts if isinstance(part, dict) and part.get("type") == "text" and given(part.get("text"))
            ]
            thoughts = [str(part["thinking"]) for part in parts if isinstance(part, dict) and _thinks(part) and turn["sender"] != "human"]
            taken = ("text", "thinking") if thoughts else ("text",)
            notes.leave("part", [str(part.get("type")) for part in parts if isinstance(part, dict) and part.get("type") not in taken])
            words = "\n".join(texts) or turn.get("text") or ""
            notes.leave("key", [key for key in turn if key not in ("sender", "text", "content") and given(turn[key])])
            said.append({"role": "user" if turn["sender"] == "human" else "assistant", "content": text(words, column, len(said) + 1)})
            if thoughts:
                add_thought(said[-1], text("\n\n".join(thoughts), column, len(said)))
        return _conversation([message for message in said if not blank(message["content"])], column, notes)


class GeminiActivity(Format):
    """An entry of the activity that Google exports of Gemini: what was asked, in its title, and the answer, as HTML."""

    name = "gemini"
    example: ClassVar[Values] = {"title": "Prompted Who are you?", "safeHtmlItem": [{"html": "<p>A model.</p>"}]}
    targets: ClassVar[Targets] = {"title": ("title", "titolo"), "answer": ("safehtmlitem",)}
    required = frozenset({"title", "answer"})

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        held = value_at(row, mapping["answer"])
        if not isinstance(held, list) or not all(isinstance(one, dict) and isinstance(one.get("html"), str) for one in held):
            raise InputError("data.row.type", column=shown(mapping["answer"]), found="value")
        question = text(value_at(row, mapping["title"]), mapping["title"]).removeprefix("Prompted ")
        answer = text("\n".join(one["html"] for one in held), mapping["answer"])
        return {"messages": ordered([{"role": "user", "content": question}, {"role": "assistant", "content": answer}])}


def _thinks(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "thinking" and isinstance(part.get("thinking"), str) and not blank(part["thinking"])


def _branch(nodes: Mapping[str, Any], leaf: str) -> Iterator[str]:
    path: dict[str, None] = {}
    key: Any = leaf
    while isinstance(key, str) and key in nodes and key not in path:  # a circle ends it
        path[key] = None
        key = nodes[key].get("parent")
    return reversed(path)


def _role(message: Any) -> str:
    author = message.get("author") if isinstance(message, dict) else None
    return str(author.get("role", "")) if isinstance(author, dict) else ""


def _kind(message: Any) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    return str(content.get("content_type", "")) if isinstance(content, dict) else ""


def _spoken(message: Any) -> bool:
    return _kind(message) in ("text", "multimodal_text", "")


def _text_of(message: Any) -> str:
    """The texts of a message; its pictures are none."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, dict):
        return ""
    parts = content.get("parts")
    parts = parts if isinstance(parts, list) else [content.get("text")]
    return "\n".join(part for part in parts if isinstance(part, str) and not blank(part))


def _conversation(said: list[RawMessage], column: str, notes: Notes) -> dict[str, Any]:
    """What can be learned: messages of one side in a row are joined, what stands before a question or after the last answer is noted."""
    joined = merged(said)
    kept = mended(joined)
    if kept is None:
        raise InputError("data.row.empty_answer" if joined else "data.row.empty_question")
    notes.leave("part", [f"{column}: without an answer"] * (len(joined) - len(kept)))
    return {"messages": ordered(kept)}
