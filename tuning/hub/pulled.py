"""PEFT adapters of the Hub that were fetched to be talked to, below home/adapters/, each at the tag, branch or commit that it is named by.

A stranger's files are judged here before they are fetched, and once more when they are here: nothing but LoRA over a named base, in
safetensors, of a bounded size. How they come is `shelf`'s affair; nothing is loaded, and torch is not known here.
"""

import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pydantic

from tuning.errors import InputError
from tuning.hub.download import MANIFEST
from tuning.hub.repository import ID, AdapterRepository, HubFile
from tuning.hub.shelf import manifest_of
from tuning.models import examine, model_folder
from tuning.presets import judged
from tuning.runs import disk, reading
from tuning.schema import ModelCard, TrainSettings

REVISION = re.compile(r"[A-Za-z0-9][\w.-]{0,119}", re.ASCII)  # of a tag, a branch or a commit; ids of runs are such tags
CONFIG, WEIGHTS, CARD = "adapter_config.json", "adapter_model.safetensors", "README.md"
MOST = {CONFIG: 2**20, WEIGHTS: 8 * 2**30, CARD: 2**20, "tokenizer_config.json": 2**24, "chat_template.jinja": 2**20}  # bytes
# What PEFT writes down and does nothing by: who made it, and the values that its other kinds of adapters would begin from.
TOLD = frozenset({"peft_version", "auto_mapping", "inference_mode", "base_model_name_or_path", "revision", "peft_type", "task_type"})
TOLD |= {"qalora_group_size", "megatron_core"}
HALF = re.compile(r"\.lora_(?:embedding_)?([AB])(?:\.weight)?$")
BESIDE = re.compile(r"\.lora_(magnitude_vector(\.weight)?|B\.bias)$")  # DoRA's, and a bias: they have no other half
SETTINGS = re.compile(r"^```json\n(\{.*?\n\})\n```$", re.MULTILINE | re.DOTALL)  # in a card of ours


ALPHA: Any = judged.above(0, 4096 * 32)  # of a run here, folded by the root of the highest rank


class LoraBounds(pydantic.BaseModel):
    """What adapter_config.json may say of ranks, alphas and layers. Names are patterns to PEFT, and nothing but names goes through."""

    r: judged.whole(1, 1024)  # type: ignore[valid-type]
    lora_alpha: ALPHA
    alpha_pattern: judged.table(judged.MODULE, ALPHA, 1000) | None = None  # type: ignore[valid-type]
    target_modules: list[judged.MODULE] | Literal["all-linear"]


@dataclass(frozen=True)
class PulledAdapter:
    """An adapter of the Hub that is here. `name` is what it was asked for by, `id` tells it from another of the same name."""

    name: str
    id: str
    adapter: pathlib.Path
    base: str  # the id of its base
    thinking: str = "auto"  # how its rows were rendered, and in which precision it was trained, where its card says so
    precision: str = "auto"
    dora: bool = False


def parsed(target: str) -> tuple[str, str] | None:
    """Repository and revision of `owner/name@revision`; None of anything else."""
    repo, sign, revision = target.partition("@")
    there = sign and ID.fullmatch(repo) and ".." not in repo and "--" not in repo and REVISION.fullmatch(revision)
    return (repo, revision) if there else None


def folder_of(home: pathlib.Path, owner: str) -> pathlib.Path:
    """Where an owner's adapters are: a repository may be private. The name of an owner may be no name of a folder."""
    return home / "adapters" / hashlib.sha256(owner.encode()).hexdigest()[:16]


def place(home: pathlib.Path, owner: str, repo: str, revision: str) -> pathlib.Path:
    """The folder of one adapter."""
    return folder_of(home, owner) / f"{repo.replace('/', '--')}@{revision}"


def kept(home: pathlib.Path, owner: str) -> list[PulledAdapter]:
    """The owner's adapters that are here, by name."""
    folders = sorted(folder_of(home, owner).glob("[!.]*--*@*"))
    return [one for folder in folders if (one := read(folder)) is not None]


def find(home: pathlib.Path, owner: str, target: str) -> PulledAdapter:
    """The owner's adapter that `owner/name@revision` names. Raises InputError `pull.not_here`."""
    named = parsed(target)
    found = read(place(home, owner, *named)) if named is not None else None
    if found is None:
        raise InputError("pull.not_here", target=target)
    return found


def shape(found: PulledAdapter) -> dict[str, Any]:
    """The settings of a run whose adapter has the same layers, ranks and scaling. Raises InputError where none has."""
    config: Any = disk.document(found.adapter / CONFIG)
    alpha = float(config["lora_alpha"])
    if not alpha.is_integer():  # folded from rsLoRA, which a run has by its own name
        raise InputError("pull.setting", repo=found.name, key="lora_alpha")
    lora = {
        key: config[key] for key, one in judged.LORA.items() if one.takes and config.get(key) and key not in ("bias", "init_lora_weights")
    }
    return {
        "method": "lora",
        "lora_r": config["r"],
        "lora_alpha": int(alpha),
        "target_modules": config["target_modules"],
        "lora": lora,
    }


def read(folder: pathlib.Path) -> PulledAdapter | None:
    """The adapter in a folder that was fetched whole; None where there is none. No weight is read."""
    return _read(folder, reading.mark(*(folder / name for name in (CONFIG, WEIGHTS, CARD, MANIFEST))))


@functools.lru_cache(maxsize=256)
def _read(folder: pathlib.Path, marked: reading.Key) -> PulledAdapter | None:
    manifest = manifest_of(folder)
    if manifest is None or disk.adapter_fault(folder) is not None:
        return None
    config: Any = disk.kept(lambda: disk.document(folder / CONFIG), {})
    name = folder.name.replace("--", "/", 1)
    dora = bool(config.get("use_dora"))
    return PulledAdapter(name, f"{manifest.id}@{manifest.revision}", folder, manifest.card.id, **_learned(folder), dora=dora)


def _learned(folder: pathlib.Path) -> dict[str, str]:
    """What of the settings in a card that we wrote decides how the adapter is asked; nothing of what is no such word."""
    found = SETTINGS.search(disk.kept(lambda: disk.text(folder / CARD, MOST[CARD]), ""))
    try:
        said: Any = json.loads(found[1]) if found else {}
    except (ValueError, RecursionError):
        return {}
    words = {key: frozenset(get_args(TrainSettings.model_fields[key].annotation)) for key in ("thinking", "precision")}
    return {key: said[key] for key, known in words.items() if isinstance(said.get(key), str) and said[key] in known}


def template(folder: pathlib.Path, base: pathlib.Path) -> str:
    """`other` where an adapter brings another chat template than its base has, by which it will be asked; else `same`.

    Of a card of ours it is known how the rows were rendered: `thinking`.
    """
    ours = SETTINGS.search(disk.kept(lambda: disk.text(folder / CARD, MOST[CARD]), ""))
    own = _template(folder)
    return "other" if not ours and own is not None and own != _template(base) else "same"


def _template(folder: pathlib.Path) -> str | None:
    """The chat template that lies in a folder; None where none does."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return disk.kept(lambda: disk.text(path), "").strip()
    found: Any = disk.kept(lambda: disk.document(folder / "tokenizer_config.json"), {})
    said = found.get("chat_template") if isinstance(found, dict) else None
    return said.strip() if isinstance(said, str) else None


def base_of(found: AdapterRepository, cards: Mapping[str, ModelCard]) -> str:
    """The id of the base that an adapter names in its configuration, else in its card. Raises InputError `pull.no_base`."""
    named = found.config.get("base_model_name_or_path")
    for one in (named, found.base):
        if isinstance(one, str) and (one in cards or (ID.fullmatch(one) and ".." not in one)):
            return one
    raise InputError("pull.no_base", repo=found.id, base=judged.shown(named) if named else "–")


def files_of(found: AdapterRepository) -> list[HubFile]:
    """What of a repository is fetched. Raises InputError where its weights are no safetensors, or a file is larger than any can be."""
    files = [file for file in found.files if file.name in MOST or (examine.LEGAL.fullmatch(file.name) and file.size <= MOST[CARD])]
    if WEIGHTS not in {file.name for file in files}:
        raise InputError("pull.no_safetensors", repo=found.id)
    for file in files:
        if file.size > MOST.get(file.name, MOST[CARD]):
            raise InputError("pull.large", repo=found.id, file=file.name, most=MOST[file.name] / 2**20)
    return files


def require_lora(found: AdapterRepository) -> None:
    """Raises InputError where adapter_config.json asks for anything that a run here could not have been trained with."""
    config = found.config
    if config.get("peft_type") != "LORA" or config.get("task_type") not in (None, "CAUSAL_LM"):
        raise InputError("pull.kind", repo=found.id, kind=judged.shown(f"{config.get('peft_type')} {config.get('task_type')}"))
    if config.get("modules_to_save") or config.get("trainable_token_indices"):
        raise InputError("pull.embeddings", repo=found.id)
    passed: dict[str, Any] = {}
    for key, value in config.items():
        known = judged.LORA.get(key)
        if key in TOLD or value in (None, False, [], {}, "") or (known and known.same):
            continue
        if known is None or known.why is not None:
            raise InputError("pull.setting", repo=found.id, key=judged.shown(key))
        if key != "alpha_pattern":
            passed[key] = value
    try:
        LoraBounds.model_validate(config)
        judged.check(TrainSettings(lora=passed), CONFIG)
    except pydantic.ValidationError as error:
        raise InputError("pull.setting", repo=found.id, key=str(error.errors(include_url=False)[0]["loc"][0])) from error
    except InputError as error:
        raise InputError("pull.setting", repo=found.id, key=str(error.params["key"])) from error


def require_fit(folder: pathlib.Path, base: pathlib.Path, repo: str, title: str) -> None:
    """Raises InputError where an adapter is not one of the model in the folder `base`: a tensor of another shape, or for another layer."""
    shapes: dict[str, list[list[int]]] = {}
    for tensors in model_folder.check(base, title).values():
        for name, entry in tensors.items():
            shapes.setdefault(_spot(name.removesuffix(".weight")), []).append(sorted(entry["shape"]))
    shapes.setdefault("lm_head", [*shapes.get("embed_tokens", []), *shapes.get("wte", [])])  # where both are one
    halves: dict[str, dict[str, list[int]]] = {}
    for name, entry in model_folder.header(folder / WEIGHTS, repo).items():
        half = HALF.search(name)
        if half:
            halves.setdefault(HALF.sub("", name), {})[half[1]] = entry["shape"]
        elif not BESIDE.search(name):
            raise InputError("pull.embeddings", repo=repo)
    for layer, found in halves.items():
        if found.keys() != {"A", "B"} or sorted([found["A"][-1], found["B"][0]]) not in shapes.get(_spot(layer), []):
            raise InputError("pull.other_base", repo=repo, model=title, layer=layer.removeprefix("base_model.model.")[:120])


def _spot(name: str) -> str:
    """The place of a layer: from the list of layers on, for files may name what stands around it otherwise, or leave it out."""
    words = name.split(".")
    number = next((at for at, word in enumerate(words) if word.isdigit()), len(words))
    return ".".join(words[max(0, number - 1) :])
