"""What the Chat tab shows to prove an answer: the badge below it."""

import re
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest

from tests.ui.test_chat import answering
from tuning.engine.question import Proof, Question
from tuning.errors import InputError
from tuning.studio import Studio
from tuning.ui.desk import Desk
from tuning.ui.parts.badge import proofs
from tuning.ui.tabs.chat import ChatTab

RUN = SimpleNamespace(id="20260101-x", spec=lambda: SimpleNamespace(name='Shop <b>"1"</b>'))


def badge(proof: Proof, run: Any = RUN, lang: str = "en", strength: float = 100.0) -> str:
    return proofs([cast(Question, SimpleNamespace(proof=proof, run=run, strength=strength, step=None))], lang)


@pytest.mark.parametrize(
    ("proof", "run", "look", "words"),
    [
        (Proof("20260101-x", 0.4213), RUN, "proven", {"en": "0.421 from the base", "it": "a 0,421 dalla base"}),
        (Proof("20260101-x", None), RUN, "unknown", {"en": "not measured", "it": "non misurata"}),
        (Proof(None, 0.0), None, "proven", {"en": "without an adapter", "it": "senza adapter"}),
        (Proof("20260101-x", 0.0, "dead"), RUN, "amiss", {"en": "changes nothing", "it": "non cambia niente"}),
        (Proof("another", 0.2, "other"), RUN, "amiss", {"en": "This was not", "it": "Questo non era"}),
        (Proof("another", 0.2, "not_base"), None, "amiss", {"en": "not the base", "it": "non era la base"}),
    ],
)
@pytest.mark.parametrize("lang", ["en", "it"])
def test_the_badge_says_whom_an_answer_came_from(proof: Proof, run: Any, look: str, words: dict[str, str], lang: str) -> None:
    drawn = badge(proof, run, lang)
    (summary,) = re.findall('<summary title="([^"]*)">([^<]*)<', drawn)
    assert words[lang] in summary[1] and f'class="proof {look}"' in drawn and len(summary[0]) > 60
    assert "<b>" not in drawn and proofs([cast(Question, SimpleNamespace(proof=None))], lang) == ""
    if run is RUN:
        assert ("50" in badge(proof, run, lang, 50.0)) or proof.fault == "other"


def laid(studio: Studio) -> tuple[Desk, ChatTab, dict[Any, Any]]:
    """A page, its Chat tab with a question to two sides, and what the page holds of it."""
    with gr.Blocks():
        desk = Desk(studio, "en")
        table = ChatTab(desk)
    values = {part: getattr(part, "value", None) for part in table.asked}
    values |= {
        table.message: "Are you open?",
        desk.target: "starter",
        table.beside: True,
        table.bots[0]: [],
        table.bots[1]: [],
        desk.talk: "",
    }
    return desk, table, values


def test_each_side_has_its_badge_when_the_answers_are_there() -> None:
    proofs_of = [Proof("20260101-x", 0.5), Proof("20260101-x", 0.5, "not_base")]
    studio = answering("Yes.")
    ask = studio.shared.workshop.ask  # type: ignore[union-attr]

    def answer(question: Question) -> None:
        assert question.proven
        question.proof = proofs_of.pop(0)
        ask(question)

    cast(Any, studio.shared.workshop).ask = answer
    desk, table, values = laid(studio)
    with desk.serving(None):
        steps = list(table.ask(values))
    notes = [step[6] for step in steps if isinstance(step[6], str) and step[6]]
    assert notes[-1].count("<summary") == 2 and "not the base" in notes[-1]


def blinded(studio: Studio) -> tuple[ChatTab, dict[Any, Any]]:
    """The tab with a run chosen and blind mode on, and what the page holds of it."""
    desk, table, values = laid(studio)
    with desk.serving(None):
        told = gr.EventData(None, {"what": "blind", "value": None})
        assert 'aria-checked="true"' in table.fold._blind() or list(table.fold.press(True, "starter", "", told))
        assert desk.studio.blind.on
    return table, values


def test_blind_no_page_tells_which_is_which_until_it_is_judged_and_the_score_is_kept() -> None:
    asked: list[Question] = []
    studio = answering()

    def answer(question: Question) -> None:
        asked.append(question)
        question.proof = Proof(None, 0.0)
        for piece in ("The same words.", None):
            question.pieces.put(piece)

    cast(Any, studio.shared.workshop).ask = answer
    table, values = blinded(studio)
    desk, tuned = table.desk, 0
    with desk.serving(None):
        assert [one["label"] for one in table.fold.pair.labels(True, "starter", "")] == ["Left", "Right"]
        for count in range(1, 9):
            values[table.bots[0]] = [{"role": "user", "content": "Before?"}, {"role": "assistant", "content": "Yes."}]
            steps = list(table.ask(values))
            page = repr(steps)
            (note,) = {step[6] for step in steps if isinstance(step[6], str) and step[6]}
            assert "base" not in page.lower() and "summary" not in page, "it is told before it is judged"
            assert all(len(question.messages) == 1 for question in asked[-2:]), "by itself"
            id = re.findall('data-do="first" data-value="([0-9a-f]+)"', note)[0]
            press = gr.EventData(None, {"what": "first", "value": id})
            told = list(table.noted(values, press))[-1][6]
            left = re.findall(r"Left: ([^.]*)\.", told)[0]
            tuned += left != "The base model"
            assert ("<summary" in told) and f"Better so far: starter {tuned}, The base model {count - tuned}, neither 0" in told
            with pytest.raises(InputError):
                list(table.noted(values, press))
        assert not desk.studio.chats.list(), "no conversation is kept that would tell"
        assert desk.studio.blind.of("starter base", "starter") == {"first": 8 - tuned, "second": tuned, "equal": 0}
