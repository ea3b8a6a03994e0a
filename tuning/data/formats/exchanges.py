"""Conversations whose turns name nobody: texts in turn, pairs, or objects that hold a question and its answer; made turns that do.

Who begins is the user. Which column holds them is for the formats to say.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tuning.data.records import Number, given, squeezed

NAMES = frozenset(  # of columns in which texts in turn are a conversation, squeezed
    {
        *("conversation", "conversations", "messages", "dialog", "dialogs", "dialogue", "dialogues", "chat", "turns", "utterances", "data"),
        *("exchanges", "conversazione", "conversazioni", "messaggi", "dialogo", "dialoghi", "turni", "scambi", "battute"),
    }
)
_ASKS = ("question", "user", "human", "query", "prompt", "instruction", "input", "q", "domanda", "utente", "cliente", "richiesta")
_SAYS = ("answer", "assistant", "bot", "gpt", "response", "output", "completion", "reply", "a", "risposta", "assistente", "operatore")
_SYSTEM = ("system", "sistema")


def speaking(turns: Sequence[Any], role_key: str, content_key: str, roles: Collection[str]) -> list[dict[str, Any]] | None:
    """The same turns with a speaker each, `roles` being who is known; None where they are no such exchanges."""

    def turn(role: str, content: Any, beside: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {**(beside or {}), role_key: role, content_key: content}

    if in_turn(turns):
        return [turn(("user", "assistant")[place % 2], said) for place, said in enumerate(turns)]
    if all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_text, pair)) for pair in turns):
        if all(squeezed(speaker) in roles for speaker, _ in turns):
            return [turn(speaker, said) for speaker, said in turns]
        return [turn(role, said) for pair in turns for role, said in zip(("user", "assistant"), pair, strict=True)]
    found: list[dict[str, Any]] = []
    for one in turns:
        places = asked_and_answered(one)
        if places is None:
            return None
        asks, says, system = places
        found += [turn("system", one[system])] if system and given(one[system]) else []
        beside = {key: held for key, held in one.items() if key not in places}
        found += [turn("user", one[asks]), turn("assistant", one[says], beside)]
    return found


def in_turn(turns: Any) -> bool:
    """Whether a list is texts and nothing else."""
    return isinstance(turns, list) and len(turns) > 1 and all(map(_is_text, turns))


def asked_and_answered(turn: Any) -> tuple[str, str, str] | None:
    """The keys of an object under which question, answer and system text stand; None where it holds no pair."""
    if not isinstance(turn, Mapping):
        return None
    names = {squeezed(key): key for key in turn}
    asks, says, system = (next((names[name] for name in of if name in names), "") for of in (_ASKS, _SAYS, _SYSTEM))
    return (asks, says, system) if asks and says else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)
