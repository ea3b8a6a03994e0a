"""Corrected answers: each becomes a row of a new version of the run's data, and a run that goes on learns them.

A version is data like others: the corrected rows first, then those that the run had, in an order by lot; beside them the rows that the run
held out. Which settings such a run has is `rehearsal`'s; whether the answers hold is told by its report.
"""

import json
import pathlib
import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuning import presets
from tuning.data.ingest import ReadingOptions
from tuning.data.library import NormalRows
from tuning.errors import InputError
from tuning.runs.evaluation.scores import words
from tuning.runs.run_folder import Run
from tuning.schema import CorrectedRows, DataSpec
from tuning.studio.data import Data
from tuning.studio.shared import Shared
from tuning.text import t

if TYPE_CHECKING:
    from tuning.studio.runs import Runs

MOST = 20_000  # characters of an answer


class Corrections:
    """The corrected answers of an owner's runs."""

    def __init__(self, shared: Shared, owner: str, data: Data, runs: "Runs") -> None:
        self.shared, self.owner = shared, owner
        self._data, self._runs = data, runs

    def add(self, run: str, turns: Sequence[Mapping[str, Any]], answer: str, lang: str = "en") -> dict[str, Any]:
        """Keep `answer` as the right one to `turns`, which end with a question, in place of what was kept for them before.

        The version of the data that has it: `data`, `name`, and `count` of corrected answers; an older one that no run has learned from
        is gone. Raises InputError `correct.empty`, `correct.text` where the run has learned plain text, RunError for an unknown run.
        """
        found = self.shared.store.find(run, self.owner)
        if not answer.strip() or not turns or turns[-1].get("role") != "user":
            raise InputError("correct.empty")
        before = self.newest(found.id)
        corrected, others, held_out, name = self._rows(found, before)
        row = {"messages": [*map(dict, turns), {"role": "assistant", "content": answer.strip()[:MOST]}]}
        corrected, others, held_out = ([one for one in some if _asked(one) != _asked(row)] for some in (corrected, others, held_out))
        corrected.append(row)
        made = self._write([*corrected, *others], held_out, CorrectedRows(run=found.id, name=name, count=len(corrected)), lang)
        if before is not None and before.id != made.id and not self._data.users(before.id):
            self._data.delete(before.id)
        return {"data": made.id, "name": made.name, "count": len(corrected)}

    def newest(self, run: str) -> DataSpec | None:
        """The version of a run's data that holds the answers corrected so far; None where none was."""
        versions = self.shared.library.list(self.owner)
        return next((spec for spec in versions if spec.corrected is not None and spec.corrected.run == run), None)

    def waiting(self, run: str) -> int:
        """How many corrected answers of a run no run has learned yet."""
        newest = self.newest(run)
        return 0 if newest is None or newest.corrected is None or self._data.users(newest.id) else newest.corrected.count

    def learn(self, run: str, lang: str = "en") -> dict[str, Any]:
        """Put a run that goes on from this one, and learns what was corrected, in the queue. Raises InputError `correct.none`."""
        found = self.shared.store.find(run, self.owner)
        newest = self.newest(found.id)
        if newest is None:
            raise InputError("correct.none")
        return self._runs.go_on(found.id, newest.id, t(lang, "correct.run", name=found.name()))

    def _rows(self, run: Run, version: DataSpec | None) -> tuple[NormalRows, NormalRows, NormalRows, str]:
        """Corrected, other and held-out rows as they are now, and what the data are called that have none of the corrected ones."""
        spec, library = run.spec(), self.shared.library
        base = version or library.get(spec.data.id, self.owner)
        if base.corrected is not None:
            rows, count = [*library.rows(base.id, self.owner)], base.corrected.count
            return rows[:count], rows[count:], [*library.validation_rows(base.id, self.owner)], base.corrected.name
        learned, held_out = library.parts(base.id, self.owner, spec.settings)
        if any("messages" not in row for row in learned):
            raise InputError("correct.text")
        others = [*learned]
        random.Random(spec.settings.seed).shuffle(others)
        return [], others, held_out, base.name

    def _write(self, rows: NormalRows, held_out: NormalRows, corrected: CorrectedRows, lang: str) -> DataSpec:
        """The version as data of the owner, read as any file is."""
        card = presets.datasets(self.shared.settings.presets).get(corrected.name)
        named = card.title.model_dump()[lang] if card else corrected.name
        with tempfile.TemporaryDirectory() as folder:
            paths = [
                _written(pathlib.Path(folder) / f"{key}.jsonl", some) for key, some in (("rows", rows), ("held-out", held_out)) if some
            ]
            name = t(lang, "correct.data", name=named, count=corrected.count)
            return self._data.ingest(paths[:1], ReadingOptions(name=name, validation=paths[1:], corrected=corrected))


def _asked(row: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What stands before the last answer of a row, as it is compared: by its words."""
    return [(str(turn["role"]), words(str(turn.get("content") or ""))) for turn in row.get("messages", ())[:-1]]


def _written(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> pathlib.Path:
    lines = (json.dumps({key: value for key, value in row.items() if key != "row"}, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
