"""Lists of answers that cells hold as text, `['Rome', 'Milan']`: so pandas writes them into a CSV.

An answer may as well be meant to be such a text. So they are taken apart only where all answers of a sample are lists, and either the
column is called for several answers, or Python printed them in one that is called for an answer; otherwise they are told.
"""

import json
from collections.abc import Sequence
from typing import Any

from tuning.data.formats.tool_calls import parsed
from tuning.data.records import Number

_MOST = 100_000  # characters of such a cell
_FEWEST = 2  # cells
_ANSWERS = frozenset(("answer", "risposta", "antwort", "réponse", "respuesta", "resposta"))


def texts(cell: Any) -> list[str] | None:
    """The texts of the list that a cell spells in JSON or as Python prints it; None where it spells none, or holds something else."""
    if cell.__class__ is not str or len(cell) > _MOST or cell.lstrip()[:1] != "[" or cell.rstrip()[-1:] != "]":
        return None
    try:
        held = parsed(cell)
    except ValueError:
        return None
    return held if isinstance(held, list) and all(isinstance(one, str) and not isinstance(one, Number) for one in held) else None


def apart(cells: Sequence[Any], name: str, several: bool) -> bool | None:
    """Whether lists in a column are to be taken apart; None where not all of its cells are such lists.

    `name` is the column's, squeezed; `several` says that it is called for several answers.
    """
    held = [texts(cell) for cell in cells]
    if len(held) < _FEWEST or None in held or not any(held):
        return None
    return several or (name in _ANSWERS and any(map(_is_python, cells)))


def _is_python(cell: str) -> bool:
    """Whether a list is none in JSON."""
    try:
        json.loads(cell)
    except ValueError:
        return True
    return False
