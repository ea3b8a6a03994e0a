"""How many bytes a training step holds at its peak, from a profile of the model. Pure arithmetic, no torch.

A profile says what one layer keeps and needs; here the layers are gone through as a step goes through them: forward, LM
head and loss, backward from the last, each checkpointed layer computed anew. Profiles are made in `engine.measure.dryrun`.
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tuning.schema import ActivationProfile, LayerActivations, ModelCard, Record, TrainSettings

# A profile's numbers belong to these, in this order: T tokens are B rows of length S, r is the rank of the adapter. S by
# itself stands for what all rows share, the sines and cosines of the positions; for one row it is T.
FEATURES = ("1", "T", "B S^2", "r", "r T", "S")
# Labelled tokens whose scores are computed at once on a processor: fewer make the products slow, more gain no time.
HEAD_TOKENS = 256
# Tokens of a packed row up to which a processor attends by plain products, and of the queries whose scores it has at once
# (tests.bench.attention).
LONGEST, BLOCK = 512, 160
# By kind of device, raised where the dry run itself changes what it finds for one: profiles made before are then of no use.
FORMS = {"cuda": 1, "cpu": 2}
# What of config.json does not change how much memory a step takes: lengths, names, tokens, what others wrote down.
_ELSEWHERE = re.compile(
    r"_.*|num_hidden_layers|n_layer|layer_types|max_position_embeddings|n_positions|n_ctx|rope_.*|.*_token_id|.*_eps|.*_epsilon|"
    r"initializer_range|architectures|transformers_version|(torch_)?dtype|use_cache"
)
# What of it does, where it is on: of a configuration that says more than another.
_TELLING = re.compile(r".*(dropout|bias|norm|window|expert|_dim|_size|softcapping|_layers|heads).*")


class Request(Record):
    """What to find a profile for: a model, settings, and the names of the layers that take an adapter."""

    card: ModelCard
    settings: TrainSettings
    targets: list[str]


@dataclass(frozen=True)
class Step:
    """One micro-batch: so many rows padded to `length` tokens, of which `labelled` are learned; `rank` of the adapter."""

    rows: int
    length: int
    labelled: int
    rank: int

    @property
    def features(self) -> tuple[float, ...]:
        tokens = float(self.rows * self.length)
        return (1.0, tokens, tokens * self.length, float(self.rank), self.rank * tokens, float(self.length) if self.rows > 1 else 0.0)

    @property
    def scores(self) -> tuple[float, ...]:
        """What the numbers of LM head and loss belong to: 1, tokens, labelled tokens at once, labelled tokens."""
        return (1.0, float(self.rows * self.length), float(min(self.labelled, HEAD_TOKENS)), float(self.labelled))


def key(request: Request, code: str) -> str:
    """The key names all that changes a profile's numbers, in one word; two requests with the same key share a profile.

    That is architecture, targets, dropout or not, precision, device, the form of the dry run, and `code`, the fingerprint of
    the model's own code. No version of a library: a release that leaves that code alone leaves the profiles good.
    """
    card, settings = request.card, request.settings
    device = "cuda" if settings.on_card else "cpu"
    full = settings.method == "full"  # what would be said of an adapter makes no difference then
    facts = [
        card.model_type,
        {name: value for name, value in card.config.items() if not _ELSEWHERE.fullmatch(name)},
        sorted(set(kinds(card))),
        "all" if full else sorted(request.targets),
        not full and settings.lora_dropout > 0,
        "16" if settings.precision in ("bf16", "fp16") else "32",
        device,  # a processor computes in ways of its own: engine.lora, evaluate
        FORMS[device],
        {} if full else settings.lora,
        code,
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def alike(card: ModelCard, known: ModelCard) -> bool:
    """Whether `card` is the architecture `known` with its defaults written out, as config.json of a folder may have them."""
    told = {name: value for name, value in card.config.items() if not _ELSEWHERE.fullmatch(name)}
    wanted = {name: value for name, value in known.config.items() if not _ELSEWHERE.fullmatch(name)}
    usual = {"head_dim": card.hidden_size // card.num_attention_heads}
    more = {name: value for name, value in told.items() if name not in wanted and value and value != usual.get(name)}
    same = card.model_type == known.model_type and all(told.get(name) == value for name, value in wanted.items())
    return same and bool(wanted) and kinds(card) == kinds(known) and not any(_TELLING.fullmatch(name) for name in more)


def kinds(card: ModelCard) -> list[str]:
    """The kind of every decoder layer, from the first to the last."""
    named = card.config.get("layer_types")
    return [str(kind) for kind in named] if isinstance(named, list) and named else ["layer"] * card.num_hidden_layers


def peak(profile: ActivationProfile, layers: Sequence[str], checkpointing: str, step: Step) -> int:
    """Most bytes alive at one moment of forward and backward, beyond weights and the adapter's gradients.

    The gradients count as there from the start, as they are for every micro-batch of a step but the first.
    `checkpointing` is none, full or every_n: then layers 0, n, 2n … are checkpointed, as transformers counts them.
    """
    every = {"none": 0, "full": 1}[checkpointing] if checkpointing in ("none", "full") else int(checkpointing.removeprefix("every_"))
    marks = [every > 0 and index % every == 0 for index in range(len(layers))]
    kept = profile.padded if step.rows > 1 else profile.alone
    sizes = {name: _sizes(layer, step.features) for name, layer in kept.layers.items()}
    live = highest = _sum(kept.base_marked if every else kept.base, step.features)
    for name, marked in zip(layers, marks, strict=True):
        live += sizes[name]["marked" if marked else "saved"]
        highest = max(highest, live + sizes[name]["forward_marked" if marked else "forward"])
    highest = max(highest, live + _most(profile.head, step.scores))
    live -= sum(sizes[name]["copies"] for name, marked in zip(layers, marks, strict=True) if marked)
    highest = max(highest, live + _most(profile.head_backward, step.scores))
    for name, marked in zip(reversed(layers), reversed(marks), strict=True):
        highest = max(highest, live + sizes[name]["backward_marked" if marked else "backward"])
        live -= sizes[name]["marked"] - sizes[name]["copies"] if marked else sizes[name]["saved"]
    return int(highest)


def with_shares(profile: ActivationProfile, card: ModelCard, longest: int) -> ActivationProfile:
    """The same where packed rows of up to `longest` tokens keep the shares of their attention, in 16 bits: `engine.kernels.attention`.

    A profile is made with PyTorch's kernel, which keeps none. A block of queries has those of all keys up to its own end.
    """
    longest = min(longest, LONGEST)
    more = 2.0 * card.num_attention_heads * (longest + longest / math.ceil(longest / BLOCK)) / 2

    def longer(sums: Sequence[float]) -> list[float]:
        return [number + more * (name == "T") for name, number in zip(FEATURES, sums, strict=True)]

    layers = {
        name: layer.model_copy(update={"saved": longer(layer.saved), "backward_marked": [longer(sums) for sums in layer.backward_marked]})
        for name, layer in profile.alone.layers.items()
    }
    return profile.model_copy(update={"alone": profile.alone.model_copy(update={"layers": layers})})


def _sizes(layer: LayerActivations, features: Sequence[float]) -> dict[str, float]:
    kept = {name: _sum(getattr(layer, name), features) for name in ("saved", "marked", "copies")}
    moments = ("forward", "forward_marked", "backward", "backward_marked")
    return kept | {name: _most(getattr(layer, name), features) for name in moments}


def _sum(numbers: Sequence[float], features: Sequence[float]) -> float:
    return sum(number * feature for number, feature in zip(numbers, features, strict=True))


def _most(sums: Sequence[Sequence[float]], features: Sequence[float]) -> float:
    return max((_sum(numbers, features) for numbers in sums), default=0.0)
