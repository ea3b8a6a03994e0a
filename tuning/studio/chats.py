"""The conversations that an owner keeps, below home/chats/: found again, renamed, exported, deleted; and how each target is to answer.

Nothing is asked of a model here. Another owner's conversation is as unknown as one that never was.
"""

import functools
import hashlib
import json
import pathlib
import re
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuning.errors import InputError
from tuning.runs import disk, files
from tuning.runs.contents import AnswerSettings, KeptChat, KeptSettings, KeptTurn
from tuning.schema import Message
from tuning.studio.shared import Shared
from tuning.text import t

if TYPE_CHECKING:
    from tuning.studio.quotas import Quotas

SETTINGS = "settings.json"
TARGETS = 200  # whose settings are kept, those that were set last
_ID = re.compile("[0-9a-f]{16}")


def folder_of(home: pathlib.Path, owner: str, kind: str = "chats") -> pathlib.Path:
    """Where an owner's conversations are, or another `kind` of things; the name of an owner may be no name of a folder."""
    return home / kind / hashlib.sha256(owner.encode()).hexdigest()[:16]


def size(home: pathlib.Path, owner: str) -> int:
    """Bytes of an owner's conversations on disk."""
    return sum(path.stat().st_size for path in folder_of(home, owner).glob("*.json"))


class Chats:
    """The conversations of one owner."""

    def __init__(self, shared: Shared, owner: str, quotas: "Quotas") -> None:
        self.owner, self._quotas = owner, quotas
        self._folder = folder_of(shared.settings.home, owner)

    def list(self) -> list[KeptChat]:
        """All conversations, the one that was talked in last first. A file that cannot be read is left out, and the log says why."""
        found = (
            disk.kept(functools.partial(disk.record, path, KeptChat), None) for path in self._folder.glob("*.json") if self._is_chat(path)
        )
        return sorted((chat for chat in found if chat is not None and chat.owner == self.owner), key=lambda chat: -chat.updated)

    @staticmethod
    def _is_chat(path: pathlib.Path) -> bool:
        return bool(_ID.fullmatch(path.stem))

    def get(self, id: str) -> KeptChat:
        """One conversation. Raises InputError `chat.unknown`, also where it is somebody else's, FileFault where it cannot be read."""
        path = self._path(id)
        try:
            found = disk.record(path, KeptChat)
        except disk.FileFault as fault:
            if not fault.missing:
                raise
            found = None
        if found is None or found.owner != self.owner:
            raise InputError("chat.unknown")
        return found

    def save(
        self, id: str | None, target: str, turns: Sequence[Message], beside: Sequence[Message] = (), seen: float | None = None
    ) -> KeptChat:
        """Keep a conversation, a new one where `id` is None or is not there any more; as it is kept.

        `beside`: the same with the base model. A turn that stood there before keeps its proof, but for a `KeptTurn`, which brings its own.
        `seen`: when it was `updated` last, as far as whoever writes knows: where another window has gone on with it, and said what is not
        among these turns, it stays as it is and this is a new one. Raises InputError `quota.storage`.
        """
        self._quotas.room()
        now = time.time()
        try:
            old = self.get(id) if id else None
        except InputError:  # deleted in another window: what was said since is kept all the same
            old = None
        if old is None or (seen not in (None, old.updated) and not (_begin(old.turns, turns) and _begin(old.beside, beside))):
            asked = next((turn.content for turn in turns if turn.role == "user"), "")
            old = KeptChat(owner=self.owner, id=secrets.token_hex(8), name=_name(asked), target=target, created=now, updated=now)
        said = {"turns": _proven(turns, old.turns), "beside": _proven(beside, old.beside)}
        kept = old.model_copy(update={"target": target, **said, "updated": now})
        self._write(kept)
        return kept

    def rename(self, id: str, name: str) -> None:
        """Give a conversation another name. Raises InputError for none."""
        if not files.clean_name(name):
            raise InputError("chat.no_name")
        self._write(self.get(id).model_copy(update={"name": _name(name)}))

    def delete(self, id: str) -> None:
        """Remove a conversation for good."""
        self.get(id)
        files.remove(self._path(id))

    def export(self, id: str, form: str, lang: str) -> tuple[str, str]:
        """A conversation as the name of a file and what it holds: `jsonl` is one row in the messages format, else it is Markdown."""
        chat = self.get(id)
        name = files.slug(chat.name, 60, "chat")
        if form == "jsonl":
            turns = chat.turns[: -1 if chat.turns and chat.turns[-1].role == "user" else None]  # a question alone is no row
            row = {"messages": [{"role": turn.role, "content": turn.content} for turn in turns]}
            return f"{name}.jsonl", json.dumps(row, ensure_ascii=False) + "\n"
        who = {role: t(lang, f"ui.chats.{role}") for role in ("system", "user", "assistant")}
        said = [f"## {who[turn.role]}\n\n{turn.content}" for turn in chat.turns if turn.role in who]
        return f"{name}.md", "\n\n".join([f"# {chat.name}", *said]) + "\n"

    def settings(self, target: str) -> AnswerSettings:
        """How a run or a model is to answer, as far as the owner has said it."""
        return self._all().get(target, AnswerSettings())

    def set(self, target: str, how: AnswerSettings) -> None:
        """Keep how a run or a model is to answer."""
        kept = {name: one for name, one in self._all().items() if name != target} | {target: how}
        newest = dict([*kept.items()][-TARGETS:])
        self._folder.mkdir(parents=True, exist_ok=True)
        text = KeptSettings(owner=self.owner, targets=newest).model_dump_json(by_alias=True, exclude_none=True)
        files.write(self._folder / SETTINGS, text)

    def _all(self) -> dict[str, AnswerSettings]:
        found = disk.kept(lambda: disk.record(self._folder / SETTINGS, KeptSettings), None)
        return found.targets if found is not None and found.owner == self.owner else {}

    def _path(self, id: object) -> pathlib.Path:
        if not isinstance(id, str) or not _ID.fullmatch(id):  # a browser may send anything
            raise InputError("chat.unknown")
        return self._folder / f"{id}.json"

    def _write(self, chat: KeptChat) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        files.write(self._path(chat.id), chat.model_dump_json(by_alias=True, exclude_none=True))


def _begin(old: Sequence[Message], new: Sequence[Message]) -> bool:
    """Whether a conversation begins with all that was said before."""
    return [(turn.role, turn.content) for turn in old] == [(turn.role, turn.content) for turn in new[: len(old)]]


def _proven(turns: Sequence[Message], before: Sequence[KeptTurn]) -> list[KeptTurn]:
    """The turns, each with the proof that it had in the same place with the same words."""
    had = {(at, turn.role, turn.content): turn.proof for at, turn in enumerate(before)}
    return [
        turn if isinstance(turn, KeptTurn) else KeptTurn(**dict(turn), proof=had.get((at, turn.role, turn.content)))
        for at, turn in enumerate(turns)
    ]


def _name(said: str) -> str:
    """A conversation's name out of what was typed, on one line."""
    return files.clean_name(" ".join(said.split()), 60) or "…"
