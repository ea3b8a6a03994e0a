"""bf16 autocast against fp32 on this processor, for a small and a middling model. `python -m tests.bench.precision [PAIRS]`.

One forward and backward pass with LoRA on all linear layers, 8 rows of 64 tokens.
"""

import sys
import time
from typing import Any

from tuning.engine.kernels import head  # isort: skip  (sets how threads wait, before torch is loaded)
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from tests.bench.measure import compare

SIZES = {"4 M": (256, 688, 4, 4096), "60 M": (768, 2048, 8, 8192)}


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name, (hidden, middle, layers, vocabulary) in SIZES.items():
        config = LlamaConfig(
            vocab_size=vocabulary, hidden_size=hidden, intermediate_size=middle, num_hidden_layers=layers, num_attention_heads=hidden // 64
        )
        model: Any = get_peft_model(LlamaForCausalLM(config), LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM"))
        ids = torch.randint(3, vocabulary, (8, 64))
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}

        def seconds(half: bool, model: Any = model, batch: Any = batch) -> float:
            started = time.perf_counter()
            for _ in range(5):
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                    loss, count = head.labelled_nll(model.get_base_model(), batch)
                (loss / count).backward()
                model.zero_grad()
            return (time.perf_counter() - started) / 5

        print(name)
        compare(("bf16", "fp32"), lambda s=seconds: s(True), lambda s=seconds: s(False), pairs, "s")  # type: ignore[misc]


if __name__ == "__main__":
    main()
