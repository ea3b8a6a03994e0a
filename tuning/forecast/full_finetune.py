"""What is different where the whole model is trained and not an adapter: what cannot be done, what does not count, and how much
room it takes on the disk. Pure arithmetic; its memory is in `forecast.memory`, its time in `forecast.duration`.
"""

from collections.abc import Iterable

from tuning.errors import InputError
from tuning.forecast import memory
from tuning.schema import ModelCard, Notice, TrainSettings

GB = 1e9
ADAPTER_ONLY = ("lora_r", "lora_alpha", "lora_dropout", "target_modules", "lora")
CHECKPOINTS = 3  # two are kept, and a third is there until it has its name


def refuse(asked: TrainSettings) -> None:
    """Raises InputError for what cannot be trained as a whole: weights in 8 or 4 bits have no gradients."""
    if asked.method == "full" and asked.quantization not in ("auto", "none"):
        raise InputError("plan.full_quantized", value=asked.quantization)


def ignored(changes: Iterable[str], settings: TrainSettings) -> list[Notice]:
    """Settings of an adapter that somebody set by hand, where there is none."""
    keys = [key for key in changes if key.split(".")[0] in ADAPTER_ONLY]
    if settings.method != "full" or not keys:
        return []
    return [Notice(code="plan.full_ignored", level="warning", params={"keys": ", ".join(keys)})]


def save_bytes(card: ModelCard, settings: TrainSettings) -> int:
    """A checkpoint: weights in 32 bits, the optimizer's state, and the best weights so far where they are kept."""
    best = 4 if settings.early_stopping_patience else 0
    return int((4 + memory.state_bytes(settings) + best) * memory.trained_parameters(card, settings))


def disk_bytes(card: ModelCard, settings: TrainSettings) -> int:
    """What a run takes on the disk at most: its checkpoints, and what it publishes."""
    return CHECKPOINTS * save_bytes(card, settings) + 4 * memory.trained_parameters(card, settings)


def told(card: ModelCard, settings: TrainSettings, disk_free: int) -> list[Notice]:
    """What is to be known of the disk: of a whole model always, of an adapter where it does not suffice."""
    needed = disk_bytes(card, settings)
    if needed > disk_free:
        return [Notice(code="plan.disk", level="warning", params={"need": needed / GB, "have": disk_free / GB})]
    return [Notice(code="plan.full", params={"disk": needed / GB})] if settings.method == "full" else []
