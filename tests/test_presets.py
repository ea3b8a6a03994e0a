"""Every preset file is read, every mistake in one is named with file and key, and names of older scripts are understood."""

import pathlib
from typing import Any

import pytest
import yaml
from accelerate.commands import launch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DeepSpeedPlugin, FullyShardedDataParallelPlugin, patch_environment
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

from tuning import presets, settings, text
from tuning.errors import InputError
from tuning.forecast import plan
from tuning.forecast.data_facts import EXAMPLES
from tuning.forecast.memory import adapter_parameters
from tuning.machine.hardware import Hardware
from tuning.schema import LOCAL, DatasetCard, GeneralRows, ModelCard, Probe, Recipe, TrainSettings
from tuning.studio import Studio

FILES = sorted(path for path in settings.PRESETS.glob("*/*.yaml") if path.parent.name != "distributed")
LAUNCHES = sorted(settings.PRESETS.glob("distributed/*.yaml"))
KINDS: dict[str, Any] = {"models": ModelCard, "recipes": Recipe, "datasets": DatasetCard, "probe": Probe, "general": GeneralRows}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_is_valid(path: pathlib.Path) -> None:
    card, _ = presets.read(path, KINDS[path.parent.name])
    assert card.id


def told_to_processes(path: pathlib.Path, args: Any) -> dict[str, str]:
    """The environment of the processes that accelerate launch would start."""
    args.deepspeed_fields_from_accelerate_config = ",".join(load_config_from_file(str(path)).deepspeed_config)  # as `launch_command` does
    found = prepare_multi_gpu_env(args) if path.stem.startswith(("ddp", "fsdp")) else prepare_deepspeed_cmd_env(args)[1]
    return dict(found)


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda path: path.name)
def test_accelerate_itself_takes_every_configuration_of_several_cards(path: pathlib.Path) -> None:
    """As `accelerate launch` reads it: each key known, each process told what it says."""
    found = load_config_from_file(str(path))
    words = ["--config_file", str(path), "-m", "tuning", "train", "--set", "max_steps=1"]
    args, _, _ = launch._validate_launch_command(launch.launch_command_parser().parse_args(words))
    assert args.training_script == "tuning" and args.module and args.training_script_args == ["train", "--set", "max_steps=1"]
    assert (args.num_processes, args.num_machines) == (found.num_processes, found.num_machines) and args.num_processes > 1
    told = told_to_processes(path, args)
    assert told["ACCELERATE_MIXED_PRECISION"] == "no"
    read = settings.read(told)
    assert (read.shared_by, read.offloads) == ({"fsdp2": "FSDP", "zero2": "ZeRO-2", "zero3": "ZeRO-3"}.get(path.stem), False)
    expected = {"fsdp2": {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_RESHARD_AFTER_FORWARD": "true"}}
    expected |= {f"zero{stage}": {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(stage)} for stage in (2, 3)}
    assert expected.get(path.stem, {}).items() <= told.items()
    if path.stem == "fsdp2":
        with patch_environment(**told):
            plugin = FullyShardedDataParallelPlugin()
        assert plugin.fsdp_version == 2 and str(plugin.state_dict_type).endswith("FULL_STATE_DICT")


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeed_itself_takes_its_configurations(stage: int) -> None:
    """As accelerate hands them on to it, with the numbers that a trainer fills in."""
    deepspeed = pytest.importorskip("deepspeed.runtime.config", reason="deepspeed is not installed; nothing here needs it")
    path = settings.PRESETS / "distributed" / f"zero{stage}.yaml"
    words = ["--config_file", str(path), "-m", "tuning"]
    args, _, _ = launch._validate_launch_command(launch.launch_command_parser().parse_args(words))
    with patch_environment(**told_to_processes(path, args)):
        handed = DeepSpeedPlugin().deepspeed_config
    numbers = {"train_batch_size": 8, "train_micro_batch_size_per_gpu": 4, "gradient_accumulation_steps": 2}
    found = deepspeed.DeepSpeedConfig({**handed, **numbers})
    assert found.zero_config.stage == stage and found.zero_enabled
    assert {str(found.zero_config.offload_optimizer.device), str(found.zero_config.offload_param.device)} <= {
        "none",
        "OffloadDeviceEnum.none",
    }


def test_the_probe_asks_the_same_in_both_languages_and_its_sentences_say_the_answers() -> None:
    probe = presets.probe(settings.PRESETS)
    assert probe.keys() == {"en", "it"} and len(probe["en"]) == len(probe["it"])
    for item in [*probe["en"], *probe["it"]]:
        assert item.answers[0] in item.text and not any(answer.lower() in item.question.lower().split() for answer in item.answers)


def test_numbers_as_people_write_them() -> None:
    asked = yaml.safe_load("learning_rate: 2e-4")  # YAML 1.1 reads this as a string
    assert presets.parse_settings(TrainSettings(), asked, "x.yaml")[0].learning_rate == 2e-4


def test_open_maps_are_merged_by_key() -> None:
    base, _ = presets.parse_settings(TrainSettings(), {"sft": {"logging_steps": 5}}, "x.yaml")
    changed, _ = presets.parse_settings(base, {"sft.weight_decay": 0.1, "lora.use_rslora": True}, "--set")
    assert changed.sft == {"logging_steps": 5, "weight_decay": 0.1}
    assert changed.lora == {"use_rslora": True}


@pytest.mark.parametrize(
    ("changes", "code", "key"),
    [
        ({"lora_rank": 4}, "settings.unknown", "lora_rank"),
        ({"learning_rate": "fast"}, "settings.value", "learning_rate"),
        ({"num_train_epochs": 0}, "settings.value", "num_train_epochs"),
        ({"precision": "bf8"}, "settings.value", "precision"),
        ({"device": "tpu"}, "settings.value", "device"),
        ({"gradient_checkpointing": "every_0"}, "settings.value", "gradient_checkpointing"),
        ({"target_modules": 3}, "settings.value", "target_modules"),
        ({"seed": -1}, "settings.value", "seed"),
    ],
)
def test_a_bad_setting_is_named(changes: dict[str, Any], code: str, key: str) -> None:
    with pytest.raises(InputError) as caught:
        presets.parse_settings(TrainSettings(), changes, "--set")
    assert (caught.value.code, caught.value.params["key"]) == (code, key)


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError) as caught:
        presets.parse_settings(TrainSettings(), {"learning_rat": 1e-4}, "--set")
    assert caught.value.params["nearest"] == "learning_rate"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("title: [", "preset.yaml"),
        ("- a\n- b\n", "preset.yaml"),
        ("title: {en: a, it: b}\n", "preset.missing"),
        ("title: {en: a, it: b}\nwhy: {en: a, it: b}\nsettings: {lora_rank: 3}\n", "settings.unknown"),
        ("title: {en: a, it: b}\nwhy: {en: a, it: b}\nmodle: x\n", "settings.unknown"),
    ],
)
def test_a_bad_file_is_named(tmp_path: pathlib.Path, text: str, code: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        presets.read(path, Recipe)
    assert caught.value.code == code
    assert "mine.yaml" in str(caught.value.params)


RECIPES = presets.recipes(settings.PRESETS)


def test_the_recipes_stand_in_an_order_that_helps() -> None:
    names = list(RECIPES)
    assert names[:4] == ["facts", "quick", "style", "classify"]  # the first is taken where nobody chooses
    with_model = [RECIPES[name].model is not None for name in names]
    assert with_model == sorted(with_model)


@pytest.mark.parametrize("lang", ["en", "it"])
def test_who_has_classes_is_told_their_recipe_by_its_name(lang: str) -> None:
    assert RECIPES["classify"].title.model_dump()[lang] in text.t(lang, "data.check.few", count=3, total=60)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_what_is_there(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.model is None or recipe.model in presets.models(settings.PRESETS)
    assert recipe.dataset is None or recipe.dataset in presets.datasets(settings.PRESETS)
    assert not presets.mapped(settings.PRESETS)[name]  # ours speak the names of today


def test_a_few_thousandths_of_a_large_model_are_trained() -> None:
    recipe = RECIPES["qlora-attention"]
    card = presets.models(settings.PRESETS)[str(recipe.model)]
    assert adapter_parameters(card, recipe.settings) / card.parameters == pytest.approx(0.002, rel=0.2)


@pytest.mark.parametrize("gigabytes", [24, 12, 8])
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_planned_on_any_card(name: str, gigabytes: int) -> None:
    recipe, bytes_ = RECIPES[name], 64 * 2**30
    computer = Hardware(system="Linux", cpu="x", cores=8, cpu_bf16=True, memory_total=bytes_, memory_free=bytes_, disk_free=bytes_, gpus=[])
    card = presets.models(settings.PRESETS)[recipe.model or "starter"]
    found = plan.resolve(card, EXAMPLES, recipe.settings, plan.Machine(computer, plan.Calibration(), gigabytes))
    codes = {notice.code for notice in found.notices}
    assert found.forecast.fits or (found.offer and {"plan.no_fit", "plan.offer"} <= codes)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"max_seq_length": 512}, {"max_length": 512}),
        ({"sft": {"max_seq_length": 512}}, {"max_length": 512}),
        ({"lora": {"r": 4, "alpha": 8}}, {"lora_r": 4, "lora_alpha": 8}),
        ({"r": 4, "lora_alpha": 8}, {"lora_r": 4, "lora_alpha": 8}),
        ({"fp16": True}, {"precision": "auto"}),
        ({"sft.bf16": True, "fp16": False}, {"precision": "bf16"}),
        ({"torch_dtype": "torch.bfloat16"}, {"precision": "bf16"}),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}, {"quantization": "nf4"}),
        ({"load_in_4bit": False, "load_in_8bit": True}, {"quantization": "int8"}),
        ({"load_in_4bit": False}, {"quantization": "none"}),
        ({"per_gpu_train_batch_size": 2}, {"per_device_train_batch_size": 2}),
        ({"gradient_checkpointing": True}, {"gradient_checkpointing": "full"}),
        ({"gradient_checkpointing": False}, {"gradient_checkpointing": "none"}),
        ({"sft.warmup_ratio": 0.1}, {"warmup_ratio": 0.1}),
        ({"warmup_steps": 50}, {"sft": {"warmup_steps": 50}}),
        ({"optim": "paged_adamw_8bit"}, {"sft": {"optim": "paged_adamw_8bit"}}),
        ({"use_flash_attention_2": True}, {"attn_implementation": "flash_attention_2"}),
        ({"attn_implementation": "eager"}, {"attn_implementation": "sdpa"}),
        ({"sft.optim": "adamw_hf"}, {"sft": {"optim": "adamw_torch"}}),
        ({"group_by_length": True}, {"sft": {"train_sampling_strategy": "group_by_length"}}),
        ({"evaluation_strategy": False}, {"sft": {"eval_strategy": "no"}}),  # `no` in YAML
        ({"evaluation_strategy": "steps"}, {}),
        ({"bias": "none", "task_type": "CAUSAL_LM"}, {"lora": {"bias": "none"}}),
        ({"packing": "bfd"}, {"packing": True, "sft": {"packing_strategy": "bfd"}}),
        ({"packing": "none"}, {"packing": False}),
        ({"output_dir": "out"}, {}),
    ],
)
def test_arguments_of_older_scripts_are_mapped_and_told(old: dict[str, Any], new: dict[str, Any]) -> None:
    read, told = presets.parse_settings(TrainSettings(), old, "--set")
    assert read == TrainSettings(**new)
    assert told and {notice.code for notice in told} <= {"settings.mapped", "settings.dropped"}


def test_names_of_today_are_nothing_to_tell() -> None:
    today = {"num_train_epochs": 3, "warmup_ratio": 0.03, "packing": False, "gradient_checkpointing": "every_2", "precision": "fp16"}
    _, told = presets.parse_settings(TrainSettings(), {**today, "sft.optim": "adamw_torch", "lora.bias": "none", "sft": {}}, "--set")
    assert not told


def test_of_an_old_and_a_new_name_the_new_one_counts() -> None:
    read, told = presets.parse_settings(TrainSettings(), {"max_seq_length": 512, "max_length": 256}, "--set")
    assert read.max_length == 256
    assert told[0].params == {"old": "max_seq_length: 512", "new": "max_length: 256"}


@pytest.mark.parametrize("changes", [{"fp16": "perhaps"}, {"task_type": "SEQ_CLS"}, {"model.fp16": True}])
def test_what_is_not_understood_is_still_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        presets.parse_settings(TrainSettings(), changes, "--set")
    assert caught.value.code == "settings.unknown"


def test_a_recipe_of_2024_is_read_and_its_mapping_reaches_the_plan(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    root = tmp_path / "presets"
    (root / "recipes").mkdir(parents=True)
    for name in ("models", "datasets", "starter"):
        (root / name).symlink_to(settings.PRESETS / name, target_is_directory=True)
    words = "title: {en: a, it: b}\nwhy: {en: a, it: b}\nmax_samples: 9\n"
    path = root / "recipes" / "mine.yaml"
    path.write_text(words + "settings: {max_seq_length: 64, fp16: true, sft: {logging_steps: 5}}\n", encoding="utf-8")
    studio = Studio(settings.Settings(home=home, presets=root), LOCAL)
    assert "mapped" not in studio.plans.recipes()[0]["settings"]
    found = studio.plans.plan("starter", "starter-en", "mine", {"lora.r": 4})
    chosen = TrainSettings(**found["settings"])
    assert (chosen.max_length, chosen.lora_r, chosen.max_samples, chosen.sft) == (64, 4, 9, {"logging_steps": 5})
    told = [notice["params"]["old"] for notice in found["notices"] if notice["code"] == "settings.mapped"]
    assert told == ["max_seq_length: 64", "fp16: true", "lora.r: 4"]


def test_the_rate_of_a_recipe_is_not_taken_for_another_method() -> None:
    recipe = presets.recipes(settings.PRESETS)["tinyllama-dolly"]
    assert presets.base(recipe, {}).learning_rate == presets.base(recipe, {"method": "lora"}).learning_rate == 2e-4
    changed = presets.base(recipe, {"method": "full"})
    assert changed.learning_rate == "auto" and changed.max_samples == 5000
