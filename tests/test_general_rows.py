"""The general rows that are mixed in against forgetting: that they are different, small, and no part of what the probe asks."""

import re
from itertools import combinations

import pytest

from tests.forecast.test_plan import machine
from tuning import presets, settings
from tuning.forecast import plan
from tuning.presets import replay
from tuning.schema import TrainSettings

ROWS, PROBE = presets.general(settings.PRESETS), presets.probe(settings.PRESETS)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


# Of the probe's questions: what any question may have.
COMMON = words(
    "what which there after before does many come comes the are how you say in do "
    "quale quali quanti quante quanto dopo viene prima sono che cosa come dice per qual"
)


@pytest.mark.parametrize("lang", ["en", "it"])
def test_they_are_different_from_each_other_and_from_what_the_probe_asks(lang: str) -> None:
    rows = ROWS[lang]
    assert 150 <= len(rows) <= 200 and all(row.question.strip() and row.answer.strip() for row in rows)
    asked = [words(row.question) for row in rows]
    alike = [
        (one, two) for one, two in combinations(range(len(rows)), 2) if len(asked[one] & asked[two]) > 0.85 * len(asked[one] | asked[two])
    ]
    assert not [(rows[one].question, rows[two].question) for one, two in alike]
    for item in PROBE[lang]:
        told = {word for word in words(item.question) if len(word) > 2} - COMMON
        for row in rows:
            assert not told <= words(f"{row.question} {row.answer}"), (item.question, row)
            assert item.text.casefold() not in row.answer.casefold()
    path = settings.PRESETS / "general" / f"{lang}.yaml"
    assert "CC0-1.0" in path.read_text(encoding="utf-8")[:400] and path.stat().st_size < 50_000


def test_they_are_drawn_from_the_languages_of_the_model_alike_and_the_same_again() -> None:
    def questions(languages: list[str], count: int, seed: int = 1) -> list[str]:
        return [row["messages"][0]["content"] for row in replay.rows(settings.PRESETS, languages, count, seed)]

    of = {lang: {row.question for row in rows} for lang, rows in ROWS.items()}
    both = questions(["en", "it"], 40)
    assert both == questions(["it", "en", "de"], 40) == questions([], 40) != questions([], 40, seed=2)
    assert [len(set(both) & of[lang]) for lang in ("en", "it")] == [20, 20]
    assert len(set(questions(["it"], 1000))) == len(ROWS["it"]) and set(questions(["it"], 9)) <= of["it"]


@pytest.mark.parametrize(("share", "general"), [(0.0, 0), (0.1, 20), (0.5, 180)])
def test_a_plan_counts_them_beside_the_rows_and_says_so(share: float, general: int) -> None:
    model = presets.models(settings.PRESETS)["starter"]
    rows = plan.DataFacts(count=200, characters=24_000, validation_rows=0, general=300, general_characters=30_000)

    def found(of: plan.DataFacts) -> plan.Resolved:
        return plan.resolve(model, of, TrainSettings(general_share=share), plan.Machine(machine(), plan.Calibration()))

    made, without = found(rows), found(rows.model_copy(update={"general": 0}))
    assert (made.train_rows, made.validation_rows, made.general_rows) == (180, 20, general)
    assert made.forecast.steps == plan.count_steps(180 + general, made.settings)
    assert (made.forecast.seconds > without.forecast.seconds) is bool(share)
    told = {notice.code: notice.params for notice in made.notices}
    assert (told.get("plan.general", {}).get("count") == general) is bool(share) and "plan.general_few" not in told
    few = found(rows.model_copy(update={"general": 10}))
    assert (few.general_rows, "plan.general_few" in {notice.code for notice in few.notices}) == ((10, True) if share else (0, False))
