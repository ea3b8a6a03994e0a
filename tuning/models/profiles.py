"""Where activation profiles come from: those that ship with the catalog, those found here before, else a dry run.

A dry run takes seconds and has a process of its own (`engine.dryrun`); until it is done the plan uses a rule of thumb. A profile
is good as long as transformers computes the model the same way, which is seen from the text of its code, without importing it.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import pathlib
import re
import subprocess
import sys
import threading

from tuning import settings as environment
from tuning.errors import EngineError, caught
from tuning.plan import activations
from tuning.plan.activations import Request
from tuning.plan.memory import target_names
from tuning.runs import files
from tuning.schema import ActivationProfile, ModelCard, TrainSettings

SHIPPED = pathlib.Path(activations.__file__).parent / "profiles"
IMPORTED = re.compile(r"^\s*from (?:\.\.|transformers\.models\.)(\w+)\.(modeling_\w+) import", re.MULTILINE)
SECONDS = 180.0
SMALLEST = 20_000_000  # parameters; below, the libraries take more than any step of the model


def fingerprint(model_type: str) -> str:
    """The fingerprint changes where transformers' code of `model_type`, or of a family that it takes classes from, does.

    An architecture whose code is found nowhere has the version of transformers instead.
    """
    spec = importlib.util.find_spec("transformers")  # finds the folder and imports nothing
    folders = spec.submodule_search_locations if spec else None
    return _fingerprint(pathlib.Path(next(iter(folders or ()), "")) / "models", model_type)


@functools.cache
def _fingerprint(models: pathlib.Path, model_type: str) -> str:
    texts = _code(models, model_type)
    if not texts:
        return importlib.metadata.version("transformers")
    return hashlib.sha256("\0".join(texts[name] for name in sorted(texts)).encode()).hexdigest()


def _code(models: pathlib.Path, model_type: str) -> dict[str, str]:
    """The texts of the family's modelling files by folder and name, with those of other families that they import from."""
    family = model_type.replace("-", "_")
    while family and not (
        family.isidentifier() and (models / family).is_dir()
    ):  # the text part of a family lies in its folder: gemma3_text
        family = family.rpartition("_")[0]
    found: dict[str, str] = {}
    left = sorted((models / family).glob("modeling_*.py")) if family else []
    while left:
        path = left.pop()
        name = f"{path.parent.name}/{path.name}"
        if name not in found and path.is_file():
            found[name] = path.read_text(encoding="utf-8")
            left += [models / other / f"{module}.py" for other, module in IMPORTED.findall(found[name])]
    return found


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
                files.write(self.folder / f"{name}.json", found.model_dump_json(by_alias=True))

        caught(work, f"the dry run of {request.card.id}")


def _named(card: ModelCard, settings: TrainSettings) -> tuple[Request, str]:
    request = Request(card=card, settings=settings, targets=target_names(card, settings))
    return request, activations.key(request, fingerprint(card.model_type))


def in_child(request: Request) -> ActivationProfile:
    """The profile, found in a process of its own. Raises EngineError `plan.dryrun` where the architecture does not take part."""
    command = [sys.executable, "-m", "tuning.engine.dryrun"]
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
    try:
        return ActivationProfile.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
