"""What this machine has: processor, memory, disk, NVIDIA cards. Answers without importing torch.

It says what is there, not what fits; that is the plan's business.
"""

import csv
import importlib.util
import io
import os
import pathlib
import platform
import re
import shutil
import subprocess
from importlib import metadata

import psutil

from tuning.schema import Notice, Record

SMI = ("--query-gpu=index,name,memory.total,memory.free,compute_cap,driver_version", "--format=csv,noheader,nounits")
# Oldest driver branch for a CUDA major version (CUDA release notes, "CUDA Toolkit and Minimum Required Driver Version").
OLDEST_DRIVER = {"11": 450, "12": 525, "13": 580}
MIB = 2**20


class Gpu(Record):
    """One card as its driver reports it. Memory in bytes."""

    index: int
    name: str
    memory_total: int
    memory_free: int
    compute_capability: float
    driver: str = ""


class Hardware(Record):
    """This machine. Memory and disk in bytes."""

    system: str
    cpu: str
    cores: int
    cpu_bf16: bool
    memory_total: int
    memory_free: int
    disk_free: int
    gpus: list[Gpu]  # those that the installed PyTorch can use
    trouble: Notice | None = None  # why it cannot use a card that the driver sees, and the way out


def probe(home: pathlib.Path, cuda_visible_devices: str | None = None) -> Hardware:
    """Look at the machine. `home` is where runs are kept: its disk is the one that counts."""
    cards = _gpus(cuda_visible_devices)
    trouble = _unusable(cards[0], torch_cuda()) if cards else None
    memory = psutil.virtual_memory()
    existing = next(path for path in (home, *home.parents) if path.exists())
    cpuinfo = _cpuinfo()
    return Hardware(
        system=platform.system(),
        cpu=_field(cpuinfo, "model name") or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu_bf16=bool({"amx_bf16", "avx512_bf16"} & set(_field(cpuinfo, "flags").split())),
        memory_total=memory.total,
        memory_free=memory.available,
        disk_free=shutil.disk_usage(existing).free,
        gpus=[] if trouble else cards,
        trouble=trouble,
    )


def torch_cuda() -> str | None:
    """The CUDA version that the installed PyTorch was built for, read from its files; None for a build without."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    text = pathlib.Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    match = re.search(r"^cuda\b[^=]*=\s*['\"]([\d.]+)['\"]", text, re.MULTILINE)
    return match.group(1) if match else None


def _unusable(card: Gpu, cuda: str | None) -> Notice | None:
    version = metadata.version("torch").partition("+")[0]
    if cuda is None:
        return Notice(code="hardware.torch_without_cuda", level="warning", params={"card": card.name, "version": version})
    oldest = OLDEST_DRIVER.get(cuda.partition(".")[0])
    major = card.driver.partition(".")[0]
    if oldest is not None and major.isdigit() and int(major) < oldest:
        params = {"card": card.name, "driver": card.driver, "cuda": cuda, "oldest": oldest}
        return Notice(code="hardware.driver_old", level="warning", params=params)
    return None


def _cpuinfo() -> str:
    path = pathlib.Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _field(cpuinfo: str, name: str) -> str:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _gpus(visible: str | None) -> list[Gpu]:
    """Cards by `nvidia-smi`; none where there is no driver, it fails, or they are hidden from us."""
    command = shutil.which("nvidia-smi")
    if command is None or visible == "":
        return []
    try:
        done = subprocess.run([command, *SMI], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    cards = []
    for row in csv.reader(io.StringIO(done.stdout), skipinitialspace=True):
        try:
            index, name, total, free, capability, driver = row
            card = Gpu(
                index=int(index),
                name=name,
                memory_total=int(total) * MIB,
                memory_free=int(free) * MIB,
                compute_capability=float(capability),
                driver=driver,
            )
        except ValueError:
            continue  # a card that the driver cannot describe ("[N/A]") cannot be planned for
        cards.append(card)
    wanted = [int(part) for part in visible.split(",") if part.strip().isdigit()] if visible else []
    return [card for card in cards if not wanted or card.index in wanted]
