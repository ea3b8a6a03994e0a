"""Answers, token by token: one conversation in, pieces of text out, until the model ends its turn or is told to stop.

It runs on whatever thread owns the model; who asks, reads from a queue. An answer may be given in slices, between which the model does
something else; when it goes on is not decided here.
"""

import bisect
import contextlib
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from tuning.engine.device import Device
from tuning.engine.kernels import key_values
from tuning.engine.question import Outcome, Question
from tuning.engine.resident import Resident
from tuning.engine.speak.answer_form import AnswerForm, NextQuestion
from tuning.engine.speak.proof import Beginning, prove
from tuning.errors import EngineError, caught
from tuning.tokens import endings, labels, thoughts

TEMPERATURE, TOP_P = 0.7, 0.9  # where an answer is sampled and nobody says how
LEAST = 0.01  # temperature; below it no other token than the likeliest would be drawn, and logits would grow beyond all numbers
MOST = torch.finfo(torch.float32).max * LEAST / 2  # a logit at most: it can still be divided by a temperature
SPELT = 8  # tokens before the first of an answer that goes on, by which it is spelt


class _Pieces(BaseStreamer):
    """Turns token ids into text as soon as they are whole characters and certainly the answer's own, and no sooner."""

    def __init__(self, turn: AnswerForm, question: Question, prompt: list[int]) -> None:
        self.turn, self.question = turn, question
        self.ids = prompt[-SPELT:] if question.begun else []
        self.before = self.shown = len(self.ids)  # ids whose text is out
        self.start = 0  # ids before this one are no longer needed to spell the next
        self.asked = False  # generate hands over what it is given first, each time that the answer goes on
        self.thought, self.opening = turn.thinks and turn.frame.opened and not question.begun, not question.begun and not turn.thinks
        self.strip = bool(turn.frame.lead) and not question.begun  # the template writes a space, or a thought, before the first word
        self.held = ""  # what may be the beginning of the next question

    @property
    def made(self) -> list[int]:
        """The tokens of the answer."""
        return self.ids[self.before :]

    def put(self, value: torch.Tensor) -> None:
        if not self.asked:
            self.asked = True
            if self.thought:
                self.thought = False
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
        """The answer is over, or goes on later."""
        self.asked = False

    def finish(self) -> None:
        """Nothing is held back but an unfinished character."""
        if self.opening and self.ids:
            self._spell()
        if self.held and self.held != self.turn.next:
            self.question.pieces.put(self.held)


class _Finite(LogitsProcessor):
    """Makes numbers of logits that are none, as a diverged adapter has them, so that something can be drawn. Others stay as they are.

    A draw among what is no number ends in an assertion on a card, after which that computes nothing in this process any more.
    transformers' own `remove_invalid_values` leaves numbers so large that a temperature makes them infinite again.
    """

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return scores.nan_to_num(nan=0.0, posinf=MOST, neginf=-MOST).clamp(-MOST, MOST)


class _Stopped(StoppingCriteria):
    """Ends what is said where somebody has stopped it, and where it is another's turn."""

    def __init__(self, question: Question, enough: Callable[[], bool]) -> None:
        self.question, self.enough = question, enough

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        self.question.sign()
        ends = self.enough() or self.question.stopped.is_set()
        return torch.full((input_ids.shape[0],), ends, device=input_ids.device)


def answer(resident: Resident, question: Question) -> None:
    """Answer into `question.pieces`; None ends them, and `question.outcome` tells of it. The question's base must be the resident one.

    Raises EngineError where the conversation does not fit the context.
    """
    Saying(question).turn(resident)


class Saying:
    """An answer in the making, which can be left off after any token and goes on with the next.

    Between two of its turns the weights may learn: each token is said by them as they are then, over the keys and values of those before
    as they were, which nobody reads anew (as in PipelineRL, Piché et al., 2025). Random state goes on where the answer left it.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self._prompt: list[int] = []
        self._most = self._left_out = 0
        self._form: AnswerForm | None = None
        self._pieces: _Pieces | None = None
        self._how: dict[str, Any] = {}
        self._dice: tuple[torch.Tensor, torch.Tensor | None] | None = None
        self._marks: bytes | None = None  # of the weights, as long as they stand still

    def turn(self, resident: Resident, enough: Callable[[], bool] = lambda: False) -> bool:
        """Say more, at least one token, until the answer is over or `enough` says so, which is asked after each. Whether it is over.

        Raises what `answer` does.
        """
        first, question, ids = self._pieces is None, self.question, None
        if first or not question.stopped.is_set():
            with resident.speaking(*question.speaker, question.strength) as model, torch.no_grad():
                if first:
                    self._prepare(resident, model)
                with Beginning(model) if first and question.proven else contextlib.nullcontext() as began:
                    ids = resident.kept.sparing(partial(self._say, resident, model, enough, began))  # what was said stays said
            if began is not None:  # the answer has been given all the same
                caught(partial(self._prove, resident, ids, began), "the proof of an answer")
        if not self._over:
            return False
        assert self._pieces is not None
        made = self._pieces.made
        cut = len(made) >= self._most and not question.stopped.is_set() and not self._ended
        self._pieces.finish()
        question.outcome = Outcome(len(self._prompt), len(made), question.model.card.context_length, self._left_out, cut)
        question.pieces.put(None)
        return True

    @property
    def _ended(self) -> bool:
        """Has the model come to the end of its answer?"""
        assert self._pieces is not None and self._form is not None
        made = self._pieces.made
        return not made or made[-1] in self._form.stops or self._form.asks_on(made)

    @property
    def _over(self) -> bool:
        assert self._pieces is not None
        return self.question.stopped.is_set() or len(self._pieces.made) >= self._most or self._ended

    def _prepare(self, resident: Resident, model: Any) -> None:
        question, context = self.question, self.question.model.card.context_length
        tokenizer = labels.templated(resident.tokenizer, question.chat_template)
        self._form = AnswerForm(tokenizer, model, learned=question.run is not None, thinking=question.thinking)
        self._prompt, self._left_out = _prompt(tokenizer, question, self._form.frame)
        room = context - len(self._prompt)
        if room < 1:
            raise EngineError("chat.too_long", tokens=len(self._prompt), context=context)
        self._most = min(question.max_new_tokens, room)
        self._pieces, self._how = _Pieces(self._form, question, self._prompt), _sampling(question)

    def _say(self, resident: Resident, model: Any, enough: Callable[[], bool], began: Beginning | None) -> list[int]:
        """Go on, over the keys and values of what was read and said before as far as they are kept. The tokens that were gone on from."""
        pieces, form, here = self._pieces, self._form, Device.of(resident.device)
        assert pieces is not None and form is not None
        pieces.end()
        ids, marks = [*self._prompt, *pieces.made], self._weights(resident, model)
        going_on, talk = bool(pieces.made), (self.question.whose, self.question.speaker[0], self.question.strength)
        self._marks = marks if not going_on or marks == self._marks else None
        cache, known = resident.kept.take(self, b"", ids) if going_on else resident.kept.take(talk, marks or b"", ids)
        if began is not None:
            began.whole = not known
        if self._dice is not None:
            torch.set_rng_state(self._dice[0])
            here.put_random_state(self._dice[1])
        asked = torch.tensor([ids], device=resident.device)
        out = model.generate(
            input_ids=asked,
            attention_mask=torch.ones_like(asked),
            max_new_tokens=self._most - len(pieces.made),
            eos_token_id=sorted(form.stops),
            pad_token_id=resident.tokenizer.pad_token_id,
            use_cache=True,
            past_key_values=cache,
            return_dict_in_generate=True,
            streamer=pieces,
            stopping_criteria=StoppingCriteriaList([_Stopped(self.question, enough), NextQuestion(form, len(self._prompt))]),
            **self._how,
        )
        self._dice, said = (torch.get_rng_state(), here.random_state()), out.sequences[0].tolist()
        if not self._over:
            resident.kept.keep(self, b"", said, out.past_key_values, sliced=True)
        elif self._marks is not None:
            resident.kept.keep(talk, self._marks, said, out.past_key_values)
        return ids

    def _weights(self, resident: Resident, model: Any) -> bytes | None:
        """What tells the weights that answer from what they become when a run trains on; None where nobody's conversation is kept."""
        if self.question.whose is None:
            return None
        who = self.question.speaker[0]
        return b"" if who is None else key_values.weight_marks(model, None if who == resident.whose else resident.adapters[who])

    def _prove(self, resident: Resident, ids: list[int], began: Beginning) -> None:
        self.question.proof = prove(resident, self.question, torch.tensor([ids], device=resident.device), began)


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
    if temperature < LEAST:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    torch.manual_seed(secrets.randbelow(2**31) if seed is None else seed)  # the state is put back, and else would never change
    top_p = TOP_P if question.top_p is None else question.top_p
    return {"do_sample": True, "temperature": temperature, "top_p": top_p, "logits_processor": LogitsProcessorList([_Finite()])}
