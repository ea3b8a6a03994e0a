"""Train a run of Sartoria again with TRL and PEFT alone: `python retrain.py [MODEL]`, in an environment with requirements.txt.

MODEL is the folder or the Hub id of the base model, where it is another one than settings.json says. The adapter is written to
`adapter` beside this file. At the end stands how far the last loss is from that of the run.
"""

import json
import pathlib
import sys
from typing import Any

from datasets import Dataset
from peft import LoraConfig, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

HERE = pathlib.Path(__file__).resolve().parent


class StopAfter(TrainerCallback):
    """Ends after so many steps: the run may have been stopped before all that were planned."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = control.should_training_stop or state.global_step >= self.steps


def load(settings: dict[str, Any], name: str) -> Any:
    """The base model, in the precision of the run."""
    more = {"revision": settings["revision"]} if settings["revision"] and name == settings["model"] else {}
    if settings["quantization"]:
        more["quantization_config"] = BitsAndBytesConfig(**settings["quantization"])
    local = HERE / name
    return AutoModelForCausalLM.from_pretrained(local if local.is_dir() else name, dtype=settings["dtype"], **more)


def main() -> None:
    """Train, save, compare the loss."""
    settings = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))
    name = sys.argv[1] if len(sys.argv) > 1 else settings["model"]
    if name is None:
        raise SystemExit("The base model is not on the Hub: name its folder, python retrain.py FOLDER")
    rows = [json.loads(line) for line in (HERE / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    set_seed(settings["sft"]["seed"])
    trainer = SFTTrainer(
        model=load(settings, name),
        args=SFTConfig(output_dir=str(HERE / "adapter"), **settings["sft"]),
        train_dataset=Dataset.from_list(rows),  # in tokens already, with -100 where nothing is learned
        processing_class=AutoTokenizer.from_pretrained(HERE / "tokenizer"),
        peft_config=LoraConfig(**settings["lora"]) if settings["lora"] else None,
        callbacks=[StopAfter(settings["steps"])],
    )
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # small updates are lost in 16 bits
    if (HERE / "start.safetensors").is_file():  # the run went on from another one
        set_peft_model_state_dict(trainer.model, load_file(HERE / "start.safetensors"))
    trainer.train()
    trainer.save_model()
    loss, wanted = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry][-1], settings["loss"]
    told = {"steps": trainer.state.global_step, "loss": loss, "loss_of_the_run": wanted, "apart": abs(loss - wanted)}
    (HERE / "result.json").write_text(json.dumps(told, indent=2), encoding="utf-8")
    sys.stdout.write("".join(f"{key}: {value}\n" for key, value in told.items()))


if __name__ == "__main__":
    main()
