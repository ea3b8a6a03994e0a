"""How many bytes a run needs at its peak, in parts. Pure arithmetic over a profile of the model.

The formulae hold for decoder-only models with LoRA; what they cannot know is corrected by finished runs.
"""

from tuning.errors import InputError
from tuning.forecast import activations
from tuning.machine.hardware import CUDA_CONTEXT
from tuning.models.catalog import LINEAR_LAYERS
from tuning.schema import ActivationProfile, ModelCard, TrainSettings

MIB = 2**20
BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
# Resident size of a process after importing torch, transformers, peft and trl, before its first model, CPU build on Linux x86-64; on a
# card the CUDA context takes its place. Both only until a run of this machine has shown what it is.
LIBRARIES = 500 * MIB
# Saved activations of one decoder layer, in bytes per token and hidden unit, all linear layers adapted without dropout:
# 88.7 was counted with saved-tensor hooks on a Qwen3-4B layer in 16 bits, 56 to 95 on narrow Llamas on a CPU in 16 or 32.
SAVED = 88.7
# NF4 with quantised constants: 4 bits, an 8-bit constant for each 64 numbers, one in 32 bits for each 256 of those.
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
EIGHT_BIT = ("adamw_8bit", "adamw_bnb_8bit", "paged_adamw_8bit")  # Dettmers et al., 2022; by the names of SFTConfig's `optim`
MOMENTS = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "lion": 1, "adafactor": 1, "ademamix": 3}  # of other optimizers than Adam, by their names
BITSANDBYTES = (*EIGHT_BIT, "paged_adamw_32bit")  # the forms of AdamW that come from there
# What the allocator holds beyond what lives: on a card 3 to 8 % with expandable segments. On a CPU glibc keeps freed blocks below 32 MiB,
# and rows of many lengths leave holes: in 16 bits SmolLM2-135M and gemma-3-270m took what was counted, within 4 %, in their first six
# steps, and 160 to 190 MB more after a hundred, the half of it after thirty, with one arena and with several, and with no evaluation.
FRAGMENTS_GPU = 0.05
# What the first step loads on a processor, whatever the model, by bytes of a number: modules that are imported late, and the kernels that
# oneDNN makes for each shape in 16 bits. Of the starter, two steps of one short row: 40 MB in fp32, and 64 to 110 in bf16.
FIRST_STEP = {2: 64 * MIB, 4: 40 * MIB}
FRAGMENTS = {2: 0.2, 4: 0.1}  # of activations and logits, by bytes of a number
# What loading takes beside the weights: the file that is mapped, of which a copy is made, and the tokenizer.
# SmolLM2 of 135M 1.05 GiB, gemma of 270M with 262,144 tokens 1.76 GiB.
FILE_SHARE, TOKEN = 0.9, 800
CHAT_TOKENS = 2048  # of a conversation in mid-run
KEPT = 256 * MIB  # of keys and values of conversations at most, between their turns
LABELLED = 0.75  # of the tokens of the longest rows, learned; long rows are mostly answer

FIXED = ("libraries", "weights", "workspace", "adapter", "gradients", "optimizer")  # parts that rows and batches do not change
# The projections around attention, by the names that the families give them.
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "dense", "qkv_proj", "c_attn")
DELTA = ("in_proj_qkv", "in_proj_z", "in_proj_a", "in_proj_b", "out_proj")  # around what stands in for it in Qwen 3.5


def linear_shapes(card: ModelCard) -> list[tuple[str, int, int, int]]:
    """(name, in features, out features, how many) of the linear layers that may take an adapter, the LM head aside."""
    layers, hidden, middle, config = card.num_hidden_layers, card.hidden_size, card.intermediate_size, card.config
    head = config.get("head_dim") or hidden // card.num_attention_heads
    queries, keys = head * card.num_attention_heads, head * card.num_key_value_heads
    apart = [("q_proj", hidden, queries), ("k_proj", hidden, keys), ("v_proj", hidden, keys)]
    if card.model_type == "gpt2":
        shapes = [("c_attn", hidden, 3 * hidden), ("c_proj", hidden, hidden), ("c_fc", hidden, middle), ("c_proj", middle, hidden)]
    elif card.model_type == "phi":
        shapes = [*apart, ("dense", queries, hidden), ("fc1", hidden, middle), ("fc2", middle, hidden)]
    elif card.model_type == "phi3":
        shapes = [("qkv_proj", hidden, queries + 2 * keys), ("o_proj", queries, hidden)]
        shapes += [("gate_up_proj", hidden, 2 * middle), ("down_proj", middle, hidden)]
    elif card.model_type == "granitemoehybrid":
        return _hybrid(card, [*apart, ("o_proj", queries, hidden)])
    elif card.model_type == "qwen3_5_text":
        return _gated_delta(card, [("q_proj", hidden, 2 * queries), *apart[1:], ("o_proj", queries, hidden)])
    else:
        gate = [] if card.model_type == "apertus" else [("gate_proj", hidden, middle)]
        shapes = [*apart, ("o_proj", queries, hidden), *gate, ("up_proj", hidden, middle), ("down_proj", middle, hidden)]
    return [(*shape, layers) for shape in shapes]


def _hybrid(card: ModelCard, attention: list[tuple[str, int, int]]) -> list[tuple[str, int, int, int]]:
    """Granite 4: every layer has the shared MLP, and either attention or a Mamba 2 mixer."""
    config, hidden = card.config, card.hidden_size
    kinds = config.get("layer_types") or ["attention"] * card.num_hidden_layers
    mambas, shared = sum(kind in LINEAR_LAYERS for kind in kinds), config.get("shared_intermediate_size") or card.intermediate_size
    inner = config.get("mamba_expand", 2) * hidden
    state = 2 * config.get("mamba_n_groups", 1) * config.get("mamba_d_state", 256)
    mixer = [("in_proj", hidden, 2 * inner + state + config.get("mamba_n_heads", 128))]
    everywhere = [("input_linear", hidden, 2 * shared), ("output_linear", shared, hidden)]
    found = [(*shape, len(kinds) - mambas) for shape in attention] + [(*shape, mambas) for shape in mixer]
    return [shape for shape in found + [(*shape, len(kinds)) for shape in everywhere] if shape[3]]


def _gated_delta(card: ModelCard, attention: list[tuple[str, int, int]]) -> list[tuple[str, int, int, int]]:
    """Qwen 3.5: every layer has an MLP, and either attention with a gate beside its queries or a gated delta net (Yang et al., 2024)."""
    config, hidden, middle, layers = card.config, card.hidden_size, card.intermediate_size, card.num_hidden_layers
    kinds = config.get("layer_types") or ["full_attention" if (at + 1) % 4 == 0 else "linear_attention" for at in range(layers)]
    linear, heads = sum(kind in LINEAR_LAYERS for kind in kinds), config.get("linear_num_value_heads", 32)
    keys = config.get("linear_num_key_heads", 16) * config.get("linear_key_head_dim", 128)
    values = heads * config.get("linear_value_head_dim", 128)
    mixer = [("in_proj_qkv", hidden, 2 * keys + values), ("in_proj_z", hidden, values), ("out_proj", values, hidden)]
    mixer += [("in_proj_a", hidden, heads), ("in_proj_b", hidden, heads)]
    everywhere = [("gate_proj", hidden, middle), ("up_proj", hidden, middle), ("down_proj", middle, hidden)]
    found = [(*shape, layers - linear) for shape in attention] + [(*shape, linear) for shape in mixer]
    return [*found, *((*shape, layers) for shape in everywhere)]


def target_names(card: ModelCard, settings: TrainSettings) -> list[str]:
    """Layer names that get an adapter."""
    everything = card.target_modules or sorted({name for name, *_ in linear_shapes(card)})
    if settings.target_modules == "all-linear":
        return everything
    if settings.target_modules == "attention":
        return [name for name in everything if name in ATTENTION + (DELTA if "in_proj_qkv" in everything else ())]
    return list(settings.target_modules)


def require_targets(card: ModelCard, settings: TrainSettings) -> None:
    """Raises InputError `plan.targets` for a layer named by hand that a known model does not have: PEFT leaves it out without a word."""
    listed = settings.target_modules if isinstance(settings.target_modules, list) and settings.method == "lora" else []
    everything = card.target_modules or sorted({name for name, *_ in linear_shapes(card)})
    for name in listed:
        if name.rpartition(".")[2] == "lm_head":  # TRL takes the head's weights alone, and refuses an adapter on them
            raise InputError("plan.lm_head", layers=", ".join(everything))
        if card.target_modules and name.rpartition(".")[2] not in card.target_modules:
            raise InputError("plan.targets", name=name[:80], model=card.title, layers=", ".join(card.target_modules))


def require_layers(card: ModelCard, settings: TrainSettings) -> None:
    """Raises InputError `plan.no_layer` for a name or a number in the open map `lora` that no layer of a known model has, or none that
    gets an adapter: PEFT passes over it without a word, or finds nothing to adapt once the model is loaded.
    """
    if settings.method != "lora" or not card.target_modules:
        return
    lora, count = settings.lora, card.num_hidden_layers
    adapted = [name.rpartition(".")[2] for name in target_names(card, settings)]
    for key, known in (("rank_pattern", adapted), ("alpha_pattern", adapted), ("exclude_modules", card.target_modules)):
        for name in lora.get(key) or ():
            *above, last = name.split(".")
            if last not in known or any(part.isdigit() and int(part) >= count for part in above):
                raise InputError("plan.no_layer", key=f"lora.{key}", name=name[:80], layers=", ".join(known), last=count - 1)
    chosen = lora.get("layers_to_transform")
    for number in [chosen] if isinstance(chosen, int) else chosen or []:
        if number >= count:
            raise InputError("plan.no_layer_number", name=number, last=count - 1)
    patterns = lora.get("layers_pattern") or []
    if patterns and not chosen and chosen != 0:
        raise InputError("plan.layers_alone")
    for pattern in patterns:
        if pattern.rpartition(".")[2] != container(card):
            raise InputError("plan.layers_pattern", name=pattern[:80], known=container(card))


def container(card: ModelCard) -> str:
    """The name of the list in which a model's layers stand."""
    return "h" if card.model_type == "gpt2" else "layers"


def adapter_parameters(card: ModelCard, settings: TrainSettings) -> int:
    """r x (in + out) for each adapted linear layer."""
    names = target_names(card, settings)
    return sum(settings.lora_r * (inner + outer) * count for name, inner, outer, count in linear_shapes(card) if name in names)


def trained_parameters(card: ModelCard, settings: TrainSettings) -> int:
    """How many numbers are changed: the adapter's, or all of the model's."""
    return card.parameters if settings.method == "full" else adapter_parameters(card, settings)


def parts(
    card: ModelCard, settings: TrainSettings, length: int, profile: ActivationProfile | None = None, libraries: int | None = None
) -> dict[str, int]:
    """Bytes by part, for resolved settings and rows of `length` tokens (the longest that a batch may hold).

    Without a profile of the model what a step keeps is a rule of thumb. `libraries` is what runs of this machine have shown
    to be taken before a model is there.
    """
    trained, full = trained_parameters(card, settings), settings.method == "full"
    on_cpu = not settings.on_card
    step = _rule_of_thumb(card, settings, length) if profile is None else _profiled(card, settings, length, profile)
    moving = sum(step.values())
    weight_bytes = 4 if full else BYTES[settings.precision]  # what all of is trained is kept in 32 bits
    weights = _weights(card, settings, weight_bytes)
    weights["workspace"] += FIRST_STEP[BYTES[settings.precision]] if on_cpu else 0
    return {
        "libraries": libraries or beside(settings),
        **weights,
        **({} if full else {"adapter": 4 * trained}),  # trained in 32 bits whatever the base is in
        "gradients": 4 * trained,
        "optimizer": int(state_bytes(settings) * trained),
        **step,
        "fragmentation": _fragments(card, settings, step, moving + trained * 8) if on_cpu else int(FRAGMENTS_GPU * moving),
        "chat": max(0, _conversation(card, weight_bytes) - moving),  # an answer in mid-run comes between steps
    }


def _fragments(card: ModelCard, settings: TrainSettings, step: dict[str, int], beside_weights: int) -> int:
    """What a processor's memory holds beyond what a step does: holes, or what loading took, where that was more."""
    size = BYTES[settings.precision]
    loading = TOKEN * card.vocab_size + int(FILE_SHARE * 2 * card.parameters) - FIRST_STEP[size]
    return max(int(FRAGMENTS[size] * sum(step.values())), loading - beside_weights)


def bare(card: ModelCard, settings: TrainSettings) -> int:
    """Bytes that a model takes which only answers, with the device, precision and quantization of `settings`."""
    weight_bytes, on_cpu = BYTES[settings.precision], not settings.on_card
    held = sum(_weights(card, settings, weight_bytes).values()) + _conversation(card, weight_bytes)
    return beside(settings) + int(held * (1 if on_cpu else 1 + FRAGMENTS_GPU))


def beside(settings: TrainSettings) -> int:
    """Bytes that a process takes, where it computes, without any model: Apple's graphics cores share the memory with the libraries."""
    return CUDA_CONTEXT if settings.on_nvidia else LIBRARIES


def kept(card: ModelCard, settings: TrainSettings) -> int:
    """Keys and values of conversations that lie beside a run, of CHAT_TOKENS in all: the first to go where memory is short."""
    return min(KEPT, _conversation(card, 4 if settings.method == "full" else BYTES[settings.precision]))


def _conversation(card: ModelCard, weight_bytes: int) -> int:
    """Keys and values of a conversation of CHAT_TOKENS."""
    head = card.config.get("head_dim") or card.hidden_size // card.num_attention_heads
    return 2 * card.num_hidden_layers * card.num_key_value_heads * head * weight_bytes * min(card.context_length, CHAT_TOKENS)


def _weights(card: ModelCard, settings: TrainSettings, weight_bytes: int) -> dict[str, int]:
    """The model as it is loaded: quantised its linear layers in 4 or 8 bits, and room for the largest of them as it is computed with."""
    if settings.quantization == "none":
        return {"weights": card.parameters * weight_bytes, "workspace": 0}
    shapes = linear_shapes(card)
    linear = sum(inner * outer * count for _, inner, outer, count in shapes)
    rest = max(0, card.parameters - linear) * weight_bytes
    each = NF4_BYTES if settings.quantization == "nf4" else 1  # the constant for each row of 8-bit numbers is nothing beside it
    return {"weights": int(linear * each) + rest, "workspace": 2 * max(inner * outer for _, inner, outer, _ in shapes)}


def copies(card: ModelCard, settings: TrainSettings) -> int:
    """Bytes of weights in 16 bits that autocast makes of trained ones in 32, and autograd keeps for the backward pass."""
    return 2 * card.parameters if settings.method == "full" and settings.precision != "fp32" else 0


def state_bytes(settings: TrainSettings) -> float:
    """Bytes of the optimizer for each trained number: its moments, in 32 bits or in 8 with a constant for each 256.

    Adam has two. Adafactor has rows and columns of one, which for an adapter of rank 1 are as much as all of it.
    """
    name = str(settings.sft.get("optim", ""))
    moments = next((count for part, count in MOMENTS.items() if part in name), 2)
    return moments * ((1 + 4 / 256) if "8bit" in name or name in EIGHT_BIT else 4.0)


def micro_batch(settings: TrainSettings, longest: int) -> int:
    """Tokens that are computed at once at most, for rows of up to `longest`: as many as a micro-batch of the longest has."""
    return int(settings.per_device_train_batch_size) * longest


def _profiled(card: ModelCard, settings: TrainSettings, length: int, profile: ActivationProfile) -> dict[str, int]:
    """What a step holds, from the model's profile; `logits` is what LM head and loss add to the highest moment."""
    tokens = micro_batch(settings, length)
    # packed: one sequence of as many tokens, without a mask
    longest, rows, length = length, *((1, tokens) if settings.packing else (max(1, tokens // length), length))
    labelled = int(rows * length * LABELLED)
    if settings.on_card:  # TRL's head: tiles of at most 4096 x 32768 scores, and the gradient of what goes in
        tile = min(labelled, 4096) * min(card.vocab_size, 32_768) * 2
        if settings.method == "full":  # the gradient of the head's weights in 16 bits, and in 32 before it is added
            tile += 6 * card.vocab_size * card.hidden_size
        profile = profile.model_copy(update={"head": [[float(tile), 0.0, 0.0, 6.0 * card.hidden_size]], "head_backward": []})
    elif settings.packing and settings.precision != "fp32":
        profile = activations.with_shares(profile, card, longest)
    step = activations.Step(rows, length, labelled, settings.lora_r)
    layers, policy = activations.kinds(card), settings.gradient_checkpointing
    without = activations.peak(profile.model_copy(update={"head": [], "head_backward": []}), layers, policy, step)
    return {"activations": without, "logits": activations.peak(profile, layers, policy, step) - without}


def _rule_of_thumb(card: ModelCard, settings: TrainSettings, length: int) -> dict[str, int]:
    tokens = micro_batch(settings, length)
    layers, inputs = float(card.num_hidden_layers), 0.0
    if settings.gradient_checkpointing == "full":
        inputs, layers = card.num_hidden_layers * 2.0 * tokens * card.hidden_size, 1.0
    elif settings.gradient_checkpointing.startswith("every_"):
        nth = int(settings.gradient_checkpointing.removeprefix("every_"))
        marked = -(-card.num_hidden_layers // nth)
        inputs, layers = marked * 2.0 * tokens * card.hidden_size, card.num_hidden_layers - marked + 1.0
    return {
        "activations": int(layers * SAVED * tokens * card.hidden_size + inputs) + copies(card, settings),
        # half of the positions, on a processor some of them at a time: 16-bit logits, their 32-bit copy, gradient
        "logits": (tokens if settings.on_card else min(tokens, 2 * activations.HEAD_TOKENS)) * card.vocab_size * 10,
    }
