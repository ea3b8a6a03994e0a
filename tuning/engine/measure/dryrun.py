"""What a training step keeps in memory, found by running it without memory: FakeTensors have shapes and lifetimes, no bytes.

The real model class with few layers, the real LoRA layers (or none, where all weights are trained), the real loss; a ledger
follows every storage from its birth to its end. It runs in a process of its own, because building a model sets the default
dtype of its whole process. Nothing is downloaded, no weight is read. For a card the same is done, with an adapter's base in 16
bits: kernels that only a card has are not seen.
"""

import gc
import pathlib
import sys
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import get_peft_model
from torch.nn import Parameter
from transformers import AutoConfig, AutoModelForCausalLM

from tuning.engine import upstream
from tuning.engine.device import Device
from tuning.engine.kernels import lora_cpu
from tuning.engine.kernels.head import summed_nll
from tuning.engine.learn.trainer import lora_config
from tuning.forecast import activations
from tuning.forecast.activations import Request, Step
from tuning.machine.modelling_code import fingerprint
from tuning.runs import files
from tuning.schema import ActivationProfile, LayerActivations, ModelCard, StepActivations

# Where the numbers are taken: no fewer points than there are features, for one row and for several.
ALONE = [Step(1, length, 0, rank) for length, rank in ((256, 8), (512, 8), (1024, 8), (256, 64), (1024, 64))]
PADDED = [
    Step(rows, length, 0, rank)
    for rows, length, rank in ((2, 256, 8), (2, 512, 8), (4, 512, 8), (4, 256, 8), (2, 1024, 8), (2, 256, 64), (2, 512, 64))
]
HEAD = [Step(1, length, labelled, 8) for length, labelled in ((256, 64), (256, 192), (512, 64), (1024, 512), (1024, 1024))]
# Where it is looked which moment is the highest; the others are forgotten.
LOOKED = [Step(rows, length, 0, rank) for rows in (1, 4, 16) for length in (32, 128, 512, 2048, 8192) for rank in (4, 16, 64, 256)]
LOOKED_HEAD = [Step(1, length, round(length * share), 8).scores for length in (32, 512, 8192) for share in (0.05, 0.5, 1.0)]


@dataclass
class StorageLedger(upstream.TorchDispatchMode):
    """Bytes alive of all storages that were born inside: now, and after every operation of the current phase."""

    live: int = 0
    moments: list[int] = field(default_factory=list)
    known: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def ignore(self, tensor: torch.Tensor) -> None:
        """`tensor` was there before."""
        storage = tensor.untyped_storage()
        self.known[upstream.storage_name(storage)] = storage

    def phase(self) -> list[int]:
        """The moments since the last phase, which ends here."""
        moments, self.moments = self.moments, []
        return moments

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in upstream.tree_iter(result):
            if isinstance(tensor, torch.Tensor):
                self._note(tensor.untyped_storage())
        self.moments.append(self.live + _cast(function, args, result))
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        name = upstream.storage_name(storage)
        if name in self.known:
            return
        size = storage.nbytes()
        self.live += size

        def gone(_: Any) -> None:
            self.live -= size
            self.known.pop(name, None)

        self.known[name] = weakref.ref(storage, gone)


@dataclass(frozen=True)
class StepSeen:
    """One step: bytes kept after the forward pass, those of them that end with autocast, and all at every moment of four phases."""

    kept: int
    copies: int
    forward: list[int]
    head: list[int]
    head_backward: list[int]
    backward: list[int]


class Model:
    """The request's model with these layers, built of FakeTensors; `step` runs one forward and backward pass of it."""

    def __init__(self, request: Request, layers: Sequence[str], checkpointing: bool, rank: int) -> None:
        self.settings = request.settings.model_copy(update={"lora_r": rank, "target_modules": request.targets})
        config = AutoConfig.for_model(**_small(request.card, layers))
        with torch.device("meta"):
            full = self.settings.method == "full"
            dtype = torch.float32 if full or self.settings.precision == "fp32" else torch.bfloat16
            self.model = upstream.attending(lambda way: AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=way))
            trained = self.model if full else get_peft_model(self.model, lora_config(request.card, self.settings))
        if checkpointing:
            self.model.activation_checkpointing_enable({"use_reentrant": False})
            if not full:
                self.model.enable_input_require_grads()
        if Device(self.settings.device).substitutes:
            lora_cpu.quicken(trained)
        trained.train()
        self.fake = upstream.FakeTensorMode()
        with self.fake:
            self.tensors = list(_materialise(trained))

    def step(self, point: Step) -> StepSeen:
        """What one micro-batch holds."""
        ledger = StorageLedger()
        with self.fake:
            ids = torch.zeros(point.rows, point.length, dtype=torch.long)
            mask = torch.ones_like(ids) if point.rows > 1 else None
            chosen = torch.zeros(point.labelled or point.rows, dtype=torch.long)
            for tensor in (ids, chosen, *([] if mask is None else [mask]), *self.tensors):
                ledger.ignore(tensor)
                if tensor.requires_grad:  # gradients are counted apart, and are there from the first micro-batch on
                    tensor.grad = torch.zeros_like(tensor)
                    ledger.ignore(tensor.grad)
            with (
                ledger,
                upstream.no_search_for_packed_rows(),
                torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.settings.precision != "fp32"),
            ):
                loss, hidden, kept, forward = _forward(self.model, ids, mask, chosen, ledger)
                copies = ledger.live
            copies -= ledger.live
            head_forward = ledger.phase()
            head: list[list[int]] = []
            with ledger, upstream.no_search_for_packed_rows():
                hidden.register_hook(lambda _: head.append(ledger.phase()))
                del hidden
                loss.backward()
        return StepSeen(kept, copies, forward, head_forward, head[0], ledger.phase())


def profile(request: Request) -> ActivationProfile:
    """The profile of the request's architecture, for its targets, dropout and precision. Takes seconds.

    Everything is read off models of two and three layers, without checkpointing and with all layers checkpointed: what one
    layer more keeps, and what each moment needs beyond what is kept. Bytes at one moment are a sum over FEATURES, so that
    the highest moment can be known for other lengths and ranks than those that were tried.
    """
    gc.collect()
    gc.disable()  # it would free some tensors sooner or later, as it happens, and no two steps were alike
    try:
        return _profile(request)
    finally:
        gc.enable()


def _profile(request: Request) -> ActivationProfile:
    kinds = list(dict.fromkeys(activations.kinds(request.card)))
    base = (kinds * 2)[:2]
    ranks = sorted({point.rank for point in ALONE})

    def models(layers: Sequence[str], checkpointing: bool) -> dict[int, Model]:
        return {rank: Model(request, layers, checkpointing, rank) for rank in ranks}

    small = (models(base, False), models(base, True))
    large = {kind: (models([*base, kind], False), models([*base, kind], True)) for kind in kinds}
    head, head_backward = _head(small[0][ranks[0]])
    return ActivationProfile(
        key=activations.key(request, fingerprint(request.card.model_type)),
        alone=_step(small, large, base, ALONE),
        padded=_step(small, large, base, PADDED),
        head=head,
        head_backward=head_backward,
    )


Features = Sequence[Sequence[float]]
ModelsByRank = tuple[dict[int, Model], dict[int, Model]]  # without checkpointing and with, by rank


def _cast(function: Any, args: Any, result: Any) -> int:
    """Bytes of copies that a CPU makes, for as long as an operation takes, of operands in another precision than the result."""
    if not isinstance(result, torch.Tensor) or not result.is_floating_point() or "copy" in function.name():
        return 0
    others = (arg for arg in upstream.tree_iter(args) if isinstance(arg, torch.Tensor) and arg.is_floating_point())
    return sum(arg.numel() * result.itemsize for arg in others if arg.dim() and arg.dtype != result.dtype)


def _step(small: ModelsByRank, large: dict[str, ModelsByRank], base: Sequence[str], points: list[Step]) -> StepActivations:
    """What a step holds, from models with the layers `base`, and with one layer more of each kind."""

    def seen(models: dict[int, Model]) -> list[StepSeen]:
        return [models[point.rank].step(point) for point in points]

    features = [point.features for point in points]
    looked = [point.features for point in LOOKED if (point.rows > 1) == (points[0].rows > 1)]
    fewer = [seen(models) for models in small]
    layers: dict[str, LayerActivations] = {}
    for kind, pair in large.items():
        found: dict[str, Any] = {}
        for ending, models, without in zip(("", "_marked"), pair, fewer, strict=True):
            more = seen(models)
            found[ending.removeprefix("_") or "saved"] = _fit(features, [[a.kept - b.kept for a, b in zip(more, without, strict=True)]])[0]
            if ending:
                found["copies"] = _fit(features, [[a.copies - b.copies for a, b in zip(more, without, strict=True)]])[0]
            found["forward" + ending] = _highest(features, looked, [[m - each.kept for m in each.forward] for each in more])
            found["backward" + ending] = _highest(features, looked, [[m - each.kept + each.copies for m in each.backward] for each in more])
        layers[kind] = LayerActivations(**found)
    outside = {}
    for ending, before in zip(("", "_marked"), fewer, strict=True):
        inside = [sum(numbers) for numbers in zip(*(getattr(layers[kind], ending[1:] or "saved") for kind in base), strict=True)]
        kept = _fit(features, [[each.kept for each in before]])[0]
        outside["base" + ending] = [round(whole - part, 3) for whole, part in zip(kept, inside, strict=True)]
    return StepActivations(layers=layers, **outside)


def _forward(
    model: Any, ids: torch.Tensor, mask: torch.Tensor | None, chosen: torch.Tensor, ledger: StorageLedger
) -> tuple[torch.Tensor, torch.Tensor, int, list[int]]:
    """Loss and last hidden states, as `head.labelled_nll` makes them; bytes kept, and the moments until here."""
    hidden = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    kept, forward = ledger.live, ledger.phase()
    rows = torch.zeros_like(chosen)
    return summed_nll(model, hidden[:, :-1][rows, chosen], chosen), hidden, kept, forward


def _head(model: Model) -> tuple[list[list[float]], list[list[float]]]:
    """Bytes of LM head and loss beyond what is kept, over `Step.scores`."""
    features = [step.scores for step in HEAD]
    seen = [model.step(step) for step in HEAD]
    forward = [[moment - each.kept for moment in each.head] for each in seen]
    backward = [[moment - each.kept + each.copies for moment in each.head_backward] for each in seen]
    return _highest(features, LOOKED_HEAD, forward), _highest(features, LOOKED_HEAD, backward)


def _highest(features: Features, looked: Features, moments: list[list[int]]) -> list[list[float]]:
    """Of all moments those that are the highest somewhere, each as a sum over the features.

    `moments` has a list for each point. Where a family computes more operations for longer rows, moments cannot be told
    apart, and the highest of each point stands for all.
    """
    if len({len(each) for each in moments}) > 1:
        moments = [[max(each)] for each in moments]
    sums = torch.tensor(_fit(features, [list(each) for each in zip(*moments, strict=True)]), dtype=torch.float64)
    winners = (torch.tensor(looked, dtype=torch.float64) @ sums.T).argmax(1)
    return [[float(number) for number in sums[index]] for index in sorted(set(winners.tolist()))]


def _fit(features: Features, numbers: list[list[int]]) -> list[list[float]]:
    """For each list of numbers, one per point, the sum over the features that gives them."""
    points = torch.tensor(features, dtype=torch.float64)
    scale = points.abs().amax(0)
    scale[scale == 0] = 1.0  # a feature that is left out
    wanted = torch.tensor(numbers, dtype=torch.float64).T
    found = torch.linalg.lstsq(points / scale, wanted, driver="gelsd").solution.T / scale
    return [[round(float(number), 3) for number in row] for row in found]


def _small(card: ModelCard, layers: Sequence[str]) -> dict[str, Any]:
    """The card's configuration with these layers."""
    config = {**card.config, "model_type": card.model_type, "use_cache": False}
    config["n_layer" if "n_layer" in config else "num_hidden_layers"] = len(layers)
    if isinstance(config.get("layer_types"), list):
        config["layer_types"] = list(layers)
    return config


def _materialise(model: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Put a FakeTensor in the place of every parameter and buffer; ties stay ties."""
    made: dict[int, torch.Tensor] = {}
    for module in model.modules():
        for store in upstream.tensor_stores(module):
            for name, tensor in store.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    empty = torch.empty(tensor.shape, dtype=tensor.dtype)
                    made[id(tensor)] = Parameter(empty, requires_grad=tensor.requires_grad) if isinstance(tensor, Parameter) else empty
                store[name] = made[id(tensor)]  # type: ignore[assignment]
    yield from made.values()


def main() -> int:
    """Read a request, keep its profile in the file that is named, if any, and write it."""
    found = profile(Request.model_validate_json(sys.stdin.read())).model_dump_json(by_alias=True)
    for path in map(pathlib.Path, sys.argv[1:2]):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.remove(path)
        files.write(path, found)
    sys.stdout.write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
