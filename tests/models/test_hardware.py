"""This machine, and machines with cards played by a stand-in for the driver's tool."""

import pathlib

import pytest

from tuning.models import hardware

SMI = """#!/bin/sh
printf '0, NVIDIA GeForce RTX 3060, 12288, 11500, 8.6\\n1, Tesla T4, 15360, 15000, 7.5\\n2, Odd, [N/A], [N/A], 9.0\\n'
"""


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
