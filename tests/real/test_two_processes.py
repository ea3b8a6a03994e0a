"""A pretrained model in two processes, whole in each and in shares, learns what it learns in one; run as `test_real` is.

A few steps over rows of the starter's shop; FOLDER is that of `test_real`. Minutes on two cores.
"""

import pathlib
import subprocess
import sys
import time

from tests.engine.conftest import losses
from tests.engine.learn.test_ranks import LAUNCHERS, settings_of
from tests.real.test_real import MODELS, data, pytestmark  # noqa: F401  the mark is this file's, too
from tuning import settings
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL

NAME = "SmolLM2-135M-Instruct"
FEW = {"max_steps": 4, "lora_dropout": 0.0, "precision": "fp32", "per_device_train_batch_size": 2, "max_samples": 40, "report": False}


def trained(folder: pathlib.Path, rows: pathlib.Path, accumulation: int, by: str | None = None) -> Run:
    launcher = ["-m", *LAUNCHERS[by]] if by else []
    asked = settings_of({**FEW, "gradient_accumulation_steps": accumulation})
    words = ["-m", "tuning", "--home", str(folder), "train", "-m", str(pathlib.Path(MODELS) / NAME), "-d", str(rows), *asked]
    done = subprocess.run([sys.executable, *launcher, *words], capture_output=True, text=True, cwd=settings.ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = Store(folder).all(LOCAL)
    return run


def test_two_processes_learn_what_one_learns(tmp_path: pathlib.Path) -> None:
    rows, started = data("en", tmp_path)[0], time.monotonic()
    alone = losses(trained(tmp_path / "alone", rows, 4))
    for by in ("torchrun", "fsdp2"):
        run = trained(tmp_path / by, rows, 2, by)
        apart = max(abs(losses(run)[step] - loss) for step, loss in alone.items())
        print(f"\n{NAME} by {by}: {len(alone)} losses at most {apart:.1e} apart; {time.monotonic() - started:.0f} s")
        assert run.spec().processes == 2 and run.spec().shares is (by == "fsdp2") and run.adapter_fault() is None
        assert len(losses(run)) == len(alone) == FEW["max_steps"] and apart <= 1e-4
    assert alone[4] < alone[1]
