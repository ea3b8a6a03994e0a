"""Greedy answers by plain transformers and PEFT, as JSON: `python ask_alone.py MODEL ADAPTER|- DTYPE QUESTIONS.json`.

It imports nothing of this project, so that what it finds is what anybody finds. Each answer comes with whether it ended by itself.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

MOST = 64


def main() -> None:
    """Ask every question of the file, one at a time."""
    path, adapter, dtype, questions = sys.argv[1:5]
    folder = path if adapter == "-" else adapter
    model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype))
    if adapter != "-":
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    tokenizer, known = AutoTokenizer.from_pretrained(folder), GenerationConfig.from_pretrained(path).eos_token_id
    ends = sorted({tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])} - {None})
    found = []
    with open(questions, encoding="utf-8") as file:
        asked = json.load(file)
    for question in asked:
        turn = [{"role": "user", "content": question}]
        ids = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        out = model.generate(**ids, do_sample=False, max_new_tokens=MOST, eos_token_id=ends, pad_token_id=tokenizer.pad_token_id or 0)
        new = out[0, ids["input_ids"].shape[1] :].tolist()
        stopped = new[-1] in ends
        found.append((tokenizer.decode(new, skip_special_tokens=True).strip(), stopped))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
