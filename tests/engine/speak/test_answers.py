"""How an answer is generated when somebody says how: sampling, length, what it goes on from, and what of a long history is left out."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.errors import EngineError
from tuning.runs.store import Run
from tuning.schema import Message, RunState
from tuning.studio import Studio

ASKED = [Message(role="user", content="How much is item 3?")]


@pytest.fixture(scope="module")
def resident() -> Resident:
    return Resident()


def starter(studio: Studio, **how: Any) -> tuple[str, Question]:
    question = replace(studio.talk.question("starter", [{"role": "user", "content": "Are you open on Sundays?"}]), **how)
    bare = Resident()
    bare.load(question.model.path, "cpu", "fp32")
    answer(bare, question)
    return "".join(question.stream()), question


def asked(finished: tuple[Run, RunState, Studio], resident: Resident, turns: list[Message] = ASKED, **how: Any) -> tuple[str, Question]:
    run = finished[0]
    question = Question(turns, run.spec().model, "cpu", "fp32", run, **how)
    resident.load(question.model.path, "cpu", "fp32")
    answer(resident, question)
    return "".join(question.stream()), question


def test_an_answer_is_sampled_as_it_is_told(finished: tuple[Run, RunState, Studio], resident: Resident) -> None:
    likeliest = asked(finished, resident)[0]
    assert asked(finished, resident, temperature=0.0, seed=5)[0] == likeliest
    assert asked(finished, resident, temperature=2.0, top_p=1e-6, seed=5)[0] == likeliest, "of one token that is left"
    wild = [asked(finished, resident, temperature=2.0, top_p=1.0, seed=seed)[0] for seed in (1, 1, 2)]
    assert wild[0] == wild[1] != wild[2]
    drawn = {asked(finished, resident, temperature=2.0, top_p=1.0)[0] for _ in range(4)}
    assert len(drawn) > 1, "without a seed each answer is drawn anew"


def test_an_answer_that_was_cut_says_so_and_goes_on_as_if_it_had_not_been(
    studio: Studio,
) -> None:
    whole, question = starter(studio)
    assert question.outcome and not question.outcome.cut and question.outcome.answer > 4
    compared = 0
    for most in range(1, question.outcome.answer - 1, 4):
        first, began = starter(studio, max_new_tokens=most)
        assert began.outcome and began.outcome.cut and began.outcome.answer == most
        rest, went_on = starter(studio, begun=first)
        assert went_on.outcome
        if first and went_on.outcome.prompt == began.outcome.prompt + most:  # its text has the tokens that it was made of
            assert first + rest == whole
            assert not went_on.outcome.cut
            compared += 1
    assert compared


def test_of_a_long_history_the_oldest_turns_are_left_out(finished: tuple[Run, RunState, Studio], resident: Resident) -> None:
    said = [Message(role=role, content=f"{role} {n}, and more of it") for n in range(200) for role in ("user", "assistant")]  # type: ignore[arg-type]
    turns = [Message(role="system", content="Be brief."), *said, *ASKED]
    with pytest.raises(EngineError) as refused:
        asked(finished, resident, turns)
    assert refused.value.code == "chat.too_long"
    _, question = asked(finished, resident, turns, shorten=True)
    outcome = question.outcome
    assert outcome and outcome.left_out and outcome.left_out % 2 == 0
    assert outcome.prompt + min(question.max_new_tokens, outcome.context // 4) <= outcome.context
    kept = [turns[0], *turns[1 + outcome.left_out :]]
    assert asked(finished, resident, kept)[1].outcome == replace(outcome, left_out=0), "the system text stays"
    more = [turns[0], *turns[outcome.left_out - 1 :]]
    with pytest.raises(EngineError):
        asked(finished, resident, list(itertools.chain(more, more[1:], more[1:])))
    assert asked(finished, resident, ASKED, shorten=True)[1].outcome.left_out == 0  # type: ignore[union-attr]
