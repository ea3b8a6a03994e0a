"""Data sets of the Hub, played by a server on this machine: which part is meant, what comes of it, and what is said when nothing does."""

import dataclasses
import io
import json
import os
import pathlib
import shutil
import time
from collections.abc import Callable
from typing import Any

import huggingface_hub.constants
import pyarrow
import pyarrow.parquet
import pytest

from tests.hub.hub_server import CONVERTED, REVISION, Data, Server
from tuning import presets, settings
from tuning.data import sources
from tuning.data.ingest import ReadingOptions, ingest
from tuning.data.library import Library
from tuning.data.sources import Brought, Reference, Sources, parse
from tuning.errors import InputError
from tuning.hub import dataset_files, datasets, download
from tuning.hub.datasets import HubData
from tuning.hub.repository import HubFile, Split
from tuning.schema import LOCAL, DatasetCard, Record
from tuning.text import LANGUAGES, say

ID = "tailors/orders"


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"instruction": f"How much is item {n}?", "context": "", "response": f"Item {n} costs {n} €."} for n in range(first, first + count)
    ]


def parquet(content: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(content), stream)
    return stream.getvalue()


def lines(content: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content).encode()


def read(brought: Brought) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in brought.paths:
        if path.suffix == ".parquet":
            found += pyarrow.parquet.read_table(path).to_pylist()
        else:
            found += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return found


@pytest.fixture
def data(server: Server) -> Data:
    """Two variants as Parquet, one of them in three parts, and the viewer at work."""
    server.data[ID] = Data(
        {"README.md": b"---", "data/rows.json": b"[]"},
        converted={
            "default/test/0000.parquet": parquet(rows(20, 300)),
            "default/train/0000.parquet": parquet(rows(100)),
            "default/train/0001.parquet": parquet(rows(100, 100)),
            "default/train/0002.parquet": parquet(rows(100, 200)),
            "small/partial-train/0000.parquet": parquet(rows(7)),
            "default/train/index.duckdb": b"duck",
        },
        shown={("default", "train"): rows(300), ("default", "test"): rows(20, 300), ("small", "train"): rows(7)},
        tags=("license:cc-by-sa-3.0", "language:en"),
        card={"language": "en", "pretty_name": "Orders"},
    )
    return server.data[ID]


@pytest.fixture
def mine(server: Server, home: pathlib.Path) -> Sources:
    return Sources(settings.read())


def refused(work: Callable[[], Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        work()
    for lang in LANGUAGES:  # the sentence can be said
        assert "{" not in say(lang, caught.value.code, caught.value.params)
    return caught.value


def bring(mine: Sources, text: str = ID, **how: Any) -> list[dict[str, Any]]:
    with mine.bring(sources.find(text), LOCAL, **how) as brought:
        return read(brought)


# Names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("databricks/databricks-dolly-15k", Reference("databricks/databricks-dolly-15k")),
        (" a/b:c:d ", Reference("a/b", "c", "d")),
        ("a/b:c", Reference("a/b", "c")),
        ("a/b::d", Reference("a/b", None, "d")),
        ("https://huggingface.co/datasets/a/b", Reference("a/b")),
        ("https://huggingface.co/datasets/a/b/", Reference("a/b")),
        ("hf.co/datasets/a/b/tree/main/data?x=1", Reference("a/b")),
        ("https://huggingface.co/datasets/a/b/viewer", Reference("a/b")),
        ("https://huggingface.co/datasets/a/b/viewer/my%20config/train?p=3", Reference("a/b", "my config", "train")),
        *((bad, None) for bad in ("squad", "csv", "json", ".", "..", "", "/etc", "/etc/passwd", "~/x", "a/../b", "../..", "a/..", "./a")),
        *((bad, None) for bad in ("hf://datasets/a/b", "s3://a/b", "file:///a/b", "http://169.254.169.254/a/b", "http://127.0.0.1:80/a")),
        *((bad, None) for bad in ("https://huggingface.co.evil.com/datasets/a/b", "https://evil.com/huggingface.co/datasets/a/b")),
        *((bad, None) for bad in ("https://huggingface.co/datasets/squad", "https://huggingface.co/a/b", "https://huggingface.co@evil/a")),
        *((bad, None) for bad in ("а/b", "a／b", "a/b\u200b", "a/b\n", "a/b c", "a/b;id", "-a/b", "a/.b", "a/b--c", "a/b@main")),
        *((bad, None) for bad in ("a/b:c:d:e", "a/b:../x", "a/b:c:d/e", "a/b:" + "x" * 200, "a" * 97 + "/b", "a/b:\x00")),
        *((bad, None) for bad in ("data/rows.csv", "data/rows.JSONL", "C:\\data\\rows", "a/b.zip")),
    ],
)
def test_what_counts_as_a_name(text: str, expected: Reference | None) -> None:
    found = parse(text if text != "a/b\n" else "a/b\nc")
    assert found == expected
    if found is not None:
        assert parse(str(found)) == found


def test_what_is_no_name_is_refused_before_anybody_is_asked(server: Server, mine: Sources) -> None:
    for text in ("squad", "..", "a/../b", "hf://datasets/a/b", "http://127.0.0.1/a", "а/b", "~/x"):
        assert refused(lambda text=text: sources.find(text)).code == "data.hub.id"
        assert refused(lambda text=text: mine.describe(Reference(text), LOCAL)).code == "data.hub.id"
    assert server.asked == []


def test_every_offered_name_is_one() -> None:
    offered = [card for card in presets.datasets(settings.PRESETS).values() if card.hub]
    assert len(offered) >= 8 and {"it", "en"} == {card.language for card in offered}
    for card in offered:
        reference = sources.of_card(card)
        assert reference is not None and parse(str(reference)) == reference
    assert "dolly-15k" in {card.id for card in offered}
    assert sources.of_card(presets.datasets(settings.PRESETS)["starter-en"]) is None


@pytest.mark.parametrize("place", ["", "path: a.jsonl\nhub: a/b\n"])
def test_a_card_is_of_one_place(place: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.yaml").write_text(
        f"title: {{en: a, it: b}}\nwhy: {{en: a, it: b}}\nlanguage: en\nlicense: MIT\n{place}", encoding="utf-8"
    )
    assert refused(lambda: presets.read(tmp_path / "x.yaml", DatasetCard)).params == {"where": "x.yaml", "key": "path | hub"}


# What is there


def test_variants_and_parts_are_known_without_a_row(data: Data, mine: Sources, server: Server) -> None:
    found = mine.describe(Reference(ID), LOCAL)
    assert [config.name for config in found.configs] == ["default", "small"]
    train, test = found.configs[0].splits
    assert (train.name, train.rows, len(train.files)) == ("train", 300, 3) and (test.name, test.rows) == ("test", 20)
    assert train.size == sum(len(data.converted[file.name]) for file in train.files) and all(file.sha256 for file in train.files)
    assert [split.name for split in found.configs[1].splits] == ["train"]  # of which the Hub holds a part
    assert (found.title, found.languages, found.license, found.free_license) == ("Orders", ["en"], "cc-by-sa-3.0", True)
    assert (found.revision, found.files_at, found.gated, found.downloads) == (REVISION, CONVERTED, False, 1000)
    assert isinstance(found, Record) and json.loads(found.model_dump_json())["configs"]
    assert not any("/resolve/" in path for path in server.paths())
    asked = len(server.asked)
    assert mine.describe(Reference(ID, "small"), LOCAL) == found and len(server.asked) == asked  # one answer does for a while


def test_rows_are_those_of_the_readme_where_the_viewer_is_silent(data: Data, mine: Sources) -> None:
    data.viewer = 500
    data.card |= {"dataset_info": [{"config_name": "default", "splits": [{"name": "train", "num_examples": 299}]}]}
    train, test = mine.describe(Reference(ID), LOCAL).configs[0].splits
    assert (train.rows, test.rows) == (299, None)


def test_the_variant_that_the_readme_calls_default_comes_first(data: Data, mine: Sources) -> None:
    data.card |= {"configs": [{"config_name": "default"}, {"config_name": "small", "default": True}]}
    assert bring(mine) == rows(7)


@pytest.mark.parametrize(
    "card",
    [
        {"language": {"it": 1}, "license": {"name": 3}, "pretty_name": ["x"], "configs": 3, "dataset_info": [3, {"splits": 3}]},
        {"language": [3, None], "license": [None], "dataset_info": {"splits": [3, {"name": "train", "num_examples": "many"}]}},
        {"configs": [{"config_name": ["x"], "default": True}, {}, None], "license": 3},
    ],
)
def test_a_readme_may_say_anything(card: dict[str, Any], data: Data, mine: Sources) -> None:
    data.card, data.tags = card, ()
    assert len(bring(mine)) == 300


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "private": ("data.hub.private", {"private": True}),
    "gated": ("data.hub.gated", {"gated": "manual"}),
    "asked too often": ("data.hub.busy", {"status": 429}),
    "down": ("data.hub.down", {"status": 503}),
    "teapot": ("data.hub.answer", {"status": 418}),
    "only a script": ("data.hub.script", {"converted": {}, "files": {"orders.py": b"import os", "README.md": b"---"}}),
    "only pictures": ("data.hub.nothing", {"converted": {}, "files": {"a.png": b"x", "README.md": b"---", "dataset_infos.json": b"{}"}}),
    "nothing declared": ("data.hub.nothing", {"converted": {}, "card": {"configs": [{"config_name": "x", "data_files": "no/*.json"}]}}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence(fault: str, data: Data, mine: Sources, server: Server, home: pathlib.Path) -> None:
    code, changes = FAULTS[fault]
    server.data[ID] = dataclasses.replace(data, **changes)
    error = refused(lambda: bring(mine))
    assert error.code == code and error.params["data"] == ID
    assert error.params.get("other", "dolly-15k") == "dolly-15k"
    assert error.params.get("page", f"{server.address}/datasets/{ID}") == f"{server.address}/datasets/{ID}"
    assert all(path.startswith((f"/api/datasets/{ID}", "/size?")) for path in server.paths())
    assert server.tokens() == set() and not list(home.rglob("*.*"))


def test_missing_offline_and_not_there(server: Server, mine: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused(lambda: bring(mine, "tailors/ordini-ita"))
    assert error.code == "data.hub.missing" and error.params["other"] == "dolly-15k-it"
    assert refused(lambda: HubData("http://127.0.0.1:9", None, False).describe(ID)).code == "data.hub.unreachable"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(server.asked)
    offline = Sources(settings.read())
    assert refused(lambda: offline.describe(Reference(ID), LOCAL)).code == "data.hub.offline"
    assert refused(lambda: offline.preview(Reference(ID), LOCAL)).code == "data.hub.offline"
    assert len(server.asked) == asked


WAYS = (  # of sentences of the Hub, that are followed here
    *("busy", "down", "answer", "private", "gated", "missing", "id", "script", "nothing", "config", "split", "offline", "unreachable"),
    *("large", "wrong_hash", "disk"),
)


@pytest.mark.parametrize("fault", ["asked too often", "down", "teapot"])
def test_after_a_while_it_is_asked_again(fault: str, data: Data, mine: Sources, server: Server) -> None:
    server.data[ID] = dataclasses.replace(data, **FAULTS[fault][1])
    assert "again" in say("en", refused(lambda: bring(mine)).code, refused(lambda: bring(mine)).params)
    server.data[ID] = data
    assert len(bring(mine)) == 300


@pytest.mark.parametrize("fault", ["private", "gated"])
def test_with_a_token_it_opens(fault: str, data: Data, mine: Sources, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.data[ID] = dataclasses.replace(data, **FAULTS[fault][1])
    error = refused(lambda: bring(mine))
    assert "with your token in HF_TOKEN" in say("en", error.code, error.params)
    monkeypatch.setenv("HF_TOKEN", data.token)
    assert len(bring(Sources(settings.read()))) == 300


@pytest.mark.parametrize("fault", ["only a script", "only pictures", "nothing declared"])
def test_other_data_are_chosen(fault: str, data: Data, mine: Sources, server: Server) -> None:
    server.data[ID] = dataclasses.replace(data, **FAULTS[fault][1])
    error = refused(lambda: bring(mine))
    other = presets.datasets(mine.settings.presets)[error.params["other"]].hub
    server.data[str(other)] = data
    assert len(bring(mine, str(other))) == 300


def test_names_are_spelled_as_the_sentence_says(data: Data, mine: Sources) -> None:
    assert refused(lambda: sources.find("orders")).code == "data.hub.id" and len(bring(mine, ID)) == 300
    assert refused(lambda: bring(mine, "tailors/order")).code == "data.hub.missing"
    config = refused(lambda: bring(mine, f"{ID}:large"))
    assert (config.code, len(bring(mine, f"{ID}:{config.params['known'].split(', ')[-1]}"))) == ("data.hub.config", 7)
    split = refused(lambda: bring(mine, f"{ID}:default:dev"))
    assert split.code == "data.hub.split"
    assert {len(bring(mine, f"{ID}:default:{name}")) for name in split.params["known"].split(", ")} == {20, 300}


def test_what_holds_it_up_is_taken_away(
    data: Data, mine: Sources, server: Server, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert refused(lambda: bring(Sources(settings.read()))).code == "data.hub.offline"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    address = mine.settings.endpoint
    cut_off = Sources(dataclasses.replace(mine.settings, endpoint="http://127.0.0.1:9"))
    assert refused(lambda: bring(cut_off)).code == "data.hub.unreachable"
    assert len(bring(Sources(dataclasses.replace(mine.settings, endpoint=address)))) == 300
    large = refused(lambda: bring(mine, most=1000))
    assert large.code == "data.hub.large" and len(bring(mine, rows=min(200, large.params["rows"]), most=1000)) == 200
    usage = shutil.disk_usage(home.parent)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=download.ASIDE + 10))
        assert refused(lambda: bring(mine)).code == "data.hub.disk"
    assert len(bring(mine)) == 300
    data.lies = 2
    assert refused(lambda: bring(mine)).code == "data.hub.wrong_hash" and len(bring(mine)) == 300


def test_no_sentence_is_used_twice_for_different_causes() -> None:
    codes = {*datasets.SAID.values(), *(code for code, _ in FAULTS.values())}
    params = dict.fromkeys(("data", "page", "other", "seconds", "status", "host", "kinds"), "x")
    assert len({say("en", code, params) for code in codes}) == len(codes)


def test_a_visitor_never_carries_the_owners_token(data: Data, server: Server, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_theirs")
    monkeypatch.setenv("TUNING_MODE", "shared")
    server.data["tailors/secret"] = dataclasses.replace(data, private=True, gated="auto")
    visitor = Sources(settings.read())
    assert refused(lambda: visitor.describe(Reference("tailors/secret"), LOCAL)).code == "data.hub.private"
    assert len(bring(visitor)) == 300 and len(bring(visitor, rows=5)) == 5
    assert visitor.preview(Reference(ID), LOCAL)
    assert server.tokens() == set()
    monkeypatch.setenv("TUNING_MODE", "local")
    own = Sources(settings.read())
    assert len(bring(own, "tailors/secret")) == 300 and own.preview(Reference("tailors/secret"), LOCAL)  # the owner may
    assert refused(lambda: own.describe(Reference("tailors/secret"), "somebody")).code == "data.hub.private"
    assert server.tokens() == {"Bearer hf_theirs"}


def test_only_the_hub_itself_has_a_viewer_of_its_own() -> None:
    assert HubData("https://huggingface.co/", None, True)._viewer == "https://datasets-server.huggingface.co"
    assert HubData("https://mirror.example", None, True)._viewer == "https://mirror.example"


@pytest.mark.parametrize(
    ("tags", "license", "free"),
    [
        (("license:mit",), "mit", True),
        (("license:cc-by-nc-4.0",), "cc-by-nc-4.0", False),
        (("license:cc-by-nd-4.0",), "cc-by-nd-4.0", False),
        (("license:apache-2.0", "license:cc-by-nc-sa-4.0"), "apache-2.0, cc-by-nc-sa-4.0", False),
        (("license:other",), "other", False),
        (("license:unknown",), None, False),
        ((), None, False),
    ],
)
def test_a_licence_that_forbids_commerce_is_flagged(
    tags: tuple[str, ...], license: str | None, free: bool, data: Data, mine: Sources
) -> None:
    data.tags = tags
    with mine.bring(Reference(ID), LOCAL, rows=1) as brought:
        assert (brought.license, brought.free_license) == (license, free)


def test_our_card_knows_what_data_were_made_from(data: Data, server: Server, mine: Sources) -> None:
    server.data["teelinsan/camoscio"] = dataclasses.replace(data, tags=("license:openrail",))
    server.data["HuggingFaceTB/smoltalk"] = dataclasses.replace(data, tags=())
    server.data["basilepp19/dolly-15k-it"] = dataclasses.replace(data, tags=("license:cc-by-sa-3.0",))
    camoscio = mine.describe(Reference("teelinsan/camoscio"), LOCAL)
    assert (camoscio.license, camoscio.free_license) == ("openrail", False)
    smoltalk = mine.describe(Reference("HuggingFaceTB/smoltalk"), LOCAL)
    assert (smoltalk.license, smoltalk.free_license) == ("Apache-2.0", True)
    assert mine.describe(Reference("basilepp19/dolly-15k-it"), LOCAL).free_license  # our card did not know; its page does


# Looking


def test_rows_are_shown_without_a_download(data: Data, mine: Sources, server: Server) -> None:
    assert mine.preview(Reference(ID, "default", "test"), LOCAL, limit=3) == rows(3, 300)
    assert len(mine.preview(Reference(ID), LOCAL, limit=1000) or []) == 20
    data.truncated = 1
    shown = mine.preview(Reference(ID), LOCAL, limit=2)
    assert shown is not None and shown[1]["instruction"] == "How much is item 1?…"
    assert not any("/resolve/" in path for path in server.paths())


@pytest.mark.parametrize("status", [401, 404, 500, 501])
def test_a_silent_viewer_is_nothing(status: int, data: Data, mine: Sources) -> None:
    data.viewer = status
    assert mine.preview(Reference(ID), LOCAL) is None
    assert bring(mine, rows=5) == rows(300)  # its files, whole, since nobody knows how many rows are in each


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"rows": 3}', b'{"rows": [3]}', b'{"rows": [{"row": 3}]}', b"[" * 100_000])
def test_a_viewer_that_says_anything_is_nothing(answer: bytes, data: Data, mine: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.hub.hub_server import Handler

    monkeypatch.setattr(Handler, "_view", lambda handler, path, query: handler._send(200, answer))
    assert mine.preview(Reference(ID), LOCAL) is None
    assert bring(mine, "tailors/orders:small", rows=3) == rows(7)


# Fetching


def test_all_of_a_part_comes_and_is_gone_after_reading(data: Data, mine: Sources, home: pathlib.Path) -> None:
    seen: list[float] = []
    with mine.bring(sources.find(ID), LOCAL, watch=seen.append) as brought:
        assert read(brought) == rows(300)
        assert (brought.revision, brought.split.config, brought.split.name) == (REVISION, "default", "train")
        assert [path.name for path in brought.paths] == ["train-0000.parquet", "train-0001.parquet", "train-0002.parquet"]
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert list((home / "data").iterdir()) == []
    with pytest.raises(ZeroDivisionError), mine.bring(sources.find(ID), LOCAL):
        raise ZeroDivisionError
    assert list((home / "data").iterdir()) == []


def test_what_comes_is_read_into_the_library(data: Data, mine: Sources, home: pathlib.Path) -> None:
    data.viewer = 500
    with mine.bring(sources.find(ID), LOCAL) as brought:
        spec = ingest(home, LOCAL, brought.paths, ReadingOptions(name=ID, max_rows=150, license=brought.license, keep=True))
    assert (spec.rows_kept, spec.format, spec.license) == (150, "dolly", "cc-by-sa-3.0")
    listed = Library(home).list(LOCAL)
    assert sources.kept(listed, Reference(ID), 150) == spec
    assert sources.kept(listed, Reference(ID)) is None and sources.kept(listed, Reference(ID, "small"), 150) is None
    assert [row["messages"][-1]["content"] for row in Library(home).rows(spec.id, LOCAL)] == [row["response"] for row in rows(150)]


@pytest.mark.parametrize(
    ("text", "expected"), [(f"{ID}:small", rows(7)), (f"{ID}:default:test", rows(20, 300)), (f"{ID}::test", rows(20, 300))]
)
def test_variant_and_part_are_chosen(text: str, expected: list[dict[str, Any]], data: Data, mine: Sources) -> None:
    assert bring(mine, text) == expected


def test_an_unknown_variant_or_part_is_answered_with_those_there_are(data: Data, mine: Sources) -> None:
    error = refused(lambda: bring(mine, f"{ID}:big"))
    assert (error.code, error.params["known"]) == ("data.hub.config", "default, small")
    error = refused(lambda: bring(mine, f"{ID}:default:validation"))
    assert (error.code, error.params["known"]) == ("data.hub.split", "train, test")


def test_few_rows_come_from_the_viewer(data: Data, mine: Sources, server: Server, home: pathlib.Path) -> None:
    seen: list[float] = []
    assert bring(mine, rows=250, watch=seen.append) == rows(250)
    assert seen == [0.4, 0.8, 1.0]
    assert not any("/resolve/" in path for path in server.paths())
    assert bring(mine, rows=1000) == rows(300)  # all that there are


def test_cells_that_were_cut_are_not_learned_from(data: Data, mine: Sources, server: Server) -> None:
    data.truncated = 110
    assert bring(mine, rows=150) == rows(200)
    assert [path.rpartition("/")[2] for path in server.paths() if "/resolve/" in path] == ["0000.parquet", "0001.parquet"]


def test_no_more_files_than_the_rows_take(data: Data, mine: Sources, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "FEW_ROWS", 1)
    assert bring(mine, rows=90) == rows(100)
    assert sum("/resolve/" in path for path in server.paths()) == 1
    assert bring(mine, rows=301) == rows(300)


def test_what_is_too_large_is_streamed_or_refused(data: Data, mine: Sources, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    size = sum(len(content) for name, content in data.converted.items() if "default/train/0" in name)
    error = refused(lambda: bring(mine, most=size - 1))
    assert error.code == "data.hub.large" and error.params["rows"] == datasets.FEW_ROWS
    assert len(bring(mine, most=size)) == 300
    monkeypatch.setattr(datasets, "FEW_ROWS", 100)
    server.asked.clear()
    assert bring(mine, rows=200, most=1000) == rows(200)
    monkeypatch.setattr(datasets, "LARGE", 1000)  # it may come, but why should it
    assert bring(mine, rows=200) == rows(200)
    assert not any("/resolve/" in path for path in server.paths())
    monkeypatch.setattr(datasets, "MANY_ROWS", 150)
    assert refused(lambda: bring(mine, rows=200, most=1000)).code == "data.hub.large"


def test_nobody_knows_the_rows_then_as_many_files_as_fit(data: Data, mine: Sources) -> None:
    data.viewer = 500
    size = len(data.converted["default/train/0000.parquet"]) + len(data.converted["default/train/0001.parquet"])
    assert bring(mine, rows=5, most=size + 10) == rows(200)
    parts = [HubFile(name=f"default/train/{number}.parquet", size=dataset_files.GENEROUS) for number in range(9)]
    assert len(dataset_files.needed(Split(config="default", name="train", files=parts), 4, 10**12)) == 4


@pytest.fixture
def own(server: Server) -> Data:
    """The same as it was brought: lines of JSON in two files, nothing converted and no viewer."""
    server.data[ID] = Data(
        {"README.md": b"---", "train-a.jsonl": lines(rows(500)), "train-b.jsonl": lines(rows(500, 500)), "test.jsonl": lines(rows(9))},
        viewer=501,
    )
    return server.data[ID]


def test_its_own_files_where_nothing_was_converted(own: Data, mine: Sources) -> None:
    assert bring(mine) == rows(1000)
    assert bring(mine, f"{ID}::test") == rows(9)
    assert mine.describe(Reference(ID), LOCAL).files_at == REVISION


@pytest.mark.parametrize("count", [1, 20, 500, 700])
def test_lines_are_cut_after_those_that_were_asked_for(
    count: int, own: Data, mine: Sources, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1_000)
    assert bring(mine, rows=count, most=60_000 if count < 500 else 2**20) == rows(count)
    assert sum("/resolve/" in path for path in server.paths()) == (2 if count > 500 else 1)


def test_lines_stop_at_the_most_bytes(own: Data, mine: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1_000)
    assert refused(lambda: bring(mine, rows=400, most=10_000)).code == "data.hub.large"


@pytest.mark.parametrize("form", ["parquet", "lines"])
def test_cut_at_half_it_goes_on_from_there(form: str, request: Any, mine: Sources, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    data: Data = request.getfixturevalue("data" if form == "parquet" else "own")
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 500)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    data.cuts = 1
    assert bring(mine) == rows(300 if form == "parquet" else 1000)
    assert [headers["range"] for _, path, headers in server.asked if "/resolve/" in path and "range" in headers]


def test_what_is_not_as_promised_is_fetched_once_more_then_said(data: Data, mine: Sources, home: pathlib.Path) -> None:
    data.lies = 1
    assert bring(mine) == rows(300)
    data.lies = 2
    assert refused(lambda: bring(mine)).code == "data.hub.wrong_hash"
    assert list((home / "data").iterdir()) == []


def test_gated_only_now_is_said_when_fetching(data: Data, mine: Sources) -> None:
    mine.describe(Reference(ID), LOCAL)
    data.gated = "auto"
    assert refused(lambda: bring(mine)).code == "data.hub.gated"


def test_stopped_in_the_middle(data: Data, mine: Sources, home: pathlib.Path) -> None:
    class Stop(Exception):
        pass

    def watch(share: float) -> None:
        if share > 0.2:
            raise Stop

    for rows_wanted in (None, 250):
        with pytest.raises(Stop):
            bring(mine, rows=rows_wanted, watch=watch)
    assert list((home / "data").iterdir()) == []


def test_a_full_disk_is_said_before_and_in_the_middle(data: Data, mine: Sources, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    usage = shutil.disk_usage(mine.settings.home.parent)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=download.ASIDE + 10))
        assert refused(lambda: bring(mine)).code == "data.hub.disk"
    assert not any("/resolve/" in path for path in server.paths())

    def full(head: Any, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(datasets._Head, "write", full)
    assert refused(lambda: bring(mine)).code == "data.hub.disk"


def test_what_a_killed_process_left_behind_goes(data: Data, mine: Sources, home: pathlib.Path) -> None:
    old, new = home / "data" / ".hub-old", home / "data" / ".hub-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    bring(mine, rows=1)
    assert list((home / "data").iterdir()) == [new]


def test_names_of_the_hub_name_nothing_here(server: Server, mine: Sources, home: pathlib.Path) -> None:
    server.data[ID] = Data(
        {}, converted={"..%2f..%2fetc/train/0000.parquet": parquet(rows(3)), "a/tr.ain-x/0000.parquet": parquet(rows(4))}
    )
    with mine.bring(sources.find(f"{ID}:a:tr.ain-x"), LOCAL) as brought:
        assert [path.name for path in brought.paths] == ["tr-ain-x-0000.parquet"] and read(brought) == rows(4)
        assert brought.paths[0].parent.parent == home / "data"


# Layouts


def files(*names: str) -> list[HubFile]:
    return [HubFile(name=name, size=10) for name in names]


def told(names: list[str], said: dict[str, Any] | None = None) -> dict[str, dict[str, list[str]]]:
    return {
        config.name: {split.name: [file.name for file in split.files] for split in config.splits}
        for config in dataset_files.own(files(*names), said or {})
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["rows.jsonl"], {"train": ["rows.jsonl"]}),
        (["x_train.csv", "x_val.csv", "x-test.csv"], {"train": ["x_train.csv"], "test": ["x-test.csv"], "validation": ["x_val.csv"]}),
        (["train/a.json", "test/train.json"], {"train": ["test/train.json", "train/a.json"]}),
        (
            ["data/train_sft-00000-of-00001.parquet", "data/test_gen-00000-of-00001-ab.parquet"],
            {"train_sft": ["data/train_sft-00000-of-00001.parquet"], "test_gen": ["data/test_gen-00000-of-00001-ab.parquet"]},
        ),
        (["more.jsonl", "test.jsonl"], {"train": ["more.jsonl"], "test": ["test.jsonl"]}),
        (["training.csv", "others.csv"], {"train": ["training.csv"]}),
        (["trainer.csv"], {"train": ["trainer.csv"]}),
        (["a.csv", "a.parquet"], {"train": ["a.parquet"]}),
        (["LICENSE.txt", "requirements.txt", ".github/x.json", "dataset_infos.json", "state.json", "a.png", "x.py"], {}),
    ],
)
def test_parts_are_told_from_names(names: list[str], expected: dict[str, list[str]]) -> None:
    assert told(names) == ({"default": expected} if expected else {})


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([{"config_name": "it", "data_files": "it/*.json"}], {"it": {"train": ["it/a.json", "it/b.json"]}}),
        ([{"data_files": ["en.json", "./it/a.json"]}], {"default": {"train": ["en.json", "it/a.json"]}}),
        ([{"data_files": {"test": "en.json", "train": "it/a.json"}}], {"default": {"train": ["it/a.json"], "test": ["en.json"]}}),
        ([{"data_files": [{"split": "dev", "path": ["it/?.json"]}]}], {"default": {"dev": ["it/a.json", "it/b.json"]}}),
        ([{"data_files": "**/*.json"}], {"default": {"train": ["en.json", "it/a.json", "it/b.json", "it/deep/c.json"]}}),
        ([{"data_dir": "it/deep"}], {"default": {"train": ["it/deep/c.json"]}}),
        ([{"data_dir": "it", "data_files": "*.json"}], {"default": {"train": ["it/a.json", "it/b.json"]}}),
        ([{"data_files": "hf://datasets/x/y/*"}, 3, {"data_files": 7}, {"data_files": [7, {"path": 7}]}], {}),
        ({"config_name": "not a list"}, {"default": {"train": ["en.json", "it/a.json", "it/b.json", "it/deep/c.json"]}}),
    ],
)
def test_variants_are_what_the_readme_says(entries: Any, expected: dict[str, dict[str, list[str]]]) -> None:
    assert told(["en.json", "it/a.json", "it/b.json", "it/deep/c.json"], {"configs": entries}) == expected


def test_a_pattern_cannot_keep_the_app_busy() -> None:
    said = {"configs": [{"data_files": "*a" * 60 + "!"}]}
    assert dataset_files.own(files("a" * 200 + ".json"), said) == []


def test_more_than_nine_thousand_parts_stay_in_order() -> None:
    names = [f"default/train/{number:04}.parquet" for number in (10_000, 9_999, 2)]
    ((split,),) = [config.splits for config in dataset_files.converted(files(*names))]
    assert [file.name for file in split.files] == [names[2], names[1], names[0]]
