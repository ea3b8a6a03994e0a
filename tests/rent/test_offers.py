"""What rented machines cost, and whose token may rent them: the Hub is played on this machine."""

import json
from typing import Any

import pytest

from tests.hub.jobs_server import FLAVOURS, ME, TOKEN, JobsServer, flavour
from tests.lots import lot
from tuning import settings
from tuning.cli.main import main
from tuning.errors import TuningError
from tuning.hub.hub_jobs import HubJobs
from tuning.machine.hardware import CUDA_CONTEXT
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.studio.renting.rentals import Choices
from tuning.text import LANGUAGES, say

STARTER = Choices("starter", "starter-en", None, {"max_steps": 4, "report": False})


def test_the_price_is_that_of_the_minutes_of_the_forecast(renter: Studio, letter: JobsServer) -> None:
    found = renter.rentals.offers(STARTER)["machines"]
    assert [one["flavour"] for one in found] and {"cpu-basic", "t4-small", "l4x1", "h200"} == {one["flavour"] for one in found}
    prices = {one["name"]: one["unitCostUSD"] for one in FLAVOURS}
    for one in found:
        assert one["minutes"] == pytest.approx((one["seconds"] + one["setup_seconds"]) / 60)
        assert one["usd"] == pytest.approx(one["minutes"] * prices[one["flavour"]])
    assert found == sorted(found, key=lambda one: (not one["fits"], one["usd"]))


@pytest.mark.nightly
def test_a_machine_priced_by_the_hour_and_one_of_another_maker(renter: Studio, letter: JobsServer) -> None:
    hourly = flavour("a100-large", "Nvidia A100", 2.5, "A100", "80 GB", "142 GB")
    hourly |= {"unitLabel": "hour", "unitCostUSD": 2.5}
    strange = flavour("v5e", "TPU v5e", 1.2, "v5e", "16 GB")
    strange["accelerator"]["manufacturer"] = "Google"
    letter.flavours = [hourly, strange]
    (only,) = renter.rentals.offers(STARTER)["machines"]
    assert only["flavour"] == "a100-large" and only["usd_per_minute"] == pytest.approx(2.5 / 60)


@pytest.mark.nightly
def test_the_verb_lists_what_fits_in_both_languages(renter: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", "starter", "-d", "starter-en"]
    assert main(["rent", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["machines"]
    for lang, expected in (("en", "dollars"), ("it", "dollari")):
        assert main(["rent", *words, "--lang", lang]) == 0
        told = capsys.readouterr().out
        assert len(told.splitlines()) == len(found) and expected in told


def fine(*permissions: str, name: str = ME) -> dict[str, Any]:
    scope = {"entity": {"type": "user", "name": name}, "permissions": list(permissions)}
    return {"role": "fineGrained", "fineGrained": {"scoped": [scope]}}


@pytest.mark.parametrize(
    ("token", "lacks"),
    [
        ({"role": "read"}, "job.write, repo.write"),
        (fine("repo.write"), "job.write"),
        (fine("job.write", "repo.content.read"), "repo.write"),
        (fine("job.write", "repo.write", name="another"), "job.write, repo.write"),
    ],
)
def test_a_token_that_may_not_is_told_what_it_lacks_before_anything_is_made(
    renter: Studio, letter: JobsServer, token: dict[str, Any], lacks: str
) -> None:
    letter.token = token
    error = refused(renter)
    assert (error.code, error.params["lacks"]) == ("rent.token_scope", lacks)
    assert not letter.boxes and not renter.runs.list()


@pytest.mark.parametrize("token", [{"role": "write"}, fine("job.write", "repo.write"), fine("job.write", "repo.contribute"), {}])
def test_a_token_that_may_is_taken(letter: JobsServer, token: dict[str, Any]) -> None:
    letter.token = token
    assert HubJobs(letter.address, TOKEN).account() == ME


@pytest.mark.nightly
def test_a_run_is_planned_for_the_card_that_it_is_to_have(renter: Studio) -> None:
    spec = renter.rentals.create("t4-small", STARTER, "far away", None).spec()
    assert (spec.settings.device, spec.settings.precision) == ("cuda:0", "fp16")  # a T4 has no bf16
    assert (spec.name, spec.forecast.available_bytes) == ("far away", int(0.93 * 16 * 2**30) - CUDA_CONTEXT)


def refused(studio: Studio, flavour: str = "t4-small", asked: Choices = STARTER, most: float | None = None) -> TuningError:
    with pytest.raises(TuningError) as caught:
        studio.rentals.create(flavour, asked, None, most)
    for lang in LANGUAGES:
        assert "{" not in say(lang, caught.value.code, caught.value.params)
    return caught.value


@pytest.mark.nightly
def test_what_cannot_be_rented_is_said(renter: Studio) -> None:
    assert refused(renter, "h100x8").code == "rent.flavour"
    assert refused(renter, most=0.000001).code == "rent.dear"
    assert refused(renter, asked=STARTER._replace(model=str(renter.models.find("starter").path))).code == "rent.model"
    assert not renter.runs.list()


ANSWERS = [(401, "token_refused"), (402, "credit"), (403, "forbidden"), (429, "hub_busy"), (503, "hub_down")]


@pytest.mark.parametrize(("status", "code"), ANSWERS)
def test_what_the_hub_answers_has_its_sentence(renter: Studio, letter: JobsServer, status: int, code: str) -> None:
    letter.refuse = {"/api/whoami-v2": status}
    assert refused(renter).code == f"rent.{code}"


def test_only_who_has_the_machine_rents_and_only_with_their_own_token(letter: JobsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert refused(Studio(settings.read(), LOCAL)).code == "rent.no_token"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for mode in ("shared", "space"):
        monkeypatch.setenv("TUNING_MODE", mode)
        assert refused(Studio(settings.read(), "anna")).code == "rent.local"
    assert not letter.asked


def test_nothing_leaves_before_somebody_has_said_so(renter: Studio, letter: JobsServer, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "-m", "starter", "-d", "starter-en", "--rent", "l4x1"]
    lang, expected = lot("what would leave").choice([("en", "this leaves your machine"), ("it", "lascia la tua macchina")])
    assert main([*words, "--lang", lang]) == 2
    told = capsys.readouterr().err
    assert expected in told and "--yes" in told and "L4" in told
    assert not letter.boxes and not letter.jobs and not renter.runs.list()
    assert not [path for method, path, _ in letter.asked if method != "GET"]
