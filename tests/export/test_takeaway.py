"""What is taken away, used by programs that do not know us; and the certificate, which says what differs where something does."""

import json
import pathlib
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tuning import settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import InputError, RunError
from tuning.export import certificate, forms, portable, sizes, witness
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import say

Call = Callable[..., subprocess.CompletedProcess[str]]
FAST: dict[str, Any] = {"max_steps": 12, "learning_rate": 0.003, "lora.use_rslora": True, "report": False, "max_samples": 80}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Studio, Run]:
    """A run of the starter by rsLoRA."""
    studio = Studio(settings.read(home=str(tmp_path_factory.mktemp("taken") / "home")), LOCAL)
    run = studio.runs.create("starter", "starter-en", "facts", FAST, name="Prezzi è così")
    assert train(run, studio.shared.store, Resident()).status == "finished", run.log()[-20:]
    return studio, run


@pytest.fixture(scope="module")
def left(taught: tuple[Studio, Run], tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, dict[str, Any]]:
    """A merged export, in a folder with an accent and a space, and what was heard of the live model for it."""
    studio, run = taught
    heard: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        listen = forms.listen
        patch.setattr(forms, "listen", lambda *words: heard.append(listen(*words)) or heard[-1])
        merged = studio.exports.export(run.id, "merged", tmp_path_factory.mktemp("a folder è"))
    return merged, heard[0]


@pytest.fixture
def merged(left: tuple[pathlib.Path, dict[str, Any]]) -> pathlib.Path:
    return left[0]


def test_a_merged_model_stands_by_itself_and_answers_as_the_live_one(taught: tuple[Studio, Run], merged: pathlib.Path) -> None:
    _, run = taught
    assert merged.name == "prezzi-e-cosi-merged" and not list(merged.parent.glob(".export*"))
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "README.md", "certificate.md"} <= {
        path.name for path in merged.iterdir()
    }
    found = json.loads((merged / "certificate.json").read_text(encoding="utf-8"))
    assert found["verdict"] == "same", found
    assert (found["token_agreement"], found["questions"], len(found["answers"])) == (1.0, "held_out", 5)
    assert found["tensors"]["equal"] == found["tensors"]["of"] > 10 and found["merged"]["into"] == "original"
    base = AutoModelForCausalLM.from_pretrained(run.spec().model.path)
    wanted = PeftModel.from_pretrained(base, str(run.adapter)).merge_and_unload().state_dict()
    got = AutoModelForCausalLM.from_pretrained(merged).state_dict()
    assert all(torch.allclose(got[name], wanted[name], atol=1e-6) for name in wanted)
    words = (merged / "certificate.md").read_text(encoding="utf-8")
    assert say("en", "export.certificate.same", {}) in words and say("it", "export.certificate.same", {}) in words
    assert all(one["export"] in words and one["live"] for one in found["answers"])
    card = (merged / "README.md").read_text(encoding="utf-8")
    assert "license: cc0-1.0" in card and "library_name: transformers" in card
    assert not [path for path in merged.iterdir() if str(run.folder.parent).encode() in path.read_bytes()]
    taken = sum(path.stat().st_size for path in merged.iterdir())
    assert sizes.expected(run, run.spec(), "merged") == pytest.approx(taken, rel=0.05)


@pytest.mark.nightly
def test_the_terminal_takes_an_adapter_that_engines_without_rslora_read_rightly(
    taught: tuple[Studio, Run], tuning: Call, tmp_path: pathlib.Path
) -> None:
    studio, run = taught
    done = tuning("--home", str(studio.settings.home), "export", run.id, "--out", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    with zipfile.ZipFile(told["path"]) as archive:
        archive.extractall(tmp_path / "taken")
    taken = tmp_path / "taken"
    found = json.loads((taken / "certificate.json").read_text(encoding="utf-8"))
    assert (found["verdict"], found["form"], found["token_agreement"]) == ("same", "adapter", 1.0), found
    before, after = (json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")) for folder in (run.adapter, taken))
    assert before["use_rslora"] and not after["use_rslora"]
    assert after["lora_alpha"] / after["r"] == pytest.approx(before["lora_alpha"] / before["r"] ** 0.5, rel=1e-15)
    assert "rsLoRA" in (taken / "README.md").read_text(encoding="utf-8")
    refused = tuning("--home", str(studio.settings.home), "export", run.id, "--to", "onnx", "--out", str(tmp_path / "x"))
    assert refused.returncode == 2 and refused.stderr.strip() == say(
        "en", "export.unknown", {"to": "onnx", "known": "adapter, merged, gguf, ollama, bundle"}
    )


@pytest.mark.parametrize(
    "said",
    [{"repetition_penalty": 100.0}, {"no_repeat_ngram_size": 1}, {"suppress_tokens": [*range(40)]}],
    ids=lambda said: next(iter(said)),
)
def test_what_is_compared_are_the_likeliest_words_whatever_the_base_bans(tiny_model: pathlib.Path, said: dict[str, Any]) -> None:
    """Other programs do not read a base's generation_config: without a penalty there, and with one here, all would seem to differ."""
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    ids = [*range(5, 15)]
    wanted = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=24)[0, 10:].tolist()
    vars(model.generation_config).update(said)
    assert model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=24)[0, 10:].tolist() != wanted
    assert witness.answer(model, ids, 24) == wanted


def test_the_certificate_says_what_is_wrong(
    taught: tuple[Studio, Run], left: tuple[pathlib.Path, dict[str, Any]], tmp_path: pathlib.Path
) -> None:
    """An adapter that is another one, a base without its adapter, a template with another end of turn, weights in another precision; and
    one that is right."""
    studio, run = taught
    merged, heard = left
    base = pathlib.Path(run.spec().model.path)
    of_adapter = {**heard, "merged": None, "tensors": witness.digests(run.adapter)}

    def changed(source: pathlib.Path, name: str) -> pathlib.Path:
        return pathlib.Path(shutil.copytree(source, tmp_path / name))

    with zipfile.ZipFile(studio.exports.export(run.id, "adapter", tmp_path)) as archive:
        archive.extractall(tmp_path / "right")
    other = changed(run.adapter, "other")
    weights = load_file(other / "adapter_model.safetensors")
    save_file({name: -3 * tensor for name, tensor in weights.items()}, other / "adapter_model.safetensors")
    unmerged = changed(merged, "unmerged")
    shutil.copy(base / "model.safetensors", unmerged)
    ended = changed(run.adapter, "ended")
    template = ended / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("eos_token", "'<|system|>'"), encoding="utf-8")
    stops = json.loads((merged / "generation_config.json").read_text(encoding="utf-8"))
    (ended / "generation_config.json").write_text(json.dumps({**stops, "eos_token_id": [3]}), encoding="utf-8")

    rounded = changed(merged, "rounded")
    AutoModelForCausalLM.from_pretrained(merged, dtype=torch.bfloat16).save_pretrained(rounded)

    folders = [tmp_path / "right", other, unmerged, ended, rounded]
    seen = forms.seen_elsewhere(folders, heard, str(base), tmp_path)
    assert isinstance(seen, list), seen
    assert "tuning" not in re.findall(r"(?:from|import) (\w+)", pathlib.Path(witness.__file__).read_text(encoding="utf-8"))
    lives = [of_adapter, of_adapter, heard, of_adapter, heard]
    right, wrong, bare, stop, coarse = (certificate.compare("adapter", live, one) for live, one in zip(lives, seen, strict=True))
    assert (right["verdict"], right["token_agreement"]) == ("same", 1.0), right
    assert {one["verdict"] for one in (wrong, bare, stop, coarse)} == {"differs"}
    assert coarse["tensors"]["equal"] < coarse["tensors"]["of"] and coarse["export"]["precision"] == "bfloat16"
    for found in (wrong, bare):
        assert found["token_agreement"] < 1 and found["tensors"]["equal"] < found["tensors"]["of"] and found["conversation_equal"]
        differing = next(one for one in found["answers"] if not one["same"])
        words = certificate.spoken(found, "it")
        assert differing["live"].splitlines()[0] in words and differing["export"].splitlines()[0] in words
    assert stop["conversation_equal"] is False and not stop["stop_tokens"]["equal"] and stop["prompts"]["equal"] < 5
    assert stop["tensors"]["equal"] == stop["tensors"]["of"]


@pytest.mark.nightly
def test_an_adapter_on_a_base_in_another_precision_is_not_called_the_same(taught: tuple[Studio, Run], tmp_path: pathlib.Path) -> None:
    """Whatever it answers: what was heard in 16 bits was not heard in 32."""
    studio, run = taught
    order = forms.ExportOrder(run, run.spec(), studio.settings.home, memory_free=2**40, scratch=tmp_path)
    live = forms.listen(order, None)
    other = {"fp32": "bf16", "bf16": "fp32"}[live["precision"]]
    for precision, verdict in ((live["precision"], "same"), (other, "differs")):
        seen = forms.seen_elsewhere([run.adapter], {**live, "precision": precision}, str(run.spec().model.path), tmp_path)
        assert isinstance(seen, list), seen
        found = certificate.compare("adapter", live, seen[0])
        print(precision, found["export"], found["token_agreement"], found["verdict"])
        assert found["verdict"] == verdict


def test_nothing_is_said_of_what_was_not_compared(taught: tuple[Studio, Run], tmp_path: pathlib.Path) -> None:
    studio, run = taught
    with zipfile.ZipFile(studio.exports.export(run.id, "adapter", tmp_path)) as archive:
        found = json.loads(archive.read("certificate.json"))
        words = archive.read("certificate.md").decode()
    assert (found["verdict"], found["why"]) == ("not_checked", "asked")
    assert say("it", "export.certificate.not_checked", {}) in words and "token_agreement" not in found
    with pytest.raises(InputError) as caught:
        studio.exports.export(
            run.id, "merged", studio.exports.export(run.id, "adapter", tmp_path).parent / "prezzi-e-cosi-adapter.zip" / "x"
        )
    assert caught.value.code == "export.cannot_write"
    (tmp_path / "prezzi-e-cosi-merged").mkdir()
    with pytest.raises(InputError) as caught:
        studio.exports.export(run.id, "merged", tmp_path)
    assert caught.value.code == "export.there"


def test_without_memory_for_it_nothing_is_merged_and_nothing_compared(taught: tuple[Studio, Run], tmp_path: pathlib.Path) -> None:
    studio, run = taught
    order = forms.ExportOrder(run, run.spec(), studio.settings.home, memory_free=2**20)
    with pytest.raises(RunError) as caught:
        forms.export(order, "merged", tmp_path)
    assert caught.value.code == "export.memory" and list(tmp_path.iterdir()) == []
    assert "GiB" in say("it", caught.value.code, caught.value.params)
    with zipfile.ZipFile(forms.export(order, "adapter", tmp_path)) as archive:
        assert json.loads(archive.read("certificate.json"))["why"] == "memory"


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    taught: tuple[Studio, Run], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merged model needs room for the weights of its base, and as a zip twice that."""
    studio, run = taught
    weights = (pathlib.Path(run.spec().model.path) / "model.safetensors").stat().st_size
    for name, share in (("x", 0.9), ("x.zip", 1.9)):
        free = int(share * (weights + forms.BESIDE_WEIGHTS))
        monkeypatch.setattr(shutil, "disk_usage", lambda place, free=free: SimpleNamespace(total=2**40, used=0, free=free))
        monkeypatch.setattr(subprocess, "Popen", lambda *words, **more: pytest.fail("a model was loaded"))
        with pytest.raises(InputError) as caught:
            studio.exports.export(run.id, "merged", tmp_path / name)
        assert caught.value.code == "export.cannot_write" and list(tmp_path.iterdir()) == []


def test_a_base_that_is_kept_in_16_bits_and_speaks_of_32_needs_room_for_32(
    taught: tuple[Studio, Run], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The starter is one: its merged model is twice its file."""
    studio, run = taught
    weights = (pathlib.Path(run.spec().model.path) / "model.safetensors").stat().st_size
    free = int(1.7 * weights) + forms.BESIDE_WEIGHTS
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(total=2**40, used=0, free=free))
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **more: pytest.fail("a model was loaded"))
    with pytest.raises(InputError) as caught:
        studio.exports.export(run.id, "merged", tmp_path / "x")
    assert caught.value.code == "export.cannot_write" and list(tmp_path.iterdir()) == []


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("changes", "quantization"),
    [
        ({"lora.use_dora": True, "precision": "fp32"}, "none"),
        ({"lora.use_rslora": False}, "nf4"),
        ({"method": "full", "learning_rate": 3e-4}, "none"),
    ],
    ids=["dora", "nf4", "full"],
)
def test_other_runs_are_merged_as_they_speak(studio: Studio, changes: dict[str, Any], quantization: str, tmp_path: pathlib.Path) -> None:
    """DoRA; a 4-bit base, here on a processor, which is expanded again; and a run of all weights, which is a model already."""
    plain = {key: value for key, value in FAST.items() if "." not in key}
    run = studio.runs.create("starter", "starter-en", "facts", {**plain, **changes})
    assert train(run, studio.shared.store, Resident()).status == "finished", run.log()[-20:]
    spec = run.folder / "spec.yaml"
    said = yaml.safe_load(spec.read_text(encoding="utf-8"))
    said["settings"]["quantization"] = quantization
    spec.write_text(yaml.safe_dump(said), encoding="utf-8")
    taken = studio.exports.export(run.id, "merged", tmp_path / "out.zip")
    with zipfile.ZipFile(taken) as archive:
        found = json.loads(archive.read("certificate.json"))
        assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(archive.namelist())
    print(quantization, changes, found["token_agreement"], found["merged"])
    assert found["verdict"] == "same", found
    if quantization == "nf4":
        assert found["merged"]["into"] == "dequantised"
        assert found["merged"]["scores"]["dequantised"]["distance"] < found["merged"]["scores"]["original"]["distance"] / 3


def test_rslora_with_ranks_of_their_own_is_folded_for_each_module(tmp_path: pathlib.Path) -> None:
    """Every scaling is the one that PEFT reckons before."""
    config = {
        "use_rslora": True, "r": 16, "lora_alpha": 24, "rank_pattern": {"q_proj": 4}, "alpha_pattern": {"layers.1.v_proj": 10},
    }  # fmt: skip
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    ranks = {"model.layers.0.q_proj": 4, "model.layers.0.v_proj": 16, "model.layers.1.v_proj": 16, "model.layers.1.o_proj": 16}
    save_file(
        {f"base_model.model.{name}.lora_A.weight": torch.zeros(rank, 3) for name, rank in ranks.items()},
        tmp_path / "adapter_model.safetensors",
    )
    assert portable.fold(tmp_path) and not portable.fold(tmp_path)
    made = json.loads((tmp_path / "adapter_config.json").read_text(encoding="utf-8"))
    scalings = {name: made["alpha_pattern"].get(name, made["lora_alpha"]) / rank for name, rank in ranks.items()}
    assert scalings == pytest.approx({
        "model.layers.0.q_proj": 24 / 2, "model.layers.0.v_proj": 24 / 4, "model.layers.1.v_proj": 10 / 4, "model.layers.1.o_proj": 24 / 4,
    })  # fmt: skip
