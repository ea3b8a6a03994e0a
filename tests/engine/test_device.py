"""A run takes the one device that it was planned for, on a machine with any number of them."""

import json
import types
from collections.abc import Callable

import pytest
import torch

from tests.engine import cards
from tests.engine.conftest import losses
from tuning.engine.device import Device
from tuning.engine.learn.train import train
from tuning.engine.learn.trainer import sft_config
from tuning.engine.resident import Resident
from tuning.runs.run_folder import Run
from tuning.studio import Studio


@pytest.mark.parametrize("count", [1, 2])
def test_a_second_card_in_the_machine_changes_nothing(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    run = cards.planned_for(make_run(max_steps=2, precision="fp32"), "cuda:0")
    cards.pretend(monkeypatch, count)
    state = train(run, studio.shared.store, Resident())
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    assert len(losses(run)) == 2


def test_a_run_for_the_second_card_is_trained_there(make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run = cards.planned_for(make_run(max_steps=2, precision="fp32"), "cuda:1")
    selected: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: selected.append(torch.device(device)))
    args = sft_config(run, run.spec())
    assert (args.device, args.n_gpu) == (torch.device("cuda:1"), 1)
    assert selected[-1] == torch.device("cuda:1")
    assert args.distributed_state.device == torch.device("cuda:1")  # accelerate's, which moves the batches


def test_the_peak_of_a_second_run_is_its_own(make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a report and a chat reserved after the first run counts neither as its training nor for the next forecast."""
    cards.pretend(monkeypatch, 1)
    card = {"used": 2 * cards.GIB, "reserved": 2 * cards.GIB, "peak": 2 * cards.GIB}
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: card.update(reserved=card["used"]))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda *_: card.update(peak=card["reserved"]))
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda *_: card["peak"])
    resident, peaks = Resident(), []
    for _ in range(2):
        state = train(cards.planned_for(make_run(max_steps=2, precision="fp32"), "cuda:0"), studio.shared.store, resident)
        peaks.append(state.peak_bytes)
        card.update(reserved=9 * cards.GIB, peak=9 * cards.GIB)
    told = [
        json.loads(line)["peak_bytes"] for line in (studio.settings.home / "calibration.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert peaks == told == [2 * cards.GIB] * 2


def test_a_card_is_found_by_its_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    uuids = ["5c5e1f31-0000-0000-0000-000000000000", "a7b1c2d3-0000-0000-0000-000000000000"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: types.SimpleNamespace(uuid=uuids[number]))
    assert Device(f"cuda:GPU-{uuids[1]}").place == Device("cuda:1").place == torch.device("cuda:1")
    with pytest.raises(ValueError):
        Device("cuda:GPU-00000000-0000-0000-0000-000000000000").place  # noqa: B018


def test_a_model_on_apple_s_gpu_is_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch says `mps:0` of whatever is there: a model that is asked for once more, as in a chat in mid-run, is not loaded anew."""
    assert Device("mps").place == torch.device("mps:0") == Device.of(torch.device("mps:0")).place
    resident = Resident()
    resident.path, resident.base = "model", types.SimpleNamespace(device=torch.device("mps:0"))
    assert resident.has("model", "mps", "none")


def test_apple_s_gpu_is_asked_for_memory_and_random_state(monkeypatch: pytest.MonkeyPatch) -> None:
    state, freed = [torch.get_rng_state()], list[str]()
    answers = {
        "get_rng_state": lambda: state[0],
        "set_rng_state": lambda new: state.__setitem__(0, new),
        "driver_allocated_memory": lambda: 3 * cards.GIB,
        "empty_cache": lambda: freed.append("freed"),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.mps, name, answer)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    device = Device("mps")
    with device.forked():
        state[0] = torch.zeros(8)
    assert torch.equal(state[0], torch.get_rng_state())
    device.forget_peak()
    assert device.peak_bytes() == device.memory_bytes() == 3 * cards.GIB and freed
    assert device.on_card and not device.substitutes and device.kind == "mps"
