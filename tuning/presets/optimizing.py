"""What each learning rate schedule and each optimizer takes of its own, so that the wrong thing is said before a model is loaded for it.

Nothing of the libraries is imported: tests/engine/learn/test_judged.py holds the tables against those that are installed.
"""

import math
from typing import Any

from tuning.errors import InputError
from tuning.presets.judged import shown
from tuning.schema import TrainSettings

_MIN = ("num_cycles", "min_lr", "min_lr_rate")
# By `lr_scheduler_type`: the keys of `lr_scheduler_kwargs` that do something.
SCHEDULES: dict[str, tuple[str, ...]] = {
    "linear": (),
    "cosine": ("num_cycles",),
    "cosine_with_restarts": ("num_cycles",),
    "polynomial": ("lr_end", "power"),
    "constant": (),
    "constant_with_warmup": (),
    "inverse_sqrt": ("timescale",),
    "cosine_with_min_lr": _MIN,
    "cosine_warmup_with_min_lr": (*_MIN, "warmup_lr_rate"),
    "warmup_stable_decay": ("num_decay_steps", "num_stable_steps", "warmup_type", "decay_type", "min_lr_ratio", "num_cycles"),
}
NEEDS = {"warmup_stable_decay": ("num_decay_steps",), **dict.fromkeys(("cosine_with_min_lr", "cosine_warmup_with_min_lr"), _MIN[1:])}
KINDS = ("warmup_type", "decay_type")  # words; all others are numbers
EMPTY = ("min_lr", "min_lr_rate", "warmup_lr_rate", "timescale", "num_stable_steps")  # may be given as null, which is their default
LR_END = 1e-7  # of `polynomial`, where nobody gives one
# By `optim`: the names in `optim_args` that do something. `weight_decay` is a setting of its own, and counts alone.
OPTIMIZERS_TAKE: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum", "dampening", "nesterov"),
    "adagrad": ("lr_decay", "eps"),
    "rmsprop": ("momentum", "alpha", "eps", "centered"),
    **dict.fromkeys(
        ("ademamix", "ademamix_8bit", "paged_ademamix_32bit", "paged_ademamix_8bit"),
        ("beta1", "beta2", "beta3", "alpha", "eps", "t_alpha", "t_beta3"),
    ),
}
SWITCHED = ("nesterov", "centered")  # true or false
WHOLE = ("t_alpha", "t_beta3")
DEFAULT_OPTIMIZER = "adamw_torch_fused"


def refuse(settings: TrainSettings) -> None:
    """Raises InputError for what the schedule or the optimizer of resolved `settings` does not take, or cannot do without."""
    _schedule(settings.sft, str(settings.sft.get("lr_scheduler_type", settings.lr_scheduler_type)), float(settings.learning_rate))
    _optimizer(str(settings.sft.get("optim", DEFAULT_OPTIMIZER)), settings.sft.get("optim_args"))


def _schedule(sft: dict[str, Any], schedule: str, rate: float) -> None:
    given: dict[str, Any] = sft.get("lr_scheduler_kwargs") or {}
    needed = NEEDS.get(schedule, ())
    for name, value in given.items():
        if name not in SCHEDULES[schedule]:
            _not_taken(f"sft.lr_scheduler_kwargs: {name}", f"sft.lr_scheduler_type: {schedule}", SCHEDULES[schedule])
        fits = isinstance(value, str) if name in KINDS else isinstance(value, int | float) or (value is None and name in EMPTY)
        if not fits or (name == "timescale" and value == 0):
            raise InputError("plan.own_value", key=f"sft.lr_scheduler_kwargs: {name}", value=shown(value))
    there = [name for name in needed if given.get(name) is not None]
    if needed and len(there) != 1:
        raise InputError("plan.schedule_needs", schedule=schedule, names=", ".join(needed))
    end = given.get("lr_end", LR_END)
    if schedule == "polynomial" and end >= rate:
        raise InputError("plan.schedule_end", end=end, rate=rate)


def _optimizer(optimizer: str, given: str | None) -> None:
    known = OPTIMIZERS_TAKE.get(optimizer, ())
    pairs = dict(pair.split("=", 1) for pair in given.replace(" ", "").split(",")) if given else {}
    for name, value in pairs.items():
        if name not in known:
            _not_taken(f"sft.optim_args: {name}", f"sft.optim: {optimizer}", known)
        if not _takes(name, value):
            raise InputError("plan.own_value", key=f"sft.optim_args: {name}", value=shown(value))
    if pairs.get("nesterov", "").lower() == "true" and not (float(pairs.get("momentum", 0)) and not float(pairs.get("dampening", 0))):
        raise InputError("plan.nesterov")


def _takes(name: str, value: str) -> bool:
    if name in SWITCHED:
        return value.lower() in ("true", "false")
    try:
        return 0 <= (int if name in WHOLE else float)(value) < math.inf
    except ValueError:
        return False


def _not_taken(key: str, of: str, known: tuple[str, ...]) -> None:
    if known:
        raise InputError("plan.not_taken", key=key, of=of, known=", ".join(known))
    raise InputError("plan.takes_nothing", key=key, of=of)
