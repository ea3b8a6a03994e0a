"""What tests of a studio share."""

import pathlib

import pytest

from tuning import settings
from tuning.studio import Studio


@pytest.fixture
def house(home: pathlib.Path) -> Studio:
    """A shared machine, seen by its teacher."""
    return Studio(settings.opened(settings.read(), ("teacher",)), "teacher")
