"""What is there again when a page is loaded anew: turned settings, for what they were turned for, and the name of the run."""

from typing import Any

import gradio as gr
import pytest

from tuning.studio import Studio
from tuning.ui import page
from tuning.ui.desk import Desk
from tuning.ui.slip import Order
from tuning.ui.staying import settings_kept

STYLE = Order(model="starter", data="starter-en", recipe="style")
OF = {"model": "starter", "data": "starter-en", "recipe": "style"}
TURNED = {"num_train_epochs": 3, "lora.use_dora": True, "target_modules": ["q_proj"]}


@pytest.mark.parametrize(
    ("choice", "kept", "turned"),
    [
        (STYLE, {"of": OF, "turned": TURNED}, TURNED),
        (STYLE.but(limit=10), {"of": OF, "turned": TURNED}, TURNED),
        (STYLE.but(recipe="facts"), {"of": OF, "turned": TURNED}, {}),  # of another order, as it was when it was kept
        (STYLE.but(data="starter-it"), {"of": OF, "turned": TURNED}, {}),
        (STYLE, {"of": OF, "turned": {"num_train_epochs": "abc", "gone": 1, "lora_r": 4}}, {"lora_r": 4}),
        (STYLE, {"of": OF, "turned": [1]}, {}),  # forged
        (STYLE, {"turned": TURNED}, {}),
        (STYLE, "x", {}),
        (STYLE, None, {}),
    ],
)
def test_settings_come_back_to_what_they_were_turned_for(studio: Studio, choice: Order, kept: Any, turned: dict[str, Any]) -> None:
    assert settings_kept.turned(studio, choice, kept) == turned


def test_a_page_that_is_loaded_anew_holds_the_turned_settings_and_the_name(studio: Studio) -> None:
    with gr.Blocks() as demo:
        desk = Desk(studio, "it")
        page._page(desk, demo)
    (comes,) = [one for one in demo.fns.values() if one.fn and one.fn.__name__ == "come_back"]
    assert [target[1] for target in comes.targets] == ["load"]
    choice = {"model": "starter", "recipe": "style"}
    kept = {"of": {**OF, "data": None}, "turned": TURNED}
    assert comes.fn is not None
    overrides, name, fault, nudge = comes.fn(gr.Request(session_hash="page"), choice, kept, "il mio")
    assert (overrides, name, fault) == (TURNED, "il mio", "") and nudge
