"""The order and recipes of one's own as files, on the Train tab: taken away, opened into the form, kept under a name.

What a file may say is `Orders`' and `OwnRecipes`' affair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import gradio as gr

from tuning.errors import InputError
from tuning.schema import Recipe
from tuning.studio.ordering.order_files import MOST, OrderFile, document
from tuning.text import t
from tuning.ui import form, gradio_ways, view
from tuning.ui.desk import Desk, Scene
from tuning.ui.markup import Html, html, joined
from tuning.ui.slip import Order

# A file is read by the browser and sent as text, so that nothing of it is kept; the focus is where it was when all is drawn anew. What is
# typed as a name is what the button beside it sends.
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
const named = (field) => { element.querySelector("[data-do=save]").dataset.value = field.value; };
element.addEventListener("input", (event) => { if (event.target.matches("[name=recipe]")) named(event.target); });
element.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("[name=recipe]")) element.querySelector("[data-do=save]").click();
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
        text = desk.studio.orders.write(choice.model, choice.data, recipe, changes, scene.name, desk.lang)
        told, sure = scene.look.get("order_file"), scene.look.get("recipe_sure")
        mine = [(id, one.title.model_dump()[desk.lang], desk.studio.recipes.write(id)) for id, one in desk.studio.recipes.all().items()]
        return [drawn(text, mine, sure, told if isinstance(told, list) else [], desk.lang)]

    def press(self, choice: Any, overrides: Any, look: Any, event: gr.EventData) -> list[Any]:
        """A file was opened, or a button pressed. Returns choices, turned knobs, the run's name and how the page is looked at."""
        what, value, file = (gradio_ways.text(event, key) for key in ("what", "value", "name"))
        if what == "large":
            raise InputError("order.large", file=file[:80], most=MOST)
        if what == "file":
            return self.opened(choice, look, value, file)
        if what == "save":
            recipe = self.desk.studio.plans.save(Order.of(choice).recipe, self.desk.settings(Order.of(choice), overrides), value)
            return self.kept(choice, look, recipe)
        if what == "delete":
            self.desk.studio.recipes.delete(value)
        chosen = Order.of(choice)
        gone = what == "delete" and chosen.recipe == value
        return [asdict(chosen.but(recipe=None)) if gone else choice, overrides, gr.skip(), {"recipe_sure": value if what == "sure" else ""}]

    def opened(self, choice: Any, look: Any, text: str, file: str) -> list[Any]:
        """A file: an order fills in the form, a recipe is kept and chosen."""
        if "title" in document(text, file):
            return self.kept(choice, look, self.desk.studio.recipes.take(text, file))
        found = self.desk.studio.orders.read(text, file, self.desk.lang)
        chosen, turned = self.filled(Order.of(choice), found)
        named = gr.skip() if found.name is None else found.name
        return [asdict(chosen), turned, named, {**(look or {}), "order_file": self.says(file, found, turned)}]

    def kept(self, choice: Any, look: Any, recipe: Recipe) -> list[Any]:
        """A recipe that was kept is the one of the order, with nothing turned."""
        told = self.desk.say("ui.order.kept", name=recipe.title.model_dump()[self.desk.lang])
        return [asdict(Order.of(choice).but(recipe=recipe.id)), {}, gr.skip(), {**(look or {}), "order_file": [told]}]

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


def drawn(text: str, mine: Sequence[tuple[str, str, str]], sure: Any, told: Sequence[str], lang: str) -> Html:
    """The box as HTML; `text` is the order as YAML, `mine` are id, name and YAML of the recipes, `sure` the one that may be deleted."""

    def say(code: str) -> str:
        return t(lang, code)

    ways = html(
        '<a class="mend" download="{name}" href="{place}">{save}</a><label class="mend opens">'
        '<input type="file" accept=".yaml,.yml" class="visually-hidden">{open}</label>',
        name=say("ui.order.name"),
        place=_place(text),
        save=say("ui.order.save"),
        open=say("ui.order.open"),
    )
    said = joined(html("<p>{line}</p>", line=line) for line in told)
    status = html('<div class="told" role="status">{said}</div>', said=said) if said else ""
    field = html(
        '<div class="ways"><input type="text" name="recipe" maxlength="80" aria-label="{recipe}" placeholder="{recipe}">{button}</div>',
        recipe=say("ui.order.recipe"),
        button=_button("save", "", say("ui.order.keep")),
    )
    take = say("ui.order.take")
    listed = joined(
        html(
            '<li><b>{name}</b> <span class="ways"><a class="mend" download="{id}.yaml" href="{place}">{take}</a>{buttons}</span></li>',
            name=name,
            id=id,
            place=_place(written),
            take=take,
            buttons=_buttons(id, id == sure, lang),
        )
        for id, name, written in mine
    )
    recipes = html(
        '<h3>{recipes}</h3><p class="hint">{hint}</p>{field}<ul class="recipes-own">{listed}</ul>',
        recipes=say("ui.order.recipes"),
        hint=say("ui.order.recipes.hint"),
        field=field,
        listed=listed,
    )
    return html(
        '<details class="more order-file" data-fold="order-file"><summary>{title}</summary><p class="hint">{hint}</p>'
        '<div class="ways">{ways}</div>{status}{recipes}</details>',
        title=say("ui.order.title"),
        hint=say("ui.order.hint"),
        ways=ways,
        status=status,
        recipes=recipes,
    )


def _buttons(id: str, sure: bool, lang: str) -> Html:
    """The way to delete a recipe, asked about once more."""
    verbs = ("delete", "keep") if sure else ("sure",)
    return joined(_button(verb, id, t(lang, f"ui.order.do.{verb}")) for verb in verbs)


def _button(do: str, value: str, label: str) -> Html:
    return html('<button type="button" class="mend" data-do="{do}" data-value="{value}">{label}</button>', do=do, value=value, label=label)


def _place(text: str) -> str:
    """A text as the address of a download."""
    return "data:application/yaml;charset=utf-8," + quote(text, safe="")


def build(desk: Desk) -> gr.HTML:
    """Lay out the box and wire it. Returns where its faults are told."""
    box = OrderBox(desk)
    cards, fault = desk.cards("order-file", script=OPENS), desk.slot()
    outputs = [desk.choice, desk.overrides, desk.name, desk.look]
    desk.on(cards.click, box.press, [desk.choice, desk.overrides, desk.look], outputs, fault, repaint=True)
    desk.on(desk.name.blur, lambda: None, [], [], fault, repaint=True)
    desk.paints(box.paint, [cards])
    return fault
