"""Trains the tokenizer of the starter and turns chats into token ids.

Byte-level BPE: any UTF-8 text is encoded without loss. The pre-tokenizer (single digits, then the GPT-2 split) is the one that
llama.cpp knows as "smollm".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

BOS, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
MAX_POSITIONS = 1024

CHAT_TEMPLATE = """{{- bos_token }}
{%- for message in messages %}
{%- if message['role'] == 'assistant' %}
{{- '<|assistant|>' }}
{%- generation %}
{{- message['content'] + eos_token }}
{%- endgeneration %}
{%- elif message['role'] == 'system' %}
{{- '<|system|>' + message['content'] + eos_token }}
{%- elif message['role'] == 'user' %}
{{- '<|user|>' + message['content'] + eos_token }}
{%- else %}
{{- raise_exception('Only the roles system, user and assistant are supported.') }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|assistant|>' }}
{%- endif %}
"""

Messages = list[dict[str, str]]


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Learns the merges from the texts and wraps the result for transformers."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, BOS, END, *ROLES.values()],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ROLES.values()),
        model_max_length=MAX_POSITIONS,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Saves the tokenizer with class and key names that older versions of transformers read as well."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("backend", None)
    config["additional_special_tokens"] = config.pop("extra_special_tokens", list(ROLES.values()))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config["model_input_names"] = ["input_ids", "attention_mask"]
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


class ChatEncoder:
    """Writes a chat as ids and loss weights, the same ids as the chat template gives but much faster."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, context_weight: float) -> None:
        self._core = tokenizer.backend_tokenizer
        self._bos = tokenizer.bos_token_id
        self._end = tokenizer.eos_token_id
        self._roles = {role: tokenizer.convert_tokens_to_ids(token) for role, token in ROLES.items()}
        self._context_weight = context_weight

    def encode(self, messages: Messages) -> tuple[list[int], list[float]]:
        """Ids and weights: 1 for what the assistant says, including its end mark, and little for the rest."""
        ids, weights = [self._bos], [0.0]
        for message in messages:
            content = self._core.encode(message["content"], add_special_tokens=False).ids
            weight = 1.0 if message["role"] == "assistant" else self._context_weight
            ids += [self._roles[message["role"]], *content, self._end]
            weights += [0.0] + [weight] * len(content) + [weight if weight == 1.0 else 0.0]
        return ids, weights
