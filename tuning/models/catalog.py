"""Which models there are: the cards under presets/models, and folders on this machine.

A local folder gets a card from its config.json and the headers of its safetensors files; no weight is read, nothing
in it is executed. The Hub is not asked here.
"""

import difflib
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from tuning import presets
from tuning.errors import InputError, innermost
from tuning.models import examine, model_folder
from tuning.runs import files
from tuning.schema import Bilingual, ModelCard, ModelRef

POSITIONS = ("max_position_embeddings", "n_positions")
TRAINED_LENGTH = 2048  # tokens of a sequence that Mamba was trained on (Gu and Dao, 2023); its configs name no limit
ITALIAN = ("none", "limited", "fair", "good", "excellent")  # ratings, worst first
GOOD = ITALIAN[3:]  # ratings of Italian that make a model one for projects in Italian
LINEAR_LAYERS = {"mamba", "linear_attention"}  # kinds of layers that stand in for attention, as configs name them
EVENING = 4 * 3600.0  # seconds; what takes longer for 1000 examples is no first choice on this machine
PATHS, NAMED = ("/", "~", "."), 3  # how a path begins, which no name of a model does; names that are told to whom an unknown one has given
COMFORT = 0.8  # of the free memory: below it a run does not notice what else goes on


def find(reference: str, presets_root: pathlib.Path, local_folders: bool, downloads: pathlib.Path) -> ModelRef:
    """A catalog id or, where `local_folders` is allowed, a folder. Raises InputError that says what is wrong.

    The path of a model that does not come with the project is where a download of it goes; it need not be there yet.
    """
    cards = presets.models(presets_root)
    known = cards.get(reference)
    if known is not None:
        return placed(known, presets_root, downloads)
    folder = files.given(reference)
    if local_folders and reference and os.path.isdir(folder):  # unlike Path.is_dir it never raises
        folder = folder.absolute()
        found = with_family(describe(folder), cards)
        return ModelRef(id=str(folder), path=str(found.path), card=found)
    if local_folders and (reference.startswith(PATHS) or "\\" in reference or os.path.isfile(folder)):
        raise InputError("model.a_file" if os.path.isfile(folder) else "model.no_folder", model=reference[:200])
    near = difflib.get_close_matches(reference[:200], cards, NAMED, cutoff=0)
    raise InputError("model.unknown", model=reference[:200], known=", ".join(near))


def placed(card: ModelCard, presets_root: pathlib.Path, downloads: pathlib.Path) -> ModelRef:
    """A model of the catalog, where it is or would be."""
    path = presets_root / card.path if card.path else downloads / card.id.replace("/", "--")
    return ModelRef(id=card.id, path=str(path), card=card)


def like(cards: Mapping[str, ModelCard], parameters: int, italian: bool, instruct: bool) -> str:
    """The id of the open model of the catalog that is nearest in size, of those that speak and answer alike. "" without a catalog."""
    alike = [card for card in cards.values() if not card.path and card.instruct == instruct and (card.italian in GOOD or not italian)]
    alike = alike or [card for card in cards.values() if not card.path]
    return min(alike, key=lambda card: abs(math.log(card.parameters / max(1, parameters)))).id if alike else ""


def with_family(found: ModelCard, cards: Mapping[str, ModelCard]) -> ModelCard:
    """`found` with what the catalog knows of its architecture: which layers take an adapter, whether rows may be packed."""
    alike = (known for known in cards.values() if known.model_type == found.model_type and known.target_modules)
    kin = next((known for known in alike if hybrid(known) == hybrid(found)), None)
    if kin is None:
        return found
    return found.model_copy(update={"target_modules": kin.target_modules, "packing": kin.packing})


def hybrid(found: ModelCard) -> bool:
    """Has the model layers that are not attention? transformers writes "mamba" back as "linear_attention"."""
    return bool(LINEAR_LAYERS & set(found.config.get("layer_types") or []))


def advise(entries: Sequence[dict[str, Any]], goal: str | None) -> list[dict[str, Any]]:
    """Catalog entries (with `fit`: comfortable, tight or no), best first for `goal`; what does not fit stands last.

    Among what fits the places of the goal decide. For Italian the largest model that is good at it and fits with room
    to spare stands first.
    """
    if goal is None:
        ordered = sorted(entries, key=lambda entry: (-entry["stars"], entry["seconds"]))
        return sorted(ordered, key=lambda entry: (entry["fit"] == "no", entry["seconds"] > EVENING, not entry["here"]))
    far = len(entries) + 100
    ordered = sorted(entries, key=lambda entry: (entry["fit"] == "no", entry["goals"].get(goal, far), -entry["parameters"]))
    roomy = [entry for entry in ordered if entry["fit"] == "comfortable" and entry["italian"] in GOOD]
    if goal == "italian" and roomy:
        first = max(roomy, key=lambda entry: int(entry["parameters"]))
        ordered = [first, *(entry for entry in ordered if entry is not first)]
    return ordered


def describe(folder: pathlib.Path) -> ModelCard:
    """The card of a model in a local folder.

    The folder may also be one of huggingface_hub's cache (`models--owner--name`), copied from another machine. Raises
    InputError where a file is missing or broken, or `examine` finds that the model may not be used.
    """
    given, folder = folder, _snapshot(folder)
    title = given.name.removeprefix("models--").replace("--", "/")
    names = [path.name for path in folder.glob("*")]
    if model_folder.ADAPTER in names and not any(examine.SHARD.fullmatch(name) for name in names):
        base = str(model_folder.text(folder, model_folder.ADAPTER, title).get("base_model_name_or_path") or "?")
        raise InputError("model.adapter", model=title, base=base[:120])
    config = model_folder.text(folder, "config.json", title)
    examine.configs(title, config, model_folder.text(folder, "tokenizer_config.json", title))
    headers = model_folder.check(folder, title)
    model_folder.agree(title, config, headers)
    shapes = {name: entry["shape"] for tensors in headers.values() for name, entry in tensors.items()}
    found = card(
        config,
        id=str(folder),
        title=title,
        why=Bilingual(en="A model from a folder on this machine.", it="Un modello preso da una cartella di questo computer."),
        parameters=examine.parameters(config, shapes),
    )
    return found.model_copy(update={"path": str(folder)})


def card(config: dict[str, Any], id: str, title: str, why: Bilingual, parameters: int, **facts: Any) -> ModelCard:
    """A card from a config.json, with `facts` (license, languages …) as they are known; of a model that takes pictures, too, that of its
    text model.

    Raises InputError for a config that lacks a size, or has something else in its place.
    """
    try:
        seen = {"text_part": examine.has_text_part(config), "beside": examine.beside(config)}
        return _card(examine.text_part(config), id=id, title=title, why=why, parameters=parameters, **seen, **facts)
    except pydantic.ValidationError as error:
        raise InputError("model.config", model=title, about=", ".join(str(part) for part in error.errors()[0]["loc"])) from error
    except (TypeError, AttributeError) as error:
        raise InputError("model.config", model=title, about=innermost(error)) from error


def _card(config: dict[str, Any], title: str, **facts: Any) -> ModelCard:
    free = "state_size" in config  # Mamba and its like have no attention, and no words for it
    heads = 1 if free else _number(config, title, "num_attention_heads", "n_head", "num_heads")
    hidden = _number(config, title, "hidden_size", "n_embd")
    return ModelCard(
        title=title,
        hidden_size=hidden,
        intermediate_size=config.get("intermediate_size") or config.get("n_inner") or 4 * hidden,
        num_hidden_layers=_number(config, title, "num_hidden_layers", "n_layer", "num_layers"),
        num_attention_heads=heads,
        num_key_value_heads=config.get("num_key_value_heads") or heads,
        vocab_size=_number(config, title, "vocab_size"),
        context_length=_number({"max_position_embeddings": TRAINED_LENGTH} | config if free else config, title, *POSITIONS),
        model_type=str(config.get("model_type", "")),
        config={key: value for key, value in config.items() if not key.startswith("_")},
        **{"license": "unknown", "languages": [], "packing": examine.packable(config), **facts},
    )


def _snapshot(folder: pathlib.Path) -> pathlib.Path:
    """The folder with the files, where `folder` is a repository in huggingface_hub's cache: what `main` points to."""
    snapshots = folder / "snapshots"
    if not snapshots.is_dir():
        return folder
    main = folder / "refs" / "main"
    named = snapshots / main.read_text(encoding="ascii").strip() if main.is_file() else folder
    return named if named.parent == snapshots and named.is_dir() else max(snapshots.iterdir(), key=os.path.getmtime)


def count_parameters(path: pathlib.Path) -> int:
    """Numbers in a safetensors file, from its header alone. Raises InputError for a broken one."""
    return sum(math.prod(entry["shape"]) for entry in model_folder.header(path).values())


def _number(config: dict[str, Any], model: str, *names: str) -> int:
    for name in names:
        if isinstance(config.get(name), int) and config[name] > 0:
            return int(config[name])
    raise InputError("model.config", model=model, about=names[0])
