"""Forms that the data of well-known repositories have, each with an example of our own: YAML of chat bots, lists by the line, ...

Whole files of theirs are compared in `test_real_files`, where a folder of them is named.
"""

import json
from typing import Any

import pytest

from tests.data.conftest import Take
from tuning.errors import InputError
from tuning.text import say

Row = dict[str, Any]
ASKED, SAID = {"role": "user", "content": "Dove?"}, {"role": "assistant", "content": "Qui"}
TALK = [ASKED, SAID]
PRICE = {"name": "price", "arguments": {"piece": "orlo"}}
CALLED = [{"type": "function", "function": PRICE}]


def lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


CALLS: dict[str, Row] = {
    "a JSON text": {"type": "tool_call", "value": json.dumps(PRICE)},
    "an object": {"type": "tool_call", "value": PRICE},
    "its name beside it": {"type": "tool_call", "id": "c1", **PRICE},
    "a function": {"type": "tool_call", "function": {**PRICE, "arguments": json.dumps(PRICE["arguments"])}},
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_among_typed_parts_are_kept(take: Take, name: str) -> None:
    thought = {"type": "reasoning", "value": "I look it up."}
    turns = [
        {"role": "user", "content": [{"type": "text", "value": "Quanto?"}]},
        {"role": "assistant", "content": [thought, CALLS[name]]},
        {"role": "tool", "content": [{"type": "text", "value": "12"}]},
        {"role": "assistant", "content": [{"type": "text", "value": "Dodici."}]},
    ]
    taken = take([{"messages": turns}] * 2)
    assert len(taken.rows) == 2 and not taken.reading.unused
    called = taken.rows[0]["messages"][1]
    assert called["tool_calls"] == CALLED and called["reasoning_content"] == thought["value"] and called["content"] == ""
    assert [message["content"] for message in taken.rows[0]["messages"]] == ["Quanto?", "", "12", "Dodici."]


@pytest.mark.parametrize("content", [lines(TALK, TALK), lines(TALK, TALK).replace("\n", "\r\n"), json.dumps([TALK, TALK])])
def test_lists_of_turns_are_a_conversation_each(take: Take, content: str) -> None:
    taken = take(content)
    assert taken.texts == [("Dove?", "Qui")] * 2 and taken.reading.kind == "json"


def test_a_list_that_is_no_conversation_is_no_row(take: Take) -> None:
    taken = take(lines({"question": "q", "answer": "a"}, [{"question": "q", "answer": "a"}]))
    assert taken.faults == [(2, "data.row.object")]


def test_texts_in_quotation_marks_by_the_line_are_what_json_says_they_are(take: Take) -> None:
    taken = take('"Il \\"sarto\\" taglia.\\nE cuce."\n"Perch\\u00e9?"\n"Un orlo"\n')
    assert taken.texts == [('Il "sarto" taglia.\nE cuce.',), ("Perché?",), ("Un orlo",)] and taken.reading.format == "text"
    assert take('"Il sarto" taglia.\n"E cuce" poi.\n').texts == [('"Il sarto" taglia.',), ('"E cuce" poi.',)]


MEDIA = [
    {"audios": ["sounds/1.wav"]},
    {"audio": "https://example.com/1.mp3"},
    {"videos": ["films/1.mp4"]},
    {"video_path": "films/1.webm"},
    {"audio": {"path": "1.flac", "bytes": None}},
]


@pytest.mark.parametrize("held", MEDIA, ids=lambda held: next(iter(held)))
def test_rows_about_a_sound_or_a_film_are_not_learned_without_it(take: Take, held: Row) -> None:
    row = {"messages": [{"role": "user", "content": "<audio>Che cos'è?"}, SAID], **held}
    with pytest.raises(InputError, match=r"data\.images") as refused:
        take([row, row])
    assert refused.value.params["column"] == next(iter(held)) and len(take([row, row], {"messages": "messages"}).rows) == 2
    assert take([{"question": "q", "answer": "a", "video": ""}, {"question": "r", "answer": "b", "video": "no"}]).reading.unused


@pytest.mark.parametrize("kind", ["audio", "video", "input_audio", "video_url"])
def test_so_are_sounds_and_films_within_a_conversation(take: Take, kind: str) -> None:
    row = {"messages": [{"role": "user", "content": [{"type": kind, kind: {"url": "x"}}, {"type": "text", "text": "?"}]}, SAID]}
    with pytest.raises(InputError, match=r"data\.images"):
        take([row, row])


CHATTERBOT = """categories:
- AI
- sartoria
conversations:
- - Quanto costa un orlo?
  - Dodici euro.
- - Sei aperto?
  - |-
    Sì:

    - dalle 9
  - E la domenica?
  - No.
"""


@pytest.mark.parametrize("content", [CHATTERBOT, CHATTERBOT.split("sartoria\n")[1], "---\n# nostre\n" + CHATTERBOT.replace("\n", "\r\n")])
def test_conversations_in_yaml_are_read_as_such(take: Take, content: str) -> None:
    taken = take(content)
    assert taken.reading.kind == "yaml"
    assert taken.texts == [
        ("Quanto costa un orlo?", "Dodici euro."),
        ("Sei aperto?", "Sì:\n\n- dalle 9", "E la domenica?", "No."),
    ]


def test_yaml_of_a_chat_bot_without_answers_is_no_list_of_texts(take: Take) -> None:
    """It could be mapped; a line of it is nothing to learn."""
    with pytest.raises(InputError, match=r"data\.format") as refused:
        take('version: "3.1"\nnlu:\n- intent: orari\n  examples: |\n    - siete aperti?\n    - quando aprite?\n')
    assert refused.value.params["columns"] == "intent, examples"
    for domain in (
        "intents:\n  - orari\nresponses:\n  utter_orari:\n  - text: Alle 9.\n",
        "responses:\n  utter_orari:\n  - text: Alle 9.\n",
    ):
        with pytest.raises(InputError, match=r"data\.format"):
            take(f'version: "3.1"\n\n{domain}')
    assert take("Note: di oggi\nspesa:\n- latte\n").reading.format == "text"


KEYED = {"first": {"question": "Quanto?", "answer": "Dodici."}, "second": {"question": "Dove?", "answer": "Qui."}}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("names", [("question", "answer"), ("Domanda del cliente", "Risposta nostra"), ("problem", "solution")])
def test_rows_under_names_of_their_own_are_rows(take: Take, names: tuple[str, str], indent: int | None) -> None:
    keyed = {key: dict(zip(names, row.values(), strict=True)) for key, row in KEYED.items()}
    assert take(json.dumps(keyed, indent=indent)).texts == [("Quanto?", "Dodici."), ("Dove?", "Qui.")]


@pytest.mark.parametrize("end", [', "third"}', ' "third": {"question": "q", "answer": "a"}}', ",}"])
def test_rows_under_names_that_are_broken_later_are_told(take: Take, end: str) -> None:
    with pytest.raises(InputError, match=r"data\.json"):
        take(json.dumps(KEYED, indent=1)[:-2] + end)


def test_one_row_of_objects_is_not_taken_for_rows_under_names(take: Take) -> None:
    row = {"input": {"messages": [ASKED], "model": "m"}, "output": {"messages": [SAID], "model": "m"}}
    assert take(json.dumps(row)).texts == [("Dove?", "Qui")]
    with pytest.raises(InputError, match=r"data\.columns"):
        take(json.dumps({"question": {"0": "a", "1": "b"}, "answer": {"0": "c", "1": "d"}}))


PAIRS: dict[str, Row] = {
    "questions and SQL": {"question": "Quanti orli?", "sql": "SELECT count(*) FROM orli"},
    "what is right": {"prompt_id": "7", "question": "Quanti orli?", "gold": "SELECT count(*) FROM orli"},
    "of two answers the better one": {
        "question": "Quanti orli?",
        "response_j": "SELECT count(*) FROM orli",
        "response_k": "Boh",
        "qid": 5,
    },
    "chosen conversations": {
        "chosen_messages": [{"role": "user", "content": "Quanti orli?"}, {"role": "assistant", "content": "SELECT count(*) FROM orli"}],
        "rejected_messages": [{"role": "user", "content": "Quanti orli?"}, {"role": "assistant", "content": "Boh"}],
    },
    "a template's signs before the names": {"text": "<s>Human: Quanti orli?\n</s><s>Assistant: SELECT count(*) FROM orli\n</s>"},
    "turns in a cell": {
        "id": "1",
        "turns": json.dumps([{"role": "user", "content": "Quanti orli?"}, {"role": "assistant", "content": "SELECT count(*) FROM orli"}]),
    },
}


@pytest.mark.parametrize("name", PAIRS)
def test_question_and_answer_are_found(take: Take, name: str) -> None:
    assert take([PAIRS[name]] * 3).texts == [("Quanti orli?", "SELECT count(*) FROM orli")] * 3


@pytest.mark.parametrize(
    "vote", ["a-is-better", "A is slightly better", "a_is_much_better", "completion_a is clearly better", "Model A better"]
)
def test_a_vote_in_words_is_understood(take: Take, vote: str) -> None:
    row = {"prompt": "Dove?", "completion_a": "Qui", "completion_b": "Boh", "preference": vote}
    other = {**row, "completion_a": "Boh", "completion_b": "Qui", "preference": "b-is-better"}
    assert take([row, other, {**row, "preference": "tie"}]).texts == [("Dove?", "Qui")] * 2


def test_turns_that_name_nobody_are_told(take: Take) -> None:
    rows = [{"turns": ["Un viaggio?", "Alle Hawaii."], "category": "x"}] * 2
    told = [note for note in take(rows).reading.findings if note["code"] == "data.check.unnamed"]
    assert [note["params"]["count"] for note in told] == [2]
    assert not [note for note in take([{"messages": TALK}]).reading.findings if note["code"] == "data.check.unnamed"]


def test_a_turn_without_a_speaker_is_told_by_its_keys(take: Take) -> None:
    with pytest.raises(InputError) as refused:
        take([{"messages": [{"toy_input": "Dove?", "toy_output": "Qui"}]}])
    assert (refused.value.params["fault"], refused.value.params["keys"]) == ("data.row.speaker", "toy_input, toy_output")


def test_a_question_that_comes_last_is_told_truly(take: Take) -> None:
    """It may well have been the user's turn."""
    with pytest.raises(InputError) as refused:
        take([{"messages": [ASKED], "data_source": "gsm8k"}])
    for lang, words in (("en", "cannot stand here: "), ("it", "non può stare qui: ")):
        assert words in say(lang, refused.value.code, {**refused.value.params, "file": "x"})
