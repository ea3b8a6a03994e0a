"""The one base model that is loaded, and the adapters on it. Only the workshop's thread, or a terminal's, touches it.

Loads from local folders, safetensors only, with a literal attention implementation and no remote code.
"""

import contextlib
import functools
import gc
import logging
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import psutil
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from tuning.engine import dropout, tokens
from tuning.engine.healing import ran_out
from tuning.errors import EngineError

logger = logging.getLogger(__name__)

TRAINED = "default"  # PEFT writes the adapter of this name straight into the folder it saves to
THREADS = torch.get_num_threads()
SMALL = 10_000_000  # parameters; below, a second thread costs more in waiting than it brings (tests/bench/threads.py)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Resident:
    """What is loaded now: `base` (a causal language model), its tokenizer, and LoRA adapters by run id."""

    def __init__(self) -> None:
        self.path: str | None = None
        self.quantization = "none"
        self.libraries_bytes: int | None = None  # that this process held before its first model; not known of a card
        self.base: Any = None
        self.tokenizer: Any = None
        self.peft: PeftModel | None = None
        self.adapters: dict[str, str] = {}  # run id -> PEFT's name for it

    @property
    def model(self) -> Any:
        return self.base if self.peft is None else self.peft

    def load(self, path: str, device: str, precision: str, quantization: str = "none") -> None:
        """Make `path` the resident base; nothing happens where it is already. Raises EngineError where files are broken.

        `quantization` nf4 keeps the linear layers in 4 bits (QLoRA, with quantised constants), int8 in 8; both compute in 16.
        """
        if (self.path, self.quantization) == (path, quantization) and self.base.device == torch.device(device):
            return
        self.unload()
        if self.libraries_bytes is None and device == "cpu":
            self.libraries_bytes = psutil.Process().memory_info().rss
        transformers_logging.disable_progress_bar()
        # A CPU computes in 16 bits under autocast and keeps the weights in 32; a card holds them as it computes.
        dtype = torch.float32 if device == "cpu" else DTYPES[precision]
        try:
            tokenizer = tokens.load(path)
            base = AutoModelForCausalLM.from_pretrained(
                path,
                dtype=dtype,
                device_map={"": device} if device != "cpu" else None,
                attn_implementation="sdpa",
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                quantization_config=_quantized(quantization, dtype),
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            if ran_out(error):
                raise
            raise EngineError("model.cannot_load", model=pathlib.Path(path).name) from error
        torch.set_num_threads(1 if base.num_parameters() < SMALL else THREADS)
        _stay_in_training(base)
        self.path, self.base, self.tokenizer, self.quantization = path, base.eval(), tokenizer, quantization

    def unload(self) -> None:
        """Let go of everything and give the memory back."""
        self.path, self.base, self.tokenizer, self.peft, self.adapters = None, None, None, None, {}
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def fresh_adapter(self, run_id: str, config: LoraConfig) -> PeftModel:
        """A new adapter to train, the only one on the base: others are dropped and come back from disk when asked for."""
        self._bare()
        self.peft = get_peft_model(self.base, config, adapter_name=TRAINED)
        if self.base.device.type == "cpu":
            dropout.quicken(self.peft)
        self.adapters = {run_id: TRAINED}
        return self.peft

    def keep_for_chat(self) -> None:
        """After training: undo what the trainer and accelerate put over `forward`, and what training switched on."""
        if self.peft is None:
            return
        for module in (self.peft, self.base):
            module.__dict__.pop("forward", None)
            module.__dict__.pop("_original_forward", None)
        if self.base.is_activation_checkpointing:
            self.base.gradient_checkpointing_disable()
        if hasattr(self.base, "_require_grads_hook"):
            self.base.disable_input_require_grads()
        self.peft.eval()

    def drop_adapter(self, run_id: str) -> None:
        """Forget a run's adapter, after a failed training or when the run is deleted."""
        name = self.adapters.pop(run_id, None)
        if name is not None and self.peft is not None:
            if len(self.peft.peft_config) == 1:
                self._bare()
            else:
                self.peft.delete_adapter(name)

    def _bare(self) -> None:
        if self.peft is not None:
            self.keep_for_chat()
            self.base = self.peft.unload()
            self.peft = None
        self.adapters = {}

    def _adapter(self, run_id: str, folder: pathlib.Path) -> str:
        """PEFT's name of the run's adapter, loaded from its folder where it is not there yet."""
        if run_id not in self.adapters:
            name = re.sub(r"\W", "_", run_id)
            if self.peft is None:
                self.peft = PeftModel.from_pretrained(self.base, str(folder), adapter_name=name, is_trainable=False)
            else:
                self.peft.load_adapter(str(folder), adapter_name=name, is_trainable=False)
            self.adapters[run_id] = name
        return self.adapters[run_id]

    @contextlib.contextmanager
    def speaking(self, run_id: str | None, folder: pathlib.Path | None) -> Iterator[Any]:
        """The model in answering mode with the adapter of `run_id` (None: the bare base); afterwards all is as it was.

        Random state is forked, so that an answer in mid-run changes nothing of the run.
        """
        training = self.model.training
        devices = [self.base.device] if self.base.device.type == "cuda" else []
        before = None if self.peft is None else self.peft.active_adapter
        with torch.random.fork_rng(devices=devices):
            name = None if run_id is None or folder is None else self._adapter(run_id, folder)
            self.model.eval()
            try:
                if name is None:
                    with self.peft.disable_adapter() if self.peft is not None else contextlib.nullcontext():
                        yield self.base
                else:
                    assert self.peft is not None
                    if self.peft.active_adapter != name:
                        self.peft.set_adapter(name)
                    yield self.peft
            finally:
                if before is not None and self.peft is not None and self.peft.active_adapter != before:
                    self.peft.set_adapter(before)
                self.model.train(training)


def _quantized(quantization: str, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    if quantization == "int8":
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)  # it tells of every cast to 16 bits
        return BitsAndBytesConfig(load_in_8bit=True)
    compute = torch.float16 if dtype == torch.float16 else torch.bfloat16
    four = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=compute)
    return four if quantization == "nf4" else None


def _stay_in_training(base: Any) -> None:
    """Keep 4-bit layers in training mode whatever their model is in: they have no dropout, and on a CPU with AVX512-BF16
    bitsandbytes packs their weights anew in evaluation mode, for answering only, after which training goes wrong."""
    for module in base.modules():
        if type(module).__name__ == "Linear4bit":
            module.training = True  # from_pretrained hands out models in evaluation mode
            module.train = functools.partial(_as_it_is, module)


def _as_it_is(module: Any, mode: bool = True) -> Any:
    return module
