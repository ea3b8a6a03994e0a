"""What is asked of the workshop: an answer, a report on a run, or its adapter measured at several strengths; the queue through
which it comes back, and the line of those who wait for an answer. Imports no library."""

import collections
import itertools
import pathlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tuning.errors import EngineError, TuningError
from tuning.hub.pulled import PulledAdapter
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run
from tuning.schema import Message, ModelRef

MAX_NEW_TOKENS = 512
SLICE_SECONDS = 0.5  # how often who waits looks whether anybody is still at work
PATIENCE_SECONDS = 3600.0  # without a word: a model may be large, a disk slow, and others come first
RECENT = 8  # answers by which it is said how long the next will take
T = TypeVar("T")


@dataclass(kw_only=True)
class Awaited:
    """Something that is waited for: never of a thread that has ended, nor without a limit."""

    alive: Callable[[], bool] = lambda: True  # does the thread that is to answer live?
    patience: float = PATIENCE_SECONDS

    def _next(self, come: "queue.SimpleQueue[T]") -> T:
        """The next thing that has come. Raises EngineError where nothing will, or has not for too long."""
        return next(found[0] for found in self._looks(come) if found)

    def _looks(self, come: "queue.SimpleQueue[T]") -> Iterator[tuple[T, ...]]:
        """The next thing that has come, and before it nothing at all, time and again. Raises as `_next`."""
        until = time.monotonic() + self.patience
        while True:
            alive = self.alive()
            try:
                yield (come.get(timeout=min(SLICE_SECONDS, self.patience) if alive else 0),)
                return
            except queue.Empty:
                if not alive:
                    raise EngineError("workshop.ended") from None
                if time.monotonic() >= until:
                    raise EngineError("workshop.late") from None
            yield ()


@dataclass(frozen=True)
class Outcome:
    """What is known of an answer at its end: tokens of the prompt and of the answer, how many the model can read, turns left out.

    `cut`: it had more to say than it was given tokens for.
    """

    prompt: int
    answer: int
    context: int
    left_out: int = 0
    cut: bool = False


@dataclass(frozen=True)
class Proof:
    """Which adapters an answer came from (None: of none), and how far from the base it began.

    `distance`: total variation of the two next-token distributions at the first token of the answer, 0 to 1; None where the base is not
    loaded beside. `fault`: `dead` where the adapter changes nothing, `other` where it is not the one that was asked, `not_base`.
    """

    adapter: str | None
    distance: float | None
    fault: str = ""


@dataclass
class Question(Awaited):
    """One answer asked for. `run` None means the bare `model`; without a `temperature` and a `seed` it is greedy.

    `begun`: the answer is to go on from these words. `shorten`: what does not fit the context is left out, the oldest turns first.
    """

    messages: list[Message]
    model: ModelRef
    device: str
    precision: str
    run: Run | PulledAdapter | None = None
    seed: int | None = None
    max_new_tokens: int = MAX_NEW_TOKENS
    quantization: str = "none"
    temperature: float | None = None
    top_p: float | None = None
    thinking: str = "auto"  # see `tokens.thoughts`; with "learn" what is thought comes before the answer, from <think> to </think>
    chat_template: str | None = None  # that the run has learned by, in the place of the model's own
    step: int | None = None  # of the checkpoint of the run that answers, in the place of what it has published
    strength: float = 100.0  # percent of its scaling with which the adapter is added
    begun: str = ""
    shorten: bool = False
    outcome: Outcome | None = None  # at the end of an answer
    whose: str | None = None  # the owner of the conversation, who alone gains by what is kept of it; None: nothing is kept
    proven: bool = False  # is it to be proven whom the answer came from? It takes as long as reading the prompt once more
    proof: Proof | None = None
    pieces: "queue.SimpleQueue[str | TuningError | None]" = field(default_factory=queue.SimpleQueue)
    stopped: threading.Event = field(default_factory=threading.Event)
    sign: Callable[[], None] = lambda: None  # called at every token
    line: "Line | None" = None  # in which it waits for its turn
    held: list[str | TuningError | None] = field(default_factory=list)  # a piece that has come, and is still to be read

    @property
    def bare(self) -> bool:
        """Is the base needed for it? Not where a run has made a whole model of it."""
        return not isinstance(self.run, Run) or self.run.spec().settings.method != "full"

    @property
    def speaker(self) -> tuple[str | None, pathlib.Path | None]:
        """Id and folder of the adapter, or whole model, that answers; of the base neither."""
        if self.run is None:
            return None, None
        if self.step is None or not isinstance(self.run, Run):
            return self.run.id, self.run.adapter
        return f"{self.run.id}@{self.step}", checkpoints.at(self.run.checkpoints, self.step)

    def stream(self) -> Iterator[str]:
        """The pieces as they come. Raises what kept the answer from being made."""
        try:
            while (piece := self.held.pop() if self.held else self._next(self.pieces)) is not None:
                if isinstance(piece, TuningError):
                    raise piece
                yield piece
        except TuningError:
            self.stopped.set()  # nobody reads on
            raise
        finally:
            if self.line is not None:
                self.line.leave(self)

    def waited(self) -> Iterator["Wait | None"]:
        """How long its first piece is still to be waited for, time and again until that has come; None where that is not known.

        The piece stays to be read. It ends, too, where the answer is stopped. Raises what `stream` does.
        """
        for found in self._looks(self.pieces):
            if found or self.stopped.is_set():
                self.held = [*found] or [None]
                return
            yield self.line.wait(self) if self.line is not None else None

    def spoken(self) -> Iterator[str]:
        """As `stream`, for somebody who waits for words. Raises EngineError where the answer held none, and nobody stopped it."""
        silent = not self.begun
        for piece in self.stream():
            silent = silent and not piece.strip()
            yield piece
        if silent and not self.stopped.is_set():
            raise EngineError("chat.nothing")


@dataclass(frozen=True)
class Wait:
    """The place of a question in the line, 1 for whoever is next or spoken to, and about how many seconds it will take; None: not known."""

    place: int
    seconds: float | None


class Line:
    """The questions that are not answered yet, whosever they are, in the order in which they were asked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._asked: dict[int, tuple[Question, float]] = {}
        self._took: collections.deque[float] = collections.deque(maxlen=RECENT)
        self._ended = 0.0  # when the last one was

    def join(self, question: "Question") -> None:
        """A question is asked."""
        with self._lock:
            self._asked = {key: one for key, one in self._asked.items() if not one[0].stopped.is_set()}
            self._asked[id(question)] = question, self._clock()
        question.line = self

    def leave(self, question: "Question") -> None:
        """It is answered, or nobody reads on. What it took is counted from where those before it were over."""
        with self._lock:
            _, asked = self._asked.pop(id(question), (None, None))
            if asked is not None and question.outcome is not None:
                now = self._clock()
                self._took.append(now - max(asked, self._ended))
                self._ended = now

    def wait(self, question: "Question") -> Wait:
        """Where it stands. The seconds are those of the last answers, for each that comes before it and is still wanted."""
        with self._lock:
            before = itertools.takewhile(lambda one: one is not question, [one for one, _ in self._asked.values()])
            ahead = sum(not one.stopped.is_set() for one in before)
            seconds = ahead * sum(self._took) / len(self._took) if self._took else None
        return Wait(ahead + 1, seconds)


@dataclass
class Comparison(Awaited):
    """A report asked for: base against tuned on the run's held-out rows, or on other `data` (an id of the library).

    `whole`: all questions are asked, however long it takes.
    """

    run: Run
    data: str | None = None
    whole: bool = False
    answer: "queue.SimpleQueue[dict[str, Any] | TuningError]" = field(default_factory=queue.SimpleQueue)

    def result(self) -> dict[str, Any]:
        """The document, when it is there. Raises what kept it from being made."""
        found = self._next(self.answer)
        if isinstance(found, TuningError):
            raise found
        return found


@dataclass
class Strengths:
    """A run to be measured at several strengths of its adapter. Nobody waits: what is found is kept with the run. `stopped` ends it."""

    run: Run
    stopped: threading.Event = field(default_factory=threading.Event)
