"""How an answer is generated when somebody says how: sampling, length, what it goes on from, and what of a long history is left out."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak import chat
from tuning.engine.speak.chat import answer
from tuning.errors import EngineError, InputError
from tuning.runs.contents import AnswerSettings
from tuning.runs.run_folder import Run
from tuning.schema import Message, RunState
from tuning.studio import Studio
from tuning.studio.talk import scaling, settings_of

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
    for temperature in (0.0, 1e-45, 1e-40, 1e-37, 0.009):
        assert asked(finished, resident, temperature=temperature, seed=5)[0] == likeliest
    assert asked(finished, resident, temperature=2.0, top_p=1e-6, seed=5)[0] == likeliest, "of one token that is left"
    wild = [asked(finished, resident, temperature=2.0, top_p=1.0, seed=seed)[0] for seed in (1, 1, 2)]
    assert wild[0] == wild[1] != wild[2]
    drawn = {asked(finished, resident, temperature=2.0, top_p=1.0)[0] for _ in range(4)}
    assert len(drawn) > 1, "without a seed each answer is drawn anew"


@pytest.mark.parametrize("logit", [math.nan, math.inf, -math.inf, 1e38])
@pytest.mark.parametrize("temperature", [None, 0.01, 2.0])
def test_an_adapter_that_has_diverged_answers_something_and_hurts_nobody(
    finished: tuple[Run, RunState, Studio], resident: Resident, temperature: float | None, logit: float
) -> None:
    """On a card a draw among what is no number would end all that the process computes there."""

    def diverged(_: Any, __: Any, out: torch.Tensor) -> torch.Tensor:
        return out.index_fill(-1, torch.arange(0, out.shape[-1], 2), logit)

    resident.load(finished[0].spec().model.path, "cpu", "fp32")
    hook = resident.base.get_output_embeddings().register_forward_hook(diverged)
    try:
        assert asked(finished, resident, temperature=temperature, max_new_tokens=3)[1].outcome is not None
    finally:
        hook.remove()


def test_logits_that_are_numbers_stay_as_they_are() -> None:
    usual = torch.randn(1, 50).mul(1e4)
    assert torch.equal(chat._Finite()(torch.tensor([[1]]), usual), usual)
    masked = usual.index_fill(1, torch.arange(25), -math.inf)
    assert torch.equal(chat._Finite()(torch.tensor([[1]]), masked).softmax(-1), masked.softmax(-1))


def test_the_strength_scales_the_adapter_and_is_put_back(finished: tuple[Run, RunState, Studio], resident: Resident) -> None:
    run = finished[0]
    resident.load(run.spec().model.path, "cpu", "fp32")
    ids = torch.tensor([[5, 6, 7, 8]])

    def logits(who: Run | None, strength: float = 100.0) -> torch.Tensor:
        with resident.speaking(who and who.id, who and who.adapter, strength) as model, torch.no_grad():
            return cast(torch.Tensor, model(input_ids=ids).logits)

    def scalings() -> list[dict[str, float]]:
        return [dict(layer.scaling) for layer in resident.base.modules() if hasattr(layer, "scaling") and hasattr(layer, "lora_A")]

    base, tuned, before = logits(None), logits(run), scalings()
    assert before and not torch.equal(base, tuned)
    assert torch.equal(logits(run, 0.0), base)
    apart = [(logits(run, strength) - base).norm().item() for strength in (50.0, 100.0, 150.0)]
    assert apart == sorted(apart) and apart[0] > 0
    with pytest.raises(EngineError):
        asked(finished, resident, [Message(role="user", content="How much? " * 5000)], strength=50.0)
    assert scalings() == before and torch.equal(logits(run), tuned), "put back after an answer that failed, too"


def test_a_strength_is_for_an_adapter_alone(finished: tuple[Run, RunState, Studio], make_run: Callable[..., Run]) -> None:
    run, _, studio = finished
    turns = [{"role": "user", "content": "How much?"}]
    assert studio.talk.question(run.id, turns, how=AnswerSettings(strength=50)).strength == 50
    for target, base in (("starter", False), (run.id, True)):
        with pytest.raises(InputError) as refused:
            studio.talk.question(target, turns, base, how=AnswerSettings(strength=50))
        assert refused.value.code == "chat.strength"
        assert studio.talk.question(target, turns, base, how=AnswerSettings(strength=100)).strength == 100
    with pytest.raises(InputError):
        settings_of(strength=151)
    kinds = {"all": {}, "direction": {"lora.use_dora": True}, "nothing": {"method": "full"}}
    assert {scaling(make_run(**how)): kind for kind, how in kinds.items()} == {kind: kind for kind in kinds}


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
