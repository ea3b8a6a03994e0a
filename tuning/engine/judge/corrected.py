"""Whether corrected answers hold after a run that learned them, and whether what was right before it still is: greedy answers, compared.

Before means the adapter, or the whole model, that the run began with. What is right is told by `runs.evaluation.scores`.
"""

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.data.library import NormalRows
from tuning.engine.judge.measuring import Measuring, sample
from tuning.engine.speak import batches
from tuning.engine.speak.batches import EvaluationQuestion, Speaker
from tuning.runs.evaluation import scores
from tuning.runs.run_folder import Run

MOST_CORRECTED, MOST_OLD = 100, 50  # questions

Judge = Callable[[EvaluationQuestion, str], bool]


@dataclass(frozen=True)
class Before:
    """What a run began with, as one that speaks."""

    id: str
    adapter: pathlib.Path


def compare(m: Measuring, rows: NormalRows, count: int, facts: scores.Facts) -> dict[str, int | None] | None:
    """`held` of the corrected answers, `of` how many; and of the other rows `right` before the run, and `kept` of them after it.

    Corrected are the first `count` of the data's rows. None where there was no time for them; `right` and `kept` are None where there
    was none for the others, or the run began with nothing of another's. Raises OSError where the disk is full.
    """
    until, seed = m.clock.spent + m.allowed.patience, m.spec.settings.seed

    def right(one: EvaluationQuestion, answer: str) -> bool:
        return scores.right(facts.wanted(one.question, one.reference), one.reference, answer)

    def answered(who: Speaker, some: Sequence[EvaluationQuestion]) -> list[EvaluationQuestion] | None:
        return _right(m, who, some, right, until)

    new = _questions(sample([row for row in rows if row["row"] <= count], MOST_CORRECTED, seed))
    held = answered(m.run, new)
    if held is None:
        return None
    found: dict[str, int | None] = {"held": len(held), "of": len(new), "right": None, "kept": None}
    old = _questions(sample([row for row in rows if row["row"] > count], MOST_OLD, seed))
    with _before(m.run) as before:
        was = None if before is None else answered(before, old)
        if before is not None:
            m.resident.drop_adapter(before.id)
    kept = None if was is None else answered(m.run, was)
    return found if was is None or kept is None else {**found, "right": len(was), "kept": len(kept)}


def _questions(rows: Sequence[dict[str, Any]]) -> list[EvaluationQuestion]:
    return [one for row in rows if (one := batches.asked(row)) is not None]


def _right(m: Measuring, who: Speaker, some: Sequence[EvaluationQuestion], right: Judge, until: float) -> list[EvaluationQuestion] | None:
    """Those of the questions that are answered right; None where time or memory was not enough."""
    template = m.spec.settings.chat_template
    found, asking = [], batches.prompts(m.resident, some, m.spec.model.card.context_length, m.spec.settings.thinking, template=template)
    for start in range(0, len(asking), batches.BATCH):
        batch = asking[start : start + batches.BATCH]
        room, left = batches.room(m.resident.tokenizer, [one for one, _ in batch]), until - m.clock.spent
        said = batches.answers(m.resident, who, [ids for _, ids in batch], room, left, template) if left > 0 else None
        m.clock.pause()
        if said is None:
            return None
        found += [one for (one, _), answer in zip(batch, said, strict=True) if right(one, answer.text)]
    return found


@contextlib.contextmanager
def _before(run: Run) -> Iterator[Before | None]:
    """What a run began with; None where that was the base."""
    if not run.start.exists():
        yield None
        return
    if run.start.is_dir():
        yield Before(f"{run.id}-before", run.start)
        return
    with tempfile.TemporaryDirectory(dir=run.folder, prefix=".before-") as folder:
        place = pathlib.Path(folder)
        shutil.copyfile(run.adapter / "adapter_config.json", place / "adapter_config.json")
        shutil.copyfile(run.start, place / "adapter_model.safetensors")
        yield Before(f"{run.id}-before", place)
