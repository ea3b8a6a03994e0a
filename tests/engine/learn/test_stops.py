"""Stop at any moment of a save, once, twice, and with Ctrl-C: a checkpoint that verifies, an adapter to talk to, nothing lost."""

import pathlib
from typing import Any

import pytest

from tests.engine.killing import carry_out
from tests.engine.moments import OUT, STOPS, cut, stopped

Found = dict[str, Any]


def kept(found: Found, whole: Found) -> int:
    """How many stops there were; each kept all it had learned, with an adapter, and those that were cut off kept their last save."""
    saved, stops = 0, 0
    for child in found["passed"][:-1]:
        told = (found["name"], child["way"], child["status"], child["saved"], child["usable"])
        assert child["saved"] >= saved, told
        saved = child["saved"]
        if child["way"]["do"] == "interrupt":
            assert child["status"] == "interrupted", told
        else:
            assert child["status"] == "stopped" and child["usable"] and saved == max(map(int, child["losses"])), told
            stops += 1
    assert found["status"] == "finished" and found["usable"], found["passed"]
    assert found["losses"] == pytest.approx(whole["losses"], abs=1e-6), found["name"]
    return stops


def test_stop_in_a_save_keeps_all_and_leaves_an_adapter(happened: list[Found]) -> None:
    stops = {one["name"]: kept(one, happened[0]) for one in happened if one.get("name") in ("stopped", "cut")}
    assert stops == {"stopped": 3, "cut": 0}


@pytest.mark.nightly
def test_stop_at_eight_moments_of_a_save(tmp_path: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path) -> None:
    # A resumed run that is stopped makes one step more, so that the last moments need a run of their own.
    jobs = [{"name": str(first), "ways": stopped(STOPS[first:last])} for first, last in ((0, 4), (4, 7), (7, 8))]
    jobs.append({"name": "cut", "ways": cut([*STOPS[:7], (f"written {OUT}/adapter_model.safetensors", 1, 0)])})
    whole, *found = carry_out(tmp_path, tiny_model, rows_file, jobs)
    assert sum(kept(one, whole) for one in found) == len(STOPS)
