"""What somebody may try to pass through `sft:` and `lora:`, at every door: refused with a sentence, before anything is opened or made."""

import json
import pathlib
import re
from typing import Any

import pytest
import yaml

from tests.watched import watched
from tuning import presets, settings, text
from tuning.cli.main import main
from tuning.errors import InputError
from tuning.schema import Recipe
from tuning.studio import Studio

TOKEN = "hf_" + "CALLERTOKENabcdefghijklmnop0123"
# What it names, and what the sentence offers instead. Each did something of the kind once: steps without an end, a push, a file opened.
TRIED: list[tuple[dict[str, Any], str, str]] = [
    ({"sft.num_train_epochs": 1e9}, "num_train_epochs", r"\b1000\b"),
    ({"sft": {"num_train_epochs": "1e9"}}, "num_train_epochs", r"\b1000\b"),
    ({"sft.num_train_epochs": float("inf")}, "num_train_epochs", r"\b1000\b"),
    ({"sft.max_steps": 10**12}, "max_steps", r"\b10000000\b"),
    ({"max_steps": 10**12}, "max_steps", r"\b10000000\b"),
    ({"sft.per_device_train_batch_size": 2048}, "per_device_train_batch_size", r"\b1024\b"),
    ({"sft.gradient_accumulation_steps": 10**9}, "gradient_accumulation_steps", r"\b1024\b"),
    ({"sft.learning_rate": float("nan")}, "learning_rate", "auto"),
    ({"sft.learning_rate": "x"}, "learning_rate", "auto"),
    ({"sft.max_length": 4}, "max_length", r"\b16\b"),
    ({"sft.seed": -1}, "seed", r"\b0\b"),
    ({"sft.adam_beta1": -5}, "sft.adam_beta1", r"\b0\b"),
    ({"sft.adam_epsilon": float("nan")}, "sft.adam_epsilon", r"\b0\b"),
    ({"sft.max_grad_norm": float("inf")}, "sft.max_grad_norm", r"\b0\b"),
    ({"sft.weight_decay": True}, "sft.weight_decay", r"\b0\b"),
    ({"sft.logging_steps": "abc"}, "sft.logging_steps", r"\b0\b"),
    ({"sft.dataloader_num_workers": 4000}, "sft.dataloader_num_workers", r"\b8\b"),
    ({"sft.per_device_eval_batch_size": 10**6}, "sft.per_device_eval_batch_size", r"\b1024\b"),
    ({"sft.torch_compile_backend": "os.system"}, "sft.torch_compile_backend", "attn_implementation"),
    ({"sft.optim": "galore_adamw"}, "sft.optim", "adamw_torch"),
    ({"sft.optim_args": "a=" + "b" * 10_000}, "sft.optim_args", ""),
    ({"sft.optim_target_modules": "(a+)+$"}, "sft.optim_target_modules", "gradient_checkpointing"),
    ({"sft.lr_scheduler_kwargs": {"num_cycles": {"a": {"b": 1}}}}, "sft.lr_scheduler_kwargs", "num_cycles"),
    ({"sft.lr_scheduler_kwargs": {"lr_lambda": "os.system"}}, "sft.lr_scheduler_kwargs", "num_cycles"),
    ({"sft.gradient_checkpointing_kwargs": {"context_fn": "x"}}, "sft.gradient_checkpointing_kwargs", "use_reentrant"),
    ({"sft.run_name": "../../x"}, "sft.run_name", ""),
    ({"sft.output_dir": "/tmp/elsewhere"}, "sft.output_dir", "--home"),
    ({"sft": {"logging_dir": "/tmp/elsewhere"}}, "sft.logging_dir", ""),
    ({"sft.push_to_hub": True, "sft.hub_model_id": "somebody/loot"}, "sft.push_to_hub", "export"),
    ({"sft.hub_token": TOKEN}, "sft.hub_token", "export"),
    ({"sft.trackio_space_id": "somebody/space"}, "sft.trackio_space_id", "sft.report_to"),
    ({"sft.resume_from_checkpoint": "/etc"}, "sft.resume_from_checkpoint", "resume"),
    ({"sft.accelerator_config": "/etc/passwd"}, "sft.accelerator_config", "device"),
    ({"sft.deepspeed": {"zero_optimization": {"stage": 1}}}, "sft.deepspeed", "device"),
    ({"sft.fsdp": "full_shard", "sft.fsdp_config": "/etc/passwd"}, "sft.fsdp", "device"),
    ({"sft.ddp_backend": "gloo"}, "sft.ddp_backend", "device"),
    ({"sft.local_rank": 3}, "sft.local_rank", "device"),
    ({"sft.parallelism_config": {"tp_size": 4}}, "sft.parallelism_config", "device"),
    ({"sft.chat_template_path": "somebody/template"}, "sft.chat_template_path", "--chat-template"),
    ({"sft.eos_token": "<evil>"}, "sft.eos_token", "-m"),
    ({"sft.trust_remote_code": True}, "sft.trust_remote_code", "--allow-remote-code"),
    ({"sft.model_init_kwargs": {"attn_implementation": "kernels-community/flash-attn"}}, "sft.model_init_kwargs", "attn_implementation"),
    ({"sft.dataset_kwargs": {"skip_prepare_dataset": False}}, "sft.dataset_kwargs", "check"),
    ({"sft.save_strategy": "steps"}, "sft.save_strategy", "sft.save_steps"),
    ({"sft.auto_find_batch_size": True}, "sft.auto_find_batch_size", "per_device_train_batch_size"),
    ({"sft.debug": "underflow_overflow"}, "sft.debug", "sft.logging_steps"),
    ({"sft.zzz": 1}, "sft.zzz", "sft."),
    ({"lora.r": 100_000}, "lora_r", r"\b1024\b"),
    ({"lora.lora_alpha": 10**9}, "lora_alpha", r"\b4096\b"),
    ({"lora.target_modules": "(([a-z._0-9])+)+X"}, "target_modules", "all-linear"),
    ({"lora.exclude_modules": "(([a-z._0-9])+)+X"}, "lora.exclude_modules", ""),
    ({"lora.rank_pattern": {"(a+)+$": 4}}, "lora.rank_pattern", ""),
    ({"lora.rank_pattern": {"q_proj": 100_000}}, "lora.rank_pattern", ""),
    ({"lora.megatron_config": {"a": 1}, "lora.megatron_core": "antigravity"}, "lora.megatron_config", "lora.use_rslora"),
    ({"lora.auto_mapping": {"base_model_class": "os", "parent_library": "os"}}, "lora.auto_mapping", "method"),
    ({"lora.base_model_name_or_path": "somebody/base"}, "lora.base_model_name_or_path", "-m"),
    ({"lora.corda_config": {"cache_file": "/tmp/elsewhere"}}, "lora.corda_config", "lora.use_dora"),
    ({"lora.loftq_config": {}}, "lora.loftq_config", "lora.use_dora"),
    ({"lora.init_lora_weights": "pissa"}, "lora.init_lora_weights", "gaussian"),
    ({"lora.modules_to_save": ["embed_tokens"]}, "lora.modules_to_save", "full"),
    ({"lora.layer_replication": [[0, 2], [0, 2]]}, "lora.layer_replication", "full"),
    ({"lora.bias": "all"}, "lora.bias", "none"),
    ({"lora.zzz": 1}, "lora.zzz", "lora."),
]


def deep(levels: int = 3000) -> Any:
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(("tried", "named", "instead"), TRIED, ids=lambda part: part if isinstance(part, str) else None)
def test_it_is_refused_before_anything_is_opened(studio: Studio, tried: dict[str, Any], named: str, instead: str) -> None:
    studio.plans.recipes()
    with watched() as seen, pytest.raises(InputError) as caught:
        studio.runs.train("starter", "starter-en", settings=tried)
    assert not seen and not studio.settings.home.exists()
    for lang in ("en", "it"):
        said = text.say(lang, caught.value.code, caught.value.params)
        allowed = re.sub(r"(?<=\d)[.,](?=\d{3})", "", said.rpartition(": ")[2])  # without the thousands' signs of a language
        assert named in said and (re.search(instead, allowed) if instead.startswith("\\b") else instead in said)
        assert TOKEN not in said and len(said) < 700


@pytest.mark.parametrize("path", ["sft.optim_args", "sft.report_to", "sft.output_dir", "output_dir", "lora.rank_pattern"])
def test_however_deep_it_is(studio: Studio, path: str) -> None:
    with pytest.raises(InputError):
        studio.runs.train("starter", "starter-en", settings={path: deep()})


@pytest.mark.parametrize(
    ("asked", "passed"),
    [
        ({"sft.adam_epsilon": "1e-6"}, {"adam_epsilon": 1e-6}),  # as YAML 1.1 reads it
        ({"sft.weight_decay": "0.1", "sft.save_steps": 5}, {"weight_decay": 0.1, "save_steps": 5}),
        ({"sft.lr_scheduler_type": "polynomial", "sft.lr_scheduler_kwargs": {"power": 2}}, None),
        ({"sft.neftune_noise_alpha": 5, "sft.run_name": "Prices, second try"}, None),
        ({"sft.gradient_checkpointing_kwargs": {"use_reentrant": False}}, None),
        ({"lora.exclude_modules": "q_proj,v_proj"}, {"exclude_modules": ["q_proj", "v_proj"]}),
        ({"lora.exclude_modules": "q_proj"}, {"exclude_modules": ["q_proj"]}),  # no pattern
        ({"lora.rank_pattern": {"layers.0.q_proj": 4}, "lora.use_dora": True}, None),
    ],
)
def test_what_is_meant_well_passes_with_its_type(asked: dict[str, Any], passed: dict[str, Any] | None) -> None:
    read, told = presets.parse_settings(presets.TrainSettings(), asked, "--set")
    found = {**read.sft, **read.lora}
    assert found == (passed or {path.partition(".")[2]: value for path, value in asked.items()}) and not told
    assert all(type(found[key]) is type(value) for key, value in (passed or {}).items())


def test_what_is_ours_too_is_ours_and_the_plan_knows_of_it(studio: Studio) -> None:
    found = studio.plans.plan(
        "starter", "starter-en", settings={"sft": {"max_steps": 7, "learning_rate": "3e-4"}, "lora": {"lora_alpha": 8}}
    )
    assert found["steps"] == 7 and found["settings"]["learning_rate"] == 3e-4 and found["settings"]["lora_alpha"] == 8
    assert not found["settings"]["sft"] and not found["settings"]["lora"]
    told = [notice["params"]["old"] for notice in found["notices"] if notice["code"] == "settings.mapped"]
    assert told == ["sft.max_steps: 7", "sft.learning_rate: 3e-4", "lora.lora_alpha: 8"]


@pytest.mark.parametrize("content", [{"sft": {"push_to_hub": True}}, {"sft": {"hub_token": TOKEN}}])
def test_a_file_gets_through_no_more_than_the_command_line(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], home: pathlib.Path, content: dict[str, Any]
) -> None:
    path = tmp_path / "choices.yaml"
    path.write_text(yaml.safe_dump({"model": "starter", "data": "starter-en", "settings": content}), encoding="utf-8")
    (key,) = content["sft"]
    words = ["--set", f"sft.{key}={content['sft'][key]}"]
    for given in (["train", "--spec", str(path)], ["train", *words], ["plan", *words]):
        assert main(given) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1 and f"sft.{key}" in said.err and TOKEN not in said.err + said.out
    assert not home.exists()


def test_a_recipe_gets_through_no_more_either(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mine.yaml"
    words = {"title": {"en": "a", "it": "b"}, "why": {"en": "a", "it": "b"}}
    path.write_text(json.dumps({**words, "settings": {"sft": {"deepspeed": "/etc/passwd"}}}), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        presets.read(path, Recipe)
    assert caught.value.code == "settings.refused.processes" and caught.value.params == {"key": "sft.deepspeed"}


def test_the_recipes_that_are_here_pass() -> None:
    assert presets.recipes(settings.PRESETS)
