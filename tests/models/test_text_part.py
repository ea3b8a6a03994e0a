"""Models that take pictures, too, and of which transformers loads the text model alone: what is trained, counted and taken away is that."""

import json
import math
import pathlib

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests import families
from tests.hub.hub_server import Repo, Server
from tests.models.make_known import text_parts
from tests.models.test_catalog import change
from tuning import presets, settings
from tuning.cli.main import main
from tuning.errors import InputError
from tuning.forecast import memory
from tuning.hub.models import Hub
from tuning.models import catalog, examine
from tuning.runs.store import Store
from tuning.schema import LOCAL, TrainSettings

ID = "tailors/seeing"
SHORT = ["--set", "max_steps=2", "--set", "report=false", "--set", "max_length=64", "--set", "validation_share=0"]
LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
LINEAR = {"in_proj_qkv", "in_proj_z", "in_proj_a", "in_proj_b", "out_proj"}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return families.build_seeing(tmp_path / "seeing")


@pytest.mark.nightly
def test_the_list_of_them_is_that_of_the_installed_transformers() -> None:
    assert json.loads(examine.KNOWN.read_text(encoding="utf-8"))["text_parts"] == text_parts()


def test_the_card_is_that_of_the_text_model(folder: pathlib.Path, server: Server) -> None:
    found = catalog.describe(folder)
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert found.parameters == loaded.num_parameters() and found.model_type == loaded.config.model_type == "qwen3_5_text"
    assert found.hidden_size == loaded.config.hidden_size and found.text_part and not found.packing
    server.repos[ID] = Repo({path.name: path.read_bytes() for path in folder.iterdir()})
    there = Hub(server.address, None, offline=False, cards=presets.models(settings.PRESETS)).describe(ID)
    assert there.card.parameters == found.parameters and there.card.config == found.config
    assert {file.name for file in there.files} >= {examine.INDEX, "model.safetensors-00001-of-00001.safetensors", "config.json"}


def test_what_is_refused_of_the_whole_is_refused(folder: pathlib.Path) -> None:
    change(folder, "config.json", quantization_config={"quant_method": "gptq"})
    with pytest.raises(InputError) as caught:
        catalog.describe(folder)
    assert caught.value.code == "model.quantized"


@pytest.mark.parametrize(
    ("targets", "names"), [("all-linear", LAYERS | LINEAR), ("attention", {"q_proj", "k_proj", "v_proj", "o_proj"} | LINEAR)]
)
def test_the_layers_are_counted_as_they_are(targets: str, names: set[str], folder: pathlib.Path) -> None:
    card = catalog.describe(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    modules = {name: module for name, module in model.named_modules() if name.rpartition(".")[2] in names}
    wanted = sum(8 * (module.in_features + module.out_features) for module in modules.values())
    asked = TrainSettings(lora_r=8, target_modules=targets)
    assert memory.adapter_parameters(card, asked) == wanted and set(memory.target_names(card, asked)) == names


def test_it_learns_and_leaves_and_answers_elsewhere(
    folder: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert main(["--home", str(home), "train", "-m", str(folder), "-d", str(rows_file), *SHORT, "--json"]) == 0, capsys.readouterr().err
    told = json.loads(capsys.readouterr().out)
    run = Store(home).find(told["run"], LOCAL)
    assert "plan.text_part" in [notice.code for notice in run.spec().notices]
    tensors = load_file(run.adapter / "adapter_model.safetensors")
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in tensors} == LAYERS | LINEAR
    assert told["trainable_parameters"] == memory.adapter_parameters(run.spec().model.card, run.spec().settings)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), str(run.adapter))
        after = tuned(ids).logits
    assert main(["--home", str(home), "chat", told["run"], "--prompt", "How much?", "--max-new-tokens", "4"]) == 0
    for form in ("merged", "adapter"):
        capsys.readouterr()
        assert main(["--home", str(home), "export", told["run"], "--to", form, "--out", str(tmp_path / form), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["verdict"] == "same"
    seen = json.loads((tmp_path / "merged" / "certificate.json").read_text(encoding="utf-8"))["tensors"]
    assert seen["equal"] == seen["of"] > 0 and not seen["not_compared"]
    with torch.no_grad():
        alone = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)(ids).logits
    assert float((alone - after).abs().max()) < 0.05 * float(after.std())  # rounded to 16 bits once


@pytest.mark.nightly
def test_all_of_it_is_trained_too(
    folder: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    words = ["train", "-m", str(folder), "-d", str(rows_file), *SHORT, "--set", "method=full", "--json"]
    assert main(["--home", str(home), *words]) == 0, capsys.readouterr().err
    told = json.loads(capsys.readouterr().out)
    run = Store(home).find(told["run"], LOCAL)
    learned = AutoModelForCausalLM.from_pretrained(run.adapter)
    assert learned.dtype == torch.bfloat16 and told["trainable_parameters"] == learned.num_parameters()
    assert math.isfinite(float(learned(torch.tensor([[5, 6, 7]])).logits.sum()))
    assert main(["--home", str(home), "chat", told["run"], "--prompt", "How much?", "--max-new-tokens", "4"]) == 0
