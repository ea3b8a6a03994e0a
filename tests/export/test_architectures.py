"""Every architecture of the catalog, and some besides, as a tiny random stand-in: trained, merged, converted to GGUF and read back, and
asked in llama.cpp.

It prints a line for each. What asks llama.cpp is skipped with the reason where that is not to be had: `tests.export.llama_cpp`.
"""

import contextlib
import json
import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import traceback
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, set_seed

from tests import families, seeing
from tests.engine.kernels.test_families import CARDS
from tests.export import llama_cpp
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.errors import RunError
from tuning.export import archive, certificate, converter, maker
from tuning.hub import pulled
from tuning.schema import LOCAL
from tuning.settings import Settings
from tuning.studio import Studio

pytestmark = pytest.mark.nightly
CHANGES: dict[str, Any] = {
    "max_steps": 2, "max_length": 64, "learning_rate": 0.01, "validation_share": 0.2, "max_samples": 10, "precision": "fp32",
    "report": False,
}  # fmt: skip
WANTED = 16  # tokens
TIE = 0.01  # of the standard deviation of the logits: what rounding to 16 bits may turn round
PROMPTS = ("How much is item 3?", "Quanto costa?", "Item 7 costs")
# What people train besides: Phi-4, whose tokenizer is no SentencePiece model, those that take pictures, too, and Gemma, of which the
# converter reads its SentencePiece model alone.
GEMMA: dict[str, Any] = {"query_pre_attn_scalar": families.SMALL["head_dim"], "tie_word_embeddings": True} | {
    key: size for key, size in families.SMALL.items() if key.startswith(("hidden", "inter", "num", "head", "max"))
}
BESIDES = {
    "phi4-untied": next(card.config for card in CARDS.values() if card.model_type == "phi3"),
    **{f"{kind}-seeing": {"model_type": kind} for kind in seeing.KINDS},
    **{f"{kind}-tied": {"model_type": kind, **GEMMA} for kind in ("gemma", "gemma2", "gemma3_text")},
}
PIECES = frozenset({"phi3-untied", "gemma-tied", "gemma2-tied", "gemma3_text-tied", "gemma3-seeing"})
SPARE, ROUND = 32, 16  # rows of embeddings; llama.cpp takes only multiples of a hybrid, as those of the catalog have them
MULTIPLIERS = {"embedding_multiplier": 12, "attention_multiplier": 0.0625, "residual_multiplier": 0.22, "logits_scaling": 6}  # of Granite


def greedy(folder: pathlib.Path, prompts: list[list[int]]) -> tuple[list[list[int]], list[list[float]]]:
    """The likeliest tokens by transformers in 32 bits, of the weights as the file keeps them; and at each how far the second one is behind,
    in standard deviations of the logits."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for weight in model.parameters():
        if weight.dim() > 1:
            weight.data = weight.data.half().float()
    answers, gaps = [], []
    for prompt in prompts:
        ids, behind = list(prompt), []
        for _ in range(WANTED):
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, -1]
            first, second = logits.topk(2).values.tolist()
            behind.append((first - second) / float(logits.std()))
            ids.append(int(logits.argmax()))
        answers.append(ids[len(prompt) :])
        gaps.append(behind)
    return answers, gaps


def agreement(wanted: list[list[int]], gaps: list[list[float]], got: list[list[int]]) -> tuple[str, bool]:
    """How many tokens were the same before the first difference, past any end, and whether all differences are ties."""
    equal, told, fine = 0, [], True
    for row, behind, found in zip(wanted, gaps, got, strict=True):
        same = next((at for at, token in enumerate(row) if at >= len(found) or found[at] != token), len(row))
        equal += same
        if same < len(row):
            fine = fine and behind[same] < TIE
            told.append(f"at {same}: {'a tie' if behind[same] < TIE else 'apart'}, {100 * behind[same]:.2f} % of the deviation")
    return f"{equal} of {sum(map(len, wanted))} tokens" + "".join(f"; {one}" for one in told), fine


def _built(folder: pathlib.Path, said: dict[str, Any], tools: pathlib.Path) -> pathlib.Path:
    """A stand-in with more rows of embeddings than its tokenizer has words, as many models; of `PIECES` with a SentencePiece model, which
    the converter reads."""
    if said["model_type"] in seeing.KINDS:
        return _pieces(seeing.build(folder, said["model_type"]), tools)
    set_seed(0)
    config = families.shrink(said)
    config.vocab_size = -(-(config.vocab_size + SPARE) // ROUND) * ROUND
    if said["model_type"] == "phi":
        config.intermediate_size = 4 * config.hidden_size  # llama.cpp knows no other Phi-2
    if said["model_type"] == "granitemoehybrid":
        config.update(MULTIPLIERS)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    families.tokenizer().save_pretrained(folder)
    return _pieces(folder, tools)


def _pieces(folder: pathlib.Path, tools: pathlib.Path) -> pathlib.Path:
    if folder.name in PIECES:
        options = "input='rows.txt', model_prefix='tokenizer', vocab_size=300, hard_vocab_limit=False, byte_fallback=True"
        options += ", bos_id=0, pad_id=1, eos_id=2, unk_id=3, pad_piece='<pad>', eos_piece='<end>'"  # as the tokenizer beside it has them
        options += ", control_symbols='</s>,<|endoftext|>'"  # which llama.cpp looks for in each Phi-3
        train = f"import sentencepiece as s; s.SentencePieceTrainer.train({options})"
        (folder / "rows.txt").write_text("\n".join(PROMPTS * 9), encoding="utf-8")
        subprocess.run([sys.executable, "-c", train], cwd=folder, check=True, timeout=300, env={**os.environ, "PYTHONPATH": str(tools)})
        (folder / "rows.txt").unlink()
        (folder / "tokenizer.vocab").unlink()
    return folder


def _forked(words: list[str], work: pathlib.Path) -> str:
    """The converter's script in a process that has the libraries already: a fresh one for each architecture would load them for minutes."""
    script, *told = words[words.index("utf8") + 1 :]
    process = multiprocessing.get_context("fork").Process(target=_run_script, args=(script, told, work / "said.txt"))
    process.start()
    process.join(600)
    said = (work / "said.txt").read_text(encoding="utf-8").strip().splitlines() if (work / "said.txt").is_file() else []
    return said[-1] if said else f"exit {process.exitcode}"


def _run_script(script: str, words: list[str], said: pathlib.Path) -> None:
    with said.open("w", encoding="utf-8") as out, contextlib.redirect_stderr(out):
        sys.argv = [script, *words]
        try:
            runpy.run_path(script, run_name="__main__")
        except BaseException:
            traceback.print_exc(file=out)
            raise


@pytest.fixture(scope="module")
def made(tools: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Each architecture trained for two steps, merged and converted as an export does it: what was read back and where, or the fault."""
    place = tmp_path_factory.mktemp("every è")
    studio = Studio(Settings(home=place / "home"), LOCAL)
    rows = place / "rows.json"
    rows.write_text(
        json.dumps([{"instruction": f"How much is item {n}?", "output": f"Item {n} costs {n * 7 % 50} euro."} for n in range(40)])
    )
    found: dict[str, dict[str, Any]] = {}
    for kind, said in ({kind: card.config for kind, card in CARDS.items()} | BESIDES).items():
        folder = _built(place / kind, said, tools)
        run = studio.runs.create(str(folder), str(rows), "facts", CHANGES, name=kind)
        state = train(run, studio.shared.store, Resident())
        assert state.status == "finished", run.log()[-20:]
        pulled.require_fit(run.adapter, folder, kind, kind)  # a pull would know it for an adapter of this base
        live = maker.listen(run, studio.settings.home, trusts=False)
        merged, file, scratch = (place / f"{kind}-{name}" for name in ("merged", "x.gguf", "scratch"))
        scratch.mkdir()
        written = maker.merge(live, merged)
        archive.copy(run, merged, of_adapters=False)
        template = (merged / "chat_template.jinja").read_text(encoding="utf-8")
        job = converter.job(run.spec().model.path, tools, merged, file) | {"type": "f16", "stops": live.stops, "template": template}
        try:
            seen = converter.write(job, scratch, _forked)
        except RunError as error:
            found[kind] = {"fault": f"{error.code} {error.params}"}
            continue
        told = certificate.of_gguf({"stops": live.stops, "template": template, "tensors": written["tensors"]}, seen, "f16")
        found[kind] = {"told": told, "merged": merged, "file": file, "live": live}
    return found


def test_each_is_converted_and_its_tensors_are_read_back_equal(made: dict[str, dict[str, Any]]) -> None:
    for kind, one in made.items():
        told = one.get("told")
        print(f"{kind:32}", one["fault"] if told is None else told["verdict"], (told and told["tensors"]) or "")
    unlike = {kind for kind, one in made.items() if "told" not in one or one["told"]["verdict"] != "file"}
    print(f"{len(made) - len(unlike)} of {len(made)} architectures converted and read back equal")
    assert not unlike


def test_each_answers_in_llama_cpp_as_in_transformers(made: dict[str, dict[str, Any]], tmp_path: pathlib.Path) -> None:
    place = llama_cpp.installed(tmp_path)
    words = families.tokenizer()
    prompts = [words(text)["input_ids"] for text in PROMPTS]
    there = {kind: one for kind, one in made.items() if "told" in one}
    job = {kind: {"path": str(one["file"]), "prompts": prompts, "texts": list(PROMPTS)} for kind, one in there.items()}
    found, apart = llama_cpp.asked(place, job, tmp_path, WANTED, families.CONTEXT), []
    for kind, one in there.items():
        got = found[kind]
        if "fault" in got:
            print(f"{kind:32} {got['fault']}")
            continue
        told, fine = agreement(*greedy(one["merged"], prompts), got["answers"])
        read = sum(ids == wanted for ids, wanted in zip(got["read"], prompts, strict=True))
        print(f"{kind:32} {told}; prompts cut alike: {read} of {len(prompts)}")
        apart += [] if fine else [kind]
    not_loaded = {kind for kind, got in found.items() if "fault" in got}
    print(f"{len(there) - len(not_loaded)} of {len(made)} architectures answered in llama.cpp")
    assert not not_loaded and not apart
