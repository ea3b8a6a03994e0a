"""A model is asked as it was taught: its prompt is, token by token, the beginning of what a row with the same turns is learned from."""

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engine.styles import CALLED, PRICE, SYSTEM, said
from tests.lots import lot
from tests.tokens import shipped
from tests.tokens.scripted import Scripted
from tuning.engine.speak import batches, timeline
from tuning.errors import EngineError
from tuning.tokens import labels
from tuning.tokens.labels import IGNORED

# Answers as rows have them: with what may grow together with the end of a prompt.
ANSWERS = [
    *("At 9:20.", "22,50 euro.", " space first", "\n\nTwo lines\n\nand more", "È 5 €, caffè", "<b>bold</b>", "<table>", "🧵", ": a colon"),
    *("- one\n- two", '"quoted"', "\tTab", "A", "User: no\nAssistant: yes", "1", "...", "[1, 2]", "assistant", "  \n x", "Ⅷ", "</p>"),
    *("e\u0301 first", "Thought: none"),
]
NO_TEXT = "it takes no plain text, only parts of several kinds"
LEFT_OUT = {
    name: NO_TEXT
    for name in (
        *("trl idefics3", "trl idefics3_training", "trl llava_next", "trl llava_next_training", "trl smolvlm", "trl smolvlm_training"),
        "transformers processing_smolvlm",
    )
}


def conversations(answer: str) -> dict[str, dict[str, Any]]:
    """By name, rows that end with `answer`."""
    weather = {**CALLED, "tool_calls": [{**CALLED["tool_calls"][0], "id": "abcdefghi"}]}
    told = [weather, {"role": "tool", "name": "price", "content": '{"euro": 5}', "tool_call_id": "abcdefghi"}]
    turns = {
        "one": said("When do you open?", answer),
        "several": said("When?", "Five.", "And two?", " Ten.", "Bye\n", answer),
        "the same": said("When?", answer, "And then?", answer),
        "system": [SYSTEM, *said("When do you open?", answer)],
        "system, several": [SYSTEM, *said("When?", "22 euro", "And?", answer)],
        "tools": [*said("How much?"), *told, {"role": "assistant", "content": answer}],
    }
    return {name: {"row": 1, "messages": some, **({"tools": [PRICE]} if name == "tools" else {})} for name, some in turns.items()}


def words_of(name: str, kind: str) -> Any:
    words = shipped.with_signs(shipped.KINDS[kind](), name, shipped.templates()[name])
    labels.prepare(words)
    return words


def asked(words: Any, row: dict[str, Any]) -> list[int] | None:
    """What the report asks; None where the template does not take it."""
    question = batches.EvaluationQuestion(1, row["messages"][:-1], row["messages"][-1]["content"], row.get("tools"))
    found = batches.prompts(SimpleNamespace(tokenizer=words), [question], 10**6)  # type: ignore[arg-type]
    return found[0][1] if found else None


def faults(name: str, kind: str, answers: list[str]) -> Iterator[tuple[str, str]]:
    """Which rows are learned from another beginning than they are asked with; or not at all."""
    words = words_of(name, kind)
    for answer in answers:
        for shape, row in conversations(answer).items():
            try:
                (encoded,) = labels.encode_row(words, row, 10**6)
            except EngineError as error:
                if shape != "tools" and not shape.startswith("system"):  # not every template has tools, nor a first system message
                    yield "refused", f"{shape}: {error.code}"
                continue
            ids = asked(words, row)
            if ids is None or encoded.input_ids[: len(ids)] != ids:
                yield "no prefix", f"{shape} {answer!r}: {words.decode((ids or [])[-9:])!r}"
            elif encoded.labels[len(ids)] == IGNORED:
                yield "not learned at once", f"{shape} {answer!r}: {words.decode(encoded.input_ids[len(ids) :])!r}"
            elif not encoded.ended:
                yield "no end", f"{shape} {answer!r}"


def test_every_shipped_template_asks_as_it_teaches(kinds: int = 1, answers: int = 1) -> None:
    drawn = lot("prompts")
    wrong: dict[str, Any] = {}
    for name in shipped.templates():
        for kind in drawn.sample(list(shipped.KINDS), kinds):
            found = list(itertools.islice(faults(name, kind, drawn.sample(ANSWERS, answers)), 3))
            if name in LEFT_OUT:
                assert found and {what for what, _ in found} == {"refused"}, name
            elif found:
                wrong[f"{name}, {kind}"] = found
    print(f"{len(shipped.templates())} templates, {len(LEFT_OUT)} left out: {NO_TEXT}; {kinds} of {len(shipped.KINDS)} tokenizers each")
    assert len(shipped.templates()) > 80 and not wrong, "\n".join(f"{key}: {value}" for key, value in wrong.items())


@pytest.mark.nightly
def test_every_shipped_template_asks_as_it_teaches_with_every_tokenizer() -> None:
    test_every_shipped_template_asks_as_it_teaches(len(shipped.KINDS), len(ANSWERS))


SPOKEN = "At 9:20, caffè 5 euro."


def learned(words: Any, turns: list[dict[str, Any]]) -> list[int]:
    """The tokens of a row with these turns."""
    ids: list[int] = labels.encode_row(words, {"row": 1, "messages": turns}, 10**6)[0].input_ids
    return ids


def test_a_model_that_says_what_it_learned_is_shown_to_say_its_answer_and_to_end_there() -> None:
    wrong: dict[str, Any] = {}
    for name in set(shipped.templates()) - set(LEFT_OUT):
        words = words_of(name, "llama 3")
        for turns in (said("When?", SPOKEN), said("When?", "Five.", "And two?", SPOKEN)):
            row = learned(words, turns)
            model = Scripted(words, [])
            model.chatted(turns[:-1])
            if row[: len(model.asked)] != model.asked:
                wrong[name] = f"asked {words.decode(model.asked[-9:])!r}"
                continue
            model = Scripted(words, [*row[len(model.asked) :], *words(" and on and on", add_special_tokens=False)["input_ids"]])
            shown = {"chat": model.chatted(turns[:-1]).rstrip("\n"), "report": model.reported(turns[:-1])}
            if set(shown.values()) != {SPOKEN}:
                wrong[name] = shown
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())


def test_the_answers_on_the_way_are_asked_for_as_they_are_learned() -> None:
    for name in ("ours", "trl nemotron_3_nano", "trl qwen3_6", "trl deepseek_r1_distill", "starter"):
        words = words_of(name, "gemma")
        rows = [{"row": number, "messages": said(f"When {number}?", answer)} for number, answer in enumerate(("At 9:20.", "22 euro"))]
        for row, ids in zip(rows, timeline._prompts(words, timeline.pick(rows)), strict=False):
            assert learned(words, row["messages"])[: len(ids)] == ids, name


def test_a_base_model_that_is_only_talked_to_stops_where_it_asks_itself_the_next_question() -> None:
    words = words_of("ours", "bytes")
    ids = words(" Paris.\nUser: And of Italy?\nAssistant: Rome.\nUser: And", add_special_tokens=False)["input_ids"]
    model = Scripted(words, ids)
    assert model.chatted(said("What is the capital of France?", "")[:1]).strip() == "Paris." and len(model.said) < len(ids) / 2
    assert model.reported(said("What is the capital of France?", "")[:1]) == "Paris."
    aside = words(" Paris.\nUsers like it.", add_special_tokens=False)["input_ids"]
    assert Scripted(words, aside).chatted(said("And?", "")[:1]).strip() == "Paris.\nUsers like it."


def test_an_end_that_only_the_generation_config_names_is_one() -> None:
    words = words_of("style chatml", "llama 3")
    (end,) = words("<|user|>", add_special_tokens=False)["input_ids"]
    ids = [*words("Five.", add_special_tokens=False)["input_ids"], end, *words("and on", add_special_tokens=False)["input_ids"]]
    assert Scripted(words, ids, [end]).chatted(said("x", "")[:1]) == "Five."
    assert Scripted(words, ids).chatted(said("x", "")[:1]) == "Five.and on"


def test_a_thought_that_is_no_empty_one_is_shown_while_it_comes_and_not_scored() -> None:
    words = words_of("trl qwen3", "llama 3")
    ids = words("<think>\nA shop opens early.\n</think>\n\nAt nine.", add_special_tokens=False)["input_ids"]
    model = Scripted(words, ids)
    assert "A shop opens early." in model.chatted(said("When?", "")[:1])
    assert model.reported(said("When?", "")[:1]) == "At nine."
