"""README, docs and CONTRIBUTING tell the truth: their lines, commands, tree, verbs, endpoints and front matter match the code."""

import argparse
import ast
import pathlib
import re
import shlex

import pytest
import yaml

from tests.test_architecture import LINTERS
from tests.ui.test_page import ENDPOINTS
from tuning import __version__, presets, settings
from tuning.cli.main import VERBS
from tuning.cli.options import parser
from tuning.data.records import REPAIRS
from tuning.errors import InputError
from tuning.models import examine
from tuning.presets import judged
from tuning.schema import TrainSettings
from tuning.text import say

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SKILL")), *sorted((ROOT / "docs").glob("*.md"))]
SET_UP = (
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python app.py",
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt -r tests/requirements.txt && .venv/bin/python -m pytest",
)


def named(page: str, what: str) -> set[str]:
    """What stands in backticks in the first column of a page's tables."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return {word for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for word in re.findall(what, row)}


def test_the_two_lines_stand_to_the_letter_with_those_of_powershell() -> None:
    lines = README.splitlines()
    for line in SET_UP:
        windows = line.replace("python3 -m venv", "py -m venv").replace(" &&", ";").replace(".venv/bin/", ".venv\\Scripts\\")
        assert lines.index(line) < lines.index(windows) < lines.index(line) + 8


def test_the_first_screen_shows_it_and_the_rest_is_elsewhere() -> None:
    assert len(README.splitlines()) < 150
    shown = README.split("\n## ")[0]
    assert [name for name in re.findall(r"docs/(\w+)\.png", shown)] == ["data", "train", "chat"]
    for page in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{page.name})" in README, page.name


def test_the_front_matter_makes_a_space_of_what_is_pinned() -> None:
    front = yaml.safe_load(README.split("---")[1])
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").split())
    assert front["sdk"] == "gradio" and front["sdk_version"] == pins["gradio"]
    assert (ROOT / front["app_file"]).is_file()
    assert {"title", "emoji", "colorFrom", "colorTo", "python_version", "license", "short_description"} <= front.keys()
    assert len(front["short_description"]) <= 60
    assert {*front["models"]} <= presets.models(settings.PRESETS).keys() and (ROOT / front["thumbnail"]).is_file()
    assert {*front["datasets"]} <= {card.hub for card in presets.datasets(settings.PRESETS).values()}
    assert re.fullmatch(r"\d+[hm]", front["startup_duration_timeout"]) and front["hf_oauth"] is True
    assert front["hf_oauth_scopes"] == ["contribute-repos"]  # beside who somebody is: for a push, at their press
    for line in front["preload_from_hub"]:  # into huggingface_hub's cache, from which the app takes what it would download (hub/cached.py)
        id, names = line.split(" ")
        assert id in front["models"]
        assert {"config.json", "model.safetensors"} <= set(names.split(",")) <= {*examine.TEXTS, "model.safetensors"}


def test_the_tree_is_the_tree() -> None:
    block = re.search(r"```\n(app\.py .*?)```", CONTRIBUTING, re.DOTALL)
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


def test_every_verb_and_every_endpoint_is_named_and_understood() -> None:
    (verbs,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(verbs.choices) == set(VERBS)
    assert named("usage.md", r"`(\w+)`") == set(VERBS)
    assert named("programs.md", r"`/(\w+)`") == ENDPOINTS


def taken(setting: str, lang: str) -> str:
    """What the sentence of a wrong value says that a setting takes."""
    with pytest.raises(InputError) as refused:
        presets.parse_settings(TrainSettings(), {setting: {"": ""}}, "--set")
    return say(lang, refused.value.code, refused.value.params).partition({"en": "Allowed: ", "it": "Ammessi: "}[lang])[2].removesuffix(".")


OURS = [name for name in TrainSettings.model_fields if name not in judged.MAPS]


@pytest.mark.parametrize("setting", OURS)
def test_every_setting_stands_with_what_it_takes_and_what_it_is_else(setting: str) -> None:
    (row,) = re.findall(rf"^\| `{setting}` \| (.*?) \| (.*?) \|", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    otherwise = TrainSettings.model_fields[setting].default
    assert row == (
        taken(setting, "en"),
        "nothing" if otherwise is None else yaml.safe_dump(otherwise).split("\n")[0].strip("'").removesuffix(".0"),
    )


@pytest.mark.parametrize("repair", REPAIRS)
def test_every_repair_is_named(repair: str) -> None:
    assert f"`{repair}`" in (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


OPTIONS = sorted(
    {
        name
        for verb in parser().verbs.values()
        for action in verb._actions
        for name in action.option_strings
        if action.help != argparse.SUPPRESS
    }
)


@pytest.mark.parametrize("option", [name for name in OPTIONS if name.startswith("--")])
def test_every_option_is_named_in_the_docs(option: str) -> None:
    said = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    short = {"--model": "-m", "--data": "-d", "--recipe": "-r"}.get(option, option)
    assert re.search(rf"(?<![\w-]){short}(?![\w-])", said)


@pytest.mark.parametrize("lang", ["en", "it"])
@pytest.mark.parametrize("setting", [*OURS, *(name for name, field in judged.FIELDS.items() if field.why is None)])
def test_what_a_setting_takes_is_no_pattern(setting: str, lang: str) -> None:
    allowed = (
        say(lang, "settings.value", {"key": setting, "value": "", "allowed": judged.described(judged._type(setting))})
        if "." in setting
        else taken(setting, lang)
    )
    assert not re.search(r"\\|\||\(\?|\$|\{\d", allowed), allowed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_typed(page: pathlib.Path) -> None:
    for line in re.findall(r"^\.venv/bin/python -m .*", page.read_text(encoding="utf-8"), re.MULTILINE):
        module, *words = shlex.split(line.split(" && ")[0], comments=True)[2:]
        if module == "tuning":
            assert parser().parse_args(words).verb == words[0]
        elif module == "pytest" and words and not words[0].startswith("-"):
            assert (ROOT / words[0]).exists(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_named_is_there(page: pathlib.Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|<)([^)]+)\)", text) + re.findall(r'<img src="([^"]+)"', text):
        path, _, heading = target.partition("#")
        assert (page.parent / path).exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)", (page.parent / path).read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [line.lower().replace(" ", "-") for line in headings], target
    for path in re.findall(r"`((?:tuning|presets|tests)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_an_installed_one_can_be_typed(page: pathlib.Path) -> None:
    for line in re.findall(r"^sartoria .*", page.read_text(encoding="utf-8"), re.MULTILINE):
        words = shlex.split(line, comments=True)[1:]
        assert parser().parse_args(words).verb == words[0]


def test_the_newest_version_of_the_changelog_is_this_one() -> None:
    versions = re.findall(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == __version__
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True)


def test_the_hooks_run_what_the_suite_runs() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [shlex.split(hook["entry"])[2:] for hook in local["hooks"]] == LINTERS
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in local["hooks"])


def test_they_speak_of_themselves_alone() -> None:
    for path in [*PAGES, *ROOT.glob("tuning/**/*.py"), *ROOT.glob("presets/**/*.md"), *ROOT.glob("tests/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(?:work|home|root|Users)/", text.replace("/(?:work|home|root|Users)/", "")), path.name


WALKS = re.findall(r"`([\w.]+):([\w.]+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("module", "name"), sorted(set(WALKS)), ids=lambda word: word)
def test_every_place_of_a_walk_is_there(module: str, name: str) -> None:
    folder = ROOT / "tuning" / module.replace(".", "/")
    body = ast.parse((folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")).read_text(encoding="utf-8")).body
    for word in name.split("."):
        found = next((one for one in body if getattr(one, "name", None) == word), None)
        assert found is not None, f"{module} has no {name}"
        body = getattr(found, "body", [])


def test_four_walks_are_written_down() -> None:
    assert len(WALKS) > 30
