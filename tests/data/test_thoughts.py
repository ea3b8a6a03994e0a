"""What was thought before an answer is kept to the letter, wherever a file has it."""

import json
import pathlib
from typing import Any

import pytest

from tests.data.conftest import Take, Write, read_here
from tuning.cli.main import main

T = "  12 * 3 = 36\n\n<b>caffè</b> "
ASK, SAY = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def talk(answer: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [ASK, {"role": "assistant", **answer}]}


HELD: dict[str, dict[str, Any]] = {
    **{key: talk({"content": "a", key: T}) for key in ("reasoning_content", "reasoning", "thinking", "Thought", "ragionamento")},
    "a part": talk({"content": [{"type": "thinking", "thinking": T, "signature": "x"}, {"type": "text", "text": "a"}]}),
    "a part of parts": talk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": T}]}, {"type": "text", "text": "a"}]}),
    "a part of reasoning": talk({"content": [{"type": "reasoning", "text": T}, {"type": "text", "text": "a"}]}),
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": [{"text": T, "thought": True}, {"text": "a"}]}]
    },
    "sharegpt": {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a", "reasoning": T}]},
    "alpaca": {"instruction": "q", "input": "", "output": "a", "thinking": T},
    "a column": {"Question": "q", "Complex_CoT": T, "Response": "a"},
    "una colonna": {"domanda": "q", "ragionamento": T, "risposta": "a"},
    "prompt": {"prompt": [ASK], "completion": [SAY], "reasoning": T},
}


@pytest.mark.parametrize("name", HELD)
def test_a_thought_is_kept_to_the_letter(take: Take, name: str) -> None:
    taken = take([HELD[name]] * 2)
    assert taken.rows[0]["messages"] == [ASK, {**SAY, "reasoning_content": T}]
    assert taken.reading.thoughts == 2
    assert taken.reading.unused == ({"part": {"signature": 2}} if name == "a part" else {})


def test_within_the_text_it_stays_where_it_is(take: Take) -> None:
    inside = f"<think>{T}</think>\n\na"
    taken = take([talk({"content": inside}), {"messages": [ASK, SAY]}])
    assert [row["messages"][1]["content"] for row in taken.rows] == [inside, "a"] and taken.reading.thoughts == 1


def test_what_is_no_thought_of_an_answer_is_named(take: Take) -> None:
    taken = take(
        [
            {"messages": [{**ASK, "thinking": T}, {**SAY, "reasoning": [T]}]},
            {"messages": [ASK, {**SAY, "content": "<think>x</think>a", "thinking": T}]},
        ]
    )
    assert taken.reading.unused == {"key": {"thinking": 2, "reasoning": 1}}
    assert take([{"question": "q", "answer": "a", "cot": [T]}]).reading.unused == {"column": {"cot": 1}}


def test_turns_that_are_joined_keep_their_thoughts(write: Write, tmp_path: pathlib.Path) -> None:
    turns = [ASK, {**SAY, "thinking": "one"}, {**SAY, "thinking": "two"}]
    (row,) = read_here([write([{"messages": turns}])], tmp_path / "rows", repairs=["roles"]).rows
    assert row["messages"][1] == {"role": "assistant", "content": "a\n\na", "reasoning_content": "one\n\ntwo"}


def test_a_column_is_mapped_to_it_by_hand(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_text(json.dumps({"question": "q", "answer": "a", "note": T}) + "\n", encoding="utf-8")
    assert main(["--home", str(tmp_path / "home"), "check", str(path), "--map", "reasoning=note", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unused"] == [] and found["mapping"]["reasoning"] == "note"
