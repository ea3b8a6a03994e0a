"""A plain script that loads exports with transformers and peft and notes what they answer: `witness.py REQUEST.json ANSWER.json`.

It runs in a process of its own and imports nothing of this project: what it sees, any other program sees. It judges nothing.
"""

import hashlib
import json
import pathlib
import sys
from importlib import metadata
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

# What a base's generation_config may make of the likeliest words: it is said otherwise, for other programs do not read that file.
LIKELIEST: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "min_length": 0,
    **dict.fromkeys(("min_new_tokens", "bad_words_ids", "sequence_bias", "suppress_tokens", "begin_suppress_tokens", "guidance_scale")),
}


def digest(tensor: torch.Tensor) -> str:
    """SHA-256 of a tensor's bytes."""
    return hashlib.sha256(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()).hexdigest()


def digests(folder: pathlib.Path) -> dict[str, str]:
    """SHA-256 of each tensor in the safetensors files of a folder."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(str(path), framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (not a dict)
                found[name] = digest(file.get_tensor(name))
    return found


def load(folder: pathlib.Path, base: str, dtype: str) -> Any:
    """The model of an export: an adapter on the base in the folder `base`, or a model that stands by itself."""
    if not (folder / "adapter_config.json").is_file():
        return AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True).eval()
    from peft import PeftModel

    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, local_files_only=True)
    model = PeftModel.from_pretrained(model, str(folder)).eval()
    if (folder / "generation_config.json").is_file():
        model.get_base_model().generation_config = GenerationConfig.from_pretrained(folder)
        model.generation_config = model.get_base_model().generation_config
    return model


def answer(model: Any, ids: list[int], most: int, **ends: Any) -> list[int]:
    """The greedy answer to a prompt, in tokens, with its end: at `ends`, by default where the model's own configuration has it."""
    asked = torch.tensor([ids])
    with torch.no_grad():
        out = model.generate(input_ids=asked, attention_mask=torch.ones_like(asked), max_new_tokens=most, **LIKELIEST, **ends)
    return [int(token) for token in out[0, len(ids) :]]


def look(job: dict[str, Any]) -> dict[str, Any]:
    """All that is seen of one export."""
    folder = pathlib.Path(job["folder"])
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = load(folder, job["base"], job["dtype"])
    stops = model.generation_config.eos_token_id
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    answers = []
    for turns, tools in job["asked"]:
        made = tokenizer.apply_chat_template(turns, tools=tools, add_generation_prompt=True, tokenize=True, return_dict=True)
        ids = [int(token) for token in made["input_ids"]]
        said = answer(model, ids, job["most"], pad_token_id=padding)
        answers.append({"prompt": ids, "tokens": said, "text": tokenizer.decode(said, skip_special_tokens=True)})
    talk = job["conversation"]
    return {
        "answers": answers,
        "conversation": tokenizer.apply_chat_template(talk, tokenize=False) if talk else None,
        "stops": sorted(stops) if isinstance(stops, list) else [] if stops is None else [stops],
        "tensors": digests(folder),
        "dtype": str(model.dtype).removeprefix("torch."),
        "versions": {name: metadata.version(name) for name in ("torch", "transformers", "peft")},
    }


if __name__ == "__main__":
    jobs = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    pathlib.Path(sys.argv[2]).write_text(json.dumps([look(job) for job in jobs]), encoding="utf-8")
