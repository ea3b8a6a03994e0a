"""Trained runs on the tiny model, made once for the tests that only look at one or compare theirs with it."""

import functools
import gc
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from tests.conftest import write_rows
from tests.engine import cards
from tests.lots import lot
from tuning import settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio

Trainer = Callable[..., tuple[Run, RunState]]

FAST = {"report": False, "num_train_epochs": 2, "validation_share": 0.2, "lora_r": 4, "learning_rate": 0.01, "max_length": 64}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """As the children have: the models are tiny, and sums come out the same.

    Whatever the libraries hold is taken out of the garbage collector's sight: a run collects twice, for half its seconds.
    """
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _read(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The data folder of a home where `rows_file`'s rows were read, in a process of their own, once for all tests."""
    folder = tmp_path_factory.mktemp("read")
    Studio(settings.read(home=str(folder / "home")), LOCAL).data.find(str(write_rows(folder / "rows.json")))
    return folder / "home" / "data"


@pytest.fixture
def make_run(studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, _read: pathlib.Path) -> Callable[..., Run]:
    """A new run of the tiny model on forty rows; settings by name."""
    shutil.copytree(_read, studio.settings.home / "data", dirs_exist_ok=True)

    def make(data: str | None = None, **changes: Any) -> Run:
        return studio.runs.create(str(tiny_model), data or str(rows_file), "facts", {**FAST, **changes})

    return make


@pytest.fixture
def trained(make_run: Callable[..., Run], studio: Studio) -> Trainer:
    """Train to the end in this process and return the run and its state."""

    def go(yield_point: Callable[[], None] = lambda: None, resident: Resident | None = None, **changes: Any) -> tuple[Run, RunState]:
        run = make_run(**changes)
        return run, train(run, studio.shared.store, resident or Resident(), yield_point)

    return go


@pytest.fixture
def as_on_a_card() -> Iterator[None]:
    """What this test computes, a card would compute so. Not for tests that ask for `undisturbed`, which others read too."""
    with cards.stock():
        yield


WAYS, DRAWN = ("processor", "card"), lot("way").choice(("processor", "card"))


@pytest.fixture(params=[pytest.param(way, marks=[] if way == DRAWN else [pytest.mark.nightly]) for way in WAYS])
def way(request: pytest.FixtureRequest) -> None:
    """Each way to compute, by lot in the suite and both by night."""
    if request.param == "card":
        request.getfixturevalue("as_on_a_card")


Undisturbed = Callable[..., Run]


@pytest.fixture(scope="session")
def _quiet(tmp_path_factory: pytest.TempPathFactory, tiny_model: pathlib.Path) -> tuple[Studio, Undisturbed]:
    folder = tmp_path_factory.mktemp("undisturbed")
    studio, rows = Studio(settings.read(home=str(folder / "home")), LOCAL), str(write_rows(folder / "rows.json"))

    @functools.cache
    def go(**changes: Any) -> Run:
        run = studio.runs.create(str(tiny_model), rows, "facts", {**FAST, **changes})
        state = train(run, studio.shared.store, Resident())
        assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
        return run

    return studio, go


@pytest.fixture(scope="session")
def undisturbed(_quiet: tuple[Studio, Undisturbed]) -> Undisturbed:
    """A finished run that nothing came between, for reading only: made once for each set of settings, of `rows_file`'s rows."""
    return _quiet[1]


@pytest.fixture(scope="session")
def finished(_quiet: tuple[Studio, Undisturbed]) -> tuple[Run, RunState, Studio]:
    """The one with settings as they are, for reading only."""
    studio, go = _quiet
    run = go()
    return run, run.state(), studio


@pytest.fixture(scope="session")
def happened(tmp_path_factory: pytest.TempPathFactory, tiny_model: pathlib.Path) -> list[dict[str, Any]]:
    """What became of runs that were killed, stopped or left without disk: a sample, in one process. The first was left alone."""
    from tests.engine import killing, moments

    folder = tmp_path_factory.mktemp("happened")
    rows = [{"instruction": f"How much is item {n}?", "output": f"Item {n} costs {n * 7} euro" + " and" * (n % 5)} for n in range(40)]
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    return killing.carry_out(folder, tiny_model, folder / "rows.json", moments.sample())


def losses(run: Run) -> dict[int, float]:
    """Training loss by step."""
    return {record["step"]: record["loss"] for record in run.metrics() if "loss" in record}
