"""What `docs/moving.md` promises to those who come from a tuning service: of each file, what carries over."""

import json
import pathlib
import re
from typing import Any

import pytest

from tests.data.conftest import Take
from tuning.settings import PRESETS
from tuning.text import LANGUAGES
from tuning.ui.parts.rows import moving

CALL = {"id": "abc123xyz", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOLS = [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}]
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "bad", "weight": 0},
    {"role": "user", "content": "q2"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "7", "tool_call_id": "abc123xyz", "name": "f"},
    {"role": "assistant", "content": "good", "weight": 1},
]
ASKED, SAID = {"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "a"}]}


@pytest.mark.parametrize("extra", [{"parallel_tool_calls": False}, {}], ids=["OpenAI", "Mistral"])
def test_conversations_keep_weights_tools_and_calls(take: Take, extra: dict[str, Any]) -> None:
    taken = take([{"messages": TALK, "tools": TOOLS, **extra}])
    (row,) = taken.rows
    assert [turn["role"] for turn in row["messages"]] == [turn["role"] for turn in TALK] and row["tools"] == TOOLS
    assert [turn.get("weight") for turn in row["messages"]].count(0) == 1 and row["messages"][2]["weight"] == 0
    assert row["messages"][4]["tool_calls"][0]["function"]["name"] == "f"
    assert taken.reading.unused == ({"column": {"parallel_tool_calls": 1}} if extra else {})


@pytest.mark.parametrize("system", ["systemInstruction", "system_instruction"])
def test_contents_of_gemini_keep_system_and_thoughts(take: Take, system: str) -> None:
    (row,) = take([{system: {"role": "system", "parts": [{"text": "Be brief."}]}, "contents": [ASKED, SAID]}]).rows
    assert [(turn["role"], turn["content"]) for turn in row["messages"]] == [("system", "Be brief."), ("user", "q"), ("assistant", "a")]
    assert row["messages"][-1]["reasoning_content"] == "hm"


@pytest.mark.parametrize("names", [("text_input", "output"), ("input_text", "output_text"), ("textInput", "output")], ids="/".join)
def test_pairs_of_ai_studio_and_palm_are_read(take: Take, names: tuple[str, str]) -> None:
    assert take([dict(zip(names, pair, strict=True)) for pair in (("1", "2"), ("3", "4"))]).texts == [("1", "2"), ("3", "4")]


def test_of_preference_pairs_the_preferred_answer_is_learned(take: Take) -> None:
    asked, sides = (
        {"messages": TALK[1:2]},
        {name: [{"role": "assistant", "content": name}] for name in ("preferred_output", "non_preferred_output")},
    )
    assert take([{"input": asked, **sides}]).texts == [("q", "preferred_output")]


def test_the_models_that_are_called_near_are_in_the_catalog_and_in_the_docs() -> None:
    known = {path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("id: ") for path in (PRESETS / "models").glob("*.yaml")}
    docs = (pathlib.Path(__file__).parents[2] / "docs" / "moving.md").read_text(encoding="utf-8")
    assert set(moving.NEAR) <= known and set(re.findall(r"`([\w.-]+/[\w.-]+)`", docs)) == set(moving.NEAR)
    entries = [{"id": id, "title": id, "predicted_peak_bytes": 10**9, "fits": id.endswith("B"), "seconds": 60} for id in moving.NEAR]
    for lang in LANGUAGES:
        assert moving.card(json.loads(json.dumps(entries)), "Qwen/Qwen3-8B", lang).count('data-do="near"') == len(moving.NEAR)
