"""What a base and its adapter make of many rows: the loss of each row, and greedy answers to each question, in batches.

Random state is forked and the model's mode is put back, so that nothing of this shows in a run. What it means is not told here.
"""

import math
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch.nn import functional
from transformers import StoppingCriteria, StoppingCriteriaList

from tuning.engine.device import Device, ran_out
from tuning.engine.kernels.head import causal, head_fits, pad, scaled
from tuning.engine.resident import Resident
from tuning.engine.speak.answer_form import AnswerForm, NextQuestion
from tuning.errors import EngineError
from tuning.runs.run_folder import Run
from tuning.tokens import labels, thoughts
from tuning.tokens.template import Template

ROOM = 1.5  # tokens that an answer may have, by those of the longest reference in its batch
SPARE = 8  # and so many more: the end of turn, and a short answer said in other words
MOST_TOKENS = 512
FIRST, BATCH = 4, 16  # questions answered together: few at first, to see how long it takes


class Speaker(Protocol):
    """Whoever answers by an adapter, or a whole model: a run, or what it began with."""

    @property
    def id(self) -> str: ...

    @property
    def adapter(self) -> pathlib.Path: ...


Sequences = list[dict[str, list[int]]]


class Ended(Exception):
    """Somebody will not wait for the rest."""


@dataclass
class Clock:
    """Seconds of work so far; `between` is called after every batch, and its time is not counted."""

    between: Callable[[], None] = lambda: None
    _before: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        return self._before + time.monotonic() - self._since

    def pause(self) -> None:
        """Let others have their turn. Whatever `between` raises ends the work; `Ended` says that what was found by then counts."""
        self._before = self.spent
        self.between()
        self._since = time.monotonic()


@dataclass(frozen=True)
class EvaluationQuestion:
    """A row to be answered: the turns before its last answer, that answer, and what was to be called for it."""

    row: int
    turns: list[dict[str, Any]]
    reference: str
    tools: list[dict[str, Any]] | None = None
    thought: str = ""  # before that answer

    @property
    def question(self) -> str:
        """All that stands before the answer."""
        return "\n".join(str(turn.get("content") or "") for turn in self.turns)

    @property
    def answer(self) -> dict[str, Any]:
        """The answer as a turn, with its thought."""
        return {"role": "assistant", "content": self.reference, thoughts.KEY: self.thought}


def asked(row: Mapping[str, Any]) -> EvaluationQuestion | None:
    """The last answer of a row that is learned, and what it answers to; None of a text, and of an answer that only calls tools."""
    turns = [dict(turn) for turn in row.get("messages", ())]
    if any("weight" in turn for turn in turns):  # an answer that is not to be learned is nothing to measure by
        learned = [at for at, turn in enumerate(turns) if turn["role"] == "assistant" and turn.get("weight") != 0]
        turns = turns[: learned[-1] + 1] if learned else []
    if len(turns) < 2 or turns[-1]["role"] != "assistant" or not turns[-1]["content"].strip() or turns[-1].get("tool_calls"):
        return None
    thought, reference = thoughts.split(turns[-1])
    return EvaluationQuestion(int(row["row"]), turns[:-1], reference, row.get("tools") or None, thought)


def encoded(tokenizer: Any, rows: Sequence[Mapping[str, Any]], max_length: int, thinking: str = "auto") -> dict[int, Sequences]:
    """Rows in normal form as they are learned, by the choice of `thinking`, by row number.

    Those that the template refuses or that teach nothing are left out.
    """
    found: dict[int, Sequences] = {}
    for labelled in labels.label_rows(labels.Labeller(tokenizer), rows, Template(tokenizer, thinking).render, lambda row, error: None):
        cut = [{"input_ids": one.input_ids, "labels": one.labels} for one in labelled.cut(max_length) if one.learned]
        if cut:
            found[labelled.rendered.row] = cut
    return found


def losses(
    resident: Resident, run: Run | None, sequences: Sequences, bf16: bool = False, strength: float = 100.0
) -> list[tuple[float, int]]:
    """Summed negative log-likelihood in nats, and number of learned tokens, of each sequence: one batch.

    `run` None means the bare base. `strength`: see `Resident.speaking`. `bf16`: compute under autocast on a CPU, as the run does.
    """
    here = Device.of(resident.device)
    batch = pad(sequences, resident.tokenizer.pad_token_id, resident.device)
    with (
        resident.speaking(run.id if run else None, run.adapter if run else None, strength) as model,
        torch.no_grad(),
        here.autocast(torch.bfloat16, bf16 and not here.on_card),
    ):
        sums, counts = row_nll(causal(model), batch)
    return list(zip(sums.tolist(), counts.tolist(), strict=True))


def row_nll(causal: Any, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """As `head.labelled_nll`, for each row of the batch apart: two tensors of shape (rows,)."""
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "use_cache": False}
    targets = batch["labels"][:, 1:]
    chosen = targets != labels.IGNORED
    if head_fits(causal):
        hidden = causal.base_model(**inputs).last_hidden_state
        logits = scaled(causal.get_output_embeddings()(hidden[:, :-1][chosen]), causal.config.get_text_config())
    else:
        logits = causal(**inputs).logits[:, :-1][chosen]
    each = functional.cross_entropy(logits.float(), targets[chosen], reduction="none")
    sums = torch.zeros(len(targets), device=each.device).index_add(0, chosen.nonzero()[:, 0], each)
    return sums, chosen.sum(dim=1)


def prompts(
    resident: Resident,
    questions: Sequence[EvaluationQuestion],
    context: int,
    thinking: str = "auto",
    *,
    let: bool = False,
    template: str | None = None,
) -> list[tuple[EvaluationQuestion, list[int]]]:
    """The questions in tokens, as chat asks them and as rows with such an answer are learned. `template`: by hand, as of `greedy`.

    Where a model is `let` think, each is asked as if its answer were not known yet. Those that the template refuses or that leave no
    room are left out.
    """
    tokenizer = labels.templated(resident.tokenizer, template)
    ask = labels.asking(tokenizer, thinking)
    found = []
    for one in questions:
        try:
            ids = ask(one.turns, one.tools, answer=None if let else one.answer)
        except EngineError:
            continue
        if len(ids) + room(tokenizer, [one]) <= context:
            found.append((one, ids))
    return found


def room(tokenizer: Any, batch: Sequence[EvaluationQuestion]) -> int:
    """Tokens that the answers of a batch may have."""
    longest = max(len(tokenizer(one.thought + one.reference, add_special_tokens=False, verbose=False)["input_ids"]) for one in batch)
    return min(MOST_TOKENS, math.ceil(ROOM * longest) + SPARE)


def answers(
    resident: Resident, run: Speaker | None, ids: Sequence[list[int]], count: int, seconds: float, template: str | None = None
) -> list["Answer"] | None:
    """`greedy`; None where `seconds` or the memory were not enough for all of them."""
    until = time.monotonic() + seconds
    try:
        made = greedy(resident, run, ids, count, seconds, template=template)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        return None
    if time.monotonic() > until and not all(one.ended for one in made):
        return None
    return made


@dataclass(frozen=True)
class Answer:
    """What was said to one prompt, in how many tokens, whether it came to its end or was cut, and whether a thought was before it."""

    text: str
    tokens: int
    ended: bool
    thinks: bool = False


class _Ending(StoppingCriteria):
    def __init__(self, ending: Callable[[], bool]) -> None:
        self.ending = ending

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self.ending(), device=input_ids.device)


def greedy(
    resident: Resident,
    run: Speaker | None,
    ids: Sequence[list[int]],
    count: int,
    seconds: float,
    ending: Callable[[], bool] = lambda: False,
    template: str | None = None,
) -> list[Answer]:
    """Greedy answers to one batch of prompts: at most `count` tokens, for about `seconds`, or until `ending` says so.

    Prompts are padded on the left, so that all answers begin at the same place. `run` None means the bare base. `template`: by hand, in the
    place of the model's own, with the signs that end its answers.
    """
    tokenizer, device = labels.templated(resident.tokenizer, template), resident.device
    width, pad_id = max(map(len, ids)), tokenizer.pad_token_id
    with resident.speaking(run.id if run else None, run.adapter if run else None) as model, torch.no_grad():
        turn = AnswerForm(tokenizer, model, learned=run is not None)
        out = model.generate(
            input_ids=torch.tensor([[pad_id] * (width - len(row)) + row for row in ids], device=device),
            attention_mask=torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=device),
            max_new_tokens=count,
            max_time=seconds,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=sorted(turn.stops),
            pad_token_id=pad_id,
            use_cache=True,
            stopping_criteria=StoppingCriteriaList([_Ending(ending), NextQuestion(turn, width)]),
        )
    made = []
    for prompt, row in zip(ids, (row[width:].tolist() for row in out), strict=True):
        text, used = turn.text(row)
        made.append(Answer(text, len(row) if used is None else used, used is not None, turn.has_thought(prompt, row)))
    return made
