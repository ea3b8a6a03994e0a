"""The Hub, played by a server on this machine: each fault has its own sentence, nothing is executed, no token strays."""

import dataclasses
import io
import json
import pathlib
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import huggingface_hub.constants
import pytest

from tests.hub.hub_server import Repo, Server
from tests.models.make_known import known
from tuning import presets, settings
from tuning.errors import InputError, RunError
from tuning.hub import download, models, shelf
from tuning.hub.models import Hub
from tuning.hub.repository import hub_id
from tuning.hub.shelf import Shelf
from tuning.models import examine
from tuning.runs.store import Store
from tuning.schema import LOCAL, ModelRef
from tuning.studio import Studio
from tuning.text import LANGUAGES, say

ID = "tailors/tiny"


@pytest.fixture
def repo(tiny_model: pathlib.Path) -> Repo:
    return Repo.of(tiny_model)


@pytest.fixture
def mine(server: Server, home: pathlib.Path) -> Shelf:
    return Shelf(settings.read(), Store(home))


def hub(server: Server, token: str | None = None, cache: pathlib.Path | None = None) -> Hub:
    return Hub(server.address, token, offline=False, cache=cache, cards=presets.models(settings.PRESETS))


def refused(work: Callable[[], Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        work()
    for lang in LANGUAGES:  # the sentence can be said
        assert "{" not in say(lang, caught.value.code, caught.value.params)
    return caught.value


def test_an_open_model_is_known_from_a_few_kilobytes(server: Server, repo: Repo, tiny_model: pathlib.Path) -> None:
    server.repos[ID] = dataclasses.replace(repo, card={"language": ["it", "en"]})
    found = hub(server).describe(ID)
    local = json.loads((tiny_model / "config.json").read_text(encoding="utf-8"))
    assert found.card.hidden_size == local["hidden_size"] and found.card.license == "apache-2.0"
    assert found.card.italian == "fair" and found.card.languages == ["it", "en"]
    weights = [headers for _, path, headers in server.asked if path.endswith(".safetensors")]
    assert weights and all("range" in headers for headers in weights)
    assert {file.name for file in found.files} >= {"config.json", "model.safetensors", "tokenizer.json"}


def test_the_parameters_are_counted_from_the_headers(server: Server, repo: Repo, tiny_model: pathlib.Path) -> None:
    from tuning.models.catalog import count_parameters

    server.repos[ID] = repo
    assert hub(server).describe(ID).card.parameters == count_parameters(tiny_model / "model.safetensors")


def without(repo: Repo, *names: str, **added: bytes) -> Repo:
    kept = {name: content for name, content in repo.files.items() if name not in names}
    return Repo(kept | {name.replace("__", "."): content for name, content in added.items()})


FAULTS: dict[str, tuple[str, Callable[[Repo], Repo | None]]] = {
    "missing": ("model.missing", lambda repo: None),
    "private": ("model.private", lambda repo: dataclasses.replace(repo, private=True)),
    "gated": ("model.gated", lambda repo: dataclasses.replace(repo, gated="manual")),
    "asked too often": ("model.hub_busy", lambda repo: dataclasses.replace(repo, status=429)),
    "down": ("model.hub_down", lambda repo: dataclasses.replace(repo, status=503)),
    "teapot": ("model.hub_answer", lambda repo: dataclasses.replace(repo, status=418)),
    "pickles only": ("model.no_safetensors", lambda repo: without(repo, "model.safetensors", pytorch_model__bin=b"pickle")),
    "gguf": ("model.gguf", lambda repo: without(repo, "model.safetensors", tiny_q4__gguf=b"GGUF")),
    "a bare adapter": (
        "model.adapter",
        lambda repo: Repo({"adapter_config.json": b'{"base_model_name_or_path": "a/base"}', "adapter_model.safetensors": b"x"}),
    ),
    "code of its own": ("model.remote_code", lambda repo: repo.but(config={"auto_map": {"AutoModel": "evil.Model"}})),
    "code in the tokenizer": (
        "model.remote_code",
        lambda repo: repo.but(tokenizer_config={"auto_map": {"AutoTokenizer": ["evil.T", None]}}),
    ),
    "code deep inside": ("model.remote_code", lambda repo: repo.but(config={"text_config": {"auto_map": {}}})),
    "attention": ("model.attention_code", lambda repo: repo.but(config={"_attn_implementation_internal": "evil/kernel"})),
    "attention of a part": ("model.attention_code", lambda repo: repo.but(config={"attn_implementation": {"text": "evil/kernel"}})),
    "a file of this machine": ("model.foreign_file", lambda repo: repo.but(tokenizer_config={"vocab_file": "../../.env"})),
    "an absolute file": ("model.foreign_file", lambda repo: repo.but(tokenizer_config={"merges_file": "/etc/passwd"})),
    "an encoder": ("model.not_causal", lambda repo: repo.but(config={"architectures": ["BertForMaskedLM"]})),
    "an encoder's other head": ("model.not_causal", lambda repo: repo.but(config={"architectures": ["BertLMHeadModel"]})),
    "half of an encoder-decoder": ("model.not_causal", lambda repo: repo.but(config={"architectures": ["BartForCausalLM"]})),
    "one that sees": (
        "model.multimodal",
        lambda repo: repo.but(config={"architectures": ["Mistral3ForConditionalGeneration"], "text_config": {}, "vision_config": {}}),
    ),
    "no architecture": ("model.not_causal", lambda repo: repo.but(config={"architectures": None})),
    "of tomorrow": ("model.unknown_architecture", lambda repo: repo.but(config={"architectures": ["TomorrowForCausalLM"]})),
    "squeezed": ("model.quantized", lambda repo: repo.but(config={"quantization_config": {"quant_method": "gptq"}})),
    "half a JSON": ("model.broken", lambda repo: Repo(repo.files | {"config.json": b'{"hidden_size": 6'})),
    "brackets": ("model.broken", lambda repo: Repo(repo.files | {"config.json": b"[" * 20_000})),
    "a list": ("model.broken", lambda repo: Repo(repo.files | {"config.json": b"[]"})),
    "no sizes": ("model.config", lambda repo: repo.but(config={"hidden_size": None})),
    "weights of nothing": ("model.broken", lambda repo: Repo(repo.files | {"model.safetensors": b"\0" * 100})),
    "a header of terabytes": ("model.broken", lambda repo: Repo(repo.files | {"model.safetensors": b"\xff" * 100})),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence(fault: str, server: Server, repo: Repo, home: pathlib.Path) -> None:
    code, spoil = FAULTS[fault]
    spoilt = spoil(repo)
    if spoilt is not None:
        server.repos[ID] = spoilt
    error = refused(lambda: hub(server).describe(ID))
    assert error.code == code
    assert all(path.startswith((f"/api/models/{ID}", f"/{ID}/resolve/")) for path in server.paths())  # nobody else is asked
    assert not home.exists() and server.tokens() == set()


def test_no_sentence_is_used_twice_for_different_causes() -> None:
    codes = [FAULTS[fault][0] for fault in ("missing", "private", "gated", "asked too often", "down", "pickles only", "gguf")]
    assert len({say("en", code, dict.fromkeys(("model", "page", "other", "seconds", "status"), "x")) for code in codes}) == len(codes)


@pytest.mark.parametrize("fault", ["code of its own", "attention", "a file of this machine", "pickles only", "squeezed", "an encoder"])
def test_a_folder_is_looked_at_with_the_same_eyes(fault: str, repo: Repo, home: pathlib.Path, tmp_path: pathlib.Path) -> None:
    code, spoil = FAULTS[fault]
    folder = tmp_path / "copied"
    folder.mkdir()
    spoilt = spoil(repo)
    assert spoilt is not None
    for name, content in spoilt.files.items():
        (folder / name).write_bytes(content)
    assert refused(lambda: Shelf(settings.read(), Store(home)).find(str(folder), LOCAL)).code == code


def test_gated_offers_an_open_model_alike(server: Server, repo: Repo) -> None:
    server.repos["big/Italia-9B-Instruct"] = dataclasses.replace(repo, gated="auto", card={"language": ["it"]})
    error = refused(lambda: hub(server).describe("big/Italia-9B-Instruct"))
    other = presets.models(settings.PRESETS)[error.params["other"]]
    assert other.instruct and other.italian in ("good", "excellent")
    assert error.params["page"] == f"{server.address}/big/Italia-9B-Instruct"


def test_a_token_with_access_opens_and_one_without_does_not(server: Server, repo: Repo) -> None:
    server.repos[ID] = dataclasses.replace(repo, gated="auto", private=True)
    assert hub(server, "hf_theirs").describe(ID).card.title == "tiny"
    assert refused(lambda: hub(server, "hf_strangers").describe(ID)).code == "model.missing"
    server.repos[ID].private = False
    assert refused(lambda: hub(server, "hf_strangers").describe(ID)).code == "model.gated"


def test_a_visitor_never_carries_the_owners_token(server: Server, repo: Repo, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_theirs")
    monkeypatch.setenv("TUNING_MODE", "shared")
    server.repos[ID] = repo
    server.repos["tailors/secret"] = dataclasses.replace(repo, private=True)
    store = Shelf(settings.read(), Store(home))
    assert refused(lambda: store.find("tailors/secret", LOCAL)).code == "model.private"
    store.fetch(store.find(ID, LOCAL), LOCAL)
    store.hub(LOCAL).search("tiny")
    assert server.tokens() == set()
    monkeypatch.setenv("TUNING_MODE", "local")
    own = Shelf(settings.read(), Store(home))
    assert own.find("tailors/secret", LOCAL).card.title == "secret"  # the owner may
    assert refused(lambda: own.hub("somebody").describe("tailors/secret")).code == "model.private"
    assert server.tokens() == {"Bearer hf_theirs"}
    assert not any("hf_theirs" in path.read_text(errors="replace") for path in home.rglob("*") if path.is_file())


def test_an_answer_is_kept_and_serves_offline(server: Server, repo: Repo, tmp_path: pathlib.Path) -> None:
    server.repos[ID] = repo
    first = hub(server, cache=tmp_path).describe(ID)
    asked = len(server.asked)
    assert hub(server, cache=tmp_path).describe(ID) == first and len(server.asked) == asked
    offline = Hub(server.address, None, offline=True, cache=tmp_path)
    assert offline.describe(ID) == first
    assert refused(lambda: offline.describe("tailors/other")).code == "model.offline"
    assert refused(lambda: Hub(server.address, "hf_theirs", offline=True, cache=tmp_path).describe(ID)).code == "model.offline"


@pytest.mark.parametrize(("step", "anew"), [(60, False), (3600, True), (-3600, True)])
def test_a_kept_answer_is_asked_for_anew_after_a_while_and_after_the_clock_was_put_back(
    server: Server, repo: Repo, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, step: float, anew: bool
) -> None:
    server.repos[ID] = repo
    then = hub(server, cache=tmp_path).describe(ID).asked
    asked = len(server.asked)
    monkeypatch.setattr(models, "time", SimpleNamespace(time=lambda: then + step))
    hub(server, cache=tmp_path).describe(ID)
    assert (len(server.asked) > asked) is anew


def test_a_hub_that_is_not_there(home: pathlib.Path) -> None:
    error = refused(lambda: Hub("http://127.0.0.1:9", None, offline=False).describe(ID))
    assert error.code == "model.hub_unreachable" and error.params["host"] == "127.0.0.1:9"
    error = refused(lambda: Hub("http://127.0.0.1:9", None, offline=False).search(" qwen instruct "))
    assert (error.code, error.params) == ("model.search_unreachable", {"words": "qwen instruct", "host": "127.0.0.1:9"})
    assert refused(lambda: Hub("http://127.0.0.1:9", None, offline=True).search("qwen")).code == "model.search_offline"


def test_search_finds_open_models_only(server: Server, repo: Repo) -> None:
    server.repos["a/tiny-open"] = repo
    server.repos["a/tiny-popular"] = dataclasses.replace(repo, downloads=9_000)
    server.repos["a/tiny-gated"] = dataclasses.replace(repo, gated="auto")
    server.repos["a/tiny-seeing"] = dataclasses.replace(repo, task="image-text-to-text", tags=(*repo.tags, "qwen3_5"), downloads=5_000)
    server.repos["a/tiny-seeing-otherwise"] = dataclasses.replace(repo, task="image-text-to-text", tags=(*repo.tags, "mistral3"))
    found = hub(server).search("tiny")
    assert [entry["id"] for entry in found] == ["a/tiny-popular", "a/tiny-seeing", "a/tiny-open"]
    assert found[0]["downloads"] == 9_000 and found[0]["license"] == "apache-2.0"


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B"),
        (" https://huggingface.co/Qwen/Qwen2.5-7B ", "Qwen/Qwen2.5-7B"),
        ("hf.co/Qwen/Qwen2.5-7B/tree/main?x=1", "Qwen/Qwen2.5-7B"),
        *(
            (bad, None)
            for bad in ("gpt2", "../..", "a/../b", "/etc/passwd", "~/x", "hf://a/b", "http://169.254.169.254/a/b", "a/b/c", "а/b")
        ),
        *((bad, None) for bad in ("a/b;id", "a/.b", "-a/b", "a/b\nc", "a/b..c", "", "a b/c", "\u0430/b")),
    ],
)
def test_what_counts_as_an_id(text: str, id: str | None) -> None:
    assert hub_id(text) == id


# Downloads


def test_a_download_is_what_the_hub_has_and_nothing_more(server: Server, repo: Repo, mine: Shelf, home: pathlib.Path) -> None:
    server.repos[ID] = Repo(repo.files | {"modeling_evil.py": b"import os", "pytorch_model.bin": b"pickle", "LICENSE": b"free"})
    model = mine.find(ID, LOCAL)
    seen: list[tuple[int, int]] = []
    mine.fetch(model, LOCAL, lambda done, total: seen.append((done, total)))
    folder = pathlib.Path(model.path)
    assert {path.name for path in folder.iterdir()} == {*repo.files, "LICENSE", download.MANIFEST}
    assert all((folder / name).read_bytes() == content for name, content in repo.files.items())
    assert seen[-1][0] == seen[-1][1] == sum(map(len, repo.files.values())) + 4
    asked = len(server.asked)
    assert mine.find(ID, LOCAL).card == model.card and not mine.notices(model, LOCAL)
    mine.fetch(model, LOCAL)
    assert len(server.asked) == asked  # nothing more is asked of the Hub


def test_cut_twice_in_the_middle_it_goes_on_from_there(server: Server, repo: Repo, mine: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1_000)
    server.repos[ID] = dataclasses.replace(repo, cuts=2)
    model = mine.find(ID, LOCAL)
    mine.fetch(model, LOCAL)
    size = len(repo.files["model.safetensors"])
    starts = [headers.get("range") for _, path, headers in server.asked if path.endswith(".safetensors")][1:]
    half = size // 2 // 1_000 * 1_000
    assert starts == [None, f"bytes={half}-", f"bytes={half + (size - half) // 2 // 1_000 * 1_000}-"]
    assert shelf.whole(model)


def test_stopped_in_the_middle_the_next_attempt_goes_on(server: Server, repo: Repo, mine: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    server.repos[ID] = repo
    model = mine.find(ID, LOCAL)
    size = len(repo.files["model.safetensors"])
    done = 0

    def progress(came: int, total: int) -> None:
        nonlocal done
        done = came

    small = sum(len(content) for name, content in repo.files.items() if name != "model.safetensors")
    assert refused(lambda: mine.fetch(model, LOCAL, progress, lambda: done > small + 25_000)).code == "model.stopped"
    assert not shelf.here(model)
    mine.fetch(model, LOCAL)
    spans = [headers.get("range") for _, path, headers in server.asked if path.endswith(".safetensors")]
    assert spans[-1] == "bytes=20000-" and size > 30_000  # the third piece was counted and not yet written
    assert shelf.whole(model)


def test_a_wrong_hash_is_fetched_once_more_then_said(server: Server, repo: Repo, mine: Shelf) -> None:
    server.repos[ID] = dataclasses.replace(repo, lies=1)
    model = mine.find(ID, LOCAL)
    mine.fetch(model, LOCAL)
    assert shelf.whole(model)
    mine.delete(ID, LOCAL)
    server.repos[ID] = dataclasses.replace(repo, lies=2)
    error = refused(lambda: mine.fetch(model, LOCAL))
    assert error.code == "model.wrong_hash" and error.params["file"] == "model.safetensors"
    assert not shelf.here(model)


@pytest.mark.parametrize("damage", ["shortened", "one bit", "missing"])
def test_a_damaged_file_is_noticed_and_fetched_again(damage: str, server: Server, repo: Repo, mine: Shelf) -> None:
    server.repos[ID] = repo
    model = mine.find(ID, LOCAL)
    mine.fetch(model, LOCAL)
    weights = pathlib.Path(model.path) / "model.safetensors"
    good = weights.read_bytes()
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes(good[:-1] if damage == "shortened" else good[:-1] + bytes([good[-1] ^ 4]))
    assert not shelf.whole(model)
    before = len(server.asked)
    mine.fetch(model, LOCAL)
    assert weights.read_bytes() == good
    assert all(path.endswith(".safetensors") for path in server.paths()[before:] if "/resolve/" in path)


def test_a_copied_download_works_and_is_read_only_once(server: Server, repo: Repo, mine: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    server.repos[ID] = repo
    model = mine.find(ID, LOCAL)
    mine.fetch(model, LOCAL)
    folder = pathlib.Path(model.path)
    shutil.copytree(folder, folder.with_name("copy"), copy_function=shutil.copyfile)
    mine.delete(ID, LOCAL)
    folder.with_name("copy").rename(folder)
    assert shelf.whole(model)
    monkeypatch.setattr(shelf, "right", lambda path, file: pytest.fail("read again"))
    assert shelf.whole(model)


def test_a_tokenizer_that_several_ask_for_is_fetched_once_and_all_have_it(server: Server, repo: Repo, mine: Shelf) -> None:
    server.repos[ID] = repo
    model, come = mine.find(ID, LOCAL), threading.Barrier(4)
    with ThreadPoolExecutor(4) as several:
        found = list(several.map(lambda _: (come.wait(10), mine.words(model, LOCAL))[1], range(4)))
    assert len(set(found)) == 1 and (found[0] / "tokenizer.json").is_file()
    fetched = [path for method, path, _ in server.asked if method == "GET" and path.endswith("/tokenizer.json")]
    assert len(fetched) == 1


def test_a_full_disk_is_said_before_and_in_the_middle(server: Server, repo: Repo, mine: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    server.repos[ID] = repo
    model = mine.find(ID, LOCAL)
    usage = shutil.disk_usage(mine.settings.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=download.ASIDE + 10))
    assert [notice.code for notice in mine.notices(model, LOCAL)] == ["model.disk"]
    assert refused(lambda: mine.require(model, LOCAL)).code == "model.disk"
    assert refused(lambda: mine.fetch(model, LOCAL)).code == "model.disk"
    assert not any(path.endswith(".safetensors") and "range" not in headers for _, path, headers in server.asked)
    monkeypatch.undo()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    full = OSError(28, "No space left on device")

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise full

    really = pathlib.Path.open
    monkeypatch.setattr(
        pathlib.Path, "open", lambda path, mode="r", *rest, **named: Full() if mode == "ab" else really(path, mode, *rest, **named)
    )
    assert refused(lambda: mine.fetch(model, LOCAL)).code == "model.disk"
    assert not shelf.here(model)


def test_models_are_listed_moved_and_deleted(server: Server, repo: Repo, mine: Shelf, tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    server.repos[ID] = repo
    model = mine.find(ID, LOCAL)
    mine.fetch(model, LOCAL)
    elsewhere = tmp_path / "other disk"
    assert refused(lambda: mine.move(ID, LOCAL, elsewhere)).code == "model.no_place"
    elsewhere.mkdir()
    target = mine.move(ID, LOCAL, elsewhere)
    assert shelf.whole(model) and mine.find(ID, LOCAL) == model  # what knew the old place goes on
    (entry,) = mine.downloaded()
    assert (entry["id"], entry["path"], entry["moved"], entry["whole"]) == (ID, str(target), True, True)
    assert refused(lambda: mine.delete("tailors/none", LOCAL)).code == "model.not_downloaded"
    assert refused(lambda: mine.delete("../runs", LOCAL)).code == "model.not_downloaded"
    freed = mine.delete(ID, LOCAL)
    assert freed == entry["size_bytes"] and not target.exists() and not mine.downloaded()


def test_a_model_that_a_run_waits_for_stays(server: Server, repo: Repo, studio: Studio) -> None:
    server.repos[ID] = repo
    own = Studio(settings.read(), LOCAL)
    run = own.runs.create(ID, "starter-en", "quick")
    own.shared.shelf.fetch(run.spec().model, LOCAL)
    run.enqueue()
    with pytest.raises(RunError) as caught:
        own.shared.shelf.delete(ID, LOCAL)
    assert caught.value.code == "model.in_use"


# Plans


def test_a_plan_asks_whether_the_model_is_open_and_fetches_no_weight(server: Server, repo: Repo, home: pathlib.Path) -> None:
    own = Studio(settings.read(), LOCAL)
    server.repos[ID] = repo
    plan = own.plans.plan(ID, "starter-en", gpu_memory=12)
    assert plan["fits"] and plan["notices"][0]["code"] == "model.to_download"
    asked = len(server.asked)
    own.plans.plan(ID, "starter-en", gpu_memory=12, settings={"lora_r": 8})
    assert len(server.asked) == asked  # a moved knob asks nobody
    server.repos["Qwen/Qwen2.5-1.5B"] = dataclasses.replace(repo, gated="auto")
    assert refused(lambda: own.plans.plan("Qwen/Qwen2.5-1.5B", "starter-en")).code == "model.gated"  # today it is
    assert all("range" in headers for _, path, headers in server.asked if path.endswith(".safetensors"))


def test_a_plan_holds_while_the_hub_is_down_and_a_run_is_refused(server: Server, repo: Repo) -> None:
    own = Studio(settings.read(), LOCAL)
    server.repos["Qwen/Qwen2.5-1.5B"] = dataclasses.replace(repo, status=503)
    plan = own.plans.plan("Qwen/Qwen2.5-1.5B", "starter-en", gpu_memory=24)
    assert plan["notices"][0]["code"] == "model.hub_down" and plan["predicted_peak_bytes"] > 2**30
    assert (
        refused(lambda: own.runs.create("Qwen/Qwen2.5-1.5B", "starter-en", "quick", {"device": "cpu", "max_length": 64})).code
        == "model.hub_down"
    )


def test_a_copied_cache_of_the_hub_works_as_a_model(tiny_model: pathlib.Path, home: pathlib.Path, tmp_path: pathlib.Path) -> None:
    cached = tmp_path / "models--tailors--tiny"
    shutil.copytree(tiny_model, cached / "snapshots" / "abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc", encoding="ascii")
    model = Shelf(settings.read(), Store(home)).find(str(cached), LOCAL)
    assert model.path == str(cached / "snapshots" / "abc") and model.card.title == "tailors/tiny"
    assert isinstance(model, ModelRef) and shelf.whole(model)


def test_the_known_architectures_are_those_of_the_pinned_transformers() -> None:
    found = json.loads(examine.KNOWN.read_text(encoding="utf-8"))
    assert found == {**known(), **{name: found[name] for name in ("text_parts", "unpacked")}}  # of which nightly tests know
