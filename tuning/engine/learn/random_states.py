"""Random state of the processes of a training, in a checkpoint: one file for each, as transformers reads it.

A run goes on with however many processes: one that has no file draws numbers of its own. Within a step `callbacks.RngState` keeps it.
"""

import pathlib
import random
from typing import Any

import numpy
import torch

from tuning.engine.device import Device
from tuning.runs.checkpoints import RANDOM

State = dict[str, Any]


def now() -> State:
    """The random state of this process, as Trainer saves that of one among several."""
    state = {"python": random.getstate(), "numpy": numpy.random.get_state(), "cpu": torch.get_rng_state()}
    return {**state, "cuda": torch.cuda.get_rng_state_all()} if torch.cuda.is_available() else state


def save(folder: pathlib.Path, states: list[State], place: torch.device) -> None:
    """Write those of all processes, by rank; that of the first a second time, for whoever goes on alone on a device like `place`."""
    for rank, state in enumerate(states):
        torch.save(state, folder / f"{RANDOM}_{rank}.pth")
    torch.save({**states[0], "cuda": Device.of(place).random_state()}, folder / f"{RANDOM}.pth")


def apart(seed: int, rank: int) -> None:
    """Let a process draw other numbers than rank 0, which draws those of a training by one: else their dropout would be the same."""
    if rank:
        torch.manual_seed(seed + rank)  # of all cards too
