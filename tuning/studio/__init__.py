"""The studio of one owner: all that page, command line and API can do, composed of models, data, plans, runs and talk.

The owner is bound here, by whoever knows who asks; no method of any part takes another. JSON-able values go in and come out. The
engine is imported only by those that need it, and only when they are called.
"""

import pathlib
from typing import TYPE_CHECKING, Any

from tuning.settings import Settings
from tuning.studio.access.keys import Keys
from tuning.studio.answering import Answering
from tuning.studio.beside.blind_score import BlindScore
from tuning.studio.beside.own_questions import OwnQuestions
from tuning.studio.beside.strength_table import StrengthTable
from tuning.studio.chats import Chats
from tuning.studio.correcting.corrections import Corrections
from tuning.studio.correcting.row_edits import RowEdits
from tuning.studio.data import Data
from tuning.studio.everybody import Everybody
from tuning.studio.leaving.exports import Exports
from tuning.studio.leaving.pulls import Pulls
from tuning.studio.leaving.pushes import Pushes
from tuning.studio.links import Links
from tuning.studio.models import Models
from tuning.studio.ordering.order_files import Orders
from tuning.studio.ordering.own_recipes import OwnRecipes
from tuning.studio.pace import Pace
from tuning.studio.plans import Plans
from tuning.studio.renting.rentals import Rentals
from tuning.studio.runs import Runs
from tuning.studio.shared import Shared
from tuning.studio.talk import Talk

if TYPE_CHECKING:
    from tuning.engine.workshop import Workshop


class Studio:
    """One home folder as one owner sees it. `workshop` is there in the app, and not in a terminal.

    `shared` comes from another owner's studio of the same home (`for_owner`).
    """

    def __init__(
        self, settings: Settings | pathlib.Path, owner: str, workshop: "Workshop | None" = None, shared: Shared | None = None
    ) -> None:
        settings = Settings(home=settings) if isinstance(settings, pathlib.Path) else settings
        self.shared = Shared(settings, workshop) if shared is None else shared
        self.owner = owner
        self.models = Models(self.shared, owner)
        self.data = Data(self.shared, owner, self.models)
        self.recipes = OwnRecipes(self.shared, owner, self.models.quotas)
        self.plans = Plans(self.shared, owner, self.models, self.data, self.recipes)
        self.orders = Orders(self.shared, owner, self.models, self.data, self.plans)
        self.runs = Runs(self.shared, owner, self.plans)
        self.corrections = Corrections(self.shared, owner, self.data, self.runs)
        self.edits = RowEdits(self.shared, owner, self.data)
        self.rentals = Rentals(self.shared, owner, self.plans, self.runs)
        self.exports = Exports(self.shared, owner, self.runs.quotas)
        self.pushes = Pushes(self.shared, owner, self.exports)
        self.links = Links(self.shared, owner)
        self.everybody = Everybody(self.shared, owner)
        self.talk = Talk(self.shared, owner, self.models, self.data)
        self.pulls = Pulls(self.shared, owner, self.models, self.talk, self.pushes)
        self.chats = Chats(self.shared, owner, self.models.quotas)
        self.strengths = StrengthTable(self.shared, owner, self.models.quotas)
        self.blind = BlindScore(self.shared, owner)
        self.questions = OwnQuestions(self.shared, owner, self.models.quotas)
        self.answering = Answering(self.shared, owner, self.talk)
        self.keys = Keys(self.shared, owner)

    def for_owner(self, owner: str) -> "Studio":
        """The same house for another owner, with the same caches; it costs nothing."""
        return self if owner == self.owner else Studio(self.settings, owner, self.workshop, self.shared)

    @property
    def settings(self) -> Settings:
        """What this process was told by its environment."""
        return self.shared.settings

    @property
    def workshop(self) -> "Workshop | None":
        """The thread that trains and answers, where there is one."""
        return self.shared.workshop

    @property
    def pace(self) -> Pace:
        """How often each owner, and all together, may ask for what takes time."""
        return self.shared.pace

    def warm(self) -> bool:
        """Whether the libraries are loaded, or whoever asks loads them."""
        return self.workshop is None or self.workshop.ready.is_set()

    def preload(self) -> None:
        """Load the libraries now, in the workshop's thread, for a start comes next."""
        if self.workshop is not None and not self.warm():
            self.workshop.preload()

    def hardware(self) -> dict[str, Any]:
        """This machine: system, cpu, cores, memory and disk in bytes, gpus."""
        return self.shared.probe().model_dump()
