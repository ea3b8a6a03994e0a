"""The order as a file, on the Train tab: taken away as it stands, and a file that fills in the form.

What a file may say is `Orders`' affair.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import gradio as gr

from tuning.errors import InputError
from tuning.studio.ordering.order_files import MOST, OrderFile
from tuning.text import t
from tuning.ui import form, gradio_ways, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.slip import Order

# A file is read by the browser and sent as text, so that nothing of it is kept; the focus is where it was when all is drawn anew.
OPENS = """
let opened = false;
element.addEventListener("change", async (event) => {
  const field = event.target.closest("input[type=file]");
  if (!field || !field.files.length) return;
  const file = field.files[0];
  opened = true;
  const large = file.size > BYTES;
  trigger("click", {what: large ? "large" : "file", value: large ? "" : await file.text(), name: file.name});
  field.value = "";
});
watch("value", () => {
  if (opened) element.querySelector("input[type=file]")?.focus({preventScroll: true});
  opened = false;
});
""".replace("BYTES", str(4 * MOST))


class OrderBox:
    """The order of whoever looks, as a file and out of one. What the last file has changed is told in `look["order_file"]`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def paint(self, scene: Scene) -> list[Any]:
        """The box; skipped where nobody sees it."""
        if scene.tab != "train":
            return [gr.skip()]
        desk, choice = self.desk, scene.choice
        recipe, changes = desk.recipe(choice)["id"], desk.settings(choice, scene.overrides)
        text = desk.studio.orders.write(choice.model, choice.data, recipe, changes, "", desk.lang)
        told = scene.look.get("order_file")
        return [drawn(text, told if isinstance(told, list) else [], desk.lang)]

    def press(self, choice: Any, overrides: Any, look: Any, event: gr.EventData) -> list[Any]:
        """A file was opened. Returns choices, turned knobs, the run's name and how the page is looked at."""
        what, file = gradio_ways.text(event, "what"), gradio_ways.text(event, "name")
        if what == "large":
            raise InputError("order.large", file=file[:80], most=MOST)
        if what != "file":
            return [choice, overrides, gr.skip(), look]
        found = self.desk.studio.orders.read(gradio_ways.text(event, "value"), file, self.desk.lang)
        chosen, turned = self.filled(Order.of(choice), found)
        named = gr.skip() if found.name is None else found.name
        return [asdict(chosen), turned, named, {**(look or {}), "order_file": self.says(file, found, turned)}]

    def filled(self, choice: Order, found: OrderFile) -> tuple[Order, dict[str, Any]]:
        """The form as a file orders it: what the file does not name stays, and settings are the recipe's but for its own."""
        given = {key: value for key in ("model", "data", "source", "recipe") if (value := getattr(found, key)) is not None}
        chosen = choice.but(**given, limit=found.changes.get("max_samples"))
        settings = {key: value for key, value in found.changes.items() if key != "max_samples"}
        return chosen, form.differing(settings, form.suited(self.desk.recipe(chosen)["settings"], settings))

    def says(self, file: str, found: OrderFile, turned: Mapping[str, Any]) -> list[str]:
        """What has come of a file, as sentences."""
        lang = self.desk.lang
        keys = [self.desk.say(f"ui.slip.{key}") for key in ("model", "data", "recipe") if getattr(found, key) is not None]
        told = self.desk.say("ui.order.opened", file=file[:80], keys=", ".join([*keys, *map(str, turned)]) or "–")
        return [told, *(view.sentence(lang, notice.code, notice.params) for notice in found.notices)]


def drawn(text: str, told: list[str], lang: str) -> str:
    """The box as HTML; `text` is the order as YAML."""

    def say(code: str) -> str:
        return view.escape(t(lang, code))

    place = "data:application/yaml;charset=utf-8," + quote(text, safe="")
    ways = (
        f'<a class="mend" download="{say("ui.order.name")}" href="{place}">{say("ui.order.save")}</a>'
        f'<label class="mend opens"><input type="file" accept=".yaml,.yml" class="visually-hidden">{say("ui.order.open")}</label>'
    )
    said = "".join(f"<p>{view.escape(line)}</p>" for line in told)
    status = f'<div class="told" role="status">{said}</div>' if said else ""
    return (
        f'<details class="more order-file" data-fold="order-file"><summary>{say("ui.order.title")}</summary>'
        f'<p class="hint">{say("ui.order.hint")}</p><div class="ways">{ways}</div>{status}</details>'
    )


def build(desk: Desk) -> None:
    """Lay out the box and wire it."""
    box = OrderBox(desk)
    cards, fault = desk.cards("order-file", script=OPENS), desk.slot()
    outputs = [desk.choice, desk.overrides, desk.name, desk.look]
    desk.on(cards.click, box.press, [desk.choice, desk.overrides, desk.look], outputs, fault, repaint=True)
    desk.paints(box.paint, [cards])
