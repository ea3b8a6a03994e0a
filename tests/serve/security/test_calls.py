"""What is tried with calls: addresses to fetch, keys that load code, patterns that never end, other people's names, lines for the log."""

import json
import pathlib
import shutil
import time
from typing import Any

import httpx
import pytest

from tests import folders, network
from tests.serve.school import Class
from tests.serve.security.places import FILE, Place, brought, call, done, listening, read
from tests.serve.security.test_files import row, workbook

BACKTRACKS = ("(a+)+$", "(a|a)*b", "(.*)*!", "((a{0,99}){0,99}){0,99}", "^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 30_000 + "!", "((((")


def test_no_address_in_a_message_is_fetched(trainer: Place) -> None:
    """Server-side requests by a chat (CVE-2025-61784): pictures, links and files in what is said are text."""
    with listening() as (there, asked), trainer.browser() as browser:
        text = f'![x]({there}/a.png) <img src="{there}/b.png"> {there}/c.jsonl file:///etc/hostname'
        for content in (text, [{"type": "image_url", "image_url": {"url": f"{there}/d.png"}}, {"type": "text", "text": text}]):
            call(browser, "chat", "starter", [{"role": "user", "content": content}], False, None, None, None, 3, None)
    assert asked == []


def test_no_address_that_is_given_for_a_name_or_a_file_is_fetched(place: Place) -> None:
    """Server-side requests (CVE-2024-47167, CVE-2026-28416): an address as the name of a model, of data, of a repository, as a file."""
    with listening() as (there, asked), place.browser() as browser:
        names = ("{}/e", "{}/f.csv", "hf://{}", "json:{}/g.json", "//{}/h", "{}", "a/b@{}", "datasets/{}")
        for name in (pattern.format(there) for pattern in place.some(names, 1)):
            for endpoint, values in (
                ("check", [name, None, None]), ("check", ["starter-en", name, None]), ("plan", [name, name, None, None, None]),
                ("train", [name, name, name, {"max_steps": 1}, None]), ("evaluate", ["last", name, False]), ("push", ["last", name, name]),
                ("chat", [name, [{"role": "user", "content": "x"}]]),
            ):  # fmt: skip
                call(browser, endpoint, *values)
        paths = (
            f"{there}/i.csv",
            "https://one.example/j.csv",
            " HTTP://two.example/k.csv",
            "file:///etc/hostname",
            "ftp://three.example/l",
        )
        files: list[Any] = [{"path": path} for path in paths] + [{"path": "x", "url": f"{there}/m.csv"}, {"url": f"{there}/n.csv"}]
        for number, file in enumerate([*({**one, "meta": FILE} for one in files), *files[:1], f"{there}/o.csv"]):
            assert '"success":false' in read(browser, [file], f"url-{number}")
    assert asked == []
    if place.mode == "local":  # this one is online, and what it tries of the net is noted
        assert [line for line in network.tried(place.home.parent / "network.txt") if "huggingface.co" not in line] == []


def test_no_address_that_stands_in_a_file_is_fetched(reader: Place) -> None:
    """Server-side requests by what an upload says: links, formulas, references and and a workbook's XML (XXE)."""
    with listening() as (there, asked), reader.browser() as browser:
        linked = {"question": f"![x]({there}/a.png) {there}/b", "answer": f"{there}/c", "image": f"{there}/d.png", "$ref": f"{there}/e"}
        files = {
            "a.json": json.dumps([linked] * 20).encode(),
            "b.csv": f'question,answer\n"=WEBSERVICE(""{there}/f"")",b\n'.encode() * 20,
            "c.yaml": f"- question: !include {there}/g\n  answer: b\n".encode() * 9,
        }
        kinds = (
            f'<!DOCTYPE w [<!ENTITY x SYSTEM "{there}/h">]>',
            f'<!DOCTYPE w SYSTEM "{there}/i.dtd">',
            f'<!DOCTYPE w [<!ENTITY % p SYSTEM "{there}/j"> %p;]>',
        )
        for number, kind in enumerate(kinds):
            files[f"d{number}.xlsx"] = workbook(row("question", "answer") + row("&x;", "b") * 9, kind)
        for name in reader.some(files, 1):
            assert '"process_completed"' in brought(browser, name, files[name], f"url-{name}")
    assert asked == []


LOADERS: dict[str, Any] = {
    "trust_remote_code": True, "allow_remote_code": "x/y@" + "c" * 40, "remote_code": True, "device_map": "auto", "token": "hf_x",
    "quantization_config": {"load_in_4bit": True}, "model_init_kwargs": {"trust_remote_code": True}, "cache_dir": "/tmp/x", "path": "x",
    "home": "/tmp/x", "base_model_name_or_path": "evil/model", "resume_from_checkpoint": "/tmp/x", "attn_implementation": "evil/kernel",
}  # fmt: skip


@pytest.fixture
def stranger(tiny_model: pathlib.Path, tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A folder with a model that would run code of its own, and the file that it leaves behind where it does."""
    sung, folder = tmp_path / "sung", tmp_path / "stranger"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    code = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model", "AutoTokenizer": ["evil.Tokenizer", None]}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "evil", "auto_map": code}), encoding="utf-8")
    (folder / "evil.py").write_text(f"open({str(sung)!r}, 'w').write('sung')\n", encoding="utf-8")
    return folder, sung


def test_no_call_says_how_a_model_is_loaded(place: Place, stranger: tuple[pathlib.Path, pathlib.Path]) -> None:
    """Loader flags from a request (CVE-2025-12488, CVE-2026-58116): beside values, among settings, in a message; by each door."""
    folder, sung = stranger
    before = place.runs()
    with place.browser() as browser:
        train = next(one for one in browser.get("/config").json()["dependencies"] if one["api_name"] == "train")
        for key in place.some(LOADERS, 2):
            value = LOADERS[key]
            for settings in ({key: value}, {"sft": {key: value}}, {f"sft.{key}": value}, {"lora": {key: value}}, {f"lora.{key}": value}):
                assert "event: error" in call(browser, "plan", "starter", "starter-en", None, settings, None), settings
            said = done(browser, train, ["starter", "starter-en", None, {"sft": {key: value}}, None], f"key-{key}", **{key: value})
            assert '"success":false' in said, (key, said)
        named = {"model": str(folder), "data": "starter-en", "settings": {"max_steps": 1}}
        browser.post("/gradio_api/call/v2/train", json={**named, **LOADERS})
        browser.post("/gradio_api/run/train", json={"data": [*named.values(), None, None], **LOADERS})
        call(browser, "chat", str(folder), [{"role": "user", "content": "Hello", **LOADERS}], **LOADERS)
        call(browser, "plan", str(folder), "starter-en", None, None, None, **LOADERS)
    assert not sung.exists() and place.runs() == before


NAMES = (
    "$(touch PWNED)", "`touch PWNED`", "a; touch PWNED #", "../../PWNED", "-rf", "a\nb: c", "x" * 300, "a\0b", "CON",
    "{{7*7}}{0.__class__}%s", "| touch PWNED", "<img src=x onerror=alert(60218)>", "/etc/PWNED", "~/PWNED", "a/b",
)  # fmt: skip


def test_a_name_is_a_name_and_nothing_is_run_or_written_by_it(trainer: Place) -> None:
    """Commands and paths in names (CVE-2024-52803, CVE-2023-1177): a run is called so, or it is refused; elsewhere nothing changes."""
    before, kept = trainer.outside(), {*trainer.runs()}
    with trainer.browser() as browser:
        for name in trainer.some(NAMES, 1):
            said = call(browser, "train", "starter", "starter-en", "facts", {"max_steps": 1, "report": False}, name)
            made = {*trainer.runs()} - kept
            assert ("event: error" in said) is not bool(made), said
            for endpoint, more in (("run", []), ("stop", []), ("resume", []), ("export", ["adapter"])):
                assert "event: error" in call(browser, endpoint, f"../runs/{name}", *more)
            for run in made:
                assert run.isascii() and run.replace("-", "").isalnum() and len(run) < 200, run
                call(browser, "stop", run)
                deadline = time.monotonic() + 240  # the first run of a process waits for its libraries
                while "event: error" in call(browser, "delete", run):
                    assert time.monotonic() < deadline
                    time.sleep(0.5)
    left = [path for path in {*trainer.outside()} - {*before} if not path.startswith(f"{trainer.home.name}/")]
    assert left == [] and not pathlib.Path("PWNED").exists() and not pathlib.Path("~/PWNED").expanduser().exists()


def test_no_pattern_of_a_visitor_keeps_the_app_busy(place: Place) -> None:
    """Patterns without an end (CVE-2024-10624): as names of layers, of columns and of runs, in searches and in messages."""
    began = time.monotonic()
    with place.browser() as browser:
        for pattern in place.some(BACKTRACKS, 1):
            layers: tuple[dict[str, Any], ...] = (
                {"target_modules": pattern},
                {"target_modules": [pattern]},
                {"lora.layers_pattern": [pattern]},
            )
            layers += ({"lora": {"exclude_modules": [pattern]}}, {"lora": {"rank_pattern": {pattern: 4}}})
            for settings in layers:
                call(browser, "plan", "starter", "starter-en", None, settings, None)
            for endpoint, values in (
                ("run", [pattern]),
                ("models", [pattern, None]),
                ("check", [pattern, None, {"question": pattern}]),
                ("rename", ["last", pattern]),
            ):
                call(browser, endpoint, *values)
        assert browser.get("/healthz").json()["alive"]
    assert time.monotonic() - began < 120


def test_nobody_is_somebody_else_by_saying_so(shared: Place, school: Class) -> None:
    """Names in a body, a query or a header (mass assignment): whose things are asked for is decided by the log-in alone."""
    says = {
        "username": "anna",
        "owner": "anna",
        "user": "anna",
        "request": {"username": "anna"},
        "session": {"owner": "anna"},
        "oauth_token": "x",
    }
    headers = {
        "authorization": "Basic YW5uYTpnYXR0bzc=",
        **dict.fromkeys(("x-forwarded-user", "x-remote-user", "remote-user", "x-username"), "anna"),
    }
    hers = folders.make(school.of("anna"), "Hers 60218")
    with shared.browser() as browser:
        for said in (
            call(browser, "runs", **says), call(browser, "run", hers.id, **says),
            browser.post("/gradio_api/run/runs?username=anna&owner=anna", json={"data": [], **says}, headers=headers).text,
            browser.post("/gradio_api/call/v2/runs", json=says, headers=headers).text,
            browser.get("/?username=anna&owner=anna", headers=headers).text,
        ):  # fmt: skip
            assert "Hers 60218" not in said and hers.id not in said.replace(f"\\u201c{hers.id}\\u201d", "")
    assert httpx.get(f"{shared.address}/config", headers=headers).status_code == 401


def test_nothing_that_is_sent_writes_a_line_of_its_own_into_the_log(place: Place) -> None:
    """Forged lines in a log: names, passwords, paths and headers with line ends and colours in them."""
    line = "x\n2026-01-01 ERROR everything is lost 60218\r\n\x1b[31mred 60218"
    with place.browser() as browser:
        for endpoint, values in (
            ("rename", ["last", line]),
            ("run", [line]),
            ("check", [line, line, {line: line}]),
            ("chat", [line, [{"role": line, "content": line}]]),
        ):
            call(browser, endpoint, *values)
        for path in ("run/x%0aERROR%2060218", "call/%0d%0a60218", "queue/join", "cancel"):
            browser.post(f"/gradio_api/{path}", json={"data": [line], "session_hash": line, "event_id": line, "fn_index": line})
        browser.get("/gradio_api/upload_progress", params={"upload_id": line})
        browser.post("/login", data={"username": line, "password": "secret-60218"})
        browser.get("/healthz", headers={"accept-language": "it;q=60218", "user-agent": "60218"})
    log = place.log()
    assert "everything is lost 60218" not in log and "\x1b[31m" not in log and "secret-60218" not in log


def test_a_method_that_nobody_uses_does_nothing(place: Place) -> None:
    """Other verbs for the same routes, and headers that ask for another one: none gets past what a POST would not."""
    before, instead = place.runs(), {"x-http-method-override": "POST", "x-secret": "60218"}
    paths = (
        "/",
        "/config",
        "/gradio_api/run/train",
        "/gradio_api/upload",
        "/gradio_api/file=/etc/passwd",
        "/watch/x",
        "/v1/models",
        "/login",
    )
    with place.browser() as browser:
        for method in place.some(("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "POSTED"), 2):
            for path in place.some(paths):
                answer = browser.request(method, path, headers=instead)
                assert answer.status_code in (400, 401, 403, 404, 405) and "60218" not in answer.text, (method, path)
        assert browser.get("/gradio_api/run/train", headers=instead).status_code in (404, 405)
    assert place.runs() == before
