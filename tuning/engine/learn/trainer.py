"""SFTTrainer as a run needs it: an optimizer step's rows in as few micro-batches as memory takes, saves that are whole or not there.

The only importer of trl. It computes and saves; what is told, asked and decided between the steps is in `callbacks`.
"""

import contextlib
import copy
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import datasets
import torch
import transformers
from peft import LoraConfig, PeftModel
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import SFTConfig, SFTTrainer

from tuning.engine import full_weights, upstream
from tuning.engine.device import Device, ran_out, release
from tuning.engine.kernels import fsdp, head, packing, ready, try_out
from tuning.engine.kernels.key_values import KeyValues
from tuning.engine.kernels.try_out import TryOut, Works
from tuning.engine.learn import callbacks, publish, random_states
from tuning.engine.learn.early_stopping import Best
from tuning.engine.learn.healing import Ladder
from tuning.engine.learn.trackers import Trackers
from tuning.engine.ranks import ALONE, Ranks
from tuning.engine.resident import TRAINED, Resident
from tuning.errors import EngineError, InputError
from tuning.forecast.memory import target_names
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run
from tuning.schema import ModelCard, Notice, RunSpec, TrainSettings
from tuning.tokens import labels

TrainRows = list[packing.TokenRow]
STOOD_FOR: dict[str, Any] = {
    "report_to": "none",  # by `Trackers`
    "use_liger_kernel": False,  # by `norms`, which leaves other models alone
    "dataloader_pin_memory": False,  # no rows go through the loader
    "remove_unused_columns": False,  # only their numbers do
}


class ByLength(LengthGroupedSampler):  # type: ignore[misc]
    """Rows of like length one after another, in an order by seed and epoch alone: the same in each process, and after a resume.

    That of transformers draws from the global random state, which differs between processes and moves within an epoch.
    """

    def __init__(self, lengths: list[int], rows_per_step: int, seed: int) -> None:
        super().__init__(rows_per_step, lengths=lengths)
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The trainer says so before each."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return iter(super().__iter__())


class CheckedTrainer(SFTTrainer):
    """SFTTrainer over raw rows: it packs them, heals itself where memory runs out, and scores labelled positions only.

    TRL's LM head is left alone: on a card it is a Triton kernel, which wants a compiler for C.
    """

    run: Run
    pace: callbacks.Throughput
    ladder: Ladder
    kept: KeyValues  # of conversations: the first to go
    between: Callable[[], None]  # after each micro-batch but the last of a step
    healed: Callable[[], None]  # a rung was taken
    trackers: Trackers
    best: Best | None = None
    packed = False
    ranks: Ranks = ALONE
    last_loss: torch.Tensor | None = None  # of the last step that was computed by all
    rows: TrainRows  # as tensors, by the numbers that the loader hands out
    quick: ready.Speed
    _dice: list[random_states.State]

    def get_train_dataloader(self) -> Any:
        """Numbers of all rows, in each process: the rows of a step are the same for however many, and shared out there."""
        return upstream.every_row(super().get_train_dataloader())

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """The order of the rows; nothing that differs between processes, or from one start to the next, has a part in it."""
        args = self.args
        if args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        seed = args.seed if args.data_seed is None else args.data_seed
        return ByLength([len(row["input_ids"]) for row in self.rows], args.train_batch_size * args.gradient_accumulation_steps, seed)

    def get_batch_samples(self, epoch_iterator: Iterator[list[int]], num_batches: int, device: torch.device) -> tuple[list[TrainRows], Any]:
        """All rows of an optimizer step as its last micro-batch: how they are computed is decided in `training_step`."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        rows = [self.rows[number] for batch in batches for number in batch]
        return [*([] for _ in batches[1:]), *([rows] if batches else [])], None

    def training_step(self, model: Any, inputs: TrainRows, num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward of a whole optimizer step, again from its beginning where memory ran out in it: first without what is
        kept of conversations, then a rung further.

        Returns the mean loss of its learned tokens, in nats. Raises torch.OutOfMemoryError where nothing is left to try. Of several
        processes each computes its share; gradients and loss are summed.
        """
        if not inputs:
            return torch.zeros((), device=self.args.device)
        dice = callbacks.RngState(Device.of(self.args.device))
        if self.kept.size and Device.of(self.args.device).short():
            self.kept.forget()
        while True:
            try:
                loss = self._summed(model, inputs)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error) or self.ranks.parted_by(error):
                    raise
                spared = self.kept.forget()
                if not spared and self.ladder.next(self.state.global_step) is None:
                    raise
            else:
                break
            model.zero_grad()
            release()
            dice.put_back()
            if not spared:
                self.ladder.apply(head.causal(self.accelerator.unwrap_model(model)))
                self.healed()
        self.last_loss = loss
        self.pace.count(sum(len(row["input_ids"]) for row in self.ladder.cut(inputs)))
        return loss

    def _summed(self, model: Any, inputs: TrainRows) -> torch.Tensor:
        """Loss and gradients of a step of all processes, in each of them."""
        loss = self.ranks.together(lambda: self._step(model, inputs))
        if self.ranks.several:
            self.ranks.add([loss, *self.ranks.together(lambda: gradients(model))])
        return loss

    def _step(self, model: Any, rows: TrainRows) -> torch.Tensor:
        model.train()
        rows = self.ladder.cut(rows)
        tokens = torch.tensor(packing.learned(rows), device=self.args.device)
        mine = [rows[place] for place in self.ranks.share([len(row["input_ids"]) for row in rows])]
        batches = self.ranks.fill(packing.arrange(mine, self.ladder.most_tokens, self.packed), [packing.unlearned(rows[0])])
        total = torch.zeros((), device=self.args.device)
        for number, batch in enumerate(batches, start=1):
            last = number == len(batches)
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                total += self._micro_batch(model, batch, tokens.clamp(min=1))
            if not last:
                self.between()
        return total

    def _micro_batch(self, model: Any, rows: TrainRows, tokens: torch.Tensor) -> torch.Tensor:
        """Adds the gradients of `rows`; their loss as a share of a step with so many learned `tokens`."""
        causal, device = head.causal(self.accelerator.unwrap_model(model)), self.args.device
        if not self.packed:
            loss = self._loss(causal, head.pad(rows, self.processing_class.pad_token_id, device), tokens)
            self.accelerator.backward(loss)
            return loss.detach()
        batch, lengths = packing.packed(rows, device)
        with packing.apart(causal, lengths, self.quick.attend):  # also while layers are computed again for the backward pass
            loss = self._loss(causal, batch, tokens)
            self.accelerator.backward(loss)
        return loss.detach()

    def _loss(self, causal: Any, batch: packing.Batch, tokens: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            loss, _ = head.own_nll(causal, batch, router=True) if self.aux_loss_enabled else head.nll(causal, batch)
        return loss / tokens

    def _autocast(self) -> torch.autocast:
        narrow = torch.float16 if self.args.fp16 else torch.bfloat16
        return Device.of(self.args.device).autocast(narrow, self.args.bf16 or self.args.fp16)

    def choose_ways(self, settings: TrainSettings, causal: Any, works: Works) -> list[Notice]:
        """Decide whether rows are packed and whose LM head is taken, by trial; what is not as planned is told."""
        notices = []
        with self._autocast():
            self.packed = bool(settings.packing) and packing.fits(causal, self.quick.attend, works)
        if settings.packing and not self.packed:
            notices.append(Notice(code="recovery.packing", level="warning"))
        if not head.head_fits(causal):
            notices.append(Notice(code="recovery.head", level="warning"))
        return notices

    def floating_point_ops(self, inputs: Any) -> int:
        """The plan has its own arithmetic; transformers' wants tensors."""
        return 0

    def store_flos(self) -> None:
        """Nothing was counted; transformers would ask all processes for it, in the middle of a save by one."""

    def _get_output_dir(self, trial: Any) -> str:
        """Where a save is built. Other processes than the one that saves have a name of their own, at which there is nothing: at the end
        transformers lists this folder in each of them, and it would be renamed under their eyes."""
        return str(self.run.checkpoints / (checkpoints.BUILDING if self.ranks.main else ".built-by-another"))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """What is trained, and not the adapters that somebody talks to meanwhile; the Hub is not asked about the base."""
        trained = self.accelerator.unwrap_model(self.model)
        if isinstance(trained, PeftModel):
            trained.save_pretrained(output_dir, selected_adapters=[TRAINED], save_embedding_layers=False)
        else:
            pathlib.Path(str(output_dir)).mkdir(exist_ok=True)
            full_weights.write(trained, pathlib.Path(str(output_dir)) / full_weights.WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        trained = self.accelerator.unwrap_model(self.model if model is None else model)
        if isinstance(trained, PeftModel):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            full_weights.read(trained, pathlib.Path(resume_from_checkpoint) / full_weights.WEIGHTS)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Built aside, hashed, renamed; then rotated. TRL's model card is left out: ours goes with the adapter.

        Raises EngineError for weights that are no numbers, so that the newest checkpoint is a good one; OSError where the disk
        has no room for it, or none for another one after it while there is more to come.
        """
        if not publish.sound(self.model):
            raise EngineError("train.diverged_weights", reason="diverged", step=self.state.global_step)
        self._dice = self.ranks.all(random_states.now())
        if not self.ranks.main:
            return
        checkpoints.require_room(self.run.checkpoints, saves=1)
        building = checkpoints.building(self.run.checkpoints)
        upstream.save_checkpoint(self, model, trial)
        step = self.state.global_step
        (building / f"checkpoint-{step}" / "README.md").unlink(missing_ok=True)  # a card that says nothing yet
        if self.best is not None:
            self.best.write(building / f"checkpoint-{step}")
        checkpoints.commit(building / f"checkpoint-{step}", self.run.checkpoints, step)
        checkpoints.rotate(self.run.checkpoints)
        if not self.control.should_training_stop:
            checkpoints.require_room(self.run.checkpoints, saves=2)

    def _save_rng_state(self, output_dir: str) -> None:
        if self.ranks.count == 1:
            super()._save_rng_state(output_dir)
        else:
            random_states.save(pathlib.Path(output_dir), self._dice, self.args.device)

    def save_last_step(self, dice: callbacks.RngState | None) -> None:
        """A save of the last whole step, in the middle of the next; `dice` is random state as it was between them."""
        if dice is not None and not (self.run.checkpoints / f"{checkpoints.PREFIX}{self.state.global_step}").exists():
            dice.put_back()
            self._save_checkpoint(self.model, None)


def lora_config(card: ModelCard, settings: TrainSettings) -> LoraConfig:
    """The adapter's configuration; what stands in the open map `lora` is passed by name.

    For a family that the catalog knows, "all-linear" is its list of layers: what PEFT would find by itself includes
    Mamba's out_proj, whose fused kernel never looks at an adapter. Raises InputError where LoraConfig does not take its fields together.
    """
    targets: Any = settings.target_modules
    if targets == "attention" or (targets == "all-linear" and card.target_modules):
        targets = target_names(card, settings)
    asked = {"r": settings.lora_r, "lora_alpha": settings.lora_alpha, "lora_dropout": settings.lora_dropout, "target_modules": targets}
    if card.beside:
        asked["exclude_modules"] = rf"(.*\.)?({card.beside})\..*"
    try:
        return LoraConfig(task_type="CAUSAL_LM", **{**asked, **settings.lora})
    except (TypeError, ValueError) as error:
        raise InputError("settings.lora", detail=str(error).splitlines()[0][:200]) from error


def own_tokenizer(spec: RunSpec, resident: Resident) -> Any:
    """A tokenizer of the run's own, with the special tokens and the template that it asks for: TRL changes the one that it is given."""
    tokenizer = copy.deepcopy(labels.templated(resident.tokenizer, spec.settings.chat_template))
    for name in ("eos_token", "pad_token"):
        if (token := spec.settings.sft.get(name)) in tokenizer.get_vocab():  # of others TRL says what is wrong
            setattr(tokenizer, name, token)
    return tokenizer


def make_trainer(
    run: Run, spec: RunSpec, resident: Resident, rows: TrainRows, callback: callbacks.FolderCallback, ladder: Ladder
) -> CheckedTrainer:
    """The trainer for one attempt. Raises InputError for a name in the open map `sft` that SFTConfig does not have."""
    upstream.forget_accelerator()  # the next run of this process may want another precision or device
    followed = Trackers(run, spec, lambda: (callback.best.seen, callback.ledger.state.eval_loss))
    trainer = CheckedTrainer(
        model=resident.model,
        args=sft_config(run, spec),
        train_dataset=datasets.Dataset.from_dict({"row": [*range(len(rows))]}),
        data_collator=_numbers,
        processing_class=own_tokenizer(spec, resident),
        callbacks=[callback, followed],
    )
    _learn_in_32_bits(resident.model)
    trainer.ranks = resident.ranks
    if resident.ranks.several:
        upstream.leave_gradients(trainer.accelerator)
        resident.ranks.even([*full_weights.weights(resident.model).values()])
    trainer.run, trainer.ladder, trainer.pace, trainer.best = run, ladder, callback.pace, callback.best
    trainer.between, trainer.trackers, trainer.kept = callback.between, followed, resident.kept
    trainer.healed = lambda: callback.ledger.update(now=True, recoveries=ladder.taken)
    trainer.rows = packing.tensors(rows)
    ladder.apply(head.causal(resident.model))
    alone = resident.ranks.main and not resident.ranks.shares  # what all try together no one may leave out
    works = TryOut(run.folder, resident.device).works if alone else try_out.works
    trainer.quick = ready.ready(spec.settings, head.causal(resident.model), works)
    trainer.quick.apply(trainer.args)
    # A processor is spoilt by no kernel: a process that ends while packing is tried there was killed, and packs when it goes on.
    packing_works = works if Device.of(resident.device).on_card else try_out.works
    notices = [*trainer.quick.notices, *trainer.choose_ways(spec.settings, head.causal(resident.model), packing_works)]
    fsdp.recover(head.causal(resident.model))
    if untold := [notice for notice in notices if notice not in ladder.taken]:
        ladder.taken += untold
        trainer.healed()
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def gradients(model: Any) -> list[torch.Tensor]:
    """The gradients of all that is trained, in the same order in each process; zeros where a process had no row for it."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    return [parameter.grad for parameter in trained]


def _learn_in_32_bits(model: Any) -> None:
    """Bring all that an optimizer changes to 32 bits; TRL keeps an adapter on a quantised base in bfloat16.

    fp16's loss scaler cannot take gradients in bfloat16, and small updates are lost in 16 bits: Micikevicius et al., "Mixed
    Precision Training" (2017).
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _numbers(examples: list[dict[str, int]]) -> list[int]:
    """The numbers of the rows: accelerate would look at each token of rows that went through its loader."""
    return [example["row"] for example in examples]


def sft_options(spec: RunSpec) -> dict[str, Any]:
    """What a run asks of SFTConfig, by its names, beside where it saves; the open map `sft` has been judged."""
    settings = spec.settings
    every = settings.gradient_checkpointing.removeprefix("every_")
    every_n = {"every_n_layers": int(every)} if every.isdigit() else {}
    beside = {"gradient_checkpointing_kwargs": {**every_n, **(settings.sft.get("gradient_checkpointing_kwargs") or {})} or None}
    options: dict[str, Any] = {
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
        "use_cpu": not settings.on_card,
        "gradient_checkpointing": settings.gradient_checkpointing != "none",
        "seed": settings.seed,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "packing": False,  # rows are packed in `training_step`
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else a diverged run logs 0.0
        "save_strategy": "no",  # saves are asked for by the callback
        "report_to": "none",
        "disable_tqdm": True,
        # Granite without experts carries the weight of a router's loss all the same, and TRL would switch that loss on.
        **({} if spec.model.card.config.get("num_local_experts") else {"router_aux_loss_coef": 0.0}),
    }
    return {**options, **settings.sft, **beside}


def sft_config(run: Run, spec: RunSpec) -> SFTConfig:
    """TRL's configuration from resolved settings, in the names of the installed versions.

    Raises InputError where SFTConfig does not take its fields together.
    """
    try:
        config = SFTConfig(**{**sft_options(spec), "output_dir": str(run.checkpoints), **STOOD_FOR})
    except (TypeError, ValueError) as error:
        raise InputError("settings.sft", detail=str(error).splitlines()[0][:200]) from error
    Device(spec.settings.device).claim(config)
    return config
