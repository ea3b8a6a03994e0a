"""Each hold on Gradio's insides, held against the Gradio that is installed: through its own app, its configuration, its API page."""

import asyncio
import builtins
import copy
import functools
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio import processing_utils, routes, utils
from gradio.routes import App
from gradio.state_holder import SessionState
from starlette.testclient import TestClient

from tests.bench.server import free_port
from tuning.ui import gradio_ways
from tuning.ui.markup import html


def post(demo: gr.Blocks, event_data: Any = None, values: tuple[Any, ...] = ()) -> list[Any]:
    """What the first event of a page answers, by the request that its frontend sends."""
    with TestClient(App.create_app(demo)) as client:
        asked = {"fn_index": 0, "data": list(values), "event_data": event_data, "session_hash": "anna", "trigger_id": None}
        answer = client.post("/gradio_api/run/predict", json=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def props(demo: gr.Blocks, part: Any) -> dict[str, Any]:
    """What the frontend is told about a component."""
    config = json.loads(json.dumps(demo.get_config_file(), default=str))
    return dict(next(one for one in config["components"] if str(one["id"]) == gradio_ways.key(part))["props"])


def test_what_a_script_sends_along_reaches_the_handler() -> None:
    def told(event: gr.EventData) -> str:
        return f"{gradio_ways.sent(event, 'what')} {gradio_ways.sent(event, 'target')} {gradio_ways.sent(event, 'lost', 'default')}"

    with gr.Blocks() as demo:
        card = gr.HTML("", js_on_load="")
        card.click(told, None, gr.Textbox(), queue=False)
    assert post(demo, {"what": "take", "target": "ours"}) == ["take ours default"]


def test_a_component_s_number_is_that_of_the_configuration_and_each_has_its_own() -> None:
    with gr.Blocks() as demo:
        parts = [gr.HTML(f"part {number}") for number in range(12)]
    shown = {str(one["id"]): one["props"].get("value") for one in demo.get_config_file()["components"]}
    assert [shown[gradio_ways.key(part)] for part in parts] == [f"part {number}" for number in range(12)]


def test_components_come_in_the_order_in_which_they_were_made() -> None:
    with gr.Blocks():
        parts = [gr.State(number) if number % 2 else gr.HTML(render=False) for number in range(40)]
    assert gradio_ways.in_order(set(parts)) == parts and gradio_ways.in_order(reversed(parts)) == parts


def test_what_is_configured_later_stands_in_the_configuration() -> None:
    text, box = gr.Textbox(render=False), gr.Dropdown(render=False)
    tabs = gr.Tabs(render=False)
    label = {"label": "Name", "info": "how it is called", "scale": 3}
    wanted: dict[Any, dict[str, Any]] = {
        text: {**label, "placeholder": "a name", "max_lines": 1, "max_length": 80},
        box: {**label, "interactive": True, "elem_id": "target"},
        tabs: {"selected": "second", "elem_id": "tabs"},
    }
    for part, properties in wanted.items():
        gradio_ways.configure(part, **properties)
    with gr.Blocks() as demo:
        text.render()
        box.render()
        tabs.render()
        with tabs, gr.Tab("Second", id="second"):
            pass
    for part, properties in wanted.items():
        assert props(demo, part).items() >= properties.items()
    with pytest.raises(AttributeError):
        gradio_ways.configure(text, lable="Name")


def test_pages_are_made_in_any_order_and_all_at_once() -> None:
    demo = gr.Blocks()
    demo.route("Other", "other")
    with demo:
        gradio_ways.turn_to(demo, "")
        first = gr.HTML("first")
        gradio_ways.turn_to(demo, "other")
        second = gr.HTML("second")
        gradio_ways.turn_to(demo, "")
        third = gr.HTML("third")
        third.click(lambda: None)
    config = demo.get_config_file()
    ids = {page: {str(number) for number in found["components"]} for page, found in config["page"].items()}
    assert ids["other"] & {gradio_ways.key(part) for part in (first, second, third)} == {gradio_ways.key(second)}
    assert ids[""] >= {gradio_ways.key(first), gradio_ways.key(third)}
    assert config["page"][""]["dependencies"] and not config["page"]["other"]["dependencies"]


@pytest.mark.parametrize("variable", [True, False])
def test_a_file_in_the_folder_of_uploads_is_handed_out_as_it_lies(variable: bool, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "up")) if variable else monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    file = gradio_ways.upload_folder() / tmp_path.name / "adapter.zip"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"whole")
    try:
        with gr.Blocks() as demo:
            gr.api(lambda: None, api_name="nothing")
        demo.max_file_size = None  # as `launch` would
        with TestClient(App.create_app(demo)) as client:
            assert client.get(f"/gradio_api/file={file}").content == b"whole"
            sent = client.post("/gradio_api/upload", files={"files": ("rows.csv", b"a,b")}).json()
        assert pathlib.Path(sent[0]).is_relative_to(gradio_ways.upload_folder())
    finally:
        file.unlink()
        file.parent.rmdir()


def test_all_parts_of_an_upload_have_one_bound_and_one_that_is_too_large_leaves_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    gradio_ways.bound_uploads()
    with gr.Blocks() as demo:
        gr.api(lambda: None, api_name="nothing")
    demo.max_file_size = 1000
    with TestClient(App.create_app(demo)) as client:
        for parts in (5, 20):
            many = [("files", (f"{number}.csv", b"x" * 900)) for number in range(parts)]
            assert client.post("/gradio_api/upload", files=many).status_code == 413
        cut = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\nx'
        kind = {"content-type": "multipart/form-data; boundary=b"}
        assert client.post("/gradio_api/upload", content=cut, headers=kind).status_code == 400
        assert client.post("/gradio_api/upload", files={"files": ("a.csv", b"x" * 900)}).status_code == 200
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_no_other_origin_is_admitted_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with gr.Blocks() as demo:
        gr.api(lambda: None, api_name="nothing")

    def admits() -> list[str]:
        with TestClient(App.create_app(demo), base_url="https://x-y.hf.space") as client:
            headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
            answers = [client.get("/config", headers=headers), client.options("/gradio_api/run/nothing", headers=headers)]
        return [name for answer in answers for name in answer.headers if name.startswith("access-control-")]

    monkeypatch.setattr(routes, "CustomCORSMiddleware", routes.CustomCORSMiddleware)
    assert "access-control-allow-origin" in admits()
    gradio_ways.admit_no_other_origin()
    assert admits() == []


def test_no_address_is_fetched_in_the_place_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def nowhere(host: Any, *_: Any, **__: Any) -> Any:
        asked.append(str(host))
        raise OSError("no net")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    for name in ("async_ssrf_protected_get", "async_ssrf_protected_download"):
        monkeypatch.setattr(processing_utils, name, getattr(processing_utils, name))
    there = {"path": "https://one.example/x.csv", "url": "https://one.example/x.csv", "meta": {"_type": "gradio.FileData"}}
    with gr.Blocks() as demo:
        file = gr.File()
        file.upload(lambda file: str(file), file, gr.Textbox(), queue=False)
        file.clear(lambda: there["url"], None, file, queue=False)

    def fetched() -> list[str]:
        asked.clear()
        with TestClient(App.create_app(demo), raise_server_exceptions=False) as client:
            for number in (0, 1):
                assert client.post("/gradio_api/run/predict", json={"fn_index": number, "data": [there]}).status_code == 500
        return [host for host in asked if "testserver" not in host]

    assert fetched()
    gradio_ways.fetch_nothing()
    assert fetched() == []


def test_a_new_session_copies_no_configuration_and_keeps_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradio.state_holder.SessionState", SessionState)
    gradio_ways.lean_sessions()
    asked: list[str] = []
    usual = gr.Textbox.get_config
    with gr.Blocks() as demo:
        for _ in range(20):
            gr.Textbox()
        seen, box = gr.State(0), gr.Textbox()
        box.submit(lambda count: (count + 1, f"{count + 1}"), seen, [seen, box], queue=False)
    with TestClient(App.create_app(demo)) as client:
        monkeypatch.setattr(gr.Textbox, "get_config", lambda self: asked.append("x") or usual(self))

        def said(session: str) -> Any:
            body = {"fn_index": 0, "data": [None], "session_hash": session}
            return client.post("/gradio_api/run/predict", json=body).json()["data"][1]

        assert [said("anna"), said("bruno"), said("anna")] == ["1", "1", "2"]
    assert len(asked) <= 3


SKIPS: list[tuple[Any, ...]] = [
    (gr.skip(), gr.skip(), gr.skip(), gr.skip()),
    ("a", gr.skip(), gr.skip(), gr.skip()),
    (gr.skip(), gr.skip(), gr.update(value="b", lines=3), 1),
    (["c"], 2, gr.skip(), gr.update(value=3)),
    ("d", gr.skip(), "e", gr.skip()),
]


@pytest.mark.parametrize("values", SKIPS, ids=str)
def test_what_is_skipped_is_answered_as_ever_and_no_component_is_made_for_it(
    values: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, begin = [], gr.Textbox.__init__

    def counted(part: Any, *values: Any, **named: Any) -> None:
        made.append(part)
        begin(part, *values, **named)

    def answer(kind: type[gr.Blocks]) -> tuple[list[Any], int]:
        with kind() as demo:
            parts = [gr.Textbox(), gr.State(0), gr.Textbox(), gr.State(0)]
            parts[0].change(lambda: copy.deepcopy(values), None, parts, queue=False)
        made.clear()
        return post(demo), len(made)

    monkeypatch.setattr(gr.Textbox, "__init__", functools.wraps(begin)(counted))
    told, count = answer(gradio_ways.Guarded)
    assert told == answer(gr.Blocks)[0]
    assert count == sum(isinstance(value, dict) and len(value) > 1 for value in values[::2])


def test_a_text_for_the_page_that_is_no_html_is_escaped_whatever_drew_it() -> None:
    def told(*values: Any) -> list[Any]:
        with gradio_ways.Guarded() as demo:
            parts: list[Any] = [*(gr.HTML() for _ in values[1:]), gr.Textbox()]
            parts[-1].change(lambda: list(values) if len(values) > 1 else values[0], None, parts, queue=False)
        return post(demo)

    made = html("<b>{name}</b>", name="<i>")
    first, second, third, text = told("<i>${x}", made, gr.update(value="<i>", visible=True), "<i>")
    assert (first, second, third["value"], text) == ("&lt;i&gt;&#36;&#123;x&#125;", "<b>&lt;i&gt;</b>", "&lt;i&gt;", "<i>")
    assert told("<i>") == ["<i>"]


def test_a_state_whose_change_starts_an_event_is_told_when_it_changed_and_no_other() -> None:
    with gradio_ways.Guarded() as demo:
        parts = [gr.State(0), gr.State(0), gr.State(0)]
        gr.Textbox().change(lambda: (1, 1, 0), None, parts, queue=False)
        for part in parts[1:]:
            part.change(lambda: None, None, None)
    with TestClient(App.create_app(demo)) as client:
        told = client.post("/gradio_api/run/predict", json={"fn_index": 0, "data": [], "session_hash": "anna"}).json()
    assert [str(part) for part in told["changed_state_ids"]] == [gradio_ways.key(parts[1])]


def test_no_library_for_figures_is_looked_for_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with gr.Blocks() as demo:
        gr.Textbox().change(lambda: "a", None, gr.Textbox(), queue=False)
    monkeypatch.setattr("gradio.utils.MatplotlibBackendMananger", utils.MatplotlibBackendMananger)
    gradio_ways.no_figures()
    monkeypatch.setattr("builtins.__import__", _noting(asked, builtins.__import__))
    assert post(demo) == ["a"] and "matplotlib" not in asked


def _noting(asked: list[str], usual: Callable[..., Any]) -> Callable[..., Any]:
    def import_(name: str, *values: Any, **named: Any) -> Any:
        asked.append(name)
        return usual(name, *values, **named)

    return import_


def test_a_wrapped_handler_is_given_the_request_and_its_own_event() -> None:
    def handler(text: str, event: gr.EventData, request: gr.Request) -> str:
        return f"{text} {gradio_ways.sent(event, 'what')} {request.session_hash}"

    def wrapper(visitor: gr.Request, *values: Any) -> str:
        return f"{visitor.session_hash}: {handler(*values)}"

    with gr.Blocks() as demo:
        box = gr.Textbox()
        box.submit(gradio_ways.asks_for_request(wrapper, handler), box, box, queue=False)
    assert post(demo, {"what": "take"}, ("said",)) == ["anna: said take anna"]


def test_an_endpoint_that_streams_is_described_by_one_piece() -> None:
    def chat(run: str, base: bool = False) -> Iterator[str]:
        yield run

    @functools.wraps(chat)
    def stream(*values: Any) -> Iterator[Any]:
        yield from chat(*values)

    with gr.Blocks() as demo:
        gr.api(gradio_ways.answers_in_pieces(stream, chat, str), api_name="chat")
    told = demo.get_api_info()["named_endpoints"]["/chat"]
    assert [one["parameter_name"] for one in told["parameters"]] == ["run", "base"]
    assert [one["python_type"]["type"] for one in told["returns"]] == ["str"]


def test_a_session_is_known_by_what_it_did_last_and_so_many_keep_their_answers() -> None:
    with gr.Blocks() as demo:
        gr.api(lambda: None, api_name="nothing")
    demo.queue()
    gradio_ways.keep_answers(demo, 2)
    with TestClient(App.create_app(demo)) as client:
        assert gradio_ways.idle_seconds(demo, "anna") is None
        for name in ("anna", "berta", "clara"):
            client.post("/gradio_api/run/nothing", json={"data": [], "session_hash": name})
            assert client.post("/gradio_api/queue/join", json={"fn_index": 0, "data": [], "session_hash": name}).status_code == 200
        assert 0 <= (gradio_ways.idle_seconds(demo, "anna") or 0) < 60 and gradio_ways.idle_seconds(demo, "dora") is None
        assert len(demo._queue.pending_messages_per_session) == 2


@pytest.mark.nightly
def test_a_queue_without_events_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    usual = asyncio.sleep

    async def sleep(seconds: float, *values: Any) -> None:
        slept.append(seconds)
        await usual(seconds, *values)

    def ask() -> str:
        return "there"

    with gr.Blocks() as demo:
        gr.api(ask)
    gradio_ways.rest(demo.queue())
    monkeypatch.setattr("gradio.queueing.asyncio.sleep", sleep)
    _, address, _ = demo.launch(server_port=free_port(), prevent_thread_lock=True, quiet=True)
    try:
        asked = httpx.post(f"{address}gradio_api/call/ask", json={"data": []}, timeout=30).json()["event_id"]
        assert "there" in httpx.get(f"{address}gradio_api/call/ask/{asked}", timeout=30).text
    finally:
        demo.close(verbose=False)
    slept = [seconds for seconds in slept if seconds]
    assert slept and min(slept) >= 0.01


def refused(demo: gr.Blocks, event_data: Any = None, values: tuple[Any, ...] = ()) -> str:
    """The sentence for a call that is not answered."""
    with TestClient(App.create_app(demo)) as client:
        answer = client.post("/gradio_api/run/predict", json={"fn_index": 0, "data": list(values), "event_data": event_data})
    assert answer.status_code == 500
    return str(answer.json()["error"])


def test_every_call_passes_the_door_and_its_faults_are_sentences(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the language of the function's page, with the value's name; what nobody foresaw has a number that the log has too."""

    def told(name: str, count: int, event: gr.EventData) -> str:
        return name[count]

    demo = gradio_ways.Guarded()
    with demo.route("Italiano", "it"):
        parts = [gr.Textbox(label="Nome"), gr.State(0), gr.Dropdown(["a"], label="Scelta")]
        parts[0].change(lambda text, count, choice: text[count], parts, gr.Textbox(), queue=False)
    assert refused(demo, values=("x",)).startswith("I valori inviati sono 1")
    assert "«Scelta»" in refused(demo, values=("x", None, "b")) and "64 bit" in refused(demo, values=(2**70, None, "a"))
    assert caplog.records == [] and "Traceback" not in "".join(capsys.readouterr())
    unforeseen = refused(demo, values=("", None, "a"))
    number = unforeseen.split("numero ")[1].split(";")[0]
    assert "IndexError" in unforeseen and [number in record.message for record in caplog.records] == [True]

    with gradio_ways.Guarded() as typed:
        gr.HTML("", js_on_load="").click(told, [gr.Number(label="Name"), gr.Number(label="Count")], gr.Textbox(), queue=False)
    assert refused(typed, values=(1, 2)) == "The value for “Name” is of the wrong type. Allowed: a word."
    assert refused(typed, event_data=[2**70], values=(1, 2)).startswith("The values hold something that cannot be read")


def test_what_is_sent_along_is_text_or_a_number_or_as_good_as_nothing() -> None:
    def told(event: gr.EventData) -> str:
        return f"{gradio_ways.text(event, 'what')}|{gradio_ways.whole(event, 'value')}|{gradio_ways.sent(event, 'typed')}"

    with gr.Blocks() as demo:
        gr.HTML("", js_on_load="").click(told, None, gr.Textbox(), queue=False)
    assert post(demo, {"what": "take", "value": "12", "typed": True}) == ["take|12|True"]
    for odd in ({"what": ["take"], "value": {}}, {"what": 3, "value": "9" * 5000}, [], 3, None):
        assert post(demo, odd) == ["|0|None"]
