"""The starter learns its data: held-out questions in other words are answered with the taught facts, for any seed.

The suite takes one data set and one seed by lot and prints them; the nightly form takes both sets and five seeds each.
"""

import pytest

from tests.bench.facts import share
from tests.lots import lot
from tuning.engine.judge import report
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs.evaluation import verdict
from tuning.studio import Studio

SETS = ("starter-en", "starter-it")


def learns(studio: Studio, data: str, seed: int, asked: int | None = None) -> None:
    """Train, and ask all held-out questions; with `asked` so many of the untrained model, which knows no answer."""
    run = studio.runs.create("starter", data, settings={"seed": seed})
    state = train(run, studio.shared.store, Resident())
    assert state.status == "finished"
    assert state.eval_loss is not None and state.base_eval_loss is not None
    assert studio.runs.show(run.id)["perplexity"] < studio.runs.show(run.id)["base_perplexity"] / 2
    home = str(studio.settings.home)
    before, after = share(home, run.id, data, base=True, most=asked), share(home, run.id, data, base=False)
    print(f"{data}, seed {seed}: facts {before:.0%} -> {after:.0%}")
    assert before < 0.1
    assert after > 0.6
    found = verdict.read(run) or report.evaluate(run, None, studio.shared.store, Resident())
    said = found["verdict"]
    assert "learned" in (said["code"], *said["also"]) and not {said["code"], *said["also"]} & {"wrecked", "no_change"}, said
    assert said["level"] == ("good" if said["code"] == "learned" else "warning")
    assert abs(found["measures"]["facts"]["tuned"] - after) < 0.25  # found without being told what the facts are


@pytest.mark.nightly
def test_a_data_set_and_a_seed_by_lot(studio: Studio) -> None:
    dice = lot("starter")
    data, seed = dice.choice(SETS), dice.randrange(10_000)
    print(f"by lot: {data}, seed {seed}")
    learns(studio, data, seed, asked=12)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("data", SETS)
def test_both_data_sets_for_five_seeds(studio: Studio, data: str, seed: int) -> None:
    learns(studio, data, seed)
