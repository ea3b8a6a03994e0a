"""The program that a card runs, on the processor: the libraries' own layers learn what the substitutes learn."""

from typing import Any

import pytest

from tests.engine import cards
from tests.engine.conftest import Trainer, Undisturbed, losses
from tuning.engine.resident import Resident
from tuning.runs.evaluation import verdict

STEPS = {"max_steps": 6, "lora_dropout": 0.0, "early_stopping_patience": 0}
WAYS: list[dict[str, Any]] = [
    {"precision": "fp32", "packing": True},
    {"precision": "bf16", "packing": True},
    {"precision": "fp32", "packing": False, "gradient_checkpointing": "full"},
    {"precision": "fp32", "method": "full", "packing": True},
]


@pytest.mark.parametrize("wanted", WAYS, ids=lambda wanted: "-".join(str(value) for value in wanted.values()))
def test_it_learns_what_the_processor_s_own_ways_learn(trained: Trainer, undisturbed: Undisturbed, wanted: dict[str, Any]) -> None:
    plain, resident = undisturbed(**STEPS, **wanted), Resident()
    quicker = set[str]()

    def look() -> None:
        for name, module in resident.model.named_modules() if resident.training else ():
            if getattr(module, "lora_variant", None) or (type(module).__name__.endswith("RMSNorm") and "forward" in module.__dict__):
                quicker.add(name)

    with cards.stock():
        run, state = trained(look, resident, **STEPS, **wanted)
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    assert not quicker, "PEFT's LoRA, transformers' norms"
    near = 0.02 if wanted["precision"] == "bf16" else 1e-4
    assert losses(run) == pytest.approx(losses(plain), abs=near)
    assert state.eval_loss == pytest.approx(plain.state().eval_loss, abs=near)


def test_a_report_says_the_same(trained: Trainer, undisturbed: Undisturbed) -> None:
    wanted = {**STEPS, "precision": "fp32", "report": True}
    plain = undisturbed(**wanted)
    with cards.stock():
        run, _ = trained(**wanted)
    one, other = (verdict.read(which) for which in (plain, run))
    assert one is not None and other is not None
    for name in ("base", "tuned"):
        assert other["measures"]["loss"][name] == pytest.approx(one["measures"]["loss"][name], abs=1e-4)
    assert [other["verdict"][name] for name in ("code", "reason")] == [one["verdict"][name] for name in ("code", "reason")]
