"""When something was said, from a date as people and exports write it; and whether the dates of a file begin with the day or the month."""

import datetime
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

_DAY = re.compile(r"\s*(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})")
_WRITTEN = re.compile(
    r"(?P<first>\d{1,4})([./-])(?P<second>\d{1,2})\2(?P<third>\d{2,4})"
    r"(?:,?\s+(?:(?:alle|ore|at|um|à|a las)\s+)?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<rest>\d{2})(?:\.\d+)?)?"
    r"(?:\s?(?P<half>[ap])\.?\s?m\.?)?)?",
    re.IGNORECASE,
)


def month_first(dates: Sequence[str], otherwise: bool = False) -> bool:
    """Whether dates of one file begin with the month: a number over 12 says it, else the order of time.

    `otherwise` is what is taken where neither does: the day, unless hours are counted to twelve.
    """
    days = [(int(one[1]), int(one[3]), int(one[4])) for date in dates if (one := _DAY.match(date)) and len(one[1]) < 3]
    if any(first > 12 for first, _, _ in days):
        return False
    if any(second > 12 for _, second, _ in days):
        return True
    by_day = _in_order([(year, second, first) for first, second, year in days])
    by_month = _in_order([(year, first, second) for first, second, year in days])
    return otherwise if by_day == by_month else by_month


def _in_order(days: Sequence[tuple[int, int, int]]) -> bool:
    """Whether time goes one way."""
    return all(one <= two for one, two in pairwise(days)) or all(one >= two for one, two in pairwise(days))


def moment(value: Any, american: bool = False) -> float | None:
    """Seconds since 1970 of a date, as if in UTC; None for anything else. `american` says that the month stands first, where it may."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        return (number / 1000 if number > 1e11 else number) if number > 1e8 else None
    for form in (None, "%d-%b-%y %I:%M %p"):
        try:
            when = datetime.datetime.fromisoformat(text) if form is None else datetime.datetime.strptime(text, form)
            return (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return _by_hand(text, american)


def _by_hand(text: str, american: bool) -> float | None:
    """The same of a date in figures, such as `10/05/24 09:15`."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    first, second, third = (int(found[name]) for name in ("first", "second", "third"))
    hour = int(found["hour"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
        american = True  # as it was always taken where hours are counted to twelve
    if len(found["first"]) > 2:
        orders = [(first, second, third)]
    else:
        year = third + (2000 if third < 100 else 0)
        orders = [(year, first, second), (year, second, first)] if american else [(year, second, first), (year, first, second)]
    for year, month, day in orders:
        try:
            when = datetime.datetime(year, month, day, hour, int(found["minute"] or 0), int(found["rest"] or 0), tzinfo=datetime.UTC)
            return when.timestamp()
        except ValueError:
            continue
    return None
