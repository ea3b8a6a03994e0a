"""What the tests of pushes and pulls share: a Hub on the loopback interface that takes them, and a run that was trained."""

import json
import pathlib
from collections.abc import Iterator

import huggingface_hub.constants
import huggingface_hub.utils._http as hub_http
import pytest

from tests import folders
from tests.hub.receiving import TOKEN, Receiving
from tuning import settings
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio


@pytest.fixture
def receiving(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[Receiving]:
    """A Hub that this process asks in place of the real one, and that waits for nobody."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_http.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with Receiving() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.address)
        yield made
        made.shutdown()


@pytest.fixture
def run(receiving: Receiving, home: pathlib.Path) -> Run:
    """A run with what has no business on the Hub beside its adapter."""
    folders.old_home(home)
    made = Studio(settings.read(), LOCAL).shared.store.find("20261128-165418", LOCAL)
    for name in ("optimizer.pt", "state.json", ".env", "token", "trainer_state.json", "checkpoint-3/adapter_model.safetensors"):
        (made.adapter / name).parent.mkdir(exist_ok=True)
        (made.adapter / name).write_text(json.dumps({"HF_TOKEN": TOKEN}), encoding="utf-8")
    return made
