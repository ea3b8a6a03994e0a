"""A model whose files are not what they should be is told by the file, or by the tensors, before the first step, in both languages."""

import json
import os
import pathlib
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.lots import lot
from tests.models import every
from tests.tiny import tokenizer
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import InputError
from tuning.models import catalog
from tuning.settings import PRESETS
from tuning.studio import Studio
from tuning.text import LANGUAGES, say

EMBEDDING, NORM = "model.embed_tokens.weight", "model.norm.weight"
WEIGHTS, INDEX, ADAPTER = "model.safetensors", "model.safetensors.index.json", "adapter_config.json"


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[pathlib.Path], None]:
    def spoil(folder: pathlib.Path) -> None:
        found = load_file(folder / WEIGHTS)
        change(found)
        save_file(found, folder / WEIGHTS, metadata={"format": "pt"})

    return spoil


def config(folder: pathlib.Path) -> None:
    """The weights of another size of the same family: whole files, and config.json tells of something else."""
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(said | {"vocab_size": 100}), encoding="utf-8")
    weights(lambda found: found.update({EMBEDDING: found[EMBEDDING][:100].clone()}))(folder)


def shards(folder: pathlib.Path) -> None:
    """Two shards by the index, one of which is there."""
    found = load_file(folder / WEIGHTS)
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    save_file(found, folder / names[0], metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: names[name == NORM] for name in found}}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    (folder / WEIGHTS).unlink()


def pipe(folder: pathlib.Path) -> None:
    (folder / "tokenizer_config.json").unlink()
    os.mkfifo(folder / "tokenizer_config.json")


def link(folder: pathlib.Path) -> None:
    outside = folder.parent / "outside.safetensors"
    (folder / WEIGHTS).replace(outside)
    (folder / WEIGHTS).symlink_to(outside)


def device(folder: pathlib.Path) -> None:
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "generation_config.json").symlink_to("/dev/zero")


def cut(folder: pathlib.Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1000])


def point(name: str) -> Callable[[pathlib.Path], None]:
    """What `git clone` leaves of a large file where Git LFS is not installed."""

    def spoil(folder: pathlib.Path) -> None:
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 269060552\n"
        (folder / name).write_text(text, encoding="utf-8")

    return spoil


def fill(value: float) -> Callable[[dict[str, torch.Tensor]], Any]:
    return lambda found: found[NORM][:1].fill_(value)


def quantised(found: dict[str, torch.Tensor]) -> None:
    found.update({NORM: found[NORM].to(torch.float8_e4m3fn)})


def unindexed(folder: pathlib.Path) -> None:
    shards(folder)
    (folder / INDEX).unlink()


def another_index(folder: pathlib.Path) -> None:
    """The shard is there, and lacks what the index says is in it."""
    shards(folder)
    save_file({"odd": torch.ones(1)}, folder / "model-00002-of-00002.safetensors", metadata={"format": "pt"})


def dangling(folder: pathlib.Path) -> None:
    """What a copy of the Hub's cache is without its blobs."""
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to("../../blobs/0")


def adapter(folder: pathlib.Path) -> None:
    (folder / ADAPTER).write_text('{"base_model_name_or_path": "somebody/else", "peft_type": "LORA"}', encoding="utf-8")


def heads(folder: pathlib.Path) -> None:
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(said | {"num_attention_heads": 7}), encoding="utf-8")


def without(name: str) -> Callable[[pathlib.Path], None]:
    return lambda folder: (folder / name).unlink()


# By its name what spoils a model, the code of its sentence, and what it tells; those of `FILES` as soon as the model is looked for.
FILES: dict[str, tuple[Callable[[pathlib.Path], None], str, str]] = {
    "cut": (cut, "model.cut", WEIGHTS),
    "weights of whole numbers": (weights(lambda found: found.update({NORM: found[NORM].long()})), "model.broken", WEIGHTS),
    "weights of eight bits": (weights(quantised), "model.quantized", "model"),
    "a shard that is not there": (shards, "model.missing_file", "model-00002-of-00002.safetensors"),
    "shards without an index": (unindexed, "model.missing_file", INDEX),
    "a shard of something else": (another_index, "model.no_tensor", NORM),
    "no configuration": (without("config.json"), "model.missing_file", "config.json"),
    "an adapter on top": (adapter, "model.adapter_beside", ADAPTER),
    "a pipe": (pipe, "model.broken", "tokenizer_config.json"),
    "a link out of the folder": (link, "model.link", WEIGHTS),
    "a link to nothing": (dangling, "model.link", WEIGHTS),
    "a device": (device, "model.link", "generation_config.json"),
    "weights that git did not get": (point(WEIGHTS), "model.pointer", WEIGHTS),
    "a tokenizer that git did not get": (point("tokenizer.json"), "model.pointer", "tokenizer.json"),
}
TENSORS: dict[str, tuple[Callable[[pathlib.Path], None], str, str]] = {
    "without its embedding": (weights(lambda found: found.pop(EMBEDDING)), "model.tensors", EMBEDDING),
    "with one more": (
        weights(lambda found: found.update({"model.layers.7.odd.weight": torch.ones(2)})),
        "model.tensors",
        "model.layers.7.odd.weight",
    ),
    "of another shape": (weights(lambda found: found.update({NORM: torch.ones(63)})), "model.shape", f"{WEIGHTS} ({NORM})"),
    "not a number": (weights(fill(float("nan"))), "model.no_numbers", f"{WEIGHTS} ({NORM})"),
    "without end": (weights(fill(float("inf"))), "model.no_numbers", f"{WEIGHTS} ({NORM})"),
    "fewer embeddings than words": (config, "model.few_words", "100"),
    "no model by its configuration": (heads, "model.config", "config.json"),
    "without a tokenizer": (without("tokenizer.json"), "model.missing_file", "tokenizer.json"),
}


@pytest.fixture(autouse=True)
def _deadline() -> Iterator[None]:
    """A pipe that is opened would be waited at for ever."""

    def late(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.fixture
def folder(tiny_model: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none_of_a_model_is_named_where_the_model_is_looked_for(name: str, folder: pathlib.Path) -> None:
    spoil, code, told = FILES[name]
    spoil(folder)
    with pytest.raises(InputError) as caught:
        catalog.find(str(folder), PRESETS, local_folders=True, downloads=folder.parent)
    assert caught.value.code == code and told in caught.value.params.values()


LOT = set(lot("broken models").sample(sorted(FILES | TENSORS), 3))  # in every suite; the others by night


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in LOT else [pytest.mark.nightly]) for name in FILES | TENSORS])
def test_a_run_of_it_ends_before_its_first_step_and_says_what_it_is(
    name: str, folder: pathlib.Path, rows_file: pathlib.Path, studio: Studio
) -> None:
    spoil, code, told = (FILES | TENSORS)[name]
    run = studio.runs.create(str(folder), str(rows_file), "facts", {"report": False, "max_steps": 1})
    spoil(folder)
    state = train(run, studio.shared.store, Resident())
    assert state.error is not None and (state.status, state.reason, state.step) == ("failed", None, 0)
    assert state.error.code == code, state.error
    for language in LANGUAGES:
        assert told in say(language, state.error.code, state.error.params)


def test_the_cache_of_huggingface_hub_is_made_of_links_and_loads(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    cache = tmp_path / "models--somebody--tiny"
    snapshot = cache / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    for number, path in enumerate(folder.iterdir()):
        path.replace(cache / "blobs" / f"{number}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    found = catalog.find(str(cache), PRESETS, local_folders=True, downloads=tmp_path)
    resident = Resident()
    resident.load(found.path, "cpu", "fp32")
    assert resident.base is not None


@pytest.mark.parametrize("kind", ["mamba", "mamba2", "falcon_mamba", "gpt_neo"])
def test_families_with_words_of_their_own_for_their_sizes_are_found_and_loaded(kind: str, tmp_path: pathlib.Path) -> None:
    words = tokenizer()
    every.build(kind, vocab_size=len(words)).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    found = catalog.find(str(tmp_path), PRESETS, local_folders=True, downloads=tmp_path.parent)
    assert found.card.num_hidden_layers == 2 and found.card.context_length > 0
    resident = Resident()
    resident.load(found.path, "cpu", "fp32")
    assert resident.base.config.model_type == kind
