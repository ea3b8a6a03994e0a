"""How many bytes a run needs at its peak, in parts. Pure arithmetic, first form: no profile of the model yet.

The formulae hold for decoder-only models with LoRA; what they cannot know is corrected by finished runs.
"""

from tuning.schema import ModelCard, TrainSettings

MIB = 2**20
BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
# Resident size of a process after importing torch, transformers, peft and trl and one training step of a model of a
# few megabytes, CPU build on Linux x86-64, less the parts below; on a card the CUDA context takes its place.
LIBRARIES = 700 * MIB
CUDA_CONTEXT = 600 * MIB
# Saved activations of one decoder layer, in bytes per token and hidden unit, all linear layers adapted without dropout:
# 88.7 was counted with saved-tensor hooks on a Qwen3-4B layer in 16 bits, 56 to 95 on narrow Llamas on a CPU in 16 or 32.
SAVED = 88.7
# LoRA weights, gradients and both Adam moments in 32 bits each.
ADAPTER_BYTES = 16

FIXED = ("libraries", "weights", "adapter")  # parts that rows and batches do not change
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ATTENTION = LINEARS[:4]


def linear_shapes(card: ModelCard) -> dict[str, tuple[int, int]]:
    """(in, out) features of the linear layers of one decoder layer, by the names of the Llama family."""
    head = card.hidden_size // card.num_attention_heads
    keys = head * card.num_key_value_heads
    hidden, middle = card.hidden_size, card.intermediate_size
    return {
        "q_proj": (hidden, hidden),
        "k_proj": (hidden, keys),
        "v_proj": (hidden, keys),
        "o_proj": (hidden, hidden),
        "gate_proj": (hidden, middle),
        "up_proj": (hidden, middle),
        "down_proj": (middle, hidden),
    }


def target_names(settings: TrainSettings) -> list[str]:
    """Layer names that get an adapter."""
    if settings.target_modules == "all-linear":
        return list(LINEARS)
    if settings.target_modules == "attention":
        return list(ATTENTION)
    return list(settings.target_modules)


def adapter_parameters(card: ModelCard, settings: TrainSettings) -> int:
    """r x (in + out) for each adapted linear layer."""
    shapes = linear_shapes(card)
    per_layer = sum(settings.lora_r * sum(shapes[name]) for name in target_names(settings) if name in shapes)
    return card.num_hidden_layers * per_layer


def parts(card: ModelCard, settings: TrainSettings, length: int) -> dict[str, int]:
    """Bytes by part, for resolved settings and rows of `length` tokens (the longest that a batch may hold)."""
    tokens = int(settings.per_device_train_batch_size) * length
    on_cpu = settings.device == "cpu"
    weight_bytes = 4 if on_cpu else BYTES[settings.precision]  # a CPU keeps weights in 32 bits and computes under autocast
    layers: float = card.num_hidden_layers
    inputs = 0.0
    if settings.gradient_checkpointing == "full":
        inputs, layers = card.num_hidden_layers * 2.0 * tokens * card.hidden_size, 1
    elif settings.gradient_checkpointing.startswith("every_"):
        nth = int(settings.gradient_checkpointing.removeprefix("every_"))
        marked = -(-card.num_hidden_layers // nth)
        inputs, layers = marked * 2.0 * tokens * card.hidden_size, card.num_hidden_layers - marked + 1
    return {
        "libraries": LIBRARIES if on_cpu else CUDA_CONTEXT,
        "weights": card.parameters * weight_bytes,
        "adapter": adapter_parameters(card, settings) * ADAPTER_BYTES,
        "activations": int(layers * SAVED * tokens * card.hidden_size + inputs),
        "logits": tokens * card.vocab_size * 10,  # half of the positions: 16-bit logits, their 32-bit copy, gradient
    }
