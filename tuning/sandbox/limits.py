"""What a child process may cost, and how it is held to that: memory, time and size. Who starts it watches where the system does not."""

import math
import pathlib
import sys
from dataclasses import dataclass, replace

MEGABYTE = 2**20
PROGRESS = "progress"  # name of the file in which a child says what share is done, as text
OUT_OF_MEMORY, OUT_OF_DISK = 3, 4  # exit codes of a child, which can then write nothing any more


@dataclass(frozen=True)
class Limits:
    """What one reading may cost. The defaults are those for somebody who is not known."""

    file_bytes: int = 200 * MEGABYTE  # of all files together
    memory_bytes: int = 1024 * MEGABYTE  # of the child, over what it holds before it reads
    output_bytes: int = 1024 * MEGABYTE  # of the rows written; a CSV of one-letter cells grows about twentyfold
    seconds: float = 60.0  # on the clock; the child's CPU time has the same limit
    line: int = 1_000_000  # characters of one line, one element of a JSON list or one CSV record
    whole: int = 64 * MEGABYTE  # of a JSON file that is one object, in which the rows may lie
    depth: int = 20  # of nested JSON, the row itself being 1
    refused: int = 1000  # refused rows named one by one; they are counted without limit


DEFAULT = Limits()
OWN_FILES = 64 * 1024 * MEGABYTE  # what the owner of a machine may read there


def roomy(limits: Limits, size: int) -> Limits:
    """More time and output where a file of `size` bytes is allowed to be large: as much as the slowest disk and format need."""
    seconds = limits.seconds + max(0, size - DEFAULT.file_bytes) / MEGABYTE
    return replace(limits, seconds=seconds, output_bytes=max(limits.output_bytes, 3 * size))


def confine(limits: Limits) -> None:
    """Sets what this process may use from here on. Windows has no such limits: there the parent watches."""
    if sys.platform == "win32":
        return
    import resource

    seconds = math.ceil(limits.seconds) + 1
    wanted = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: limits.output_bytes + MEGABYTE,
        resource.RLIMIT_CORE: 0,
    }
    if sys.platform == "linux":  # elsewhere the limit on address space is not held, and the parent watches
        pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        wanted[resource.RLIMIT_AS] = pages * resource.getpagesize() + limits.memory_bytes
    for kind, limit in wanted.items():
        hard = resource.getrlimit(kind)[1]
        highest = limit + 5 if kind == resource.RLIMIT_CPU else limit  # at the hard limit of CPU time the signal is SIGKILL
        if hard != resource.RLIM_INFINITY:
            limit, highest = min(limit, hard), min(highest, hard)
        resource.setrlimit(kind, (limit, highest))
