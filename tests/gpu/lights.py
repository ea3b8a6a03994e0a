"""What `tests.gpu.first_light` tries on a card, each by the product's own ways: a function returns a figure, or raises.

On a machine without a card most of them run on the processor with tiny shapes; those that only a card can show say so.
"""

import itertools
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.conftest import ROOT, write_rows
from tests.gpu.first_light import WHAT, Row
from tests.tiny import build, tokenizer
from tuning import settings
from tuning.engine.device import DTYPES, Device, release
from tuning.engine.kernels import attention
from tuning.engine.learn import failures
from tuning.engine.learn.train import train
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.errors import caught
from tuning.machine import wheels
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, Message, RunState
from tuning.studio import Studio

GIB = 2**30
SAVED = "Qwen/Qwen2.5-0.5B-Instruct"
FORECAST_SECONDS = 140
LARGE, MIDDLE, SMALL = "Qwen/Qwen3-8B", "Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-0.5B-Instruct"
HEADS = (64, 96, 128)


class NoCard(Exception):
    """It can be tried on a card only."""


@dataclass
class Place:
    """Where one is tried: a folder of its own and the device. `told` goes into the file that is sent back."""

    folder: pathlib.Path
    device: str
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def card(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def studio(self) -> Studio:
        return Studio(settings.read(home=str(self.folder / "home")), LOCAL)

    def need_card(self) -> None:
        if not self.card:
            raise NoCard

    def need_bitsandbytes(self) -> None:
        if self.device.startswith("mps"):
            raise NoCard

    def run(self, model: str | None = None, **changes: Any) -> Run:
        """A run of the starter on the card; of a tiny model on a processor."""
        rows = "starter-en"
        if not self.card:
            model = str(self.folder / "tiny" if (self.folder / "tiny").exists() else build(self.folder / "tiny"))
            rows = str(write_rows(self.folder / "rows.json"))
        fixed = {"max_steps": 12 if self.card else 6, "max_length": 128, "early_stopping_patience": 0, "report": False}
        return self.studio.runs.create(model or "starter", rows, "facts", {**fixed, "device": self.device, **changes})

    def train(self, run: Run, resident: Resident | None = None, between: Callable[[], None] = lambda: None) -> RunState:
        """To the end. Raises AssertionError with what went wrong where it does not come there."""
        state = train(run, self.studio.shared.store, resident or Resident(), between)
        known = {"settings": run.spec().settings.model_dump(), "state": state.model_dump(), "losses": losses(run)}
        self.told[f"run {len(self.told)}"] = known
        log = (run.folder / "log.txt").read_text(encoding="utf-8")[-3000:] if (run.folder / "log.txt").exists() else ""
        assert state.status in ("finished", "stopped"), f"{state.status}, {state.reason}: {state.error}\n{log}"
        return state


def losses(run: Run) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in run.metrics() if "loss" in line}


def said(run: Run, state: RunState) -> str:
    """What came of a run in one line; what was left out of it stands there too."""
    found = [*losses(run).values()]
    assert found and all(map(math.isfinite, found)), found
    left_out = [f"told: {', '.join(notice.code for notice in state.recoveries)}"] if state.recoveries else []
    size, speed = (state.peak_bytes or 0) / GIB, state.tokens_per_second or 0
    return ", ".join([f"loss {found[0]:.2f} to {found[-1]:.2f}", f"{speed:.0f} tokens/s", f"{size:.2f} GiB", *left_out])


def machine(place: Place) -> str:
    """The card by the driver and by PyTorch: the same one, of the same number; and what a card's kernels may want."""
    hardware = place.studio.shared.probe()
    kind = "cuda:0" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind.startswith("cuda") and hardware.gpus:
        kind = f"cuda:{max(hardware.gpus, key=lambda card: card.memory_free).index}"
    place.device = place.told["device"] = kind
    libraries = {name: wheels.metadata.version(name) for name in ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes")}
    place.told |= {"libraries": libraries, "hardware": hardware.model_dump(), "cuda": torch.version.cuda, "wheels": wheels.installed()}
    if kind == "mps":
        assert hardware.apple, f"PyTorch sees Apple's GPU, and we do not: {hardware.trouble or hardware.notes}"
        return f"Apple's GPU, {hardware.memory_total / GIB:.0f} GiB of memory"
    if kind == "cpu":
        raise NoCard
    seen = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    place.told["torch"] = [str(card) for card in seen]
    assert hardware.gpus, f"PyTorch sees {len(seen)} cards, and we none: {hardware.trouble}"
    for card in hardware.gpus:
        there = seen[card.index]
        assert str(there.uuid) in card.uuid, f"{card.uuid} is not {there.uuid}"
        assert f"{there.major}.{there.minor}" == str(card.compute_capability), card.compute_capability
        assert abs(there.total_memory / card.memory_total - 1) < 0.1, (there.total_memory, card.memory_total)
    first = hardware.gpus[0]
    return f"{first.name}, {first.memory_total / GIB:.0f} GiB, {first.compute_capability}, driver {first.driver}, {len(seen)} in all"


def lora(place: Place) -> str:
    resident, run = Resident(), place.run(report=True, validation_share=0.2, **({"max_steps": 60} if place.card else {}))
    state = place.train(run, resident)
    assert resident.model.device == Device(place.device).place, resident.model.device
    assert run.adapter_fault() is None, run.adapter_fault()
    assert state.eval_loss is not None and state.base_eval_loss is not None
    assert not place.card or state.eval_loss < state.base_eval_loss, (state.base_eval_loss, state.eval_loss)
    return said(run, state)


def quantised(place: Place, way: str) -> str:
    place.need_bitsandbytes()
    resident, run = Resident(), place.run(quantization=way)
    state = place.train(run, resident)
    kinds = {type(module).__name__ for module in resident.base.modules()}
    assert kinds & {"Linear4bit", "Linear8bitLt"}, kinds
    return said(run, state)


def full(place: Place) -> str:
    run = place.run(method="full")
    return said(run, place.train(run))


def kernels(place: Place) -> str:
    """Of packed rows, for each size of a head in the catalog; and AdamW in 8 bits."""
    place.need_bitsandbytes()
    here, works = Device(place.device).place, dict[str, bool]()
    wanted = ["varlen", *(["flash_attention_2"] if "flash_attn" in wheels.installed() else [])] if place.card else []
    for way, size, precision in itertools.product(wanted, HEADS, ("bf16", "fp16")):
        config = AutoConfig.for_model("mistral", hidden_size=8 * size, head_dim=size, num_attention_heads=8, num_key_value_heads=2)
        works[f"{way} {size} {precision}"] = attention.working(way, config, here, DTYPES[precision])[1] == way
    for name in ("adamw_8bit", "paged_adamw_8bit") if place.card else ("adamw_8bit",):
        works[name] = not place.train(place.run(**{"sft.optim": name})).recoveries
    place.told["works"] = works
    bad = [name for name, good in works.items() if not good]
    assert not bad, f"left out here: {', '.join(bad)}"
    return f"{len(works)} of {len(works)}"


def resume(place: Place) -> str:
    whole, stopped = place.run(seed=5), place.run(seed=5)
    place.train(whole)

    def half_way() -> None:
        if len(losses(stopped)) >= 2:
            (stopped.folder / "stop").touch()

    assert place.train(stopped, between=half_way).status == "stopped"
    place.train(place.studio.runs.resumable(stopped.id))
    return apart(whole, stopped)


def apart(one: Run, other: Run) -> str:
    """How far the losses of two runs lie apart. A card adds up in another order each time."""
    first, second = losses(one), losses(other)
    assert first.keys() == second.keys(), (first.keys(), second.keys())
    most = max(abs(loss - second[step]) for step, loss in first.items())
    assert most < 0.05, (first, second)
    return f"{len(first)} steps, at most {most:.5f} apart"


def chat(place: Place) -> str:
    plain, disturbed, resident, heard = place.run(seed=6), place.run(seed=6), Resident(), list[str]()
    place.train(plain)
    settings_, ref = disturbed.spec().settings, disturbed.spec().model

    def ask(run: Run | None) -> str:
        words = [Message(role="user", content="How are you?")]
        question = Question(words, ref, place.device, settings_.precision, run, max_new_tokens=12)
        answer(resident, question)
        return "".join(question.stream())

    def between() -> None:
        if len(losses(disturbed)) in (2, 4) and len(heard) < 8:
            heard.extend([ask(disturbed), ask(None)])

    place.train(disturbed, resident, between)
    place.told["heard"] = [*heard, ask(disturbed)]
    assert heard, "nobody asked"
    return apart(plain, disturbed)


def memory(place: Place) -> str:
    """The same run with a third less than it takes."""
    place.need_card()
    wide = {"per_device_train_batch_size": 64, "gradient_accumulation_steps": 1, "gradient_checkpointing": "none", "max_steps": 4}
    peak = place.train(place.run(**wide)).peak_bytes or 0
    release()
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(0.66 * peak / total)
    run = place.run(**wide)
    state = place.train(run)
    torch.cuda.set_per_process_memory_fraction(1.0)
    assert state.recoveries, f"{peak} bytes without a limit, {state.peak_bytes} with one, and nothing healed"
    return said(run, state)


def fault(place: Place) -> str:
    """After it nothing works in this process any more; what goes on has to know."""
    place.need_card()
    device = Device(place.device)

    def break_it() -> None:
        torch.zeros(2, device=device.place)[torch.tensor([99], device=device.place)].sum().item()

    error = caught(break_it, "a fault on purpose")
    assert error is not None and failures.explain(error)[0] == "cuda", error
    assert not device.alive()
    release()  # must not raise
    return type(error).__name__


def saved(place: Place) -> str:
    """The shapes of a catalog's model with weights from nowhere, from disk as any other."""
    place.need_card()
    reference = place.studio.models.find(SAVED)
    with torch.device(place.device):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**reference.card.config), dtype=torch.bfloat16)
    model.save_pretrained(reference.path)
    tokenizer().save_pretrained(reference.path)
    del model
    release()
    figures = []
    for way in ("none", "nf4"):
        run = place.run(SAVED, quantization=way, max_steps=3)
        figures.append(said(run, place.train(run)))
    return "; ".join(figures)


def cards(place: Place) -> str:
    """By torchrun; of a machine with one card nothing is learned here."""
    if place.card and torch.cuda.device_count() < 2:
        raise NoCard
    data = ("starter", "starter-en") if place.card else (str(build(place.folder / "tiny")), str(write_rows(place.folder / "rows.json")))
    words = ["train", "-m", data[0], "-d", data[1], "--json", "--set", "max_steps=6", "--set", "report=false"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "tuning", *words]
    environment = {**os.environ, "TUNING_HOME": str(place.folder / "home")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=WHAT["cards"][1] - 5)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    return f"{found['status']}, loss {found['train_loss']:.2f}, {found['tokens_per_second']:.0f} tokens/s"


def forecast(place: Place) -> str:
    """As many of the models as the time and the card have room for."""
    from tests.gpu import test_forecast

    place.need_card()
    began, errors = time.monotonic(), list[float]()
    for number, (model, changes) in enumerate(test_forecast.GRID):
        if time.monotonic() - began > FORECAST_SECONDS:
            break
        predicted, state = test_forecast.go(place.folder / str(number), model, changes)
        place.told[f"{number} {model}"] = {**changes, "predicted": predicted, "state": state.model_dump()}
        if state.status == "finished" and state.peak_bytes and not state.recoveries:
            errors.append(100 * (predicted / state.peak_bytes - 1))
    assert errors, "none of them fits"
    sizes = [abs(error) for error in errors]
    figure = f"{len(errors)} runs, median {statistics.median(sizes):.1f} %, worst {max(sizes):.1f} %, most under {min(errors):+.1f} %"
    assert statistics.median(sizes) <= 3 and max(sizes) <= 8 and min(errors) >= -2, figure
    return figure


def speed(place: Place) -> str:
    from tests.gpu import test_speed

    place.need_card()
    gigabytes = torch.cuda.get_device_properties(place.device).total_memory / GIB
    test_speed.MODEL, test_speed.BATCH = (LARGE, 4) if gigabytes > 90 else (MIDDLE, 2) if gigabytes > 20 else (SMALL, 1)
    config = place.studio.models.find(test_speed.MODEL).card.config
    plain, peak = test_speed.stock(config)
    figures = [f"{test_speed.MODEL}: TRL {plain:.0f} tokens/s, {peak / GIB:.1f} GiB"]
    for way in ("none", "nf4"):
        release()
        mine, share, bytes_ = test_speed.ours(place.folder / way, {"quantization": way})
        figures.append(f"{way} {mine / plain:.2f} x, {bytes_ / GIB:.1f} GiB, MFU {100 * share:.0f} %")
    return "; ".join(figures)


LIGHTS: dict[str, Callable[[Place], str]] = {
    "machine": machine,
    "lora": lora,
    "nf4": lambda place: quantised(place, "nf4"),
    "full": full,
    "kernels": kernels,
    "resume": resume,
    "chat": chat,
    "memory": memory,
    "fault": fault,
    "int8": lambda place: quantised(place, "int8"),
    "saved": saved,
    "cards": cards,
    "forecast": forecast,
    "speed": speed,
}


def light(name: str, device: str, folder: pathlib.Path) -> Row:
    """Try one of them here."""
    place, found = Place(folder, device or "cpu"), list[str]()
    error = caught(lambda: found.append(LIGHTS[name](place)), name)  # whatever it is, it goes into the table
    if isinstance(error, NoCard):
        return Row(name, None, "no card", told=place.told)
    if error is None:
        return Row(name, True, found[0], told=place.told)
    place.told["traceback"] = "".join(traceback.format_exception(error))[-6000:]
    return Row(name, False, f"{type(error).__name__}: {[*str(error).splitlines(), ''][0][:160]}", told=place.told)
