"""The loss on a CPU: labelled positions only against TRL's fused LM head. `python -m tests.bench.head [PAIRS]`.

One forward and backward pass of a random Llama (hidden 512, 6 layers, vocabulary 32,000), 4 rows of 128 tokens, half of
them labelled; threads as the machine has.
"""

import sys
import time
from typing import Any

from tuning.engine.kernels import head  # isort: skip  (sets how threads wait, before torch is loaded)
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from trl.trainer.utils import add_fused_lm_head

from tests.bench.measure import compare


def main() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=32000, hidden_size=512, intermediate_size=1376, num_hidden_layers=6, num_attention_heads=8)
    model: Any = LlamaForCausalLM(config)
    for parameter in model.lm_head.parameters():
        parameter.requires_grad = False
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    ids = torch.randint(3, 32000, (4, 128))
    labels = ids.clone()
    labels[:, :64] = -100
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}

    def seconds(loss: Any) -> float:
        started = time.perf_counter()
        for _ in range(3):
            loss().backward()
            model.zero_grad()
        return (time.perf_counter() - started) / 3

    def ours() -> torch.Tensor:
        total, count = head.labelled_nll(model, batch)
        return total / count

    def fused() -> torch.Tensor:
        return -model(**batch, fused_lm_head=True, use_cache=False).log_probs.sum() / (labels[:, 1:] != -100).sum()

    assert torch.allclose(ours(), fused(), atol=1e-4)
    compare(
        ("labelled only", "fused head"), lambda: seconds(ours), lambda: seconds(fused), int(sys.argv[1]) if len(sys.argv) > 1 else 5, "s"
    )


if __name__ == "__main__":
    main()
