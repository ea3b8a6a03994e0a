"""A run that is followed from elsewhere: what the trackers get, and that none of them can end it."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.engine.conftest import Trainer, losses
from tuning.cli import main
from tuning.engine.learn import trackers
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import InputError
from tuning.runs import followers as known
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio


def scalars(run: Run) -> dict[str, dict[int, float]]:
    """What TensorBoard would show, by name and step."""
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    return {name: {event.step: event.value for event in events.Scalars(name)} for name in events.Tags()["scalars"]}


def test_tensorboard_gets_the_losses_of_both_kinds(make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run(**{"sft.report_to": "tensorboard"})
    assert train(run, studio.shared.store, Resident()).status == "finished"
    shown = scalars(run)
    assert shown["train/loss"] == pytest.approx(losses(run), abs=1e-5)
    assert shown["eval/loss"] == pytest.approx({r["step"]: r["eval_loss"] for r in run.metrics() if "eval_loss" in r}, abs=1e-5)
    assert {"train/learning_rate", "train/grad_norm"} <= shown.keys()
    assert not (run.checkpoints / "runs").exists()


def test_a_tracker_that_breaks_is_logged_and_left_alone(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    class Broken(trackers.TrainerCallback):
        def on_log(self, *_: Any, **__: Any) -> None:
            calls.append("log")
            raise ConnectionError("nobody listens any more")

    monkeypatch.setitem(trackers.MAKERS, "tensorboard", lambda run: Broken())
    run = make_run(**{"sft.report_to": ["tensorboard"]})
    assert train(run, studio.shared.store, Resident()).status == "finished"
    assert calls == ["log"]
    assert "nobody listens any more" in (run.folder / "log.txt").read_text(encoding="utf-8")


def test_a_run_that_diverges_closes_its_trackers(trained: Trainer) -> None:
    run, state = trained(learning_rate=1e30, lr_scheduler_type="constant", warmup_ratio=0, **{"sft.report_to": "tensorboard"})
    assert (state.status, state.reason) == ("failed", "diverged")
    shown = scalars(run)
    assert 0 in shown["eval/loss"] and set(shown.get("train/loss", {})) == set(losses(run))


@pytest.mark.parametrize(
    ("given", "code"),
    [("all", "trackers.unknown"), (["tensorboard", "mlflow"], "trackers.unknown"), ("wandb", "trackers.missing"), (3, "trackers.unknown")],
)
def test_what_cannot_be_used_is_said_before_anything_is_made(make_run: Callable[..., Run], studio: Studio, given: Any, code: str) -> None:
    with pytest.raises(InputError) as caught:
        make_run(**{"sft.report_to": given})
    assert caught.value.code == code
    assert studio.runs.list() == []


def test_the_sentence_says_what_to_install(rows_file: pathlib.Path, tiny_model: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    for lang in ("en", "it"):
        assert main.main(["plan", "-m", str(tiny_model), "-d", str(rows_file), "--set", "sft.report_to=trackio", "--lang", lang]) == 2
        said = capsys.readouterr().err
        assert "pip install trackio" in said and said.count("\n") == 1


@pytest.mark.parametrize("given", ["none", [], "no"])
def test_nobody_is_told_by_default(make_run: Callable[..., Run], given: Any) -> None:
    run = make_run(**{"sft.report_to": given})
    assert trackers.followers.asked(run.spec().settings) == []


def test_what_visitors_train_does_not_go_out_under_the_log_in_of_their_host(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(known.PACKAGES, "trackio", ("tensorboard",))  # as if it were installed
    shared = Studio(dataclasses.replace(studio.settings, mode="shared"), LOCAL)
    asked: dict[str, Any] = {"model": "starter", "data": "starter-en"}
    assert studio.plans.plan(**asked, settings={"sft.report_to": "trackio"})["fits"]
    with pytest.raises(InputError) as caught:
        shared.plans.plan(**asked, settings={"sft.report_to": "trackio"})
    assert caught.value.code == "trackers.shared"
    assert shared.plans.plan(**asked, settings={"sft.report_to": "tensorboard"})["fits"]
