"""Where an answer ends and where its own words begin: stop tokens, the next question of a model without a template, thoughts.

Tokens in, text out; nothing is generated here.
"""

from typing import Any

import torch
from transformers import StoppingCriteria

from tuning.tokens import endings, labels, thoughts

TAIL = 16  # tokens at the end of what is being said in which the next question is looked for


class AnswerForm:
    """How one model's answers end and begin. `learned`: it was trained on the template, and closes its turns by itself.

    `thinking`: see `tokens.thoughts`.
    """

    def __init__(self, tokenizer: Any, model: Any, learned: bool, thinking: str = "auto") -> None:
        self.tokenizer, self.frame = tokenizer, endings.frame(tokenizer, thinking)
        self.thinks = thinking == "learn"
        named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
        self.stops = self.frame.stops | frozenset(named if isinstance(named, list) else [] if named is None else [named])
        self.next = labels.PLAIN_NEXT if not learned and tokenizer.chat_template == labels.PLAIN_TEMPLATE else ""

    def asks_on(self, ids: list[int]) -> bool:
        """Whether the next question has just begun."""
        return bool(self.next) and self.next in self.tokenizer.decode(ids[-TAIL:])

    def own(self, ids: list[int]) -> tuple[str, int]:
        """Where in `ids` the answer's own words begin, after a thought or a channel that was named, and what of them stands before that."""
        mark = self.frame.mark
        if mark not in self.tokenizer.decode(ids):
            return "", 0
        count = self.tokenizer.decode(ids).count(mark)
        at = next(at for at in range(1, len(ids) + 1) if self.tokenizer.decode(ids[:at]).count(mark) == count)
        return self.tokenizer.decode(ids[:at]).rpartition(mark)[2].lstrip(), at

    def opens(self, ids: list[int]) -> bool:
        """Whether `ids` are the template's words before an answer, or the beginning of them: nobody is to read those."""
        said, lead = "".join(self.tokenizer.decode(ids).split()), "".join(self.frame.lead.split())
        return bool(lead) and lead.startswith(said)

    def text(self, ids: list[int]) -> tuple[str, int | None]:
        """The words of an answer and, where it came to its end, in how many tokens."""
        end = next((at for at, token in enumerate(ids) if token in self.stops), None)
        first, begin = self.own(ids[:end])
        text = first + self.tokenizer.decode(ids[begin:end], skip_special_tokens=True)
        used = None if end is None else end + 1
        if end is None and self.next and self.next in text:
            text, used = text.partition(self.next)[0], len(ids)
        return text.strip(), used

    def has_thought(self, prompt: list[int], ids: list[int]) -> bool:
        """Whether an answer to `prompt` begins with a thought, which the prompt itself may have opened."""
        end = next((at for at, token in enumerate(ids) if token in self.stops), None)
        opened = self.tokenizer.decode(prompt[-TAIL:]).rstrip().endswith(thoughts.OPEN)
        return thoughts.begins((thoughts.OPEN if opened else "") + self.tokenizer.decode(ids[:end]))


class NextQuestion(StoppingCriteria):
    """Ends the rows in which a model that has learned no template goes on with a question of its own."""

    def __init__(self, turn: AnswerForm, width: int) -> None:
        self.turn, self.width = turn, width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        ended = [self.turn.asks_on(row[self.width :].tolist()) for row in input_ids]
        return torch.tensor(ended, device=input_ids.device)
