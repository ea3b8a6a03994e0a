"""A model in shares, by PyTorch's own `fully_shard` on two processes: our adapter learns in it what it learns in a whole one.

The adapter is shared out here, too, as accelerate's FSDP2 does it on accelerators. The product keeps it whole: `test_ranks`, `test_shares`.
"""

import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from tests.conftest import ROOT
from tests.engine.learn import sharded
from tests.engine.learn.test_ranks import EXACT
from tuning.runs.run_folder import Run


@pytest.mark.nightly
def test_an_adapter_learns_in_a_model_that_two_processes_share_as_in_a_whole_one(
    make_run: Callable[..., Run], tmp_path: pathlib.Path
) -> None:
    run, out = make_run(**EXACT), tmp_path / "found.pt"
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "tests.engine.learn.sharded"]
    done = subprocess.run([sys.executable, *words, str(run.folder), str(out)], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    shared, alone = torch.load(out, weights_only=True), sharded.learn(run, 0, 1)
    assert shared.pop("shared") > 0 == alone.pop("shared") and shared.keys() == alone.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(shared[name], tensor, rtol=1e-4, atol=1e-5, msg=lambda told, name=name: f"{name}: {told}")
    assert alone["losses"][-1] != alone["losses"][0]
