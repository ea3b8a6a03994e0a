"""The command line: exit codes, one JSON document and nothing else, sentences instead of tracebacks.

What a process of its own shows is asked of one: a training, an answer as it is spoken, signals. The other studio are called here.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import ROOT, write_rows
from tuning import settings
from tuning.cli import app
from tuning.cli.main import main
from tuning.cli.options import parser
from tuning.cli.starting import Refusal
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.studio.plans import Plans

Call = Callable[..., subprocess.CompletedProcess[str]]
CANARY = "hf_" + "CANARYabcdefghijklmnopqrstuvwxyz0123"
SHORT = ("--set", "max_steps=4", "--set", "max_length=64")


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run a light verb in this process: code, stdout, stderr."""
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("verb", ["models", "recipes", "datasets", "hardware", "runs"])
def test_lists_are_one_json_document(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    code, out, _ = asked(capsys, verb, "--json")
    assert code == 0
    assert isinstance(json.loads(out), list | dict)
    assert asked(capsys, verb)[0] == 0


@pytest.mark.parametrize("lang", ["en", "it"])
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["plan", "-m", "nope"], "nope"),
        (["plan", "-d", "nope.json"], "nope.json"),
        (["plan", "-m", "x" * 5000], "xxx"),
        (["plan", "-d", "x" * 5000], "xxx"),
        (["plan", "-m", "~nobody-at-all/model"], "nobody"),
        (["plan", "-d", "nul\0byte"], "nul"),
        (["plan", "-r", "nope"], "nope"),
        (["plan", "--set", "lora_rank=3"], "lora_r"),
        (["plan", "--set", "learning_rate=fast"], "learning_rate"),
        (["plan", "--set", "epochs"], "--set num_train_epochs=3"),
        (["check", "starter-en", "--map", "domanda"], "--map question=COLUMN"),
        (["train", "-d", "starter-en", "--rows", "0"], "--rows 0"),
        (["plan", "-d", "starter-en", "--chat-template", "no-such.jinja"], "no-such.jinja"),
        (["plan", "--set", "method=full", "--set", "quantization=nf4"], "nf4"),
        (["train", "--spec", "no-such-file.yaml"], "no-such-file.yaml"),
        (["check", "no-such-file.json"], "no-such-file.json"),
        (["show", "20990101"], "20990101"),
        (["remove", "starter"], "models --downloaded"),
        (["train", "--max-cost", "3"], "--rent"),
        (["resume", "last", "--yes"], "--rent"),
        (["train", "--rent", "l4x1", "--max-cost", "nan"], "--max-cost"),
        (["train", "--rent", "l4x1", "--max-cost", "-3"], "-3"),
        (["app", "--port", "70000"], "65535"),
        (["app", "--port", "-1"], "65535"),
        (["stop", "../../etc"], "etc"),
        (["chat", "nobody", "--prompt", "hi"], "nobody"),
        (["export", "last", "--out", "x.zip"], "last"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str], words: list[str], named: str, lang: str) -> None:
    code, out, err = asked(capsys, *words, *(["--json"] if words[0] != "app" else []), "--lang", lang)
    assert (code, out) == (2, "")
    assert named in err and "Traceback" not in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("lang", ["en", "it"])
@pytest.mark.parametrize(
    ("words", "english", "italian"),
    [
        (["trian"], "There is no verb “trian”. Did you mean “train”?", "Il comando «trian» non c'è. Intendevi «train»?"),
        (["frobnicate"], "There is no verb “frobnicate”.", "Il comando «frobnicate» non c'è."),
        ([], "Missing: VERB.", "Manca: COMANDO."),
        (["show"], "Missing: RUN.", "Manca: LAVORO."),
        (["check", "a.csv", "--frob"], "tuning check” does not know “--frob”", "tuning check» non conosce «--frob»"),
        (
            ["check", "a.csv", "--rows", "abc"],
            "--rows takes a whole number, and “abc” is none",
            "--rows vuole un numero intero, e «abc» non",
        ),
        (["plan", "--gpu-memory", "16GB"], "--gpu-memory takes a number, and “16GB” is none", "--gpu-memory vuole un numero, e «16GB» non"),
        (
            ["export", "last", "--out", "x", "--type", "f8"],
            "--type does not take “f8”. Allowed: f16, bf16,",
            "--type non accetta «f8». Ammessi: f16",
        ),
        (["plan", "--set"], "--set wants a value", "--set vuole un valore"),
        (["plan", "--json=3"], "--json takes no value", "--json non prende nessun valore"),
        (["chat", "last", "--s", "3"], "“--s” could be one of several: --system, --seed", "«--s» può essere più cose: --system, --seed"),
    ],
)
def test_what_is_typed_wrong_is_one_sentence_in_the_language_asked_for(
    capsys: pytest.CaptureFixture[str], words: list[str], english: str, italian: str, lang: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*words[:1], "--lang", lang, *words[1:]])
    said = capsys.readouterr()
    assert left.value.code == 2 and not said.out
    assert {"en": english, "it": italian}[lang] in said.err and len(said.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"), [(["--port", "x"], "--port takes a whole"), (["--frob", "--lang=it"], "«python app.py» non conosce «--frob»")]
)
def test_the_page_s_program_says_it_so_too(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    with pytest.raises(SystemExit):
        app.options(words)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Domanda: scrivi qui", "No"),
        ("No", "Yes"),
        ("007", "1.50"),
        ("[a]", "{b: c}"),
        ("# chiesto", "null"),
        ("a = b", "~"),
        (" sp ", "'quoted'"),
        ("v1.2", "2024-05-01"),
    ],
)
def test_columns_are_mapped_by_their_names_to_the_letter(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, question: str, answer: str
) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{question: "Dove?", answer: "Qui.", "altro": "x"}] * 3), encoding="utf-8")
    code, out, err = asked(capsys, "check", str(path), "--map", f"question={question}", "--map", f"answer={answer}", "--json")
    assert code == 0 and all(line.startswith("Reading the file") for line in err.splitlines())  # which a slow machine is told
    assert json.loads(out)["mapping"] == {"question": question, "answer": answer}


@pytest.mark.parametrize("words", [["runs"], ["app", "--no-browser"]])
def test_a_mode_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setenv("TUNING_MODE", "sharde")
    assert main(words) == 2
    said = capsys.readouterr()
    assert "sharde" in said.err and "local, shared, space" in said.err and not said.out
    with pytest.raises(Refusal) as refused:
        app.allowing(settings.read(), None)
    assert refused.value.code == "settings.mode"


def test_what_is_our_fault_goes_to_the_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: pathlib.Path) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Plans, "recipes", broken)
    code, out, err = asked(capsys, "recipes", "--json")
    assert (code, out) == (1, "")
    assert "Traceback" not in err and "ZeroDivisionError" in (home / "log.txt").read_text(encoding="utf-8")


def test_plan_names_what_the_contract_names(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, "plan", "--json", "--gpu-memory", "8")
    found = json.loads(out)
    assert code == 0
    assert {"settings", "predicted_peak_bytes", "parts", "seconds", "fits", "notices"} <= found.keys()
    assert found["predicted_peak_bytes"] == sum(found["parts"].values())


@dataclass(frozen=True)
class Trained:
    """A training as a process, with a token in its environment: what it said, and the folders that it wrote to."""

    home: pathlib.Path
    temporary: pathlib.Path
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_model: pathlib.Path) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    temporary = folder / "temporary"
    temporary.mkdir()
    rows = write_rows(folder / "rows.json")
    words = ["--home", str(folder / "home"), "train", "-m", str(tiny_model), "-d", str(rows), "--name", "Prezzi è così", *SHORT, "--json"]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_TOKEN": CANARY, "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "tuning", *words]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return Trained(folder / "home", temporary, done)


@pytest.mark.drawn("stopped")
def test_no_file_of_a_run_holds_the_token_of_the_environment(trained: Trained) -> None:
    written = [path for folder in (trained.home, trained.temporary) for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "optimizer.pt" for path in written)
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in trained.done.stdout + trained.done.stderr


def test_a_run_from_end_to_end(
    trained: Trained, tuning: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("TUNING_HOME", str(trained.home))
    result = json.loads(trained.done.stdout)
    promised = {
        "run", "status", "reason", "adapter", "steps", "train_loss", "eval_loss", "base_eval_loss", "perplexity", "base_perplexity",
        "learned_tokens", "tokens_per_second", "seconds", "predicted_peak_bytes", "peak_bytes", "recoveries", "trainable_parameters",
        "total_parameters",
    }  # fmt: skip
    assert promised <= result.keys()
    assert (result["status"], result["reason"], result["steps"], result["name"]) == ("finished", None, 4, "Prezzi è così")
    again = tuning("chat", result["run"][:30], "--prompt", "How much is item 3?")

    def document(*words: str) -> Any:
        code, out, err = asked(capsys, *words, "--json")
        assert code == 0, err
        return json.loads(out)

    shown = document("show", "last")
    assert shown["run"] == result["run"] and all({"step", "time"} <= record.keys() for record in shown["metrics"])
    assert document("chat", "last", "--prompt", "How much is item 3?")["answer"] == again.stdout.removesuffix("\n")
    base, none = (document("chat", "last", "--prompt", "How much is item 3?", *how) for how in (["--base"], ["--strength", "0"]))
    assert none["answer"] == base["answer"]
    exported = document("export", "last", "--no-check", "--out", str(tmp_path / "mine.zip"))
    assert exported["run"] == result["run"]
    with zipfile.ZipFile(exported["path"]) as archive:
        assert archive.testzip() is None
        assert "adapter_model.safetensors" in archive.namelist()
    spec = Studio(settings.read(), LOCAL).shared.store.find("last", "local").folder / "spec.yaml"
    same = document("train", "--spec", str(spec))
    assert (same["status"], same["train_loss"]) == ("finished", result["train_loss"])
    assert asked(capsys, "resume", "last")[0] == 2
    assert asked(capsys, "rename", "last", "other")[0] == 0
    assert asked(capsys, "delete", "last")[0] == 0
    assert len(document("runs")) == 1


def start(home: pathlib.Path, model: pathlib.Path, rows: pathlib.Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tuning", "--home", str(home), "train", "-m", str(model), "-d", str(rows), "--json"]
    return subprocess.Popen([*command, "--set", "max_steps=100000"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def at_work(home: pathlib.Path, process: subprocess.Popen[str]) -> str:
    """Wait until the run has logged a step; its id."""
    studio = Studio(settings.read(home=str(home)), LOCAL)
    deadline = time.monotonic() + 90
    while True:
        assert process.poll() is None and time.monotonic() < deadline
        runs = studio.runs.list()
        if runs and runs[0]["status"] == "running" and runs[0]["step"] > 0:
            return str(runs[0]["run"])
        time.sleep(0.1)


@pytest.mark.drawn("stopped")
def test_stop_from_another_terminal_ends_with_0(
    capsys: pytest.CaptureFixture[str], home: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path
) -> None:
    process = start(home, tiny_model, rows_file)
    run = at_work(home, process)
    assert asked(capsys, "stop", run)[0] == 0
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["status"] == "stopped"
    assert pathlib.Path(json.loads(out)["adapter"]).is_dir()


@pytest.mark.drawn("stopped")
def test_ctrl_c_keeps_the_work_and_ends_with_130(home: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path) -> None:
    process = start(home, tiny_model, rows_file)
    at_work(home, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "stopped"


@pytest.mark.parametrize(
    ("script", "named"), [("/usr/bin/sartoria", "sartoria"), ("C:/x/sartoria.exe", "sartoria"), ("a.py", "python -m tuning")]
)
def test_the_help_names_the_command_that_was_typed(script: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [script])
    assert parser().format_usage().startswith(f"usage: {named} [")
    assert parser().parse_args(["app"]).program == f"{named} app"


@pytest.mark.parametrize("words", [["--home", "x", "app"], ["app", "--home", "x"], ["--home", "y", "app", "--home", "x"]])
def test_the_verb_takes_the_options_of_the_program(words: list[str]) -> None:
    taken = vars(parser().parse_args(words))
    alone = vars(app.options(["--home", "x"]))
    assert taken["home"] == alone["home"] == "x"
    assert taken.keys() - alone.keys() == {"verb", "json"} and not alone.keys() - taken.keys()
    assert app.options([]).home is None and parser().parse_args(["app"]).home is None


@pytest.mark.parametrize(
    "words", [["--lang", "it", "--json", "runs"], ["runs", "--json", "--lang", "it"], ["--lang", "it", "runs", "--json"]]
)
def test_language_and_json_are_taken_before_the_verb_and_after_it(words: list[str]) -> None:
    taken = parser().parse_args(words)
    assert taken.lang == "it" and taken.json is True
    alone = parser().parse_args(["runs"])
    assert alone.lang == "auto" and alone.json is False
    assert parser().parse_args(["--lang", "it", "app"]).lang == "it"


def test_who_is_refused_reads_the_command_that_was_typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sartoria"])
    assert main(["app", "--share"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("--share") and "sartoria app --share --auth auto" in said.err and not said.out


@pytest.mark.parametrize(
    ("wish", "by"),
    [
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_OFFLOAD_PARAMS": "true"}, "FSDP"),
        (
            {
                "ACCELERATE_USE_DEEPSPEED": "true",
                "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3",
                "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "cpu",
            },
            "ZeRO-3",
        ),
    ],
)
def test_a_launcher_that_wants_a_model_in_main_memory_is_refused_before_anything_begins(
    capsys: pytest.CaptureFixture[str], home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, wish: dict[str, str], by: str
) -> None:
    for key, value in wish.items():
        monkeypatch.setenv(key, value)
    assert main(["train", "-m", "starter", "-d", "starter-en", "--lang", "en"]) == 2
    said = capsys.readouterr().err
    assert by in said and "fsdp2.yaml" in said and not (home / "runs").exists()
    assert not {"ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"} & os.environ.keys()  # no library shares out by itself
