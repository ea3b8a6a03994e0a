"""Profiles of activations are found as long as transformers computes a model the same way, whatever the libraries' versions are."""

import importlib.metadata
import importlib.util
import itertools
import pathlib
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tests.forecast.make_profiles import DEVICES, TARGETS, brought
from tuning import presets, settings
from tuning.machine.modelling_code import fingerprint
from tuning.schema import ModelCard, TrainSettings
from tuning.studio.profiles import Profiles

CARDS = presets.models(settings.PRESETS)
SPEC = importlib.util.find_spec("transformers")
MODELS = pathlib.Path(*((SPEC and SPEC.submodule_search_locations) or ())) / "models"


def missed(home: pathlib.Path, cards: list[ModelCard]) -> list[tuple[str, str, str, str]]:
    """What none of the profiles that ship is found for, of all that they ship for."""
    profiles, without = Profiles(home, wait=False), []
    for card, (device, precision, most), targets in itertools.product(cards, DEVICES, TARGETS):
        chosen = TrainSettings.model_validate({"device": device, "precision": precision, "target_modules": targets})
        if card.parameters <= most and profiles.look(card, chosen) is None:
            without.append((card.id, device, precision, targets))
    return without


def code_at(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> None:
    """transformers lies in `folder` and nowhere else."""
    found = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> object:
        return SimpleNamespace(submodule_search_locations=[str(folder)]) if name == "transformers" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)


def test_a_patch_release_of_a_library_loses_no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    true = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: f"{true(name)}.1" if name in ("torch", "transformers", "peft") else true(name)
    )
    assert missed(tmp_path, list(CARDS.values())) == []


def test_a_folder_s_whole_configuration_is_that_of_the_catalog_s_model_and_another_s_is_not(tmp_path: pathlib.Path) -> None:
    known = CARDS["HuggingFaceTB/SmolLM2-135M-Instruct"]
    written = {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "dtype": "bfloat16", "head_dim": 64,
        "hidden_act": "silu", "mlp_bias": False, "pretraining_tp": 1, "rms_norm_eps": 1e-5, "use_cache": True, "is_llama_config": True,
    }  # fmt: skip
    cards = {
        name: known.model_copy(update={"id": "a-folder", "path": "/a-folder", "config": {**known.config, **written, **changed}})
        for name, changed in {"same": {}, "wider": {"intermediate_size": 2048}, "biased": {"attention_bias": True}}.items()
    }
    assert missed(tmp_path, [cards["same"], *brought()]) == []
    for name in ("wider", "biased"):
        assert len(missed(tmp_path, [cards[name]])) == len(DEVICES) * len(TARGETS), name


@pytest.mark.nightly
def test_a_plan_does_not_wait_for_a_dry_run_that_takes_long_and_the_next_one_has_it(tmp_path: pathlib.Path) -> None:
    config = {**CARDS["HuggingFaceTB/SmolLM2-135M-Instruct"].config, "intermediate_size": 2048}
    card = CARDS["HuggingFaceTB/SmolLM2-135M-Instruct"].model_copy(update={"config": config, "intermediate_size": 2048})
    chosen = TrainSettings.model_validate({"device": "cpu", "precision": "fp32"})
    asked = (
        "import pathlib, sys\nfrom tuning.schema import ModelCard, TrainSettings\nfrom tuning.studio.profiles import Profiles\n"
        "card, chosen = ModelCard.model_validate_json(sys.argv[2]), TrainSettings.model_validate_json(sys.argv[3])\n"
        "print(Profiles(pathlib.Path(sys.argv[1]), wait=True).find(card, chosen, hurried=True))\n"
    )
    command = [sys.executable, "-c", asked, str(tmp_path), card.model_dump_json(), chosen.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=settings.ROOT, check=True)
    assert done.stdout.split() == ["None"]  # and the process has ended: nobody waited
    profiles, until = Profiles(tmp_path, wait=True), time.monotonic() + 180
    while profiles.look(card, chosen) is None and time.monotonic() < until:
        time.sleep(0.2)
    assert profiles.look(card, chosen) is not None


def test_other_code_of_a_family_loses_its_profiles_and_no_others(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    for family in {card.model_type for card in CARDS.values()}:
        shutil.copytree(MODELS / family, tmp_path / "models" / family)
    changed = tmp_path / "models" / "llama" / "modeling_llama.py"
    changed.write_text(changed.read_text(encoding="utf-8").replace("torch.rsqrt", "1 / torch.sqrt"), encoding="utf-8")
    code_at(monkeypatch, tmp_path)
    llamas = [card for card in CARDS.values() if card.model_type == "llama"]
    of_llamas = {card.id for card in llamas}
    assert {name for name, *_ in missed(tmp_path, llamas)} == of_llamas
    assert missed(tmp_path, [card for card in CARDS.values() if card.id not in of_llamas]) == []


def test_a_family_that_borrows_classes_changes_with_the_one_that_lends_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    texts = {"borrower": "from ..lender.modeling_lender import Layer\n", "lender": "class Layer: ...\n", "neighbour": "class Other: ...\n"}
    prints = []
    for changed in ("", "neighbour", "lender"):
        for family, text in texts.items():
            folder = tmp_path / f"but_{changed}" / "models" / family
            folder.mkdir(parents=True)
            (folder / f"modeling_{family}.py").write_text(text + "# anew" * (family == changed), encoding="utf-8")
        code_at(monkeypatch, tmp_path / f"but_{changed}")
        prints.append(fingerprint("borrower"))
    before, beside, below = prints
    assert before == beside != below


def test_whose_code_is_found_nowhere_has_the_version_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    code_at(monkeypatch, tmp_path)
    assert {name for name, *_ in missed(tmp_path, list(CARDS.values()))} == {card.id for card in CARDS.values()}


def test_a_profile_is_looked_for_without_importing_the_libraries(tmp_path: pathlib.Path) -> None:
    asked = (
        "import pathlib, sys\nfrom tests.forecast.test_profiles import CARDS, missed\n"
        "assert missed(pathlib.Path(sys.argv[1]), list(CARDS.values())) == []\n"
        "print(*sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", asked, str(tmp_path)], capture_output=True, text=True, cwd=settings.ROOT, check=True)
    assert done.stdout.split() == []
