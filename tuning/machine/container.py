"""What a container lets this process have: memory and cores, by the kernel's control groups (cgroups), version 1 and 2.

The system's own numbers are those of the whole host. Which device is used, and for what, is not decided here.
"""

import os
import pathlib
from collections.abc import Iterator

import psutil

ROOT = pathlib.Path("/")
GROUPS = "sys/fs/cgroup"
FILES = ("active_file", "inactive_file")  # pages that are only kept to be quicker: the kernel's own MemAvailable counts them as free


def memory(root: pathlib.Path = ROOT) -> tuple[int, int]:
    """Bytes in all and bytes free, of the machine or of the narrowest group around this process. `root`: where /proc and /sys are."""
    host = psutil.virtual_memory()
    total, free = int(host.total), int(host.available)
    for group in _groups(root, "memory"):
        limit = _number(group, "memory.max", "memory.limit_in_bytes")
        if limit is None or limit >= host.total:  # version 1 writes no limit as a number beyond all memory
            continue
        used = (_number(group, "memory.current", "memory.usage_in_bytes") or 0) - _kept(group)
        total, free = min(total, limit), min(free, limit - used)
    return total, max(0, min(free, total))


def cores(root: pathlib.Path = ROOT) -> int:
    """Cores that this process may use at once; a part of one counts as a whole one only from a half on."""
    found = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for group in _groups(root, "cpu"):
        said = _text(group, "cpu.max").split() or [_text(group, f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if len(said) == 2 and all(word.isdecimal() for word in said) and int(said[1]):  # "max" and -1 are no limit
            found = min(found, int(said[0]) / int(said[1]))
    return max(1, round(found))


def _groups(root: pathlib.Path, controller: str) -> Iterator[pathlib.Path]:
    """The folders of the groups this process is in, its own and those around it, as far as they are seen from here.

    A container may see its own group as the root, under another path than the one that is written.
    """
    for line in _text(root, "proc/self/cgroup").splitlines():
        _, names, written = [*line.split(":", 2), "", ""][:3]
        if names and controller not in names.split(","):
            continue
        tops = [GROUPS, f"{GROUPS}/unified"] if not names else [f"{GROUPS}/{name}" for name in dict.fromkeys((names, controller))]
        own = pathlib.PurePosixPath(written.lstrip("/"))
        for place in (own, *own.parents) if ".." not in own.parts else (pathlib.PurePosixPath(),):
            yield from (root / top / place for top in tops)


def _kept(group: pathlib.Path) -> int:
    """Bytes of files that a group keeps in memory and would give back; version 1 counts those of the groups inside it under `total_`."""
    said = dict(line.split(" ", 1) for line in _text(group, "memory.stat").splitlines() if " " in line)
    found = [said.get(f"total_{name}", said.get(name, "0")) for name in FILES]
    return sum(int(value) for value in found if value.isdecimal())


def _number(group: pathlib.Path, *names: str) -> int | None:
    """What the first of these files says that is there; None of "max"."""
    said = next((text for name in names if (text := _text(group, name))), "")
    return int(said) if said.isdecimal() else None


def _text(folder: pathlib.Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
