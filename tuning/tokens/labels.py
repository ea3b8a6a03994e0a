"""Rows as the model sees them: the chat template rendered, and for every token whether it is learned, context or cut.

One way for the audit and the trainer. Loss is on the assistant's answers only, their end-of-turn token included, and not on
those whose mark (`weight` 0) says so; of a text without roles it is on all but the first token, which nothing comes before.
"""

import copy
import logging
import pathlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from operator import itemgetter
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tuning.errors import EngineError
from tuning.models import model_folder
from tuning.tokens.boundaries import Boundaries, Span
from tuning.tokens.endings import signs, stop_ids
from tuning.tokens.template import Rendered, Template
from tuning.tokens.variants import Dialogue

logger = logging.getLogger(__name__)

IGNORED = -100
TAIL = 4  # tokens at the end of an answer among which its end of turn is: templates put a line break after it

# For base models that come without a template of their own; saved with the adapter. The space before an answer is the answer's:
# most tokenizers have it in one token with the first word, and know nothing that goes on after a space alone.
PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'assistant' %}Assistant:{% generation %}{{ ' ' + message.content + (eos_token or '') }}{% endgeneration %}\n"
    "{% else %}{{ message.role.capitalize() }}: {{ message.content }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
PLAIN_NEXT = "\nUser:"  # where a model that has not learned that template would go on with the next question
BATCH = 256  # rows that are tokenised together
BATCH_CHARACTERS = 1_000_000

NormalRow = Mapping[str, Any]
Refuse = Callable[[int, EngineError], None]


@dataclass(frozen=True)
class Labelled:
    """One whole row in tokens. `spans` are the learned ones: first, and one after the last."""

    rendered: Rendered
    text: str  # what the tokens spell
    ids: list[int]
    spans: list[Span]
    places: list[Span]  # of every token, in characters of the text
    stop: int  # position of the end of turn that closes the last answer; -1 where it is not learned
    unlearned: list[Span] = field(default_factory=list)  # answers that are given and not to be learned

    @property
    def ends(self) -> list[int]:
        """Where in the text each token ends. One that has only a part of a character, or spaces, may end where it begins."""
        return list(accumulate((end for _, end in self.places), max))

    def unknown(self, tokenizer: PreTrainedTokenizerBase) -> list[str]:
        """What of the text its tokenizer has no token for, in order: the model reads and writes a sign for the unknown there."""
        places = [place for number, place in zip(self.ids, self.places, strict=True) if number == tokenizer.unk_token_id]
        words = (self.text[slice(*place)] for place in places) if tokenizer.is_fast else ()
        return [word for word in words if word.strip() and word != tokenizer.unk_token]

    def cut(self, max_length: int) -> "list[Encoded]":
        """As sequences of at most `max_length` tokens: a conversation is cut, a text goes on in the next sequence.

        The first token of such a next one is the last of the one before, so that none is left out of what is learned.
        """
        starts = [0]
        if self.rendered.plain:
            starts = list(range(0, max(1, len(self.ids) - 1), max_length - 1))
        return [self._part(start, max_length) for start in starts]

    def _part(self, start: int, max_length: int) -> "Encoded":
        ids = self.ids[start : start + max_length]
        labels = [IGNORED] * len(ids)
        for first, end in self.spans:
            inside = slice(max(0, first - start, 1), max(0, min(end - start, max_length)))
            labels[inside] = ids[inside]
        gone = 0 if self.rendered.plain else len(self.ids) - len(ids)
        last = self.spans[-1][1] if self.spans else 0
        return Encoded(ids, labels, gone, answer_cut=gone > 0 and last > max_length, ended=start < self.stop < start + max_length)


@dataclass(frozen=True)
class Encoded:
    """One sequence. `input_ids` and `labels` have the same length, at most max_length; labels are -100 where nothing is learned."""

    input_ids: list[int]
    labels: list[int]
    cut: int  # tokens beyond max_length
    answer_cut: bool  # the cut took a part of an answer
    ended: bool  # an end of turn, or of the text, is learned

    @property
    def learned(self) -> int:
        return len(self.labels) - self.labels.count(IGNORED)


@dataclass
class TokenCounts:
    """Counts over all rows of a set, in tokens, and the numbers of the rows that lose something."""

    rows: int = 0
    tokens: int = 0
    learned: int = 0
    context: int = 0
    cut: int = 0
    rows_cut: list[int] = field(default_factory=list)  # that lose a part of an answer
    rows_empty: list[int] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)  # by the template, with the code that says why
    refusal: EngineError | None = None  # the first of them
    ended: int = 0  # rows of which an end of turn is learned

    def add(self, row: int, sequences: list[Encoded]) -> None:
        """Count one row; `row` is its number in the user's file."""
        learned, length = sum(one.learned for one in sequences), sum(len(one.input_ids) for one in sequences)
        self.rows += 1
        self.tokens += length
        self.learned += learned
        self.context += length - learned
        self.cut += sum(one.cut for one in sequences)
        self.ended += any(one.ended for one in sequences)
        if any(one.answer_cut for one in sequences):
            self.rows_cut.append(row)
        if not learned:
            self.rows_empty.append(row)

    def refuse(self, row: int, error: EngineError) -> None:
        """Count a row that the template does not take."""
        self.refused.append((row, error.code))
        self.refusal = self.refusal or error

    def check(self, max_length: int) -> None:
        """Raises EngineError where nothing could be learned, or no answer would ever end: see `encode_rows`."""
        if self.refusal is not None and not self.rows:
            raise self.refusal
        if not self.learned:
            raise EngineError("tokens.nothing", reason="data", rows=self.rows, max_length=max_length)
        if not self.ended and len(self.rows_cut) < self.rows:
            raise EngineError("tokens.no_end", reason="data")


def prepare(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer what training needs and it may lack: a template and a padding token that is not learned from."""
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)


def load(path: str, code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer in a model's folder, ready for training; with `code` it may be of a class of its own.

    Where it does not say itself which token ends a text, config.json does. Raises OSError or ValueError where its files are broken.
    """
    tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=code, local_files_only=True)
    rows, end = model_folder.vocabulary(pathlib.Path(path))
    rows = rows or len(tokenizer)
    if tokenizer.eos_token is None and end is not None and end < len(tokenizer):
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id >= rows:
        tokenizer.pad_token = None  # added after the model was made
    prepare(tokenizer)
    odd = tokenizer.added_tokens_decoder.items() if len(tokenizer) > rows else ()
    tokenizer.unembedded = [str(token) for number, token in odd if number >= rows]  # of which a Template asks
    return tokenizer


def templated(tokenizer: PreTrainedTokenizerBase, template: str | None) -> PreTrainedTokenizerBase:
    """The tokenizer with a chat template by hand in the place of its own; itself where there is none."""
    if not template:
        return tokenizer
    own = copy.copy(tokenizer)
    own.chat_template = template
    return own


def asking(tokenizer: PreTrainedTokenizerBase, thinking: str = "auto") -> Callable[..., list[int]]:
    """How a model is asked, whoever does it: a function from turns, and tools, to the tokens of the prompt.

    They are the first tokens of the row that these turns and any answer to them make by the same choice of `thinking`, and `said`
    where it begins with those words. With an `answer` they are those of the row with this very answer: where thoughts are learned,
    one without any is asked for in another way.
    Raises EngineError as `encode_row` does.
    """
    template, labeller = Template(tokenizer, thinking), Labeller(tokenizer)

    def ask(turns: Dialogue, tools: Any = None, said: str = "", answer: Mapping[str, Any] | None = None) -> list[int]:
        quiet = answer is not None and template.choice([*turns, dict(answer)]) != thinking
        try:
            prompt = (template.keeping if quiet else template).prompt(turns, tools)
            return labeller.ids(replace(prompt, text=prompt.text + said) if said else prompt)
        except MemoryError as error:  # more at once than there is: it was never taken
            raise EngineError("tokens.endless", reason="data") from error

    return ask


def encode_row(tokenizer: PreTrainedTokenizerBase, row: NormalRow, max_length: int, thinking: str = "auto") -> list[Encoded]:
    """One row in normal form: one sequence of a conversation, as many as it takes of a text.

    Raises EngineError where the chat template does not take it: `tokens.template`, `tokens.tools`, `tokens.long`; and
    `tokens.unembedded` where the model has no embedding for a token of it.
    """
    return Labeller(tokenizer).label([Template(tokenizer, thinking).render(row)])[0].cut(max_length)


def encode_rows(
    tokenizer: PreTrainedTokenizerBase, rows: Iterable[NormalRow], max_length: int, thinking: str = "auto"
) -> tuple[list[dict[str, list[int]]], TokenCounts]:
    """All rows of a set as TRL takes them (`input_ids` and `labels`), without those that give nothing to learn, and totals.

    Rows that the chat template does not take are left out and counted. Raises EngineError with the code of the first where
    it takes none, "tokens.nothing" where no token of any row would be learned, and "tokens.no_end" where no answer that is
    whole ends with an end-of-turn token inside the learned part: such a model would never stop.
    """
    encoded: list[dict[str, list[int]]] = []
    totals = TokenCounts()
    for labelled in label_rows(Labeller(tokenizer), rows, Template(tokenizer, thinking).render, totals.refuse):
        sequences = labelled.cut(max_length)
        totals.add(labelled.rendered.row, sequences)
        encoded.extend({"input_ids": one.input_ids, "labels": one.labels} for one in sequences if one.learned)
    totals.check(max_length)
    if totals.refused:
        logger.warning("%d rows are left out, the first is row %d: %s", len(totals.refused), *totals.refused[0])
    return encoded, totals


def label_rows(
    labeller: "Labeller", rows: Iterable[NormalRow], render: Callable[[NormalRow], Rendered], refuse: Refuse
) -> Iterator[Labelled]:
    """Rows in tokens, in their order, many at a time. What `render` says no to is handed to `refuse`."""
    waiting: list[Rendered] = []
    characters = 0
    for row in rows:
        try:
            waiting.append(render(row))
        except EngineError as error:
            refuse(row["row"], error)
            continue
        characters += len(waiting[-1].text)
        if len(waiting) == BATCH or characters > BATCH_CHARACTERS:
            yield from labeller.label(waiting)
            waiting, characters = [], 0
    yield from labeller.label(waiting)


class Labeller:
    """Makes tokens of rendered rows, and finds those that are learned."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        # Signs are told from words where it is known which characters they take.
        self.special = frozenset([*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder]) if tokenizer.is_fast else frozenset()
        self._stops = stop_ids(tokenizer)
        self._boundaries = Boundaries(tokenizer, signs(tokenizer) if tokenizer.is_fast else frozenset())
        bos = tokenizer.bos_token_id
        self._lead = [bos] if bos is not None and tokenizer("")["input_ids"][:1] == [bos] else []

    def label(self, batch: list[Rendered]) -> list[Labelled]:
        """All of them, in order."""
        return [
            self._plain(one, ids, places) if one.plain else self._chat(one, ids, places)
            for one, (ids, places) in zip(batch, self._tokens(batch), strict=True)
        ]

    def ids(self, one: Rendered) -> list[int]:
        """The tokens of a rendered prompt: those that every row begins with that has been rendered from the same turns."""
        return self._tokens([one])[0][0]

    def _tokens(self, batch: list[Rendered]) -> list[tuple[list[int], list[Span]]]:
        """Ids and characters of each; no characters where the tokenizer does not tell."""
        if not batch:
            return []
        made: Any = self.tokenizer(
            [one.text for one in batch],
            add_special_tokens=False,  # a template writes them itself
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        offsets = [encoding.offsets for encoding in made.encodings] if self.tokenizer.is_fast else [[]] * len(batch)
        return [
            self._boundaries.hold(one.text, (ids, places), one.asked)
            for one, ids, places in zip(batch, made["input_ids"], offsets, strict=True)
        ]

    def _chat(self, one: Rendered, ids: list[int], places: list[Span]) -> Labelled:
        if not self.tokenizer.is_fast:
            spans = [(self._before(one, ids, start), self._before(one, ids, end)) for start, end in one.spans]
            unlearned = [(self._before(one, ids, start), self._before(one, ids, end)) for start, end in one.unlearned]
            places = []  # not known of tokens: the first of a span stands for all of them
            for (first, end), (start, stop) in zip(spans, one.spans, strict=True):
                places += [(start, start)] * (first - len(places)) + [(stop, stop)] * (end - first)
            places += [(len(one.text),) * 2] * (len(ids) - len(places))
        else:
            spans = [self._span(one, ids, places, span) for span in one.spans]
            unlearned = [self._span(one, ids, places, span) for span in one.unlearned]
        spans = [(max(1, start), end) for start, end in spans if max(1, start) < end]
        return Labelled(one, one.text, ids, spans, places, self._stop(ids, spans), unlearned)

    def _span(self, one: Rendered, ids: list[int], places: list[Span], span: Span) -> Span:
        """The tokens of an answer. One that also holds the end of the prompt is learned: it says the first word."""
        first, last = bisect_right(places, span[0], key=itemgetter(1)), bisect_left(places, span[1], key=itemgetter(0))
        if first < last and places[first][0] < span[0] and ids[first] in self.special:
            first += 1  # a sign of the template's that takes the space after it
        if first < last and places[last - 1][1] > span[1] and not one.text[span[1] : places[last - 1][1]].isspace():
            last -= 1
        return first, last

    def _before(self, one: Rendered, ids: list[int], place: int) -> int:
        """How many tokens stand before a character, for tokenizers that do not know: as many as the text before it has."""
        alone = self.ids(replace(one, text=one.text[:place], asked=[at for at in one.asked if at < place]))
        return next((at for at, (a, b) in enumerate(zip(alone, ids, strict=False)) if a != b), min(len(alone), len(ids)))

    def _plain(self, one: Rendered, ids: list[int], places: list[Span]) -> Labelled:
        eos = self.tokenizer.eos_token_id
        tail = [] if eos is None or ids[-1:] == [eos] else [eos]
        head, foot = self.tokenizer.convert_ids_to_tokens(self._lead), self.tokenizer.convert_ids_to_tokens(tail)
        text = "".join([*head, one.text, *foot])
        start, end = len("".join(head)), len(text)
        inner = [(end, end)] * len(ids) if not self.tokenizer.is_fast else [(start + first, start + stop) for first, stop in places]
        places = [*((start, start) for _ in head), *inner, *((end, end) for _ in tail)]
        ids = [*self._lead, *ids, *tail]
        spans = [(1, len(ids))] if len(ids) > 1 else []
        return Labelled(one, text, ids, spans, places, self._stop(ids, spans))

    def _stop(self, ids: list[int], spans: list[Span]) -> int:
        if not spans:
            return -1
        start, end = spans[-1]
        return next((at for at in range(end - 1, max(start, end - TAIL) - 1, -1) if ids[at] in self._stops), -1)
