"""A Space without storage is killed in the middle of a run and started again with an empty disk: the run goes on, to the same losses.

Real processes and a Hub on the loopback interface. It shows nothing of what the real Hub answers, nor how long it takes.
"""

import os
import pathlib
import re
import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.bench.server import running
from tests.engine.conftest import Trainer, losses
from tests.engine.conftest import _read as _read
from tests.engine.conftest import make_run as make_run
from tests.engine.conftest import trained as trained
from tests.engine.spoiling import HOOK
from tests.hub.receiving import TOKEN, Receiving
from tuning import settings
from tuning.data.records import SPEC
from tuning.mirror import mirrored
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import t

pytestmark = pytest.mark.nightly

REPO, ANNA = "anna/sartoria-runs", "hf:anna"
CHANGES = {"num_train_epochs": 8, "lora_dropout": 0.1, "sft.save_steps": 3}
SLOW = (
    HOOK
    + """
def slow(trainer):
    step = trainer.training_step
    def late(self, *values, **named):
        time.sleep(0.2)
        return step(self, *values, **named)
    trainer.training_step = late

spoil("tuning.engine.learn.trainer", lambda module: slow(module.CheckedTrainer))
"""
)


def space(hub: str, folder: pathlib.Path) -> dict[str, str]:
    """The environment of a Space whose owner has configured a mirror."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(SLOW, encoding="utf-8")
    its = {"SYSTEM": "spaces", "SPACE_ID": "anna/sartoria", "TUNING_MIRROR": REPO, "HF_TOKEN": TOKEN, "HF_ENDPOINT": hub}
    return {**os.environ, **its, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(folder / "site")}


def given_to(run: Run, owner: str) -> None:
    """Whose it is, in the files: nobody but Gradio's log-in makes an account."""
    data = run.folder.parent.parent / "data" / run.spec().data.id / SPEC
    for file in (run.folder / "spec.yaml", data):
        text, found = re.subn(rf'(owner"?: ?"?){LOCAL}', rf"\g<1>{owner}", file.read_text(encoding="utf-8"))
        assert found == 1, file
        file.write_text(text, encoding="utf-8")


def everything(folder: pathlib.Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("ends", ["kill", "sleep"])
def test_a_run_goes_on_from_the_hub_after_its_space_lost_its_disk(
    trained: Trainer,
    make_run: Callable[..., Run],
    home: pathlib.Path,
    tmp_path: pathlib.Path,
    wait_until: Callable[..., Any],
    ends: str,
) -> None:
    whole, _ = trained(**CHANGES)
    expected = losses(whole)
    shutil.rmtree(whole.folder)
    run = make_run(**CHANGES)
    given_to(run, ANNA)
    with Receiving() as hub:
        env = space(hub.address, tmp_path)

        def there() -> list[str]:
            return [name for name in (hub.repos and hub.kept(REPO).files) or {} if f"{run.id}/checkpoints" in name]

        run.enqueue()
        with running(home, env=env) as (_, process):
            wait_until(there, 300)
            if ends == "kill":
                process.kill()
            else:  # as a Space that falls asleep: it may save, and what it saved arrives
                process.send_signal(signal.SIGTERM)
            process.wait(60)
        before = run.state()
        assert before.status == "interrupted" and 0 < before.step < before.total_steps
        log = everything(home)
        shutil.rmtree(home)
        with running(home, env=env):
            wait_until(lambda: run.folder.is_dir() and run.state().status == "finished", 300)
            wait_until(lambda: f"runs/{run.id}/adapter/adapter_model.safetensors" in hub.kept(REPO).files, 120)
        hub.shutdown()
        kept = b"".join(hub.kept(REPO).files.values())
    state, anna = run.state(), Studio(settings.Settings(home=home, mode="space"), ANNA)
    assert [notice.code for notice in state.recoveries] == ["recovery.woken"]
    saved = state.recoveries[0].params["step"]
    assert saved == before.step if ends == "sleep" else 3 <= saved <= before.step
    assert losses(run) == pytest.approx(expected, abs=1e-6)
    assert [one["run"] for one in anna.runs.list()] == [run.id] and Store(home).all(LOCAL) == []
    assert TOKEN.encode() not in everything(home) + log + kept


def test_a_network_that_is_cut_in_mid_run_costs_the_run_nothing_and_is_told(
    trained: Trainer, make_run: Callable[..., Run], home: pathlib.Path, tmp_path: pathlib.Path, wait_until: Callable[..., Any]
) -> None:
    whole, _ = trained(**CHANGES)
    run = make_run(**CHANGES)
    with Receiving() as hub:
        hub.cut = 10_000
        with running(home, env=space(hub.address, tmp_path)):
            run.enqueue()
            wait_until(lambda: mirrored.trouble(run.folder), 120)
            shown = Studio(settings.Settings(home=home), LOCAL).runs.show(run.id)
            assert "mirror.cut" in [notice["code"] for notice in shown["notices"]]
            wait_until(lambda: run.state().status == "finished", 300)
            assert losses(run) == pytest.approx(losses(whole), abs=1e-6)
            hub.cut = 0
            wait_until(lambda: mirrored.trouble(run.folder) is None, 120)
            assert f"runs/{run.id}/adapter/adapter_model.safetensors" in hub.kept(REPO).files
        hub.shutdown()
    assert t("en", "mirror.cut", host=hub.address.partition("://")[2]) in (home / "app.log").read_text(encoding="utf-8")
