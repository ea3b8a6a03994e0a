"""A stand-in for llama.cpp's converter, for tests without a net: the same options, a file that the stand-in `gguf` reads."""

import argparse
import json
import pathlib

import gguf
import safetensors.torch
from conversion.base import TextModel


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    for option in ("--outfile", "--outtype", "--model-name"):
        parser.add_argument(option)
    options = parser.parse_args()
    config = json.loads((options.folder / "config.json").read_text(encoding="utf-8"))
    fields = {
        "general.architecture": "llama",
        "llama.block_count": config["num_hidden_layers"],
        "tokenizer.ggml.pre": TextModel().get_vocab_base_pre(None),
    }
    gguf.SpecialVocab().add_to_gguf(fields)
    tensors = safetensors.torch.load_file(options.folder / "model.safetensors")
    header = json.dumps(fields).encode()
    body = safetensors.torch.save({name: tensor.half() for name, tensor in tensors.items()})
    pathlib.Path(options.outfile).write_bytes(gguf.MAGIC + len(header).to_bytes(8, "little") + header + body)
