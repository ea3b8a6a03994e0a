"""The trial of a model's folder: once for what its files are, and again when they change; honest ones pass, whatever their template is."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests import hostile
from tests.lots import lot
from tests.tiny import tokenizer
from tests.tokens import shipped
from tuning.engine.workshop import Workshop
from tuning.errors import EngineError, InputError
from tuning.sandbox import run
from tuning.schema import LOCAL
from tuning.settings import ROOT
from tuning.studio import Studio
from tuning.tokens import first_use, labels, trial

# Notes each trial's child that a process begins.
NOTES = """
import subprocess
own = subprocess.Popen.__init__
def begin(self, args, *rest, **named):
    if "tuning.tokens.trial" in args:
        open({began!r}, "a").write("1")
    own(self, args, *rest, **named)
subprocess.Popen.__init__ = begin
"""


def fault(folder: pathlib.Path) -> InputError | None:
    try:
        trial.require(folder)
    except InputError as error:
        return error
    return None


def test_it_is_tried_once_and_again_when_a_file_changes(
    tiny_model: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []
    own = run.run
    monkeypatch.setattr(run, "run", lambda module, *rest: (began.append(module), own(module, *rest)))
    folder = hostile.make("t-raises", tiny_model, tmp_path)  # a template may say no
    assert fault(folder) is None and fault(folder) is None and len(began) == 1
    words = (folder / "tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(words[:-1] + " ", encoding="utf-8")
    told = [fault(folder), fault(folder)]
    assert [(one.code, one.params["file"]) for one in told if one] == [("model.broken", "tokenizer.json")] * 2 and len(began) == 2
    (folder / "tokenizer.json").write_text(words, encoding="utf-8")
    assert fault(folder) is None and len(began) == 3


def test_another_process_knows_that_it_has_passed(tiny_model: pathlib.Path, tmp_path: pathlib.Path, rows_file: pathlib.Path) -> None:
    """A terminal is a new process for each command."""
    began = tmp_path / "began"
    (tmp_path / "sitecustomize.py").write_text(NOTES.format(began=str(began)), encoding="utf-8")
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    command = [sys.executable, "-m", "tuning", "plan", "-m", str(folder), "-d", str(rows_file)]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 and began.read_text(encoding="utf-8") == "1", done.stderr


def test_a_tokenizer_of_pieces_alone_says_what_reads_it(tiny_model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The package is none of the project's; where it is installed the folder is broken, for these are no pieces."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    found = fault(folder)
    there = importlib.util.find_spec("sentencepiece") is not None
    assert found is not None and found.code == ("model.broken" if there else "model.pieces") and found.params["file"] == "tokenizer.model"


def test_the_starter_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "run", lambda *asked: pytest.fail("a child was begun"))
    trial.require(trial.PRESETS / "starter" / "model")


@pytest.mark.parametrize("count", [12, pytest.param(1000, marks=pytest.mark.nightly)])
def test_every_shipped_template_passes(tmp_path: pathlib.Path, count: int) -> None:
    files: list[str] = []
    every = sorted(shipped.templates().items())
    for name, template in lot("trial").sample(every, min(count, len(every))):
        words = shipped.with_signs(tokenizer(), name, template)
        labels.prepare(words)
        first_use._template(tmp_path, words, files.append)
    assert len(files) == min(count, len(every))


def test_a_tokenizer_that_panics_at_a_word_is_told_and_the_next_question_answered(
    tiny_model: pathlib.Path, tmp_path: pathlib.Path, studio: Studio
) -> None:
    """It is honest to all that it is tried with; the panic is no Exception."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    hostile._split("xyzzy(a+)+$")(folder)
    assert fault(folder) is None
    workshop = Workshop(studio.shared.store)
    workshop.start()
    asking = Studio(studio.shared.settings, LOCAL, workshop)
    for words, code in (("xyzzy" + "a" * 60 + "!", "tokens.panic"), ("Hello", "")):
        try:
            list(asking.talk.chat(str(folder), [{"role": "user", "content": words}]))
            told = ""
        except EngineError as error:
            told = error.code
        assert told == code or (not code and told == "chat.nothing")
    assert workshop.alive
    workshop.close()
