"""The baseline: what a newcomer writes with TRL, library defaults and nothing else. Prints tokens and seconds as JSON.

`python -m tests.bench.plain_trl MODEL ROWS STEPS BATCH RATE MAX_LENGTH`; rows are in our normal form. The clock runs from
the end of the first step to the end of the last.
"""

import json
import pathlib
import sys
import time
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):
    """Notes when steps end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())


def main() -> None:
    model, rows, steps, batch, rate, length = sys.argv[1:7]
    messages = [{"messages": json.loads(line)["messages"]} for line in pathlib.Path(rows).read_text(encoding="utf-8").splitlines()]
    clock = Clock()
    trainer = SFTTrainer(
        model=model,
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
        ),
        train_dataset=Dataset.from_list(messages),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[clock],
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "num_tokens" in entry and "loss" in entry]
    tokens = logged[-1]["num_tokens"] - logged[0]["num_tokens"]
    print(json.dumps({"tokens": tokens, "seconds": clock.ends[-1] - clock.ends[0], "loss": logged[-1]["loss"]}))


if __name__ == "__main__":
    main()
