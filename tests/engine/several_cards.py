"""A machine with several cards that is played in real processes: the app, a terminal, the launcher, and what it starts.

Python's `sitecustomize` has the driver describe the cards and puts `cards.played` around the engine; gloo on the processor is the way
between processes. The one way to see "all cards of this machine" where there is none; no test may take it for one.
"""

import os
import pathlib
from collections.abc import Mapping

import pytest

from tests.conftest import ROOT
from tests.engine.spoiling import HOOK

PLAYED = (
    HOOK
    + """
count = int(os.environ["TEST_CARDS"])

def described(made):
    one = made.Gpu(index=0, name="Card", memory_total=24 << 30, memory_free=20 << 30, compute_capability=8.9, driver="580.1", uuid="GPU-0")
    made.driver.DRIVER.cards = lambda: [one.model_copy(update={"index": n, "uuid": f"GPU-{n}"}) for n in range(count)]
    made.torch_cuda = lambda: "13.0"

def answered(made):
    from tests.engine import several_cards
    several_cards.play(count)

spoil("tuning.machine.hardware", described)
spoil("tuning.engine.ranks", answered)
"""
)


def play(count: int) -> None:
    """In the process of an engine: so many cards, and gloo between processes."""
    from torch import distributed

    from tests.engine import cards

    patch, begin = pytest.MonkeyPatch(), distributed.init_process_group
    cards.played(patch, cards.Card(count=count))
    patch.setattr(distributed, "init_process_group", lambda backend, **named: begin("gloo", **named))


def environment(folder: pathlib.Path, count: int, more: str = "", base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a process on a machine with `count` cards; `more` is added to what is put into each."""
    site = folder / "several-cards"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(PLAYED + more, encoding="utf-8")
    return {**base, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "TEST_CARDS": str(count), "HF_HUB_OFFLINE": "1"}
