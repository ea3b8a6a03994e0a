"""TensorBoard, Weights & Biases and trackio beside a run: transformers' own callbacks, kept from ever failing it.

TensorBoard and wandb write into the run's folder, trackio where it keeps all its runs. Which are asked for: `runs.followers`.
"""

import functools
import importlib
import logging
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback, TrackioCallback, WandbCallback

from tuning.errors import caught
from tuning.runs import followers
from tuning.runs.run_folder import Run
from tuning.schema import RunSpec

logger = logging.getLogger(__name__)


class Trackers(TrainerCallback):
    """The trackers of one attempt. One that goes wrong is logged and left alone from then on.

    `evaluated` gives the last step that was evaluated and the loss on held-out rows: the trainer does not know them.
    """

    def __init__(self, run: Run, spec: RunSpec, evaluated: Callable[[], tuple[int, float | None]]) -> None:
        self.run, self.evaluated = run, evaluated
        self._told = -1  # step
        self._on: dict[str, Any] = {}
        for name in followers.asked(spec.settings):
            caught(functools.partial(self._make, name), f"the tracker {name}")

    def _make(self, name: str) -> None:
        self._on[name] = MAKERS[name](self.run)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        if not self._on:
            return
        args.run_name = args.run_name or self.run.name()
        if "wandb" in self._on:
            self._do("wandb", lambda: _begin_wandb(self.run))
        self._tell("on_train_begin", args, state, control, **more)
        self._evaluated(args, state, control, **more)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        self._tell("on_log", args, state, control, **more)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        self._evaluated(args, state, control, **more)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        self._tell("on_train_end", args, state, control, **more)
        if "wandb" in self._on:
            self._do("wandb", _end_wandb)
        self._on = {}

    def close(self, args: TrainingArguments, state: TrainerState, control: TrainerControl) -> None:
        """After a training that did not come to its end; nothing happens where it did."""
        self.on_train_end(args, state, control)

    def _evaluated(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        step, loss = self.evaluated()
        if loss is not None and step != self._told:
            self._told = step
            self._tell("on_log", args, state, control, **{**more, "logs": {"eval_loss": loss}})

    def _tell(self, event: str, *values: Any, **more: Any) -> None:
        for name, tracker in list(self._on.items()):
            self._do(name, functools.partial(getattr(tracker, event), *values, **more))

    def _do(self, name: str, work: Callable[[], Any]) -> None:
        if caught(work, f"the tracker {name}") is not None:
            del self._on[name]


def _tensorboard(run: Run) -> TrainerCallback:
    callback = TensorBoardCallback()
    callback.logging_dir = str(run.folder / "tensorboard")
    return callback


def _begin_wandb(run: Run) -> None:
    """A run of its own, in the run's folder."""
    importlib.import_module("wandb").init(name=run.name(), dir=str(run.folder))


def _end_wandb() -> None:
    """Else it would seem to go on as long as this process does, and the next training would write into it."""
    importlib.import_module("wandb").finish()


MAKERS: dict[str, Callable[[Run], TrainerCallback]] = {
    "tensorboard": _tensorboard,
    "wandb": lambda run: WandbCallback(),
    "trackio": lambda run: TrackioCallback(),
}
