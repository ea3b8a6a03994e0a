"""A run trained again by a script that knows nothing of this project: the same loss at the end."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tuning import settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.export import certificate, forms
from tuning.export.bundle import retrain
from tuning.runs.run_folder import Run
from tuning.studio import Studio

FAST: dict[str, Any] = {"max_steps": 4, "learning_rate": 0.003, "lora_dropout": 0, "report": False, "max_samples": 40, "precision": "fp32"}
SAME = 1e-4


def learned(studio: Studio, changes: dict[str, Any]) -> Run:
    run = studio.runs.create("starter", "starter-it", "facts", {**FAST, **changes})
    assert train(run, studio.shared.store, Resident()).status == "finished", run.log()[-20:]
    return run


def outside(folder: pathlib.Path, *words: str) -> None:
    """Run a program in a folder, where this project is not to be found."""
    env = {**settings.child_environment(), "HF_HUB_OFFLINE": "1", "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.drawn("made")
def test_a_bundle_trains_to_the_same_loss_in_a_fresh_process(
    taught: tuple[Studio, Run], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several micro-batches in a step, and rsLoRA; in a folder with an accent, on a disk with no room for the base's weights."""
    studio, run = taught
    own = sum(path.stat().st_size for path in run.adapter.iterdir()) + forms.BESIDE_WEIGHTS
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(total=2**40, used=0, free=own))
    folder = studio.exports.export(run.id, "bundle", tmp_path / "un pacchetto è")
    outside(folder, "-I", str(folder / "retrain.py"))
    told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    print(told)
    assert told["apart"] <= SAME and told["steps"] == 6 and told["loss_of_the_run"] == run.state().train_loss
    ours, theirs = (load_file(place / "adapter_model.safetensors") for place in (run.adapter, folder / "adapter"))
    assert ours.keys() == theirs.keys() and all(torch.allclose(ours[name], theirs[name], atol=1e-3) for name in ours)

    assert "tuning" not in re.findall(r"(?:from|import) (\w+)", pathlib.Path(retrain.__file__).read_text(encoding="utf-8"))
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "adapter", "base", "certificate.json", "certificate.md", "conversations.jsonl", "requirements.txt", "result.json",
        "retrain.py", "rows.jsonl", "settings.json", "tokenizer", "trl-sft.yaml",
    }  # fmt: skip
    assert certificate.read(folder)["why"] == "bundle"
    pinned = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    assert {line.split("==")[0] for line in pinned} == {"torch", "transformers", "peft", "trl", "accelerate", "datasets"}
    assert not [path for path in folder.rglob("*.*") if studio.settings.home.name.encode() in path.read_bytes()]
    said = yaml.safe_load((folder / "trl-sft.yaml").read_text(encoding="utf-8"))
    assert (said["use_rslora"], said["lora_r"], said["lora_dropout"], said["seed"], said["model_name_or_path"]) == (
        True,
        16,
        0.0,
        42,
        "base",
    )


@pytest.mark.nightly
@pytest.mark.parametrize(
    "changes", [{}, {"method": "full", "learning_rate": 3e-4}, {"lora.use_dora": True}, {"precision": "bf16"}], ids=str
)
def test_other_runs_and_trl_s_own_command_come_to_the_same_loss(studio: Studio, tmp_path: pathlib.Path, changes: dict[str, Any]) -> None:
    """A whole model and DoRA too; in 16 bits it is near. What goes on from another run begins where that one ended."""
    first = learned(studio, changes)
    second = studio.runs.further(first.id, None, {}, None)
    assert train(second, studio.shared.store, Resident()).status == "finished", second.log()[-20:]
    for run in (first, second):
        folder = studio.exports.export(run.id, "bundle", tmp_path / run.id)
        outside(folder, "-I", "retrain.py")
        told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        print(changes, told)
        assert told["apart"] <= (0.02 if changes.get("precision") == "bf16" else SAME)
    folder = studio.exports.export(first.id, "bundle", tmp_path / "by trl")
    shutil.rmtree(folder / "tokenizer")
    outside(
        folder,
        str(pathlib.Path(sys.executable).with_name("trl")),
        "sft",
        "--config",
        "trl-sft.yaml",
        "--save_strategy",
        "steps",
        "--save_steps",
        "4",
    )
    kept = json.loads(next((folder / "adapter").glob("checkpoint-*/trainer_state.json")).read_text(encoding="utf-8"))
    last = [entry["loss"] for entry in kept["log_history"] if "loss" in entry][-1]
    wanted = first.state().train_loss
    print("trl sft", last, wanted)
    assert wanted is not None and abs(last - wanted) <= (0.02 if changes.get("precision") == "bf16" else SAME)
