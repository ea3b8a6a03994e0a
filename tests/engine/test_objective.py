"""What is accepted learns its own objective: the held-out loss, a training step and the report have the loss of the model's own forward."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
import trl.trainer.utils
import yaml
from torch.utils.data import DataLoader

from tests.engine.conftest import losses
from tests.lots import lot
from tests.models import every
from tests.tiny import tokenizer
from tuning.engine.kernels import head
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.engine.speak import batches
from tuning.runs.run_folder import Run
from tuning.studio import Studio

ODD = ("hyperclovax", "recurrent_gemma", "modernbert-decoder")  # families that do something of their own to their scores
CHANGES = {
    "max_steps": 2,
    "max_length": 64,
    "lora_r": 4,
    "learning_rate": 0.01,
    "validation_share": 0.0,
    "report": False,
    "precision": "fp32",
}


def rows(count: int = 6, most: int = 100) -> list[dict[str, list[int]]]:
    made = []
    for number in range(count):
        ids = [(place * 7 + number * 13) % most + 5 for place in range(12 + 3 * number)]
        made.append({"input_ids": ids, "labels": [-100] * 4 + ids[4:]})
    return made


LOT = lot("scores of their own").choice(ODD)  # in every suite; the others by night


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[] if kind == LOT else [pytest.mark.nightly]) for kind in ODD])
def test_held_out_loss_and_report_are_the_model_s_own(kind: str) -> None:
    model = every.build(kind)
    total, count = 0.0, 0
    with torch.no_grad():
        for one in rows():
            learned = len(one["labels"]) - 4
            total += (
                model(input_ids=torch.tensor([one["input_ids"]]), labels=torch.tensor([one["labels"]]), use_cache=False).loss.item()
                * learned
            )
            count += learned
        sums, counts = batches.row_nll(model, head.pad(rows(), 0, torch.device("cpu")))
    assert head.mean_loss(model, rows(), 0, 2) == pytest.approx(total / count, rel=1e-4)
    assert sums.sum().item() == pytest.approx(total, rel=1e-4) and counts.sum() == count


@pytest.fixture
def begun(studio: Studio, rows_file: pathlib.Path, tmp_path: pathlib.Path) -> Callable[..., Run]:
    """A new run on a tiny random model of a family; the settings that its spec has."""

    def make(kind: str, changes: dict[str, Any], **sizes: Any) -> Run:
        folder, words = tmp_path / kind, tokenizer()
        if not folder.is_dir():
            every.build(kind, vocab_size=len(words), **sizes).save_pretrained(folder)
            words.save_pretrained(folder)
        return studio.runs.create(str(folder), str(rows_file), "facts", {**CHANGES, **changes})

    return make


def trained(run: Run, studio: Studio) -> dict[int, float]:
    state = train(run, studio.shared.store, Resident())
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    return losses(run)


def planned_as_packed(run: Run) -> Run:
    """As an earlier version, or a catalog that knows it wrong, would have planned it."""
    path = run.folder / "spec.yaml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    spec["settings"]["packing"] = True
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    assert run.spec().settings.packing is True
    return run


def test_rows_that_would_see_each_other_are_not_packed(begun: Callable[..., Run], studio: Studio) -> None:
    alone = trained(begun("doge", {"packing": False}), studio)
    run = planned_as_packed(begun("doge", {"packing": False}))
    assert trained(run, studio) == pytest.approx(alone, rel=1e-6)
    assert [notice.code for notice in run.state().recoveries] == ["recovery.packing"]


def test_a_family_known_to_differ_is_planned_without_packing(begun: Callable[..., Run]) -> None:
    assert begun("doge", {}).spec().settings.packing is False
    assert begun("llama", {}).spec().settings.packing is True


def test_a_head_of_its_own_is_used_as_it_is_and_said(begun: Callable[..., Run], studio: Studio) -> None:
    run = begun("modernbert-decoder", {"packing": False})
    trained(run, studio)
    assert [notice.code for notice in run.state().recoveries] == ["recovery.head"]


def test_no_run_needs_a_compiler_for_its_loss(begun: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRL's LM head is a Triton kernel on a card; without a compiler for C it raises at its first call."""

    def missing(*_: Any) -> Any:
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")

    monkeypatch.setattr(trl.trainer.utils._ChunkedLogProbFunction, "apply", missing)
    sizes = {"num_hidden_layers": 1, "lm_head_multiplier": 0.5}
    assert len(trained(begun("falcon_h1", {"max_steps": 1, "target_modules": ["q_proj"]}, **sizes), studio)) == 1


def test_numbers_of_rows_go_through_the_loader_and_no_tokens(
    begun: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accelerate visits everything that a batch holds, one Python number after another."""
    seen: list[Any] = []
    usual = DataLoader.__iter__

    def watched(self: Any) -> Any:
        for batch in usual(self):
            seen.append(batch)
            yield batch

    monkeypatch.setattr(DataLoader, "__iter__", watched)
    run = begun("llama", {})
    trained(run, studio)
    assert seen
    for batch in seen:
        assert len(json.dumps(batch)) < 100
