"""Which draw of a page may still show something, where draws of one visitor overtake each other, and what asks for one.

It knows nothing of what is drawn.
"""

import functools
import inspect
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

MOST_VISITORS = 1000  # whose order of draws is remembered


@dataclass(frozen=True)
class Turn:
    """A draw: its number, counted up as they begin, and that of the whole one which it belongs to, its own where it is one."""

    number: int
    whole: int


class Turns:
    """Numbers draws as they begin, for each visitor: whole ones, and looks at what changes by itself."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._begun: dict[str, int] = {}  # the newest whole draw of each visitor
        self._looked: dict[str, int] = {}  # the newest look of each visitor that was shown

    def begin(self, visitor: str, whole: bool) -> Turn:
        """The turn of a draw that begins now."""
        number = next(self._numbers)
        if whole:
            _keep(self._begun, visitor, number)
        return Turn(number, self._begun.get(visitor, 0))

    def looked_since(self, visitor: str, turn: Turn) -> bool:
        """Whether a look that began later was shown already."""
        return self._looked.get(visitor, 0) > turn.number

    def end(self, visitor: str, turn: Turn) -> bool:
        """Whether a draw that ends now may show what it found: no newer whole one has begun, no newer look was shown before a look."""
        if self._begun.get(visitor, 0) != turn.whole:
            return False
        if turn.number != turn.whole:
            if self.looked_since(visitor, turn):
                return False
            _keep(self._looked, visitor, turn.number)
        return True


def another() -> int:
    """A number that no page has had."""
    return time.monotonic_ns()


def nudging(handler: Callable[..., Any], count: int) -> Callable[..., Any]:
    """`handler` with `another` number as the last output, after `count` values that it returns or yields itself, once it has ended."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*values: Any, **named: Any) -> Iterator[list[Any]]:
            for step in handler(*values, **named):
                yield [*step, gr.skip()]
            yield [*[gr.skip()] * count, another()]

        return stream

    @functools.wraps(handler)
    def once(*values: Any, **named: Any) -> list[Any]:
        return [*handler(*values, **named), another()]

    return once


def _keep(found: dict[str, int], visitor: str, number: int) -> None:
    found.pop(visitor, None)  # who was here last stands last
    found[visitor] = number
    for forgotten in list(found)[:-MOST_VISITORS]:
        found.pop(forgotten, None)
