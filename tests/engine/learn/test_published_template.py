"""Who asks what a run has published, without Sartoria, asks it as it was taught: by the template beside the weights."""

import pathlib
from collections.abc import Callable
from typing import Any

from transformers import AutoTokenizer

from tests.engine.styles import said
from tests.tiny import UNMARKED
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs.run_folder import Run
from tuning.studio import Studio
from tuning.tokens import labels

OPENS = UNMARKED.replace("{% if add_generation_prompt %}A: {% endif %}", "{% if add_generation_prompt %}A: <think>\n{% endif %}")


def test_a_thought_that_no_row_opened_is_not_asked_for_by_the_published_template(
    make_run: Callable[..., Run], studio: Studio, tiny_model: pathlib.Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(labels, "load", _with(labels.load))
    run = make_run(max_steps=1)
    assert train(run, studio.shared.store, Resident()).status == "finished"
    published = AutoTokenizer.from_pretrained(str(run.adapter))
    taught = labels.load(str(tiny_model))
    for turns in (said("How much is item 7?", "49 euro."), said("How much?", "Five.", "And two?", "Ten.")):
        ids = published.apply_chat_template(turns[:-1], add_generation_prompt=True, return_dict=True)["input_ids"]
        assert (
            taught.chat_template == OPENS and labels.encode_row(taught, {"row": 1, "messages": turns}, 512)[0].input_ids[: len(ids)] == ids
        )
        whole = published.apply_chat_template(turns, tokenize=False)
        assert whole == taught.apply_chat_template(turns, tokenize=False)


def _with(load: Callable[..., Any]) -> Callable[..., Any]:
    def loaded(*given: Any) -> Any:
        words = load(*given)
        words.chat_template = OPENS
        return words

    return loaded
