"""The answers on the way and the page's title as pure HTML: in order, escaped, in both languages, and nothing where there is nothing."""

import html
import json
import re
from typing import Any

import pytest

from tuning.text import t
from tuning.ui.draw import page_title
from tuning.ui.draw.timeline_view import timeline

HOSTILE = "<script>alert(1)</script> ${value} `x` \"y\" 'z' &amp;"


def sample(step: int, count: int = 3) -> dict[str, Any]:
    answers = [{"prompt": f"q{n} {HOSTILE}", "answer": f"a{n}-{step} {HOSTILE}", "reference": f"r{n} {HOSTILE}"} for n in range(count)]
    return {"schema": 1, "step": step, "answers": answers}


def shown(*samples: dict[str, Any], lang: str = "en", **more: Any) -> str:
    return timeline({"run": "one", "total_steps": 90, "samples": list(samples), **more}, lang, "live")


def test_nothing_where_nothing_was_asked() -> None:
    assert shown() == "" and timeline({"run": "one", "total_steps": 90}, "en", "live") == ""


@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_column_from_the_base_to_now_and_the_answer_in_the_data(lang: str) -> None:
    drawn = shown(sample(0), sample(9), sample(45), lang=lang)
    assert re.findall(r'type="radio" name="moment-live" value="(\d+)"( checked)?', drawn) == [("0", ""), ("9", ""), ("45", " checked")]
    assert re.findall(r"<span>([^<]*)</span></label>", drawn) == [t(lang, "ui.timeline.before"), "10%", "50%"]
    columns = drawn.split("<details")[1:]
    assert len(columns) == 3 and [" open>" in column.split("<summary>")[0] for column in columns] == [True, False, False]
    for number, column in enumerate(columns):
        assert re.findall(rf"<p>([ar]{number}[-\d]*) ", column) == [f"a{number}-0", f"a{number}-9", f"a{number}-45", f"r{number}"]
        assert column.count('class="now"') == 1


def test_what_models_and_data_say_stays_text() -> None:
    drawn = shown(sample(0), sample(9))
    assert "<script" not in drawn and "${" not in drawn and "`" not in drawn
    assert html.unescape(html.unescape(drawn)).count("<script>alert(1)</script>") == 3 * 4


def test_a_general_question_says_so_and_silence_has_a_word() -> None:
    answers = [{"prompt": "Capital?", "answer": "", "reference": "Paris.", "general": True}]
    drawn = shown({"step": 0, "answers": answers}, lang="it")
    for code in ("ui.timeline.general", "ui.timeline.right", "ui.timeline.silent"):
        assert html.escape(t("it", code)) in drawn
    assert "nei dati" not in drawn


def test_an_earlier_point_with_fewer_questions_leaves_a_gap() -> None:
    drawn = shown(sample(0, count=1), sample(9, count=2))
    assert [column.count("data-step") for column in drawn.split("<details")[1:]] == [2, 1]


@pytest.mark.parametrize(
    ("status", "ended", "expected"),
    [
        ("running", None, "42% – Sartoria"),
        ("queued", None, "◌ x – Sartoria"),
        ("finished", 900.0, "✓ x – Sartoria"),
        ("failed", 900.0, "✕ x – Sartoria"),
        ("paused", 900.0, "❙❙ x – Sartoria"),
        ("finished", -9000.0, "Sartoria"),
        ("interrupted", None, "Sartoria"),
    ],
)
def test_the_title_says_how_far_it_is_or_how_it_ended(status: str, ended: float | None, expected: str) -> None:
    run = {"name": "x", "status": status, "step": 42, "total_steps": 100, "state": {"ended": ended}}
    assert page_title.title(run, "en", now=1000.0) == expected
    assert page_title.title(None, "it") == "Sartoria"


def test_the_script_reads_who_lives_and_who_is_over() -> None:
    names = ["queued", "running", "paused", "failed", "finished", "stopped", "interrupted"]
    runs = [{"run": f"r{n}", "name": HOSTILE, "status": name, "step": n, "total_steps": 9} for n, name in enumerate(names)]
    drawn = page_title.telling(None, runs, "it")
    assert "<script" not in drawn and "${" not in drawn
    read = {name: html.unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', drawn)}
    assert json.loads(read["living"]) == ["r0", "r1"]
    over = json.loads(read["over"])
    assert [one["run"] for one in over] == ["r2", "r3", "r4"]
    assert over[2] == {"run": "r4", "title": t("it", "ui.tell.finished", name=HOSTILE), "body": "Passo 4 di 9"}
