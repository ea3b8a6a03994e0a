"""kill -9 at any moment: no run is lost, and what comes of it afterwards is what would have come of it anyway.

The suite kills at the moments that have a name and at some random ones; the nightly form at every change of the run's folder
and at 200 random moments.
"""

import pathlib
import signal
from typing import Any

import pytest

from tests.engine.killing import carry_out
from tests.engine.moments import IN_THE_SUITE, LATER, LATER_IN_THE_SUITE, OUT, SAVING, TORN, killed_at, torn
from tests.lots import lot

Found = dict[str, Any]


def deaths(found: Found, whole: Found) -> int:
    """How many children of a run died; whatever they left, the run went on from its last save and ended as the whole one did."""
    died, saved = 0, 0
    for child in found["passed"]:
        told = (found.get("name"), found.get("seed"), child["way"], child["signal"], child["status"], child["saved"])
        if child["signal"]:
            assert child["signal"] in (signal.SIGKILL, signal.SIGXFSZ), told
            assert child["status"] in ("interrupted", "finished"), told
            died += 1
        assert child["saved"] >= saved, told
        saved = child["saved"]
    assert found["status"] == "finished", found
    for key in ("losses", "evaluations"):
        assert found[key] == pytest.approx(whole[key], abs=1e-6), (key, found)
    assert (found["best"], found["adapter"]) == (whole["best"], whole["adapter"])
    assert [name for name in found["left"] if name.startswith(".")] == [], found["left"]
    return died


@pytest.mark.drawn("killed")
def test_a_run_survives_kills_at_twelve_named_moments_and_at_ten_random_ones(happened: list[Found]) -> None:
    whole = happened[0]
    assert len(whole["losses"]) == 12 and len(whole["evaluations"]) == 7
    named = {one["name"]: deaths(one, whole) for one in happened if one.get("name") in ("saving", "later")}
    assert named == {"saving": len(IN_THE_SUITE), "later": len(LATER_IN_THE_SUITE) + 1}
    assert sum(deaths(one, whole) for one in happened if "seed" in one) >= 10


@pytest.mark.nightly
def test_no_run_of_two_hundred_is_lost_nor_at_any_change_of_its_folder(
    tmp_path: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path
) -> None:
    record = tmp_path / "record"
    carry_out(tmp_path, tiny_model, rows_file, [{"name": "record", "ways": [{"record": str(record)}]}])
    changes = record.read_text(encoding="utf-8").splitlines()
    middle = [number for number, change in enumerate(changes) if change == "rmtree checkpoints/.building"][3:5]
    end = next(number for number, change in enumerate(changes) if change == f"rmtree {OUT}")
    points = []
    for number in [*range(*middle), *range(end, len(changes))]:
        points.append([changes[number], changes[: number + 1].count(changes[number]), 0])
    jobs: list[Found] = [{"name": " ".join(map(str, point)), "ways": [{"at": point, "do": "kill"}]} for point in points]
    jobs += [{"name": "torn", "ways": torn()}]
    jobs += [{"name": "saving", "ways": killed_at(SAVING)}, {"name": "later", "ways": killed_at(LATER)}]
    seeds = lot("more kills").sample(range(10**6), 20)
    print("seeds", seeds)
    jobs += [{"seed": seed, "deaths": 10} for seed in seeds]
    whole, *found = carry_out(tmp_path, tiny_model, rows_file, jobs)
    died = {True: 0, False: 0}
    for one in found:
        died["seed" in one] += deaths(one, whole)
    print("named", len(points) + len(SAVING) + len(LATER) + len(TORN), "died", died[False], "at random", died[True])
    assert died[True] >= 200
    assert died[False] == len(points) + len(TORN) + len(SAVING) + len(LATER)
