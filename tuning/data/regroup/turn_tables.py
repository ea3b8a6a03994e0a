"""Tables with one turn of a conversation in each row, to conversations: by a column that says which, or by turns that are counted anew.

Who speaks is told by known names in each row; chats between people, of whom one has to be named, are in `speakers`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuning.data.formats.notes import Unused
from tuning.data.formats.turns import CONTENT_KEYS
from tuning.data.records import FileRecord, Values, given, squeezed
from tuning.data.roles import ROLES
from tuning.schema import Notice

_TALKS = (
    *(
        "conversationid",
        "conversation",
        "convid",
        "dialogueid",
        "dialogue",
        "dialogid",
        "dialog",
        "threadid",
        "thread",
        "chatid",
        "sessionid",
    ),
    *(
        "session",
        "talkid",
        "idconversazione",
        "conversazioneid",
        "conversazione",
        "iddialogo",
        "dialogo",
        "idchat",
        "sessione",
        "idsessione",
    ),
    *("gesprächsid", "gespräch", "idconversation", "idconversación", "conversación"),
)
_NUMBERS = (
    *("turn", "turnid", "turnidx", "turnindex", "turnnumber", "turno", "numeroturno", "messageindex", "messagenumber", "index", "idx"),
    *("step", "position", "order", "ordine", "posizione", "seq", "sequence", "utteranceidx", "utteranceid"),
)
_SPEAKERS = ("role", "from", "speaker", "ruolo", "rolle", "rôle", "rol", "chi")
_TEXTS = (*CONTENT_KEYS, "utterance", "testo", "nachricht", "inhalt", "mensaje", "texte", "texto")


class TurnTable:
    """The turns of a file, and which column is what."""

    speaks = False

    def __init__(self, role: str, content: str, talk: str | None, number: str | None) -> None:
        self._role, self._content, self._talk, self._number = role, content, talk, number
        self.unused: Unused = Counter()
        self._talks = self._messages = 0

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """A record of messages for each conversation; all rows are held until the last is read."""
        talks: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        lines: dict[str, int] = {}
        row, last, name = 0, float("inf"), ""
        for record in whole:
            if record.values is None:
                row += 1
                yield FileRecord(row, record.line, fault=record.fault)
                continue
            number = _number(record.values.get(self._number)) if self._number else 0.0
            if self._talk is not None:
                name = str(record.values.get(self._talk))
            elif number <= last:
                name = str(len(talks))
            last = number
            lines.setdefault(name, record.line)
            talks.setdefault(name, []).append((number, self._turn(record.values)))
        for name, turns in talks.items():
            row += 1
            turns.sort(key=lambda turn: turn[0])
            messages = [turn for _, turn in turns]
            self._talks, self._messages = self._talks + 1, self._messages + len(messages)
            size = sum(len(str(turn["content"])) for turn in messages)
            yield FileRecord(row, lines[name], values={"messages": messages}, size=size)

    def notices(self) -> Sequence[Notice]:
        """How many rows became how many conversations."""
        return (Notice(code="data.note.turns", params={"messages": self._messages, "talks": self._talks}),)

    def _turn(self, values: Values) -> dict[str, Any]:
        """A turn with what else its row holds: marks are obeyed there, all else is named as not used."""
        mine = (self._role, self._content, self._talk, self._number)
        beside = {key: held for key, held in values.items() if key not in mine and given(held)}
        return {**beside, "role": values.get(self._role), "content": values.get(self._content)}


def found(sample: Sequence[Values], asked: Mapping[str, str]) -> TurnTable | None:
    """The table that a sample is the beginning of; None where its rows are something else, or a mapping by hand says what they are."""
    if not sample or asked:
        return None
    names = {squeezed(name): name for row in sample for name in row}
    role, content, talk, number = (
        next((names[name] for name in known if name in names), None) for known in (_SPEAKERS, _TEXTS, _TALKS, _NUMBERS)
    )
    if role is None or content is None or (talk is None and number is None):
        return None
    roles = {ROLES.get(squeezed(held)) if isinstance(held := row.get(role), str) else None for row in sample}
    if None in roles or not {"user", "assistant"} <= roles or any(isinstance(row.get(content), list | dict) for row in sample):
        return None
    if talk is None:
        held = [_number(row.get(number or "")) for row in sample]
        return (
            TurnTable(role, content, None, number)
            if float("inf") not in held and min(held) in (0.0, 1.0) and held[0] == min(held)
            else None
        )
    several = len({str(row.get(talk)) for row in sample}) < len(sample)
    numbers = number if number is not None and all(_number(row.get(number)) != float("inf") for row in sample) else None
    return TurnTable(role, content, talk, numbers) if several else None


def _number(value: Any) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("inf")
