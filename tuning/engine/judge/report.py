"""The report after a run: base against tuned on held-out rows and on a small probe, kept as evaluation.json in the run's folder.

What is measured, and how long that may take, is `measuring`'s; the measures and what they mean are `runs.evaluation`'s.

evaluation.json: `schema`, `owner`, `run`, `data`, `made` (seconds since 1970), `seconds`, `seed`; `of` held-out rows there are, `rows`
looked at for the loss, `questions` that could be asked of them all, `generated` of those that both models answered, `all_seconds` that a
report on all would take at the speed that was seen, null where this one is on all; `general` rows that were mixed in; `verdict` {code:
learned, no_change, wrecked, overfitted, forgot or unclear; reason, of unclear; also: other codes; level; params; advice}; `measures`, each
{base, tuned} or null:
`loss` in nats per learned token and `facts` as a share (both with low and high, the 95 % interval of tuned - base; facts with `chance`
and `rows`), `perplexity`, `exact` as a share of short answers, `bleu` and `chrf` 0 to 100, `rouge_l` 0 to 1, `length` in words by those
of the references, `repetition` 0 to 1, `thinking` as a share of answers, null where nobody thinks; `training_loss`, tuned, on rows it
learned from; `curve` {best, last} of the held-out loss in the run; `probe` by language {loss: {base, tuned, low, high}, right: {base,
tuned, of} or null}; `best` and `worst`: rows as {row, question, reference, base, tuned, base_loss, tuned_loss, base_facts, tuned_facts};
`corrected`, of data with corrected answers: see `engine.judge.corrected`.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from tuning.data.library import Library, NormalRows
from tuning.engine.judge import corrected
from tuning.engine.judge.measuring import Allowed, Measured, Measuring, loss_of
from tuning.engine.resident import Resident
from tuning.engine.speak import batches
from tuning.engine.speak.batches import Clock
from tuning.errors import RunError
from tuning.runs import files, locks
from tuning.runs.evaluation import scores, verdict
from tuning.runs.evaluation.verdict import Compared, Evidence
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.runs.summary import perplexity
from tuning.schema import RunSpec

SHARE = 0.2  # of the run's own seconds
LEAST, MOST = 10.0, 120.0  # seconds that all of it takes
PATIENCE = 2.0  # times MOST: so long the first few answers may take, without which nothing can be said of facts
MOST_LEARNED = 20_000  # rows from which it is learned what is content and what is manner
SHOWN, SHOWN_CHARACTERS = 3, 800


def make(
    run: Run, spec: RunSpec, resident: Resident, store: Store, between: Callable[[], None], seconds: float | None = None
) -> dict[str, Any]:
    """Measure a run whose adapter is published on its own held-out rows, and keep the report in its folder.

    Without `seconds` it takes a share of those of the run. Something of the run's base must be resident. `between` is called after
    every batch; what it raises ends the report, which is then not written, but for `Ended` where enough is known to say something.
    Raises OSError where the disk is full.
    """
    library = Library(store.home)
    learned, held_out = library.parts(spec.data.id, spec.owner, spec.settings)
    corrections = library.get(spec.data.id, spec.owner).corrected
    seconds = wanted(run) if seconds is None else seconds
    measuring, rows = _measuring(run, spec, resident, seconds, between), [*learned, *held_out]
    found = _measure(measuring, learned, held_out, own=True)
    if corrections is not None and not measuring.found.ended:
        found["corrected"] = corrected.compare(measuring, learned, corrections.count, _facts(rows))
    files.write(run.folder / verdict.FILE, json.dumps(found, ensure_ascii=False, indent=1))
    return found


def wanted(run: Run) -> float:
    """Seconds that the report at a run's end wants; a slow model's takes longer."""
    state = run.saved_state()
    return min(MOST, max(LEAST, SHARE * (state.seconds if state else 0.0)))


def evaluate(
    run: Run, data: str | None, store: Store, resident: Resident, between: Callable[[], None] = lambda: None, whole: bool = False
) -> dict[str, Any]:
    """The report on a run, made again and kept; or one on other `data` (an id of the library), which is not kept.

    It takes about MOST seconds at most; with `whole` as long as it takes to ask everything. Of other data the held-out rows are
    taken, or where it has none all of them. Raises RunError `run.no_adapter`, and `evaluate.busy` where another process is at work on
    the card.
    """
    spec = run.spec()
    if not run.adapter.is_dir():
        raise RunError("run.no_adapter", run=run.id)
    settings, seconds = spec.settings, math.inf if whole else MOST
    with locks.card(store.home, settings.device, RunError("evaluate.busy")):
        resident.load(spec.model.path, settings.device, settings.precision, settings.quantization)
        if data is None or data == spec.data.id:
            return make(run, spec, resident, store, between, seconds)
        library = Library(store.home)
        rows = [*library.validation_rows(data, spec.owner)] or [*library.rows(data, spec.owner)]
        elsewhere = spec.model_copy(update={"data": spec.data.model_copy(update={"id": data})})
        return _measure(_measuring(run, elsewhere, resident, seconds, between), rows, rows, own=False)


def _measuring(run: Run, spec: RunSpec, resident: Resident, seconds: float, between: Callable[[], None]) -> Measuring:
    """`seconds` without end: of all rows."""
    whole = math.isinf(seconds)
    allowed = Allowed(seconds, most=seconds if whole else MOST, patience=seconds if whole else PATIENCE * MOST)
    return Measuring(run, spec, resident, Clock(between), allowed)


def _measure(m: Measuring, learned: NormalRows, held_out: NormalRows, own: bool) -> dict[str, Any]:
    """The document. `own`: the rows are the run's, so that those it learned from are known."""
    started, seed = time.monotonic(), m.spec.settings.seed
    m.prepare()
    found = m.everything(learned if own else [], held_out)
    training, probe = found.training_loss, found.probe(seed)
    curve = _curve(m.run, m.spec) if own else None
    measures, above_chance, content = _measures(found, _facts([*learned, *held_out] if own else held_out), seed)
    evidence = Evidence(
        rows=len(found.losses),
        generated=len(found.asked),
        conversations=not held_out or any("messages" in row for row in held_out),
        loss=_compared(measures["loss"]),
        facts=_compared(measures["facts"]),
        chance=measures["facts"]["chance"] if measures["facts"] else 0.0,
        above_chance=above_chance,
        training_loss=training,
        best=curve["best"] if curve else None,
        last=curve["last"] if curve else None,
        probe={lang: Compared(**entry["loss"]) for lang, entry in probe.items()},
        general_share=m.spec.settings.general_share,
        parameters=m.spec.model.card.parameters,
        ended=found.ended,
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
        "rows": len(found.losses),
        "generated": len(found.asked),
        "questions": found.questions,
        "general": m.spec.data.general_rows,
        "all_seconds": found.all_seconds,
        "verdict": verdict.verdict(evidence),
        "measures": measures,
        "training_loss": training,
        "curve": curve,
        "probe": probe,
        **_shown(found, content),
    }
    finite: dict[str, Any] = _finite(document)
    return finite


def _finite(value: Any) -> Any:
    """JSON knows no infinity: an interval without ends has none, and a perplexity beyond all numbers is none."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _facts(rows: NormalRows) -> scores.Facts:
    """What is content and what is manner, from an even sample of the rows."""
    step = max(1, len(rows) // MOST_LEARNED)
    return scores.Facts.learn((one.question, one.reference) for row in rows[::step] if (one := batches.asked(row)) is not None)


def _measures(found: Measured, facts: scores.Facts, seed: int) -> tuple[dict[str, Any], float, verdict.Shares]:
    """All measures; how far the facts are surely above chance; and base's and tuned's share of the facts of each row."""
    made: dict[str, Any] = dict.fromkeys(
        ("loss", "perplexity", "facts", "exact", "bleu", "chrf", "rouge_l", "length", "repetition", "thinking")
    )
    if found.losses:
        pairs = list(found.losses.values())
        made["loss"] = loss_of(pairs, list(range(len(pairs))), seed)
        made["perplexity"] = {who: perplexity(made["loss"][who]) for who in ("base", "tuned")}
    if not found.asked:
        return made, 0.0, []
    references = [one.reference for one in found.asked]

    def both(measure: Callable[[Sequence[str]], float]) -> dict[str, float]:
        return {"base": measure(found.said[0]), "tuned": measure(found.said[1])}

    made["bleu"] = both(lambda said: scores.bleu(references, said))
    made["chrf"] = both(lambda said: scores.chrf(references, said))
    made["rouge_l"] = both(lambda said: sum(scores.rouge_l(references, said)) / len(said))
    made["length"] = both(lambda said: scores.length(references, said))
    made["repetition"] = both(scores.repetition)
    thought = {who: sum(thinks) / len(thinks) for who, thinks in zip(("base", "tuned"), found.thinks, strict=True) if thinks}
    if thought and (any(thought.values()) or any(one.thought for one in found.asked)):
        made["thinking"] = thought
    if scores.exact(references, found.said[0]) is not None:
        made["exact"] = both(lambda said: scores.exact(references, said) or 0.0)
    wanted = [facts.wanted(one.question, one.reference) for one in found.asked]
    made["facts"], above_chance, content = verdict.content(wanted, references, found.said, seed)
    return made, above_chance, content


def _compared(measure: dict[str, Any] | None) -> Compared | None:
    return None if measure is None else Compared(measure["base"], measure["tuned"], measure["low"], measure["high"])


def _curve(run: Run, spec: RunSpec) -> dict[str, float] | None:
    """The held-out loss in the run: its lowest, and that of the adapter that was published."""
    seen = [float(record["eval_loss"]) for record in run.metrics() if "eval_loss" in record and record["step"]]
    if not seen:
        return None
    return {"best": min(seen), "last": min(seen) if spec.settings.early_stopping_patience else seen[-1]}


def _shown(found: Measured, content: verdict.Shares) -> dict[str, Any]:
    """The rows that gained most, and those that are least right now."""
    rows = []
    for one, base, tuned, facts in zip(found.asked, *found.said, content, strict=True):
        before, after = (nll / max(1, count) for nll, count in found.losses[one.row])
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
