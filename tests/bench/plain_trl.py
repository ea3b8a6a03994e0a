"""The baseline: what a newcomer writes with TRL, library defaults and nothing else. Prints tokens and seconds as JSON.

`python -m tests.bench.plain_trl MODEL ROWS STEPS BATCH RATE MAX_LENGTH [ACCUMULATION DROPOUT]`; rows are in our normal form.
With the last two: attention alone is adapted, nothing is checkpointed, and it computes in 16 bits where this processor can.
The clock runs from the end of the first step to the end of the last.
"""

import json
import pathlib
import sys
import time
from typing import Any

import psutil
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from tuning.engine.device import Device
from tuning.machine import hardware


class Clock(TrainerCallback):
    """Notes when steps end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())


def main() -> None:
    model, rows, steps, batch, rate, length = sys.argv[1:7]
    alike = len(sys.argv) > 8  # to `speed`
    repeats, dropout = (int(sys.argv[7]), float(sys.argv[8])) if alike else (1, 0.0)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"] if alike else "all-linear"
    options = {"gradient_checkpointing": False, "bf16": hardware.probe(pathlib.Path.cwd(), None).cpu_bf16} if alike else {}
    loaded = AutoModelForCausalLM.from_pretrained(model)
    for weight in loaded.parameters():
        float(weight.detach().sum())  # files are mapped, and read when they are needed
    before = psutil.Process().memory_info().rss
    Device("cpu").forget_peak()
    messages = [{"messages": json.loads(line)["messages"]} for line in pathlib.Path(rows).read_text(encoding="utf-8").splitlines()]
    clock = Clock()
    trainer = SFTTrainer(
        model=loaded,
        args=SFTConfig(
            output_dir="unused",
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            assistant_only_loss=True,
            max_steps=int(steps),
            per_device_train_batch_size=int(batch),
            learning_rate=float(rate),
            max_length=int(length),
            lr_scheduler_type="cosine",
            logging_steps=1,
            gradient_accumulation_steps=repeats,
            **options,
        ),
        train_dataset=Dataset.from_list(messages),
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=LoraConfig(r=16, lora_alpha=32, lora_dropout=dropout, target_modules=targets, task_type="CAUSAL_LM"),
        callbacks=[clock],
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "num_tokens" in entry and "loss" in entry]
    tokens = logged[-1]["num_tokens"] - logged[0]["num_tokens"]
    result = {"tokens": tokens, "seconds": clock.ends[-1] - clock.ends[0], "loss": logged[-1]["loss"]}
    print(json.dumps({**result, "peak_bytes": Device("cpu").peak_bytes() - before}))


if __name__ == "__main__":
    main()
