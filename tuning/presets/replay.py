"""General questions and answers that are mixed into training rows against forgetting (replay): which ones, and as rows in normal form.

They are nobody's data: never counted as somebody's rows and never held out. How many there should be, the plan decides.
"""

import pathlib
import random
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

from tuning import presets
from tuning.schema import GeneralRow, RunSpec
from tuning.settings import PRESETS


def there(root: pathlib.Path, languages: Sequence[str]) -> list[list[GeneralRow]]:
    """What there is in each of a model's languages; in all of ours where it knows none of them, or nobody says which it knows."""
    known = presets.general(root)
    return [known[lang] for lang in known if lang in languages] or list(known.values())


def rows(root: pathlib.Path, languages: Sequence[str], count: int, seed: int) -> list[dict[str, Any]]:
    """`count` of them in normal form, of all languages alike: the same for the same seed. Their number is 0, for they are in no file."""
    mixed = [random.Random(seed).sample(items, len(items)) for items in there(root, languages)]
    drawn = [row for row in chain.from_iterable(zip_longest(*mixed)) if row is not None]
    return [
        {"row": 0, "messages": [{"role": "user", "content": row.question}, {"role": "assistant", "content": row.answer}]}
        for row in drawn[:count]
    ]


def of(spec: RunSpec) -> list[dict[str, Any]]:
    """The rows that a run mixes in."""
    return rows(PRESETS, spec.model.card.languages, spec.data.general_rows, spec.settings.seed)


def learned(spec: RunSpec) -> str:
    """What a run learned, in the words of a model card; they are English."""
    own, count = f'{spec.data.train_rows} rows of "{spec.data.name}"', spec.data.general_rows
    return f"{own} and {count} general rows that come with Sartoria (CC0)" if count else own
