"""Every hold on what Gradio does not document: one function for each, with what is held and why.

A hold is a private name, a module that is no part of the reference, or a habit on which nobody has given a word. Gradio is
pinned; whoever raises it runs `tests/ui/test_gradio_ways.py`, where each function has a test that fails when its hold has moved.
What the frontend is held by stands in `serve.gradio_words`, the look in `style.css`.
"""

import datetime
import inspect
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder


def sent(event: gr.EventData, name: str, default: Any = None) -> Any:
    """What a script on the page sent along under `name`, as in `trigger("click", {what: …})`.

    Held: `EventData._data` is the object that the browser sent. The documented way, an attribute of the event for each name,
    would give way to any attribute of that name that Gradio adds.
    """
    return event._data.get(name, default)


def key(part: Any) -> str:
    """What a component is called in a page's memory: the same for all visitors as long as this process lives.

    Held: `_id`, the number under which a component stands in the page's configuration. `elem_id` would be public, but most have none.
    """
    return str(part._id)


def in_order(parts: Iterable[Any]) -> list[Any]:
    """Components in the order in which they were made, out of a set that has none.

    Held: `_id` counts upward. Without an order the page's configuration would differ from one start to the next.
    """
    return sorted(parts, key=lambda part: part._id)


def configure(part: Any, **properties: Any) -> None:
    """Give a component that is not rendered yet what its constructor takes, too: it is made where its words are not at hand.

    Held: a constructor keeps its arguments as attributes of the same names, and they are read when the page is asked for.
    Raises AttributeError for a name that the component does not have.
    """
    for name, value in properties.items():
        getattr(part, name)
        setattr(part, name, value)


def first_page(demo: gr.Blocks) -> None:
    """Have what comes next stand on the page at `/`, also after another page was made.

    Held: `Blocks.current_page` is the path of the page that is being made, and `Blocks.route` leaves it at its own at the end.
    """
    demo.current_page = ""


def upload_folder() -> pathlib.Path:
    """The folder whose files an endpoint may hand out without a copy.

    Held: `gradio.utils.get_upload_folder`, which answers as uploads themselves are kept.
    """
    return pathlib.Path(get_upload_folder())


def idle_seconds(demo: gr.Blocks, session: str) -> float | None:
    """Since when a session has done nothing; None where no session has that name.

    Held: `StateHolder.time_last_used`, set whenever an event of a session begins, and forgotten with the session.
    """
    holder = getattr(demo, "state_holder", None)
    used = holder and holder.time_last_used.get(session)
    return (datetime.datetime.now() - used).total_seconds() if used else None


def keep_answers(demo: gr.Blocks, sessions: int) -> None:
    """Keep the answers that nobody has fetched yet for so many sessions; after `demo.queue`.

    Held: `Queue.pending_messages_per_session`, a cache with a `max_size`.
    """
    demo._queue.pending_messages_per_session.max_size = sessions


def asks_for_request(wrapper: Callable[..., Any], handler: Callable[..., Any]) -> Callable[..., Any]:
    """`wrapper` of `handler`, known to Gradio as one that takes the request first, and then what `handler` takes.

    Held: Gradio finds out what a function takes by `inspect.signature` and by `typing.get_type_hints`, that is by
    `__signature__` and `__annotations__`, which both have to name the request.
    """
    signature = inspect.signature(handler)
    visitor = inspect.Parameter("visitor", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
    wrapper.__signature__ = signature.replace(parameters=[visitor, *signature.parameters.values()])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {"visitor": gr.Request, **getattr(handler, "__annotations__", {})}
    return wrapper


def answers_in_pieces(stream: Callable[..., Any], endpoint: Callable[..., Any], piece: type) -> Callable[..., Any]:
    """`stream`, a wrapper of `endpoint`, whose answer the API describes as a `piece` and not as an iterator.

    Held: `gr.api` makes an endpoint's output out of the return annotation in `inspect.signature`.
    """
    stream.__signature__ = inspect.signature(endpoint).replace(return_annotation=piece)  # type: ignore[attr-defined]
    return stream
