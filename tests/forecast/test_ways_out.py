"""The ways out of trouble: what is offered is what a plan says, it suffices where that is said, and nothing is done unasked."""

import itertools
import json
import math
import pathlib
import shutil
from dataclasses import replace
from typing import Any

import pytest

from tests.forecast.test_plan import GIB, machine
from tuning import presets, settings
from tuning.cli import main
from tuning.errors import InputError
from tuning.forecast import choose, memory, plan, ways_out
from tuning.forecast.duration import START_SECONDS
from tuning.forecast.ways_out import Case, Offer
from tuning.machine.hardware import Gpu
from tuning.runs import files, locks
from tuning.schema import LOCAL, ModelCard, RunState, TrainSettings
from tuning.studio import Studio
from tuning.text import LANGUAGES
from tuning.tokens.lengths import Audit, Lengths, Looked
from tuning.ui.draw import offers as shown

CARDS = presets.models(settings.PRESETS)
QWEN = CARDS["Qwen/Qwen2.5-7B"]
SMALL = CARDS["HuggingFaceTB/SmolLM2-135M-Instruct"]
LONG_ROWS = plan.DataFacts(count=5000, characters=10_000_000, validation_rows=0)


def case(card: ModelCard = QWEN, rows: plan.DataFacts = LONG_ROWS, gpu_memory: float | None = None, ram: int = 20, **asked: Any) -> Case:
    wanted, _ = presets.parse_settings(TrainSettings(), asked, "--set")
    hardware = machine(memory_free=ram * GIB)

    def place(_: ModelCard, device: str) -> plan.Machine:
        return plan.Machine(hardware, plan.Calibration(), gpu_memory)

    return Case(card, rows, wanted, place, CARDS)


def looked(one: Case) -> tuple[plan.Resolved, str | None, list[Offer]]:
    found = one.attempt({})
    assert found is not None
    return found, *ways_out.ways(one, found)


TIGHT = [
    case(gpu_memory=4),
    case(gpu_memory=6, quantization="none"),
    case(gpu_memory=24, per_device_train_batch_size=64, gradient_accumulation_steps=2, max_length=2048, quantization="none"),
    case(gpu_memory=16, quantization="none", lora_r=64, lora_alpha=128, max_length=2048),
    case(ram=12),
    case(SMALL, ram=4, per_device_train_batch_size=256, max_length=1024),
    case(CARDS["openai-community/gpt2-medium"], ram=3, per_device_train_batch_size=32, gradient_accumulation_steps=1),
    case(CARDS["ibm-granite/granite-4.0-h-1b"], ram=4, max_length=1024, target_modules=["q_proj", "v_proj"]),
]
LATE = [
    case(SMALL, ram=200, device="cpu"),
    case(CARDS["Qwen/Qwen2.5-1.5B"], ram=200, num_train_epochs=12),
    case(QWEN, ram=2000, num_train_epochs=1, max_samples=300),
    case(CARDS["microsoft/phi-2"], ram=2000, max_steps=4000),
]


@pytest.mark.parametrize("one", TIGHT + LATE)
def test_every_offer_is_what_the_plan_with_its_changes_says(one: Case) -> None:
    now, cause, offers = looked(one)
    assert cause is not None and offers
    for offer in offers:
        then = one.attempt(offer.changes)
        assert then is not None and offer.changes
        assert (offer.predicted_peak_bytes, offer.seconds) == (then.forecast.peak_bytes, then.forecast.seconds)
        assert offer.suffices == (then.forecast.fits and (cause == "memory" or then.forecast.seconds <= ways_out.LONG))
        if cause == "slow":
            assert offer.seconds <= 0.8 * now.forecast.seconds
        else:
            assert offer.predicted_peak_bytes < now.forecast.peak_bytes or "device" in offer.changes
        for lang in LANGUAGES:
            assert "{" not in shown.words(offer.model_dump(), lang)
    enough = [offer.suffices for offer in offers]
    assert enough == sorted(enough, reverse=True)
    assert [offer.advised for offer in offers] == [place == 0 and enough[0] for place in range(len(offers))]
    assert len({offer.code for offer in offers}) == len(offers)


@pytest.mark.parametrize("one", TIGHT)
def test_from_what_changes_least_to_what_changes_most(one: Case) -> None:
    order = ["batch", "adapter", "nf4", "shorter", "rank", "targets", "together", "model", "cpu"]
    _, cause, offers = looked(one)
    assert cause == "memory"
    for enough in (True, False):
        places = [order.index(offer.code.removeprefix("help.")) for offer in offers if offer.suffices == enough]
        assert places == sorted(places)


def test_no_trouble_no_offers() -> None:
    assert looked(case(SMALL, gpu_memory=24))[1:] == (None, [])


def test_a_batch_that_the_recipe_fixed_is_offered_smaller_with_the_same_learning() -> None:
    one = case(SMALL, ram=4, per_device_train_batch_size=256, gradient_accumulation_steps=2, max_length=1024)
    now, _, offers = looked(one)
    assert (offers[0].code, offers[0].advised) == ("help.batch", True)
    then = one.attempt(offers[0].changes)
    rows = [int(made.settings.per_device_train_batch_size) * int(made.settings.gradient_accumulation_steps) for made in (now, then) if made]
    assert rows == [512, 512]


def test_a_lower_rank_keeps_its_strength_and_only_some_layers_means_those_of_the_family() -> None:
    full = TrainSettings(lora_r=64, lora_alpha=128, max_length=64, per_device_train_batch_size=1, gradient_accumulation_steps=1)
    rungs = dict(choose.ladder(QWEN, full.model_copy(update={"quantization": "nf4"})))
    assert rungs == {"rank": {"lora_r": 4, "lora_alpha": 8}, "targets": {"target_modules": ["q_proj", "v_proj"]}}
    assert dict(choose.ladder(CARDS["openai-community/gpt2"], full))["targets"] == {"target_modules": ["c_attn"]}
    few = full.model_copy(update={"target_modules": ["q_proj", "v_proj"], "lora_r": 4, "quantization": "nf4"})
    assert choose.ladder(QWEN, few) == []
    whole = full.model_copy(update={"method": "full", "max_length": 128, "quantization": "none"})
    assert [name for name, _ in choose.ladder(QWEN, whole)] == ["adapter", "shorter"]


def test_the_accumulation_of_a_smaller_batch_stays_within_the_schema() -> None:
    for batch, repeats in itertools.product((2, 3, 48, 1000, 1024), (1, 7, 1024)):
        chosen = TrainSettings(per_device_train_batch_size=batch, gradient_accumulation_steps=repeats, max_length=64)
        for name, changes in choose.ladder(QWEN, chosen):
            TrainSettings.model_validate(chosen.model_dump() | changes)
            if name == "batch":
                assert math.prod(changes.values()) == batch * repeats


def test_the_least_that_suffices_has_nothing_in_it_that_is_not_needed() -> None:
    steps = [{"a": 1}, {"b": 2}, {"c": 1}, {"c": 3}, {"d": 4}]
    saved = {("a", 1): 1, ("b", 2): 2, ("c", 1): 2, ("c", 3): 4, ("d", 4): 8}
    for need in range(1, 17):

        def suffices(changes: dict[str, Any], need: int = need) -> bool:
            return sum(saved[pair] for pair in changes.items()) >= need

        found = choose.least(steps, suffices)
        if need > 15:
            assert found is None
            continue
        assert found is not None and suffices(choose.joined(found))
        for step in found:
            assert not suffices(choose.joined([other for other in found if other is not step]))


def test_several_at_once_where_none_is_enough_alone() -> None:
    sizes = (3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.2, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0)
    wanted = {"max_length": 2048, "lora_r": 64, "lora_alpha": 128, "quantization": "nf4"}
    found = [offers for size in sizes for _, cause, offers in [looked(case(gpu_memory=size, **wanted))] if cause]
    joint = [offer for offers in found for offer in offers if offer.code == "help.together"]
    assert joint and all(offer.suffices and len(offer.params["steps"]) > 1 for offer in joint)
    for offers in found:
        alone = [offer for offer in offers if offer.suffices and offer.code not in ("help.together", "help.model", "help.cpu")]
        assert not (alone and any(offer.code == "help.together" for offer in offers))


def test_what_shorter_rows_cost_is_said_where_it_is_known() -> None:
    rows = [Looked(row=row, length=1000, learned=[(4, 1000)], stop=999) for row in range(1, 51)]
    known = plan.DataFacts(count=50, characters=200_000, validation_rows=0, lengths=Lengths(Audit(rows=50, looked=rows)))
    one = case(SMALL, rows=known, ram=3, per_device_train_batch_size=16, max_length=1024, target_modules="attention")
    (shorter,) = [offer for offer in looked(one)[2] if offer.code == "help.shorter"]
    assert shorter.params["cut"] == pytest.approx(100 - shorter.params["length"] / 10, abs=1)


def test_the_processor_is_the_last_resort_and_a_card_the_first() -> None:
    last = looked(case(gpu_memory=2, ram=200))[2]
    enough = [offer.code for offer in last if offer.suffices]
    assert enough[-1] == "help.cpu"
    card = Gpu(index=0, name="RTX 4090", memory_total=24 * GIB, memory_free=23 * GIB, compute_capability=8.9)
    spared = case(SMALL, device="cpu")
    there = replace(spared, machine=lambda card_, device: plan.Machine(machine(gpus=[card]), plan.Calibration()))
    assert looked(there)[2][0].changes == {"device": "auto"}


def test_a_model_instead_is_alike_smaller_and_not_the_starter() -> None:
    for one in (*TIGHT, *LATE):
        for offer in looked(one)[2]:
            if "model" in offer.changes:
                taken = CARDS[offer.changes["model"]]
                assert taken.path is None and taken.parameters < one.card.parameters
                assert one.card.italian not in ("good", "excellent") or taken.italian in ("good", "excellent")
                if one in LATE:
                    assert taken.parameters < 3e9
    assert ways_out.nearest(CARDS["Qwen/Qwen2.5-7B-Instruct"], CARDS)[0] != "Qwen/Qwen2.5-7B-Instruct"


def test_a_run_that_had_too_little_gets_offers_that_take_less_than_it_did() -> None:
    one = case(SMALL, ram=20, per_device_train_batch_size=8, gradient_accumulation_steps=2, max_length=512, lora_r=64, lora_alpha=64)
    now = one.attempt({})
    assert now is not None and now.forecast.fits  # it was forecast to fit, and did not
    cause, offers = ways_out.after(one, now.forecast.seconds, None, helped_itself=False)
    libraries = now.forecast.parts["libraries"]
    assert cause == "memory" and offers[0].code == "help.batch" and offers[0].advised
    for offer in offers:
        assert offer.suffices == (offer.predicted_peak_bytes - libraries <= 0.9 * (now.forecast.peak_bytes - libraries))
    helped = ways_out.after(one, now.forecast.seconds, None, helped_itself=True)[1]
    assert "help.batch" not in {offer.code for offer in helped} and helped[0].advised


def test_a_run_that_is_late_gets_offers_at_its_own_pace() -> None:
    one = case(SMALL, ram=20, rows=plan.DataFacts(count=200, characters=80_000, validation_rows=0), num_train_epochs=10)
    now = one.attempt({})
    assert now is not None
    expected = now.forecast.seconds
    cause, offers = ways_out.after(one, expected, 5 * expected, helped_itself=False)
    assert cause == "slow" and offers
    for offer in offers:
        then = one.attempt(offer.changes)
        assert then is not None and offer.seconds > 4 * (then.forecast.seconds - START_SECONDS)
        assert offer.seconds <= 0.8 * 5 * expected
        assert offer.suffices == (offer.seconds <= max(600, expected))


# Through the studio


def test_the_plan_s_offers_can_be_taken_as_they_stand(studio: Studio) -> None:
    model, recipe, device = "Qwen/Qwen2.5-7B", "facts", 6.0
    found = studio.plans.plan(model, "starter-en", recipe, {"quantization": "none"}, device)
    assert found["cause"] == "memory" and not found["fits"]
    for offer in found["offers"]:
        if offer["code"] == "help.targets":  # a profile of its own would be made first, in half a minute
            continue
        changes = {"quantization": "none", **offer["changes"]}
        again = studio.plans.plan(changes.pop("model", model), "starter-en", recipe, changes, device)
        assert again["fits"] == offer["suffices"]
        assert again["seconds"] == pytest.approx(offer["seconds"], rel=0.01)
    assert studio.plans.plan("starter", "starter-en")["offers"] == []


def test_a_terminal_refuses_with_lines_to_copy(
    tiny_model: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = shutil.copytree(tiny_model, tmp_path / "large")
    config = json.loads((large / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_size": 8192, "num_hidden_layers": 40, "intermediate_size": 28672, "vocab_size": 512_000}
    (large / "config.json").write_text(json.dumps(config), encoding="utf-8")
    words = ["-m", str(large), "-d", "starter-en", "--set", "per_device_train_batch_size=1024"]
    assert main.main(["train", *words]) == 2
    refused = capsys.readouterr()
    assert main.main(["plan", *words]) == 0
    planned = capsys.readouterr()
    assert not refused.out
    for said in (refused.err, planned.out):
        assert "    --set per_device_train_batch_size=1 --set gradient_accumulation_steps=1024\n" in said
    assert main.main(["plan", *words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["offers"][0].keys() >= {"code", "params", "changes", "predicted_peak_bytes", "seconds"}


def test_a_rate_that_only_the_recipe_set_is_not_said_to_be_set_by_anybody(studio: Studio) -> None:
    def said(settings: dict[str, Any]) -> list[str]:
        notices = studio.plans.plan("starter", "starter-en", "quick-phi2", settings)["notices"]
        return [notice["code"] for notice in notices if "learning_rate" in notice["code"]]

    assert said({}) == ["plan.learning_rate_recipe"]
    assert said({"learning_rate": 1e-4}) == ["plan.learning_rate_given"]


def test_what_a_processor_has_shown_does_not_count_for_a_card(studio: Studio, home: pathlib.Path) -> None:
    def seconds(**changes: Any) -> float:
        return float(studio.plans.plan("starter", "starter-en", "facts", changes, 8.0)["seconds"])

    before = seconds()
    record = {"device": "cpu", "parameters": 4_000_000, "peak_bytes": 9, "raw_predicted_bytes": 10, "fixed_bytes": 1}
    files.append_line(home / "calibration.jsonl", {**record, "tokens_per_second": 1.0, "operations_per_token": 1e6})
    assert seconds() == before
    assert seconds(device="cpu") > 100 * before


def test_a_run_is_started_anew_with_less_and_a_late_one_is_stopped_for_it(studio: Studio) -> None:
    run = studio.runs.create("starter", "starter-en", "quick", {"seed": 7}, "first")
    assert studio.runs.ways(run.id) == {"cause": None, "offers": []}
    run.write_state(RunState(status="paused", reason="memory"))
    found = studio.runs.ways(run.id)
    assert found["cause"] == "memory" and found["offers"][0]["advised"]
    started = studio.runs.again(run.id, found["offers"][0]["changes"])
    made = studio.shared.store.find(started["run"], LOCAL).spec()
    assert started["status"] == "queued" and made.name == "first" and made.settings.seed == 7 and made.settings.lora_r == 8
    assert made.changes == {"seed": 7, **found["offers"][0]["changes"]}  # and nothing of what the plan decided
    assert made.settings.model_dump().items() >= found["offers"][0]["changes"].items()
    assert not run.stop_requested()
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        run.write_state(RunState(status="running", step=1, seconds=60.0, seconds_left=90_000.0))
        assert studio.runs.ways(run.id)["cause"] == "slow"
        studio.runs.again(run.id, {"num_train_epochs": 0.5})
        assert run.stop_requested()


def test_no_other_run_is_advised_that_would_end_later_than_the_one_that_is_late(studio: Studio) -> None:
    run = studio.runs.create("starter", "starter-en", "facts")
    left = 2.5 * run.spec().forecast.seconds
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        for seconds in (0.0, 100.0 * left):  # it has just begun; it has nearly done
            run.write_state(RunState(status="running", step=1, seconds=seconds, seconds_left=left))
            found = studio.runs.ways(run.id)
            assert found["cause"] == "slow" and [offer for offer in found["offers"] if offer["seconds"] >= left] == []
            assert [offer["advised"] for offer in found["offers"]] == [place == 0 for place in range(len(found["offers"]))]
            assert bool(found["offers"]) == (seconds == 0.0)


def test_without_its_data_nothing_can_be_started_anew(studio: Studio, home: pathlib.Path) -> None:
    run = studio.runs.create("starter", "starter-en", "quick")
    run.write_state(RunState(status="failed", reason="memory"))
    (home / "data" / run.spec().data.id).rename(home / "elsewhere")
    with pytest.raises(InputError) as caught:
        studio.runs.ways(run.id)
    assert caught.value.code == "data.unknown"


def test_what_is_only_offered_is_not_done() -> None:
    one = case(gpu_memory=6, quantization="none", lora_r=64)
    now, _, offers = looked(one)
    assert (now.settings.lora_r, now.settings.quantization) == (64, "none") and offers
    assert memory.target_names(QWEN, now.settings) == QWEN.target_modules
