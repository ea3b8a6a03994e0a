"""Attention of packed rows on this processor, forward and backward: ours against PyTorch's kernel, in 16 bits.

`python -m tests.bench.attention [PAIRS]`: interleaved, medians of the ratios; 12 heads of 64, a thousand tokens.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch

from tuning.engine.kernels import attention

LENGTHS = (25, 50, 100, 200, 333, 500)


def seconds(of: Callable[[], None]) -> float:
    started = time.perf_counter()
    of()
    return time.perf_counter() - started


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    longest = attention.LONGEST
    for length in LENGTHS:
        count = 1000 // length
        rows = attention.Packed.of([length] * count, torch.device("cpu"))
        made = [torch.randn(1, 12, length * count, 64, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)]
        gradient = torch.randn(1, length * count, 12, 64, dtype=torch.bfloat16)

        def step(made: list[torch.Tensor] = made, rows: attention.Packed = rows, gradient: torch.Tensor = gradient) -> None:
            torch.autograd.grad(attention.separately(made[0], made[1], made[2], rows), made, gradient)

        ratios = []
        for _ in range(pairs + 1):
            attention.LONGEST = longest
            ours = seconds(step)
            attention.LONGEST = 0  # every row is left to the kernel
            ratios.append(ours / seconds(step))
        attention.LONGEST = longest
        ratios = sorted(ratios[1:])  # the first warms up
        middle = statistics.median(ratios)
        print(f"{count} x {length}: {middle:.2f} of the kernel's time ({ratios[0]:.2f}-{ratios[-1]:.2f})", flush=True)


if __name__ == "__main__":
    main()
