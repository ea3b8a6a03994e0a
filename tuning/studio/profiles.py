"""Where activation profiles come from: those that ship with the catalog, those found here before, else a dry run.

A dry run takes seconds and has a process of its own (`engine.measure.dryrun`); until it is done the plan uses a rule of thumb. A profile
is good as long as transformers computes the model the same way, which is seen from the text of its code, without importing it.
"""

import pathlib
import subprocess
import sys
import threading

from tuning import settings as environment
from tuning.errors import EngineError, caught
from tuning.forecast import activations
from tuning.forecast.activations import Request
from tuning.forecast.memory import target_names
from tuning.machine.modelling_code import fingerprint
from tuning.runs import disk, files
from tuning.schema import ActivationProfile, ModelCard, TrainSettings

SHIPPED = pathlib.Path(activations.__file__).parent / "profiles"
SECONDS = 180.0
SMALLEST = 20_000_000  # parameters; below, the libraries take more than any step of the model


class Profiles:
    """Profiles by model and settings. With `wait` a missing one is found at once, else in the background."""

    def __init__(self, home: pathlib.Path, wait: bool) -> None:
        self.folder, self.wait = home / "profiles", wait
        self._known: dict[str, ActivationProfile] = {}
        self._asked: set[str] = set()
        self._one = threading.Lock()

    def find(self, card: ModelCard, settings: TrainSettings) -> ActivationProfile | None:
        """The profile for settings without `auto` in precision and device; None while there is none.

        For a catalog model on a device that nobody would train it on, one of another precision stands in.
        """
        request, name = _named(card, settings)
        found = self.look(card, settings)
        if found is not None or not card.config or card.parameters < SMALLEST:
            return found
        stand_in = self.look(card, settings.model_copy(update={"device": "cuda:0", "precision": "bf16"}))
        if name not in self._asked and not (self.wait and stand_in):
            self._asked.add(name)
            if self.wait:
                self._make(name, request)
            else:
                threading.Thread(target=self._make, args=(name, request), name="dry run", daemon=True).start()
        return self._known.get(name) or stand_in

    def look(self, card: ModelCard, settings: TrainSettings) -> ActivationProfile | None:
        """The same, of what is there already."""
        _, name = _named(card, settings)
        if name not in self._known:
            found = _read(SHIPPED / f"{name}.json") or _read(self.folder / f"{name}.json")
            if found is not None:
                self._known[name] = found
        return self._known.get(name)

    def _make(self, name: str, request: Request) -> None:
        def work() -> None:
            with self._one:  # one at a time: somebody may be training beside it
                self._known[name] = found = in_child(request)
                self.folder.mkdir(parents=True, exist_ok=True)
                files.remove(self.folder / f"{name}.json")
                files.write(self.folder / f"{name}.json", found.model_dump_json(by_alias=True))

        caught(work, f"the dry run of {request.card.id}")


def _named(card: ModelCard, settings: TrainSettings) -> tuple[Request, str]:
    request = Request(card=card, settings=settings, targets=target_names(card, settings))
    return request, activations.key(request, fingerprint(card.model_type))


def in_child(request: Request) -> ActivationProfile:
    """The profile, found in a process of its own. Raises EngineError `plan.dryrun` where the architecture does not take part."""
    command = [sys.executable, "-m", "tuning.engine.measure.dryrun"]
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
