"""Which way the records of a file are regrouped, told from a sample: trees, turns, chats, paragraphs, numbered pairs, rows within, or none.

What each does is its own affair; what the rows that come of it are is for the formats to say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from tuning.data.formats.notes import Unused
from tuning.data.records import FileRecord, Values
from tuning.data.regroup import enclosed, numbered, paragraphs, speakers, trees, turn_tables
from tuning.schema import Notice


class Regrouping(Protocol):
    """One way from the records of a file to others."""

    speaks: bool  # whether the mapping by hand was about it, and is used up

    @property
    def unused(self) -> Unused:
        """What of the records is not used, once all are read."""

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """The records that come of those of the file, counted anew."""

    def notices(self) -> Sequence[Notice]:
        """What became of the records, once all are read."""


def found(sample: Sequence[Values], asked: Mapping[str, str]) -> Regrouping | None:
    """The way that suits a sample; None where its rows are for the formats as they are. `asked` is a mapping by hand."""
    ways = (trees.found, turn_tables.found, speakers.found, paragraphs.found, numbered.found, enclosed.found)
    return next((way for find in ways if (way := find(sample, asked)) is not None), None)
