"""What the trainer tells the run folder, and what the folder tells the trainer: metrics, state, stop, saves.

One `StateWriter` per attempt is the only writer of state.json and metrics.jsonl while a run is on.
"""

import contextlib
import math
import random
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuning.engine import shutdown
from tuning.engine.device import Device, ran_out
from tuning.engine.learn import publish, random_states
from tuning.engine.learn.early_stopping import Best
from tuning.engine.ranks import ALONE, Ranks
from tuning.engine.speak.timeline import Timeline
from tuning.errors import EngineError
from tuning.forecast.duration import checkpoint_steps
from tuning.runs import files
from tuning.runs.run_folder import HEARTBEAT_SECONDS, Run
from tuning.schema import RunState

WRITE_SECONDS = 0.5  # a page that reads every second sees every step of a slow run, and a fast run is not slowed
SAVE_SECONDS = 300.0
LOGGED = ("loss", "learning_rate", "grad_norm", "epoch")
LOOK_STEPS = 3  # how often the weights are looked at, beside every save
MOST_SKIPPED = 20  # steps in a row that fp16's loss scale may skip: from 2^16 it is below 1 by then


class StateWriter:
    """The run's state as the engine knows it, written down when it changes and at least every few seconds."""

    def __init__(self, run: Run, state: RunState) -> None:
        self.run, self.state = run, state
        self._written = 0.0

    def update(self, now: bool = False, **changes: Any) -> None:
        """Change fields of the state; written at once where `now` says so, else at most twice a second."""
        self.state = self.state.model_copy(update=changes)
        if now or time.monotonic() - self._written >= WRITE_SECONDS:
            self.state = self.state.model_copy(update={"heartbeat": time.time()})
            self._require_folder()
            self.run.write_state(self.state)
            self._written = time.monotonic()

    def beat(self) -> None:
        """Say that the run is alive, within long steps too."""
        if time.monotonic() - self._written >= HEARTBEAT_SECONDS:
            self.update(now=True)

    def metric(self, step: int, **values: float) -> None:
        """One line of metrics.jsonl."""
        self._require_folder()
        files.append_line(self.run.folder / "metrics.jsonl", {"step": step, "time": time.time(), **values})

    def _require_folder(self) -> None:
        """Raises EngineError where the run was deleted or moved. A library that saves at that moment makes the folder anew; its spec is
        written once, and makes the difference.
        """
        if self.run.gone():
            raise EngineError("run.gone", reason="gone", run=self.run.id)


class Silent(StateWriter):
    """The state as a process knows it that writes nothing, for another one does."""

    def update(self, now: bool = False, **changes: Any) -> None:
        self.state = self.state.model_copy(update=changes)

    def beat(self) -> None:
        """It is not for this process to say so."""

    def metric(self, step: int, **values: float) -> None:
        """Nothing is written."""


class Throughput:
    """Seconds and tokens of the steps of this attempt, without evaluations, saves and answers between them."""

    def __init__(self) -> None:
        self.recent: deque[float] = deque(maxlen=20)
        self.seconds = 0.0
        self.processor_seconds = 0.0  # of all threads
        self.at_once = 1.0  # how many of them computed in the step that was least disturbed
        self.tokens = 0
        self._started: float | None = None
        self._processor = 0.0
        self._uncounted = 0
        self._lap = (0, 0.0)

    def begin(self) -> None:
        self._started, self._processor = time.perf_counter(), time.process_time()

    def count(self, tokens: int) -> None:
        """Tokens of a step, padding aside."""
        self._uncounted += tokens

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Take time out that is spent on something else within a step."""
        started, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            if self._started is not None:
                self._started += time.perf_counter() - started
                self._processor += time.process_time() - processor

    def end(self) -> None:
        self.tokens += self._uncounted
        self._uncounted = 0
        if self._started is not None:
            seconds, processor = time.perf_counter() - self._started, time.process_time() - self._processor
            self.recent.append(seconds)
            self.seconds += seconds
            self.processor_seconds += processor
            self.at_once = max(self.at_once, min(processor / max(seconds, 1e-9), float(torch.get_num_threads())))
            self._started = None

    def lap(self) -> float:
        """Tokens per second since the last lap; 0 where no step has ended since."""
        tokens, seconds = self.tokens - self._lap[0], self.seconds - self._lap[1]
        self._lap = (self.tokens, self.seconds)
        return tokens / seconds if seconds else 0.0

    @property
    def step_seconds(self) -> float:
        return statistics.median(self.recent) if self.recent else 0.0

    @property
    def tokens_per_second(self) -> float | None:
        return self.tokens / self.seconds if self.seconds else None

    @property
    def undisturbed(self) -> float | None:
        """Tokens per second that a processor would compute with nothing else to do, by the seconds that its threads had of it."""
        return self.tokens * self.at_once / self.processor_seconds if self.processor_seconds else None


class RngState:
    """Random state as it was at the end of a step, so that a save within the next one is as good as a save then."""

    def __init__(self, device: Device) -> None:
        self._device, self._card = device, device.random_state()
        self._python, self._numpy, self._torch = random.getstate(), numpy.random.get_state(), torch.get_rng_state()

    def put_back(self) -> None:
        random.setstate(self._python)
        numpy.random.set_state(self._numpy)
        torch.set_rng_state(self._torch)
        self._device.put_random_state(self._card)


class FolderCallback(TrainerCallback):
    """Writes steps and losses, obeys the stop file, evaluates and saves when due, lets chat in between.

    `left` says that the process has to end: the last step is saved then, and the run goes on another time. `starved` says
    that memory ran out between two steps. `whole` is false while the optimizer changes weights: what is in memory is no step.
    """

    def __init__(
        self,
        ledger: StateWriter,
        pace: Throughput,
        evaluate: Callable[[], float | None],
        yield_point: Callable[[], None],
        best: Best | None = None,
        timeline: Timeline | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ledger, self.pace, self.ranks = ledger, pace, ranks
        self.evaluate, self.yield_point = evaluate, yield_point
        self.best = best or Best(0)
        self.timeline = timeline
        self.every = 1
        self.saved_at = time.monotonic()
        self.seconds_before = ledger.state.seconds
        self.left = False
        self.starved = False
        self.whole = True
        self.dice: RngState | None = None
        self.logged = 0  # the last step whose loss was written
        self._skipped = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any) -> None:
        """Also makes up for an evaluation that the end of an earlier process cut off. Raises `shutdown.Leaving`."""
        self.every = checkpoint_steps(state.max_steps)
        random_states.apart(args.seed, self.ranks.number)
        self.dice = RngState(Device.of(args.device))
        self.ledger.update(now=True, status="running", step=state.global_step, total_steps=state.max_steps)
        if state.global_step > self.best.seen and self._due(state):
            self._evaluate(state.global_step, model, counts=True)
            if self.best.exhausted:
                raise Enough
        if state.global_step >= state.max_steps:  # only the publishing was cut off; the trainer would make another step
            raise Enough
        if self.timeline is not None:
            self.timeline.begin(state.global_step)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.pace.begin()

    def between(self) -> None:
        """Between two micro-batches. Raises `shutdown.Leaving`: a step may be long, and what it has done so far is done again later.

        Of several processes none leaves in mid-step: the others would wait for it.
        """
        self.ledger.beat()
        with self.pace.paused():
            self.yield_point()
        if not self.ranks.several and shutdown.asked(self.ledger.run):
            raise shutdown.Leaving

    def on_pre_optimizer_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.whole = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> TrainerControl:
        self.pace.end()
        self.whole, self.dice = True, RngState(Device.of(args.device))
        self.ledger.update(
            step=state.global_step,
            epoch=float(state.epoch or 0.0),
            seconds=self.seconds_before + self.pace.seconds,
            seconds_left=self.pace.step_seconds * (state.max_steps - state.global_step),
            tokens_per_second=self.pace.tokens_per_second,
            finishing="saving" if state.global_step >= state.max_steps else None,
        )
        due = self._due(state)
        stop, self.left, late = self.ranks.first(self._asked())
        asked = state.save_steps > 0 and state.global_step % state.save_steps == 0  # `sft.save_steps`; 500, which never comes first
        if due or asked or stop or self.left or late:
            control.should_save = True
            self.saved_at = time.monotonic()
        if state.global_step % LOOK_STEPS == 0 and not publish.sound(model):
            raise EngineError("train.diverged_weights", reason="diverged", step=state.global_step)
        try:
            if (due or stop) and not self.left:
                self._evaluate(state.global_step, model, counts=due)
            if self.timeline is not None and not (stop or self.left):
                self.timeline.maybe(state.global_step, state.global_step if self.best.exhausted else state.max_steps)
            self.yield_point()
        except shutdown.Leaving:  # in mid-evaluation: the step is saved, the evaluation is made up for
            self.left = control.should_save = True
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            self.starved = True  # the step is logged and saved first
        if any(self.ranks.all(self.starved)):  # the first one alone has answers to make and the best weights to keep
            self.starved = control.should_save = True
        control.should_training_stop |= stop or self.left or self.starved or self.best.exhausted
        return control

    def make_up(self, step: int, loss: torch.Tensor | None) -> None:
        """Write the loss of a step after which another process was lost: the trainer asks all of them before it logs."""
        if loss is not None and self.logged < step:
            self.ledger.metric(step, loss=float(loss))
            self.ledger.update(train_loss=float(loss))
            self.logged = step

    def _asked(self) -> tuple[bool, bool, bool]:
        """Whether the run is to stop, whether the process is to leave, and whether the last save is too long ago."""
        run = self.ledger.run
        return run.stop_requested(), shutdown.asked(run), time.monotonic() - self.saved_at >= SAVE_SECONDS

    def _due(self, state: TrainerState) -> bool:
        return bool(state.global_step % self.every == 0 or state.global_step >= state.max_steps)

    def _evaluate(self, step: int, model: Any, counts: bool) -> None:
        loss = self.evaluate()
        if loss is None:
            return
        if not math.isfinite(loss):
            raise EngineError("train.diverged", reason="diverged", step=step)
        self.best.offer(step, loss, model, counts)
        self.ledger.metric(step, eval_loss=loss)
        self.ledger.update(eval_loss=loss, best_step=self.best.step if self.best.patience else None)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Raises EngineError where no step was made, and nobody asked it to stop: what was not trained is not published."""
        if not (state.global_step or self.left or self.starved or self.ledger.run.stop_requested()):
            raise EngineError("train.no_step", reason="data")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any) -> None:
        values = {key: float(logs[key]) for key in LOGGED if key in (logs or {})}
        if "loss" not in values:
            return  # the trainer's closing summary
        # The loss scaler skips such a step; of a fused optimizer, which does so by itself, accelerate's `step_was_skipped` does not know.
        skipped = args.fp16 and not math.isfinite(values.get("grad_norm", 0.0))
        self._skipped = self._skipped + 1 if skipped else 0
        if 0 < self._skipped <= MOST_SKIPPED:
            del values["grad_norm"]  # fp16's loss scale was too high: it is lowered, and the weights are as before
        if not all(math.isfinite(values.get(key, 0.0)) for key in ("loss", "grad_norm")):
            raise EngineError("train.diverged", reason="diverged", step=state.global_step)
        gauged = {
            "tokens_per_second": self.pace.lap(),
            "num_tokens": self.pace.tokens,  # of this attempt
            "memory_bytes": Device.of(args.device).memory_bytes(),
        }
        self.ledger.metric(state.global_step, **values, **gauged)
        self.logged = state.global_step
        self.ledger.update(train_loss=values["loss"])


class Enough(Exception):
    """The patience of early stopping ran out before a step was made."""
