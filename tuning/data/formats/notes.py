"""What a row holds beside its normal form: what of it is not used, what is not to be learned, tools that stood elsewhere.

One `Notes` for each row, taken into the count of the file once the row is kept. Nothing is decided here.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

Unused = Counter[tuple[str, str]]  # (column, key or part; its name) -> rows, or turns


class Notes:
    """What was seen while one row became its normal form."""

    __slots__ = ("marked", "printed", "several", "tools", "unnamed", "unused")

    def __init__(self) -> None:
        self.unused: list[tuple[str, str]] = []
        self.tools: list[dict[str, Any]] = []
        self.marked = 0  # answers that are context and not learned, for their mark says so
        self.unnamed = False  # whether who speaks was told by the order alone
        self.several = ""  # the column of several answers of which the first is taken, though they may be parts of one
        self.printed = ""  # the column of an answer that is a list, written as text

    def empty(self) -> bool:
        """Whether nothing was seen, so that the next row may have the same."""
        return not (self.unused or self.tools or self.marked or self.unnamed or self.several or self.printed)

    def leave(self, kind: str, names: Iterable[str]) -> None:
        """Columns, keys of a turn or parts that are not used."""
        self.unused.extend((kind, name) for name in names)
