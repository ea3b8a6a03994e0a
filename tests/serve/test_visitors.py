"""Two visitors of a shared machine, over plain HTTP: what one of them has the other never sees, and a watch link shows one run alone."""

import json
import pathlib
import re
import shutil
import socket
from typing import Any

import httpx
import pytest

from tests import folders
from tests.serve.school import ANNA, BRUNO, PROF, Class, press
from tests.ui.fuzz import traces
from tests.ui.test_report import FOUND
from tuning import settings
from tuning.data.ingest import ReadingOptions
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.studio.links import SECRET
from tuning.studio.pace import RATES
from tuning.text import t
from tuning.ui.markup import Html
from tuning.ui.view import sentence

ATTACK = "<img src=x onerror=alert(93741)>"
PRIVATE = ("log-93741", "row-93741", "file-93741")  # in the log, in the data, in the data's name


def told(studio: Studio, folder: pathlib.Path) -> Run:
    """A run with a curve, answers on the way and a report, on a file of its owner's own."""
    rows = folder / f"{PRIVATE[2]}.json"
    rows.write_text(json.dumps([{"question": f"{PRIVATE[1]} {n}?", "answer": f"{PRIVATE[1]} {n}."} for n in range(30)]), encoding="utf-8")
    data = studio.data.ingest([rows], ReadingOptions(name=rows.name)).id
    run = folders.make(studio, f"Prices {ATTACK}", data=data)
    answer = {"prompt": "What is the price?", "answer": f"Nine euro {ATTACK}", "reference": "Nine euro."}
    (run.folder / "samples.jsonl").write_text(json.dumps({"step": 4, "answers": [answer]}) + "\n", encoding="utf-8")
    (run.folder / "evaluation.json").write_text(json.dumps({**FOUND, "owner": studio.owner, "run": run.id}), encoding="utf-8")
    (run.folder / "log.txt").write_text(f"{PRIVATE[0]} {run.folder}\n", encoding="utf-8")
    return run


def look(school: Class, secret: str, lang: str = "en", **more: Any) -> httpx.Response:
    return httpx.get(f"{school.address}/watch/{secret}", headers={"accept-language": lang, **more}, timeout=60)


def test_a_watch_link_shows_one_run_to_anybody_and_nothing_else(school: Class, tmp_path: pathlib.Path) -> None:
    anna = school.of("anna")
    run, other = told(anna, tmp_path), folders.make(anna, "Another one")
    secret = anna.links.give(run.id)
    assert SECRET.fullmatch(secret) and anna.links.give(run.id) == secret and anna.links.of(other.id) is None
    for lang in ("en", "it"):
        shown = look(school, secret, lang)
        assert shown.status_code == 200 and f'lang="{lang}"' in shown.text
        for part in ("polyline", "Nine euro", "91%", t(lang, "watch.hint"), t(lang, "ui.timeline.title")):
            assert part in shown.text, part
        hidden = (*PRIVATE, "anna", run.id, other.id, "Another one", str(school.home), ATTACK, "<script>alert", "93741)>")
        assert not [word for word in hidden if word in shown.text]
        assert "set-cookie" not in shown.headers and shown.headers["referrer-policy"] == "no-referrer"
        assert "script-src 'sha256-" in shown.headers["content-security-policy"] and shown.headers["cache-control"] == "no-store"
    part = look(school, f"{secret}?part=1&lang=it")
    assert "<html" not in part.text and t("it", "ui.status.finished") in part.text
    assert look(school, f"{secret}?part=1&lang=it", **{"if-none-match": part.headers["etag"]}).status_code == 304
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert httpx.request(method, f"{school.address}/watch/{secret}").status_code == 404
    for path in ("", "/", f"{secret}/", f"{secret}x", secret[:-1], f"{secret}/%2e%2e/config", "A" * 32, "%2e%2e", run.id):
        assert look(school, path).status_code in (401, 404), path
    assert httpx.get(f"{school.address}/config", headers={"authorization": secret, "cookie": f"watch={secret}"}).status_code == 401


def test_a_watch_link_is_withdrawn_at_once_and_no_copy_of_the_run_has_one(school: Class) -> None:
    anna, bruno = school.of("anna"), school.of("bruno")
    run = folders.make(anna, "Withdrawn")
    secret = anna.links.give(run.id)
    assert look(school, secret).status_code == 200
    copy = run.folder.with_name(f"{run.id}-copy")
    copy.mkdir()
    for file in run.folder.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    with pytest.raises(Exception, match=r"run\.unknown"):
        bruno.links.withdraw(run.id)
    anna.links.withdraw(run.id)
    gone = look(school, secret, "it")
    assert gone.status_code == 404 and t("it", "watch.gone").split("'")[0] in gone.text and "Withdrawn" not in gone.text
    fresh = anna.links.give(run.id)
    assert fresh != secret and (look(school, fresh).status_code, look(school, secret).status_code) == (200, 404)
    school.house.shared.store.delete(run)
    assert look(school, fresh).status_code == 404
    assert not re.search(f"{secret}|{fresh}", school.log())


def call(browser: httpx.Client, endpoint: str, *values: Any) -> Any:
    """What an endpoint answers; a sentence where it refuses."""
    event = browser.post(f"/gradio_api/call/{endpoint}", json={"data": values}).json()["event_id"]
    kind, said = browser.get(f"/gradio_api/call/{endpoint}/{event}").text.strip().split("\n")[-2:]
    found = json.loads(said.removeprefix("data: "))
    return found[0] if kind == "event: complete" else found["error"]


WEB = [{"sft.report_to": "tensorboard"}, {"sft": {"run_name": "x"}}, {"sft": {"project": "x"}}, {"sft.dataloader_num_workers": 2}]


@pytest.mark.parametrize("who", [PROF, BRUNO], ids=["operator", "visitor"])
@pytest.mark.parametrize("tried", WEB, ids=str)
def test_what_may_be_set_over_the_web_is_a_list_and_the_rest_is_refused_by_name(
    school: Class, who: tuple[str, str], tried: dict[str, Any]
) -> None:
    browser, alone = school.browser(who), Studio(settings.Settings(home=school.home / "alone"), LOCAL)
    key = next(f"{group}.{next(iter(inner))}" if isinstance(inner, dict) else group for group, inner in tried.items())
    for endpoint, more in (("plan", [None]), ("train", [None])):
        assert call(browser, endpoint, "starter", "starter-en", None, tried, *more) == sentence("en", "settings.web", {"key": key})
    assert call(browser, "runs") == [] or who == BRUNO
    assert alone.plans.plan("starter", "starter-en", settings=tried)["fits"]  # on a machine of one's own it is one's own affair
    kept = {"sft.weight_decay": 0.1, "lora.use_rslora": True, "sft": {"logging_steps": 5}}
    assert call(browser, "plan", "starter", "starter-en", None, kept, None)["settings"]["sft"] == {"weight_decay": 0.1, "logging_steps": 5}


def test_what_else_is_downloaded_on_the_machine_is_no_news_for_visitors(school: Class, tiny_model: pathlib.Path) -> None:
    folder = school.home / "models"
    folder.mkdir(exist_ok=True)
    (folder / "secret--project").symlink_to(tiny_model, target_is_directory=True)  # as the operator fetched it with a token
    bruno, prof = school.browser(BRUNO), school.browser(PROF)
    for endpoint, more in (("plan", ["starter-en", None, None, None]), ("train", ["starter-en", None, None, None])):
        known, unknown = (call(bruno, endpoint, model, *more) for model in ("secret/project", "secret/nothing"))
        assert known == unknown.replace("nothing", "project") == t("en", "quota.model", model="secret/project")
    asked = [call(bruno, "check", "starter-en", model, None) for model in ("secret/project", "secret/nothing")]
    assert asked[0] == asked[1].replace("nothing", "project")
    assert "secret" not in json.dumps(call(bruno, "models", None, None))
    assert school.of("bruno").models.downloaded() == [] and school.of("prof").models.downloaded()[0]["path"]
    assert call(prof, "plan", "secret/project", "starter-en", None, None, None)["steps"] > 0


def test_whoever_asks_too_often_is_told_when_it_goes_on_and_nobody_else_waits(school: Class) -> None:
    anna, bruno = school.browser(ANNA), school.browser(BRUNO)
    asked = [call(bruno, "resume", "nobody") for _ in range(RATES["start"].at_once + 5)]
    slowed = re.compile(re.escape(t("en", "quota.pace", seconds=93741)).replace("93741", r"\d+"))
    others = {said for said in asked if not slowed.fullmatch(said)}
    assert any(map(slowed.fullmatch, asked)) and others <= {t("en", "run.unknown", run="nobody")}
    assert call(anna, "resume", "nobody") == t("en", "run.unknown", run="nobody")
    file = {"files": ("a.txt", b"a", "text/plain")}
    sent = [bruno.post("/gradio_api/upload", files=file, headers={"accept-language": "it"}) for _ in range(RATES["upload"].at_once + 10)]
    slow = next(answer for answer in sent if answer.status_code != 200)
    assert slow.status_code == 429 and 0 < int(slow.headers["retry-after"]) <= 2
    assert slow.json() == {"error": t("it", "quota.pace", seconds=int(slow.headers["retry-after"]))}
    assert anna.post("/gradio_api/upload", files=file).status_code == 200


def function(browser: httpx.Client, kind: str) -> dict[str, Any]:
    """A function of the page that takes a part of this kind."""
    config = browser.get("/config").json()
    parts = {part["id"] for part in config["components"] if part["type"] == kind}
    return next(one for one in config["dependencies"] if parts & set(one["inputs"]))


def test_a_session_is_nobody_else_s(school: Class) -> None:
    anna, bruno = school.browser(ANNA), school.browser(BRUNO)
    index = next(one["id"] for one in anna.get("/config").json()["dependencies"] if one["api_name"] == "runs")
    body = {"data": [], "fn_index": index, "session_hash": "s-of-anna"}
    assert anna.post("/gradio_api/queue/join", json=body).status_code == 200
    for path in ("queue/data?session_hash=s-of-anna", "heartbeat/s-of-anna"):
        with bruno.stream("GET", f"/gradio_api/{path}") as stream:  # which would not end
            assert stream.status_code == 404
    tried = [
        bruno.post("/gradio_api/queue/join", json=body),
        bruno.post("/gradio_api/cancel", json={**body, "event_id": "x"}),
        *(bruno.post(f"/gradio_api/{door}/runs", json={"data": [], "session_hash": "s-of-anna"}) for door in ("run", "call")),
    ]
    assert [(one.status_code, one.json()) for one in tried] == [(404, {"error": t("en", "edge.not_yours")})] * len(tried)
    with anna.stream("GET", "/gradio_api/queue/data?session_hash=s-of-anna") as told:
        assert any('"process_completed"' in line for line in told.iter_lines())
    assert bruno.post("/gradio_api/queue/join", json={**body, "session_hash": "s-of-bruno"}).status_code == 200


def test_what_is_uploaded_or_exported_is_nobody_else_s(school: Class, tmp_path: pathlib.Path) -> None:
    anna, bruno = school.browser(ANNA), school.browser(BRUNO)
    content = "question,answer\n" + "".join(f"{PRIVATE[1]} {n}?,{n}.\n" for n in range(20))
    (path,) = anna.post("/gradio_api/upload", files={"files": ("mine.csv", content, "text/csv")}).json()
    run = told(school.of("anna"), tmp_path)
    shutil.copytree(folders.HOME / "runs", tmp_path / "runs")
    shutil.copytree(next((tmp_path / "runs").glob("*/adapter")), run.folder / "adapter")
    zipped = call(anna, "export", run.id, "adapter")
    for place in (path, zipped["path"] if isinstance(zipped, dict) else zipped):
        name = f"/gradio_api/file={place}"
        assert (anna.get(name).status_code, bruno.get(name).status_code) == (200, 404), place
        never = bruno.get(f"{name}x"), bruno.get(name.replace("uploads/", "uploads/f")), bruno.get(name)
        assert len({(one.status_code, one.text) for one in never}) == 1
        assert bruno.get(f"/gradio_api/file={pathlib.Path(place).parent}/../{pathlib.Path(place).parent.name}/mine.csv").status_code == 404
    reads = function(bruno, "file")
    config = bruno.get("/config").json()
    files = {part["id"] for part in config["components"] if part["type"] == "file"}
    for file in ({"path": path, "meta": {"_type": "gradio.FileData"}}, {"path": path}, {"path": f"{pathlib.Path(path).parent}/./mine.csv"}):
        data = [[file] if part in files else {} for part in reads["inputs"]]
        body = {"data": data, "fn_index": reads["id"], "session_hash": "b-reads"}
        assert bruno.post("/gradio_api/queue/join", json=body).status_code == 200
        with bruno.stream("GET", "/gradio_api/queue/data?session_hash=b-reads") as stream:
            said = "".join(stream.iter_lines())
        assert t("en", "edge.not_yours") in said and PRIVATE[1] not in said
        batched = bruno.post("/gradio_api/run/predict", json={"data": data, "fn_index": reads["id"], "batched": True})
        assert (batched.status_code, batched.json()["error"]) == (400, t("en", "edge.not_yours"))
    assert anna.get(f"/gradio_api/file={path}").text == content
    data = [[{"path": path, "meta": {"_type": "gradio.FileData"}}] if part in files else {} for part in reads["inputs"]]
    assert anna.post("/gradio_api/queue/join", json={**body, "data": data, "session_hash": "a-reads"}).status_code == 200
    with anna.stream("GET", "/gradio_api/queue/data?session_hash=a-reads") as stream:
        assert t("en", "edge.not_yours") not in "".join(stream.iter_lines())
    assert "mine.csv" in [spec.name for spec in school.house.shared.library.list("anna")]
    prof = school.browser(PROF)
    again = prof.post("/gradio_api/upload", files={"files": ("mine.csv", content, "text/csv")}).json()  # who has the file has it
    assert prof.get(f"/gradio_api/file={again[0]}").status_code == 200


def test_an_order_that_is_opened_passes_what_the_machine_allows_and_names_what_it_does_not(school: Class) -> None:
    anna, bruno = school.browser(ANNA), school.browser(BRUNO)
    hers, config = school.of("anna").data.find("starter-en").id, anna.get("/config").json()

    def opened(browser: httpx.Client, text: str, lang: str = "") -> str:
        return press(browser, config, "order-file", lang, what="file", value=text, name=f"{ATTACK}.yaml")

    for lang in ("en", "it"):
        said = opened(bruno, "settings: {sft: {report_to: wandb}}", "it" if lang == "it" else "")
        assert Html.escape(sentence(lang, "settings.web", {"key": "sft.report_to"})) in said and "wandb" not in said
    assert "order-file" not in opened(bruno, f"data: {hers}") and hers in opened(anna, f"data: {hers}\nsettings: {{lora_r: 4}}")
    assert Html.escape(sentence("en", "order.data", {"data": hers})) in opened(bruno, f"data: {hers}")
    assert "/etc" not in opened(bruno, "settings: {sft: {output_dir: /etc}}") and ATTACK not in opened(bruno, "lora_r: 3")
    for text in ("title: x\nsettings: {sft: {report_to: wandb}}", "title: x\nsettings: {lora_r: 9999}"):
        assert "ui.order" not in opened(bruno, text) and not school.of("bruno").recipes.all()
    assert "own-mine" in opened(anna, f"title: {{en: Mine, it: '{ATTACK}'}}") and [*school.of("anna").recipes.all()] == ["own-mine"]
    gone = press(bruno, config, "order-file", what="delete", value="own-mine")
    assert "own-mine" in gone and [*school.of("anna").recipes.all()] == ["own-mine"]
    assert press(anna, config, "order-file", what="delete", value="own-mine") and not school.of("anna").recipes.all()


def announce(browser: httpx.Client, length: int, sent: bytes = b"") -> socket.socket:
    """An upload of so many bytes that has only begun."""
    host, port = browser.base_url.host, browser.base_url.port
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n"
    made = socket.create_connection((host, port or 80), timeout=30)
    made.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode() + sent)
    return made


def status(begun: socket.socket) -> int:
    """What was answered before the rest has come; 0 where that is awaited."""
    begun.setblocking(False)
    try:
        return int(begun.recv(100, socket.MSG_PEEK).split()[1])
    except BlockingIOError:
        return 0


FILE = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n' + b"a,b\n" * 20_000


def test_what_does_not_go_through_is_refused_at_once_and_takes_no_room(school: Class, wait_until: Any) -> None:
    prof, before, there = school.browser(PROF), traces(school.log()), {*(school.home / "uploads").iterdir()}

    def begun_files() -> set[pathlib.Path]:
        return {*(school.home / "uploads").iterdir()} - there

    begun = announce(prof, 1_000_000, FILE)
    wait_until(begun_files)
    begun.close()
    wait_until(lambda: not begun_files())
    assert prof.post("/gradio_api/upload", files={"x": (None, b"x" * 30_000_000)}).status_code == 413  # a field that is no file
    large = announce(prof, 10 * 2**30)
    wait_until(lambda: status(large) == 413)
    assert not begun_files() and traces(school.log()) == before


def test_who_has_uploaded_a_gigabyte_is_told_when_it_goes_on(school: Class, wait_until: Any) -> None:
    begun = [announce(school.browser(PROF), 190_000_000, FILE) for _ in range(8)]
    wait_until(lambda: [status(one) for one in begun].count(429) >= 3)
    assert [status(one) for one in begun].count(0) >= 4
