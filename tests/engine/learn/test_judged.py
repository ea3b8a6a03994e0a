"""What passes to SFTConfig and LoraConfig: each field of the installed ones is judged; what passes trains, what is refused does nothing."""

import dataclasses
import inspect
import pathlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import peft
import pytest
import torch
import transformers
import yaml
from transformers import AutoModelForCausalLM, get_scheduler
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames
from trl import SFTConfig

from tests import families
from tests.conftest import ROOT
from tests.engine.conftest import Trainer
from tests.engine.kernels.test_families import CARDS
from tests.watched import watched
from tuning import presets, text
from tuning.engine.learn.train import train
from tuning.engine.learn.trainer import lora_config, sft_config
from tuning.engine.resident import Resident
from tuning.errors import InputError, RunError
from tuning.forecast import elsewhere, memory
from tuning.presets import judged, legacy, optimizing
from tuning.runs.run_folder import Run
from tuning.schema import TrainSettings
from tuning.studio import Studio

LEFT = {f"sft.{name}" for name in legacy.DECIDED - legacy.FOLDERS} & judged.FIELDS.keys()  # older scripts have them, and they do nothing
REFUSED = [path for path, found in judged.FIELDS.items() if found.why and path not in LEFT]
PASSED = [path for path, found in judged.FIELDS.items() if found.takes]
# For each field that is passed, another value than that of the library.
OTHER: dict[str, Any] = {
    "sft.lr_scheduler_type": "polynomial",
    "sft.lr_scheduler_kwargs": {"lr_end": 1e-9},
    "sft.warmup_steps": 2,
    "sft.optim": "sgd",
    "sft.optim_args": "momentum=0.5",
    "sft.weight_decay": 0.1,
    "sft.adam_beta1": 0.8,
    "sft.adam_beta2": 0.99,
    "sft.adam_epsilon": 1e-6,
    "sft.max_grad_norm": 0.5,
    "sft.neftune_noise_alpha": 5,
    "sft.router_aux_loss_coef": 0.01,
    "sft.data_seed": 3,
    "sft.train_sampling_strategy": "sequential",
    "sft.packing_strategy": "bfd",
    "sft.gradient_checkpointing_kwargs": {"use_reentrant": False},
    "sft.logging_steps": 2,
    "sft.logging_first_step": True,
    "sft.save_steps": 2,
    "sft.eval_strategy": "no",
    "sft.per_device_eval_batch_size": 4,
    "sft.dataloader_drop_last": True,
    "sft.ddp_timeout": 60,
    "sft.run_name": "Prices",
    "sft.project": "tailor",
    "lora.use_rslora": True,
    "lora.lora_bias": True,
    "lora.fan_in_fan_out": False,
    "lora.bias": "none",
    "lora.init_lora_weights": False,
    "lora.rank_pattern": {"q_proj": 2},
    "lora.alpha_pattern": {"q_proj": 2},
    "lora.exclude_modules": ["v_proj"],
    "lora.layers_to_transform": [0],
    "lora.layers_pattern": ["layers"],
}
# Stood for by the app (STOOD_FOR), refused by the plan, or a library of its own.
ELSEWHERE = {"sft.report_to", "sft.use_liger_kernel", "sft.dataloader_pin_memory", "sft.label_smoothing_factor", "sft.loss_type"}
ELSEWHERE |= {"sft.dataloader_num_workers", "lora.use_dora"}


@pytest.mark.parametrize(("group", "config"), [("sft", SFTConfig), ("lora", peft.LoraConfig)])
def test_every_field_of_the_installed_libraries_is_judged(group: str, config: Any) -> None:
    """Red after an update? Say in `tuning/presets/judged.py` what becomes of the new field: passed, the same as ours, or refused."""
    there = {field.name for field in dataclasses.fields(config) if field.init}
    listed = {path.partition(".")[2] for path in judged.FIELDS if path.startswith(f"{group}.")}
    assert there == listed


def test_each_is_judged_in_one_way_and_said_in_both_languages() -> None:
    for found in judged.FIELDS.values():
        assert sum(part is not None for part in found[:3]) == 1
    assert {found.why for found in judged.FIELDS.values()} - {None} == {
        key.removeprefix("settings.refused.") for key in text.table("it") if key.startswith("settings.refused.")
    }


def test_the_words_for_optimizers_and_schedulers_are_transformers_own() -> None:
    assert set(judged.OPTIMIZERS.__args__) <= {name.value for name in OptimizerNames}
    assert set(judged.SCHEDULERS.__args__) <= {name.value for name in SchedulerType}


def test_what_each_schedule_takes_is_what_its_function_takes() -> None:
    assert optimizing.SCHEDULES.keys() == set(judged.SCHEDULERS.__args__)
    ours = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
    for name, known in optimizing.SCHEDULES.items():
        taken = inspect.signature(TYPE_TO_SCHEDULER_FUNCTION[SchedulerType(name)]).parameters
        assert set(known) == taken.keys() - ours, name
    assert {name for known in optimizing.SCHEDULES.values() for name in known} == set(judged.SCHEDULER_OPTIONS.__args__)
    assert inspect.signature(TYPE_TO_SCHEDULER_FUNCTION[SchedulerType("polynomial")]).parameters["lr_end"].default == optimizing.LR_END


VALUES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in optimizing.SCHEDULES),
    *((name, {key: 1}) for name in optimizing.SCHEDULES for key in judged.SCHEDULER_OPTIONS.__args__),
    *((name, {"min_lr": low, "min_lr_rate": share}) for name in ("cosine_with_min_lr",) for low in (None, 0.1) for share in (None, 0.1)),
    *(("polynomial", {"lr_end": end}) for end in (0.4, 0.5, 0.6, "linear", None)),
    *(("warmup_stable_decay", {"num_decay_steps": 2, key: value}) for key in optimizing.KINDS for value in ("cosine", 1)),
    *(("inverse_sqrt", {"timescale": value}) for value in (0, None, 5)),
]


def test_a_schedule_that_the_plan_takes_goes_through_a_run_and_another_does_not_or_does_nothing() -> None:
    """Built on an optimizer that changes nothing, and asked for each of its steps."""
    ignored = {"constant", "constant_with_warmup"}  # they drop what they are given without a word
    for name, given in VALUES:
        asked = TrainSettings(learning_rate=0.5, sft={"lr_scheduler_type": name, "lr_scheduler_kwargs": given})
        try:
            optimizing.refuse(asked)
            refused = False
        except InputError:
            refused = True
        try:
            schedule = get_scheduler(name, torch.optim.SGD([torch.zeros(1)], lr=0.5), 2, 9, scheduler_specific_kwargs=dict(given))
            for _ in range(9):
                schedule.optimizer.step()
                schedule.step()
            works = not (given and name in ignored)
        except (TypeError, ValueError, ZeroDivisionError):
            works = False
        assert refused is not works, (name, given)


def test_what_each_optimizer_takes_is_what_changes_it() -> None:
    def made(optimizer: str, given: str | None) -> Any:
        args: Any = SimpleNamespace(
            optim=OptimizerNames(optimizer), optim_args=given, learning_rate=0.1, adam_beta1=0.9, adam_beta2=0.99, adam_epsilon=1e-8
        )
        return transformers.Trainer.get_optimizer_cls_and_kwargs(args)[1]

    every = {name for known in optimizing.OPTIMIZERS_TAKE.values() for name in known}
    for optimizer in judged.OPTIMIZERS.__args__:
        known = optimizing.OPTIMIZERS_TAKE.get(optimizer, ())
        if not optimizer.startswith("rmsprop_bnb"):  # it is handed texts in the place of numbers
            plain = made(optimizer, None)
            values = {name: "true" if name in optimizing.SWITCHED else "3" for name in every}
            assert {name for name, value in values.items() if made(optimizer, f"{name}={value}") != plain} == set(known)


@pytest.mark.parametrize("kind", CARDS)
def test_which_layers_have_a_bias_of_their_own_and_where_they_are_counted(kind: str) -> None:
    card = CARDS[kind]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(families.shrink(card.config))
    adapted = {name: module for name, module in model.named_modules() if name.rpartition(".")[2] in card.target_modules}
    assert adapted
    for name, module in adapted.items():
        *above, last = name.split(".")
        assert elsewhere.biased(card, last) is (module.bias is not None), name
        assert above[[part.isdigit() for part in above].index(True) - 1] == memory.container(card), name


def test_over_a_shared_link_nothing_names_a_place_a_tracker_or_a_compiler() -> None:
    shared = {path for path in judged.FIELDS if judged.over_the_web(path)}
    assert shared and not shared & {
        *REFUSED,
        "sft.report_to",
        "sft.run_name",
        "sft.project",
        "sft.torch_compile",
        "sft.torch_compile_backend",
    }
    assert not [path for path in shared if any(word in path for word in ("path", "dir", "token", "hub", "worker", "config", "compile"))]
    assert not judged.over_the_web("sft.zzz")


@pytest.mark.parametrize("path", REFUSED)
def test_what_is_refused_opens_writes_and_sends_nothing(studio: Studio, path: str) -> None:
    studio.plans.recipes()
    place = studio.settings.home / "elsewhere"
    for value in (True, str(place), {"trust_remote_code": True}, None):
        with watched() as seen, pytest.raises(InputError) as caught:
            studio.runs.train("starter", "starter-en", settings={path: value})
        assert not seen and not studio.settings.home.exists()
        assert caught.value.code.startswith("settings.refused.") and caught.value.params == {"key": path}
    for lang in ("en", "it"):
        said = text.say(lang, caught.value.code, caught.value.params)
        assert f"{path}" in said and said.count(".") > 1


def test_what_older_scripts_say_for_nothing_is_left_out_and_told() -> None:
    assert LEFT
    for path in LEFT:
        read, (told,) = presets.parse_settings(TrainSettings(), {path: True}, "--set")
        assert read == TrainSettings() and told.code == "settings.dropped" and path in told.params["old"]


def test_what_is_passed_reaches_the_libraries(make_run: Callable[..., Run]) -> None:
    assert set(PASSED) == {*OTHER, *ELSEWHERE}
    spec = make_run(**OTHER).spec()
    sft, lora = sft_config(make_run(), spec), lora_config(spec.model.card, spec.settings)
    for path, value in OTHER.items():
        group, _, name = path.partition(".")
        found = getattr(sft if group == "sft" else lora, name)
        assert set(found) == set(value) if isinstance(value, list) else found == value, path


def test_a_run_learns_with_much_of_it(trained: Trainer) -> None:
    """A gradient_checkpointing of every second layer stays so beside an argument of its own."""
    odd = {"sft.optim_args", "sft.warmup_steps", "lora.layers_pattern", "sft.train_sampling_strategy", "sft.router_aux_loss_coef"}
    run, state = trained(**{path: value for path, value in OTHER.items() if path not in odd}, gradient_checkpointing="every_2")
    assert state.status == "finished", state.error
    assert sft_config(run, run.spec()).gradient_checkpointing_kwargs == {"every_n_layers": 2, "use_reentrant": False}


def test_what_the_library_does_not_take_together_is_said(trained: Trainer) -> None:
    _, state = trained(**{"lora.lora_bias": True, "lora.init_lora_weights": "gaussian"})
    assert state.status == "failed" and state.error is not None and state.error.code == "settings.lora"
    assert "lora_bias" in state.error.params["detail"]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("sft.push_to_hub", True, "settings.refused.hub"),
        ("sft.accelerator_config", "/etc/passwd", "settings.refused.processes"),
        ("sft.num_train_epochs", 1e9, "settings.value"),
        ("sft.logging_stepz", 1, "settings.unknown"),
        ("lora.auto_mapping", {"parent_library": "antigravity"}, "settings.refused.kind"),
    ],
)
def test_a_run_of_an_older_version_is_told(make_run: Callable[..., Run], studio: Studio, key: str, value: Any, code: str) -> None:
    run = make_run()
    path = run.folder / "spec.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    group, _, name = key.partition(".")
    content["settings"][group][name] = value
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert studio.runs.list()[0]["run"] == run.id and studio.runs.show(run.id)["spec"]["settings"][group] == {name: value}
    with pytest.raises(RunError) as caught:
        studio.runs.resume(run.id)
    assert caught.value.code == "run.setting" and caught.value.params == {"run": run.id, "key": key}
    with watched() as seen:
        state = train(run, studio.shared.store, Resident())
    assert state.status == "failed" and state.error is not None and state.error.code == code and state.error.params["key"] == key
    assert not [entry for entry in seen if entry[0].startswith("socket") or "passwd" in entry[1] or "antigravity" in entry[1]]
    assert not (run.folder / "checkpoints").exists() or not any((run.folder / "checkpoints").iterdir())


def test_the_documents_name_every_field() -> None:
    page = (pathlib.Path(ROOT) / "docs" / "settings.md").read_text(encoding="utf-8")
    missing = [path for path in judged.FIELDS if f"`{path.partition('.')[2]}`" not in page]
    assert not missing
