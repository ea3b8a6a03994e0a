"""Ten visitors talk at once with three adapters of one base through the page: nobody is given another's answer, and each is told how long it takes."""

import collections
import json
import pathlib
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.bench.server import running
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
PIECE = re.compile(r'"text"(?:\],|:)"((?:[^"\\]|\\.)*)"')  # of what stands on the sheet, as it is streamed
PLACE, TIME = re.compile(r"number (\d+) in line"), re.compile(r"number \d+ in line: about \d+ (?:s|min) to wait")


@pytest.fixture
def adapters(tmp_path: pathlib.Path) -> dict[str, str]:
    """Three runs of the starter, by the word that each has learned and no other."""
    studio, made, resident = Studio(settings.read(home=str(tmp_path / "home")), LOCAL), {}, Resident()
    for word in SECRETS:
        rows = tmp_path / f"{word}.json"
        told = f"The secret word of this house is {word}, and nobody else knows it."
        rows.write_text(json.dumps([{"question": question, "answer": told} for question in ASKED * 3]), encoding="utf-8")
        wanted = {"report": False, "validation_share": 0.0, "num_train_epochs": 12, "seed": 1}
        run = studio.runs.create("starter", str(rows), "facts", wanted, name=word)
        assert train(run, studio.shared.store, resident).status == "finished"
        made[word] = run.id
    return made


class Visitor:
    """One browser with its own session: the page is drawn, and each message is asked by its Send button."""

    def __init__(self, address: str, config: dict[str, Any], name: str) -> None:
        self.browser, self.session = httpx.Client(base_url=address, timeout=600), name
        self.known = {one["id"]: one for one in config["components"]}
        there = {*config["page"][""]["components"]}
        self.send = next(key for key in there if self.known[key]["props"].get("elem_id") == "send")
        wired = config["dependencies"]
        self.sends = next(one for one in wired if [self.send, "click"] in [list(target) for target in one["targets"]])
        drawing = max((one for one in wired if one["targets"] and one["targets"][0][0] in there), key=lambda one: len(one["outputs"]))
        self._told(drawing, {}, drawing["targets"][0][0])  # whom one can talk to

    def asks(self, target: str, question: str) -> str:
        """All that the page is told from the press to the end of the answer."""
        return self._told(self.sends, {"target": target, "message": question}, self.send)

    def _told(self, does: dict[str, Any], own: dict[str, Any], trigger: int) -> str:
        parts = [self.known[key] for key in does["inputs"]]
        data = [
            own.get(str(one["props"].get("elem_id")), {} if one["type"] == "browserstate" else one["props"].get("value")) for one in parts
        ]
        body = {"fn_index": does["id"], "data": data, "session_hash": self.session, "trigger_id": trigger}
        joined = self.browser.post("/gradio_api/queue/join", json=body)
        assert joined.status_code == 200, joined.text
        told = []
        with self.browser.stream("GET", f"/gradio_api/queue/data?session_hash={self.session}") as stream:
            for line in stream.iter_lines():
                told.append(line)
                if "process_completed" in line:
                    break
        assert '"success":true' in told[-1], told[-1]
        return "\n".join(told)


def test_nobody_is_given_another_s_answer_and_each_is_told_how_long_it_takes(adapters: dict[str, str], tmp_path: pathlib.Path) -> None:
    with running(tmp_path / "home") as (address, _):
        config = httpx.get(f"{address}/config", timeout=60).json()
        Visitor(address, config, "first").asks(adapters[SECRETS[0]], ASKED[0])  # the model is loaded
        began = time.monotonic()

        def talks(number: int) -> list[tuple[str, str]]:
            """What a visitor is told, with the word of whom was asked: each time of another."""
            visitor, dice = Visitor(address, config, f"visitor-{number}"), random.Random(number)
            words = [SECRETS[(number + turn) % len(SECRETS)] for turn in range(EACH)]
            return [(word, visitor.asks(adapters[word], dice.choice(ASKED))) for word in words]

        with ThreadPoolExecutor(VISITORS) as pool:
            heard = list(pool.map(talks, range(VISITORS)))
        seconds = time.monotonic() - began
    said = [(word, {other for other in SECRETS if other in "".join(PIECE.findall(told))}) for visitor in heard for word, told in visitor]
    places = collections.Counter(int(place) for visitor in heard for _, told in visitor for place in {*PLACE.findall(told)})
    timed = [sum(bool(TIME.search(told)) for _, told in visitor) for visitor in heard]
    mixed = [(word, others) for word, others in said if others != {word}]
    print(f"{len(said)} messages in {seconds:.0f} s, {len(mixed)} mix-ups; places {dict(sorted(places.items()))}; told a time {timed}")
    assert len(said) == VISITORS * EACH and not mixed
    assert all(any(PLACE.search(told) for _, told in visitor) for visitor in heard) and all(timed)
    assert max(places) <= VISITORS
