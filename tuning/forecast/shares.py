"""A base model whose layers are shared out among the cards of a run (FSDP): what that needs, takes and leaves out. Pure.

The adapter is whole on each card. How a layer is shared out and brought together is the affair of `engine.kernels.fsdp`.
"""

from tuning.errors import InputError
from tuning.forecast.devices import Machine
from tuning.schema import ModelCard, Notice, TrainSettings

WAYS = ("FSDP", "ZeRO-3")  # of the launchers' words those that share weights out
TOGETHER = 2  # layers that are whole on a card at once: the one that is computed, and the next


def settle(asked: TrainSettings, machine: Machine) -> tuple[TrainSettings, bool]:
    """What was asked for, without what wants the whole base in one process (4 or 8 bits, the report); and whether the base is shared out.

    Raises InputError where that was asked for by name, and where there are no cards to share it among.
    """
    if asked.device == "shard" and machine.processes == 1:
        raise InputError("plan.shares_cards", count=len(machine.hardware.gpus))
    if machine.processes == 1 or not (asked.device == "shard" or machine.shared_by):
        return asked, False
    shared = asked.device == "shard" or machine.shared_by in WAYS
    dora = shared and asked.lora.get("use_dora", False)
    bits = asked.quantization if shared else "none"
    for key, value, usual in (("method", asked.method, "lora"), ("quantization", bits, "none"), ("lora.use_dora", dora, False)):
        if value not in (usual, "auto"):
            raise InputError("plan.shares", key=key, value=str(value).lower())
    return (asked.model_copy(update={"quantization": "none", "report": False}) if shared else asked), shared


def told(machine: Machine, shared: bool) -> list[Notice]:
    """What is to be known of it before the run begins."""
    notices = [Notice(code="plan.shared", level="warning", params={"processes": machine.processes})] if shared else []
    if machine.processes > 1 and (machine.shared_by or "").startswith("ZeRO"):
        notices.append(Notice(code="plan.zero_by_fsdp" if shared else "plan.zero_whole", params={"by": machine.shared_by}))
    return notices


def weights(card: ModelCard, whole: int, processes: int) -> int:
    """Bytes of the base on each card, of `whole` in all: its share of the layers, those that are whole meanwhile, embedding and LM head."""
    outside = (1 if card.config.get("tie_word_embeddings") else 2) * card.vocab_size * card.hidden_size / card.parameters
    layers = whole * (1 - min(1.0, outside))
    return int(whole - layers + layers / processes + TOGETHER * layers / card.num_hidden_layers)
