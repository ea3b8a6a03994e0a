"""What is learned: the assistant's answers with their end of turn, and nothing else, for every style of template."""

import pytest

from tests.tiny import MARKED, UNMARKED, tokenizer
from tuning.engine import tokens
from tuning.engine.tokens import IGNORED
from tuning.errors import EngineError
from tuning.schema import Message

CHAT = [
    Message(role="system", content="Be brief."),
    Message(role="user", content="How much is it?"),
    Message(role="assistant", content="È 5 €, caffè incluso 🧵."),
    Message(role="user", content="And two?"),
    Message(role="assistant", content="Ten."),
]


def spoken(words: object, labels: list[int]) -> str:
    return words.decode([label for label in labels if label != IGNORED])  # type: ignore[attr-defined]


@pytest.mark.parametrize("template", [MARKED, UNMARKED, None], ids=["marked", "unmarked", "none"])
def test_answers_are_learned_to_the_letter(template: str | None) -> None:
    words = tokenizer(template)
    tokens.prepare(words)
    encoded = tokens.encode(words, CHAT, 512)
    learned = spoken(words, encoded.labels)
    assert learned.replace("\n", "") == "È 5 €, caffè incluso 🧵.<end>Ten.<end>"
    assert all(label in (IGNORED, token) for token, label in zip(encoded.input_ids, encoded.labels, strict=True))
    assert encoded.cut == 0 and not encoded.answer_cut


def test_a_cut_is_counted_and_an_answer_that_loses_its_end_is_named() -> None:
    words = tokenizer()
    whole = tokens.encode(words, CHAT, 512)
    short = tokens.encode(words, CHAT, len(whole.input_ids) - 3)
    assert short.cut == 3 and short.answer_cut
    assert len(short.input_ids) == len(short.labels) == len(whole.input_ids) - 3


def test_totals_add_up() -> None:
    words = tokenizer()
    rows = [
        {"row": 7, "messages": [message.model_dump() for message in CHAT]},
        {"row": 9, "messages": [message.model_dump() for message in CHAT]},
    ]
    encoded, totals = tokens.encode_rows(words, rows, 40)
    assert totals.learned + totals.context == totals.tokens == sum(len(row["input_ids"]) for row in encoded)
    assert totals.learned == sum(label != IGNORED for row in encoded for label in row["labels"])
    assert totals.rows_cut == [7, 9]


def test_nothing_to_learn_is_refused_with_the_count() -> None:
    long = [Message(role="user", content="very " * 400), Message(role="assistant", content="yes")]
    rows = [{"row": n, "messages": [message.model_dump() for message in long]} for n in (1, 2, 3)]
    with pytest.raises(EngineError) as caught:
        tokens.encode_rows(tokenizer(), rows, 64)
    assert (caught.value.code, caught.value.params["rows"], caught.value.reason) == ("tokens.nothing", 3, "data")


def test_an_end_of_turn_outside_the_learned_part_is_refused() -> None:
    outside = MARKED.replace(
        "{{ message.content + eos_token }}{% endgeneration %}", "{{ message.content }}{% endgeneration %}{{ eos_token }}"
    )
    rows = [{"row": 1, "messages": [message.model_dump() for message in CHAT]}]
    with pytest.raises(EngineError) as caught:
        tokens.encode_rows(tokenizer(outside), rows, 512)
    assert caught.value.code == "tokens.no_end"


def test_a_template_that_rewrites_earlier_turns_teaches_the_last_answer() -> None:
    rewriting = (
        "{% for message in messages %}{% if message.role == 'assistant' and not loop.last %}A: [left out]\n"
        "{% elif message.role == 'assistant' %}A: {{ message.content + eos_token }}\n"
        "{% else %}U: {{ message.content }}\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}A: {% endif %}"
    )
    words = tokenizer(rewriting)
    assert spoken(words, tokens.encode(words, CHAT, 512).labels).strip() == "Ten.<end>"
