"""This machine, and machines with cards played by a stand-in for the driver's tool."""

import importlib.machinery
import importlib.util
import pathlib

import pytest

from tuning.models import hardware
from tuning.text import say

CARDS = (
    "0, NVIDIA GeForce RTX 3060, 12288, 11500, 8.6, 580.65.06",
    "1, Tesla T4, 15360, 15000, 7.5, 580.65.06",
    "2, Odd, [N/A], [N/A], 9.0, 580.65.06",
)
SMI = "#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in CARDS)


@pytest.fixture(autouse=True)
def build(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An installed PyTorch of our choosing: its version file. CUDA 13.0 unless a test writes another."""
    version = tmp_path / "torch" / "version.py"
    version.parent.mkdir()
    version.write_text("from typing import Optional\ncuda: Optional[str] = '13.0'\n", encoding="utf-8")
    spec = importlib.machinery.ModuleSpec("torch", None, origin=str(version.with_name("__init__.py")))
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


@pytest.mark.parametrize(("visible", "indices"), [("1", [1]), ("0,1", [0, 1]), ("", []), (None, [0, 1])])
def test_hidden_cards_are_not_there(home: pathlib.Path, driver: pathlib.Path, visible: str | None, indices: list[int]) -> None:
    assert [card.index for card in hardware.probe(home, visible).gpus] == indices


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 9\n", "#!/bin/sh\necho nonsense\n", "not a program"])
def test_a_driver_that_fails_means_no_card(home: pathlib.Path, driver: pathlib.Path, script: str) -> None:
    driver.write_text(script, encoding="utf-8")
    assert hardware.probe(home).gpus == []


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
