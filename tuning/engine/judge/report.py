"""The report after a run: base against tuned on held-out rows and on a small probe, kept as evaluation.json in the run's folder.

It measures, within a bound of seconds; `runs.scores` has the measures, `runs.verdict` says what they mean together.

evaluation.json: `schema`, `owner`, `run`, `data`, `made` (seconds since 1970), `seconds`, `seed`; `of` held-out rows there are,
`rows` looked at for the loss, `generated` answered by both models; `verdict` {code: learned, no_change, overfitted, forgot or
unclear; reason, of unclear; also: other codes; level; params; advice}; `measures`, each {base, tuned} or null: `loss` in nats per
learned token and `facts` as a share (both with low and high, the 95 % interval of tuned - base; facts with `chance` and `rows`),
`perplexity`, `exact` as a share of short answers, `bleu` and `chrf` 0 to 100, `rouge_l` 0 to 1, `length` in words by those of the
references, `repetition` 0 to 1; `training_loss`, tuned, on rows it learned from; `curve` {best, last} of the held-out loss in the
run; `probe` by language {loss: {base, tuned, low, high}, right: {base, tuned, of} or null}; `best` and `worst`: rows as {row,
question, reference, base, tuned, base_loss, tuned_loss, base_facts, tuned_facts}.
"""

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning import presets
from tuning.data.library import Library, NormalRows
from tuning.engine.resident import Resident
from tuning.engine.speak import batches
from tuning.engine.speak.batches import Clock, EvaluationQuestion
from tuning.errors import RunError
from tuning.runs import files, locks, scores, verdict
from tuning.runs.store import Run, Store
from tuning.runs.summary import perplexity
from tuning.runs.verdict import Compared, Evidence
from tuning.schema import RunSpec
from tuning.settings import PRESETS

SHARE = 0.2  # of the run's own seconds
LEAST, MOST = 10.0, 120.0  # seconds that all of it takes
ENOUGH = 24  # rows, or answers: with fewer nothing is certain, so that they may take as long as there is at most
LOSS_UNTIL, TRAINING_UNTIL, ANSWERS_UNTIL = 0.4, 0.5, 0.85  # of the seconds; the probe's answers have the rest
MOST_LOSSES, MOST_TRAINING, MOST_ANSWERS = 500, 64, 200  # rows
MOST_LEARNED = 20_000  # rows from which it is learned what is content and what is manner
SHOWN, SHOWN_CHARACTERS = 3, 800
PROBE_TOKENS = 24

LossSum = tuple[float, int]  # summed loss in nats, learned tokens


@dataclass
class Measuring:
    """One report in the making: whom it is on, and what is known of each held-out row so far."""

    run: Run
    spec: RunSpec
    resident: Resident
    seconds: float
    clock: Clock
    losses: dict[int, tuple[LossSum, LossSum]] = field(default_factory=dict)  # by row number: base, tuned
    asked: list[EvaluationQuestion] = field(default_factory=list)  # that both have answered
    said: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))

    def prepare(self) -> None:
        """Load what is not there of base and tuned; that is not counted as measuring."""
        for asked in ((None, None), (self.run.id, self.run.adapter)):
            with self.resident.speaking(*asked):
                pass
        self.clock = Clock(self.clock.between)

    def pair(self, sequences: batches.Sequences) -> Iterator[tuple[LossSum, LossSum]]:
        """Losses of some sequences by base and tuned."""
        bf16 = self.spec.settings.precision == "bf16"
        base = batches.losses(self.resident, None, sequences, bf16)
        return zip(base, batches.losses(self.resident, self.run, sequences, bf16), strict=True)

    def left(self, share: float, done: int = ENOUGH) -> float:
        """Seconds until `share` of all are spent, where `done` rows are looked at."""
        return share * (self.seconds if done >= ENOUGH else MOST) - self.clock.spent


def make(run: Run, spec: RunSpec, resident: Resident, store: Store, between: Callable[[], None]) -> dict[str, Any]:
    """Measure a run whose adapter is published on its own held-out rows, and keep the report in its folder.

    Something of the run's base must be resident. `between` is called after every batch; what it raises ends the report, which is
    then not written. Raises OSError where the disk is full.
    """
    learned, held_out = Library(store.home).parts(spec.data.id, spec.owner, spec.settings)
    state = run.saved_state()
    seconds = min(MOST, max(LEAST, SHARE * (state.seconds if state else 0.0)))
    found = _measure(Measuring(run, spec, resident, seconds, Clock(between)), learned, held_out, own=True)
    files.write(run.folder / verdict.FILE, json.dumps(found, ensure_ascii=False, indent=1))
    return found


def evaluate(run: Run, data: str | None, store: Store, resident: Resident, between: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The report on a run, made again and kept; or one on other `data` (an id of the library), which is not kept.

    Of other data the held-out rows are taken, or where it has none all of them. Raises RunError `run.no_adapter`, and
    `evaluate.busy` where another process is at work on the card.
    """
    spec = run.spec()
    if not run.adapter.is_dir():
        raise RunError("run.no_adapter", run=run.id)
    settings = spec.settings
    with locks.card(store.home, settings.device, RunError("evaluate.busy")):
        resident.load(spec.model.path, settings.device, settings.precision, settings.quantization)
        if data is None or data == spec.data.id:
            return make(run, spec, resident, store, between)
        library = Library(store.home)
        rows = [*library.validation_rows(data, spec.owner)] or [*library.rows(data, spec.owner)]
        elsewhere = spec.model_copy(update={"data": spec.data.model_copy(update={"id": data})})
        return _measure(Measuring(run, elsewhere, resident, MOST, Clock(between)), rows, rows, own=False)


def _measure(m: Measuring, learned: NormalRows, held_out: NormalRows, own: bool) -> dict[str, Any]:
    """The document. `own`: the rows are the run's, so that those it learned from are known."""
    started, seed = time.monotonic(), m.spec.settings.seed
    m.prepare()
    rows = _sample(held_out, MOST_LOSSES, seed)
    _losses(m, rows)
    training = _training_loss(m, _sample(learned, MOST_TRAINING, seed)) if own else None
    probe = _probe_losses(m)
    _answers(m, [row for row in rows if int(row["row"]) in m.losses][:MOST_ANSWERS])
    _probe_answers(m, probe)
    curve = _curve(m.run, m.spec) if own else None
    measures, above_chance, content = _measures(m, _facts([*learned, *held_out] if own else held_out), seed)
    evidence = Evidence(
        rows=len(m.losses),
        generated=len(m.asked),
        conversations=not held_out or any("messages" in row for row in held_out),
        loss=_compared(measures["loss"]),
        facts=_compared(measures["facts"]),
        chance=measures["facts"]["chance"] if measures["facts"] else 0.0,
        above_chance=above_chance,
        training_loss=training,
        best=curve["best"] if curve else None,
        last=curve["last"] if curve else None,
        probe={lang: Compared(**entry["loss"]) for lang, entry in probe.items()},
    )
    document = {
        "schema": verdict.SCHEMA,
        "owner": m.spec.owner,
        "run": m.run.id,
        "data": m.spec.data.id,
        "made": time.time(),
        "seconds": round(time.monotonic() - started, 1),
        "seed": seed,
        "of": len(held_out),
        "rows": len(m.losses),
        "generated": len(m.asked),
        "verdict": verdict.verdict(evidence),
        "measures": measures,
        "training_loss": training,
        "curve": curve,
        "probe": probe,
        **_shown(m, content),
    }
    finite: dict[str, Any] = _finite(document)
    return finite


def _finite(value: Any) -> Any:
    """JSON knows no infinity: an interval without ends has none, and a perplexity beyond all numbers is none."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sample(rows: NormalRows, most: int, seed: int) -> list[dict[str, Any]]:
    """Rows taken evenly from all, in an order by lot: wherever the time runs out, those before are an even sample too."""
    count = min(most, len(rows))
    some = [rows[number * len(rows) // count] for number in range(count)]
    random.Random(seed).shuffle(some)
    return some


def _losses(m: Measuring, rows: NormalRows) -> None:
    """Of as many held-out rows as there is time for, at least one batch."""
    size = int(m.spec.settings.per_device_train_batch_size)
    sequences = batches.encoded(m.resident.tokenizer, rows, int(m.spec.settings.max_length))
    waiting = [(number, one) for number, some in sequences.items() for one in some]
    for start in range(0, len(waiting), size):
        if start and m.left(LOSS_UNTIL, start) < 0:
            return
        some = waiting[start : start + size]
        for (number, _), (base, tuned) in zip(some, m.pair([one for _, one in some]), strict=True):
            before = m.losses.get(number, ((0.0, 0), (0.0, 0)))
            m.losses[number] = (_add(before[0], base), _add(before[1], tuned))
        m.clock.pause()


def _add(one: LossSum, other: LossSum) -> LossSum:
    return one[0] + other[0], one[1] + other[1]


def _training_loss(m: Measuring, rows: NormalRows) -> float | None:
    """Nats per learned token, tuned, on some rows that it learned from."""
    size, total = int(m.spec.settings.per_device_train_batch_size), (0.0, 0)
    waiting = [one for some in batches.encoded(m.resident.tokenizer, rows, int(m.spec.settings.max_length)).values() for one in some]
    for start in range(0, len(waiting), size):
        if start and m.left(TRAINING_UNTIL) < 0:
            break
        for found in batches.losses(m.resident, m.run, waiting[start : start + size], m.spec.settings.precision == "bf16"):
            total = _add(total, found)
        m.clock.pause()
    return total[0] / total[1] if total[1] else None


def _probe_losses(m: Measuring) -> dict[str, dict[str, Any]]:
    """By language: loss on the plain sentences of the probe, which no chat template touches and no manner of answering changes."""
    found = {}
    for lang, items in presets.probe(PRESETS).items():
        rows = [{"row": number, "text": item.text} for number, item in enumerate(items)]
        sequences = [one for some in batches.encoded(m.resident.tokenizer, rows, 512).values() for one in some]
        pairs: list[tuple[LossSum, LossSum]] = []
        for start in range(0, len(sequences), batches.BATCH):
            pairs.extend(m.pair(sequences[start : start + batches.BATCH]))
            m.clock.pause()
        found[lang] = {"loss": _loss(pairs, list(range(len(pairs))), m.spec.settings.seed), "right": None}
    return found


def _answers(m: Measuring, rows: NormalRows) -> None:
    """Questions of held-out rows answered by base and tuned, batch after batch while there is time; smaller ones where one failed."""
    questions = [one for row in rows if (one := batches.asked(row)) is not None]
    waiting = batches.prompts(m.resident, questions, m.spec.model.card.context_length)
    size, most, before = batches.FIRST, batches.BATCH, 0.0
    while waiting and (left := m.left(ANSWERS_UNTIL, len(m.asked))) > before:
        some, began = waiting[:size], m.clock.spent
        both = _both(m, some, batches.room(m.resident.tokenizer, [one for one, _ in some]), left)
        if both is not None:
            waiting = waiting[size:]
            m.asked += [one for one, _ in some]
            m.said[0].extend(both[0])
            m.said[1].extend(both[1])
        elif size == batches.FIRST:
            return
        else:
            most = batches.FIRST
        size, before = most, m.clock.spent - began if both is not None else 0.0
        m.clock.pause()


def _both(
    m: Measuring, some: Sequence[tuple[EvaluationQuestion, list[int]]], count: int, seconds: float
) -> tuple[list[str], list[str]] | None:
    """Answers of base and tuned to one batch; None where time or memory was not enough."""
    ids = [prompt for _, prompt in some]
    until = m.clock.spent + seconds
    base = batches.answers(m.resident, None, ids, count, seconds)
    m.clock.pause()
    left = until - m.clock.spent
    tuned = batches.answers(m.resident, m.run, ids, count, left) if base is not None and left > 0 else None
    return None if base is None or tuned is None else (base, tuned)


def _probe_answers(m: Measuring, probe: dict[str, dict[str, Any]]) -> None:
    """How many questions of the probe are answered right, where there is time for it."""
    for lang, items in presets.probe(PRESETS).items():
        questions = [EvaluationQuestion(number, [{"role": "user", "content": item.question}], "") for number, item in enumerate(items)]
        some = batches.prompts(m.resident, questions, m.spec.model.card.context_length)
        both = _both(m, some, PROBE_TOKENS, m.left(1.0)) if some and m.left(1.0) > 0 else None
        if both is None:
            return
        wanted = [items[one.row].answers for one, _ in some]
        right = [sum(_holds(answer, known) for answer, known in zip(said, wanted, strict=True)) for said in both]
        probe[lang]["right"] = {"base": right[0], "tuned": right[1], "of": len(some)}
        m.clock.pause()


def _holds(answer: str, known: Sequence[str]) -> bool:
    said = set(scores.words(answer))
    return any(set(scores.words(one)) <= said for one in known)


def _facts(rows: NormalRows) -> scores.Facts:
    """What is content and what is manner, from an even sample of the rows."""
    step = max(1, len(rows) // MOST_LEARNED)
    return scores.Facts.learn((one.question, one.reference) for row in rows[::step] if (one := batches.asked(row)) is not None)


def _loss(pairs: Sequence[tuple[LossSum, LossSum]], together: list[int], seed: int) -> dict[str, float]:
    """Of base and tuned, in nats per learned token, with the interval of their difference."""
    count = max(1, sum(base[1] for base, _ in pairs))
    changes = [tuned[0] - base[0] for base, tuned in pairs]
    low, high = verdict.interval(changes, [base[1] for base, _ in pairs], together, seed)
    sums = [sum(pair[which][0] for pair in pairs) / count for which in (0, 1)]
    return {"base": sums[0], "tuned": sums[1], "low": low, "high": high}


def _measures(m: Measuring, facts: scores.Facts, seed: int) -> tuple[dict[str, Any], float, verdict.Shares]:
    """All measures; how far the facts are surely above chance; and base's and tuned's share of the facts of each row."""
    made: dict[str, Any] = dict.fromkeys(("loss", "perplexity", "facts", "exact", "bleu", "chrf", "rouge_l", "length", "repetition"))
    if m.losses:
        pairs = list(m.losses.values())
        made["loss"] = _loss(pairs, list(range(len(pairs))), seed)
        made["perplexity"] = {who: perplexity(made["loss"][who]) for who in ("base", "tuned")}
    if not m.asked:
        return made, 0.0, []
    references = [one.reference for one in m.asked]

    def both(measure: Callable[[Sequence[str]], float]) -> dict[str, float]:
        return {"base": measure(m.said[0]), "tuned": measure(m.said[1])}

    made["bleu"] = both(lambda said: scores.bleu(references, said))
    made["chrf"] = both(lambda said: scores.chrf(references, said))
    made["rouge_l"] = both(lambda said: sum(scores.rouge_l(references, said)) / len(said))
    made["length"] = both(lambda said: scores.length(references, said))
    made["repetition"] = both(scores.repetition)
    if scores.exact(references, m.said[0]) is not None:
        made["exact"] = both(lambda said: scores.exact(references, said) or 0.0)
    wanted = [facts.wanted(one.question, one.reference) for one in m.asked]
    made["facts"], above_chance, content = verdict.content(wanted, references, m.said, seed)
    return made, above_chance, content


def _compared(measure: dict[str, Any] | None) -> Compared | None:
    return None if measure is None else Compared(measure["base"], measure["tuned"], measure["low"], measure["high"])


def _curve(run: Run, spec: RunSpec) -> dict[str, float] | None:
    """The held-out loss in the run: its lowest, and that of the adapter that was published."""
    seen = [float(record["eval_loss"]) for record in run.metrics() if "eval_loss" in record and record["step"]]
    if not seen:
        return None
    return {"best": min(seen), "last": min(seen) if spec.settings.early_stopping_patience else seen[-1]}


def _shown(m: Measuring, content: verdict.Shares) -> dict[str, Any]:
    """The rows that gained most, and those that are least right now."""
    rows = []
    for one, base, tuned, facts in zip(m.asked, *m.said, content, strict=True):
        before, after = (nll / max(1, count) for nll, count in m.losses[one.row])
        texts = {"question": one.turns[-1]["content"], "reference": one.reference, "base": base, "tuned": tuned}
        clipped = {key: text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…" for key, text in texts.items()}
        figures = {"base_loss": before, "tuned_loss": after, "base_facts": facts[0], "tuned_facts": facts[1]}
        rows.append({"row": one.row, **clipped, **figures})
    rows.sort(
        key=lambda row: ((row["tuned_facts"] or 0.0) - (row["base_facts"] or 0.0), row["base_loss"] - row["tuned_loss"]), reverse=True
    )
    best, rest = rows[: min(SHOWN, len(rows) // 2)], rows[min(SHOWN, len(rows) // 2) :]
    rest.sort(key=lambda row: (1.0 if row["tuned_facts"] is None else row["tuned_facts"], -row["tuned_loss"]))
    return {"best": best, "worst": rest[:SHOWN]}
