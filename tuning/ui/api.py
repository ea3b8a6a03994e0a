"""The named endpoints, once for both languages: the verbs as JSON in, JSON out, by the names of the command line.

A fault comes back as a `gr.Error` with one English sentence. The page itself never calls these.
"""

import functools
import itertools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from tuning.errors import TuningError
from tuning.runs.store import slug
from tuning.ui import view
from tuning.verbs import Verbs


def expose(verbs: Verbs) -> None:
    """Make the endpoints, inside a `Blocks` context."""
    for group in (_choices(verbs), _runs(verbs), _results(verbs)):
        for endpoint in group:
            gr.api(_told(endpoint), api_name=endpoint.__name__, concurrency_limit=None)


def _choices(verbs: Verbs) -> list[Callable[..., Any]]:
    def models(goal: str | None = None, gpu_memory: float | None = None) -> list[dict]:  # type: ignore[type-arg]
        """The catalog, each model with predicted memory in bytes and whether it fits this machine or a card of `gpu_memory` GB."""
        return verbs.models(goal, gpu_memory)

    def plan(
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: dict | None = None,  # type: ignore[type-arg]
        gpu_memory: float | None = None,
    ) -> dict:  # type: ignore[type-arg]
        """What a run with these choices would do: resolved settings, predicted memory and time, and why."""
        return verbs.plan(model, data, recipe, settings, gpu_memory)

    def check(data: str, model: str | None = None, mapping: dict | None = None) -> dict:  # type: ignore[type-arg]
        """Read data: format, rows read, kept and refused with reasons, findings; with a model also tokens."""
        return verbs.check(data, model, mapping)

    def hardware() -> dict:  # type: ignore[type-arg]
        """This machine: processor, memory and disk in bytes, graphics cards."""
        return verbs.hardware()

    return [models, plan, check, hardware]


def _runs(verbs: Verbs) -> list[Callable[..., Any]]:
    def train(
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: dict | None = None,  # type: ignore[type-arg]
        name: str | None = None,
    ) -> dict:  # type: ignore[type-arg]
        """Put a new run in the queue; returns at once with `run` and `status`."""
        return verbs.train(model, data, recipe, settings, name)

    def runs() -> list[dict]:  # type: ignore[type-arg]
        """All runs, newest first, in short."""
        return verbs.runs()

    def run(run: str) -> dict:  # type: ignore[type-arg]
        """Everything about one run. `run` may be a unique beginning of its id, or `last`."""
        return verbs.show(run)

    def stop(run: str) -> dict:  # type: ignore[type-arg]
        """Ask a run to stop after its step; what it has learned is kept."""
        return verbs.stop(run)

    def resume(run: str) -> dict:  # type: ignore[type-arg]
        """Put a run that stopped back in the queue, from its newest whole checkpoint."""
        return verbs.resume(run)

    def rename(run: str, name: str) -> dict:  # type: ignore[type-arg]
        """Give a run another name."""
        return verbs.rename(run, name)

    def delete(run: str) -> dict:  # type: ignore[type-arg]
        """Remove a run and all it made."""
        return verbs.delete(run)

    return [train, runs, run, stop, resume, rename, delete]


def _results(verbs: Verbs) -> list[Callable[..., Any]]:
    def chat(run: str, messages: list[dict], base: bool = False, seed: int | None = None) -> Iterator[str]:  # type: ignore[type-arg]
        """The answer of a run (or of its base, or of a model) to a conversation of role/content messages, as it grows."""
        answer = ""
        for answer in itertools.accumulate(verbs.chat(run, messages, base, seed)):
            yield answer
        if not answer:
            yield answer

    def export(run: str, to: str = "adapter") -> dict:  # type: ignore[type-arg]
        """What a run made, as a file. `to`: adapter."""
        folder = pathlib.Path(get_upload_folder()) / slug(verbs.show(run)["run"], 120)
        folder.mkdir(parents=True, exist_ok=True)
        path = verbs.export(run, to, folder)
        return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}

    def evaluate(run: str, data: str | None = None) -> dict:  # type: ignore[type-arg]
        """Base against tuned on the run's held-out rows, or on other data; takes up to some minutes, and is refused while a run is on."""
        return verbs.evaluate(run, data)

    return [chat, export, evaluate]


def _told(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """`endpoint` with its faults as sentences."""
    if endpoint.__name__ == "chat":

        @functools.wraps(endpoint)
        def stream(*values: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from endpoint(*values, **named)
            except TuningError as error:
                raise gr.Error(view.sentence("en", error.code, error.params), print_exception=False) from error

        return stream

    @functools.wraps(endpoint)
    def once(*values: Any, **named: Any) -> Any:
        try:
            return endpoint(*values, **named)
        except TuningError as error:
            raise gr.Error(view.sentence("en", error.code, error.params), print_exception=False) from error

    return once
