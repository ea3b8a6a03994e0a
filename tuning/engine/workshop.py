"""The one thread that touches a model: it does jobs one after another, trains the runs of the queue, and answers in mid-run too.

Everyone else hands over jobs and reads folders or queues. Nothing that a job does ends the thread, and `watchdog` sees to one that
hangs. A terminal that trains in the foreground uses `train` directly and has no workshop.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuning.engine.jobs import Ask, Compare, Job, Measure, Preload, Train
from tuning.engine.launching import Launch, processes
from tuning.engine.question import Line
from tuning.engine.speak.talk_share import TalkAccount
from tuning.engine.watchdog import Watchdog
from tuning.errors import EngineError, RunError, TuningError, caught, cause
from tuning.hub.shelf import Shelf, whole
from tuning.runs import locks
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import ModelRef, Notice, RunSpec

if TYPE_CHECKING:
    from tuning.engine.question import Comparison, Question, Strengths
    from tuning.engine.resident import Resident

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # how often the queue on disk is looked at for runs that other processes put there
AGAIN_SECONDS = 10.0  # after which a run is tried anew whose card was in use
LOCK_SECONDS = 2.0  # for which the queue's lock may be out of order before a run is told


class Workshop:
    """Owns the resident model. Nothing heavy is imported before `preload`, the first run or the first question."""

    def __init__(self, store: Store, shelf: Shelf | None = None) -> None:
        self.store = store
        self.shelf = shelf
        self.cards: Callable[[], int] = lambda: 1  # how many there are that a run can be trained on together
        self.over: Callable[[Run], Any] = lambda run: None  # told of every run that is not worked on any more
        self.ready = threading.Event()
        self.spoiled = threading.Event()  # this process can do nothing with its card any more: it has to be replaced
        self.gone: dict[str, Notice] = {}  # by owner: that the folder of the run trained last was taken away in the middle of it
        self.line = Line()  # of the questions that are not answered yet
        self._jobs: list[Job] = []  # handed over, and not begun; only the thread takes one out
        self._at_work: list[Job] = []  # what is being done now, and what is done at its yield point
        self.clock: Callable[[], float] = time.monotonic  # by which talking and work take turns
        self._account = TalkAccount(self.clock)
        self._warmed = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._ended = threading.Event()
        self._turn = locks.Lock(store.home / "queue.lock")  # one queue, one run at a time, also where two apps share a home
        self._locked_out: float | None = None  # since when that lock cannot even be asked for
        self._resident: Resident | None = None
        self._refused: dict[str, float] = {}
        self._thread = threading.Thread(target=self._loop, name="workshop", daemon=True)
        self._watchdog = Watchdog(self._at_work.copy, self._spoil)

    @property
    def alive(self) -> bool:
        """Is what is handed over still done? False for good once the thread has ended, however that came about."""
        return not self._ended.is_set()

    @property
    def current(self) -> Run | None:
        """The run that is being trained."""
        return next((job.target for job in self._at_work.copy() if isinstance(job, Train)), None)

    @property
    def apart(self) -> str | None:
        """The code with which a question is refused now, where a run is trained in processes of its own on all cards."""
        return next((job.apart for job in self._at_work.copy() if job.apart), None)

    def holds(self) -> tuple[str | None, int]:
        """The path of the model that is loaded, and the bytes that it takes; both as of this moment."""
        resident = self._resident
        return (None, 0) if resident is None else (resident.path, resident.size)

    @property
    def comparing(self) -> set[str]:
        """Ids of the runs on which a report is being made, or will be."""
        return {job.comparison.run.id for job in [*self._jobs, *self._at_work] if isinstance(job, Compare)}

    def start(self) -> None:
        self._thread.start()
        self._watchdog.start()

    def close(self) -> None:
        """Stop after the work in hand: a run is asked to stop by whoever closes, not here."""
        self._closing.set()
        self._wake.set()

    def preload(self) -> None:
        """Import the libraries soon, in the workshop's thread, so that the first run does not wait for them."""
        if not self._warmed:
            self._warmed = True
            self._jobs.append(Preload())
            self._wake.set()

    def wake(self) -> None:
        """Look at the queue on disk, where a run was put. Raises EngineError where nobody will: it waits for the next start then."""
        self._wake.set()
        if not self.alive:
            raise EngineError("workshop.ended")

    def ask(self, question: "Question") -> None:
        """Hand over a question; its pieces come through its own queue. Raises EngineError where the thread has ended."""
        question.alive = lambda: self.alive
        self.line.join(question)
        self._jobs.append(Ask(question, self.store))
        self.wake()

    def compare(self, comparison: "Comparison") -> None:
        """Hand over a report to make; nothing is trained meanwhile.

        Raises RunError while a run is on: it would slow that down; and EngineError where the thread has ended.
        """
        if self.current is not None:
            raise RunError("evaluate.busy")
        comparison.alive = lambda: self.alive
        self._jobs.append(Compare(comparison, self.store))
        self.wake()

    def measure(self, asked: "Strengths") -> None:
        """Hand over a run to be measured at several strengths; as `compare`."""
        if self.current is not None:
            raise RunError("evaluate.busy")
        self._jobs.append(Measure(asked, self.store))
        self.wake()

    def measured(self, run: str) -> "Strengths | None":
        """What was handed over to `measure` this run, and is not over."""
        jobs = [*self._jobs, *self._at_work]
        return next((job.asked for job in jobs if isinstance(job, Measure) and job.asked.run.id == run), None)

    # The thread

    def _loop(self) -> None:
        try:
            while not self._closing.is_set():
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()
                caught(self._look, "a look at what is to do")
        finally:
            self._ended.set()
            self._watchdog.end()

    def _look(self) -> None:
        """Do what was handed over, then train the run whose turn it is."""
        while self._jobs and not self._closing.is_set():
            self._do(self._jobs.pop(0))
        run = self._next()
        if run is not None and not self._closing.is_set() and self._my_turn(run):
            with self._turn:
                self._train(run)
            self._wake.set()

    def _between(self) -> None:
        """Do at a yield point what may be done there, and refuse what would otherwise wait for the end of a run.

        Answers take turns with the job, and with each other: one that is not over goes to the end of the line.
        """
        self._watchdog.sign()
        for job in self._jobs.copy():
            if job.interrupts and (apart := self.apart) is not None:
                self._jobs.remove(job)
                self._refuse(job, RunError(apart))
            elif isinstance(job, Ask):
                if self._account.due(job.begun) or job.question.stopped.is_set():
                    self._jobs.remove(job)
                    self._take_turn(job)
            elif job.busy is not None and self.current is not None:
                self._jobs.remove(job)
                self._refuse(job, RunError(job.busy))

    def _take_turn(self, job: Ask) -> None:
        """Let an answer be given as long as the account of the job at work allows."""
        turn = self._account.take(job.begun)
        job.enough = turn.enough
        self._do(job)
        turn.end()
        if job.unfinished:
            self._jobs.append(job)

    def _do(self, job: Job) -> BaseException | None:
        """Do one job. What goes wrong ends it alone: it reaches whoever waits as a code, the log in full, and is returned."""
        inside, name = bool(self._at_work), type(job).__name__
        if not inside:
            self._account = TalkAccount(self.clock)
        job.sign = self._watchdog.sign
        self._at_work.append(job)
        self._watchdog.sign()
        try:
            error = caught(lambda: job.run(self._engine(), self._between, inside), name)
            if error is not None:
                self._refuse(job, job.told(error))
        finally:
            self._at_work.pop()
            self._watchdog.sign()
        if error is not None and not inside and not self._computes():  # at a yield point the job at work fails next, and sees to its run
            self._spoil()
        return error

    def _computes(self) -> bool:
        """Whether the card still computes, after something has gone wrong: else each answer would fail from now on."""
        if self._resident is None:
            return True
        from tuning.engine.device import computes

        return computes()

    def _refuse(self, job: Job, error: TuningError) -> None:
        caught(lambda: job.refuse(error), f"telling of {type(job).__name__}")

    def _engine(self) -> "Resident":
        """The resident model. Raises EngineError where a library cannot be loaded: who mends it need not start anew."""
        if self._resident is None:

            def load() -> None:
                from tuning.engine.learn import train  # noqa: F401  both are needed soon, and loading them takes seconds
                from tuning.engine.resident import Resident
                from tuning.engine.speak import chat  # noqa: F401

                self._resident = Resident() if self.shelf is None else Resident(self.shelf.trusts)

            error = caught(load, "loading the libraries")
            if error is not None:
                kind = f"{type(error).__name__}: {error}"[:300]
                raise EngineError("engine.cannot_load", reason="libraries", kind=kind) from error
            self.ready.set()
        assert self._resident is not None
        return self._resident

    def _my_turn(self, run: Run) -> bool:
        """Take the queue's lock. Where it stays out of order, `run` ends with the reason, for nobody could say when it would begin."""
        try:
            mine = self._turn.acquire(patience=0)
        except OSError as error:
            logger.warning("%s: %s", self._turn.path, error)
            self._locked_out = self._locked_out or time.monotonic()
            if time.monotonic() - self._locked_out >= LOCK_SECONDS:
                self._locked_out = None
                kind = error.strerror or type(error).__name__
                self._refuse(Train(run, self.store), EngineError("train.queue", file=self._turn.path.name, kind=kind))
                self._tell(run)
            return False
        self._locked_out = None
        return mine

    def _train(self, run: Run) -> None:
        owner, job = run.owner(), self._training(run)
        error = self._do(job)
        self.gone.pop(owner, None)
        if job.gone is not None:
            self.gone[owner] = job.gone
        if error is not None and run.waiting():  # another process holds it or its card: later, perhaps
            logger.warning("run %s: %s", run.id, error)
            self._refused[run.id] = time.monotonic()
        else:
            self._tell(run)

    def _training(self, run: Run) -> Train:
        """The job that trains a run: here, or in a process for each card."""
        spec, code = run.known(), self.shelf.settings.remote_code if self.shelf else None
        count = processes(spec, self.cards()) if spec is not None else 1
        if count > 1:
            return Launch(run, self.store, count, code)
        return Train(run, self.store, self._spoil)

    def _spoil(self) -> None:
        self.spoiled.set()
        self._closing.set()

    def _tell(self, run: Run) -> None:
        """Whoever wants to know that a run is over."""
        caught(lambda: self.over(run), f"telling of run {run.id}")

    # The queue on disk

    def _next(self) -> Run | None:
        """The first queued run whose model is here and that was not refused a moment ago (its card may be in use by a terminal)."""
        now = time.monotonic()
        for run in self.store.queue():
            spec = run.known() if now - self._refused.get(run.id, -60.0) >= AGAIN_SECONDS else None
            if spec is not None and not self._awaits(spec):
                return run
        return None

    def _awaits(self, spec: RunSpec) -> bool:
        """Whether a run's model is still to come; its download goes on in a thread of its own, and others train meanwhile."""
        model = spec.model
        if self.shelf is None or (model.path not in self.shelf.coming and whole(model)):
            return False
        if model.path not in self.shelf.coming:
            self.shelf.coming[model.path] = (0, 0)
            threading.Thread(target=self._bring, args=(model, spec.owner), name="download", daemon=True).start()
        return True

    def _bring(self, model: ModelRef, owner: str) -> None:
        """Fetch a model as `owner` may; where that fails, the runs that wait for it end with the reason."""
        assert self.shelf is not None
        shelf, coming = self.shelf, self.shelf.coming

        def progress(done: int, total: int) -> None:
            coming[model.path] = (done, total)

        error = caught(lambda: shelf.fetch(model, owner, progress, lambda: not self._waiting(model)), f"the download of {model.id}")
        if error is not None:
            behind = {"cause": why} if (why := cause(error)) else {}
            notice = Notice(code="model.download_failed", level="error", params={"model": model.id, **behind})
            if isinstance(error, TuningError):
                notice = Notice(code=error.code, level="error", params={**behind, **error.params})
            for run in self._waiting(model):
                caught(lambda run=run: run.give_up("download", notice), f"the end of run {run.id}")  # type: ignore[misc]
                self._tell(run)
        del coming[model.path]
        self._wake.set()

    def _waiting(self, model: ModelRef) -> list[Run]:
        """The queued runs of a model."""
        known = ((run, run.known()) for run in self.store.queue())
        return [run for run, spec in known if spec is not None and spec.model.path == model.path]
