"""SKILL.md tells agents the truth: its commands are run as they stand there, and what it says to read is in their documents."""

import dataclasses
import json
import pathlib
import re
import shlex
from typing import Any

import pytest
import yaml

from tuning.cli.main import main
from tuning.hub.push import Pushed
from tuning.runs import contents

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKILL = (ROOT / "SKILL.md").read_text(encoding="utf-8")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code = main([*words])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def at(document: Any, path: str) -> Any:
    """What stands under a key such as `verdict.code`. Raises KeyError where nothing does."""
    for key in path.split("."):
        document = document[key]
    return document


def test_its_head_says_when_to_use_it() -> None:
    head = yaml.safe_load(SKILL.split("---")[1])
    assert head.keys() == {"name", "description"} and head["name"] == "sartoria" and len(head["description"]) < 1024


def test_its_commands_run_and_what_it_reads_is_there(
    home: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = ({"question": f"How much is item {n}?", "answer": f"Item {n} costs {n * 7 % 50} euro."} for n in range(40))
    pathlib.Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    block = re.search(r"```\n(sartoria .*?)```", SKILL, re.DOTALL)
    assert block is not None
    documents = {}
    for line in block[1].splitlines():
        verb, *words = shlex.split(line)[1:]
        words += ["--no-check"] if verb == "export" else []  # three processes more; tests of the certificate have them
        documents[verb] = said(capsys, verb, *words)
    assert list(documents) == ["hardware", "plan", "check", "train", "evaluate", "chat", "export"]
    read = dict(re.findall(r"^\| `(\w+)` \| (`.*) \|$", SKILL, re.MULTILINE))
    assert {*re.findall(r"\w+", read.pop("push"))} <= {field.name for field in dataclasses.fields(Pushed)}  # tests/hub pushes
    for verb, keys in read.items():
        for key in re.findall(r"`([\w.]+)`", keys):
            at(documents[verb], key)
    assert documents["train"]["status"] == "finished" and documents["check"]["rows_kept"] == 40
    assert pathlib.Path(documents["export"]["path"]).stat().st_size == documents["export"]["bytes"] > 0


def test_the_verdicts_that_it_names_are_all() -> None:
    told = re.search(r"`verdict\.code` is (.*?)\. Tell", SKILL, re.DOTALL)
    assert told is not None and set(re.findall(r"`(\w+)`", told[1])) == set(contents.VerdictCode.__args__)  # type: ignore[attr-defined]
