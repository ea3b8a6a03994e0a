"""An answer with a better one beside it: `answer` and `correct_answer`, "Risposta" and "Risposta rivista".

What is learned is what is called an answer; that another column may hold what somebody has put right is told, and never guessed.
"""

import re
from collections.abc import Mapping, Sequence

from tuning.data.formats.content import fold
from tuning.data.formats.kinds.meant import words
from tuning.data.formats.shapes import Format, PairShape
from tuning.data.records import Values, shown, squeezed
from tuning.schema import Notice

_ANSWERS = re.compile(r"(?:answer|response|output|completion|reply|rispost[ae]|antwort|réponse|respuesta|resposta)s?")
_BETTER = re.compile(
    r"best|better|correct(?:ed)?|right|gold(?:en)?|ideal|improved|edited|revised|reviewed|expected|approved|verified|reference"
    r"|corrett[ae]|esatt[ae]|giust[ae]|miglior[ei]|migliorat[ae]|rivist[ae]|ideale|attes[ae]|approvat[ae]|verificat[ae]|validat[ae]|definitiv[ae]"
    r"|richtige?|korrigierte?|verbesserte?|corrigée?|correcta|corregida|mejorada"
)
_ALONE = frozenset(("gold", "groundtruth", "expected", "correction", "correzione", "korrektur"))


def beside(form: Format, mapping: Mapping[str, str], sample: Sequence[Values]) -> Notice | None:
    """The finding that a column holds other answers than those that are learned, and is called as if they were better."""
    if not isinstance(form, PairShape) or form.answers not in mapping or _is_better(mapping[form.answers]):
        return None
    column = mapping[form.answers]
    others = [name for name in dict.fromkeys(name for row in sample for name in row) if name not in mapping.values() and _is_better(name)]
    other = next((name for name in others if any(_differs(row.get(name), row.get(column)) for row in sample)), None)
    if other is None:
        return None
    params = {"column": shown(column), "other": shown(other), "target": form.answers}
    return Notice(code="data.note.better", level="warning", params=params)


def _is_better(column: str) -> bool:
    """Whether a column is called for better answers."""
    said = words(column)
    named = any(map(_ANSWERS.fullmatch, said)) and any(map(_BETTER.fullmatch, said))
    return named or squeezed(column) in _ALONE


def _differs(other: object, answer: object) -> bool:
    """Whether a text is given, and no part of the answer."""
    return isinstance(other, str) and isinstance(answer, str) and bool(other.strip()) and fold(other) not in fold(answer)
