"""The starter is rebuilt by one command: the data sets to the byte, and in the nightly form a small model that loads and spells."""

import pathlib
import subprocess
import sys

import pytest

from tuning import settings

STARTER = settings.PRESETS / "starter"


def build(out: pathlib.Path, *options: str) -> str:
    command = [sys.executable, str(STARTER / "build.py"), "--out", str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout


def test_the_data_sets_are_what_the_script_makes(tmp_path: pathlib.Path) -> None:
    build(tmp_path, "--data-only")
    made = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    assert made == sorted(path.name for path in STARTER.glob("*.jsonl")) and len(made) == 4
    for name in made:
        assert (tmp_path / name).read_bytes() == (STARTER / name).read_bytes()


@pytest.mark.nightly
def test_a_small_build_loads_and_spells_any_text(tmp_path: pathlib.Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    said = build(tmp_path, "--tokens", "20000")
    assert "minutes" in said
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    words = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert 2_000_000 <= model.num_parameters() <= 6_000_000
    text = "Perché no? 25 € 🧵 naïve"
    assert words.decode(words(text, add_special_tokens=False)["input_ids"]) == text
