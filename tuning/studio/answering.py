"""How a run or a model answers when nobody says otherwise: what the rows, the chat template and the model's generation config say.

It reads files only, and generates nothing.
"""

import collections
import functools
import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning.errors import InputError, TuningError
from tuning.models import model_folder, sampling
from tuning.runs.contents import AnswerSettings
from tuning.runs.run_folder import Run
from tuning.studio.shared import Shared
from tuning.studio.talk import AS_IT_COMES, scaling, template_of, thinking_of

if TYPE_CHECKING:
    from tuning.studio.talk import Talk

LOOKED_AT = 200  # rows, which tell what all are like
LENGTH = 512  # tokens of an answer, where the model's files say nothing
TOP_P = 0.9
BROKEN = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError)  # what a tokenizer's files may come to


@dataclass(frozen=True)
class Habits:
    """The settings of an answer with nothing left open but the seed, and where they come from.

    `own_system`: the text that the template puts in by itself where a conversation has no system message. `single`: the rows are
    single questions with their answers, and `taught` says that there are rows at all. `scaling`: see `talk.scaling`.
    """

    settings: AnswerSettings
    own_system: str = ""
    single: bool = False
    taught: bool = False
    context: int = 0
    scaling: str = "nothing"


class Answering:
    """How the runs of an owner, and models, answer."""

    def __init__(self, shared: Shared, owner: str, talk: "Talk") -> None:
        self.shared, self.owner, self._talk = shared, owner, talk

    def habits(self, target: str) -> Habits:
        """How `target` answers when nobody says otherwise. Raises what `Talk.whom` does.

        What the template puts in is known as soon as the libraries are loaded, for a tokenizer is needed.
        """
        model, run = self._talk.whom(target)
        path = pathlib.Path(model.path)
        rows = self._rows(run.spec().data.id) if isinstance(run, Run) else []
        own = ""
        if self.shared.workshop is None or self.shared.workshop.ready.is_set():
            own = _own_system(model.path, path.stat().st_mtime_ns, self.shared.shelf.trusts(model.path), template_of(run))
        single = bool(rows) and all([turn["role"] for turn in row if turn["role"] != "system"] == ["user", "assistant"] for row in rows)
        settings = AnswerSettings(system=_common_system(rows) or own, remember=not single, strength=100.0, **_generation(path))
        return Habits(settings, own, single, bool(rows), model.card.context_length, scaling(run))

    def thinks(self, target: str) -> bool | None:
        """Whether `target` thinks before it answers when nobody says otherwise; None where its template knows of no thoughts."""
        try:
            model, run = self._talk.whom(target)
        except TuningError:
            return None
        written = template_of(run)
        knows = model.card.thinking or model_folder.thinks(pathlib.Path(model.path))
        if not (model_folder.knows_thoughts(written) if written else knows):
            return None
        return thinking_of(run, AS_IT_COMES) in ("learn", "auto")

    def _rows(self, data: str) -> list[list[dict[str, Any]]]:
        """The conversations of the first rows; none of texts without turns."""
        try:
            return [row["messages"] for row in self.shared.library.rows(data, self.owner, LOOKED_AT) if "messages" in row]
        except InputError:  # the data are gone, or cannot be read
            return []


def _common_system(rows: list[list[dict[str, Any]]]) -> str:
    """The system text that most of the rows have."""
    texts = collections.Counter(row[0]["content"] for row in rows if row and row[0]["role"] == "system")
    text, count = next(iter(texts.most_common(1)), ("", 0))
    return str(text) if 2 * count > len(rows) else ""


def _generation(folder: pathlib.Path) -> dict[str, Any]:
    """Temperature, top-p and length by the model's generation config; without sampling in it the likeliest words are taken."""
    how, length = sampling.read(folder), sampling.number(sampling.document(folder), "max_new_tokens", 16, 8192, LENGTH)
    return {"temperature": how.temperature, "top_p": how.top_p if how.temperature else TOP_P, "max_new_tokens": int(length)}


@functools.lru_cache(maxsize=64)
def _own_system(path: str, mark: int, code: bool, written: str | None) -> str:
    """What the template of the model in a folder, changed at `mark`, or one by hand, puts in where there is no system message."""
    from tuning.tokens import labels
    from tuning.tokens.template import Template

    try:
        return Template(labels.templated(labels.load(path, code), written)).own_system()
    except BROKEN:
        return ""  # whoever asks the model is told
