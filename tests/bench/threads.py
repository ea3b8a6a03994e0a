"""How threads wait for each other: sleeping (ours) against spinning (the default), alone and beside one busy process; and
one thread (ours for small models) against two.

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


def seconds(policy: str, threads: int = 2) -> float:
    done = subprocess.run(
        [sys.executable, "-c", STEPS, str(threads)],
        env={**os.environ, "OMP_WAIT_POLICY": policy},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print("alone")
    compare(("sleeping", "spinning"), lambda: seconds("PASSIVE"), lambda: seconds("ACTIVE"), pairs, "s")
    compare(("one", "two sleeping"), lambda: seconds("PASSIVE", 1), lambda: seconds("PASSIVE"), pairs, "s")
    print("beside a busy process")
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            compare(("sleeping", "spinning"), lambda: seconds("PASSIVE"), lambda: seconds("ACTIVE"), pairs, "s")
            compare(("one", "two sleeping"), lambda: seconds("PASSIVE", 1), lambda: seconds("PASSIVE"), pairs, "s")
        finally:
            busy.kill()


if __name__ == "__main__":
    main()
