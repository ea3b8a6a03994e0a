"""Which files of a data set's repository are its rows, and to which variant (config) and part (split) they belong.

Told from names and from what the front matter of the README says; nothing is opened here, and no script is ever run.
"""

import fnmatch
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuning.hub.repository import Config, HubFile, Split

KINDS = ("parquet", "jsonl", "ndjson", "json", "csv", "tsv", "xlsx", "xls", "xlsb", "ods", "txt")
SPARE = 1.1  # parts differ a little in length: so many times more are taken than their number asks for
GENEROUS = 16_384  # bytes that a row takes at most, mostly: conversations of several turns have a quarter of that

_CONVERTED = re.compile(r"(?P<config>[^/]{1,200})/(?:partial-)?(?P<split>\w[\w.-]{0,99})/\d{1,6}\.parquet")
_SHARD = re.compile(r"(?:.*/)?(?P<split>\w{1,100})-\d{5}-of-\d{5}[^/]*")
_WORDS = {
    name: re.compile(rf"(?:^|[^a-z])(?:{words})(?:[^a-z]|$)")
    for name, words in {
        "train": "train|training",
        "validation": "validation|valid|val|dev",
        "test": "test|testing|eval|evaluation",
    }.items()
}
_ABOUT = re.compile(
    r"(?:.*/)?(?:dataset_infos?|dataset_dict|state|config|metadata|package|requirements|licen[cs]e|readme|notice)\.\w+", re.IGNORECASE
)


def converted(files: Iterable[HubFile]) -> list[Config]:
    """The variants in the branch where the Hub keeps a data set as Parquet: `config/split/0000.parquet`."""
    found: dict[str, dict[str, list[HubFile]]] = {}
    for file in sorted(files, key=lambda file: (len(file.name), file.name)):
        match = _CONVERTED.fullmatch(file.name)
        if match:
            found.setdefault(match["config"], {}).setdefault(match["split"], []).append(file)
    return [_config(name, splits) for name, splits in sorted(found.items())]


def own(files: Sequence[HubFile], said: Mapping[str, Any]) -> list[Config]:
    """The variants as the front matter names them, else one variant told from the names of the files."""
    rows = sorted((file for file in files if _may_be_rows(file)), key=lambda file: file.name)
    entries = [entry for entry in _listed(said.get("configs")) if isinstance(entry, dict)]
    found = []
    for entry in entries:
        splits = _declared(entry, rows)
        if splits:
            found.append(_config(str(entry.get("config_name") or "default")[:200], splits))
    if found or entries:
        return found
    splits = _by_names(rows)
    return [_config("default", splits)] if splits else []


def first(configs: Sequence[Config], said: Mapping[str, Any]) -> list[Config]:
    """The variant that the README calls the default first, else the one called default, else the one with all."""
    entries = [entry for entry in _listed(said.get("configs")) if isinstance(entry, dict)]
    marked = {str(entry.get("config_name")) for entry in entries if entry.get("default") is True}
    wanted = {name: place for place, name in enumerate(("default", "all"), start=1)}
    return sorted(configs, key=lambda config: 0 if config.name in marked else wanted.get(config.name, 3))


def counted(configs: Sequence[Config], rows: Mapping[tuple[str, str], int]) -> list[Config]:
    """The same with the number of rows where it is known, by config and split."""
    return [
        Config(
            name=config.name,
            splits=[split.model_copy(update={"rows": rows.get((config.name, split.name), split.rows)}) for split in config.splits],
        )
        for config in configs
    ]


def rows_said(said: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Rows by config and split, as the front matter has them."""
    found = {}
    infos = said.get("dataset_info")
    for info in [infos] if isinstance(infos, dict) else _listed(infos):
        if isinstance(info, dict):
            name = str(info.get("config_name") or "default")
            for split in _listed(info.get("splits")):
                if isinstance(split, dict) and isinstance(split.get("num_examples"), int):
                    found[name, str(split.get("name"))] = split["num_examples"]
    return found


def needed(split: Split, rows: int | None, most: int) -> list[HubFile]:
    """As many files of a split, from the first on, as hold `rows` rows, all where None.

    Where nobody knows how many rows there are, as many as rows of a generous length would take, and not more than `most` bytes.
    """
    if rows is None:
        return split.files
    if split.rows:
        count = math.ceil(SPARE * rows * len(split.files) / split.rows)
        return split.files[: max(1, count)]
    taken, size = split.files[:1], split.files[0].size
    for file in split.files[1:]:
        size += file.size
        if size > min(most, rows * GENEROUS):
            break
        taken.append(file)
    return taken


def kind(file: HubFile) -> str:
    """How its name ends: `jsonl`, `parquet` …"""
    return file.name.rpartition(".")[2].lower()


# Inside


def _may_be_rows(file: HubFile) -> bool:
    hidden = file.name.startswith(".") or "/." in file.name
    return kind(file) in KINDS and file.size > 0 and not hidden and not _ABOUT.fullmatch(file.name)


def _config(name: str, splits: Mapping[str, Sequence[HubFile]]) -> Config:
    order = sorted(splits, key=lambda split: 0 if split == "train" else 1 if split.startswith("train") else 2)
    return Config(name=name, splits=[Split(config=name, name=split, files=_of_one_kind(splits[split])) for split in order])


def _of_one_kind(files: Sequence[HubFile]) -> list[HubFile]:
    """The same rows are often there in two forms: the one with more bytes, for only the compressed one has fewer."""
    size = {kind(file): 0 for file in files}
    for file in files:
        size[kind(file)] += file.size
    best = "parquet" if "parquet" in size else max(size, key=lambda name: size[name])
    return [file for file in files if kind(file) == best]


def _declared(entry: Mapping[str, Any], files: Sequence[HubFile]) -> dict[str, list[HubFile]]:
    """The splits of one entry of `configs`."""
    folder = str(entry.get("data_dir") or "").strip("./")
    inside = [file for file in files if not folder or file.name.startswith(f"{folder}/")]
    given = entry.get("data_files")
    if given is None:
        return _by_names(inside)
    splits: dict[str, list[HubFile]] = {}
    for split, pattern in _patterns(given):
        pattern = pattern.removeprefix("./")
        matching = [file for file in inside if _matches(file.name, f"{folder}/{pattern}" if folder else pattern)]
        known = splits.setdefault(split, [])
        known.extend(file for file in matching if file not in known)
    return {split: found for split, found in splits.items() if found}


def _patterns(given: Any) -> Iterator[tuple[str, str]]:
    """(split, pattern) of `data_files` in each of the forms that it may have."""
    if isinstance(given, dict):
        given = [{"split": split, "path": path} for split, path in given.items()]
    for entry in [given] if isinstance(given, str) else _listed(given):
        split, paths = (str(entry.get("split") or "train")[:100], entry.get("path")) if isinstance(entry, dict) else ("train", entry)
        yield from ((split, path) for path in ([paths] if isinstance(paths, str) else _listed(paths)) if isinstance(path, str))


def _matches(name: str, pattern: str) -> bool:
    """`*` stays within a folder, `**/` is any number of folders."""
    if "**" in pattern:
        return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, pattern.replace("**/", ""))
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)


def _by_names(files: Sequence[HubFile]) -> dict[str, list[HubFile]]:
    """Splits by `train-00000-of-00002` or by a word in the path; files without one are the training rows where no other are."""
    found: dict[str, list[HubFile]] = {}
    others = []
    for file in files:
        split = _split_of(file.name)
        if split is None:
            others.append(file)
        else:
            found.setdefault(split, []).append(file)
    if others and not any(split.startswith("train") for split in found):
        found["train"] = others
    return found


def _split_of(name: str) -> str | None:
    match = _SHARD.fullmatch(name)
    if match:
        return match["split"]
    for part in reversed(name.lower().split("/")):  # the file's own name counts first
        for split, word in _WORDS.items():
            if word.search(part):
                return split
    return None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
