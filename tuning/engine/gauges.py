"""How much memory a run uses, by what the operating system or the card's allocator says. Nothing here waits for the card."""

import pathlib
import sys

import psutil
import torch

from tuning.engine.device import release

CLEAR_REFS = pathlib.Path("/proc/self/clear_refs")


def forget_peak(device: str) -> None:
    """Begin to count the peak anew, so that a run does not report an earlier one's. Not possible for a CPU but on Linux.

    What answers and a report have left unused is given back first: a card counts what is reserved.
    """
    release()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    elif CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5", encoding="ascii")  # proc(5): resets the peak resident set size


def peak_bytes(device: str) -> int:
    """Most memory in use since `forget_peak`: reserved on the card, or resident in this process for a CPU."""
    if device != "cpu":
        return int(torch.cuda.max_memory_reserved())
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def memory_bytes(device: str) -> int:
    """Memory in use now, counted as `peak_bytes` counts it."""
    return int(psutil.Process().memory_info().rss) if device == "cpu" else int(torch.cuda.memory_reserved())
