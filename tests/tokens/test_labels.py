"""What is learned: the assistant's answers with their end of turn, and nothing else, for every style of template."""

import importlib.resources
import json
import pathlib
import re
import shutil
from typing import Any

import pytest
from tokenizers import AddedToken, processors
from transformers import AutoTokenizer, ByT5Tokenizer

from tests.engine import styles
from tests.engine.styles import CHATML, CHATML_MARKED, HOSTILE, INST, ONCE, SILENT, STRICT, SYSTEM, THINKING, said
from tests.tiny import MARKED, UNMARKED, tokenizer
from tuning.errors import EngineError
from tuning.tokens import labels
from tuning.tokens.labels import IGNORED, Encoded
from tuning.tokens.template import Template

CHAT = {
    "row": 1,
    "messages": [{"role": "system", "content": "Be brief."}, *said("How much is it?", "È 5 €, caffè incluso 🧵.", "And two?", "Ten.")],
}


def one(words: Any, row: dict[str, Any], max_length: int = 4096) -> Encoded:
    (encoded,) = labels.encode_row(words, {"row": 1, **row}, max_length)
    return encoded


def spoken(words: Any, encoded: Encoded) -> str:
    return str(words.decode([label for label in encoded.labels if label != IGNORED]))


def kind(name: str, template: str) -> Any:
    words = styles.KINDS[name]()
    words.chat_template = template
    return words


@pytest.mark.parametrize("template", [MARKED, UNMARKED, None], ids=["marked", "unmarked", "none"])
def test_answers_are_learned_to_the_letter(template: str | None) -> None:
    words = tokenizer(template)
    labels.prepare(words)
    encoded = one(words, CHAT)
    space = " " if template is None else ""  # of ours the space before an answer belongs to it
    assert spoken(words, encoded).replace("\n", "") == f"{space}È 5 €, caffè incluso 🧵.<end>{space}Ten.<end>"
    assert all(label in (IGNORED, token) for token, label in zip(encoded.input_ids, encoded.labels, strict=True))
    assert encoded.cut == 0 and not encoded.answer_cut and encoded.ended


@pytest.mark.parametrize("name", ["bytes", "bytes, trimmed", "pieces"])
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML_MARKED, ["Five.<|im_end|>", "Ten.<|im_end|>", "See you<|im_end|>"]),
        (CHATML, ["Five.<|im_end|>\n", "Ten.<|im_end|>\n", "See you<|im_end|>\n"]),
        (INST, [" Five.</s>", " Ten.</s>", " See you</s>"]),
        (STRICT, ["Five.<end_of_turn>\n", "Ten.<end_of_turn>\n", "See you<end_of_turn>\n"]),
        (ONCE, ["Five.<|end|>\n", "Ten.<|end|>\n", "See you<|end|>\n</s>"]),
        (THINKING, ["<think>\n\n</think>\n\nSee you<|im_end|>\n"]),
    ],
    ids=["chatml, marked", "chatml", "inst", "strict", "once", "thinking"],
)
def test_every_style_of_template_teaches_its_answers(name: str, template: str, expected: list[str]) -> None:
    words = kind(name, template)
    encoded = one(words, styles.SHAPES["turns"])
    whole = "".join(expected)
    assert spoken(words, encoded).replace(" ", "") == whole.replace(" ", "")
    assert encoded.ended


@pytest.mark.parametrize(
    ("family", "answers", "merged"),
    [
        ("qwen2_5", ["Five.<|im_end|>\n", "Ten.<|im_end|>\n", "See you<|im_end|>\n"], False),
        ("qwen3", ["<think>\n\n</think>\n\nSee you<|im_end|>\n"], False),
        ("qwen3_instruct_2507", ["Five.<|im_end|>\n", "Ten.<|im_end|>\n", "See you<|im_end|>\n"], False),
        ("llama3", ["Five.<|eot_id|>", "Ten.<|eot_id|>", "See you<|eot_id|>"], False),
        ("llama3_1", ["Five.<|eot_id|>", "Ten.<|eot_id|>", "See you<|eot_id|>"], False),
        ("gemma", ["Five.<end_of_turn>\n", "Ten.<end_of_turn>\n", "See you<end_of_turn>\n"], True),
        ("gemma3", ["Five.<end_of_turn>\n", "Ten.<end_of_turn>\n", "See you<end_of_turn>\n"], False),
        ("phi3_5", ["Five.<|end|>\n", "Ten.<|end|>\n", "See you<|end|>\n</s>"], False),
        ("deepseekv3", ["Five.<｜end▁of▁sentence｜>", "Ten.<｜end▁of▁sentence｜>", "See you<｜end▁of▁sentence｜>"], False),
        ("cohere", ["Five.<|END_OF_TURN_TOKEN|>", "Ten.<|END_OF_TURN_TOKEN|>", "See you<|END_OF_TURN_TOKEN|>"], False),
        ("qwen3_training", [f"<think>\n\n</think>\n\n{said}<|im_end|>\n" for said in ("Five.", "Ten.", "See you")], False),
    ],
)
def test_templates_of_known_families_teach_their_answers(family: str, answers: list[str], merged: bool) -> None:
    template = importlib.resources.files("trl").joinpath("chat_templates", f"{family}.jinja").read_text(encoding="utf-8")
    words = kind("bytes", template)
    signs = re.findall(r"<[|｜][^ ]*?[|｜]>|<[a-z_]+_of_turn>", template)
    words.add_special_tokens({"additional_special_tokens": sorted({*styles.SIGNS, *signs})})
    row = {"row": 1, **styles.SHAPES["turns"]}
    assert spoken(words, one(words, row)) == "".join(answers)
    assert Template(words).render(row).merged == merged


def test_the_first_word_is_learned_where_its_token_begins_in_the_prompt() -> None:
    for template in (MARKED, UNMARKED):
        words = tokenizer(template)
        joined = words("A: Item costs", add_special_tokens=False)["input_ids"]
        assert " Item" in [words.decode([token]) for token in joined]  # the space of the prompt is in the token of the word
        assert spoken(words, one(words, {"messages": said("x", "Item costs")})).strip() == "Item costs<end>"


def test_a_sign_that_takes_the_space_after_it_is_not_learned() -> None:
    words = tokenizer(SILENT)
    words.add_special_tokens({"additional_special_tokens": [AddedToken("<|assistant|>", rstrip=True), AddedToken("<|user|>", rstrip=True)]})
    assert spoken(words, one(words, {"messages": said("x", "  Item")})).strip() == "Item<end>"


def test_no_sign_stands_twice_at_the_beginning() -> None:
    for style in styles.STYLES.values():
        words = kind("pieces", style)
        ids = one(words, styles.SHAPES["conversation"]).input_ids
        assert ids.count(words.bos_token_id) == int("bos_token" in style)


@pytest.mark.parametrize("template", [STRICT, INST], ids=["said", "in silence"])
def test_a_system_text_that_has_no_place_stands_in_front_of_the_question(template: str) -> None:
    words = kind("bytes", template)
    rendered = Template(words).render({"row": 3, **styles.SHAPES["turns"]})
    assert rendered.merged and "Be brief.\n\nHow much?" in rendered.text
    assert not Template(words).render({"row": 3, **styles.SHAPES["conversation"]}).merged


def test_what_it_is_asked_in_chat_is_what_it_learned_to_answer() -> None:
    for style in styles.STYLES.values():
        words = kind("bytes", style)
        turns = styles.SHAPES["turns"]["messages"]
        rendered = Template(words).render({"row": 1, "messages": turns})
        assert Template(words).prompt([{**turn, "tool_calls": None} for turn in turns[:-1]]).text == rendered.text[: rendered.spans[-1][0]]


@pytest.mark.parametrize("template", [STRICT, SILENT, THINKING], ids=["said", "in silence", "half"])
def test_a_template_without_a_place_for_tools_refuses_the_row_alone(template: str) -> None:
    words = kind("bytes", template)
    rows = [{"row": number, **styles.SHAPES[shape]} for number, shape in ((2, "conversation"), (5, "tools"), (7, "conversation"))]
    encoded, totals = labels.encode_rows(words, rows, 512)
    assert totals.refused == [(5, "tokens.tools")] and totals.rows == len(encoded) == 2
    with pytest.raises(EngineError) as caught:
        labels.encode_rows(words, rows[1:2], 512)
    assert (caught.value.code, caught.value.reason) == ("tokens.tools", "data")


def test_a_token_that_the_model_has_no_embedding_for_refuses_the_row_and_the_question(
    tiny_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """As Gemma 3's sign for a picture; the index would end the run, and on a card the whole process."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    words = AutoTokenizer.from_pretrained(folder)
    words.add_tokens(["<picture>"], special_tokens=True)
    words.save_pretrained(folder)
    loaded = labels.load(str(folder))
    rows = [{"row": 1, "messages": said("What?", "This.")}, {"row": 2, "messages": said("And <picture>?", "That.")}]
    encoded, totals = labels.encode_rows(loaded, [*rows, {"row": 3, "text": "A <picture>."}, {"row": 4, "text": "A picture."}], 512)
    assert totals.refused == [(2, "tokens.unembedded"), (3, "tokens.unembedded")] and len(encoded) == 2
    size = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    assert max(max(row["input_ids"]) for row in encoded) < size <= loaded.convert_tokens_to_ids("<picture>")
    ask = labels.asking(loaded)
    with pytest.raises(EngineError) as caught:
        ask(rows[1]["messages"][:1])
    assert caught.value.code == "tokens.unembedded" and ask(rows[0]["messages"][:1])


def test_calls_of_tools_are_learned_and_their_answers_are_not() -> None:
    for style in (CHATML_MARKED, CHATML, INST):
        words = kind("bytes", style)
        learned = spoken(words, one(words, styles.SHAPES["tools"]))
        assert '"name": "price"' in learned and '"arguments": {"x": "caffè"}' in learned and "Five." in learned
        assert "euro" not in learned and "Of an item" not in learned


@pytest.mark.parametrize(
    ("template", "code", "params"),
    [
        (
            "{% for m in messages %}\n{{ m.content }",
            "tokens.template_broken",
            {"line": 2, "said": "unexpected '}'"},
        ),
        ("{{ raise_exception('no\\nnever' + 'r' * 900) }}", "tokens.template_says", {"said": "no neve" + "r" * 193}),
        ("{{ nobody.at.all }}", "tokens.template", {}),
        ("{{ 1 / 0 }}", "tokens.template", {}),
        ("{{ messages + 1 }}", "tokens.template", {}),
        ("hello", "tokens.template", {}),
    ],
)
def test_a_template_that_takes_nothing_is_said_once(template: str, code: str, params: dict[str, Any]) -> None:
    words = tokenizer(template)
    with pytest.raises(EngineError) as caught:
        labels.encode_rows(words, [CHAT, {**CHAT, "row": 2}], 512)
    assert (caught.value.code, caught.value.params) == (code, params)


def test_a_template_that_makes_too_much_of_a_row_refuses_it() -> None:
    words = tokenizer("{% for m in messages %}{{ m.content * 300000 }}{% endfor %}")
    with pytest.raises(EngineError) as caught:
        one(words, CHAT)
    assert caught.value.code == "tokens.long"


def test_a_template_that_rewrites_earlier_turns_teaches_the_last_answer() -> None:
    rewriting = (
        "{% for message in messages %}{% if message.role == 'assistant' and not loop.last %}A: [left out]\n"
        "{% elif message.role == 'assistant' %}A: {{ message.content + eos_token }}\n"
        "{% else %}U: {{ message.content }}\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}A: {% endif %}"
    )
    words = tokenizer(rewriting)
    assert spoken(words, one(words, CHAT)).strip() == "Ten.<end>"
    assert Template(words).render(CHAT).rewritten == 1


def test_a_prompt_that_opens_a_thought_is_left_where_the_answer_has_none() -> None:
    opening = UNMARKED.replace("{% if add_generation_prompt %}A: {% endif %}", "{% if add_generation_prompt %}A: <think>\n{% endif %}")
    words = tokenizer(opening)
    assert spoken(words, one(words, CHAT)).replace("\n", "") == "È 5 €, caffè incluso 🧵.<end>Ten.<end>"


def test_a_text_is_learned_whole_and_goes_on_in_the_next_sequence() -> None:
    words = kind("pieces", CHATML)
    text = styles.SHAPES["text"]["text"]
    (whole,) = labels.encode_row(words, {"row": 1, "text": text}, 4096)
    assert whole.input_ids[-1] == words.eos_token_id and whole.labels == [IGNORED, *whole.input_ids[1:]] and whole.ended
    for max_length in (16, 17, 63, len(whole.input_ids), len(whole.input_ids) - 1):
        some = labels.encode_row(words, {"row": 1, "text": text}, max_length)
        assert all(len(part.input_ids) <= max_length and part.cut == 0 and part.learned for part in some)
        assert [label for part in some for label in part.labels[1:]] == whole.input_ids[1:]
        assert sum(part.learned for part in some) == whole.learned


def test_a_text_that_ends_with_the_sign_of_its_end_gets_no_second_one() -> None:
    words = kind("bytes", CHATML)
    ids = one(words, {"text": "once</s>"}).input_ids
    assert ids.count(words.eos_token_id) == 1 and ids[-1] == words.eos_token_id


def test_a_text_begins_as_the_tokenizer_begins_texts() -> None:
    words = kind("bytes", CHATML)
    words.backend_tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", words.bos_token_id)])
    assert one(words, {"text": "once"}).input_ids[0] == words.bos_token_id


def test_a_tokenizer_that_knows_no_places_finds_the_answers_too() -> None:
    words = ByT5Tokenizer()
    for template in (UNMARKED, MARKED):
        words.chat_template = template.replace("bos_token", "'x'")
        encoded = one(words, CHAT)
        assert spoken(words, encoded).replace("\n", "") == "È 5 €, caffè incluso 🧵.</s>Ten.</s>"
        assert encoded.ended


@pytest.mark.parametrize("name", styles.KINDS)
def test_no_text_is_too_strange(name: str) -> None:
    for style in styles.STYLES.values():
        words = kind(name, style)
        row = {"row": 1, "messages": [SYSTEM, *said(HOSTILE, HOSTILE, "x", HOSTILE)]}
        text = Template(words).render(row).text
        assert one(words, row).input_ids == words(text, add_special_tokens=False)["input_ids"]


def test_a_cut_is_counted_and_an_answer_that_loses_its_end_is_named() -> None:
    words = tokenizer()
    whole = one(words, CHAT)
    short = one(words, CHAT, len(whole.input_ids) - 3)
    assert short.cut == 3 and short.answer_cut and not short.ended
    assert len(short.input_ids) == len(short.labels) == len(whole.input_ids) - 3


def test_totals_add_up() -> None:
    words = tokenizer()
    encoded, totals = labels.encode_rows(words, [{**CHAT, "row": 7}, {**CHAT, "row": 9}], 40)
    assert totals.learned + totals.context == totals.tokens == sum(len(row["input_ids"]) for row in encoded)
    assert totals.learned == sum(label != IGNORED for row in encoded for label in row["labels"])
    assert totals.rows_cut == [7, 9]


def test_many_rows_come_in_their_order_whatever_their_number() -> None:
    words = tokenizer()
    rows = [{"row": number, "messages": said("x", str(number))} for number in range(1, 2 * labels.BATCH + 3)]
    encoded, totals = labels.encode_rows(words, rows, 64)
    assert totals.rows == len(rows)
    assert [spoken(words, Encoded([], row["labels"], 0, False, True)) for row in encoded] == [f"{row['row']}<end>" for row in rows]


def test_nothing_to_learn_is_refused_with_the_count() -> None:
    rows = [{"row": number, "messages": said("very " * 400, "yes")} for number in (1, 2, 3)]
    with pytest.raises(EngineError) as caught:
        labels.encode_rows(tokenizer(), rows, 64)
    assert (caught.value.code, caught.value.params["rows"], caught.value.reason) == ("tokens.nothing", 3, "data")


def test_an_end_of_turn_outside_the_learned_part_is_refused() -> None:
    with pytest.raises(EngineError) as caught:
        labels.encode_rows(tokenizer(outside()), [CHAT], 512)
    assert caught.value.code == "tokens.no_end"


def outside() -> str:
    return MARKED.replace("{{ message.content + eos_token }}{% endgeneration %}", "{{ message.content }}{% endgeneration %}{{ eos_token }}")
