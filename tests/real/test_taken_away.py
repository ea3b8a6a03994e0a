"""A pretrained model that was really taught, used by programs that do not know us: `TEST_REAL_MODELS=FOLDER pytest -m real -n0 -s`.

One training, and each way out of it: the adapter's zip and the merged folder by plain transformers and PEFT, the bundle by TRL, and a GGUF
file in llama.cpp with its own chat template. It fetches llama.cpp and its converter, and is skipped where they cannot be had.
"""

import json
import os
import pathlib
import subprocess
import sys
import zipfile
from typing import Any, NamedTuple

import pytest

from tests.export import llama_cpp
from tests.real.test_real import MODELS, MOST, alone, data, ours, pytestmark, share, verb
from tuning import settings
from tuning.export import certificate
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL

MODEL, CONTEXT, SAME = "SmolLM2-135M-Instruct", 1024, 1e-4
PASSES = ["report=false", "num_train_epochs=5", "lora_dropout=0", "precision=fp32"]
__all__ = ["pytestmark"]


class Taught(NamedTuple):
    """The run, its home, its base, and what it answers to questions that were not taught."""

    run: Run
    home: pathlib.Path
    base: pathlib.Path
    asked: list[dict[str, str]]
    live: list[str]

    @property
    def questions(self) -> list[str]:
        return [row["instruction"] for row in self.asked]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return llama_cpp.installed(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    """Trained without dropout and in 32 bits, so that it can be trained again to the same loss."""
    place = tmp_path_factory.mktemp("a home è")
    home, base = place / "home", pathlib.Path(MODELS) / MODEL
    file, asked = data("en", place)
    trained = verb(home, "train", "-m", str(base), "-d", str(file), "-r", "facts", *(word for said in PASSES for word in ("--set", said)))
    run = Store(home).find(trained["run"], LOCAL)
    live = ours(run, [row["instruction"] for row in asked])
    print(f"\n{MODEL}: of {len(asked)} facts right {share(live, asked):.0%} live")
    for row, text in zip(asked, live, strict=True):
        print("  ", row["instruction"], "|", row["fact"], "|", text)
    assert share(live, asked) >= 0.3
    return Taught(run, home, base, asked, live)


def taken(taught: Taught, to: str, out: pathlib.Path, *words: str) -> dict[str, Any]:
    return verb(taught.home, "export", taught.run.id, "--to", to, "--out", str(out), *words)


def test_taught_facts_come_back_in_llama_cpp(
    engine: pathlib.Path, taught: Taught, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Q8_0, with the file's own template and the tokens that end an answer; the certificate has asked llama.cpp's server itself."""
    (tmp_path / "server").mkdir()
    monkeypatch.setenv("PATH", f"{llama_cpp.server(tmp_path / 'server')}{os.pathsep}{os.environ['PATH']}")
    taken(taught, "gguf", tmp_path / "taken è", "--type", "q8_0")
    found = certificate.read(tmp_path / "taken è")
    print({key: found.get(key) for key in ("verdict", "runtime", "token_agreement", "prompts", "unanswered")})
    assert found["runtime"]["name"] == "llama_cpp" and found["prompts"] == {"equal": 5, "of": 5, "not_compared": 0}
    assert found["tensors"]["equal"] == found["tensors"]["of"] and found["token_agreement"] > 0.5  # 8 bits may turn a token
    job = {"path": str(next((tmp_path / "taken è").glob("*.gguf"))), "questions": taught.questions}
    there = llama_cpp.asked(engine, {MODEL: job}, tmp_path, MOST, CONTEXT)[MODEL]["said"]
    shares = [share(answers, taught.asked) for answers in (taught.live, there)]
    same = sum(text == other for text, other in zip(taught.live, there, strict=True))
    print(f"\nq8_0: of {len(there)} facts right {shares[0]:.0%} live, {shares[1]:.0%} in llama.cpp; same answers {same}")
    for text, other in zip(taught.live, there, strict=True):
        print("  ", text, "|", other)
    assert abs(shares[0] - shares[1]) <= 2 / len(there)  # 8 bits may turn a word


def test_other_programs_say_the_same_and_train_to_the_same_loss(taught: Taught, tmp_path: pathlib.Path) -> None:
    (tmp_path / "asked.json").write_text(json.dumps(taught.questions), encoding="utf-8")
    told = [taken(taught, "adapter", tmp_path / "adapter.zip"), taken(taught, "merged", tmp_path / "merged è")]
    assert [one["verdict"] for one in told] == ["same", "same"]
    with zipfile.ZipFile(tmp_path / "adapter.zip") as archive:
        archive.extractall(tmp_path / "adapter")
    bundle = tmp_path / "bundle è"
    taken(taught, "bundle", bundle)
    done = subprocess.run(
        [sys.executable, "-I", "retrain.py", str(taught.base)], cwd=bundle, env=settings.child_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    again = json.loads((bundle / "result.json").read_text(encoding="utf-8"))
    print(again)
    ways = {
        "adapter": (taught.base, tmp_path / "adapter"),
        "merged": (tmp_path / "merged è", "-"),
        "trained again": (taught.base, bundle / "adapter"),
    }
    for name, (base, adapter) in ways.items():
        said = [text for text, _ in alone(tmp_path, str(base), str(adapter), "float32", "asked.json")]
        print(f"{name}: same answers {sum(map(str.__eq__, said, taught.live))} of {len(said)}, right {share(said, taught.asked):.0%}")
        assert said == taught.live
    assert again["apart"] <= SAME and again["loss_of_the_run"] == taught.run.state().train_loss
