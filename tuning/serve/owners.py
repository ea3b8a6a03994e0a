"""Whose things a request may see and change: the one place that knows. It looks at the request and at nothing else."""

from tuning.schema import LOCAL


def of(request: object) -> str:
    """The owner for whom `request` speaks. On a machine of one's own everybody who comes in is its owner."""
    return LOCAL
