"""OpenAI's routes over real HTTP, as the official `openai` client asks them: keys, models, answers whole and in pieces, bounds."""

import json
import pathlib
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
import uvicorn
from gradio_client import Client

from tests.bench.server import free_port
from tests.serve.school import PROF, Class, opened
from tuning import settings
from tuning.cli import app as cli_app
from tuning.cli.main import main
from tuning.engine.question import Outcome, Question
from tuning.errors import InputError
from tuning.schema import ANONYMOUS, LOCAL, SIGNED_IN
from tuning.serve.edge import answer
from tuning.serve.entrance.doors import people
from tuning.serve.entrance.names import Nicknames
from tuning.serve.programs.completions import MOST_OF_ONE, Completions
from tuning.serve.routes import V1
from tuning.studio import Studio
from tuning.studio.access.keys import FILE
from tuning.studio.pace import RATES
from tuning.text import t

ASKED: list[Any] = [{"role": "user", "content": "Are you open on Sundays?"}]
TAUGHT = {"max_steps": 8, "learning_rate": 1e-2, "report": False}
LONG = {"max_steps": 50_000, "report": False}
Wait = Callable[..., Any]


class Program:
    """A program with a key: the official client, and bare requests as it sends them."""

    def __init__(self, address: str, key: str) -> None:
        self.address, self.key = address, key
        self.client = openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=120)

    def said(self, model: str, **more: Any) -> str:
        found = self.client.chat.completions.create(**{"model": model, "messages": ASKED, **more})
        return found.choices[0].message.content or ""

    def post(self, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"authorization": f"Bearer {self.key}", "content-type": "application/json", **headers}
        return httpx.post(f"{self.address}/v1/chat/completions", content=content, headers=given, timeout=120)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """One of its own: the models of everybody are counted here."""
    with opened(tmp_path_factory.mktemp("programs") / "home") as made:
        yield made


@pytest.fixture(scope="module")
def teacher(school: Class) -> Program:
    return Program(school.address, school.house.keys.give())


@pytest.fixture(scope="module")
def trained(school: Class) -> str:
    """A run of the teacher's that has learned to answer otherwise than its base: its id."""
    run = school.house.runs.train("starter", "starter-en", settings=TAUGHT, name="Prices")["run"]
    waited = threading.Event()
    for _ in range(600):
        if school.house.runs.show(run)["status"] == "finished":
            return str(run)
        waited.wait(0.2)
    raise AssertionError(school.house.runs.show(run)["state"])


def test_without_a_key_nothing_is_answered(school: Class, teacher: Program) -> None:
    carla = school.of("carla").keys.give()  # who has no log-in any more
    wrong = ["", "Bearer", "Bearer x", f"Basic {teacher.key}", teacher.key, f"Bearer {carla}"]
    told = {"message": t("en", "v1.key"), "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    browser = school.browser(PROF)  # a log-in is no key
    for path, method in V1.items():
        for given in wrong:
            found = browser.request(method, path.replace("{model:path}", "starter"), headers={"authorization": given})
            assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
            assert found.json() == {"error": told}
    for path in ("/v1", "/v1/", "/v1/completions", "/v1/embeddings", "/v1/files"):
        assert browser.post(path, headers={"authorization": f"Bearer {teacher.key}"}).status_code == 404
    with pytest.raises(openai.AuthenticationError):
        Program(school.address, "sk-sartoria-wrong").client.models.list()


def test_each_sees_runs_of_their_own_and_the_models_that_are_here(school: Class, teacher: Program, trained: str) -> None:
    listed = {model.id: model for model in teacher.client.models.list()}
    assert list(listed) == [trained, "starter"] and listed[trained].model_dump()["name"] == "Prices"
    assert teacher.client.models.retrieve("Prices").id == trained
    anna = Program(school.address, school.of("anna").keys.give())
    assert [model.id for model in anna.client.models.list()] == ["starter"]
    for name in (trained, "Prices", "last", "/etc", "nobody/nothing"):
        with pytest.raises(openai.NotFoundError) as refused:
            anna.said(name)
        assert refused.value.code == "model_not_found" and refused.value.param == "model"


def test_it_answers_whole_and_in_pieces_as_the_page_does(school: Class, teacher: Program, trained: str) -> None:
    chat = Client(school.address, auth=PROF, verbose=False)
    for model in (trained, "starter"):
        whole = teacher.client.chat.completions.create(model=model, messages=ASKED)
        text = whole.choices[0].message.content
        assert text == chat.predict(model, ASKED, api_name="/chat")
        options: Any = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = list(teacher.client.chat.completions.create(model=model, messages=ASKED, **options))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text and len(chunks) > 4
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == whole.choices[0].finish_reason == "stop"
        assert chunks[0].choices[0].delta.role == "assistant" and chunks[0].model == whole.model == model
        assert chunks[-1].usage == whole.usage and whole.usage is not None and whole.usage.completion_tokens > 4
    assert teacher.said("Prices") == teacher.said(trained) != teacher.said("starter")


def test_who_says_how_an_answer_is_made_gets_it_so(teacher: Program, trained: str) -> None:
    whole = teacher.said(trained)
    word = whole.split()[3]
    cut = teacher.client.chat.completions.create(model=trained, messages=ASKED, stop=["never said", word])
    assert cut.choices[0].message.content == whole[: whole.index(word)] and cut.choices[0].finish_reason == "stop"
    chunks = list(teacher.client.chat.completions.create(model=trained, messages=ASKED, stop=word, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole[: whole.index(word)]
    for name in ("max_tokens", "max_completion_tokens"):
        short = teacher.client.chat.completions.create(**{"model": trained, "messages": ASKED, name: 3})
        assert short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 3
        assert whole.startswith(short.choices[0].message.content)
    wild = {"temperature": 2.0, "top_p": 1.0, "max_tokens": 12}
    assert teacher.said(trained, seed=7, **wild) == teacher.said(trained, seed=7, **wild) != teacher.said(trained, seed=8, **wild)
    assert teacher.said(trained, temperature=0, seed=7) == whole
    parts = [{"role": "user", "content": [{"type": "text", "text": "Are you open "}, {"type": "text", "text": "on Sundays?"}]}]
    assert teacher.said(trained, messages=parts, n=1, presence_penalty=0, user="me", response_format={"type": "text"}) == whole


REFUSED = [
    ({"n": 2}, "n"), ({"temperature": 3}, "temperature"), ({"top_p": 0}, "top_p"), ({"seed": 2**70}, "seed"),
    ({"max_tokens": 0}, "max_tokens"), ({"top_k": 5}, "top_k"),
    ({"tools": [{}]}, "tools"), ({"presence_penalty": 1}, "presence_penalty"), ({"messages": []}, "messages"),
    ({"logprobs": True}, "logprobs"), ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, None), ({"stop": ["x"] * 17}, "stop"), ({"model": None}, "model"),
    ({"model": "\ud800"}, "model"), ({"messages": [{"role": "user", "content": "\udfff?"}]}, "messages.0.content"),
    ({"temperature": float("nan")}, "temperature"), ({"stop": "\ud800"}, "stop"), ({"seed": True, "stream": "perhaps"}, "stream"),
]  # fmt: skip


def test_what_is_not_understood_is_refused_by_its_name(teacher: Program, school: Class) -> None:
    bruno = Program(school.address, school.of("bruno").keys.give())
    for given, name in REFUSED:
        found = bruno.post({"model": "starter", "messages": ASKED, **given})
        assert (found.status_code, found.json()["error"]["param"]) == (400, name), given
        assert name is None or found.json()["error"]["message"] == t("en", "v1.field", name=name)
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 50_000):
        assert bruno.post(body).json()["error"]["message"] == t("en", "v1.json")
    long = [{"role": "user", "content": "open on Sundays? " * 3000}]
    found = bruno.post({"model": "starter", "messages": long}, **{"accept-language": "it"})
    assert (found.status_code, found.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert bruno.post(b" " * 20_000_001).status_code == 413
    assert bruno.post({"model": "starter", "messages": ASKED}, origin="http://elsewhere.example").status_code == 403
    assert bruno.post({"model": "starter", "messages": ASKED}, host="elsewhere.example").status_code == 403


def test_ten_at_once_and_a_training_do_not_mix(school: Class, teacher: Program, trained: str, wait_until: Wait) -> None:
    models = [trained, "starter"] * 5
    alone = {model: teacher.said(model) for model in set(models)}
    run = school.house.runs.train("starter", "starter-en", settings=LONG, name="Meanwhile")["run"]
    try:
        wait_until(lambda: school.house.runs.show(run)["state"]["step"] > 0, 60)
        with ThreadPoolExecutor(len(models)) as pool:
            answers = list(pool.map(teacher.said, models))
        assert answers == [alone[model] for model in models]
        assert run in [model.id for model in teacher.client.models.list()]  # it answers while it learns
        after = school.house.runs.show(run)["state"]["step"]
        wait_until(lambda: school.house.runs.show(run)["state"]["step"] > after, 60)
    finally:
        school.house.runs.stop(run)


def test_who_asks_too_often_is_told_when_to_come_again(school: Class) -> None:
    anna = Program(school.address, school.of("anna").keys.give())
    nothing = {"model": "starter", "messages": [{"role": "assistant", "content": "x"}]}
    assert anna.post(nothing).status_code == 400
    asked = (anna.post(nothing) for _ in range(10 * RATES["message"].at_once))
    found = next(answer for answer in asked if answer.status_code != 400)
    assert found.status_code == 429 and int(found.headers["retry-after"]) > 0
    assert found.json()["error"]["code"] == "rate_limit_exceeded"
    with pytest.raises(openai.RateLimitError):
        anna.said("starter")


def test_a_key_is_shown_once_and_kept_as_a_digest(home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    def asked(*words: str) -> Any:
        assert main(["key", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)["key"]

    studio = Studio(home, LOCAL)
    first, second = asked(), asked()
    assert studio.keys.holder(second) == LOCAL and studio.keys.there() and studio.keys.holder(first) is None
    path = home / FILE
    kept = "".join(file.read_text("utf-8") for file in home.rglob("*") if file.is_file())
    assert first[-20:] not in kept and second[-20:] not in kept and stat.S_IMODE(path.stat().st_mode) == 0o600
    anna = studio.for_owner("anna").keys.give()
    assert asked("--withdraw") is None and studio.keys.holder(second) is None and studio.keys.holder(anna) == "anna"


def test_a_key_opens_as_long_as_its_owner_may_come_in_and_on_a_space_for_those_who_sign_in(home: pathlib.Path) -> None:
    space = settings.Settings(home=home, mode="space", space=settings.Space(oauth=True))
    with pytest.raises(InputError) as refused:
        Studio(space, f"{ANONYMOUS}x").keys.give()
    assert refused.value.code == "key.sign_in"
    studio, names = Studio(space, f"{SIGNED_IN}7"), Nicknames(home)
    assert studio.keys.holder(studio.keys.give()) == f"{SIGNED_IN}7"
    for owner, admitted in ((f"{SIGNED_IN}7", True), (f"{ANONYMOUS}x", False), (LOCAL, False), ("anna", False)):
        assert cli_app.admitted(space, None, names, owner) is admitted
    for owner, admitted in ((LOCAL, True), ("anna", False), (f"{SIGNED_IN}7", False)):
        assert cli_app.admitted(settings.Settings(home=home), None, names, owner) is admitted
    names.take("Mia", "")
    klass, everybody = (
        people(["class:x", "prof:y"], None, open_class=True),
        settings.opened(settings.Settings(home=home), ("prof",), "class"),
    )
    for owner, admitted in (("Mia", True), ("prof", True), (LOCAL, True), ("class", False), ("Leo", False)):
        assert cli_app.admitted(everybody, klass, names, owner) is admitted


class Bench:
    """A workshop that says one word to each question, and does not end before it is told to."""

    shelf = apart = None

    def __init__(self) -> None:
        self.ready, self.asked = threading.Event(), list[Question]()

    def holds(self) -> tuple[str | None, int]:
        return None, 0

    def ask(self, question: Question) -> None:
        question.pieces.put("One")
        self.asked.append(question)

    def let_go(self) -> None:
        for question in self.asked:
            question.outcome = Outcome(1, 1, 100)
            question.pieces.put(None)


@pytest.fixture
def bench(home: pathlib.Path, wait_until: Wait) -> Iterator[tuple[Bench, Program]]:
    """The routes alone on a server of this process, over a workshop that is this test's."""
    held: Any = Bench()
    studio = Studio(settings.Settings(home=home), LOCAL, held)

    async def outside(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 404, "outside")

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Completions(outside, studio, lambda _: True), port=port, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield held, Program(f"http://127.0.0.1:{port}", studio.keys.give())
    held.let_go()
    server.should_exit = True
    thread.join(60)


def test_a_closed_connection_stops_the_answer_in_the_model(bench: tuple[Bench, Program], wait_until: Wait) -> None:
    held, program = bench
    create = program.client.chat.completions.create
    with create(model="starter", messages=ASKED, stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.content == "One" and not held.asked[0].stopped.is_set()
    wait_until(held.asked[0].stopped.is_set)
    with pytest.raises(openai.APITimeoutError):  # one that waits for the whole answer
        create(model="starter", messages=ASKED, timeout=2)
    wait_until(lambda: len(held.asked) == 2 and held.asked[1].stopped.is_set())


def test_one_person_has_so_many_answers_at_once_and_gets_a_place_back(bench: tuple[Bench, Program], wait_until: Wait) -> None:
    held, program = bench
    create = program.client.chat.completions.create
    streams = [create(model="starter", messages=ASKED, stream=True) for _ in range(MOST_OF_ONE)]
    for gone in (False, True):
        with pytest.raises(openai.RateLimitError) as refused:
            create(model="starter", messages=ASKED)
        assert refused.value.response.headers["retry-after"] == "5", gone
        for stream in streams:
            stream.close()  # a place is free when the model has let go, not when nobody listens any more
        wait_until(lambda: all(question.stopped.is_set() for question in held.asked))
    held.let_go()
    held.asked.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(program.said, "starter")
        wait_until(lambda: held.asked or asked.done())
        held.let_go()
        assert asked.result(60) == "One"
