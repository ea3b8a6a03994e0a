"""Answers while a run is on: the same few questions asked of the base and of the adapter at every tenth of the way.

It appends to samples.jsonl and changes nothing of the training: greedy answers under forked random state, bounded in time.
Who asks a question of their own goes through `chat`.
"""

import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tuning.data.readers.languages import language
from tuning.engine import shutdown
from tuning.engine.resident import Resident
from tuning.engine.speak.batches import Answer, greedy
from tuning.errors import caught
from tuning.runs import files
from tuning.runs.run_folder import Run
from tuning.schema import SCHEMA
from tuning.text import t
from tuning.tokens import labels, thoughts

logger = logging.getLogger(__name__)

ROWS = 4  # questions of the data, beside one of general knowledge
LOOKED_AT = 1000  # rows among which they are chosen
LONGEST = 400  # characters of a question
OPENING = 12  # words of a text without roles that are given; it goes on from there
REFERENCE = 600  # characters of the answer in the data that are kept
NEW_TOKENS, FEWEST_TOKENS = 64, 24  # at most in an answer; where there is no time for the fewest, a point is left out
POINTS = 10
SECONDS = 20.0  # at most, for all answers of one point
SHARE = 0.03  # of the run so far that one point may take
WHOLE_SHARE = 0.1  # of the whole run that all points may take


@dataclass(frozen=True)
class TimelineQuestion:
    """One question: what it is shown as, the turns (or the text) that the model gets, and the answer in the data."""

    prompt: str
    turns: tuple[tuple[str, str], ...]  # role and content; none where `prompt` is the beginning of a text
    reference: str = ""
    thought: str = ""  # before that answer
    general: bool = False  # not from the data: it shows what may be forgotten


def pick(rows: Iterable[Mapping[str, Any]]) -> list[TimelineQuestion]:
    """Three to five questions to follow: short ones taken evenly from `rows` (in normal form), and a general one in their language.

    The same for the same rows. Texts without roles are asked to go on from their first words.
    """
    fit = [one for row in islice(rows, LOOKED_AT) if (one := _asked(row)) is not None]
    unlike = list({one.prompt: one for one in fit}.values())
    chosen = [unlike[number * len(unlike) // min(ROWS, len(unlike))] for number in range(min(ROWS, len(unlike)))]
    if chosen and chosen[0].turns:
        spoken = language(" ".join(f"{one.prompt} {one.reference}" for one in chosen))
        lang = "it" if spoken == "it" else "en"
        prompt = t(lang, "samples.general")
        chosen.append(TimelineQuestion(prompt, (("user", prompt),), t(lang, "samples.general.answer"), general=True))
    return chosen


def _asked(row: Mapping[str, Any]) -> TimelineQuestion | None:
    """A row's first question whose answer is learned, and that answer; None where it is too long, has tools, or has no answer."""
    if "text" in row:
        words = str(row["text"]).split()
        opening = " ".join(words[:OPENING])
        return (
            TimelineQuestion(opening, (), " ".join(words[OPENING:])[:REFERENCE])
            if len(words) > OPENING and len(opening) <= LONGEST
            else None
        )
    messages = row.get("messages", ())
    turns = [(str(turn["role"]), str(turn["content"])) for turn in messages]
    place = next((at for at, turn in enumerate(messages) if turn["role"] == "assistant" and turn.get("weight") != 0), 0)
    before = tuple(turns[:place])
    if row.get("tools") or not before or before[-1][0] != "user" or sum(len(text) for _, text in before) > LONGEST:
        return None
    thought, answer = thoughts.split(messages[place])
    return TimelineQuestion(before[-1][1], before, answer[:REFERENCE], thought)


@dataclass
class Timeline:
    """The answers of one run. Call `begin` before its first step and `maybe` after each; neither ever raises.

    `seconds` is what the run is expected to take, `context` the tokens that the model can hold.
    """

    run: Run
    resident: Resident
    asked: Sequence[TimelineQuestion]
    seconds: float
    context: int
    _answered: set[int] = field(default_factory=set)  # steps
    _spent: float = 0.0  # seconds, over all attempts
    _last: float = math.inf  # seconds that the last point took, where each of its answers came to its end by itself
    _token_seconds: float = 0.0
    _here: float = 0.0  # seconds that the points of this attempt took
    _began: float = 0.0
    _first: int = 0

    def __post_init__(self) -> None:
        for record in self.run.samples():
            self._answered.add(record["step"])
            seconds, cut = float(record.get("seconds", 0.0)), any(one["answer"].endswith("…") for one in record["answers"])
            self._last = math.inf if cut else seconds
            self._spent += seconds
            self._token_seconds = float(record.get("token_seconds", 0.0))

    def begin(self, step: int = 0) -> None:
        """Ask the base, unless that is done. `step` is where this attempt begins."""
        self.ask_base()
        self._began, self._first, self._here = time.monotonic(), step, 0.0

    def ask_base(self) -> None:
        """Ask the base, unless an earlier attempt did: before anything of it is changed, where the whole model is trained."""
        if 0 not in self._answered:
            self._ask(0, min(SECONDS, self.seconds * WHOLE_SHARE / 2), NEW_TOKENS)

    def maybe(self, step: int, total: int) -> None:
        """Ask the adapter where a tenth of the way is done, and where the answers take no more than their share of time."""
        due = step in {-(-total * point // POINTS) for point in range(1, POINTS + 1)}
        if not due or step in self._answered or step <= self._first:
            return
        step_seconds = (time.monotonic() - self._began - self._here) / (step - self._first)
        expected = min(self._last, FEWEST_TOKENS * self._token_seconds)
        limit = WHOLE_SHARE * step_seconds * total - self._spent
        if step < total:  # the last one matters most: time for it is set aside
            limit = min(SHARE * step_seconds * step, limit - expected)
        elif limit < FEWEST_TOKENS * self._token_seconds:  # and what came of it all is shown of the shortest run too
            self._ask(step, SECONDS, FEWEST_TOKENS)
            return
        if min(SECONDS, limit) >= expected:
            self._ask(step, min(SECONDS, limit), NEW_TOKENS, FEWEST_TOKENS if step < total else 0)

    def _ask(self, step: int, limit: float, count: int, least: int = 0) -> None:
        if not self.asked:
            return
        started = time.monotonic()
        if caught(lambda: self._write(step, started, limit, count, least), f"the answers at step {step} of run {self.run.id}") is not None:
            self.asked = []  # what went wrong once would do so again, and no run fails for it
        self._here += time.monotonic() - started

    def _write(self, step: int, started: float, limit: float, count: int, least: int) -> None:
        """Ask all, and append a line to samples.jsonl; none where the process has to end, or an answer was cut before `least` tokens: it
        would read as if the model said less than before."""
        # Where it is to be trained as a whole, or has been changed for the adapter, it speaks as the run.
        base = step == 0 and self.resident.base is not None and not self.resident.rewritten
        settings = self.run.spec().settings
        ids = list(_prompts(labels.templated(self.resident.tokenizer, settings.chat_template), self.asked, settings.thinking))
        room = max(1, min(count, self.context - max(map(len, ids))))
        who, ending = None if base else self.run, lambda: shutdown.asked(self.run)
        answers = greedy(self.resident, who, ids, room, limit, ending, settings.chat_template)
        if shutdown.asked(self.run):
            return
        took = time.monotonic() - started
        self._answered.add(step)
        self._spent += took
        if any(one.tokens < min(least, room) and not one.ended for one in answers):
            self._token_seconds *= 2  # they come slower than was thought
            return
        self._last = took if all(one.ended for one in answers) else math.inf
        self._token_seconds = took / max(1, *(one.tokens for one in answers))
        shown = [
            {"prompt": one.prompt, "answer": _shown(answer), "reference": one.reference, "general": one.general}
            for one, answer in zip(self.asked, answers, strict=True)
        ]
        record = {"schema": SCHEMA, "step": step, "time": time.time(), "answers": shown}
        record |= {"seconds": round(took, 3), "token_seconds": round(self._token_seconds, 5)}
        files.append_line(self.run.folder / "samples.jsonl", record)


def _shown(answer: Answer) -> str:
    """One that was cut ends with an ellipsis, and not with half a letter."""
    return answer.text if answer.ended else f"{answer.text.rstrip(chr(0xFFFD))}…"


def _prompts(tokenizer: Any, asked: Sequence[TimelineQuestion], thinking: str = "auto") -> Iterator[list[int]]:
    ask, bos = labels.asking(tokenizer, thinking), tokenizer.bos_token_id
    lead = [bos] if bos is not None and tokenizer("")["input_ids"][:1] == [bos] else []
    for one in asked:
        if one.turns:
            answer = {"role": "assistant", "content": one.reference, thoughts.KEY: one.thought}
            yield ask([{"role": role, "content": content} for role, content in one.turns], answer=answer)
        else:
            yield [*lead, *tokenizer(one.prompt, add_special_tokens=False, verbose=False)["input_ids"]]
