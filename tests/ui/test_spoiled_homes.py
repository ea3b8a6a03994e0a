"""A home of which any one file is spoiled in any one way: the app opens, says what is wrong where it is, and all else works.

The suite has a sample by lot, the nightly form all. The app runs once, and the home is spoiled between two calls.
"""

import json
import logging
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lots import lot
from tests.ui import spoiled
from tests.ui.spoiled import App
from tuning.runs import locks
from tuning.text import t

logger = logging.getLogger(__name__)

SAMPLE = 3
OTHER = "20261128-170323-sartoria-starter-disk-19d93fdb"
# Files of a run and of data whose faults are told with it; which of the others matter is told by those who use them.
RUN = (
    "spec.yaml",
    "state.json",
    "name",
    "metrics.jsonl",
    "samples.jsonl",
    "evaluation.json",
    "adapter_config.json",
    "adapter_model.safetensors",
)
TELLING = ("bytes", "deep", "folder", "rights", "type")  # a line that was cut off, or nothing at all, is what a kill leaves in a log


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[App]:
    home = spoiled.make(tmp_path_factory.mktemp("spoiled") / "home", audited=request.config.option.markexpr == "nightly")
    lock = locks.Lock(home / "queue.lock")  # the run that waits goes on waiting: another process trains
    assert lock.acquire()
    with lock, spoiled.app(home) as made:
        yield made


def check(app: App, file: str, kind: str) -> list[str]:
    """What goes wrong with one file spoiled; nothing is right."""
    home, wrong = app.home, []
    whole, parts = {run["run"] for run in app.call("runs")}, file.split("/")
    run, other = (
        parts[1] if parts[0] == "runs" else OTHER,
        next(one for one in sorted(whole) if one.split("-")[4] in ("stopped", "memory") and one not in parts),
    )
    before = app.call("run", run)
    with spoiled.spoiled(home / file, kind) as done:
        if not done:
            return []
        listed = app.call("runs")
        if not isinstance(listed, list) or {run["run"] for run in listed} != whole:
            return [f"the list of runs: {str(listed)[:300]}"]
        if "told instead" in (shown := app.call("run", other)):
            wrong.append(f"another run: {shown}")
        if parts[0] == "runs":
            wrong += _run(app, parts, kind)
        if parts[0] == "data":
            wrong += _data(app, parts, kind)
        if "told instead" in (planned := app.call("plan", "starter", "tariffe-csv-67f31b4397", None, None, None)):
            wrong.append(f"a plan of other data: {planned}")
        for tab in ("runs",) if parts[0] == "runs" else ("data", "train"):
            drawn = app.page(tab)
            if tab == "runs" and (t("en", "ui.unexpected", kind="", number="")[:20] in drawn or not all(run in drawn for run in whole)):
                wrong.append(f"the list on the page: {drawn[:300]}")
    wrong += [told] if (told := app.tracebacks()) else []
    if _said(app.call("run", run)) != _said(before):
        wrong.append("mended, it is not as before")
    return wrong


def _said(shown: dict[str, Any]) -> dict[str, Any]:
    """A run without what is counted only now and then."""
    return {key: value for key, value in shown.items() if key not in ("size_bytes", "logged")}


def _run(app: App, parts: list[str], kind: str) -> list[str]:
    """The run itself: shown with the fault and what is left of it."""
    shown = app.call("run", parts[1])
    if "told instead" in shown:
        return [f"the run: {shown}"]
    gone = ["adapter_model.safetensors"] if parts[2] == "adapter" else []  # taken out of most runs here, and told first
    told = [fault["params"]["file"] for fault in shown.get("faults", [])]
    if parts[-1] in RUN and (kind in TELLING or kind == "newer") and not {parts[-1], *gone} & set(told):
        return [f"the fault is not named: {told}"]
    if parts[-1] == "spec.yaml" and (shown["status"] != "unreadable" or not shown["files"]):
        return [f"shown as {shown['status']}"]
    taken = "told instead" not in app.call("export", parts[1], "adapter")
    whole = parts[2] != "adapter" and (app.home.joinpath(*parts[:2]) / "adapter" / "adapter_model.safetensors").is_file()
    return ["an adapter that is whole cannot be taken"] if whole and not taken else []


def _data(app: App, parts: list[str], kind: str) -> list[str]:
    """The data: told of, or read anew where they came with the app."""
    return [f"{answer}"] if "told instead" in (answer := app.call("check", "starter-en", None, None)) else []


def cases(home: pathlib.Path) -> list[tuple[str, str]]:
    return [(file, kind) for file in spoiled.files_of(home) for kind in spoiled.KINDS]


def looked(app: App, some: list[tuple[str, str]]) -> None:
    found: dict[str, list[str]] = {}
    for file, kind in some:
        if wrong := check(app, file, kind):
            found[f"{file} {kind}"] = wrong
            logger.warning("%s %s: %s", file, kind, wrong)
    assert not found, json.dumps(found, indent=1)[:8000]


def test_one_bad_file_spoils_only_itself(app: App) -> None:
    every = cases(app.home)
    read = {"spec.yaml": "bytes", "adapter/README.md": "bytes", "evaluation.json": "deep"}  # and by an export, too
    sure = [(re.compile(rf"-tariffe-[^/]*/{name}$"), how) for name, how in read.items()]
    surest = [(file, kind) for file, kind in every if any(name.search(file) and kind == how for name, how in sure)]
    looked(app, [*surest, *lot("spoiled homes").sample(every, SAMPLE)])


@pytest.mark.nightly
def test_four_hundred_spoiled_homes(app: App) -> None:
    """Every file of its kind in the finished run, the home and the data, and all files of a run that stopped."""
    stopped = [str(path.relative_to(app.home)) for path in sorted(spoiled.folder(app.home, "stopped").rglob("*")) if path.is_file()]
    every = [*cases(app.home), *((file, kind) for file in stopped for kind in spoiled.KINDS)]
    assert len(every) >= 400
    looked(app, every)
    whole = spoiled.folder(app.home, "tariffe").name
    with spoiled.spoiled(spoiled.folder(app.home, "stopped") / "spec.yaml", "bytes"):
        answer = app.call("chat", whole, [{"role": "user", "content": "Quanto costa l'articolo 3?"}], False, None)
        assert isinstance(answer, str) and answer.strip(), answer
        assert "told instead" not in app.call("export", whole, "adapter")
