"""What is asked of the workshop: an answer, or a report on a run; and the queue through which it comes back. Imports no library."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tuning.errors import TuningError
from tuning.runs.store import Run
from tuning.schema import Message, ModelRef

MAX_NEW_TOKENS = 512


@dataclass
class Question:
    """One answer asked for. `run` None means the bare `model`; `seed` None means greedy."""

    messages: list[Message]
    model: ModelRef
    device: str
    precision: str
    run: Run | None = None
    seed: int | None = None
    max_new_tokens: int = MAX_NEW_TOKENS
    quantization: str = "none"
    pieces: "queue.SimpleQueue[str | TuningError | None]" = field(default_factory=queue.SimpleQueue)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def bare(self) -> bool:
        """Is the base needed for it? Not where a run has made a whole model of it."""
        return self.run is None or self.run.spec().settings.method != "full"

    def stream(self) -> Iterator[str]:
        """The pieces as they come. Raises what kept the answer from being made."""
        while (piece := self.pieces.get()) is not None:
            if isinstance(piece, TuningError):
                raise piece
            yield piece


@dataclass
class Comparison:
    """A report asked for: base against tuned on the run's held-out rows, or on other `data` (an id of the library)."""

    run: Run
    data: str | None = None
    answer: "queue.SimpleQueue[dict[str, Any] | TuningError]" = field(default_factory=queue.SimpleQueue)

    def result(self) -> dict[str, Any]:
        """The document, when it is there. Raises what kept it from being made."""
        found = self.answer.get()
        if isinstance(found, TuningError):
            raise found
        return found
