"""One run, from its spec to its adapter: claimed, loaded, trained by `trainer`, published; and how it ended, whatever goes wrong.

Everything it learns on the way goes into the run folder; it knows no page and no queue.
"""

import contextlib
import logging
import pathlib
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import transformers

from tuning.data.library import Library
from tuning.engine import shutdown, watchdog
from tuning.engine.device import DTYPES, Device, ran_out, release
from tuning.engine.isolation import own_settings
from tuning.engine.kernels import head, packing
from tuning.engine.learn import callbacks, failures, healing, publish, reporting
from tuning.engine.learn.early_stopping import Best, evaluated, patience_of
from tuning.engine.learn.run_log import log_to
from tuning.engine.learn.trainer import CheckedTrainer, lora_config, make_trainer, own_tokenizer
from tuning.engine.ranks import ALONE, Ranks, Short
from tuning.engine.resident import Resident
from tuning.engine.speak import timeline as samples
from tuning.errors import EngineError, RunError, TuningError, caught
from tuning.forecast import duration
from tuning.forecast.full_finetune import save_bytes
from tuning.forecast.memory import FIXED
from tuning.forecast.plan import count_steps, require_steps
from tuning.machine import awake
from tuning.presets import judged, replay
from tuning.runs import checkpoints, files, locks
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import Notice, RunSpec, RunState, TrainSettings
from tuning.tokens import labels

logger = logging.getLogger(__name__)


@dataclass
class EncodedRows:
    """Tokenised and labelled rows of both sides of the split, and what was counted on the way."""

    train: list[packing.TokenRow]
    validation: list[packing.TokenRow]
    totals: labels.TokenCounts
    asked: list[samples.TimelineQuestion]  # questions to follow


def train(run: Run, store: Store, resident: Resident, yield_point: Callable[[], None] = lambda: None, queued: bool = False) -> RunState:
    """Claim `run`, train it (or train it further from its newest whole checkpoint), and leave its folder finished.

    Returns the last state, whatever became of the run. Raises RunError where another process holds it or its card; it waits
    on then, if it did. One that was taken from the queue (`queued`) and is no longer in it is left alone.
    """
    lock = locks.Lock(run.lock_path)
    if not run.folder.is_dir():
        raise RunError("run.gone", run=run.id)
    if not lock.acquire():
        raise RunError("run.busy", run=run.id, status="running")
    planned = run.spec().settings.device
    resident.ranks.require_cards(planned)
    device = resident.ranks.device(planned)
    with lock, locks.card(store.home, device, RunError("run.gpu_busy", device=device)):
        if queued and not run.waiting():  # another process has trained it meanwhile, or somebody took it out
            return run.saved_state() or RunState(status="interrupted")
        run.begin()
        shutdown.forget(run)
        before = run.saved_state() or RunState(status="starting")
        started = before.started or time.time()
        state = before.model_copy(
            update={"status": "starting", "reason": None, "error": None, "started": started, "ended": None, "finishing": None}
        )
        with own_settings(), log_to(run.folder / "log.txt") as log, awake.kept() as told:
            ledger = callbacks.StateWriter(run, state.model_copy(update={"notices": told}))
            _attempt(run, store, resident, ledger, log.without(yield_point))
        return ledger.state


def _attempt(run: Run, store: Store, resident: Resident, ledger: callbacks.StateWriter, yield_point: Callable[[], None]) -> None:
    """Train and write down how it ended, whatever goes wrong."""

    def work() -> None:
        spec = _judged(run.spec(), resident.ranks)
        ledger.update(now=True)
        large = save_bytes(spec.model.card, spec.settings) if spec.settings.method == "full" else 0
        checkpoints.require_room(run.checkpoints, saves=2, least=large)
        try:
            resident.ranks.call(run.id)
            resident.ranks.join(spec.settings.device, watchdog.patience(run))
            status = _work(run, spec, store, resident, ledger, yield_point)
            resident.ranks.leave()
        except shutdown.Leaving:
            status = "interrupted"
        if status == "interrupted":
            resident.drop_adapter(run.id)  # what is on disk, if anything, is an earlier stop's
        elif spec.settings.report:
            reporting.prove(run, spec, resident, store, ledger, yield_point)
        ledger.update(now=True, status=status, ended=time.time(), seconds_left=None, finishing=None)
        shutdown.forget(run)
        with contextlib.suppress(OSError):  # all is done: a disk that is full now takes nothing of it back
            _calibrate(store.home, spec, ledger.state, resident.libraries_bytes)

    error = caught(work, f"run {run.id}")
    if error is not None:
        if isinstance(error, TuningError):  # of all others the log has everything already
            logger.error("run %s: %s", run.id, error, exc_info=error)
        caught(lambda: resident.drop_adapter(run.id), "letting go of what was trained")  # no second fault hides the first
        gone = run.gone()  # whatever failed, failed for that
        reason, notice = failures.explain(EngineError("run.gone", reason="gone", run=run.id) if gone else error)
        status = failures.ENDS.get(reason or "", "failed")
        if reason == "disk":
            run.disk_is_full()
        with contextlib.suppress(OSError, EngineError):  # a disk that is full may not take the state either, nor a folder that is gone
            ledger.update(now=True, status=status, reason=reason, error=notice, ended=time.time(), seconds_left=None)
        if gone:
            run.clear_remade()


def assist(run: Run, store: Store, resident: Resident) -> Notice | None:
    """Take part in the training of `run`, which rank 0 has begun, and write nothing.

    Returns why it did not come to its end; rank 0 is told, and writes it down.
    """

    def work() -> None:
        spec = _judged(run.spec(), resident.ranks)
        device = spec.settings.device
        resident.ranks.require_cards(device)
        state = run.saved_state() or RunState(status="starting")
        busy = RunError("run.gpu_busy", device=device)
        with locks.card(store.home, device, busy, further=resident.ranks.further), own_settings():
            resident.ranks.join(device, watchdog.patience(run))
            with contextlib.suppress(shutdown.Leaving):
                _work(run, spec, store, resident, callbacks.Silent(run, state), lambda: None)
            resident.ranks.leave()

    error = caught(work, f"rank {resident.ranks.number} of run {run.id}")
    if error is None:
        return None
    reason, notice = failures.explain(error)
    if reason != "process":  # of one that is gone rank 0 knows by itself
        resident.ranks.tell(reason, notice)
    return notice


def _judged(spec: RunSpec, ranks: Ranks = ALONE) -> RunSpec:
    """The spec with its open maps as the libraries take them. Raises InputError for what an older version let through.

    A step has the micro-batches of all the processes that were planned for, whoever computes them; each process has its own device.
    """
    settings = judged.check(spec.settings, "spec.yaml")
    changes: dict[str, Any] = {"gradient_accumulation_steps": int(settings.gradient_accumulation_steps) * spec.processes}
    changes["device"] = ranks.device(settings.device)
    if not ranks.main:
        changes["sft"] = {**settings.sft, "report_to": "none"}
    return spec.model_copy(update={"settings": settings.model_copy(update=changes)})


def _work(run: Run, spec: RunSpec, store: Store, resident: Resident, ledger: callbacks.StateWriter, yield_point: Callable[[], None]) -> str:
    """Train, and where memory runs out elsewhere than in a step, once more from the newest checkpoint: without what was kept of
    conversations, or with a rung more taken.

    Returns the status that the run ends with. Raises `shutdown.Leaving` where the process has to end and all is saved.
    """
    ladder = healing.Ladder(spec.settings, ledger.state.recoveries)
    while True:
        try:
            with resident.kept.within(spec.forecast.parts.get("kept", 0)):
                return _once(run, spec, store, resident, ledger, ladder, yield_point)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error) or resident.ranks.parted_by(error):
                raise
            if not resident.kept.forget() and ladder.next(ledger.state.step) is None:
                raise
            logger.warning("memory ran out: %s", ladder.taken[-1:])
        ledger.update(now=True, recoveries=ladder.taken)
        resident.unload()  # the error's frames, which held tensors, are gone by now


def _once(
    run: Run,
    spec: RunSpec,
    store: Store,
    resident: Resident,
    ledger: callbacks.StateWriter,
    ladder: healing.Ladder,
    yield_point: Callable[[], None],
) -> str:
    settings = spec.settings
    transformers.set_seed(settings.seed)
    Device(settings.device).forget_peak()
    full = settings.method == "full"  # a whole model learns in 32 bits
    resident.load(spec.model.path, settings.device, "fp32" if full else settings.precision, settings.quantization)
    rows = load_rows(spec, store, resident)
    require_steps(len(rows.train), settings)
    ladder.fit(max(len(row["input_ids"]) for row in rows.train))
    counted = _fresh(run, spec, resident)
    ledger.update(now=True, learned_tokens=rows.totals.learned, trainable_parameters=counted[0], total_parameters=counted[1])
    held_out = held_out_loss(run, settings, resident, rows, yield_point)
    asked = rows.asked if resident.ranks.main and not resident.ranks.shares else []
    timeline = samples.Timeline(run, resident, asked, spec.forecast.seconds, spec.model.card.context_length)
    if full:
        timeline.ask_base()  # as long as it is the base
    best = Best(patience_of(settings, rows.validation), run.checkpoints / ".best.safetensors" if full else None, resident.ranks.main)
    resume = resident.ranks.first(checkpoints.newest(run.checkpoints) if resident.ranks.main else None)
    if resume is not None:
        best.read(resume)
    else:
        _begin(run, spec, resident, ledger, held_out)
    folder_callback = callbacks.FolderCallback(ledger, callbacks.Throughput(), held_out, yield_point, best, timeline, resident.ranks)
    trainer = make_trainer(run, spec, resident, rows.train, folder_callback, ladder)
    _train_further(trainer, resident, folder_callback, resume)
    if not resident.ranks.main:
        return "finished"
    return _conclude(trainer, spec, resident, folder_callback)


def _fresh(run: Run, spec: RunSpec, resident: Resident) -> tuple[int, int]:
    """Something new to train: an adapter, or the whole of the base. How many parameters are trained, and how many there are."""
    settings = spec.settings
    if settings.method == "full":
        count = sum(parameter.numel() for parameter in resident.fresh_whole(run.id, settings.precision).parameters())
        return count, count
    counted = resident.fresh_adapter(run.id, lora_config(spec.model.card, settings)).get_nb_trainable_parameters()
    return int(counted[0]), int(counted[1])


def _begin(run: Run, spec: RunSpec, resident: Resident, ledger: callbacks.StateWriter, held_out: Callable[[], float | None]) -> None:
    """The first losses on the held-out rows: of the base, which a fresh adapter leaves as it is, and of what is begun with."""
    loss = held_out()
    ledger.update(now=True, base_eval_loss=loss)
    if spec.continues is not None:
        publish.begin_with(run, resident)
        loss = held_out()
    if loss is not None:
        ledger.metric(0, eval_loss=loss)
        ledger.update(now=True, eval_loss=loss)


def held_out_loss(
    run: Run, settings: TrainSettings, resident: Resident, rows: EncodedRows, yield_point: Callable[[], None]
) -> Callable[[], float | None]:
    """What evaluates the adapter in training: the loss on the same held-out rows each time, None where there are none.

    Of several processes each looks at its share of them.
    """
    every = duration.checkpoint_steps(count_steps(len(rows.train), settings))
    looked_at = evaluated(rows.validation, every, settings) if rows.validation else []
    mine = [looked_at[place] for place in resident.ranks.share([len(row["input_ids"]) for row in looked_at])]
    together = partial(resident.ranks.fill, blank=[*map(packing.unlearned, looked_at[:1])]) if resident.ranks.shares else None

    def between() -> None:
        yield_point()
        if not resident.ranks.several and shutdown.asked(run):
            raise shutdown.Leaving

    def loss() -> float | None:
        if not looked_at:
            return None
        # An adapter's base on a card is in 16 bits itself.
        narrow = settings.precision != "fp32" and (not settings.on_card or settings.method == "full")
        with Device.of(resident.device).autocast(DTYPES[settings.precision], narrow):
            batch, pad = int(settings.per_device_train_batch_size), resident.tokenizer.pad_token_id
            look = partial(head.total_loss, resident.model, mine, pad, batch, between, together)
            found = resident.ranks.together(lambda: resident.kept.sparing(look))
        shares = resident.ranks.all(found)
        return sum(loss for loss, _ in shares) / max(1, sum(count for _, count in shares))

    return loss


def _train_further(trainer: CheckedTrainer, resident: Resident, callback: callbacks.FolderCallback, resume: pathlib.Path | None) -> None:
    """To the end, to a stop or until patience runs out. Raises `shutdown.Leaving`, after a save, where the process has to end."""
    if callback.best.exhausted:  # it had stopped, and was killed before its adapter was published
        resident.keep_for_chat()
        return
    try:
        with resident.ranks.of_others():
            trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    except callbacks.Enough:
        return
    except shutdown.Leaving:
        trainer.save_last_step(callback.dice)
        raise
    except (RuntimeError, MemoryError, EngineError) as error:
        lost = resident.ranks.lost
        if short := ran_out(error):
            resident.ranks.parted_by(error)
        if (short or lost) and callback.whole:
            if lost:
                callback.make_up(trainer.state.global_step, trainer.last_loss)
            traceback.clear_frames(error.__traceback__)  # they hold the tensors of the step
            trainer.model.zero_grad()
            release()
            with contextlib.suppress(RuntimeError, MemoryError):  # an older checkpoint is as good as it was
                trainer.save_last_step(callback.dice)
        raise
    finally:
        trainer.trackers.close(trainer.args, trainer.state, trainer.control)
        resident.keep_for_chat()
    if callback.starved:
        raise Short("between two steps")
    if callback.left:
        raise shutdown.Leaving


def _conclude(trainer: CheckedTrainer, spec: RunSpec, resident: Resident, callback: callbacks.FolderCallback) -> str:
    """Publish the adapter: that of the best evaluation where early stopping is on, else the last one."""
    ledger, best, run = callback.ledger, callback.best, trainer.run
    ledger.update(now=True, seconds_left=0.0, finishing="saving")
    steps = max(trainer.state.global_step, best.seen)
    if best.kept:
        best.put_back(resident.model)
        ledger.update(best_step=best.step, eval_loss=best.loss)
    if not publish.sound(resident.model):
        raise EngineError("train.diverged_weights", reason="diverged", step=steps)
    publish.publish(run, spec, resident, trainer.processing_class)
    best.forget()
    device, pace = Device(spec.settings.device), callback.pace
    ledger.update(
        peak_bytes=device.peak_bytes(),
        tokens_per_second=pace.tokens_per_second,
        undisturbed_tokens_per_second=None if device.on_card else pace.undisturbed,
    )
    before_the_end = steps < ledger.state.total_steps
    if best.exhausted and before_the_end:
        ledger.update(notices=[Notice(code="run.stopped_early", params={"step": steps, "patience": best.patience, "best": best.step})])
        return "finished"
    return "stopped" if run.stop_requested() and before_the_end else "finished"


def load_rows(spec: RunSpec, store: Store, resident: Resident) -> EncodedRows:
    """The run's rows, split as its spec says, tokenised and labelled, and the general rows beside those to learn, which count nowhere.

    Raises EngineError where nothing can be learned.
    """
    settings = spec.settings
    train_raw, validation_raw = Library(store.home).parts(spec.data.id, spec.owner, settings)
    length = int(settings.max_length)
    tokenizer = own_tokenizer(spec, resident)
    train_rows, totals = labels.encode_rows(tokenizer, train_raw, length, settings.thinking)
    if spec.data.general_rows:
        train_rows = train_rows + labels.encode_rows(tokenizer, replay.of(spec), length, settings.thinking)[0]
    validation = labels.encode_rows(tokenizer, validation_raw, length, settings.thinking)[0] if validation_raw else []
    return EncodedRows(train_rows, validation, totals, samples.pick(validation_raw or train_raw))


def _calibrate(home: pathlib.Path, spec: RunSpec, state: RunState, libraries: int | None) -> None:
    """What this run showed about the machine, for the next forecast."""
    if spec.processes == 1 and state.status == "finished" and state.peak_bytes and state.tokens_per_second:
        predicted = spec.forecast.parts.get("libraries", 0)
        before = 0 if spec.settings.on_card else libraries or predicted  # a card's peak is counted without its context
        parts = {**spec.forecast.parts, "libraries": before}
        record = {
            "schema": 1,
            "owner": spec.owner,
            "run": spec.id,
            "device": spec.settings.device,
            "precision": spec.settings.precision,
            "parameters": spec.model.card.parameters,
            "operations_per_token": spec.forecast.operations_per_token,
            "slowed": duration.slowed(spec.settings),
            "predicted_bytes": spec.forecast.peak_bytes,
            "raw_predicted_bytes": spec.forecast.raw_peak_bytes - predicted + before,
            "libraries_bytes": libraries,
            "fixed_bytes": sum(parts.get(name, 0) for name in FIXED),
            "peak_bytes": state.peak_bytes,
            "predicted_seconds": spec.forecast.seconds,
            "tokens_per_second": state.undisturbed_tokens_per_second or state.tokens_per_second,
        }
        files.append_line(home / "calibration.jsonl", record)
