"""A home that loses its disk, with a Hub on the loopback interface beside it: what goes there, what comes back, and whose it is then."""

import hashlib
import os
import pathlib
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import huggingface_hub.constants
import pytest

from tests.conftest import write_rows
from tests.engine.conftest import FAST
from tests.hub.receiving import TOKEN, Kept, Receiving
from tuning import settings
from tuning.data.library import Library
from tuning.data.records import SPEC
from tuning.errors import InputError
from tuning.mirror import keeper, mirrored
from tuning.mirror.keeper import MirrorKeeper
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import ANONYMOUS, LOCAL, RunState
from tuning.serve import hosted
from tuning.studio import Studio
from tuning.text import t
from tuning.ui import view

REPO = "anna/sartoria-runs"
ANNA, BRUNO = "hf:anna", ANONYMOUS + "b" * 32


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiving]:
    for name, value in (("HF_HUB_OFFLINE", False), ("HF_HUB_DISABLE_XET", True)):
        monkeypatch.setattr(huggingface_hub.constants, name, value)
    with Receiving() as made:
        yield made
        made.shutdown()


@pytest.fixture
def here(hub: Receiving, home: pathlib.Path) -> settings.Settings:
    return settings.Settings(home=home, endpoint=hub.address, mirror=settings.Mirror(REPO, TOKEN))


Made = Callable[..., Run]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, tiny_model: pathlib.Path) -> pathlib.Path:
    """A home with one run that nobody has trained, made once."""
    folder = tmp_path_factory.mktemp("template")
    studio = Studio(settings.Settings(home=folder / "home"), LOCAL)
    studio.runs.create(str(tiny_model), str(write_rows(folder / "rows.json")), "facts", FAST)
    return folder / "home"


@pytest.fixture
def made(here: settings.Settings, template: pathlib.Path) -> Made:
    """A run of somebody's, as a process that was killed leaves it: at work, with a whole checkpoint."""

    def make(owner: str = ANNA, step: int = 3) -> Run:
        [run], [data] = (template / "runs").iterdir(), (template / "data").iterdir()
        mark, place = hashlib.sha256(owner.encode()).hexdigest()[:8], here.home
        shutil.copytree(run, place / "runs" / f"{run.name}-{mark}")
        shutil.copytree(data, place / "data" / f"{data.name}-{mark}")
        for file in (place / "runs" / f"{run.name}-{mark}" / "spec.yaml", place / "data" / f"{data.name}-{mark}" / SPEC):
            text = file.read_text(encoding="utf-8").replace(run.name, f"{run.name}-{mark}").replace(data.name, f"{data.name}-{mark}")
            file.write_text(re.sub(r'(owner"?: "?)local', rf"\g<1>{owner}", text), encoding="utf-8")
        found = Run(place / "runs" / f"{run.name}-{mark}")
        save(found, step)
        return found

    return make


def save(run: Run, step: int) -> None:
    built = checkpoints.building(run.checkpoints)
    for name in (*checkpoints.NEEDED, "adapter_model.safetensors"):
        (built / name).write_bytes(f"{name} at {step}".encode() * 100)
    checkpoints.commit(built, run.checkpoints, step)
    checkpoints.rotate(run.checkpoints)
    run.write_state(RunState(status="running", step=step, total_steps=10))


def keeps(here: settings.Settings) -> MirrorKeeper:
    return MirrorKeeper(here, Store(here.home))


def emptied(here: settings.Settings) -> settings.Settings:
    """The same machine after it slept without a disk."""
    shutil.rmtree(here.home)
    here.home.mkdir()
    return here


def files_of(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_runs_come_back_into_an_empty_home_whole_and_to_those_whose_they_were(here: settings.Settings, hub: Receiving, made: Made) -> None:
    hers, his = made(ANNA), made(BRUNO)
    (his.folder / "stop").touch()
    his.write_state(RunState(status="stopped", step=3))
    his.rename("Tariffe")
    save(hers, 6)
    before = {run.id: files_of(run.folder) for run in (hers, his)}
    assert keeps(here).work() == keeper.LOOK_SECONDS and hub.kept(REPO).private
    assert not [name for name in hub.kept(REPO).files if "checkpoint-3" in name and hers.id in name]  # the newest one alone

    again = keeps(emptied(here))
    assert again.work() == keeper.LOOK_SECONDS
    store, anna, bruno = Store(here.home), Studio(here, ANNA), Studio(here, BRUNO)
    assert [run.id for run in store.all(ANNA)] == [hers.id] and [run.id for run in store.all(BRUNO)] == [his.id]
    assert {spec.owner for owner in (ANNA, BRUNO) for spec in Library(here.home).list(owner)} == {ANNA, BRUNO}
    assert anna.data.shared.library.rows(hers.spec().data.id, ANNA, 1) and bruno.runs.show(his.id)["name"] == "Tariffe"
    assert checkpoints.step_of(checkpoints.newest(hers.checkpoints) or hers.folder) == 6
    assert files_of(hers.checkpoints) == {
        name.removeprefix("checkpoints/"): content for name, content in before[hers.id].items() if "checkpoint-6" in name
    }
    assert [run.id for run in store.queue()] == [hers.id] and hers.state().recoveries[-1].code == "recovery.woken"
    assert his.state().status == "stopped"  # what had ended stays as it was


@pytest.mark.parametrize(
    "way", ["cut", "full", "denied", *(pytest.param(way, marks=pytest.mark.nightly) for way in ("dead", "public", "taken", "unknown"))]
)
def test_what_did_not_arrive_is_told_on_its_run_and_tried_again(
    here: settings.Settings, hub: Receiving, made: Made, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    run, broken = made(), here
    if way in ("public", "taken"):
        hub.repos[REPO] = Kept({}, private=way == "taken", token=TOKEN, tags=())
        hub.kept(REPO).commit("main", {} if way == "public" else {"thesis.pdf": b"mine"}, "theirs")
    if way == "dead":
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            broken = replace(here, endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}")
    if way == "unknown":
        broken = replace(here, mirror=settings.Mirror(REPO, "hf_withdrawn"))
    hub.forbidden, hub.full, hub.cut = way == "denied", way == "full", 99 * (way == "cut")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # between the tries of the library itself
    code = {"dead": "cut", "denied": "rights", "unknown": "token"}.get(way, way)
    studio, failing = Studio(here, ANNA), keeps(broken)

    assert [failing.work(), failing.work()] == list(keeper.AGAIN_SECONDS[:2])
    assert [notice["code"] for notice in studio.runs.show(run.id)["notices"]] == [f"mirror.{code}"]
    why = mirrored.trouble(here.home)
    assert why is not None and why.code == f"mirror.{code}" and "{" not in t("it", why.code, **why.params)
    for lang in ("en", "it"):
        assert t(lang, why.code, **why.params)[:30] in view.on_a_space(settings.Space(), lang, mirrored=True, unmirrored=why)

    hub.forbidden = hub.full = False
    hub.cut = 0
    if way in ("public", "taken"):
        del hub.repos[REPO]
    mended = keeps(here) if broken is not here else failing
    assert mended.work() == keeper.LOOK_SECONDS
    assert studio.runs.show(run.id)["notices"] == [] and mirrored.trouble(here.home) is None
    assert f"runs/{run.id}/spec.yaml" in hub.kept(REPO).files


def test_a_run_that_the_hub_does_not_take_or_give_holds_up_no_other(here: settings.Settings, hub: Receiving, made: Made) -> None:
    large, small, keeping = made(BRUNO), made(ANNA), keeps(here)
    assert large.id < small.id
    shutil.rmtree(small.checkpoints)
    hub.full = True
    for _ in range(2):
        keeping.work()
    names = hub.kept(REPO).files
    assert f"runs/{small.id}/spec.yaml" in names and f"runs/{large.id}/spec.yaml" not in names
    assert mirrored.trouble(small.folder) is None and mirrored.trouble(large.folder) is not None

    hub.full = False
    impossible = {"runs/zz/name": b"x", "runs/zz/name/spec.yaml": b"x"}  # a file and a folder of one name
    hub.kept(REPO).commit("main", {**names, **impossible}, "theirs")
    again = keeps(emptied(here))
    again.work()
    assert [run.id for run in Store(here.home).all(ANNA)] == [small.id] and mirrored.trouble(here.home) is not None
    made(BRUNO)
    again.work()
    assert f"runs/{large.id}/spec.yaml" in hub.kept(REPO).files


def test_what_is_deleted_here_is_deleted_there_and_stays_so(here: settings.Settings, hub: Receiving, made: Made) -> None:
    run, other, keeping = made(), made(BRUNO), keeps(here)
    keeping.work()
    run.write_state(RunState(status="stopped"))
    Studio(here, ANNA).runs.delete(run.id)
    keeps(here).work()  # by the next process, where the first had no time for it
    names = hub.kept(REPO).files
    assert not [name for name in names if run.id in name or run.id in names[name].decode(errors="replace")]
    assert [name for name in names if name.startswith("data/")] and [name for name in names if other.id in name]
    keeps(emptied(here)).work()
    assert [one.id for one in Store(here.home).of_everybody()] == [other.id]


def test_no_token_is_in_any_file_and_nothing_is_sent_twice(here: settings.Settings, hub: Receiving, made: Made) -> None:
    run = made()
    keeping = keeps(here)
    keeping.work()
    said = len(hub.kept(REPO).said)
    assert keeping.work() == keeper.LOOK_SECONDS and keeps(here).work() == keeper.LOOK_SECONDS
    assert len(hub.kept(REPO).said) == said
    keeps(emptied(here)).work()
    everywhere = [*files_of(here.home).values(), *hub.kept(REPO).files.values(), repr(here).encode()]
    assert run.folder.is_dir() and not [content for content in everywhere if TOKEN.encode() in content]
    assert not {name.split("/")[0] for name in hub.kept(REPO).files} - {"runs", "data", ".gitattributes"}


def test_a_checkpoint_that_was_spoiled_there_does_not_come_back(here: settings.Settings, hub: Receiving, made: Made) -> None:
    run = made()
    keeps(here).work()
    spoiled = {f"runs/{run.id}/checkpoints/checkpoint-3/optimizer.pt": b"import os", f"runs/{run.id}/adapter/../../../../out": b"x"}
    hub.kept(REPO).commit("main", {**hub.kept(REPO).files, **spoiled, f"runs/{run.id}/engine.lock": b"x"}, "theirs")
    keeps(emptied(here)).work()
    assert not (here.home.parent / "out").exists() and not run.lock_path.exists()
    assert run.known() is not None and checkpoints.by_age(run.checkpoints) == []


def test_a_run_that_ends_again_and_again_without_a_step_waits_for_a_person(here: settings.Settings, made: Made) -> None:
    run, states = made(), []
    for _ in range(3):
        keeps(here).work()
        keeps(emptied(here)).work()
        states.append(run.state().status)
        (run.folder / "queue").unlink(missing_ok=True)
        run.write_state((run.saved_state() or RunState(status="running")).model_copy(update={"status": "running"}))
    assert states == ["queued", "queued", "interrupted"]


def test_the_cookies_of_visitors_hold_where_the_key_has_gone_with_the_home(here: settings.Settings) -> None:
    before = hosted.key(here.home, here.mirror)
    assert hosted.key(here.home, here.mirror) == before and len(before) == hosted.KEY_BYTES and not here.home.exists()
    assert hosted.key(here.home, settings.Mirror(REPO, "hf_other")) != before


@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({}, None),
        ({"TUNING_MIRROR": REPO, "HF_TOKEN": "hf_x"}, None),
        ({"TUNING_MIRROR": REPO}, "mirror.no_token"),
        ({"TUNING_MIRROR": "anna", "HF_TOKEN": "hf_x"}, "mirror.name"),
        ({"TUNING_MIRROR": "https://huggingface.co/anna/x", "HF_TOKEN": "hf_x"}, "mirror.name"),
        ({"TUNING_MIRROR": REPO, "HF_TOKEN": "hf_x", "HF_HUB_OFFLINE": "1"}, "mirror.offline"),
    ],
)
def test_a_mirror_that_could_not_be_one_is_refused_before_anything_starts(env: dict[str, str], code: str | None) -> None:
    read = settings.read({**env, "SYSTEM": "spaces", "SPACE_ID": "x/y"})
    assert read.token is None  # on a Space it is used for nothing else
    if code is None:
        return settings.require_mirror(read)
    with pytest.raises(InputError, match=code):
        settings.require_mirror(read)


def test_names_that_a_class_types_are_no_owners_to_come_back_to(here: settings.Settings) -> None:
    with pytest.raises(InputError, match=r"mirror\.open_class"):
        settings.require_mirror(settings.opened(here, ("prof",), "class"))


@pytest.mark.nightly
def test_the_hub_is_asked_for_fewer_commits_than_it_allows(here: settings.Settings, hub: Receiving, made: Made) -> None:
    run, keeping = made(), keeps(here)
    for step in range(keeper.MOST_AN_HOUR + 2):
        run.rename(f"name {step}")
        os.utime(run.folder / "name", ns=(step, step))
        keeping.work()
    assert len([1 for _, path, _ in hub.asked if "/commit/" in path]) == keeper.MOST_AN_HOUR
    assert len(hub.kept(REPO).said) <= 20  # the older ones were let go of
    trouble = mirrored.trouble(run.folder)
    assert trouble is not None and trouble.code == "mirror.busy"
