"""Speed and memory on a real card: 8B shapes with random weights, rows of 2048 tokens, LoRA in 16 bits and on NF4, beside stock TRL.

`python -m pytest -m gpu -s tests/gpu/test_speed.py`, a few minutes on a large card. MFU counts 4N + 3a operations for a token
(`forecast.duration`), whatever is computed twice, against the card's dense bf16 peak. Nothing is downloaded.
"""

import gc
import json
import pathlib
import time
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

from tests.gpu.test_forecast import GIB, Random
from tests.tiny import tokenizer
from tuning import settings
from tuning.engine.learn.train import train
from tuning.forecast.duration import operations_per_token
from tuning.machine.hardware import Gpu
from tuning.schema import LOCAL
from tuning.studio import Studio

pytestmark = pytest.mark.gpu
MODEL, LENGTH, BATCH, STEPS = "Qwen/Qwen3-8B", 2048, 4, 8
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "4090": 165e12}  # FLOP/s in bf16, dense, by their data sheets
GOAL = 0.45


def peak_flops() -> float:
    name = torch.cuda.get_device_name()
    return next((peak for card, peak in PEAKS.items() if card in name), float("nan"))


def ours(home: pathlib.Path, changes: dict[str, Any]) -> tuple[float, float, float]:
    """Tokens per second, MFU and peak in bytes of a run by the product."""
    studio = Studio(settings.read(home=str(home)), LOCAL)
    free, total = torch.cuda.mem_get_info()
    capability = float("{}.{}".format(*torch.cuda.get_device_capability()))
    gpu = Gpu(
        index=0,
        name="card",
        memory_total=total,
        memory_free=free,
        compute_capability=capability,
    )
    studio.shared._hardware = (float("inf"), studio.shared.probe().model_copy(update={"gpus": [gpu], "trouble": None}))
    reference = studio.models.find(MODEL)
    folder = pathlib.Path(reference.path)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer().save_pretrained(folder)
    rows = home / "rows.json"
    made = [{"instruction": "why? " * 60, "output": "because. " * (50 + 37 * number % 350)} for number in range(STEPS * 4 * BATCH)]
    rows.write_text(json.dumps(made), encoding="utf-8")
    fixed = {"max_steps": STEPS, "max_length": LENGTH, "validation_share": 0.0, "target_modules": "all-linear", "report": False}
    run = studio.runs.create(MODEL, str(rows), "facts", {**fixed, "per_device_train_batch_size": BATCH, **changes})
    state = train(run, studio.shared.store, Random(reference.card.config))
    assert state.status == "finished" and state.tokens_per_second and state.peak_bytes, state.error
    plain = run.spec().settings.model_copy(update={"gradient_checkpointing": "none"})
    flops = state.tokens_per_second * operations_per_token(reference.card, plain, LENGTH)
    return state.tokens_per_second, flops / peak_flops(), float(state.peak_bytes)


def stock(config: dict[str, Any]) -> tuple[float, float]:
    """Tokens per second and peak of TRL with its defaults on rows of the same lengths."""
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=torch.bfloat16)
    rows = [[7] * (400 + 211 * number % 1600) for number in range(STEPS * BATCH)]
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir="unused", max_steps=STEPS, per_device_train_batch_size=BATCH, max_length=LENGTH, bf16=True,
                       save_strategy="no", report_to="none", disable_tqdm=True),
        train_dataset=Dataset.from_dict({"input_ids": rows, "labels": rows}),
        processing_class=tokenizer(),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )  # fmt: skip
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    trainer.train()
    torch.cuda.synchronize()
    return sum(map(len, rows)) / (time.perf_counter() - started), float(torch.cuda.max_memory_reserved())


def test_speed_and_memory_beside_stock_trl(tmp_path: pathlib.Path) -> None:
    config = Studio(settings.read(home=str(tmp_path)), LOCAL).models.find(MODEL).card.config
    speed, peak = stock(config)
    print(f"stock TRL: {speed:.0f} tokens/s, {peak / GIB:.1f} GiB")
    for name, changes in (("LoRA bf16", {"quantization": "none"}), ("QLoRA NF4", {"quantization": "nf4"})):
        gc.collect()
        torch.cuda.empty_cache()
        mine, share, bytes_ = ours(tmp_path / name.split()[0], changes)
        print(f"{name}: {mine:.0f} tokens/s, {mine / speed:.2f} x TRL, {bytes_ / GIB:.1f} GiB")
        print(f"{name}: MFU {100 * share:.0f} %, goal {100 * GOAL:.0f} %")
