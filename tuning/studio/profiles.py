"""Where activation profiles come from: those that ship with the catalog, those found here before, else a dry run.

A dry run takes seconds and has a process of its own (`engine.measure.dryrun`); until it is done the plan uses a rule of thumb. A profile
is good as long as transformers computes the model the same way, which is seen from the text of its code, without importing it.
"""

import pathlib
import subprocess
import sys
import threading

from tuning import presets
from tuning import settings as environment
from tuning.errors import EngineError, caught
from tuning.forecast import activations
from tuning.forecast.activations import Request
from tuning.forecast.duration import SMALLEST
from tuning.forecast.memory import target_names
from tuning.machine.modelling_code import fingerprint
from tuning.runs import disk
from tuning.schema import ActivationProfile, ModelCard, TrainSettings

SHIPPED = pathlib.Path(activations.__file__).parent / "profiles"
SECONDS = 180.0
HURRIED = 2.0  # seconds that a plan, which somebody waits for, waits for it


class Profiles:
    """Profiles by model and settings. With `wait` a missing one is waited for, else it is found in the background."""

    def __init__(self, home: pathlib.Path, wait: bool) -> None:
        self.folder, self.wait = home / "profiles", wait
        self._known: dict[str, ActivationProfile] = {}
        self._asked: set[str] = set()
        self._one = threading.Lock()

    def find(self, card: ModelCard, settings: TrainSettings, hurried: bool = False) -> ActivationProfile | None:
        """The profile for settings without `auto` in precision and device; None while there is none.

        For a catalog model on a device that nobody would train it on, one of another precision stands in. Who is `hurried` is kept
        waiting for HURRIED seconds at most; the dry run goes on by itself then, and is there for the next who asks.
        """
        request, name = _named(card, settings)
        found = self.look(card, settings)
        if found is not None or not card.config or card.parameters < SMALLEST:
            return found
        stand_in = self.look(card, settings.model_copy(update={"device": "cuda:0", "precision": "bf16"}))
        if name not in self._asked and not (self.wait and stand_in):
            self._asked.add(name)
            making = threading.Thread(target=self._make, args=(name, request), name="dry run", daemon=True)
            making.start()
            if self.wait:
                making.join(HURRIED if hurried else None)
        return self._known.get(name) or stand_in

    def look(self, card: ModelCard, settings: TrainSettings) -> ActivationProfile | None:
        """The same, of what is there already: for a folder with a model of the catalog that model's."""
        _, name = _named(card, settings)
        if name not in self._known:
            found = _read(SHIPPED / f"{name}.json") or _read(self.folder / f"{name}.json") or _twin(card, settings)
            if found is not None:
                self._known[name] = found
        return self._known.get(name)

    def _make(self, name: str, request: Request) -> None:
        def work() -> None:
            with self._one:  # one at a time: somebody may be training beside it
                self._known[name] = in_child(request, self.folder / f"{name}.json")

        caught(work, f"the dry run of {request.card.id}")


def _named(card: ModelCard, settings: TrainSettings) -> tuple[Request, str]:
    request = Request(card=card, settings=settings, targets=target_names(card, settings))
    return request, activations.key(request, fingerprint(card.model_type))


def _twin(card: ModelCard, settings: TrainSettings) -> ActivationProfile | None:
    """The profile that ships for the model of the catalog that `card` is, under another name and with more of its configuration."""
    found = (known for known in presets.models(environment.PRESETS).values() if known is not card and activations.alike(card, known))
    twin = next(found, None)
    return None if twin is None else _read(SHIPPED / f"{_named(twin, settings)[1]}.json")


def in_child(request: Request, path: pathlib.Path | None = None) -> ActivationProfile:
    """The profile, found in a process of its own, which also keeps it at `path`: whoever has asked may have left by then.

    Raises EngineError `plan.dryrun` where the architecture does not take part.
    """
    command = [sys.executable, "-m", "tuning.engine.measure.dryrun", *([] if path is None else [str(path)])]
    env = {**environment.child_environment(), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    told = request.model_dump_json()
    try:
        done = subprocess.run(
            command, input=told, cwd=environment.ROOT, env=env, capture_output=True, text=True, timeout=SECONDS, check=True
        )
        return ActivationProfile.model_validate_json(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise EngineError("plan.dryrun", model=request.card.title) from error


def _read(path: pathlib.Path) -> ActivationProfile | None:
    """A profile that was kept; one that is damaged is logged, and found anew."""
    return disk.kept(lambda: disk.record(path, ActivationProfile), None)
