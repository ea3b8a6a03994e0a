"""Builds everything in presets/starter from nothing: corpus, tokenizer, model and the two practice data sets.

Run it as `python presets/starter/build.py`. It needs torch, transformers and tokenizers, and no network.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_TOKENS = 4_000_000
TOKENIZER_CHATS = 30_000
SLOW_RATE, FAST_RATE = 3_200, 6_000


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Builds the starter model and its two practice data sets.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: the folder of this file)")
    parser.add_argument("--tokens", type=int, default=DEFAULT_TOKENS, help="tokens to train on; few make a quick, bad model for a test")
    parser.add_argument("--seed", type=int, default=7, help="the same seed on the same machine gives the same model")
    parser.add_argument("--vocab", type=int, default=4096, help="size of the vocabulary")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: as many as torch takes)")
    parser.add_argument("--precision", choices=("auto", "bf16", "f32"), default="auto", help="auto: bf16 where the CPU is made for it")
    parser.add_argument("--data-only", action="store_true", help="write the data sets only")
    return parser.parse_args(arguments)


def write_data(out: Path) -> None:
    """Writes the two data sets and their held-out rows."""
    from shop_data import data_sets

    out.mkdir(parents=True, exist_ok=True)
    for name, rows in data_sets().items():
        path = out / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        print(f"  {name}: {len(rows)} rows")


def has_bf16() -> bool:
    """Whether the CPU multiplies in bf16 by itself, which makes it faster; elsewhere bf16 is slower than f32."""
    import torch

    abilities = torch.cpu.get_capabilities()
    return any(bool(abilities.get(name)) for name in ("amx_bf16", "avx512_bf16"))


def build_model(options: argparse.Namespace) -> None:
    """Trains the tokenizer and the model and saves both."""
    import torch
    from chat_format import save_tokenizer, train_tokenizer
    from corpus import conversations
    from pretrain import Recipe, train
    from transformers import GenerationConfig

    if options.threads:
        torch.set_num_threads(options.threads)
    start = time.monotonic()
    chats = itertools.islice(conversations(options.seed + 100), min(TOKENIZER_CHATS, options.tokens // 20))
    tokenizer = train_tokenizer((message["content"] for chat in chats for message in chat), options.vocab)
    print(f"  tokenizer: {len(tokenizer)} tokens, {time.monotonic() - start:.0f} s", flush=True)
    bf16 = options.precision == "bf16" or (options.precision == "auto" and has_bf16())
    result = train(tokenizer, Recipe(tokens=options.tokens, seed=options.seed, bf16=bf16))
    folder = options.out / "model"
    model = result.model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
        max_new_tokens=128,
    )
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # Stored in 16 bits to be small, worked with in 32: so the model answers alike here and in plain transformers.
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float32"}, indent=2) + "\n", encoding="utf-8")
    save_tokenizer(tokenizer, folder)
    parameters = sum(p.numel() for p in model.parameters())
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    rate, threads = result.tokens / result.seconds, torch.get_num_threads()
    print(f"  model: {parameters:,} parameters, {size:.1f} MB, loss {result.last_loss:.3f}")
    how = f"{rate:,.0f} tokens/s, {'bf16' if bf16 else 'f32'}, {threads} threads"
    print(f"  {result.tokens:,} tokens in {result.seconds / 60:.1f} min ({how})")


def main() -> None:
    """Builds what was asked for."""
    options = parse()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # must stand before torch is loaded; on a busy machine it is many times faster
    if not options.data_only:
        low, high = (options.tokens / rate / 60 for rate in (FAST_RATE, SLOW_RATE))
        print(f"Building the starter from {options.tokens:,} tokens.", flush=True)
        print(f"This takes about {low:.0f} to {high:.0f} minutes on a CPU with two cores.", flush=True)
    print("Data sets", flush=True)
    write_data(options.out)
    if not options.data_only:
        print("Model", flush=True)
        build_model(options)
    print("Done.")


if __name__ == "__main__":
    main()
