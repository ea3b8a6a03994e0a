"""A child process that loads a run on the processor: what the live model answers, and, where asked for, its adapter merged.

It is never the process that trains or talks, so that no resident model is touched. What the export is compared with comes from here.
"""

import contextlib
import json
import logging
import pathlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from transformers.core_model_loading import revert_weight_conversion

from tuning.data.library import Library
from tuning.errors import TuningError, caught, cause
from tuning.export.witness import answer, digest, digests
from tuning.runs.run_folder import Run
from tuning.schema import RunSpec
from tuning.tokens.template import REFUSALS

if TYPE_CHECKING:
    from tuning.engine.resident import Resident

PROMPTS, MOST = 5, 32
FIXED = ("Hello! Who are you?", "What can you do?", "How much is it?", "Ciao! Chi sei?", "Quanto costa?")
HERE = "cpu"


@dataclass
class Live:
    """A run as this project speaks it, and what is asked of it."""

    run: Run
    spec: RunSpec
    resident: "Resident"
    source: str  # of the questions: held_out, learned or fixed
    asked: list[tuple[list[dict[str, Any]], Any]]  # turns and tools
    prompts: list[list[int]]
    answers: list[list[int]]
    logits: list[torch.Tensor]
    stops: list[int]


def questions(spec: RunSpec, home: pathlib.Path) -> tuple[str, list[tuple[list[dict[str, Any]], Any]]]:
    """Five questions of held-out rows; where there are none of the rows that were learned, and else five that are always the same."""
    from tuning.engine.speak.batches import asked

    try:
        learned, held_out = Library(home).parts(spec.data.id, spec.owner, spec.settings)
    except (TuningError, OSError):
        learned, held_out = [], []
    for source, rows in (("held_out", held_out), ("learned", learned)):
        found = [one for one in map(asked, rows) if one is not None]
        if found:
            return source, [(one.turns, one.tools) for one in found[:PROMPTS]]
    return "fixed", [([{"role": "user", "content": text}], None) for text in FIXED]


def listen(run: Run, home: pathlib.Path, trusts: bool) -> Live:
    """What the live model answers. Raises EngineError where its files are broken."""
    from tuning.engine.resident import Resident
    from tuning.engine.speak.answer_form import AnswerForm
    from tuning.tokens import labels

    spec = run.spec()
    settings, resident = spec.settings, Resident(lambda path: trusts)
    resident.load(spec.model.path, HERE, str(settings.precision), str(settings.quantization), settings.method != "full")
    resident.tokenizer = labels.templated(resident.tokenizer, settings.chat_template)
    source, asked = questions(spec, home)
    ask = labels.asking(resident.tokenizer, settings.thinking)
    live = Live(run, spec, resident, source, [], [], [], [], [])
    for turns, tools in asked:
        with contextlib.suppress(TuningError):  # the template refuses it
            live.prompts.append(ask(turns, tools))
            live.asked.append((turns, tools))
    with resident.speaking(run.id, run.adapter) as model, torch.no_grad():
        live.stops = sorted(AnswerForm(resident.tokenizer, model, learned=True).stops)
        ends = {"eos_token_id": live.stops, "pad_token_id": resident.tokenizer.pad_token_id}
        live.answers = [answer(model, ids, MOST, **ends) for ids in live.prompts]
        live.logits = logits(model, live)
    return live


def logits(model: Any, live: Live) -> list[torch.Tensor]:
    """What the model expects at each token of the live answers: float32, (tokens, vocabulary) each."""
    pairs = zip(live.prompts, live.answers, strict=True)
    return [model(input_ids=torch.tensor([ids + said])).logits[0, len(ids) - 1 : -1].float() for ids, said in pairs]


def merge(live: Live, folder: pathlib.Path) -> dict[str, Any]:
    """Write the base with the adapter merged into `folder`; what it was merged into, and how far from the live model.

    The sum is made in 32 bits and rounded once, to the base's precision. A 4-bit base is taken as the run saw it, dequantised,
    or as it came, whichever is nearer to the live model (PEFT #2105).
    """
    from tuning.engine import full_weights

    ways = ["dequantised", "original"] if live.spec.settings.quantization == "nf4" else ["original"]
    scores = {}
    if len(ways) > 1:
        scores = {way: score(_merged(live, way), live) for way in ways}
        ways.sort(key=lambda way: (-scores[way]["agreement"], scores[way]["distance"]))
    model = _merged(live, ways[0])
    model.generation_config.eos_token_id = live.stops
    full_weights.publish(model, live.spec.model.path, folder)
    held = revert_weight_conversion(model, model.state_dict())  # by the names and in the pieces in which it was saved
    return {"into": ways[0], "scores": scores, "tensors": {name: digest(tensor) for name, tensor in held.items()}}


def score(model: Any, live: Live) -> dict[str, float]:
    """How near a candidate is to the live model: share of its likeliest tokens that are the live ones, and mean distance of logits."""
    from tuning.engine import full_weights

    with torch.no_grad():
        found = logits(model.to(full_weights.precision(live.spec.model.path)), live)
    same = torch.cat([a.argmax(-1) == b.argmax(-1) for a, b in zip(found, live.logits, strict=True)])
    apart = torch.cat([(a - b).abs().mean(-1) for a, b in zip(found, live.logits, strict=True)])
    return {"agreement": float(same.float().mean()), "distance": float(apart.mean())}


def _merged(live: Live, way: str) -> Any:
    """The base in 32 bits with the adapter in it. Loaded anew each time: two of them need not be in memory together."""
    resident, settings, path = live.resident, live.spec.settings, live.spec.model.path
    resident.unload()
    if way == "dequantised":
        resident.load(path, HERE, str(settings.precision), str(settings.quantization))
        base = resident.base.dequantize().float()
    else:
        resident.load(path, HERE, "fp32")
        base = resident.base
    return PeftModel.from_pretrained(base, str(live.run.adapter)).merge_and_unload(safe_merge=True).eval()


def conversation(live: Live) -> tuple[list[dict[str, Any]] | None, str | None]:
    """A question, an answer and a question more, and the text that the template makes of them: what ends a turn shows there."""
    talk = [*live.asked[0][0], {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Why?"}] if live.asked else []
    with contextlib.suppress(*REFUSALS):
        return talk, str(live.resident.tokenizer.apply_chat_template(talk, tokenize=False))
    return None, None


def make(request: dict[str, Any]) -> dict[str, Any]:
    """All that is known of the live model, as JSON; with `into` also the merged model, in that folder."""
    run = Run(pathlib.Path(request["run"]))
    live = listen(run, pathlib.Path(request["home"]), request["trusts"])
    tokenizer, spec = live.resident.tokenizer, live.spec
    talk, shown = conversation(live)
    told: dict[str, Any] = {
        "source": live.source,
        "asked": live.asked,
        "prompts": live.prompts,
        "answers": [{"tokens": said, "text": tokenizer.decode(said, skip_special_tokens=True)} for said in live.answers],
        "talk": talk,
        "conversation": shown,
        "stops": live.stops,
        "stop_words": [tokenizer.decode([stop]) for stop in live.stops if stop in tokenizer.added_tokens_decoder],
        "template": str(tokenizer.get_chat_template()),  # of several the one that a run without tools is taught with
        "precision": str(spec.settings.precision),
        "quantization": str(spec.settings.quantization),
        "most": MOST,
    }
    told["merged"] = merge(live, pathlib.Path(request["into"])) if request.get("into") else None
    told["tensors"] = told["merged"].pop("tensors") if told["merged"] else digests(run.adapter)
    return told


def child(work: Callable[[dict[str, Any]], dict[str, Any]], doing: str) -> int:
    """An export's child process: read a request from stdin, write what `work` makes of it to the file that it names, or its fault."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    request = json.load(sys.stdin)
    told: dict[str, Any] = {}
    error = caught(lambda: told.update(work(request)), doing)
    if error is not None:
        known = isinstance(error, TuningError)
        told = {"fault": {"code": error.code, "params": error.params} if known else {"said": cause(error)}}  # type: ignore[attr-defined]
    pathlib.Path(request["answer"]).write_text(json.dumps(told, default=str), encoding="utf-8")
    return 0 if error is None else 1


if __name__ == "__main__":
    sys.exit(child(make, "the export"))
