"""Runs on machines that are rented by the minute: what each machine would take and cost, and a run's way there and back.

For the owner of a machine of their own alone, with the token of its environment; nothing leaves before somebody has said so.
"""

import secrets
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tuning import presets
from tuning.errors import InputError, RunError, caught
from tuning.forecast import plan as planning
from tuning.hub.repository import hub_id
from tuning.rent import flavours, follow, rented
from tuning.rent.flavours import Flavour
from tuning.rent.follow import SAY, Follower
from tuning.runs import summary
from tuning.runs.files import slug, whole
from tuning.runs.run_folder import Run
from tuning.schema import ModelCard, ModelRef, Notice, RunState
from tuning.studio.plans import Decided, Plans
from tuning.studio.runs import Runs
from tuning.studio.shared import Shared

if TYPE_CHECKING:
    from tuning.hub.hub_jobs import HubJobs

RUNS = 5  # the last ones on a card that its speed is taken from


class Choices(NamedTuple):
    """Choices, as `Plans.plan` takes them."""

    model: str | None = None
    data: str | None = None
    recipe: str | None = None
    settings: dict[str, Any] | None = None
    lang: str = "en"


class Rentals:
    """The rented runs of an owner."""

    def __init__(self, shared: Shared, owner: str, plans: Plans, runs: Runs) -> None:
        self.shared, self.owner = shared, owner
        self._plans, self._runs = plans, runs

    def offers(self, asked: Choices) -> dict[str, Any]:
        """What a run with these choices would take on each machine that is let now, those first on which it fits, the cheapest first.

        `machines`: flavour, title, card, usd_per_minute, seconds, setup_seconds, minutes, usd, fits, predicted_peak_bytes,
        available_bytes. The price is that of the minutes of the forecast, the setup's among them. Raises InputError `rent.…`.
        """
        found, data = [], asked.data
        for flavour in flavours.known(self._hub().machines()):
            try:
                decided = self._decided(flavour, asked._replace(data=data))
            except InputError as error:
                if error.code.startswith("plan."):  # not on this one
                    continue
                raise
            self._require_sent(decided[0])
            data = decided[1].id
            found.append(_offer(flavour, decided))
        found.sort(key=lambda one: (not one["fits"], one["usd"]))
        return {"machines": found}

    def offer(self, flavour: str, asked: Choices) -> dict[str, Any]:
        """As one of `offers`, with `most_usd`, beyond which the machine is taken away where nobody says another price."""
        machine = self._machine(flavour)
        decided = self._decided(machine, asked)
        self._require_sent(decided[0])
        found = _offer(machine, decided)
        return {**found, "most_usd": machine.most(60 * found["minutes"])}

    def create(self, flavour: str, asked: Choices, name: str | None, most_usd: float | None) -> Run:
        """A new run that is to be rented; `carry` sends it away. Raises InputError `rent.…`, RunError where it would not fit there.

        Whoever the token belongs to, and what it may do, is looked at before anything else.
        """
        account, machine = self._hub().account(), self._machine(flavour)
        decided = self._decided(machine, asked)
        self._require_sent(decided[0])
        expected = _offer(machine, decided)
        most = machine.most(60 * expected["minutes"]) if most_usd is None else most_usd
        if most < expected["usd"]:
            raise InputError("rent.dear", title=machine.title, usd=expected["usd"], minutes=expected["minutes"], most_usd=most)
        run = self._runs.write(decided, asked.settings or {}, name)
        with whole(run.folder):
            self._order(run, account, machine, most)
        return run

    def again(self, run: str, flavour: str, most_usd: float | None) -> Run:
        """A run that can go on, to be rented for the rest of it. Raises as `create` and `Runs.resumable` do."""
        account, machine = self._hub().account(), self._machine(flavour)
        found = self._runs.resumable(run)
        spec = found.spec()
        self._require_sent(spec.model)
        need, have = spec.forecast.peak_bytes, machine.hardware().gpus[0].memory_free if machine.card else machine.memory
        if spec.settings.on_card != (machine.card is not None):
            raise RunError("rent.other_kind", run=found.id, title=machine.title)
        if need > have:
            raise RunError("plan.refused", need=need / planning.GIB, have=have / planning.GIB)
        seconds = spec.forecast.seconds + flavours.setup_seconds(spec.model.card.parameters)
        most = machine.most(seconds) if most_usd is None else most_usd
        self._order(found, account, machine, most)
        return found

    def carry(self, run: Run, say: SAY) -> RunState:
        """Send a run away where it is not yet, and follow it until all that came of it is at home. Raises InputError `rent.…`."""
        hub = self._hub()
        with follow.held(run):
            if rented.away(run) is None:
                follow.submit(run, hub, say)
            return Follower(run, hub, say).follow()

    def away(self, run: str) -> Run | None:
        """The run, where its job, or what that made, is not at home yet."""
        found = self.shared.store.find(run, self.owner, unreadable=True)
        return found if rented.away(found) is not None else None

    def stop(self, run: str) -> dict[str, Any]:
        """As `Runs.stop`, of a run that is here or away; one that nobody in any process follows is asked at the Hub."""
        try:
            return self._runs.stop(run)
        except RunError as error:
            away = self.away(run)
            if error.code != "run.not_running" or away is None:
                raise
        follow.ask_to_stop(away, self._hub())
        return summary.brief(away)

    def resume(self, run: str) -> dict[str, Any]:
        """As `Runs.resume`; a run that is away is followed again."""
        away = self.away(run) if self.shared.settings.mode == "local" else None  # nowhere else is one sent
        if away is None:
            return self._runs.resume(run)
        self._hub()
        self.begin(away)
        return summary.brief(away)

    def begin(self, run: Run) -> None:
        """As `carry`, on a thread of its own; how it ends stands in the run's folder."""
        threading.Thread(
            target=caught, args=(lambda: self.carry(run, _silent), "following a rented run"), name="rented", daemon=True
        ).start()

    def pick_up(self) -> list[str]:
        """Follow all runs that are away, each on a thread of its own: what a closed program has left. Their ids."""
        if self.shared.settings.mode != "local" or self.shared.settings.token is None or self.shared.settings.offline:
            return []
        found = [run for run in self.shared.store.all(self.owner) if rented.away(run) is not None]
        for run in found:
            self.begin(run)
        return [run.id for run in found]

    # Inside

    def _hub(self) -> "HubJobs":
        from tuning.hub.hub_jobs import HubJobs

        here = self.shared.settings
        if here.mode != "local":
            raise RunError("rent.local")
        if here.token is None:
            raise InputError("rent.no_token", page=f"{here.endpoint}/settings/tokens")
        return HubJobs(here.endpoint, here.token, here.offline)

    def _machine(self, name: str) -> Flavour:
        let = flavours.known(self._hub().machines())
        found = next((one for one in let if one.name == name), None)
        if found is None:
            raise InputError("rent.flavour", flavour=name[:80], known=", ".join(one.name for one in let))
        return found

    def _decided(self, flavour: Flavour, asked: Choices) -> Decided:
        def machine(card: ModelCard, profile: planning.Lookup) -> planning.Machine:
            speed = self._shown(flavour, card) or flavour.operations_per_second
            return planning.Machine(flavour.hardware(), planning.Calibration(operations_per_second=speed), None, profile)

        return self._plans.resolve(asked.model, asked.data, asked.recipe, asked.settings or {}, None, asked.lang, machine)

    def _require_sent(self, model: ModelRef) -> None:
        """Raises InputError `rent.model` for one that the other machine could not fetch: a folder of this one, or with its own code."""
        here = self.shared.settings
        pinned = here.remote_code is not None and here.remote_code.id == model.id
        if pinned or (hub_id(model.id) is None and model.id not in presets.models(here.presets)):
            raise InputError("rent.model", model=model.card.title)

    def _shown(self, flavour: Flavour, card: ModelCard) -> float | None:
        """Operations per second of the last rented runs on such a machine with a model of like size (within a factor of four)."""
        speeds = []
        for run in self.shared.store.all(self.owner):
            kept = rented.of(run)
            if kept is None or kept.flavour != flavour.name or not kept.operations_per_second:
                continue
            if 0.25 <= run.spec().model.card.parameters / card.parameters <= 4:
                speeds.append(kept.operations_per_second)
        return statistics.median(speeds[:RUNS]) if speeds else None

    def _order(self, run: Run, account: str, machine: Flavour, most: float) -> None:
        rented.keep(
            run,
            rented.Rented(
                account=account,
                repo=f"{account}/{slug(f'sartoria-{run.name()}')}-{secrets.token_hex(6)}",
                flavour=machine.name,
                title=machine.title,
                usd_per_minute=machine.usd_per_minute,
                most_usd=most,
                timeout_seconds=machine.seconds(most),
                begun=time.time(),
            ),
        )


def _offer(flavour: Flavour, decided: Decided) -> dict[str, Any]:
    reference, _, _, resolved = decided
    setup = flavours.setup_seconds(reference.card.parameters)
    minutes = (setup + resolved.forecast.seconds) / 60
    return {
        "flavour": flavour.name,
        "title": flavour.title,
        "card": flavour.card,
        "usd_per_minute": flavour.usd_per_minute,
        "seconds": resolved.forecast.seconds,
        "setup_seconds": setup,
        "minutes": minutes,
        "usd": flavour.price(60 * minutes),
        "fits": resolved.forecast.fits,
        "predicted_peak_bytes": resolved.forecast.peak_bytes,
        "available_bytes": resolved.forecast.available_bytes,
    }


def _silent(_: Notice) -> None:
    """Nobody is there to be told; the folder says it."""
