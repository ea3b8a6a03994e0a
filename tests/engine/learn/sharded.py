"""One process of two that share a model out by PyTorch's own `fully_shard`, with our adapter and our loss; what it found goes into a file.

The program of `test_sharded`: torchrun starts it on the processor. The product shares the base alone out, by `kernels.fsdp`.
"""

import pathlib
import sys

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from tuning.engine.kernels import head
from tuning.engine.learn.trainer import lora_config
from tuning.engine.resident import TRAINED, Resident
from tuning.runs.run_folder import Run

STEPS = 3


def rows(number: int) -> list[dict[str, torch.Tensor]]:
    """Two rows of each process; the learned positions are the same in number."""
    dice = torch.Generator().manual_seed(number)
    tokens = [torch.randint(5, 40, (12,), generator=dice) for _ in range(2)]
    return [{"input_ids": one, "labels": torch.where(torch.arange(12) < 4, -100, one)} for one in tokens]


def whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.detach()


def learn(run: Run, number: int, processes: int) -> dict[str, torch.Tensor]:
    """Losses, gradients of the last step and the adapter after some steps; `processes` 1: all rows in this one, nothing is shared out."""
    torch.manual_seed(7)
    spec, resident = run.spec(), Resident()
    resident.load(spec.model.path, "cpu", "fp32")
    model = resident.fresh_adapter(run.id, lora_config(spec.model.card, spec.settings))
    causal = head.causal(model)
    if processes > 1:
        mesh = init_device_mesh("cpu", (processes,))
        for layer in causal.model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer, found = torch.optim.SGD(trained.values(), lr=0.5), list[torch.Tensor]()
    for step in range(STEPS):
        mine = rows(2 * step + number) if processes > 1 else rows(2 * step) + rows(2 * step + 1)
        batch = head.pad(mine, 0, torch.device("cpu"))
        summed, count = head.own_nll(model, batch)
        loss = summed / count
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        told = loss.detach().clone()
        if processes > 1:
            distributed.all_reduce(told)
        found.append(told / processes)
    kept = {f"weight {name}": whole(parameter.data) for name, parameter in trained.items()}
    kept |= {f"gradient {name}": whole(parameter.grad) for name, parameter in trained.items() if parameter.grad is not None}
    shared = sum(isinstance(parameter, DTensor) for parameter in model.parameters())
    return {**kept, "losses": torch.stack(found), "shared": torch.tensor(shared), "adapter": torch.tensor(TRAINED in model.peft_config)}


def main(folder: str, out: str) -> None:
    distributed.init_process_group("gloo")
    number, count = distributed.get_rank(), distributed.get_world_size()
    found = learn(Run(pathlib.Path(folder)), number, count)
    if number == 0:
        torch.save(found, out)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
