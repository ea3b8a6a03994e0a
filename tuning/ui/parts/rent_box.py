"""The row of the order slip for whoever has no card, or too small a one: the same run on a rented machine, with its finish and its price.

Three presses: which machines there are, one of them with all that would leave this machine, and yes. Prices and runs are `rentals`' affair.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tuning.studio.renting.rentals import Choices
from tuning.text import say, t
from tuning.ui.desk import Desk
from tuning.ui.markup import Html, html, joined
from tuning.ui.slip import Order

MOST = 4  # machines on the slip
LOOK, PICK, GO = "rent", "rent-pick", "rent-go"  # what a press does


class RentBox:
    """What of it is unfolded, for the choices that it was unfolded for: with others it is folded again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._for, self._machines, self._picked = "", list[dict[str, Any]](), dict[str, Any]()

    def drawn(self, choice: Order, overrides: Mapping[str, Any]) -> Html:
        """As HTML; nothing where nobody can rent, or there is nothing yet to be trained."""
        here, lang = self._desk.studio.settings, self._desk.lang
        if not self._desk.local or here.offline or choice.model is None or choice.data is None:
            return Html()
        if self._for != _key(choice, overrides):
            return html('<div class="rent">{button}</div>', button=_button(LOOK, "", t(lang, "ui.rent.look"), "mend"))
        if self._picked:
            told = say(lang, "ui.rent.leaves", self._picked)
            go = _button(GO, self._picked["flavour"], say(lang, "ui.rent.go", self._picked), "way advised")
            others = _button(LOOK, "", t(lang, "ui.rent.others"), "mend")
            return html(
                '<div class="rent"><h3>{title}</h3><p class="soft">{told}</p>{go}{others}</div>',
                title=self._picked["title"],
                told=told,
                go=go,
                others=others,
            )
        ways = joined(_way(one, lang) for one in self._machines)
        title = t(lang, "ui.rent.title" if self._machines else "ui.rent.none")
        return html('<div class="rent"><h3>{title}</h3>{ways}</div>', title=title, ways=ways)

    def press(self, do: str, flavour: str, choice: Order, overrides: Mapping[str, Any]) -> str | None:
        """Do what a button says; the id of the run where one was begun. Raises InputError `rent.…`."""
        asked = self._asked(choice, overrides)
        if do == GO and self._picked.get("flavour") == flavour and self._for == _key(choice, overrides):
            most, self._for, self._picked = self._picked["most_usd"], "", {}
            rentals = self._desk.studio.rentals
            run = rentals.create(flavour, asked, self._desk.data_title(choice), most)
            rentals.begin(run)
            return run.id
        if do == LOOK:
            fitting = [one for one in self._desk.studio.rentals.offers(asked)["machines"] if one["fits"]]
            self._machines, self._picked = fitting[:MOST], {}
        else:  # shown first, whatever the browser says
            self._picked = self._desk.studio.rentals.offer(flavour, asked)
        self._for = _key(choice, overrides)
        return None

    def _asked(self, choice: Order, overrides: Mapping[str, Any]) -> Choices:
        return Choices(choice.model, choice.data, choice.recipe, self._desk.settings(choice, overrides), self._desk.lang)


def _key(choice: Order, overrides: Mapping[str, Any]) -> str:
    return json.dumps([asdict(choice.but()), dict(overrides)], sort_keys=True, default=str)


def _way(one: Mapping[str, Any], lang: str) -> Html:
    done = time.strftime("%H:%M", time.localtime(time.time() + 60 * one["minutes"]))
    figures = say(lang, "ui.rent.line", {**one, "done": done})
    value = one["flavour"]
    return html(
        '<button type="button" class="way" data-do="{pick}" data-value="{value}"><b>{title}</b>'
        '<span class="soft num">{figures}</span></button>',
        pick=PICK,
        value=value,
        title=one["title"],
        figures=figures,
    )


def _button(do: str, value: str, words: str, kind: str) -> Html:
    return html(
        '<button type="button" class="{kind}" data-do="{do}" data-value="{value}">{words}</button>',
        kind=kind,
        do=do,
        value=value,
        words=words,
    )
