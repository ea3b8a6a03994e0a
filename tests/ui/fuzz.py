"""Calls that no page and no honest program makes: drawn by lot, sent to a running app over plain HTTP, and each answer judged.

All functions are called, by name and by number, through every door that Gradio has for them. What a value should be is known, so
that a call is wrong in one place and gets far, as often as it is wrong in all.
"""

import collections
import json
import pathlib
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

PATIENCE = 60.0  # seconds for one answer
MOST_EVENTS = 40  # of a stream that are read: an answer of a model may be long
TRACE = re.compile(r"Traceback \(most recent call last\)")
SLOW = 20  # seconds that nobody should wait
SAFE_WORKERS = 4
Headers = Mapping[str, str] | None
LIMITS = httpx.Limits(max_connections=2 * SAFE_WORKERS)


@dataclass(frozen=True)
class Call:
    """One request and, where it is a job in the queue, the stream that tells of it."""

    door: str
    what: str  # the function, by name or number
    path: str
    body: bytes
    stream: str | None = None  # a path, with {} for the id of the event
    method: str = "POST"

    def __str__(self) -> str:
        shown = self.body if len(self.body) < 700 else self.body[:400] + b" ... " + self.body[-300:]
        return f"{self.method} {self.path} {shown!r}"


@dataclass
class Verdict:
    """What was found: how many answers of each kind, and each fault with the call that shows it."""

    answers: collections.Counter[str] = field(default_factory=collections.Counter)
    faults: collections.defaultdict[str, list[str]] = field(default_factory=lambda: collections.defaultdict(list))

    def __str__(self) -> str:
        lines = [f"{count} {kind}" for kind, count in sorted(self.answers.items())]
        return ", ".join(lines) + "".join(f"\n{len(calls)} {kind}, as {calls[0]}" for kind, calls in sorted(self.faults.items()))


class Odd:
    """Values that nobody expects."""

    def __init__(self, dice: random.Random, outside: pathlib.Path) -> None:
        self.dice, self.outside = dice, outside

    def value(self) -> Any:
        return self.dice.choice(self._kinds())()

    def _kinds(self) -> Sequence[Callable[[], Any]]:
        return (self.plain, self.number, self.text, self.path, self.file, self.deep, self.long, self.update, self.crowd)

    def plain(self) -> Any:
        return self.dice.choice([None, True, False, "", [], {}, [[]], [None], {"": None}])

    def number(self) -> Any:
        return self.dice.choice([0, -1, 1, 2**31, 2**63, -(2**63), 10**40, 1e308, -0.0, 0.5, float("nan"), float("inf"), -float("inf")])

    def text(self) -> Any:
        return self.dice.choice(
            [
                "last", "starter", "starter-en", "auto", "…", "\x00", "a\x00b", "\ud800", "\u202egnirts", "𝔘𝔫𝔦",
                "a\r\nb: c", "<script>alert(1)</script>",
                "${7*7}", "{{7*7}}", "{0.__class__}", "%s%n", "'; drop table runs; --", "no/such", "a/b/c", "~", "~root", "-", ".", "..",
                "nan", "1e999",
                "９", "é" * 50, "null", "undefined", "sartoria", "https://example.invalid/x", "file:///etc/passwd", "hf://datasets/x/y",
            ]
        )  # fmt: skip

    def path(self) -> Any:
        secret = str(self.outside / "secret.txt")
        return self.dice.choice(
            [
                "/etc/passwd",
                secret,
                "../../../../etc/passwd",
                "/dev/zero",
                "/proc/self/environ",
                "/" + "a" * 300,
                str(self.outside),
                "C:\\x",
            ]
        )

    def file(self) -> Any:
        """What a client sends of a file that it has brought, with all that a client should not say."""
        path = self.dice.choice([self.path(), self.value() if self.dice.random() < 0.2 else "x", None])
        made: dict[str, Any] = {"path": path, "meta": {"_type": "gradio.FileData"}}
        for key in ("url", "orig_name", "size", "mime_type", "is_stream"):
            if self.dice.random() < 0.4:
                made[key] = self.dice.choice([None, "https://127.0.0.1:9/x", "../x", -1, True, {}, "file:///etc/passwd"])
        if self.dice.random() < 0.3:
            made["meta"] = self.dice.choice([None, 1, {"_type": 3}, [], {"_type": "gradio.FileData", "x": {}}])
        return made if self.dice.random() < 0.7 else [made]

    def deep(self) -> Any:
        made: Any = "end"
        for _ in range(self.dice.choice([5, 60, 200, 900])):
            made = [made] if self.dice.random() < 0.5 else {"a": made}
        return made

    def long(self) -> Any:
        return self.dice.choice(["x" * 50_000, "è" * 9000, list(range(5000)), {str(n): n for n in range(2000)}, " " * 40_000, "1" * 5000])

    def update(self) -> Any:
        return self.dice.choice(
            [
                {"__type__": "update", "value": 1},
                {"__type__": "update"},
                {"value": "x"},
                {"path": "/etc/passwd"},
                {"id": 1, "__class__": "x"},
                {"role": "user"},
            ]
        )

    def crowd(self) -> Any:
        return [self.dice.choice([self.plain, self.number, self.text, self.path, self.update])() for _ in range(self.dice.randrange(1, 6))]


class Caller:
    """What can be called in an app, and calls drawn by lot."""

    def __init__(self, address: str, dice: random.Random, outside: pathlib.Path, runs: Sequence[str], headers: Headers = None) -> None:
        self.address, self.dice, self.odd = address, dice, Odd(dice, outside)
        config = httpx.get(f"{address}/config", timeout=PATIENCE, headers=headers).json()
        self.parts = {part["id"]: part for part in config["components"]}
        self.functions = config["dependencies"]
        self.sessions = [f"s{number}" for number in range(8)]
        self.known = _plausible(runs)

    def calls(self, count: int) -> Iterator[Call]:
        """Functions of each name in their turn, so that none is left out, through a door that is drawn."""
        named = collections.defaultdict(list)
        for function in self.functions:
            named[re.sub(r"_\d+$", "", function["api_name"])].append(function)
        order = [self.dice.sample(list(named.values()), len(named)) for _ in range(1 + count // len(named))]
        for function in [self.dice.choice(some) for turn in order for some in turn][:count]:
            yield self.dice.choices(
                [self.by_name, self.by_call, self.by_number, self.by_queue, self.by_words, self.broken], [2, 2, 2, 4, 1, 1]
            )[0](function)

    def values(self, function: Mapping[str, Any]) -> Any:
        """The function's values: as they should be but for one, or all odd, or too few, or none at all."""
        names = self.known.get(function["api_name"], {})
        inputs = list(function["inputs"])
        usual = [self.dice.choice(list(names.values())[at]) if at < len(names) else self.usual(part) for at, part in enumerate(inputs)]
        way = self.dice.random()
        if way < 0.55 and usual:
            for at in self.dice.sample(range(len(usual)), self.dice.choice([1, 1, 2]) if len(usual) > 1 else 1):
                usual[at] = self.odd.value()
            return usual
        if way < 0.75:
            return [self.odd.value() for _ in inputs]
        if way < 0.85:
            return [self.odd.value() for _ in range(self.dice.choice([0, 1, len(inputs) + 1, 40]))]
        return usual

    def usual(self, number: int) -> Any:
        part = self.parts[number]
        if part["type"] == "browserstate":
            return {
                "model": "starter",
                "data": self.dice.choice([None, "starter-en"]),
                "source": None,
                "recipe": None,
                "limit": None,
                "made": None,
            }
        return part["props"].get("value")

    def by_name(self, function: Mapping[str, Any]) -> Call:
        name = function["api_name"]
        return self._json("run", name, f"/gradio_api/{self.dice.choice(['run', 'api'])}/{name}", self.whole(function))

    def by_call(self, function: Mapping[str, Any]) -> Call:
        name, body = function["api_name"], {"data": self.values(function)}
        return self._json("call", name, f"/gradio_api/call/{name}", body, f"/gradio_api/call/{name}/{{}}")

    def by_words(self, function: Mapping[str, Any]) -> Call:
        name = function["api_name"]
        keys = [*self.known.get(name, {"x": []})]
        body = {self.dice.choice([*keys, "bogus", "data"]): self.odd.value() for _ in range(self.dice.randrange(4))}
        return self._json("call/v2", name, f"/gradio_api/call/v2/{name}", body, f"/gradio_api/call/{name}/{{}}")

    def by_number(self, function: Mapping[str, Any]) -> Call:
        return self._json("number", function["id"], "/gradio_api/run/predict", {**self.whole(function), "fn_index": self.number(function)})

    def by_queue(self, function: Mapping[str, Any]) -> Call:
        session = (
            f"{self.dice.choice(['n', '../', 'x' * 200])}{self.dice.randrange(10**9)}"  # its own: of two streams of one each gets a part
        )
        body = {**self.whole(function), "fn_index": self.number(function), "session_hash": session}
        return self._json("queue", function["id"], "/gradio_api/queue/join", body, f"/gradio_api/queue/data?session_hash={session}")

    def number(self, function: Mapping[str, Any]) -> Any:
        return function["id"] if self.dice.random() < 0.95 else self.dice.choice([-1, 10**6, "7", None, 2**70, 1.5, True])

    def whole(self, function: Mapping[str, Any]) -> dict[str, Any]:
        """A body with what the page sends beside the values."""
        body: dict[str, Any] = {"data": self.values(function)}
        for key, usual in (
            (
                "event_data",
                lambda: {
                    "what": self.dice.choice(["run", "delete", "tick", "rename", "make", "remove", "stop", "tab", "model", "again"]),
                    "value": self.odd.value(),
                },
            ),
            ("trigger_id", lambda: next((target[0] for target in function["targets"]), None)),
            ("session_hash", lambda: self.dice.choice(self.sessions)),
        ):
            if self.dice.random() < 0.6:
                body[key] = usual() if self.dice.random() < 0.8 else self.odd.value()
        for key in ("simple_format", "batched", "event_id", "oauth_token", "request"):
            if self.dice.random() < 0.03:
                body[key] = self.odd.value()
        return body

    def broken(self, function: Mapping[str, Any]) -> Call:
        """A body that is none, an event that is nobody's, a door that leads nowhere."""
        name = function["api_name"]
        way = self.dice.randrange(6)
        if way == 0:
            raw = self.dice.choice(
                [
                    b"",
                    b"{",
                    b"\xff\xfe",
                    b"null",
                    b"[]",
                    b'"x"',
                    b'{"data": 1}',
                    b"[" * 20_000,
                    b'{"data": [' + b"[" * 900 + b"]" * 900 + b"]}",
                ]
            )
            return Call("broken", name, f"/gradio_api/{self.dice.choice(['run', 'call', 'call/v2'])}/{name}", raw)
        if way == 1:
            return Call(
                "broken",
                name,
                f"/gradio_api/call/{name}/{self.dice.choice(['nobody', 'x' * 500, '%00', '%F0%9F%98%80'])}",
                b"",
                method="GET",
            )
        if way == 2:
            return Call("broken", name, f"/gradio_api/queue/data?session_hash=nobody{self.dice.randrange(99)}", b"", method="GET")
        if way == 3:
            return self._json(
                "broken",
                name,
                "/gradio_api/component_server",
                {key: self.odd.value() for key in ("data", "component_id", "session_hash", "fn_name")},
            )
        if way == 4:
            return self._json("broken", name, "/gradio_api/cancel", {"session_hash": "s1", "fn_index": function["id"], "event_id": "x"})
        return self._json(
            "broken", name, f"/gradio_api/{self.dice.choice(['run', 'call'])}/nothing-{self.dice.randrange(99)}", {"data": []}
        )

    @staticmethod
    def _json(door: str, what: object, path: str, body: Any, stream: str | None = None) -> Call:
        return Call(door, str(what), path, json.dumps(body).encode(), stream)


def _plausible(runs: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    """Values that each named endpoint could be given."""
    run: list[Any] = [*runs, "last", "2", ""]
    model: list[Any] = ["starter", None, "HuggingFaceTB/SmolLM2-135M-Instruct", "no/such"]
    data: list[Any] = ["starter-en", "starter-it", "starter", "nowhere.csv"]
    settings: list[Any] = [
        None,
        {},
        {"max_steps": 2, "report": False},
        {"max_steps": "x"},
        {"sft": 3},
        {"sft": {"learning_rate": []}},
        {"lora": {"r": {}}},
        {"lora_r": True},
    ]
    choices = {"model": model, "data": [None, *data], "recipe": [None, "facts", "zzz"], "settings": settings}
    messages: list[Any] = [
        [{"role": "user", "content": "Are you open?"}],
        [],
        [{}],
        [{"role": "x", "content": 3}],
        [3],
        [{"role": "user", "content": ""}],
    ]
    return {
        "models": {"goal": [None, "italian", "x"], "gpu_memory": [None, 8, 1e9, -1]},
        "plan": {**choices, "gpu_memory": [None, 8, 0, -3]},
        "check": {"data": data, "model": model, "mapping": [None, {}, {"question": "q"}, {"question": 3}]},
        "train": {**{key: [*some[:1], some[-1]] for key, some in choices.items()}, "recipe": ["zzz"], "name": [None, "x"]},
        "run": {"run": run}, "stop": {"run": run}, "resume": {"run": ["nobody", ""]}, "rename": {"run": run, "name": ["", "New"]},
        "delete": {"run": ["nobody", "zz"]},
        "chat": {"run": [*run, "starter"], "messages": messages, "base": [False, True], "seed": [None, 3, -1]},
        "export": {"run": run, "to": ["adapter", "gguf", ""]},
        "evaluate": {"run": ["nobody", ""], "data": [None, *data]},
    }  # fmt: skip


class Judge:
    """Sends calls and judges answers. `hidden` are words that no answer may hold, `places` those that no refusal may hold."""

    def __init__(self, address: str, hidden: Sequence[str], places: Sequence[str], headers: Headers = None) -> None:
        self.client = httpx.Client(
            base_url=address, timeout=PATIENCE, headers=headers, limits=httpx.Limits(max_connections=2 * SAFE_WORKERS)
        )
        self.hidden, self.places, self.verdict = hidden, places, Verdict()

    def all(self, calls: Iterator[Call]) -> Verdict:
        with ThreadPoolExecutor(SAFE_WORKERS) as crew:
            for call, faults, kind in crew.map(self.one, calls):
                self.verdict.answers[kind] += 1
                for fault in faults:
                    self.verdict.faults[fault].append(str(call))
        return self.verdict

    def one(self, call: Call) -> tuple[Call, list[str], str]:
        try:
            answer = self.sent(call)
        except httpx.HTTPError as error:
            return call, [f"no answer ({type(error).__name__})"], "none"
        faults = [*self.judged(answer.status_code, answer.text)]
        kind = f"{answer.status_code // 100}xx"
        if answer.status_code == 200 and call.stream is not None:
            kind, more = self.followed(call, str(answer.json()["event_id"]))
            faults += more
        if answer.elapsed.total_seconds() > SLOW:
            faults.append(f"an answer after more than {SLOW} s")
        return call, faults, kind

    def sent(self, call: Call) -> httpx.Response:
        """After a fault the server closes the connection, and the next call on it finds that out."""
        for last in (False, True):
            try:
                return self.client.request(call.method, call.path, content=call.body, headers={"content-type": "application/json"})
            except (httpx.ReadError, httpx.RemoteProtocolError):
                if last:
                    raise
        raise AssertionError

    def judged(self, status: int, text: str) -> Iterator[str]:
        """What is wrong with an answer."""
        refused = status >= 400
        for word in [*self.hidden, *(self.places if refused else ())]:
            if word in text:
                yield f"an answer with {word}"
        if TRACE.search(text) or 'File "' in text or 'File \\"' in text:
            yield "an answer with a traceback"
        if status == 500:
            yield "an error of the server"
        if refused and not _sentence(text):
            yield f"{status} without a sentence"

    def followed(self, call: Call, event: str) -> tuple[str, list[str]]:
        """Read the stream of a job to its end."""
        faults: list[str] = []
        kind, found = "no end", ""
        try:
            with self.client.stream("GET", str(call.stream).format(event)) as stream:
                for number, line in enumerate(stream.iter_lines()):
                    found += line + "\n"
                    ended = _ended(line, found, event)
                    if ended is not None or number > MOST_EVENTS:
                        kind = "long" if ended is None else "done" if ended else "refused"
                        break
        except httpx.HTTPError as error:
            faults.append(f"no end ({type(error).__name__})")
        refused = kind == "refused"
        faults += self.judged(499 if refused else 200, found)
        return kind, ["a refused job without a sentence" if fault.startswith("499") else fault for fault in faults]


def _ended(line: str, found: str, event: str) -> bool | None:
    """Whether a job ended well; None while it goes on. In both forms in which Gradio tells it."""
    if line.startswith("data: {") and '"msg":"process_completed"' in line and event in line:
        return '"success":true' in line
    if line.startswith("data: {") and '"msg":"unexpected_error"' in line:
        return False
    if line.startswith("data:") and "event: error" in found:
        return False
    return True if line.startswith("data:") and "event: complete" in found else None


def _sentence(text: str) -> bool:
    """Whether a refusal says something to a person: two words at least, somewhere in it."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        lines = [line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:")]
        found = [_loaded(line) for line in lines] if lines else text
    return any(re.search(r"\w+ \w+", said) and said != "Internal Server Error" for said in _texts(found))


def _loaded(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line


def _texts(found: Any) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for key, value in found.items():
            if key not in ("title", "input"):
                yield from _texts(value)
    elif isinstance(found, list):
        for value in found:
            yield from _texts(value)


def traces(log: str) -> int:
    """How many tracebacks stand in a log."""
    return len(TRACE.findall(log))
