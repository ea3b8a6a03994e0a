"""What a plan takes to be faster or smaller on a card: by the card, the wheels and the model, told, and never on a processor."""

from typing import Any

import pytest

from tests.forecast.test_plan import GIB, STARTER, card, machine, resolve
from tuning.errors import InputError
from tuning.forecast import memory
from tuning.machine.hardware import Gpu
from tuning.schema import ModelCard

BOTH = {"flash_attn": "2.8.3", "liger_kernel": "0.8.5"}


def on_card(capability: float = 8.6, memory_gb: float = 24, wheels: dict[str, str] | None = None) -> Any:
    gpu = Gpu(index=0, name="RTX", memory_total=int(memory_gb * GIB), memory_free=int(memory_gb * GIB), compute_capability=capability)
    return machine(gpus=[gpu], wheels=wheels or {})


@pytest.mark.parametrize(
    ("where", "asked", "attention"),
    [
        (on_card(), {}, "varlen"),
        (on_card(wheels=BOTH), {}, "flash_attention_2"),
        (on_card(wheels=BOTH), {"attn_implementation": "varlen"}, "varlen"),
        (on_card(wheels=BOTH), {"attn_implementation": "sdpa"}, "sdpa"),
        (on_card(), {"attn_implementation": "flash_attention_2"}, "varlen"),
        (on_card(7.5, wheels=BOTH), {}, "sdpa"),  # Turing
        (on_card(wheels=BOTH), {"packing": False}, "sdpa"),
        (on_card(wheels=BOTH), {"precision": "fp32"}, "sdpa"),
        (on_card(wheels=BOTH), {"device": "cpu"}, "sdpa"),
        (machine(wheels=BOTH), {}, "sdpa"),
    ],
)
def test_packed_rows_attend_as_the_card_can(where: Any, asked: dict[str, Any], attention: str) -> None:
    resolved = resolve(where=where, **asked)
    assert resolved.settings.attn_implementation == attention
    told = [notice.code for notice in resolved.notices if notice.code.startswith("plan.attention_")]
    assert told == ([f"plan.attention_{attention}"] if attention != "sdpa" else [])


def test_a_head_that_the_kernels_do_not_take_is_left_alone() -> None:
    odd = STARTER.model_copy(update={"config": {"head_dim": 100}})
    resolved = resolve(odd, where=on_card(), attn_implementation="varlen")
    assert resolved.settings.attn_implementation == "sdpa"
    assert [notice.level for notice in resolved.notices if notice.code == "plan.attention_plain"] == ["warning"]


@pytest.mark.parametrize(("wheels", "attention"), [({}, "sdpa"), (BOTH, "flash_attention_2")])
def test_dropout_in_attention_wants_the_wheel(wheels: dict[str, str], attention: str) -> None:
    gpt2 = STARTER.model_copy(update={"model_type": "gpt2"})
    assert resolve(gpt2, where=on_card(wheels=wheels)).settings.attn_implementation == attention


@pytest.mark.parametrize("name", ["kernels-community/flash-attn2", "evil/attention@main", "flash_attention_3"])
def test_no_other_attention_can_be_named(name: str) -> None:
    with pytest.raises(InputError) as raised:
        resolve(where=on_card(), attn_implementation=name)
    assert raised.value.code == "settings.value"


@pytest.mark.parametrize(
    ("model", "where", "asked", "used", "code"),
    [
        (STARTER, on_card(wheels=BOTH), {}, True, "plan.liger"),
        (STARTER, on_card(wheels=BOTH), {"sft.use_liger_kernel": True}, True, "plan.liger"),
        (STARTER, on_card(wheels=BOTH), {"sft.use_liger_kernel": False}, False, None),
        (STARTER, on_card(), {}, None, None),
        (STARTER, on_card(), {"sft.use_liger_kernel": True}, False, "plan.liger_none"),
        (STARTER, machine(wheels=BOTH), {"sft.use_liger_kernel": True}, False, "plan.liger_none"),
        (STARTER.model_copy(update={"model_type": "granitemoehybrid"}), on_card(wheels=BOTH), {}, None, None),
    ],
)
def test_liger_is_used_where_it_is_installed_and_fits(
    model: ModelCard, where: Any, asked: dict[str, Any], used: bool | None, code: str | None
) -> None:
    resolved = resolve(model, where=where, **asked)
    assert resolved.settings.sft.get("use_liger_kernel") is used
    assert [notice.code for notice in resolved.notices if notice.code.startswith("plan.liger")] == ([code] if code else [])


WIDE = {"lora_r": 1024, "max_length": 256, "per_device_train_batch_size": 1}  # 1.4 billion trained numbers in the model below
LARGE = card(3_500_000_000, hidden=2560)


@pytest.mark.parametrize(
    ("free", "codes", "quantization"),
    [(30, [], "none"), (24, ["plan.optimizer"], "none"), (20, ["plan.nf4", "plan.optimizer"], "nf4")],
)
def test_the_optimizer_is_squeezed_first_and_only_where_that_makes_it_fit(free: int, codes: list[str], quantization: str) -> None:
    """Its moments are 10.3 GiB in 32 bits and 2.6 in 8; the whole run needs 27.9 GiB, 20.6 with them, 17.4 with weights in 4 bits too."""
    resolved = resolve(LARGE, where=on_card(memory_gb=free), **WIDE)
    assert resolved.forecast.fits and resolved.settings.quantization == quantization
    assert [notice.code for notice in resolved.notices if notice.code in ("plan.optimizer", "plan.nf4")] == codes
    squeezed = "plan.optimizer" in codes
    assert resolved.settings.sft.get("optim") == ("adamw_8bit" if squeezed else None)
    trained = memory.adapter_parameters(LARGE, resolved.settings)
    assert resolved.forecast.parts["optimizer"] == pytest.approx((2.03 if squeezed else 8) * trained, rel=0.01)


def test_what_was_asked_of_the_optimizer_stays_and_a_processor_has_no_reason() -> None:
    asked = resolve(LARGE, where=on_card(memory_gb=24), **WIDE, **{"sft.optim": "adamw_torch"}).settings
    assert asked.sft["optim"] == "adamw_torch" and asked.quantization == "nf4"
    assert "optim" not in resolve(LARGE, where=machine(memory_free=24 * GIB), **WIDE).settings.sft


def test_a_small_adapter_needs_weights_in_fewer_bits_not_a_smaller_optimizer() -> None:
    resolved = resolve(card(7_000_000_000, hidden=4096), where=on_card(memory_gb=12), max_length=256)
    assert resolved.settings.quantization == "nf4" and resolved.forecast.fits and "optim" not in resolved.settings.sft


def test_compiling_is_refused_for_it_reaches_no_step() -> None:
    for where in (on_card(9.0, 141, BOTH), machine()):
        assert "torch_compile" not in resolve(card(1_000_000_000), rows=1_000_000, where=where).settings.sft
    assert resolve(where=on_card(), **{"sft.torch_compile": False})
    with pytest.raises(InputError) as caught:
        resolve(where=on_card(), **{"sft.torch_compile": True})
    assert caught.value.code == "settings.refused.compiler"
