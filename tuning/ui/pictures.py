"""The two pictures of the page: the loss curve and the memory bar. Numbers in, HTML with SVG out.

Lines are drawn in a stretched SVG, words beside it as text, so that both stay readable at any width. No decision is
made here.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.text import t, table
from tuning.ui.view import escape, loss, number, size

Point = tuple[float, float]
MOST_POINTS = 500
WIDTH, HEIGHT = 1000.0, 240.0


def series(metrics: Sequence[Mapping[str, Any]], key: str) -> list[Point]:
    """(step, value) of what was logged under `key`, without what is no number."""
    return [
        (float(line["step"]), float(line[key])) for line in metrics if isinstance(line.get(key), int | float) and math.isfinite(line[key])
    ]


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` points: means over equal stretches, the first and the last point kept as they are."""
    if len(points) <= most:
        return list(points)
    inner, groups = points[1:-1], most - 2
    thinned = []
    for index in range(groups):
        part = inner[index * len(inner) // groups : (index + 1) * len(inner) // groups]
        thinned.append((sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)))
    return [points[0], *thinned, points[-1]]


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from below `low` to above `high`."""
    span = max(high - low, 1e-6)
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.floor(low / step)
    return [round(index * step, 10) for index in range(first, max(math.ceil(high / step), first + 1) + 1)]


def curve(metrics: Sequence[Mapping[str, Any]], total_steps: int, lang: str) -> str:
    """Training and validation loss over the steps, with a sentence that says the same."""
    training, validation = thin(series(metrics, "loss")), thin(series(metrics, "eval_loss"))
    values = [y for _, y in training + validation]
    if not values or not training:
        return f'<div class="curve none"><p>{escape(t(lang, "ui.live.curve.none"))}</p></div>'
    low, high = min(values), max(values)
    marks = ticks(min(0.0, low) if low < 0.5 * high or len(values) < 5 else low, high)
    bottom, top = marks[0], marks[-1]
    last = max(float(total_steps), training[-1][0], 1.0)

    def place(point: Point) -> Point:
        return point[0] / last * WIDTH, (top - point[1]) / (top - bottom) * HEIGHT

    digits = 0 if all(mark.is_integer() for mark in marks) else 1 if all((mark * 10).is_integer() for mark in marks) else 2
    grid = "".join(f'<path class="grid" d="M0 {place((0, mark))[1]:.1f}H{WIDTH:.0f}"/>' for mark in marks)
    words = "".join(
        f'<span class="y" style="top:{place((0, mark))[1] / HEIGHT * 100:.2f}%">{number(mark, lang, digits)}</span>' for mark in marks
    )
    steps = sorted({0, round(last / 2), round(last)})
    words += "".join(f'<span class="x" style="left:{step / last * 100:.2f}%">{number(step, lang)}</span>' for step in steps)
    lines = _line("training", [place(point) for point in training])
    if validation:
        lines += _line("validation", [place(point) for point in validation], dots=len(validation) <= 60)
    says = escape(_says(training, validation, lang))
    said = {key: escape(t(lang, f"ui.live.{key}")) for key in ("training", "validation", "loss", "step_axis")}
    return (
        f'<figure class="curve"><div class="legend" aria-hidden="true"><span class="key training">{said["training"]}</span>'
        f'<span class="key validation">{said["validation"]}</span><span class="axis">{said["loss"]} / {said["step_axis"]}</span></div>'
        f'<div class="plot" aria-hidden="true">'
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none" focusable="false">{grid}{lines}</svg>{words}</div>'
        f"<figcaption>{says}</figcaption></figure>"
    )


def _line(kind: str, points: Sequence[Point], dots: bool = False) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    drawn = f'<polyline class="{kind}" points="{joined}"/>'
    if dots or len(points) == 1:
        drawn += f'<path class="{kind} dots" d="{"".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)}"/>'
    return drawn


def _says(training: Sequence[Point], validation: Sequence[Point], lang: str) -> str:
    ends = {"first": loss(training[0][1], lang), "last": loss(training[-1][1], lang)}
    if not validation:
        return t(lang, "ui.live.curve.says", **ends)
    return t(lang, "ui.live.curve.says_both", **ends, eval_first=loss(validation[0][1], lang), eval_last=loss(validation[-1][1], lang))


def part_name(key: str, lang: str) -> str:
    """What a part of the memory is called."""
    code = f"ui.slip.part.{key}"
    return t(lang, code if code in table(lang) else "ui.slip.part.other")


def memory_bar(parts: Mapping[str, int], available: int, lang: str) -> str:
    """Predicted parts against what is free, with a sentence that says the same. Predicted, so it is hatched."""
    need = sum(parts.values())
    whole = max(available, need, 1)
    shown = sorted(((name, count) for name, count in parts.items() if count), key=lambda part: -part[1])
    named = ", ".join(f"{part_name(name, lang)} {size(count, lang)}" for name, count in shown)
    pieces = "".join(
        f'<i class="part p{index % 5}" style="width:{max(100 * count / whole, 0.6):.2f}%"></i>' for index, (name, count) in enumerate(shown)
    )
    says = t(lang, "ui.slip.bar", need=size(need, lang), have=size(available, lang), parts=named)
    keys = "".join(
        f'<li><i class="part p{index % 5}"></i>{escape(part_name(name, lang))} <b>{size(count, lang)}</b></li>'
        for index, (name, count) in enumerate(shown)
    )
    return f'<div class="bar" role="img" aria-label="{escape(says)}">{pieces}</div><ul class="parts" aria-hidden="true">{keys}</ul>'
