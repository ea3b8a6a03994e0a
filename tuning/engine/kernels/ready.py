"""What the plan chose to make a run faster or smaller, tried before the run relies on it.

Whatever does not work on this machine is left out, and the run is told so in its recoveries; its result is the same.
"""

from dataclasses import dataclass, field
from typing import Any

import bitsandbytes
import torch
from transformers.training_args import OptimizerNames

from tuning.engine.device import DTYPES, Device
from tuning.engine.kernels import attention, lora_cpu, norms, try_out
from tuning.forecast.memory import BITSANDBYTES, EIGHT_BIT
from tuning.schema import Notice, TrainSettings

BLOCKS = 16 * 256  # bitsandbytes keeps the states of anything smaller in 32 bits


@dataclass(frozen=True)
class Speed:
    """How packed rows attend, whether the optimizer that was asked for works here, and what had to be left out."""

    attend: attention.Attend
    optimizer: bool = True
    notices: list[Notice] = field(default_factory=list)

    def apply(self, args: Any) -> None:
        """Put PyTorch's AdamW into the trainer's arguments where the other one does not work."""
        if not self.optimizer:
            args.optim = OptimizerNames.ADAMW_TORCH_FUSED


def ready(settings: TrainSettings, model: Any, works: try_out.Works = try_out.works) -> Speed:
    """Try what `settings` (resolved) ask for on the causal language model that is loaded, and put quicker layers into it.

    `works` tries each, and may raise where a card computes nothing any more after it.
    """
    notices = []
    asked = "sdpa" if settings.attn_implementation == "auto" else settings.attn_implementation
    attend, used = attention.working(asked, model.config.get_text_config(), model.device, DTYPES[settings.precision], works)
    if used != asked:
        notices.append(Notice(code="recovery.attention", level="warning", params={"asked": asked, "used": used}))
    norms.slow(model)
    if settings.sft.get("use_liger_kernel") and not works("liger-kernel", lambda: norms.quicken(model, *norms.liger())):
        notices.append(Notice(code="recovery.liger", level="warning"))
    if settings.method == "lora" and Device(settings.device).substitutes and not lora_cpu.agrees(model.dtype):
        notices.append(Notice(code="recovery.lora", level="warning"))
    optimizer = str(settings.sft.get("optim"))
    tried = optimizer not in BITSANDBYTES or works(optimizer, lambda: _try_optimizer(optimizer, model.device))
    if not tried:
        notices.append(Notice(code="recovery.optimizer", level="warning", params={"asked": optimizer}))
    return Speed(attend, tried, notices)


def _try_optimizer(name: str, device: torch.device) -> None:
    """One step of bitsandbytes' AdamW. Raises whatever it does, or ArithmeticError where it is not as long as it should be."""
    weights = torch.nn.Parameter(torch.ones(BLOCKS, device=device))
    weights.grad = torch.ones_like(weights)
    make: Any = bitsandbytes.optim.AdamW  # type: ignore[attr-defined]
    make([weights], lr=0.5, optim_bits=8 if name in EIGHT_BIT else 32, is_paged=name.startswith("paged")).step()
    if not 0.4 < weights.mean().item() < 0.6:  # the first step of Adam is as long as the rate
        raise ArithmeticError(name)
