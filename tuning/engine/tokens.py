"""Rows as the model sees them: the chat template rendered, and for every token whether it is learned, context or cut.

One function for the audit and the trainer. Loss is on the assistant's answers only, their end-of-turn token included.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tuning.errors import EngineError
from tuning.schema import Message

IGNORED = -100

# For base models that come without a template of their own; saved with the adapter.
PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'assistant' %}Assistant: {% generation %}{{ message.content + (eos_token or '') }}{% endgeneration %}\n"
    "{% else %}{{ message.role.capitalize() }}: {{ message.content }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)


@dataclass(frozen=True)
class Encoded:
    """One row. `input_ids` and `labels` have the same length, at most max_length; labels are -100 where nothing is learned."""

    input_ids: list[int]
    labels: list[int]
    cut: int  # tokens beyond max_length
    answer_cut: bool  # the cut took a part of an answer

    @property
    def learned(self) -> int:
        return sum(label != IGNORED for label in self.labels)


@dataclass
class Totals:
    """Counts over all rows of a set, in tokens, and the rows that give nothing to learn."""

    rows: int = 0
    tokens: int = 0
    learned: int = 0
    context: int = 0
    cut: int = 0
    rows_cut: list[int] = field(default_factory=list)
    rows_empty: list[int] = field(default_factory=list)

    def add(self, row: int, encoded: Encoded) -> None:
        """Count one row; `row` is its number in the user's file."""
        self.rows += 1
        self.tokens += len(encoded.input_ids)
        self.learned += encoded.learned
        self.context += len(encoded.input_ids) - encoded.learned
        self.cut += encoded.cut
        if encoded.answer_cut:
            self.rows_cut.append(row)
        if not encoded.learned:
            self.rows_empty.append(row)


def prepare(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer what training needs and it may lack: a template and a padding token that is not learned from."""
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def encode(tokenizer: PreTrainedTokenizerBase, messages: list[Message], max_length: int) -> Encoded:
    """Render, tokenise and label one conversation.

    Templates with generation markers say themselves what is the assistant's; for others the answer is what a turn adds
    to the prompt before it. Raises EngineError("tokens.template") where a template allows neither.
    """
    turns = [message.model_dump() for message in messages]
    if "{% generation" in str(tokenizer.chat_template) or "{%- generation" in str(tokenizer.chat_template):
        both: Any = tokenizer.apply_chat_template(turns, return_dict=True, return_assistant_tokens_mask=True)
        ids, mask = list(both["input_ids"]), list(both["assistant_masks"])
    else:
        ids, mask = _by_prefix(tokenizer, turns)
    labels = [token if learned else IGNORED for token, learned in zip(ids, mask, strict=True)]
    kept = labels[:max_length]
    return Encoded(
        input_ids=ids[:max_length],
        labels=kept,
        cut=max(0, len(ids) - max_length),
        answer_cut=any(label != IGNORED for label in labels[max_length:]),
    )


def _by_prefix(tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, str]]) -> tuple[list[int], list[int]]:
    ids = _ids(tokenizer, turns, prompt=False)
    mask = [0] * len(ids)
    for position, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        before = _ids(tokenizer, turns[:position], prompt=True)
        after = _ids(tokenizer, turns[: position + 1], prompt=False)
        last = position == len(turns) - 1
        if after[: len(before)] != before or ids[: len(after)] != after:
            if not last:
                continue  # a template that rewrites earlier turns: only the last answer is learned
            raise EngineError("tokens.template", reason="data")
        mask[len(before) : len(after)] = [1] * (len(after) - len(before))
    return ids, mask


def _ids(tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, str]], prompt: bool) -> list[int]:
    both: Any = tokenizer.apply_chat_template(turns, return_dict=True, add_generation_prompt=prompt)
    return list(both["input_ids"])


def encode_rows(
    tokenizer: PreTrainedTokenizerBase, rows: Iterable[dict[str, Any]], max_length: int
) -> tuple[list[dict[str, list[int]]], Totals]:
    """All rows of a set as TRL takes them (`input_ids` and `labels`), without those that give nothing to learn, and totals.

    Raises EngineError("tokens.nothing") where no token of any row would be learned, and EngineError("tokens.no_end") where
    no answer that is whole ends with an end-of-turn token inside the learned part: such a model would never stop.
    """
    encoded, totals, ends = [], Totals(), 0
    stop = stop_ids(tokenizer)
    for row in rows:
        one = encode(tokenizer, [Message(**message) for message in row["messages"]], max_length)
        totals.add(row["row"], one)
        if one.learned:
            encoded.append({"input_ids": one.input_ids, "labels": one.labels})
            ends += any(label in stop for label in one.labels[-4:])
    if not totals.learned:
        raise EngineError("tokens.nothing", reason="data", rows=totals.rows, max_length=max_length)
    if not ends and len(totals.rows_cut) < totals.rows:
        raise EngineError("tokens.no_end", reason="data")
    return encoded, totals


def load(path: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a model's folder, ready for training. Raises OSError or ValueError where its files are broken."""
    tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    prepare(tokenizer)
    return tokenizer


def count(path: str, rows: Iterable[dict[str, Any]], max_length: int) -> dict[str, Any]:
    """What the model in `path` would learn of `rows`: counts in tokens, and the numbers of rows that lose something."""
    totals = encode_rows(load(path), rows, max_length)[1]
    return {
        "max_length": max_length,
        "tokens": totals.tokens,
        "learned": totals.learned,
        "context": totals.context,
        "cut": totals.cut,
        "rows_cut": totals.rows_cut[:100],
        "rows_nothing_learned": totals.rows_empty[:100],
    }


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Token ids that end a turn: the end of text and what chat templates are known to close a turn with."""
    ids = {tokenizer.eos_token_id} | {
        tokenizer.convert_tokens_to_ids(token)
        for token in ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|end_of_role|>", "<|endoftext|>", "</s>")
        if token in tokenizer.get_vocab()
    }
    return {number for number in ids if isinstance(number, int)}
