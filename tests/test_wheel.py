"""What `pip install .` brings: the wheel holds all that is read, nothing of the tests, and works without a checkout."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser

import pytest

import tuning
from tests.bench.server import free_port, wait_for
from tests.conftest import ROOT

LEFT = shutil.ignore_patterns(".*", "__pycache__", "screenshots", "build", "dist", "*.egg-info")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The wheel of this checkout, made from a copy of it: without the net, by the setuptools that is here."""
    copy, made = tmp_path_factory.mktemp("copy") / "checkout", tmp_path_factory.mktemp("made")
    shutil.copytree(ROOT, copy, ignore=LEFT)
    stray = copy / "presets" / "starter" / "__pycache__" / "words.pyc"
    stray.parent.mkdir()
    stray.touch()
    command = [sys.executable, "-m", "pip", "wheel", str(copy), "--no-deps", "--no-build-isolation", "--no-index", "-w", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    (wheel,) = made.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def unpacked(wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder like site-packages, with the wheel in it."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def below(folder: pathlib.Path) -> dict[str, bytes]:
    """The files of a folder, without what Python leaves there."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def outside(unpacked: pathlib.Path) -> dict[str, str]:
    """The environment of a process that finds the package in that folder."""
    return {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1"}


def test_all_that_is_read_is_in_the_wheel_to_the_byte(unpacked: pathlib.Path) -> None:
    assert below(unpacked / "tuning") == below(ROOT / "tuning")
    assert below(unpacked / "tuning_presets") == below(ROOT / "presets")
    for path in ("starter/model/model.safetensors", "starter/starter-en.jsonl", "recipes/facts.yaml"):
        assert (unpacked / "tuning_presets" / path).is_file()
    for path in ("py.typed", "text/it.yaml", "ui/style.css", "*/known.json", "*/profiles/*.json"):
        assert next((unpacked / "tuning").glob(path), None), path


def test_nothing_else_is_in_it(wheel: pathlib.Path, unpacked: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"tuning", "tuning_presets", f"sartoria-{tuning.__version__}.dist-info"}
    assert not [name for name in names if name.endswith(".pyc")]


def test_it_says_what_it_needs_and_brings_the_command(unpacked: pathlib.Path) -> None:
    (about,) = unpacked.glob("*.dist-info")
    said = Parser().parsestr((about / "METADATA").read_text(encoding="utf-8"))
    assert said["Version"] == tuning.__version__
    assert sorted(said.get_all("Requires-Dist", [])) == sorted((ROOT / "requirements.txt").read_text(encoding="utf-8").split())
    assert "sartoria = tuning.__main__:main" in (about / "entry_points.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words", [["-m", "tuning"], ["-c", "import sys; sys.argv[0] = 'sartoria'; from tuning.__main__ import main; main()"]]
)
def test_it_works_without_a_checkout(unpacked: pathlib.Path, tmp_path: pathlib.Path, words: list[str]) -> None:
    command = [sys.executable, *words, "recipes", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=outside(unpacked), capture_output=True, text=True, timeout=60, check=True)
    assert {recipe["id"] for recipe in json.loads(done.stdout)} == {path.stem for path in (ROOT / "presets" / "recipes").glob("*.yaml")}


def test_children_start_without_a_checkout(unpacked: pathlib.Path, tmp_path: pathlib.Path, rows_file: pathlib.Path) -> None:
    """Data are read by a child process, which has to find the package as well."""
    command = [sys.executable, "-m", "tuning", "check", str(rows_file), "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=outside(unpacked), capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["rows_kept"] == 40


def test_the_page_opens_without_a_checkout(unpacked: pathlib.Path, tmp_path: pathlib.Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "tuning", "app", "--port", str(port), "--no-browser"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=outside(unpacked), stdout=subprocess.PIPE, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and str(port) in said.decode()


def test_the_setuptools_that_is_here_is_one_that_is_asked_for() -> None:
    from packaging.requirements import Requirement
    from setuptools import __version__ as here

    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    (wanted,) = (Requirement(line) for line in asked)
    assert wanted.name == "setuptools" and here in wanted.specifier
