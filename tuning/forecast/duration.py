"""How long a run takes: operations over the speed that finished runs of this machine have shown.

Pure arithmetic; the speeds come in as numbers.
"""

from tuning.forecast.memory import trained_parameters
from tuning.schema import ModelCard, TrainSettings

# Before any run has finished here: operations per second that small LoRA runs reach, per core and per card.
FIRST_GUESS_CORE = 6e9
FIRST_GUESS_GPU = 4e13
FIRST_GUESS_APPLE = 1e12  # of an M1's 2.6e12 in 32 bits; nobody has measured it yet
# What a training reaches of its core's speed in products of 32 bits (`machine.speed`), by precision: SmolLM2-135M 0.47 in bf16 and 0.31 in
# fp32, gemma-3-270m 0.56 to 0.69 in bf16, on two cores of an EPYC with AVX512_BF16 and much else to do.
REACHED = {"fp32": 0.35, "bf16": 0.55}
# Loading libraries and model, measuring the base, saving: seconds, on two cores.
START_SECONDS = 15.0


def operations_per_token(card: ModelCard, settings: TrainSettings, length: int) -> float:
    """4N + 3a for LoRA: N matmul weights with the LM head, forward 2N and input gradients 2N; a = 2·L·h·S is the causal
    attention forward, its backward twice that. Training all weights takes their gradients, 2N, beside. Checkpointing repeats the
    forward of the layers it covers: 2N + a more for all."""
    full = settings.method == "full"
    matmul = card.parameters + (0 if full else trained_parameters(card, settings))
    attention = 2.0 * card.num_hidden_layers * card.hidden_size * length
    return (6 if full else 4) * matmul + 3 * attention + repeated_share(settings) * (2 * matmul + attention)


def repeated_share(settings: TrainSettings) -> float:
    """How much of the forward pass is computed twice: of all layers, of every nth, or none."""
    policy = settings.gradient_checkpointing
    return 1 / int(policy.removeprefix("every_")) if policy.startswith("every_") else float(policy == "full")


# Training with weights in 4 bits against 16, in time: torchtune's QLoRA ran at 0.78 to 0.98 of its LoRA's speed (its README).
NF4_TIME = 1.15
NF4_TIME_CPU = 10.0  # SmolLM2-135M on two AVX2 cores, 4 steps of 2 rows: 314 s, and 26 s in fp32, on a busy machine


def core(settings: TrainSettings, measured: float | None) -> float:
    """Operations per second of a core in training, from its `measured` speed in matrix products or without one."""
    return FIRST_GUESS_CORE if measured is None else measured * REACHED.get(settings.precision, REACHED["fp32"])


def slowed(settings: TrainSettings) -> float:
    """How much longer an operation takes where weights are made readable first."""
    if settings.quantization == "none":
        return 1.0
    return NF4_TIME if settings.on_card or settings.quantization != "nf4" else NF4_TIME_CPU


def seconds(operations: float, speed: float) -> float:
    """From the click to the adapter: `operations` of all tokens at `speed` operations per second."""
    return START_SECONDS + operations / speed
