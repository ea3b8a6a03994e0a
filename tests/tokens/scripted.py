"""A model that says what it is told to, so that what is asked of it and what is shown of its answer can be seen. It computes nothing."""

import contextlib
import queue
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import torch

from tuning.engine.kernels.key_values import KeyValues
from tuning.engine.question import Question
from tuning.engine.speak import batches, chat
from tuning.schema import Message


class Scripted:
    """Stands where a resident model would: `says` are the tokens of its answer, and it ends as generate ends it."""

    def __init__(self, tokenizer: Any, says: Sequence[int], eos: list[int] | None = None) -> None:
        self.tokenizer, self.says, self.device = tokenizer, list(says), torch.device("cpu")
        self.generation_config = SimpleNamespace(eos_token_id=eos)
        self.kept = KeyValues()
        self.asked: list[int] = []
        self.said: list[int] = []

    @contextlib.contextmanager
    def speaking(self, run: str | None, folder: Any, strength: float = 100.0) -> Iterator["Scripted"]:
        yield self

    def generate(self, input_ids: torch.Tensor, eos_token_id: list[int], stopping_criteria: Any, **how: Any) -> Any:
        streamer = how.get("streamer")
        self.asked, self.said = input_ids[0].tolist(), []
        if streamer:
            streamer.put(input_ids)
        for token in self.says:
            self.said.append(token)
            if streamer:
                streamer.put(torch.tensor([token]))
            all_ids = torch.tensor([self.asked + self.said])
            if token in eos_token_id or bool(stopping_criteria(all_ids, None).all()):
                break
        if streamer:
            streamer.end()
        sequences = torch.tensor([self.asked + self.said])
        return SimpleNamespace(sequences=sequences, past_key_values=None) if how.get("return_dict_in_generate") else sequences

    def chatted(self, turns: list[dict[str, Any]], **how: Any) -> str:
        """What somebody who chats with it is shown; `how` is of the question."""
        card = SimpleNamespace(context_length=10**6)
        told = [Message(**turn) for turn in turns]
        question = Question(told, SimpleNamespace(card=card), "cpu", "fp32", **how)  # type: ignore[arg-type]
        chat.answer(self, question)  # type: ignore[arg-type]
        question.pieces.put(None)
        shown = ""
        with contextlib.suppress(queue.Empty):
            while (piece := question.pieces.get_nowait()) is not None:
                shown += str(piece)
        return shown

    def reported(self, turns: list[dict[str, Any]]) -> str:
        """What the report takes for its answer; asks as `chatted`."""
        question = batches.EvaluationQuestion(1, turns, "x")
        ((_, ids),) = batches.prompts(self, [question], 10**6)  # type: ignore[arg-type]
        (answer,) = batches.greedy(self, None, [ids], 10**6, 1e6)  # type: ignore[arg-type]
        return answer.text
