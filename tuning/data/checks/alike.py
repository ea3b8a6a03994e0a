"""Rows of a file that have something in common: how many they are, the first of them, and what a finding says of them."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tuning.data.records import shown
from tuning.schema import Notice

EXAMPLES = 5  # row numbers in a finding

Level = Literal["info", "warning"]


@dataclass
class Alike:
    """Rows that have something in common: how many, and the first ones."""

    count: int = 0
    first: list[int] = field(default_factory=list)
    example: str = ""
    mendable: int = 0

    def note(self, row: int, example: str = "") -> None:
        self.count += 1
        if self.count <= EXAMPLES:
            self.first.append(row)
        if self.count == 1:
            self.example = short(example)

    def merge(self, other: "Alike") -> None:
        """Take in rows that follow."""
        self.example = self.example if self.count else other.example
        self.count += other.count
        self.first = [*self.first, *other.first][:EXAMPLES]
        self.mendable += other.mendable

    def notice(self, code: str, level: Level = "warning", **more: Any) -> list[Notice]:
        """The finding, or none. Parameters that are None or 0 are left out."""
        if not self.count:
            return []
        rows = ", ".join(map(str, self.first)) + (", …" if self.count > EXAMPLES else "")
        params = {"count": self.count, "rows": rows, "example": self.example, **more}
        return [Notice(code=code, level=level, params={key: value for key, value in params.items() if value})]


def short(text: str) -> str:
    """A text as it may stand in a finding."""
    return shown(" ".join(text[:400].split()), 80)
