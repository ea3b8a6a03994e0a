"""Thoughts through templates of five styles, by each choice: the text is the template's own, and what is learned is counted by hand."""

import itertools
import pathlib
from typing import Any

import pytest
import trl
from transformers import AddedToken

from tests.engine import styles
from tests.engine.styles import CHATML, SYSTEM, bytes_tokenizer, said
from tests.lots import lot
from tests.tokens import shipped
from tests.tokens.scripted import Scripted
from tests.tokens.test_asking import ANSWERS, LEFT_OUT, conversations, words_of
from tuning.errors import EngineError
from tuning.tokens import labels, thoughts
from tuning.tokens.labels import IGNORED
from tuning.tokens.template import Template

TRL = pathlib.Path(trl.__file__).parent / "chat_templates"
# As SmolLM3's: the mode stands in the system text, thoughts in the text of answers, and what is learned is marked.
SMOL = """{%- set mode = '/think' if enable_thinking | default(true) else '/no_think' %}
{{- '<|im_start|>system\\nReasoning Mode: ' + mode + '\\n\\n' }}
{%- if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}{{ '<|im_end|>\\n' }}
{%- for m in messages %}
{%- if m.role == 'user' %}{{ '<|im_start|>user\\n' + m.content + '<|im_end|>\\n' }}
{%- elif m.role == 'assistant' %}{% generation %}
{%- if mode == '/think' %}{{ '<|im_start|>assistant\\n' + m.content.lstrip('\\n') + '<|im_end|>\\n' }}
{%- else %}{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n' + m.content.lstrip('\\n') + '<|im_end|>\\n' }}{% endif %}
{%- endgeneration %}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{%- if mode == '/think' %}{{ '<|im_start|>assistant\\n' }}{% else %}{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n' }}{% endif %}
{%- endif %}"""
# One that writes thoughts of its own accord nowhere, and takes those of earlier answers away.
STRIPS = """{%- for m in messages %}
{%- set said = m.content if loop.last else m.content.split('</think>')[-1].lstrip('\\n') %}
{{- '<|im_start|>' + m.role + '\\n' + said + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
STYLES = {
    "qwen3": (TRL / "qwen3.jinja").read_text(encoding="utf-8"),
    "smollm3": SMOL,
    "deepseek r1": (TRL / "deepseek_r1_distill.jinja").read_text(encoding="utf-8"),
    "without": CHATML,
    "strips": STRIPS,
}
SIGNS = ["<think>", "</think>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"]
THOUGHT, ANSWER = "It is 5 each.\nTwice 5 is 10.", "Ten."
ROW = [*said("Two?"), {"role": "assistant", "content": ANSWER, "reasoning_content": THOUGHT}]
BARE = said("Two?", ANSWER)
WITHIN = said("Two?", f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}")
MARKED = "<|im_start|>assistant\n"  # which SmolLM3's own mark of what is learned takes in
# Every letter is a token, but for "It", "an", "is" and "ch", with the space before it, and the signs.
T, OPENED, CLOSED, END = 22, 2, 4, 6  # the thought; `<think>` and a line break; `</think>` with three; "Ten." with its end and a line break
TURN = 9  # the beginning of the turn
COUNTED = {
    ("qwen3", "learn"): OPENED + T + CLOSED + END,
    ("qwen3", "keep"): END,
    ("qwen3", "off"): OPENED + CLOSED + END,  # the template has an empty thought of its own
    ("smollm3", "learn"): TURN + OPENED + T + CLOSED + END,
    ("smollm3", "keep"): END,
    ("smollm3", "off"): TURN + END,
    ("deepseek r1", "learn"): T + CLOSED + END - 1,  # no line break after the end; the prompt has opened the thought
    ("deepseek r1", "keep"): END - 1,
    ("deepseek r1", "off"): END - 1,
    ("without", "learn"): OPENED + T + CLOSED + END,
    ("without", "keep"): END,
    ("without", "off"): END,
    ("strips", "learn"): OPENED + T + CLOSED + END,
    ("strips", "keep"): END,
    ("strips", "off"): END,
}
CHOICES = ["learn", "keep", "off"]
EMPTY = "<think>\n\n</think>\n\n"


def tokenizer(style: str, special: bool = True) -> Any:
    """One that knows the signs; those of thoughts are special ones, or not, as of most models that think."""
    words = bytes_tokenizer()
    words.add_special_tokens({"additional_special_tokens": [*styles.SIGNS, *SIGNS[2:]]})
    words.add_tokens([AddedToken(sign, special=special, normalized=False) for sign in SIGNS[:2]], special_tokens=special)
    words.chat_template = STYLES[style]
    return words


def own(words: Any, turns: list[dict[str, Any]], **how: Any) -> str:
    """What the tokenizer itself makes of it."""
    return str(words.apply_chat_template(turns, tokenize=False, **how))


def expected(style: str, thinking: str, words: Any) -> tuple[str, str]:
    """The text by the tokenizer's own template, and what of it is learned."""
    thought = f"<think>\n{THOUGHT}\n</think>\n\n"
    if style == "deepseek r1":  # whose template takes thoughts out of answers: asked by its own prompt, it goes on from the opened one
        prompt, end = own(words, BARE[:1], add_generation_prompt=True), "Ten.<｜end▁of▁sentence｜>"
        return {
            "learn": (f"{prompt}{THOUGHT}\n</think>\n\n{end}", f"{THOUGHT}\n</think>\n\n{end}"),
            "keep": (f"{prompt}\n</think>\n\n{end}", end),
            "off": (own(words, BARE), end),
        }[thinking]
    end = "Ten.<|im_end|>\n"
    learn = ROW if style == "qwen3" else WITHIN
    quiet = {"keep": {"enable_thinking": False}, "off": {}}
    given = said("Two?", f"{EMPTY}Ten.") if (style, thinking) == ("strips", "keep") else BARE
    if thinking == "learn":
        return own(words, learn, enable_thinking=True), (MARKED if style == "smollm3" else "") + thought + end
    lead = {("qwen3", "off"): EMPTY, ("smollm3", "off"): MARKED}.get((style, thinking), "")
    return own(words, given, **quiet[thinking]), lead + end


def encoded(words: Any, turns: list[dict[str, Any]], thinking: str) -> Any:
    """A row as it is learned."""
    return labels.encode_row(words, {"row": 1, "messages": turns}, 10**6, thinking)[0]


@pytest.mark.parametrize("thinking", CHOICES)
@pytest.mark.parametrize("style", STYLES)
def test_a_row_is_what_the_template_itself_makes_of_it_and_what_is_learned_is_counted_by_hand(style: str, thinking: str) -> None:
    words = tokenizer(style)
    text, learned = expected(style, thinking, words)
    for turns in (ROW, WITHIN):
        row = encoded(words, turns, thinking)
        assert words.decode(row.input_ids) == text
        assert words.decode([one for one in row.labels if one != IGNORED]) == learned
        assert row.learned == COUNTED[style, thinking]


@pytest.mark.parametrize("thinking", CHOICES)
@pytest.mark.parametrize("style", STYLES)
def test_an_answer_is_asked_for_as_it_was_learned_with_a_thought_and_without(style: str, thinking: str) -> None:
    words = tokenizer(style)
    for turns in (ROW, WITHIN, BARE, [SYSTEM, *ROW], [*BARE, *ROW], [*ROW, *ROW], [*ROW, *BARE]):
        row = encoded(words, turns, thinking)
        ids = labels.asking(words, thinking)(turns[:-1], answer=turns[-1])
        assert row.input_ids[: len(ids)] == ids, (words.decode(ids), words.decode(row.input_ids))
        assert row.labels[len(ids)] != IGNORED and row.ended
        if thinking != "learn" or turns[-1] != BARE[-1]:
            assert labels.asking(words, thinking)(turns[:-1]) == ids, "a chat knows no answer yet"


def turned(turns: list[dict[str, Any]], places: set[int]) -> list[dict[str, Any]]:
    """The conversation, with a thought before the answers at these places from its end."""
    size = len(turns)
    return [
        {**turn, "reasoning_content": THOUGHT} if turn["role"] == "assistant" and size - at in places else turn
        for at, turn in enumerate(turns)
    ]


def faults(name: str, kind: str, thinking: str, answer: str) -> list[str]:
    """Which rows are learned from another beginning than they are asked with, or lose a thought that is to be learned."""
    words, wrong = words_of(name, kind), list[str]()
    template, labeller, ask = Template(words, thinking), labels.Labeller(words), labels.asking(words, thinking)
    for (shape, row), places in itertools.product(conversations(answer).items(), ({1}, {3}, set())):
        turns = turned(row["messages"], places)
        try:
            (one,) = labeller.label([template.render({**row, "messages": turns})])[0].cut(10**6)
            ids = ask(turns[:-1], row.get("tools"), answer=turns[-1])
        except EngineError as error:
            if shape != "tools" and not shape.startswith("system"):
                wrong.append(f"{shape} {places}: {error.code}")
            continue
        learned = words.decode([token for token in one.labels if token != IGNORED])
        if one.input_ids[: len(ids)] != ids or one.labels[len(ids)] == IGNORED:
            wrong.append(f"{shape} {places}: {words.decode(ids[-9:])!r} {words.decode(one.input_ids[-30:])!r}")
        elif kind == "bytes" and places != {3} and ("Twice 5" in learned) != (thinking == "learn" and 1 in places):
            wrong.append(f"{shape} {places}: learned {learned!r}")
        elif not one.ended:
            wrong.append(f"{shape} {places}: no end")
    return wrong


def test_every_shipped_template_asks_as_it_teaches_by_each_choice(count: int = 40, choices: int = 1, kinds: int = 1) -> None:
    drawn, names = lot("thoughts"), sorted(set(shipped.templates()) - set(LEFT_OUT))
    wrong: dict[str, Any] = {}
    for name in drawn.sample(names, min(count, len(names))):
        for thinking, kind in itertools.product(drawn.sample(CHOICES, choices), drawn.sample(["bytes", "llama 3", "gemma"], kinds)):
            found = faults(name, kind, thinking, drawn.choice(ANSWERS))
            if found:
                wrong[f"{name}, {kind}, {thinking}"] = found[:3]
    assert not wrong, "\n".join(f"{key}: {value}" for key, value in sorted(wrong.items()))


@pytest.mark.nightly
def test_every_shipped_template_asks_as_it_teaches_by_every_choice() -> None:
    test_every_shipped_template_asks_as_it_teaches_by_each_choice(1000, 3, 3)


def test_who_asks_elsewhere_by_the_published_template_asks_as_it_was_learned() -> None:
    for style, thinking in itertools.product(STYLES, CHOICES):
        words = tokenizer(style)
        published = Template(words, thinking).taught()
        for turns in (ROW, [*BARE, *ROW]):
            ids = labels.asking(words, thinking)(turns[:-1])
            text = own(words, turns[:-1], add_generation_prompt=True, chat_template=published)
            assert text == words.decode(ids), (style, thinking)
            assert own(words, BARE, chat_template=published) == own(words, BARE) or thinking == "keep"


@pytest.mark.parametrize("style", STYLES)
def test_who_chats_sees_the_thought_between_its_signs_and_the_answer_alone_where_none_is_asked_for(style: str) -> None:
    words = tokenizer(style, special=False)
    for thinking, shown in (("learn", f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"), ("keep", ANSWER), ("off", ANSWER)):
        row = encoded(words, ROW, thinking)
        model = Scripted(words, [])
        model.chatted(ROW[:-1], thinking=thinking)
        assert row.input_ids[: len(model.asked)] == model.asked
        model = Scripted(words, row.input_ids[len(model.asked) :])
        assert model.chatted(ROW[:-1], thinking=thinking).rstrip("\n") == shown


@pytest.mark.parametrize("style", ["qwen3", "deepseek r1"])
def test_a_thought_that_was_cut_goes_on_where_it_was(style: str) -> None:
    words = tokenizer(style, special=False)
    model = Scripted(words, words(" and so on.", add_special_tokens=False)["input_ids"])
    begun = "<think>\nIt is 5 each"
    assert model.chatted(ROW[:-1], thinking="learn", begun=begun) == " and so on."
    assert words.decode(model.asked).endswith("<think>\nIt is 5 each") and words.decode(model.asked).count("<think>") == 1


@pytest.mark.parametrize(
    ("said", "thinks"),
    [
        ("<think>\nhm\n</think>\n\nSix.", True),
        ("hm\n</think>\n\nSix.", True),  # the prompt opened it
        ("<think>\nhm and hm", True),  # cut short
        ("<think>\n\n</think>\n\nSix.", False),
        ("\n</think>\n\nSix.", False),
        ("Six.", False),
        ("I think <think> is a sign.", False),
        ("", False),
    ],
)
def test_an_answer_that_begins_with_a_thought_is_told(said: str, thinks: bool) -> None:
    assert thoughts.begins(said) is thinks
