"""A base model in shares (FSDP2): two real processes on the CPU learn by their shares what one learns by the whole, and end truthfully.

By accelerate's configuration, and by `device: shard` on played cards. That the losses are those of one process, with packed rows and with
padded ones, is among the ways of `test_ranks`; the plan is held in `tests/forecast/test_plan.py`.
"""

import json
import pathlib
import signal
from collections.abc import Callable

import pytest

from tests.engine import several_cards
from tests.engine.conftest import Undisturbed, losses
from tests.engine.learn.test_launching import SHORT, tuned
from tests.engine.learn.test_ranks import EXACT, LONG, at_step, begin, ended, goes_on_to_the_end, made, rank, settings_of
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("policy", ["full", "every_2"])
def test_layers_that_are_computed_again_are_brought_together_again(
    undisturbed: Undisturbed, studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, policy: str
) -> None:
    changes = {**EXACT, "gradient_checkpointing": policy, "max_steps": 3}
    words_of = settings_of({**changes, "gradient_accumulation_steps": 2})
    code, _, words = ended(begin("train", "-m", str(tiny_model), "-d", str(rows_file), *words_of, by="fsdp2"))
    (run,) = studio.shared.store.all(LOCAL)
    assert code == 0 and run.spec().shares and run.state().recoveries == [], words[-3000:]
    assert losses(run) == pytest.approx(losses(undisturbed(**changes, gradient_accumulation_steps=4)), abs=1e-4)


@pytest.mark.parametrize("number", [0, 1])
def test_a_process_that_is_killed_in_shares_ends_the_run_as_interrupted_and_it_goes_on_alone(
    undisturbed: Undisturbed, studio: Studio, make_run: Callable[..., Run], number: int
) -> None:
    run = made(studio, make_run, **LONG)
    process = begin("resume", run.id, "--lang", "en", by="fsdp2")
    at_step(run, 40, process)
    rank(process, number).send_signal(signal.SIGKILL)
    code, _, words = ended(process)
    state = run.state()
    assert code != 0 and state.status == "interrupted", (state, words[-3000:])
    if number == 1:
        assert state.error is not None and state.error.code == "train.rank_lost"
        assert run.checkpoints.joinpath(f"checkpoint-{state.step}").is_dir()
    goes_on_to_the_end(run, undisturbed, studio, alone=True)


def test_all_cards_share_a_model_out_for_a_terminal_that_asks_for_it(
    studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    words = ["train", "-m", str(tiny_model), "-d", str(rows_file), "--json", *settings_of({**SHORT, "device": "shard"})]
    done = tuned(several_cards.environment(tmp_path, 2), "tuning", *words)
    (run,) = studio.shared.store.all(LOCAL)
    assert done.returncode == 0, done.stderr[-3000:] + (run.folder / "launcher.txt").read_text()[-3000:]
    assert json.loads(done.stdout)["run"] == run.id and run.spec().shares and run.spec().processes == 2
    assert run.state().status == "finished" and run.adapter_fault() is None and run.state().recoveries == []
    run.write_state(run.state().model_copy(update={"status": "interrupted"}))
    done = tuned(several_cards.environment(tmp_path, 1), "tuning", "resume", run.id)  # by the whole model, on the card there is
    assert done.returncode == 0 and run.state().status == "finished", done.stderr[-3000:]
