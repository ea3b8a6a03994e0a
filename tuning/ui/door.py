"""What every call of a function passes, of the page and of the endpoints alike: values are held against what the function declares,
and whatever goes wrong becomes one sentence, in the language of the page that the function belongs to. What is drawn is HTML, or escaped.

Around a handler of the page stands `guard` besides: what a person can mend becomes a sentence beside its cause, anything else one
sentence and a traceback in the log.

It knows nothing of routes, and nothing of what a function does; where it stands in Gradio's way is `gradio_ways.Guarded`.
"""

import contextlib
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
import orjson
import pydantic

from tuning import errors
from tuning.errors import InputError
from tuning.ui import view
from tuning.ui.markup import Html

TAKES: dict[type, Any] = {gr.Textbox: str, gr.Checkbox: bool, gr.Dropdown: str | None}  # where the function itself says nothing
EMPTY: dict[type, Any] = {gr.Textbox: "", gr.Checkbox: False}  # of a part that nobody has touched
PLAIN = (str, int, float, bool, types.NoneType, Any)
STRICT = pydantic.ConfigDict(strict=True, allow_inf_nan=False)


def whole(function: Callable[..., Any] | None, values: Sequence[Any], parts: Sequence[Any]) -> None:
    """Raises InputError for a function of the browser, for too few values, and for what is not `readable`."""
    if function is None:
        raise InputError("call.browser")
    if len(values) < len(parts):
        raise InputError("call.few", count=len(parts), given=len(values))
    readable(values)


def readable(sent: Any) -> None:
    """Raises InputError for what no answer could hold: text that is no UTF-8, numbers of more than 64 bits, lists in lists in lists."""
    try:
        orjson.dumps(sent)
    except TypeError as error:
        raise InputError("call.odd") from error


def typed(function: Callable[..., Any], parts: Sequence[Any], values: Sequence[Any], by_part: bool) -> list[Any]:
    """The values as the function takes them. Raises InputError for one of another type.

    What a function declares counts, else what its part is made for; `by_part` where it takes all values as one dictionary.
    """
    hints = [] if by_part else [hint for _, hint in _declared(function)]
    taken = []
    for at, (name, part, value) in enumerate(zip(names(function, parts), parts, values, strict=True)):
        value = EMPTY.get(type(part)) if value is None else value
        hint = hints[at] if at < len(hints) and hints[at] is not Any else TAKES.get(type(part), Any)
        try:
            taken.append(_adapter(hint).validate_python(value) if _plain(hint) else value)
        except pydantic.ValidationError:
            raise InputError("call.value", name=name, allowed=_words(hint)) from None
    return taken


def names(function: Callable[..., Any], parts: Sequence[Any]) -> list[str]:
    """What the values of a function are called: as on the page; those of an endpoint, which has no parts on any, as it says itself."""
    declared = [name for name, _ in _declared(function)]
    labels = ["" if part.get_block_name() == "api" else str(getattr(part, "label", None) or "") for part in parts]
    return [label or (declared[at] if at < len(declared) else "…") for at, label in enumerate(labels)]


def told(page: str, error: Exception) -> gr.Error:
    """The sentence for an error; one that nobody foresaw has a number, under which the log has the rest."""
    lang = "it" if page == "it" else "en"
    known = errors.told(error, "a call")
    return gr.Error(view.sentence(lang, known.code, known.params), print_exception=False)


def guard(handler: Callable[..., Any], count: int, lang: str) -> Callable[..., Any]:
    """`handler` with its faults told as the last output, after `count` values that it returns or yields itself."""
    keep = [gr.skip()] * count

    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*values: Any, **named: Any) -> Iterator[list[Any]]:
            with caught(lang) as trouble:
                for result in handler(*values, **named):
                    yield [*_listed(result, count), ""]
            if trouble:
                yield [*keep, trouble[0]]

        return stream

    @functools.wraps(handler)
    def once(*values: Any, **named: Any) -> list[Any]:
        with caught(lang) as trouble:
            return [*_listed(handler(*values, **named), count), ""]
        return [*keep, trouble[0]]

    return once


def _listed(result: Any, count: int) -> list[Any]:
    return [result] if count == 1 else list(result or [])


@contextlib.contextmanager
def caught(lang: str) -> Iterator[list[Html]]:
    """An edge: whatever goes wrong inside becomes one sentence, in the list that is handed out."""
    trouble: list[Html] = []
    try:
        yield trouble
    except Exception as error:  # noqa: BLE001  the edge: logged in full below
        known = errors.told(error, "a handler")
        trouble.append(view.fault(lang, known.code, known.params))


@functools.cache
def _declared(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """What a function takes, in order: names and types; without what Gradio hands over by itself."""
    hints = typing.get_type_hints(function)
    named = [(name, hints.get(name, Any)) for name in inspect.signature(function).parameters]
    return [(name, hint) for name, hint in named if not (isinstance(hint, type) and issubclass(hint, gr.Request | gr.EventData))]


def _plain(hint: Any) -> bool:
    """Whether a type is made of what JSON knows."""
    made = typing.get_origin(hint) in (list, dict, types.UnionType, typing.Union)
    return hint in PLAIN or (made and all(map(_plain, typing.get_args(hint))))


@functools.cache
def _adapter(hint: Any) -> "pydantic.TypeAdapter[Any]":
    return pydantic.TypeAdapter(hint, config=STRICT)


def _words(hint: Any) -> str:
    schema = _adapter(hint).json_schema()
    return " | ".join(option.get("type", "value") for option in schema.get("anyOf", [schema]))


def escaped(parts: Sequence[Any], answer: Any) -> Any:
    """What a function answers for these outputs, with each text for an HTML component escaped that is not `Html`."""
    if len(parts) == 1:
        return _safe(parts[0], answer)
    if not isinstance(answer, list | tuple):
        return answer
    return [_safe(part, value) for part, value in zip(parts, answer, strict=True)] if len(answer) == len(parts) else answer


def _safe(part: Any, value: Any) -> Any:
    if isinstance(part, gr.HTML) and isinstance(value, dict) and "value" in value:  # of `gr.update`
        return {**value, "value": _safe(part, value["value"])}
    return str(Html.escape(value)) if isinstance(part, gr.HTML) and isinstance(value, str) else value
