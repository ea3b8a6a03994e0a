"""An app in each mode, one for all tests of this folder; those of the shared machine and of the Space are those of the folder above."""

from collections.abc import Iterator

import pytest

from tests import network
from tests.bench.server import running
from tests.serve.school import Class
from tests.serve.security.places import MODES, Place


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The page as `python app.py` starts it, for somebody who is online and of whose net nothing can be had."""
    home = tmp_path_factory.mktemp("alone") / "home"
    with running(home, env=network.guarded(home.parent / "network.txt")) as (address, process):
        yield Place("local", address, home, process.pid)


def in_mode(request: pytest.FixtureRequest, mode: str, whole: bool) -> Place:
    if mode == "shared":
        school: Class = request.getfixturevalue("school")
        return Place(mode, school.address, school.home, school.pid, whole)
    made: Place = request.getfixturevalue("alone" if mode == "local" else "hosted_place")
    return Place(mode, made.address, made.home, made.pid, whole)


@pytest.fixture(params=[*MODES, *(pytest.param(f"{mode}, all of it", marks=pytest.mark.nightly) for mode in MODES)])
def place(request: pytest.FixtureRequest) -> Place:
    """Each mode in its turn: some tries of each list in the suite, all of them at night."""
    mode, _, whole = request.param.partition(", ")
    return in_mode(request, mode, bool(whole))


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Place:
    """The shared machine alone."""
    return in_mode(request, "shared", True)


@pytest.fixture(params=["local", *(pytest.param(f"{mode}, all of it", marks=pytest.mark.nightly) for mode in MODES)])
def reader(request: pytest.FixtureRequest) -> Place:
    """Where files are read: a child process of the app does it, which is the same in every mode and takes a second for each file."""
    mode, _, whole = request.param.partition(", ")
    return in_mode(request, mode, bool(whole))


@pytest.fixture(params=["space", *(pytest.param(f"{mode}, all of it", marks=pytest.mark.nightly) for mode in MODES)])
def trainer(request: pytest.FixtureRequest) -> Place:
    """Where a model is used, which takes seconds once in a process: others train on the Space too."""
    mode, _, whole = request.param.partition(", ")
    return in_mode(request, mode, bool(whole))
