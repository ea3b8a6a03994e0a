"""To the Hub and back, against one on the loopback interface: what goes is what an adapter export holds, private, and no token strays."""

import dataclasses
import json
import pathlib
import shutil
import time
import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.hub.hub_server import Repo
from tests.hub.receiving import TOKEN, Receiving
from tests.studio.test_leaving import without_base
from tuning import settings
from tuning.cli.main import main
from tuning.errors import RunError, TuningError
from tuning.export import certificate, converter, forms
from tuning.runs.files import slug
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, SIGNED_IN
from tuning.serve import owners
from tuning.studio import Studio
from tuning.studio.leaving.pushes import Way
from tuning.text import LANGUAGES, say, t
from tuning.ui.draw.leaving import taking
from tuning.ui.markup import Html

QUICK = Way(check=False)


@pytest.fixture
def mine(run: Run) -> Studio:
    return Studio(settings.read(), LOCAL)


def code(work: Callable[[], Any]) -> str:
    with pytest.raises(TuningError) as caught:
        work()
    for lang in LANGUAGES:  # the sentence can be said, and without the token
        words = say(lang, caught.value.code, caught.value.params)
        assert "{" not in words and TOKEN not in words
    return caught.value.code


def written(home: pathlib.Path, run: Run) -> list[pathlib.Path]:
    """The files of a home in which the token stands, but for those that a test has laid beside the adapter."""
    files = [path for path in home.rglob("*") if path.is_file() and run.adapter not in path.parents]
    return [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_what_an_adapter_export_holds_is_what_was_published_and_nothing_beside_it(mine: Studio, run: Run, tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(mine.exports.export(run.id, "adapter", tmp_path / "x.zip", check=False)) as archive:
        names = set(archive.namelist())
    assert names == {
        *("adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
        *("README.md", "certificate.json", "certificate.md"),
    }


def test_a_push_is_one_private_tagged_commit_with_a_valid_card_and_exactly_the_export(
    mine: Studio, run: Run, receiving: Receiving, tmp_path: pathlib.Path
) -> None:
    told = mine.pushes.push(run.id, way=QUICK)
    repo = receiving.kept(told["repo"])
    with zipfile.ZipFile(mine.exports.export(run.id, "adapter", tmp_path / "x.zip", check=False)) as archive:
        names = set(archive.namelist())
    files = repo.commits[told["commit"]]
    assert files.keys() - {".gitattributes"} == names == set(told["files"]) and repo.private
    assert repo.tagged == {run.id: told["commit"]} and repo.heads["main"] == told["commit"] and len(repo.said) == 2
    assert told["repo"] == f"anna/{slug(run.name(), 40)}-adapter" and told["private"] and told["verdict"] == "not_checked"
    assert told["url"] == f"{receiving.address}/{told['repo']}"
    assert not [name for name, content in files.items() if TOKEN.encode() in content]
    (run.adapter / "NOTICE.txt").write_text("x", encoding="utf-8")
    again = mine.pushes.push(run.id, way=QUICK)  # it has learned more: a commit more, the tag at it, and the weights are not sent twice
    assert repo.tagged == {run.id: again["commit"]} and again["commit"] != told["commit"] and len(receiving.sent) == 1
    assert "NOTICE.txt" in repo.files
    (run.adapter / "NOTICE.txt").unlink()
    mine.pushes.push(run.id, way=QUICK)
    assert "NOTICE.txt" not in repo.files


def test_the_card_names_no_base_by_a_folder_of_this_machine(mine: Studio, run: Run, receiving: Receiving) -> None:
    """The Hub takes nothing for a base but an id, and refuses the whole commit."""
    path = run.folder / "spec.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("  id: starter\n  path: ", f"  id: {settings.PRESETS}\n  path: ", 1))
    readme = run.adapter / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("base_model: starter", "base_model: Sartoria starter"), encoding="utf-8")
    told = mine.pushes.push(run.id, "prezzi", way=QUICK)
    card = receiving.kept("anna/prezzi").commits[told["commit"]]["README.md"].decode()
    assert "base_model:" not in card.split("---")[1] and "Sartoria starter" not in card.split("---")[1] and "license: " in card


def test_a_revision_is_a_branch_and_leaves_the_others_as_they_are(mine: Studio, run: Run, receiving: Receiving) -> None:
    mine.pushes.push(run.id, "prezzi", way=QUICK)
    repo = receiving.kept("anna/prezzi")
    before = repo.heads["main"]
    (run.adapter / "chat_template.jinja").write_text("x", encoding="utf-8")
    told = mine.pushes.push(run.id, "anna/prezzi", "v2", QUICK)
    assert repo.heads == {"main": before, "v2": told["commit"]} and told["revision"] == "v2" and told["url"].endswith("/tree/v2")
    assert mine.pushes.push(run.id, "tailors/prezzi", way=QUICK)["repo"] == "tailors/prezzi"  # an organization of hers


def test_a_push_that_is_cut_goes_on_and_one_that_is_cut_for_good_is_taken_up_again(mine: Studio, run: Run, receiving: Receiving) -> None:
    receiving.cut = 1
    mine.pushes.push(run.id, "once", way=QUICK)
    assert len(receiving.sent) == 1
    receiving.large.clear()
    receiving.cut = 99
    assert code(lambda: mine.pushes.push(run.id, "often", way=QUICK)) == "hub.push.cut"
    assert receiving.kept("anna/often").files.keys() == {".gitattributes"}  # nothing half
    receiving.cut = 0
    mine.pushes.push(run.id, "often", way=QUICK)
    assert "adapter_model.safetensors" in receiving.kept("anna/often").files
    assert not list((run.folder / "taken" / "hub-adapter").glob(".export*"))


def test_each_fault_is_its_own_sentence_and_nothing_is_written_over(
    mine: Studio, run: Run, receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def push(*words: str, way: Way = QUICK, studio: Studio = mine) -> str:
        return code(lambda: studio.pushes.push(run.id, *words, way=way))

    receiving.repos["anna/diary"] = Repo({"config.json": b"{}", "README.md": b"mine"}, private=True, token=TOKEN)
    assert push("diary") == "hub.push.taken" and receiving.repos["anna/diary"].files["README.md"] == b"mine"
    assert push("bruno/prezzi") == "hub.push.namespace" and push("a b") == push("../x") == push("x--y") == "hub.push.name"
    assert push("prezzi", "a..b") == push("prezzi", "refs/heads/x") == "hub.push.revision" and push(way=Way("bundle")) == "hub.push.form"
    mine.pushes.push(run.id, "open", way=Way(check=False, public=True))
    assert not receiving.kept("anna/open").private and push("open") == "hub.push.public"
    receiving.full = True
    receiving.large.clear()
    assert push("room") == "hub.push.full"
    receiving.full, receiving.forbidden = False, True
    assert push("scope") == "hub.push.scope"
    receiving.accounts[TOKEN]["auth"]["accessToken"]["role"] = "read"
    assert push("scope") == "hub.push.scope"
    receiving.accounts.clear()
    assert push() == "hub.push.refused"
    monkeypatch.delenv("HF_TOKEN")
    assert push(studio=Studio(settings.read(), LOCAL)) == "hub.push.token"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert push(studio=Studio(settings.read(), LOCAL)) == "hub.push.offline"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert push(studio=Studio(settings.read(), LOCAL)) == "hub.push.cut"


def test_the_command_line_pushes_and_the_token_stands_nowhere(
    run: Run, receiving: Receiving, home: pathlib.Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert main(["push", run.id, "--repo", "prezzi", "--revision", "v1", "--no-check", "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    repo = receiving.kept("anna/prezzi")
    assert repo.heads["v1"] == told["commit"] == repo.tagged[run.id] and repo.private and told["tag"] == run.id
    assert not written(home, run) and TOKEN not in said.out + said.err + caplog.text
    asked = [(path, headers) for _, path, headers in receiving.asked if path.startswith("/lfs/")]
    assert asked and not [path for path, headers in asked if "authorization" in headers]


def test_a_page_pushes_in_the_background_with_a_token_that_stays_in_memory(
    run: Run, receiving: Receiving, home: pathlib.Path, wait_until: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    studio = Studio(settings.read(), LOCAL)

    def drawn(lang: str) -> str:
        return taking.panel({**studio.exports.offers(run.id), "hub": studio.pushes.offer(run.id, signed_in=False)}, "x", "", lang)

    for lang in LANGUAGES:
        assert 'type="password"' in drawn(lang) and f'value="{slug(run.name(), 40)}-adapter"' in drawn(lang)
    without = without_base(run)
    assert code(lambda: studio.pushes.begin(run.id, "prezzi")) == "hub.push.token"
    assert code(lambda: studio.pushes.begin(run.id, "prezzi", typed="hf_unknown")) == "hub.push.refused"
    assert 'type="password"' in drawn("en")  # it was forgotten
    studio.pushes.begin(without.id, "prezzi", typed=TOKEN)
    wait_until(lambda: not studio.exports.busy())
    assert receiving.kept("anna/prezzi").private and studio.exports.offers(run.id)["making"] is None
    for lang in LANGUAGES:
        page = drawn(lang)
        assert f'href="{receiving.address}/anna/prezzi"' in page and Html.escape(t(lang, "ui.take.hub.private")) in page
        assert Html.escape(t(lang, "ui.take.hub.forget")) in page and TOKEN not in page and 'type="password"' not in page
    receiving.cut = 99
    receiving.large.clear()
    studio.pushes.begin(run.id, "often")
    wait_until(lambda: not studio.exports.busy())
    assert t("en", "ui.fault") in drawn("en") and studio.exports.offers(run.id)["making"]["fault"][0] == "hub.push.cut"
    studio.pushes.keep("")
    assert 'type="password"' in drawn("en") and TOKEN not in repr(vars(studio.shared))
    assert not [
        path for path in home.rglob("*") if path.is_file() and run.adapter not in path.parents and TOKEN.encode() in path.read_bytes()
    ]


def test_nobody_pushes_with_the_token_of_the_machine_or_of_the_space(receiving: Receiving, run: Run, home: pathlib.Path) -> None:
    there = settings.read()
    shared = Studio(settings.opened(there, ("teacher",)), "teacher")
    space = Studio(dataclasses.replace(there, mode="space", space=settings.Space("x/y", oauth=True)), SIGNED_IN + "64f1")
    for studio, wanted in ((shared, "hub.push.token"), (space, "hub.push.sign_in")):
        theirs = Run(pathlib.Path(shutil.copytree(run.folder, run.folder.with_name(f"20261129-1-{len(wanted)}"))))
        path = theirs.folder / "spec.yaml"
        changed = path.read_text(encoding="utf-8").replace(run.id, theirs.id)
        changed = changed.replace("owner: local", f"owner: {json.dumps(studio.owner)}")
        path.write_text(changed, encoding="utf-8")
        assert code(lambda studio=studio, id=theirs.id: studio.pushes.push(id, way=QUICK)) == wanted
        assert not receiving.tokens()
        assert studio.pushes.push(theirs.id, wanted.replace(".", "-").replace("_", "-"), way=QUICK, token=TOKEN)["private"]
        receiving.asked.clear()
    request = SimpleNamespace(request=SimpleNamespace(scope={"session": {"oauth_info": {
        "access_token": TOKEN, "userinfo": {"sub": "64f1"}, "expires_at": time.time() + 60,
    }}}))  # fmt: skip
    assert owners.hub_token(request, space.settings) == TOKEN and owners.hub_token(request, there) == ""
    request.request.scope["session"]["oauth_info"]["expires_at"] = time.time() - 1
    assert owners.hub_token(request, space.settings) == ""


def test_a_gguf_file_goes_to_a_repository_that_ollama_runs_by_its_name(
    mine: Studio, run: Run, receiving: Receiving, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file comes of a stand-in for the conversion; the nightly form converts."""
    monkeypatch.setattr(converter, "place", lambda home: tmp_path)

    def converted(order: forms.ExportOrder, folder: pathlib.Path) -> Any:
        (folder / "prezzi.gguf").write_bytes(b"GGUF" + order.type.encode())
        (folder.parent / "scratch" / "token.txt").write_text(TOKEN, encoding="utf-8")
        return {"stop_words": ["<end>"]}, "prezzi.gguf", certificate.unchecked("gguf", "asked")

    monkeypatch.setattr(forms, "_converted", converted)
    for given, repo in (
        ("", f"anna/{slug(run.name(), 40)}-GGUF"),
        ("prezzi", "anna/prezzi-GGUF"),
        ("tailors/prezzi-gguf", "tailors/prezzi-gguf"),
    ):
        told = mine.pushes.push(run.id, given, way=Way("gguf", "q8_0", check=False))
        files = receiving.kept(repo).commits[told["commit"]]
        assert (told["repo"], told["command"], told["private"]) == (repo, f"ollama run hf.co/{repo}", True)
        beside = {"Modelfile", "params", "README.md", "certificate.json", "certificate.md"}
        assert files.keys() - {".gitattributes"} == {"prezzi.gguf", *beside}
        how = json.loads(files["params"])  # for who runs it from there: the Modelfile is for a folder
        assert how["stop"] == ["<end>"] and f"PARAMETER temperature {how['temperature']}\n" in files["Modelfile"].decode()
        assert receiving.kept(repo).tagged == {run.id: told["commit"]} and files["prezzi.gguf"] == b"GGUFq8_0"
        assert not [name for name, content in files.items() if TOKEN.encode() in content]
    for lang in LANGUAGES:
        page = taking.panel({**mine.exports.offers(run.id), "hub": mine.pushes.offer(run.id, signed_in=False)}, "x", "", lang)
        assert "ollama run hf.co/tailors/prezzi-gguf" in page


@pytest.mark.nightly
def test_a_gguf_file_that_was_really_converted_goes_to_a_repository_for_ollama(
    mine: Studio, run: Run, receiving: Receiving, home: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        converter.installed(home, forms._child)
    except RunError as error:
        if "No matching distribution" not in str(error.params["said"]):
            raise
        pytest.skip(f"the converter is on PyPI: {error.params}")
    for type in ("f16", "q8_0"):
        assert main(["push", run.id, "--repo", "prezzi", "--to", "gguf", "--type", type, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        with capsys.disabled():
            print(type, {key: told[key] for key in ("repo", "bytes", "verdict", "command", "files")})
        repo = receiving.kept("anna/prezzi-GGUF")
        files = repo.commits[told["commit"]]
        assert repo.private and repo.tagged == {run.id: told["commit"]} and told["command"] == "ollama run hf.co/anna/prezzi-GGUF"
        assert files.keys() - {".gitattributes"} == set(told["files"])
        assert {pathlib.PurePath(name).suffix or name for name in told["files"]} == {".gguf", ".md", ".json", "Modelfile", "params"}
        (file,) = [content for name, content in files.items() if name.endswith(".gguf")]
        assert file[:4] == b"GGUF" and len(receiving.sent) == len(repo.said) - 1
        found = json.loads(files["certificate.json"])
        assert (
            found["verdict"] == told["verdict"] in ("same", "differs") and found["answers"]
        )  # a run in 16 bits: rounding may turn a token
        assert found["type"] == type and found["tensors"]["equal"] == found["tensors"]["of"] > 10
        assert not [name for name, content in files.items() if TOKEN.encode() in content or str(home).encode() in content]
    assert len(repo.said) == 3 and not written(home, run)
    assert code(lambda: mine.pulls.pull("anna/prezzi-GGUF@main")) == "pull.no_adapter"
