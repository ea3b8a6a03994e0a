"""Repairs of data at a click: each mends or drops rows on their way in, and counts them. Nothing is done that was not chosen.

Pure and in one pass: the same rows and choice give the same result. What is dropped is what `findings` counts with that repair.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuning.data.checks import leftovers
from tuning.data.checks.near_duplicates import MOST, Near
from tuning.data.formats.content import KnownQuestions, mended, question_key, said, spoken
from tuning.data.records import SYSTEM, system_text

_MENDS: Sequence[tuple[str, Callable[[str], str | None]]] = (
    ("control", leftovers.uncontrolled),
    ("escape", leftovers.unescaped),
    ("encoding", mended),
    ("html", leftovers.unmarked),
)


class Repairs:
    """The repairs chosen, names of `REPAIRS` or the system text of every conversation after `SYSTEM`, for one file.

    `known` are the questions of the held-out rows. Near repeats are looked for among the first 20,000 rows. `roles` is done
    where turns become messages, before a row gets here: who does it adds to `counts`. `counts` are rows mended or dropped by
    repair, `dropped` all those dropped.
    """

    def __init__(self, chosen: Sequence[str], known: KnownQuestions | None = None) -> None:
        self.chosen = frozenset(chosen)
        self.counts: Counter[str] = Counter()
        self.dropped = 0
        self.system = system_text(chosen)
        self._known = known if known is not None and "leak" in self.chosen else None
        self._seen: set[int] | None = set() if self.chosen & {"duplicates", "near_duplicates"} else None
        self._near = Near() if "near_duplicates" in self.chosen else None

    def apply(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The row, mended where that was chosen; None where it is dropped."""
        for name, mend in _MENDS:
            if name in self.chosen:
                row = self._mended(row, name, mend)
        if self.system and "messages" in row:
            row = self._told(row)
        reason = self._reason_to_drop(row)
        if reason is None:
            return row
        self.note_dropped(reason)
        return None

    def note_dropped(self, reason: str) -> None:
        """Count a row that a repair drops before it is in normal form."""
        self.counts[reason] += 1
        self.dropped += 1

    def _told(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The conversation, begun by the chosen system text in the place of its own."""
        told, turns = {"role": "system", "content": self.system}, row["messages"]
        own = turns[:1] if turns and turns[0]["role"] == "system" else []
        self.counts[SYSTEM] += own != [told]
        return {**row, "messages": [told, *turns[len(own) :]]}

    def _mended(self, row: Mapping[str, Any], name: str, mend: Callable[[str], str | None]) -> Mapping[str, Any]:
        """The row, its texts set right by `mend`, which answers None for one that is; the same object where there is nothing to do."""
        if "text" in row:
            text = mend(row["text"])
            better = row if text is None else {**row, "text": text}
        else:
            contents = [mend(message["content"]) for message in row["messages"]]
            if all(content is None for content in contents):
                return row
            turns = zip(row["messages"], contents, strict=True)
            messages = [message if content is None else {**message, "content": content} for message, content in turns]
            better = {**row, "messages": messages}
        if better is not row:
            self.counts[name] += 1
        return better

    def _reason_to_drop(self, row: Mapping[str, Any]) -> str | None:
        """The repair that drops this row."""
        if self._seen is None and self._known is None and "unfilled" not in self.chosen:
            return None
        texts = said(row)
        if "unfilled" in self.chosen and any(map(leftovers.unfilled, texts)):
            return "unfilled"
        if self._known is not None and question_key(texts) in self._known:
            return "leak"
        if self._seen is None:
            return None
        content = hash(texts)
        if content in self._seen:
            return "duplicates" if "duplicates" in self.chosen else None
        self._seen.add(content)
        if self._near is None or len(self._near) >= MOST:  # beyond it `findings` does not offer this repair
            return None
        return "near_duplicates" if self._near.add(row["row"], spoken(row, texts)) is not None else None
