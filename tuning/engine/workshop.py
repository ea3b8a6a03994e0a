"""The one thread that touches a model: trains queued runs one after another and answers chat, also in mid-run.

Everyone else hands over work and reads folders or queues. A terminal that trains in the foreground uses `train`
directly and has no workshop.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuning.errors import EngineError, RunError, TuningError, caught
from tuning.models.shelf import Shelf, whole
from tuning.runs import locks
from tuning.runs.store import Run, Store
from tuning.schema import ModelRef, Notice

if TYPE_CHECKING:
    from tuning.engine.question import Comparison, Question
    from tuning.engine.resident import Resident

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # how often the queue on disk is looked at for runs that other processes put there


class Workshop:
    """Owns the resident model. Nothing heavy is imported before `preload`, the first run or the first question."""

    def __init__(self, store: Store, shelf: Shelf | None = None) -> None:
        self.store = store
        self.shelf = shelf
        self.current: Run | None = None
        self.over: Callable[[Run], Any] = lambda run: None  # told of every run that is not worked on any more
        self.ready = threading.Event()
        self._questions: queue.Queue[Question] = queue.Queue()
        self._comparisons: queue.Queue[Comparison] = queue.Queue()
        self._comparing = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self.spoiled = threading.Event()  # this process can do nothing with its card any more: it has to be replaced
        self._turn = locks.Lock(store.home / "queue.lock")  # one queue, one run at a time, also where two apps share a home
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

    def compare(self, comparison: "Comparison") -> None:
        """Hand over a report to make; nothing is trained meanwhile. Raises RunError while a run is on: it would slow that down."""
        if self.current is not None:
            raise RunError("evaluate.busy")
        self._comparisons.put(comparison)
        self._wake.set()

    def _loop(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            if self._warm.is_set():
                self._warm.clear()
                self._engine()
            self._answer_all()
            self._compare_all()
            run = self._next()
            if run is not None and self._turn.acquire(patience=0):
                with self._turn:
                    self._train(run)
                self._wake.set()

    def _next(self) -> Run | None:
        """The first queued run whose model is here and that was not refused a moment ago (its card may be in use by a terminal)."""
        now = time.monotonic()
        for run in self.store.queue():
            if now - self._refused.get(run.id, -60.0) >= 10.0 and not self._awaits_model(run):
                return run
        return None

    def _awaits_model(self, run: Run) -> bool:
        """Whether the run's model is still to come; its download goes on in a thread of its own, and others train meanwhile."""
        model = run.spec().model
        if self.shelf is None or (model.path not in self.shelf.coming and whole(model)):
            return False
        if model.path not in self.shelf.coming:
            self.shelf.coming[model.path] = (0, 0)
            threading.Thread(target=self._bring, args=(model,), name="download", daemon=True).start()
        return True

    def _bring(self, model: ModelRef) -> None:
        """Fetch a model; where that fails, the runs that wait for it end with the reason."""
        assert self.shelf is not None
        shelf, coming = self.shelf, self.shelf.coming

        def progress(done: int, total: int) -> None:
            coming[model.path] = (done, total)

        error = caught(lambda: shelf.fetch(model, progress, lambda: not self._waiting(model)), f"the download of {model.id}")
        if error is not None:
            notice = Notice(code="model.download_failed", level="error", params={"model": model.id})
            if isinstance(error, TuningError):
                notice = Notice(code=error.code, level="error", params=error.params)
            for run in self._waiting(model):
                run.give_up("download", notice)
                self._tell(run)
        del coming[model.path]
        self._wake.set()

    def _waiting(self, model: ModelRef) -> list[Run]:
        """The queued runs of a model."""
        return [run for run in self.store.queue() if run.spec().model.path == model.path]

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

        def work() -> None:
            state = train(run, self.store, resident, self._answer_all, queued=True)
            if state.reason == "cuda":
                self.spoiled.set()
                self._closing.set()
                if run.retry():
                    run.enqueue(first=True)

        self.current = run
        error = caught(work, f"run {run.id}")
        self.current = None
        if error is not None:  # another process holds it or its card: later, perhaps
            logger.warning("run %s: %s", run.id, error)
            self._refused[run.id] = time.monotonic()
        else:
            self._tell(run)

    def _tell(self, run: Run) -> None:
        """Whoever wants to know that a run is over."""
        caught(lambda: self.over(run), f"telling of run {run.id}")

    def _answer_all(self) -> None:
        while True:
            try:
                question = self._questions.get_nowait()
            except queue.Empty:
                return
            self._answer(question)

    def _compare_all(self) -> None:
        while not self._comparisons.empty() and not self._closing.is_set():
            self._compare(self._comparisons.get())

    def _compare(self, comparison: "Comparison") -> None:
        """Make one report; questions are answered in between. What goes wrong reaches the one who asked as a code."""
        resident, made = self._engine(), list[dict[str, Any]]()
        from tuning.engine.report import evaluate

        def work() -> None:
            made.append(evaluate(comparison.run, comparison.data, self.store, resident, self._answer_all))

        self._comparing = True
        error = caught(work, f"the report on {comparison.run.id}")
        self._comparing = False
        told = error if isinstance(error, TuningError) else EngineError("evaluate.failed", kind=type(error).__name__)
        comparison.answer.put(made[0] if made else told)

    def _answer(self, question: "Question") -> None:
        """Answer one question; what goes wrong reaches the one who asked as a code, and the log in full."""
        resident = self._engine()
        from tuning.engine.chat import answer

        def work() -> None:
            asked = (question.model.path, question.device, question.quantization)
            busy = self.current is not None or self._comparing
            if busy and not resident.has(*asked):
                raise EngineError("chat.other_model")
            precision = resident.precision if busy else question.precision
            resident.load(*asked[:2], precision, question.quantization, bare=question.bare)
            answer(resident, question)

        error = caught(work, "an answer")
        if error is not None:
            question.pieces.put(error if isinstance(error, TuningError) else EngineError("chat.failed", kind=type(error).__name__))
        question.pieces.put(None)
