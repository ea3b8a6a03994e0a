"""A large file of JSON Lines, read by several processes at once: each takes a stretch of it to rows, and what they found is put together.

The result is that of one process, to the byte. Files of other kinds, small ones, and rows to be repaired are read by one.
"""

import multiprocessing
import os
import pathlib
import sys
from array import array
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.context import ForkContext
from typing import Any

from tuning.data.checks.findings import Findings
from tuning.data.checks.repairs import Repairs
from tuning.data.convert import Converter, Reading, Starts, write
from tuning.data.formats.content import KnownQuestions
from tuning.data.formats.registry import ChosenFormat
from tuning.data.readers import json_rows
from tuning.data.readers.encoding import TextFile
from tuning.data.readers.json_lines import Stretch
from tuning.errors import InputError
from tuning.machine import container
from tuning.sandbox.limits import Limits

LARGE = 32 * 2**20  # bytes from which more processes than one are worth their beginning
MOST = 4  # processes: beyond, the disk and what stays in one process decide

_LOOK = 0.1  # seconds between looks at how far they are
_positions: Any = None  # of all stretches, in bytes: shared with the processes forked from this one


@dataclass(frozen=True)
class ParallelTask:
    """What is read, and how."""

    text: TextFile
    out: pathlib.Path
    chosen: ChosenFormat
    mapping: Mapping[str, str]
    limits: Limits
    known: KnownQuestions | None
    held_out: bool


def processes(size: int) -> int:
    """How many are worth it for a file of `size` bytes; 1 where the system cannot fork safely."""
    if sys.platform != "linux" or size < LARGE:
        return 1
    return min(MOST, container.cores())


def read(job: ParallelTask, stretches: list[Stretch], reading: Reading, tell: Callable[[int], None]) -> tuple[Starts, Findings]:
    """Reads the stretches side by side, into `job.out` in their order; `tell` hears the bytes read. Raises what `write` raises."""
    global _positions
    context = multiprocessing.get_context("fork")
    assert isinstance(context, ForkContext)
    _positions = context.Array("Q", [stretch.begin for stretch in stretches], lock=False)
    starts, findings, size = array("Q"), Findings(job.known, job.held_out), 0
    job.out.unlink(missing_ok=True)
    try:
        with ProcessPoolExecutor(len(stretches), mp_context=context) as pool:
            working = [pool.submit(_work, job, number, stretch) for number, stretch in enumerate(stretches)]
            while wait(working, _LOOK).not_done:
                tell(sum(now - stretch.begin for now, stretch in zip(_positions, stretches, strict=True)))
            parts = [future.result() for future in working]
    except BrokenProcessPool as error:
        raise MemoryError from error  # one was killed: nobody but a system without memory does that
    for part in parts:
        if isinstance(part, Fault):
            raise InputError(part.code, **part.params)
        path, found, its_starts, its_findings = part
        starts.extend(start + size for start in its_starts)
        size += path.stat().st_size
        _append(path, job.out)
        reading.merge(found, job.limits.refused)
        findings.merge(its_findings)
    return starts, findings


def _append(path: pathlib.Path, whole: pathlib.Path) -> None:
    """Moves a part to the end of what is there; the first of them takes its place."""
    if not whole.exists():
        path.rename(whole)
        return
    with path.open("rb") as stream, whole.open("r+b") as end:
        end.seek(0, os.SEEK_END)
        while os.sendfile(end.fileno(), stream.fileno(), None, LARGE):
            pass  # the system copies, nothing of it passes through here
    path.unlink()


Part = tuple[pathlib.Path, Reading, Starts, Findings]


@dataclass(frozen=True)
class Fault:
    """What ended a stretch; an exception with parameters does not come through from another process."""

    code: str
    params: dict[str, Any]


def _work(job: ParallelTask, number: int, stretch: Stretch) -> Part | Fault:
    """In a process of its own: one stretch to rows."""
    path = job.out.with_name(f"{job.out.name}.{number}")
    reading, findings = Reading(), Findings(job.known, job.held_out)
    converter = Converter(job.chosen, job.mapping, Repairs(()))
    limits = replace(job.limits, output_bytes=2 * job.limits.output_bytes // len(_positions))

    def tell(position: int) -> None:
        _positions[number] = position

    try:
        starts = write(json_rows.stretch_records(job.text, stretch, limits, tell), path, converter, reading, findings, limits)
    except InputError as error:
        return Fault(error.code, error.params)
    reading.mapping = converter.mapping
    return path, reading, starts, findings
