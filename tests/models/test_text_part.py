"""Models that take pictures, too: their text model is planned, trained, talked to and taken away, whether transformers loads it alone or
beside the rest."""

import json
import math
import pathlib
import re
import zipfile
from collections.abc import Callable

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, Gemma3TextConfig

from tests import seeing
from tests.hub.hub_server import Repo, Server
from tests.lots import lot
from tests.models.make_known import text_parts
from tests.models.test_catalog import change
from tuning import presets, settings
from tuning.cli.main import main
from tuning.errors import InputError
from tuning.forecast import memory
from tuning.hub.models import Hub
from tuning.models import catalog, examine
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL, Bilingual, TrainSettings

ID = "tailors/seeing"
SHORT = ["--set", "max_steps=2", "--set", "report=false", "--set", "max_length=64", "--set", "validation_share=0"]
LINEAR = {"in_proj_qkv", "in_proj_z", "in_proj_a", "in_proj_b", "out_proj"}
ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
LOT = lot("models that see").choice(seeing.KINDS)  # in every suite; the others by night
EACH = [pytest.param(kind, marks=[] if kind == LOT else [pytest.mark.nightly]) for kind in seeing.KINDS]


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    return seeing.build(tmp_path / "seeing", getattr(request, "param", "qwen3_5"))


def of_text(model: torch.nn.Module, beside: str) -> dict[str, torch.nn.Linear]:
    """The linear layers of the text model by their names, without the head."""
    found = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and name != "lm_head"}
    return {name: module for name, module in found.items() if not beside or not re.search(rf"\b({beside})\b", name)}


Teach = Callable[[pathlib.Path, str], Run]


@pytest.fixture
def teach(home: pathlib.Path, rows_file: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Teach:
    """Train the model in a folder with one more setting, in 32 bits, by the command line."""

    def run(folder: pathlib.Path, setting: str = "precision=fp32") -> Run:
        words = ["train", "-m", str(folder), "-d", str(rows_file), *SHORT, "--set", setting, "--json"]
        assert main(["--home", str(home), *words]) == 0, capsys.readouterr().err
        return Store(home).find(json.loads(capsys.readouterr().out)["run"], LOCAL)

    return run


@pytest.mark.nightly
def test_the_list_of_them_is_that_of_the_installed_transformers() -> None:
    assert json.loads(examine.KNOWN.read_text(encoding="utf-8"))["text_parts"] == text_parts()


@pytest.mark.parametrize("folder", seeing.KINDS, indirect=True)
def test_the_card_is_that_of_the_text_model(folder: pathlib.Path, server: Server) -> None:
    found = catalog.describe(folder)
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    text = loaded.config.get_text_config()
    assert found.parameters == pytest.approx(loaded.num_parameters(), rel=1e-3) and found.text_part  # a tower of pictures has buffers
    assert (found.model_type, found.hidden_size, found.vocab_size) == (text.model_type, text.hidden_size, text.vocab_size)
    server.repos[ID] = Repo({path.name: path.read_bytes() for path in folder.iterdir()})
    there = Hub(server.address, None, offline=False, cards=presets.models(settings.PRESETS)).describe(ID)
    assert there.card.parameters == found.parameters and there.card.config == found.config and there.card.beside == found.beside
    assert {file.name for file in there.files} >= {path.name for path in folder.iterdir() if path.name.startswith("model")}


def test_a_configuration_that_says_only_what_is_unusual_is_read() -> None:
    """Gemma 3 4B's says neither how many heads there are nor how many tokens."""
    said = {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34, "sliding_window": 1024}
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": said, "vision_config": {}}
    found = catalog.card(config, id="x", title="x", why=Bilingual(en="x", it="x"), parameters=1)
    usual = Gemma3TextConfig(**said)
    for name in ("num_attention_heads", "num_key_value_heads", "vocab_size", "hidden_size", "num_hidden_layers"):
        assert getattr(found, name) == getattr(usual, name)
    assert found.context_length == usual.max_position_embeddings


def test_what_is_refused_of_the_whole_is_refused(folder: pathlib.Path) -> None:
    change(folder, "config.json", quantization_config={"quant_method": "gptq"})
    with pytest.raises(InputError) as caught:
        catalog.describe(folder)
    assert caught.value.code == "model.quantized"


@pytest.mark.parametrize("targets", ["all-linear", "attention"])
@pytest.mark.parametrize("folder", ["qwen3_5", "gemma3"], indirect=True)
def test_the_layers_are_counted_as_they_are(folder: pathlib.Path, targets: str) -> None:
    card = catalog.describe(folder)
    layers = of_text(AutoModelForCausalLM.from_pretrained(folder), card.beside)
    chosen = {name: one for name, one in layers.items() if targets != "attention" or name.rpartition(".")[2] in ATTENTION | LINEAR}
    asked = TrainSettings(lora_r=8, target_modules=targets)
    assert memory.adapter_parameters(card, asked) == sum(8 * (one.in_features + one.out_features) for one in chosen.values())
    assert set(memory.target_names(card, asked)) == {name.rpartition(".")[2] for name in chosen}


@pytest.mark.drawn("strange")
@pytest.mark.parametrize("folder", EACH, indirect=True)
def test_it_learns_and_leaves_and_answers_elsewhere(folder: pathlib.Path, teach: Teach, home: pathlib.Path, tmp_path: pathlib.Path) -> None:
    run = teach(folder)
    assert "plan.text_part" in [notice.code for notice in run.spec().notices]
    learned = {name.removeprefix("base_model.model.").split(".lora_")[0] for name in load_file(run.adapter / "adapter_model.safetensors")}
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert learned == set(of_text(base, run.spec().model.card.beside))
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        after = PeftModel.from_pretrained(base, str(run.adapter))(ids).logits
    assert main(["--home", str(home), "chat", run.id, "--prompt", "How much?", "--max-new-tokens", "4"]) == 0
    assert main(["--home", str(home), "export", run.id, "--to", "merged", "--out", str(tmp_path / "merged")]) == 0
    seen = json.loads((tmp_path / "merged" / "certificate.json").read_text(encoding="utf-8"))["tensors"]
    assert seen["equal"] == seen["of"] > 0 and not seen["not_compared"]
    with torch.no_grad():
        alone = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)(ids).logits
    assert float((alone - after).abs().mean()) < 0.02 * float(after.std())  # rounded to 16 bits once


@pytest.mark.nightly
@pytest.mark.parametrize("folder", seeing.KINDS, indirect=True)
def test_its_adapter_answers_the_same_by_plain_peft(folder: pathlib.Path, teach: Teach, home: pathlib.Path, tmp_path: pathlib.Path) -> None:
    run = teach(folder)
    assert main(["--home", str(home), "export", run.id, "--to", "adapter", "--out", str(tmp_path / "adapter")]) == 0
    with zipfile.ZipFile(tmp_path / "adapter") as packed:
        told = json.loads(packed.read(next(name for name in packed.namelist() if name.endswith("certificate.json"))))
    assert told["verdict"] == "same"


@pytest.mark.nightly
@pytest.mark.parametrize("folder", seeing.KINDS, indirect=True)
def test_all_of_it_is_trained_too(folder: pathlib.Path, teach: Teach, home: pathlib.Path) -> None:
    run = teach(folder, "method=full")
    learned, base = (AutoModelForCausalLM.from_pretrained(place) for place in (run.adapter, folder))
    moved = {name for name, one in learned.named_parameters() if not torch.equal(one, base.get_parameter(name))}
    beside = run.spec().model.card.beside
    assert moved and not any(beside and re.search(rf"\b({beside})\b", name) for name in moved)
    assert learned.dtype == torch.bfloat16 and math.isfinite(float(learned(torch.tensor([[5, 6, 7]])).logits.sum()))
    assert main(["--home", str(home), "chat", run.id, "--prompt", "How much?", "--max-new-tokens", "4"]) == 0
