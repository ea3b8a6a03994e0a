"""What programs can ask, and one answer under way: a question to the workshop as the Chat tab asks it, read from the event loop.

Where the request says nothing, the settings count that the owner gave its target on the Chat tab, or else what rows and model say. Nothing
of HTTP is known here.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tuning.errors import InputError, caught, told
from tuning.schema import ALIVE, UNREADABLE
from tuning.serve.programs import wire
from tuning.serve.programs.stops import Cutter
from tuning.studio import Studio

if TYPE_CHECKING:
    from tuning.engine.question import Outcome, Question


def models(studio: Studio) -> dict[str, wire.Document]:
    """What can be asked, by id: the owner's runs that have learned something, newest first, then the models whose files are here."""
    studio.models.quotas.pace("plan")
    found = {}
    for run in studio.runs.list():
        if run["status"] in ("starting", "running") or (run["has_adapter"] and run["status"] not in (*ALIVE, UNREADABLE)):
            found[run["run"]] = wire.model(run["run"], run["created"], run["name"], "you")
    found |= {one.name: wire.model(one.name, one.adapter.stat().st_mtime, one.name, "hub") for one in studio.talk.pulled()}
    return found | {id: wire.model(id) for id in studio.models.present() if id not in found}


def find(studio: Studio, name: str) -> wire.Document:
    """The entry of what a program calls `name`: by an id of the list, or by the name of a run, of several the newest.

    Raises InputError `v1.model`, also where it is somebody else's.
    """
    there = models(studio)
    found = there.get(name) or next((entry for entry in there.values() if entry["name"] == name), None)
    if found is None:
        raise InputError("v1.model", model=name[:80])
    return found


class UnderWay:
    """One answer under way: `work` runs on a thread of its own, `pieces` and `leave` belong to whoever waits."""

    def __init__(self, studio: Studio, target: str, asked: wire.Asked) -> None:
        self.studio, self.target, self.asked = studio, target, asked
        self._question: Question | None = None
        self._gone = threading.Event()
        self._come: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    @property
    def outcome(self) -> "Outcome | None":
        """What is known of the answer at its end."""
        return self._question.outcome if self._question is not None else None

    def work(self) -> None:
        """Ask, and hand over piece by piece what comes; what goes wrong is handed over, too."""
        self._tell(caught(self._listen, "an answer for a program"))

    def leave(self) -> None:
        """Nobody waits any more: the model ends the answer at its next token."""
        self._gone.set()
        if self._question is not None:
            self._question.stopped.set()

    async def pieces(self) -> AsyncIterator[str]:
        """The answer up to a stop sequence, as it comes. Raises what kept it from being made."""
        cutter = Cutter(self.asked.stops)
        while isinstance(piece := await self._come.get(), str):
            if words := cutter.feed(piece):
                yield words
            if cutter.cut:
                self.leave()  # what follows is read all the same: the outcome comes last
        if piece is not None:
            raise told(piece, "an answer for a program")
        if words := cutter.rest():
            yield words

    def _tell(self, piece: str | BaseException | None) -> None:
        self._loop.call_soon_threadsafe(self._come.put_nowait, piece)

    def _listen(self) -> None:
        self._question = self._put()
        if self._gone.is_set():
            self._question.stopped.set()
        for piece in self._question.stream():
            self._tell(piece)

    def _put(self) -> "Question":
        studio, asked = self.studio, self.asked
        habits, kept = studio.answering.habits(self.target), studio.chats.settings(self.target)
        usual = habits.settings.model_copy(update=kept.model_dump(exclude_none=True))
        turns, text = [turn.plain() for turn in asked.messages], (usual.system or "").strip()
        if not any(turn["role"] == "system" for turn in turns) and text != habits.own_system.strip():
            turns = [{"role": "system", "content": text}, *turns]
        return studio.talk.ask(self.target, turns, how=asked.how(usual), shorten=False)
