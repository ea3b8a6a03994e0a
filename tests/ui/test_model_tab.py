"""The order in which the Model tab shows the models, by the page's language."""

from tuning.models.catalog import EVENING, GOOD
from tuning.studio import Studio
from tuning.ui.desk import Desk
from tuning.ui.slip import Order
from tuning.ui.tabs import model


def test_the_italian_page_shows_what_knows_italian_before_what_does_not(studio: Studio) -> None:
    desk = Desk(studio, "it")
    with desk.serving(None):
        shown = [entry for entry in model.advice(desk, {}, Order()).entries[1:] if entry["fit"] != "no" and entry["seconds"] <= EVENING]
    good = [entry["italian"] in GOOD for entry in shown]
    assert any(good) and good == sorted(good, reverse=True), [(entry["title"], entry["italian"]) for entry in shown]
    room = [entry["fit"] == "comfortable" for entry in shown if entry["italian"] in GOOD]
    assert room == sorted(room, reverse=True)
