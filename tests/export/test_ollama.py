"""A run into Ollama: sent to one on the loopback interface that checks what it gets, and as a folder for a machine with another one.

The converter is a stand-in here; the nightly form takes llama.cpp's.
"""

import json
import os
import pathlib
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.export.ollama_server import OllamaServer
from tuning import settings
from tuning.cli import main as cli
from tuning.errors import InputError, RunError, TuningError
from tuning.export import certificate, converter, forms
from tuning.export.ollama import ollama_api, ollama_folder
from tuning.export.ollama.ollama_api import Handing
from tuning.models import sampling
from tuning.runs.run_folder import Run
from tuning.studio import Studio
from tuning.text import say, t

Taught = tuple[Studio, Run]
NAME = "prezzi-e-cosi"


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer() as found:
        yield found
        found.shutdown()


@pytest.fixture(scope="module")
def made(taught: Taught, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One whole export, from the run to the answers; what came of its parts is kept for the other tests."""
    studio, run = taught
    kept: dict[str, Any] = {"out": tmp_path_factory.mktemp("è out")}
    listen, converted = forms.listen, forms._converted
    with pytest.MonkeyPatch.context() as patch, OllamaServer() as server:
        patch.setattr(converter, "place", lambda home: pathlib.Path(__file__).with_name("converter_double"))

        def heard(*words: Any) -> dict[str, Any]:
            kept["live"] = listen(*words)
            server.answers = answers(kept["live"])
            return dict(kept["live"])

        def noted(order: forms.ExportOrder, folder: pathlib.Path) -> Any:
            kept["converted"] = converted(order, folder)
            kept["bytes"] = (folder / kept["converted"][1]).read_bytes()
            return kept["converted"]

        patch.setattr(forms, "listen", heard)
        patch.setattr(forms, "_converted", noted)
        kept["path"] = studio.exports.export(run.id, "ollama", kept["out"], handing=Handing(address=server.address))
        server.shutdown()
        return {**kept, "server": server}


@pytest.fixture
def again(made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Exports are made of the file that `made` has made."""

    def repeated(order: forms.ExportOrder, folder: pathlib.Path) -> Any:
        (folder / made["converted"][1]).write_bytes(made["bytes"])
        return made["converted"]

    monkeypatch.setattr(forms, "_converted", repeated)
    return made


def answers(live: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """What an Ollama would say that is equal to the live model."""
    triples = zip(live["asked"], live["answers"], live["prompts"], strict=True)
    return {turns[-1]["content"]: (said["text"], len(prompt)) for (turns, _), said, prompt in triples}


def test_a_run_is_sent_quantised_there_and_asked(made: dict[str, Any]) -> None:
    server, out = made["server"], made["path"]
    digest = next(iter(server.blobs))
    assert server.asked[:5] == [
        "GET /api/version", "POST /api/show", f"HEAD /api/blobs/{digest}", f"POST /api/blobs/{digest}", "POST /api/create",
    ]  # fmt: skip
    body = server.models[NAME]
    assert (body["quantize"], body["files"]) == ("q4_K_M", {f"{NAME}.gguf": digest}) and server.blobs[digest] == made["bytes"]
    assert body["parameters"]["stop"] == made["live"]["stop_words"] and all(word.startswith("<|") for word in body["parameters"]["stop"])
    assert len(server.chats) == 5 and all(chat["options"]["temperature"] == 0 for chat in server.chats)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "certificate.json", "certificate.md"]
    found = certificate.read(out)
    assert (found["verdict"], found["model"], found["quantize"], found["version"]) == ("same", NAME, "q4_K_M", "0.32.1"), found
    assert (found["word_agreement"], found["prompts"], found["not_asked"]) == (1.0, {"equal": 5, "of": 5}, 0)
    assert found["tensors"]["equal"] == found["tensors"]["of"] > 10 and found["merged"]["equal"] == found["merged"]["of"]
    assert f"ollama run {NAME}" in (out / "README.md").read_text(encoding="utf-8")
    words = (out / "certificate.md").read_text(encoding="utf-8")
    assert all(t(lang, "export.certificate.ollama.made", model=NAME, quantize="q4_K_M", version="0.32.1") in words for lang in ("en", "it"))
    assert t("en", "export.certificate.gguf.open.none") not in words


def test_what_it_says_otherwise_is_shown_with_both_texts(
    taught: Taught, again: dict[str, Any], server: OllamaServer, tmp_path: pathlib.Path
) -> None:
    """Another answer, and a prompt that its template makes longer; nothing is blocked."""
    studio, run = taught
    server.answers = right = answers(again["live"])
    first, second, *_ = right
    server.answers = {**right, first: ("Something else altogether", right[first][1]), second: (right[second][0], right[second][1] + 1)}
    out = studio.exports.export(run.id, "ollama", tmp_path / "x", handing=Handing(address=server.address, name="mine", quantize="Q8_0"))
    found = certificate.read(out)
    assert (found["verdict"], found["model"], found["quantize"]) == ("differs", "mine", "q8_0") and found["word_agreement"] < 1
    assert [one["same"] for one in found["answers"]] == [False, True, True, True, True] and found["prompts"]["equal"] == 4
    for lang in ("en", "it"):
        words = certificate.spoken(found, lang)
        assert "Something else altogether" in words and right[first][0].splitlines()[0] in words


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "old": ("export.ollama.old", {"version": "0.29.4"}),
    "taken": ("export.ollama.taken", {"models": {NAME: {}}}),
    "a disk that is full, while it is sent": ("export.ollama.disk", {"fault": ("full", "blobs")}),
    "a disk that is full, while it is quantised": ("export.ollama.disk", {"fault": ("full", "create")}),
    "cut while it is sent": ("export.ollama.cut", {"fault": ("cut", "blobs")}),
    "cut while it is quantised": ("export.ollama.cut", {"fault": ("cut", "create")}),
    "refused": ("export.ollama.refused", {"fault": ("error", "create")}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_ends_in_a_sentence_and_nothing_is_left(
    taught: Taught, again: dict[str, Any], server: OllamaServer, tmp_path: pathlib.Path, fault: str
) -> None:
    studio, run = taught
    code, changes = FAULTS[fault]
    vars(server).update(changes)
    before = dict(server.models)
    with pytest.raises(TuningError) as caught:
        studio.exports.export(run.id, "ollama", tmp_path / "x", handing=Handing(address=server.address))
    assert caught.value.code == code and caught.value.exit_code == 2 and list(tmp_path.iterdir()) == []
    told = {lang: say(lang, code, caught.value.params) for lang in ("en", "it")}
    assert not any("{" in text or "/usr/share" in text for text in told.values()), told
    assert server.models == before


QWEN = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05}  # 2.5 Instruct


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (QWEN, {"temperature": 0.7, "repeat_penalty": 1.05, "top_p": 0.8, "top_k": 20, "repeat_last_n": -1}),
        ({**QWEN, "do_sample": False}, {"temperature": 0.0, "repeat_penalty": 1.05, "repeat_last_n": -1}),
        ({"do_sample": True}, {"temperature": 1.0, "repeat_penalty": 1.0, "top_p": 1.0, "top_k": 50}),  # transformers' own
        (
            {"do_sample": True, "temperature": 10**400, "top_p": "0.5"},
            {"temperature": 1.0, "repeat_penalty": 1.0, "top_p": 1.0, "top_k": 50},
        ),
        (None, {"temperature": 0.0, "repeat_penalty": 1.0}),
    ],
    ids=["Qwen 2.5", "the likeliest words", "sampled", "odd", "nothing"],
)
def test_a_model_answers_in_ollama_as_in_the_chat_here(tmp_path: pathlib.Path, said: Any, expected: dict[str, Any]) -> None:
    if said is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(said), encoding="utf-8")
    found = ollama_api.parameters(sampling.read(tmp_path), ["<end>"])
    assert found == {**expected, "stop": ["<end>"]}
    lines = ollama_folder.modelfile("a.gguf", found).splitlines()[3:]
    assert lines == [*(f"PARAMETER {name} {value}" for name, value in expected.items()), 'PARAMETER stop "<end>"']


def test_a_file_that_it_has_is_not_sent_twice(taught: Taught, again: dict[str, Any], server: OllamaServer, tmp_path: pathlib.Path) -> None:
    studio, run = taught
    server.answers, server.fault = answers(again["live"]), ("cut", "create")
    with pytest.raises(RunError):
        studio.exports.export(run.id, "ollama", tmp_path / "x", handing=Handing(address=server.address))
    server.fault = ("", "")
    studio.exports.export(run.id, "ollama", tmp_path / "x", handing=Handing(address=server.address, quantize="none"))
    assert sum(asked.startswith("POST /api/blobs") for asked in server.asked) == 1 and "quantize" not in server.models[NAME]


@pytest.mark.parametrize("fault", ["error", "cut"])
def test_a_model_that_is_made_and_does_not_answer_is_told(
    taught: Taught, again: dict[str, Any], server: OllamaServer, tmp_path: pathlib.Path, fault: str
) -> None:
    """The export has been made; nothing is called checked."""
    studio, run = taught
    server.answers, server.fault = answers(again["live"]), (fault, "chat")
    found = certificate.read(studio.exports.export(run.id, "ollama", tmp_path / "x.zip", handing=Handing(address=server.address)))
    assert (found["verdict"], found["answers"], found["not_asked"], bool(found["said"])) == ("file", [], 5, True)
    assert NAME in server.models and t("it", "export.certificate.file") in certificate.spoken(found, "it")
    assert fault == "cut" or "9.1 GiB" in certificate.spoken(found, "en")


def test_where_none_answers_a_folder_takes_it_to_another_machine(
    taught: Taught, again: dict[str, Any], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the terminal, in Italian; its start.sh is run by a real shell, with an `ollama` that notes what it is told."""
    studio, run = taught
    monkeypatch.setattr(ollama_api, "ADDRESS", "http://127.0.0.1:9")
    words = [
        "--home",
        str(studio.settings.home),
        "export",
        run.id,
        "--to",
        "ollama",
        "--out",
        str(tmp_path / "x.zip"),
        "--json",
        "--lang",
        "it",
    ]
    assert cli.main(words) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "command" not in told and told["verdict"] == "file" and t("it", "export.ollama.elsewhere") in said.err
    folder = tmp_path / "una cartella è"
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        archive.extractall(folder)
        assert archive.getinfo("start.sh").external_attr >> 16 & 0o111
    assert {path.name for path in folder.iterdir()} == {
        "LEGGIMI.txt", "Modelfile", "README.md", "certificate.json", "certificate.md", f"{NAME}.gguf", "start.cmd", "start.sh",
    }  # fmt: skip
    lines = (folder / "Modelfile").read_text(encoding="utf-8").splitlines()
    assert lines[1:3] == [f"FROM ./{NAME}.gguf", "REQUIRES 0.30.0"]
    assert lines[3:5] == ["PARAMETER temperature 0.0", "PARAMETER repeat_penalty 1.0"]  # as the chat here answers, and not as Ollama would
    assert lines[5:] == [f'PARAMETER stop "{stop}"' for stop in again["live"]["stop_words"]] != []
    readme = (folder / "LEGGIMI.txt").read_text(encoding="utf-8-sig")
    assert len(readme.split("\n\n")) == 3 and f"ollama run {NAME}" in readme
    windows = (folder / "start.cmd").read_bytes()
    assert windows.count(b"\r\n") == windows.count(b"\n") and f"ollama create {NAME} --quantize q4_K_M -f Modelfile\r\n".encode() in windows
    assert noted(folder, tmp_path / "bin") == [f"create {NAME} --quantize q4_K_M -f Modelfile", f"run {NAME}"]
    (tmp_path / "bin" / "ollama").unlink()
    done = shell(folder, tmp_path / "bin")
    assert done.returncode == 1 and done.stdout.strip() == t("it", "export.ollama.start.absent")


def noted(folder: pathlib.Path, programs: pathlib.Path) -> list[str]:
    """What start.sh tells an `ollama`."""
    programs.mkdir()
    (programs / "ollama").write_text(f'#!/bin/sh\n[ -f Modelfile ] && echo "$@" >> "{programs}/noted"\n', encoding="utf-8")
    (programs / "ollama").chmod(0o755)
    done = shell(folder, programs)
    assert done.returncode == 0, done
    return (programs / "noted").read_text(encoding="utf-8").splitlines()


def shell(folder: pathlib.Path, programs: pathlib.Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    return subprocess.run(["sh", str(folder / "start.sh")], cwd="/", env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("lang", ["en", "it"])
def test_nothing_that_windows_is_to_say_is_read_as_a_command(tmp_path: pathlib.Path, lang: str) -> None:
    ollama_folder.write(tmp_path, "a.gguf", "a", "none", {}, lang)
    lines = (tmp_path / "start.cmd").read_text(encoding="utf-8").splitlines()
    said = [line.removeprefix("echo ") for line in lines if line.startswith("echo ")]
    assert len(said) == 3 and not any(set(text) & set('&<>|^%!"') for text in said) and "ollama create a -f Modelfile" in lines
    assert {line.split()[-1] for line in lines if "goto" in line} == {line[1:] for line in lines if line.startswith(":")}


def test_the_terminal_ends_with_the_line_to_type(
    taught: Taught, again: dict[str, Any], server: OllamaServer, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studio, run = taught
    server.answers = answers(again["live"])
    home = ["--home", str(studio.settings.home), "export", run.id, "--out", str(tmp_path / "x")]
    assert cli.main([*home, "--to", "ollama", "--ollama", server.address, "--name", "mine"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "command: ollama run mine"
    refused = {
        "export.ollama.absent": ["--ollama", "http://127.0.0.1:9"],
        "export.ollama.address": ["--ollama", "127.0.0.1"],
        "export.ollama.name": ["--ollama", server.address, "--name", "è mio"],
        "export.quantize.unknown": ["--quantize", "q2"],
        "export.quantize.twice": ["--type", "q8_0", "--quantize", "q4_K_S"],
    }
    for code, words in refused.items():
        assert cli.main([*home, "--to", "ollama", *words, "--lang", "en"]) == 2
        assert capsys.readouterr().err.startswith(t("en", code, **dict.fromkeys(("name", "known", "address"), "\0")).split("\0")[0]), code
    with pytest.raises(InputError) as caught:
        studio.exports.export(run.id, "merged", tmp_path, handing=Handing(quantize="q4_K_M"))
    assert (caught.value.code, caught.value.params["option"]) == ("export.ollama.only", "--quantize")


def test_a_visitor_takes_the_folder_and_hands_nothing_to_the_machine_s_ollama(
    taught: Taught,
    again: dict[str, Any],
    server: OllamaServer,
    tmp_path: pathlib.Path,
    doubled: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    studio, run = taught
    home = pathlib.Path(shutil.copytree(studio.settings.home, tmp_path / "home"))
    spec = home / "runs" / run.id / "spec.yaml"
    spec.write_text(yaml.safe_dump({**yaml.safe_load(spec.read_text(encoding="utf-8")), "owner": "anna"}), encoding="utf-8")
    anna = Studio(replace(settings.opened(settings.read(home=str(home)), ("boss",))), "anna")
    monkeypatch.setattr(ollama_api, "ADDRESS", server.address)
    for handing in (None, Handing(address=server.address)):
        taken = anna.exports.export(run.id, "ollama", tmp_path / f"x{handing is None}", handing=handing)
        assert (taken / "start.cmd").is_file() and server.asked == []


@pytest.mark.nightly
def test_llama_cpp_s_own_converter_makes_what_is_sent(
    taught: Taught,
    tools: pathlib.Path,
    tuning: Callable[..., subprocess.CompletedProcess[str]],
    server: OllamaServer,
    tmp_path: pathlib.Path,
) -> None:
    """From the terminal, in a process of its own; tensors are read back, and there is nobody to answer."""
    studio, run = taught
    assert tools.is_dir()
    server.fault = ("error", "chat")
    words = ["--to", "ollama", "--out", str(tmp_path / "x"), "--ollama", server.address, "--json"]
    done = tuning("--home", str(studio.settings.home), "export", run.id, *words)
    assert done.returncode == 0, done.stderr
    told, found = json.loads(done.stdout), certificate.read(tmp_path / "x")
    print(told, found)
    assert (told["command"], told["verdict"]) == (f"ollama run {NAME}", "file") and found["stored"]["F16"] > 5
