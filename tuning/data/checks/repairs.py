"""Repairs of data at a click: each mends or drops rows on their way in, and counts them. Nothing is done that was not chosen.

Pure and in one pass: the same rows and choice give the same result. What is dropped is what `findings` counts with that repair.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.data.checks.near_duplicates import MOST, Near
from tuning.data.formats.content import KnownQuestions, mended, question_key, said, spoken


class Repairs:
    """The repairs chosen, all of them names of `REPAIRS`, for one file.

    `known` are the questions of the held-out rows. Near repeats are looked for among the first 20,000 rows. `roles` is done
    where turns become messages, before a row gets here: who does it adds to `counts`. `counts` are rows mended or dropped by
    repair, `dropped` all those dropped.
    """

    def __init__(self, chosen: Sequence[str], known: KnownQuestions | None = None) -> None:
        self.chosen = frozenset(chosen)
        self.counts: Counter[str] = Counter()
        self.dropped = 0
        self._known = known if known is not None and "leak" in self.chosen else None
        self._seen: set[int] | None = set() if self.chosen & {"duplicates", "near_duplicates"} else None
        self._near = Near() if "near_duplicates" in self.chosen else None

    def apply(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The row, mended where that was chosen; None where it is dropped."""
        if "encoding" in self.chosen:
            row = self._mended(row)
        reason = self._reason_to_drop(row)
        if reason is None:
            return row
        self.note_dropped(reason)
        return None

    def note_dropped(self, reason: str) -> None:
        """Count a row that a repair drops before it is in normal form."""
        self.counts[reason] += 1
        self.dropped += 1

    def _mended(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row with its letters set right; the same object where there is nothing to mend."""
        if "text" in row:
            text = mended(row["text"])
            better = row if text is None else {**row, "text": text}
        else:
            contents = [mended(message["content"]) for message in row["messages"]]
            if all(content is None for content in contents):
                return row
            turns = zip(row["messages"], contents, strict=True)
            messages = [message if content is None else {**message, "content": content} for message, content in turns]
            better = {**row, "messages": messages}
        self.counts["encoding"] += better is not row
        return better

    def _reason_to_drop(self, row: Mapping[str, Any]) -> str | None:
        """The repair that drops this row."""
        if self._seen is None and self._known is None:
            return None
        texts = said(row)
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
