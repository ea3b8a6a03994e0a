"""Chat templates that do not end, or swell: told in a sentence wherever they are rendered, and nothing after them is harmed."""

import threading
from typing import Any

import pytest

from tests.tiny import UNMARKED, tokenizer
from tuning.errors import EngineError
from tuning.sandbox.deadline import Deadline, Overdue
from tuning.tokens import labels, template
from tuning.tokens.template import Template

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}"
SWELL = "{% set n = namespace(t='0123456789') %}{% for a in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}"
TRIGGER = "{% if 'abracadabra' in messages[-1]['content'] %}" + LOOP + "{% endif %}"
SAID = [{"role": "user", "content": "How much?"}, {"role": "assistant", "content": "Five."}]


def made(text: str) -> Template:
    words: Any = tokenizer(UNMARKED)
    words.chat_template = text + UNMARKED
    return Template(words)


@pytest.mark.parametrize("text", [LOOP, SWELL, TRIGGER], ids=["loop", "swell", "trigger"])
def test_a_template_without_an_end_is_stopped_and_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(template, "MOST_SECONDS", 0.5)
    asked = [*SAID, {"role": "user", "content": "abracadabra"}]
    with pytest.raises(EngineError) as caught:
        made(text).render({"row": 1, "messages": [*asked, asked[-1] | {"role": "assistant"}]})
    assert caught.value.code == "tokens.endless"
    assert made("").render({"row": 1, "messages": SAID}).text.endswith(made(TRIGGER).render({"row": 1, "messages": SAID}).text)


def test_a_template_that_asks_for_all_memory_at_once_is_told_to_who_asks() -> None:
    words: Any = tokenizer(UNMARKED)
    words.chat_template = UNMARKED + "{% if 'abracadabra' in messages[-1]['content'] %}{{ 'a' * 10 ** 13 }}{% endif %}"
    ask = labels.asking(words)
    with pytest.raises(EngineError) as caught:
        ask([*SAID, {"role": "user", "content": "abracadabra"}])
    assert caught.value.code == "tokens.endless" and ask(SAID[:1])


def test_who_is_in_time_hears_nothing_of_it_later() -> None:
    for _ in range(200):
        with Deadline(0.0001):
            pass
    for _ in range(5):
        with pytest.raises(Overdue), Deadline(0.01):
            threading.Event().wait(0.2)
    assert sum(range(100_000)) == 4_999_950_000
