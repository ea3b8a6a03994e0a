"""Answers with weight 0 are in the text and not in the loss: in every style of template, in packed rows, in calls, in the audit."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.engine import styles
from tests.engine.styles import CALLED, CHATML, CHATML_MARKED, INST, ONCE, PRICE, STRICT, SYSTEM, THINKING, said, weighed
from tests.tokens.test_labels import kind, one, spoken
from tuning.engine.kernels import packing
from tuning.engine.speak.batches import asked
from tuning.text import LANGUAGES
from tuning.tokens import labels
from tuning.tokens.labels import IGNORED
from tuning.tokens.lengths import Audit, Lengths
from tuning.tokens.look import AuditOptions, look
from tuning.ui.draw import sheet
from tuning.ui.parts import token_view

ROW = {"messages": [SYSTEM, *weighed(("How much?", "Six.", 0), ("Are you sure?", "Five.", 1), ("Bye", "Ciao", 0))]}


def without(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "messages": [{key: value for key, value in turn.items() if key != "weight"} for turn in row["messages"]]}


@pytest.mark.parametrize("name", ["bytes", "bytes, trimmed", "pieces"])
@pytest.mark.parametrize(
    ("template", "end"),
    [(CHATML_MARKED, "<|im_end|>"), (CHATML, "<|im_end|>"), (INST, "</s>"), (STRICT, "<end_of_turn>"), (ONCE, "<|end|>")],
    ids=["chatml, marked", "chatml", "inst", "strict", "once"],
)
def test_the_text_stays_and_only_the_wanted_answer_is_learned(name: str, template: str, end: str) -> None:
    words = kind(name, template)
    encoded = one(words, ROW)
    assert encoded.input_ids == one(words, without(ROW)).input_ids  # the context is to the letter what it was
    assert spoken(words, encoded).strip() == f"Five.{end}" and encoded.ended
    assert all(label in (IGNORED, token) for token, label in zip(encoded.input_ids, encoded.labels, strict=True))


def test_a_template_that_shows_only_the_last_answer_as_it_was_given() -> None:
    words = kind("bytes", THINKING)
    told = spoken(words, one(words, {"messages": weighed(("How much?", "Six.", 0), ("Sure?", "Five.", 1))}))
    assert told.strip().endswith("Five.<|im_end|>") and "Six" not in told
    assert one(words, {"messages": weighed(("How much?", "Six.", 1), ("Sure?", "Five.", 0))}).learned == 0


@pytest.mark.parametrize("template", [CHATML_MARKED, CHATML, INST], ids=["marked", "unmarked", "inst"])
def test_a_call_of_a_tool_may_be_given_and_not_learned(template: str) -> None:
    answered = [{"role": "tool", "name": "price", "content": "5"}, {"role": "assistant", "content": "Five."}]
    words = kind("bytes", template)
    for unlearned, learned in ((0, "Five."), (1, '"name": "price"')):
        turns = [*said("How much?"), dict(CALLED), *map(dict, answered)]
        turns[(1, 3)[unlearned]]["weight"] = 0
        told = spoken(words, one(words, {"messages": turns, "tools": [PRICE]}))
        assert learned in told and ("Five." in told) != ('"name": "price"' in told)


def test_marks_of_a_template_that_are_not_one_for_each_answer() -> None:
    last = CHATML_MARKED.replace("{% if m.role == 'assistant' %}", "{% if m.role == 'assistant' and not loop.first and loop.last %}")
    words = kind("bytes", last)
    assert spoken(words, one(words, without(ROW))).strip() == "Ciao<|im_end|>"
    learned = {"messages": weighed(("How much?", "Six.", 0), ("Sure?", "Five.", 1))}
    assert spoken(words, one(words, learned)).strip() == "Five.<|im_end|>"
    assert "Ciao" not in spoken(words, one(words, ROW)) and "Six" not in spoken(words, one(words, ROW))


def test_packed_rows_keep_their_marks() -> None:
    words = kind("bytes", CHATML)
    rows = [{"row": 1, **ROW}, {"row": 2, **styles.SHAPES["turns"]}, {"row": 3, **styles.SHAPES["marked"]}]
    encoded, totals = labels.encode_rows(words, rows, 4096)
    batch, *_ = packing.packed(encoded, torch.device("cpu"))
    told = words.decode([label for label in batch["labels"].flatten().tolist() if label != IGNORED])
    assert told.count("<|im_end|>") == 1 + 3 + 2 and "Six" not in told and "Ciao" not in told
    assert totals.learned == sum(label != IGNORED for row in encoded for label in row["labels"])


@pytest.fixture
def audited(tmp_path: pathlib.Path) -> Callable[..., Audit]:
    def go(words: Any, *rows: dict[str, Any]) -> Audit:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps({"row": at, **row}) + "\n" for at, row in enumerate(rows, start=1)))
        return look(words, AuditOptions(str(path), None, 100, 60.0))

    return go


@pytest.mark.parametrize("template", [CHATML_MARKED, CHATML, INST], ids=["marked", "unmarked", "inst"])
def test_the_audit_has_a_colour_and_a_name_for_them(audited: Callable[..., Audit], template: str) -> None:
    words = kind("bytes", template)
    audit = audited(words, ROW, styles.SHAPES["turns"])
    marked, plain = audit.shown
    told = {fate: "".join(piece.text for piece in marked.pieces if piece.kind == fate) for fate in ("learned", "unlearned", "context")}
    assert "Five." in told["learned"] and "Six." in told["unlearned"] and "Ciao" in told["unlearned"] and "Bye" in told["context"]
    assert "unlearned" not in {piece.kind for piece in plain.pieces}
    sums = Lengths(audit).totals(4096)
    held = sum(piece.tokens for piece in marked.pieces if piece.kind == "unlearned")
    assert sums.unlearned == held > 0 and sums.learned + sums.context == sums.tokens and sums.unlearned < sums.context
    assert Lengths(audit).totals(8).unlearned == 0
    for lang, name in zip(LANGUAGES, ("given, not to be learned", "dato, da non imparare"), strict=True):
        drawn = token_view.rows(Lengths(audit), 4096, {}, lang)
        assert 'class="tok unlearned"' in drawn and name in drawn
        assert name not in token_view.rows(Lengths(audit), 4096, {"audit": 1}, lang)
        assert "not to be learned" in token_view.figures(Lengths(audit), 4096, "en")


@pytest.mark.parametrize(("lang", "word"), [("en", "not learned"), ("it", "non si impara")])
def test_the_conversation_on_the_page_says_which_answers_are_not_learned(lang: str, word: str) -> None:
    assert sheet.conversations([{"row": 1, **ROW}], lang).count(word) == 2


def test_what_is_not_learned_is_nothing_to_measure_by() -> None:
    question = asked({"row": 1, **ROW})
    assert question is not None and (question.reference, question.turns[-1]["content"]) == ("Five.", "Are you sure?")
    assert asked({"row": 1, "messages": weighed(("How much?", "Six.", 0))}) is None
