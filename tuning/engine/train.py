"""One run, from its spec to its adapter, on trl.SFTTrainer and peft. The only importer of trl.

Everything it learns on the way goes into the run folder; it knows no page and no queue. Rows come tokenised and
labelled, so that TRL's preparation is skipped.
"""

import contextlib
import errno
import logging
import pathlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import datasets
import torch
import transformers
from accelerate.state import AcceleratorState
from peft import LoraConfig
from transformers import Trainer
from trl import SFTConfig, SFTTrainer

from tuning.data.library import Library
from tuning.engine import adapter, callbacks, evaluate, gauges, leave, tokens
from tuning.engine.best import Best, evaluated, patience_of
from tuning.engine.resident import TRAINED, Resident
from tuning.errors import EngineError, InputError, RunError, TuningError, caught
from tuning.plan.memory import FIXED, target_names
from tuning.plan.plan import count_steps
from tuning.runs import checkpoints, files, locks
from tuning.runs.store import Run, Store
from tuning.schema import ModelCard, Notice, RunSpec, RunState, TrainSettings

logger = logging.getLogger(__name__)

# How torch and safetensors say that the disk took no more: they keep no errno.
DISK_FULL = re.compile(r"iostream error|PytorchStreamWriter|unexpected pos|os error (27|28|122)\b|No space left|File too large")


@dataclass
class Rows:
    """Tokenised and labelled rows of both sides of the split, and what was counted on the way."""

    train: list[dict[str, list[int]]]
    validation: list[dict[str, list[int]]]
    totals: tokens.Totals


class CheckedTrainer(SFTTrainer):
    """SFTTrainer with checkpoints that are whole or not there, and on a CPU the loss on labelled positions only."""

    run: Run
    pace: callbacks.Pace
    best: Best | None = None

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        self.pace.count(inputs["attention_mask"])
        causal = self.accelerator.unwrap_model(model).get_base_model()
        if self.args.device.type != "cpu" or not evaluate.plain_head(causal):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.args.bf16):
            loss, count = evaluate.labelled_nll(causal, inputs)
        return loss / (count.clamp(min=1) if num_items_in_batch is None else num_items_in_batch)

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.run.checkpoints / checkpoints.BUILDING)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The adapter that is trained, and not those that somebody talks to meanwhile; the Hub is not asked about the base."""
        peft_model = self.accelerator.unwrap_model(self.model)
        peft_model.save_pretrained(output_dir, selected_adapters=[TRAINED], save_embedding_layers=False)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Built aside, hashed, renamed; then rotated. TRL's model card is left out: ours goes with the adapter."""
        building = checkpoints.building(self.run.checkpoints)
        Trainer._save_checkpoint(self, model, trial)
        step = self.state.global_step
        (building / f"checkpoint-{step}" / "README.md").unlink(missing_ok=True)  # a card that says nothing yet
        if self.best is not None:
            self.best.write(building / f"checkpoint-{step}")
        checkpoints.commit(building / f"checkpoint-{step}", self.run.checkpoints, step)
        checkpoints.rotate(self.run.checkpoints)

    def save_last_step(self, dice: callbacks.Dice | None) -> None:
        """A save of the last whole step, in the middle of the next; `dice` is random state as it was between them."""
        if dice is not None and not (self.run.checkpoints / f"{checkpoints.PREFIX}{self.state.global_step}").exists():
            dice.put_back()
            self._save_checkpoint(self.model, None)


def train(run: Run, store: Store, resident: Resident, yield_point: Callable[[], None] = lambda: None) -> RunState:
    """Claim `run`, train it (or train it further from its newest whole checkpoint), and leave its folder finished.

    Returns the last state, whatever became of the run. Raises RunError where another process holds it.
    """
    lock = locks.Lock(run.lock_path)
    if not lock.acquire():
        raise RunError("run.busy", run=run.id, status="running")
    with lock:
        (run.folder / "queue").unlink(missing_ok=True)
        leave.forget(run)
        before = run.saved_state() or RunState(status="starting")
        started = before.started or time.time()
        state = before.model_copy(update={"status": "starting", "reason": None, "error": None, "started": started, "ended": None})
        ledger = callbacks.Ledger(run, state)
        ledger.update(now=True)
        with _log_to(run.folder / "log.txt"):
            _attempt(run, store, resident, ledger, yield_point)
        return ledger.state


def _attempt(run: Run, store: Store, resident: Resident, ledger: callbacks.Ledger, yield_point: Callable[[], None]) -> None:
    """Train and write down how it ended, whatever goes wrong."""

    def work() -> None:
        spec = run.spec()
        with _device_lock(spec, store.home):
            try:
                status = _work(run, spec, store, resident, ledger, yield_point)
            except leave.Leaving:
                status = "interrupted"
        if status == "interrupted":
            resident.drop_adapter(run.id)  # the adapter on disk, where there is one, is an earlier stop's
        ledger.update(now=True, status=status, ended=time.time(), seconds_left=None)
        leave.forget(run)
        _calibrate(store.home, spec, ledger.state, resident.libraries_bytes)

    error = caught(work, f"run {run.id}")
    if error is not None:
        resident.drop_adapter(run.id)
        reason, notice = _explain(error)
        status = "paused" if reason in ("disk", "memory") else "failed"
        with contextlib.suppress(OSError):  # the disk that is full may not take the state either; the lock tells the rest
            ledger.update(now=True, status=status, reason=reason, error=notice, ended=time.time(), seconds_left=None)


def _explain(error: Exception) -> tuple[str | None, Notice]:
    """The reason in the contract's words, and the sentence's code."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "memory", Notice(code="train.memory", level="error")
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)) or DISK_FULL.search(str(error)):
        return "disk", Notice(code="train.disk", level="error")
    if isinstance(error, TuningError):
        reason = error.reason if isinstance(error, EngineError) else "data" if isinstance(error, InputError) else None
        return reason, Notice(code=error.code, level="error", params=error.params)
    reason = "cuda" if "CUDA error" in str(error) else None
    return reason, Notice(code="train.unexpected", level="error", params={"kind": type(error).__name__})


def _work(run: Run, spec: RunSpec, store: Store, resident: Resident, ledger: callbacks.Ledger, yield_point: Callable[[], None]) -> str:
    """Returns the status that the run ends with. Raises `leave.Leaving` where the process has to end and all is saved."""
    settings = spec.settings
    transformers.set_seed(settings.seed)
    gauges.forget_peak(settings.device)
    resident.load(spec.model.path, settings.device, settings.precision, settings.quantization)
    rows = load_rows(spec, store, resident)
    model = resident.fresh_adapter(run.id, lora_config(spec.model.card, settings))
    counted = model.get_nb_trainable_parameters()
    ledger.update(now=True, learned_tokens=rows.totals.learned, trainable_parameters=counted[0], total_parameters=counted[1])
    held_out = held_out_loss(run, settings, resident, rows, yield_point)
    best = Best(patience_of(settings, rows.validation))
    resume = checkpoints.newest(run.checkpoints)
    if resume is not None:
        best.read(resume)
    elif rows.validation:  # a fresh adapter changes nothing: this is the loss of the base
        base_loss = held_out()
        ledger.metric(0, eval_loss=base_loss or 0.0)
        ledger.update(now=True, base_eval_loss=base_loss, eval_loss=base_loss)
    folder_callback = callbacks.FolderCallback(ledger, callbacks.Pace(), held_out, yield_point, best)
    trainer = make_trainer(run, spec, model, resident.tokenizer, rows, folder_callback)
    _train_further(trainer, resident, folder_callback, resume)
    return _conclude(trainer, spec, resident, folder_callback)


def held_out_loss(
    run: Run, settings: TrainSettings, resident: Resident, rows: Rows, yield_point: Callable[[], None]
) -> Callable[[], float | None]:
    """What evaluates the adapter in training: the loss on the same held-out rows each time, None where there are none."""
    every = callbacks.checkpoint_steps(count_steps(len(rows.train), settings))
    looked_at = evaluated(rows.validation, every, settings) if rows.validation else []

    def between() -> None:
        yield_point()
        if leave.asked(run):
            raise leave.Leaving

    def loss() -> float | None:
        if not looked_at:
            return None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings.device == "cpu" and settings.precision == "bf16"):
            batch = int(settings.per_device_train_batch_size)
            return evaluate.mean_loss(resident.peft, looked_at, resident.tokenizer.pad_token_id, batch, between)

    return loss


def _train_further(trainer: CheckedTrainer, resident: Resident, callback: callbacks.FolderCallback, resume: pathlib.Path | None) -> None:
    """To the end, to a stop or until patience runs out. Raises `leave.Leaving`, after a save, where the process has to end."""
    trainer.pace, trainer.best = callback.pace, callback.best
    if callback.best.exhausted:  # it had stopped, and was killed before its adapter was published
        return
    try:
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    except callbacks.Enough:
        return
    except leave.Leaving:
        trainer.save_last_step(callback.dice)
        raise
    finally:
        resident.keep_for_chat()
    if callback.left:
        raise leave.Leaving


def _conclude(trainer: CheckedTrainer, spec: RunSpec, resident: Resident, callback: callbacks.FolderCallback) -> str:
    """Publish the adapter: that of the best evaluation where early stopping is on, else the last one."""
    ledger, best, run = callback.ledger, callback.best, trainer.run
    steps = max(trainer.state.global_step, best.seen)
    if best.kept:
        best.put_back(resident.peft)
        ledger.update(best_step=best.step, eval_loss=best.loss)
    if not adapter.sound(resident.peft):
        raise EngineError("train.diverged_weights", reason="diverged", step=steps)
    adapter.publish(run, spec, resident)
    ledger.update(peak_bytes=gauges.peak_bytes(spec.settings.device), tokens_per_second=callback.pace.tokens_per_second)
    before_the_end = steps < ledger.state.total_steps
    if best.exhausted and before_the_end:
        params = {"step": steps, "patience": best.patience, "best": best.step}
        ledger.update(notices=[Notice(code="run.stopped_early", params=params)])
        return "finished"
    return "stopped" if run.stop_requested() and before_the_end else "finished"


def load_rows(spec: RunSpec, store: Store, resident: Resident) -> Rows:
    """The run's rows, split as its spec says, tokenised and labelled. Raises EngineError where nothing can be learned."""
    settings = spec.settings
    train_raw, validation_raw = Library(store.home).parts(spec.data.id, spec.owner, settings)
    length = int(settings.max_length)
    train_rows, totals = tokens.encode_rows(resident.tokenizer, train_raw, length)
    validation = tokens.encode_rows(resident.tokenizer, validation_raw, length)[0] if validation_raw else []
    return Rows(train_rows, validation, totals)


def lora_config(card: ModelCard, settings: TrainSettings) -> LoraConfig:
    """The adapter's configuration; what stands in the open map `lora` is passed by name.

    For a family that the catalog knows, "all-linear" is its list of layers: what PEFT would find by itself includes
    Mamba's out_proj, whose fused kernel never looks at an adapter.
    """
    targets: Any = settings.target_modules
    if targets == "attention" or (targets == "all-linear" and card.target_modules):
        targets = target_names(card, settings)
    return LoraConfig(
        task_type="CAUSAL_LM",
        **{
            "r": settings.lora_r,
            "lora_alpha": settings.lora_alpha,
            "lora_dropout": settings.lora_dropout,
            "target_modules": targets,
            **settings.lora,
        },
    )


def make_trainer(run: Run, spec: RunSpec, model: Any, tokenizer: Any, rows: Rows, callback: callbacks.FolderCallback) -> CheckedTrainer:
    """The trainer for one attempt. Raises InputError for a name in the open map `sft` that SFTConfig does not have."""
    AcceleratorState._reset_state(True)  # the next run of this process may want another precision or device
    trainer = CheckedTrainer(
        model=model,
        args=sft_config(run, spec),
        train_dataset=datasets.Dataset.from_list(rows.train),
        processing_class=tokenizer,
        callbacks=[callback],
    )
    trainer.run = run
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def sft_config(run: Run, spec: RunSpec) -> SFTConfig:
    """TRL's configuration from resolved settings, in the names of the installed versions."""
    settings = spec.settings
    every = settings.gradient_checkpointing.removeprefix("every_")
    options: dict[str, Any] = {
        "output_dir": str(run.checkpoints),
        "num_train_epochs": settings.num_train_epochs,
        "max_steps": settings.max_steps,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.lr_scheduler_type,
        "warmup_steps": settings.warmup_ratio,  # below 1 it is a share of all steps
        "max_length": settings.max_length,
        "bf16": settings.precision == "bf16",
        "fp16": settings.precision == "fp16",
        "use_cpu": settings.device == "cpu",
        "gradient_checkpointing": settings.gradient_checkpointing != "none",
        "gradient_checkpointing_kwargs": {"every_n_layers": int(every)} if every.isdigit() else None,
        "seed": settings.seed,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "packing": False,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else a diverged run logs 0.0
        "save_strategy": "no",  # saves are asked for by the callback
        "report_to": "none",
        "disable_tqdm": True,
        # Granite without experts carries the weight of a router's loss all the same, and TRL would switch that loss on.
        **({} if spec.model.card.config.get("num_local_experts") else {"router_aux_loss_coef": 0.0}),
        "dataloader_pin_memory": settings.device != "cpu",
    }
    try:
        return SFTConfig(**{**options, **settings.sft})
    except (TypeError, ValueError) as error:
        raise InputError("settings.sft", detail=str(error).splitlines()[0][:200]) from error


def _calibrate(home: pathlib.Path, spec: RunSpec, state: RunState, libraries: int | None) -> None:
    """What this run showed about the machine, for the next forecast."""
    if state.status == "finished" and state.peak_bytes and state.tokens_per_second:
        predicted = spec.forecast.parts.get("libraries", 0)
        before = (libraries or predicted) if spec.settings.device == "cpu" else 0  # a card's peak is counted without its context
        parts = {**spec.forecast.parts, "libraries": before}
        record = {
            "schema": 1,
            "owner": spec.owner,
            "run": spec.id,
            "device": spec.settings.device,
            "precision": spec.settings.precision,
            "parameters": spec.model.card.parameters,
            "operations_per_token": spec.forecast.operations_per_token,
            "predicted_bytes": spec.forecast.peak_bytes,
            "raw_predicted_bytes": spec.forecast.raw_peak_bytes - predicted + before,
            "libraries_bytes": libraries,
            "fixed_bytes": sum(parts.get(name, 0) for name in FIXED),
            "peak_bytes": state.peak_bytes,
            "predicted_seconds": spec.forecast.seconds,
            "tokens_per_second": state.tokens_per_second,
        }
        files.append_line(home / "calibration.jsonl", record)


@contextlib.contextmanager
def _device_lock(spec: RunSpec, home: pathlib.Path) -> Iterator[None]:
    """Nobody trains on a card without its lock; a CPU is shared by the operating system."""
    if spec.settings.device == "cpu":
        yield
        return
    lock = locks.Lock(home / f"gpu-{spec.settings.device.removeprefix('cuda:')}.lock")
    if not lock.acquire():
        raise RunError("run.gpu_busy", device=spec.settings.device)
    with lock:
        yield


@contextlib.contextmanager
def _log_to(path: pathlib.Path) -> Iterator[None]:
    """What the libraries say while this run is on, into its log."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root, words = logging.getLogger(), transformers.utils.logging
    root.addHandler(handler)
    words.add_handler(handler)
    words.disable_default_handler()
    words.set_verbosity_info()
    try:
        yield
    finally:
        words.set_verbosity_warning()
        words.enable_default_handler()
        words.remove_handler(handler)
        root.removeHandler(handler)
        handler.close()
