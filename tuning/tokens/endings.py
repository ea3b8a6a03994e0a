"""What a template puts around an answer, told from conversations that it renders: the tokens that end a turn, and words before the answer.

It knows no family by name. What a model's own files say beside its template is added by whoever asks it.
"""

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from tuning.errors import EngineError
from tuning.tokens import thoughts
from tuning.tokens.template import NEXT, PROBE, Template

QUESTION, ANSWER = {"role": "user", "content": "?"}, {"role": "assistant", "content": PROBE}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "look", "arguments": {"x": PROBE}}}]}
TOOL = {"type": "function", "function": {"name": "look", "description": "?", "parameters": {"type": "object", "properties": {}}}}
TEXT_ENDS = ("<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>")  # of a text, whatever the template closes a turn with


@dataclass(frozen=True)
class Frame:
    """Around an answer: `lead`, what the template writes before its own words, and the ids of tokens that end it, `stops`."""

    lead: str
    stops: frozenset[int]

    @property
    def opened(self) -> bool:
        """Whether the prompt has opened a thought, which the answer goes on with."""
        return thoughts.CLOSE in self.lead and thoughts.OPEN not in self.lead

    @property
    def mark(self) -> str:
        """What stands last before the answer's own words where the model thinks or names a channel first."""
        return self.lead.split()[-1] if self.lead.split() else thoughts.CLOSE


def frame(tokenizer: PreTrainedTokenizerBase, thinking: str = "auto") -> Frame:
    """What the tokenizer's template puts around answers, by the choice of `thinking`."""
    try:
        lead = Template(tokenizer, thinking).framed([QUESTION])[1]
    except EngineError:
        lead = ""
    return Frame(lead, frozenset(stop_ids(tokenizer)))


def signs(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids of the tokens that stand apart from all text; the one for what is not known is a part of it."""
    return frozenset([*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder]) - {tokenizer.unk_token_id}


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Token ids that end a turn: the end of a text, and the sign that the template writes after an answer, or after a call of tools."""
    template, apart, known = Template(tokenizer), signs(tokenizer), tokenizer.get_vocab()
    found = {tokenizer.eos_token_id, *(known[sign] for sign in TEXT_ENDS if sign in known)}

    def among(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return [number for number in ids if number in apart]

    found.update(among(template.after([QUESTION, ANSWER]))[:1])
    found.update(among(template.after([QUESTION, ANSWER, {"role": "user", "content": NEXT}]))[:1])
    found.update(among(template.after([QUESTION, CALL], [TOOL]))[-1:])
    return {number for number in found if isinstance(number, int)}
