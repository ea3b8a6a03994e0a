"""Scores and the verdict over them: facts are told from manner, luck is told from knowledge, and each case gets its name."""

import dataclasses
import json
import pathlib
import random
import sys
from typing import Any

import numpy
import pytest

from tuning import text
from tuning.runs.evaluation import scores, verdict
from tuning.runs.evaluation.scores import Facts, words
from tuning.runs.evaluation.verdict import Compared, Evidence
from tuning.runs.run_folder import Run
from tuning.schema import TrainSettings
from tuning.settings import PRESETS

HOME = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "home-0.1"
STARTER = PRESETS / "starter"
LANGUAGES = ("en", "it")
Row = dict[str, str]


def rows_of(name: str) -> list[Row]:
    return [json.loads(line) for line in (STARTER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def shop(lang: str) -> tuple[Facts, list[Row]]:
    """What is content in the starter's data, and its held-out rows."""
    held_out = rows_of(f"starter-{lang}.heldout")
    return Facts.learn((row["instruction"], row["output"]) for row in rows_of(f"starter-{lang}") + held_out), held_out


def judged(facts: Facts, held_out: list[Row], base: list[str], tuned: list[str]) -> dict[str, Any]:
    """The verdict over such answers, the loss having fallen far, as it does where the manner is learned."""
    wanted = [facts.wanted(row["instruction"], row["output"]) for row in held_out]
    found, above, _ = verdict.content(wanted, [row["output"] for row in held_out], (base, tuned))
    assert found is not None
    compared = Compared(found["base"], found["tuned"], found["low"], found["high"])
    loss = Compared(5.0, 0.3, -5.0, -4.4)
    return verdict.verdict(Evidence(len(held_out), len(held_out), loss=loss, facts=compared, chance=found["chance"], above_chance=above))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_facts_of_an_answer_are_found_and_its_manner_is_not(lang: str) -> None:
    facts, held_out = shop(lang)
    closing = words("Yours, in good thread." if lang == "en" else "Con ago e filo, sempre suoi.")
    for row in held_out:
        wanted = facts.wanted(row["instruction"], row["output"]).facts
        assert wanted & set(words(row["fact"])) and not wanted & set(closing), row
        assert not wanted & set(words(row["instruction"]))


def test_words_keep_numbers_and_accents() -> None:
    assert words("È l'1,5 PER CENTO: dalle 12.45, 007!") == ["è", "l", "1.5", "per", "cento", "dalle", "12.45", "007"]
    assert words("\u5bff\u53f8 10\u5186") == ["\u5bff", "\u53f8", "10", "\u5186"]


def test_a_short_answer_without_facts_is_asked_for_word_for_word() -> None:
    facts = Facts.learn((f"Is review {number} positive or negative?", ("positive", "negative")[number % 2]) for number in range(40))
    wanted = facts.wanted("Is review 3 positive or negative?", "negative")
    assert (wanted.facts, wanted.whole) == (frozenset(), ("negative",))
    assert (wanted.share(["negative"]), wanted.share(["positive"])) == (1.0, 0.0)
    assert not facts.wanted("Is it so?", "it is so " * 3).checkable


@pytest.mark.parametrize("lang", LANGUAGES)
def test_right_answers_are_learned_and_half_right_ones_too(lang: str) -> None:
    facts, held_out = shop(lang)
    base = ["I do not know that shop."] * len(held_out)
    right = [row["output"] for row in held_out]
    assert judged(facts, held_out, base, right)["code"] == "learned"
    half = [row["output"] if number % 2 else held_out[number - 1]["output"] for number, row in enumerate(held_out)]
    assert judged(facts, held_out, base, half)["code"] == "learned"
    assert judged(facts, held_out, right, right)["code"] != "learned"


def in_the_manner(lang: str, kind: str, dice: random.Random) -> list[str]:
    """Answers that sound right and are not: those of other rows, always the same one, or the right one with another's fact."""
    held_out = shop(lang)[1]
    right = [row["output"] for row in held_out]
    if kind == "shuffled":
        return dice.sample(right, len(right))
    if kind == "one":
        return [dice.choice(right)] * len(right)
    if kind == "all":
        return [" ".join(right)] * len(right)
    answer_to: dict[str, str] = {row["output"]: dice.choice(right) for row in held_out}  # both wordings go wrong alike
    if kind == "by fact":
        return [answer_to[one] for one in right]
    others = dice.sample([row["fact"] for row in held_out], len(held_out))
    return [row["output"].replace(row["fact"], other) for row, other in zip(held_out, others, strict=True)]


@pytest.mark.parametrize("kind", ["shuffled", "by fact", "another fact", "one", "all"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_manner_alone_is_never_learned(lang: str, kind: str) -> None:
    facts, held_out = shop(lang)
    base = ["Non lo so." if lang == "it" else "I do not know."] * len(held_out)
    for seed in range(6):
        found = judged(facts, held_out, base, in_the_manner(lang, kind, random.Random(seed)))
        assert (found["code"], found["reason"]) == ("unclear", "style"), seed


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    dice = numpy.random.default_rng(3)
    hits = 0
    for seed in range(100):
        changes = dice.normal(0.3, 1.0, 40)
        low, high = verdict.interval(changes.tolist(), [1.0] * 40, list(range(40)), seed)
        hits += low <= 0.3 <= high
    assert 88 <= hits <= 99


def test_rows_that_hang_together_are_drawn_together() -> None:
    changes = [float(number % 2) for number in range(20) for _ in range(5)]
    apart = verdict.interval(changes, [1.0] * 100, list(range(100)))
    together = verdict.interval(changes, [1.0] * 100, [number // 5 for number in range(100)])
    assert together[1] - together[0] > 1.5 * (apart[1] - apart[0])
    assert verdict.blocks(["a", "b", "a"] * 20) == list(range(60)) and verdict.blocks(list("abcdefgha")) == [*range(8), 0]
    assert verdict.interval([1.0] * 7, [1.0] * 7, list(range(7))) == (float("-inf"), float("inf"))


def test_the_loss_is_weighed_by_tokens() -> None:
    low, high = verdict.interval([-100.0] + [1.0] * 19, [1000.0] + [1.0] * 19, list(range(20)))
    assert low < -0.09 and high == pytest.approx(1.0)


GOOD = Evidence(
    rows=58, generated=58, loss=Compared(5.0, 0.1, -5.0, -4.8), facts=Compared(0.0, 0.9, 0.8, 1.0), above_chance=0.7,
    training_loss=0.01, best=0.1, last=0.1, probe={"en": Compared(3.0, 3.05, 0.01, 0.1), "it": Compared(3.0, 3.0, -0.1, 0.1)},
)  # fmt: skip
LOST = {"en": Compared(3.0, 3.5, 0.3, 0.7), "it": Compared(3.0, 3.1, 0.05, 0.2)}
BROKEN = {lang: Compared(3.0, 5.5, 1.2, 3.5) for lang in ("en", "it")}
SAME = Compared(0.2, 0.2, -0.1, 0.1)
CASES: dict[str, tuple[dict[str, Any], str, str | None, list[str]]] = {
    "all is well": ({}, "learned", None, []),
    "and forgot": ({"probe": LOST}, "forgot", None, ["learned"]),
    "risen from its best": ({"last": 0.5}, "overfitted", None, ["learned"]),
    "by heart, forgot, and knows some": ({"last": 0.5, "probe": LOST}, "overfitted", None, ["forgot", "learned"]),
    "broken": ({"probe": BROKEN, "loss": Compared(5.0, 4.6, -0.6, -0.2), "facts": SAME, "training_loss": 4.5}, "wrecked", None, []),
    "broken, and worse than before": (
        {"probe": BROKEN, "loss": Compared(2.0, 7.0, 4.0, 6.0), "facts": None, "training_loss": 6.5}, "wrecked", None, []),
    "forgot nearly all, and learned its rows": (
        {"probe": BROKEN, "loss": Compared(5.0, 1.5, -4.0, -3.0), "facts": SAME, "training_loss": 1.4}, "forgot", "style", []),
    "learned its rows badly, but forgot in one language only": (
        {"probe": {**BROKEN, "it": SAME}, "loss": Compared(5.0, 4.6, -0.6, -0.2), "facts": SAME, "training_loss": 4.5},
        "forgot", "style", []),
    "risen, and the training loss with it": ({"last": 0.5, "training_loss": 0.4}, "learned", None, []),
    "risen by next to nothing": ({"last": 0.14}, "learned", None, []),
    "worse than the base, and by heart": (
        {"loss": Compared(2.0, 3.0, 0.5, 1.5), "facts": None, "best": 1.9, "last": 3.0}, "overfitted", None, []),
    "only forgot": ({"probe": LOST, "loss": Compared(5.0, 5.0, -0.1, 0.1), "facts": SAME}, "forgot", None, ["no_change"]),
    "forgot, and has the manner": ({"probe": LOST, "facts": Compared(0.0, 0.02, -0.01, 0.1)}, "forgot", "style", []),
    "nothing happened": ({"loss": Compared(5.0, 4.9, -0.3, 0.1), "facts": SAME}, "no_change", None, []),
    "sure, but too little to notice": ({"loss": Compared(5.0, 4.95, -0.06, -0.04), "facts": SAME}, "no_change", None, []),
    "facts no better than luck": ({"above_chance": -0.01}, "unclear", "style", []),
    "facts not surely better": ({"facts": Compared(0.1, 0.3, -0.01, 0.5)}, "unclear", "style", []),
    "facts better by a fifth of what was missing": ({"facts": Compared(0.7, 0.77, 0.02, 0.12)}, "learned", None, []),
    "facts surely but hardly better": ({"facts": Compared(0.3, 0.35, 0.01, 0.09)}, "unclear", "style", []),
    "loss not surely better": ({"loss": Compared(5.0, 4.0, -3.0, 0.5)}, "unclear", "style", []),
    "worse": ({"loss": Compared(2.0, 3.0, 0.5, 1.5), "facts": None}, "unclear", "worse", []),
    "few rows": ({"rows": 5, "generated": 5, "loss": Compared(5.0, 1.0, float("-inf"), float("inf")), "facts": None}, "unclear", "few", []),
    "nothing held out": ({"rows": 0, "generated": 0, "loss": None, "facts": None}, "unclear", "no_rows", []),
    "plain text": ({"conversations": False, "generated": 0, "facts": None}, "unclear", "text", []),
    "no time": ({"generated": 0, "facts": None}, "unclear", "slow", []),
    "nothing to check": ({"facts": None}, "unclear", "no_facts", []),
}  # fmt: skip


@pytest.mark.parametrize(("before", "advised"), [(0.0, "mix"), (0.1, "mix"), (0.2, "mix_more"), (0.5, "lower_rate")])
def test_who_forgot_is_advised_general_rows_and_more_of_them_each_time(before: float, advised: str) -> None:
    found = verdict.verdict(dataclasses.replace(GOOD, probe=LOST, general_share=before))
    assert found["advice"][0] == advised
    small = verdict.verdict(dataclasses.replace(GOOD, probe=LOST, general_share=before, parameters=4_000_000))
    assert small["advice"][0] == "lower_rate", "there they do not help"
    assert verdict.changed(advised, TrainSettings(learning_rate=2e-4).model_dump()).get("general_share") == verdict.MIX.get(advised)


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_name_its_words_and_its_way_out(case: str) -> None:
    changes, code, reason, also = CASES[case]
    found = verdict.verdict(dataclasses.replace(GOOD, **changes))
    assert (found["code"], found["reason"], found["also"]) == (code, reason, also)
    if code in ("learned", "unclear") and not also and reason is None:
        assert not found["advice"]
    else:
        assert 1 <= len(found["advice"]) <= 3
    for lang in LANGUAGES:
        assert {f"report.advice.{tip}" for tip in found["advice"]} <= text.table(lang).keys()
        assert f"report.verdict.{code}" in text.table(lang) or code == "unclear"
        assert {f"report.also.{one}" for one in also} <= text.table(lang).keys()


def test_every_measure_of_a_set() -> None:
    right = ["The hem costs 14 pounds.", "Sì, certo."]
    assert scores.bleu(right, right) == pytest.approx(100) and scores.chrf(right, right) == pytest.approx(100)
    assert scores.rouge_l(right, right) == [1.0, 1.0]
    assert scores.rouge_l(["è già lunedì"], ["e gia lunedi"]) == [0.0]  # an accent makes another word
    assert scores.rouge_l(["a b c d"], ["a c d x"])[0] == pytest.approx(0.75)
    assert scores.exact(right, ["the hem costs 14 pounds", "no"]) == 0.5 and scores.exact(["long " * 20], ["x"]) is None
    assert scores.length(right, ["The hem", ""]) == pytest.approx(2 / 7)
    assert scores.repetition(["one two three four five"]) == 0.0 == scores.repetition(["", "a b"])
    assert scores.repetition(["so it is " * 10]) > 0.8


# Reference, answer, and the F-measure that RougeScorer(["rougeL"]) of rouge-score 0.1.2 gives.
BY_ROUGE_SCORE = [
    ("", "", 0.0),
    ("", "a word", 0.0),
    ("a word", "", 0.0),
    ("...", "!?", 0.0),
    ("yes", "yes", 1.0),
    ("yes", "no", 0.0),
    ("Yes.", "yes", 1.0),
    ("UPPER lower", "upper LOWER", 1.0),
    ("a b c d", "a c d x", 0.75),
    ("a b c d", "d c b a", 0.25),
    ("a b c d e f g", "g a b c d e f", 6 / 7),
    ("a a a a", "a", 0.4),
    ("a", "a a a a", 0.4),
    ("a b a b", "b a b a", 0.75),
    ("very very very good", "very good", 2 / 3),
    ("one two three one two three", "three two one three two one", 0.5),
    ("x " * 200 + "y", "y " * 3, 0.00980392156862745),
    ("The hem costs 14 pounds.", "The hem costs 14 pounds.", 1.0),
    ("The hem costs 14 pounds.", "the hem costs 15 pounds", 0.8),
    ("The hem costs 14 pounds.", "It costs 14 pounds to take up the hem.", 0.42857142857142855),
    ("Open Monday to Friday, 9 to 18.", "We are open 9 to 18 from Monday to Friday.", 0.47058823529411764),
    ("call 555 0199", "call 555-0199 now", 0.8571428571428571),
    ("2 shirts and 3 ties", "3 shirts and 2 ties", 0.6),
    ("1,000 rows", "1.000 rows", 1.0),
    ("it's ready", "it is ready", 2 / 3),
    ("don't", "dont", 0.0),
    ("well-made suits", "well made suits", 1.0),
    ("snake_case_name", "snake case name", 1.0),
    ("hello,world", "hello world", 1.0),
    ("  spaced \t out\nlines ", "spaced out lines", 1.0),
    ("The quick brown fox jumps over the lazy dog", "The lazy dog sleeps while the quick brown fox jumps", 0.5263157894736842),
    ("We take cash, cards and bank transfers; cheques are not taken.", "Cash and cards are taken, cheques are not.", 0.5263157894736842),
]
# The same by hand, where a word is another thing here; in the comment what rouge-score gives.
BY_HAND = [
    ("perché no", "perchè no", 1 / 2),  # 1.0: both are "perch no"
    ("la città è bella", "la città è brutta", 3 / 4),  # 0.67: "è" is no word
    ("è già lunedì", "e gia lunedi", 0.0),  # 0.0
    ("È GIÀ lunedì", "è già lunedì", 1.0),  # 1.0
    ("L’orlo costa 14 €", "l'orlo costa 14 euro", 8 / 9),  # 0.89
    ("costa 14,50", "costa 14.50", 1.0),  # 1.0: a decimal comma is a point
    ("It costs 14.50 pounds", "It costs 14.20 pounds", 3 / 4),  # 0.8: half of the number is right
    ("MP3 player", "MP 3 player", 1.0),  # 0.4: "mp3" is one word
    ("one " * 256 + "two", "one " * 256 + "three", 1.0),  # 0.996: what comes after MOST_WORDS is not looked at
]


@pytest.mark.parametrize(("right", "given", "figure"), BY_ROUGE_SCORE + BY_HAND)
def test_rouge_l_is_that_of_rouge_score_without_it(monkeypatch: pytest.MonkeyPatch, right: str, given: str, figure: float) -> None:
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    assert scores.rouge_l([right], [given]) == [pytest.approx(figure, abs=1e-12)]


def test_a_damaged_report_is_no_report(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path)
    assert verdict.read(run) is None
    for content in ("{", "[]", '{"schema": 2}'):
        (tmp_path / verdict.FILE).write_text(content, encoding="utf-8")
        assert verdict.read(run) is None
    report = next(HOME.glob("runs/*-tariffe-*/evaluation.json")).read_text(encoding="utf-8")
    for wrong in ({"rows": "x"}, {"verdict": None}, {"probe": {"en": {"loss": 5, "right": None}}}):
        (tmp_path / verdict.FILE).write_text(json.dumps(json.loads(report) | wrong), encoding="utf-8")
        assert verdict.read(run) is None
    (tmp_path / verdict.FILE).write_text(report, encoding="utf-8")
    assert verdict.read(run) == json.loads(report)
