"""A trained run on the tiny model, made once for the tests that only look at one."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tuning import settings
from tuning.engine.resident import Resident
from tuning.engine.train import train
from tuning.runs.store import Run
from tuning.schema import RunState
from tuning.verbs import Verbs

Trainer = Callable[..., tuple[Run, RunState]]

FAST = {"num_train_epochs": 2, "validation_share": 0.2, "lora_r": 4, "learning_rate": 0.01, "max_length": 64}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """As the children have: the models are tiny, and sums come out the same."""
    torch.set_num_threads(1)


@pytest.fixture
def make_run(verbs: Verbs, tiny_model: pathlib.Path, rows_file: pathlib.Path) -> Callable[..., Run]:
    """A new run of the tiny model on forty rows; settings by name."""

    def make(data: str | None = None, **changes: Any) -> Run:
        return verbs.create(str(tiny_model), data or str(rows_file), "facts", {**FAST, **changes})

    return make


@pytest.fixture
def trained(make_run: Callable[..., Run], verbs: Verbs) -> Trainer:
    """Train to the end in this process and return the run and its state."""

    def go(yield_point: Callable[[], None] = lambda: None, resident: Resident | None = None, **changes: Any) -> tuple[Run, RunState]:
        run = make_run(**changes)
        return run, train(run, verbs.store, resident or Resident(), yield_point)

    return go


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: pathlib.Path) -> tuple[Run, RunState, Verbs]:
    """One finished run, for reading only."""
    folder = tmp_path_factory.mktemp("finished")
    rows = [{"instruction": f"How much is item {n}?", "output": f"Item {n} costs {n} euro."} for n in range(30)]
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    verbs = Verbs(settings.read(home=str(folder / "home")))
    run = verbs.create(str(tiny_model), str(folder / "rows.json"), "facts", FAST)
    return run, train(run, verbs.store, Resident()), verbs


def losses(run: Run) -> dict[int, float]:
    """Training loss by step."""
    return {record["step"]: record["loss"] for record in run.metrics() if "loss" in record}
