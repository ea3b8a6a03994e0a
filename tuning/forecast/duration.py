"""How long a run takes: operations over the speed that finished runs of this machine have shown.

Pure arithmetic; the speeds come in as numbers.
"""

import math

from tuning.forecast.memory import trained_parameters
from tuning.schema import ModelCard, TrainSettings

# Before any run has finished here: operations per second that small LoRA runs reach, per core and per card.
FIRST_GUESS_CORE = 6e9
FIRST_GUESS_GPU = 4e13
FIRST_GUESS_APPLE = 1e12  # of an M1's 2.6e12 in 32 bits; nobody has measured it yet
# What a training reaches of its cores' speed in products of 32 bits (`machine.speed`), by precision, and what each micro-batch costs beside
# its tokens: operations of one core for each layer, for a processor has much to do before it multiplies, and does it with one thread.
# On an EPYC with AVX512_BF16 and nothing else to do, from micro-batches of one row and of eight in bf16: with two threads SmolLM2-135M
# 1.0 and 5.6 ms a layer, gemma-3-270m 0.87 and 6.9 ms; with one thread 1.25 and 4 ms, 1.0 and 6.5 ms. In fp32 SmolLM2 0.39 and 0.44.
REACHED = {"fp32": 0.4, "bf16": 1.05}
PASS_OPERATIONS = {"fp32": 0.55e9, "bf16": 1.3e9}
SMALLEST = 20_000_000  # parameters of a model for which that speed is measured; below, the libraries take more than the model
FORWARD = 0.4  # of what a micro-batch costs beside its tokens, where there is no backward pass
# Loading libraries and model, saving: seconds, on two cores.
START_SECONDS = 8.0
EVALUATED = 0.2  # rows evaluated per row trained: a forward pass is half of a LoRA step or less, so that a tenth of the time goes there
FEWEST_EVALUATED = 32  # rows; below, chance decides which evaluation is the best


def operations_per_token(card: ModelCard, settings: TrainSettings, length: int) -> float:
    """4N + 3a for LoRA: N matmul weights with the LM head, forward 2N and input gradients 2N; a = 2·L·h·S is the causal
    attention forward, its backward twice that. Training all weights takes their gradients, 2N, beside. Checkpointing repeats the
    forward of the layers it covers: 2N + a more for all."""
    full = settings.method == "full"
    matmul = card.parameters + (0 if full else trained_parameters(card, settings))
    attention = 2.0 * card.num_hidden_layers * card.hidden_size * length
    return (6 if full else 4) * matmul + 3 * attention + repeated_share(settings) * (2 * matmul + attention)


def forward_operations_per_token(card: ModelCard, settings: TrainSettings, length: int) -> float:
    """2N + a, as above, where nothing is learned: in an evaluation."""
    matmul = card.parameters + (0 if settings.method == "full" else trained_parameters(card, settings))
    return 2.0 * matmul + 2.0 * card.num_hidden_layers * card.hidden_size * length


def pass_operations(card: ModelCard, settings: TrainSettings, cores: int) -> float:
    """What a micro-batch costs beside its tokens, in operations that all `cores` would do meanwhile; on a card, and of small models, it
    is in the speed of runs."""
    if settings.on_card or card.parameters < SMALLEST:
        return 0.0
    return card.num_hidden_layers * cores * PASS_OPERATIONS.get(settings.precision, PASS_OPERATIONS["fp32"])


def checkpoint_steps(total: int) -> int:
    """Steps between checkpoints (and evaluations): ten in a run, but never more than 50 steps apart."""
    return max(1, min(50, math.ceil(total / 10)))


def evaluated_rows(held_out: int, every: int, settings: TrainSettings) -> int:
    """How many of the rows that are held out each evaluation of a run looks at; `every`: steps between two."""
    trained = every * int(settings.per_device_train_batch_size) * int(settings.gradient_accumulation_steps)
    return min(held_out, max(FEWEST_EVALUATED, int(EVALUATED * trained)))


def evaluation_operations(
    card: ModelCard, settings: TrainSettings, steps: int, held_out: int, tokens: float, length: int, one_pass: float
) -> float:
    """Of all evaluations of a run, with that of the base before it; `tokens` are those of a row, `one_pass` the `pass_operations`."""
    every = checkpoint_steps(steps)
    batch = int(settings.per_device_train_batch_size)
    row = tokens * forward_operations_per_token(card, settings, length) + FORWARD * one_pass / batch
    return (1 + math.ceil(steps / every)) * evaluated_rows(held_out, every, settings) * row


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
