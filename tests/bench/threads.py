"""How threads wait for each other: asleep at once and spinning (OpenMP's default) against ours, which spin for microseconds;
and one thread (ours for small models) against two. Alone, and beside one busy process.

`python -m tests.bench.threads [PAIRS]`: seconds of fifteen LoRA steps, loss on the labelled positions, of a model like the starter.
"""

import os
import subprocess
import sys

from tests.bench.measure import compare

STEPS = """
import sys, time
from tuning.engine import evaluate
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM
torch.set_num_threads(int(sys.argv[1]))
config = LlamaConfig(vocab_size=4096, hidden_size=256, intermediate_size=704, num_hidden_layers=4, num_attention_heads=4)
model = get_peft_model(LlamaForCausalLM(config), LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM"))
ids = torch.randint(3, 4096, (8, 40))
labels = ids.clone()
labels[:, :15] = -100
batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
def step():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, count = evaluate.labelled_nll(model.get_base_model(), batch)
    (loss / count).backward()
    model.zero_grad()
step()
started = time.perf_counter()
for _ in range(15):
    step()
print(time.perf_counter() - started)
"""


# What OpenMP is told; without a word of ours it spins 300,000 times.
WAITS = {"asleep at once": {"GOMP_SPINCOUNT": "0"}, "ours": {}, "spinning": {"GOMP_SPINCOUNT": "300000"}}


def seconds(wait: str, threads: int = 2) -> float:
    done = subprocess.run(
        [sys.executable, "-c", STEPS, str(threads)],
        env={**os.environ, **WAITS[wait]},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def pairs_of(count: int) -> None:
    compare(("asleep at once", "ours"), lambda: seconds("asleep at once"), lambda: seconds("ours"), count, "s")
    compare(("spinning", "ours"), lambda: seconds("spinning"), lambda: seconds("ours"), count, "s")
    compare(("one", "two"), lambda: seconds("ours", 1), lambda: seconds("ours"), count, "s")


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print("alone")
    pairs_of(pairs)
    print("beside a busy process")
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            pairs_of(pairs)
        finally:
            busy.kill()


if __name__ == "__main__":
    main()
