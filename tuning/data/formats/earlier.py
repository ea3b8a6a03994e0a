"""Earlier turns that stand in a column of their own beside a question: pairs, turns, or texts by turns.

What is not understood is left to be named as not used; no row is refused for it.
"""

from collections.abc import Mapping
from typing import Any

from tuning.data.formats.notes import Notes
from tuning.data.formats.tool_calls import parsed
from tuning.data.formats.turns import RawMessage, messages, ordered
from tuning.data.records import blank, squeezed
from tuning.errors import InputError

HISTORY = (
    *("history", "cronologia", "storico", "storia", "chathistory", "conversationhistory", "dialoghistory", "dialoguehistory", "dialogue"),
    *("previousturns", "pastturns", "previousmessages", "turniprecedenti", "messaggiprecedenti", "past", "precedenti"),
)
_ASKS = ("question", "user", "human", "query", "prompt", "instruction", "input", "q", "domanda", "utente", "cliente", "richiesta")
_SAYS = ("answer", "assistant", "bot", "gpt", "response", "output", "completion", "reply", "a", "risposta", "assistente", "operatore")


def earlier(value: Any, column: str, notes: Notes) -> list[RawMessage] | None:
    """The messages of earlier turns, questions and answers in turn; None where the value is not understood."""
    try:
        turns = parsed(value) if isinstance(value, str) else value
        said = _said(turns, column, notes) if isinstance(turns, list) else []
        kept = ordered(said) if said else []
    except (InputError, ValueError):
        return None
    return None if not kept or len(kept) < len(said) or kept[0]["role"] == "system" else kept


def _said(turns: list[Any], column: str, notes: Notes) -> list[RawMessage]:
    if all(isinstance(turn, str) for turn in turns):  # one after the other
        return _paired(list(zip(turns[::2], turns[1::2], strict=True)))
    if all(isinstance(turn, list) for turn in turns):
        return _paired([(question, answer) for question, answer in turns])
    pairs = [_pair(turn) for turn in turns]
    if all(pair is not None for pair in pairs):
        return _paired([pair for pair in pairs if pair is not None])
    return messages(turns, column, notes=notes)


def _paired(pairs: list[tuple[Any, Any]]) -> list[RawMessage]:
    if not all(isinstance(text, str) and not blank(text) for pair in pairs for text in pair):
        return []
    return [{"role": role, "content": str(text)} for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]


def _pair(turn: Any) -> tuple[Any, Any] | None:
    """A question and its answer in one object with nothing else."""
    if not isinstance(turn, Mapping) or len(turn) != 2:
        return None
    held = {squeezed(key): value for key, value in turn.items()}
    asked, answered = (next((key for key in names if key in held), None) for names in (_ASKS, _SAYS))
    return None if asked is None or answered is None else (held[asked], held[answered])
