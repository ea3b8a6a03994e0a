"""How often is too often: so many at once, then one each so many seconds, for each owner and for all together, in bounded memory."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tuning import settings
from tuning.errors import RunError
from tuning.schema import LOCAL
from tuning.studio import Studio, pace
from tuning.studio.pace import IN_ALL, RATES, Pace

ASK = [{"role": "user", "content": "Ciao?"}]
# Each verb that takes the machine's time, or changes something.
VERBS: dict[str, Callable[[Studio], Any]] = {
    "start": lambda studio: studio.runs.train("starter", "starter-en", "no such recipe"),
    "resume": lambda studio: studio.runs.resume("nobody"),
    "further": lambda studio: studio.runs.create(),
    "stop": lambda studio: studio.runs.stop("nobody"),
    "rename": lambda studio: studio.runs.rename("nobody", "x"),
    "delete": lambda studio: studio.runs.delete("nobody"),
    "link": lambda studio: studio.links.give("nobody"),
    "withdraw": lambda studio: studio.links.withdraw("nobody"),
    "key": lambda studio: studio.keys.give(),
    "end of a key": lambda studio: studio.keys.withdraw(),
    "export": lambda studio: studio.exports.export("nobody", "adapter", pathlib.Path("x")),
    "plan": lambda studio: studio.plans.plan("starter", "starter-en"),
    "check": lambda studio: studio.data.check("starter-en"),
    "mend": lambda studio: studio.data.mend("nothing", None),
    "search": lambda studio: studio.models.search("x"),
    "download": lambda studio: studio.models.download(studio.models.find("starter")),
    "chat": lambda studio: studio.talk.ask("nobody", ASK),
    "evaluate": lambda studio: studio.talk.comparison("nobody"),
}


def test_so_many_at_once_then_one_by_one_for_each_and_for_all() -> None:
    now = [0.0]
    buckets, rate = Pace(clock=lambda: now[0]), RATES["message"]
    assert [buckets.take("anna", "message") for _ in range(rate.at_once)] == [0.0] * rate.at_once
    wait = buckets.take("anna", "message")
    assert 0 < wait <= rate.seconds and buckets.take("anna", "plan") == buckets.take("bruno", "message") == 0
    now[0] += wait
    assert buckets.take("anna", "message") == 0 < buckets.take("anna", "message")
    taken = sum(not buckets.take(f"new {number}", "message") for number in range(2 * IN_ALL * rate.at_once))
    assert taken < IN_ALL * rate.at_once  # who is somebody new each time shares what all have
    now[0] += 1e6
    assert [buckets.take("anna", "message") for _ in range(rate.at_once + 1)].count(0.0) == rate.at_once


def test_it_remembers_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_REMEMBERED", 50)
    now = [0.0]
    buckets = Pace(clock=lambda: now[0])
    for number in range(1000):
        now[0] += 10
        assert buckets.take(f"owner {number}", "plan") == 0
    assert len(buckets._left) == 50


@pytest.mark.parametrize("mode", ["shared", "space", "local"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_takes_time_is_paced_where_others_come_in(home: pathlib.Path, verb: str, mode: Any) -> None:
    house = Studio(settings.Settings(home=home, mode=mode, offline=True, operators=("prof",)), LOCAL)
    house.shared.pace.take = lambda owner, kind: 7.2  # type: ignore[method-assign]
    for owner, slowed in (("anna", mode != "local"), ("prof", mode != "local"), (LOCAL, False)):
        with pytest.raises(Exception) as caught:
            VERBS[verb](house.for_owner(owner))
            raise AssertionError("done")
        told = getattr(caught.value, "code", None)
        assert (told == "quota.pace") == slowed, (owner, caught.value)
        assert not slowed or (isinstance(caught.value, RunError) and caught.value.params == {"seconds": 8})
