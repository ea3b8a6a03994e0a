"""Two owners of one home: neither sees, changes, stops or talks to what the other has."""

import ast
import pathlib
import re
from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest

from tests.engine.conftest import FAST
from tuning import settings
from tuning.errors import InputError, TuningError
from tuning.forecast import guide
from tuning.schema import LOCAL
from tuning.serve import owners
from tuning.studio import Studio
from tuning.ui.desk import Desk
from tuning.ui.slip import Order
from tuning.ui.tabs import model

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASK = [{"role": "user", "content": "Ciao?"}]
UNKNOWN = "20200101-000000-starter-none-00000000"


def fault(work: Callable[[], Any], own: str) -> tuple[type[TuningError], str, str]:
    """The error of `work`, without the name that was asked for."""
    with pytest.raises(TuningError) as caught:
        made = work()
        if hasattr(made, "__next__"):
            next(made)
    return type(caught.value), caught.value.code, str(caught.value.params).replace(own, "?")


@pytest.fixture
def a(home: pathlib.Path) -> Studio:
    return Studio(settings.read(), "a")


@pytest.fixture(params=["a house of its own", "the same house"])
def b(request: pytest.FixtureRequest, a: Studio) -> Studio:
    return Studio(a.settings, "b") if request.param == "a house of its own" else a.for_owner("b")


ON_RUNS: dict[str, Callable[[Studio, str], Any]] = {
    "show": lambda studio, run: studio.runs.show(run),
    "stop": lambda studio, run: studio.runs.stop(run),
    "resume": lambda studio, run: studio.runs.resume(run),
    "resumable": lambda studio, run: studio.runs.resumable(run),
    "delete": lambda studio, run: studio.runs.delete(run),
    "rename": lambda studio, run: studio.runs.rename(run, "mine"),
    "again": lambda studio, run: studio.runs.again(run, {}),
    "further": lambda studio, run: studio.runs.further(run),
    "glimpse": lambda studio, run: studio.runs.glimpse(run),
    "ways": lambda studio, run: studio.runs.ways(run),
    "export": lambda studio, run: studio.exports.export(run, "adapter", pathlib.Path("x.zip")),
    "offers": lambda studio, run: studio.exports.offers(run),
    "make": lambda studio, run: studio.exports.make(run, "adapter"),
    "fetch_converter": lambda studio, run: studio.exports.fetch_converter(run),
    "remove": lambda studio, run: studio.exports.remove(run, "adapter"),
    "chat": lambda studio, run: studio.talk.chat(run, ASK),
    "question": lambda studio, run: studio.talk.question(run, ASK, base=True),
    "evaluate": lambda studio, run: studio.talk.evaluate(run),
}


@pytest.mark.parametrize("verb", ON_RUNS)
def test_a_run_of_another_owner_is_as_unknown_as_one_that_never_was(a: Studio, b: Studio, verb: str) -> None:
    run = a.runs.create("starter", "starter-en", settings={**FAST})
    run.enqueue()
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    call = ON_RUNS[verb]
    assert fault(lambda: call(b, run.id), run.id) == fault(lambda: call(b, UNKNOWN), UNKNOWN)
    assert fault(lambda: call(b, run.id[:-3]), run.id[:-3]) == fault(lambda: call(b, UNKNOWN), UNKNOWN)
    assert fault(lambda: call(b, "last"), "last") == fault(lambda: call(b, UNKNOWN), UNKNOWN)
    assert before == {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    assert b.runs.list() == [] and b.runs.ids() == []
    assert [one["run"] for one in a.runs.list()] == [run.id] and a.runs.show(run.id)["status"] == "queued"


def test_a_new_run_belongs_to_whoever_made_it(a: Studio, b: Studio) -> None:
    theirs = b.runs.train("starter", "starter-en", settings={**FAST})["run"]
    mine = a.runs.train("starter", "starter-en", settings={**FAST})["run"]
    assert [one["run"] for one in b.runs.list()] == [theirs] and [one["run"] for one in a.runs.list()] == [mine]


def test_data_and_audits_of_another_owner_are_unknown(a: Studio, b: Studio) -> None:
    spec = a.data.find("starter-en")
    assert a.data.audit(spec.id, "starter") is not None
    used: dict[str, Callable[[], Any]] = {
        "report": lambda: b.data.report(spec.id),
        "report in tokens": lambda: b.data.report(spec.id, "starter"),
        "audit": lambda: b.data.audit(spec.id, "starter"),
        "preview": lambda: b.data.preview(spec.id),
        "mend": lambda: b.data.mend(spec.id, "duplicates"),
        "check": lambda: b.data.check(spec.id),
        "plan": lambda: b.plans.plan("starter", spec.id),
        "train": lambda: b.runs.train("starter", spec.id),
    }
    for name, work in used.items():
        kind, code, _ = fault(work, spec.id)
        assert (kind, code) == (InputError, "data.unknown"), name
    names = [entry["id"] for entry in b.data.list() if not entry["offered"]]
    assert spec.id not in names and names == []
    own = b.data.find("starter-en")
    assert own.id != spec.id and own.owner == "b"  # the same rows, and still their own


def test_an_audit_of_the_one_is_no_news_for_the_other(a: Studio, b: Studio) -> None:
    data, theirs = a.data.find("starter-en").id, b.data.find("starter-en").id
    guessed = b.plans.plan("starter", theirs)["seconds"]
    a.data.audit(data, "starter")
    assert b.plans.plan("starter", theirs)["seconds"] == guessed
    b.data.audit(theirs, "starter")
    assert b.plans.plan("starter", theirs)["seconds"] != guessed


def test_folders_of_the_machine_are_its_owner_s_alone(a: Studio, b: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path) -> None:
    mine = a.for_owner(LOCAL)
    assert mine.models.find(str(tiny_model)).path == str(tiny_model) and mine.data.find(str(rows_file)).owner == LOCAL
    for other in (a, b):
        assert fault(lambda other=other: other.models.find(str(tiny_model)), "")[0] is InputError
        assert fault(lambda other=other: other.talk.question(str(tiny_model), ASK), "")[0] is InputError
        assert fault(lambda other=other: other.data.find(str(rows_file)), "")[1] == "data.unknown"


def test_a_model_that_somebody_else_s_run_waits_for_stays(a: Studio, b: Studio, tiny_model: pathlib.Path) -> None:
    place = a.settings.home / "models" / "tailors--tiny"
    place.parent.mkdir(parents=True)
    place.symlink_to(tiny_model, target_is_directory=True)
    run = a.runs.create("tailors/tiny", "starter-en", settings={**FAST})
    run.enqueue()
    with pytest.raises(TuningError) as caught:
        b.models.remove("tailors/tiny")
    assert caught.value.code == "model.in_use" and run.id not in str(caught.value.params)
    assert place.is_dir()


class Page:
    """A desk, and who comes to it."""

    def __init__(self, house: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(owners, "of", lambda request, settings: str(request))  # as a public mode will say it
        with gr.Blocks():
            self.desk = Desk(house, "en")


def test_each_event_sees_the_things_of_whoever_asks(a: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Page(a, monkeypatch).desk
    run = a.runs.create("starter", "starter-en", settings={**FAST}).id

    def seen() -> list[str]:
        return [one["run"] for one in desk.runs(shared=True)]

    def steps() -> Any:
        yield seen()
        yield seen()

    handler, stream = desk.bound(seen), desk.bound(steps)
    assert (handler("a"), handler("b"), handler("a")) == ([run], [], [run])
    first, second = stream("a"), stream("b")  # their steps alternate
    assert [next(first), next(second), next(first), next(second)] == [[run], [], [run], []]
    with pytest.raises(LookupError):  # who does not say who asks gets nobody's things
        desk.runs(shared=True)


def test_what_was_found_for_one_is_not_shown_to_another_and_nobody_drives_it_out(a: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Page(a, monkeypatch).desk
    data = a.data.find("starter-en").id
    choice = Order(model="starter", data=data)
    made: list[str] = []
    plan = type(a.plans).plan

    def counted(self: Any, *choices: Any, **named: Any) -> Any:
        made.append(self.owner)
        return plan(self, *choices, **named)

    monkeypatch.setattr(type(a.plans), "plan", counted)
    for _ in range(3):
        with desk.serving("a"):
            assert desk.plan(choice, {})[0] is not None
            assert desk.checked(data)["data"] == data
        with desk.serving("b"):
            found, trouble = desk.plan(choice, {})
            assert found is None and trouble is not None and trouble[0] == "data.unknown"
            with pytest.raises(InputError, match=r"data\.unknown"):
                desk.checked(data)
    assert sorted(made) == ["a", "b"]  # once each


def test_no_owner_is_anybody_s_default() -> None:
    for path in [ROOT / "app.py", *sorted((ROOT / "tuning").rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                positional = [*node.args.posonlyargs, *node.args.args]
                given = positional[len(positional) - len(node.args.defaults) :]
                given += [one for one, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default is not None]
                assert "owner" not in [one.arg for one in given], f"{path.name}: {node.name}"
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "owner":
                assert node.value is None, path.name


def test_page_and_terminal_reach_nothing_past_the_studio() -> None:
    above = [
        "app.py",
        "tuning/cli/main.py",
        "tuning/cli/foreground.py",
        "tuning/cli/talking.py",
        *(str(path.relative_to(ROOT)) for path in (ROOT / "tuning/ui").rglob("*.py")),
    ]
    for name in above:
        assert not re.search(r"\.shared\.", (ROOT / name).read_text(encoding="utf-8")), name
    parts = {"models", "data", "plans", "runs", "talk"}
    for part in sorted(parts):
        text = (ROOT / f"tuning/studio/{part}.py").read_text(encoding="utf-8")
        methods = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
        assert methods and not [node.name for node in methods if "owner" in [one.arg for one in node.args.args]], part


def test_the_catalog_and_the_guide_are_made_once_for_all_who_look(a: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, made = Page(a, monkeypatch).desk, []
    offer = guide.offer
    monkeypatch.setattr(guide, "offer", lambda *given: made.append(1) or offer(*given))
    for owner in ("a", "b", "a", "c"):
        with desk.serving(owner):
            assert model.guide(desk) and desk.models()
        made.append(0)
    assert len(made[made.index(0) :]) == 4  # nothing after the first one
