"""From choices to a plan: every `auto` decided, each with its reason. Pure: hardware and counts come in, numbers go out.

What this version cannot do is refused here, before anything is loaded.
"""

import math
import statistics
from typing import Any, NamedTuple

from tuning.errors import InputError
from tuning.forecast import acceleration, choose, data_facts, devices, duration, elsewhere, full_finetune, memory, shares
from tuning.forecast.data_facts import DataFacts, longest_tokens, mean_tokens
from tuning.forecast.devices import BF16
from tuning.forecast.devices import GIB as GIB
from tuning.forecast.devices import Calibration as Calibration
from tuning.forecast.devices import Lookup as Lookup
from tuning.forecast.devices import Machine as Machine
from tuning.machine.hardware import Hardware, best
from tuning.presets import optimizing
from tuning.schema import ActivationProfile, Forecast, ModelCard, Notice, Record, TrainSettings, on_card
from tuning.tokens import thoughts

FEWEST_ROWS_TO_SPLIT = 20
DEFAULT_VALIDATION_SHARE = 0.1
DEFAULT_MAX_LENGTH = 1024
CALIBRATION_RUNS = 5
LOSS = {"loss_type": "nll", "label_smoothing_factor": 0.0}  # of SFTConfig: what is learned from is the mean loss of the learned tokens
SHORT_STEPS = 100  # in which an adapter that begins at nothing has hardly grown, and wants a higher rate
DEFAULT_PATIENCE = 3  # of about ten looks at the held-out rows in a run


class Resolved(Record):
    """A plan: settings without `auto`, the split, the forecast, and what was decided and why."""

    settings: TrainSettings
    train_rows: int
    validation_rows: int
    processes: int = 1  # that train it together
    shares: bool = False  # whether they share the base model out
    general_rows: int = 0
    forecast: Forecast
    notices: list[Notice]
    offer: dict[str, Any] | None = None  # where it does not fit: changed settings with which it would


def resolve(card: ModelCard, rows: DataFacts, asked: TrainSettings, machine: Machine) -> Resolved:
    """Decide everything.

    Raises InputError for what this version cannot do, or a device that is not there.
    """
    notices = [Notice(code="plan.text_part")] if card.text_part else []
    _refuse(card, asked)
    machine = devices.together(asked, machine)
    asked, shared = shares.settle(asked, machine)
    hardware = machine.hardware
    decided: dict[str, Any] = devices.device(asked, machine, notices)
    decided["precision"] = devices.precision(asked, machine, decided["device"], notices)
    decided["thinking"] = thoughts.decide(asked.thinking, rows.thoughts, card.thinking)
    decided |= _batch(card, asked, machine.processes)
    decided["max_length"] = min(card.context_length, DEFAULT_MAX_LENGTH) if asked.max_length == "auto" else asked.max_length
    if decided["max_length"] > card.context_length:
        raise InputError("plan.too_long", value=decided["max_length"], context=card.context_length)
    decided |= {"quantization": "none" if asked.quantization == "auto" else asked.quantization, "packing": _packing(card, asked)}
    count = min(rows.count, asked.max_samples or rows.count)
    train_rows, validation_rows, share = _split(count, rows.validation_rows, asked, notices)
    decided["validation_share"] = share
    rows, general = data_facts.mix(rows, train_rows, asked.general_share)
    decided["early_stopping_patience"] = _patience(asked, validation_rows, notices)
    first = asked.model_copy(update=decided)
    steps = count_steps(train_rows + general, first, machine.processes)
    first = first.model_copy(update={"learning_rate": _learning_rate(card, asked, steps, notices)})
    notices += _shorter(rows, first)
    profile = machine.profile(card, first)

    def forecast_of(settings: TrainSettings) -> Forecast:
        steps = count_steps(train_rows + general, settings, machine.processes)
        return _forecast(card, rows, settings, steps, validation_rows, machine, profile, shared)

    def share_of(settings: TrainSettings) -> float:
        if shared and settings.quantization != "none":
            return math.inf
        found = forecast_of(settings)
        return found.peak_bytes / max(1, found.available_bytes)

    settings, reasons = choose.fastest(card, asked, first, mean_tokens(rows, first), share_of)
    _refuse_whole(train_rows + general, settings)
    settings, quicker = acceleration.decide(card, asked, settings, hardware)
    forecast = _with_kept(forecast_of(settings), memory.kept(card, settings) if machine.processes == 1 else 0)
    if settings.quantization == "nf4" and not settings.on_card:
        notices.append(Notice(code="plan.nf4_cpu", level="warning", params={"times": round(duration.NF4_TIME_CPU)}))
    notices += [*_batch_notices(settings, machine.processes), *reasons, *quicker, *full_finetune.told(card, settings, hardware.disk_free)]
    notices += [*shares.told(machine, shared), *elsewhere.told(card, settings), *data_facts.told(rows, general, settings)]
    offer = None if forecast.fits else choose.smaller(card, settings, share_of)
    notices += [] if forecast.fits else _no_fit(forecast, offer)
    return Resolved(
        settings=settings,
        train_rows=train_rows,
        validation_rows=validation_rows,
        processes=machine.processes,
        shares=shared,
        general_rows=general,
        forecast=forecast,
        notices=notices,
        offer=offer,
    )


def _with_kept(forecast: Forecast, size: int) -> Forecast:
    """What is kept of conversations counts where it leaves the run its room, and else nothing is kept: no run fits less for it."""
    peak = forecast.peak_bytes + size
    if not size or peak > forecast.available_bytes:
        return forecast
    return forecast.model_copy(update={"peak_bytes": peak, "parts": {**forecast.parts, "kept": size}})


def _no_fit(forecast: Forecast, offer: dict[str, Any] | None) -> list[Notice]:
    """What is said where memory does not suffice, and with which changed settings it would."""
    params = {"need": forecast.peak_bytes / GIB, "have": forecast.available_bytes / GIB}
    told = [Notice(code="plan.no_fit", level="warning", params=params)]
    if offer is not None:
        changes = ", ".join(f"{key} {' + '.join(value) if isinstance(value, list) else value}" for key, value in offer.items())
        told.append(Notice(code="plan.offer", level="warning", params={"changes": changes}))
    return told


class Placement(NamedTuple):
    """Where and how a model is loaded, by the names that settings have for it."""

    device: str
    precision: str
    quantization: str


def for_talking(card: ModelCard, hardware: Hardware) -> Placement:
    """The placement of a bare model that is only asked, and trained by nobody: on the emptiest card in 16 bits, or in 4 where
    it fits only so; on the processor where there is no card, or where the model fits there alone.
    """
    on_cpu = Placement("cpu", "fp32", "none")
    if not hardware.gpus:
        return on_cpu
    there = best(hardware.gpus)
    plain = Placement(f"cuda:{there.index}", "fp16" if there.compute_capability < BF16 else "bf16", "none")
    small = plain._replace(quantization="nf4")
    ways = ((plain, there.memory_free), (small, there.memory_free), (on_cpu, hardware.memory_free))
    return next((way for way, free in ways if memory.bare(card, TrainSettings(**way._asdict())) <= free), small)


def room_to_talk(card: ModelCard, way: Placement, hardware: Hardware, warm: bool) -> tuple[int, int]:
    """Bytes that a model placed so takes, and those that are free there. `warm`: the libraries are loaded, and not counted again."""
    settings = TrainSettings(**way._asdict())
    taken = memory.bare(card, settings) - (memory.beside(settings) if warm else 0)
    return taken, devices.available(Machine(hardware, Calibration()), settings)


def rate_by_recipe(resolved: Resolved) -> Resolved:
    """A plan that says of its learning rate that the recipe set it, and not who took the recipe."""
    codes = {"plan.learning_rate_given": "plan.learning_rate_recipe"}
    told = [notice.model_copy(update={"code": codes.get(notice.code, notice.code)}) for notice in resolved.notices]
    return resolved.model_copy(update={"notices": told})


def calibrate(records: list[dict[str, Any]], card: ModelCard, on_cpu: bool) -> Calibration:
    """Medians over the last finished runs of this machine with a model of like size (within a factor of four).

    `records` are what the engine noted; one that lacks a number is passed over.
    """
    ratios, speeds, before = [], [], []
    for record in records:
        try:
            if on_card(record["device"]) == on_cpu or not 0.25 <= record["parameters"] / card.parameters <= 4:
                continue
            moving = record["raw_predicted_bytes"] - record["fixed_bytes"]
            ratios.append(max(0.1, (record["peak_bytes"] - record["fixed_bytes"]) / moving))
            speeds.append(record["tokens_per_second"] * record["operations_per_token"] * record.get("slowed", 1.0))
            before += [record["libraries_bytes"]] if record.get("libraries_bytes") else []
        except (KeyError, TypeError, ZeroDivisionError):
            continue
    return Calibration(
        operations_per_second=statistics.median(speeds[-CALIBRATION_RUNS:]) if speeds else None,
        libraries_bytes=int(statistics.median(before[-CALIBRATION_RUNS:])) if before else None,
        memory_ratio=statistics.median(ratios[-CALIBRATION_RUNS:]) if ratios else None,
    )


def count_steps(train_rows: int, settings: TrainSettings, processes: int = 1) -> int:
    """Optimizer steps, by the arithmetic of transformers' Trainer. Each of the `processes` accumulates as the settings say."""
    if settings.max_steps > 0:
        return settings.max_steps
    batches = count_batches(train_rows, settings)
    per_epoch = max(1, math.ceil(batches / (int(settings.gradient_accumulation_steps) * processes)))
    return math.ceil(settings.num_train_epochs * per_epoch)


def count_batches(train_rows: int, settings: TrainSettings) -> int:
    """Micro-batches of a pass over the rows; one that is not full is left out where `dataloader_drop_last` says so."""
    full = train_rows // int(settings.per_device_train_batch_size)
    return full if settings.sft.get("dataloader_drop_last") else math.ceil(train_rows / int(settings.per_device_train_batch_size))


def require_steps(train_rows: int, settings: TrainSettings) -> None:
    """Raises InputError `plan.no_batch` where there would be nothing to make a step of."""
    if train_rows and not count_batches(train_rows, settings):
        raise InputError("plan.no_batch", rows=train_rows, batch=int(settings.per_device_train_batch_size))


def _refuse_whole(train_rows: int, settings: TrainSettings) -> None:
    """What can only be judged once nothing is on auto."""
    optimizing.refuse(settings)
    require_steps(train_rows, settings)


def _refuse(card: ModelCard, asked: TrainSettings) -> None:
    for key, usual in LOSS.items():
        if (given := asked.sft.get(key, usual)) != usual:
            raise InputError("plan.other_loss", key=f"sft.{key}", value=str(given), usual=str(usual))
    full_finetune.refuse(asked)
    bits = {"quantization": str(asked.quantization), "sft.optim": str(asked.sft.get("optim"))}
    for key, value in bits.items():
        if value in ("nf4", "int8", *memory.BITSANDBYTES) and asked.on_card and not asked.on_nvidia:
            raise InputError("plan.apple_bits", key=key, value=value)
    memory.require_targets(card, asked)
    memory.require_layers(card, asked)


def _batch(card: ModelCard, asked: TrainSettings, processes: int) -> dict[str, Any]:
    """Batch and accumulation of each process for about 16 rows a step of all (8 for small models, which learn from more, smaller steps)."""
    rows_per_step = 8 if card.parameters < 500_000_000 else 16
    widest = 8 if card.parameters < 500_000_000 else 4
    given, repeats = asked.per_device_train_batch_size, asked.gradient_accumulation_steps
    batch = max(1, min(widest, rows_per_step // processes)) if given == "auto" else given
    accumulation = max(1, rows_per_step // (batch * processes)) if repeats == "auto" else repeats
    return {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}


def _batch_notices(settings: TrainSettings, processes: int) -> list[Notice]:
    batch, repeats = int(settings.per_device_train_batch_size), int(settings.gradient_accumulation_steps)
    told = [Notice(code="plan.batch", params={"batch": batch, "accumulation": repeats, "rows": batch * repeats})]
    several = Notice(code="plan.processes", params={"processes": processes, "rows": batch * repeats * processes})
    return [*told, several] if processes > 1 else told


def _packing(card: ModelCard, asked: TrainSettings) -> bool:
    """Rows share sequences where attention alone lets tokens see each other. Raises InputError where it is asked of others."""
    if asked.packing is True and not card.packing:
        raise InputError("plan.packing", model=card.title)
    return card.packing if asked.packing == "auto" else asked.packing


def _shorter(rows: DataFacts, settings: TrainSettings) -> list[Notice]:
    """What it would cost if rows had to be shortened in mid-run, said before the start where that is allowed."""
    longest = int(settings.max_length)
    length = next((length for length in choose.LENGTHS if length < longest), None)
    if not settings.allow_shorter or length is None:
        return []
    if rows.lengths is None or not rows.lengths.longest:
        return [Notice(code="plan.shorter", params={"length": length})]
    whole, kept = (rows.lengths.totals(most).learned for most in (longest, length))
    return [Notice(code="plan.shorter_share", params={"length": length, "percent": round(100 * (1 - kept / max(1, whole)), 1)})]


def _learning_rate(card: ModelCard, asked: TrainSettings, steps: int, notices: list[Notice]) -> float:
    """5e-5 x 10 x (2000 / hidden size) ^ 0.781, the fit of "LoRA Without Regret" (Thinking Machines, 2025) for the Llama
    family: LoRA wants ten times the rate of full training, in runs of up to about a hundred steps fifteen times; narrow models want
    more than wide ones. Without the 10 where all is trained."""
    if asked.learning_rate != "auto":
        notices.append(Notice(code="plan.learning_rate_given", params={"rate": asked.learning_rate}))
        return float(asked.learning_rate)
    code, times = ("plan.learning_rate_short", 15) if steps <= SHORT_STEPS else ("plan.learning_rate", 10)
    if asked.method == "full":
        code, times = "plan.learning_rate_full", 1
    rate = float(f"{5e-5 * times * (2000 / card.hidden_size) ** 0.781:.2g}")
    notices.append(Notice(code=code, params={"rate": rate, "hidden": card.hidden_size}))
    return rate


def _split(count: int, own: int, asked: TrainSettings, notices: list[Notice]) -> tuple[int, int, float]:
    """Training rows, validation rows and the share. A validation file of the data's own is used where no share is asked for."""
    if asked.validation_share == "auto" and own:
        notices.append(Notice(code="plan.validation_own", params={"rows": own}))
        return count, own, 0.0
    share = asked.validation_share
    if share == "auto":
        share = DEFAULT_VALIDATION_SHARE if count >= FEWEST_ROWS_TO_SPLIT else 0.0
    held_out = round(count * share)
    if held_out:
        notices.append(Notice(code="plan.validation_share", params={"rows": held_out}))
    else:
        notices.append(Notice(code="plan.validation_none", level="warning"))
    return count - held_out, held_out, share


def _patience(asked: TrainSettings, validation_rows: int, notices: list[Notice]) -> int:
    """Looks at the held-out rows without improvement after which a run ends; 0 where nothing is held out, or none should end it."""
    if asked.early_stopping_patience == 0:
        return 0
    if not validation_rows:
        if asked.early_stopping_patience != "auto":
            notices.append(Notice(code="plan.early_stopping_none", level="warning"))
        return 0
    patience = DEFAULT_PATIENCE if asked.early_stopping_patience == "auto" else asked.early_stopping_patience
    notices.append(Notice(code="plan.early_stopping", params={"patience": patience}))
    return patience


def _first_speed(settings: TrainSettings, hardware: Hardware, core_speed: float | None) -> float:
    """Operations per second before any run has finished here."""
    if not settings.on_card:
        return hardware.cores * duration.core(settings, core_speed)
    return duration.FIRST_GUESS_GPU if settings.on_nvidia else duration.FIRST_GUESS_APPLE


def _forecast(
    card: ModelCard,
    rows: DataFacts,
    settings: TrainSettings,
    steps: int,
    held_out: int,
    machine: Machine,
    profile: ActivationProfile | None,
    shared: bool,
) -> Forecast:
    available, calibration = devices.available(machine, settings), machine.calibration
    cards = machine.processes if settings.on_card else 1  # a processor is shared: by halves it is no quicker
    available = available if settings.on_card else available // machine.processes
    speed = calibration.operations_per_second or _first_speed(settings, machine.hardware, calibration.core_speed)
    length = max(16, min(int(settings.max_length), longest_tokens(rows)))
    parts = memory.parts(card, settings, length, profile, calibration.libraries_bytes)
    if shared:
        parts["weights"] = shares.weights(card, parts["weights"], machine.processes)
    raw = sum(parts.values())
    if calibration.memory_ratio:
        ratio = calibration.memory_ratio
        parts = {name: size if name in memory.FIXED else int(size * ratio) for name, size in parts.items()}
    peak = sum(parts.values())
    rows_per_step = int(settings.per_device_train_batch_size) * int(settings.gradient_accumulation_steps)
    row = mean_tokens(rows, settings)
    tokens = steps * rows_per_step * machine.processes * row
    one_pass = duration.pass_operations(card, settings, machine.hardware.cores)
    together = int(settings.per_device_train_batch_size) * max(1.0, row)
    per_token = duration.operations_per_token(card, settings, length) + one_pass / together
    evaluating = duration.evaluation_operations(card, settings, steps, held_out, row, length, one_pass)
    slowed = duration.slowed(settings) / cards
    return Forecast(
        peak_bytes=peak,
        parts=parts,
        available_bytes=available,
        seconds=duration.seconds((tokens * per_token + evaluating) * slowed, speed),
        evaluation_seconds=evaluating * slowed / speed,
        steps=steps,
        fits=peak <= available,
        raw_peak_bytes=raw,
        operations_per_token=per_token,
        disk_bytes=full_finetune.disk_bytes(card, settings),
    )
