"""README tells the truth: its lines, its tree, its verbs and its front matter match the code."""

import argparse
import pathlib
import re

import yaml

from tuning.cli import VERBS
from tuning.options import parser

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_lines_stand_to_the_letter() -> None:
    lines = README.splitlines()
    assert "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python app.py" in lines
    tests = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt -r tests/requirements.txt && .venv/bin/python -m pytest"
    assert tests in lines


def test_the_front_matter_makes_a_space_of_what_is_pinned() -> None:
    front = yaml.safe_load(README.split("---")[1])
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").split())
    assert front["sdk"] == "gradio" and front["sdk_version"] == pins["gradio"]
    assert (ROOT / front["app_file"]).is_file()
    assert {"title", "emoji", "colorFrom", "colorTo", "python_version", "license", "short_description"} <= front.keys()
    assert len(front["short_description"]) <= 60


def test_the_tree_is_the_tree() -> None:
    block = re.search(r"```\n(app\.py .*?)```", README, re.DOTALL)
    assert block is not None
    named = set()
    for line in block.group(1).splitlines():
        name = line.split()[0]
        path = ROOT / ("tuning/" + name if line.startswith("  ") else name)
        assert path.exists(), name
        named.add(path.relative_to(ROOT).as_posix().rstrip("/"))
    for path in (ROOT / "tuning").iterdir():
        if not path.name.startswith("_"):
            assert path.relative_to(ROOT).as_posix() in named, path.name


def test_every_verb_is_named_and_understood() -> None:
    (verbs,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(verbs.choices) == set(VERBS)
    table = {word for row in re.findall(r"^\| (`.*?) \|", README, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)}
    assert table == set(VERBS)


def test_files_that_are_named_are_there() -> None:
    for target in re.findall(r"\]\((?!https?:|<)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_it_speaks_of_itself_alone() -> None:
    for path in [ROOT / "README.md", *ROOT.glob("tuning/**/*.py"), *ROOT.glob("presets/**/*.md"), *ROOT.glob("tests/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(?:work|home|root|Users)/", text.replace("/(?:work|home|root|Users)/", "")), path.name
