"""Did it learn, overfit or forget? What the figures of base and tuned say together, with intervals; and where that is kept.

Pure arithmetic over figures per row, but for `read`. How the figures are taken is the engine's business, how they are said the page's.
"""

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.runs import disk, reading
from tuning.runs.contents import EvaluationReport
from tuning.runs.evaluation.scores import Wanted, matches
from tuning.runs.run_folder import Run
from tuning.schema import Notice

FILE = "evaluation.json"
SCHEMA = 1
DRAWS = 2000
FEWEST = 8  # rows (or groups of them) below which chance could do anything
RISE = 0.05  # nats that the held-out loss may rise from its best before it means something
RISE_SHARE = 0.05  # and the share of what had been gained until then
BY_HEART = 0.5  # the training loss is "far below" the held-out one at this share of it
FORGOT = 0.2  # nats on the probe: it hesitates between 22 % more continuations at every token
WRECKED = 1.0  # nats on the probe, in every language
UNLEARNED = 0.6  # of the base's held-out loss: with so much left on rows that it studied, it has learned little even of them
SAME = 0.02  # of the base's loss: a change that nobody would notice
GAIN = 0.2  # of the facts that were not right by base or luck: less is not worth the word, however sure it is
MANY_FACTS = 0.6
MOST_ADVICE = 3
LEVELS = {
    "learned": "good", "wrecked": "warning", "overfitted": "warning", "forgot": "warning", "no_change": "info", "unclear": "info",
}  # fmt: skip

Interval = tuple[float, float]
Shares = list[tuple[float | None, float | None]]  # of the facts of each row, by base and by tuned; None where there are none


@dataclass(frozen=True)
class Compared:
    """One figure of base and tuned, and the 95 % interval of tuned - base where it was asked for."""

    base: float
    tuned: float
    low: float = 0.0
    high: float = 0.0

    @property
    def change(self) -> float:
        return self.tuned - self.base


@dataclass(frozen=True)
class Evidence:
    """What was found. None: it could not be. `above_chance` is the lower end of the interval of facts over chance."""

    rows: int  # held out
    generated: int = 0
    conversations: bool = True  # rows are questions and answers, not plain text
    loss: Compared | None = None  # nats per learned token on held-out rows
    facts: Compared | None = None  # share, 0 to 1
    chance: float = 0.0  # of the facts: what luck and manner bring
    above_chance: float = 0.0
    training_loss: float | None = None  # tuned, on rows that it learned from
    best: float | None = None  # held-out loss: the lowest of the run, and that of the adapter that was published
    last: float | None = None
    probe: dict[str, Compared] = field(default_factory=dict)  # loss by language
    general_share: float = 0.0  # of the rows that it learned
    parameters: int | None = None  # of the base
    ended: bool = False  # somebody did not wait for all of it


def blocks(keys: Sequence[str]) -> list[int]:
    """Rows with the same answer are right or wrong together: they are drawn as one, where there are enough of different ones."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(key, len(numbers)) for key in keys]
    return found if len(numbers) >= FEWEST else list(range(len(keys)))


def interval(changes: Sequence[float], weights: Sequence[float], together: Sequence[int], seed: int = 0) -> Interval:
    """The 95 % interval of a mean change, by the paired bootstrap over rows (Koehn 2004, "Statistical Significance Tests for
    Machine Translation Evaluation"): rows are drawn anew with replacement, base and tuned of a row always together.

    `changes` are tuned - base summed over a row, `weights` what they are divided by (tokens; 1 for shares), `together` the
    number of the block that a row is drawn with. With fewer than `FEWEST` blocks there is no interval: minus to plus infinity.
    """
    import numpy  # the command line starts without it

    count = max(together, default=-1) + 1
    if count < FEWEST:
        return float("-inf"), float("inf")
    tops, bottoms = numpy.zeros(count), numpy.zeros(count)
    numpy.add.at(tops, list(together), list(changes))
    numpy.add.at(bottoms, list(together), list(weights))
    dice = numpy.random.default_rng(seed)
    drawn = dice.integers(0, count, (DRAWS, count))
    means = tops[drawn].sum(axis=1) / numpy.maximum(1e-12, bottoms[drawn].sum(axis=1))
    low, high = numpy.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def content(
    wanted: Sequence[Wanted], references: Sequence[str], said: tuple[Sequence[str], Sequence[str]], seed: int = 0
) -> tuple[dict[str, Any] | None, float, Shares]:
    """The facts that base and tuned say, of the rows that have any to check; `said` are the answers of both.

    `base`, `tuned` and `chance` as shares, `low` and `high` of the change, and `rows`; how far tuned is surely above
    chance; and the shares of each row. None where fewer than `FEWEST` rows can be checked.
    """
    places = [place for place, one in enumerate(wanted) if one.checkable]
    each: Shares = [(None, None)] * len(wanted)
    if len(places) < FEWEST:
        return None, 0.0, each
    sought, count = [wanted[place] for place in places], len(places)
    base, _ = matches(sought, [said[0][place] for place in places])
    tuned, luck = matches(sought, [said[1][place] for place in places])
    for place, before, after in zip(places, base, tuned, strict=True):
        each[place] = (before, after)
    drawn, ones = blocks([references[place] for place in places]), [1.0] * count
    low, high = interval([after - before for before, after in zip(base, tuned, strict=True)], ones, drawn, seed)
    above_chance = interval([after - other for after, other in zip(tuned, luck, strict=True)], ones, drawn, seed)[0]
    means = {"base": sum(base) / count, "tuned": sum(tuned) / count, "low": low, "high": high, "chance": sum(luck) / count, "rows": count}
    return means, above_chance, each


def verdict(found: Evidence) -> dict[str, Any]:
    """`code`, `reason`, `also`, `level`, `params` and `advice`, as evaluation.json has them; see `engine.judge.report`.

    "learned" needs the held-out loss below the base's and the facts above both the base's and what luck brings, all beyond
    a 95 % interval. Each is judged by itself, and all that hold are said: the main one is the worst, in the order of `_CODES`,
    the others stand in `also`, but for those that the main one says already. Where none says how it went on the held-out rows,
    `reason` does.
    """
    applies = [code for code, holds in _CODES.items() if holds(found)]
    code = applies[0] if applies else "unclear"
    also = [one for one in applies[1:] if one not in _SAID.get(code, ())]
    reason = _reason(found) if applies in ([], ["forgot"]) else None
    tips = [tip for one in [code, *also, reason] for tip in ADVICE.get(str(one), ())]
    if "learned" in applies and found.facts is not None and found.facts.tuned < MANY_FACTS:
        tips.insert(0, "wordings")
    roomy = found.parameters is None or found.parameters >= ROOM
    more = next((tip for tip, share in MIX.items() if roomy and share > found.general_share), None)
    tips = [told for tip in tips if (told := more if tip == "mix" else tip)]
    advice = list(dict.fromkeys(tips))[:MOST_ADVICE]
    return {"code": code, "reason": reason, "also": also, "level": LEVELS[code], "params": _params(found), "advice": advice}


def overfitted(found: Evidence) -> bool:
    """The held-out loss of what is published has risen from its best, notably, while the training loss went far below it."""
    if found.best is None or found.last is None or found.training_loss is None or found.rows < FEWEST:
        return False
    gained = max(0.0, found.loss.base - found.best) if found.loss else 0.0
    rise = found.last - found.best
    return rise >= max(RISE, RISE_SHARE * gained) and found.training_loss <= BY_HEART * found.last


def learned(found: Evidence) -> bool:
    """Surer of right answers to unseen questions, and more often right about what they are to say."""
    if found.loss is None or found.facts is None:
        return False
    sure = found.loss.high < 0 < found.facts.low and found.above_chance > 0
    before = max(found.facts.base, found.chance)
    return sure and found.facts.tuned - before >= GAIN * (1 - before) and -found.loss.change > SAME * found.loss.base


def wrecked(found: Evidence) -> bool:
    """Plain sentences are far harder in every language, and little was learned even of the rows that it studied."""
    if found.loss is None or found.training_loss is None or not found.probe or learned(found):
        return False
    lost = all(one.low > 0 and one.change >= WRECKED for one in found.probe.values())
    return lost and found.training_loss >= UNLEARNED * found.loss.base


def forgotten(found: Evidence) -> list[str]:
    """The languages whose plain sentences it finds notably harder than before."""
    return [lang for lang, loss in found.probe.items() if loss.low > 0 and loss.change >= FORGOT]


def _no_change(found: Evidence) -> bool:
    loss = found.loss
    if loss is None or found.rows < FEWEST:
        return False
    unsure = loss.low <= 0 <= loss.high
    gained_facts = found.facts is not None and found.facts.low > 0
    return not gained_facts and (unsure or abs(loss.change) <= SAME * loss.base)


_CODES = {  # the worse first
    "wrecked": wrecked,
    "overfitted": overfitted,
    "forgot": lambda found: bool(forgotten(found)),
    "learned": learned,
    "no_change": _no_change,
}
_SAID = {"wrecked": ("forgot", "no_change"), "overfitted": ("no_change",)}  # what the sentence of each says beside

ROOM = 50_000_000  # parameters: general rows helped at 135 million and not at 4 (presets/recipes/facts.yaml)
MIX = {"mix": 0.2, "mix_more": 0.4}  # the share of general rows that each advises
ADVICE = {
    "wrecked": ("lower_rate", "fewer_passes"),
    "overfitted": ("early_stopping", "fewer_passes", "more_rows"),
    "forgot": ("mix", "lower_rate", "fewer_passes"),
    "no_change": ("higher_rate", "more_passes", "higher_rank"),
    "style": ("answers_fit", "wordings", "more_passes"),
    "few": ("hold_out",),
    "no_rows": ("hold_out",),
    "text": ("ask",),
    "no_facts": ("ask",),
    "slow": ("ask",),
    "ended": ("ask",),
    "worse": ("lower_rate", "fewer_passes"),
}


BY_HAND = {"answers_fit": "data", "ask": "chat", "more_rows": "data", "wordings": "data"}  # where it is followed


def changed(tip: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by which a run with these would follow the advice; none where it is followed by hand."""
    rate, passes, rank, alpha = (settings[key] for key in ("learning_rate", "num_train_epochs", "lora_r", "lora_alpha"))
    return {
        "early_stopping": {"early_stopping_patience": 3},
        "fewer_passes": {"num_train_epochs": passes / 2},
        "higher_rank": {"lora_r": min(2 * rank, 1024), "lora_alpha": min(2 * alpha, 4096), "target_modules": "all-linear"},
        "higher_rate": {"learning_rate": 2 * rate},
        "hold_out": {"validation_share": 0.2},
        "lower_rate": {"learning_rate": rate / 2},
        **{more: {"general_share": share} for more, share in MIX.items()},
        "more_passes": {"num_train_epochs": min(2 * passes, 1000)},
    }.get(tip, {})


def _reason(found: Evidence) -> str:
    """Why nothing certain can be said."""
    if found.loss is None:
        return "no_rows"
    if found.loss.low > 0:
        return "worse"
    if found.rows < FEWEST or found.loss.low == float("-inf"):
        return "few"
    if not found.conversations:
        return "text"
    if found.generated < FEWEST:
        return "ended" if found.ended else "slow"
    return "no_facts" if found.facts is None else "style"


def _params(found: Evidence) -> dict[str, Any]:
    """What fills the sentences: whole percents, losses, languages."""
    params: dict[str, Any] = {"rows": found.rows, "generated": found.generated}
    if found.loss is not None:
        params |= {"base_loss": found.loss.base, "tuned_loss": found.loss.tuned}
    if found.facts is not None:
        params |= {"base_facts": round(100 * found.facts.base), "tuned_facts": round(100 * found.facts.tuned)}
    if found.best is not None and found.last is not None:
        params |= {"best_loss": found.best, "last_loss": found.last}
    if found.training_loss is not None:
        params["training_loss"] = found.training_loss
    return {**params, "languages": forgotten(found)}


def read(run: Run, faults: list[Notice] | None = None) -> dict[str, Any] | None:
    """The report on a run; None where there is none, or one that cannot be read (see `disk.kept`). Shared: do not change it."""
    path = run.folder / FILE
    return disk.kept(lambda: _kept.get(str(path), reading.mark(path), lambda: _read(path)), None, faults)


_kept: reading.FileCache[dict[str, Any]] = reading.FileCache(100)


def _read(path: pathlib.Path) -> dict[str, Any]:
    found = disk.document(path)
    disk.checked(path, found, EvaluationReport)
    return dict(found)
