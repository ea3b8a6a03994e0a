"""The report as words and HTML: every verdict is a sentence in both languages, and nothing that a model says is markup."""

import copy
import re
from typing import Any, get_args

import pytest

from tuning.runs.evaluation import verdict
from tuning.runs.evaluation.verdict import ADVICE, LEVELS
from tuning.schema import ALIVE, Status, TrainSettings
from tuning.text import t
from tuning.ui.draw import report_view

ATTACK = "<script>alert(1)</script>${x}`"
FOUND: dict[str, Any] = {
    "schema": 1, "owner": "local", "run": "r", "data": "d", "made": 1.0, "seconds": 4.2, "seed": 1, "of": 58, "rows": 58, "generated": 36,
    "verdict": {
        "code": "learned", "reason": None, "also": ["forgot"], "level": "good", "advice": ["mix", "lower_rate"],
        "params": {
            "rows": 58, "generated": 36, "base_loss": 5.7, "tuned_loss": 0.0219, "best_loss": 0.02, "last_loss": 0.0219,
            "training_loss": 0.004, "base_facts": 0, "tuned_facts": 91, "languages": ["en", "it"],
        },
    },
    "measures": {
        "loss": {"base": 5.7, "tuned": 0.0219, "low": -6.0, "high": -5.4}, "perplexity": {"base": None, "tuned": 1.02},
        "facts": {"base": 0.0, "tuned": 0.914, "low": 0.8, "high": 0.98, "chance": 0.02, "rows": 58}, "exact": None,
        "bleu": {"base": 0.7, "tuned": 94.7}, "chrf": {"base": 22.0, "tuned": 95.4}, "rouge_l": {"base": 0.11, "tuned": 0.96},
        "length": {"base": 1.72, "tuned": 1.0}, "repetition": {"base": 0.0, "tuned": 0.01},
    },
    "training_loss": 0.004, "curve": {"best": 0.02, "last": 0.0219},
    "probe": {
        "en": {"loss": {"base": 5.1, "tuned": 6.0, "low": 0.7, "high": 1.2}, "right": {"base": 11, "tuned": 7, "of": 24}},
        "it": {"loss": {"base": 4.9, "tuned": 5.3, "low": 0.2, "high": 0.7}, "right": None},
    },
    "best": [{"row": 1, "question": ATTACK, "reference": ATTACK, "base": ATTACK, "tuned": "", "base_loss": 5.0, "tuned_loss": 0.1,
              "base_facts": None, "tuned_facts": 1.0}],
    "worst": [],
}  # fmt: skip


def changed(**verdict: Any) -> dict[str, Any]:
    found = copy.deepcopy(FOUND)
    found["verdict"] |= verdict
    return found


@pytest.mark.parametrize("lang", ["en", "it"])
def test_the_whole_report(lang: str) -> None:
    drawn = report_view.report({"evaluation": FOUND}, lang)
    assert "91%" in drawn and 'class="judged good"' in drawn and drawn.count("<details") == 3
    assert "ui.report" not in drawn and "report.v" not in drawn and not re.search(r"\{\w+\}", drawn)
    assert ("∞" in drawn) and (("11 of 24" if lang == "en" else "11 su 24") in drawn)
    assert report_view.report({"evaluation": None}, lang) == "" == report_view.report({}, lang)


@pytest.mark.parametrize("lang", ["en", "it"])
def test_the_share_of_answers_that_think_is_shown_where_any_does(lang: str) -> None:
    found = copy.deepcopy(FOUND)
    name = t(lang, "ui.report.thinking")
    assert name not in report_view.report({"evaluation": found}, lang)
    found["measures"]["thinking"] = {"base": 1.0, "tuned": 0.25}
    drawn = report_view.report({"evaluation": found}, lang)
    assert name in drawn and report_view.spoken(found, lang)["figures"][name] == "100% → 25%"
    assert not re.search(rf"{name}.{{0,200}}(better|worse)", drawn, re.DOTALL), "which is better depends on what was wanted"


def test_nothing_that_data_or_models_say_is_markup() -> None:
    drawn = report_view.report({"evaluation": FOUND}, "en")
    assert "<script" not in drawn and "${" not in drawn and "`" not in drawn and "&lt;script&gt;" in drawn


@pytest.mark.parametrize("lang", ["en", "it"])
def test_every_verdict_reason_and_advice_is_a_sentence(lang: str) -> None:
    reasons = [name for name in ADVICE if name not in LEVELS]
    for code, level in LEVELS.items():
        for reason in reasons if code == "unclear" else [None]:
            found = changed(code=code, reason=reason, also=[], level=level, advice=list(ADVICE.get(reason or code, ())))
            (said,) = report_view.sentences(found, lang)
            assert said.endswith((".", ":")) or said[-1] in ").", said
            assert "{" not in said and "report." not in said
            assert all(tip.endswith(".") for tip in report_view.advice(found, lang))
            assert said.split(".")[0] in report_view.headline(found, lang).replace("&#x27;", "'")
    learned, forgot, *_ = report_view.sentences(changed(code="forgot", reason=None, also=["learned"]), lang)
    assert learned == t(lang, "report.verdict.learned", tuned_facts="91", base_facts="0")
    assert forgot.startswith("It has also" if lang == "en" else "Ha anche")
    both = report_view.sentences(changed(code="forgot", reason="style", also=["no_change"]), lang)
    assert len(both) == 3 and ("English and Italian" if lang == "en" else "inglese e italiano") in both[0]
    assert (
        "0.022" in report_view.sentences(changed(code="overfitted"), "en")[0]
        and "0,022" in report_view.sentences(changed(code="overfitted"), "it")[0]
    )


def test_better_and_worse_are_words_too() -> None:
    assert report_view.table(FOUND, "en").count("(better)") == 1  # facts; a perplexity without end is not compared, 1% repeats are chance
    assert report_view.more(FOUND, "en").count("(better)") == 4
    assert report_view.probe(FOUND, "it").count("(peggio)") == 3


def test_a_terminal_gets_the_same_in_words() -> None:
    said = report_view.spoken(FOUND, "it")
    assert said["figures"]["Fatti giusti"] == "0% → 91%" and said["verdict"].startswith("Ha imparato") and len(said["advice"]) == 2


def test_what_cannot_be_judged_is_not_shown() -> None:
    found = copy.deepcopy(FOUND)
    name, worst = t("en", "ui.report.exact"), t("en", "ui.report.worst")
    row = {**FOUND["best"][0], "reference": "Nine euros.", "tuned": "nine euros", "tuned_facts": None}
    found |= {"worst": [row, {**row, "tuned": "It is nine.", "tuned_facts": 1.0}]}
    found["measures"]["exact"] = {"base": 0.0, "tuned": 0.0}
    drawn = report_view.report({"evaluation": found}, "en")
    assert name not in drawn, "0 % word for word beside right answers"
    assert worst not in drawn and "It is nine." not in drawn, "a right answer is none of the worst"
    found["worst"].append({**row, "tuned": "Ten.", "tuned_facts": 0.0})
    found["measures"]["exact"] = {"base": 0.0, "tuned": 0.5}
    drawn = report_view.report({"evaluation": found}, "en")
    assert name in drawn and worst in drawn and "Ten." in drawn and "It is nine." not in drawn


@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_run_that_goes_on_shows_no_old_verdict_and_one_that_broke_off_says_from_when_its_is(lang: str) -> None:
    judged = report_view.sentences(FOUND, lang)[0]
    shown = {status: report_view.report({"evaluation": FOUND, "status": status}, lang) for status in get_args(Status)}
    assert (
        {status for status in shown if judged not in shown[status]}
        == {*ALIVE}
        == {status for status in shown if t(lang, "ui.report.to_come") in shown[status]}
    )
    assert {status for status in shown if t(lang, "ui.report.old") in shown[status]} == {"paused", "interrupted", "failed"}


def test_advice_is_buttons_where_it_can_be_pressed_and_words_where_not() -> None:
    run = {"evaluation": FOUND}
    drawn = report_view.report(run, "en", pressed=True)
    assert re.findall(r'data-do="advise" data-value="(\w+)"', drawn) == FOUND["verdict"]["advice"]
    assert "data-do" not in report_view.report(run, "en") and "<button" not in report_view.report(run, "en")


def test_every_advice_leads_somewhere() -> None:
    """To settings that the schema takes and that differ, or to the data or the chat."""
    settings = TrainSettings(learning_rate=0.001, num_train_epochs=1, lora_r=1024, lora_alpha=4096).model_dump()
    for tip in {tip for tips in ADVICE.values() for tip in tips} | {"wordings"}:
        changes = verdict.changed(tip, settings)
        assert bool(changes) != (tip in verdict.BY_HAND), tip
        TrainSettings.model_validate({**settings, **changes})
    assert verdict.changed("lower_rate", settings)["learning_rate"] < 0.001 < verdict.changed("higher_rate", settings)["learning_rate"]
