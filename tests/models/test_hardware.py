"""This machine, and machines with cards played by a stand-in for the driver's tool."""

import importlib.machinery
import importlib.util
import os
import pathlib
import time
import types

import pytest
import torch

from tuning import settings
from tuning.models import hardware
from tuning.text import say
from tuning.verbs import Verbs

CARDS = (
    "0, NVIDIA GeForce RTX 3060, 12288, 11500, 8.6, 580.65.06, GPU-a",
    "1, Tesla T4, 15360, 15000, 7.5, 580.65.06, GPU-b",
    "2, Odd, [N/A], [N/A], 9.0, 580.65.06, GPU-c",
)


def smi(*cards: str, held: str = "") -> str:
    """A stand-in for nvidia-smi: the cards, and who holds memory on them."""
    echo = "; ".join(f"echo '{line}'" for line in cards) or "true"
    return f"#!/bin/sh\ncase \"$1\" in *compute-apps*) echo '{held}';; *) {echo};; esac\n"


SMI = smi(*CARDS)


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
def driver(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    path = tmp_path / "bin" / "nvidia-smi"
    path.parent.mkdir()
    path.write_text(SMI, encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent) + ":/bin:/usr/bin")
    return path


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


def test_cards_as_the_driver_says(home: pathlib.Path, driver: pathlib.Path) -> None:
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
def test_cards_are_those_that_cuda_shows_by_its_numbers(
    home: pathlib.Path, driver: pathlib.Path, visible: str | None, names: list[str]
) -> None:
    cards = hardware.probe(home, visible).gpus
    assert [card.name for card in cards] == names
    assert [card.index for card in cards] == list(range(len(names)))


def test_where_torch_uses_the_cards_its_numbers_count(home: pathlib.Path, driver: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_use(monkeypatch, b=0, a=0)
    assert [(card.index, card.name) for card in hardware.probe(home).gpus] == [(0, T4), (1, RTX)]


def test_an_order_of_one_s_own_is_heeded(home: pathlib.Path, driver: pathlib.Path) -> None:
    driver.write_text(
        smi("0, T4, 16384, 16000, 7.5, 580.65.06, GPU-a", "1, RTX 4090, 24576, 24000, 8.9, 580.65.06, GPU-b"), encoding="utf-8"
    )
    env = {"TUNING_HOME": str(home), "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}
    named = [(card["index"], card["name"]) for card in Verbs(settings.read(env)).hardware()["gpus"]]
    assert named == [(0, "RTX 4090"), (1, "T4")]


def test_an_old_card_beside_a_new_one_switches_neither_off(home: pathlib.Path, driver: pathlib.Path) -> None:
    old, new = "0, GTX 1080, 8192, 8000, 6.1, 580.65.06, GPU-a", "1, RTX 4090, 24576, 24000, 8.9, 580.65.06, GPU-b"
    driver.write_text(smi(old, new), encoding="utf-8")
    found = hardware.probe(home)
    assert [(card.index, card.name) for card in found.gpus] == [(1, "RTX 4090")] and found.trouble is None
    assert [(note.code, note.params["card"]) for note in found.notes] == [("hardware.card_old", "GTX 1080")]


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 9\n", "#!/bin/sh\necho nonsense\n", "not a program"])
def test_a_driver_that_fails_means_no_card(home: pathlib.Path, driver: pathlib.Path, script: str) -> None:
    driver.write_text(script, encoding="utf-8")
    assert hardware.probe(home).gpus == []


def test_a_driver_that_hangs_blocks_nobody_and_what_it_said_last_is_kept(home: pathlib.Path, driver: pathlib.Path) -> None:
    before = hardware.probe(home).gpus
    driver.write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    began = time.monotonic()
    assert hardware.probe(home).gpus == hardware.probe(home).gpus == before
    assert time.monotonic() - began < 3


def test_a_driver_that_never_answers_is_said(home: pathlib.Path, driver: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    monkeypatch.setattr(hardware.driver, "FIRST", 0.2)
    found = hardware.probe(home)
    assert found.gpus == [] and found.trouble is not None and found.trouble.code == "hardware.driver_silent"


def test_a_build_without_cuda_is_said_with_the_line_that_mends_it(home: pathlib.Path, driver: pathlib.Path, build: pathlib.Path) -> None:
    build.write_text("cuda: Optional[str] = None\n", encoding="utf-8")
    found = hardware.probe(home)
    assert found.gpus == [] and found.trouble is not None
    assert found.trouble.code == "hardware.torch_without_cuda"
    assert "pip install --force-reinstall torch==2.13.0" in say("en", found.trouble.code, found.trouble.params)


def test_a_driver_too_old_for_the_build_is_said(home: pathlib.Path, driver: pathlib.Path) -> None:
    driver.write_text(driver.read_text(encoding="utf-8").replace("580.65.06", "535.104.05"), encoding="utf-8")
    found = hardware.probe(home)
    assert found.gpus == [] and found.trouble is not None
    assert (found.trouble.code, found.trouble.params["oldest"]) == ("hardware.driver_old", 580)


def test_no_trouble_without_a_card_or_with_one_that_works(home: pathlib.Path, driver: pathlib.Path, build: pathlib.Path) -> None:
    assert hardware.probe(home).trouble is None
    build.write_text("cuda = None\n", encoding="utf-8")
    assert hardware.probe(home, "").trouble is None


def test_of_several_cards_the_emptiest_is_used_and_said(home: pathlib.Path, driver: pathlib.Path) -> None:
    found = hardware.probe(home)
    assert hardware.best(found.gpus).name == "Tesla T4"
    assert [note.code for note in found.notes] == ["hardware.several"]


def test_what_others_hold_is_said(home: pathlib.Path, driver: pathlib.Path) -> None:
    driver.write_text(smi("0, RTX 4090, 24576, 4576, 8.9, 580.65.06, GPU-a"), encoding="utf-8")
    assert [note.code for note in hardware.probe(home).notes] == ["hardware.shared"]


@pytest.mark.parametrize("said", [f"{os.getpid()}, 20000", "4242, 20000", f"{os.getpid()}, [N/A]"], ids=["linux", "container", "wsl"])
def test_a_resident_model_counts_as_free_whatever_the_driver_knows_of_processes(
    home: pathlib.Path, driver: pathlib.Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    driver.write_text(smi("0, RTX 4090, 24576, 4576, 8.9, 580.65.06, GPU-a", held=f"GPU-a, {said}"), encoding="utf-8")
    in_use(monkeypatch, a=19 * 2**30)
    found = hardware.probe(home)
    assert found.gpus[0].memory_free > 23 * 2**30 and not found.notes
    assert found.gpus[0].memory_free <= found.gpus[0].memory_total


@pytest.mark.parametrize(("capability", "code"), [("13.0", "hardware.card_new"), ("6.1", "hardware.card_old")])
def test_a_card_that_the_build_does_not_know_is_said(home: pathlib.Path, driver: pathlib.Path, capability: str, code: str) -> None:
    driver.write_text(smi(f"0, Some card, 24576, 24000, {capability}, 580.65.06, GPU-a"), encoding="utf-8")
    found = hardware.probe(home)
    assert found.gpus == [] and found.trouble is not None and found.trouble.code == code
    for lang in ("en", "it"):
        assert "pip install" in say(lang, code, found.trouble.params)
