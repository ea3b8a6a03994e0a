"""Training and judging by plain TRL, transformers and PEFT: `python sweep_alone.py train|judge JOB.json`, prints JSON.

It imports nothing of this project: what it finds is what anybody finds. A job to `train` has model, rows, folder, epochs, batch, seed,
rate (null: the library's) and answers (false: all tokens of a row are learned, as TRL does with messages); one to `judge` has model,
adapter, asked (question, answer, fact) and plain sentences.
"""

import json
import os
import sys
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, set_seed

MOST, TOGETHER = 48, 20


def train(job: dict[str, Any]) -> dict[str, Any]:
    """A LoRA at the libraries' own settings, but for the passes, the batch and a rate that is given."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    set_seed(job["seed"])
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    if tokenizer.chat_template is None:
        tokenizer.chat_template = job["template"]
    rate = {} if job["rate"] is None else {"learning_rate": job["rate"]}
    rows = [
        {"prompt": [question], "completion": [answer]} if job["answers"] else {"messages": [question, answer]}
        for row in job["rows"]
        for question, answer in [({"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["output"]})]
    ]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32),
        args=SFTConfig(
            output_dir=job["folder"],
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            num_train_epochs=job["epochs"],
            per_device_train_batch_size=job["batch"],
            seed=job["seed"],
            gradient_checkpointing=False,
            bf16=False,
            **rate,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=LoraConfig(task_type="CAUSAL_LM"),
    )
    trainer.train()
    trainer.save_model(job["folder"])
    tokenizer.save_pretrained(job["folder"])
    return {"seconds": sum(os.times()[:4]), "steps": trainer.state.global_step}


def judge(job: dict[str, Any]) -> dict[str, Any]:
    """Loss of the answers in nats a token, the share of answers with their fact, and the loss of plain sentences."""
    folder = job["adapter"] or job["model"]
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = job["template"]
    if job["adapter"]:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, job["adapter"])
    model.eval()
    known = GenerationConfig.from_pretrained(job["model"]).eos_token_id
    ends = sorted({tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])} - {None})
    total, count, right, stopped = 0.0, 0, 0, 0
    prompts: list[dict[str, list[int]]] = []
    for row in job["asked"]:
        turn = [{"role": "user", "content": row["instruction"]}]
        prompt = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=True)["input_ids"]
        whole = tokenizer.apply_chat_template([*turn, {"role": "assistant", "content": row["output"]}], return_dict=True)["input_ids"]
        lost, tokens = _loss(model, whole, len(prompt))
        total, count = total + lost, count + tokens
        prompts.append({"input_ids": prompt})
    for start in range(0, len(prompts), TOGETHER):
        some = tokenizer.pad(prompts[start : start + TOGETHER], padding_side="left", return_tensors="pt")
        out = model.generate(**some, do_sample=False, max_new_tokens=MOST, eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)
        for row, new in zip(job["asked"][start : start + TOGETHER], out[:, some["input_ids"].shape[1] :].tolist(), strict=True):
            right += row["fact"].lower() in tokenizer.decode(new, skip_special_tokens=True).lower()
            stopped += any(token in ends for token in new)
    plain = [_loss(model, tokenizer(text)["input_ids"], 1) for text in job["plain"]]
    asked = len(job["asked"])
    return {
        "loss": total / count, "right": right / asked, "stopped": stopped / asked,
        "plain": sum(lost for lost, _ in plain) / sum(tokens for _, tokens in plain),
    }  # fmt: skip


def _loss(model: Any, ids: list[int], start: int) -> tuple[float, int]:
    """Nats in all of the tokens from `start` on, and how many they are."""
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, start - 1 : -1].float()
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[start:]), reduction="sum")), len(ids) - start


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as file:
        told = {"train": train, "judge": judge}[sys.argv[1]](json.load(file))
    sys.stdout.write(json.dumps(told))
