"""The one base model that is loaded, the adapters on it, and at most one whole model that a run makes, or has made, of it.

Only the workshop's thread, or a terminal's, touches it. Loads from local folders, safetensors only, with a literal attention
implementation and no remote code, but for the one revision that the owner of a local machine has pinned on the command line.
"""

import contextlib
import logging
import pathlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psutil
import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.helpers import rescale_adapter_scale
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from tuning.engine import fitting, full_weights, isolation, upstream
from tuning.engine.device import DTYPES, Device, ran_out, release
from tuning.engine.kernels import fsdp, lora_cpu
from tuning.engine.kernels.key_values import KeyValues
from tuning.engine.ranks import ALONE, Ranks
from tuning.errors import EngineError, caught, innermost
from tuning.machine import container
from tuning.models import examine, model_folder
from tuning.tokens import labels, trial

logger = logging.getLogger(__name__)

TRAINED = "default"  # PEFT writes the adapter of this name straight into the folder it saves to
# What the libraries raise for files that are not what they should be.
FAULTS = (OSError, ValueError, LookupError, RuntimeError, ImportError, TypeError, AttributeError, ArithmeticError, AssertionError)
BROKEN = (*FAULTS, SafetensorError)
THREADS = min(torch.get_num_threads(), container.cores())
SMALL = 10_000_000  # parameters; below, a second thread gains a quarter alone and loses more beside others (tests/bench/threads.py)


class Resident:
    """What is loaded now: `base` (a causal language model as it came), its tokenizer, and LoRA adapters by run id.

    A run that trains the whole model turns the base into `full_weights`; the base is then loaded anew beside it when somebody asks for
    it, but not while the run is in `training`: nobody has planned for the memory of both. The same model trained takes less than
    half of what its training took, so that later both are there, and a report asks them row by row.
    """

    def __init__(self, trusts: Callable[[str], bool] = lambda path: False, ranks: Ranks = ALONE) -> None:
        """`trusts` says of a folder whether the model in it may run its own code: `hub.shelf.Shelf.trusts`. Each of `ranks` has a model."""
        self._trusts, self.ranks = trusts, ranks
        self.path: str | None = None
        self.quantization = "none"
        self.libraries_bytes: int | None = None  # that this process held before its first model; not known of a card
        self.base: Any = None
        self.tokenizer: Any = None
        self._found: isolation.Found | None = None  # how the base was when it was loaded
        self._threads = THREADS
        self.peft: PeftModel | None = None
        self.adapters: dict[str, str] = {}  # run id -> PEFT's name for it
        self.whole: Any = None
        self.whose: str | None = None  # the id of the run whose model `full_weights` is
        self.training = False
        self.kept = KeyValues()  # of conversations with what is loaded
        self._device, self.precision = Device("cpu"), "fp32"

    @property
    def model(self) -> Any:
        """What is trained, or else the base."""
        return self.peft if self.peft is not None else self.whole if self.base is None else self.base

    @property
    def rewritten(self) -> bool:
        """Has an adapter that is there changed the weights below it, so that nobody else may speak by them?"""
        return self.peft is not None and any(isolation.rewrites_base(config) for config in self.peft.peft_config.values())

    @property
    def size(self) -> int:
        """Bytes of the weights that are loaded."""
        models = {id(model): model for model in (self.model, self.base) if model is not None}
        return sum(weight.numel() * weight.element_size() for model in models.values() for weight in model.parameters())

    @property
    def device(self) -> torch.device:
        """Where it is, or will be."""
        return self._device.place if self.model is None else self.model.device

    def load(self, path: str, device: str, precision: str, quantization: str = "none", bare: bool = True) -> None:
        """Make `path` the resident base; nothing happens where it is already. Raises EngineError where files are broken.

        `quantization` nf4 keeps the linear layers in 4 bits (QLoRA, with quantised constants), int8 in 8; both compute in 16.
        Where not the `bare` base is wanted but a whole model that a run has made of it, the base itself is left for later.
        """
        if self.precision != precision or not self.has(path, device, quantization):
            self.unload()
            if self.libraries_bytes is None and not Device(device).on_card:
                self.libraries_bytes = psutil.Process().memory_info().rss
            self._device, self.precision = Device(device), precision
            self._device.select()
            if not self._trusts(path) and examine.wants_code(pathlib.Path(path)):
                raise EngineError("model.remote_code", model=pathlib.Path(path).name)
            if not self._trusts(path):
                trial.require(path)
            with _told_of(path):
                self.tokenizer = labels.load(path, self._trusts(path))
            self.path, self.quantization = path, quantization
        if bare and self.base is None and not self.training:
            self._load_base()
        torch.set_num_threads(self._threads)

    def has(self, path: str, device: str, quantization: str) -> bool:
        """Is it this base, or a whole model made of it, that is resident now, in whatever precision?"""
        return (self.path, self.quantization) == (path, quantization) and self.device == Device(device).place

    def _load_base(self) -> None:
        assert self.path is not None
        dtype = DTYPES[self.precision]
        if self.ranks.shares and self.ranks.several:
            self.base = self.ranks.in_turn(partial(self._open_shared, self.path, dtype))
            return
        self.base = self._open(self.path, dtype, quantized(self.quantization, dtype))
        upstream.keep_4_bit_in_training(self.base)
        self._found = isolation.Found(self.base)

    def _open_shared(self, path: str, dtype: torch.dtype) -> Any:
        """Read into main memory, then put on the device layer by layer, of each this process's share."""
        return fsdp.share_out(self._open(path, dtype, whole=False), self._device)

    def _open(self, path: str, dtype: torch.dtype, quantized: BitsAndBytesConfig | None = None, whole: bool = True) -> Any:
        """The model in a folder: on the device as a `whole`, or else in main memory."""
        transformers_logging.disable_progress_bar()
        self.kept.forget()
        with _told_of(path):
            headers = model_folder.check(pathlib.Path(path), pathlib.Path(path).name)
            model, loaded = upstream.attending(
                lambda way: AutoModelForCausalLM.from_pretrained(
                    path,
                    dtype=dtype,
                    device_map={"": str(self._device.place)} if whole and self._device.on_card else None,
                    attn_implementation=way,
                    use_safetensors=True,
                    trust_remote_code=self._trusts(path),
                    local_files_only=True,
                    quantization_config=quantized,
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,  # told below, by their names
                )
            )
        fitting.check(path, headers, loaded, model, self.tokenizer)
        if not self._trusts(path):
            vars(model.config).pop("auto_map", None)  # of classes that are not these; the files it names do not go along
        if self._device.substitutes:
            upstream.join_last_states(model)
        self._threads = 1 if model.num_parameters() < SMALL else THREADS
        torch.set_num_threads(self._threads)
        return model.eval()

    def unload(self) -> None:
        """Let go of everything and give the memory back."""
        self.path, self.base, self._found, self.tokenizer, self.peft, self.adapters = None, None, None, None, None, {}
        self.whole, self.whose, self.training = None, None, False
        self.kept.forget()
        release()

    def fresh_adapter(self, run_id: str, config: LoraConfig) -> PeftModel:
        """A new adapter to train, the only one on the base: others are dropped and come back from disk when asked for."""
        self._bare()
        self._drop_whole()
        if self.base is None:
            self._load_base()
        self.peft = get_peft_model(self.base, config, adapter_name=TRAINED)
        if self._device.substitutes:
            lora_cpu.quicken(self.peft)
        self.adapters, self.training = {run_id: TRAINED}, True
        return self.peft

    def fresh_whole(self, run_id: str, precision: str) -> Any:
        """The base itself, in 32 bits, to be trained as a whole; `precision` is what it computes in, here and afterwards.

        Small updates would be lost in 16 bits: Micikevicius et al., "Mixed Precision Training" (2017).
        """
        assert self.path is not None
        self._bare()
        self._drop_whole()
        self.precision = precision
        if self.base is None or self.base.dtype != torch.float32:
            self.base = None
            release()
            self.base = self._open(self.path, torch.float32)
        self.whole, self.base, self.whose, self.training = self.base, None, run_id, True
        self.whole.requires_grad_(True)  # an adapter that was on it has frozen it
        return self.whole

    def go_on_from(self, folder: pathlib.Path) -> Any:
        """The model to train is the one in `folder`, which another run has made of the same base. Raises EngineError."""
        self.whole = None
        release()
        self.whole = self._open(str(folder), torch.float32)
        return self.whole

    def keep_for_chat(self) -> None:
        """After training: undo what the trainer and accelerate put over `forward`, and what training switched on."""
        self.training = False
        causal = self.whole if self.base is None else self.base
        for module in (self.peft, causal):
            if module is not None:
                upstream.uncover_forward(module)
        if causal is None:
            return
        if causal.is_activation_checkpointing:
            causal.gradient_checkpointing_disable()
        upstream.stop_input_gradients(causal)
        self.model.eval()

    def drop_adapter(self, run_id: str) -> None:
        """Forget a run's adapter, or its whole model, after a failed training or when there is another on disk."""
        if run_id == self.whose:
            self._drop_whole()
        name = self.adapters.pop(run_id, None)
        if name is not None and self.peft is not None:
            if len(self.peft.peft_config) == 1:
                self._bare()
            else:
                self.peft.delete_adapter(name)

    def _drop_whole(self) -> None:
        if self.whole is not None:
            self.whole, self.whose, self.training = None, None, False
            self.kept.forget()
            release()

    def _bare(self) -> None:
        if self.peft is not None:
            self.keep_for_chat()
            self.base = self.peft.unload()
            self.peft = None
        self.adapters = {}
        if self.base is not None and self._found is not None and not self._found.put_back(self.base):
            logger.info("a run has changed the base: it is loaded anew")
            self.base = self._found = None
            release()

    def _adapter(self, run_id: str, folder: pathlib.Path) -> str:
        """PEFT's name of the run's adapter, loaded from its folder where it is not there yet."""
        if run_id not in self.adapters:
            name = re.sub(r"\W", "_", run_id)
            there = [] if self.peft is None else [*self.peft.peft_config.values()]
            if not all(map(isolation.shares_base, [*there, PeftConfig.from_pretrained(str(folder))])):
                self._alone()
            if self.peft is None:
                self.peft = PeftModel.from_pretrained(self.base, str(folder), adapter_name=name, is_trainable=False)
            else:
                self.peft.load_adapter(str(folder), adapter_name=name, is_trainable=False)
            if self._device.substitutes:
                lora_cpu.quicken(self.peft)
            self.adapters[run_id] = name
        return self.adapters[run_id]

    def _alone(self) -> None:
        """Have the base as it came and no adapter on it. Raises EngineError where one of them is in training."""
        if self.training:
            raise EngineError("chat.own_base")
        self._bare()
        if self.base is None:
            self._load_base()

    @contextlib.contextmanager
    def speaking(self, run_id: str | None, folder: pathlib.Path | None, strength: float = 100.0) -> Iterator[Any]:
        """The model in answering mode with the adapter of `run_id` (None: the bare base); afterwards all is as it was.

        `strength`: percent of PEFT's scaling with which the adapter is added; a whole model and the magnitudes of DoRA have none.

        Random state is forked, so that an answer in mid-run changes nothing of the run. Raises EngineError where the base or
        another run is asked for while the whole model, or an adapter that has changed the base, is in training.
        """
        with Device.of(self.device).forked():
            if run_id is not None and (run_id == self.whose or (folder is not None and full_weights.published(folder))):
                self._whole_of(run_id, folder)
                with _answering(self.whole):
                    yield self.whole
                return
            if self.base is None and self.training:
                raise EngineError("chat.whole")
            if self.base is None:
                self._load_base()
            if run_id is None and self.rewritten:
                self._alone()
            before = None if self.peft is None else self.peft.active_adapter
            name = None if run_id is None or folder is None else self._adapter(run_id, folder)
            try:
                with _answering(self.model):
                    if name is None:
                        with self.peft.disable_adapter() if self.peft is not None else contextlib.nullcontext():
                            yield self.base
                    else:
                        assert self.peft is not None
                        if self.peft.active_adapter != name:
                            self.peft.set_adapter(name)
                        with scaled_by(self.peft, strength):
                            yield self.peft
            finally:
                if self.peft is not None and before in self.peft.peft_config and self.peft.active_adapter != before:
                    self.peft.set_adapter(before)

    def _whole_of(self, run_id: str, folder: pathlib.Path | None) -> None:
        """Have the whole model of a run in memory. Raises EngineError while another one is trained."""
        if run_id == self.whose:
            return
        if self.training:
            raise EngineError("chat.whole")
        assert folder is not None
        self._drop_whole()
        self.whole, self.whose = self._open(str(folder), DTYPES[self.precision]), run_id


def scaled_by(model: PeftModel | None, strength: float) -> contextlib.AbstractContextManager[None]:
    """LoRA layers with so many percent of their scaling; afterwards with the very numbers that they had."""
    return contextlib.nullcontext() if model is None or strength == 100 else rescale_adapter_scale(model, strength / 100)


@contextlib.contextmanager
def _answering(model: Any) -> Iterator[None]:
    """`model` in evaluation mode; afterwards in the mode it was in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@contextlib.contextmanager
def _told_of(path: str) -> Iterator[None]:
    """Files that cannot be loaded are said by their folder's name, a configuration of which nothing can be built as such; missing memory
    is said as it is."""
    try:
        yield
    except BROKEN as error:
        if ran_out(error):
            raise
        name = pathlib.Path(path).name
        fault = caught(lambda: _built(path), f"building {name} without its weights")
        if fault is not None:
            raise EngineError("model.config", model=name, about=innermost(fault)) from error
        raise EngineError("model.cannot_load", model=name) from error


def _built(path: str) -> None:
    """Build the architecture that config.json describes, without any number in it. No file but that is read."""
    with torch.device("meta"):
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        AutoModelForCausalLM.from_config(config, attn_implementation="eager")  # another may be missing here


def quantized(quantization: str, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    if quantization == "int8":
        upstream.silence_casts()
        return BitsAndBytesConfig(load_in_8bit=True)
    compute = torch.float16 if dtype == torch.float16 else torch.bfloat16
    four = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=compute)
    return four if quantization == "nf4" else None
