"""Exports of chats, where each record is one message, to conversations: of one speaker as the assistant, all others as the user.

Told by the columns of a sample; records of any other kind never come here. Who the assistant is, a person has to say.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.data.formats.notes import Unused
from tuning.data.formats.turns import WORDS
from tuning.data.formats.vocabulary import ANSWER
from tuning.data.moments import moment, month_first
from tuning.data.records import FileRecord, Values, given, listed, shown, squeezed
from tuning.data.roles import ROLES
from tuning.errors import InputError
from tuning.schema import Notice

PAUSE = 8 * 3600.0  # seconds of silence after which another conversation begins
_MOST = 50  # speakers that are offered by name

_AUTHORS = (
    "author",
    "from",
    "sender",
    "sendername",
    "user",
    "username",
    "speaker",
    "autore",
    "mittente",
    "nome",
    "utente",
    "da",
    "name",
    "absender",
    "verfasser",
    "remitente",
    "expéditeur",
    "auteur",
    "autor",
)
_DATES = (
    "date",
    "timestamp",
    "timestampms",
    "ts",
    "time",
    "datetime",
    "data",
    "ora",
    "dataora",
    "createdat",
    "sentat",
    "when",
    "datum",
    "zeit",
    "zeitstempel",
    "fecha",
    "hora",
    "heure",
    "messagedate",
    *("createddatetime", "sentdatetime", "originalarrivaltime", "messagetime"),
)
_HOURS = ("time", "ora", "orario", "hour", "uhrzeit", "zeit", "hora", "heure")  # in a column of its own, beside one of the date
_CONTENTS = (
    "content",
    "text",
    "message",
    "body",
    "messaggio",
    "testo",
    "contenuto",
    "msg",
    "nachricht",
    "inhalt",
    "mensaje",
    "texto",
    "texte",
)
_CHATS = ("chat", "chatid", "chatsession", "chatname", "channel", "channelid", "conversationid", "conversation", "threadid", "canale")
_WHATSAPP = {"author", "date", "content"}
_OF_EXPORTS = ("fromid", "authorid", "userprofile", "clientmsgid", "timestampms")  # columns that only exports have
_ROLES_ALONE = ("role", "from", "speaker", "ruolo")  # whose columns are turns, where all that stands there is known
_NAMES = ("real_name", "displayName", "display_name", "nickname", "name", "username", "id")
_DIRECTIONS = ("type", "direction", "messagetype", "tipo", "direzione", "richtung")
_ANSWERS = frozenset(("outgoing", "outbound", "sent", "inviato", "inviata", "inviati", "inuscita", "gesendet", "envoyé", "enviado"))
_ASKS = frozenset(
    ("incoming", "inbound", "received", "ricevuto", "ricevuta", "ricevuti", "inarrivo", "inentrata", "empfangen", "reçu", "recibido")
)
_SERVICE = frozenset(
    ("service", "system", "systemeventmessage", "call", "guildmemberjoin", "channelpinnedmessage", "recipientadd", "recipientremove")
)
_OF_SERVICE = re.compile(
    r"\W*(?:(?:messages and calls|messages|i messaggi e le chiamate|i messaggi) (?:are|sono|inviati).{0,40}"
    r"(?:end-to-end|crittografat|cifrat).*"
    r"|(?:this message was deleted|you deleted this message|questo messaggio è stato eliminato|hai eliminato questo messaggio)\.?"
    r"|(?:missed (?:voice|video) call|(?:chiamata vocale|videochiamata|chiamata) persa).{0,40}|null)\W*"
    r"|\u200e(?:(?:voice call|video call|chiamata vocale|videochiamata|sprachanruf|videoanruf|appel vocal|appel vidéo|llamada|videollamada)"
    r"\b[^\n]{0,80}|(?:poll|sondaggio|umfrage|sondage|encuesta)\s?:.*)",
    re.IGNORECASE | re.DOTALL,
)
_EDITED = re.compile(  # WhatsApp's
    r"\s*\u200e?<(?:this message was edited|questo messaggio è stato modificato|diese nachricht wurde bearbeitet|ce message a été modifié"
    r"|se editó este mensaje)\.?>\s*\Z",
    re.IGNORECASE,
)
_MEDIA = re.compile(
    r"\W*(?:<[^<>\n]{0,20}(?:omess[oiae]|omitted|esclus[oiae]|attached:[^<>\n]+|allegato:[^<>\n]+|omitido|omis|ausgeschlossen)>"
    r"|(?:image|video|videomessaggio|video note|videonachricht|vidéo|audio|sticker|gif|document|contact card|immagine|documento"
    r"|nota vocale|scheda contatto|foto|bild"
    r"|dokument|imagen)"
    r" (?:omitted|omess[oa]|esclus[oa]|non inclus[oa]|weggelassen|absente?|omise?|omitid[oa])"
    r"|\S[^\n]{0,100}\.\w{2,5} \((?:file attached|file allegato)\))\W*",
    re.IGNORECASE,
)


@dataclass
class _Talk:
    """A conversation that goes on."""

    line: int
    last: float | None = None
    turns: list[dict[str, str]] = field(default_factory=list)


class Chat:
    """The messages of one export, and what became of them."""

    speaks = True

    def __init__(self, columns: tuple[str, str, str, str], asked: Mapping[str, str], american: bool) -> None:
        self.author, self.content, self.date, self.hour = columns
        self.american = american  # whether dates begin with the month
        self.assistant = asked.get("assistant")
        self.counts: Counter[str] = Counter()  # messages by speaker
        self.left: Counter[str] = Counter()  # messages by the reason why they are left out
        self.unused: Unused = Counter()
        self.rows = self.talks = self.kept = 0
        self.table = False  # whether each message has a row of its own, so that its column can be mapped

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """A record of messages for each conversation. Raises InputError `data.speakers` where nobody, or a stranger, is the assistant."""
        open_talks: dict[str, _Talk] = {}
        for record in whole:
            if record.values is None:
                self.rows += 1
                yield FileRecord(self.rows, record.line, fault=record.fault)
                continue
            for values, chat in _messages(record.values):
                yield from self._add(values, chat, record.line, open_talks)
        if self.assistant is None or squeezed(self.assistant) not in {squeezed(name) for name in self.counts}:
            names = [name for name, _ in self.counts.most_common(_MOST)]
            told = listed([f"{shown(name, 30)} ({self.counts[name]})" for name in names])
            code = "data.speakers.table" if self.table else "data.speakers"
            raise InputError(code, speakers=told, example=names[-1] if names else "", names=names, column=shown(self.content))
        for talk in open_talks.values():
            yield from self._closed(talk)

    def notices(self) -> Sequence[Notice]:
        """What became of the messages."""
        params = {key: self.left[key] for key in ("service", "media", "edge")}
        return (Notice(code="data.note.chat", params={"talks": self.talks, "messages": self.kept, **params}),)

    def _add(self, values: Values, chat: str, line: int, open_talks: dict[str, _Talk]) -> Iterator[FileRecord]:
        author, content = _speaker(values, self.author), _said(values.get(self.content))
        kind = values.get("subtype") or values.get("messageType") or values.get("type")
        if not author or (isinstance(kind, str) and squeezed(kind) in _SERVICE) or _joins(values) or _OF_SERVICE.fullmatch(content):
            self.left["service"] += 1
            return
        self.counts[author] += 1
        if self.assistant is None:
            return
        if not content.strip("\u200e \t\r\n") or _MEDIA.fullmatch(content):
            self.left["media"] += 1
            return
        content = self._bare(content)
        used = (self.author, self.content, self.date, self.hour)
        self.unused.update(
            ("key", shown(key, 80)) for key, value in values.items() if key not in used and given(value) and value != "message"
        )
        chat = chat or next((str(values[key]) for key in values if squeezed(key) in _CHATS), "")
        now = moment(_dated(values, self.date, self.hour), self.american)
        talk = open_talks.get(chat)
        if talk is not None and now is not None and talk.last is not None and now - talk.last > PAUSE:
            yield from self._closed(open_talks.pop(chat))
            talk = None
        if talk is None:
            talk = open_talks[chat] = _Talk(line)
        talk.last = now if now is not None else talk.last
        role = "assistant" if squeezed(author) == squeezed(self.assistant) else "user"
        talk.turns.append({"role": role, "content": content})

    def _bare(self, content: str) -> str:
        """A message without what the service says of it: that it was edited, or which file it comes with; both are counted."""
        bare, edited = _EDITED.subn("", content)
        first, _, rest = bare.partition("\n")
        if rest.strip() and _MEDIA.fullmatch(first):
            bare = rest
        for name, found in (("edited", edited), ("attachment", bare is rest)):
            if found:
                self.unused["part", name] += 1
        return bare

    def _closed(self, talk: _Talk) -> Iterator[FileRecord]:
        """What of a conversation can be learned: from the first turn of others to the last of the assistant, turns in a row joined."""
        turns = talk.turns
        begin = next((place for place, turn in enumerate(turns) if turn["role"] == "user"), len(turns))
        end = next((place + 1 for place in range(len(turns) - 1, begin, -1) if turns[place]["role"] == "assistant"), begin)
        self.left["edge"] += len(turns) - (end - begin)
        if end > begin:
            self.rows += 1
            self.talks += 1
            self.kept += end - begin
            messages = joined(turns[begin:end])
            size = sum(len(message["content"]) for message in messages)
            yield FileRecord(self.rows, talk.line, values={"messages": messages}, size=size)


def joined(turns: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """The turns, those of one role in a row being one, with line ends between them."""
    said: list[dict[str, str]] = []
    for turn in turns:
        if said and said[-1]["role"] == turn["role"]:
            said[-1]["content"] += "\n" + turn["content"]
        else:
            said.append(dict(turn))
    return said


def found(sample: Sequence[Values], asked: Mapping[str, str]) -> Chat | None:
    """The chat that a sample is the beginning of; None where its records are something else.

    Each record has an author, a date and a text, and no answer; there are few authors, and each speaks again, which a short export of
    a known kind need not show. A mapping by hand of columns says that it is none.
    """
    if not sample or any(target not in WORDS for target in asked):
        return None
    messages = [message for values in sample[:20] for message, _ in _messages(values)][:500]
    columns = list(dict.fromkeys(key for message in messages for key in message))
    squeezed_names = {squeezed(column): column for column in reversed(columns)}
    author = asked.get("role") or next((squeezed_names[name] for name in _AUTHORS if name in squeezed_names), None)
    content = asked.get("content") or next((squeezed_names[name] for name in _CONTENTS if name in squeezed_names), None)
    date = next((squeezed_names[name] for name in _DATES if name in squeezed_names), None)
    direction = _direction(messages, squeezed_names)
    if direction is not None and "role" not in asked:  # nothing to ask: whoever exported it answers
        author, sent = direction
        asked = {"assistant": sent, **asked}
    if "role" in squeezed_names and "role" not in asked:  # turns whose speakers are known already
        return None
    if author is None or content is None or (date is None and "role" not in asked) or len({author, content, date}) < 3:
        return None
    if any(name in ANSWER for name in squeezed_names if name not in ("a", squeezed(author), squeezed(content))):
        return None
    speakers = Counter(name for message in messages if (name := _speaker(message, author)))
    hour = _hour(messages, squeezed_names, (author, content, date or ""))
    dates = [_dated(message, date or "", hour) for message in messages]
    dated = sum(moment(one) is not None for one in dates) if date and "role" not in asked else len(messages)
    roles = {ROLES.get(squeezed(name)) for name in speakers}
    again = 2 * len(speakers) <= sum(speakers.values()) + 1 or "assistant" in asked or roles == {"user", "assistant"}
    again = again or _exported(messages, squeezed_names.keys())
    talks = len(speakers) > 1 and again and 2 * dated > len(messages)
    if not talks or (roles <= {"user", "assistant", "system"} and squeezed(author) in _ROLES_ALONE):
        return None
    if roles == {"user", "assistant"}:  # nothing to ask
        asked = {"assistant": next(name for name in speakers if ROLES[squeezed(name)] == "assistant"), **asked}
    chat = Chat((author, content, date or "", hour), asked, month_first([str(one) for one in dates]))
    chat.table = isinstance(sample[0].get(content), str)
    return chat


def _hour(messages: Sequence[Values], names: Mapping[str, str], taken: Collection[str]) -> str:
    """The column that has the hour where that of the date has none; empty where there is none."""
    column = next((names[name] for name in _HOURS if name in names and names[name] not in taken), "")
    held = [str(message.get(column) or "") for message in messages] if column else []
    return column if held and 2 * sum(":" in hour or "." in hour for hour in held) > len(held) else ""


def _dated(message: Values, date: str, hour: str) -> Any:
    """The date of a message, with the hour that stands in a column of its own."""
    when = message.get(date)
    return f"{when} {message.get(hour) or ''}".strip() if hour and ":" not in str(when) else when


def _direction(messages: Sequence[Values], names: Mapping[str, str]) -> tuple[str, str] | None:
    """The column that says whether a message was sent or received, and what it says of those that were sent; None where there is none."""
    for name in _DIRECTIONS:
        held = {str(message.get(names[name]) or "") for message in messages} if name in names else set()
        sent = [value for value in held if squeezed(value) in _ANSWERS]
        if len(sent) == 1 and {squeezed(value) for value in held} - _ANSWERS and all(squeezed(v) in _ASKS | _ANSWERS for v in held):
            return names[name], sent[0]
    return None


def _exported(messages: Sequence[Values], columns: Collection[str]) -> bool:
    """Whether messages are those of an export that can be nothing else: WhatsApp's, Telegram's, Discord's, Slack's or Messenger's."""
    return (
        set(columns) == _WHATSAPP
        or any(name in columns for name in _OF_EXPORTS)
        or all(isinstance(one.get("author"), dict) for one in messages)
    )


def _messages(values: Values) -> Iterator[tuple[Values, str]]:
    """The messages in a record, each with the chat that it stands in: a message itself, a chat, or a list of chats."""
    inside = values.get("messages")
    chats = values.get("chats")
    if isinstance(chats, dict) and isinstance(chats.get("list"), list):
        for chat in chats["list"]:
            if isinstance(chat, dict):
                yield from _messages(chat)
    elif (
        isinstance(inside, list) and inside and all(isinstance(one, dict) and any(squeezed(key) in _DATES for key in one) for one in inside)
    ):
        name = str(values.get("id") or values.get("name") or "chat")
        times = [moment(next((one[key] for key in one if squeezed(key) in _DATES), "")) or 0 for one in inside]
        for one in reversed(inside) if times[0] > times[-1] else inside:
            yield one, name
    else:
        yield values, ""


def _speaker(values: Values, column: str) -> str:
    profile = values.get("user_profile")
    held = profile if isinstance(profile, dict) else values.get(column) or values.get("username")
    if isinstance(held, dict) and isinstance(held.get("user"), dict):  # as Teams has it
        held = held["user"]
    if isinstance(held, dict):
        held = next((held[key] for key in _NAMES if held.get(key)), "")
    return str(held).strip() if isinstance(held, str) else ""


def _said(content: Any) -> str:
    """The text of a message; of one in parts, its parts one after the other."""
    if isinstance(content, list):
        return "".join(_said(part.get("text") if isinstance(part, dict) else part) for part in content)
    if isinstance(content, dict):
        return _said(content.get("content"))
    return str(content) if isinstance(content, str) else ""


def _joins(values: Values) -> bool:
    """Whether a message of Slack says only that somebody came, went or renamed something."""
    kind = values.get("subtype")
    return isinstance(kind, str) and kind.startswith(("channel_", "group_", "pinned_", "reminder_"))
