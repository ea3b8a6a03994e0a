"""Training speed on this processor: a random Llama of 60 M parameters on real rows, against what else one could run.

`python -m tests.bench.speed ROWS.json [ROUNDS] [STEPS]`: rows in Alpaca's form. Interleaved fresh processes, medians; real
tokens per second of the steps, and the peak of the process above the loaded model. The same LoRA (r 16 on q, k, v, o),
rows per step (2 x 4), length (512), threads and precision for all.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.bench.server import ROOT
from tests.tiny import MARKED

WAYS = {
    "ours": "dropout 0.05",
    "rows together": "dropout 0.05, packed rows see each other",
    "minimal TRL": "dropout 0.05",
    "ours, no dropout": "",
    "minimal TRL, no dropout": "",
}


def build(folder: pathlib.Path, rows: list[dict[str, str]]) -> pathlib.Path:
    """A Llama of 768 x 8 and a tokenizer of 8,192 entries made from the rows."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8192,
        special_tokens=["<s>", "<pad>", "<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator((" ".join(row.values()) for row in rows), trainer)
    words = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", pad_token="<pad>", eos_token="<end>")
    words.chat_template = MARKED
    transformers.set_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=768, intermediate_size=2048, num_hidden_layers=8, num_attention_heads=12,
        max_position_embeddings=2048, bos_token_id=0, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def write(path: pathlib.Path, source: list[dict[str, str]]) -> pathlib.Path:
    """Alpaca's rows as conversations."""
    lines = []
    for row in source:
        asked = "\n".join(part for part in (row["instruction"], row.get("input", "")) if part)
        lines.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": row["output"]}]})
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def one(way: str, model: pathlib.Path, rows: pathlib.Path, steps: int) -> dict[str, Any]:
    """A fresh process; `tokens`, `seconds`, `peak_bytes` above the model, `learned`."""
    module = "tests.bench.plain_trl" if "TRL" in way else "tests.bench.one_run"
    dropout = "0" if "no dropout" in way else "0.05"
    words = [str(model), str(rows), str(steps), "2", "2e-4", "512", "4", dropout, "together" if "together" in way else "apart"]
    done = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    source = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    with tempfile.TemporaryDirectory() as folder:
        model = build(pathlib.Path(folder) / "model", source)
        rows = write(pathlib.Path(folder) / "rows.jsonl", source)
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for number in range(rounds):
            for way in WAYS:
                result = one(way, model, rows, steps)
                found[way].append(result)
                speed, peak = result["tokens"] / result["seconds"], result["peak_bytes"] / 2**20
                print(
                    f"round {number + 1}: {way}: {speed:.0f} tokens/s, {peak:.0f} MiB above the model, loss {result['loss']:.3f}",
                    flush=True,
                )
        report(found)


def report(found: dict[str, list[dict[str, Any]]]) -> None:
    """Medians, and ratios round by round."""
    speeds = {way: [one["tokens"] / one["seconds"] for one in results] for way, results in found.items()}
    for way, values in speeds.items():
        peaks = statistics.median(one["peak_bytes"] for one in found[way]) / 2**20
        print(f"{way} ({WAYS[way]}): {statistics.median(values):.0f} tokens/s ({min(values):.0f}-{max(values):.0f}), {peaks:.0f} MiB")
    for ours, theirs in (("ours", "minimal TRL"), ("ours", "rows together"), ("ours, no dropout", "minimal TRL, no dropout")):
        ratios = sorted(a / b for a, b in zip(speeds[ours], speeds[theirs], strict=True))
        memory = statistics.median(a["peak_bytes"] / b["peak_bytes"] for a, b in zip(found[ours], found[theirs], strict=True))
        print(f"{ours} / {theirs}: {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}), memory {memory:.2f}")


if __name__ == "__main__":
    main()
