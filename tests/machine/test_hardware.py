"""This machine, and machines with cards played by a stand-in for the driver's library."""

import importlib.machinery
import importlib.util
import pathlib
import threading
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pynvml
import pytest
import torch

import tuning.engine
from tuning import settings
from tuning.machine import hardware
from tuning.runs import locks
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import say


@dataclass
class Card:
    """What NVML says of a card, in MiB. `total` None: it cannot be said. `instances`: what it is partitioned into."""

    name: str
    total: int | None
    free: int
    capability: str
    uuid: str
    bus: str = "00000000:01:00.0"
    instances: list["Card"] | None = None


CARDS = [
    Card("NVIDIA GeForce RTX 3060", 12288, 11500, "8.6", "GPU-a", "00000000:01:00.0"),
    Card("Tesla T4", 15360, 15000, "7.5", "GPU-b", "00000000:02:00.0"),
    Card("Odd", None, 0, "9.0", "GPU-c", "00000000:03:00.0"),
]


class Driver:
    """A driver of our choosing behind NVML: its cards, its version, what it fails with, and whether it hangs."""

    def __init__(self) -> None:
        self.cards, self.version = list(CARDS), "580.65.06"
        self.fails: int | None = None
        self.hangs, self.asked = False, 0
        self.over = threading.Event()

    def count(self) -> int:
        self.asked += 1
        if self.hangs:
            self.over.wait(30)
        if self.fails is not None:
            raise pynvml.NVMLError(self.fails)
        return len(self.cards)

    def memory(self, card: Card) -> types.SimpleNamespace:
        if card.total is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return types.SimpleNamespace(total=card.total * 2**20, free=card.free * 2**20, used=(card.total - card.free) * 2**20)

    def mig(self, card: Card) -> list[int]:
        if card.instances is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [1, 1]

    def instance(self, card: Card, number: int) -> Card:
        if not card.instances or number >= len(card.instances):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return card.instances[number]

    def answers(self) -> dict[str, Any]:
        return {
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: None,
            "nvmlSystemGetDriverVersion": lambda: self.version,
            "nvmlDeviceGetCount": self.count,
            "nvmlDeviceGetHandleByIndex": lambda number: self.cards[number],
            "nvmlDeviceGetPciInfo": lambda card: types.SimpleNamespace(busId=card.bus),
            "nvmlDeviceGetName": lambda card: card.name,
            "nvmlDeviceGetUUID": lambda card: card.uuid,
            "nvmlDeviceGetMemoryInfo": self.memory,
            "nvmlDeviceGetCudaComputeCapability": lambda card: tuple(int(part) for part in card.capability.split(".")),
            "nvmlDeviceGetMigMode": self.mig,
            "nvmlDeviceGetMaxMigDeviceCount": lambda card: 7,
            "nvmlDeviceGetMigDeviceHandleByIndex": self.instance,
        }


@pytest.fixture(autouse=True)
def build(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An installed PyTorch of our choosing: its version file. CUDA 13.0 unless a test writes another."""
    version = tmp_path / "torch" / "version.py"
    version.parent.mkdir()
    version.write_text("from typing import Optional\ncuda: Optional[str] = '13.0'\n", encoding="utf-8")
    spec = importlib.machinery.ModuleSpec("torch", None, origin=str(version.with_name("__init__.py")))
    monkeypatch.setattr(hardware.driver, "DRIVER", hardware.driver.Driver())  # one that has no answer of another test
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: spec if name == "torch" else real(name, package))
    return version


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    made = Driver()
    for name, answer in made.answers().items():
        monkeypatch.setattr(pynvml, name, answer)
    yield made
    made.over.set()


def in_use(monkeypatch: pytest.MonkeyPatch, **reserved: int) -> None:
    """PyTorch's answers where it uses cards: each by its uuid, in the order of its numbers, with the bytes that it holds."""
    uuids = list(reserved)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: types.SimpleNamespace(uuid=uuids[number]))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda number: reserved[uuids[number]])


def test_this_machine(home: pathlib.Path) -> None:
    found = hardware.probe(home)
    assert found.cores >= 1
    assert 0 < found.memory_free <= found.memory_total
    assert found.disk_free > 0


@pytest.mark.parametrize(
    ("visible", "device", "name"),
    [
        (None, "cuda:1", "gpu-b"), ("1", "cuda:0", "gpu-b"), ("1,0", "cuda:0", "gpu-b"), ("GPU-b", "cuda:0", "gpu-b"),
        (None, "cuda:0", "gpu-a"), (None, "cuda:GPU-b", "gpu-b"), (None, "cuda:2", "gpu-2"), (None, "mps", "gpu-mps"),
    ],
)  # fmt: skip
def test_a_card_has_one_lock_by_whatever_number_a_process_calls_it(
    home: pathlib.Path, driver: Driver, monkeypatch: pytest.MonkeyPatch, visible: str | None, device: str, name: str
) -> None:
    """A page that sees all cards and a terminal that is shown one of them; "cuda:2" is a card of which the driver says nothing."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible) if visible else monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert tuning.engine and locks.of_card(home, device).name == f"{name}.lock"
    driver.fails = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    monkeypatch.setattr(hardware.driver, "DRIVER", hardware.driver.Driver())
    if device == "cuda:0":
        assert locks.of_card(home, device).name == "gpu-0.lock"


def test_cards_as_the_driver_says(home: pathlib.Path, driver: Driver) -> None:
    cards = hardware.probe(home).gpus
    assert [(card.index, card.name, card.compute_capability) for card in cards] == [
        (0, "NVIDIA GeForce RTX 3060", 8.6),
        (1, "Tesla T4", 7.5),
    ]
    assert cards[0].memory_total == 12 * 2**30


RTX, T4 = "NVIDIA GeForce RTX 3060", "Tesla T4"


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, [RTX, T4]),
        ("", []),
        ("1", [T4]),
        ("0,1", [RTX, T4]),
        ("1,0", [T4, RTX]),
        ("GPU-b", [T4]),
        ("GPU-b,GPU-a", [T4, RTX]),
        ("-1", []),
        ("0,-1,1", [RTX]),  # what comes after one that is not there is hidden too
        ("7", []),
        ("GPU-z", []),
        ("1,1", []),
    ],
)
def test_cards_are_those_that_cuda_shows_by_its_numbers(home: pathlib.Path, driver: Driver, visible: str | None, names: list[str]) -> None:
    cards = hardware.probe(home, visible).gpus
    assert [card.name for card in cards] == names
    assert [card.index for card in cards] == list(range(len(names)))


def test_where_torch_uses_the_cards_its_numbers_count(home: pathlib.Path, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    in_use(monkeypatch, b=0, a=0)
    assert [(card.index, card.name) for card in hardware.probe(home).gpus] == [(0, T4), (1, RTX)]


@pytest.mark.parametrize(
    ("visible", "names"),
    [(None, ["A100 1g", T4]), ("0", ["A100 1g"]), ("1", [T4]), ("MIG-e", ["A100 2g"])],
)
def test_of_a_partitioned_card_an_instance_is_shown(home: pathlib.Path, driver: Driver, visible: str | None, names: list[str]) -> None:
    parts = [Card("A100 1g", 5120, 5000, "", "MIG-d"), Card("A100 2g", 10240, 10000, "", "MIG-e")]
    driver.cards = [Card("A100", 40960, 40000, "8.0", "GPU-a", instances=parts), CARDS[1]]
    assert [card.name for card in hardware.probe(home, visible).gpus] == names


def test_a_card_that_has_failed_says_no_more_to_torch_and_is_still_there(
    home: pathlib.Path, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poisoned(number: int) -> int:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    in_use(monkeypatch, b=0, a=0)
    monkeypatch.setattr(torch.cuda, "memory_reserved", poisoned)
    assert [card.name for card in hardware.probe(home).gpus] == [RTX, T4]


def test_an_order_of_one_s_own_is_heeded(home: pathlib.Path, driver: Driver) -> None:
    driver.cards = [CARDS[1], Card("RTX 4090", 24576, 24000, "8.9", "GPU-d", "00000000:04:00.0")]
    env = {"TUNING_HOME": str(home), "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}
    named = [(card["index"], card["name"]) for card in Studio(settings.read(env), LOCAL).hardware()["gpus"]]
    assert named == [(0, "RTX 4090"), (1, T4)]


def test_an_old_card_beside_a_new_one_switches_neither_off(home: pathlib.Path, driver: Driver) -> None:
    old, new = Card("GTX 1080", 8192, 8000, "6.1", "GPU-a"), Card("RTX 4090", 24576, 24000, "8.9", "GPU-d", "00000000:04:00.0")
    driver.cards = [new, old]  # as NVML may count; CUDA counts by PCI bus
    found = hardware.probe(home)
    assert [(card.index, card.name) for card in found.gpus] == [(1, "RTX 4090")] and found.trouble is None
    assert [(note.code, note.params["card"]) for note in found.notes] == [("hardware.card_old", "GTX 1080")]


@pytest.mark.parametrize(
    "error", [pynvml.NVML_ERROR_DRIVER_NOT_LOADED, pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, pynvml.NVML_ERROR_UNKNOWN]
)
def test_a_driver_that_fails_means_no_card(home: pathlib.Path, driver: Driver, error: int) -> None:
    driver.fails = error
    assert hardware.probe(home).gpus == []
    driver.fails = None  # and once it works it is asked again
    assert len(hardware.probe(home).gpus) == 2


def test_a_driver_that_hangs_blocks_nobody_and_what_it_said_last_is_kept(home: pathlib.Path, driver: Driver) -> None:
    before = hardware.probe(home).gpus
    driver.hangs = True
    began = time.monotonic()
    assert hardware.probe(home).gpus == hardware.probe(home).gpus == before
    assert time.monotonic() - began < 3 and driver.asked == 2  # and nobody else hangs beside the one that does


def test_a_driver_that_never_answers_is_said(home: pathlib.Path, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.hangs = True
    monkeypatch.setattr(hardware.driver, "FIRST", 0.2)
    found = hardware.probe(home)
    assert found.gpus == [] and found.trouble is not None and found.trouble.code == "hardware.driver_silent"


def test_a_build_without_cuda_is_said_with_the_line_that_mends_it(home: pathlib.Path, driver: Driver, build: pathlib.Path) -> None:
    build.write_text("cuda: Optional[str] = None\n", encoding="utf-8")
    found = hardware.probe(home)
    assert found.gpus == [] and found.trouble is not None
    assert found.trouble.code == "hardware.torch_without_cuda"
    assert "pip install --force-reinstall torch==2.13.0" in say("en", found.trouble.code, found.trouble.params)


def test_a_driver_too_old_for_the_build_is_said(home: pathlib.Path, driver: Driver) -> None:
    driver.version = "535.104.05"
    found = hardware.probe(home)
    assert found.gpus == [] and found.trouble is not None
    assert (found.trouble.code, found.trouble.params["oldest"]) == ("hardware.driver_old", 580)


def test_no_trouble_without_a_card_or_with_one_that_works(home: pathlib.Path, driver: Driver, build: pathlib.Path) -> None:
    assert hardware.probe(home).trouble is None
    build.write_text("cuda = None\n", encoding="utf-8")
    assert hardware.probe(home, "").trouble is None


def test_of_several_cards_the_emptiest_is_used_and_said(home: pathlib.Path, driver: Driver) -> None:
    found = hardware.probe(home)
    assert hardware.best(found.gpus).name == "Tesla T4"
    assert [note.code for note in found.notes] == ["hardware.several"]


def test_what_others_hold_is_said(home: pathlib.Path, driver: Driver) -> None:
    driver.cards = [Card("RTX 4090", 24576, 4576, "8.9", "GPU-a")]
    assert [note.code for note in hardware.probe(home).notes] == ["hardware.shared"]


def test_a_resident_model_counts_as_free(home: pathlib.Path, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the driver says of processes is another number in a container, and no bytes in WSL and on Windows: it is not asked."""
    driver.cards = [Card("RTX 4090", 24576, 4576, "8.9", "GPU-a")]
    in_use(monkeypatch, a=19 * 2**30)
    found = hardware.probe(home)
    assert found.gpus[0].memory_free > 23 * 2**30 and not found.notes
    assert found.gpus[0].memory_free <= found.gpus[0].memory_total


@pytest.mark.parametrize(("capability", "code"), [("13.0", "hardware.card_new"), ("6.1", "hardware.card_old")])
def test_a_card_that_the_build_does_not_know_is_said(home: pathlib.Path, driver: Driver, capability: str, code: str) -> None:
    driver.cards = [Card("Some card", 24576, 24000, capability, "GPU-a")]
    found = hardware.probe(home)
    assert found.gpus == [] and found.trouble is not None and found.trouble.code == code
    for lang in ("en", "it"):
        assert "pip install" in say(lang, code, found.trouble.params)


@pytest.mark.parametrize(
    ("told", "cores"),
    [
        *(({}, 8), ({"OMP_NUM_THREADS": "2"}, 2), ({"OMP_NUM_THREADS": "4,1"}, 4)),
        *(({"OMP_NUM_THREADS": "64"}, 8), ({"OMP_NUM_THREADS": "all"}, 8)),
        *(({"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "3"}, 3), ({"MKL_NUM_THREADS": "0", "OMP_NUM_THREADS": "2"}, 2)),
    ],
)
def test_no_more_cores_count_than_pytorch_was_told_to_compute_with(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(hardware.container, "cores", lambda: 8)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, count in told.items():
        monkeypatch.setenv(name, count)
    assert hardware.probe(home).cores == cores
