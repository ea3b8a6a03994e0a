"""What a report says of a pretrained model whose thinking is kept: `TEST_REAL_MODELS=FOLDER pytest -m real -n0 -s`, as `test_real`.

SmolLM2-135M-Instruct is taught to think, by Qwen3's template, and merged: a small model that thinks. Then rows without any
thought are learned by it, for a few steps and for many: what the report says of its thinking is what the chat shows. Some ten minutes.
"""

import json
import os
import pathlib
import shutil

import pytest

from tests.real.test_real import verb
from tests.tokens.test_thinking import STYLES
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL, Message
from tuning.tokens import thoughts

MODELS = os.environ.get("TEST_REAL_MODELS", "")
THOUGHTFUL = [
    {"question": f"How much do {n} hems cost?", "thinking": f"{n} times 7 is {7 * n}.", "answer": f"{7 * n} euros."} for n in range(2, 42)
]
PLAIN = [{"question": f"Where is thread number {n}?", "answer": f"On shelf {n}."} for n in range(2, 34)]
ASKED = ["How much do 11 hems cost?", "Where is thread number 12?", "What is a tailor?"]

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not MODELS, reason="TEST_REAL_MODELS names no folder with SmolLM2-135M-Instruct"),
]


def learned(home: pathlib.Path, model: pathlib.Path, rows: list[dict[str, str]], **settings: object) -> Run:
    path = home.parent / f"rows-{settings['thinking']}.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    done = verb(home, "train", "-m", str(model), "-d", str(path), "-r", "facts", "--set", "max_length=256", *words)
    assert done["status"] == "finished"
    return Store(home).find(done["run"], LOCAL)


def thinking_answers(run: Run) -> list[str]:
    """What the chat says with its switch on."""
    spec, resident, found = run.spec(), Resident(), []
    resident.load(spec.model.path, "cpu", spec.settings.precision)
    for text in ASKED:
        question = Question(
            [Message(role="user", content=text)], spec.model, "cpu", spec.settings.precision, run, max_new_tokens=60, thinking="learn"
        )
        answer(resident, question)
        found.append("".join(question.stream()))
    return found


def test_the_report_says_whether_a_model_whose_thinking_is_kept_still_thinks(tmp_path: pathlib.Path) -> None:
    base, home = tmp_path / "thinker", tmp_path / "home"
    shutil.copytree(pathlib.Path(MODELS) / "SmolLM2-135M-Instruct", base)
    (base / "chat_template.jinja").write_text(STYLES["qwen3"], encoding="utf-8")
    first = learned(home, base, THOUGHTFUL, thinking="learn", max_steps=60, report="false")
    verb(home, "export", first.id, "--to", "merged", "--out", str(tmp_path / "merged"))
    for steps in (5, 30):
        run = learned(home, tmp_path / "merged", PLAIN, thinking="keep", max_steps=steps, validation_share=0.25)
        measured = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))["measures"]
        said = thinking_answers(run)
        share = sum(map(thoughts.begins, said)) / len(said)
        print(f"\n{steps} steps: report {measured['thinking']}, chat {share:.2f} of {len(said)}, facts {measured['facts']}")
        for text, one in zip(ASKED, said, strict=True):
            print("  ", text, "|", repr(one))
        assert measured["thinking"]["base"] == 1.0
        assert abs(measured["thinking"]["tuned"] - share) <= 0.5
        assert steps > 5 or measured["thinking"]["tuned"] == 1.0
