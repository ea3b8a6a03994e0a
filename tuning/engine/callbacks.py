"""What the trainer tells the run folder, and what the folder tells the trainer: metrics, state, stop, saves.

One `Ledger` per attempt is the only writer of state.json and metrics.jsonl while a run is on.
"""

import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuning.errors import EngineError
from tuning.runs import files
from tuning.runs.store import HEARTBEAT_SECONDS, Run
from tuning.schema import RunState

WRITE_SECONDS = 0.5  # a page that reads every second sees every step of a slow run, and a fast run is not slowed
SAVE_SECONDS = 300.0
LOGGED = ("loss", "learning_rate", "grad_norm", "epoch")


class Ledger:
    """The run's state as the engine knows it, written down when it changes and at least every few seconds."""

    def __init__(self, run: Run, state: RunState) -> None:
        self.run, self.state = run, state
        self._written = 0.0

    def update(self, now: bool = False, **changes: Any) -> None:
        """Change fields of the state; written at once where `now` says so, else at most twice a second."""
        self.state = self.state.model_copy(update=changes)
        if now or time.monotonic() - self._written >= WRITE_SECONDS:
            self.state = self.state.model_copy(update={"heartbeat": time.time()})
            self.run.write_state(self.state)
            self._written = time.monotonic()

    def beat(self) -> None:
        """Say that the run is alive, within long steps too."""
        if time.monotonic() - self._written >= HEARTBEAT_SECONDS:
            self.update(now=True)

    def metric(self, step: int, **values: float) -> None:
        """One line of metrics.jsonl."""
        files.append_line(self.run.folder / "metrics.jsonl", {"step": step, "time": time.time(), **values})


class Pace:
    """Seconds and tokens of the steps of this attempt, without evaluations, saves and answers between them."""

    def __init__(self) -> None:
        self.recent: deque[float] = deque(maxlen=20)
        self.seconds = 0.0
        self.tokens = 0
        self._started: float | None = None

    def begin(self) -> None:
        self._started = time.perf_counter()

    def pause(self, seconds: float) -> None:
        """Take time out that was spent on something else within a step."""
        if self._started is not None:
            self._started += seconds

    def end(self) -> None:
        if self._started is not None:
            self.recent.append(time.perf_counter() - self._started)
            self.seconds += self.recent[-1]
            self._started = None

    @property
    def step_seconds(self) -> float:
        return statistics.median(self.recent) if self.recent else 0.0

    @property
    def tokens_per_second(self) -> float | None:
        return self.tokens / self.seconds if self.seconds else None


class FolderCallback(TrainerCallback):
    """Writes steps and losses, obeys the stop file, evaluates and saves when due, lets chat in between."""

    def __init__(self, ledger: Ledger, pace: Pace, evaluate: Callable[[], float | None], yield_point: Callable[[], None]) -> None:
        self.ledger, self.pace = ledger, pace
        self.evaluate, self.yield_point = evaluate, yield_point
        self.every = 1
        self.saved_at = time.monotonic()
        self.seconds_before = ledger.state.seconds

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.every = checkpoint_steps(state.max_steps)
        self.ledger.update(now=True, status="running", step=state.global_step, total_steps=state.max_steps)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.pace.begin()

    def on_substep_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.ledger.beat()
        started = time.perf_counter()
        self.yield_point()
        self.pace.pause(time.perf_counter() - started)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        self.pace.end()
        last = state.global_step >= state.max_steps
        stop = self.ledger.run.stop_requested()
        due = state.global_step % self.every == 0
        if due or last or stop or time.monotonic() - self.saved_at >= SAVE_SECONDS:
            control.should_save = True
            self.saved_at = time.monotonic()
        control.should_training_stop |= stop
        self.ledger.update(
            step=state.global_step,
            epoch=float(state.epoch or 0.0),
            seconds=self.seconds_before + self.pace.seconds,
            seconds_left=self.pace.step_seconds * (state.max_steps - state.global_step),
            tokens_per_second=self.pace.tokens_per_second,
        )
        if due or last or stop:
            self._evaluate(state.global_step)
        self.yield_point()
        return control

    def _evaluate(self, step: int) -> None:
        loss = self.evaluate()
        if loss is not None:
            self.ledger.metric(step, eval_loss=loss)
            self.ledger.update(eval_loss=loss)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any) -> None:
        values = {key: float(logs[key]) for key in LOGGED if key in (logs or {})}
        if "loss" not in values:
            return  # the trainer's closing summary
        wrong = [key for key in ("loss", "grad_norm") if not math.isfinite(values.get(key, 0.0))]
        if wrong:
            raise EngineError("train.diverged", reason="diverged", step=state.global_step)
        self.ledger.metric(state.global_step, **values)
        self.ledger.update(train_loss=values["loss"])


def checkpoint_steps(total: int) -> int:
    """Steps between checkpoints (and evaluations): ten in a run, but never more than 50 steps apart."""
    return max(1, min(50, math.ceil(total / 10)))
