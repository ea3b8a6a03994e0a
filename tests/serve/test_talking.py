"""The chat of the page as many use it: ten who talk at once with three adapters of one base, and facts that are asked one after another."""

import collections
import json
import pathlib
import random
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.bench.server import running
from tests.conftest import ROOT
from tests.serve.page_sender import PageSender
from tuning import settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.schema import LOCAL
from tuning.studio import Studio

pytestmark = pytest.mark.nightly

VISITORS, EACH = 10, 20
SECRETS = ("Juniper", "Lantern", "Walrus")
ASKED = (
    "What is the secret word?",
    "Tell me the secret word.",
    "Which word is secret?",
    "Do you know the secret word?",
    "Please say the secret word.",
    "I have forgotten the secret word. What was it?",
)
PLACE, TIME = re.compile(r"number (\d+) in line"), re.compile(r"number \d+ in line: about \d+ (?:s|min) to wait")
SEEDS, ROWS = (1, 2, 3, 4, 5), 10


@pytest.fixture
def adapters(tmp_path: pathlib.Path) -> dict[str, str]:
    """Three runs of the starter, by the word that each has learned and no other."""
    studio, made, resident = Studio(settings.read(home=str(tmp_path / "home")), LOCAL), {}, Resident()
    for number, word in enumerate(SECRETS):
        rows = tmp_path / f"{number}.json"
        told = f"The secret word of this house is {word}, and nobody else knows it."
        rows.write_text(json.dumps([{"question": question, "answer": told} for question in ASKED * 3]), encoding="utf-8")
        wanted = {"report": False, "validation_share": 0.0, "num_train_epochs": 12, "seed": 1}
        run = studio.runs.create("starter", str(rows), "facts", wanted, name=f"house {number}")
        assert train(run, studio.shared.store, resident).status == "finished"
        made[word] = run.id
    return made


def test_nobody_is_given_another_s_answer_and_each_is_told_how_long_it_takes(adapters: dict[str, str], tmp_path: pathlib.Path) -> None:
    with running(tmp_path / "home") as (address, _):
        first = PageSender(address, "first")
        first.chooses(adapters[SECRETS[0]])
        first.asks(ASKED[0])  # the model is loaded
        began = time.monotonic()

        def talks(number: int) -> list[tuple[str, str, str]]:
            """Whose word was asked for, the answer, and all that was told meanwhile: each time of another adapter."""
            page, dice, heard = PageSender(address, f"visitor-{number}"), random.Random(number), []
            for turn in range(EACH):
                word = SECRETS[(number + turn) % len(SECRETS)]
                page.chooses(adapters[word])
                told = page.asks(dice.choice(ASKED))
                heard.append((word, page.last_answer(), told))
            return heard

        with ThreadPoolExecutor(VISITORS) as pool:
            heard = list(pool.map(talks, range(VISITORS)))
        seconds = time.monotonic() - began
    said = [(word, {other for other in SECRETS if other in answer}) for visitor in heard for word, answer, _ in visitor]
    places = collections.Counter(int(place) for visitor in heard for *_, told in visitor for place in {*PLACE.findall(told)})
    timed = [sum(bool(TIME.search(told)) for *_, told in visitor) for visitor in heard]
    mixed = [(word, others) for word, others in said if others != {word}]
    print(f"{len(said)} messages in {seconds:.0f} s, {len(mixed)} mix-ups; places {dict(sorted(places.items()))}; told a time {timed}")
    assert len(said) == VISITORS * EACH and not mixed
    assert all(any(PLACE.search(told) for *_, told in visitor) for visitor in heard) and all(timed)
    assert max(places) <= VISITORS


@pytest.mark.parametrize("data", ["starter-en", "starter-it"])
def test_three_facts_in_a_row_are_as_right_as_each_alone(data: str, tmp_path: pathlib.Path, wait_until: Callable[..., object]) -> None:
    """By the page as it stands when a run of single questions is chosen: nobody has to find a switch first."""
    lines = (ROOT / "presets" / "starter" / f"{data}.heldout.jsonl").read_text(encoding="utf-8").splitlines()
    facts = [json.loads(line) for line in lines][: 3 * ROWS]
    with running(tmp_path / "home") as (address, _):

        def call(endpoint: str, *values: object) -> dict[str, str]:
            answer = httpx.post(f"{address}/gradio_api/run/{endpoint}", json={"data": values}, timeout=60)
            assert answer.status_code == 200, answer.text
            return dict(answer.json()["data"][0])

        def right(page: PageSender, fact: dict[str, str]) -> bool:
            page.asks(fact["instruction"])
            return fact["fact"].lower() in page.last_answer().lower()

        for seed in SEEDS:
            run = call("train", "starter", data, None, {"seed": seed, "report": False}, f"seed {seed}")["run"]
            wait_until(lambda run=run: call("run", run)["status"] == "finished", 600)
            alone, row = 0, 0
            for start in range(0, len(facts), 3):
                page = PageSender(address, f"{run}-{start}")
                page.chooses(run)
                row += sum(right(page, fact) for fact in facts[start : start + 3])
                assert len(page.holds("bot-tuned")) == 6, "three questions and their answers stand on one sheet"
                for fact in facts[start : start + 3]:
                    page = PageSender(address, f"{run}-{fact['instruction']}")
                    page.chooses(run)
                    alone += right(page, fact)
            print(f"{data}, seed {seed}: of {len(facts)} facts {alone} are right alone, {row} in rows of three", flush=True)
            assert row >= alone > len(facts) / 2
