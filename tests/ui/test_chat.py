"""What the Chat tab says of an answer, over a thread of the model that is stood in for."""

import contextlib
import json
import pathlib
import shutil
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest

from tests.tokens.test_thinking import STYLES
from tuning import presets, settings
from tuning.cli import main
from tuning.engine import question as question_module
from tuning.engine.learn.train import train
from tuning.engine.question import Line, Outcome, Question
from tuning.engine.resident import Resident
from tuning.runs.contents import AnswerSettings
from tuning.schema import LOCAL
from tuning.studio import Studio, quotas
from tuning.text import t
from tuning.ui.desk import Desk
from tuning.ui.door import guard
from tuning.ui.parts.chat.chat_settings import sent
from tuning.ui.parts.chat.chat_turns import before, folded, question_at, said, spot
from tuning.ui.parts.chat.whom import Whom, is_run, talking, thinking
from tuning.ui.tabs.chat import ChatTab, Conversation

ASKED = [{"role": "user", "content": "Are you open?"}]


def answering(*pieces: str) -> Studio:
    """A studio whose model answers with these pieces."""
    ready = threading.Event()
    ready.set()

    def ask(question: Question) -> None:
        for piece in (*pieces, None):
            question.pieces.put(piece)

    return Studio(
        settings.read(),
        LOCAL,
        cast(Any, SimpleNamespace(ask=ask, ready=ready, shelf=None, holds=lambda: (None, 0), wake=lambda: None, apart=None)),
    )


@pytest.mark.parametrize(("lang", "word"), [("en", "said nothing"), ("it", "non ha detto nulla")])
def test_an_empty_answer_is_a_sentence(lang: str, word: str) -> None:
    with gr.Blocks():
        desk = Desk(answering(" ", "\n"), lang)
    with desk.serving(None):
        steps = list(guard(Conversation(desk).answer, 7, lang)("Are you open?", "starter", False, [], []))
        assert word in steps[-1][-1]
        assert list(desk.studio.talk.chat("starter", ASKED)) == [" ", "\n"], "a program gets the answer as it is"


@pytest.mark.parametrize(("lang", "word"), [("en", "nobody taught it to answer"), ("it", "nessuno gli ha insegnato a rispondere")])
@pytest.mark.parametrize("templated", [False, True])
def test_a_base_model_that_is_only_talked_to_says_so_in_page_and_terminal(
    lang: str, word: str, templated: bool, tiny_model: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pathlib.Path(shutil.copytree(tiny_model, tmp_path / "base"))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("chat_template", None)
    template = "{% for turn in messages %}{{ turn.content }}{% endfor %}"
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**config, **({"chat_template": template} if templated else {})}), encoding="utf-8"
    )
    with gr.Blocks():
        desk = Desk(answering("Yes."), lang)
    with desk.serving(None):
        scene = SimpleNamespace(run=None, runs=[])
        assert (word in talking(desk, cast(Any, scene), str(folder))) is not templated
        assert word not in talking(desk, cast(Any, scene), "starter")
    assert main.main(["chat", str(folder), "--prompt", "Are you open?", "--lang", lang]) == 0
    assert (word in capsys.readouterr().err) is not templated


def test_a_model_in_a_folder_that_was_chosen_can_be_talked_to_as_it_is(tiny_model: pathlib.Path) -> None:
    with gr.Blocks():
        desk = Desk(answering("Yes."), "en")
    with desk.serving(None):
        scene = SimpleNamespace(run=None, runs=[], choice=SimpleNamespace(model=str(tiny_model)), talker=None, followed=None, talk=None)
        options = Whom(desk).paint(cast(Any, scene))[0]["choices"]
        assert options[-1] == (t("en", "ui.chat.bare", model=tiny_model.name), str(tiny_model))
        scene.choice, scene.talker = SimpleNamespace(model="starter"), str(tiny_model)
        assert Whom(desk).paint(cast(Any, scene))[0]["choices"] == options, "whoever is talked to stays"
        said = talking(desk, cast(Any, scene), str(tiny_model))
        assert tiny_model.name in said and str(tiny_model) not in said
        assert not is_run(desk, str(tiny_model)) and is_run(desk, "20261129-a-run") and not is_run(desk, "starter")
        assert list(desk.studio.talk.chat(str(tiny_model), ASKED)) == ["Yes."]


def test_an_answer_comes_as_it_is() -> None:
    with gr.Blocks():
        desk = Desk(answering("\n", "Yes."), "en")
    with desk.serving(None):
        assert list(desk.studio.talk.chat("starter", ASKED)) == ["\n", "Yes."]
        assert list(guard(Conversation(desk).answer, 7, "en")("Are you open?", "starter", False, [], []))[-1][-1] == ""


FACTS = ("Are you open on Sundays?", "How much to hem a pair of trousers?", "Where exactly is your workshop?")


def heard(*, taught: str, remember: bool, own: str = "") -> list[list[dict[str, str]]]:
    """What the model is given at each of three questions in a row."""
    history: list[dict[str, str]] = []
    given = []
    for fact in FACTS:
        history.append({"role": "user", "content": fact})
        given.append(sent(history, AnswerSettings(system=taught, remember=remember), own))
        history.append({"role": "assistant", "content": f"Answer to {fact}"})
    return given


def test_of_single_questions_each_is_given_as_if_it_were_the_first() -> None:
    alone = [[{"role": "user", "content": fact}] for fact in FACTS]
    assert heard(taught="", remember=False) == alone
    system = {"role": "system", "content": "You are a tailor."}
    assert heard(taught="You are a tailor.", remember=False) == [[system, *turns] for turns in alone]
    assert heard(taught=" Yours. ", remember=False, own="Yours.") == alone, "what the template puts in is left to it"
    assert heard(taught="", remember=False, own="Yours.")[0][0] == {"role": "system", "content": ""}, "it was emptied"
    assert [len(turns) for turns in heard(taught="", remember=True)] == [1, 3, 5]


def test_a_question_that_nobody_answered_is_not_given_again() -> None:
    history = [{"role": "user", "content": "A?"}, {"role": "user", "content": "B?"}, {"role": "assistant", "content": "B."}]
    asked = {"role": "user", "content": "C?"}
    assert sent([*history, asked], AnswerSettings(system=""), "") == [*history[1:], asked]


def test_what_is_tried_again_goes_with_all_after_it_on_both_sides() -> None:
    def turns(*texts: str) -> list[dict[str, str]]:
        return [{"role": "user" if place % 2 == 0 else "assistant", "content": text} for place, text in enumerate(texts)]

    tuned, base = turns("a", "A", "b", "B", "c", "C"), turns("b", "B2", "c", "C2")
    assert before([tuned, base], 5) == [tuned[:4], base[:2]]
    assert before([tuned, base], 2) == before([tuned, base], 3) == [tuned[:2], []]
    assert before([tuned, base], 0) == before([tuned, base], -7) == [[], []]
    assert before([[], []], 99) == [[], []] and question_at(tuned, 99) == "c" and question_at([], 3) == ""


def test_who_has_no_room_left_is_answered_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with gr.Blocks():
        desk = Desk(answering("Yes."), "en")
        table = ChatTab(desk)
    monkeypatch.setattr(quotas.Quotas, "bounds", quotas.Quota(storage_bytes=0))
    values = {part: getattr(part, "value", None) for part in table.asked}
    values |= {table.message: "Are you open?", desk.target: "starter", table.bots[0]: [], table.bots[1]: [], desk.talk: ""}
    with desk.serving(None):
        steps = list(guard(table.ask, len(table.spoken), "en")(values))
        assert not desk.studio.chats.list()
    assert [step[1][-1]["content"] for step in steps if isinstance(step[1], list)][-1] == "Yes."
    assert "visitors have" in steps[-1][-1] and not any(step[-1] for step in steps[:-1])


def test_a_message_sent_before_the_page_has_drawn_whom_it_goes_to_is_answered() -> None:
    with gr.Blocks():
        desk = Desk(answering("Yes."), "en")
        table = ChatTab(desk)
    values = {part: getattr(part, "value", None) for part in table.asked}
    values |= {table.message: "Are you open?", desk.target: None, table.bots[0]: [], table.bots[1]: [], desk.talk: ""}
    with desk.serving(None):
        steps = list(guard(table.ask, len(table.spoken), "en")(values))
        (kept,) = desk.studio.chats.list()
        scene = desk.scene(dict.fromkeys(desk.asked) | {desk.tab: "chat"})
        chosen = table.whom.paint(scene)[0]["value"]
        greeted = table.greet(chosen, "", [])
    assert [step[1][-1]["content"] for step in steps if isinstance(step[1], list)][-1] == "Yes." and steps[-1][-1] == ""
    assert kept.target == chosen == "starter"
    assert greeted[2:4] == [gr.skip()] * 2, "what is asked while the page is drawn stays"


def test_windows_in_which_one_conversation_is_open_take_no_answer_from_each_other() -> None:
    with gr.Blocks():
        desk = Desk(answering("Yes."), "en")
        table = ChatTab(desk)
    page = {part: getattr(part, "value", None) for part in table.asked} | {desk.target: "starter", table.bots[1]: []}

    def asked(window: str, text: str, talk: str, sheet: Any) -> tuple[str, Any]:
        """The conversation that the window has open after a question, and its sheet."""
        with desk.serving(SimpleNamespace(session_hash=window)):
            given = page | {table.message: text, table.bots[0]: sheet, desk.talk: talk}
            steps = list(guard(table.ask, len(table.spoken), "en")(given))
        assert steps[-1][-1] == ""
        return steps[-1][7], [step[1] for step in steps if isinstance(step[1], list)][-1]

    first, sheet = asked("first", "One?", "", [])
    with desk.serving(SimpleNamespace(session_hash="second")):
        opened = table.greet("starter", first, [])[2]
    first, sheet = asked("first", "Two?", first, sheet)
    second, other = asked("second", "Three?", first, opened)
    assert asked("first", "Four?", first, sheet)[0] == first and asked("second", "Five?", second, other)[0] == second != first
    asked("third", "Six?", first, [])  # a page that remembers it, and cannot show it, for whom it was had with is gone
    asked("third", "Seven?", cast(Any, {"id": first}), [])  # a browser may send anything
    with desk.serving(None):
        kept = [[turn.content for turn in chat.turns if turn.role == "user"] for chat in desk.studio.chats.list()]
    assert kept == [["Seven?"], ["Six?"], ["One?", "Three?", "Five?"], ["One?", "Two?", "Four?"]]


def test_an_answer_that_is_corrected_is_kept_as_the_model_was_asked_and_said_with_the_press_that_learns_it(
    tmp_path: pathlib.Path,
) -> None:
    with gr.Blocks():
        desk = Desk(answering("Yes."), "en")
        table = ChatTab(desk)
    with desk.serving(None) as studio:
        pass
    run = studio.runs.create("starter", "starter-en", None, {"report": False, "max_steps": 2}, name="Shop")
    train(run, studio.shared.store, Resident())
    spoken = [*ASKED, {"role": "assistant", "content": "No."}, {"role": "user", "content": "And on Monday?"}]
    sheet = [*spoken, {"role": "assistant", "content": "Nor on Monday."}]
    values = {part: getattr(part, "value", None) for part in table.asked}
    values |= {desk.target: run.id, table.bots[0]: sheet, table.bots[1]: [], desk.talk: ""}
    values |= {table.settings.parts["system"]: "You are a tailor.", table.settings.parts["remember"]: False}

    def pressed(handler: Any, event: dict[str, Any], **other: Any) -> list[Any]:
        told = gr.EventData(None, event)
        given = values | {desk.target: other.get("who", run.id)}
        return cast(list[Any], [*guard(handler, len(table.spoken), "en")(given, told)][-1])

    with desk.serving(None):
        drawn = pressed(table.edit, {"index": 3, "value": "On Monday from nine."})
        (version,) = [entry for entry in desk.studio.data.list() if not entry["offered"] and entry["corrected"]]
        (row,) = desk.studio.data.preview(version["id"], 1)
        (kept,) = desk.studio.chats.list()
        bare = pressed(table.edit, {"index": 3, "value": "On Monday from nine."}, who="starter")
        blank = pressed(table.edit, {"index": 3, "value": " "})
        learning = pressed(table.noted, {"what": "learn"})
        (second, first) = desk.studio.runs.list()
    title = presets.datasets(studio.settings.presets)["starter-en"].title.en
    system = {"role": "system", "content": "You are a tailor."}
    better = {"role": "assistant", "content": "On Monday from nine."}
    assert row["messages"] == [system, spoken[2], better], "each question is sent by itself"
    assert version["name"] == f"{title}: one corrected answer"
    assert drawn[1] == [*spoken, better] and kept.turns[3].content == "On Monday from nine." and drawn[-1] == ""
    assert 'data-do="learn"' in drawn[6] and "One answer that you corrected" in drawn[6]
    assert "Only the answers of a run" in bare[-1] and "There is no answer to keep" in blank[-1]
    assert second["name"] == "Shop, corrected" and second["status"] == "queued" and first["run"] == run.id
    assert "Shop, corrected" in learning[6] and 'data-do="learn"' not in learning[6]


class Slow:
    """A model that answers one question after another, each as soon as it is told to, by a clock of its own."""

    def __init__(self) -> None:
        self.now, self.line, self.asked = 0.0, Line(lambda: self.now), list[Question]()
        ready = threading.Event()
        ready.set()
        workshop = SimpleNamespace(ask=self.ask, ready=ready, shelf=None, holds=lambda: (None, 0), wake=lambda: None, apart=None)
        self.house = Studio(settings.read(), LOCAL, cast(Any, workshop))

    def ask(self, question: Question) -> None:
        self.line.join(question)
        self.asked.append(question)

    def answer(self, seconds: float) -> None:
        """The answer of the first in line is over, so much later."""
        self.now += seconds
        question = self.asked.pop(0)
        question.outcome = Outcome(1, 1, 100)
        for piece in ("Yes.", None):
            question.pieces.put(piece)


@pytest.mark.parametrize(("lang", "place", "about"), [("en", "number 3 in line", "about 20 s"), ("it", "numero 3 in fila", "circa 20 s")])
def test_each_of_several_who_ask_at_once_is_told_their_place_and_how_long_and_stop_gives_it_up(
    lang: str, place: str, about: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question_module, "SLICE_SECONDS", 0.01)
    slow = Slow()
    with gr.Blocks():
        desk = Desk(slow.house, lang)
        table = ChatTab(desk)
    page = {part: getattr(part, "value", None) for part in table.asked}
    page |= {desk.target: "starter", table.bots[0]: [], table.bots[1]: [], desk.talk: ""}

    @contextlib.contextmanager
    def sitting(owner: str) -> Iterator[None]:
        with desk.serving(None), monkeypatch.context() as seat:
            seat.setattr(type(desk), "studio", slow.house.for_owner(owner))
            yield

    class Visitor:
        def __init__(self, owner: str) -> None:
            self.owner, self.token = owner, ""
            with sitting(owner):
                self.steps = table.ask(page | {table.message: f"Is it {owner}'s turn?"})
            self.told()  # it was sent

        def told(self) -> str:
            """What the note says next; nothing more where all is over."""
            with sitting(self.owner):
                step = next(self.steps, None)
            self.token = step[3] if step and isinstance(step[3], str) else self.token
            return str(step[6]) if step else ""

        def hears(self) -> list[Any]:
            with sitting(self.owner):
                return [step[1][-1]["content"] for step in self.steps if isinstance(step[1], list)]

    visitors = [Visitor(owner) for owner in ("anna", "bruno", "carla", "dino")]
    anna, bruno, carla, dino = visitors
    first, *others = [visitor.told() for visitor in visitors]
    assert place not in first and place in others[1] and about not in others[1], "how long nobody knows yet"
    assert [question.messages[-1].content for question in slow.asked] == [f"Is it {visitor.owner}'s turn?" for visitor in visitors]
    slow.answer(10.0)
    assert anna.hears()[-1] == "Yes."
    assert place in dino.told()
    slow.now += 5  # who waits does not make an answer slower
    assert about in dino.told() and "10 s" in carla.told()
    with sitting("bruno"):
        table.talk.stop(bruno.token)
    assert bruno.hears() == [] and "10 s" in dino.told(), "one fewer comes before"
    del slow.asked[0]
    slow.answer(3.0)
    assert carla.hears()[-1] == "Yes." and place not in dino.told()
    slow.answer(3.0)
    assert dino.hears()[-1] == "Yes."
    for visitor in (anna, carla, dino):
        (kept,) = slow.house.for_owner(visitor.owner).chats.list()
        assert [turn.content for turn in kept.turns] == [f"Is it {visitor.owner}'s turn?", "Yes."]


THOUGHT = "<think>\nFive each.\n</think>\n\nTen."


def test_thoughts_are_folded_away_and_no_turn_moves() -> None:
    words = ("Two?", THOUGHT, "Three?", "Fifteen.")
    turns = [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 2, words, strict=True)]
    shown = folded(turns, "Thoughts")
    assert [turn["content"] for turn in shown] == ["Two?", "Five each.", "Ten.", "Three?", "Fifteen."]
    assert shown[1]["metadata"] == {"title": "Thoughts", "status": "done"} and "metadata" not in shown[2]
    assert said(shown) == turns and [spot(shown, at) for at in range(5)] == [0, 1, 1, 2, 3] and spot(shown, -1) == -1
    cut = [turns[0], {"role": "assistant", "content": "<think>\nFive"}]
    assert folded(cut, "T")[1]["metadata"]["status"] == "pending" and said(folded(cut, "T")) == cut, "it goes on within the thought"
    proven = [cut[0], {**cut[1], "badge": "<details>"}]
    assert said(folded(proven, "T")) == proven and "<details>" in str(folded(proven, "T")[2]), "and its badge stands below it"


@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_thought_streams_folded_away_and_is_kept(lang: str) -> None:
    with gr.Blocks():
        desk = Desk(answering("<think>\nFive", " each.\n</think>", "\n\nTen."), lang)
    with desk.serving(None):
        steps = list(guard(Conversation(desk).answer, 7, lang)("Two?", "starter", False, [], []))
    sheets = [step[1] for step in steps if isinstance(step[1], list)]
    title = {"en": "Reasoning", "it": "Ragionamento"}[lang]
    assert sheets[-1][1]["metadata"] == {"title": title, "status": "done"}
    assert [turn["content"] for turn in sheets[-1]] == ["Two?", "Five each.", "Ten."]
    assert any(sheet[-1].get("metadata", {}).get("status") == "pending" for sheet in sheets)


def test_the_switch_for_thoughts_is_there_where_the_template_knows_of_them(tiny_model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "thinker"
    shutil.copytree(tiny_model, folder)
    who = str(folder)
    with gr.Blocks():
        desk = Desk(answering("Yes."), "en")
        tab = ChatTab(desk)
    with desk.serving(None):
        assert thinking(desk, who) == ""
        (folder / "chat_template.jinja").write_text(STYLES["qwen3"], encoding="utf-8")
        wanted = []
        for on in ("true", "false", "true"):
            assert f'aria-checked="{on}"' in thinking(desk, who)
            wanted.append(desk.studio.talk.question(who, ASKED, how=desk.studio.chats.settings(who)).thinking)
            tab.whom.think(who)
        assert wanted == ["auto", "keep", "learn"]
