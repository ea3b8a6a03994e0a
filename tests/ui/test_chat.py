"""What the Chat tab says of an answer, over a thread of the model that is stood in for."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest

from tuning import settings
from tuning.engine.question import Question
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.ui.desk import Desk, guard
from tuning.ui.tabs.chat import Conversation

ASKED = [{"role": "user", "content": "Are you open?"}]


def answering(*pieces: str) -> Studio:
    """A studio whose model answers with these pieces."""
    ready = threading.Event()
    ready.set()

    def ask(question: Question) -> None:
        for piece in (*pieces, None):
            question.pieces.put(piece)

    return Studio(settings.read(), LOCAL, cast(Any, SimpleNamespace(ask=ask, ready=ready, shelf=None)))


@pytest.mark.parametrize(("lang", "word"), [("en", "said nothing"), ("it", "non ha detto nulla")])
def test_an_empty_answer_is_a_sentence(lang: str, word: str) -> None:
    with gr.Blocks():
        desk = Desk(answering(" ", "\n"), lang)
    with desk.serving(None):
        steps = list(guard(Conversation(desk).answer, 6, lang)("Are you open?", "starter", False, [], []))
        assert word in steps[-1][-1]
        assert list(desk.studio.talk.chat("starter", ASKED)) == [" ", "\n"], "a program gets the answer as it is"


def test_an_answer_comes_as_it_is() -> None:
    with gr.Blocks():
        desk = Desk(answering("\n", "Yes."), "en")
    with desk.serving(None):
        assert list(desk.studio.talk.chat("starter", ASKED)) == ["\n", "Yes."]
        assert list(guard(Conversation(desk).answer, 6, "en")("Are you open?", "starter", False, [], []))[-1][-1] == ""
