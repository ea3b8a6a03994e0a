"""How a loss curve is looked at: smoothed, on a logarithmic axis, in a window of its last steps, and the buttons that turn this.

Pure functions; what is drawn of it stands in `pictures`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuning.runs.differences import Point
from tuning.text import t
from tuning.ui.markup import Html, html, joined

SMOOTH = (0, 60, 90, 98)  # percent of the moving mean that stays at each point, as TensorBoard's slider
WINDOWS = (100, 50, 20)  # percent of the steps so far, the last ones


@dataclass(frozen=True)
class CurveLook:
    """What was chosen, for all curves of a page alike. It comes from a page, so it is read with `of`."""

    smooth: int = 0
    log: bool = False
    window: int = 100

    @classmethod
    def of(cls, value: object) -> "CurveLook":
        """Anything that is not offered counts as not chosen."""
        given = value if isinstance(value, dict) else {}
        smooth, window = (given.get(key) for key in ("smooth", "window"))
        return cls(
            smooth=smooth if type(smooth) is int and smooth in SMOOTH else 0,
            log=given.get("log") is True,
            window=window if type(window) is int and window in WINDOWS else 100,
        )

    def turned(self, pressed: str) -> "CurveLook":
        """As a button turns it: `smooth:90`, `window:50`, `log:`."""
        kind, _, value = pressed.partition(":")
        if kind == "log":
            return replace(self, log=not self.log)
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 4 else -1
        if kind == "smooth" and number in SMOOTH:
            return replace(self, smooth=number)
        return replace(self, window=number) if kind == "window" and number in WINDOWS else self


PLAIN = CurveLook()


def smoothed(points: Sequence[Point], percent: int) -> list[Point]:
    """The exponential moving mean of the values, without the pull of its beginning (Kingma and Ba, 2015, as in TensorBoard)."""
    mean, weight, found = 0.0, percent / 100, list[Point]()
    for count, (x, y) in enumerate(points, 1):
        mean = weight * mean + (1 - weight) * y
        found.append((x, mean / (1 - weight**count)))
    return found


def seen(points: Sequence[Point], look: CurveLook, reached: float) -> list[Point]:
    """Those points that the window shows, up to the step that was `reached`; on a logarithmic axis those above zero."""
    first = start(look, reached)
    return [(x, y) for x, y in points if x >= first and (y > 0 or not look.log)]


def start(look: CurveLook, reached: float) -> float:
    """The first step that the window shows."""
    return reached * (1 - look.window / 100)


def decades(low: float, high: float) -> list[float]:
    """Marks of a logarithmic axis from below `low` to above `high`: 1, 2 and 5 of each power of ten, where those are many 1 alone."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(max(high, low * 1.001)))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    marks = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in factors]
    below = max(mark for mark in marks if mark <= low)
    above = min(mark for mark in [*marks, math.inf] if mark >= high and mark > below)
    return [mark for mark in marks if below <= mark <= above]


def buttons(look: CurveLook, lang: str) -> Html:
    """The presses that turn it, as HTML."""
    groups = [
        ("smooth", [(f"smooth:{one}", t(lang, f"ui.curve.smooth.{one}"), look.smooth == one) for one in SMOOTH]),
        ("window", [(f"window:{one}", t(lang, f"ui.curve.window.{one}"), look.window == one) for one in WINDOWS]),
        ("axis", [("log:", t(lang, "ui.curve.log"), look.log)]),
    ]
    drawn = Html()
    for name, ways in groups:
        inside = joined(
            html(
                '<button type="button" data-do="curve" data-value="{value}" aria-pressed="{on}">{label}</button>',
                value=value,
                on=str(on).lower(),
                label=label,
            )
            for value, label, on in ways
        )
        title = t(lang, f"ui.curve.{name}")
        drawn += html(
            '<span role="group" aria-label="{title}"><b aria-hidden="true">{title}</b>{inside}</span>', title=title, inside=inside
        )
    return html('<div class="curve-ways">{drawn}</div>', drawn=drawn)
