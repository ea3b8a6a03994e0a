"""A run that goes on from another's adapter: it begins where the other ended, and stands on its own feet."""

import pathlib
from collections.abc import Callable

import pytest

from tests.engine.conftest import FAST, Trainer
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import InputError, RunError
from tuning.runs.run_folder import Run
from tuning.studio import Studio


def test_it_begins_where_the_other_ended(trained: Trainer, studio: Studio) -> None:
    first, before = trained(lora_r=6)
    second = studio.runs.further(first.id, settings={"num_train_epochs": 1})
    assert second.spec().settings.lora_r == 6
    studio.runs.delete(first.id)
    after = train(second, studio.shared.store, Resident())
    assert after.status == "finished"
    evaluations = [record["eval_loss"] for record in second.metrics() if "eval_loss" in record]
    assert evaluations[0] == pytest.approx(before.eval_loss, abs=1e-5)
    assert after.base_eval_loss == pytest.approx(before.base_eval_loss, abs=1e-5)
    assert after.eval_loss is not None and before.base_eval_loss is not None and after.eval_loss < before.base_eval_loss


def test_its_shape_and_an_unfinished_run_are_refused(make_run: Callable[..., Run], trained: Trainer, studio: Studio) -> None:
    with pytest.raises(RunError, match=r"run\.no_adapter"):
        studio.runs.further(make_run().id)
    done, _ = trained(max_steps=1)
    for key in ("lora_r", "target_modules", "lora.use_dora"):
        with pytest.raises(InputError, match=r"run\.shape"):
            studio.runs.further(done.id, settings={key: 8})


def test_weights_that_do_not_fit_end_the_run_in_a_sentence(trained: Trainer, studio: Studio) -> None:
    first, _ = trained()
    second = studio.runs.further(first.id)
    pathlib.Path(second.start).write_bytes(b"half")
    state = train(second, studio.shared.store, Resident())
    assert (state.status, state.error and state.error.code) == ("failed", "train.start")
    assert FAST["lora_r"] == second.spec().settings.lora_r
