"""Interleaved comparison of two things that each give one number: A B A B …, medians and the ratio pair by pair."""

import statistics
from collections.abc import Callable


def compare(names: tuple[str, str], ours: Callable[[], float], theirs: Callable[[], float], pairs: int, unit: str) -> float:
    """Run both `pairs` times in turn after one warm-up each; print the table and return the median ratio ours / theirs."""
    ours(), theirs()
    mine, other = [], []
    for number in range(pairs):
        mine.append(ours())
        other.append(theirs())
        print(
            f"pair {number + 1}: {names[0]} {mine[-1]:.3g} {unit}, {names[1]} {other[-1]:.3g} {unit}, ratio {mine[-1] / other[-1]:.2f}",
            flush=True,
        )
    ratios = sorted(a / b for a, b in zip(mine, other, strict=True))
    for name, values in zip(names, (mine, other), strict=True):
        print(f"{name}: median {statistics.median(values):.4g} {unit} (min {min(values):.4g}, max {max(values):.4g})")
    ratio = statistics.median(ratios)
    print(f"ratio {names[0]} / {names[1]}: median {ratio:.2f} (min {ratios[0]:.2f}, max {ratios[-1]:.2f}) over {pairs} pairs")
    return ratio
