"""A Hub that rents machines, and a studio with a token for it."""

from collections.abc import Iterator

import huggingface_hub.constants
import pytest

from tests.hub.jobs_server import TOKEN, JobsServer
from tuning import settings
from tuning.schema import LOCAL
from tuning.studio import Studio


@pytest.fixture
def letter(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobsServer]:
    """The Hub that this process and its children ask; files go to it by HTTP, not by Xet, which nobody plays here."""
    for name, value in (("HF_HUB_OFFLINE", False), ("HF_HUB_DISABLE_XET", True)):
        monkeypatch.setattr(huggingface_hub.constants, name, value)
        monkeypatch.setenv(name, str(int(value)))
    with JobsServer() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield made
        made.shutdown()


@pytest.fixture
def renter(letter: JobsServer) -> Studio:
    return Studio(settings.read(), LOCAL)
