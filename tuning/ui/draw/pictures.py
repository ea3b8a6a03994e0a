"""The pictures of the page: curves of a run, of two runs, small ones for a list, and the memory bar. Numbers in, HTML with SVG out.

Lines are drawn in a stretched SVG, words beside it as text, so that both stay readable at any width. No decision is
made here.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.runs.differences import MOST_POINTS, Point, series, thin
from tuning.text import t
from tuning.ui.draw.curves.curve_look import PLAIN, CurveLook, buttons, decades, seen, smoothed, start
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import loss, number, size

WIDTH, HEIGHT = 1000.0, 240.0
SPARK = (120.0, 34.0)
SMALL_POINTS = 200  # of a small chart
MOST_DOTS = 60  # points of a line that are marked as well
Ends = tuple[float | None, float | None]  # a loss before and after


@dataclass(frozen=True)
class Track:
    """One line of a plot. `kind` is how the style sheet calls it."""

    kind: str
    points: Sequence[Point]
    dots: bool = False


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from below `low` to above `high`."""
    span = max(high - low, 1e-6)
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.floor(low / step)
    return [round(index * step, 10) for index in range(first, max(math.ceil(high / step), first + 1) + 1)]


@dataclass(frozen=True)
class Scale:
    """The steps from `first` to `last`, and the values `marks` from the lowest to the highest, which may stand by their logarithm."""

    last: float
    marks: Sequence[float]
    first: float = 0.0
    log: bool = False

    def height(self, value: float) -> float:
        """A value as it stands on the axis."""
        return math.log10(value) if self.log else value


def plot(tracks: Sequence[Track], scale: Scale, write: Callable[[float], str], lang: str) -> Html:
    """Lines over the steps of a scale, with the values of its marks beside them as `write` says them."""
    marks, first, width = scale.marks, scale.first, max(scale.last - scale.first, 1e-9)
    bottom, top = scale.height(marks[0]), scale.height(marks[-1])

    def place(point: Point) -> Point:
        return (point[0] - first) / width * WIDTH, (top - scale.height(point[1])) / (top - bottom) * HEIGHT

    grid = joined(html('<path class="grid" d="M0 {height:.1f}H{width:.0f}"/>', height=place((0, mark))[1], width=WIDTH) for mark in marks)
    words = joined(
        html('<span class="y" style="top:{top:.2f}%">{mark}</span>', top=place((0, mark))[1] / HEIGHT * 100, mark=write(mark))
        for mark in marks
    )
    steps = sorted({math.ceil(first), round((first + scale.last) / 2), round(scale.last)})
    words += joined(
        html('<span class="x" style="left:{at:.2f}%">{step}</span>', at=(step - first) / width * 100, step=number(step, lang))
        for step in steps
    )
    lines = joined(_line(track.kind, [place(point) for point in track.points], track.dots) for track in tracks if track.points)
    return html(
        '<div class="plot" aria-hidden="true">'
        '<svg viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none" focusable="false">{grid}{lines}</svg>{words}</div>',
        width=WIDTH,
        height=HEIGHT,
        grid=grid,
        lines=lines,
        words=words,
    )


def losses(tracks: Sequence[Track], last: float, lang: str, look: CurveLook = PLAIN) -> Html:
    """A plot of losses up to the step `last`, or what a window shows of them; from zero where they come near it."""
    reached = max((x for track in tracks for x, _ in track.points), default=last)
    values = [y for track in tracks for _, y in track.points] or [1.0]
    low, high = min(values), max(values)
    marks = decades(low, high) if look.log else ticks(min(0.0, low) if low < 0.5 * high or len(values) < 5 else low, high)
    digits = next((count for count in range(4) if all((mark * 10**count).is_integer() for mark in marks)), 4)
    scale = Scale(last if look.window == 100 else reached, marks, start(look, reached), look.log)
    return plot(tracks, scale, lambda mark: number(mark, lang, digits), lang)


def reached_by(metrics: Sequence[Mapping[str, Any]]) -> float:
    """The last step of which a loss was logged."""
    return max((x for key in ("loss", "eval_loss") for x, _ in series(metrics, key)), default=0.0)


def trained(kind: str, metrics: Sequence[Mapping[str, Any]], look: CurveLook, most: int, reached: float) -> list[Track]:
    """The lines of a run's training loss and its evaluations, in the window that ends with the step `reached`.

    Where it is smoothed, what was logged stands faintly behind.
    """
    points, checks = series(metrics, "loss"), series(metrics, "eval_loss")
    points, even = (seen(line, look, reached) for line in (points, smoothed(points, look.smooth)))
    faint = [Track(f"training raw {kind}".strip(), thin(points, most))] if look.smooth else []
    shown = thin(seen(checks, look, reached), most)
    return [*faint, Track(f"training {kind}".strip(), thin(even, most)), evaluations(f"validation {kind}".strip(), shown)]


def evaluations(kind: str, points: Sequence[Point]) -> Track:
    """A line of few points, each of them marked."""
    return Track(kind, points, dots=len(points) <= MOST_DOTS)


def curve(
    metrics: Sequence[Mapping[str, Any]], total_steps: int, lang: str, look: CurveLook | None = None, ends: Ends = (None, None)
) -> Html:
    """Training and validation loss over the steps, with a sentence that says the same, and where there is a `look` the buttons for it.

    `ends`: the held-out loss before and after as the run has it, where an evaluation on the way looks at fewer rows.
    """
    training, validation = thin(series(metrics, "loss")), thin(series(metrics, "eval_loss"))
    if not training:
        return html('<div class="curve none"><p>{none}</p></div>', none=t(lang, "ui.live.curve.none"))
    last = max(float(total_steps), training[-1][0], 1.0)
    drawn = losses(trained("", metrics, look or PLAIN, MOST_POINTS, reached_by(metrics)), last, lang, look or PLAIN)
    ways = "" if look is None else buttons(look, lang)
    said = {key: t(lang, f"ui.live.{key}") for key in ("training", "validation", "loss", "step_axis")}
    return html(
        '<figure class="curve"><div class="legend" aria-hidden="true"><span class="key training">{training}</span>'
        '<span class="key validation">{validation}</span><span class="axis">{loss} / {step_axis}</span></div>{drawn}'
        "<figcaption>{says}</figcaption>{ways}</figure>",
        training=said["training"],
        validation=said["validation"],
        loss=said["loss"],
        step_axis=said["step_axis"],
        drawn=drawn,
        says=_says(training, validation, ends, lang),
        ways=ways,
    )


def small(title: str, points: Sequence[Point], write: Callable[[float], str], lang: str, limit: tuple[float, str] | None = None) -> Html:
    """One measured line with its name and its last value; `limit` is a level to hold it against, and what that is called."""
    if not points:
        return Html()
    values = [y for _, y in points] + ([limit[0]] if limit else [])
    low, high = min(values), max(values)
    marks = [0.0, high or 1.0] if low >= 0 else [low, high]
    last = max(points[-1][0], 1.0)
    tracks = [Track("training", thin(points, SMALL_POINTS))]
    if limit:
        tracks.append(Track("limit", [(0.0, limit[0]), (last, limit[0])]))
    note = html('<span class="key limit">{limit}</span>', limit=limit[1]) if limit else ""
    return html(
        '<figure class="curve small"><figcaption>{title} <b>{last}</b>{note}</figcaption>{plot}</figure>',
        title=title,
        last=write(points[-1][1]),
        note=note,
        plot=plot(tracks, Scale(last, marks), write, lang),
    )


def spark(points: Mapping[str, Sequence[Sequence[float]]]) -> Html:
    """Losses of a run the size of a word: training thin, validation strong. What it shows is said in words beside it."""
    kinds = {"loss": "training", "eval_loss": "validation"}
    values = [y for line in points.values() for _, y in line]
    if len(values) < 2:
        return html('<svg class="spark" viewBox="0 0 120 34" aria-hidden="true" focusable="false"></svg>')
    low, high = min(values), max(values)
    last = max(x for line in points.values() for x, _ in line) or 1.0
    wide, tall = SPARK[0] - 6, SPARK[1] - 6
    drawn = Html()
    for name, kind in kinds.items():
        line = [(3 + x / last * wide, 3 + (high - y) / ((high - low) or 1.0) * tall) for x, y in points.get(name, ())]
        drawn += _line(kind, line) if line else ""
    return html(
        '<svg class="spark" viewBox="0 0 {wide:.0f} {tall:.0f}" preserveAspectRatio="xMinYMid" aria-hidden="true" focusable="false">'
        "{drawn}</svg>",
        wide=SPARK[0],
        tall=SPARK[1],
        drawn=drawn,
    )


def _line(kind: str, points: Sequence[Point], dots: bool = False) -> Html:
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    drawn = html('<polyline class="{kind}" points="{corners}"/>', kind=kind, corners=corners)
    if dots or len(points) == 1:
        drawn += html('<path class="{kind} dots" d="{dots}"/>', kind=kind, dots="".join(f"M{x:.1f} {y:.1f}h0" for x, y in points))
    return drawn


def _says(training: Sequence[Point], validation: Sequence[Point], whole: Ends, lang: str) -> str:
    ends = {"first": loss(training[0][1], lang), "last": loss(training[-1][1], lang)}
    if not validation:
        return t(lang, "ui.live.curve.says", **ends)
    first, last = (loss(point[1] if of is None else of, lang) for of, point in zip(whole, (validation[0], validation[-1]), strict=True))
    return t(lang, "ui.live.curve.says_both", **ends, eval_first=first, eval_last=last)


GROUPS = {
    "model": ("weights", "adapter"),
    "learning": ("optimizer", "gradients", "activations", "logits", "workspace"),
}  # parts of the memory by what they are for; all else is the rest


def grouped(parts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Predicted parts of the memory as three: the model, learning, the rest. What is empty is left out."""
    found = {group: sum(parts.get(name, 0) for name in names) for group, names in GROUPS.items()}
    found["rest"] = sum(parts.values()) - sum(found.values())
    return [(group, count) for group, count in found.items() if count]


def memory_bar(parts: Mapping[str, int], available: int, lang: str) -> Html:
    """Predicted parts against what is free, with a sentence that says the same. Predicted, so it is hatched."""
    need = sum(parts.values())
    whole = max(available, need, 1)
    shown = [(t(lang, f"ui.slip.part.{group}"), count) for group, count in grouped(parts)]
    named = ", ".join(f"{name} {size(count, lang)}" for name, count in shown)
    pieces = joined(
        html('<i class="part p{index}" style="width:{count:.2f}%"></i>', index=index, count=max(100 * count / whole, 0.6))
        for index, (name, count) in enumerate(shown)
    )
    says = t(lang, "ui.slip.bar", need=size(need, lang), have=size(available, lang), parts=named)
    keys = joined(
        html('<li><i class="part p{index}"></i>{name} <b>{count}</b></li>', index=index, name=name, count=size(count, lang))
        for index, (name, count) in enumerate(shown)
    )
    return html(
        '<div class="bar" role="img" aria-label="{says}">{pieces}</div><ul class="parts" aria-hidden="true">{keys}</ul>',
        says=says,
        pieces=pieces,
        keys=keys,
    )
