"""What the environment is told before the libraries are loaded."""

import os
import pathlib
import runpy
import subprocess
import sys

import pytest

from tuning import settings


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),  # GNU's library would heed our number before their word
    ],
)
def test_how_threads_wait_is_ours_unless_somebody_said_it(given: dict[str, str], then: dict[str, str]) -> None:
    settings.share_processor(given)
    assert given == then


GROWS = {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}


@pytest.mark.skipif(sys.platform != "linux", reason="the option is there on Linux alone")
@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, GROWS),
        ({"PYTORCH_ALLOC_CONF": "max_split_size_mb:64"}, {"PYTORCH_ALLOC_CONF": "max_split_size_mb:64"}),
        ({"PYTORCH_CUDA_ALLOC_CONF": "backend:native"}, {"PYTORCH_CUDA_ALLOC_CONF": "backend:native"}),
    ],
)
def test_the_allocator_is_configured_by_its_name_of_today_unless_somebody_said_it(given: dict[str, str], then: dict[str, str]) -> None:
    settings.spare_card(given)
    assert given == then


@pytest.mark.parametrize(("given", "then"), [({}, "PCI_BUS_ID"), ({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, "FASTEST_FIRST")])
def test_the_engine_has_cuda_number_the_cards_as_the_driver_does(given: dict[str, str], then: str) -> None:
    child = {key: value for key, value in os.environ.items() if key != "CUDA_DEVICE_ORDER"} | given
    code = "import os, tuning.engine; print(os.environ.get('CUDA_DEVICE_ORDER'))"
    said = subprocess.run([sys.executable, "-c", code], env=child, capture_output=True, text=True, check=True).stdout
    assert said.strip() == then


@pytest.mark.parametrize("room", ["engine", "export", "hub", "tokens", "ui"])
def test_a_room_whose_libraries_would_report_tells_them_not_to_before_they_are_there(room: str) -> None:
    loud = {"HF_HUB_DISABLE_TELEMETRY": "0", "DO_NOT_TRACK": "0", "GRADIO_ANALYTICS_ENABLED": "True"}
    code = f"import os, sys, tuning.{room}; print([*map(os.environ.get, {[*loud]}), 'huggingface_hub.constants' in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], env=os.environ | loud, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "['1', '1', 'False', False]"


def test_whoever_has_the_hub_s_library_already_is_silent_too() -> None:
    code = "from huggingface_hub import constants; import tuning.hub; print(constants.HF_HUB_DISABLE_TELEMETRY)"
    loud = os.environ | {name: "0" for name in settings.SILENT}
    assert subprocess.run([sys.executable, "-c", code], env=loud, capture_output=True, text=True, check=True).stdout == "True\n"


SPACE = {"SYSTEM": "spaces", "SPACE_ID": "x/y"}


def test_a_space_says_what_it_has_and_its_token_is_nobody_s() -> None:
    found = settings.read({**SPACE, "SPACE_HOST": "x-y.hf.space, Tailor.example", "SPACES_ZERO_GPU": "true", "HF_TOKEN": "hf_x"}).space
    assert found is not None and found.hosts == ("x-y.hf.space", "tailor.example") and found.zero_gpu and not found.oauth
    assert settings.read({**SPACE, "HF_TOKEN": "hf_x"}).token is None and settings.read({"HF_TOKEN": "hf_x"}).token == "hf_x"
    for half in ({"SYSTEM": "spaces"}, {"SPACE_ID": "x/y"}, {"TUNING_MODE": "space"}, {}):
        assert settings.read(half).space is None
    assert settings.read({**SPACE, "TUNING_MODE": "local"}).mode == "space"


def test_the_storage_of_a_space_is_its_home_where_it_takes_something(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(**env: str) -> tuple[pathlib.Path, bool]:
        found = settings.read({**SPACE, **env})
        assert found.space is not None
        return found.home, found.space.kept

    monkeypatch.setattr(settings, "VOLUME", str(tmp_path / "data"))
    elsewhere, _ = kept()
    assert tmp_path not in elsewhere.parents
    (tmp_path / "data").mkdir()
    assert kept() == (tmp_path / "data" / "sartoria", False)  # a folder of the container goes with it
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(tmp_path / "data"))
    assert kept() == (tmp_path / "data" / "sartoria", True)
    assert kept(TUNING_HOME=str(tmp_path / "mine")) == (tmp_path / "mine", False)
    assert tmp_path not in settings.read({}).home.parents
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert kept()[0] == elsewhere


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"HF_HOME": "/x/hf"},
        {"HF_HOME": "~/hf"},
        {"XDG_CACHE_HOME": "/x/cache"},
        {"HUGGINGFACE_HUB_CACHE": "/x/old", "HF_HOME": "/x/hf"},
        {"HF_HUB_CACHE": "$HOME/hub", "HUGGINGFACE_HUB_CACHE": "/x/old"},
    ],
)
def test_the_hub_s_cache_is_looked_for_where_its_library_has_it(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HOME", "XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert str(settings.read().hub_cache) == runpy.run_module("huggingface_hub.constants")["HF_HUB_CACHE"]
