"""A stand-in for llama.cpp's `gguf`, in what `to_gguf` asks of it: a header in JSON, then the tensors as safetensors, in F16."""

import json
import types

import safetensors.torch
import torch

MODEL_ARCH_NAMES = {1: "llama"}
MAGIC = b"GGUF"


class SpecialVocab:
    def __init__(self):
        self.special_token_ids, self.chat_template = {}, None

    def add_to_gguf(self, writer, quiet=False):
        writer |= {f"tokenizer.ggml.{end}_token_id": number for end, number in self.special_token_ids.items()}
        writer["tokenizer.chat_template"] = self.chat_template


class Names:
    def get_name(self, name, try_suffixes=()):
        return name


def get_tensor_name_map(arch, blocks):
    return Names()


class GGUFReader:
    def __init__(self, path):
        with open(path, "rb") as file:
            content = file.read()
        assert content.startswith(MAGIC)
        size = int.from_bytes(content[4:12], "little")
        fields = json.loads(content[12 : 12 + size])
        self.fields = {name: types.SimpleNamespace(contents=lambda value=value: value) for name, value in fields.items()}
        kind = types.SimpleNamespace(name="F16")
        found = safetensors.torch.load(content[12 + size :]).items()
        self.tensors = [types.SimpleNamespace(name=name, data=tensor, tensor_type=kind) for name, tensor in found]


quants = types.SimpleNamespace(dequantize=lambda data, kind: data.to(torch.float32).numpy())
