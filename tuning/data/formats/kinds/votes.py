"""Two answers beside each other and a column that says which of them is better: comparisons, as arenas and annotators make them.

The better one is learned; where neither is, the row is left out. Answers that are called chosen and rejected are in `pairs`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tuning.data.formats.kinds.pairs import Preference
from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Targets
from tuning.data.formats.turns import text
from tuning.data.formats.vocabulary import CONTEXT
from tuning.data.records import Values, shown, squeezed, value_at
from tuning.errors import InputError

_STEMS = ("response", "answer", "output", "completion", "reply", "conversation", "model", "assistant", "risposta", "antwort", "respuesta")
_ENDS = (("a", "b"), ("0", "1"), ("1", "2"))  # of the names of the two columns
_VOTES = (
    *("winner", "preference", "preferred", "preferredresponse", "preferredanswer", "better", "betterresponse", "betterresponseid", "best"),
    *("bestresponse", "bestanswer", "choice", "vincitore", "vincente", "preferenza", "preferita", "migliore", "scelta"),
)
_TIES = frozenset(
    {
        *("tie", "tie(bothbad)", "tie(bothgood)", "bothbad", "bothgood", "both", "neither", "none", "equal", "same", "draw"),
        *("pari", "parità", "nessuna", "entrambe"),
    }
)
_BETTER = re.compile(r"(?:is)?(?:slightly|somewhat|much|clearly|significantly|strongly)?better$")  # "a-is-slightly-better"


class Votes(Preference):
    """Two answers, and which of them is the better one."""

    name = "comparison"
    example: ClassVar[Values] = {"prompt": "Name a river in Italy.", "response_a": "The Rhine.", "response_b": "The Po.", "winner": "b"}
    targets: ClassVar[Targets] = {**Preference.targets, "chosen": (), "rejected": (), "vote": _VOTES, "context": CONTEXT}
    required = frozenset({"chosen", "rejected", "vote"})

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As any format's; the two answers are columns that differ in their last letter or digit, A or 0 or 1 being `chosen` here."""
        names = {squeezed(column): column for column in reversed(columns)}
        pairs = ((names.get(stem + first), names.get(stem + second)) for stem in _STEMS for first, second in _ENDS)
        both = next((pair for pair in pairs if None not in pair), None)
        return None if both is None else super().complete(columns, {"chosen": str(both[0]), "rejected": str(both[1]), **given})

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        first, second, vote = mapping["chosen"], mapping["rejected"], mapping["vote"]
        said = _BETTER.sub("", squeezed(text(value_at(row, vote), vote)))
        if said in _TIES:
            raise InputError("data.row.tie", column=shown(vote))
        sides = {squeezed(column): column for column in (first, second)}
        ends = {prefix + name[-1]: column for name, column in sides.items() for prefix in ("", "model", "assistant")}
        better = {**ends, **sides}.get(said)
        if better is None:
            raise InputError("data.row.type", column=shown(vote), found="value")
        worse = second if better == first else first
        return super().convert(row, {**mapping, "chosen": better, "rejected": worse}, mend, notes)
