"""Predicted activation bytes against what a step really holds: `python -m tests.bench.forecast`.

The prediction comes from a dry run without memory (`tuning.engine.measure.dryrun`). What is measured comes from torch.profiler's memory
events over the forward and backward pass of the same model with real weights: allocations and frees of the CPU allocator,
nothing of the forecast's. Families below "held out" were not looked at while the forecast was made.
"""

import gc
import itertools
import statistics
import sys
import warnings
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.profiler import ProfilerActivity
from transformers import AutoConfig, AutoModelForCausalLM, set_seed

from tuning import presets, settings
from tuning.engine.device import DTYPES
from tuning.engine.kernels import lora_cpu
from tuning.engine.kernels.head import labelled_nll
from tuning.forecast import activations
from tuning.forecast.memory import target_names
from tuning.schema import ModelCard, TrainSettings
from tuning.studio import profiles

SIZES: dict[str, Any] = {
    "hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 6, "num_attention_heads": 6, "num_key_value_heads": 3,
    "head_dim": 64, "vocab_size": 4000, "max_position_embeddings": 2048, "shared_intermediate_size": 768, "mamba_n_heads": 12,
    "mamba_d_head": 64, "mamba_d_state": 32, "n_embd": 384, "n_layer": 6, "n_head": 6, "n_positions": 2048, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
LOOKED_AT = {
    "llama": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "qwen2": "Qwen/Qwen2.5-1.5B",
    "qwen3": "Qwen/Qwen3-1.7B",
    "apertus": "swiss-ai/Apertus-8B-Instruct-2509",
}
# (targets, rank, dropout, precision, checkpointing, rows, length, labelled of each row)
GRID: list[tuple[Any, int, float, str, str, int, int, int]] = [
    ("all-linear", 16, 0.0, "bf16", "none", 4, 256, 128),
    ("all-linear", 16, 0.05, "bf16", "none", 4, 256, 64),
    ("all-linear", 64, 0.05, "fp32", "none", 2, 512, 100),
    ("all-linear", 8, 0.0, "bf16", "full", 8, 256, 100),
    ("all-linear", 8, 0.05, "bf16", "every_2", 4, 384, 200),
    ("attention", 16, 0.0, "bf16", "none", 1, 1024, 500),
    ("attention", 32, 0.05, "fp32", "full", 4, 512, 100),
    ("attention", 16, 0.0, "fp32", "every_4", 2, 768, 300),
    (["q_proj", "v_proj"], 8, 0.05, "bf16", "none", 8, 128, 60),
    (["q_proj", "v_proj"], 4, 0.0, "bf16", "every_2", 1, 640, 300),
    ("all-linear", 256, 0.0, "bf16", "full", 1, 64, 32),  # nearly nothing but adapter
    ("all-linear", 128, 0.0, "bf16", "full", 4, 256, 128),
]
HELD_OUT = GRID[:8]


def card_of(id: str) -> ModelCard:
    """The catalog's card with sizes that a small machine can really hold."""
    card = presets.models(settings.PRESETS)[id]
    config = {key: SIZES.get(key, value) for key, value in card.config.items()}
    if card.config.get("num_key_value_heads") == card.config.get("num_attention_heads") and "num_key_value_heads" in config:
        config["num_key_value_heads"] = SIZES["num_attention_heads"]
    config |= {name: SIZES[name] for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    if "partial_rotary_factor" in config:
        config["partial_rotary_factor"] = 0.5  # an even share of the small heads
    layers = SIZES["num_hidden_layers"]
    if "layer_types" in config:
        found = sorted(set(card.config["layer_types"]))
        config["layer_types"] = [found[index % len(found)] for index in range(layers)]
    sizes = {"hidden_size": SIZES["hidden_size"], "num_hidden_layers": layers, "vocab_size": SIZES["vocab_size"]}
    return card.model_copy(update={"config": config, **sizes})


def measured(card: ModelCard, chosen: TrainSettings, targets: list[str], step: activations.Step) -> int:
    """The highest sum of allocations less frees over one forward and backward pass, in bytes."""
    set_seed(0)
    dtype = DTYPES[chosen.precision]
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**{**card.config, "model_type": card.model_type}), dtype=dtype)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=step.rank, lora_alpha=2 * step.rank, lora_dropout=chosen.lora_dropout, target_modules=targets
    )
    peft = get_peft_model(model, config)
    lora_cpu.quicken(peft)
    if chosen.gradient_checkpointing != "none":
        every = chosen.gradient_checkpointing.removeprefix("every_")
        peft.activation_checkpointing_enable(every_n_layers=int(every) if every.isdigit() else 1)
        peft.enable_input_require_grads()
    peft.train()
    ids = torch.randint(3, SIZES["vocab_size"], (step.rows, step.length))
    mask, labels = torch.ones_like(ids), ids.clone()
    labels[:, : step.length - step.labelled // step.rows] = -100
    if step.rows > 1:
        mask[1:, -7:] = 0
        labels[1:, : step.length - step.labelled // step.rows - 7] = -100
        labels[1:, step.length - step.labelled // step.rows - 7 :] = ids[1:, step.length - step.labelled // step.rows - 7 :]
        labels[1:, -7:] = -100

    def micro_batch() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=chosen.precision == "bf16"):
            loss, _ = labelled_nll(model, {"input_ids": ids, "attention_mask": mask, "labels": labels})
        loss.backward()

    micro_batch()  # gradients are counted with the adapter: let them be there already
    gc.collect()
    with torch.profiler.profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        micro_batch()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    return int(max(itertools.accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))))


def compare(family: str, card: ModelCard, setting: tuple[Any, int, float, str, str, int, int, int]) -> tuple[str, int, int]:
    """What was asked, the prediction and the measure."""
    wanted, rank, dropout, precision, checkpointing, rows, length, labelled = setting
    chosen = TrainSettings.model_validate(
        {
            "device": "cpu",
            "precision": precision,
            "lora_dropout": dropout,
            "gradient_checkpointing": checkpointing,
            "target_modules": wanted,
        }
    )
    targets = target_names(card, chosen)
    step = activations.Step(rows, length, rows * labelled, rank)
    profile = profiles.in_child(activations.Request(card=card, settings=chosen, targets=targets))
    predicted = activations.peak(profile, activations.kinds(card), checkpointing, step)
    name = wanted if isinstance(wanted, str) else "q, v"
    words = f"{family:<16} {name:<11} r {rank:<3} dropout {dropout:<4} {precision} {checkpointing:<8} {rows} x {length:<5}"
    return f"{words} {labelled:>4} learned", predicted, measured(card, chosen, targets, step)


def main() -> None:
    warnings.simplefilter("ignore")
    only = sys.argv[1:]
    others = {
        card.model_type + ("-hybrid" if "mamba" in card.config.get("layer_types", []) else ""): id
        for id, card in presets.models(settings.PRESETS).items()
        if card.model_type not in LOOKED_AT and card.config and not card.path
    }
    wrong: list[float] = []
    for title, families, grid in (("looked at", LOOKED_AT, GRID), ("held out", others, HELD_OUT)):
        print(f"{title}:")
        for number, (family, id) in enumerate(families.items()):
            if only and family not in only:
                continue
            mine = (
                grid[: 4 if family == "apertus" else None]
                if title == "looked at"
                else [grid[number % len(grid)], grid[(number + 3) % len(grid)]]
            )
            for setting in mine:
                words, predicted, real = compare(family, card_of(id), setting)
                wrong.append(100 * (predicted / real - 1))
                print(
                    f"  {words}  predicted {predicted / 2**20:7.1f} MiB  measured {real / 2**20:7.1f} MiB  {wrong[-1]:+5.1f} %", flush=True
                )
    sizes = [abs(error) for error in wrong]
    print(f"{len(sizes)} settings: median error {statistics.median(sizes):.1f} %, worst {max(sizes):.1f} %")


if __name__ == "__main__":
    main()
