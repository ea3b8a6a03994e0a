"""Two answers and which of them is better: that one is learned, a tie is left out and counted."""

from typing import Any

import pytest

from tests.data.conftest import Take

Row = dict[str, Any]


def talk(answer: str) -> list[Row]:
    return [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]


COMPARED: dict[str, tuple[str, tuple[str, str], tuple[Any, Any, Any]]] = {  # prompt, answers, votes
    "letters": ("prompt", ("response_a", "response_b"), ("A", "B", "tie")),
    "names of the columns": ("question", ("answer_a", "answer_b"), ("answer_a", "Answer B", "neither")),
    "an arena's models": ("prompt", ("response_a", "response_b"), ("model_a", "model_b", "tie (bothbad)")),
    "numbers from 0": ("prompt", ("response_0", "response_1"), (0, 1, "both")),
    "numbers from 1": ("instruction", ("output_1", "output_2"), (1, 2, "equal")),
    "Italian": ("Domanda", ("Risposta A", "Risposta B"), ("A", "risposta b", "pari")),
}


@pytest.mark.parametrize("vote", ["winner", "Preference", "better_response_id", "Migliore"])
@pytest.mark.parametrize("name", COMPARED)
def test_the_better_answer_is_learned(take: Take, name: str, vote: str) -> None:
    prompt, (first, second), (one, other, none) = COMPARED[name]
    rows = [{prompt: "q", first: "a", second: "b", vote: said} for said in (one, other, none)]
    taken = take([{**row, "id": 1} for row in rows])
    assert taken.texts == [("q", "a"), ("q", "b")] and taken.faults == [(3, "data.row.tie")]
    assert "data.check.refused.tie" in [note["code"] for note in taken.reading.findings]
    assert taken.reading.unused == {"column": {"id": 2}} and (taken.reading.reason or {})["code"] == "data.reason.preference"


def test_conversations_of_an_arena(take: Take) -> None:
    rows = [{"conversation_a": talk("a"), "conversation_b": talk("b"), "winner": f"model_{said}", "judge": "j"} for said in "ab"]
    taken = take(rows)
    assert taken.texts == [("q", "a"), ("q", "b")] and taken.reading.unused == {"column": {"judge": 2}}


def test_a_table_in_a_file_of_commas(take: Take) -> None:
    taken = take("Domanda;Risposta A;Risposta B;Migliore\nDove?;Qui;Là;B\nQuando?;Ora;Mai;A\nChi?;Io;Tu;forse\n")
    assert taken.texts == [("Dove?", "Là"), ("Quando?", "Ora")] and taken.faults == [(4, "data.row.type")]


@pytest.mark.parametrize("columns", [("answer_a", "answer_b"), ("A", "B"), ("response_a", "note_b")])
def test_without_a_vote_or_a_pair_nobody_is_preferred(take: Take, columns: tuple[str, str]) -> None:
    rows = [{"question": "Dove?", "answer": "Qui siamo.", columns[0]: "x", columns[1]: "y"}]
    assert take(rows).texts == [("Dove?", "Qui siamo.")]
