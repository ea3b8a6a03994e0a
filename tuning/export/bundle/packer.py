"""A child process that writes what `retrain` reads: the rows of a run in tokens, its settings for SFTConfig and LoraConfig, its tokenizer.

Reading a tokenizer and naming TRL's settings needs transformers and trl, which are slow to import; no model is loaded.
"""

import json
import pathlib
import shutil
import sys
from importlib import metadata
from typing import Any

import yaml
from peft import LoraConfig

from tuning.data.library import Library
from tuning.export import maker
from tuning.hub.download import MANIFEST
from tuning.hub.repository import DownloadManifest
from tuning.presets import replay
from tuning.runs import disk
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import RunSpec
from tuning.tokens import labels

SCRIPT = pathlib.Path(__file__).with_name("retrain.py")
LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "bitsandbytes")
OURS = ("disable_tqdm", "logging_nan_inf_filter")
QUANTISED = ("load_in_8bit", "load_in_4bit", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant", "bnb_4bit_compute_dtype")
# Names of LoraConfig -> those of `trl sft`.
BY_TRL = {name: f"lora_{name}" for name in ("target_modules", "target_parameters", "modules_to_save", "task_type")}
BY_TRL |= {name: name for name in ("use_rslora", "use_dora", "lora_dropout", "lora_alpha")} | {"r": "lora_r"}


def settings_of(run: Run, spec: RunSpec, model: str | None, revision: str | None) -> dict[str, Any]:
    """All that `retrain` has to know, as JSON."""
    from tuning.engine.device import DTYPES
    from tuning.engine.learn.trainer import lora_config, sft_options
    from tuning.engine.resident import quantized

    settings, state = spec.settings, run.state()
    full = settings.method == "full"
    four = quantized(str(settings.quantization), DTYPES[str(settings.precision)])
    sft = {key: value for key, value in sft_options(spec).items() if key not in OURS and value is not None}
    return {
        "model": model,
        "revision": revision,
        "dtype": "float32" if full else str(DTYPES[str(settings.precision)]).removeprefix("torch."),
        "quantization": {key: value for key, value in four.to_dict().items() if key in QUANTISED and value} if four else {},
        "sft": {**sft, "report_to": "none"},
        "lora": None if full else _lora(lora_config(spec.model.card, settings)),
        "steps": state.step,
        "loss": state.train_loss,
    }


def _lora(config: LoraConfig) -> dict[str, Any]:
    """What of a LoraConfig is not as usual, and what has another usual value in TRL."""
    usual, own = LoraConfig().to_dict(), config.to_dict()
    changed = {key: own[key] for key in own if own[key] != usual.get(key) or key in ("r", "lora_alpha", "lora_dropout")}
    return {key: sorted(value) if isinstance(value, set) else value for key, value in changed.items()}


def for_trl(settings: dict[str, Any]) -> str:
    """The same for `trl sft --config`; what its options cannot say stands in a comment."""
    lora = settings["lora"] or {}
    said = {
        "model_name_or_path": settings["model"],
        **({"model_revision": settings["revision"]} if settings["revision"] else {}),
        "dtype": settings["dtype"],
        "datasets": [{"path": "json", "data_files": "rows.jsonl"}],
        "output_dir": "adapter",
        **settings["sft"],
        **({"use_peft": True} if lora else {}),
        **{BY_TRL[key]: value for key, value in lora.items() if key in BY_TRL},
        **({"load_in_4bit": True, "use_bnb_nested_quant": True} if settings["quantization"].get("load_in_4bit") else {}),
        **({"load_in_8bit": True} if settings["quantization"].get("load_in_8bit") else {}),
    }
    left = {key: value for key, value in lora.items() if key not in BY_TRL}
    note = "" if settings["model"] else "# The base model is not on the Hub: name its folder below.\n"
    note += f"# Not among its options: {json.dumps(left)}\n" if left else ""
    return f"# In this folder: trl sft --config trl-sft.yaml\n{note}{yaml.safe_dump(said, sort_keys=False, allow_unicode=True)}"


def base(run: Run, spec: RunSpec, into: pathlib.Path) -> tuple[str | None, str | None]:
    """The name by which `retrain` finds the base, and its revision. What is small or nowhere else goes along."""
    place = pathlib.Path(spec.model.path)
    if spec.settings.method == "full" and spec.continues is not None:
        shutil.copytree(run.start, into / "start")
        return "start", None
    if spec.model.card.path:  # it comes with us
        shutil.copytree(place, into / "base")
        return "base", None
    kept: Any = disk.kept(lambda: disk.record(place / MANIFEST, DownloadManifest), None)
    return (kept.repository.id, kept.repository.revision) if kept else (None, None)


def pack(request: dict[str, Any]) -> dict[str, Any]:
    """Write the bundle. Raises TuningError, OSError."""
    from tuning.engine.learn import publish
    from tuning.engine.learn.train import load_rows
    from tuning.engine.learn.trainer import own_tokenizer
    from tuning.engine.resident import Resident

    run, store, into = Run(pathlib.Path(request["run"])), Store(pathlib.Path(request["home"])), pathlib.Path(request["into"])
    spec = run.spec()
    resident = Resident(lambda path: request["trusts"])
    resident.tokenizer = labels.load(spec.model.path, request["trusts"])
    rows = load_rows(spec, store, resident).train
    raw = [*Library(store.home).parts(spec.data.id, spec.owner, spec.settings)[0], *replay.of(spec)]
    for name, lines in (("rows.jsonl", rows), ("conversations.jsonl", raw)):
        with (into / name).open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    settings = settings_of(run, spec, *base(run, spec, into))
    (into / "settings.json").write_text(json.dumps(settings, indent=2, ensure_ascii=False), encoding="utf-8")
    (into / "trl-sft.yaml").write_text(for_trl(settings), encoding="utf-8")
    (into / "tokenizer").mkdir()
    publish.save_tokenizer(own_tokenizer(spec, resident), into / "tokenizer", spec.settings.thinking)
    if run.start.is_file():
        shutil.copyfile(run.start, into / "start.safetensors")
    shutil.copyfile(SCRIPT, into / SCRIPT.name)
    names = [name for name in LIBRARIES if name != "bitsandbytes" or settings["quantization"]]
    pinned = [f"{name}=={(spec.versions.get(name) or metadata.version(name)).partition('+')[0]}\n" for name in names]
    (into / "requirements.txt").write_text("".join(pinned), encoding="utf-8")
    return {}


if __name__ == "__main__":
    sys.exit(maker.child(pack, "the bundle"))
