"""What the page says when data are brought with something missing, followed to its end by the page's own handlers."""

from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest

from tests.data.test_sources import ID, parquet, rows
from tests.hub.hub_server import Data, Server
from tuning.studio import Studio
from tuning.text import say
from tuning.ui import page
from tuning.ui.desk import Desk
from tuning.ui.markup import Html

Press = Callable[..., tuple[Any, str]]


@pytest.fixture(params=["en", "it"])
def lang(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def press(server: Server, studio: Studio, lang: str) -> Press:
    """Press what a handler of this name and room is wired to: the choices that it leaves, and the fault that is shown."""
    with gr.Blocks() as demo:
        desk = Desk(studio, lang)
        page._page(desk, demo)

    def go(room: str, name: str, *values: Any) -> tuple[Any, str]:
        found = [
            one.fn for one in demo.fns.values() if one.fn and (one.fn.__name__, one.fn.__module__) == (name, f"tuning.ui.parts.rows.{room}")
        ]
        visitor = gr.Request(session_hash="page")  # Gradio hands it over twice: to what binds the event, and to the handler
        choices: list[Any] = []
        fault = ""
        for step in found[-1](visitor, {}, *values, visitor):
            choices += [step[0]] if "data" in step[0] else []
            fault = step[4] if isinstance(step[4], str) else fault
        return choices[-1] if choices else None, str(fault)

    return go


def test_nothing_pasted_is_told_and_rows_from_a_spreadsheet_are_taken(press: Press, lang: str, studio: Studio) -> None:
    nothing, fault = press("bring", "paste", " \n")
    assert nothing is None and Html.escape(say(lang, "data.paste", {})) in fault
    choice, fault = press("bring", "paste", "Domanda\tRisposta\nQuando aprite?\tAlle 9.\nDove siete?\tIn via Roma.\n")
    assert not fault and studio.data.report(choice["data"])["rows_kept"] == 2


def test_rows_set_aside_that_are_those_to_learn_from_are_refused_and_others_or_none_are_taken(
    press: Press, lang: str, studio: Studio, server: Server
) -> None:
    learned, others = (f"default/{split}/0000.parquet" for split in ("train", "test"))
    server.data[ID] = Data({"README.md": b"---"}, converted={learned: parquet(rows(30)), others: parquet(rows(20, 30))})
    nothing, fault = press("hub_sets", "bring", ID, "default", "train", "train", "100")
    assert nothing is None and str(Html.escape(say(lang, "data.hub.aside", {"split": "train"}))) in fault
    for aside, held_out in (("test", 20), ("", 0)):
        choice, fault = press("hub_sets", "bring", ID, "default", "train", aside, "100")
        assert choice is not None, fault
        report = studio.data.report(choice["data"])
        assert not fault and report["rows_kept"] == 30 and report["validation_rows"] == held_out
