"""What the plan knows of data: how many rows, how long they are, and the general rows that are mixed in against forgetting.

Pure arithmetic over counts; nothing is read, and which general rows are taken, `presets.replay` says.
"""

import math

from pydantic import ConfigDict

from tuning.schema import Notice, Record, TrainSettings
from tuning.tokens.lengths import Lengths

MANY = 1000  # rows spread over the data: the longest of them is about as long as the longest of all


class DataFacts(Record):
    """What the plan needs to know of the data."""

    count: int
    characters: int
    validation_rows: int  # of a validation file of its own
    thoughts: int | None = 0  # rows with some; None: not known
    characters_per_token: float = 3.5
    template_tokens: int = 16  # of a row beside what it says: the turns' own, 10 in ChatML, and often a system prompt of the template's
    general: int = 0  # rows against forgetting that there are for the model, and in all
    general_characters: int = 0
    mixed: float = 0.0  # share of the learned rows that are general: what `mix` has come to
    lengths: Lengths | None = None  # in tokens of the model, where the audit has found them: then nothing has to be guessed

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


EXAMPLES = DataFacts(count=1000, characters=400_000, validation_rows=0)


def mix(rows: DataFacts, learned: int, share: float) -> tuple[DataFacts, int]:
    """How many general rows stand beside the `learned` ones, so that `share` of all are general; not more than there are."""
    count = min(rows.general, round(learned * share / (1 - share)))
    return rows.model_copy(update={"mixed": count / max(1, count + learned)}), count


def mean_tokens(rows: DataFacts, settings: TrainSettings) -> float:
    """Tokens of a learned row, on average, as far as its length is kept."""
    if rows.lengths is not None and rows.lengths.audit.looked:
        own = max(1.0, rows.lengths.totals(int(settings.max_length)).tokens / len(rows.lengths.audit.looked))
    else:
        own = _by_characters(rows, settings, rows.count, rows.characters)
    return own + rows.mixed * (_by_characters(rows, settings, rows.general, rows.general_characters) - own)


def longest_tokens(rows: DataFacts) -> int:
    """Tokens of the longest row, uncut: three times the mean, where only some were looked at and none of those is longer."""
    found = rows.lengths.longest if rows.lengths is not None else 0
    if rows.lengths is not None and found and (rows.lengths.audit.sampled or MANY) >= MANY:
        return found
    return max(found, math.ceil(3 * rows.characters / max(1, rows.count) / rows.characters_per_token))


def _by_characters(rows: DataFacts, settings: TrainSettings, count: int, characters: int) -> float:
    return min(float(settings.max_length), rows.template_tokens + characters / max(1, count) / rows.characters_per_token)


def told(rows: DataFacts, count: int, settings: TrainSettings) -> list[Notice]:
    """The general rows that are mixed in, with their tokens and their share of the time; and where there are fewer than asked for."""
    if not settings.general_share:
        return []
    each = _by_characters(rows, settings, rows.general, rows.general_characters)
    share = rows.mixed * each / mean_tokens(rows, settings)
    params = {"count": count, "tokens": math.ceil(count * each), "percent": round(100 * share)}
    shares = {"percent": round(100 * rows.mixed), "asked": round(100 * settings.general_share)}
    few = Notice(code="plan.general_few", params={"count": count, **shares})
    return [Notice(code="plan.general", params=params), *([few] if rows.mixed < settings.general_share - 0.01 else [])]
