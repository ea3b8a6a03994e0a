"""Repositories as the Hub has them, each with a trait that saved models of today lack: downloaded, trained (as a whole too, where
what is said of generating goes along), talked to and merged, by the command line."""

import json
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from transformers import AutoTokenizer

from tests.hub.hub_server import Repo, Server
from tests.lots import lot
from tuning.cli.main import main

ID = "tailors/old-cloth"
SHORT = ["--set", "max_steps=2", "--set", "report=false", "--set", "max_length=64", "--set", "validation_share=0"]
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"

Files = dict[str, bytes]


def document(files: Files, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    files[name] = json.dumps(change(json.loads(files.get(name, b"{}")))).encode()


def split(names: list[str]) -> Callable[[Files], None]:
    """Weights in as many shards, with an index."""

    def change(files: Files) -> None:
        tensors = load(files.pop(WEIGHTS))
        place = {tensor: names[at * len(names) // len(tensors)] for at, tensor in enumerate(sorted(tensors))}
        for name in names:
            files[name] = save({tensor: tensors[tensor] for tensor in place if place[tensor] == name}, metadata={"format": "pt"})
        files[INDEX] = json.dumps({"metadata": {}, "weight_map": place}).encode()

    return change


def generating(**said: Any) -> Callable[[Files], None]:
    return lambda files: document(files, "generation_config.json", lambda _: {"transformers_version": "4.31.0", **said})


def listed(files: Files) -> None:
    """Its chat templates by name, as before they had files of their own."""
    own = files.pop("chat_template.jinja", b"").decode() or json.loads(files["tokenizer_config.json"])["chat_template"]
    both = [{"name": name, "template": own} for name in ("default", "tool_use")]
    document(files, "tokenizer_config.json", lambda said: {**said, "chat_template": both})


def padded(files: Files) -> None:
    """A token to pad with, added after the model was made."""
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        for name in files:
            (folder / name).write_bytes(files[name])
        words = AutoTokenizer.from_pretrained(folder)
        words.add_special_tokens({"pad_token": "<padding>"})
        words.save_pretrained(folder)
        files.update({path.name: path.read_bytes() for path in folder.glob("tokenizer*")})


def endless(files: Files) -> None:
    """config.json alone says which token ends a text."""
    document(files, "tokenizer_config.json", lambda said: {key: said[key] for key in said if not key.endswith("_token")})
    files.pop("special_tokens_map.json", None)


def buffered(files: Files) -> None:
    """What a model computes by itself, and older versions saved; and a copy of tied embeddings."""
    tensors = load(files[WEIGHTS])
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    files[WEIGHTS] = save(tensors, metadata={"format": "pt"})


TRAITS: dict[str, Callable[[Files], None]] = {
    "shards counted in six digits": split([f"model-0000{number}-of-000002.safetensors" for number in (1, 2)]),
    "one shard and an index": split(["model-00001-of-00001.safetensors"]),
    "shards that say safetensors twice": split([f"model.safetensors-0000{number}-of-00002.safetensors" for number in (1, 2)]),
    "a temperature and no sampling": generating(temperature=0.6, top_p=0.9),
    "beams that contradict each other": generating(num_beams=1, early_stopping=True, length_penalty=0.5),
    "templates by name": listed,
    "an end in config.json alone": endless,
    "buffers of older versions": buffered,
    "a token to pad with that the model lacks": padded,
}
LOT = set(lot("traits of the hub").sample(list(TRAITS), 1))  # in every suite; the others by night


@pytest.mark.drawn("strange")
@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in LOT else [pytest.mark.nightly]) for name in TRAITS])
def test_it_trains_and_leaves(
    name: str, server: Server, tiny_model: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = Repo.of(tiny_model)
    before = dict(repo.files)
    TRAITS[name](repo.files)
    changed = {name for name in repo.files if repo.files[name] != before.get(name)}
    server.repos[ID] = repo
    for method in ("full", "lora") if "generation_config.json" in changed else ("lora",):
        assert main(["train", "-m", ID, "-d", str(rows_file), *SHORT, "--set", f"method={method}", "--json"]) == 0, capsys.readouterr().err
        run = json.loads(capsys.readouterr().out)["run"]
        assert main(["chat", run, "--prompt", "How much?", "--max-new-tokens", "4"]) == 0
    assert main(["export", run, "--to", "merged", "--out", str(tmp_path / "merged"), "--no-check"]) == 0
