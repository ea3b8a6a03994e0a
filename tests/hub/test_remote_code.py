"""`--allow-remote-code ID@REVISION`: a canary on the loopback Hub sings only for that id at that revision, and never from page or HTTP."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.bench.server import running
from tests.conftest import ROOT
from tests.hub.hub_server import REVISION, Repo, Server
from tests.watched import watched
from tuning import settings
from tuning.cli.main import main
from tuning.engine.resident import Resident
from tuning.errors import EngineError, InputError
from tuning.hub.shelf import Shelf
from tuning.runs.store import Store
from tuning.ui import view

ID, OTHER = "tailors/canary", "tailors/sparrow"
PINNED = f"{ID}@{REVISION}"
CODE = """
from transformers import LlamaConfig, LlamaForCausalLM

with open({place!r}, "a") as file:
    file.write("sung")


class CanaryConfig(LlamaConfig):
    model_type = "canary"


class CanaryForCausalLM(LlamaForCausalLM):
    config_class = CanaryConfig
"""
SHORT = ["--set", "max_steps=2", "--set", "report=false", "--set", "max_length=64", "--set", "validation_share=0"]


@pytest.fixture(autouse=True)
def _as_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is called here, and keeps the model that it has loaded and where code is kept."""
    monkeypatch.setattr("tuning.cli.talking._resident", None)
    monkeypatch.setenv("HF_MODULES_CACHE", "")


@pytest.fixture
def song(server: Server, tiny_model: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """Two repositories with code of their own; the file that it leaves behind where it runs."""
    place = tmp_path / "song"
    words = {"AutoConfig": "canary.CanaryConfig", "AutoModelForCausalLM": "canary.CanaryForCausalLM"}
    repo = Repo.of(tiny_model).but(config={"model_type": "canary", "architectures": ["CanaryForCausalLM"], "auto_map": words})
    repo.files["canary.py"] = CODE.format(place=str(place)).encode()
    server.repos |= {ID: repo, OTHER: Repo(dict(repo.files))}
    return place


def in_process(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tuning", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=dict(os.environ), check=False)


@pytest.fixture
def trained(song: pathlib.Path, rows_file: pathlib.Path) -> str:
    """A run of the canary, in a process that allows it."""
    done = in_process("train", "-m", ID, "-d", str(rows_file), *SHORT, "--allow-remote-code", PINNED, "--json")
    assert done.returncode == 0 and PINNED in done.stderr, done.stderr
    assert song.read_text()
    song.unlink()
    return str(json.loads(done.stdout)["run"])


def test_it_sings_for_its_owner_and_for_nobody_else(
    song: pathlib.Path, trained: str, home: pathlib.Path, rows_file: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who does not allow it neither trains nor asks a run of it; a file that was touched is not the one that was allowed."""
    assert not list((pathlib.Path.home() / ".cache" / "huggingface" / "modules").rglob("canary.py"))
    assert list((home / "models" / ".code").rglob("canary.py"))
    for words in (["chat", trained, "--prompt", "Hi"], ["chat", ID, "--prompt", "Hi"], ["train", "-m", ID, "-d", str(rows_file), *SHORT]):
        assert main(words) in (1, 2)
        assert "code of its own" in capsys.readouterr().err and not song.exists()
    (place,) = home.glob("models/tailors--canary--*")
    shelf = Shelf(settings.Settings(home=home, remote_code=settings.RemoteCode(ID, REVISION)), Store(home))
    assert shelf.trusts(str(place)) and not Shelf(settings.Settings(home=home), Store(home)).trusts(str(place))
    (place / "more.py").write_text("")
    assert not shelf.trusts(str(place))
    (place / "more.py").unlink()
    with (place / "canary.py").open("a") as file:
        file.write("# and more")
    assert not shelf.trusts(str(place))
    with pytest.raises(EngineError) as caught:
        Resident(shelf.trusts).load(str(place), "cpu", "fp32")
    assert caught.value.code == "model.remote_code" and not song.exists()


@pytest.mark.nightly
def test_it_sings_in_a_chat_and_when_it_is_resumed(song: pathlib.Path, trained: str, rows_file: pathlib.Path) -> None:
    for words in (["chat", trained, "--prompt", "Hi"], ["evaluate", trained, "-d", str(rows_file)], ["chat", ID, "--prompt", "Hi"]):
        done = in_process(*words, "--allow-remote-code", PINNED)
        assert done.returncode == 0 and song.read_text(), done.stderr
        song.unlink()


@pytest.mark.parametrize(
    ("pinned", "named"),
    [
        (None, "code of its own"),
        (f"{ID}@{'c' * 40}", "c" * 40),
        (f"{OTHER}@{REVISION}", "code of its own"),
        (f"{ID}@{REVISION[:12]}", "40"),
        (f"{ID}@main", "40"),
        (ID, "40"),
        (f"{ID}@{REVISION.upper()}", "40"),
        (f"../{ID}@{REVISION}", "40"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "train", "chat"])
def test_anything_else_is_refused(
    song: pathlib.Path, capsys: pytest.CaptureFixture[str], rows_file: pathlib.Path, verb: str, pinned: str | None, named: str
) -> None:
    words = {"plan": ["plan", "-m", ID], "train": ["train", "-m", ID, "-d", str(rows_file)], "chat": ["chat", ID, "--prompt", "Hi"]}[verb]
    assert main([*words, *([] if pinned is None else ["--allow-remote-code", pinned])]) == 2
    said = capsys.readouterr().err.splitlines()
    assert named in said[-1] and not song.exists()


def test_a_plan_runs_none_of_it(song: pathlib.Path, rows_file: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with watched() as seen:
        assert main(["plan", "-m", ID, "-d", str(rows_file), "--allow-remote-code", PINNED, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] and not song.exists()
    assert not [entry for entry in seen if entry[1].endswith("/canary.py")]


def test_code_of_another_repository_is_not_its_own(song: pathlib.Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    words = {"AutoModelForCausalLM": f"{OTHER}--canary.CanaryForCausalLM"}
    server.repos[ID] = server.repos[ID].but(config={"auto_map": words})
    assert main(["plan", "-m", ID, "--allow-remote-code", PINNED]) == 2
    assert "code of its own" in capsys.readouterr().err and not song.exists()


@pytest.fixture
def native(server: Server, song: pathlib.Path) -> pathlib.Path:
    """Phi-3.5 names a file for each of its classes, from before transformers had them; Phi-4-mini a repository besides, without a class."""
    words = {"AutoConfig": "canary.LlamaConfig", "AutoModelForCausalLM": "canary.LlamaForCausalLM", "AutoTokenizer": OTHER}
    words["AutoModelForSequenceClassification"] = "canary.LlamaForSequenceClassification"
    named = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "auto_map": words}
    server.repos[ID] = server.repos[ID].but(config=named)
    return song


def test_classes_that_the_libraries_have_need_no_permission(native: pathlib.Path, server: Server, rows_file: pathlib.Path) -> None:
    assert main(["plan", "-m", ID, "-d", str(rows_file)]) == 0
    assert not native.exists() and not [one for one in server.asked if "canary.py" in one[1]]


@pytest.mark.nightly
def test_classes_that_the_libraries_have_are_theirs(
    native: pathlib.Path,
    server: Server,
    home: pathlib.Path,
    rows_file: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "-m", ID, "-d", str(rows_file), *SHORT, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)["run"]
    assert main(["chat", run, "--prompt", "Hi"]) == 0
    assert main(["export", run, "--to", "merged", "--out", str(tmp_path / "merged"), "--no-check"]) == 0
    assert not native.exists() and not list(home.rglob("canary.py")) and not [one for one in server.asked if "canary.py" in one[1]]
    (merged,) = (tmp_path / "merged").rglob("config.json")
    assert "auto_map" not in json.loads(merged.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "words",
    [
        {"AutoConfig": "canary.LlamaConfig", "AutoModelForCausalLM": "canary.CanaryForCausalLM"},
        {"AutoConfig": "canary.LlamaConfig", "AutoTokenizer": "canary.LlamaTokenizer"},
        {"AutoModelForCausalLM": f"{OTHER}--canary.LlamaForCausalLM"},
        {"AutoModelForCausalLM": "canary.MistralForCausalLM"},
        {"AutoModelForCausalLM": ["canary.LlamaForCausalLM", None]},
        {"AutoModelForCausalLM": f"{OTHER}/canary.LlamaForCausalLM"},
        {},
    ],
)
def test_any_other_class_is_its_own(
    words: dict[str, Any], song: pathlib.Path, server: Server, rows_file: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "auto_map": words}
    server.repos[ID] = server.repos[ID].but(config=named)
    assert main(["plan", "-m", ID, "-d", str(rows_file)]) == 2
    assert "code of its own" in capsys.readouterr().err and not song.exists()


@pytest.mark.parametrize("mode", ["shared", "space"])
def test_never_where_others_come_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: pathlib.Path, mode: str
) -> None:
    monkeypatch.setenv("TUNING_MODE", mode)
    assert main(["plan", "--allow-remote-code", PINNED]) == 2
    assert mode in capsys.readouterr().err
    with pytest.raises(InputError):
        settings.allowing(settings.read(), PINNED)
    assert settings.opened(settings.Settings(home=home, remote_code=settings.RemoteCode(ID, REVISION)), ()).remote_code is None


@pytest.mark.parametrize(
    "options",
    [
        ["--host", "0.0.0.0", "--auth", "ann:a-long-pass-phrase"],
        ["--share", "--auth", "ann:a-long-pass-phrase"],
        ["--auth", "ann:a-long-pass-phrase"],
        ["--host", "0.0.0.0"],
    ],
)
def test_the_page_does_not_open_to_others_with_it(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert main(["app", "--no-browser", "--allow-remote-code", PINNED, *options]) == 2
    assert "--allow-remote-code" in capsys.readouterr().err


def test_nor_with_half_a_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["app", "--no-browser", "--port", "0", "--allow-remote-code", f"{ID}@abc"]) == 2
    assert "40" in capsys.readouterr().err


@pytest.mark.nightly
def test_no_program_and_no_page_switches_it_on(
    song: pathlib.Path, home: pathlib.Path, rows_file: pathlib.Path, wait_until: Callable[..., Any]
) -> None:
    """Of a page that was started for another one: its terminal says for which."""
    allowed = f"{OTHER}@{REVISION}"
    with running(home, "--allow-remote-code", allowed, env=dict(os.environ)) as (address, _):
        wait_until(lambda: allowed in (home / "app.log").read_text(encoding="utf-8"))
        client = Client(address, verbose=False)
        tried: list[dict[str, Any]] = [{}, {"sft": {"trust_remote_code": True}}, {"allow_remote_code": PINNED}]
        for given in tried:
            for endpoint in ("plan", "train"):
                with pytest.raises(AppError):
                    client.predict(model=ID, data=str(rows_file), settings=given, api_name=f"/{endpoint}")
        with pytest.raises((AppError, ValueError, TypeError)):
            client.predict(model=ID, data=str(rows_file), allow_remote_code=PINNED, api_name="/train")
        for words in (ID, PINNED):
            with pytest.raises(AppError):
                client.predict(run=words, messages=[{"role": "user", "content": "Hi"}], api_name="/chat")
    assert not song.exists()


@pytest.mark.parametrize("lang", ["en", "it"])
def test_the_header_says_so_while_it_is_on(lang: str) -> None:
    shown = view.remote_code(settings.RemoteCode(ID, REVISION), lang)
    assert ID in shown and REVISION[:12] in shown and not view.remote_code(None, lang)
