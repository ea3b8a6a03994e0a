"""Whose turn it is where somebody talks to a model while a job works with it: an account of seconds by which talking has its share.

Arithmetic over a clock. What is said, and what is worked on, is not known here.
"""

import time
from collections.abc import Callable

SHARE = 0.25  # of the time of a run that talking may take
SLICE = 0.5  # seconds, below which an answer does not go on: to begin costs something
MOST = 10.0  # seconds in a row, however long nobody has asked
DEBT = 10.0  # seconds that first words may be ahead of the account
AGAIN = 2.0  # times what it took to read again what was let go meanwhile: reading alone brings nobody a word


class TalkAccount:
    """The account of one job: work earns seconds to talk in, `SHARE` of all at most, and talking spends them.

    The first words of an answer are given at once, on credit; what follows waits until that is paid.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.balance = 0.0
        self._since = clock()

    def due(self, begun: bool) -> bool:
        """May an answer have a turn now? One that has `begun`, and so has said something, waits for a whole slice."""
        self._earn()
        return self.balance >= SLICE if begun else self.balance > -DEBT

    def _earn(self) -> None:
        now = self._clock()
        self.balance = min(MOST, self.balance + (now - self._since) * SHARE / (1 - SHARE))
        self._since = now

    def take(self, begun: bool) -> "TalkTurn":
        """A turn that begins now. Its `end` has to be told."""
        self._earn()
        return TalkTurn(self, self._clock, self.balance, begun)

    def spent(self, seconds: float) -> None:
        """Take what a turn has taken from the account; work begins again now."""
        self.balance -= seconds
        self._since = self._clock()


class TalkTurn:
    """A stretch of talking."""

    def __init__(self, account: TalkAccount, clock: Callable[[], float], seconds: float, begun: bool) -> None:
        self._account, self._clock, self._seconds, self._begun = account, clock, seconds, begun
        self._since = clock()
        self._reading: float | None = None

    def enough(self) -> bool:
        """Asked after every token: is it another's turn?"""
        gone = self._clock() - self._since
        if self._reading is None:
            self._reading = gone
        return gone >= max(self._seconds, AGAIN * self._reading if self._begun else 0.0)

    def end(self) -> None:
        self._account.spent(self._clock() - self._since)
