"""Packed rows are learned as if each stood alone, in every family that may be packed; and nothing of a step is lost or padded."""

import pathlib
import random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, MistralConfig, MistralForCausalLM

from tests import families
from tuning import presets
from tuning.engine.device import Device
from tuning.engine.kernels import attention, head, packing
from tuning.engine.kernels.try_out import TryOut
from tuning.settings import PRESETS

CARDS = {card.id: card for card in presets.models(PRESETS).values() if card.config}
KINDS = {card.model_type: card for card in CARDS.values()}  # one of each architecture


def rows_of(lengths: list[int], vocabulary: int = 300) -> list[packing.TokenRow]:
    dice = random.Random(0)
    made = []
    for length in lengths:
        ids = [dice.randrange(5, vocabulary) for _ in range(length)]
        question = dice.randrange(0, length)
        made.append({"input_ids": ids, "labels": [-100] * question + ids[question:]})
    return made


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 200), st.booleans())
def test_every_row_is_in_one_micro_batch_and_none_is_too_large(lengths: list[int], most: int, packed: bool) -> None:
    rows = rows_of(lengths)
    batches = packing.arrange(rows, most, packed)
    assert sorted(id(row) for batch in batches for row in batch) == sorted(id(row) for row in rows)
    for batch in batches:
        sizes = [len(row["input_ids"]) for row in batch]
        positions = sum(sizes) if packed else max(sizes) * len(sizes)
        assert positions <= most or len(batch) == 1
    if packed:
        sums = [sum(len(row["input_ids"]) for row in batch) for batch in batches]
        assert len(batches) < 2 or min(a + b for at, a in enumerate(sums) for b in sums[at + 1 :]) > most, "two would have fitted in one"


def test_a_row_is_no_label_of_the_one_before_it() -> None:
    batch, lengths = packing.packed([{"input_ids": [7, 8], "labels": [7, 8]}, {"input_ids": [9], "labels": [9]}], torch.device("cpu"))
    assert lengths == [2, 1]
    assert batch["labels"].tolist() == [[-100, 8, -100]]
    assert batch["position_ids"].tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("kind", [kind for kind, card in KINDS.items() if card.packing])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_packed_equals_separate(tmp_path: pathlib.Path, kind: str, checkpointing: bool) -> None:
    torch.manual_seed(0)
    folder = families.build(tmp_path, KINDS[kind])
    base = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32)
    assert packing.fits(base, attention.separately)
    model = get_peft_model(base, LoraConfig(r=4, target_modules=KINDS[kind].target_modules, init_lora_weights=False, task_type="CAUSAL_LM"))
    if checkpointing:
        base.activation_checkpointing_enable({"use_reentrant": False})
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # of the family's own, in gpt2
    model.train()
    rows = rows_of([40, 3, 17, 1, 60], base.config.vocab_size)

    def measured(batches: list[list[packing.TokenRow]]) -> tuple[float, list[torch.Tensor]]:
        model.zero_grad()
        total = 0.0
        for some in batches:
            batch, lengths = packing.packed(some, torch.device("cpu"))
            if len(some) == 1:
                del batch["position_ids"]
                loss, _ = head.labelled_nll(base, batch)
                loss.backward()
            else:
                with packing.apart(base, lengths):
                    loss, _ = head.labelled_nll(base, batch)
                    loss.backward()
            total += loss.item()
        return total / packing.learned(rows), [p.grad.clone() for p in model.parameters() if p.requires_grad and p.grad is not None]

    alone, gradients = measured([[row] for row in rows])
    together, others = measured([rows])
    assert together == pytest.approx(alone, abs=1e-4)
    assert len(gradients) == len(others) > 0
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(other, one, atol=1e-3, rtol=1e-3)
    assert base.config._attn_implementation == "sdpa"


def test_rows_longer_than_a_sliding_window_are_packed_within_it() -> None:
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        sliding_window=8, attn_implementation="sdpa",
    )  # fmt: skip
    model = MistralForCausalLM(config).eval()
    rows = rows_of([30, 5, 20])
    alone = [head.labelled_nll(model, head.pad([row], 0, torch.device("cpu")))[0].item() for row in rows]
    batch, lengths = packing.packed(rows, torch.device("cpu"))
    with packing.apart(model, lengths):
        together = head.labelled_nll(model, batch)[0].item()
    assert together == pytest.approx(sum(alone), abs=1e-4)


@pytest.mark.parametrize("kind", [kind for kind, card in KINDS.items() if not card.packing])
def test_a_hybrid_that_was_planned_as_packed_is_found_out(tmp_path: pathlib.Path, kind: str) -> None:
    base = AutoModelForCausalLM.from_pretrained(families.build(tmp_path, KINDS[kind]), attn_implementation="sdpa")
    assert not packing.fits(base, attention.separately)


def test_packing_that_ended_a_process_while_it_was_tried_is_not_tried_again(tmp_path: pathlib.Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(families.build(tmp_path, KINDS["llama"]), attn_implementation="sdpa")

    def deadly(*_: Any) -> None:
        raise SystemExit(139)

    def fits() -> bool:
        return packing.fits(base, attention.separately, TryOut(tmp_path, torch.device("cpu")).works)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "packed", deadly)
        patch.setattr(Device, "alive", lambda self: False)
        with pytest.raises(SystemExit):
            fits()
    assert not fits()


def test_hybrids_are_never_packed() -> None:
    for card in CARDS.values():
        hybrid = "mamba" in card.config.get("layer_types", [])
        assert card.packing is not hybrid


@given(st.lists(st.integers(1, 80), min_size=1, max_size=40))
def test_each_row_goes_where_the_least_room_is_left(lengths: list[int]) -> None:
    room: list[int] = []
    for length in sorted((min(length, 64) for length in lengths), reverse=True):
        left = min((left for left in room if left >= length), default=64)
        if left in room:
            room.remove(left)
        room.append(left - length)
    rows = [{"input_ids": [number] * length, "labels": [1] * length} for number, length in enumerate(lengths)]
    batches = packing.arrange(rows, 64, True)
    assert sorted(row["input_ids"][0] for batch in batches for row in batch) == [*range(len(rows))]
    assert sorted(sum(min(len(row["input_ids"]), 64) for row in batch) for batch in batches) == sorted(64 - left for left in room)
