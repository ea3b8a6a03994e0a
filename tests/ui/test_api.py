"""The named endpoints as a program calls them: an app process, and an unmodified `gradio_client.Client` at its address."""

import itertools
import json
import pathlib
import re
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import yaml
from gradio_client import Client
from gradio_client.exceptions import AppError
from gradio_client.utils import is_file_obj

from tests import network
from tests.bench.server import running
from tests.ui.test_page import ENDPOINTS
from tuning.cli.main import main
from tuning.text import t

ASKED = [{"role": "user", "content": "Are you open on Sundays?"}]
SHORT = {"max_steps": 4, "report": False}
LONG = {"max_steps": 50_000, "report": False}
ROWS = '{"question": "What is a dart?", "answer": "A fold that is sewn."}\n{"question": "And a hem?", "answer": "The edge, turned up."}\n'
TOKEN = "hf_" + "CALLERTOKENabcdefghijklmnop0123"
Wait = Callable[..., Any]


class User:
    """Somebody with a `Client` that downloads files, as it comes, and one that does not, to see the JSON as it was sent."""

    def __init__(self, address: str, home: pathlib.Path) -> None:
        self.home, self.taken = home, home.parent / "taken"
        self.client = Client(address, download_files=str(self.taken), verbose=False)
        self.sent = Client(address, download_files=False, verbose=False)

    def call(self, endpoint: str, /, **values: Any) -> Any:
        return self.client.predict(api_name=f"/{endpoint}", **values)

    def status(self, run: str) -> str:
        return str(self.call("run", run=run)["status"])


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """Against an app that is online, with nothing of the net to be had: whatever it tries is noted."""
    home = tmp_path_factory.mktemp("api") / "home"
    left = home / "uploads" / "5f" / "of-a-process-that-was-killed.csv"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"a,b")
    with running(home, env=network.guarded(home.parent / "network.txt")) as (address, _):
        yield User(address, home)


@pytest.fixture(scope="module")
def trained(user: User) -> str:
    """A run of the starter over four steps, and over: its id. Looked at in the list, which is the least that can be asked."""
    made = user.call("train", model="starter", data="starter-en", recipe="facts", settings=SHORT, name="Prices")
    assert made["status"] in ("queued", "starting", "running") and made["name"] == "Prices"
    while (listed := user.call("runs")[0])["status"] in ("queued", "starting", "running"):
        time.sleep(0.1)
    assert (listed["run"], listed["status"]) == (made["run"], "finished")
    return str(made["run"])


@pytest.fixture(scope="module")
def rows(user: User) -> str:
    path = user.home.parent / "words.jsonl"
    path.write_text(ROWS, encoding="utf-8")
    return str(path)


def files(found: Any) -> Iterator[Any]:
    """All in a JSON document that a client takes for a file."""
    if is_file_obj(found):
        yield found
    for value in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from files(value)


def test_what_there_is_and_what_would_happen(user: User, rows: str, wait_until: Wait) -> None:
    assert user.call("hardware")["cores"] > 0
    assert "starter" in [model["id"] for model in user.call("models")]
    assert all(model["fits"] is not None for model in user.call("models", goal="italian", gpu_memory=12))
    plan = user.call("plan", model="starter", data="starter-en", recipe="facts", settings=SHORT, gpu_memory=8)
    assert plan["fits"] and plan["steps"] == 4 and plan["settings"]["report"] is False
    assert user.call("plan")["predicted_peak_bytes"] > 0
    asked = {"data": rows, "model": "starter", "mapping": {"question": "question", "answer": "answer"}}
    found = wait_until(lambda: (found := user.call("check", **asked)) and not found["tokens"].get("looking") and found)
    assert (found["rows_read"], found["rows_kept"]) == (2, 2) and found["tokens"]["learned"] > 0


def test_a_run_is_shown_as_the_command_line_shows_it(user: User, trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = user.call("run", run=trained[:-3])
    assert shown["spec"]["model"]["folder"].endswith("model") and pathlib.Path(shown["adapter"]).is_dir()
    assert main(["--home", str(user.home), "show", trained, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == shown


def test_it_answers_whole_and_in_pieces(user: User, trained: str) -> None:
    whole = user.call("chat", run=trained, messages=ASKED, seed=3)
    pieces = list(user.client.submit(trained, ASKED, False, 3, api_name="/chat"))
    assert whole and pieces[-1] == whole
    assert len(pieces) > 2 and all(later.startswith(earlier) for earlier, later in itertools.pairwise(pieces))
    assert user.call("chat", run="starter", messages=ASKED) == user.call("chat", run=trained, messages=ASKED, base=True)


def test_who_says_how_an_answer_is_made_gets_it_so(user: User, trained: str) -> None:
    likeliest = user.call("chat", run=trained, messages=ASKED)
    assert user.call("chat", run=trained, messages=ASKED, seed=1, temperature=0) == likeliest
    assert user.call("chat", run=trained, messages=ASKED, temperature=2, top_p=1e-6) == likeliest
    assert user.call("chat", run=trained, messages=ASKED, strength=0) == user.call("chat", run=trained, messages=ASKED, base=True)
    begun = user.call("chat", run=trained, messages=ASKED, max_new_tokens=2)
    assert len(begun) < len(likeliest) and likeliest.startswith(begun)
    for wrong in ({"temperature": 3}, {"top_p": 0}, {"max_new_tokens": 0}, {"strength": 151}):
        with pytest.raises(AppError) as refused:
            user.call("chat", run=trained, messages=ASKED, **wrong)
        assert next(iter(wrong)) in str(refused.value)


def test_base_and_tuned_are_compared(user: User, trained: str, rows: str) -> None:
    found = user.call("evaluate", run=trained, data=rows)
    assert found["run"] == trained and found["rows"] == 2 and found["verdict"]["code"]


def test_an_export_is_a_file_that_arrives(user: User, trained: str) -> None:
    arrived = pathlib.Path(user.call("export", run=trained, to="adapter"))
    assert user.taken in arrived.parents and arrived.name == "prices-adapter.zip"
    with zipfile.ZipFile(arrived) as archive:
        assert archive.testzip() is None and "adapter_model.safetensors" in archive.namelist()
    (sent,) = files(user.sent.predict(trained, api_name="/export"))
    assert sent["meta"] == {"_type": "gradio.FileData"} and sent["size"] == arrived.stat().st_size


def test_a_run_is_renamed_stopped_resumed_and_deleted(user: User, rows: str, wait_until: Wait) -> None:
    run = user.call("train", model="starter", data=rows, settings=LONG)["run"]
    assert user.call("rename", run=run, name="Long")["name"] == "Long"
    wait_until(lambda: user.status(run) == "running")
    assert user.call("stop", run=run)["run"] == run
    wait_until(lambda: user.status(run) == "stopped")
    assert user.call("resume", run=run)["run"] == run
    wait_until(lambda: user.status(run) == "running")
    with pytest.raises(AppError, match="active"):
        user.call("delete", run=run)
    user.call("stop", run=run)
    wait_until(lambda: user.status(run) == "stopped")
    assert user.call("delete", run=run) == {"run": run, "deleted": True}
    assert run not in [listed["run"] for listed in user.call("runs")]


def test_chat_is_answered_beside_a_run_and_what_is_in_use_is_not_deleted(user: User, trained: str, rows: str, wait_until: Wait) -> None:
    run = user.call("train", model="starter", data=rows, settings=LONG)["run"]
    wait_until(lambda: user.call("run", run=run)["step"] > 0)
    asked = user.client.submit(run=trained, messages=ASKED, api_name="/chat")
    with pytest.raises(AppError, match="active"):
        user.call("delete", run=run)
    assert asked.result(timeout=60) and user.status(run) == "running"
    step = user.call("run", run=run)["step"]
    wait_until(lambda: user.call("run", run=run)["step"] > step)
    user.call("stop", run=run)
    wait_until(lambda: user.status(run) == "stopped")
    pieces = user.client.submit(run=run, messages=ASKED, max_new_tokens=400, api_name="/chat")
    wait_until(lambda: pieces.outputs() or pieces.done())
    user.call("delete", run=run)  # of a run that only answers: the answer that has begun is told to its end
    assert pieces.result(timeout=60) and run not in [listed["run"] for listed in user.call("runs")]


def test_no_answer_looks_like_a_file_that_it_is_not(user: User, trained: str, rows: str, wait_until: Wait) -> None:
    """Every endpoint's JSON as it was sent, also where an option of a run holds a `path`: older versions let that through."""
    held = {"gradient_checkpointing_kwargs": {"path": "/etc/hostname", "folder": "b"}}
    choices = {"model": "starter", "data": rows, "settings": LONG}
    answers: dict[str, Any] = {}

    def ask(endpoint: str, /, **values: Any) -> Any:
        answers[endpoint] = user.sent.predict(api_name=f"/{endpoint}", **values)
        return answers[endpoint]

    run = ask("train", **choices)["run"]
    wait_until(lambda: ask("run", run=run)["status"] == "running")
    ask("stop", run=run)
    wait_until(lambda: ask("run", run=run)["status"] == "stopped")
    ask("resume", run=run)
    user.call("stop", run=run)
    wait_until(lambda: ask("run", run=run)["status"] == "stopped")
    spec = user.home / "runs" / run / "spec.yaml"
    content = yaml.safe_load(spec.read_text(encoding="utf-8"))
    spec.write_text(yaml.safe_dump({**content, "settings": {**content["settings"], "sft": held}}), encoding="utf-8")
    ask("run", run=run)
    ask("rename", run=run, name="path")
    ask("delete", run=run)
    ask("chat", run=trained, messages=ASKED)
    ask("evaluate", run=trained, data=rows)
    ask("check", data=rows, model="starter")
    ask("plan", **choices)
    for name in ("hardware", "models", "runs"):
        ask(name)
    assert answers.keys() | {"export", "push", "pull"} == ENDPOINTS  # those of a file and of the Hub have tests of their own
    assert {name: list(files(answer)) for name, answer in answers.items()} == {name: [] for name in answers}
    kept = answers["run"]["spec"]["settings"]["sft"]["gradient_checkpointing_kwargs"]
    assert kept == {"path_": "/etc/hostname", "folder": "b"}
    with pytest.raises(AppError, match="use_reentrant"):
        ask("plan", **{**choices, "settings": {"sft": held}})
    assert answers["run"]["spec"]["model"].keys() >= {"id", "folder", "card"}


def test_what_is_wrong_is_one_sentence(user: User) -> None:
    with pytest.raises(AppError, match="There is no run “nobody”"):
        user.call("export", run="nobody", to="gguf")


@pytest.mark.parametrize(
    "settings", [{"allow_remote_code": "a/b@" + "c" * 40}, {"sft": {"trust_remote_code": True}}, {"remote_code": True}]
)
def test_no_endpoint_lets_a_model_run_its_code(user: User, settings: dict[str, Any]) -> None:
    """The whole of it, with a model that would, is in `tests/hub/test_remote_code.py`."""
    with pytest.raises(AppError):
        user.call("plan", model="starter", data="starter-en", settings=settings)
    with httpx.Client(base_url=user.client.src, timeout=30) as client:
        asked = client.get("gradio_api/info").json()["named_endpoints"].values()
    assert not [one["parameter_name"] for endpoint in asked for one in endpoint["parameters"] if "code" in one["parameter_name"]]


def test_every_endpoint_says_what_it_does_and_gives(user: User) -> None:
    with httpx.Client(base_url=user.client.src, timeout=30) as client:
        told = client.get("gradio_api/info").json()["named_endpoints"]
    assert {name.removeprefix("/") for name in told} == ENDPOINTS
    assert all(re.match(r"[A-Z][a-z]+s [a-z]", endpoint["description"]) for endpoint in told.values())
    gives = {name.removeprefix("/"): endpoint["returns"][0]["python_type"]["type"] for name, endpoint in told.items()}
    lists = {"models", "runs"}
    assert (gives.pop("chat"), gives.pop("export")) == ("str", "filepath")
    assert gives == {name: "list[dict(str, Any)]" if name in lists else "dict(str, Any)" for name in gives}


@pytest.mark.parametrize(
    "settings",
    [{"sft": {"hub_token": TOKEN}}, {"sft": {"push_to_hub": True, "hub_model_id": "somebody/loot"}}, {"sft.num_train_epochs": 1e9}],
    ids=["token", "push", "epochs"],
)
def test_what_is_refused_of_the_libraries_leaves_no_run_and_no_token(user: User, settings: dict[str, Any]) -> None:
    before = [run["run"] for run in user.call("runs")]
    for endpoint in ("train", "plan"):
        with pytest.raises(AppError) as caught:
            user.call(endpoint, model="starter", data="starter-en", settings=settings)
        assert "Traceback" not in str(caught.value) and TOKEN not in str(caught.value)
    assert [run["run"] for run in user.call("runs")] == before
    assert not [path for path in user.home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize("path", ["gradio_api/dev/reload", "gradio_api/startup-events", "openapi.json", "monitoring", "gradio_api/reset"])
def test_what_nobody_needs_is_closed(user: User, path: str) -> None:
    answer = httpx.get(f"{user.client.src}{path}")
    assert (answer.status_code, answer.text) == (404, t("en", "edge.nothing", path=f"/{path}"))


def test_no_file_is_handed_out_but_those_of_the_page(user: User, trained: str) -> None:
    spec = next(user.home.glob("runs/*/spec.yaml"))
    for path in ("/etc/hostname", spec, spec.parent / ".." / ".." / "runs" / spec.parent.name / "log.txt", "app.py", "http://127.0.0.1/"):
        assert httpx.get(f"{user.client.src}gradio_api/file={path}").status_code in (403, 404), path


def test_uploads_lie_in_the_home_for_its_owner_alone(user: User) -> None:
    folder = user.home / "uploads"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and not (folder / "5f").exists()
    sent = httpx.post(f"{user.client.src}gradio_api/upload", files={"files": ("rows.csv", b"question,answer")}).json()
    assert pathlib.Path(sent[0]).is_relative_to(folder)


def test_nothing_is_sent_that_nobody_asked_for(user: User, trained: str, rows: str) -> None:
    """Page start, check, plan, training, chat, comparison and export, in a process that is online; the Hub only where it is asked for."""
    log = user.home.parent / "network.txt"
    user.call("plan", model="starter", data=rows)
    user.call("check", data=rows)
    user.call("chat", run=trained, messages=ASKED)
    user.call("evaluate", run=trained, data=rows)
    user.call("export", run=trained, to="adapter")
    assert httpx.get(user.client.src).status_code == 200
    assert network.tried(log) == []
    with pytest.raises(AppError, match="Hub"):
        user.call("check", data="somebody/their-rows")
    assert network.tried(log) == ["socket.getaddrinfo huggingface.co 443"]
