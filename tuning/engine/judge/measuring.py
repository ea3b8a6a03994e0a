"""The passes of an evaluation: losses and greedy answers of base and tuned, as many as there is time for at the speed that is seen.

First a batch of each kind, to see how fast this model is here; then `pacing` deals out the seconds. What the figures mean is not
told here.
"""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning import presets
from tuning.data.library import NormalRows
from tuning.engine.judge import pacing
from tuning.engine.resident import Resident
from tuning.engine.speak import batches
from tuning.engine.speak.batches import Answer, Clock, Ended, EvaluationQuestion
from tuning.runs.evaluation import scores, verdict
from tuning.runs.evaluation.verdict import FEWEST
from tuning.runs.run_folder import Run
from tuning.schema import RunSpec
from tuning.settings import PRESETS
from tuning.tokens import labels

MOST_LOSSES, MOST_TRAINING, MOST_ANSWERS = 500, 64, 200  # rows
PROBE_TOKENS = 24
ANSWER_ROWS = 6  # losses of a row take as long as an answer of some twenty tokens, until one was timed: SmolLM2-135M on two cores

LossSum = tuple[float, int]  # summed loss in nats, learned tokens
LossPairs = list[tuple[LossSum, LossSum]]  # of base and tuned
Scored = tuple[int, dict[str, list[int]]]  # a row's number, and tokens of it
Prompt = tuple[EvaluationQuestion, list[int]]
ProbeFindings = dict[str, dict[str, Any]]  # by language


@dataclass(frozen=True)
class Allowed:
    """The seconds that a report may take."""

    wanted: float  # without end for all rows
    most: float  # where what is `pacing.ENOUGH` takes longer
    patience: float  # where the FEWEST answers do


@dataclass
class Timed:
    """The seconds that things take here, as they were timed last; 0 where they were not yet."""

    token: float = 0.0  # the loss of a token, by one model
    row: float = 0.0  # the loss of a held-out row, by both
    answer: float = 0.0  # an answer, by both


@dataclass
class Measured:
    """What is known so far. Where there are two, they are of base and tuned."""

    losses: dict[int, tuple[LossSum, LossSum]] = field(default_factory=dict)  # of held-out rows, by their numbers
    asked: list[EvaluationQuestion] = field(default_factory=list)  # that both have answered
    said: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    thinks: tuple[list[bool], list[bool]] = field(default_factory=lambda: ([], []))  # whether a thought stood before each
    plain: dict[str, LossPairs] = field(default_factory=dict)  # of the probe's sentences, by language
    right: dict[str, dict[str, int]] = field(default_factory=dict)  # answers to the probe's questions, by language: base, tuned, of
    studied: LossSum = (0.0, 0)  # tuned, on rows that it learned from
    questions: int = 0  # that could be asked
    all_seconds: float | None = None  # that all would take, where not all were asked
    ended: bool = False  # before its time

    @property
    def training_loss(self) -> float | None:
        """Nats per learned token, tuned, on some rows that it learned from."""
        return self.studied[0] / self.studied[1] if self.studied[1] else None

    def probe(self, seed: int) -> ProbeFindings:
        """By language: the loss on plain sentences, and how many questions were answered right, or None."""
        losses = {lang: loss_of(found, list(range(len(found))), seed) for lang, found in self.plain.items() if found}
        return {lang: {"loss": loss, "right": self.right.get(lang)} for lang, loss in losses.items()}


@dataclass
class Measuring:
    """One report in the making: `everything` goes through the passes, and what they find is `found`."""

    run: Run
    spec: RunSpec
    resident: Resident
    clock: Clock
    allowed: Allowed
    timed: Timed = field(default_factory=Timed)
    until: dict[str, float] = field(default_factory=dict)  # on the clock, by part, as `pacing` deals them out
    found: Measured = field(default_factory=Measured)

    def prepare(self) -> None:
        """Load what is not there of base and tuned; that is not counted as measuring."""
        for asked in ((None, None), (self.run.id, self.run.adapter)):
            with self.resident.speaking(*asked):
                pass
        self.clock = Clock(self.clock.between)

    def everything(self, learned: NormalRows, held_out: NormalRows) -> Measured:
        """All passes; what they found.

        Raises `Ended` where somebody ended it before so much was known as can be said anything of.
        """
        try:
            self._everything(learned, held_out)
        except Ended:
            self.found.ended = True
            if len(self.found.losses) < min(FEWEST, len(held_out)):
                raise
        self._estimate(held_out)
        return self.found

    def _everything(self, learned: NormalRows, held_out: NormalRows) -> None:
        seed, whole = self.spec.settings.seed, self.allowed.wanted == float("inf")
        rows = sample(held_out, len(held_out) if whole else MOST_LOSSES, seed)
        scoring, studied = self._tokens(rows), self._tokens(sample(learned, MOST_TRAINING, seed))
        asking = self._prompts(rows if whole else rows[:MOST_ANSWERS])
        plain = {lang: self._tokens(sample(_sentences(items), len(items), seed)) for lang, items in presets.probe(PRESETS).items()}
        self._first(scoring, asking)
        self._plan(scoring, asking, studied, plain)
        self._losses(scoring)
        self._probe_losses(plain)
        self._training_loss(studied)
        self._answers(asking)
        self._let_think()
        self._probe_answers()
        self.until |= dict.fromkeys(("losses", "answers"), self.until["recall"])  # what is left: the first batches may be the slowest
        self._losses(scoring)
        self._answers(asking)

    def pair(self, some: Sequence[Scored]) -> Iterator[tuple[LossSum, LossSum]]:
        """Losses of some sequences by base and tuned."""
        return zip(self._loss_sums(None, some), self._loss_sums(self.run, some), strict=True)

    def _loss_sums(self, run: Run | None, some: Sequence[Scored]) -> list[LossSum]:
        return batches.losses(self.resident, run, [one for _, one in some], self.spec.settings.precision == "bf16")

    @property
    def _batch(self) -> int:
        return int(self.spec.settings.per_device_train_batch_size)

    def _tokens(self, rows: NormalRows) -> deque[Scored]:
        """What is to be scored of some rows, in their order."""
        settings = self.spec.settings
        tokenizer = labels.templated(self.resident.tokenizer, settings.chat_template)
        found = batches.encoded(tokenizer, rows, int(settings.max_length), settings.thinking)
        return deque((number, one) for number, some in found.items() for one in some)

    def _prompts(self, rows: NormalRows) -> list[Prompt]:
        """The questions of some rows, in their order."""
        questions = [one for row in rows if (one := batches.asked(row)) is not None]
        return self._asked_for(questions)

    def _asked_for(self, questions: list[EvaluationQuestion]) -> list[Prompt]:
        settings = self.spec.settings
        return batches.prompts(
            self.resident, questions, self.spec.model.card.context_length, settings.thinking, template=settings.chat_template
        )

    def _first(self, scoring: deque[Scored], asking: Sequence[Prompt]) -> None:
        """A batch of each, to see how fast they are. The very first is slow for reasons of its own, and counts for what it does."""
        if scoring:
            began, tokens = self.clock.spent, sum(map(_length, list(scoring)[: self._batch]))
            self._score(scoring)
            self.timed.row = (self.clock.spent - began) / len(self.found.losses)
            self.timed.token = (self.clock.spent - began) / (2 * tokens)
        self._ask(self._ready(asking)[: batches.FIRST])

    def _ready(self, asking: Sequence[Prompt]) -> list[Prompt]:
        """Those that were not asked, of rows whose loss is known."""
        done = {one.row for one in self.found.asked}
        return [one for one in asking if one[0].row in self.found.losses and one[0].row not in done]

    def _plan(self, scoring: deque[Scored], asking: Sequence[Prompt], studied: deque[Scored], plain: dict[str, deque[Scored]]) -> None:
        """How long each part may take."""
        each = self.timed.token
        parts = {
            "losses": [2 * each * _length(one) for one in scoring],
            "probe": [2 * each * _length(one) for some in plain.values() for one in some],
            "training": [each * _length(one) for one in studied],
            "answers": [self.timed.answer] * (len(asking) - len(self.found.asked)),
            "recall": [self.timed.answer] * sum(map(len, plain.values())),
        }
        self.until = pacing.deadlines(parts, self.allowed.wanted, self.allowed.most, self.clock.spent)

    def _over(self, part: str, done: int) -> bool:
        """Has a part, of which so much is done, had its time?"""
        return done >= FEWEST and self.clock.spent >= self.until[part]

    def _score(self, scoring: deque[Scored]) -> None:
        """The next batch of held-out rows."""
        some = taken(scoring, self._batch)
        for (number, _), (base, tuned) in zip(some, self.pair(some), strict=True):
            before = self.found.losses.get(number, ((0.0, 0), (0.0, 0)))
            self.found.losses[number] = (_add(before[0], base), _add(before[1], tuned))
        self.clock.pause()

    def _losses(self, scoring: deque[Scored]) -> None:
        while scoring and not self._over("losses", len(self.found.losses)):
            self._score(scoring)

    def _training_loss(self, studied: deque[Scored]) -> None:
        done = 0
        while studied and not self._over("training", done):
            some = taken(studied, self._batch)
            done += len(some)
            for found in self._loss_sums(self.run, some):
                self.found.studied = _add(self.found.studied, found)
            self.clock.pause()

    def _probe_losses(self, plain: dict[str, deque[Scored]]) -> None:
        """On the plain sentences of the probe, which no chat template touches and no manner of answering changes."""
        self.found.plain = {lang: [] for lang in plain}
        while any(plain.values()) and not self._over("probe", min(map(len, self.found.plain.values()))):
            for lang, some in plain.items():
                if some:
                    self.found.plain[lang] += self.pair(taken(some, FEWEST))
                    self.clock.pause()

    def _answers(self, asking: Sequence[Prompt]) -> None:
        """Questions of held-out rows answered by base and tuned, in batches that fit into what is left; the fewest whatever is left."""
        most = batches.BATCH
        while ready := self._ready(asking):
            left = max(0.0, self.until["answers"] - self.clock.spent)
            fitting = int(min(most, left / self.timed.answer)) if self.timed.answer else 0
            size = min(most, max(fitting, FEWEST - len(self.found.asked)))
            if size < 1:
                return
            if not self._ask(ready[:size]):
                if size <= batches.FIRST or self.clock.spent >= self.allowed.patience:
                    return
                most = batches.FIRST

    def _ask(self, some: Sequence[Prompt]) -> bool:
        """Some questions; whether time and memory were enough for them."""
        if not some:
            return True
        began = self.clock.spent
        both = self._both(some, batches.room(self.resident.tokenizer, [one for one, _ in some]), self.allowed.patience - began)
        self.timed.answer = (self.clock.spent - began) / len(some)
        if both is None:
            return False
        self.found.asked += [one for one, _ in some]
        for said, thinks, more in zip(self.found.said, self.found.thinks, both, strict=True):
            said.extend(one.text for one in more)
            thinks.extend(one.thinks for one in more)
        return True

    def _let_think(self) -> None:
        """Where a model's own thinking is kept: whether base and tuned begin with a thought where they may, told by their first words.

        Rows are learned and asked after an empty one, and say nothing of it.
        """
        if self.spec.settings.thinking != "keep":
            return
        self.found.thinks = ([], [])
        context = self.spec.model.card.context_length
        some = batches.prompts(
            self.resident, self.found.asked[: batches.BATCH], context, "learn", let=True, template=self.spec.settings.chat_template
        )
        both = self._both(some, PROBE_TOKENS, self.allowed.patience - self.clock.spent) if some else None
        if both is not None:
            self.found.thinks = ([one.thinks for one in both[0]], [one.thinks for one in both[1]])

    def _both(self, some: Sequence[Prompt], count: int, seconds: float) -> tuple[list[Answer], list[Answer]] | None:
        """Answers of base and tuned to one batch; None where time or memory was not enough."""
        ids, template = [prompt for _, prompt in some], self.spec.settings.chat_template
        until = self.clock.spent + seconds
        base = batches.answers(self.resident, None, ids, count, seconds, template) if seconds > 0 else None
        self.clock.pause()
        left = until - self.clock.spent
        tuned = batches.answers(self.resident, self.run, ids, count, left, template) if base is not None and left > 0 else None
        self.clock.pause()
        return None if base is None or tuned is None else (base, tuned)

    def _estimate(self, held_out: NormalRows) -> None:
        """How many could be asked, and how long all of them would take."""
        self.found.questions = max(len(self.found.asked), sum(batches.asked(row) is not None for row in held_out))
        each = self.timed.answer or ANSWER_ROWS * self.timed.row
        if each and len(self.found.asked) < self.found.questions:
            rows, asks = len(held_out) - len(self.found.losses), self.found.questions - len(self.found.asked)
            asks += sum(len(items) for lang, items in presets.probe(PRESETS).items() if lang not in self.found.right)
            self.found.all_seconds = round(self.clock.spent + rows * self.timed.row + asks * each, 1)

    def _probe_answers(self) -> None:
        """How many questions of the probe are answered right, where there is time for it."""
        for lang, items in presets.probe(PRESETS).items():
            questions = [EvaluationQuestion(number, [{"role": "user", "content": item.question}], "") for number, item in enumerate(items)]
            some = self._asked_for(questions)
            left = self.until["recall"] - self.clock.spent
            both = self._both(some, PROBE_TOKENS, left) if some and left > 0 else None
            if both is None:
                return
            wanted = [items[one.row].answers for one, _ in some]
            right = [sum(_holds(answer.text, known) for answer, known in zip(said, wanted, strict=True)) for said in both]
            self.found.right[lang] = {"base": right[0], "tuned": right[1], "of": len(some)}


def sample(rows: NormalRows, most: int, seed: int) -> list[dict[str, Any]]:
    """Rows taken evenly from all, in an order by lot: wherever the time runs out, those before are an even sample too."""
    count = min(most, len(rows))
    some = [rows[number * len(rows) // count] for number in range(count)]
    random.Random(seed).shuffle(some)
    return some


def loss_of(pairs: LossPairs, together: list[int], seed: int) -> dict[str, float]:
    """Of base and tuned, in nats per learned token, with the interval of their difference."""
    count = max(1, sum(base[1] for base, _ in pairs))
    changes = [tuned[0] - base[0] for base, tuned in pairs]
    low, high = verdict.interval(changes, [base[1] for base, _ in pairs], together, seed)
    sums = [sum(pair[which][0] for pair in pairs) / count for which in (0, 1)]
    return {"base": sums[0], "tuned": sums[1], "low": low, "high": high}


def taken(waiting: deque[Any], size: int) -> list[Any]:
    """The first of those that wait, which wait no longer."""
    return [waiting.popleft() for _ in range(min(size, len(waiting)))]


def _sentences(items: Sequence[Any]) -> list[dict[str, Any]]:
    """The plain sentences of a probe, as rows."""
    return [{"row": number, "text": item.text} for number, item in enumerate(items)]


def _length(one: Scored) -> int:
    return len(one[1]["input_ids"])


def _add(one: LossSum, other: LossSum) -> LossSum:
    return one[0] + other[0], one[1] + other[1]


def _holds(answer: str, known: Sequence[str]) -> bool:
    said = set(scores.words(answer))
    return any(set(scores.words(one)) <= said for one in known)
