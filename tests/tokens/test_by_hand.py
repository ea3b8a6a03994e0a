"""A chat template that somebody writes: what is wrong with it is one sentence, and what is right is what is learned."""

import dataclasses
import pathlib
import time

import pytest

from tests.tiny import tokenizer
from tests.tokens.test_audit import STARTER, write
from tuning.errors import EngineError
from tuning.text import t
from tuning.tokens import by_hand, labels
from tuning.tokens.audit import LIMITS, audit

GOOD = (
    "{{ bos_token }}{% for message in messages %}[{{ message.role }}] {{ message.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
FAULTS = {
    "syntax": ("{% for message in messages %}\n{{ message.content }}\n{% endfr %}", "line 3", "endfr"),
    "refuses": ("{{ raise_exception('Only for poets') }}", "Only for poets"),
    "refuses by a name": ("{% for message in messages %}{{ message.content.reversed() }}{% endfor %}", "reversed"),
    "no_user": (
        GOOD.replace("{{ message.content }}", "{% if message.role == 'assistant' %}{{ message.content }}{% endif %}"),
        "question out",
    ),
    "no_assistant": (
        GOOD.replace("{{ message.content }}", "{% if message.role == 'user' %}{{ message.content }}{% endif %}"),
        "answer out",
    ),
    "no_end": (GOOD.replace("{{ eos_token }}", ""), "eos_token (<end>)"),
    "heavy": ("{{ 'x' * 3000000 }}", "a loop in it"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_a_template_is_said_with_its_place(fault: str) -> None:
    template, *words = FAULTS[fault]
    with pytest.raises(EngineError) as raised:
        by_hand.check(labels.templated(tokenizer(), template))
    assert raised.value.code == f"template.{fault.split()[0]}"
    said = t("en", raised.value.code, **raised.value.params)
    assert all(word in said for word in words) and len(said) < 500
    assert t("it", raised.value.code, **raised.value.params) != said


@pytest.mark.parametrize("template", [GOOD, by_hand.STARTS["plain"]], ids=["by hand", "plain"])
def test_a_template_that_can_be_learned_by_passes_and_the_tokenizer_keeps_its_own(template: str) -> None:
    own = tokenizer()
    before = own.chat_template
    by_hand.check(labels.templated(own, template))
    assert own.chat_template == before and labels.templated(own, None) is own


def test_chatml_is_taken_by_a_tokenizer_that_has_its_signs_alone() -> None:
    words = tokenizer()
    with pytest.raises(EngineError) as raised:
        by_hand.check(labels.templated(words, by_hand.STARTS["chatml"]))
    assert raised.value.code == "template.no_end"
    words.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    by_hand.check(labels.templated(words, by_hand.STARTS["chatml"]))


@pytest.mark.nightly
def test_a_template_that_does_not_end_is_stopped_in_a_child_and_said(tmp_path: pathlib.Path) -> None:
    rows = write(
        tmp_path / "rows.jsonl", [{"row": 1, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]
    )
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a * b %}{% endfor %}{% endfor %}"
    for template in (loops, "{% set ns = namespace(x='x') %}{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}"):
        began = time.monotonic()
        with pytest.raises(EngineError) as raised:
            audit("Starter", str(STARTER), rows, limits=dataclasses.replace(LIMITS, memory_bytes=2**30), template=template)
        assert raised.value.code == "template.heavy" and time.monotonic() - began < 60
    assert audit("Starter", str(STARTER), rows, template=GOOD).looked, "and one that ends is not"
