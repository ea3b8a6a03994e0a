"""Memory runs out in one of two processes, wherever a training may need it: all heal together, or the run ends truthfully and goes on.

Real processes of torchrun on the CPU, into one of which Python's `sitecustomize` puts the fault. The nightly form has all places.
"""

import pathlib
from collections.abc import Callable

import pytest

from tests.engine.conftest import Undisturbed, losses
from tests.engine.learn.test_ranks import LONG, begin, ended, goes_on_to_the_end, made
from tests.engine.spoiling import HOOK
from tuning.runs.run_folder import Run
from tuning.studio import Studio

pytestmark = pytest.mark.nightly
FAULT = (
    HOOK
    + """
rank, module, owner, name, call = os.environ["TEST_SHORT"].split()

def run_short(where):
    true, calls = getattr(where, name), []
    def scarce(*values, **named):
        calls.append(1)
        if len(calls) == int(call):
            import torch
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return true(*values, **named)
    setattr(where, name, scarce)

if os.environ.get("RANK") == rank:
    spoil(module, lambda made: run_short(made if owner == "-" else getattr(made, owner)))
"""
)
# Where, by rank, module, class, name and the call that fails; and whether all of them heal, or the run pauses.
PLACES = {
    "the step of the second": ("1 tuning.engine.learn.trainer CheckedTrainer _micro_batch 30", True),
    "the step of the first": ("0 tuning.engine.learn.trainer CheckedTrainer _micro_batch 30", True),
    "the gradients of the second": ("1 tuning.engine.learn.trainer - gradients 30", True),
    "the sum of the second": ("1 tuning.engine.ranks - _flat 30", True),
    "the evaluation of the second": ("1 tuning.engine.kernels.head - _nll 12", True),
    "the best weights, which the first keeps": ("0 tuning.engine.learn.early_stopping Best _keep 2", True),
    "a save of the first": ("0 tuning.engine.upstream - save_checkpoint 2", False),
    "the optimizer of the second": ("1 torch.optim.adamw AdamW step 30", False),
    "the optimizer of the first": ("0 torch.optim.adamw AdamW step 30", False),
    "the model of the second": ("1 tuning.engine.resident Resident load 1", False),
}


@pytest.mark.parametrize("place", PLACES)
def test_all_heal_together_or_the_run_pauses_and_nothing_is_lost(
    undisturbed: Undisturbed,
    studio: Studio,
    make_run: Callable[..., Run],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    fault, heals = PLACES[place]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(FAULT, encoding="utf-8")
    best = {"early_stopping_patience": 50} if "best" in place else {}
    run = made(studio, make_run, **{**LONG, **best, "sft": {"ddp_timeout": 60}})
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path / "site"))
        patch.setenv("TEST_SHORT", fault)
        code, _, words = ended(begin("resume", run.id, "--lang", "en"))
    state = run.state()
    log = (run.folder / "log.txt").read_text(encoding="utf-8")[-3000:]
    if heals:
        assert (code, state.status) == (0, "finished"), (state, words[-3000:], log)
        if "evaluation" not in place:  # whose batch is halved, and nothing else
            assert [notice.code for notice in state.recoveries] == ["recovery.release"]
    else:
        assert code != 0 and (state.status, state.reason) == ("paused", "memory"), (state, words[-3000:], log)
    if not heals:
        goes_on_to_the_end(run, undisturbed, studio)
    elif not best:
        assert losses(run) == pytest.approx(losses(undisturbed(**{**LONG, "gradient_accumulation_steps": 2})), abs=1e-4)
    assert max(losses(run)) == len(losses(run)) == LONG["max_steps"]
