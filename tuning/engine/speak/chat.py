"""Answers, token by token: one conversation in, pieces of text out, until the model ends its turn or is told to stop.

It runs on whatever thread owns the model; who asks, reads from a queue.
"""

from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.answer_form import AnswerForm, NextQuestion
from tuning.errors import EngineError
from tuning.tokens import labels


class _Pieces(BaseStreamer):
    """Turns token ids into text as soon as they are whole characters and certainly the answer's own, and no sooner."""

    def __init__(self, turn: AnswerForm, question: Question) -> None:
        self.turn, self.question = turn, question
        self.ids: list[int] = []
        self.shown = 0  # ids whose text is out
        self.start = 0  # ids before this one are no longer needed to spell the next
        self.prompt = self.opening = True
        self.strip = bool(turn.frame.lead)  # the template writes a space, or a thought, before the first word
        self.held = ""  # what may be the beginning of the next question

    def put(self, value: torch.Tensor) -> None:
        if self.prompt:  # generate hands over the prompt first
            self.prompt = False
            return
        self.ids.extend(value.flatten().tolist())
        if self.opening:
            if self.turn.opens(self.ids):
                said, own = self.turn.own(self.ids)
                self.start = self.shown = own
                self.opening = not own
                self._tell(said)
                return
            self.opening = False
        self._spell()

    def _spell(self) -> None:
        decode = self.turn.tokenizer.decode
        before = decode(self.ids[self.start : self.shown], skip_special_tokens=True)
        now = decode(self.ids[self.start :], skip_special_tokens=True)
        if len(now) > len(before) and not now.endswith("\ufffd"):
            self._tell(now[len(before) :])
            self.start, self.shown = self.shown, len(self.ids)

    def _tell(self, piece: str) -> None:
        if self.strip:
            piece = piece.lstrip()
            self.strip = not piece
        text, following = self.held + piece, self.turn.next
        keep = next((size for size in range(min(len(text), len(following)), 0, -1) if following.startswith(text[-size:])), 0)
        if following and following in text:
            text, keep = text.partition(following)[0], 0
        self.held = text[len(text) - keep :]
        if len(text) > keep:
            self.question.pieces.put(text[: len(text) - keep])

    def end(self) -> None:
        """Nothing is held back but an unfinished character."""
        if self.opening and self.ids:
            self._spell()
        if self.held and self.held != self.turn.next:
            self.question.pieces.put(self.held)


class _Stopped(StoppingCriteria):
    def __init__(self, question: Question) -> None:
        self.question = question

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        self.question.sign()
        return torch.full((input_ids.shape[0],), self.question.stopped.is_set(), device=input_ids.device)


def answer(resident: Resident, question: Question) -> None:
    """Answer into `question.pieces`; None ends them. The question's base must be the resident one.

    Raises EngineError where the conversation does not fit the context.
    """
    tokenizer = resident.tokenizer
    prompt = labels.asking(tokenizer)([message.model_dump(exclude_none=True) for message in question.messages])
    ids = torch.tensor([prompt], device=resident.device)
    room = question.model.card.context_length - ids.shape[1]
    if room < 1:
        raise EngineError("chat.too_long", tokens=ids.shape[1], context=question.model.card.context_length)
    how: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if question.seed is not None:
        how = {"do_sample": True, "temperature": 0.7, "top_p": 0.9}
    run = question.run
    with resident.speaking(run.id if run else None, run.adapter if run else None) as model, torch.no_grad():
        if question.seed is not None:
            torch.manual_seed(question.seed)
        turn = AnswerForm(tokenizer, model, learned=run is not None)
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=min(question.max_new_tokens, room),
            eos_token_id=sorted(turn.stops),
            pad_token_id=tokenizer.pad_token_id,
            use_cache=True,
            streamer=_Pieces(turn, question),
            stopping_criteria=StoppingCriteriaList([_Stopped(question), NextQuestion(turn, ids.shape[1])]),
            **how,
        )
    question.pieces.put(None)
