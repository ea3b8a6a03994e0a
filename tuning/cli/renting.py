"""Training on a rented machine from a terminal: what each would cost, and a run that is followed until its adapter is at home.

It prints to stderr only; the document that the command line ends with is handed back.
"""

import argparse
import math
import sys
import threading
from typing import Any

from tuning.cli.foreground import StopByHand, standing
from tuning.errors import InputError
from tuning.runs import summary
from tuning.runs.run_folder import Run
from tuning.schema import ALIVE, Notice
from tuning.studio import Studio
from tuning.studio.renting.rentals import Choices
from tuning.text import say, t

SHOW_SECONDS = 2.0


def offers(studio: Studio, options: argparse.Namespace, changes: dict[str, Any], lang: str) -> tuple[int, Any]:
    """What a run would cost on each machine; for people a line for each."""
    found = studio.rentals.offers(Choices(options.model, options.data, options.recipe, changes, lang))
    if options.json:
        return 0, found
    return 0, {one["flavour"]: say(lang, "rent.offer" if one["fits"] else "rent.offer_no", one) for one in found["machines"]}


def require(options: argparse.Namespace) -> None:
    """Raises InputError for what is about a rented machine where none is asked for, and for a price that is none."""
    for option, given in (("--max-cost", options.max_cost is not None), ("--yes", options.yes)):
        if given and not options.rent:
            raise InputError("cli.rent_alone", option=option)
    if options.max_cost is not None and not 0 < options.max_cost < math.inf:
        raise InputError("cli.price", given=str(options.max_cost))


def order(studio: Studio, options: argparse.Namespace, choices: dict[str, Any], changes: dict[str, Any], lang: str) -> Run:
    """A run that is to be rented, as the options say. Raises InputError `rent.yes` with all that would leave, where nobody has said so."""
    for option, given in (("--continue", options.continues), ("--allow-remote-code", options.allow_remote_code)):
        if given:
            raise InputError("rent.option", option=option)
    asked = Choices(choices.get("model"), choices.get("data"), choices.get("recipe"), changes, lang)
    if not options.yes:
        told = studio.rentals.offer(options.rent, asked)
        raise InputError("rent.yes", **{**told, "most_usd": options.max_cost or told["most_usd"]})
    return studio.rentals.create(options.rent, asked, choices.get("name"), options.max_cost)


def again(studio: Studio, options: argparse.Namespace, lang: str) -> Run:
    """The rest of a run, to be rented. Raises as `order` does."""
    if not options.yes:
        raise InputError("rent.yes_again")
    return studio.rentals.again(options.run, options.rent, options.max_cost)


def follow(studio: Studio, run: Run, lang: str) -> tuple[int, Any]:
    """Follow a rented run to its end. The first Ctrl-C asks it to stop; a second one leaves it alone: it goes on, and costs."""
    asked, over = StopByHand(run, t(lang, "rent.interrupted")), threading.Event()

    def tell(notice: Notice) -> None:
        print(say(lang, notice.code, notice.params), file=sys.stderr)

    print(t(lang, "cli.training", run=run.id, folder=run.folder), file=sys.stderr)
    threading.Thread(target=_show, args=(run, over, lang), daemon=True).start()
    try:
        with asked:
            state = studio.rentals.carry(run, tell)
    except (KeyboardInterrupt, InputError):
        if studio.rentals.away(run.id):
            print(t(lang, "rent.goes_on", run=run.id), file=sys.stderr)
        raise
    finally:
        over.set()
    if state.error is not None:
        print(say(lang, state.error.code, state.error.params), file=sys.stderr)
    code = 130 if asked.by_hand else 0 if state.status in ("finished", "stopped") else 1
    return code, summary.result(run)


def stop(studio: Studio, run: str, lang: str) -> tuple[int, Any]:
    """Stop a run, wherever it is."""
    found = studio.rentals.stop(run)
    if studio.rentals.away(run) is not None and found["status"] not in ALIVE:
        print(t(lang, "rent.stop_asked", run=found["run"]), file=sys.stderr)
    return 0, found


def _show(run: Run, over: threading.Event, lang: str) -> None:
    """Say how far it is, until it is over."""
    said = ""
    while not over.wait(SHOW_SECONDS):
        before, said = said, standing(run.saved_state(), lang)
        if said and said != before:
            print(said, file=sys.stderr)
