"""The one thread that touches a model: trains queued runs one after another and answers chat, also in mid-run.

Everyone else hands over work and reads folders or queues. A terminal that trains in the foreground uses `train`
directly and has no workshop.
"""

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

from tuning.errors import EngineError, TuningError, caught
from tuning.runs.store import Run, Store

if TYPE_CHECKING:
    from tuning.engine.question import Question
    from tuning.engine.resident import Resident

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # how often the queue on disk is looked at for runs that other processes put there


class Workshop:
    """Owns the resident model. Nothing heavy is imported before `preload`, the first run or the first question."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.current: Run | None = None
        self.ready = threading.Event()
        self._questions: queue.Queue[Question] = queue.Queue()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._warm = threading.Event()
        self._resident: Resident | None = None
        self._refused: dict[str, float] = {}
        self._thread = threading.Thread(target=self._loop, name="workshop", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop after the work in hand: a run is asked to stop by whoever closes, not here."""
        self._closing.set()
        self._wake.set()

    def preload(self) -> None:
        """Import the libraries now, in the workshop's thread, so that the first run does not wait for them."""
        self._warm.set()
        self._wake.set()

    def wake(self) -> None:
        """A run was put in the queue."""
        self._wake.set()

    def ask(self, question: "Question") -> None:
        """Hand over a question; its pieces come through its own queue."""
        self._questions.put(question)
        self._wake.set()

    def _loop(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            if self._warm.is_set():
                self._warm.clear()
                self._engine()
            self._answer_all()
            run = self._next()
            if run is not None:
                self._train(run)
                self._wake.set()

    def _next(self) -> Run | None:
        """The first queued run that was not refused a moment ago (its card may be in use by a terminal)."""
        now = time.monotonic()
        return next((run for run in self.store.queue() if now - self._refused.get(run.id, -60.0) >= 10.0), None)

    def _engine(self) -> "Resident":
        if self._resident is None:
            from tuning.engine import chat, train  # noqa: F401  both are needed soon, and loading them takes seconds
            from tuning.engine.resident import Resident

            self._resident = Resident()
            self.ready.set()
        return self._resident

    def _train(self, run: Run) -> None:
        resident = self._engine()
        from tuning.engine.train import train

        self.current = run
        try:
            train(run, self.store, resident, self._answer_all)
        except TuningError as error:  # another process holds it: it is theirs
            logger.warning("run %s: %s", run.id, error)
            self._refused[run.id] = time.monotonic()
        finally:
            self.current = None

    def _answer_all(self) -> None:
        while True:
            try:
                question = self._questions.get_nowait()
            except queue.Empty:
                return
            self._answer(question)

    def _answer(self, question: "Question") -> None:
        """Answer one question; what goes wrong reaches the one who asked as a code, and the log in full."""
        resident = self._engine()
        from tuning.engine.chat import answer

        def work() -> None:
            if self.current is not None and resident.path != question.model.path:
                raise EngineError("chat.other_model")
            resident.load(question.model.path, question.device, question.precision)
            answer(resident, question)

        error = caught(work, "an answer")
        if error is not None:
            question.pieces.put(error if isinstance(error, TuningError) else EngineError("chat.failed", kind=type(error).__name__))
        question.pieces.put(None)
