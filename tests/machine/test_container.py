"""What a container leaves of a machine, told by files as the kernel writes them."""

import os
import pathlib

import psutil
import pytest

from tuning.engine.device import Device
from tuning.machine import container, hardware

GIB = 2**30
HOST, FREE, CORES = 64 * GIB, 40 * GIB, 16
V1_NONE = "9223372036854771712"
STAT = f"anon 5\ninactive_file {GIB}\nactive_file 0\nfile {2 * GIB}"

CASES: dict[str, tuple[dict[str, str], tuple[int, int], int]] = {
    "no groups": ({}, (HOST, FREE), CORES),
    "version 2, without a limit": (
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/cpu.max": "max 100000"}, (HOST, FREE), CORES,
    ),
    "version 2, as a container sees it": (
        {
            "proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": str(8 * GIB), "sys/fs/cgroup/memory.current": str(3 * GIB),
            "sys/fs/cgroup/memory.stat": STAT, "sys/fs/cgroup/cpu.max": "200000 100000",
        }, (8 * GIB, 6 * GIB), 2,
    ),
    "version 2, one in another": (
        {
            "proc/self/cgroup": "0::/user.slice/run.scope", "sys/fs/cgroup/user.slice/memory.max": str(16 * GIB),
            "sys/fs/cgroup/user.slice/memory.current": str(15 * GIB), "sys/fs/cgroup/user.slice/cpu.max": "150000 100000",
            "sys/fs/cgroup/user.slice/run.scope/memory.max": str(8 * GIB),
            "sys/fs/cgroup/user.slice/run.scope/memory.current": str(2 * GIB),
            "sys/fs/cgroup/user.slice/run.scope/cpu.max": "max 100000",
        }, (8 * GIB, GIB), 2,
    ),
    "version 1, without a limit": (
        {
            "proc/self/cgroup": "4:memory:/\n1:cpu:/\n0::/", "sys/fs/cgroup/memory/memory.limit_in_bytes": V1_NONE,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        }, (HOST, FREE), CORES,
    ),
    "version 1, under a path that is not seen inside": (
        {
            "proc/self/cgroup": "4:memory:/docker/a1\n2:cpu,cpuacct:/docker/a1\n1:name=systemd:/docker/a1",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(4 * GIB), "sys/fs/cgroup/memory/memory.usage_in_bytes": str(3 * GIB),
            "sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\ntotal_active_file {GIB}",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        }, (4 * GIB, 3 * GIB), 1,
    ),
    "more is taken than there may be": (
        {"proc/self/cgroup": "0::/../x", "sys/fs/cgroup/memory.max": str(GIB), "sys/fs/cgroup/memory.current": str(2 * GIB)},
        (GIB, 0), CORES,
    ),
    "files that say nothing": (
        {"proc/self/cgroup": "odd\n0:", "sys/fs/cgroup/memory.max": "?", "sys/fs/cgroup/cpu.max": "0 0"}, (HOST, FREE), CORES,
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def told(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[int, int], int]:
    """A machine of 64 GiB and 16 cores whose groups are those of the case; what they leave."""
    files, memory, cores = CASES[request.param]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n", encoding="ascii")
    real = psutil.virtual_memory()._replace(total=HOST, available=FREE)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(CORES)), raising=False)
    for function in (container.memory, container.cores):
        monkeypatch.setattr(function, "__defaults__", (tmp_path,))
    return memory, cores


def test_the_narrower_of_machine_and_container_counts(
    told: tuple[tuple[int, int], int], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, cores = told
    assert (container.memory(), container.cores()) == (memory, cores)
    monkeypatch.delenv("OMP_NUM_THREADS")
    seen = hardware.probe(tmp_path, "")
    assert ((seen.memory_total, seen.memory_free), seen.cores) == (memory, cores)
    assert Device("cpu").short() == (memory[1] == 0)
