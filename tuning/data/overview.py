"""The report on data that `check` prints, and that page and API show: what they are, what was refused, what was found."""

from typing import Any

from tuning.schema import DataSpec


def report(spec: DataSpec) -> dict[str, Any]:
    """What a data set is. Plain JSON types. Rows read are those kept, those dropped by repairs and those refused."""
    same = ("id", "name", "kind", "format", "encoding", "columns", "mapping", "rows_read", "rows_kept", "rows_dropped", "repairs")
    facts = spec.model_dump(
        include={*same, "validation_rows", "characters", "findings", "unused", "reason", "license", "max_rows", "corrected"}
    )
    return {
        **facts,
        "rows_refused": spec.rows_read - spec.rows_kept - spec.rows_dropped,
        "refused": [{"code": notice.code, **notice.params} for notice in spec.refused],
        "rows_edited": len(spec.edits),
        "source_kept": bool(spec.sources),  # whether it can be read again in another way
    }
