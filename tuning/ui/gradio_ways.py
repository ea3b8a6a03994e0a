"""Every hold on what Gradio does not document: one function for each, with what is held and why.

A hold is a private name, a module that is no part of the reference, or a habit on which nobody has given a word. Gradio is
pinned; whoever raises it runs `tests/ui/test_gradio_ways.py`, where each function has a test that fails when its hold has moved.
What the frontend is held by stands in `serve.gradio_words`, the look in `style.css`.
"""

import contextlib
import copy
import datetime
import inspect
import pathlib
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import gradio as gr
from gradio import http_server, oauth, processing_utils, route_utils, routes, state_holder
from gradio.utils import get_upload_folder
from starlette.formparsers import MultiPartException

from tuning.errors import InputError, TuningError, of_disk
from tuning.serve.belongings import Belongings, visitor
from tuning.serve.edge import TOLD
from tuning.ui import door

SKIPPED = gr.skip()
UNREADABLE = (gr.Error, ValueError, TypeError, LookupError, AttributeError, OSError)


class Guarded(gr.Blocks):
    """A page on which every call of a function passes `door`, whatever route it came by.

    Held: `Blocks.preprocess_data` makes what a function takes of what was sent, `Blocks.process_api` is the whole call, for all routes
    and the queue, and `Blocks.postprocess_data` makes what is answered of what a function returns: one value for each of its `outputs`,
    a single one as it is, and None for one that is `stateful`. `Blocks.get_state_ids_to_track` says which of the `outputs` have an event
    of their own; `targets` are pairs of a component's number and its event. A function has `fn`, its `inputs`, `inputs_as_dict` and the
    path of its `page`. A `gr.Error` is answered as it is, and without `print_exception` nothing of it stands in the log. A file is a
    dictionary with its `path`, in what is sent and in what is answered; the request's `scope` is the one that the middlewares have made. A
    caller who says "batched" has it wrapped in a list; no function here takes batches.
    """

    _listened: tuple[int, set[int | None]] | None = None
    belongings: Belongings | None = None  # where others come in: what a function is given and hands out is noted there

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False) -> list[Any]:
        """What the function takes. Raises InputError with the name of the value that it cannot be made of."""
        door.whole(block_fn.fn, inputs, block_fn.inputs)
        try:
            values = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except Exception as error:
            raise of_disk(error) or InputError("call.unreadable", name=await self._unreadable(block_fn, inputs, state)) from error
        return door.typed(block_fn.fn, block_fn.inputs, values, block_fn.inputs_as_dict)

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """What is answered. An output that is skipped costs nothing: Gradio would make its component anew, to change nothing of it."""
        outputs = list(block_fn.outputs)
        predictions = door.escaped(outputs, predictions)
        if block_fn.batch or not isinstance(predictions, list | tuple) or len(outputs) < 2 or len(predictions) != len(outputs):
            return list(await super().postprocess_data(block_fn, predictions, state))
        told = [number for number, value in enumerate(predictions) if value != SKIPPED]
        answer: list[Any] = [None if part.stateful else gr.skip() for part in outputs]
        if told:
            some = copy.copy(block_fn)
            some.outputs = [outputs[number] for number in told]
            values = [predictions[number] for number in told]
            found = await super().postprocess_data(some, values if len(told) > 1 else values[0], state)
            for number, value in zip(told, found, strict=True):
                answer[number] = value
        return answer

    def get_state_ids_to_track(self, block_fn: Any, state: Any) -> tuple[list[int], list[Any]]:
        """Which states may start another event by their change. It is found once: Gradio would look through all events for each state."""
        if self._listened is None or self._listened[0] != len(self.fns):
            self._listened = len(self.fns), {part for one in self.fns.values() for part, event in one.targets if event == "change"}
        some = copy.copy(block_fn)
        some.outputs = [part for part in block_fn.outputs if part._id in self._listened[1]]
        ids, hashes = super().get_state_ids_to_track(some, state)
        return ids, hashes

    async def _unreadable(self, block_fn: Any, inputs: list[Any], state: Any) -> str:
        """What the value is called that a function cannot be given: each is tried alone."""
        for name, part, value in zip(door.names(block_fn.fn, block_fn.inputs), block_fn.inputs, inputs, strict=False):
            alone = copy.copy(block_fn)
            alone.inputs, alone.component_prop_inputs = [part], []
            try:
                await super().preprocess_data(alone, [value], state)
            except UNREADABLE:
                return name
        return "…"

    async def process_api(self, block_fn: Any, *values: Any, **named: Any) -> Any:
        """A call, from what was sent to what is answered."""
        event, asks = named.get("event_data"), named.get("request")
        if isinstance(asks, list):
            named["request"] = asks[0]
        try:
            door.readable(event and event._data)
            self._mine(named)
            answer = await super().process_api(block_fn, *values, **named)
            self._handed(named, answer)
            return answer
        except gr.Error as error:
            error.print_exception = False
            self._foreseen(named)
            raise
        except Exception as error:
            if isinstance(error, TuningError) or of_disk(error) is not None:
                self._foreseen(named)
            raise door.told(block_fn.page, error) from error

    def _mine(self, named: Mapping[str, Any]) -> None:
        """Raises InputError for a file in what was sent that another visitor has brought, as for one that never was."""
        who = self._who(named)
        if self.belongings is not None and who is not None:
            for path in paths(named.get("inputs")):
                if not self.belongings.may_have(path, who):
                    raise InputError("edge.not_yours")

    def _handed(self, named: Mapping[str, Any], answer: Any) -> None:
        who = self._who(named)
        if self.belongings is not None and who is not None:
            for path in paths(answer.get("data")):
                self.belongings.hand(path, who)

    def _foreseen(self, named: Mapping[str, Any]) -> None:
        """Note for the answer that it is a refusal, and no fault of the server."""
        self._scope(named)[TOLD] = True

    def _who(self, named: Mapping[str, Any]) -> str | None:
        return visitor(self._scope(named))

    @staticmethod
    def _scope(named: Mapping[str, Any]) -> Any:
        """What the middlewares know of the request; an empty one where there is none."""
        return getattr(getattr(named.get("request"), "request", None), "scope", {})


class BoundedUpload(route_utils.GradioMultiPartParser):
    """An upload whose parts have one bound together; of one that does not come to its end no file stays.

    Held: Gradio bounds each file alone, keeps a field that is no file in memory whatever its size, and leaves the files of a request
    whose sender has gone, or whose last file has no end. `on_part_data` hears every piece, `on_end` the end of the form,
    `_files_to_close_on_error` are the files, and the words "File size exceeded maximum allowed size" make the answer a 413.
    """

    MOST_TEXT = 100_000  # bytes of a field that is no file; the page and Gradio's client send none

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self._seen, self._ended = 0, False

    def on_end(self) -> None:
        """The last boundary has come."""
        self._ended = True

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """A piece of a part has come."""
        self._seen += end - start
        text = 0 if self._current_part.file is not None else len(self._current_part.data) + end - start
        if self._seen > self.max_file_size or text > self.MOST_TEXT:
            raise MultiPartException(f"File size exceeded maximum allowed size of {self.max_file_size} bytes, all files together.")
        super().on_part_data(data, start, end)

    async def parse(self) -> Any:
        """The form, once all of it is here."""
        with contextlib.ExitStack() as left:
            left.callback(self._leave_nothing)
            form = await super().parse()
            if not self._ended:
                raise MultiPartException("This upload has no end.")
            left.pop_all()
        return form

    def _leave_nothing(self) -> None:
        for file in self._files_to_close_on_error:
            file.close()
            pathlib.Path(file.name).unlink(missing_ok=True)


def bound_uploads() -> None:
    """Have Gradio take uploads by `BoundedUpload`. Held: its upload route finds the parser under this name."""
    route_utils.GradioMultiPartParser = BoundedUpload  # type: ignore[misc]


def paths(value: Any) -> Iterator[str]:
    """The places of all files in what a call is sent or answers."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            if isinstance(place := one.get("path"), str):
                yield place
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one


def forget_the_space(demo: gr.Blocks) -> None:
    """Have the page ask huggingface.co nothing about its Space, the button to sign in be no endpoint, and nobody put other code in.

    Held: with a `space_id` in its configuration the frontend asks the Hub for the Space, and Google for fonts of a header that we do not
    show; the button's event of loading is called `_check_login_status`, and is put on the page that was made last; where the
    server's module finds a Space, it starts one more server, which takes code while the page runs; the session's cookie is made
    outside of all that we put around the page.
    """
    demo.space_id = None
    http_server.get_space = lambda: None
    routes.attach_oauth = _session_inside
    for function in demo.fns.values():
        if function.name == "_check_login_status":
            function.api_visibility = "private"
            function.page = function.outputs[0].page


def _session_inside(app: Any) -> None:
    """Attach the OAuth routes with the session within our middleware, so that `Hosted` sees its cookie, too."""
    oauth.attach_oauth(app)
    app.user_middleware.append(app.user_middleware.pop(0))


def sent(event: gr.EventData, name: str, default: Any = None) -> Any:
    """What a script on the page sent along under `name`, as in `trigger("click", {what: …})`.

    Held: `EventData._data` is the object that the browser sent. The documented way, an attribute of the event for each name,
    would give way to any attribute of that name that Gradio adds.
    """
    data = event._data
    return data.get(name, default) if isinstance(data, Mapping) else default


def text(event: gr.EventData, name: str) -> str:
    """What was sent along as text; nothing where it is none, for whoever sends it may not be the page."""
    found = sent(event, name)
    return found if isinstance(found, str) else ""


def whole(event: gr.EventData, name: str) -> int:
    """What was sent along as a whole number of at most nine digits; 0 where it is none."""
    found = str(sent(event, name))
    return int(found) if re.fullmatch(r"-?[0-9]{1,9}", found) else 0


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


def turn_to(demo: gr.Blocks, path: str) -> None:
    """Have what comes next stand on the page at this path, for which `demo.route` was called, or at `/` where it is empty.

    Held: `Blocks.current_page` is the path of the page that is being made, and what is made asks it alone.
    """
    demo.current_page = path


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


def rest(demo: gr.Blocks) -> None:
    """Have the queue look for events a hundred times a second, and not a thousand times; after `demo.queue`.

    That alone took a thirtieth of a core, for as long as the app runs. Held: `Queue.sleep_when_free`, the seconds between two looks, and
    `progress_update_sleep_when_free` between two for `gr.Progress`, which nothing here uses.
    """
    demo._queue.sleep_when_free, demo._queue.progress_update_sleep_when_free = 0.01, 0.1


class LeanSession(state_holder.SessionState):
    """A session without a copy of the whole page's configuration, which took most of the time in which a page opens.

    Held: `config_values` is made of the `blocks` that are given, by the `config_for_block` of the session's own `blocks_config`, and serves
    deep links alone, whose route is closed.
    """

    def __init__(self, blocks: Any) -> None:
        super().__init__(types.SimpleNamespace(default_config=blocks.default_config, blocks=()))  # type: ignore[arg-type]
        setattr(self.blocks_config, "config_for_block", lambda *values: {})  # noqa: B010  each change would make one

    def _update_config(self, key: int) -> None:
        """Nothing is copied."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Nothing is copied."""


def lean_sessions() -> None:
    """Have Gradio make each session a `LeanSession`. Held: its sessions are made by the class of this name."""
    state_holder.SessionState = LeanSession  # type: ignore[misc]


def admit_no_other_origin() -> None:
    """Have no page of another origin read an answer; whether it may send is the affair of `serve.edge`.

    Held: around everything, what we put around the page included, its routes put the class of this name, which admits every origin, with
    cookies, wherever the page is not called localhost, and every port of this machine where it is.
    """
    routes.CustomCORSMiddleware = lambda app, **_: app  # type: ignore[misc, assignment]


def fetch_nothing() -> None:
    """Have Gradio fetch no address that stands in the place of a file, in what is sent or in what is answered.

    Held: whatever it fetches it asks these two for, which look up each name at Google's, too, and refuse private addresses alone.
    """
    processing_utils.async_ssrf_protected_get = processing_utils.async_ssrf_protected_download = _nothing


async def _nothing(url: str, cache_dir: str = "") -> Any:
    """Raises ValueError: as for a file that is none."""
    raise ValueError("an address is no file")


def no_figures() -> None:
    """Have Gradio not look for matplotlib at each call: nothing here draws with it.

    Held: a call is made within `utils.MatplotlibBackendMananger()`, which turns figures off where the library is found.
    """
    route_utils.utils.MatplotlibBackendMananger = contextlib.nullcontext  # type: ignore[misc, assignment]


def take_over() -> None:
    """Have Gradio take uploads, make sessions and calls, answer other origins and fetch files as this page needs it; before `launch`."""
    bound_uploads()
    lean_sessions()
    no_figures()
    admit_no_other_origin()
    fetch_nothing()


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
