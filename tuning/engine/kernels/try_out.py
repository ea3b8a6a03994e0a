"""Kernels that are tried before a run relies on them, one at a time, and never again where one has ended the process.

A kernel can spoil a card's context, or kill the process. What is being tried stands in a file of the run folder meanwhile, so that
whoever goes on with the run leaves it out.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import torch

from tuning.engine.device import Device, ran_out
from tuning.errors import caught
from tuning.runs import files

Works = Callable[[str, Callable[[], Any]], bool]  # what is tried and how -> whether it works here


def works(name: str, work: Callable[[], Any]) -> bool:
    """Try `work` where nobody will go on after it has ended the process. Raises the error of missing memory: it tells nothing of `work`."""
    error = caught(work, name)
    if error is not None and ran_out(error):
        raise error
    return error is None


class TryOut:
    """Tries for one run, whose folder remembers what an earlier process did not survive; a line for each name."""

    def __init__(self, folder: pathlib.Path, device: torch.device) -> None:
        self.file, self.device = folder / "trying", Device.of(device)
        self.deadly = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []

    def works(self, name: str, work: Callable[[], Any]) -> bool:
        """Whether `work` goes well here. Raises its error where memory was missing, or the card computes nothing any more after it."""
        if name in self.deadly:
            return False
        self._write([*self.deadly, name])
        error = caught(work, name)
        if error is not None and not self.device.alive():
            raise error
        self._write(self.deadly)
        if error is not None and ran_out(error):
            raise error
        return error is None

    def _write(self, names: list[str]) -> None:
        if names:
            files.write(self.file, "".join(f"{name}\n" for name in names))
        else:
            self.file.unlink(missing_ok=True)
