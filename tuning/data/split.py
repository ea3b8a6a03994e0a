"""Which rows are learned from and which are kept aside to measure with. Pure arithmetic over rows.

It does not shuffle for training, and it does not touch a validation file that came with the data.
"""

import hashlib
import random
from collections.abc import Iterable, Mapping
from typing import Any

from tuning.data.formats.content import said

FEWEST = 10  # rows below which none are kept aside: one answer would stand for the whole, and be missed in training


def split(rows: Iterable[Mapping[str, Any]], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of the rows for training and for validation, each ascending.

    Rows of the same content (all messages equal but for white space) stay together, or the measurement would be of what
    was learned by heart. At most `round(share * rows)` rows are kept aside (at least one is aimed at), groups being taken
    in a random order as long as they fit; where none fits, the smallest one, if that leaves half of the rows to learn from.
    Under `FEWEST` rows, or with share 0, there is no validation. The same rows, share and seed give the same split.
    """
    groups: dict[bytes, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(_content(row), []).append(index)
    count = sum(map(len, groups.values()))
    if share <= 0 or count < FEWEST or len(groups) < 2:
        return list(range(count)), []
    target = min(max(1, round(share * count)), count - 1)
    order = list(groups.values())
    random.Random(seed).shuffle(order)
    aside: list[int] = []
    for group in order:
        if len(aside) + len(group) <= target:
            aside.extend(group)
    smallest = min(order, key=len)
    if not aside and 2 * len(smallest) <= count:
        aside.extend(smallest)
    taken = set(aside)
    return [index for index in range(count) if index not in taken], sorted(aside)


def _content(row: Mapping[str, Any]) -> bytes:
    """What a row says, without regard to white space. Texts are kept apart by a character that folding removes."""
    return hashlib.sha256("\n".join(" ".join(text.split()) for text in said(row)).encode()).digest()
