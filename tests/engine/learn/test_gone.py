"""A folder deleted, a home renamed, data taken away while a run is on or waits: it ends with a sentence, and nothing is made anew."""

import pathlib
import shutil
from collections.abc import Callable

import gradio as gr
import pytest
from peft import PeftModel

from tuning.cli import foreground
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.engine.workshop import Workshop
from tuning.errors import RunError
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import say
from tuning.ui.desk import Desk
from tuning.ui.markup import Html
from tuning.ui.tabs import train as train_tab

LONG = {"num_train_epochs": 16, "early_stopping_patience": 0}


def at_step(run: Run, step: int, deed: Callable[[], object]) -> Callable[[], None]:
    """What does `deed` at the first yield point after that step."""
    done: list[bool] = []

    def look() -> None:
        if not done and any(record["step"] >= step for record in run.metrics()):
            done.append(True)
            deed()

    return look


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_run_whose_folder_is_deleted_ends_and_makes_no_other(make_run: Callable[..., Run], studio: Studio, method: str) -> None:
    run = make_run(**LONG, method=method)
    state = train(run, studio.shared.store, Resident(), at_step(run, 2, lambda: shutil.rmtree(run.folder)))
    assert (state.status, state.reason, state.error and state.error.code) == ("failed", "gone", "run.gone")
    assert not run.folder.exists() and not list(studio.shared.store.folder.iterdir())


def test_a_home_that_is_renamed_ends_its_run_in_the_terminal_with_a_sentence(
    make_run: Callable[..., Run], studio: Studio, home: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, aside, work = make_run(**LONG), home.with_name("elsewhere"), studio.runs.work
    rename = at_step(run, 2, lambda: home.rename(aside))
    monkeypatch.setattr(studio.runs, "work", lambda run, progress: work(run, lambda: (progress(), rename())))
    code, document = foreground.train(studio, run, "en", as_json=True)
    assert code == 1 and (document["run"], document["reason"]) == (run.id, "gone")
    assert say("en", "run.gone", {"run": run.id}) in capsys.readouterr().err
    assert not home.exists() and (aside / "runs" / run.id / "spec.yaml").exists()


def test_a_home_that_is_renamed_while_a_library_saves_into_it_is_not_made_anew(
    make_run: Callable[..., Run], studio: Studio, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, save = make_run(**LONG), PeftModel.save_pretrained

    def saved(self: PeftModel, *words: object, **named: object) -> None:
        if home.exists() and not home.with_name("elsewhere").exists():
            home.rename(home.with_name("elsewhere"))
        save(self, *words, **named)

    monkeypatch.setattr(PeftModel, "save_pretrained", saved)
    state = train(run, studio.shared.store, Resident())
    assert (state.status, state.reason, state.error and state.error.code) == ("failed", "gone", "run.gone")
    assert not home.exists()


def test_the_page_tells_of_a_run_whose_folder_was_moved_under_it(
    make_run: Callable[..., Run], studio: Studio, home: pathlib.Path, wait_until: Callable[..., object]
) -> None:
    run = make_run(**LONG)
    run.enqueue()
    workshop = Workshop(studio.shared.store)
    move = at_step(run, 2, lambda: run.folder.rename(home.with_name("aside")))
    workshop._between = move  # type: ignore[method-assign]
    house = Studio(studio.settings, LOCAL, workshop)
    workshop.start()
    try:
        wait_until(house.runs.gone)
        page = Desk(house, "it")
        with gr.Blocks(), page.serving(None):
            train_tab.build(page)
            drawn = page.draw(dict.fromkeys(page.asked) | {page.tab: "train", page.choice: {}, page.seen: {}}, live_only=True)
        assert any(Html.escape(say("it", "run.gone", {"run": run.id})) in str(value) for value in drawn)
        assert workshop.alive and not list(studio.shared.store.folder.iterdir())
    finally:
        workshop.close()


def test_a_queued_run_whose_folder_is_gone_is_told_and_not_made_anew(make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run()
    run.enqueue()
    shutil.rmtree(run.folder)
    with pytest.raises(RunError) as caught:
        train(run, studio.shared.store, Resident(), queued=True)
    assert caught.value.code == "run.gone" and not run.folder.exists()


def test_a_queued_run_whose_data_were_removed_says_so(make_run: Callable[..., Run], studio: Studio, home: pathlib.Path) -> None:
    run = make_run()
    run.enqueue()
    shutil.rmtree(home / "data" / run.spec().data.id)
    state = train(run, studio.shared.store, Resident(), queued=True)
    assert (state.status, state.reason, state.error and state.error.code) == ("failed", "data", "data.unknown")
    assert studio.runs.show(run.id)["error"]["code"] == "data.unknown" and not (home / "data" / run.spec().data.id).exists()
