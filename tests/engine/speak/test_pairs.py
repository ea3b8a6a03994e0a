"""Any two adapters or checkpoints of one base beside each other, test questions asked of them, and visitors whose answers never mix."""

import concurrent.futures
import csv
import io
import random
import threading
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from tests.engine.conftest import Trainer
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.engine.workshop import Workshop
from tuning.errors import InputError, RunError
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio
from tuning.ui.desk import Desk
from tuning.ui.parts.beside.fold import BesideFold

ASKED = [{"role": "user", "content": "How much is item 3?"}]


def test_a_checkpoint_answers_beside_the_run_from_one_set_of_weights(finished: tuple[Run, RunState, Studio]) -> None:
    run, _, studio = finished
    steps = studio.talk.steps(run.id)
    assert steps and steps == studio.talk.steps(f"{run.id}@{steps[0]}")
    early, resident, proofs = f"{run.id}@{steps[0]}", Resident(), {}
    its_own = [one["id"] for one in studio.talk.beside(run.id) if one["id"].startswith(f"{run.id}@")]  # others may train in that home
    assert its_own == [f"{run.id}@{step}" for step in reversed(steps)]
    assert early not in [one["id"] for one in studio.talk.beside(early)] and run.id in [one["id"] for one in studio.talk.beside(early)]
    assert studio.talk.beside("starter") == []
    for target in (run.id, early, run.id):
        question = studio.talk.question(target, ASKED)
        question.proven, question.max_new_tokens = True, 4
        resident.load(question.model.path, "cpu", question.precision)
        base = resident.base
        answer(resident, question)
        assert resident.base is base
        proofs[target] = question.proof
    assert all(proof is not None and proof.adapter == target and proof.fault == "" for target, proof in proofs.items())
    assert set(resident.adapters) == {run.id, early}
    assert studio.talk.called(early, "en") == f"{run.spec().name}, step {steps[0]}"
    with pytest.raises(RunError) as missing:
        studio.talk.question(f"{run.id}@987654", ASKED)
    assert missing.value.code == "chat.no_checkpoint" and str(steps[0]) in missing.value.params["steps"]


def test_what_has_another_base_is_not_set_beside(finished: tuple[Run, RunState, Studio], trained: Trainer, studio: Studio) -> None:
    run, _ = trained(max_steps=2)
    whole, _ = trained(max_steps=1, method="full")
    assert {one["id"].partition("@")[0] for one in studio.talk.beside(run.id)} == {run.id}
    assert studio.talk.beside(whole.id) == [] and studio.talk.steps(whole.id) == []


@pytest.mark.parametrize("lang", ["en", "it"])
def test_own_questions_are_asked_in_one_press_and_taken_away_as_csv(finished: tuple[Run, RunState, Studio], lang: str) -> None:
    run, ready = finished[0], threading.Event()
    ready.set()

    def reply(question: Question) -> None:
        for piece in (f"{'tuned' if question.run else '=base'}: {question.messages[-1].content}", None):
            question.pieces.put(piece)

    workshop: Any = SimpleNamespace(
        ask=reply, ready=ready, shelf=None, holds=lambda: (None, 0), wake=lambda: None, apart=None, measured=lambda run: None
    )
    with gr.Blocks():
        desk = Desk(Studio(finished[2].settings, LOCAL, workshop), lang)
        fold = BesideFold(desk)

    def press(what: str, value: str = "", both: bool = True) -> list[list[Any]]:
        return list(fold.press(both, run.id, "", gr.EventData(None, {"what": what, "value": value})))

    with desk.serving(None):
        drawn, emptied = fold.add(run.id, "Open?\n\n  Where <i>? \nOpen?\n")
        assert drawn.count('data-do="drop"') == 2 and emptied == "" and 'data-do="csv"' not in drawn and "<i>" not in drawn
        with pytest.raises(InputError):
            press("csv")
        steps = press("ask")
        assert 'data-do="halt"' in steps[0][0] and 'data-do="csv"' in steps[-1][0] and steps[-1][2] is None
        ((_, _, file),) = press("csv")
        rows = list(csv.reader(io.StringIO(file["text"].removeprefix("\ufeff"))))
        assert rows[1:] == [["Open?", "tuned: Open?", "'=base: Open?"], ["Where <i>?", "tuned: Where <i>?", "'=base: Where <i>?"]]
        assert rows[0][1] == run.spec().name and file["name"].endswith(".csv")
        for text in ("Open?", "Where <i>?"):
            press("drop", text)
        assert desk.studio.questions.of(run.id) == []
        with pytest.raises(InputError):
            fold.add(run.id, "\n".join(map(str, range(101))))


@pytest.mark.nightly
def test_ten_visitors_with_three_adapters_never_get_each_other_s_answers(trained: Trainer, studio: Studio) -> None:
    runs = [trained(seed=seed, learning_rate=0.02)[0] for seed in (1, 2, 3)]
    workshop = Workshop(studio.shared.store)
    workshop.start()
    house = Studio(studio.settings, LOCAL, workshop)

    def said(target: str, base: bool) -> tuple[str, str | None, str, float | None]:
        question: Question = house.talk.question(target, ASKED, base)
        question.proven, question.max_new_tokens = True, 6
        workshop.ask(question)
        text = "".join(question.stream())
        assert question.proof is not None
        return text, question.proof.adapter, question.proof.fault, question.proof.distance

    try:
        voices = [*((run.id, False) for run in runs), (runs[0].id, True)]
        alone = {voice: said(*voice) for voice in voices}
        assert [alone[voice][1] for voice in voices] == [*(run.id for run in runs), None]
        assert len({alone[voice][3] for voice in voices}) == 4, "distributions that are alike prove nothing"
        assert all(found[2] == "" for found in alone.values())
        order = random.Random(5).choices(voices, k=200)
        with concurrent.futures.ThreadPoolExecutor(10) as visitors:
            mixed = [
                voice for voice, found in zip(order, visitors.map(lambda voice: said(*voice), order), strict=True) if found != alone[voice]
            ]
        assert not mixed
    finally:
        workshop.close()
