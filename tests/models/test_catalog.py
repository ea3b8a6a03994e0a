"""Models by id and by folder: what is there is described from headers alone, what is odd is refused with its own sentence."""

import json
import pathlib
import shutil
import struct
from typing import Any

import pytest

from tuning import presets, settings
from tuning.errors import InputError
from tuning.models import catalog

ROOT = settings.PRESETS


@pytest.fixture
def folder(tiny_model: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the tiny model, to spoil."""
    return pathlib.Path(shutil.copytree(tiny_model, tmp_path / "model"))


def change(folder: pathlib.Path, name: str, **keys: object) -> None:
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **keys}), encoding="utf-8")


def test_the_starter_s_card_tells_the_truth() -> None:
    card = presets.models(ROOT)["starter"]
    found = catalog.describe(ROOT / (card.path or ""))
    facts = (
        "parameters", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "vocab_size", "context_length", "model_type",
    )  # fmt: skip
    assert {name: getattr(card, name) for name in facts} == {name: getattr(found, name) for name in facts}
    assert 2_000_000 <= card.parameters <= 6_000_000


def test_the_starter_is_under_ten_megabytes() -> None:
    assert (
        sum(path.stat().st_size for path in (ROOT / "starter").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        < 10_000_000
    )


def test_a_folder_is_a_model(folder: pathlib.Path) -> None:
    found = catalog.find(str(folder), ROOT, local_folders=True, downloads=folder.parent)
    assert 50_000 < found.card.parameters < 200_000
    assert found.card.hidden_size == 64


def test_a_folder_is_none_where_visitors_choose(folder: pathlib.Path) -> None:
    with pytest.raises(InputError) as caught:
        catalog.find(str(folder), ROOT, local_folders=False, downloads=folder.parent)
    assert caught.value.code == "model.unknown"


def test_what_is_no_folder_is_told_as_that(folder: pathlib.Path) -> None:
    weights = str(folder / "model.safetensors")
    for given, code in {"/not/here": "no_folder", "~/models/none": "no_folder", r"C:\models\none": "no_folder", weights: "a_file"}.items():
        with pytest.raises(InputError) as caught:
            catalog.find(given, ROOT, local_folders=True, downloads=folder.parent)
        assert (caught.value.code, caught.value.params) == (f"model.{code}", {"model": given})


def test_of_an_unknown_name_the_nearest_are_told(folder: pathlib.Path) -> None:
    with pytest.raises(InputError) as caught:
        catalog.find("Smollm2-135M", ROOT, local_folders=True, downloads=folder.parent)
    known = str(caught.value.params["known"]).split(", ")
    assert caught.value.code == "model.unknown" and len(known) == 3 and any("SmolLM2-135M" in one for one in known)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_its_own_is_refused_and_never_run(folder: pathlib.Path, name: str) -> None:
    canary = folder / "canary"
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w')", encoding="utf-8")
    change(folder, name, auto_map={"AutoModelForCausalLM": "evil.Model"})
    with pytest.raises(InputError) as caught:
        catalog.find(str(folder), ROOT, local_folders=True, downloads=folder.parent)
    assert caught.value.code == "model.remote_code"
    assert not canary.exists()


def test_weights_that_are_no_safetensors_are_refused(folder: pathlib.Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError) as caught:
        catalog.find(str(folder), ROOT, local_folders=True, downloads=folder.parent)
    assert caught.value.code == "model.no_safetensors"


def test_what_does_not_write_is_refused(folder: pathlib.Path) -> None:
    change(folder, "config.json", architectures=["BertForSequenceClassification"])
    with pytest.raises(InputError) as caught:
        catalog.find(str(folder), ROOT, local_folders=True, downloads=folder.parent)
    assert caught.value.code == "model.not_causal"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "model.broken"),
        (bytes(7), "model.broken"),
        (b"\xff" * 16, "model.broken"),
        (struct.pack("<Q", 8) + b"[1, 2]  ", "model.broken"),
        (struct.pack("<Q", 2) + b"{{", "model.broken"),
        (struct.pack("<Q", 99) + b"{}", "model.cut"),
    ],
)
def test_broken_headers_are_named(folder: pathlib.Path, content: bytes, code: str) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError) as caught:
        catalog.find(str(folder), ROOT, local_folders=True, downloads=folder.parent)
    assert (caught.value.code, caught.value.params["file"]) == (code, "model.safetensors")


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_broken_config_is_named(folder: pathlib.Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        catalog.find(str(folder), ROOT, local_folders=True, downloads=folder.parent)
    assert (caught.value.code, caught.value.params["file"]) == ("model.broken", "config.json")


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        ({"num_hidden_layers": 1_000_000}, "num_hidden_layers"),
        ({"layer_types": ["full_attention"] * 100_000}, "num_layers"),
        ({"text_config": {"num_local_experts": 10**6}}, "num_local_experts"),
        ({"num_nextn_predict_layers": -1}, "num_nextn_predict_layers"),
        ({"vocab_size": 10**12}, "vocab_size"),
        ({"max_position_embeddings": 10**400}, "max_position_embeddings"),
        ({"intermediate_size": "many"}, "intermediate_size"),
        ({"num_key_value_heads": [1]}, "num_key_value_heads"),
        ({"num_attention_heads": None}, "num_attention_heads"),
        ({"layer_types": 5}, "TypeError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_configuration_of_other_weights_is_refused(tiny_model: pathlib.Path, tmp_path: pathlib.Path, lie: Any, named: str) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | lie), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        catalog.describe(folder)
    assert caught.value.code == "model.config" and named in caught.value.params["about"]


def test_a_quantisation_of_nothing_is_none(tiny_model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": None}), encoding="utf-8")
    assert catalog.describe(folder).num_hidden_layers == config["num_hidden_layers"]
