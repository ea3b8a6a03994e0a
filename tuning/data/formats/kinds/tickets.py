"""Tickets of a help desk (Zendesk, Freshdesk, Intercom and others): what a customer wrote, and the replies, as a conversation.

Who opened the ticket, or is marked as a customer, is the user; everybody else answers. Internal notes are left out and counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Format, Targets, needed, wanted
from tuning.data.formats.turns import mended, merged, ordered, text
from tuning.data.records import Values, blank, given, shown, squeezed
from tuning.data.roles import ROLES
from tuning.errors import InputError

_CUSTOMERS = frozenset(
    ("user", "contact", "lead", "customer", "enduser", "requester", "visitor", "cliente", "utente", "incoming", "inbound")
)
_AGENTS = frozenset(("admin", "agent", "bot", "operator", "staff", "support", "operatore", "agente", "outgoing", "outbound", "reply"))
_BODIES = ("plainbody", "bodytext", "text", "body", "content", "message", "testo", "messaggio", "htmlbody", "value")
_AUTHORS = ("authorid", "userid", "author", "from", "sender", "createdby", "user", "fromemail", "autore", "mittente")
_KINDS = ("authortype", "usertype", "role", "type", "direction", "sourcetype")
_TURNS = ("role", "from", "speaker", "ruolo")
_PRIVATE = ("private", "isprivate", "internal", "isnote")


class Ticket(Format):
    """A ticket and the messages that were exchanged about it."""

    name = "ticket"
    by_content = True
    example: ClassVar[Values] = {
        "description": "How much is a hem?",
        "comments": [{"author_id": 1, "body": "How much is a hem?"}, {"author_id": 2, "body": "Twelve euros."}],
    }
    targets: ClassVar[Targets] = {
        "thread": ("comments", "conversationparts", "conversations", "threads", "thread", "posts", "commenti", "risposte"),
        "opening": ("description", "descriptiontext", "source", "body", "details", "descrizione"),
        "requester": ("requesterid", "requester", "customer", "customerid", "richiedente"),
    }
    required = frozenset({"thread"})

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        notes, column = notes or Notes(), mapping["thread"]
        thread = needed(row, mapping, "thread")
        if isinstance(thread, dict):
            thread = next((held for held in thread.values() if isinstance(held, list)), None)
        if (
            not isinstance(thread, list)
            or not thread
            or not all(isinstance(one, dict) and _under(one, _BODIES) is not None for one in thread)
        ):
            raise InputError("data.row.turns", column=shown(column))
        if any(isinstance(one.get(key), str) for one in thread for key in _TURNS):  # a conversation, whose faults are its own
            raise InputError("data.row.turns", column=shown(column))
        opening, asker = wanted(row, mapping, "opening"), _name(wanted(row, mapping, "requester"))
        if isinstance(opening, dict):
            opening = _under(opening, _BODIES)
        said = [{"role": "user", "content": opening}] if isinstance(opening, str) and not blank(opening) else []
        asker = asker or _name(_under(thread[0], _AUTHORS))
        for number, one in enumerate(thread, start=1):
            role = _role(one, asker)
            if role is None:
                raise InputError("data.row.speaker", turn=number, keys=", ".join(shown(key) for key in one))
            if _internal(one):
                notes.leave("part", [f"{column}: internal notes"])
                continue
            words = text(_under(one, _BODIES), column, number)
            if not blank(words) and not (number == 1 and said and words.strip() == str(said[0]["content"]).strip()):
                said.append({"role": role, "content": words})
        joined = merged(said)
        kept = mended(joined)
        if kept is None:
            raise InputError("data.row.empty_answer")
        notes.leave("part", [f"{column}: without an answer"] * (len(joined) - len(kept)))
        return {"messages": ordered(kept)}


def _role(message: Mapping[str, Any], asker: str) -> str | None:
    """Whether the customer speaks, or who answers; None where nothing tells."""
    incoming = _under(message, ("incoming", "inbound", "fromcustomer"))
    if isinstance(incoming, bool):
        return "user" if incoming else "assistant"
    author = _under(message, _AUTHORS)
    for held in (message, author):
        kind = _under(held, _KINDS) if isinstance(held, dict) else None
        plain = squeezed(kind) if isinstance(kind, str) else ""
        if plain in _CUSTOMERS or plain in _AGENTS:
            return "user" if plain in _CUSTOMERS else "assistant"
    name = _name(author)
    known = ROLES.get(squeezed(name))
    if known in ("user", "assistant"):
        return known
    return None if not name else "user" if name == asker else "assistant"


def _internal(message: Mapping[str, Any]) -> bool:
    kind = _under(message, ("type", "parttype"))
    return _under(message, ("public",)) is False or any(_under(message, (key,)) is True for key in _PRIVATE) or kind == "note"


def _name(author: Any) -> str:
    """Who somebody is, by the id or the name of an object, or what stands in their place."""
    if isinstance(author, dict):
        author = _under(author, ("id", "email", "name", "displayname"))
    return "" if author is None or isinstance(author, bool | list) else str(author)


def _under(held: Mapping[str, Any], names: Sequence[str]) -> Any:
    """What an object holds under the first of some names that says something."""
    plain = {squeezed(key): value for key, value in held.items() if given(value)}
    return next((plain[name] for name in names if name in plain), None)
