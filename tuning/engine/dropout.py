"""LoRA's dropout on a processor, from a quarter of the random numbers: drawing them takes a tenth of a step else.

Each number of 64 bits decides for four elements, so that the rate is met to 1 / 65,536. It stands in for torch's and learns
the same; the numbers that it draws are others.
"""

import math
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

LEVELS = 2**16
LOWEST = -(2**63)


class Dropout(torch.nn.Dropout):
    """As torch.nn.Dropout, which keeps for the backward pass what this keeps: a mask of one byte for each element."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0.0:
            return input
        count = input.numel()
        draws = torch.empty(math.ceil(count / 4), dtype=torch.int64).random_(LOWEST, None).view(torch.int16)[:count]
        kept = (draws >= round(self.p * LEVELS) - LEVELS // 2).view(input.shape)
        # dropout's own derivative is a product with the mask, and that is all that dropping needs, too
        dropped: torch.Tensor = torch.ops.aten.native_dropout_backward(input, kept, 1 / (1 - self.p))
        return dropped


def quicken(model: Any) -> None:
    """Put it into all LoRA layers of a model on a processor."""
    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            for name, module in layer.lora_dropout.items():
                if type(module) is torch.nn.Dropout:
                    layer.lora_dropout[name] = Dropout(module.p)
