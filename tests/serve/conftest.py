"""What tests of what stands before the page share: one app for each mode, since a start takes seconds."""

import os
from collections.abc import Iterator

import pytest

from tests.bench.server import running
from tests.serve.school import Class, opened
from tests.serve.security.places import Place

SPACE = {"SYSTEM": "spaces", "SPACE_ID": "x/y"}


@pytest.fixture(scope="session")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """The shared machine, for all who leave its people's runs and limits as others can use them."""
    with opened(tmp_path_factory.mktemp("school") / "home") as made:
        yield made


@pytest.fixture(scope="session")
def hosted_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A Space on which nobody can sign in, with a token of its own."""
    home = tmp_path_factory.mktemp("space") / "home"
    with running(home, env={"HF_HUB_OFFLINE": "1", **os.environ, **SPACE, "HF_TOKEN": "hf_token_of_the_space"}) as (address, process):
        place = Place("space", address, home, process.pid)
        yield place
    assert "hf_token_of_the_space" not in place.log() and "Traceback" not in place.log(), place.log()
