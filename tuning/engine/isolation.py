"""What a run may change beside its own weights, put back after it: settings of the process, and all of a base model but its weights.

Values are compared and put back; what a run may ask for is judged elsewhere. Weights are not kept twice: that they were changed is
told, and whoever holds the model loads it anew.
"""

import contextlib
import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch
from transformers import PreTrainedConfig

from tuning import settings
from tuning.engine import upstream

Setting = tuple[Callable[[], Any], Callable[[Any], Any]]  # what reads it, and what sets it

SAMPLE = 64  # numbers of each weight that are looked at: PEFT changes all of a weight, or none of it
SIMPLE = (bool, int, float, str, type(None))
REWRITING = ("pissa", "corda", "olora", "loftq", "lora_ga")  # values of init_lora_weights that take their part out of the base
BACKENDS = torch.backends
# Those that others inherit from stand first.
PRECISION: tuple[Any, ...] = (
    *(BACKENDS, BACKENDS.cuda.matmul, BACKENDS.cudnn, BACKENDS.cudnn.conv, BACKENDS.cudnn.rnn),
    *(BACKENDS.mkldnn, BACKENDS.mkldnn.matmul, BACKENDS.mkldnn.conv, BACKENDS.mkldnn.rnn),
)


def _attribute(place: Any, name: str) -> Setting:
    return lambda: getattr(place, name), lambda value: setattr(place, name, value)


def _legacy_precision() -> str | None:
    """PyTorch's older word for the precision of a product; it refuses to say it once the newer ones were set."""
    try:
        precision: str = torch.get_float32_matmul_precision()
        return precision
    except RuntimeError:
        return None


SETTINGS: tuple[Setting, ...] = (
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (_legacy_precision, lambda value: None if value is None else torch.set_float32_matmul_precision(value)),
    *(_attribute(place, "fp32_precision") for place in PRECISION),
    *(_attribute(BACKENDS.cudnn, name) for name in ("enabled", "deterministic", "benchmark")),
    *(_attribute(BACKENDS.cuda.matmul, f"allow_{kind}_reduced_precision_reduction") for kind in ("fp16", "bf16")),
    (BACKENDS.cuda.flash_sdp_enabled, BACKENDS.cuda.enable_flash_sdp),
    (BACKENDS.cuda.mem_efficient_sdp_enabled, BACKENDS.cuda.enable_mem_efficient_sdp),
    (BACKENDS.cuda.math_sdp_enabled, BACKENDS.cuda.enable_math_sdp),
    (random.getstate, random.setstate),
)


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Environment, random state and PyTorch's settings of the process are after this as they were before it."""
    numbers = numpy.random.get_state()
    before = [(read, put, read()) for read, put in SETTINGS]
    try:
        with settings.kept_environment(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        for read, put, value in before:
            if read() != value:
                put(value)
        numpy.random.set_state(numbers)


def rewrites_base(config: Any) -> bool:
    """Whether PEFT changes weights, or layers, of the base itself for an adapter with this LoraConfig: to begin with, or in training."""
    begins = str(getattr(config, "init_lora_weights", "")).lower()
    return getattr(config, "bias", "none") != "none" or bool(getattr(config, "layer_replication", None)) or begins.startswith(REWRITING)


def shares_base(config: Any) -> bool:
    """Whether other adapters can be loaded beside one with this LoraConfig: PEFT does not find theirs where single tokens are trained."""
    return not rewrites_base(config) and not getattr(config, "trainable_token_indices", None)


class Found:
    """How a model was when it was loaded: its configurations, its modules and what hangs on them, and a sample of its weights."""

    def __init__(self, model: Any) -> None:
        self._configs = [(config, _copied(config)) for config in _configs(model)]
        self._modules = [(module, _switches(module), set(vars(module))) for module in model.modules()]
        self._hooks = [(hooks, dict(hooks)) for hooks in _hooks(model)]
        self._weights = _weights(model)

    def put_back(self, model: Any) -> bool:
        """Configurations, modes, switches and hooks as they were; whether all else is. Where not, it has to be loaded anew."""
        if [id(module) for module in model.modules()] != [id(module) for module, _, _ in self._modules]:
            return False
        if [id(config) for config in _configs(model)] != [id(config) for config, _ in self._configs]:
            return False
        for config, before in self._configs:
            inner = {name for name, value in vars(config).items() if isinstance(value, PreTrainedConfig)}
            _reset(config, copy.deepcopy(before), before.keys() | inner)
        for module, values, names in self._modules:
            _reset(module, values, names)
        for hooks, called in self._hooks:
            hooks.clear()
            hooks.update(called)
        return _weights(model) == self._weights


def _reset(thing: Any, values: dict[str, Any], names: set[str]) -> None:
    """Give the attributes in `values` back to it, and take away those that are not among `names`."""
    for name in vars(thing).keys() - names:
        del vars(thing)[name]
    vars(thing).update(values)


def _configs(model: Any) -> list[Any]:
    """Every configuration that a module of the model reads, and that of generation."""
    found = {id(config): config for module in model.modules() if (config := getattr(module, "config", None)) is not None}
    return [*found.values(), *([generation] if (generation := getattr(model, "generation_config", None)) is not None else [])]


def _copied(config: Any) -> dict[str, Any]:
    """What a configuration says, but for the configurations inside it."""
    return {name: copy.deepcopy(value) for name, value in vars(config).items() if not isinstance(value, PreTrainedConfig)}


def _switches(module: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if isinstance(value, SIMPLE)}


def _hooks(model: Any) -> list[Any]:
    """PyTorch's dictionaries of what is called before and after each module; transformers leaves some where it is asked twice."""
    return [value for module in model.modules() for name, value in vars(module).items() if "_hooks" in name and isinstance(value, dict)]


def _weights(model: Any) -> dict[str, Any]:
    """Of each weight and buffer where it lies, its type and shape, how often it was written to, and a few of its numbers."""
    return {name: _marks(tensor) for name, tensor in (*model.named_parameters(), *model.named_buffers())}


def _marks(tensor: torch.Tensor) -> tuple[Any, ...]:
    flat = tensor.detach().reshape(-1)
    some = str(flat[:: max(1, len(flat) // SAMPLE)].double().sum().item())  # in words NaN is what NaN is
    if not tensor.is_floating_point():  # bitsandbytes puts quantised weights elsewhere by itself
        return tensor.dtype, tuple(tensor.shape), some
    return tensor.dtype, tuple(tensor.shape), some, tensor.data_ptr(), upstream.writes(tensor)
