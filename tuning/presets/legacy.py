"""Arguments of older scripts under the names of today: what notebooks, recipes and habits of 2024 still say.

It knows names and values, no library. Every mapping is told as a notice, so that nobody has to guess what was understood.
"""

from collections.abc import Iterator
from typing import Any

from tuning.presets.judged import MAPS, same, shown
from tuning.schema import Notice

Pairs = list[tuple[str, Any]]  # ("max_length", 512), ("sft.optim", "adamw_torch")

# Old names, and names that SFTConfig and LoraConfig still have and that older scripts gave beside all others.
RENAMED = {
    **dict.fromkeys(("max_seq_length", "max_seq_len", "cutoff_len"), "max_length"),
    "r": "lora_r",
    "alpha": "lora_alpha",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "sft.per_device_eval_batch_size",
    "use_liger": "sft.use_liger_kernel",
    "warmup_ratio": "warmup_ratio",
    "packing": "packing",
    "attn_implementation": "attn_implementation",
    "optim": "sft.optim",
    "bias": "lora.bias",
}
RENAMED |= {name: f"sft.{name}" for name in ("warmup_steps", "weight_decay", "max_grad_norm", "logging_steps", "save_steps")}
# What a switch stood for, on and off. Half precision was fp16 for everybody: where bf16 is there, that is what is meant today.
SWITCHES = {
    "fp16": ("precision", "auto", "auto"),
    "bf16": ("precision", "bf16", "auto"),
    "load_in_4bit": ("quantization", "nf4", "none"),
    "load_in_8bit": ("quantization", "int8", "none"),
    "use_flash_attention_2": ("attn_implementation", "flash_attention_2", "auto"),
    "no_cuda": ("device", "cpu", "auto"),
    "use_cpu": ("device", "cpu", "auto"),
    "group_by_length": ("sft.train_sampling_strategy", "group_by_length", "random"),
}
_PRECISION: dict[str, Pairs] = {
    "auto": [],
    "float16": [("precision", "auto")],
    "bfloat16": [("precision", "bf16")],
    "float32": [("precision", "fp32")],
}
_CHECKPOINTING: dict[str, Pairs] = {"true": [("gradient_checkpointing", "full")], "false": [("gradient_checkpointing", "none")]}
_EVALUATION: dict[str, Pairs] = {"no": [("sft.eval_strategy", "no")], "false": [("sft.eval_strategy", "no")], "steps": [], "epoch": []}
# By value, in small letters; nothing where the app does it anyway.
VALUES: dict[str, dict[str, Pairs]] = {
    "torch_dtype": _PRECISION,
    "dtype": _PRECISION,
    "evaluation_strategy": _EVALUATION,
    "eval_strategy": _EVALUATION,
    "attn_implementation": {"eager": [("attn_implementation", "sdpa")]},  # the same, written out
    "gradient_checkpointing": _CHECKPOINTING,
    "activation_checkpointing": _CHECKPOINTING,
    "optim": {"adamw_hf": [("sft.optim", "adamw_torch")], "adamw_apex_fused": [("sft.optim", "adamw_torch_fused")]},
    "packing": {
        "none": [("packing", False)],
        **{way: [("packing", True), ("sft.packing_strategy", way)] for way in ("bfd", "wrapped")},
    },
    "bnb_4bit_quant_type": {"nf4": []},
    "bnb_4bit_use_double_quant": {"true": []},
    "task_type": {"causal_lm": []},
    "inference_mode": {"false": []},
}
# What the app decides, whatever was said: where things are written, when it is evaluated, in which numbers NF4 computes.
FOLDERS = {"output_dir", "overwrite_output_dir", "logging_dir"}  # passed on to a library, they are refused
DECIDED = {
    *(*FOLDERS, "save_safetensors", "load_best_model_at_end", "do_train", "do_eval"),
    *("bnb_4bit_compute_dtype", "half_precision_backend", "fp16_backend", "fp16_opt_level", "include_tokens_per_second"),
    *("dataset_text_field", "dataset_batch_size"),
}


def modern(changes: dict[str, Any]) -> tuple[dict[str, Any], list[Notice]]:
    """`changes` by the names of today, those of the open maps as `sft.name`, and what was mapped.

    Where a setting comes under its old and its new name, the new one counts.
    """
    known: dict[str, Any] = {}
    old: list[tuple[str, Pairs]] = []
    for path, value in _flat(changes):
        group, _, name = path.rpartition(".")
        pairs = _today(group, name, value) if group in ("", *MAPS) else None
        if pairs is None or pairs == [(path, value)]:
            known[path] = value
        else:
            old.append((f"{path}: {_written(value)}", pairs))
    for _, pairs in sorted(old, key=lambda entry: entry[0].endswith(": false")):  # what is on counts more than what is off
        for path, value in pairs:
            known.setdefault(path, value)
    return known, [_told(said, pairs, known) for said, pairs in old]


def nested(changes: dict[str, Any]) -> dict[str, Any]:
    """`sft.name` back in its map, as files hold it."""
    result: dict[str, Any] = {}
    for path, value in changes.items():
        group, _, name = path.partition(".")
        if name and group in MAPS:
            result.setdefault(group, {})[name] = value
        else:
            result[path] = value
    return result


def _flat(changes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in changes.items():
        if key in MAPS and isinstance(value, dict):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            yield str(key), value


def _today(group: str, name: str, value: Any) -> Pairs | None:
    """What an argument is today: nothing where the app does it anyway, None where there is nothing to map."""
    plain = not isinstance(value, dict | list)
    word = str(value).lower().removeprefix("torch.") if plain else ""
    if name in DECIDED and plain and not (group and name in FOLDERS):
        return []
    if word in VALUES.get(name, {}):
        return VALUES[name][word]
    if name in SWITCHES and word in ("true", "false"):
        path, on, off = SWITCHES[name]
        return [(path, on if word == "true" else off)]
    if group and (ours := same(f"{group}.{name}")) is not None:
        return [(ours, value)]
    return [(RENAMED[name], value)] if name in RENAMED else None


def _told(said: str, pairs: Pairs, known: dict[str, Any]) -> Notice:
    if not pairs:
        return Notice(code="settings.dropped", params={"old": said})
    return Notice(code="settings.mapped", params={"old": said, "new": ", ".join(f"{path}: {_written(known[path])}" for path, _ in pairs)})


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else shown(value)
