"""The page as a whole, without a browser: both languages, how big it is, what it offers as an API, how the program refuses."""

import json
import pathlib
import re
import tracemalloc
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from tuning import settings, text
from tuning.cli import app as cli_app
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.ui import desk, door, page, theme

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENDPOINTS = {
    "models", "plan", "check", "train", "runs", "run", "stop", "resume", "chat", "evaluate", "export", "push", "pull", "delete",
    "rename", "hardware",
}  # fmt: skip
RAW_KEY = re.compile(r"\b(?:ui|plan|data|run|model|train|chat|cli|gradio)\.[a-z_]+(?:\.[a-z_]+)*\b")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    return page.build(Studio(settings.Settings(home=tmp_path_factory.mktemp("home")), LOCAL))


@pytest.fixture(scope="module")
def config(demo: gr.Blocks) -> dict[str, Any]:
    return demo.get_config_file()


@pytest.mark.parametrize("route", ["", "it"])
def test_a_page_is_small_and_without_raw_keys(config: dict[str, Any], route: str) -> None:
    ids = set(config["page"][route]["components"])
    components = [component for component in config["components"] if component["id"] in ids]
    assert 40 < len(components) < 200
    words = json.dumps([component["props"] for component in components], default=str, ensure_ascii=False)
    labels = [str(component["props"].get(key, "")) for component in components for key in ("label", "info", "value", "placeholder")]
    assert not [label for label in labels if RAW_KEY.search(re.sub(r"<[^>]*>", "", label)) and "config.json" not in label]
    assert len(words) < 300_000


def test_no_rule_for_a_size_of_screen_begins_outside_the_page() -> None:
    """Gradio puts a place inside the page before each selector within @media: one that begins around that place is never met. It takes a
    comma within brackets for the end of one, too."""
    style = theme.STYLE.read_text(encoding="utf-8")
    rules = re.findall(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)", style)
    selectors = [one.strip() for body in rules for group in re.findall(r"([^{}]+)\{", body) for one in group.split(",")]
    assert len(selectors) > 50
    assert not [one for one in selectors if re.match(r"(html|body|:root|\.dark|\.gradio-container)\b", one)]
    assert not re.findall(r":has\([^()]*,[^()]*\)", style)


@pytest.mark.parametrize("route", ["", "it"])
def test_the_whole_page_is_drawn_by_one_event(config: dict[str, Any], route: str) -> None:
    """Of two of them on their way at once, the answer of the older could be applied last, and a press would be lost."""
    drawn = [d for d in config["dependencies"] if d["id"] in config["page"][route]["dependencies"] and len(d["outputs"]) > 30]
    asked = [(d["trigger_mode"], d["targets"][0][1]) for d in drawn if d["targets"][0][1] != "tick"]
    assert asked == [("always_last", "change")]


def test_the_italian_page_is_italian(config: dict[str, Any]) -> None:
    english, italian = text.table("en"), text.table("it")
    ids = set(config["page"]["it"]["components"])
    shown = {str(c["props"].get(key)) for c in config["components"] if c["id"] in ids for key in ("label", "info", "placeholder", "value")}
    untranslated = {english[key] for key in english if english[key] != italian[key] and english[key] not in italian.values()}
    assert not shown & untranslated
    assert italian["ui.tab.train"] in shown


@pytest.mark.parametrize(
    ("run", "busy", "seconds"),
    [
        (None, False, desk.SLOW),
        (None, True, desk.FAST),  # rows are being looked through
        ({"status": "finished", "seconds": 90.0, "stop_requested": False}, False, desk.SLOW),
        ({"status": "queued", "seconds": 90.0, "stop_requested": False}, False, desk.FAST),
        ({"status": "running", "seconds": 3.0, "stop_requested": False}, False, desk.FAST),
        ({"status": "running", "seconds": 90.0, "stop_requested": False}, False, desk.SLOW),
        ({"status": "running", "seconds": 90.0, "stop_requested": False}, True, desk.FAST),
        ({"status": "running", "seconds": 90.0, "stop_requested": True}, False, desk.FAST),  # it ends in a moment
    ],
)
def test_a_page_looks_often_only_while_something_is_about_to_happen(run: dict[str, Any] | None, busy: bool, seconds: float) -> None:
    assert page.pace(run, busy) == seconds


def test_sessions_that_anybody_may_make_up_take_less_than_300_mb(demo: gr.Blocks) -> None:
    """By the size of three, and by how many are kept; the nightly form is `test_patience`'s ten thousand."""
    tracemalloc.start()
    kept = [SessionState(demo) for _ in range(2)]
    before = tracemalloc.get_traced_memory()[0]
    kept += [SessionState(demo) for _ in range(3)]
    each = (tracemalloc.get_traced_memory()[0] - before) / 3
    tracemalloc.stop()
    print(f"a session takes {each / 1e6:.2f} MB")
    assert each * cli_app.LAUNCH["state_session_capacity"] < 200e6 and len(kept) == 5


def test_named_endpoints_are_the_contract_s_and_all_else_is_private(demo: gr.Blocks, config: dict[str, Any]) -> None:
    info = demo.get_api_info()
    assert {name.removeprefix("/") for name in info["named_endpoints"]} == ENDPOINTS
    assert not info["unnamed_endpoints"]
    public = [d["api_name"] for d in config["dependencies"] if d.get("api_visibility") == "public"]
    assert set(public) == ENDPOINTS
    plan = info["named_endpoints"]["/plan"]["parameters"]
    assert [parameter["parameter_name"] for parameter in plan] == ["model", "data", "recipe", "settings", "gpu_memory"]


def test_a_handler_s_fault_is_one_sentence_in_place(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    _, told = door.guard(broken, 1, "it")()
    assert "ZeroDivisionError" in told and "secret" not in told
    assert "secret detail" in caplog.text


def test_gradio_s_own_words_are_italian() -> None:
    words = page.words().translations_dict["ca"]
    assert words["upload_text.drop_file"] == "Trascina qui il file"
    assert words.keys() >= {"common.or", "common.error", "chatbot.clear", "upload_text.click_to_upload", "status.queue_position"}


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["--share"], {}, "--share"),
        (["--host", "0.0.0.0"], {}, "--host 0.0.0.0"),
        (["--auth", "a"], {}, "--auth"),
        ([], {"TUNING_MODE": "shared"}, "TUNING_MODE"),
    ],
)
def test_what_would_let_anybody_in_is_refused_in_one_sentence(
    arguments: list[str], environment: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import app

    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert app.main([*arguments, "--no-browser"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(named) and said.count("\n") == 1 and "--auth" in said
