"""Which column is what: lists to choose from under a fold, for files whose columns were not understood as they were meant."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr

from tuning.data.ingest import ReadingOptions
from tuning.errors import InputError
from tuning.ui import view
from tuning.ui.desk import Desk, Scene
from tuning.ui.slip import Order

# What a person calls a part -> the targets that formats have for it, the one to ask for first.
ROLES: dict[str, Sequence[str]] = {
    "question": ("question", "instruction", "prompt"),
    "context": ("context", "input"),
    "answer": ("answer", "response", "output", "completion", "chosen"),
    "system": ("system",),
    "messages": ("messages", "conversations"),
    "text": ("text",),
}
NONE = ""


def build(desk: Desk) -> None:
    """A list for each part, and the button that reads the file again."""
    with gr.Accordion(desk.say("ui.data.columns"), open=False, elem_classes="fold", elem_id="columns"):
        desk.html(f'<p class="hint">{view.escape(desk.say("ui.data.columns.hint"))}</p>')
        with gr.Row(elem_classes="knobs"):
            lists = {
                role: gr.Dropdown([], label=desk.say(f"ui.data.role.{role}"), interactive=True, filterable=False, elem_classes="knob")
                for role in ROLES
            }
        use = gr.Button(desk.say("ui.data.columns.use"), elem_classes="quiet", scale=0, min_width=200)
        fault = desk.slot()

    def read(choice: Any, *columns: Any) -> Any:
        chosen = Order.of(choice)
        if chosen.data is None:
            raise InputError("ui.train.needs")
        found = desk.studio.data.reread(chosen.data, ReadingOptions(mapping=mapping(dict(zip(ROLES, columns, strict=True)))))
        return asdict(chosen.but(data=found.id, source=found.id))

    def paint(scene: Scene) -> list[Any]:
        if scene.choice.data is None:
            return [gr.update()] * len(lists)
        found = desk.checked(scene.choice.data)
        held = roles(found["mapping"])
        names = list(dict.fromkeys([*found["columns"], *found["mapping"].values()]))
        choices = [(desk.say("ui.data.role.none"), NONE), *((name, name) for name in names)]
        return [gr.update(choices=choices, value=held.get(role, NONE)) for role in ROLES]

    desk.on(use.click, read, [desk.choice, *lists.values()], [desk.choice], fault, repaint=True, show_progress="minimal")
    desk.paints(paint, list(lists.values()))


def roles(found: Mapping[str, str]) -> dict[str, str]:
    """The column of each part, from a format's mapping."""
    return {role: found[target] for role, targets in ROLES.items() for target in targets if target in found}


def mapping(columns: Mapping[str, Any]) -> dict[str, str]:
    """The mapping to ask for: conversations or plain text alone (with their system text), else question and answer."""
    chosen = {role: str(column) for role, column in columns.items() if isinstance(column, str) and column != NONE}
    for whole in ("messages", "text"):
        if whole in chosen and "answer" not in chosen:
            return {role: chosen[role] for role in (whole, "system") if role in chosen and (role == whole or whole == "messages")}
    if not {"question", "answer"} <= chosen.keys():
        raise InputError("data.mapping.roles")
    return {role: chosen[role] for role in ("question", "context", "answer", "system") if role in chosen}
