"""The named endpoints, once for both languages: the verbs as JSON in, JSON out, by the names of the command line.

A fault comes back as one English sentence (see `door`). The docstrings are what the API page and `GET /gradio_api/info` show.
The page itself never calls these.
"""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from tuning.runs.files import slug
from tuning.runs.summary import without_files
from tuning.studio import Studio
from tuning.studio.talk import settings_of
from tuning.ui import gradio_ways
from tuning.ui.visits import Visits

Json = dict[str, Any]


def expose(house: Studio) -> None:
    """Make the endpoints, inside a `Blocks` context."""
    visits = Visits(house)
    for group in (_choices(visits), _runs(visits), _results(visits)):
        for endpoint in group:
            gr.api(visits.bound(_plain(endpoint)), api_name=endpoint.__name__, concurrency_limit=None)


def _choices(visits: Visits) -> list[Callable[..., Any]]:
    def models(goal: str | None = None, gpu_memory: float | None = None) -> list[Json]:
        """Lists the catalog, best first for `goal`.

        Each model has its predicted memory in bytes, and whether it fits this machine or a card of `gpu_memory` GB.
        """
        return visits.studio.models.list(goal, gpu_memory)

    def plan(
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: Json | None = None,
        gpu_memory: float | None = None,
    ) -> Json:
        """Says what a run with these choices would do: resolved settings, predicted memory and time, and why.

        `settings` are laid over those of the recipe.
        """
        return visits.studio.plans.plan(model, data, recipe, settings, gpu_memory)

    def check(data: str, model: str | None = None, mapping: dict[str, str] | None = None) -> Json:
        """Reads data: format, rows read, kept and refused with reasons, findings; with a model also tokens.

        `data` is a preset's name, an id of the Hub or a file of the machine that answers; `mapping` says which column is what.
        Where `tokens` has `looking`, they are still being counted: ask again.
        """
        return visits.studio.data.check(data, model, mapping)

    def hardware() -> Json:
        """Tells this machine: processor, memory and disk in bytes, graphics cards."""
        return visits.studio.hardware()

    return [models, plan, check, hardware]


def _runs(visits: Visits) -> list[Callable[..., Any]]:
    def train(
        model: str | None = None,
        data: str | None = None,
        recipe: str | None = None,
        settings: Json | None = None,
        name: str | None = None,
    ) -> Json:
        """Puts a new run in the queue, with the choices of `/plan`; returns at once with `run` and `status`."""
        return visits.studio.runs.train(model, data, recipe, settings, name)

    def runs() -> list[Json]:
        """Lists all runs, newest first, in short."""
        return visits.studio.runs.list()

    def run(run: str) -> Json:
        """Shows everything about one run: result, spec, state and metrics.

        `run` is an id, here and elsewhere, or a unique beginning of one, or `last`.
        """
        return visits.studio.runs.show(run)

    def stop(run: str) -> Json:
        """Asks a run to stop after its step; what it has learned is kept as an adapter."""
        return visits.studio.rentals.stop(run)

    def resume(run: str) -> Json:
        """Puts a run that stopped, failed or was interrupted back in the queue; it goes on from its newest whole checkpoint."""
        return visits.studio.rentals.resume(run)

    def rename(run: str, name: str) -> Json:
        """Gives a run another name; its id stays."""
        return visits.studio.runs.rename(run, name)

    def delete(run: str) -> Json:
        """Removes a run and all it made; refused while it is at work."""
        return visits.studio.runs.delete(run)

    return [train, runs, run, stop, resume, rename, delete]


def _results(visits: Visits) -> list[Callable[..., Any]]:
    def chat(
        run: str,
        messages: list[Json],
        base: bool = False,
        seed: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_new_tokens: int | None = None,
        strength: float | None = None,
    ) -> Iterator[str]:
        """Answers a conversation of role/content messages with a run's adapter, or with its base model.

        With a seed or a temperature it is sampled, else the likeliest. `max_new_tokens` is 512 where nothing is said.
        `strength`, 0 to 150, is the percent of its scaling with which the adapter is added, 100 where nothing is said.
        `run` may be a model's id too, or an adapter of the Hub that was pulled. A client that streams gets the answer as far as it is
        there, again and again.
        One without a word is refused with a sentence.
        """
        how = settings_of(temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens, strength=strength)
        yield from itertools.accumulate(visits.studio.talk.chat(run, messages, base, seed, how))

    def export(run: str, to: str = "adapter") -> gr.FileData:
        """Sends what a run learned as one zip, with its certificate. `to`: adapter, merged, gguf, ollama (handed to it, if here) or bundle.

        A merged model is made on the processor and compared with the live one, which takes up to some minutes.
        """
        folder = gradio_ways.upload_folder() / slug(visits.studio.runs.show(run)["run"], 120)
        folder.mkdir(parents=True, exist_ok=True)
        path = visits.studio.exports.export(run, to, folder, zipped=True)
        return gr.FileData(path=str(path), orig_name=path.name, size=path.stat().st_size)

    def push(run: str, repo: str = "", revision: str = "") -> Json:
        """Has what a run learned on the Hub, private, as a commit tagged with the run's id; its repository, url and commit.

        `repo` is a name, or owner/name, `revision` a branch. The token is the one that is saved on a machine of one's own, on a Space
        that of whoever has signed in.
        """
        return visits.studio.pushes.push(run, repo, revision, token=visits.hub_token)

    def pull(adapter: str) -> Json:
        """Fetches an adapter from the Hub at a version, `owner/name@revision`, and its base; `/chat` takes the same words as its `run`.

        Refused with a sentence where it is no LoRA adapter in safetensors, or its base is not to be had or does not fit here.
        """
        return visits.studio.pulls.pull(adapter, visits.hub_token)

    def evaluate(run: str, data: str | None = None, whole: bool = False) -> Json:
        """Compares the base model with the tuned one on the run's held-out rows, or on other data.

        It takes up to some minutes, with `whole` as long as all questions take, and is refused while the run is on.
        """
        return visits.studio.talk.evaluate(run, data, whole)

    return [chat, export, push, pull, evaluate]


def _plain(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """`endpoint` with answers of which none looks like a file that it is not."""
    if inspect.isgeneratorfunction(endpoint):

        @functools.wraps(endpoint)
        def stream(*values: Any, **named: Any) -> Iterator[Any]:
            yield from endpoint(*values, **named)

        return gradio_ways.answers_in_pieces(stream, endpoint, str)

    @functools.wraps(endpoint)
    def once(*values: Any, **named: Any) -> Any:
        answer = endpoint(*values, **named)
        return answer.model_dump() if isinstance(answer, gr.FileData) else without_files(answer)

    return once
