"""The help of the terminal: a text for every verb and option in both languages, nothing of argparse's own English, lines that fit."""

import argparse
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tuning.cli import app, options
from tuning.cli.main import VERBS, main
from tuning.cli.usage import Parser
from tuning.text import LANGUAGES, table

PAGE = "app.py"  # the program of a checkout
PROGRAMS = ["", *VERBS, PAGE]
ENGLISH = re.compile(r"\b(?:usage|options|positional|arguments|show this help|exit|default|the|of|and|or|with)\b", re.IGNORECASE)
ALIKE = {"FILE", "GB", "ID", "N", "P", "T", "URL", "USD"}  # what stands for a value in both languages


def program(name: str, lang: str) -> Parser:
    if name == PAGE:
        return options.page_parser(lang)
    top = options.parser(lang)
    return top.verbs[name] if name else top


def taken(parser: Parser) -> Iterator[argparse.Action]:
    return (action for action in parser._actions if action.help != argparse.SUPPRESS)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["sartoria"])


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_verb_and_option_has_a_text_of_its_own_in_both_languages(name: str) -> None:
    english, italian = program(name, "en"), program(name, "it")
    assert english.description and italian.description and english.description != italian.description
    pairs = list(zip(taken(english), taken(italian), strict=True))
    for one, other in pairs:
        if not isinstance(one, argparse._SubParsersAction):
            assert one.help and other.help and one.help != other.help, one.dest
        assert one.metavar is None or one.metavar != other.metavar or one.metavar in ALIKE
        assert one.option_strings == other.option_strings and one.dest == other.dest and one.default == other.default


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_italian_help_has_no_english(name: str) -> None:
    said = program(name, "it").format_help()
    assert said.startswith("uso: ") and "\nopzioni:\n" in said and "mostra questo aiuto ed esce" in said
    assert not ENGLISH.findall(said)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_fits_a_terminal_of_80_columns(name: str, lang: str) -> None:
    said = program(name, lang).format_help()
    assert max(len(line) for line in said.splitlines()) <= 80
    assert "{repairs}" not in said and "%%" not in said


def test_the_english_help_is_as_argparse_has_it() -> None:
    said = program("resume", "en").format_help()
    assert said.startswith("usage: sartoria resume [-h] [--json] [--lang {auto,en,it}] [--webhook URL]")
    assert re.search(
        r"\n\nTrain .*\.\n\npositional arguments:\n  RUN  .*\n\noptions:\n  -h, --help  +show this help message and exit\n", said, re.S
    )
    assert "--queued" not in said


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_of_the_help_is_unused(lang: str) -> None:
    used = set()
    for parser in (program(name, lang) for name in PROGRAMS):
        used |= {parser.description, *(text for action in taken(parser) for text in (action.help, action.metavar))}
    said = "\n".join(str(text) for text in used)
    lines = {key: line for key, line in table(lang).items() if re.match(r"cli\.(?:help|value|verb)\.", key)}
    assert len(lines) > 100
    assert not [key for key, line in lines.items() if line.partition("{")[0][1:] not in said]  # a description begins with a capital


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["--help"], "usage: "),
        (["--help", "--lang", "it"], "uso: "),
        (["--lang=it", "train", "-h"], "uso: sartoria train "),
        (["train", "-h", "--lang", "it"], "uso: sartoria train "),
        (["--lang", "it", "app", "--help"], "uso: sartoria app "),
        (["train", "--help", "--lang", "en"], "usage: sartoria train "),
    ],
)
def test_the_help_speaks_the_language_that_was_asked_for(words: list[str], begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    said = capsys.readouterr()
    assert left.value.code == 0 and said.out.startswith(begins) and not said.err


@pytest.mark.parametrize(("machine", "begins"), [("it_IT", "uso: python app.py "), ("de_DE", "usage: python app.py "), (None, "usage: ")])
def test_else_the_machine_s(machine: str | None, begins: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getlocale", lambda: (machine, "UTF-8"))
    with pytest.raises(SystemExit):
        app.options(["--help"])
    assert capsys.readouterr().out.startswith(begins)


def test_help_loads_no_large_library(tmp_path: pathlib.Path) -> None:
    code = "import sys; from tuning.cli.main import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'gradio', 'transformers', 'datasets', 'starlette'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]"
