"""The fastest way that fits: micro-batch and checkpointing, for the same rows per optimizer step. Pure arithmetic.

What changes the result of a run (length, rank, targets) is not touched here: where nothing fits, `smaller` says what would.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tuning.forecast import duration, memory
from tuning.models.catalog import COMFORT
from tuning.schema import ModelCard, Notice, TrainSettings

# Tokens in a micro-batch below which a card waits for its weights: 165 TFLOP/s in bf16 over 1008 GB/s (RTX 4090, by its
# data sheet), and two operations for each weight of two bytes. A processor is slow enough never to wait.
RIDGE = 164.0
CHECKPOINTING = ("none", "every_4", "every_2", "full")
LENGTHS = (1024, 512, 256, 128, 64)  # tokens that rows may be cut to
LOWEST_RANK = 4
QUERIES_AND_VALUES = ("q_proj", "v_proj", "qkv_proj", "c_attn")


def fastest(
    card: ModelCard, asked: TrainSettings, settings: TrainSettings, mean_tokens: float, share: Callable[[TrainSettings], float]
) -> tuple[TrainSettings, list[Notice]]:
    """`settings` with the micro-batch and checkpointing that take the least time among those that fit with room to spare.

    Where none has room to spare, among those that fit; where none fits on a card, the same again with what may be squeezed.
    `share` is how much of the free memory a way needs.

    `settings` has a micro-batch and an accumulation to start from; `asked` says which of both, and of checkpointing, may
    change. Where nothing fits, the one that needs the least memory. `mean_tokens` is the mean length of a row.
    """
    ways, notices = list(_ways(asked, settings)), list[Notice]()
    needed = _once(ways, share)
    for codes, squeezed in _squeezed(asked, settings):
        if any(needed(place) <= 1 for place in reversed(range(len(ways)))):  # the last needs the least
            break
        ways, notices = list(_ways(asked, squeezed)), [Notice(code=code) for code in codes]
        needed = _once(ways, share)
    places = sorted(range(len(ways)), key=lambda place: cost(card, ways[place], mean_tokens))
    found = next((place for most in (COMFORT, 1.0) for place in places if needed(place) <= most), None)
    if found is None:
        return ways[-1], [*notices, _reason(ways[-1], ways[-1], card, mean_tokens)]
    best = ways[found]
    return best, [*notices, _reason(best, best.model_copy(update={"gradient_checkpointing": "full"}), card, mean_tokens)]


def _once(ways: Sequence[TrainSettings], share: Callable[[TrainSettings], float]) -> Callable[[int], float]:
    """What the way at a place needs, reckoned when it is first asked for: of twenty ways most are never looked at."""
    return functools.cache(lambda place: share(ways[place]))


def smaller(card: ModelCard, settings: TrainSettings, share: Callable[[TrainSettings], float]) -> dict[str, Any] | None:
    """What would have to change for `settings` to fit, the least first: what `ladder` has, as much of it as is needed.

    It is offered and not done. None where all of it together does not suffice. `share` is as in `fastest`.
    """

    def suffices(changes: dict[str, Any]) -> bool:
        return share(settings.model_copy(update=changes)) <= 1

    found = least([changes for _, changes in ladder(card, settings)], suffices)
    return None if found is None else joined(found)


def ladder(card: ModelCard, settings: TrainSettings) -> list[tuple[str, dict[str, Any]]]:
    """What can be given up to save memory, from what changes nothing to what changes most, each with a name.

    A micro-batch of 1 with the same rows per step; an adapter instead of the whole model; weights in 4 bits; shorter rows;
    rank 4 at the same strength; only the projections of queries and values. `settings` are resolved. (More accumulation saves
    nothing beyond a micro-batch of 1.)
    """
    batch, repeats = int(settings.per_device_train_batch_size), int(settings.gradient_accumulation_steps)
    smallest = next(size for size in range(1, batch + 1) if batch % size == 0 and (size == batch or batch * repeats // size <= 1024))
    rungs: list[tuple[str, dict[str, Any]]] = []
    if smallest < batch:
        fewer = {"per_device_train_batch_size": smallest, "gradient_accumulation_steps": batch * repeats // smallest}
        rungs.append(("batch", fewer))
    if settings.method == "full":
        rungs.append(("adapter", {"method": "lora"}))
    elif settings.quantization == "none" and (settings.on_nvidia or not settings.on_card):
        rungs.append(("nf4", {"quantization": "nf4"}))
    rungs += [("shorter", {"max_length": length}) for length in LENGTHS if length < int(settings.max_length)]
    if settings.method == "full":
        return rungs
    if settings.lora_r > LOWEST_RANK:
        strength = max(1, settings.lora_alpha * LOWEST_RANK // settings.lora_r)
        rungs.append(("rank", {"lora_r": LOWEST_RANK, "lora_alpha": strength}))
    now = memory.target_names(card, settings)
    few = [name for name in now if name in QUERIES_AND_VALUES]
    if few and few != now:
        rungs.append(("targets", {"target_modules": few}))
    return rungs


def least(steps: Sequence[dict[str, Any]], suffices: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]] | None:
    """The first of `steps` that suffice together, without those that are not needed; None where all of them do not."""
    for count in range(1, len(steps) + 1):
        taken = list(steps[:count])
        if suffices(joined(taken)):
            for step in reversed(taken[:-1]):
                without = [other for other in taken if other is not step]
                if suffices(joined(without)):
                    taken = without
            return taken
    return None


def joined(steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All changes of `steps`; of two for one setting the later one."""
    return {key: value for step in steps for key, value in step.items()}


def cost(card: ModelCard, settings: TrainSettings, mean_tokens: float) -> float:
    """Operations per token, and as many more as a card could have done while it waits for the weights."""
    tokens = int(settings.per_device_train_batch_size) * max(1.0, mean_tokens)
    waiting = max(1.0, RIDGE / tokens) if settings.on_card else 1.0
    return duration.operations_per_token(card, settings, int(mean_tokens)) * waiting * duration.slowed(settings)


def _squeezed(asked: TrainSettings, settings: TrainSettings) -> Iterator[tuple[list[str], TrainSettings]]:
    """What a card can hold in fewer bits, the least change first, with what is said of it: Adam's moments in 8 bits, which
    give back 6 bytes for each trained number (a quarter of a gigabyte at rank 16 on 8B, 48 of them where all of it is
    trained); weights in 4; both."""
    if not settings.on_nvidia:
        return
    eight = {"sft": {**settings.sft, "optim": memory.EIGHT_BIT[0]}}
    if "optim" not in asked.sft:
        yield ["plan.optimizer"], settings.model_copy(update=eight)
    if asked.quantization == "auto" and settings.method != "full":
        yield ["plan.nf4"], settings.model_copy(update={"quantization": "nf4"})
        if "optim" not in asked.sft:
            yield ["plan.nf4", "plan.optimizer"], settings.model_copy(update={"quantization": "nf4", **eight})


def _ways(asked: TrainSettings, settings: TrainSettings) -> Iterator[TrainSettings]:
    """From the roomiest to the one that needs the least memory, all with the same rows per optimizer step."""
    batch, repeats = int(settings.per_device_train_batch_size), int(settings.gradient_accumulation_steps)
    free = asked.per_device_train_batch_size == "auto" and asked.gradient_accumulation_steps == "auto"
    batches = [batch // part for part in (1, 2, 4, 8, 16) if batch % part == 0] if free else [batch]
    ladder = CHECKPOINTING if asked.gradient_checkpointing == "auto" else (asked.gradient_checkpointing,)
    for size in batches:
        for policy in ladder:
            yield settings.model_copy(
                update={
                    "per_device_train_batch_size": size,
                    "gradient_accumulation_steps": batch * repeats // size,
                    "gradient_checkpointing": policy,
                }
            )


def _reason(chosen: TrainSettings, full: TrainSettings, card: ModelCard, mean_tokens: float) -> Notice:
    policy = chosen.gradient_checkpointing
    faster = round(100 * (1 - cost(card, chosen, mean_tokens) / cost(card, full, mean_tokens)))
    if policy.startswith("every_"):
        return Notice(code="plan.checkpointing_partial", params={"nth": int(policy.removeprefix("every_")), "faster": faster})
    return Notice(code=f"plan.checkpointing_{policy}", params={"faster": faster})
