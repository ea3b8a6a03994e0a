"""What tests of what stands before the page share."""

from collections.abc import Iterator

import pytest

from tests.bench.server import running
from tests.serve.school import ANNA, BRUNO, PROF, Class


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """The shared machine, and its page at an address."""
    home = tmp_path_factory.mktemp("school") / "home"
    options = [word for pair in (PROF, ANNA, BRUNO) for word in ("--auth", ":".join(pair))]
    with running(home, *options) as (address, _):
        yield Class(home, address)
