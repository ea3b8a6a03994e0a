"""The reader of the home: whatever stands where a file is wanted, it answers at once, with a value or with a fault that has a name."""

import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.ui.spoiled import without_overrides
from tuning.errors import InputError, RunError
from tuning.runs import disk, summary
from tuning.runs.contents import LoggedStep, Restarted
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import LANGUAGES, say

Make = Callable[[pathlib.Path], Any]

FAULTS: dict[str, tuple[Make, str]] = {
    "nothing": (lambda path: None, "home.missing"),
    "an empty file": (lambda path: path.touch(), "home.empty"),
    "half of it": (lambda path: path.write_text('{"step": 1, "cou', encoding="utf-8"), "home.broken"),
    "no text": (lambda path: path.write_bytes(b'{"step": 1,\n "count": "\xff"}'), "home.encoding"),
    "brackets": (lambda path: path.write_text("[" * 20_000 + "]" * 20_000, encoding="utf-8"), "home.deep"),
    "brackets that a decoder takes": (lambda path: path.write_text("[" * 300 + "]" * 300, encoding="utf-8"), "home.deep"),
    "NaN": (lambda path: path.write_text('{"step": NaN, "count": 1}', encoding="utf-8"), "home.broken"),
    "another type": (lambda path: path.write_text('{"step": "x", "count": 1}', encoding="utf-8"), "home.wrong"),
    "a list": (lambda path: path.write_text("[1]", encoding="utf-8"), "home.broken"),
    "a newer schema": (lambda path: path.write_text('{"schema": 2, "step": 1, "count": 1}', encoding="utf-8"), "home.newer"),
    "a folder": (lambda path: path.mkdir(), "home.folder"),
    "a pipe": (lambda path: os.mkfifo(path), "home.no_file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "home.no_file"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "home.disk"),
    "a file without end": (lambda path: path.touch() or os.truncate(path, 2**40), "home.large"),
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices")
@pytest.mark.parametrize("what", FAULTS)
def test_whatever_stands_there_is_told_by_name_and_never_waited_for(tmp_path: pathlib.Path, what: str) -> None:
    make, code = FAULTS[what]
    path = tmp_path / "restarts"
    make(path)
    told: list[BaseException] = []

    def read() -> None:
        try:
            disk.record(path, Restarted)
        except InputError as error:
            told.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    (fault,) = told
    assert isinstance(fault, disk.FileFault) and (fault.code, fault.params["file"]) == (code, "restarts")
    for lang in LANGUAGES:
        assert "restarts" in say(lang, fault.code, fault.params)


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_a_file_that_may_not_be_read_is_told_at_once(tmp_path: pathlib.Path) -> None:
    """In a child that gives root's privilege up, for root may read everything."""
    path = tmp_path / "restarts"
    path.write_text('{"step": 1, "count": 1}', encoding="utf-8")
    path.chmod(0)
    code = f"""
import pathlib, time
from tuning.runs import disk
from tuning.runs.contents import Restarted
try:
    disk.record(pathlib.Path({str(path)!r}), Restarted)
except disk.FileFault as fault:
    print(fault.code)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=without_overrides, check=True)
    assert done.stdout.strip() == "home.rights"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &x [1]\nb: *x\n", "home.broken"),
        ("a: 2026-13-45\n", "home.broken"),
        ("!!int ''\n", "home.broken"),
        ("!!python/object/apply:os.getcwd []\n", "home.broken"),
        ("[" * 20_000, "home.deep"),
        ("", "home.empty"),
    ],
)
def test_yaml_that_is_none_is_told_by_name(tmp_path: pathlib.Path, text: str, code: str) -> None:
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(disk.FileFault) as caught:
        disk.yaml_document(tmp_path / "spec.yaml")
    assert caught.value.code == code


def test_bad_lines_are_passed_over_and_the_first_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "calibration.jsonl"
    path.write_bytes(b'{"step": 1, "loss": 2.0}\n{"step": 2, "loss": "x"}\n\xff\n{"step": 3}\n')
    found, faults = disk.records(path, LoggedStep)
    assert [record.step for record in found] == [1, 3]
    assert [(fault.code, fault.params["line"]) for fault in faults] == [("home.wrong", 2)]


@pytest.fixture
def runs(studio: Studio) -> tuple[Run, Run]:
    """Two runs of the starter that are to be trained."""
    made = [studio.runs.create("starter", "starter-en", name=name) for name in ("one", "two")]
    return made[0], made[1]


def test_a_run_that_cannot_be_read_is_listed_last_with_its_fault_and_can_be_deleted(studio: Studio, runs: tuple[Run, Run]) -> None:
    bad, good = runs
    bad.enqueue()
    with (bad.folder / "spec.yaml").open("ab") as spec:
        spec.write(b"x: \xff\n")
    first, last = studio.runs.list()
    assert (first["run"], first["faults"]) == (good.id, [])
    assert (last["run"], last["status"], last["faults"][0]["code"]) == (bad.id, "unreadable", "home.encoding")
    shown = studio.runs.show(bad.id[:-2])
    assert shown["faults"] == last["faults"] and "spec.yaml" in [file["name"] for file in shown["files"]]
    assert studio.shared.store.queue() == [] and studio.runs.ids() == [good.id, bad.id]
    for verb in (studio.runs.resume, studio.runs.stop, studio.runs.ways, lambda run: studio.runs.rename(run, "x")):
        with pytest.raises(RunError) as caught:
            verb(bad.id)
        assert caught.value.code == "run.unreadable" and "spec.yaml" in say("it", caught.value.code, caught.value.params)
    with pytest.raises(RunError) as caught:
        studio.exports.export(bad.id, "adapter", bad.folder)
    assert caught.value.code == "run.no_adapter"
    studio.runs.delete(bad.id)
    assert [run["run"] for run in studio.runs.list()] == [good.id] and not bad.folder.exists()


def test_a_run_of_a_newer_version_is_not_touched_and_belongs_to_whom_it_says(studio: Studio, runs: tuple[Run, Run]) -> None:
    newer, other = runs
    path = newer.folder / "spec.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8")) | {"schema": 2, "owner": "anna"}), encoding="utf-8")
    assert [run["run"] for run in studio.runs.list()] == [other.id]
    (listed,) = studio.for_owner("anna").runs.list()
    assert (listed["run"], listed["faults"][0]["code"]) == (newer.id, "home.newer")
    with pytest.raises(InputError):
        studio.runs.show(newer.id)
    (other.folder / "state.json").write_text('{"schema": 2, "status": "resting"}', encoding="utf-8")
    assert studio.runs.show(other.id)["status"] == "unreadable"
    assert studio.shared.store.find(other.id, LOCAL, unreadable=True).id == other.id


def test_what_is_wrong_with_one_file_of_a_run_is_told_with_the_run(studio: Studio, runs: tuple[Run, Run]) -> None:
    run, _ = runs
    (run.folder / "name").write_bytes(b"\xff")
    (run.folder / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": {}}\n', encoding="utf-8")
    (run.folder / "samples.jsonl").mkdir()
    (run.folder / "evaluation.json").write_text('{"schema": 1, "verdict": "good"}', encoding="utf-8")
    shown = studio.runs.show(run.id)
    assert shown["name"] == "one" and [record["step"] for record in shown["metrics"]] == [1]
    assert {fault["params"]["file"] for fault in shown["faults"]} == {"name", "metrics.jsonl", "samples.jsonl", "evaluation.json"}
    assert [fault["params"]["file"] for fault in summary.brief(run)["faults"]] == ["name"]


def test_an_adapter_that_is_not_whole_is_neither_taken_nor_asked(studio: Studio, runs: tuple[Run, Run], tmp_path: pathlib.Path) -> None:
    run, _ = runs
    run.adapter.mkdir()
    (run.adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]}', encoding="utf-8")
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + bytes(8)
    said = [{"role": "user", "content": "?"}]
    for content in (whole[:-1], whole[:20], b"", b"\xff" * 40):
        (run.adapter / "adapter_model.safetensors").write_bytes(content)
        for ask in (lambda: studio.exports.export(run.id, "adapter", tmp_path), lambda: studio.talk.question(run.id, said)):
            with pytest.raises(RunError) as caught:
                ask()
            told = say("en", caught.value.code, caught.value.params)
            assert caught.value.code == "run.adapter_broken" and "adapter_model.safetensors" in told
    (run.adapter / "adapter_model.safetensors").write_bytes(whole)
    assert studio.exports.export(run.id, "adapter", tmp_path).is_file()


def test_data_that_cannot_be_read_are_listed_with_their_fault_and_hide_no_others(studio: Studio) -> None:
    store, mine = Store(studio.settings.home), studio.data.find("starter-en")
    folder = store.home / "data" / mine.id
    whole = (folder / "spec.json").read_bytes()
    for name, content, code in (("spec.json", whole + b"\xff", "home.encoding"), ("rows.jsonl", b"", "home.empty")):
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(content)
        (told,) = [entry for entry in studio.data.list() if entry.get("faults")]
        assert (told["id"], told["faults"][0]["code"]) == (mine.id, code)
        with pytest.raises(InputError) as caught:
            studio.data.find(mine.id)
        assert caught.value.code == "data.unreadable" and name in say("it", caught.value.code, caught.value.params)
        assert studio.data.find("starter-it").rows_kept
        (folder / name).write_bytes(kept)
    (folder / "rows.index").write_bytes(b"\x07" * 64)  # it only saves a search
    assert [row["row"] for row in studio.data.preview(mine.id, 2, 3)] == [4, 5]
