"""Tries what replaces a model's own forward pass on two short rows, before a run relies on it.

The LM head of `head` and the packing of `packing` are compared with the model's own way here, on whatever device it lies. What
becomes of one that differs is decided there. No random number of a run is used, and the model stays in the mode it was in.
"""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import torch

from tuning.engine.device import Device

LENGTHS = (19, 13)  # tokens of the rows
# Largest relative difference of summed losses, and of a token's hidden state on average, by whether numbers have 16 bits.
LOSS = {False: 1e-4, True: 5e-3}
STATES = {False: 1e-4, True: 0.03}


def rows(model: Any) -> list[dict[str, torch.Tensor]]:
    """Two rows of tokens from all over the vocabulary, `input_ids` and `labels`; the first tokens of a row are not learned."""
    count = model.get_input_embeddings().weight.shape[0]
    config = model.config.get_text_config()
    special = {getattr(config, f"{name}_token_id", None) for name in ("bos", "eos", "pad")}
    usual = (token for token in itertools.cycle(range(3, count)) if token not in special)
    step = max(1, (count - 8) // (sum(LENGTHS) + 1))
    made = []
    for length in LENGTHS:
        ids = torch.tensor([next(itertools.islice(usual, step - 1, None)) for _ in range(length)])
        made.append({"input_ids": ids, "labels": ids.clone().index_fill_(0, torch.arange(3), -100)})
    return made


@contextlib.contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """The model in evaluation mode with forked random state; afterwards each module is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    with Device.of(model.device).forked():
        model.eval()
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode


def narrow(model: Any) -> bool:
    """Whether `model` computes in 16 bits, by its weights or by autocast."""
    return bool(torch.is_autocast_enabled(model.device.type) or model.dtype.itemsize < 4)


def difference(states: torch.Tensor, wanted: torch.Tensor) -> float:
    """Relative difference of hidden states (tokens, hidden), averaged over the tokens; NaN where either holds one."""
    states, wanted = states.float(), wanted.float()
    return float(((states - wanted).norm(dim=-1) / wanted.norm(dim=-1).clamp(min=1e-12)).mean())
