"""Who asks: for as long as an event lasts, the studio of the owner of its request is at hand, and outside of events none is.

The owner is asked for in one place, when an event begins; no handler and no painter names one.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import gradio as gr

from tuning.serve import owners
from tuning.studio import Studio
from tuning.ui import gradio_ways

_asking: ContextVar[Studio] = ContextVar("studio")  # without a default: whoever forgets to say who asks gets an error
_token: ContextVar[str] = ContextVar("hub_token")
_page: ContextVar[str] = ContextVar("page")
_END = object()


class Visits:
    """Binds events to the studio of whoever asks."""

    def __init__(self, house: Studio) -> None:
        self._house = house

    @property
    def studio(self) -> Studio:
        """The studio of whoever asks. Raises LookupError outside of an event, so also on a thread of its own."""
        return _asking.get()

    @property
    def hub_token(self) -> str:
        """The token of whoever asks, where they have signed in at the Hub on a Space; "" where they have not."""
        return _token.get("")

    @property
    def page(self) -> str:
        """The page from which it is asked, as no other owner's is called; "" outside of an event."""
        return _page.get("")

    @contextlib.contextmanager
    def serving(self, request: object) -> Iterator[Studio]:
        """Have the studio of the request's owner at hand."""
        studio = self._house.for_owner(owners.of(request, self._house.settings))
        before, lent = _asking.set(studio), _token.set(owners.hub_token(request, self._house.settings))
        page = _page.set(f"{studio.owner} {getattr(request, 'session_hash', '')}")
        try:
            yield studio
        finally:
            _page.reset(page)
            _token.reset(lent)
            _asking.reset(before)

    @contextlib.contextmanager
    def unasked(self) -> Iterator[None]:
        """Have the house's own studio at hand, for what is drawn before anybody asks and is the same for all."""
        token = _asking.set(self._house)
        try:
            yield
        finally:
            _asking.reset(token)

    def bound(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """`handler` with the studio of whoever asks at hand; Gradio hands the request over because the signature names it."""

        def stream(visitor: gr.Request, *values: Any, **named: Any) -> Iterator[Any]:
            steps = handler(*values, **named)
            try:
                while True:
                    with self.serving(visitor):  # anew each time: Gradio may take each step on another thread
                        step = next(steps, _END)
                    if step is _END:
                        return
                    yield step
            finally:
                with self.serving(visitor):
                    steps.close()

        def once(visitor: gr.Request, *values: Any, **named: Any) -> Any:
            with self.serving(visitor):
                return handler(*values, **named)

        wrapper = functools.wraps(handler)(stream if inspect.isgeneratorfunction(handler) else once)
        return gradio_ways.asks_for_request(wrapper, handler)
