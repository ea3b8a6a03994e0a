"""What holds where the events of one visitor overtake each other: which draw may still show something, what two presses at once leave,
and that the answer to a press is fetched.

It knows nothing of what is drawn or pressed.
"""

import functools
import inspect
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tuning.ui import gradio_ways

MOST_VISITORS = 1000  # whose order of draws is remembered
MOST_STATES = 5000  # of pages, that are kept as they are by now

# Gradio's page opens a stream for what comes of a press where it has none open, and the server ends a stream when nothing is due. A press
# that comes between the server's last word and its arrival finds a stream that brings nothing any more, and its answer lies there until
# another press opens the next. So a press that has opened none is followed by one that asks for nothing, and by another where that too was
# too early; as long as a stream is open that costs little.
FETCHED = """
{
  const real = window.fetch, first = 1500, most = 12000;
  let pressed = 0, opened = 0, patience = first;
  window.fetch = (what, ...rest) => {
    const address = what?.url ?? String(what);
    if (address.includes("/queue/join")) pressed = performance.now();
    if (address.includes("/queue/data")) { opened = performance.now(); patience = first; }
    return real(what, ...rest);
  };
  setInterval(() => {
    if (pressed <= opened || performance.now() - pressed < patience) return;
    patience = Math.min(most, 2 * patience);
    trigger("click", {});
  }, 500);
}
"""


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


@dataclass(frozen=True)
class Wired:
    """An event's parts: what its handler is given, `at_once` as one mapping or one by one, what it returns, and which are `states`."""

    inputs: Sequence[Any]
    outputs: Sequence[Any]
    states: Sequence[Any]
    at_once: bool


class Presses:
    """What the handlers of each page have made of its states, where two may be at work at once.

    Gradio hands a handler the states as they were when it was called, and writes them whole when it ends: of two presses at once the
    second to end would take back what the first has changed. Here each adds its own changes to what the page holds by then. Only
    mappings are kept; of a state that a handler was not given it says the whole value.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}  # by visitor and state

    def now(self, visitor: str, state: str, sent: Any) -> Any:
        """The state as it is by now, where the page sent `sent`."""
        with self._lock:
            return self._kept.get((visitor, state), sent)

    def end(self, visitor: str, state: str, given: Any, made: Any) -> Any:
        """The state after a handler that was given `given` and says `made`: its changes to what holds by now."""
        if not isinstance(made, Mapping) or "__type__" in made:  # an update or a skip of Gradio's
            return made
        with self._lock:
            held = self._kept.get((visitor, state), given)
            if isinstance(given, Mapping) and isinstance(held, Mapping):
                gone = given.keys() - made.keys()
                changed = {key: value for key, value in made.items() if given.get(key) != value or key not in held}
                made = {**{key: value for key, value in held.items() if key not in gone}, **changed}
            self._kept.pop((visitor, state), None)  # who was here last stands last
            self._kept[visitor, state] = dict(made)
            while len(self._kept) > MOST_STATES:
                del self._kept[next(iter(self._kept))]
            return made

    def now_all(self, visitor: str, values: Mapping[Any, Any], states: Iterable[Any]) -> dict[Any, Any]:
        """Values by component, those of `states` as they are by now."""
        return {part: self.now(visitor, gradio_ways.key(part), value) if part in states else value for part, value in values.items()}

    def merging(self, handler: Callable[..., Any], wired: Wired, visitor: Callable[[], str]) -> Callable[..., Any]:
        """`handler`, which is given the states as they are by now, and of whose values for them only the changes are taken."""

        def given(values: Sequence[Any]) -> tuple[dict[Any, Any], list[Any]]:
            if wired.at_once:
                sent = self.now_all(visitor(), values[0], wired.states)
                return sent, [sent, *values[1:]]
            sent = self.now_all(visitor(), dict(zip(wired.inputs, values, strict=False)), wired.states)
            return sent, [*sent.values(), *values[len(sent) :]]

        def made(sent: Mapping[Any, Any], result: Any) -> list[Any]:
            named = zip(wired.outputs, result, strict=False)
            return [
                self.end(visitor(), gradio_ways.key(part), sent.get(part), value) if part in wired.states else value
                for part, value in named
            ]

        if inspect.isgeneratorfunction(handler):

            @functools.wraps(handler)
            def stream(*values: Any, **named: Any) -> Iterator[list[Any]]:
                sent, values_now = given(values)
                for step in handler(*values_now, **named):
                    yield made(sent, step)

            return stream

        @functools.wraps(handler)
        def once(*values: Any, **named: Any) -> list[Any]:
            sent, values_now = given(values)
            return made(sent, handler(*values_now, **named))

        return once


def another() -> int:
    """A number that no page has had."""
    return time.monotonic_ns()


def nudging(handler: Callable[..., Any], count: int, ended: Callable[[], object]) -> Callable[..., Any]:
    """`handler` with `another` number as the last output, after `count` values that it returns or yields itself, once it has `ended`."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*values: Any, **named: Any) -> Iterator[list[Any]]:
            for step in handler(*values, **named):
                yield [*step, gr.skip()]
            ended()
            yield [*[gr.skip()] * count, another()]

        return stream

    @functools.wraps(handler)
    def once(*values: Any, **named: Any) -> list[Any]:
        made = handler(*values, **named)
        ended()
        return [*made, another()]

    return once


def _keep(found: dict[str, int], visitor: str, number: int) -> None:
    found.pop(visitor, None)  # who was here last stands last
    found[visitor] = number
    for forgotten in list(found)[:-MOST_VISITORS]:
        found.pop(forgotten, None)
