"""A chat template by hand is the one template of a run: learned by, asked with beside its base, reported, published and exported."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from transformers import AutoTokenizer

from tests.engine.conftest import Trainer
from tests.tokens.test_by_hand import FAULTS, GOOD
from tuning.engine.learn.train import load_rows
from tuning.engine.resident import Resident
from tuning.engine.speak import chat
from tuning.errors import EngineError
from tuning.export import maker
from tuning.runs.run_folder import Run
from tuning.studio import Studio

TALK = [{"role": "user", "content": "How much is item 3?"}]


@pytest.fixture
def tried(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Chat templates that were tried on a row before a run, in this process: its own is `test_by_hand`'s affair."""
    found = list[str]()
    monkeypatch.setattr(studio.shared.audits, "require", lambda asked: found.append(asked.template))
    return found


@pytest.mark.parametrize("report", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_a_run_learns_answers_and_goes_out_by_it(trained: Trainer, studio: Studio, tried: list[str], report: bool) -> None:
    resident = Resident()
    run, state = trained(resident=resident, chat_template=GOOD, report=report, num_train_epochs=1)
    assert state.status == "finished" and tried == [GOOD] and run.spec().settings.chat_template == GOOD
    first = load_rows(run.spec(), studio.shared.store, resident).train[0]
    learned = [token for token, label in zip(first["input_ids"], first["labels"], strict=True) if label != -100]
    assert "[assistant] " in resident.tokenizer.decode(first["input_ids"]) and resident.tokenizer.decode(learned).endswith("euro.<end>\n")

    asked = list[list[int]]()
    looked = chat._prompt

    def look(*given: Any) -> tuple[list[int], int]:
        ids, left = looked(*given)
        asked.append(ids)
        return ids, left

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat, "_prompt", look)
        for target, of_base in ((run.id, False), (run.id, True), (run.spec().model.id, False)):
            question = studio.talk.question(target, TALK, of_base)
            question.max_new_tokens = 2
            chat.answer(resident, question)
    tuned, base, model = asked
    wanted = f"<s>[user] {TALK[0]['content']}<end>\n[assistant] "
    assert resident.tokenizer.decode(tuned) == wanted and base == tuned
    assert resident.tokenizer.decode(model) == f"<s>U: {TALK[0]['content']}\nA: ", "whoever else is asked has the model's own"

    published = AutoTokenizer.from_pretrained(run.adapter)
    assert published.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True) == wanted
    assert studio.runs.further(run.id).spec().settings.chat_template == GOOD, "and who goes on from it goes on with it"
    if not report:
        return
    live = maker.listen(run, studio.settings.home, False)
    assert str(live.resident.tokenizer.get_chat_template()) == GOOD and all("[user]" in published.decode(ids) for ids in live.prompts)
    found = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))["measures"]["loss"]
    assert found["tuned"] < found["base"]


@pytest.mark.nightly
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "heavy"])
def test_one_that_cannot_be_learned_by_is_refused_before_anything_is_made(studio: Studio, make_run: Callable[..., Run], fault: str) -> None:
    with pytest.raises(EngineError) as raised:
        make_run(chat_template=FAULTS[fault][0])
    assert raised.value.code == f"template.{fault.split()[0]}" and not studio.runs.list()
