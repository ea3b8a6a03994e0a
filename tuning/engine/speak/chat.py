"""Answers, token by token: one conversation in, pieces of text out, until the model ends its turn or is told to stop.

It runs on whatever thread owns the model; who asks, reads from a queue.
"""

import bisect
import contextlib
import secrets
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from tuning.engine.question import Outcome, Question
from tuning.engine.resident import Resident
from tuning.engine.speak.answer_form import AnswerForm, NextQuestion
from tuning.engine.speak.proof import Beginning, prove
from tuning.errors import EngineError, caught
from tuning.tokens import endings, labels, thoughts

TEMPERATURE, TOP_P = 0.7, 0.9  # where an answer is sampled and nobody says how
SPELT = 8  # tokens before the first of an answer that goes on, by which it is spelt


class _Pieces(BaseStreamer):
    """Turns token ids into text as soon as they are whole characters and certainly the answer's own, and no sooner."""

    def __init__(self, turn: AnswerForm, question: Question, prompt: list[int]) -> None:
        self.turn, self.question = turn, question
        self.ids = prompt[-SPELT:] if question.begun else []
        self.before = self.shown = len(self.ids)  # ids whose text is out
        self.start = 0  # ids before this one are no longer needed to spell the next
        self.prompt, self.opening = True, not question.begun and not turn.thinks
        self.strip = bool(turn.frame.lead) and not question.begun  # the template writes a space, or a thought, before the first word
        self.held = ""  # what may be the beginning of the next question

    @property
    def made(self) -> list[int]:
        """The tokens of the answer."""
        return self.ids[self.before :]

    def put(self, value: torch.Tensor) -> None:
        if self.prompt:  # generate hands over the prompt first
            self.prompt = False
            if self.turn.thinks and self.turn.frame.opened and not self.question.begun:
                self.question.pieces.put(f"{thoughts.OPEN}\n")
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
    """Answer into `question.pieces`; None ends them, and `question.outcome` tells of it. The question's base must be the resident one.

    Raises EngineError where the conversation does not fit the context.
    """
    tokenizer, context = labels.templated(resident.tokenizer, question.chat_template), question.model.card.context_length
    run = question.run
    with resident.speaking(*question.speaker, question.strength) as model, torch.no_grad():
        turn = AnswerForm(tokenizer, model, learned=run is not None, thinking=question.thinking)
        prompt, left_out = _prompt(tokenizer, question, turn.frame)
        room = context - len(prompt)
        if room < 1:
            raise EngineError("chat.too_long", tokens=len(prompt), context=context)
        most = min(question.max_new_tokens, room)
        pieces = _Pieces(turn, question, prompt)
        ids = torch.tensor([prompt], device=resident.device)
        with Beginning(model) if question.proven else contextlib.nullcontext() as began:
            model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=most,
                eos_token_id=sorted(turn.stops),
                pad_token_id=tokenizer.pad_token_id,
                use_cache=True,
                streamer=pieces,
                stopping_criteria=StoppingCriteriaList([_Stopped(question), NextQuestion(turn, len(prompt))]),
                **_sampling(question),
            )
    if began is not None:
        caught(lambda: _proven(resident, question, ids, began), "the proof of an answer")  # which has been given all the same
    made = pieces.made
    cut = len(made) >= most and not question.stopped.is_set() and made[-1] not in turn.stops and not turn.asks_on(made)
    question.outcome = Outcome(len(prompt), len(made), context, left_out, cut)
    question.pieces.put(None)


def _proven(resident: Resident, question: Question, ids: torch.Tensor, began: Beginning) -> None:
    question.proof = prove(resident, question, ids, began)


def _begun(question: Question, frame: endings.Frame) -> str:
    """What was said of an answer that goes on, with what the template writes before it."""
    if question.thinking == "learn" or question.begun.startswith(thoughts.OPEN):
        return question.begun.removeprefix(f"{thoughts.OPEN}\n") if frame.opened else question.begun
    return frame.lead + question.begun if question.begun else ""


def _prompt(tokenizer: Any, question: Question, frame: endings.Frame) -> tuple[list[int], int]:
    """The tokens of the prompt, up to the words from which an answer goes on, and how many turns were left out of it to make room."""
    ask = labels.asking(tokenizer, question.thinking)
    turns = [message.model_dump(exclude_none=True) for message in question.messages]
    said = _begun(question, frame)
    whole = ask(turns, said=said)
    context = question.model.card.context_length
    most = context - min(question.max_new_tokens, context // 4)
    if not question.shorten or len(whole) <= most:
        return whole, 0
    system = [turn for turn in turns if turn["role"] == "system"][:1]
    starts = [at for at, turn in enumerate(turns) if turn["role"] == "user"]
    chosen = bisect.bisect_left(starts, True, hi=len(starts) - 1, key=lambda at: len(ask(system + turns[at:], said=said)) <= most)
    kept = system + turns[starts[chosen] :]
    return ask(kept, said=said), len(turns) - len(kept)


def _sampling(question: Question) -> dict[str, Any]:
    """What `generate` is told, and the random state set: greedy where neither a temperature nor a seed was given."""
    seed, temperature = question.seed, question.temperature
    temperature = temperature if temperature is not None else 0.0 if seed is None else TEMPERATURE
    if not temperature:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    torch.manual_seed(secrets.randbelow(2**31) if seed is None else seed)  # the state is put back, and else would never change
    return {"do_sample": True, "temperature": temperature, "top_p": TOP_P if question.top_p is None else question.top_p}
