"""Rows of data that somebody edits, adds or removes on the page: each change is a new version of the data, and all can be undone.

The files stay as they came; what was written by hand lies beside them and is put in their rows' place whenever they are read. Nothing is
learned here.
"""

from collections.abc import Sequence
from typing import Any

from tuning.errors import InputError
from tuning.schema import DataSpec
from tuning.studio.data import Data
from tuning.studio.shared import Shared

MOST = 1000  # rows changed by hand

RowContent = dict[str, Any]


class RowEdits:
    """The rows that an owner has changed by hand."""

    def __init__(self, shared: Shared, owner: str, data: Data) -> None:
        self.shared, self.owner = shared, owner
        self._data = data

    def write(self, data: str, row: int | None, texts: Sequence[str]) -> DataSpec:
        """Give a row these texts, turn by turn, or add one where `row` is None: a question and its answer, or one text.

        Whatever else the row has (tools, calls, thoughts, marks) stays. Raises InputError `data.edit.empty`, `data.edit.row`,
        `data.edit.many`, and as `Data.reread`.
        """
        spec = self.shared.library.require(data, self.owner)
        before = self._blank(spec) if row is None else self._row(spec, row)
        turns = before.get("messages")
        were = [before["text"]] if turns is None else [turn["content"] for turn in turns]
        if len(texts) != len(were):
            raise InputError("data.edit.row", row=row or spec.last_row + 1)
        now = [old if _lines(old) == _lines(new) else new for old, new in zip(were, texts, strict=True)]
        if any(not new.strip() and (old.strip() or row is None) for old, new in zip(were, now, strict=True)):
            raise InputError("data.edit.empty")
        said = {"text": now[0]} if turns is None else {"messages": [{**turn, "content": new} for turn, new in zip(turns, now, strict=True)]}
        return spec if now == were else self._keep(spec, row or spec.last_row + 1, before | said)

    def remove(self, data: str, row: int) -> DataSpec:
        """Leave a row out. Raises InputError `data.edit.row`, `data.edit.last`, `data.edit.many`, and as `Data.reread`."""
        spec = self.shared.library.require(data, self.owner)
        self._row(spec, row)
        if spec.rows_kept == 1:
            raise InputError("data.edit.last")
        return self._keep(spec, row, None)

    def undo(self, data: str) -> DataSpec:
        """The data without any change by hand."""
        return self._replaced(self.shared.library.require(data, self.owner), {})

    def _row(self, spec: DataSpec, row: int) -> RowContent:
        library = self.shared.library
        found = library.page(spec.id, self.owner, library.place(spec.id, self.owner, row), 1)
        if not found or found[0]["row"] != row:
            raise InputError("data.edit.row", row=row)
        return {key: value for key, value in found[0].items() if key != "row"}

    def _blank(self, spec: DataSpec) -> RowContent:
        """A row to be written: as the others are, a text or a question and its answer."""
        if "text" in self.shared.library.page(spec.id, self.owner, 0, 1)[0]:
            return {"text": ""}
        return {"messages": [{"role": role, "content": ""} for role in ("user", "assistant")]}

    def _keep(self, spec: DataSpec, row: int, content: RowContent | None) -> DataSpec:
        if len(spec.edits) >= MOST and row not in spec.edits:
            raise InputError("data.edit.many", most=MOST)
        return self._replaced(spec, {**spec.edits, row: content})

    def _replaced(self, spec: DataSpec, edits: dict[int, RowContent | None]) -> DataSpec:
        """The version with these edits; the one before it is gone where it was edited, too, and no run has learned from it."""
        made = self._data.rewrite(spec.id, edits)
        if spec.edits and made.id != spec.id and not self._data.users(spec.id):
            self.shared.library.delete(spec.id, self.owner, [])
        return made


def _lines(text: str) -> str:
    """A text with the ends of lines that a browser makes of all of them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
