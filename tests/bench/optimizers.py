"""A step of AdamW by the processor: fused (SFTConfig's default) against one call for each operation. `python -m tests.bench.optimizers`.

The parameters are those of LoRA with r 16 on all linear layers of a Llama of 60 million.
"""

import sys
import time

import torch

from tests.bench.measure import compare

LAYER = [(768, 768)] * 4 + [(768, 2048)] * 2 + [(2048, 768)]


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    shapes = [shape for inner, outer in LAYER * 8 for shape in ((16, inner), (outer, 16))]

    def prepared(**how: bool) -> torch.optim.Optimizer:
        weights = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        return torch.optim.AdamW(weights, lr=1e-4, **how)

    def seconds(optimizer: torch.optim.Optimizer) -> float:
        started = time.perf_counter()
        for _ in range(5):
            optimizer.step()
        return (time.perf_counter() - started) / 5

    fused, plain = prepared(fused=True), prepared(foreach=True)
    seconds(fused), seconds(plain)
    compare(("fused", "foreach"), lambda: seconds(fused), lambda: seconds(plain), pairs, "s")


if __name__ == "__main__":
    main()
