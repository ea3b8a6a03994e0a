"""Every hold on the insides of another library stands here: private names, and what their code does without promising it.

One function for each hold. Each says what is held and why, and tests/engine/test_upstream.py fails when the held thing moves:
whoever upgrades a library runs that file first. What cannot stand here, because it lies below the engine, is listed in
tests/test_architecture.py.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from peft.tuners import lora
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from transformers import AttentionInterface, masking_utils

__all__ = ["FakeTensorMode", "LoraVariant", "TorchDispatchMode", "tree_iter"]  # held by their names alone

LoraVariant = lora.layer.LoraVariant  # PEFT's place for another way to compute an adapter of a layer; not exported by it
NO_SDPA = "does not support an attention implementation through torch.nn.functional.scaled_dot_product_attention"

# transformers


def attending(build: Callable[[str], Any]) -> Any:
    """Build a model by `build`, which takes an attention implementation: sdpa, or eager where its class has no sdpa.

    Held: the words of the ValueError that transformers raises before it reads a weight. `_supports_sdpa` says the same, but only
    once the class is known, which AutoModelForCausalLM keeps to itself.
    """
    try:
        return build("sdpa")
    except ValueError as error:
        if NO_SDPA not in str(error):
            raise
    return build("eager")


def register_attention(name: str, attention: Callable[..., Any]) -> None:
    """Let models attend by `attention` while `attention_by` names it.

    Held: transformers makes no mask for an attention that is not registered with AttentionMaskInterface too, so that packed rows
    need none of (tokens, tokens).
    """
    AttentionInterface.register(name, attention)


@contextlib.contextmanager
def attention_by(config: Any, name: str) -> Iterator[None]:
    """While this is open the model of `config` attends by the registered attention `name`.

    Held: `_attn_implementation`, which each layer reads at each forward. `set_attn_implementation` would check the name against
    the Hub's kernels, and walks over all submodels at every micro-batch.
    """
    before = config._attn_implementation
    config._attn_implementation = name
    try:
        yield
    finally:
        config._attn_implementation = before


def join_last_states(model: Any) -> None:
    """Hand the LM head the last states of several prompts in one piece.

    Held: transformers slices them out of all states, and PyTorch multiplies such a slice on a processor by a copy of the weights for each
    prompt. In 16 bits with gemma-3-270m and five prompts that was 6 s and 1.6 GB instead of 0.04 s and 9 MB.
    """
    head = model.get_output_embeddings()
    if head is not None:
        head.register_forward_pre_hook(_in_one_piece)


def _in_one_piece(_: Any, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return given[0].contiguous(), *given[1:]


def decoder_layers(model: Any) -> list[Any]:
    """The decoder layers of a model: what accelerate, too, takes for that.

    Held: `_no_split_modules`, the names of their classes.
    """
    names = set(model._no_split_modules or ())
    return [one for many in model.modules() if isinstance(many, torch.nn.ModuleList) for one in many if type(one).__name__ in names]


def stop_input_gradients(model: Any) -> None:
    """Undo `enable_input_require_grads`.

    Held: `_require_grads_hook`, by which alone it is known whether there is something to undo; `disable_input_require_grads`
    fails where there is not.
    """
    if hasattr(model, "_require_grads_hook"):
        model.disable_input_require_grads()


def forget_origin(model: Any) -> None:
    """Take the folder that a model was loaded from out of what it writes.

    Held: `_name_or_path`, which `save_pretrained` puts into config.json; where it lay on this machine is nobody else's business.
    """
    model.config._name_or_path = ""


def save_checkpoint(trainer: Any, model: Any, trial: Any) -> None:
    """Write a checkpoint as transformers does, without the model card that TRL adds to it.

    Held: Trainer's `_save_checkpoint`, called past the one of SFTTrainer.
    """
    from transformers import Trainer  # here, because a chat does without it

    Trainer._save_checkpoint(trainer, model, trial)


def use_one_card(arguments: Any) -> None:
    """Have a trainer with these TrainingArguments use one card at most.

    Held: `_n_gpu`, from which Trainer decides for DataParallel, which TRL refuses; there is no argument for it.
    """
    arguments._n_gpu = min(1, arguments.n_gpu)


def put_arguments_on(arguments: Any, place: torch.device) -> None:
    """Have a trainer with these TrainingArguments compute on the card `place`.

    Held: `_setup_devices`, a property that is computed once and kept in `__dict__`, and accelerate's `distributed_state.device`,
    which moves the batches. Both take the first card for any.
    """
    arguments.__dict__["_setup_devices"] = arguments.distributed_state.device = place


@contextlib.contextmanager
def no_search_for_packed_rows() -> Iterator[None]:
    """While this is open transformers takes each row for one text.

    Held: `find_packed_sequence_indices` of masking_utils, which looks at the values of the positions; a FakeTensor has none.
    """
    looked = masking_utils.find_packed_sequence_indices
    masking_utils.find_packed_sequence_indices = lambda position_ids: None
    try:
        yield
    finally:
        masking_utils.find_packed_sequence_indices = looked


# accelerate


def forget_accelerator() -> None:
    """Let the next trainer of this process choose device and precision anew.

    Held: `AcceleratorState._reset_state`, whose state is one for the whole process and is otherwise kept from the first trainer on.
    """
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)


def every_row(loader: Any) -> Any:
    """Have the loader of a training hand out all rows in each of its processes, and not a share of them. Returns it.

    Held: BatchSamplerShard's `num_processes`, `process_index` and `even_batches`, by which accelerate deals whole micro-batches out, and
    fills the last ones of an epoch up with rows of its beginning; and its `sampler`, by which the rows' order is told its epoch, also
    where the first steps of one are skipped. accelerate sets it for an order of its own only.
    """
    sampler = loader.batch_sampler
    if hasattr(sampler, "even_batches"):
        sampler.num_processes, sampler.process_index, sampler.even_batches = 1, 0, False
        sampler.sampler = sampler.batch_sampler.sampler
    return loader


def leave_gradients(accelerator: Any) -> None:
    """Let gradients of several processes alone: no DistributedDataParallel, whose hooks wait for a forward of the whole model.

    Held: `prepare` calls `prepare_model`, which wraps no model that is only evaluated.
    """
    accelerator.prepare_model = functools.partial(accelerator.prepare_model, evaluation_mode=True)


def uncover_forward(module: Any) -> None:
    """Take away what accelerate and TRL have put over the `forward` of a model.

    Held: both set `forward` on the instance, and accelerate keeps the one before in `_original_forward`; `unwrap_model` gives it
    back only where the accelerator that wrapped it is still there.
    """
    module.__dict__.pop("forward", None)
    module.__dict__.pop("_original_forward", None)


# PEFT


def compute_adapters_by(layer: Any, variant: Any) -> None:
    """Have the plain adapters of a LoRA layer computed by an instance of `variant`; those with a bias or a variant keep their way.

    Held: `lora_variant`, by which a layer finds another way for an adapter, and `cast_input_dtype_enabled`: PEFT would bring the
    input to the adapter's 32 bits, a copy that `variant` does without.
    """
    for name, outer in layer.lora_B.items():
        if name not in layer.lora_variant and outer.bias is None:
            layer.lora_variant[name] = variant()
    layer.cast_input_dtype_enabled = any(not isinstance(layer.lora_variant.get(name), variant) for name in layer.lora_B)


# PyTorch


def own_forward(module: torch.nn.Module) -> Any:
    """The forward that was set on this module itself, over that of its class; None where there is none.

    Held: Module keeps in `__dict__` what is neither a parameter, a buffer nor a module.
    """
    return module.__dict__.get("forward")


def of_scores(of_shares: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The gradient of scores, from that of their softmax over the last dimension and the softmax `shares` itself; any shape.

    Held: `aten._softmax_backward_data`, which autograd itself calls: one pass where written out it takes three.
    """
    done: torch.Tensor = torch.ops.aten._softmax_backward_data(of_shares, shares, -1, shares.dtype)
    return done


def storage_name(storage: torch.UntypedStorage) -> int:
    """What tells a storage from all others that are alive.

    Held: `_cdata`, the address of the storage in C++; a FakeTensor's `data_ptr` is 0.
    """
    return int(storage._cdata)


def writes(tensor: torch.Tensor) -> int:
    """How often a tensor was written to, but by way of its `data`.

    Held: `_version`, by which autograd finds that what it kept for the backward pass is no more.
    """
    return int(tensor._version)


def tensor_stores(module: torch.nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and buffers of a module itself, to be replaced in their places.

    Held: `_parameters` and `_buffers`; `register_parameter` would look at each, and loses ties.
    """
    return module._parameters, module._buffers


# bitsandbytes


def keep_4_bit_in_training(model: Any) -> None:
    """Keep 4-bit layers in training mode whatever their model is in: they have no dropout.

    Held: on a CPU with AVX512-BF16 `Linear4bit` packs its weights anew in evaluation mode, for answering only, after which training
    goes wrong.
    """
    for module in model.modules():
        if type(module).__name__ == "Linear4bit":
            module.training = True  # from_pretrained hands out models in evaluation mode
            module.train = functools.partial(_as_it_is, module)


def _as_it_is(module: Any, mode: bool = True) -> Any:
    return module


def silence_casts() -> None:
    """Let int8 layers compute without a word in the log.

    Held: the name of the logger, of the module that tells of every cast to 16 bits.
    """
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
