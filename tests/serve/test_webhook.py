"""A webhook on the loopback interface is told how a run ended, by the page's program and by the command line, and cannot hold up either."""

import contextlib
import http.server
import json
import pathlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import app
from tests.bench.server import running
from tests.engine.conftest import FAST
from tuning import settings
from tuning.cli import main
from tuning.errors import InputError
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, RunState
from tuning.serve import webhook
from tuning.serve.webhook import Webhook
from tuning.studio import Studio

SECRET = "T0KEN-in-the-address"


class Listener(http.server.ThreadingHTTPServer):
    """Notes what comes in, and answers with the statuses it was given, one after another, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.statuses, self.heard = list(statuses), list[tuple[str, str, Any]]()
        self.address = f"http://127.0.0.1:{self.server_address[1]}/hook/{SECRET}?x=1"


class Answering(http.server.BaseHTTPRequestHandler):
    server: Listener

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.heard.append((self.command, self.path, json.loads(body) if body else None))
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        self.send_response(status)
        if status in (301, 302, 307, 308):
            self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET = _answer

    def log_message(self, *_: Any) -> None:
        return


@contextlib.contextmanager
def listening(*statuses: int) -> Iterator[Listener]:
    with Listener(*(statuses or (204,))) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def ended(studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path) -> Callable[..., Run]:
    """A run that ended as one says, without having been trained."""

    def make(status: Any, **state: Any) -> Run:
        run = studio.runs.create(str(tiny_model), str(rows_file), "facts", FAST, "hook «1»")
        run.write_state(RunState(status=status, **state))
        return run

    return make


def told(hook: Webhook, run: Run) -> None:
    telling = hook.tell(run)
    assert telling is not None
    telling.join(30)
    assert not telling.is_alive()


def test_it_hears_what_became_of_a_run(ended: Callable[..., Run]) -> None:
    with listening() as there:
        run = ended("paused", reason="memory", step=7, eval_loss=float("inf"), seconds=3.5)
        told(Webhook(there.address, "it"), run)
        assert Webhook(there.address).tell(ended("stopped")) is None
    model = run.spec().model.id
    content = {"run": run.id, "name": "hook «1»", "status": "paused", "reason": "memory", "model": model}
    content |= {"steps": 7, "eval_loss": None, "seconds": 3.5, "text": "«hook «1»» è in pausa e aspetta te."}
    assert there.heard == [("POST", f"/hook/{SECRET}?x=1", content)]


@pytest.mark.parametrize(("statuses", "times"), [((500, 200), 2), ((503,), 2), ((302,), 2), ((307,), 2)])
def test_one_more_try_no_redirect_and_the_log_keeps_the_secret(
    ended: Callable[..., Run], caplog: pytest.LogCaptureFixture, statuses: tuple[int, ...], times: int
) -> None:
    with listening(*statuses) as there:
        told(Webhook(there.address), ended("finished"))
    assert [path for _, path, _ in there.heard] == [f"/hook/{SECRET}?x=1"] * times
    assert str(statuses[0]) in caplog.text and SECRET not in caplog.text


def test_nobody_there_and_nobody_who_answers(
    ended: Callable[..., Run], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.2)
    run = ended("failed")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        told(Webhook(f"http://127.0.0.1:{port}/{SECRET}"), run)
    told(Webhook(f"http://127.0.0.1:{port}/{SECRET}"), run)
    assert caplog.text.count("attempt 2 of 2") == 2 and SECRET not in caplog.text


@pytest.mark.parametrize(
    "address", ["", "ftp://there/x", "file:///etc/passwd", "there/hook", "http://", "http://a:port/", "http://a b/", "http://a\nb/"]
)
def test_what_is_no_address_is_refused_in_one_sentence(address: str) -> None:
    with pytest.raises(InputError) as caught:
        Webhook(address)
    assert caught.value.code == "webhook.address"


def test_both_programs_refuse_before_they_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["train", "--webhook", "ftp://there", "--lang", "it"]) == 2
    said = capsys.readouterr().err
    assert "«ftp://there»" in said and said.count("\n") == 1
    assert app.main(["--no-browser", "--port", "0", "--webhook", "ftp://there"]) == 2
    said = capsys.readouterr().err
    assert "“ftp://there”" in said and said.count("\n") == 1


@pytest.fixture
def words(tiny_model: pathlib.Path, rows_file: pathlib.Path) -> tuple[str, ...]:
    pairs = {**FAST, "num_train_epochs": 1}
    return ("-m", str(tiny_model), "-d", str(rows_file), *(word for key, value in pairs.items() for word in ("--set", f"{key}={value}")))


@pytest.mark.nightly
def test_the_command_line_tells_before_it_ends(tuning: Callable[..., Any], words: tuple[str, ...]) -> None:
    with listening() as there:
        done = tuning("train", *words, "--json", "--webhook", there.address)
    result = json.loads(done.stdout)
    ((_, _, content),) = there.heard
    assert done.returncode == 0 and content["status"] == "finished"
    assert {key: content[key] for key in webhook.KEYS} == {key: result[key] for key in webhook.KEYS}


@pytest.mark.drawn("stopped")
def test_the_program_of_the_page_tells_of_runs_of_its_queue(
    home: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path, wait_until: Callable[..., Any]
) -> None:
    with listening() as there, running(home, "--webhook", there.address):
        studio = Studio(settings.read(home=str(home)), LOCAL)
        good = studio.runs.train(str(tiny_model), str(rows_file), "facts", {**FAST, "num_train_epochs": 1})["run"]
        bad = studio.runs.train(str(tiny_model), str(rows_file), "facts", {**FAST, "learning_rate": 1e30, "warmup_ratio": 0})["run"]
        wait_until(lambda: len(there.heard) == 2, 120)
    assert [(content["run"], content["status"], content["reason"]) for _, _, content in there.heard] == [
        (good, "finished", None),
        (bad, "failed", "diverged"),
    ]
