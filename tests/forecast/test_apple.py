"""Apple's graphics cores: planned and forecast for where somebody asks, without bitsandbytes, and said not to have been seen yet."""

import platform
from dataclasses import replace
from typing import Any

import psutil
import pytest

from tests.forecast.test_plan import GIB, card, machine, resolve
from tests.forecast.test_ways_out import SMALL, case
from tuning import presets, settings
from tuning.errors import InputError
from tuning.forecast import memory, plan, ways_out
from tuning.machine.hardware import Gpu, Hardware
from tuning.schema import LOCAL, TrainSettings
from tuning.studio import Studio


def mac(gigabytes: float = 12) -> Hardware:
    there = Gpu(index=0, name="Apple", memory_total=int(gigabytes * GIB), memory_free=int(gigabytes * GIB), compute_capability=0.0)
    return machine(system="Darwin", apple=there, wheels={"liger_kernel": "0.7.0", "flash_attn": "2.8.3"})


def test_nobody_is_put_on_it_who_does_not_ask() -> None:
    assert resolve(where=mac()).settings.device == "cpu"


@pytest.mark.parametrize("precision", ["auto", "fp16", "bf16"])
def test_who_asks_has_it_planned_without_any_kernel_for_cuda(precision: str) -> None:
    found = resolve(card(500_000_000), where=mac(), device="mps", precision=precision)
    chosen = found.settings
    assert (chosen.device, chosen.precision, chosen.quantization) == ("mps", "bf16" if precision == "auto" else precision, "none")
    assert chosen.attn_implementation == "sdpa" and not chosen.sft.get("use_liger_kernel") and "optim" not in chosen.sft
    assert found.forecast.available_bytes == 12 * GIB and found.forecast.parts["libraries"] == memory.LIBRARIES
    assert "plan.device_apple" in {notice.code for notice in found.notices}
    on_cpu = resolve(card(500_000_000), where=mac(), device="cpu").forecast.seconds
    assert on_cpu > found.forecast.seconds > resolve(card(500_000_000), where=machine(gpus=[big()])).forecast.seconds


def big() -> Gpu:
    return Gpu(index=0, name="big", memory_total=80 * GIB, memory_free=80 * GIB, compute_capability=9.0)


@pytest.mark.parametrize(
    "asked", [{"quantization": "nf4"}, {"quantization": "int8"}, {"sft.optim": "adamw_8bit"}, {"sft.optim": "paged_adamw_32bit"}]
)
def test_what_wants_bitsandbytes_is_refused_before_anything_is_loaded(asked: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"plan\.apple_bits"):
        resolve(where=mac(), device="mps", **asked)


def test_what_does_not_fit_is_offered_smaller_and_never_in_4_bits() -> None:
    found = resolve(card(3_000_000_000), where=mac(6), device="mps", per_device_train_batch_size=8)
    assert found.settings.quantization == "none" and "optim" not in found.settings.sft
    assert found.offer is None or not {"quantization", "sft"} & found.offer.keys(), found.offer


def test_where_there_is_none_it_is_refused() -> None:
    with pytest.raises(InputError, match=r"plan\.no_device"):
        resolve(device="mps")


def test_runs_on_the_processor_do_not_count_for_it(studio: Studio, home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio.shared, "_hardware", (float("inf"), mac()))
    asked = list[bool]()
    monkeypatch.setattr(plan, "calibrate", lambda records, card, on_cpu: asked.append(on_cpu) or plan.Calibration())
    starter = presets.models(settings.PRESETS)["starter"]
    for device in ("auto", "cpu", "mps"):
        studio.shared.machine(starter, None, lambda card, settings: None, device)
    assert asked == [True, True, False]


@pytest.mark.parametrize(("total", "most"), [(16, 16 * 2 / 3), (64, 48)])
def test_a_mac_is_found_without_torch_with_what_metal_gives_a_process(
    home: Any, monkeypatch: pytest.MonkeyPatch, total: int, most: float
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    memory = psutil.virtual_memory()._replace(total=total * GIB, available=60 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    found = Studio(settings.read(home=str(home)), LOCAL).shared.probe()
    assert found.apple is not None and found.card("mps") == found.apple and found.card("cuda:0") is None
    assert found.apple.memory_total == pytest.approx(most * GIB, abs=1) and found.apple.memory_free == min(
        found.apple.memory_total, 60 * GIB
    )
    assert [note.code for note in found.notes] == ["hardware.apple"] and found.gpus == []


def test_a_run_that_is_late_on_the_processor_is_offered_it() -> None:
    one = case(SMALL, ram=20, num_train_epochs=10)
    there = replace(one, machine=lambda card, device: replace(one.machine(card, device), hardware=mac(), calibration=plan.Calibration()))
    now = there.attempt({})
    assert now is not None and now.settings.device == "cpu"
    _, offers = ways_out.after(there, now.forecast.seconds, 9 * now.forecast.seconds, helped_itself=False)
    assert {"device": "mps"} in [offer.changes for offer in offers if offer.code == "help.apple"], offers


def test_a_run_that_is_late_on_a_card_is_offered_no_other_place() -> None:
    one = case(SMALL, ram=20, num_train_epochs=10)
    there = replace(one, machine=lambda card, device: replace(one.machine(card, device), hardware=machine(gpus=[big()])))
    now = there.attempt({})
    assert now is not None and now.settings.device == "cuda:0"
    _, offers = ways_out.after(there, now.forecast.seconds, 9 * now.forecast.seconds, helped_itself=False)
    assert not {"help.apple", "help.card"} & {offer.code for offer in offers}


def test_it_is_a_value_of_the_setting() -> None:
    assert TrainSettings(device="mps").on_card and not TrainSettings(device="mps").on_nvidia and TrainSettings(device="cuda:1").on_nvidia
