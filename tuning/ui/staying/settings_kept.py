"""Turned settings and the name of the run, kept by the browser for a page that is loaded anew.

The settings belong to the model, the data and the recipe that they were turned for, and come back to those alone; what no setting
takes any more is left out. The name is kept as long as the browser's tab is open.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from tuning.errors import TuningError
from tuning.studio import Studio
from tuning.ui.desk import Desk, Scene
from tuning.ui.slip import Order
from tuning.ui.staying.address import COMES

MOST = 200  # settings; a file may name more than have a knob
NAMES = '(name) => { try { sessionStorage.setItem("sartoria-name", name ?? ""); } catch {} return []; }'
FOUND = (
    "(choice, saved, name) => {"
    + COMES
    + 'try { name = sessionStorage.getItem("sartoria-name") ?? name; } catch {} return [choice, saved, name]; }'
)


def build(desk: Desk, demo: gr.Blocks, fault: gr.HTML) -> None:
    """Keep what is turned, have it back when the page is loaded, and draw the page."""
    saved = gr.BrowserState({}, storage_key="sartoria-settings", secret="sartoria: nothing secret")

    def come_back(choice: Any, kept: Any, name: str) -> list[Any]:
        return [turned(desk.studio, desk.known(Order.of(choice)), kept), name[:80]]

    inputs = [desk.choice, saved, desk.name]
    desk.on(demo.load, come_back, inputs, [desk.overrides, desk.name], fault, repaint=True, js=FOUND)
    desk.name.change(fn=None, inputs=[desk.name], js=NAMES, api_visibility="private")
    desk.paints(lambda scene: [kept_of(scene)], [saved])


def kept_of(scene: Scene) -> dict[str, Any]:
    """The turned settings, and what they were turned for."""
    return {"of": _of(scene.choice), "turned": scene.overrides}


def turned(studio: Studio, choice: Order, kept: object) -> dict[str, Any]:
    """The kept settings for these choices. They come from the browser: what is not as expected counts as not turned."""
    if not isinstance(kept, Mapping) or kept.get("of") != _of(choice) or not isinstance(kept.get("turned"), Mapping):
        return {}
    return {key: value for key, value in list(kept["turned"].items())[:MOST] if _taken(studio, choice, key, value)}


def _of(choice: Order) -> dict[str, Any]:
    return {key: value for key, value in asdict(choice).items() if key in ("model", "data", "recipe")}


def _taken(studio: Studio, choice: Order, key: str, value: Any) -> bool:
    try:
        studio.plans.settings_for(choice.recipe, {key: value})
    except TuningError:
        return False
    return True
