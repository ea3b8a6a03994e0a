"""Taking away from a page: made in the background, kept with its certificate, stopped without a trace, and nobody else's to fetch."""

import asyncio
import json
import pathlib
import zipfile
from collections.abc import Callable
from typing import Any

import httpx
import numpy
import pytest
from peft import LoraConfig
from safetensors.numpy import save_file

from tests import folders
from tuning.errors import TuningError
from tuning.export import certificate, forms
from tuning.export.ollama import ollama_api
from tuning.runs.run_folder import Run
from tuning.serve.fetched import Fetched
from tuning.studio import Studio
from tuning.text import t, table
from tuning.ui.draw.leaving import taking
from tuning.ui.markup import Html

Wait = Callable[..., Any]


def published(studio: Studio, name: str = "Prezzi <b>") -> Run:
    """A finished run with an adapter."""
    run = folders.make(studio, name)
    run.adapter.mkdir()
    save_file({"weights": numpy.zeros(4)}, run.adapter / "adapter_model.safetensors")
    LoraConfig(r=4, target_modules=["q_proj"]).save_pretrained(str(run.adapter))
    return run


def without_base(run: Run) -> Run:
    """A run whose model has gone from this machine: nothing can be compared, and no process is needed to find that out."""
    path = run.folder / "spec.yaml"
    place = run.spec().model.path
    path.write_text(path.read_text(encoding="utf-8").replace(place, f"{place}/gone"), encoding="utf-8")
    return Run(run.folder)


def of(studio: Studio, run: Run, form: str, type: str = "") -> dict[str, Any]:
    """One file as it is on offer."""
    (found,) = [one for one in studio.exports.offers(run.id)["forms"] if one["form"] == form]
    return next(file for file in found["files"] if file["type"] == type)


def code(work: Callable[[], Any]) -> str:
    with pytest.raises(TuningError) as caught:
        work()
    return caught.value.code


def test_what_was_made_stays_with_its_certificate_till_it_is_removed(studio: Studio, wait_until: Wait) -> None:
    run = without_base(published(studio))
    before = of(studio, run, "adapter")
    assert before["made"] is None and before["size_bytes"] == sum(path.stat().st_size for path in run.adapter.iterdir())
    studio.exports.make(run.id, "adapter")
    wait_until(lambda: not studio.exports.busy())
    again = Studio(studio.settings, studio.owner)  # another start of the program
    made = of(again, run, "adapter")["made"]
    path = again.exports.file(made["secret"])
    assert path is not None and path.name == made["file"] == "prezzi-b-adapter.zip" and made["size_bytes"] == path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        found = json.loads(archive.read("certificate.json"))
        assert archive.getinfo("adapter_model.safetensors").compress_type == zipfile.ZIP_STORED
    assert (found["verdict"], found["why"], made["verdict"]) == ("not_checked", "model", "not_checked")
    for lang in ("en", "it"):
        drawn = taking.panel(again.exports.offers(run.id), run.name(), "", lang)
        assert t(lang, "export.certificate.not_checked") in drawn and t(lang, "export.certificate.why.model") in drawn
        assert f'href="/take/{made["secret"]}"' in drawn and "✓" not in drawn and "<b>" not in drawn.replace('<p class="num"><b>', "")
    assert not made["outdated"] and path.parent.parent == run.folder / "taken"
    save_file({"weights": numpy.ones(4)}, run.adapter / "adapter_model.safetensors")
    assert of(again, run, "adapter")["made"]["outdated"]
    again.exports.remove(run.id, "adapter")
    assert of(again, run, "adapter")["made"] is None and again.exports.file(made["secret"]) is None and not path.parent.exists()


def test_a_stop_ends_the_process_and_leaves_nothing(studio: Studio, wait_until: Wait) -> None:
    run, other = published(studio), published(studio, "Another")
    studio.exports.make(run.id, "merged")
    wait_until(lambda: (studio.exports.offers(run.id)["making"] or {}).get("step") == "live")
    assert code(lambda: studio.exports.make(other.id, "adapter")) == "export.busy" and studio.exports.busy()
    assert t("en", "ui.take.elsewhere", name="x") in taking.panel(studio.exports.offers(other.id), "Another", "x", "en")
    assert list((run.folder / "taken" / "merged").iterdir())
    studio.exports.stop()
    wait_until(lambda: not studio.exports.busy())
    assert studio.exports.offers(run.id)["making"] is None and not list((run.folder / "taken" / "merged").iterdir())


def test_what_goes_wrong_is_said_where_it_was_pressed(studio: Studio, wait_until: Wait) -> None:
    run = without_base(published(studio))
    studio.exports.make(run.id, "merged")
    wait_until(lambda: not studio.exports.busy())
    for lang in ("en", "it"):
        drawn = taking.panel(studio.exports.offers(run.id), "x", "", lang)
        assert t(lang, "ui.fault") in drawn and 'role="alert"' in drawn and 'data-value="merged:"' in drawn
    assert studio.exports.offers(run.id)["making"]["fault"][0] == "model.not_here"


def test_a_run_that_is_deleted_meanwhile_does_not_come_back(studio: Studio, wait_until: Wait) -> None:
    run = published(studio)
    studio.exports.make(run.id, "adapter")
    wait_until(lambda: (studio.exports.offers(run.id)["making"] or {}).get("step") == "live")
    studio.runs.delete(run.id)
    wait_until(lambda: not studio.exports.busy())
    assert not run.folder.exists() and not list(run.folder.parent.glob("*taken*")) and studio.runs.list() == []


@pytest.mark.parametrize(
    ("form", "type", "refused"),
    [
        ("../x", "", "export.unknown"),
        ("", "", "export.unknown"),
        ("merged", "f16", "export.type.unknown"),
        ("gguf", "../..", "export.type.unknown"),
    ],
)
def test_a_form_that_is_none_is_refused_before_anything_is_touched(studio: Studio, form: str, type: str, refused: str) -> None:
    run = published(studio)
    for act in (studio.exports.make, studio.exports.remove):
        assert code(lambda act=act: act(run.id, form, type)) == refused
    assert not (run.folder / "taken").exists() and run.adapter.exists()


@pytest.mark.parametrize(
    "record",
    ["", "[]", "{}", '{"file": "../../spec.yaml", "made": 1, "verdict": "same", "words": {}}', '{"file": "x.zip", "made": "x"}'],
)
def test_a_record_that_something_else_has_written_is_no_file_on_offer(studio: Studio, record: str) -> None:
    run = published(studio)
    place = run.folder / "taken" / "adapter"
    place.mkdir(parents=True)
    (place / "taken.json").write_text(record, encoding="utf-8")
    assert of(studio, run, "adapter")["made"] is None
    assert "data-do" in taking.panel(studio.exports.offers(run.id), "x", "", "it")


def test_a_visitor_is_told_who_fetches_the_converter(house: Studio) -> None:
    anna = house.for_owner("anna")
    run = published(anna)
    offers = anna.exports.offers(run.id)
    assert t("en", "ui.take.fetch.operator") in taking.panel(offers, "x", "", "en") and 'data-do="fetch"' not in taking.panel(
        offers, "x", "", "en"
    )
    assert code(lambda: anna.exports.fetch_converter(run.id)) == "quota.operator"
    assert 'data-do="fetch"' in taking.panel(house.exports.offers(published(house).id), "x", "", "en")


def test_the_ollama_of_this_machine_is_its_operator_s_and_one_that_does_not_answer_is_said(
    house: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama_api, "ADDRESS", "http://127.0.0.1:9")
    run = published(house)
    assert code(lambda: house.exports.make(run.id, "ollama", "here")) == "ui.take.ollama.absent"
    assert {file["type"] for one in house.exports.offers(run.id)["forms"] if one["form"] == "ollama" for file in one["files"]} == {
        "here",
        "away",
    }
    anna = house.for_owner("anna")
    theirs = published(anna)
    assert of(anna, theirs, "ollama", "away")["size_bytes"] and not house.exports.busy()
    with pytest.raises(StopIteration):
        of(anna, theirs, "ollama", "here")


def test_what_differs_is_shown_with_both_texts() -> None:
    """As `certificate` words it, whatever the texts hold."""
    answer = {
        "question": "How much?",
        "live": "Nine <b>euro</b>\n- and\n# more",
        "export": "Ten ${x}",
        "same": False,
        "agreeing": 1,
        "of": 9,
    }
    found = {
        "form": "adapter", "verdict": "differs", "questions": "fixed", "most_tokens": 32,
            "live": {"precision": "bf16", "quantization": "none"},
        "export": {"precision": "bfloat16", "versions": {"torch": "2"}}, "merged": None, "answers": [answer | {"prompt_equal": True}],
        "token_agreement": 0.1, "prompts": {"equal": 1, "of": 1}, "conversation_equal": True,
        "stop_tokens": {"live": [2], "export": [2], "equal": True}, "tensors": {"equal": 1, "of": 1, "not_compared": 0},
    }  # fmt: skip
    for lang in ("en", "it"):
        made = {
            "file": "x.zip", "size_bytes": 3, "time": 1e9, "outdated": False, "command": "", "verdict": "differs", "secret": "s",
            "words": {lang: certificate.spoken(found, lang)},
        }  # fmt: skip
        file = {"type": "", "size_bytes": 3, "made": made}
        offers = {"run": "r", "forms": [{"form": "adapter", "needs_converter": False, "files": [file]}], "making": None}
        drawn = taking.panel(offers, "x", "", lang)
        assert "<q>Nine &lt;b&gt;euro&lt;/b&gt;</q><q>- and</q><q># more</q>" in drawn and "<q>Ten &#36;&#123;x&#125;</q>" in drawn
        assert t(lang, "export.certificate.said.live") in drawn and t(lang, "export.certificate.said.export") in drawn
        assert Html.escape(t(lang, "export.certificate.differs")) in drawn and "✓" not in drawn and '" open><summary><i' in drawn


def test_every_form_has_words_and_a_size_before(studio: Studio) -> None:
    assert all(file["size_bytes"] > 0 for one in studio.exports.offers(published(studio).id)["forms"] for file in one["files"])
    assert not {f"ui.take.{kind}.{form}" for kind in ("form", "says") for form in forms.EXPORTS} - table("en").keys()


def test_a_download_goes_on_where_it_was_cut_and_an_address_that_is_none_is_a_sentence(studio: Studio, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "prezzi-adapter.zip"
    file.write_bytes(b"0123456789")
    secret = studio.shared.errands.address(file)
    assert secret == studio.shared.errands.address(file) and len(secret) >= 32

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nobody else is asked")

    async def get(path: str, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=Fetched(inside, studio.exports.file))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path, headers=headers)

    whole = asyncio.run(get(f"/take/{secret}"))
    assert whole.content == b"0123456789" and 'filename="prezzi-adapter.zip"' in whole.headers["content-disposition"]
    rest = asyncio.run(get(f"/take/{secret}", range="bytes=4-"))
    assert (rest.status_code, rest.content) == (206, b"456789")
    file.unlink()
    for path in (secret, "x", f"{secret}/../x", ""):
        gone = asyncio.run(get(f"/take/{path}", **{"accept-language": "it"}))
        assert (gone.status_code, gone.text) == (404, t("it", "edge.taken")), path
