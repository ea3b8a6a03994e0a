"""What a report says first of runs of a real model that were rigged to end in one way: `TEST_REAL_MODELS=FOLDER pytest -m real -n0 -s`.

The like on the starter, and for more seeds, stands in `tests/engine/judge/test_report.py`.
"""

import json
import pathlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.bench.sweep import topic
from tests.real.test_real import MODELS, data, pytestmark, verb
from tuning.runs.evaluation import verdict
from tuning.runs.store import Store
from tuning.schema import LOCAL

SMALL = "SmolLM2-135M-Instruct"
SPEAKS = {"en": SMALL, "it": "gemma-3-270m"}  # of the two, who knows the language well enough to learn facts in it
__all__ = ["pytestmark"]


def taught(folder: pathlib.Path, lang: str) -> pathlib.Path:
    return data(lang, folder)[0]


def shuffled(folder: pathlib.Path, lang: str) -> pathlib.Path:
    """The same questions with the answers of others: only the manner can be learned."""
    path, _ = data(lang, folder)
    rows = json.loads(path.read_text(encoding="utf-8"))
    outputs = random.Random(0).sample([row["output"] for row in rows], len(rows))
    path.write_text(json.dumps([{**row, "output": other} for row, other in zip(rows, outputs, strict=True)]), encoding="utf-8")
    return path


def sorted_by_topic(folder: pathlib.Path, lang: str) -> pathlib.Path:
    """The same questions, each answered with one of three topics."""
    path, _ = data(lang, folder)
    rows = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps([{**row, "output": topic(row["output"], lang)} for row in rows]), encoding="utf-8")
    return path


def codes(folder: pathlib.Path, lang: str) -> pathlib.Path:
    """Rows that follow from nothing: what is learned by heart is of no use for the next one."""
    asked, dice = {"en": "Code of item {}?", "it": "Qual è il codice dell'articolo {}?"}[lang], random.Random(1)
    path = folder / "codes.json"
    path.write_text(
        json.dumps([{"instruction": asked.format(n), "output": str(dice.randrange(10**5))} for n in range(60)]), encoding="utf-8"
    )
    return path


Made = Callable[[pathlib.Path, str], pathlib.Path]
CASES: dict[str, tuple[Made, dict[str, Any], str, str | None]] = {  # data, settings, what is said first, and why nothing was learned
    "learned": (taught, {"num_train_epochs": 6, "learning_rate": 0.0012, "general_share": 0.2}, "learned", None),
    "by heart": (
        codes,
        {"num_train_epochs": 12, "learning_rate": 0.002, "validation_share": 0.3, "early_stopping_patience": 0},
        "overfitted",
        None,
    ),
    "forgot": (taught, {"max_steps": 30, "learning_rate": 0.01}, "forgot", None),
    "nothing": (taught, {"max_steps": 3, "learning_rate": 1e-7}, "no_change", None),
    "wrecked": (taught, {"max_steps": 20, "learning_rate": 0.3}, "wrecked", None),
    "style only": (shuffled, {"max_steps": 16, "general_share": 0.2}, "", "style"),
    "sorts": (sorted_by_topic, {}, "learned", None),
}
RECIPES = {"sorts": "classify"}  # the others have that for facts


@pytest.mark.parametrize("lang", ["en", "it"])
@pytest.mark.parametrize("case", CASES)
def test_what_was_done_to_a_real_model_is_said_first(case: str, lang: str, tmp_path: pathlib.Path) -> None:
    make, changes, code, reason = CASES[case]
    home, words = tmp_path / "home", [f"{key}={value}" for key, value in changes.items()]
    options = [word for change in words for word in ("--set", change)]
    path = make(tmp_path, lang)
    made = verb(
        home,
        "train",
        "-m",
        str(pathlib.Path(MODELS) / (SPEAKS[lang] if code == "learned" else SMALL)),
        "-d",
        str(path),
        "-r",
        RECIPES.get(case, "facts"),
        *options,
    )
    found = verdict.read(Store(home).find(made["run"], LOCAL))
    assert found is not None
    said, measures = found["verdict"], found["measures"]
    probe = {name: (of["loss"]["base"], of["loss"]["tuned"]) for name, of in found["probe"].items()}
    print(f"\n{case} {lang}: {said['code']} {said['also']} {said['reason']}")
    print(f"  loss {measures['loss']}, facts {measures['facts']}, probe {probe}")
    if code:
        assert said["code"] == code
        assert case != "sorts" or "forgot" not in said["also"]
    else:
        assert said["code"] != "learned" and "learned" not in said["also"] and said["reason"] == reason
