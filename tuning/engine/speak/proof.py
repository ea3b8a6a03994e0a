"""Which adapter an answer came from, and how far its next-token distribution is from the base's where the answer begins.

What was asked for is not believed: the LoRA layers say which adapter they used, the weights are compared with the run's file, and the
base is asked once more with every adapter switched off and scaled to nothing. Nothing is put into words here.
"""

import pathlib
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from safetensors import safe_open

from tuning.engine.kernels.head import causal
from tuning.engine.question import Proof, Question
from tuning.engine.resident import Resident, scaled_by

SAMPLE = 16  # tensors of an adapter that are compared with its file
SAME = 1e-3  # total variation below which an answer may be the base's: sums on a card are not the same to the last bit
FILE = "adapter_model.safetensors"


class Beginning:
    """What a model says first while this is open: the logits (vocabulary,) at the first forward, and the adapters that are active then."""

    def __init__(self, model: Any) -> None:
        self.logits: torch.Tensor | None = None
        self.active: set[str] = set()
        self.whole = True  # the prompt was read as a whole, and not from where an earlier turn of the conversation had read it
        self._model = causal(model)

    def __enter__(self) -> "Beginning":
        self._handle = self._model.register_forward_hook(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _look(self, module: Any, inputs: Any, output: Any) -> None:
        if self.logits is None:
            self.logits = output.logits[0, -1].float()
            self.active = {name for layer in _layers(module) if not layer.disable_adapters for name in _used(layer)}


def prove(resident: Resident, question: Question, ids: torch.Tensor, began: Beginning) -> Proof:
    """What is known of an answer to the prompt `ids` (1, tokens) that `began` so."""
    run, (who, folder) = question.run, question.speaker
    base = _of_base(resident, ids)
    if not began.whole and base is not None and began.logits is not None and total_variation(began.logits, base) < SAME:
        began.logits = _first_logits(resident, who, folder, question.strength, ids)  # read in one go, too, it has the very same sums or not
    distance = None if base is None or began.logits is None else total_variation(began.logits, base)
    owners = {name: id for id, name in resident.adapters.items()}
    spoke = ", ".join(sorted(owners.get(name, name) for name in began.active)) or None
    if run is None or who is None or folder is None:
        return Proof(spoke, distance, "not_base" if spoke or (distance or 0.0) > SAME else "")
    if not question.bare:
        return Proof(who, distance, "dead" if _same(began, base) else "")
    name = resident.adapters.get(who)
    if question.strength and began.active != {name}:
        return Proof(spoke, distance, "other")
    trained = resident.training and next(iter(resident.adapters)) == who  # its file is older than what it has learned
    assert resident.peft is not None and name is not None
    if not trained and not as_published(resident.peft, name, folder):
        return Proof(who, distance, "other")
    dead = question.strength > 0 and (_same(began, base) or _nothing(resident.peft, name))
    return Proof(who, distance, "dead" if dead else "")


def total_variation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Half the sum of what the probabilities of two rows of logits differ by: 0 for the same distribution, 1 for nothing in common."""
    return float((one.softmax(-1) - other.softmax(-1)).abs().sum() / 2)


def as_published(model: PeftModel, name: str, folder: pathlib.Path) -> bool:
    """Whether an adapter in memory is the one in `folder`, by a sample of its tensors. True where there is no file to compare with."""
    path = folder / FILE
    if not path.is_file():
        return True
    ending = f".{name}.weight"
    here = {key.removesuffix(ending) + ".weight": tensor for key, tensor in model.named_parameters() if key.endswith(ending)}
    with safe_open(str(path), "pt") as file:
        keys = sorted(key for key in file.keys() if key in here)  # noqa: SIM118  it is no dictionary
        return all(_equal(here[key], file.get_slice(key)[:1]) for key in keys[:: max(1, len(keys) // SAMPLE)])


def _equal(tensor: torch.Tensor, kept: torch.Tensor) -> bool:
    return bool(torch.equal(tensor.detach()[:1].to("cpu", kept.dtype), kept))


def _of_base(resident: Resident, ids: torch.Tensor) -> torch.Tensor | None:
    """The logits of the bare base after the prompt; None where it is not loaded, or changed by what is trained on it."""
    if resident.base is None or resident.rewritten:
        return None
    with scaled_by(resident.peft, 0.0):
        return _first_logits(resident, None, None, 100.0, ids)


def _first_logits(
    resident: Resident, who: str | None, folder: pathlib.Path | None, strength: float, ids: torch.Tensor
) -> torch.Tensor | None:
    """The logits (vocabulary,) after the prompt, of whom `Resident.speaking` is told."""
    with resident.speaking(who, folder, strength) as model, torch.no_grad(), Beginning(model) as began:
        model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=1, do_sample=False, use_cache=True,
            temperature=None, top_p=None, top_k=None, pad_token_id=resident.tokenizer.pad_token_id,
        )  # fmt: skip
    return began.logits


def _same(began: Beginning, base: torch.Tensor | None) -> bool:
    return base is not None and began.logits is not None and torch.equal(began.logits, base)


def _nothing(model: Any, name: str) -> bool:
    """Whether an adapter adds nothing to any layer: all that LoRA ends with is zero, and there are no magnitudes of DoRA."""
    ends = [layer.lora_B[name].weight for layer in _layers(model) if name in layer.lora_B]
    dora = any(name in layer.lora_magnitude_vector for layer in _layers(model))
    return bool(ends) and not dora and not any(weight.any() for weight in ends)


def _layers(model: Any) -> list[LoraLayer]:
    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def _used(layer: LoraLayer) -> list[str]:
    """The adapters that a layer adds at this moment."""
    return [name for name in layer.active_adapters if layer.scaling.get(name)]
