"""Inside the audit's child process: every row rendered, tokenised and measured; some of them spelled out piece by piece.

The limits of the process are set by `audit.main`; here only the time of one row through the template.
"""

import gc
import heapq
import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase

from tuning.errors import EngineError
from tuning.tokens import by_hand, labels, thoughts
from tuning.tokens.labels import Labelled
from tuning.tokens.lengths import Audit, Looked, Piece, Refused, Shown
from tuning.tokens.template import Rendered, Template

FIRST = 12  # rows of the beginning that are spelled out
WORST = 6  # of each kind: the longest, those that teach latest, those that teach nothing, those with marks
TURNS = 20  # of a conversation that may take as long again: every answer is rendered with all that was said before
MOST_UNKNOWN = 40  # characters of what a tokenizer does not know in a row that are told
MOST_TOKENS = 4096  # of a row that are spelled out


@dataclass(frozen=True)
class AuditOptions:
    """Which rows of the file `path` to look at: those `chosen`, counted from 0 (None: all), evenly spread where more than `most`."""

    path: str
    chosen: Sequence[int] | None
    most: int
    row_seconds: float  # of the processor, for one row through the template
    tell: Callable[[float], None] = lambda share: None  # hears now and then what share is done
    thinking: str = "auto"  # see `thoughts`
    template: str | None = None  # by hand, in the place of the model's own


@dataclass
class Counted:
    """What was counted on the way."""

    looked: list[Looked] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # in the file, of all rows that were not refused
    refused: list[Refused] = field(default_factory=list)
    merged: int = 0
    rewritten: int = 0
    thoughts: int = 0  # rows with some
    several: bool = False  # some row has more than one answer


def answer(model: str, path: str, wish: AuditOptions) -> str:
    """The audit as JSON, by the tokenizer in the folder `path`; or `{"error": {"code", "params"}}` where its files are broken, or a
    template by hand is at fault."""
    gc.disable()  # a vocabulary of 256,000 words is read in three fifths of the time
    try:
        tokenizer = labels.templated(labels.load(path), wish.template)
    except (OSError, ValueError, KeyError, RuntimeError):
        return json.dumps({"error": {"code": "model.cannot_load", "params": {"model": model}}})
    finally:
        gc.enable()
    if wish.template:
        alarm(wish.row_seconds)
        try:
            by_hand.check(tokenizer)
        except EngineError as error:
            return json.dumps({"error": {"code": error.code, "params": error.params}})
        finally:
            alarm(0)
    return look(tokenizer, wish).model_dump_json()


def look(tokenizer: PreTrainedTokenizerBase, wish: AuditOptions) -> Audit:
    """The audit of a file of rows in normal form."""
    every = range(_count(wish.path)) if wish.chosen is None else wish.chosen
    some = every if len(every) <= wish.most else [every[at * len(every) // wish.most] for at in range(wish.most)]
    template = Template(tokenizer, wish.thinking)

    def render(row: labels.NormalRow) -> Rendered:
        alarm(wish.row_seconds * (1 + len(row.get("messages", ())) / TURNS))
        try:
            return template.render(row)
        finally:
            alarm(0)

    began, seen = time.perf_counter(), Counted()
    alarm(wish.row_seconds)
    labeller = labels.Labeller(tokenizer)  # which asks the template how it ends an answer
    alarm(0)

    def refuse(row: int, error: EngineError) -> None:
        seen.refused.append(Refused(row=row, code=error.code, params=error.params))
        seen.places.pop()

    def rows() -> Iterator[dict[str, Any]]:
        for place, row in _rows(wish.path, some):
            seen.places.append(place)
            turns = row.get("messages", ())
            seen.thoughts += thoughts.has_thoughts(turns)
            seen.several = seen.several or sum(turn["role"] == "assistant" for turn in turns) > 1
            yield row
            if len(seen.places) % labels.BATCH == 0:
                wish.tell(len(seen.places) / len(some))

    alarm(wish.row_seconds)
    own, earlier = template.manner, template.keeps_earlier
    alarm(0)
    for labelled in labels.label_rows(labeller, rows(), render, refuse):
        seen.looked.append(_measured(labelled, tokenizer))
        seen.merged += labelled.rendered.merged
        seen.rewritten += labelled.rendered.rewritten > 0
    seconds = time.perf_counter() - began
    shown = [labeller.label([render(row)])[0] for _, row in _rows(wish.path, _worth(seen))]
    return Audit(
        rows=len(every),
        looked=seen.looked,
        shown=[_spelled(labelled, labeller.special) for labelled in shown],
        refused=seen.refused,
        merged=seen.merged,
        rewritten=seen.rewritten,
        thinking=thoughts.told(wish.thinking, own, (seen.thoughts, len(some)), earlier if seen.several else None),
        seconds=seconds,
    )


def pieces(labelled: Labelled, special: frozenset[int]) -> list[Piece]:
    """The first tokens of a row, spelled out. `special` are the ids of signs, which are shown as such."""
    learned = {at for first, end in labelled.spans for at in range(first, end)}
    unlearned = {at for first, end in labelled.unlearned for at in range(first, end)}
    found: list[Piece] = []
    before = 0
    for at, end in enumerate(labelled.ends[:MOST_TOKENS]):
        end = len(labelled.text) if at == len(labelled.ids) - 1 else end
        text = labelled.text[before:end]
        kind: Literal["learned", "unlearned", "context"] = "learned" if at in learned else "unlearned" if at in unlearned else "context"
        sign = labelled.ids[at] in special and not text.isspace()
        if not text and found and found[-1].kind == kind and not sign:  # the rest of a character of several tokens
            found[-1] = found[-1].model_copy(update={"tokens": found[-1].tokens + 1})
        else:
            found.append(Piece(text=text, kind=kind, special=sign))
        before = end
    return found


def _measured(labelled: Labelled, tokenizer: PreTrainedTokenizerBase) -> Looked:
    one = labelled.rendered
    return Looked(
        row=one.row,
        length=len(labelled.ids),
        learned=labelled.spans,
        unlearned=labelled.unlearned,
        stop=labelled.stop,
        text=one.plain,
        unknown=" ".join(dict.fromkeys(labelled.unknown(tokenizer)))[:MOST_UNKNOWN],
    )


def _spelled(labelled: Labelled, special: frozenset[int]) -> Shown:
    return Shown(row=labelled.rendered.row, pieces=pieces(labelled, special), more=max(0, len(labelled.ids) - MOST_TOKENS))


def _worth(seen: Counted) -> list[int]:
    """Places in the file of the rows worth seeing: the first, and those that lose most when the maximum length sinks."""
    rows = list(enumerate(seen.looked))
    chats = [(at, one) for at, one in rows if not one.text]
    longest = heapq.nlargest(WORST, chats, key=lambda pair: pair[1].length)
    latest = heapq.nlargest(WORST, [pair for pair in chats if pair[1].learned], key=lambda pair: pair[1].learned[0][0])
    nothing = [pair for pair in rows if not pair[1].learned][:WORST]
    marked = [pair for pair in rows if pair[1].unlearned][:WORST]
    return sorted({seen.places[at] for at, _ in [*rows[:FIRST], *longest, *latest, *nothing, *marked]})


def _rows(path: str, places: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows at these places of a file, ascending."""
    wanted = set(places)
    with open(path, "rb") as stream:
        for place, line in enumerate(stream):
            if place in wanted:
                yield place, json.loads(line)


def _count(path: str) -> int:
    with open(path, "rb") as stream:
        return sum(1 for _ in stream)


def alarm(seconds: float) -> None:
    """Let the system end this process when it has computed for so long; 0 takes it back. On Windows the parent's clock must do."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
