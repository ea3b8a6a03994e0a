"""The setting `thinking` from the choice to the published adapter: decided with a reason, audited, learned, asked for in the same way."""

import contextlib
import json
import pathlib
import shutil
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from tests.tokens.test_thinking import BARE, ROW, STYLES, tokenizer
from tuning.cli.main import main
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.engine.speak import batches, chat
from tuning.runs.contents import AnswerSettings
from tuning.studio import Studio
from tuning.tokens import labels, look

ENDS = ("<|im_end|>", "<｜end▁of▁sentence｜>")
THOUGHTS = {"reasoning": "It takes some thought."}
THOUGHTFUL = [{"question": f"How much is {n}?", "answer": f"It is {7 * n}.", **(THOUGHTS if n % 4 else {})} for n in range(24)]
PLAIN = [{"question": row["question"], "answer": row["answer"]} for row in THOUGHTFUL]


@pytest.fixture(scope="module")
def models(tiny_model: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tiny model with the template of each style."""
    made = {}
    for style, template in STYLES.items():
        folder = tmp_path_factory.mktemp("styles") / style.replace(" ", "-")
        shutil.copytree(tiny_model, folder)
        words = AutoTokenizer.from_pretrained(folder)
        words.chat_template = template.replace(ENDS[0], "<end>").replace(ENDS[1], "<end>")
        words.save_pretrained(folder)
        made[style] = str(folder)
    return made


@pytest.fixture
def files(tmp_path: pathlib.Path) -> dict[str, str]:
    found = {}
    for name, rows in (("thoughtful", THOUGHTFUL), ("plain", PLAIN)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        found[name] = str(path)
    return found


DECIDED = (
    ("qwen3", "thoughtful", "learn", ["plan.thinking_learn"]),
    ("qwen3", "plain", "keep", ["plan.thinking_keep"]),
    ("without", "thoughtful", "learn", ["plan.thinking_learn"]),
    ("without", "plain", "off", []),
)


def test_auto_is_decided_with_a_reason(studio: Studio, models: dict[str, str], files: dict[str, str]) -> None:
    for style, data, decided, reasons in DECIDED:
        plan = studio.plans.plan(models[style], files[data])
        assert plan["settings"]["thinking"] == decided
        assert [notice["code"] for notice in plan["notices"] if "thinking" in notice["code"]] == reasons
    by_hand = studio.plans.plan(models["qwen3"], files["plain"], settings={"thinking": "off"})
    assert by_hand["settings"]["thinking"] == "off" and not [one for one in by_hand["notices"] if "thinking" in one["code"]]


def told(studio: Studio, model: str, data: str, thinking: str) -> dict[str, Any]:
    """What the audit says of thoughts."""
    path = studio.settings.home / "data" / studio.data.find(data).id / "rows.jsonl"
    found = look.look(labels.load(model), look.AuditOptions(str(path), None, 100, 60, thinking=thinking))
    return {notice.code.removeprefix("audit.thoughts_"): notice.params for notice in found.notices() if "thoughts" in notice.code}


def test_the_audit_says_what_becomes_of_thoughts(studio: Studio, models: dict[str, str], files: dict[str, str]) -> None:
    counted = {"count": 18, "total": 24}
    assert told(studio, models["qwen3"], files["thoughtful"], "learn") == {"learned": counted, "empty": {"count": 6}}
    assert told(studio, models["qwen3"], files["thoughtful"], "keep") == {"left": {"count": 18}, "empty": {"count": 24}}
    assert told(studio, models["qwen3"], files["plain"], "off") == {"stop": {}}
    assert told(studio, models["deepseek r1"], files["thoughtful"], "learn") == {"learned_placed": counted, "empty": {"count": 6}}
    assert told(studio, models["without"], files["thoughtful"], "learn") == {"learned_inside": counted}
    assert told(studio, models["without"], files["plain"], "off") == {}


def test_the_audit_says_what_the_template_does_with_thoughts_of_earlier_turns(
    studio: Studio, models: dict[str, str], tmp_path: pathlib.Path
) -> None:
    said = {"role": "assistant", "content": "Five.", "reasoning_content": "hm"}
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "How much?"}, said] * 2}) + "\n", encoding="utf-8")
    for style, earlier in (("qwen3", "earlier_left"), ("without", "earlier"), ("strips", "earlier_left")):
        assert earlier in told(studio, models[style], str(path), "learn")


def test_off_is_a_word_though_yaml_takes_it_for_false(home: pathlib.Path, capsys: Any) -> None:
    assert main(["plan", "-m", "starter", "-d", "starter-en", "--set", "thinking=off", "--json"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["settings"]["thinking"] == "off"


def test_the_terminal_decides_as_the_plan_does(models: dict[str, str], files: dict[str, str], home: pathlib.Path, capsys: Any) -> None:
    assert main(["check", files["thoughtful"], "-m", models["qwen3"], "--json"]) == 0
    notices = json.loads(capsys.readouterr().out)["tokens"]["notices"]
    assert {"audit.thoughts_learned", "audit.thoughts_empty"} <= {notice["code"] for notice in notices}
    assert main(["check", files["thoughtful"], "-m", models["qwen3"], "--lang", "it"]) == 0
    assert "- I ragionamenti si imparano con la risposta" in capsys.readouterr().out


ALL = [pytest.param(style, thinking, marks=pytest.mark.nightly) for style in STYLES for thinking in ("learn", "keep", "off")]


SAID = {  # what a model says -> whether it thought, and its own words
    "<think>\nhm\n</think>\n\nSix.": (True, "Six."),
    "<think>\n\n</think>\n\nSix.": (False, "Six."),
    "Six.": (False, "Six."),
    "<think>\nhm and more": (True, "hm and more"),
}
OPENED = {"hm\n</think>\n\nSix.": (True, "Six."), "hm and more": (True, "hm and more"), "\n\n</think>\n\nSix.": (False, "Six.")}


@pytest.mark.parametrize("opened", [False, True], ids=["", "opened by the prompt"])
@pytest.mark.parametrize("style", STYLES)
def test_whether_an_answer_thinks_is_told_from_what_the_model_said(style: str, opened: bool) -> None:
    words, expected = tokenizer(style), OPENED if opened else SAID
    prompt = words("q<think>\n" if opened else "q<think>\n\n</think>\n\n", add_special_tokens=False)["input_ids"]
    said = [[*prompt, *words(one, add_special_tokens=False)["input_ids"], words.eos_token_id] for one in expected]
    width = max(map(len, said))
    out = torch.tensor([row + [words.eos_token_id] * (width - len(row)) for row in said])
    model = SimpleNamespace(generate=lambda **how: out, generation_config=None)
    resident: Any = SimpleNamespace(tokenizer=words, device="cpu", speaking=lambda *run: contextlib.nullcontext(model))
    made = batches.answers(resident, None, [prompt] * len(said), 40, 60.0)
    assert made is not None and [(one.thinks, one.text) for one in made] == list(expected.values())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("thinking", ["learn", "keep", "off"])
def test_the_report_asks_each_row_as_it_was_taught(style: str, thinking: str) -> None:
    words = tokenizer(style)
    rows = [{"row": 1, "messages": [*BARE]}, {"row": 2, "messages": [*ROW]}, {"row": 3, "messages": [*BARE, *ROW]}]
    asked = [one for row in rows if (one := batches.asked(row)) is not None]
    resident: Any = SimpleNamespace(tokenizer=words)
    for (_, prompt), row in zip(batches.prompts(resident, asked, 4096, thinking), rows, strict=True):
        (taught,) = labels.encode_row(words, row, 4096, thinking)
        assert taught.input_ids[: len(prompt)] == prompt and taught.labels[len(prompt)] != labels.IGNORED


@pytest.mark.parametrize(("style", "thinking"), [("qwen3", "keep"), ("deepseek r1", "learn"), *ALL])
def test_a_run_is_asked_as_it_was_taught_here_and_by_what_it_publishes(
    studio: Studio, models: dict[str, str], files: dict[str, str], style: str, thinking: str
) -> None:
    changes = {
        "max_steps": 2,
        "thinking": thinking,
        "max_length": 512,
        "report": thinking == "learn",
        "precision": "fp32",
        "validation_share": 0.2,
    }
    run, resident = studio.runs.create(models[style], files["thoughtful"], "facts", changes), Resident()
    assert train(run, studio.shared.store, resident).status == "finished"
    words, turns = labels.load(models[style]), [{"role": "user", "content": "How much is 5?"}]
    answer = {"role": "assistant", "content": "It is 35.", "reasoning_content": "Seven times 5."}
    (row,) = labels.encode_row(words, {"row": 1, "messages": [*turns, answer]}, 512, thinking)
    question = studio.talk.question(run.id, turns, how=AnswerSettings(max_new_tokens=4))
    chat.answer(resident, question)
    assert question.outcome is not None and question.thinking == thinking
    ids = labels.asking(words, thinking)(turns)
    assert question.outcome.prompt == len(ids) and row.input_ids[: len(ids)] == ids
    published = AutoTokenizer.from_pretrained(str(run.adapter))
    assert published.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"] == ids


def test_where_thinking_is_kept_the_report_lets_the_model_think(studio: Studio, models: dict[str, str], files: dict[str, str]) -> None:
    """Asked as it was taught, after an empty thought, it never would: this template opens one, so whatever comes next is a thought."""
    changes = {"max_steps": 1, "thinking": "keep", "max_length": 512, "precision": "fp32", "validation_share": 0.2}
    run = studio.runs.create(models["deepseek r1"], files["plain"], "facts", changes)
    assert train(run, studio.shared.store, Resident()).status == "finished"
    measures = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))["measures"]
    assert measures["thinking"] == {"base": 1.0, "tuned": 1.0}
