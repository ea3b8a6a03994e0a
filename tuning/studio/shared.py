"""What the parts of a studio share: one home folder's stores and caches, and this machine. It belongs to no owner."""

import threading
import time
from typing import TYPE_CHECKING

from tuning.data.library import Library
from tuning.data.sources import Sources
from tuning.data.waiting import WaitingRoom
from tuning.errors import InputError, caught
from tuning.export.errands import Errands
from tuning.forecast import plan as planning
from tuning.forecast.duration import SMALLEST
from tuning.hub.shelf import Shelf
from tuning.machine import speed
from tuning.machine.hardware import Hardware, probe
from tuning.runs import disk, files
from tuning.runs.contents import CalibrationRecord
from tuning.runs.store import Store
from tuning.schema import ModelCard, ModelRef, on_card, on_nvidia
from tuning.settings import Settings
from tuning.studio.pace import Pace
from tuning.studio.profiles import Profiles
from tuning.tokens import trial
from tuning.tokens.kept import Audits

if TYPE_CHECKING:
    from tuning.engine.workshop import Workshop

HARDWARE_SECONDS = 2.0
MOST_GPU_MEMORY = 100_000  # GB of a card that a plan can be asked for
STARTER = "starter"  # the model and the data that are taken where nobody says which


class Shared:
    """Stores and caches of one home folder. Whatever they keep for an owner they keep under the owner's name."""

    def __init__(self, settings: Settings, workshop: "Workshop | None") -> None:
        self.settings = settings
        self.store = Store(settings.home)
        self.library = Library(settings.home)
        self.waiting = WaitingRoom(settings.home)
        self.workshop = workshop
        self.pace = Pace()
        self.errands = Errands()
        self.hub_tokens: dict[str, str] = {}  # by owner: what was typed for a push; in memory only
        self.shelf = (workshop and workshop.shelf) or Shelf(settings, self.store)
        self.sources = Sources(settings)
        self.profiles = Profiles(settings.home, wait=workshop is None)
        self.audits = Audits(settings.home, self.library, self.shelf, wait=workshop is None)
        self._hardware: tuple[float, Hardware] | None = None
        self._speed: speed.CoreSpeed | None = None
        self._measuring = threading.Lock()
        self.queueing = threading.Lock()  # from the look at a quota to the place in the queue

    def probe(self) -> Hardware:
        """This machine, as it was at most two seconds ago."""
        now = time.monotonic()
        if self._hardware is None or now - self._hardware[0] > HARDWARE_SECONDS:
            self._hardware = (now, probe(self.settings.home, self.settings.cuda_visible_devices, self.settings.cuda_device_order))
        return self._hardware[1]

    def require_sound(self, model: ModelRef) -> None:
        """Raises InputError for a model that is here and broken, or would harm this process; one that may run its code is trusted."""
        if not self.shelf.trusts(model.path):
            trial.require(model.path, self.settings.home / trial.PASSED)

    def machine(self, card: ModelCard, gpu_memory: float | None, profile: planning.Lookup, device: str = "auto") -> planning.Machine:
        """What a plan for `card` reckons with: this machine or a card of `gpu_memory` GB, what runs have shown, and profiles.

        Raises InputError for a size that no card has.
        """
        if gpu_memory is not None and not (type(gpu_memory) in (int, float) and 0 < gpu_memory <= MOST_GPU_MEMORY):
            raise InputError("plan.gpu_memory", most=MOST_GPU_MEMORY)
        records = [record.model_dump() for record in disk.records(self.settings.home / "calibration.jsonl", CalibrationRecord)[0]]
        there = self.probe().gpus or not on_nvidia(device)  # Apple's cores are taken only where they are asked for
        on_cpu = not on_card(device) or (gpu_memory is None and not there)
        shown = planning.calibrate(records, card, on_cpu)
        if on_cpu and shown.operations_per_second is None and card.parameters >= SMALLEST:
            shown = shown.model_copy(update={"core_speed": self._core_speed()})
        here = self.settings
        return planning.Machine(self.probe(), shown, gpu_memory, profile, here.world_size, here.local_world_size, here.shared_by)

    def _core_speed(self) -> float | None:
        """The speed of a core of this processor, measured when it is first asked for and kept in the home; None where it cannot be."""
        with self._measuring:
            if self._speed is None:
                path, there = self.settings.home / "speed.json", self.probe()
                found = disk.kept(lambda: disk.record(path, speed.CoreSpeed), None)
                if found is None or found.cpu != there.cpu:
                    found = speed.measure(there.cpu, there.cores)
                    if path.parent.is_dir():
                        caught(lambda: files.write(path, found.model_dump_json()), "keeping the speed of the processor")
                self._speed = found
        return self._speed.operations_per_second
