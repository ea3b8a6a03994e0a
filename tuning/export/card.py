"""README.md of an export: what it was made of, under which licence, its report, and how it is loaded; in English, as the Hub's are."""

import json
import pathlib
import re
from typing import Any

from tuning.hub.repository import ID
from tuning.presets import replay
from tuning.runs import disk
from tuning.runs.evaluation.verdict import FILE
from tuning.runs.run_folder import Run
from tuning.schema import RunSpec

MERGED = """---
library_name: transformers
base_model: {base}
tags: [merged, sft, sartoria]
---
# {name}

`{base}` with a LoRA adapter merged into it, trained on {learned}. The base is not needed.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(MODEL)  # this folder
tokenizer = AutoTokenizer.from_pretrained(MODEL)
```

Settings:

```json
{settings}
```
"""
GGUF = """---
base_model: {base}
tags: [gguf, sft, sartoria]
---
# {name}

`{base}`, trained on {learned}, as one GGUF file with the chat template and the tokens that end an answer.

LM Studio, Jan and llama.cpp open it as it is: `llama-cli -m {file}`. For Ollama, in this folder: `ollama create {model} -f Modelfile`,
then `ollama run {model}`.
"""
HANDED = """---
base_model: {base}
tags: [ollama, sft, sartoria]
---
# {name}

`{base}`, trained on {learned}, is in Ollama under the name `{model}` (quantised: {quantisation}), with the chat template and
the tokens that end an answer.

```
ollama run {model}
```

`ollama rm {model}` takes it away again.
"""
BUNDLE = """---
base_model: {base}
tags: [sft, sartoria]
---
# {name}

All that trains `{base}` once more as it was trained on {learned}, with TRL and PEFT and without Sartoria:

```
python -m venv .venv
.venv/bin/pip install -r requirements.txt
.venv/bin/python retrain.py
```

(On Windows `.venv\\Scripts\\pip` and `.venv\\Scripts\\python`.) `retrain.py MODEL` takes the base from another folder. The adapter is
written to `adapter`; at the end stands how far the last loss is from that of the run. Without dropout and in 32 bits it is the same to
0.0001; in 16 bits sums are rounded in another order, and with dropout other places are left out.

- `rows.jsonl`: what the model sees, in tokens; `labels` of -100 are not learned. `conversations.jsonl`: the same rows as texts.
- `settings.json`: the settings, by the names of SFTConfig and LoraConfig. `trl-sft.yaml`: the same for `trl sft --config trl-sft.yaml`.
"""
STOPS = """
`generation_config.json` names the tokens that end an answer. PEFT does not read it by itself:

```python
from transformers import GenerationConfig

model.generation_config = GenerationConfig.from_pretrained(ADAPTER)
```
"""
FOLDED = """
It was trained with rsLoRA. `lora_alpha` says the same as plain LoRA (alpha * sqrt(r)), for programs that do not know `use_rslora`.
"""
CHECKED = """
`certificate.md` says what of this export was compared with the model that it was made of, and what came out.
"""


def write(folder: pathlib.Path, run: Run, spec: RunSpec, folded: bool) -> None:
    """Complete the card that the run published, or write that of a merged model. Raises OSError."""
    path = folder / "README.md"
    adapter = (folder / "adapter_config.json").is_file()
    whole = spec.settings.method == "full"
    text = disk.kept(lambda: disk.text(path), "") if (adapter or whole) and path.is_file() else _merged(spec)
    path.write_text(f"{_headed(text, spec)}{STOPS if adapter else ''}{FOLDED if folded else ''}{_report(run)}{CHECKED}", encoding="utf-8")


def write_gguf(folder: pathlib.Path, run: Run, spec: RunSpec, file: str) -> None:
    """Write the card of a GGUF file. Raises OSError."""
    _write(folder, run, spec, GGUF, file=file, model=file.removesuffix(".gguf"))


def write_handed(folder: pathlib.Path, run: Run, spec: RunSpec, model: str, quantisation: str) -> None:
    """Write the card of a model that Ollama has. Raises OSError."""
    _write(folder, run, spec, HANDED, model=model, quantisation=quantisation)


def write_bundle(folder: pathlib.Path, run: Run, spec: RunSpec) -> None:
    """Write the card of what trains a run again. Raises OSError."""
    _write(folder, run, spec, BUNDLE)


def _write(folder: pathlib.Path, run: Run, spec: RunSpec, words: str, **more: str) -> None:
    text = words.format(base=_base(spec), name=spec.name, learned=replay.learned(spec), **more)
    (folder / "README.md").write_text(f"{_headed(text, spec)}{_report(run)}{CHECKED}", encoding="utf-8")


def _headed(text: str, spec: RunSpec) -> str:
    """A card with the licence in its head, and there no base but one by its id: a folder of this machine the Hub refuses."""
    if not text.startswith("---\n"):
        return text
    head, _, rest = text[4:].partition("---")
    known = head if ID.fullmatch(spec.model.id) else re.sub(r"^base_model: .*\n", "", head, flags=re.MULTILINE)
    return f"---\n{_license(spec.model.card.license)}{known}---{rest}"


def _base(spec: RunSpec) -> str:
    return spec.model.card.title if pathlib.Path(spec.model.id).is_absolute() else spec.model.id


def _merged(spec: RunSpec) -> str:
    settings = json.dumps(spec.settings.model_dump(exclude={"sft", "lora"}), indent=2)
    return MERGED.format(base=_base(spec), name=spec.name, learned=replay.learned(spec), settings=settings)


def _license(said: str) -> str:
    """The base's licence as the Hub's cards name it; nothing where nobody knows."""
    if not said or said.lower() in ("unknown", "other", "?"):
        return ""
    if said.startswith("LicenseRef-"):
        return f"license: other\nlicense_name: {said.removeprefix('LicenseRef-').lower()}\n"
    return f"license: {said.lower()}\n"


def _report(run: Run) -> str:
    """The loss of base and tuned on held-out rows, where there is a report."""
    try:
        report: Any = disk.kept(lambda: disk.document(run.folder / FILE), None)
        loss = report["measures"]["loss"]
        return f"\nLoss on held-out rows: base {float(loss['base']):.3f}, tuned {float(loss['tuned']):.3f}.\n"
    except (ValueError, LookupError, TypeError):
        return ""
