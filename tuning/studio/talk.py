"""Asking a model or a run: what ends in an answer, or in a report of base against tuned."""

import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pydantic

from tuning import presets
from tuning.errors import InputError, RunError, TuningError
from tuning.forecast import plan as planning
from tuning.hub import pulled
from tuning.hub.pulled import PulledAdapter
from tuning.hub.shelf import here
from tuning.models import model_folder
from tuning.runs import checkpoints, files
from tuning.runs.contents import AnswerSettings
from tuning.runs.run_folder import Run
from tuning.schema import ALIVE, LOCAL, Message, ModelRef, RunSpec, on_card
from tuning.studio.data import Data
from tuning.studio.models import Models
from tuning.studio.shared import STARTER, Shared
from tuning.text import t

if TYPE_CHECKING:
    from tuning.engine.question import Comparison, Question

AS_IT_COMES = AnswerSettings()


def settings_of(**given: Any) -> AnswerSettings:
    """Generation settings out of what somebody gave. Raises InputError `chat.settings` with the name of the first that is none."""
    try:
        return AnswerSettings.model_validate(given)
    except pydantic.ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise InputError("chat.settings", name=str(fault["loc"][0]), given=str(given[str(fault["loc"][0])])[:40]) from error


def thinking_of(run: Run | PulledAdapter | None, how: AnswerSettings) -> str:
    """How an answer is asked for: as somebody says, else as the run has learned it, and of a model as its template is."""
    if how.thinking is not None:
        return "learn" if how.thinking else "keep"
    return "auto" if run is None else run.thinking if isinstance(run, PulledAdapter) else run.spec().settings.thinking


def template_of(run: Run | PulledAdapter | None) -> str | None:
    """The chat template by hand that a run has learned by, and is asked with, as its base is beside it."""
    return run.spec().settings.chat_template if isinstance(run, Run) else None


def run_of(target: str) -> str:
    """The run of `RUN` or `RUN@STEP`."""
    return target.partition("@")[0] if step_of(target) is not None else target


def step_of(target: str) -> int | None:
    """The checkpoint of `RUN@STEP`; None where none is named, as in `owner/name@revision`."""
    step = target.rpartition("@")[2] if "@" in target and "/" not in target else ""
    return int(step) if step.isascii() and step.isdigit() and len(step) < 10 else None


def scaling(run: Run | PulledAdapter | None) -> str:
    """What of a run the strength scales: `all` of its adapter; only the `direction` of a DoRA adapter; of a whole model `nothing`."""
    if isinstance(run, PulledAdapter):
        return "direction" if run.dora else "all"
    if run is None or run.spec().settings.method == "full":
        return "nothing"
    return "direction" if run.spec().settings.lora.get("use_dora") else "all"


def _loaded(spec: RunSpec) -> tuple[str, planning.Placement] | None:
    """The base that the adapter of a run is added to, and how that is loaded; None of a whole model."""
    settings = spec.settings
    way = planning.Placement(settings.device, settings.precision, settings.quantization)
    return None if settings.method == "full" else (spec.model.path, way)


def require_scaled(run: Run | PulledAdapter | None, how: AnswerSettings) -> None:
    """Raises InputError `chat.strength` where a strength was asked for, and there is no adapter that has one."""
    if how.strength not in (None, 100) and scaling(run) == "nothing":
        raise InputError("chat.strength")


class Talk:
    """What an owner can ask models and runs."""

    def __init__(self, shared: Shared, owner: str, models: Models, data: Data) -> None:
        self.shared, self.owner = shared, owner
        self._models, self._data = models, data
        self._met: str | None = None  # the path of the model that a terminal has asked before

    def question(
        self, target: str, messages: list[dict[str, str]], base: bool = False, seed: int | None = None, how: AnswerSettings = AS_IT_COMES
    ) -> "Question":
        """An answer to ask for, of a run (or of its base) or of a model. Of `how` all but the system text counts: that is a message.

        Raises InputError for a target that is neither or a conversation that is none, RunError for a run without an adapter, and
        for a model that does not fit into memory.
        """
        try:
            turns = [Message.model_validate(message) for message in messages]
        except pydantic.ValidationError as error:
            raise InputError("chat.messages") from error
        if not turns or turns[-1].role != "user" or not turns[-1].content.strip():
            raise InputError("chat.empty")
        from tuning.engine.question import MAX_NEW_TOKENS, Question

        model, run = self.whom(target)
        self.shared.require_sound(model)
        require_scaled(None if base else run, how)
        seed = how.seed if seed is None else seed
        said: dict[str, Any] = {
            "seed": seed,
            "temperature": how.temperature,
            "top_p": how.top_p,
            "max_new_tokens": how.max_new_tokens or MAX_NEW_TOKENS,
            "thinking": thinking_of(run, how),
            "chat_template": template_of(run),
            "strength": 100.0 if how.strength is None else how.strength,
            "whose": self.owner,
        }
        if not isinstance(run, Run):
            way = self._way(model, run)
            self._require_room(model, way)
            return Question(turns, model, way.device, way.precision, None if base else run, quantization=way.quantization, **said)
        settings = run.spec().settings
        self._require_room(model, planning.Placement(settings.device, settings.precision, settings.quantization))
        asked, step = (None, None) if base else (run, step_of(target))
        return Question(turns, model, settings.device, settings.precision, asked, step=step, quantization=settings.quantization, **said)

    def whom(self, target: str) -> tuple[ModelRef, Run | PulledAdapter | None]:
        """The model that is talked to, and the run, or the adapter from the Hub, that has tuned it where it is not talked to as it is.

        `RUN@STEP` is a run as it was at a checkpoint. Raises InputError for a target that is neither, RunError for a run without an
        adapter and for a checkpoint that is not there.
        """
        folder = self.owner == LOCAL and self.shared.settings.mode == "local" and os.path.isdir(files.given(target))
        if not folder and pulled.parsed(target) is not None:
            return self._pulled(target)
        if folder or "/" in target or target in presets.models(self.shared.settings.presets):
            reference = self._models.find(target)
            self._models.quotas.model(reference)
            if not here(reference):
                raise InputError("model.not_here", model=reference.id)
            return reference, None
        name, step = run_of(target), step_of(target)
        run = self.shared.store.find(name, self.owner)
        if step is not None:
            if step not in (steps := checkpoints.spoken_to(run.checkpoints)):
                raise RunError("chat.no_checkpoint", step=step, steps=", ".join(map(str, steps)) or "–")
            return run.spec().model, run
        if run.state().status not in ("starting", "running"):
            run.require_adapter()
        return run.spec().model, run

    def _pulled(self, target: str) -> tuple[ModelRef, PulledAdapter]:
        if self._models.quotas.bounds is not None:
            raise InputError("quota.model", model=target)
        found = pulled.find(self.shared.settings.home, self.owner, target)
        reference = self._models.find(found.base)
        if not here(reference):
            raise InputError("model.not_here", model=reference.id)
        return reference, found

    def require_room(self, model: ModelRef) -> None:
        """Raises RunError `chat.no_room` where a model is too large to be talked to here."""
        self._require_room(model, planning.for_talking(model.card, self.shared.probe()))

    def beside(self, target: str) -> list[dict[str, Any]]:
        """Whom `target` can be set beside: `id`, `name` and `step` (or None) of adapters and checkpoints over the same loaded base.

        Raises what `whom` does. Of a model, and of a run that trains a whole one, there is none.
        """
        model, run = self.whom(target)
        if run is None or scaling(run) == "nothing":
            return []
        loaded = _loaded(run.spec()) if isinstance(run, Run) else (model.path, self._way(model, run))
        there = [one.name for one in self.pulled() if self._loaded_of(one) == loaded]
        found: list[dict[str, Any]] = [{"id": name, "name": name, "step": None} for name in there]
        for other in self.shared.store.all(self.owner):
            spec = other.known()
            if spec is None or _loaded(spec) != loaded:
                continue
            status = other.state().status
            if other.adapter.is_dir() or status in ("starting", "running"):
                found.append({"id": other.id, "name": spec.name, "step": None})
            if other.id == run.id:
                found += [
                    {"id": f"{other.id}@{step}", "name": spec.name, "step": step}
                    for step in reversed(checkpoints.spoken_to(other.checkpoints))
                ]
        return [one for one in found if one["id"] != target]

    def pulled(self) -> list[PulledAdapter]:
        """The adapters from the Hub that are here, and whose base is; of visitors there are none."""
        if self._models.quotas.bounds is not None:
            return []
        return [one for one in pulled.kept(self.shared.settings.home, self.owner) if self._loaded_of(one) is not None]

    def _loaded_of(self, one: PulledAdapter) -> tuple[str, planning.Placement] | None:
        """As `_loaded`; None where its base is not here."""
        try:
            model = self._models.find(one.base)
        except TuningError:
            return None
        return (model.path, self._way(model, one)) if here(model) else None

    def _way(self, model: ModelRef, adapter: PulledAdapter | None) -> planning.Placement:
        """Where and how a model is asked that no run here has placed: on a processor in the precision that the adapter was trained in."""
        way = planning.for_talking(model.card, self.shared.probe())
        trained = "auto" if adapter is None else adapter.precision
        return way if on_card(way.device) or trained not in ("fp32", "bf16") else way._replace(precision=trained)

    def steps(self, target: str) -> list[int]:
        """The checkpoints of a run that can be talked to; none of what is no run."""
        try:
            return checkpoints.spoken_to(self.shared.store.find(run_of(target), self.owner).checkpoints)
        except TuningError:
            return []

    def called(self, target: str, lang: str) -> str:
        """What a run, or a checkpoint of one, is called; its id where it is gone."""
        try:
            name = self.shared.store.find(run_of(target), self.owner).spec().name
        except TuningError:
            return target
        step = step_of(target)
        return name if step is None else t(lang, "ui.beside.step", name=name, step=step)

    def _require_room(self, model: ModelRef, way: planning.Placement) -> None:
        """Raises RunError `chat.no_room` where the forecast says that a model that is not loaded yet does not fit into memory.

        What is loaded now gives way to it. A terminal loads one model for all its questions.
        Raises `chat.launched` while a run has all cards.
        """
        workshop, hardware = self.shared.workshop, self.shared.probe()
        if workshop is not None and (apart := workshop.apart) is not None:
            raise RunError(apart)
        loaded, held = (self._met, 0) if workshop is None else workshop.holds()
        if loaded == model.path or (on_card(way.device) and hardware.card(way.device) is None):
            return
        held = 0 if on_card(way.device) else held  # of a card what this process holds is counted as free
        need, have = planning.room_to_talk(model.card, way, hardware, warm=workshop is not None and workshop.ready.is_set())
        if need > have + held:
            gib = planning.GIB
            raise RunError("chat.no_room", model=model.card.title, need=need / gib, have=(have + held) / gib)
        self._met = model.path

    def untaught(self, model: str) -> bool:
        """Is it a base model without a chat template? False for what is no model that can be found."""
        try:
            return not model_folder.templated(pathlib.Path(self._models.find(model).path))
        except TuningError:
            return False

    def ask(
        self,
        target: str,
        messages: list[dict[str, str]],
        base: bool = False,
        how: AnswerSettings = AS_IT_COMES,
        begun: str = "",
        shorten: bool = True,
        proven: bool = False,
    ) -> "Question":
        """A question handed to the workshop, as a conversation asks it. Read `stream()`; set `stopped` to end the answer.

        `begun`: the answer is to go on from these words. What does not fit the context is left out, the oldest turns first, unless
        `shorten` is False: it is refused then. `proven`: at its end the question has a `proof` of whom it came from.
        """
        self._models.quotas.pace("message")
        question = self.question(target, messages, base, how=how)
        question.begun, question.shorten, question.proven = begun, shorten, proven
        return self._hand_over(question)

    def _hand_over(self, question: "Question") -> "Question":
        assert self.shared.workshop is not None
        self.shared.workshop.ask(question)
        return question

    def chat(
        self, target: str, messages: list[dict[str, str]], base: bool = False, seed: int | None = None, how: AnswerSettings = AS_IT_COMES
    ) -> Iterator[str]:
        """The answer in pieces, from the workshop. Closing the iterator stops the model. Raises EngineError for one without a word."""
        self._models.quotas.pace("message")
        question = self._hand_over(self.question(target, messages, base, seed, how))
        try:
            yield from question.stream()
        finally:
            question.stopped.set()

    def comparison(self, run: str, data: str | None = None, whole: bool = False) -> "Comparison":
        """A report to make on a run, on its own held-out rows or on other `data` (as `check` takes it); `whole`: of all of them.

        Raises InputError for a run or data that are not there, RunError while the run is on or without an adapter.
        """
        self._models.quotas.pace("errand")
        found = self.shared.store.find(run, self.owner)
        if found.state().status in ALIVE:
            raise RunError("evaluate.busy")
        found.require_adapter()
        if not here(found.spec().model):
            raise InputError("model.not_here", model=found.spec().model.id)
        self.shared.require_sound(found.spec().model)
        from tuning.engine.question import Comparison

        return Comparison(found, None if data is None else self._data.find(data).id, whole)

    def evaluate(self, run: str, data: str | None = None, whole: bool = False) -> dict[str, Any]:
        """Base against tuned, made by the workshop, and kept with the run where it is on its own rows; see `engine.judge.report`."""
        comparison = self.comparison(run, data, whole)
        assert self.shared.workshop is not None
        self.shared.workshop.compare(comparison)
        return comparison.result()

    def ask_all(self, run: str) -> None:
        """Have the report on a run made again on all questions; nobody waits for it."""
        assert self.shared.workshop is not None
        if run not in self.shared.workshop.comparing:
            self.shared.workshop.compare(self.comparison(run, whole=True))

    def asking(self, run: str) -> bool:
        """Is a report on a run being made?"""
        return self.shared.workshop is not None and run in self.shared.workshop.comparing

    def report(self, comparison: "Comparison") -> dict[str, Any]:
        """Make a report in this process, where there is no workshop; as `evaluate`."""
        from tuning.engine.judge.report import evaluate
        from tuning.engine.resident import Resident

        return evaluate(comparison.run, comparison.data, self.shared.store, Resident(self.shared.shelf.trusts), whole=comparison.whole)

    def questions(self, target: str, lang: str = "en", limit: int = 3) -> list[str]:
        """Some questions worth asking a run: held-out ones of its data, else its first; of a model, those of the starter's data."""
        runs = {run.id: run for run in self.shared.store.all(self.owner)}
        try:
            data = runs[run_of(target)].spec().data.id if run_of(target) in runs else self._data.find(f"{STARTER}-{lang}").id
            return self.shared.library.questions(data, self.owner, limit)
        except InputError:
            return []
