"""Early stopping: the evaluation with the lowest loss, its weights kept aside, and how many came after it in vain.

They travel in the checkpoints, so that a run that goes on later has lost neither. An adapter is kept in memory; of a whole
model, which would take a quarter more of it, the best weights lie on the disk. It never evaluates by itself.
"""

import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file

from tuning.engine import full_weights
from tuning.engine.full_weights import weights
from tuning.forecast.duration import evaluated_rows
from tuning.forecast.plan import DEFAULT_PATIENCE
from tuning.schema import TrainSettings

NUMBERS, WEIGHTS = "best.json", "best.safetensors"
AnyRow = TypeVar("AnyRow")


class Best:
    """What the evaluations of a run have shown. With a patience of 0 nothing is kept and nothing is stopped.

    `step` 0 means that none has been looked at yet: the base alone is no choice. With `aside`, the path of a file, weights are
    kept there: checkpoints hold it by another name, so that it takes no room twice. Of several processes one `keeps` them.
    """

    def __init__(self, patience: int, aside: pathlib.Path | None = None, keeps: bool = True) -> None:
        self.patience, self.aside, self.keeps = patience, aside, keeps
        self.step, self.loss = 0, math.inf
        self.vain = 0  # evaluations since the best
        self.seen = 0  # the last step that was evaluated
        self.kept: dict[str, torch.Tensor] | pathlib.Path | None = None

    @property
    def exhausted(self) -> bool:
        return 0 < self.patience <= self.vain

    def offer(self, step: int, loss: float, model: Any, counts: bool = True) -> None:
        """An evaluation out of turn (somebody asked for a stop) may be the best, but does not count against the patience."""
        if loss < self.loss:
            if self.patience and self.keeps:
                self.kept = self._keep(model)  # first: where there is no room for them, the best ones are still the ones before
            self.step, self.loss, self.vain = step, loss, 0
        elif counts:
            self.vain += 1
        self.seen = step

    def _keep(self, model: Any) -> dict[str, torch.Tensor] | pathlib.Path:
        if self.aside is None:
            return {name: tensor.to("cpu", copy=True) for name, tensor in weights(model).items()}
        self.aside.parent.mkdir(exist_ok=True)
        new = self.aside.with_suffix(".new")
        try:
            full_weights.write(model, new)
            new.replace(self.aside)
        finally:
            new.unlink(missing_ok=True)  # half of it, on a disk that is full
        return self.aside

    def put_back(self, model: Any) -> None:
        """Give the model the weights of the best evaluation."""
        if isinstance(self.kept, pathlib.Path):
            full_weights.read(model, self.kept)
            return
        current = weights(model)
        with torch.no_grad():
            for name, tensor in (self.kept or {}).items():
                current[name].copy_(tensor)

    def write(self, folder: pathlib.Path) -> None:
        """Into a checkpoint that is being built. Raises OSError where the disk is full."""
        numbers = {"step": self.step, "loss": self.loss, "vain": self.vain, "seen": self.seen} if self.step else {}
        (folder / NUMBERS).write_text(json.dumps(numbers), encoding="utf-8")
        if isinstance(self.kept, pathlib.Path):
            full_weights.keep(self.kept, folder / WEIGHTS)
        elif self.kept:
            save_file({name: tensor.contiguous() for name, tensor in self.kept.items()}, str(folder / WEIGHTS))

    def read(self, folder: pathlib.Path) -> None:
        """From a checkpoint that verifies; one of an older version has nothing, and the choice begins there."""
        if (folder / NUMBERS).exists():
            vars(self).update(json.loads((folder / NUMBERS).read_text(encoding="utf-8")))
        if not self.patience or not self.keeps or not (folder / WEIGHTS).exists():
            return
        if self.aside is None:
            self.kept = load_file(str(folder / WEIGHTS))
        else:
            full_weights.keep(folder / WEIGHTS, self.aside)
            self.kept = self.aside

    def forget(self) -> None:
        """All is published: nothing has to be kept aside any more."""
        if self.aside is not None:
            self.aside.unlink(missing_ok=True)
            self.aside.with_suffix(".new").unlink(missing_ok=True)  # of a process that was killed


def patience_of(settings: TrainSettings, validation: Sequence[Any]) -> int:
    """Evaluations to wait for something better; 0 where nothing is held out."""
    asked = settings.early_stopping_patience
    return 0 if not validation else DEFAULT_PATIENCE if asked == "auto" else asked


def evaluated(rows: list[AnyRow], every: int, settings: TrainSettings) -> list[AnyRow]:
    """The part of the held-out rows that every evaluation of a run looks at, taken evenly from all of them.

    `every`: steps between two evaluations.
    """
    count = evaluated_rows(len(rows), every, settings)
    return [rows[number * len(rows) // count] for number in range(count)]
