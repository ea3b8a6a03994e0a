"""Trains the starter from nothing with a plain torch loop: AdamW, cosine schedule, batches of chats of like length.

It knows nothing of files; `build.py` saves what comes out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from chat_format import MAX_POSITIONS, ChatEncoder
from corpus import conversations
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

STEP = 16
MAX_CHAT_TOKENS = 320
UNSEEN_SHARED, UNSEEN_NORM = 0.3, 0.9


@dataclass(frozen=True)
class Recipe:
    """What the training is told to do."""

    tokens: int
    seed: int
    batch_tokens: int = 1024
    peak_lr: float = 2e-3
    warmup: float = 0.04
    weight_decay: float = 0.1
    context_weight: float = 0.1
    bf16: bool = False


@dataclass(frozen=True)
class Result:
    """What came out of the training."""

    model: LlamaForCausalLM
    tokens: int
    seconds: float
    last_loss: float


Batch = tuple[torch.Tensor, torch.Tensor, int]


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A small Llama with random weights."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def batches(encoder: ChatEncoder, pad: int, recipe: Recipe) -> Iterator[Batch]:
    """An endless stream of padded batches: ids, loss weights and the number of real tokens. Few shapes occur, which keeps torch fast."""
    waiting: dict[int, list[tuple[list[int], list[float]]]] = {}
    for chat in conversations(recipe.seed):
        ids, weights = encoder.encode(chat)
        width = -(-len(ids) // STEP) * STEP
        if width > MAX_CHAT_TOKENS:
            continue
        group = waiting.setdefault(width, [])
        group.append((ids + [pad] * (width - len(ids)), weights + [0.0] * (width - len(ids))))
        if len(group) * width >= recipe.batch_tokens:
            del waiting[width]
            ids_rows = torch.tensor([row for row, _ in group])
            yield ids_rows, torch.tensor([row for _, row in group]), int((ids_rows != pad).sum())


def rate_at(done: float, recipe: Recipe) -> float:
    """The learning rate after a part (0 to 1) of the training: warm-up, then a cosine down to almost nothing."""
    if done < recipe.warmup:
        return recipe.peak_lr * (done + 1e-3) / recipe.warmup
    part = (done - recipe.warmup) / (1 - recipe.warmup)
    return recipe.peak_lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))


def weighted_loss(model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean loss over the positions that count; padding on the right needs no mask in a causal model."""
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    wanted, chosen = ids[:, 1:].flatten(), weights[:, 1:].flatten()
    places = chosen.nonzero().flatten()
    places = functional.pad(places, (0, -len(places) % 256))  # place 0 has no weight; full blocks keep shapes few
    chosen = chosen[places]
    logits = model.lm_head(hidden.flatten(0, 1)[places])
    losses = functional.cross_entropy(logits.float(), wanted[places], reduction="none")
    return (losses * chosen).sum() / chosen.sum()


def optimizer_for(model: LlamaForCausalLM, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW with decay on matrices only."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.peak_lr, betas=(0.9, 0.98), fused=True)


def spread_unseen(model: LlamaForCausalLM, counts: torch.Tensor, seed: int) -> int:
    """Gives tokens that the corpus never used vectors of their own and returns how many there were.

    Training pushes all of them to one and the same vector, and a model with fixed embeddings could never learn to tell them apart.
    """
    unseen = counts == 0
    rows = model.get_input_embeddings().weight.data
    if unseen.any():
        shared = rows[unseen].mean(dim=0)
        noise = torch.randn(int(unseen.sum()), rows.shape[1], generator=torch.Generator().manual_seed(seed))
        rows[unseen] = UNSEEN_SHARED * shared + UNSEEN_NORM / rows.shape[1] ** 0.5 * noise
    return int(unseen.sum())


def train(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Result:
    """Trains until the wanted number of tokens has been seen and prints progress with the time left."""
    torch.manual_seed(recipe.seed)
    model = new_model(tokenizer)
    optimizer = optimizer_for(model, recipe)
    encoder = ChatEncoder(tokenizer, recipe.context_weight)
    model.train()
    counts = torch.zeros(len(tokenizer), dtype=torch.long)
    seen, step, loss_now, start, told = 0, 0, 0.0, time.monotonic(), 0.0
    for ids, weights, count in batches(encoder, tokenizer.pad_token_id, recipe):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(seen / recipe.tokens, recipe)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.bf16):
            loss = weighted_loss(model, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        counts += torch.bincount(ids.flatten(), minlength=len(tokenizer))
        seen, step = seen + count, step + 1
        loss_now = loss.item() if step == 1 else 0.95 * loss_now + 0.05 * loss.item()
        passed = time.monotonic() - start
        if passed - told > 10 or seen >= recipe.tokens:
            told = passed
            left = passed / seen * max(0, recipe.tokens - seen)
            share = 100 * min(1.0, seen / recipe.tokens)
            rate = seen / passed
            print(f"  {share:5.1f} %  step {step}  loss {loss_now:.3f}  {rate:,.0f} tokens/s  {left / 60:.1f} min left", flush=True)
        if seen >= recipe.tokens:
            break
    print(f"  tokens that never came up: {spread_unseen(model, counts, recipe.seed)} of {len(tokenizer)}")
    return Result(model, seen, time.monotonic() - start, loss_now)
