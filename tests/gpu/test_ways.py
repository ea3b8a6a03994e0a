"""The faster ways on a real card: each gives what the plain one gives, a run uses it to its end, and how fast each is.

`python -m pytest -m gpu -s tests/gpu/test_ways.py`, about three minutes on a large card. flash-attn and liger-kernel take part where
they are installed. Nothing is downloaded.
"""

import itertools
import json
import pathlib
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.engine.kernels.test_packing import rows_of
from tests.gpu.test_forecast import Random
from tests.tiny import tokenizer
from tuning import settings
from tuning.engine.kernels import attention, head, norms, packing
from tuning.engine.learn.train import train
from tuning.machine import wheels
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio

pytestmark = pytest.mark.gpu
HERE = wheels.installed() if torch.cuda.is_available() else {}
WAYS = ["varlen", *(["flash_attention_2"] if "flash_attn" in HERE else [])]
HEADS = (64, 72, 80, 96, 128)  # all sizes of the catalog
MODEL, LENGTH, STEPS = "Qwen/Qwen3-4B", 2048, 6


@pytest.mark.parametrize(("way", "size", "dtype"), list(itertools.product(WAYS, HEADS, (torch.bfloat16, torch.float16))))
def test_a_kernel_gives_what_the_plain_way_gives(way: str, size: int, dtype: torch.dtype) -> None:
    config = AutoConfig.for_model(
        "mistral", hidden_size=8 * size, head_dim=size, num_attention_heads=8, num_key_value_heads=2, sliding_window=16
    )
    assert attention.working(way, config, torch.device("cuda"), dtype)[1] == way


def small() -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "qwen3", vocab_size=2000, hidden_size=512, intermediate_size=1024, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=2, head_dim=64,
    )  # fmt: skip
    with torch.device("cuda"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")


def learned(model: Any, batches: list[list[packing.TokenRow]], attend: attention.Attend) -> tuple[float, torch.Tensor]:
    """The loss for each token, and all gradients in one row."""
    model.zero_grad()
    total = 0.0
    for rows in batches:
        batch, lengths = packing.packed(rows, model.device)
        with packing.apart(model, lengths, attend), torch.autocast("cuda", dtype=torch.bfloat16):
            loss, _ = head.labelled_nll(model, batch)
            loss.backward()
        total += loss.item()
    return total / sum(map(packing.learned, batches)), torch.cat([weights.grad.float().flatten() for weights in model.parameters()])


def close(one: tuple[float, torch.Tensor], other: tuple[float, torch.Tensor]) -> None:
    assert other[0] == pytest.approx(one[0], abs=1e-2)
    assert torch.nn.functional.cosine_similarity(one[1], other[1], dim=0) > 0.999
    assert other[1].norm() == pytest.approx(one[1].norm().item(), rel=0.02)


@pytest.mark.parametrize("way", ["sdpa", *WAYS])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_packed_equals_separate(way: str, checkpointing: bool) -> None:
    model, rows = small().train(), rows_of([400, 3, 170, 1, 600, 64], 2000)
    if checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    alone = learned(model, [[row] for row in rows], attention.separately)
    close(alone, learned(model, [rows], attention.WAYS[way]))


def test_liger_gives_what_the_model_s_own_layers_give() -> None:
    model, rows = small().train(), rows_of([400, 3, 170], 2000)
    plain = learned(model, [rows], attention.separately)
    if "liger_kernel" not in HERE:
        with pytest.raises(ImportError):
            norms.liger()
        return
    assert norms.quicken(model, *norms.liger()) == 4 * 5 + 1  # norms around and in attention, the MLP; the last norm
    close(plain, learned(model, [rows], attention.separately))


def go(home: pathlib.Path, changes: dict[str, Any]) -> RunState:
    studio = Studio(settings.read(home=str(home)), LOCAL)
    reference = studio.models.find(MODEL)
    folder = pathlib.Path(reference.path)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer().save_pretrained(folder)
    made = [{"instruction": "why? " * 20, "output": "because. " * (20 + 37 * number % 200)} for number in range(STEPS * 32)]
    (home / "rows.json").write_text(json.dumps(made), encoding="utf-8")
    fixed = {"max_steps": STEPS, "max_length": LENGTH, "validation_share": 0.0, "report": False, "per_device_train_batch_size": 8}
    run = studio.runs.create(MODEL, str(home / "rows.json"), "facts", {**fixed, **changes})
    return train(run, studio.shared.store, Random(reference.card.config))


def test_runs_use_them_to_the_end(tmp_path: pathlib.Path) -> None:
    """Short rows, many to a sequence: there a call for each row costs most."""
    off = {"sft.use_liger_kernel": False}
    ways: dict[str, dict[str, Any]] = {"a call for each row": {"attn_implementation": "sdpa", **off}}
    ways |= {way: {"attn_implementation": way, **off} for way in WAYS}
    ways |= {"with liger": {}} if "liger_kernel" in HERE else {}
    ways["AdamW in 8 bits"] = {"sft.optim": "adamw_8bit", **off}
    states = {}
    for number, (name, changes) in enumerate(ways.items()):
        states[name] = state = go(tmp_path / str(number), changes)
        assert state.status == "finished" and not state.recoveries and state.tokens_per_second, (state.error, state.recoveries)
        print(f"{name}: {state.tokens_per_second:.0f} tokens/s, {(state.peak_bytes or 0) / 2**30:.1f} GiB, loss {state.train_loss:.3f}")
        torch.cuda.empty_cache()
    first = states["a call for each row"].train_loss
    assert all(state.train_loss == pytest.approx(first, abs=0.05) for state in states.values())
