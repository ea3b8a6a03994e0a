"""Hugging Face's own cache: what lies there whole is not downloaded again. It is only read, and opens nothing that the Hub does not."""

import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator

import huggingface_hub
import huggingface_hub.constants
import pytest

from tests.hub.hub_server import REVISION, Repo, Server
from tests.hub.test_hub import ID, refused
from tuning import settings
from tuning.cli.main import main
from tuning.hub import download, shelf
from tuning.hub.shelf import Shelf
from tuning.runs.store import Store
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import LANGUAGES, say
from tuning.ui.draw import cards

OFFERED = "HuggingFaceTB/SmolLM2-135M-Instruct"  # a model of the catalog, here with the files of a tiny one
WEIGHTS = "model.safetensors"
NOWHERE = "http://127.0.0.1:9"
Fill = Callable[..., pathlib.Path]


@pytest.fixture
def repo(tiny_model: pathlib.Path) -> Repo:
    return Repo.of(tiny_model)


@pytest.fixture
def fill(server: Server, repo: Repo, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Fill:
    """The Hub's own library downloads a model into its cache; the log of the Hub begins anew."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)

    def fill(id: str = ID, token: str | bool = False, **changes: object) -> pathlib.Path:
        server.repos[id] = dataclasses.replace(repo, **changes)  # type: ignore[arg-type]
        where = pathlib.Path(os.environ["HF_HUB_CACHE"])
        huggingface_hub.snapshot_download(id, cache_dir=where, endpoint=server.address, token=token)
        server.asked.clear()
        return where / f"models--{id.replace('/', '--')}"

    return fill


@pytest.fixture
def other_disk() -> Iterator[pathlib.Path]:
    """A folder in memory, to which no second name of a file on the disk can be given."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield pathlib.Path(folder)


def mine() -> Shelf:
    read = settings.read()
    return Shelf(read, Store(read.home))


def tree(folder: pathlib.Path) -> dict[str, tuple[object, ...]]:
    """All names, links and lengths, and when each was written."""
    found = ((path, path.lstat()) for path in folder.rglob("*"))
    return {str(path): (stat.st_mtime_ns, stat.st_size, path.is_symlink() and os.readlink(path)) for path, stat in found}


def fetched(server: Server) -> list[str]:
    """The files whose content was asked for, not only the header of their tensors."""
    gets = [(path, headers.get("range", "")) for method, path, headers in server.asked if method == "GET" and "/resolve/" in path]
    return sorted(path.rpartition("/")[2] for path, span in gets if not span.startswith("bytes=0-"))


def blob(cache: pathlib.Path) -> pathlib.Path:
    """The file itself behind the link in a snapshot."""
    return (cache / "snapshots" / REVISION / WEIGHTS).resolve()


def sound(own: Shelf, repo: Repo) -> None:
    model = own.find(ID, LOCAL)
    there = {path.name: path for path in pathlib.Path(model.path).iterdir() if path.name != download.MANIFEST}
    assert shelf.whole(model) and {name: path.read_bytes() for name, path in there.items()} == repo.files
    assert not any(path.is_symlink() for path in there.values())


def test_what_lies_there_is_not_downloaded_again(server: Server, repo: Repo, fill: Fill) -> None:
    cache = fill()
    before, own = tree(cache), mine()
    model = own.find(ID, LOCAL)
    (notice,) = own.notices(model, LOCAL)
    assert notice.code == "model.in_cache" and notice.level == "info"
    assert all("Hugging Face" in say(lang, notice.code, notice.params) for lang in LANGUAGES)
    own.require(model, LOCAL)
    server.asked.clear()
    own.fetch(model, LOCAL)
    assert server.asked == [] and own.notices(model, LOCAL) == []
    sound(own, repo)
    assert (pathlib.Path(model.path) / WEIGHTS).samefile(blob(cache))  # on the same disk it takes no room
    own.delete(ID, LOCAL)
    assert tree(cache) == before


def test_a_terminal_that_goes_away_meanwhile_leaves_the_cache_as_it_was(fill: Fill, repo: Repo) -> None:
    """What is printed of the progress may end the download with an error of the system."""
    cache = fill()
    before, own = tree(cache), mine()

    def gone(done: int, total: int) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        own.fetch(own.find(ID, LOCAL), LOCAL, gone)
    assert tree(cache) == before
    own.fetch(own.find(ID, LOCAL), LOCAL)
    sound(own, repo)


def flip(path: pathlib.Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def knot(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def fold(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[pathlib.Path], object]] = {
    "one bit": flip,
    "shortened": lambda path: os.truncate(path, 1_000),
    "never ended": lambda path: path.rename(f"{path}.incomplete"),
    "a link to itself": knot,
    "a folder": fold,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_spoiled_there_is_downloaded_and_nothing_else(damage: str, server: Server, repo: Repo, fill: Fill) -> None:
    cache = fill()
    DAMAGES[damage](blob(cache))
    before, own = tree(cache), mine()
    model = own.find(ID, LOCAL)
    told = own.notices(model, LOCAL)[0]
    if damage != "one bit":  # no look at names and lengths can tell
        assert told.code == "model.to_download" and round(told.params["need"] * 2**30) == len(repo.files[WEIGHTS])
    server.asked.clear()
    own.fetch(model, LOCAL)
    assert fetched(server) == [WEIGHTS] and tree(cache) == before
    sound(own, repo)


@pytest.mark.parametrize("same", [True, False], ids=["with the same weights", "with others"])
def test_another_revision_gives_what_has_the_same_content(same: bool, server: Server, repo: Repo, fill: Fill) -> None:
    """As where the Hub's newest commit changes a file beside the weights, or the weights."""
    changed = "generation_config.json" if same else WEIGHTS
    old = repo.files[changed]
    cache = fill(files=repo.files | {changed: b"{}" if same else old[:-1] + bytes([old[-1] ^ 1])})
    (cache / "snapshots" / REVISION).rename(cache / "snapshots" / ("c" * 40))
    (cache / "refs" / "main").write_text("c" * 40, encoding="ascii")
    server.repos[ID] = repo
    own = mine()
    model = own.find(ID, LOCAL)
    server.asked.clear()
    own.fetch(model, LOCAL)
    assert fetched(server) == [changed]
    sound(own, repo)


def test_a_home_on_another_disk_gets_a_copy_and_asks_for_its_room(
    server: Server, repo: Repo, fill: Fill, other_disk: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(other_disk))
    fill()
    own = mine()
    model = own.find(ID, LOCAL)
    usage = shutil.disk_usage(own.settings.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=download.ASIDE + 10))
    assert own.notices(model, LOCAL)[0].code == "model.disk" and refused(lambda: own.fetch(model, LOCAL)).code == "model.disk"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert own.notices(model, LOCAL)[0].code == "model.in_cache"
    server.asked.clear()
    half = len(repo.files[WEIGHTS]) // 2
    monkeypatch.setattr(download, "PIECE", 1_000)
    assert refused(lambda: own.fetch(model, LOCAL, stopped=iter([False] * (half // 1_000) + [True] * 9).__next__)).code == "model.stopped"
    seen: list[tuple[int, int]] = []
    own.fetch(model, LOCAL, lambda done, total: seen.append((done, total)))
    assert fetched(server) == [] and [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] == sum(map(len, repo.files.values()))
    sound(own, repo)


def test_on_the_same_disk_a_cached_model_needs_no_room(fill: Fill, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    own = mine()
    usage = shutil.disk_usage(own.settings.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    assert own.notices(own.find(ID, LOCAL), LOCAL)[0].code == "model.in_cache"
    own.fetch(own.find(ID, LOCAL), LOCAL)
    sound(own, repo)


# Where the Hub cannot be asked


@pytest.mark.parametrize("way", ["set to stay offline", "no network"])
def test_without_the_hub_a_cached_model_is_looked_up_and_taken(
    way: str, fill: Fill, repo: Repo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1" if way == "set to stay offline" else "0")
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    if way == "no network":
        plan = Studio(settings.read(), LOCAL).plans.plan(ID, "starter-en", gpu_memory=12)
        assert plan["notices"][0]["code"] == "model.in_cache"
    assert main(["download", ID, "--json", "--lang", "en"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["model"] == ID and "already on this computer" in told.err
    sound(mine(), repo)
    assert mine().find(ID, LOCAL).card.title == "tiny"


@pytest.mark.parametrize("damage", ["one bit", "never ended"])
def test_without_the_hub_what_is_spoiled_is_not_taken(damage: str, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = fill()
    DAMAGES[damage](blob(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    own = mine()
    assert refused(lambda: own.fetch(own.find(ID, LOCAL), LOCAL)).code == "model.offline"
    assert own.downloaded() == []


def test_without_the_hub_a_model_that_may_not_be_used_stays_where_it_is(repo: Repo, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(files=repo.but(config={"auto_map": {"AutoModel": "modeling.Evil"}}).files)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert refused(lambda: mine().find(ID, LOCAL)).code == "model.offline"


# Who may


@pytest.mark.parametrize("closed", [{"gated": "auto"}, {"private": True}], ids=["gated", "private"])
def test_what_the_owner_s_cache_has_opens_nothing_to_a_visitor(
    closed: dict[str, object], server: Server, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id in (ID, OFFERED):
        fill(id, token="hf_theirs", **closed)
    monkeypatch.setenv("TUNING_MODE", "shared")
    own, code = mine(), "model.gated" if "gated" in closed else "model.private"
    for id, look in ((OFFERED, own.find), (ID, lambda id, owner: own.find(OFFERED, owner).model_copy(update={"id": id}))):
        model = look(id, "anna")
        assert refused(lambda model=model: own.notices(model, "anna")).code == code  # type: ignore[misc]
        assert refused(lambda model=model: own.fetch(model, "anna")).code == code  # type: ignore[misc]
        assert not own.in_cache(model, "anna")
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)  # nobody can say now whether she may
    away = mine()
    model = away.find(OFFERED, "anna")
    assert away.notices(model, "anna")[0].code == "model.hub_unreachable" and not away.in_cache(model, "anna")
    assert refused(lambda: away.fetch(model, "anna")).code == "model.hub_unreachable"
    assert away.downloaded() == []
    monkeypatch.setenv("TUNING_MODE", "local")
    assert mine().in_cache(model, LOCAL)


def test_a_visitor_has_what_is_open(server: Server, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Space that was built with `preload_from_hub`."""
    fill(OFFERED)
    monkeypatch.setenv("TUNING_MODE", "shared")
    own = mine()
    model = own.find(OFFERED, "anna")
    assert own.notices(model, "anna")[0].code == "model.in_cache" and own.in_cache(model, "anna")
    server.asked.clear()
    own.fetch(model, "anna")
    assert server.asked == [] and shelf.whole(model)


# What is said


def test_the_card_says_that_nothing_is_to_be_downloaded(fill: Fill) -> None:
    fill(OFFERED)
    entry = {one["id"]: one for one in Studio(settings.read(), LOCAL).models.list()}
    assert [id for id, one in entry.items() if one["in_cache"]] == [OFFERED] and not entry[OFFERED]["here"]
    for lang, to_come in (("en", "to download"), ("it", "da scaricare")):
        drawn = cards.model(entry[OFFERED], False, lang)
        assert "Hugging Face" in drawn and to_come not in drawn


def test_a_cache_that_shares_blobs_among_repositories_is_read_as_any_other(fill: Fill, tmp_path: pathlib.Path) -> None:
    """As huggingface_hub keeps what comes by Xet: the blob of a repository is a link into a store of the whole cache."""
    cache = fill()
    store = cache.parent / "blobs" / "ab" / ("ab" * 32)
    store.parent.mkdir(parents=True)
    own_blob = blob(cache)
    own_blob.rename(store)
    own_blob.symlink_to(os.path.relpath(store, own_blob.parent))
    own = mine()
    assert own.find(str(cache), LOCAL).card.title == ID
    model = own.find(ID, LOCAL)
    assert own.notices(model, LOCAL)[0].code == "model.in_cache"
