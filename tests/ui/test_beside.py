"""What the Chat tab shows to prove an answer: the badge below it."""

import itertools
import re
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.ui.test_chat import answering
from tuning.engine.learn.train import train
from tuning.engine.question import Proof, Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.engine.speak.proof import FILE
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
        reloaded = table.greet("starter", desk.studio.chats.list()[0].id, [])[2:4]
    sheets = [step[1:3] for step in steps if isinstance(step[1], list)][-1]
    assert [badges(sheet) for sheet in sheets] == [badges(sheet) for sheet in reloaded] == [[["proven"]], [["amiss"]]]
    assert "not the base" in str(sheets[1])


def badges(sheet: list[dict[str, Any]]) -> list[list[str]]:
    """The look of the badge, or of none, below each answer of a sheet."""
    return [re.findall('class="proof ([a-z]+)"', str(turn["content"])) for turn in sheet if turn["role"] == "assistant"]


def test_a_conversation_keeps_the_badge_of_each_answer_dead_wrong_or_of_a_base_that_was_none(monkeypatch: pytest.MonkeyPatch) -> None:
    studio, residents = answering(), [Resident()]

    def ask(question: Question) -> None:
        asked.append([message.content for message in question.messages])
        residents[-1].load(question.model.path, question.device, question.precision)
        answer(residents[-1], question)

    asked: list[list[str]] = []
    cast(Any, studio.shared.workshop).ask = ask
    desk, table, values = laid(studio)
    values |= {table.beside: False, table.settings.parts["remember"]: True, table.settings.parts["max_new_tokens"]: 2}
    with desk.serving(None) as mine:
        run = mine.runs.create("starter", "starter-en", None, {"report": False, "max_steps": 2}, name="Shop")
        train(run, mine.shared.store, Resident())
    values[desk.target] = run.id
    speaking = Resident.speaking

    def say(text: str) -> None:
        values[table.message] = text
        with desk.serving(None):
            for step in table.ask(values):
                values[table.bots[0]], values[table.bots[1]], values[desk.talk] = (
                    old if new == gr.skip() else new
                    for old, new in zip([values[part] for part in (*table.bots, desk.talk)], [*step[1:3], step[7]], strict=True)
                )

    say("As it should be?")
    weights = residents[-1].peft
    assert weights is not None
    with torch.no_grad():  # by the right name, with other weights
        for key, tensor in weights.named_parameters():
            if "lora_" in key:
                tensor.mul_(1.5)
    say("And another's?")
    residents.append(Resident())
    values[table.beside] = True
    with monkeypatch.context() as mistaken:  # the base's side is answered by the adapter
        mistaken.setattr(Resident, "speaking", lambda self, id, folder, *how: speaking(self, run.id, run.adapter, *how))
        say("And the base?")
    values[table.beside] = False
    zeros = {name: torch.zeros_like(tensor) for name, tensor in load_file(run.adapter / FILE).items()}
    save_file(zeros, run.adapter / FILE)
    residents.append(Resident())
    say("And nothing but zeros?")
    looks = [["proven"], ["amiss"], ["proven"], ["amiss"]]
    assert badges(values[table.bots[0]]) == looks and badges(values[table.bots[1]]) == [["amiss"]]
    assert not any("proof" in words for words in itertools.chain(*asked)), "the model is not told of badges"
    with desk.serving(None):
        (kept,) = desk.studio.chats.list()
        for lang, words in {"en": "changes nothing", "it": "non cambia niente"}.items():
            desk.lang = lang  # opened anew, on the other page too
            tuned, base = table.greet(run.id, kept.id, [])[2:4]
            assert badges(tuned) == looks and badges(base) == [["amiss"]]
            assert words in str(tuned[-1]) and words not in str(tuned[:-1])


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
