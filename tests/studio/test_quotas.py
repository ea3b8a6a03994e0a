"""What visitors of a shared machine may have: each bound is told with its end and a way, and nobody's bound is another's."""

import pathlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.engine.conftest import FAST
from tuning import settings
from tuning.data.ingest import ReadingOptions
from tuning.errors import TuningError
from tuning.schema import ANONYMOUS, LOCAL, SIGNED_IN
from tuning.studio import Studio, quotas
from tuning.text import say


def refused(work: Callable[[], Any]) -> str:
    with pytest.raises(TuningError) as caught:
        work()
    for lang in ("en", "it"):
        assert "{" not in say(lang, caught.value.code, caught.value.params)
    return caught.value.code


def start(studio: Studio, **changes: Any) -> dict[str, Any]:
    return studio.runs.train("starter", "starter-en", settings={**FAST, **changes})


def test_a_visitor_has_so_many_runs_at_once_and_others_have_their_own(house: Studio) -> None:
    anna, bruno = house.for_owner("anna"), house.for_owner("bruno")
    first = start(anna)["run"]
    start(anna)
    assert refused(lambda: start(anna)) == "quota.runs"
    assert len(anna.runs.list()) == 2, "a run that was refused leaves nothing behind"
    start(bruno)
    for _ in range(3):
        start(house)  # the operator is not bounded
    anna.runs.stop(first)
    start(anna)
    assert refused(lambda: anna.runs.resume(first)) == "quota.runs"


def test_who_asks_for_many_runs_at_once_has_no_more_of_them(house: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither new ones nor such as were stopped; each was looked at before the others were in the queue."""
    monkeypatch.setattr(quotas.Quotas, "pace", lambda self, kind: None)
    anna = house.for_owner("anna")
    stopped = []
    for _ in range(5):
        stopped.append(start(anna)["run"])
        anna.runs.stop(stopped[-1])
    for ask in (lambda number: start(anna), lambda number: anna.runs.resume(stopped[number])):
        come = threading.Barrier(5)

        def one(number: int, ask: Any = ask, come: threading.Barrier = come) -> str:
            come.wait(30)
            try:
                return str(ask(number)["status"])
            except TuningError as error:
                return error.code

        with ThreadPoolExecutor(5) as several:
            told = list(several.map(one, range(5)))
        assert sorted(told) == ["queued"] * 2 + ["quota.runs"] * 3
        assert sum(run["status"] == "queued" for run in anna.runs.list()) == 2
        for run in anna.runs.list():
            if run["status"] == "queued":
                anna.runs.stop(run["run"])
    assert len(anna.runs.list()) == 7, "those that were refused leave nothing behind"


def test_a_visitor_s_run_is_not_longer_than_allowed(house: Studio) -> None:
    long = {"max_steps": 10_000_000}
    assert refused(lambda: start(house.for_owner("anna"), **long)) == "quota.minutes"
    start(house, **long)


def test_a_visitor_takes_models_of_the_catalog_alone(house: Studio, tiny_model: pathlib.Path) -> None:
    place = house.settings.home / "models" / "tailors--tiny"
    place.parent.mkdir(parents=True)
    place.symlink_to(tiny_model, target_is_directory=True)
    anna = house.for_owner("anna")
    ask = [{"role": "user", "content": "Ciao?"}]
    assert refused(lambda: anna.runs.train("tailors/tiny", "starter-en", settings={**FAST})) == "quota.model"
    assert refused(lambda: anna.talk.question("tailors/tiny", ask)) == "quota.model"
    assert refused(lambda: anna.models.download(anna.models.find("tailors/tiny"))) == "quota.model"
    house.runs.train("tailors/tiny", "starter-en", settings={**FAST})


def test_a_visitor_changes_nothing_for_everybody(house: Studio, tmp_path: pathlib.Path) -> None:
    anna = house.for_owner("anna")
    assert refused(lambda: anna.models.remove("tailors/tiny")) == "quota.operator"
    assert refused(lambda: anna.models.move("tailors/tiny", tmp_path)) == "quota.operator"
    assert refused(lambda: anna.exports.export("any", "gguf", tmp_path)) == "quota.operator"  # its converter would be fetched


def test_a_visitor_s_room_is_bounded(house: Studio, rows_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, bruno = house.for_owner("anna"), house.for_owner("bruno")
    data = anna.data.find("starter-en").id
    monkeypatch.setattr(quotas, "VISITORS", replace(quotas.VISITORS, storage_bytes=anna.shared.library.size("anna")))
    assert refused(lambda: start(anna)) == "quota.storage"
    assert refused(lambda: anna.data.ingest([rows_file], ReadingOptions(name="mine"))) == "quota.storage"
    assert anna.data.check(data)["rows_kept"]  # what is there stays
    bruno.data.ingest([rows_file], ReadingOptions(name="mine"))


def test_alone_on_a_machine_nothing_is_bounded(home: pathlib.Path) -> None:
    studio = Studio(settings.read(), LOCAL)
    for _ in range(4):
        start(studio, max_steps=10_000_000)


def test_the_operator_sees_orders_stops_and_deletes_everybody_s_runs_and_reads_nothing(house: Studio) -> None:
    anna, bruno = house.for_owner("anna"), house.for_owner("bruno")
    runs = [start(studio)["run"] for studio in (anna, bruno, anna, bruno)]
    everybody = house.everybody
    assert everybody.allowed and [one["run"] for one in everybody.list()] == runs
    assert [one["owner"] for one in everybody.list()] == ["anna", "bruno", "anna", "bruno"]
    assert not {"name", "data", "log", "samples"} & set(everybody.list()[0])
    everybody.ahead(runs[2])
    everybody.ahead(runs[3])
    assert [one["run"] for one in everybody.list()] == [runs[3], runs[2], runs[0], runs[1]]
    assert [one["place"] for one in sorted(anna.runs.list(), key=lambda one: one["place"])] == [2, 3]
    everybody.stop(runs[3])
    everybody.delete(runs[3])
    assert refused(lambda: everybody.ahead(runs[3])) == "run.unknown"
    anna.runs.stop(runs[0])
    assert refused(lambda: everybody.ahead(runs[0])) == "run.not_waiting"
    assert [one["run"] for one in bruno.runs.list()] == [runs[1]]
    for act in (
        anna.everybody.list,
        *(lambda do=do: do(runs[1]) for do in (anna.everybody.ahead, anna.everybody.stop, anna.everybody.delete)),
    ):
        assert refused(act) == "quota.operator"
    assert not anna.everybody.allowed
    assert [one["run"] for one in bruno.runs.list()] == [runs[1]]


def on_a_space(home: pathlib.Path, **space: bool) -> Studio:
    """A Space's house, and in it a visitor who has not signed in."""
    made = settings.read({"SYSTEM": "spaces", "SPACE_ID": "x/y", "TUNING_HOME": str(home), "HF_TOKEN": "hf_of_the_space"})
    assert made.mode == "space" and made.token is None and made.space is not None
    return Studio(replace(made, space=replace(made.space, **space)), ANONYMOUS + "one")


def test_who_has_not_signed_in_trains_the_starter_one_run_at_once_and_shortly(home: pathlib.Path) -> None:
    one = on_a_space(home)
    other, signed = one.for_owner(ANONYMOUS + "two"), one.for_owner(SIGNED_IN + "abc")
    first = start(one)["run"]
    assert refused(lambda: start(one)) == "quota.one"
    start(other)
    assert refused(lambda: start(one.for_owner(ANONYMOUS + "three"), max_steps=1_000_000)) == "quota.minutes"
    one.runs.stop(first)
    start(one)
    assert refused(lambda: one.runs.resume(first)) == "quota.one"
    start(signed)
    start(signed)
    assert refused(lambda: start(signed)) == "quota.runs"


def test_other_models_are_for_those_who_sign_in(home: pathlib.Path) -> None:
    one = on_a_space(home)
    ask, another = [{"role": "user", "content": "Ciao?"}], next(card["id"] for card in one.models.list() if not card["here"])
    for studio, code in ((one, "quota.starter"), (on_a_space(home, oauth=True), "quota.sign_in")):
        assert refused(lambda studio=studio: studio.runs.train(another, "starter-en", settings={**FAST})) == code
        assert refused(lambda studio=studio: studio.talk.question(another, ask)) == code
        assert refused(lambda studio=studio: studio.models.download(studio.models.find(another))) == code
    one.talk.question("starter", ask)
    assert refused(lambda: one.for_owner(SIGNED_IN + "abc").talk.question(another, ask)) == "model.not_here"


def test_visitors_who_throw_their_cookies_away_do_not_fill_the_queue(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "PASSING_IN_ALL", 2)
    one = on_a_space(home)
    for number in range(2):
        start(one.for_owner(f"{ANONYMOUS}{number}"))
    assert refused(lambda: start(one.for_owner(ANONYMOUS + "new"))) == "quota.full"
    start(one.for_owner(SIGNED_IN + "abc"))


def test_lent_cards_are_not_trained_on_by_anybody(home: pathlib.Path) -> None:
    one = on_a_space(home, zero_gpu=True)
    for studio in (one, one.for_owner(SIGNED_IN + "abc"), one.for_owner(LOCAL)):
        assert refused(lambda studio=studio: start(studio)) == "quota.zero_gpu"
    one.talk.question("starter", [{"role": "user", "content": "Ciao?"}])


def test_whose_space_it_is_and_its_terminal_run_it(home: pathlib.Path) -> None:
    env = {"SYSTEM": "spaces", "SPACE_ID": "x/y", "TUNING_HOME": str(home), "SPACE_CREATOR_USER_ID": "abc"}
    house = Studio(settings.read(env), LOCAL)
    assert house.everybody.allowed and house.for_owner(SIGNED_IN + "abc").everybody.allowed
    assert not house.for_owner(SIGNED_IN + "abd").everybody.allowed and not house.for_owner(ANONYMOUS + "abc").everybody.allowed
