"""Asking a model or a run, for page, command line and API: the verbs that end in an answer or a report. `verbs.Verbs` has them all."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pydantic

from tuning import presets
from tuning.errors import InputError, RunError
from tuning.materials import STARTER, Materials
from tuning.models.hardware import Hardware
from tuning.models.shelf import here
from tuning.plan import plan as planning
from tuning.runs import files
from tuning.schema import ALIVE, LOCAL, Message

if TYPE_CHECKING:
    from tuning.engine.question import Comparison, Question
    from tuning.engine.workshop import Workshop


class Talking(Materials):
    """What `Verbs` can do with models that are there."""

    workshop: "Workshop | None"

    def _probe(self) -> Hardware:
        raise NotImplementedError

    def question(
        self, target: str, messages: list[dict[str, str]], base: bool = False, seed: int | None = None, owner: str = LOCAL
    ) -> "Question":
        """An answer to ask for, of a run (or of its base) or of a model.

        Raises InputError for a target that is neither or a conversation that is none, RunError for a run without an adapter.
        """
        try:
            turns = [Message.model_validate(message) for message in messages]
        except pydantic.ValidationError as error:
            raise InputError("chat.messages") from error
        if not turns or turns[-1].role != "user" or not turns[-1].content.strip():
            raise InputError("chat.empty")
        from tuning.engine.question import Question

        folder = self.settings.mode == "local" and os.path.isdir(files.given(target))
        if folder or "/" in target or target in presets.models(self.settings.presets):
            reference = self.model(target, owner)
            if not here(reference):
                raise InputError("model.not_here", model=reference.id)
            device, precision, quantization = planning.for_talking(reference.card, self._probe())
            return Question(turns, reference, device, precision, seed=seed, quantization=quantization)
        run = self.store.find(target, owner)
        spec, state = run.spec(), run.state()
        if not run.adapter.is_dir() and state.status not in ("starting", "running"):
            raise RunError("run.no_adapter", run=run.id)
        settings = spec.settings
        asked = None if base else run
        return Question(turns, spec.model, settings.device, settings.precision, asked, seed, quantization=settings.quantization)

    def ask(
        self, target: str, messages: list[dict[str, str]], base: bool = False, seed: int | None = None, owner: str = LOCAL
    ) -> "Question":
        """A question handed to the workshop. Read `stream()`; set `stopped` to end the answer."""
        question = self.question(target, messages, base, seed, owner)
        assert self.workshop is not None
        self.workshop.ask(question)
        return question

    def chat(
        self, target: str, messages: list[dict[str, str]], base: bool = False, seed: int | None = None, owner: str = LOCAL
    ) -> Iterator[str]:
        """The answer in pieces, from the workshop. Closing the iterator stops the model."""
        question = self.ask(target, messages, base, seed, owner)
        try:
            yield from question.stream()
        finally:
            question.stopped.set()

    def comparison(self, run: str, data: str | None = None, owner: str = LOCAL) -> "Comparison":
        """A report to make on a run, on its own held-out rows or on other `data` (as `check` takes it).

        Raises InputError for a run or data that are not there, RunError while the run is on or without an adapter.
        """
        found = self.store.find(run, owner)
        if found.state().status in ALIVE:
            raise RunError("evaluate.busy")
        if not found.adapter.is_dir():
            raise RunError("run.no_adapter", run=found.id)
        if not here(found.spec().model):
            raise InputError("model.not_here", model=found.spec().model.id)
        from tuning.engine.question import Comparison

        return Comparison(found, None if data is None else self.dataset(data, owner).id)

    def evaluate(self, run: str, data: str | None = None, owner: str = LOCAL) -> dict[str, Any]:
        """Base against tuned, made by the workshop, and kept with the run where it is on its own rows; see `engine.report`."""
        comparison = self.comparison(run, data, owner)
        assert self.workshop is not None
        self.workshop.compare(comparison)
        return comparison.result()

    def questions(self, target: str, lang: str = "en", limit: int = 3, owner: str = LOCAL) -> list[str]:
        """Some questions worth asking a run: held-out ones of its data, else its first; of a model, those of the starter's data."""
        runs = {run.id: run for run in self.store.all(owner)}
        try:
            data = runs[target].spec().data.id if target in runs else self.dataset(f"{STARTER}-{lang}", owner).id
            return self.library.questions(data, owner, limit)
        except InputError:
            return []
