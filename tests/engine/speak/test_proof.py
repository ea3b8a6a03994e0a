"""The badge below an answer: whom it came from and how far from the base it began, and each way in which it could be a lie."""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from tuning.engine.question import Proof, Question
from tuning.engine.resident import Resident
from tuning.engine.speak import chat, proof
from tuning.engine.speak.chat import answer
from tuning.runs.run_folder import Run
from tuning.schema import Message, RunState
from tuning.studio import Studio

Finished = tuple[Run, RunState, Studio]
ASKED = [Message(role="user", content="How much is item 3?")]


@pytest.fixture
def resident(finished: Finished) -> Resident:
    resident = Resident()
    resident.load(finished[0].spec().model.path, "cpu", "fp32")
    return resident


def proven(resident: Resident, model: Any, who: Any, **how: Any) -> Proof:
    question = Question(ASKED, model, "cpu", "fp32", who, max_new_tokens=2, proven=True, **how)
    answer(resident, question)
    "".join(question.stream())
    assert question.proof is not None
    return question.proof


@pytest.fixture
def other(finished: Finished, tmp_path: pathlib.Path) -> Iterator[Any]:
    """Somebody else's adapter on the same base: the run's, with its weights turned round."""
    folder = tmp_path / "adapter"
    shutil.copytree(finished[0].adapter, folder)
    weights = load_file(folder / proof.FILE)
    save_file({name: tensor * 1.5 for name, tensor in weights.items()}, folder / proof.FILE)
    yield SimpleNamespace(id="somebody-else", adapter=folder, spec=finished[0].spec)


def test_adapter_and_base_are_told_apart(finished: Finished, resident: Resident, other: Any) -> None:
    run, model = finished[0], finished[0].spec().model
    base = proven(resident, model, None)
    assert (base.adapter, base.distance, base.fault) == (None, 0.0, "")
    tuned = proven(resident, model, run)
    assert (tuned.adapter, tuned.fault) == (run.id, "") and tuned.distance is not None and 0 < tuned.distance <= 1
    ids = torch.tensor([resident.tokenizer.apply_chat_template([{"role": "user", "content": ASKED[0].content}], add_generation_prompt=True)["input_ids"]])  # fmt: skip  # noqa: E501
    with resident.speaking(None, None) as bare, torch.no_grad():
        one = bare(input_ids=ids).logits[0, -1].double().softmax(-1)
    with resident.speaking(run.id, run.adapter) as with_adapter, torch.no_grad():
        two = with_adapter(input_ids=ids).logits[0, -1].double().softmax(-1)
    assert tuned.distance == pytest.approx(float((one - two).abs().sum() / 2), abs=1e-5)
    third = proven(resident, model, other)
    assert (third.adapter, third.fault) == ("somebody-else", "") and third.distance != tuned.distance
    half, none = (proven(resident, model, run, strength=strength) for strength in (50.0, 0.0))
    assert half.distance is not None and 0 < half.distance != tuned.distance and (none.distance, none.fault) == (0.0, "")
    assert proven(resident, model, None) == base, "with three adapters there"


def test_a_dead_adapter_is_caught(finished: Finished, resident: Resident, other: Any) -> None:
    weights = load_file(other.adapter / proof.FILE)
    save_file({name: torch.zeros_like(tensor) for name, tensor in weights.items()}, other.adapter / proof.FILE)
    found = proven(resident, finished[0].spec().model, other)
    assert (found.distance, found.fault) == (0.0, "dead")


def test_a_dead_adapter_is_caught_where_the_conversation_was_read_before(finished: Finished, resident: Resident, other: Any) -> None:
    """The sums of a prompt that was read in two parts are not those of the base, which reads it in one, to the last bit."""
    weights = load_file(other.adapter / proof.FILE)
    save_file(
        {name: tensor if "lora_B" in name else torch.zeros_like(tensor) for name, tensor in weights.items()}, other.adapter / proof.FILE
    )
    model, whole, looked = finished[0].spec().model, proof.Beginning.__exit__, []

    class Looked(proof.Beginning):
        def __exit__(self, *_: object) -> None:
            looked.append(self.whole)
            whole(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat, "Beginning", Looked)
        found = [proven(resident, model, other, whose="me") for _ in range(2)]
        assert looked == [True, False] and [one.fault for one in found] == ["dead", "dead"]
        assert [proven(resident, model, finished[0], whose="me").fault for _ in range(2)] == ["", ""]


def test_a_wrong_adapter_is_caught(finished: Finished, resident: Resident, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, model = finished[0], finished[0].spec().model
    proven(resident, model, other)
    with monkeypatch.context() as wrong:  # another one is switched on
        switch = PeftModel.set_adapter
        wrong.setattr(PeftModel, "set_adapter", lambda self, name, **how: switch(self, resident.adapters["somebody-else"], **how))
        found = proven(resident, model, run)
    assert (found.adapter, found.fault) == ("somebody-else", "other")
    assert proven(resident, model, run).fault == ""
    name = resident.adapters[run.id]  # by the right name, with the weights of another
    assert resident.peft is not None
    with torch.no_grad():
        for key, tensor in resident.peft.named_parameters():
            if f".{name}." in key:
                tensor.mul_(1.5)
    assert proven(resident, model, run).fault == "other"


@pytest.mark.parametrize("way", ["not switched off", "asked by mistake"])
def test_a_base_that_is_answered_by_the_adapter_is_caught(
    finished: Finished, resident: Resident, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    run, model = finished[0], finished[0].spec().model
    tuned = proven(resident, model, run)
    if way == "not switched off":
        monkeypatch.setattr(PeftModel, "disable_adapter", lambda self: contextlib.nullcontext())
        assert resident.peft is not None
        resident.peft.set_adapter(resident.adapters[run.id])
    else:
        speaking = Resident.speaking
        monkeypatch.setattr(Resident, "speaking", lambda self, id, folder, *how: speaking(self, run.id, run.adapter, *how))
    found = proven(resident, model, None)
    assert (found.adapter, found.fault) == (run.id, "not_base")
    assert found.distance == pytest.approx(tuned.distance), "measured against the base as it is, not as it is called"
