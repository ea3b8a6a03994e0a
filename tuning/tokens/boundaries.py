"""Tokens that hold where a model is asked: those of a prompt are the first tokens of every row that begins with it, whatever follows.

A tokenizer may join the end of a prompt with the first word of the answer. Where it does, the row is made of two pieces; all other
rows stay as the tokenizer makes them.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
Tokens = tuple[list[int], list[Span]]  # ids, and the characters of each; no characters where the tokenizer does not tell
SHORT = 200  # characters of what stands before an answer that are remembered: the same in all rows of most templates
BEFORE = "\n"  # what a piece in the middle of a text is tokenised behind


class Boundaries:
    """Keeps the tokens of one tokenizer apart at given places. `special` are the ids of signs: they are apart by themselves."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, special: frozenset[int]) -> None:
        self._tokenizer, self._special = tokenizer, special
        self._short = lru_cache(maxsize=4096)(self._made)

    def hold(self, text: str, made: Tokens, asked: Sequence[int]) -> Tokens:
        """`made` of `text`, so that a token begins at each of the places `asked` (characters), and those before are as without the rest."""
        cut: Span | None = None  # the place that was cut last: its token, its character
        for place in asked:
            ids, places = made
            first, begin = self._sign_before(made, place)
            inside = cut is not None and cut[0] >= first
            if inside:
                assert cut is not None
                first, begin = cut
            before = self._pieces(text[begin:place], begin, middle=inside)
            if ids[first : first + len(before[0])] == before[0]:
                continue
            last, end = self._sign_after(made, place, len(text))
            after = self._pieces(text[place:end], place, middle=True)
            cut = (first + len(before[0]), place)
            made = (
                [*ids[:first], *before[0], *after[0], *ids[last:]],
                [*places[:first], *before[1], *after[1], *places[last:]],
            )
        return made

    def _sign_before(self, made: Tokens, place: int) -> Span:
        """The last sign before a place, by token and character; else the beginning of the text."""
        ids, places = made
        at = next((at for at in range(len(places) - 1, -1, -1) if places[at][0] < place and ids[at] in self._special), None)
        return (0, 0) if at is None else (at, places[at][0])

    def _sign_after(self, made: Tokens, place: int, end: int) -> Span:
        """The first sign from a place on; else the end of the text."""
        ids, places = made
        at = next((at for at, (start, _) in enumerate(places) if start >= place and ids[at] in self._special), None)
        return (len(ids), end) if at is None else (at, places[at][0])

    def _pieces(self, text: str, begin: int, middle: bool) -> Tokens:
        ids, places = (self._short if len(text) <= SHORT else self._made)(text, middle)
        return list(ids), [(begin + first, begin + last) for first, last in places]

    def _made(self, text: str, middle: bool) -> Tokens:
        """The tokens of a text; in the `middle` of one without what some tokenizers put before its first word."""
        alone = self._tokens(text)
        if not middle:
            return alone
        lead, both = self._tokens(BEFORE), self._tokens(BEFORE + text)
        count = len(lead[0])
        if both[0][:count] != lead[0]:
            return alone
        return both[0][count:], [(max(0, first - len(BEFORE)), last - len(BEFORE)) for first, last in both[1][count:]]

    def _tokens(self, text: str) -> Tokens:
        made: Any = self._tokenizer(text, add_special_tokens=False, verbose=False)
        return list(made["input_ids"]), made.encodings[0].offsets if self._tokenizer.is_fast else []
