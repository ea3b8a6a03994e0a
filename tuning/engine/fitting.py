"""Whether a model's weights are those that its configuration asks for: all of them, of the right shape, and numbers.

It looks at what transformers has loaded, which knows of ties and of names that have changed; files and headers are looked at before.
"""

import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from tuning.errors import InputError
from tuning.models import model_folder

SHOWN = 3  # names of tensors that are told
# Buffers that older versions of transformers saved, and that a model computes by itself.
HARMLESS = re.compile(r"(^|\.)(inv_freq|masked_bias|attn\.bias|attention\.bias|position_ids)$")


def check(path: str, headers: dict[str, model_folder.Tensors], loaded: dict[str, Any], model: Any, tokenizer: Any) -> None:
    """Raises InputError with the names of what is missing, too much, of another shape or no number.

    `loaded` is what transformers says of its loading; the `tokenizer` may know no more words than the model has embeddings.
    """
    title = pathlib.Path(path).name
    lacks, adds = sorted(loaded["missing_keys"]), sorted(name for name in loaded["unexpected_keys"] if not HARMLESS.search(name))
    if lacks or adds:
        raise InputError("model.tensors", model=title, lacks=_some(lacks), adds=_some(adds))
    for name, found, asked in sorted(loaded["mismatched_keys"]):
        file = model_folder.file_of(headers, name)
        raise InputError("model.shape", model=title, file=file, shape=_sides(found), asked=_sides(asked))
    for name in _no_numbers(model):
        raise InputError("model.no_numbers", model=title, file=model_folder.file_of(headers, name))
    ends = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    words = max(tokenizer.vocab_size, *(number + 1 for number in ends if number is not None), 0)  # Gemma 3 has one more, of pictures
    size = model.get_input_embeddings().weight.shape[0]
    if words > size:
        raise InputError("model.few_words", model=title, words=words, size=size)


def _some(names: list[str]) -> str:
    more = f" … ({len(names)})" if len(names) > SHOWN else ""
    return ", ".join(name[:120] for name in names[:SHOWN]) + more or "–"


def _sides(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _no_numbers(model: Any) -> Iterator[str]:
    """Weights with a value that is infinite or no number; one pass over the memory."""
    for name, weight in model.named_parameters():
        if weight.is_floating_point() and not torch.isfinite(weight.detach().sum(dtype=torch.float32)):
            yield name
