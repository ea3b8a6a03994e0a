"""What is worth knowing about data before training on it: findings as notices, and the report that `check` prints.

Only the rows in normal form and their spec are looked at. Nothing is changed, and nothing is counted in tokens here.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuning.data.records import shown
from tuning.schema import DataSpec, Notice

LONG = 8000  # characters: about 2,000 tokens of English at 4 characters each, more than the recipes' max_length
CONSTANT = 0.5  # share of rows with the same answer, above which a model learns to say just that
FEWEST = 4  # rows below which the same answer says nothing
_EXAMPLES = 5  # row numbers in a finding


def check(spec: DataSpec, rows: Iterable[Mapping[str, Any]]) -> list[Notice]:
    """Findings: `data.check.refused`, `data.check.duplicates`, `data.check.constant`, `data.check.long`.

    Each has `count`, and `rows` with the first row numbers (not `constant`, which has `percent` and the `answer`).
    """
    seen: set[bytes] = set()
    repeats: list[int] = []
    long: list[int] = []
    answers: Counter[bytes] = Counter()
    texts: dict[bytes, str] = {}
    for row in rows:
        messages = row["messages"]
        content = _digest(json.dumps([[message["role"], message["content"]] for message in messages]))
        if content in seen:
            repeats.append(row["row"])
        seen.add(content)
        if sum(len(message["content"]) for message in messages) > LONG:
            long.append(row["row"])
        answer = _digest(messages[-1]["content"])
        answers[answer] += 1
        texts.setdefault(answer, shown(messages[-1]["content"], 60))
    refused = [notice.params["row"] for notice in spec.refused]
    findings = [
        *_numbered("data.check.refused", "warning", spec.rows_read - spec.rows_kept, refused),
        *_numbered("data.check.duplicates", "warning", len(repeats), repeats),
        *_numbered("data.check.long", "info", len(long), long, limit=LONG),
    ]
    if answers.total() >= FEWEST:
        answer, count = answers.most_common(1)[0]
        if count > CONSTANT * answers.total():
            params = {"count": count, "percent": round(100 * count / answers.total()), "answer": texts[answer]}
            findings.append(Notice(code="data.check.constant", level="warning", params=params))
    return findings


def report(spec: DataSpec, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a data set is, for the verb, the page and the API alike. Plain JSON types."""
    return {
        "id": spec.id,
        "name": spec.name,
        "format": spec.format,
        "encoding": spec.encoding,
        "mapping": spec.mapping,
        "rows_read": spec.rows_read,
        "rows_kept": spec.rows_kept,
        "rows_refused": spec.rows_read - spec.rows_kept,
        "refused": [{"code": notice.code, **notice.params} for notice in spec.refused],
        "validation_rows": spec.validation_rows,
        "characters": spec.characters,
        "findings": [notice.model_dump() for notice in check(spec, rows)],
    }


def _numbered(code: str, level: str, count: int, rows: Sequence[int], **more: int) -> list[Notice]:
    if not count:
        return []
    first = ", ".join(map(str, rows[:_EXAMPLES])) + (", …" if count > _EXAMPLES else "")
    return [Notice.model_validate({"code": code, "level": level, "params": {"count": count, "rows": first, **more}})]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
