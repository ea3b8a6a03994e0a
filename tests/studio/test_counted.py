"""Before a run the tokens of its data are counted by the model's own tokenizer, wherever nobody waits at a page."""

import json
import pathlib
import shutil
import types
from typing import Any

import pytest

from tuning import settings
from tuning.errors import InputError
from tuning.schema import LOCAL, ModelRef
from tuning.studio import Studio, plans
from tuning.tokens import kept

MODEL = settings.PRESETS / "starter" / "model"
pytestmark = pytest.mark.drawn("counted tokens")
LONG = "東京の仕立屋。" * 5  # 35 characters, each of several tokens: by its characters it has ten


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model of the tests counts as one that takes its time."""
    monkeypatch.setattr(plans, "SMALLEST", 0)


@pytest.fixture
def studio(home: pathlib.Path) -> Studio:
    return Studio(settings.read(home=str(home)), LOCAL)


def rows(folder: pathlib.Path, count: int) -> str:
    path = folder / "tailor.jsonl"
    path.write_text("".join(json.dumps({"question": f"{n}?", "answer": f"{LONG}{n}"}) + "\n" for n in range(count)), encoding="utf-8")
    return str(path)


def seconds(studio: Studio, data: str, model: str = "starter") -> float:
    return float(studio.plans.plan(model, data, settings={"max_steps": 5})["seconds"])


def known(studio: Studio, data: str) -> kept.Lengths | None:
    model: ModelRef = studio.models.find("starter")
    return studio.shared.audits.counted(kept.Audited(data, model, LOCAL, "off"), look=False)


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("this was known already")


def test_a_plan_goes_by_the_tokens_of_the_rows(studio: Studio, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = studio.data.find(rows(tmp_path, 30)).id
    told = seconds(studio, data)
    found = studio.data.audit(data, "starter")
    assert found is not None and len(found.audit.looked) == 30 and found.audit.sampled is None
    assert seconds(studio, data) == told  # what the page shows of the tokens is the same, and is there already
    monkeypatch.setattr(plans, "SMALLEST", 10**9)
    monkeypatch.setattr(kept, "here", never)
    assert seconds(Studio(studio.settings, LOCAL), data) == told
    shutil.rmtree(studio.settings.home / "data" / data)
    guessed = seconds(Studio(studio.settings, LOCAL), str(tmp_path / "tailor.jsonl"))
    assert told - plans.planning.duration.START_SECONDS > 2 * (guessed - plans.planning.duration.START_SECONDS)


def test_of_many_rows_a_few_are_counted_once(studio: Studio, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = studio.data.find(rows(tmp_path, 1700)).id
    told, found = seconds(studio, data), known(studio, data)
    assert found is not None and (found.audit.sampled, found.audit.rows) == (kept.FEW, 1700)
    assert {one.row for one in found.audit.looked} == {1 + at * 1700 // kept.FEW for at in range(kept.FEW)}
    assert (
        studio.shared.audits.known(kept.Audited(data, studio.models.find("starter"), LOCAL)) is None
    )  # which is for who looks at the tokens
    monkeypatch.setattr("tuning.tokens.audit.audit", never)
    assert seconds(Studio(studio.settings, LOCAL), data) == told


def test_a_page_does_not_wait_for_it_and_a_start_does(studio: Studio, tmp_path: pathlib.Path) -> None:
    data = studio.data.find(rows(tmp_path, 30)).id
    studio.shared.workshop = types.SimpleNamespace()  # type: ignore[assignment]  # of a page there is one
    told = seconds(studio, data)
    assert known(studio, data) is None
    started = studio.plans.resolve("starter", data, None, {"max_steps": 5}, None, "en")[3]
    assert known(studio, data) is not None and started.forecast.seconds > told


@pytest.mark.parametrize("broken", ["tokenizer", "template"])
def test_where_nothing_comes_of_it_the_plan_goes_by_characters(
    studio: Studio, tmp_path: pathlib.Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    shutil.copytree(MODEL, model)
    data = studio.data.find(rows(tmp_path, 30)).id
    if broken == "tokenizer":
        (model / "tokenizer.json").write_text("{", encoding="utf-8")
        with pytest.raises(InputError, match=r"model\.broken"):  # as without any counting
            seconds(studio, data, str(model))
        return
    (model / "chat_template.jinja").write_text("{{ raise_exception('not these') }}", encoding="utf-8")
    told = seconds(studio, data, str(model))
    monkeypatch.setattr("tuning.tokens.audit.audit", never)
    assert seconds(studio, data, str(model)) == told  # and it is not tried each time
