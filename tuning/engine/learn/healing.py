"""What a run does when its memory runs out: the lossless ways of a ladder first, each told, none taken twice in vain.

The weights learn the same from the same rows at every rung but the last, and that one only where the user allowed it.
What it cannot mend pauses the run; whoever trains decides where to go on from.
"""

from collections.abc import Sequence
from typing import Any

from tuning.engine.kernels.packing import TokenRow
from tuning.forecast.choose import LENGTHS
from tuning.forecast.memory import micro_batch
from tuning.schema import Notice, TrainSettings

PATIENCE = 20  # steps; where memory runs out again sooner, giving back what is unused is no remedy


class Ladder:
    """How micro-batches are cut now, and what is still to try: release, checkpointing, smaller micro-batches, shorter rows.

    `most_tokens`: positions of a micro-batch. `longest`: tokens of the longest row. `taken` tells every rung that was used,
    by earlier processes too.
    """

    def __init__(self, settings: TrainSettings, taken: Sequence[Notice] = ()) -> None:
        self.checkpointing = settings.gradient_checkpointing
        self.allow_shorter = settings.allow_shorter
        self.longest = int(settings.max_length)
        self._settings = settings
        self.most_tokens = micro_batch(settings, self.longest)
        self.taken: list[Notice] = []
        for notice in taken:
            self._take(notice)
        self._released: int | None = None  # after which step

    def fit(self, longest: int) -> None:
        """The longest row has `longest` tokens: no micro-batch has to be larger than for so many of those."""
        self.longest = min(self.longest, longest)
        self.most_tokens = min(self.most_tokens, micro_batch(self._settings, self.longest))

    def next(self, step: int) -> Notice | None:
        """Take the next rung after `step`; None where there is none left.

        Whoever takes it calls `release`, outside of the `except` in which the error still holds what ran out of memory.
        """
        found = self._find(step)
        if found is not None:
            found = found.model_copy(update={"level": "warning", "params": {**found.params, "step": step}})
            self._take(found)
        return found

    def _find(self, step: int) -> Notice | None:
        if self._released is None or step >= self._released + PATIENCE:
            return Notice(code="recovery.release")
        if self.checkpointing != "full":
            return Notice(code="recovery.checkpointing")
        if self.most_tokens > self.longest:
            return Notice(code="recovery.micro_batch", params={"tokens": max(self.longest, self.most_tokens // 2)})
        shorter = next((length for length in LENGTHS if length < self.longest), None) if self.allow_shorter else None
        return None if shorter is None else Notice(code="recovery.shorter", params={"length": shorter})

    def _take(self, notice: Notice) -> None:
        self.taken.append(notice)
        if notice.code == "recovery.release":
            self._released = int(notice.params["step"])
        elif notice.code == "recovery.checkpointing":
            self.checkpointing = "full"
        elif notice.code == "recovery.micro_batch":
            self.most_tokens = int(notice.params["tokens"])
        elif notice.code == "recovery.shorter":
            self.longest = int(notice.params["length"])
            self.most_tokens = self.longest

    def cut(self, rows: Sequence[TokenRow]) -> list[TokenRow]:
        """Rows as long as this rung allows; the others have an end cut off."""
        if all(len(row["input_ids"]) <= self.longest for row in rows):
            return list(rows)
        return [{name: values[: self.longest] for name, values in row.items()} for row in rows]

    def apply(self, model: Any) -> None:
        """Put checkpointing on where a rung asked for it; `model` is the causal language model. Costs time, changes no number."""
        if self.checkpointing == "full" and any(notice.code == "recovery.checkpointing" for notice in self.taken):
            model.activation_checkpointing_enable({"use_reentrant": False})
