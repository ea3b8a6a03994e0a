"""The llama.cpp of this machine, asked by a certificate: one that answers, and those that crash, hang, differ or are old.

The double is a program of its own behind the same words and the same HTTP; the nightly form asks llama.cpp itself.
"""

import json
import os
import pathlib
import shlex
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from tests import families
from tests.engine.conftest import FAST
from tests.export import llama_cpp
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import RunError
from tuning.export import certificate, errands, forms, llama_server
from tuning.runs.run_folder import Run
from tuning.settings import PRESETS
from tuning.studio import Studio
from tuning.text import LANGUAGES, say, t

Taught = tuple[Studio, Run]
STARTER = PRESETS / "starter" / "starter-it.jsonl"
TURNS = [[{"role": "user", "content": text}] for text in ("Price?", "Quanto costa la è?")]
PROMPTS, SAID = [[1, 5, 6], [1, 7, 8]], [[20, 21, 2], [22, 23, 2]]
TEXTS = ["Seven euro.", "Nove euro."]
LIVE: dict[str, Any] = {
    "source": "held_out", "most": 32, "precision": "fp32", "quantization": "none", "prompts": PROMPTS,
    "asked": [[turns, None] for turns in TURNS],
    "answers": [{"tokens": tokens, "text": text} for tokens, text in zip(SAID, TEXTS, strict=True)],
}  # fmt: skip
FILE: dict[str, Any] = {
    "form": "gguf", "type": "f16", "verdict": "file", "stored": {}, "merged": {"equal": 1, "of": 1}, "template_equal": True,
    "tensors": {"equal": 1, "of": 1, "unlike": [], "missing": [], "more": []}, "answers": [],
    "stop_tokens": {"live": [2], "export": [2], "equal": True},
}  # fmt: skip


def double(folder: pathlib.Path, role: str, **changed: Any) -> pathlib.Path:
    """A program llama-server in `folder`; `changed`: what it says of the first prompt that the live model does not."""
    folder.mkdir()
    known = [
        {"tokens": tokens, "content": text, "rendered": prompt, "turns": turns,
         "tokenize": {"content": f"U: {turns[0]['content']}", "add_special": True, "parse_special": True}}
        for tokens, text, prompt, turns in zip(SAID, TEXTS, PROMPTS, TURNS, strict=True)
    ]  # fmt: skip
    known[0] |= changed
    answers = folder / "answers.json"
    answers.write_text(json.dumps({json.dumps(prompt): one for prompt, one in zip(PROMPTS, known, strict=True)}), encoding="utf-8")
    words = [sys.executable, str(pathlib.Path(__file__).with_name("llama_double.py")), role, str(answers)]
    program = folder / "llama-server"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder with a space and an accent for the file, and one on the path for the program."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'programmi è'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "un posto è").mkdir()
    (tmp_path / "un posto è" / "x.gguf").write_bytes(b"GGUF")
    return tmp_path


def certified(place: pathlib.Path, memory_free: int = forms.GIB + 2**20) -> dict[str, Any]:
    """The certificate where there is memory for llama.cpp, and none to load the file in transformers."""
    scratch = place / "un posto è"
    spec = SimpleNamespace(model=SimpleNamespace(card=SimpleNamespace(parameters=1)))
    run: Any = SimpleNamespace(spec=lambda: spec)
    order = forms.ExportOrder(run, None, place, memory_free=memory_free, scratch=scratch)
    return forms._answered(order, {"file": str(scratch / "x.gguf")}, LIVE, FILE)


@pytest.mark.skipif(sys.platform == "win32", reason="the double is a program by its first line")
def test_it_is_asked_and_what_it_says_is_compared_token_by_token(place: pathlib.Path) -> None:
    double(place / "programmi è", "answers")
    found = certified(place)
    assert (found["verdict"], found["runtime"]) == ("same", {"name": "llama_cpp", "version": "6970 (7f09a680a)"})
    assert (found["token_agreement"], found["prompts"]) == (1.0, {"equal": 2, "of": 2, "not_compared": 0})
    for lang in LANGUAGES:
        words = certificate.spoken(found, lang)
        assert "llama.cpp 6970 (7f09a680a)" in words and t(lang, "export.certificate.gguf.open.llama_cpp") in words
        assert all(text in words for text in TEXTS) and t(lang, "export.certificate.file") not in words


@pytest.mark.skipif(sys.platform == "win32", reason="the double is a program by its first line")
@pytest.mark.parametrize(
    "changed", [{"tokens": [20, 9, 2], "content": "Sixteen."}, {"rendered": [1, 1, 5, 6]}, {"tokens": [20, 21]}], ids=str
)
def test_another_answer_and_another_prompt_are_shown_and_block_nothing(place: pathlib.Path, changed: dict[str, Any]) -> None:
    """A word, a prompt with a token twice at its beginning, and an answer that does not end."""
    double(place / "programmi è", "answers", **changed)
    found = certified(place)
    assert found["verdict"] == "differs" and (found["token_agreement"] < 1 or found["prompts"]["equal"] == 1)
    if "content" in changed:
        assert all(text in certificate.spoken(found, lang) for text in ("Sixteen.", TEXTS[0]) for lang in LANGUAGES)


FAULTS = {
    "crashes": ("export.llama.ended", "unknown model architecture: 'sarto'"), "breaks": ("export.llama.ended", "GGML_ASSERT"),
    "another": ("export.llama.ended", "127.0.0.1:"), "wordless": ("export.llama.ended", "exit 1"), "loads": ("export.llama.slow", ""),
    "mute": ("export.llama.slow", ""), "old": ("export.llama.old", "--jinja"), "oldest": ("export.llama.old", "tokens"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="the double is a program by its first line")
@pytest.mark.parametrize("role", FAULTS)
def test_one_that_gives_no_answer_is_told_and_nothing_is_called_checked(
    place: pathlib.Path, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends at once or in the middle, is not the one that was started, says nothing, or is too old."""
    double(place / "programmi è", role)
    if FAULTS[role][0] == "export.llama.slow":
        monkeypatch.setattr(llama_server, "SECONDS", 1.0)
    found = certified(place)
    code, said = FAULTS[role]
    assert (found["verdict"], found["answers"], [one["code"] for one in found["unanswered"]]) == ("file", [], [code])
    assert not errands._alive  # nothing of it goes on
    for lang in LANGUAGES:
        words = certificate.spoken(found, lang)
        assert (
            say(lang, code, found["unanswered"][0]["params"]) in words
            and said in words
            and "un posto" not in words
            and "/build" not in words
        )
        assert t(lang, "export.certificate.gguf.open.none") in words and t(lang, "export.certificate.file") in words


@pytest.mark.skipif(sys.platform == "win32", reason="the double is a program by its first line")
def test_one_that_cannot_show_its_prompts_is_asked_all_the_same(place: pathlib.Path) -> None:
    double(place / "programmi è", "older")
    found = certified(place)
    assert (found["verdict"], found["prompts"]) == ("same", {"equal": 0, "of": 0, "not_compared": 2})


@pytest.mark.skipif(sys.platform == "win32", reason="the double is a program by its first line")
def test_a_stop_ends_it_and_is_no_finding(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double(place / "programmi è", "mute")
    errand = errands.Errand()
    told = llama_server.Server._told

    def stopped(server: Any, method: str, path: str, body: Any = None) -> Any:
        if path == "/completion":
            errand.stop()
        return told(server, method, path, body)

    monkeypatch.setattr(llama_server.Server, "_told", stopped)
    token = errands._current.set(errand)
    try:
        with pytest.raises(RunError) as caught:
            certified(place)
    finally:
        errands._current.reset(token)
    assert caught.value.code == "export.stopped" and not errands._alive


def test_it_is_found_on_the_path_and_never_where_this_process_happens_to_stand(
    place: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its whole path, with spaces and accents; on Windows only as an .exe, which no shell reads."""
    program = double(place / "programmi è", "answers")
    monkeypatch.setattr(llama_server, "NAME", program.name)
    assert llama_server.find() == program
    monkeypatch.chdir(program.parent)
    monkeypatch.setenv("PATH", os.curdir)
    assert llama_server.find() is None


def test_without_memory_for_it_none_is_asked(place: pathlib.Path) -> None:
    double(place / "programmi è", "crashes")
    found = certified(place, 2**20)
    assert found == FILE and t("it", "export.certificate.gguf.open.none") in certificate.spoken(found, "it")


@pytest.mark.nightly
def test_llama_cpp_itself_answers_as_the_live_model(
    taught: Taught, tools: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the run to the certificate, in a folder with a space and an accent."""
    studio, run = taught
    assert tools.is_dir()
    monkeypatch.setenv("PATH", f"{llama_cpp.server(tmp_path)}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "un'uscita è").mkdir()
    found = certificate.read(studio.exports.export(run.id, "gguf", tmp_path / "un'uscita è", check=True))
    print(found["runtime"], found["token_agreement"], found["prompts"], found.get("unanswered"))
    assert found["runtime"]["name"] == "llama_cpp" and found["runtime"]["version"] != "?" and len(found["answers"]) == 5
    assert (found["verdict"], found["token_agreement"], found["prompts"]) == ("same", 1.0, {"equal": 5, "of": 5, "not_compared": 0}), found


def pieces(folder: pathlib.Path, template: str) -> None:
    """A tiny Llama whose tokenizer.json was made of a SentencePiece model, as those of Mistral and Minerva: merges, bytes for what is in
    none of them, and a space in front of the first word."""
    learned = Tokenizer(models.BPE(unk_token="<unk>"))
    space = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    learned.pre_tokenizer = space
    rows = [row["instruction"] + " " + row["output"] for row in map(json.loads, STARTER.read_text(encoding="utf-8").splitlines())]
    learned.train_from_iterator(rows, trainers.BpeTrainer(vocab_size=700, show_progress=False))
    rules = json.loads(learned.to_str())["model"]
    first = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    made = [*map("".join, rules["merges"])]  # in their order, and single characters last
    order = [*first, *dict.fromkeys(made), *(piece for piece in rules["vocab"] if piece not in {*first, *made})]
    model = models.BPE(
        vocab={piece: at for at, piece in enumerate(order)}, merges=[(one, other) for one, other in rules["merges"]], unk_token="<unk>",
        fuse_unk=True, byte_fallback=True,
    )  # fmt: skip
    inner = Tokenizer(model)
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    parts = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    inner.decoder = decoders.Sequence(parts)
    words = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    words.chat_template = template
    config = AutoConfig.for_model(
        "llama", vocab_size=len(words), bos_token_id=1, eos_token_id=2, tie_word_embeddings=False, **{
            key: families.SMALL[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                                                 "num_key_value_heads", "max_position_embeddings")
        },
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    words.save_pretrained(folder)


@pytest.mark.nightly
@pytest.mark.parametrize("begin", ["{{ bos_token }}", ""], ids=["begun", "not begun"])
def test_pieces_are_cut_alike(
    begin: str, taught: Taught, tools: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompts that llama.cpp makes of a tokenizer of pieces are those that were learned, whether they begin a text or not."""
    studio, _ = taught
    assert tools.is_dir()
    turn = "{{ eos_token }}{{ message.role }}: {{ message.content }}"
    template = f"{begin}{{% for message in messages %}}{turn}{{% endfor %}}{{{{ eos_token }}}}"
    template += "{% if add_generation_prompt %}assistant: {% endif %}"
    pieces(tmp_path / "model", template)
    run = studio.runs.create(str(tmp_path / "model"), str(STARTER), "facts", FAST | {"precision": "fp32"}, name="pieces")
    assert train(run, studio.shared.store, Resident()).status == "finished", run.log()[-20:]
    (tmp_path / "server").mkdir()
    monkeypatch.setenv("PATH", f"{llama_cpp.server(tmp_path / 'server')}{os.pathsep}{os.environ['PATH']}")
    found = certificate.read(studio.exports.export(run.id, "gguf", tmp_path / "out", check=True))
    print(found["token_agreement"], found["prompts"])
    assert found["prompts"]["equal"] == found["prompts"]["of"] > 2, found
