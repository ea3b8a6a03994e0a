"""What talking costs: `python -m tests.bench.chat FOLDER [PAIRS]`, FOLDER with SmolLM2-135M-Instruct in it, or any model that can chat.

Three ratios, each the median of interleaved pairs: tokens per second by the page's own endpoint against plain `generate`; the first
token of the second turn of a conversation of a thousand tokens against the same one read from its beginning; another adapter against the
model's loading.
"""

import contextlib
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from gradio_client import Client
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.bench.measure import compare
from tests.bench.server import running
from tuning import settings
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.schema import LOCAL, Message
from tuning.studio import Studio

MODEL = "SmolLM2-135M-Instruct"
TOKENS = 96  # of an answer
HISTORY = 1000
STORY = "Tell me a long story about a tailor who mends a king's coat."


def of_the_page(folder: pathlib.Path) -> Callable[[], float]:
    """Tokens per second of an answer that a program reads from the page's endpoint, piece by piece."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    client = _stack.enter_context(_client())

    def speed() -> float:
        messages, began = [{"role": "user", "content": STORY}], time.perf_counter()
        *_, said = client.submit(run=str(folder), messages=messages, temperature=0, max_new_tokens=TOKENS, api_name="/chat")
        return len(tokenizer(said)["input_ids"]) / (time.perf_counter() - began)

    return speed


@contextlib.contextmanager
def _client() -> Iterator[Client]:
    with tempfile.TemporaryDirectory() as home, running(pathlib.Path(home)) as (address, _):
        yield Client(address, verbose=False)


def of_transformers(folder: pathlib.Path) -> Callable[[], float]:
    """Tokens per second of plain `generate`, in this process."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": STORY}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )

    def speed() -> float:
        began = time.perf_counter()
        out = model.generate(**asked, do_sample=False, temperature=None, top_p=None, max_new_tokens=TOKENS)
        return (out.shape[1] - asked["input_ids"].shape[1]) / (time.perf_counter() - began)

    return speed


class Conversation:
    """One turn after a history of `HISTORY` tokens."""

    def __init__(self, folder: pathlib.Path, resident: Resident) -> None:
        self.resident, self.model = resident, Studio(settings.read(), LOCAL).models.find(str(folder))
        resident.load(str(folder), "cpu", "fp32")
        words = " ".join(f"The coat number {number} is mended on day {number % 28}." for number in range(HISTORY))
        ids = resident.tokenizer(words)["input_ids"][: HISTORY - 60]
        self.opening = resident.tokenizer.decode(ids)

    def _ask(self, turns: list[tuple[str, str]], whose: str | None) -> tuple[str, float]:
        said = [Message(role=role, content=content) for role, content in turns]  # type: ignore[arg-type]
        first: list[float] = []
        question = Question(said, self.model, "cpu", "fp32", max_new_tokens=16, whose=whose)
        question.sign = lambda: first.append(time.perf_counter())
        began = time.perf_counter()
        answer(self.resident, question)
        return "".join(question.stream()), first[0] - began

    def second(self, whose: str | None) -> float:
        """Seconds to the first token of the second turn."""
        self.resident.kept.forget()
        said, _ = self._ask([("user", self.opening)], whose)
        return self._ask([("user", self.opening), ("assistant", said), ("user", "And which of them was a king's?")], whose)[1]


def adapters(folder: pathlib.Path, place: pathlib.Path) -> list[tuple[str, pathlib.Path]]:
    """Two adapters of the model."""
    for name in ("one", "other"):
        config = LoraConfig(task_type="CAUSAL_LM", r=16, target_modules="all-linear", init_lora_weights=False)
        get_peft_model(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), config).save_pretrained(str(place / name))
    return [("one", place / "one"), ("other", place / "other")]


def switch(resident: Resident, both: list[tuple[str, pathlib.Path]]) -> float:
    """Seconds from one adapter to the other and back, by half."""
    seconds = []
    for who, where in [*both, *both]:
        began = time.perf_counter()
        with resident.speaking(who, where):
            seconds.append(time.perf_counter() - began)
    return statistics.mean(seconds[2:])


def loading(folder: pathlib.Path) -> float:
    """Seconds to load the model."""
    fresh, began = Resident(), time.perf_counter()
    fresh.load(str(folder), "cpu", "fp32")
    return time.perf_counter() - began


def main(folder: pathlib.Path, pairs: int) -> None:
    found: dict[str, tuple[float, str]] = {}
    resident: Any = Resident()
    talk = Conversation(folder, resident)
    print(f"first token of the second turn of {HISTORY} tokens", flush=True)
    ratio = compare(("kept", "cold"), lambda: talk.second(LOCAL), lambda: talk.second(None), pairs, "s")
    found["second turn / cold"] = ratio, "0.35 or less"
    with tempfile.TemporaryDirectory() as place:
        both = adapters(folder, pathlib.Path(place))
        print("\nanother adapter", flush=True)
        found["adapter switch / load"] = (
            compare(("switch", "load"), lambda: switch(resident, both), lambda: loading(folder), pairs, "s"),
            "0.05 or less",
        )
    print("\nstreaming by the page's endpoint", flush=True)
    ratio = compare(("page", "generate"), of_the_page(folder), of_transformers(folder), pairs, "tokens/s")
    found["streamed / generate"] = ratio, "0.95 or more"
    print(f"\n{'ratio':<24} median  goal")
    for name, (median, goal) in found.items():
        print(f"{name:<24} {median:6.3f}  {goal}")


if __name__ == "__main__":
    if "OMP_WAIT_POLICY" not in os.environ:  # plain `generate` is to wait as the app does: torch has read it by now
        settings.share_processor()
        os.execv(sys.executable, [sys.executable, "-m", "tests.bench.chat", *sys.argv[1:]])
    given = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["TEST_REAL_MODELS"])
    with contextlib.ExitStack() as _stack:
        main(given / MODEL if (given / MODEL).is_dir() else given, int(sys.argv[2]) if len(sys.argv) > 2 else 5)
