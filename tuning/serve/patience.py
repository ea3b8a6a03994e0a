"""How long the server waits for whoever is slow, and how many connections it holds: uvicorn's HTTP/1.1 protocol, with an end to each wait.

Held of uvicorn: what "auto" stands for among its protocols, and that the one over h11 is asked for each piece that comes, and when
a client's buffer is full. `tests/serve/test_patience.py` has a test for each wait. It knows nothing of what is served.
"""

import asyncio
import sys
from typing import Any

import h11
from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.h11_impl import H11Protocol

ARRIVING = (h11.IDLE, h11.SEND_BODY)  # what the client is at while a request comes in


class Patient(H11Protocol):
    """A connection that is closed when its request does not arrive, or its answer is not taken.

    A request may take `GRACE` seconds and one more for each `RATE` bytes, as with Apache's mod_reqtimeout; an answer may wait
    `STUCK` seconds for its reader. After an answer it is held for `IDLE` seconds more, which is longer than a page takes from one look
    to the next: closed just as a request is sent, it would be an error for who sends. Of more than `MOST` connections the one goes that
    has been idle longest, else the one that has been arriving longest.
    """

    GRACE, RATE, STUCK, IDLE = 20.0, 500, 30.0, 20
    MOST = 500

    _began: float | None = None  # when the request began that is arriving, and how much of it is here
    _bytes = 0
    _due: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.timeout_keep_alive = self.IDLE

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin()
        if len(self.connections) > self.MOST:
            ours = [one for one in self.connections if isinstance(one, Patient)]
            idle = {one: one.timeout_keep_alive_task.when() for one in ours if one.timeout_keep_alive_task is not None}
            arriving = {one: one._began for one in ours if one._began is not None}
            longest = idle or arriving
            min(longest, key=longest.__getitem__).transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._began is None:
            self._begin()
        self._bytes += len(data)
        super().data_received(data)
        if self.conn.their_state not in ARRIVING:
            self._began = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(self.STUCK, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._due, self._stuck):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _begin(self) -> None:
        self._began, self._bytes = self.loop.time(), 0
        if self._due is not None:
            self._due.cancel()
        self._due = self.loop.call_later(self.GRACE, self._look)

    def _look(self) -> None:
        """Give up, or look again when what has come in meanwhile no longer excuses it."""
        if self._began is None:
            return
        due = self._began + self.GRACE + self._bytes / self.RATE
        if self.flow.read_paused:  # what is here has to be read first, and that is up to us
            due = max(due, self.loop.time() + self.GRACE)
        if due > self.loop.time():
            self._due = self.loop.call_at(due, self._look)
        else:
            self.transport.abort()


def take_over() -> None:
    """Have every server that is made from now on wait like this. Half of the files that a process may have open stay for other things."""
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{Patient.__name__}"
    if sys.platform != "win32":
        import resource

        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if soft != resource.RLIM_INFINITY:
            Patient.MOST = min(Patient.MOST, soft // 2)
