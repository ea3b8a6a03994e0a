"""A run that could not be done keeps why: what the library said stands in its log and in its state, whoever looks at it later."""

import errno
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from tests import hostile
from tuning.engine.jobs import Train
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import EngineError, TuningError
from tuning.runs.run_folder import Run
from tuning.studio import Studio


def failing(error: Exception) -> Callable[..., Any]:
    def load(*args: Any, **options: Any) -> Any:
        raise error

    return load


def test_a_model_that_cannot_be_loaded_leaves_the_cause_in_the_run(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    fault = OSError(errno.EMFILE, "Too many open files", "/data/somebody/x/model.safetensors")
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", failing(fault))
    state = train(run, studio.shared.store, Resident())
    assert state.error is not None and state.error.code == "model.cannot_load"
    assert "Too many open files" in state.error.params["cause"] and "somebody" not in state.error.params["cause"]
    log = (run.folder / "log.txt").read_text(encoding="utf-8")
    assert "Traceback" in log and "Too many open files" in log


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("c-activation", "KeyError: 'no_such'"),
        ("c-rope", "TypeError: '<=' not supported between instances of 'str' and 'int'"),
        ("c-rope-unknown", "KeyError: '..x'"),
        ("c-dtype", "object"),
    ],
)
def test_a_configuration_of_which_nothing_can_be_built_is_named(
    name: str, told: str, tiny_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = hostile.make(name, tiny_model, tmp_path)
    with pytest.raises(TuningError) as caught:
        Resident().load(str(folder), "cpu", "fp32")
    assert caught.value.code == "model.config" and told in caught.value.params["about"]


def test_a_fault_that_nobody_foresaw_keeps_its_words(make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", failing(AssertionError("a head of nothing")))
    state = train(run, studio.shared.store, Resident())
    assert state.error is not None and "a head of nothing" in str(state.error.params)


def test_a_run_that_never_got_to_an_engine_has_a_log_too(make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run()
    run.enqueue()
    fault = EngineError("engine.cannot_load", reason="libraries", kind="ImportError")
    fault.__cause__ = ImportError("libcudart.so: no such file")
    Train(run, studio.shared.store).refuse(fault)
    assert "libcudart" in run.state().error.params["cause"]  # type: ignore[union-attr]
    assert "libcudart" in (run.folder / "log.txt").read_text(encoding="utf-8")


def test_memory_that_a_load_does_not_get_is_told_as_memory(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "unable to mmap 4096 bytes from file <model.safetensors>: Cannot allocate memory (12)"
    for fault in (RuntimeError(words), OSError(errno.ENOMEM, "Cannot allocate memory")):
        monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", failing(fault))
        state = train(make_run(), studio.shared.store, Resident())
        assert (state.status, state.reason) == ("paused", "memory"), state.error
