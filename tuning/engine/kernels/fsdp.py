"""A base model whose decoder layers are shared out among the processes of a training (FSDP2), by PyTorch's `fully_shard`.

Each layer is brought together when it is computed, forward and backward, and let go of again. Embedding, last norm and LM head are whole
in each process, and so is the adapter, which is put on afterwards: gradients, optimizer and saves know nothing of shares.
"""

from typing import Any

from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from tuning.engine import upstream
from tuning.engine.device import Device
from tuning.errors import EngineError


def share_out(causal: Any, device: Device) -> Any:
    """Keep of each layer of a causal language model in main memory this process's share, on `device`; all else whole there. Returns it.

    Raises EngineError for a model in which no layers are found.
    """
    layers = upstream.decoder_layers(causal)
    if not layers:
        raise EngineError("model.no_shares", kind=type(causal).__name__)
    mesh = init_device_mesh(device.place.type, (distributed.get_world_size(),))
    for layer in layers:
        fully_shard(layer, mesh=mesh)
    whole = [tensor for tensor in (*causal.parameters(), *causal.buffers()) if not isinstance(tensor, DTensor)]
    for tensor in whole:
        tensor.data = tensor.data.to(device.place)
    fully_shard(causal.base_model, mesh=mesh, ignored_params=set(whole))  # the root of them, with nothing of its own
    return causal


def recover(causal: Any) -> None:
    """Forget a pass that was broken off in the middle, by all processes alike."""
    if isinstance(causal.base_model, FSDPModule):
        causal.base_model.reset_iter_state()
