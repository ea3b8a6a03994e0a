"""Questions of one's own with which a run is tested, kept in the folder of its data and deleted with them. Nobody is asked here."""

import csv
import io
import pathlib
from collections.abc import Sequence
from typing import Any

from tuning.errors import InputError
from tuning.runs import disk, files
from tuning.runs.contents import KeptQuestions
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared
from tuning.studio.talk import run_of

FILE = "questions.json"
MOST, LONGEST = 100, 2000  # questions, characters of one
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute


class OwnQuestions:
    """The test questions of one owner, by the run whose data they are kept with."""

    def __init__(self, shared: Shared, owner: str, quotas: Quotas) -> None:
        self.shared, self.owner, self._quotas = shared, owner, quotas

    def of(self, run: str) -> list[str]:
        """The questions kept with the data of a run; none where the data are gone."""
        try:
            path = self._path(run)
        except InputError:
            return []
        found = disk.kept(lambda: disk.record(path, KeptQuestions), None) if path.exists() else None
        return [] if found is None or found.owner != self.owner else found.questions

    def add(self, run: str, text: str) -> list[str]:
        """Keep the lines of a text as questions, each once. Raises InputError where there are too many, and what `Library.get` does."""
        lines = [line.strip()[:LONGEST] for line in text.splitlines() if line.strip()]
        if not lines:
            raise InputError("chat.empty")
        questions = [*dict.fromkeys([*self.of(run), *lines])]
        if len(questions) > MOST:
            raise InputError("questions.many", most=MOST)
        self._keep(run, questions)
        return questions

    def remove(self, run: str, question: str) -> None:
        """Forget one of them."""
        self._keep(run, [one for one in self.of(run) if one != question])

    def _keep(self, run: str, questions: Sequence[str]) -> None:
        self._quotas.room()
        files.write(self._path(run), KeptQuestions(owner=self.owner, questions=[*questions]).model_dump_json(by_alias=True))

    def _path(self, run: str) -> pathlib.Path:
        data = self.shared.store.find(run_of(run), self.owner).spec().data.id
        library = self.shared.library
        return library.folder / library.get(data, self.owner).id / FILE


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as CSV with a byte order mark, as spreadsheets open it; what they would compute is text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([_cell(value) for value in row] for row in [heads, *rows])
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> str:
    text = str(value)
    return "'" + text if text.startswith(FORMULA) else text
