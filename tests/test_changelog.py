"""CHANGELOG.md knows the version that this is, and pre-commit runs what CONTRIBUTING.md asks for."""

import pathlib
import re

import yaml

import tuning

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_this_version_is_in_the_changelog_and_the_newest_stands_first() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (?:unreleased|\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert tuning.__version__ in versions
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True)
    kinds = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_hooks_are_the_checks_and_download_nothing() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local" and {hook["language"] for hook in repository["hooks"]} == {"system"}
    (asked,) = re.findall(r"^.*-m ruff check .*$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = re.findall(r"-m (ruff check|ruff format|mypy)", asked)
    assert [hook["entry"].removeprefix("python -m ").removesuffix(" --force-exclude") for hook in repository["hooks"]] == wanted
