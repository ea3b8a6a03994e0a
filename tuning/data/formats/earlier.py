"""Earlier turns that stand in a column of their own beside a question: pairs, turns, or texts by turns.

What is not understood is left to be named as not used; no row is refused for it.
"""

from typing import Any

from tuning.data.formats.notes import Notes
from tuning.data.formats.tool_calls import parsed
from tuning.data.formats.turns import RawMessage, messages, ordered
from tuning.errors import InputError

HISTORY = (
    *("history", "cronologia", "storico", "storia", "chathistory", "conversationhistory", "dialoghistory", "dialoguehistory", "dialogue"),
    *("previousturns", "pastturns", "previousmessages", "turniprecedenti", "messaggiprecedenti", "past", "precedenti"),
    *("previous", "prevturns", "pastmessages", "contextturns", "verlauf", "gesprächsverlauf", "chatverlauf", "historique", "historial"),
)


def earlier(value: Any, column: str, notes: Notes) -> list[RawMessage] | None:
    """The messages of earlier turns, questions and answers in turn; None where the value is not understood."""
    try:
        turns = parsed(value) if isinstance(value, str) else value
        said = messages(turns, column, notes=notes) if isinstance(turns, list) else []
        kept = ordered(said) if said else []
    except (InputError, ValueError):
        return None
    return None if not kept or len(kept) < len(said) or kept[0]["role"] == "system" else kept
