"""The list of runs and what stands under one of them, as pure functions: what is found, what is shown, what is asked."""

import re
from typing import Any

import pytest

from tuning.schema import Notice
from tuning.ui.draw import history, pictures, progress
from tuning.ui.draw.history import Look, Names

NAMES = Names({"starter-it": "Una sartoria"}, {"facts": "Insegna dei fatti"})
SEEN = {"spark": {"loss": [[1.0, 5.0], [2.0, 1.0]], "eval_loss": [[2.0, 1.5]]}, "size_bytes": 42 * 2**20}


def run(number: int, **changes: Any) -> dict[str, Any]:
    found = {"run": f"r{number}", "name": f"prova {number}", "status": "finished", "model": "starter", "model_title": "Sartoria starter"}
    found |= {"data": "starter-it", "recipe": "facts", "created": 1.7e9, "seconds": 75.0, "step": 40, "total_steps": 40}
    found |= {"state": {"step": 40, "seconds_left": None, "finishing": None}, "stop_requested": False, "download": None}
    found |= {"eval_loss": 1.104, "base_eval_loss": 5.6, "has_adapter": True, "size_bytes": 42 * 2**20}
    found |= {"place": None, "wait_seconds": None}
    return found | changes


def listed(runs: list[dict[str, Any]], look: Look | None = None) -> str:
    return history.listing(runs, look or Look(), "r0", NAMES, lambda _: SEEN, "it")


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("", ["r0", "r1"]),
        ("PROVA 1", ["r1"]),
        ("perche", ["r0"]),
        ("sartoria starter", ["r0", "r1"]),
        ("una sartoria insegna", ["r0", "r1"]),
        ("non riuscito", ["r1"]),
        ("facts", ["r0", "r1"]),
        ("finito 1", []),
        ("altro", []),
    ],
)
def test_every_word_has_to_stand_somewhere(words: str, ids: list[str]) -> None:
    runs = [run(0, name="Perché"), run(1, status="failed")]
    assert [one["run"] for one in history.found(runs, words, NAMES, "it")] == ids


def test_a_row_says_what_became_of_the_run() -> None:
    drawn = listed([run(0)])
    assert "Una sartoria" in drawn and "Insegna dei fatti" in drawn and "42 MB" in drawn and "75 s" in drawn
    assert "5,60 → 1,10" in drawn and "finito" in drawn
    assert drawn.count("<polyline") == 2
    assert "Passo" not in drawn and "Passo 7 di 40" in listed([run(0, status="interrupted", step=7)])


def test_a_report_on_some_questions_can_be_made_on_all_by_a_press() -> None:
    some = run(0, evaluation={"questions": 25, "generated": 8, "all_seconds": 300.0}) | {"spec": {"notices": []}}
    drawn = history.ways(some, False, False, "it")
    assert 'data-do="ask_all"' in drawn and "tutte le 25 domande: circa 5 min" in drawn
    asked = history.ways(some, False, False, "it", measuring=True)
    assert 'data-do="ask_all"' not in asked and "Gli sto facendo" in asked
    whole = some | {"evaluation": {"questions": 25, "generated": 25, "all_seconds": None}}
    for other in (whole, some | {"evaluation": None}, some | {"has_adapter": False}, some | {"status": "running", "total_steps": 90}):
        assert 'data-do="ask_all"' not in history.ways(other, False, False, "en")


def test_a_run_that_measures_says_so_wherever_its_steps_ended() -> None:
    """Also after early stopping, and after somebody asked it to stop: the steps that were planned are not all done then."""
    for step, stopped in ((40, False), (15, False), (15, True)):
        state = {
            "step": step,
            "seconds_left": 0.0,
            "finishing": "measuring",
            "base_eval_loss": None,
            "tokens_per_second": None,
            "train_loss": 1.0,
            "eval_loss": None,
        }
        at_work = run(0, status="running", state=state, stop_requested=stopped, recoveries=[], notices=[], spec={"notices": []}, log="")
        at_work |= {"predicted_peak_bytes": 1, "peak_bytes": None, "metrics": [], "logged": 0, "samples": [], "evaluation": None}
        assert "misura" in progress.line(at_work, "it") and "0 s" not in progress.line(at_work, "it")
        assert "misura" in progress.live(at_work, "it").partition('<div class="progress"')[0]


def test_a_run_that_waits_says_for_how_long() -> None:
    waits = run(0, status="queued", step=0, place=2, wait_seconds=340.0)
    assert "Numero 2 in coda" in listed([waits])
    assert progress.line(waits, "it") == "Parte da solo fra circa 6 min, numero 2 in coda. Puoi chiudere la pagina."
    assert progress.line(waits | {"place": 1, "wait_seconds": 0.0}, "it").startswith("Aspetta il suo turno")


def test_only_some_are_drawn_and_the_others_are_counted() -> None:
    asked: list[str] = []

    def glimpse(reference: str) -> dict[str, Any]:
        asked.append(reference)
        return SEEN

    runs = [run(number) for number in range(300)]
    drawn = history.listing(runs, Look(), "r0", NAMES, glimpse, "en")
    assert drawn.count('data-do="run"') == len(asked) == history.PAGE and "250 left" in drawn
    assert listed(runs, Look(most=300)).count('data-do="run"') == 300


def test_nothing_found_says_so_and_leads_back() -> None:
    drawn = listed([run(0)], Look(words="zzz<b>"))
    assert "zzz&lt;b&gt;" in drawn and 'data-do="words"' in drawn


@pytest.mark.parametrize(("ticked", "said"), [(1, "Spuntane un altro"), (2, "confronto è qui sotto"), (3, "Hai spuntato 3 lavori")])
def test_ticks_say_what_they_are_for(ticked: int, said: str) -> None:
    runs = [run(number) for number in range(4)]
    chosen = tuple(one["run"] for one in runs[:ticked])
    drawn = listed(runs, Look(ticked=chosen))
    assert said in drawn and drawn.count('aria-pressed="true" aria-label') == ticked
    asking = listed(runs, Look(ticked=chosen, sure=chosen))
    assert f"{42 * ticked} MB" in asking and 'data-do="delete"' in asking and said not in asking


def test_a_look_from_a_page_keeps_only_runs_that_are_there() -> None:
    look = Look.of({"ticked": ["r1", "gone", 3], "sure": ["gone"], "words": "a"}, ["r1", "r2"])
    assert (look.ticked, look.sure, look.words, look.most) == (("r1",), (), "a", history.PAGE)


def test_a_run_at_work_is_not_deleted_and_it_is_said_why() -> None:
    drawn = history.ways(run(0, status="running", has_adapter=False), False, False, "en")
    assert 'data-do="ask"' not in drawn and "stop it first" in drawn and 'data-do="talk"' in drawn and 'data-do="take"' not in drawn
    assert 'data-do="ask"' in history.ways(run(0), False, False, "en")
    waits = history.ways(run(0, status="queued", has_adapter=False), False, False, "en")
    assert 'data-do="unqueue"' in waits and 'data-do="ask"' not in waits and "stop it first" not in waits and "unqueue" not in drawn


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "${alert(1)}"])
def test_names_are_never_markup(text: str) -> None:
    one = run(0, name=text, model_title=text, data=text, recipe=text)
    drawn = listed([one], Look(ticked=("r0",))) + history.ways(one, True, True, "en")
    assert text not in drawn and not re.search(r"\$\{|<script|<img", drawn)


def shown(**changes: Any) -> dict[str, Any]:
    """A run as `Runs.show` gives it, as far as `progress.told` and the charts look."""
    found = {
        "run": "r0",
        "status": "finished",
        "logged": "1",
        "metrics": [],
        "total_steps": 10,
        "predicted_peak_bytes": 2**30,
        "base_eval_loss": None,
        "eval_loss": None,
        "recoveries": [],
        "notices": [],
    }
    return found | {"spec": {"notices": []}, "log": []} | changes


def test_what_happened_on_the_way_is_told() -> None:
    early = Notice(code="run.stopped_early", params={"step": 9, "best": 6, "patience": 3}).model_dump()
    mapped = Notice(code="settings.mapped", params={"old": "max_seq_length: 64", "new": "max_length: 64"}).model_dump()
    planned = Notice(code="plan.batch", params={"batch": 1, "accumulation": 1, "rows": 1}).model_dump()
    drawn = progress.told(shown(notices=[early], spec={"notices": [mapped, planned]}), "en")
    assert "stopped early, at step 9" in drawn and "max_seq_length: 64" in drawn and drawn.count("<li") == 2
    assert progress.told(shown(), "en") == ""


def test_small_charts_have_a_line_at_the_forecast() -> None:
    logged = [{"step": step, "loss": 2.0, "learning_rate": 2e-4, "memory_bytes": 3e8} for step in range(1, 3000)]
    drawn = progress.charts(shown(metrics=logged, logged="2"), "it")
    assert drawn.count("curve small") == 2 and "1 GB previsti" in drawn and "0,0002" in drawn
    assert max(len(points.split()) for points in re.findall(r'points="([^"]*)"', drawn)) <= 500


def test_a_picture_is_drawn_again_only_when_something_was_logged() -> None:
    progress._charts.cache_clear()
    for version, steps in (("a", 3), ("a", 3), ("b", 4)):
        progress.charts(shown(metrics=[{"step": step, "loss": 1.0} for step in range(steps)], logged=version), "en")
    assert (progress._charts.cache_info().misses, progress._charts.cache_info().hits) == (2, 1)


def test_the_log_is_escaped_and_folded() -> None:
    drawn = progress.log(shown(log=["a <b>", "${x}"]), "en")
    assert "a &lt;b&gt;" in drawn and "${x}" not in drawn and drawn.startswith("<details") and progress.log(shown(), "en") == ""


def test_a_spark_without_points_is_empty() -> None:
    assert "<polyline" not in pictures.spark({"loss": [], "eval_loss": []})
