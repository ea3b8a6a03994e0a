"""The dry run: what it says of a step is what a step with real weights holds, and the process that asks is left as it was."""

import gc
import itertools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import torch
from peft import get_peft_model
from torch.profiler import ProfilerActivity
from transformers import AutoConfig, AutoModelForCausalLM

from tests.engine.conftest import Trainer, Undisturbed, losses
from tests.forecast.make_profiles import wanted
from tests.lots import lot
from tuning import presets, settings
from tuning.engine.kernels import lora_cpu
from tuning.engine.kernels.head import labelled_nll
from tuning.engine.learn.trainer import lora_config
from tuning.engine.measure import dryrun
from tuning.errors import EngineError
from tuning.forecast import activations
from tuning.forecast.activations import Request, Step
from tuning.machine.modelling_code import fingerprint
from tuning.schema import ActivationProfile, ModelCard, TrainSettings
from tuning.studio import profiles

SIZES = {
    "model_type": "llama", "hidden_size": 256, "intermediate_size": 640, "num_hidden_layers": 5, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 3000, "max_position_embeddings": 1024,
}  # fmt: skip
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture(scope="module")
def card() -> ModelCard:
    starter = presets.models(settings.PRESETS)["starter"]
    sizes = {key: SIZES[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")}
    return starter.model_copy(update={**sizes, "parameters": 5_000_000, "config": SIZES})


def request(card: ModelCard, **changes: object) -> Request:
    chosen = TrainSettings.model_validate({"device": "cpu", "precision": "bf16", **changes})
    return Request(card=card, settings=chosen, targets=ALL)


@pytest.fixture(scope="module")
def coming(card: ModelCard) -> Iterator[Future[ActivationProfile]]:
    """The profile of the card, which a child begins to find when this is first asked for."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(profiles.in_child, request(card))


@pytest.fixture(scope="module")
def profile(coming: Future[ActivationProfile]) -> ActivationProfile:
    return coming.result()


def test_a_forecast_beside_a_run_changes_no_loss(undisturbed: Undisturbed, coming: Future[ActivationProfile], trained: Trainer) -> None:
    alone, (together, _) = undisturbed(), trained()
    assert losses(together) == losses(alone) and not coming.done()


def test_an_architecture_that_does_not_take_part_is_said(card: ModelCard) -> None:
    broken = card.model_copy(update={"model_type": "no-such-thing"})
    with pytest.raises(EngineError) as caught:
        profiles.in_child(request(broken))
    assert caught.value.code == "plan.dryrun"


def test_every_model_of_the_catalog_has_its_profiles() -> None:
    names = {name for name, _ in wanted()}
    assert names == {path.stem for path in profiles.SHIPPED.glob("*.json")}  # else: python -m tests.forecast.make_profiles


def same(name: str, asked: Request) -> None:
    """The shipped profile and a fresh one say the same of steps large and small."""
    shipped = ActivationProfile.model_validate_json((profiles.SHIPPED / f"{name}.json").read_bytes())
    fresh, kinds = profiles.in_child(asked), activations.kinds(asked.card)
    assert fresh.key == shipped.key == name
    for checkpointing, step in itertools.product(
        ("none", "every_2", "full"), (Step(1, 64, 32, 256), Step(1, 2048, 500, 8), Step(8, 512, 999, 16))
    ):
        held = activations.peak(shipped, kinds, checkpointing, step)
        assert activations.peak(fresh, kinds, checkpointing, step) == pytest.approx(held, rel=1e-6), asked.card.id


def test_a_shipped_profile_is_what_some_steps_hold() -> None:
    dice = lot("profiles")
    name, asked = dice.choice(list(wanted()))
    shipped = ActivationProfile.model_validate_json((profiles.SHIPPED / f"{name}.json").read_bytes())
    layers = (list(dict.fromkeys(activations.kinds(asked.card))) * 3)[:3]
    gc.collect()
    gc.disable()
    try:
        for checkpointing in ("none", "full"):
            step = Step(dice.choice((1, 2, 4)), dice.choice((256, 512, 1024)), dice.choice((16, 50)), dice.choice((8, 64)))
            seen = dryrun.Model(asked, layers, checkpointing == "full", step.rank).step(step)
            highest = max(*seen.forward, *seen.head, *seen.head_backward, *seen.backward)
            assert activations.peak(shipped, layers, checkpointing, step) == pytest.approx(highest, rel=0.01), (asked.card.id, step)
    finally:
        gc.enable()


@pytest.mark.nightly
def test_all_shipped_profiles_are_what_a_dry_run_says() -> None:
    for name, asked in wanted():
        same(name, asked)


def held(asked: Request, checkpointing: str, step: Step) -> int:
    """The highest sum of allocations less frees of torch's CPU allocator, over forward and backward with real weights."""
    full = asked.settings.method == "full"
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**asked.card.config), dtype=torch.float32 if full else torch.bfloat16)
    peft: Any = model
    if not full:
        peft = get_peft_model(model, lora_config(asked.card, asked.settings.model_copy(update={"lora_r": step.rank})))
        lora_cpu.quicken(peft)
    if checkpointing != "none":
        every = checkpointing.removeprefix("every_")
        peft.activation_checkpointing_enable(every_n_layers=int(every) if every.isdigit() else 1)
    peft.train()
    ids = torch.randint(5, 3000, (step.rows, step.length))
    mask, labels = torch.ones_like(ids), ids.clone()
    mask[1:, -3:] = 0
    labels[:, : step.length - step.labelled // step.rows] = -100

    def micro_batch() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, _ = labelled_nll(model, {"input_ids": ids, "attention_mask": mask, "labels": labels})
        loss.backward()

    micro_batch()  # gradients are no part of the forecast: they are there from the first micro-batch on
    with torch.profiler.profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorder:
        micro_batch()
    events = [event for event in recorder.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    return max(itertools.accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))


@pytest.mark.parametrize(
    ("checkpointing", "step"),
    [("none", Step(4, 128, 200, 16)), ("every_2", Step(1, 700, 300, 4)), ("full", Step(6, 200, 600, 32)), ("full", Step(1, 64, 32, 256))],
)
def test_the_forecast_is_what_a_step_holds(card: ModelCard, profile: ActivationProfile, checkpointing: str, step: Step) -> None:
    predicted = activations.peak(profile, activations.kinds(card), checkpointing, step)
    assert predicted == pytest.approx(held(request(card), checkpointing, step), rel=0.02)


@pytest.mark.parametrize(
    ("tied", "checkpointing", "step"),
    [(False, "none", Step(1, 700, 300, 1)), (True, "none", Step(4, 128, 200, 1)), (True, "full", Step(1, 500, 90, 1))],
)
def test_of_a_model_that_is_trained_as_a_whole_too(card: ModelCard, tied: bool, checkpointing: str, step: Step) -> None:
    asked = request(card.model_copy(update={"config": {**card.config, "tie_word_embeddings": tied}}), method="full")
    seen = dryrun.Model(asked, ["layer"] * 5, checkpointing == "full", 1).step(step)
    highest = max(*seen.forward, *seen.head, *seen.head_backward, *seen.backward)
    assert 0.95 <= highest / held(asked, checkpointing, step) <= 1.1


def test_a_model_with_more_layers_is_what_its_profile_says(card: ModelCard, profile: ActivationProfile) -> None:
    step = Step(3, 320, 0, 24)
    seen = dryrun.Model(request(card), ["layer"] * 5, False, step.rank).step(step)
    highest = max(*seen.forward, *seen.backward)
    headless = profile.model_copy(update={"head": [], "head_backward": []})
    assert activations.peak(headless, ["layer"] * 5, "none", step) == pytest.approx(highest, rel=0.01)


def test_whoever_asks_is_left_as_it_was(card: ModelCard, profile: ActivationProfile) -> None:
    assert torch.get_default_dtype() == torch.float32
    assert profile.key == activations.key(request(card), fingerprint(card.model_type))
