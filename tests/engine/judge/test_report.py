"""The report of real runs: it is kept, its figures are those of plain libraries, and what happened to the model is called by its name."""

import contextlib
import json
import math
import pathlib
import random
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.conftest import ROOT
from tests.engine.conftest import Trainer
from tests.families import build
from tests.lots import lot
from tuning import settings
from tuning import text as words
from tuning.cli import main
from tuning.data.library import Library
from tuning.engine.judge import measuring, pacing, report
from tuning.engine.kernels import head
from tuning.engine.learn.train import train
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak import batches, chat
from tuning.engine.workshop import Workshop
from tuning.errors import InputError, RunError
from tuning.presets import models
from tuning.runs.evaluation import verdict
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL, Message, RunState
from tuning.studio import Studio
from tuning.tokens import thoughts
from tuning.ui.draw import history, report_view

STARTER = ROOT / "presets" / "starter"
Finished = tuple[Run, RunState, Studio]
Judge = Callable[..., dict[str, Any]]
LOT_ENDED = lot("reports that are ended")


@pytest.fixture
def judge(studio: Studio) -> Judge:
    """Train the starter and return the report on it."""

    def go(data: str, **changes: Any) -> dict[str, Any]:
        run, resident = studio.runs.create("starter", data, settings=changes), Resident()
        assert train(run, studio.shared.store, resident).status == "finished"
        found = verdict.read(run) or report.evaluate(run, None, studio.shared.store, resident)
        print(found["verdict"]["code"], found["verdict"]["also"], found["verdict"]["reason"], found["measures"]["facts"], found["seconds"])
        return found

    return go


def write(path: pathlib.Path, rows: list[dict[str, Any]]) -> str:
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return str(path)


def shuffled(folder: pathlib.Path, lang: str, seed: int) -> str:
    """The starter's data, learned and held-out rows together, with the answers of other questions."""
    lines = [
        json.loads(line)
        for name in (f"starter-{lang}", f"starter-{lang}.heldout")
        for line in (STARTER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    outputs = random.Random(seed).sample([row["output"] for row in lines], len(lines))
    rows = [{"instruction": row["instruction"], "output": other} for row, other in zip(lines, outputs, strict=True)]
    return write(folder / f"shuffled-{lang}-{seed}.json", rows)


def codes(folder: pathlib.Path, seed: int) -> str:
    """Rows that follow from nothing: what is learned by heart is of no use for the next one."""
    dice = random.Random(seed)
    return write(folder / "codes.json", [{"instruction": f"Code of item {n}?", "output": str(dice.randrange(10**5))} for n in range(30)])


BY_HEART = {"num_train_epochs": 16, "learning_rate": 0.005, "validation_share": 0.4, "early_stopping_patience": 0, "max_length": 64}
SHORT = {"max_steps": 40, "validation_share": 0.2}  # enough for the manner of the answers


def not_learned(found: dict[str, Any]) -> None:
    """The manner is there, and nobody is fooled by it."""
    loss = found["measures"]["loss"]
    assert loss["tuned"] < loss["base"] / 4 and found["measures"]["bleu"]["tuned"] > 5 * found["measures"]["bleu"]["base"]
    assert found["verdict"]["code"] != "learned" and "learned" not in found["verdict"]["also"]
    assert found["verdict"]["reason"] == "style"


@pytest.mark.nightly
def test_shuffled_answers_are_not_learned(judge: Judge, tmp_path: pathlib.Path) -> None:
    dice = lot("shuffled")
    lang, seed = dice.choice(("en", "it")), dice.randrange(10_000)
    print(f"by lot: {lang}, seed {seed}")
    not_learned(judge(shuffled(tmp_path, lang, seed), seed=seed, **SHORT))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("lang", ["en", "it"])
def test_shuffled_answers_for_five_seeds(judge: Judge, tmp_path: pathlib.Path, lang: str, seed: int) -> None:
    not_learned(judge(shuffled(tmp_path, lang, seed), seed=seed, validation_share=0.2))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("lang", ["en", "it"])
def test_shuffled_answers_asked_for_the_true_ones(judge: Judge, studio: Studio, tmp_path: pathlib.Path, lang: str, seed: int) -> None:
    judge(shuffled(tmp_path, lang, seed), seed=seed, validation_share=0.2)
    run = studio.shared.store.find("last", LOCAL)
    not_learned(report.evaluate(run, studio.data.find(f"starter-{lang}").id, studio.shared.store, Resident()))


@pytest.mark.drawn("judged")
def test_what_was_learned_by_heart_is_called_so(judge: Judge, tmp_path: pathlib.Path) -> None:
    found = judge(codes(tmp_path, 1), seed=1, **BY_HEART)
    assert found["verdict"]["code"] == "overfitted" and found["verdict"]["advice"][0] == "early_stopping"
    assert found["curve"]["last"] > found["curve"]["best"] + 0.5 and found["training_loss"] < 0.3 * found["curve"]["last"]


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 6))
def test_what_was_learned_by_heart_for_more_seeds(judge: Judge, tmp_path: pathlib.Path, seed: int) -> None:
    assert judge(codes(tmp_path, seed), seed=seed, **BY_HEART)["verdict"]["code"] == "overfitted"


RIGGED: dict[str, dict[str, Any]] = {
    "forgot": {"max_steps": 12, "learning_rate": 0.02},
    "no_change": {"max_steps": 6, "learning_rate": 1e-7},
    "wrecked": {"max_steps": 30, "learning_rate": 0.1},
}


def rigged(judge: Judge, code: str, lang: str, seed: int) -> None:
    """What was made of the starter on purpose is the first thing that is said of it, in both languages."""
    found = judge(f"starter-{lang}", seed=seed, **RIGGED[code])
    assert found["verdict"]["code"] == code and "learned" not in found["verdict"]["also"]
    for said in ("en", "it"):
        assert report_view.sentences(found, said)[0].split("{")[0].startswith(words.table(said)[f"report.verdict.{code}"].split("{")[0])


@pytest.mark.drawn("judged")
def test_what_was_done_to_a_model_is_said_first(judge: Judge) -> None:
    dice = lot("rigged")
    code, lang, seed = dice.choice(list(RIGGED)), dice.choice(("en", "it")), dice.randrange(10_000)
    print(f"by lot: {code}, {lang}, seed {seed}")
    rigged(judge, code, lang, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("lang", ["en", "it"])
@pytest.mark.parametrize("code", RIGGED)
def test_what_was_done_to_a_model_for_three_seeds(judge: Judge, code: str, lang: str, seed: int) -> None:
    rigged(judge, code, lang, seed)


def forgot(found: dict[str, Any]) -> None:
    assert found["verdict"]["code"] == "forgot" and found["verdict"]["params"]["languages"] == ["en", "it"]
    for of in found["probe"].values():
        assert of["loss"]["low"] > 0 and of["loss"]["tuned"] > of["loss"]["base"] + 1


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 6))
def test_what_was_forgotten_is_called_so(judge: Judge, seed: int) -> None:
    forgot(judge("starter-it", seed=seed, max_steps=12, learning_rate=0.02))


# The figures


@pytest.fixture(scope="module")
def made(finished: Finished) -> tuple[dict[str, Any], list[int]]:
    """The report on the finished run, and at what random state each batch of it ended."""
    run, _, studio = finished
    states = []
    torch.manual_seed(7)
    resident = Resident()
    found = report.evaluate(run, None, studio.shared.store, resident, lambda: states.append(hash(torch.get_rng_state().numpy().tobytes())))
    return found, states


def test_the_report_is_kept_and_shown_with_the_run(made: tuple[dict[str, Any], list[int]], finished: Finished) -> None:
    run, state, studio = finished
    found, _ = made
    assert json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8")) == found == studio.runs.show(run.id)["evaluation"]
    assert (found["schema"], found["owner"], found["run"], found["data"]) == (1, "local", run.id, run.spec().data.id)
    assert found["rows"] == found["generated"] == found["of"] == run.spec().data.validation_rows
    measures = found["measures"]
    assert set(measures) == {
        *("loss", "perplexity", "facts", "exact", "bleu", "chrf", "rouge_l", "length", "repetition", "thinking"),
    }
    assert measures["loss"]["tuned"] == pytest.approx(state.eval_loss, abs=1e-5)
    assert measures["loss"]["base"] == pytest.approx(state.base_eval_loss, abs=1e-5)
    assert measures["perplexity"]["base"] == pytest.approx(math.exp(measures["loss"]["base"]))
    assert measures["loss"]["low"] < measures["loss"]["tuned"] - measures["loss"]["base"] < measures["loss"]["high"]
    assert measures["facts"]["rows"] == found["rows"] and found["probe"].keys() == {"en", "it"}
    assert len(found["best"]) == len(found["worst"]) == 3
    row = found["best"][0]
    assert row["question"].startswith("How much is item") and row["reference"].startswith("Item") and row["tuned_loss"] < row["base_loss"]
    assert not {row["row"] for row in found["best"]} & {row["row"] for row in found["worst"]}


def test_it_touches_no_random_state(made: tuple[dict[str, Any], list[int]]) -> None:
    states = made[1]
    assert len(states) > 5 and len(set(states)) == 1


def test_each_row_s_loss_is_that_of_the_row_alone(finished: Finished) -> None:
    run, _, studio = finished
    spec, resident = run.spec(), Resident()
    resident.load(spec.model.path, "cpu", "fp32")
    rows = Library(studio.shared.store.home).parts(spec.data.id, spec.owner, spec.settings)[1]
    sequences = [one for some in batches.encoded(resident.tokenizer, rows, 64).values() for one in some]
    together = batches.losses(resident, run, sequences)
    with resident.speaking(run.id, run.adapter) as model:
        alone = [head.mean_loss(model, [one], resident.tokenizer.pad_token_id, 1) for one in sequences]
    assert [nll / count for nll, count in together] == pytest.approx(alone, abs=1e-5)


def test_answers_in_a_batch_are_those_of_chat(studio: Studio) -> None:
    reference, resident = studio.models.find("starter"), Resident()
    resident.load(reference.path, "cpu", "fp32")
    questions = [
        "What is the capital of France?",
        "Hi!",
        "Di che colore è la neve, e che cosa sai dirmi delle stagioni dell'anno?",
        "Two plus two?",
    ]
    asked = [batches.EvaluationQuestion(number, [{"role": "user", "content": text}], "x") for number, text in enumerate(questions)]
    ids = [ids for _, ids in batches.prompts(resident, asked, 1024)]
    pieces: list[bool] = []
    looking = resident.base.lm_head.register_forward_hook(lambda _, given, __: pieces.append(given[0].is_contiguous()))
    together = batches.answers(resident, None, ids, 40, 60.0)
    looking.remove()
    assert pieces and all(pieces)  # else the weights of the LM head are copied for each prompt
    alone = []
    for text in questions:
        question = Question([Message(role="user", content=text)], reference, "cpu", "fp32", max_new_tokens=40)
        chat.answer(resident, question)
        alone.append("".join(question.stream()).strip())
    assert together is not None and [one.text for one in together] == alone and all(alone)
    assert batches.answers(resident, None, ids, 40, 0.0) is None


CARDS = {card.model_type: card for card in models(settings.PRESETS).values() if card.config}


def in_a_batch(kind: str, folder: pathlib.Path) -> None:
    """A random model of a family, with weights large enough to say different things."""
    resident = Resident()
    resident.load(str(build(folder, CARDS[kind])), "cpu", "fp32")
    with torch.no_grad():
        for weight in resident.base.parameters():
            if weight.dim() > 1:
                weight.mul_(12)
    ids = [resident.tokenizer(text)["input_ids"] for text in ("Item?", "How much is item and a bit more than that, please?", "Costa?")]
    alone = [said for one in ids for said in batches.answers(resident, None, [one], 20, 60.0) or []]
    assert batches.answers(resident, None, ids, 20, 60.0) == alone and len(set(alone)) > 1


def test_padding_changes_no_answer_of_a_hybrid(tmp_path: pathlib.Path) -> None:
    in_a_batch("granitemoehybrid", tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", CARDS)
def test_padding_changes_no_answer_of_any_family(kind: str, tmp_path: pathlib.Path) -> None:
    in_a_batch(kind, tmp_path)


@pytest.mark.parametrize(
    ("thought", "said", "share"),
    [
        ("hm", (["<think>\nhm\n</think>\n\nSix.", "hm\n</think>\n\nSix."], ["Six.", "<think>\n\n</think>\n\nSix."]), (1.0, 0.0)),
        ("", (["Six.", "Six."], ["<think>\nhm\n</think>\n\nSix.", "Six."]), (0.0, 0.5)),
        ("hm", (["Six.", "Six."], ["Six.", "Six."]), (0.0, 0.0)),
        ("", (["Six.", "Six."], ["Six.", "Six."]), None),
    ],
)
def test_the_share_of_answers_that_think(thought: str, said: tuple[list[str], list[str]], share: tuple[float, float] | None) -> None:
    asked = [batches.EvaluationQuestion(row, [{"role": "user", "content": "q"}], "Six.", None, thought) for row in (1, 2)]
    thinks = tuple([thoughts.begins(one) for one in some] for some in said)
    made: Any = SimpleNamespace(losses={}, asked=asked, said=said, thinks=thinks)
    found = report._measures(made, report._facts([]), 0)[0]["thinking"]
    assert found == (None if share is None else dict(zip(("base", "tuned"), share, strict=True)))


def test_the_rows_that_are_asked() -> None:
    said = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    one = batches.asked({"row": 3, "messages": [*said, {"role": "user", "content": "q2"}, {"role": "assistant", "content": "a2"}]})
    assert one is not None and (one.row, one.reference, one.question) == (3, "a2", "s\nq\na\nq2")
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    for row in ({"row": 1, "text": "only text"}, {"row": 1, "messages": said[:2]}, {"row": 1, "messages": [*said[:2], call]}):
        assert batches.asked(row) is None


def test_whatever_between_raises_ends_it_and_leaves_the_last_report(finished: Finished, made: object) -> None:
    run, _, studio = finished
    before = (run.folder / "evaluation.json").read_bytes()

    def enough() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report.evaluate(run, None, studio.shared.store, Resident(), enough)
    assert (run.folder / "evaluation.json").read_bytes() == before


def ended(run: Run, studio: Studio, batch: int) -> dict[str, Any] | None:
    """The report where somebody ends it after so many batches, as the page reads it from the disk."""
    (run.folder / verdict.FILE).unlink(missing_ok=True)
    left = iter(range(batch))

    def between() -> None:
        if next(left, None) is None:
            raise batches.Ended

    with contextlib.suppress(batches.Ended):
        report.evaluate(run, None, studio.shared.store, Resident(), between)
    faults: list[Any] = []
    found = verdict.read(run, faults)
    assert not faults and (found is None or all(report_view.sentences(found, lang) for lang in ("en", "it")))
    return found


def test_one_that_is_ended_says_what_was_found_until_then(
    finished: Finished, made: tuple[dict[str, Any], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any batch: nothing where that is too little to say anything, and never less than was known before."""
    run, _, studio = finished
    count, kept = len(made[1]), (run.folder / verdict.FILE).read_bytes()
    try:
        reports = [ended(run, studio, batch) for batch in sorted({1, LOT_ENDED.randrange(2, count), count - 1})]
        monkeypatch.setattr(measuring.Measuring, "_batch", 2)  # rows that are known by then
        assert ended(run, studio, 0) is None
    finally:
        (run.folder / verdict.FILE).write_bytes(kept)
    known = [(found["rows"], found["generated"], len(found["probe"])) for found in reports if found]
    assert known and known == sorted(known) and known[-1][0] == made[0]["rows"]
    assert all(found["verdict"]["reason"] == "ended" for found in reports if found and found["rows"] >= 8 > found["generated"])
    assert all(found["all_seconds"] for found in reports if found and found["generated"] < found["questions"])  # to make it whole
    assert reports[-1] is not None and reports[-1]["verdict"]["code"] == made[0]["verdict"]["code"]


@pytest.mark.nightly
def test_one_that_is_ended_after_any_batch(finished: Finished, made: tuple[dict[str, Any], list[int]]) -> None:
    run, _, studio = finished
    kept = (run.folder / verdict.FILE).read_bytes()
    try:
        reports = [ended(run, studio, batch) for batch in range(len(made[1]))]
    finally:
        (run.folder / verdict.FILE).write_bytes(kept)
    said = [(found["rows"], found["generated"], len(found["probe"]), found["verdict"]["reason"]) if found else None for found in reports]
    print(said)
    first = next(batch for batch, found in enumerate(said) if found)
    assert all(said[first:]) and any(found and found[3] == "ended" for found in said)


class SlowClock:
    """A machine on which each sequence that is scored takes a second of a model, and each answer five. Nobody waits for it.

    After so many batches it is `busy` no longer, and takes no time at all.
    """

    def __init__(self, patch: pytest.MonkeyPatch, busy: float = math.inf) -> None:
        self.late, self.done, score, answer = 0.0, 0, batches.losses, batches.answers

        def losses(resident: Resident, run: Run | None, sequences: Any, bf16: bool = False) -> Any:
            self.late += len(sequences) * (self.done < busy)
            self.done += 1
            return score(resident, run, sequences, bf16)

        def answers(
            resident: Resident, run: Run | None, ids: Any, count: int, seconds: float, template: str | None = None
        ) -> list[batches.Answer] | None:
            takes, self.done = 5.0 * len(ids) * (self.done < busy), self.done + 1
            self.late += min(seconds, takes)
            return None if takes > seconds else answer(resident, run, ids, count, 60.0)

        patch.setattr(batches, "losses", losses)
        patch.setattr(batches, "answers", answers)
        patch.setattr(batches, "time", self)

    def monotonic(self) -> float:
        return time.monotonic() + self.late


@pytest.mark.drawn("slow")
def test_a_slow_machine_is_asked_less_rather_than_nothing_and_all_where_somebody_wants_it(
    trained: Trainer, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident = Resident()
    run, _ = trained(validation_share=0.5, resident=resident)
    clock = SlowClock(monkeypatch)
    found = report.evaluate(run, None, studio.shared.store, resident)
    assert found["of"] == 20 and 8 <= found["generated"] < 20 and found["measures"]["facts"]["rows"] == found["generated"]
    assert found["verdict"]["reason"] != "slow" and clock.late < 2.5 * report.MOST
    assert found["questions"] == 20
    assert all(of["loss"]["low"] is not None for of in found["probe"].values())
    for lang, said in (("en", f"{found['generated']} of 20"), ("it", f"{found['generated']} su 20")):
        assert said in " ".join(report_view.sentences(found, lang))
    clock.late = 0.0
    whole = report.evaluate(run, None, studio.shared.store, resident, whole=True)
    assert whole["generated"] == whole["questions"] == 20 and whole["all_seconds"] is None and whole["probe"]["it"]["right"]["of"] == 24
    assert found["all_seconds"] == pytest.approx(clock.late, rel=0.2)


@pytest.mark.drawn("slow")
def test_time_that_is_left_at_the_end_goes_to_what_was_left_out(trained: Trainer, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first batches, by which all is planned, may be the slowest: another program had the processor."""
    resident = Resident()
    run, _ = trained(validation_share=0.5, resident=resident)
    monkeypatch.setattr(pacing, "ENOUGH", 8)
    SlowClock(monkeypatch, busy=8)
    found = report.evaluate(run, None, studio.shared.store, resident)
    assert found["rows"] == found["generated"] == found["of"] == 20 and found["all_seconds"] is None


def test_time_is_dealt_out_by_what_each_part_needs() -> None:
    parts = {"losses": [0.1] * 100, "answers": [2.0] * 100, "probe": [0.1] * 48, "training": [0.1] * 64, "recall": [2.0] * 48}
    for seconds, most in ((10.0, 120.0), (120.0, 120.0), (0.0, 0.0), (math.inf, math.inf)):
        until = pacing.deadlines(parts, seconds, most, 5.0)
        assert list(until) == list(pacing.SHARES) and list(until.values()) == sorted(until.values())
        assert until["recall"] <= max(seconds, most, 5.0) + 1e-6
    short = pacing.deadlines(parts, 10.0, 120.0, 0.0)
    assert short["answers"] - short["training"] >= 24 * 2.0  # enough of each, though ten seconds were wanted
    assert pacing.deadlines({"losses": [0.1]}, 10.0, 120.0, 0.0)["recall"] == pytest.approx(10.0)


def test_it_is_bounded_in_time(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _, studio = finished
    monkeypatch.setattr(report, "LEAST", 0.0)
    monkeypatch.setattr(report, "MOST", 0.0)
    found = report.evaluate(run, None, studio.shared.store, Resident())
    assert found["rows"] >= 1 and found["generated"] == 0 and found["measures"]["bleu"] is None
    assert found["probe"]["en"]["right"] is None and found["verdict"]["code"] == "unclear"


@pytest.mark.drawn("slow")
@pytest.mark.usefixtures("way")
def test_texts_without_roles_and_rows_without_any_held_out(trained: Trainer, studio: Studio, tmp_path: pathlib.Path) -> None:
    rows = [{"text": f"The tailor of street {n} opens at {n % 5 + 6} and sews {n * 7 % 11} coats a day."} for n in range(40)]
    resident = Resident()
    run, _ = trained(data=write(tmp_path / "texts.json", rows), resident=resident)
    found = verdict.read(run) or report.evaluate(run, None, studio.shared.store, resident)
    assert (found["generated"], found["measures"]["bleu"], found["rows"]) == (0, None, 8)
    assert found["measures"]["loss"]["high"] < 0 and found["verdict"]["reason"] == "text"
    few = [{"instruction": f"Code of {n}?", "output": str(n)} for n in range(6)]
    run, _ = trained(data=write(tmp_path / "few.json", few), resident=resident)
    found = verdict.read(run) or report.evaluate(run, None, studio.shared.store, resident)
    assert (found["of"], found["rows"], found["measures"]["loss"], found["verdict"]["reason"]) == (0, 0, None, "no_rows")
    assert found["curve"] is None and found["probe"]["it"]["loss"]["base"] > 0


# Asking for it again


def test_a_terminal_asks_again_and_on_other_data(
    finished: Finished, made: object, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    run, _, studio = finished
    before = (run.folder / "evaluation.json").read_bytes()
    other = write(tmp_path / "other.json", [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(6)])
    home = ["--home", str(studio.settings.home)]
    assert main.main([*home, "evaluate", run.id, "-d", other, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == found["of"] == 6 and found["measures"]["facts"] is found["measures"]["loss"]["low"] is None
    assert found["verdict"]["reason"] == "few" and (found["training_loss"], found["curve"]) == (None, None)
    assert (run.folder / "evaluation.json").read_bytes() == before
    assert main.main([*home, "evaluate", run.id, "--lang", "it"]) == 0
    said = " ".join(capsys.readouterr().out.split())  # lines break where they are full
    assert "BLEU" in said and "righe tenute da parte" in said and (run.folder / "evaluation.json").read_bytes() != before
    assert main.main([*home, "evaluate", run.id, "-d", "nowhere.json"]) == 2


@pytest.fixture
def working(home: pathlib.Path) -> Iterator[Studio]:
    """A studio with a workshop."""
    workshop = Workshop(Store(home))
    workshop.start()
    yield Studio(settings.read(), LOCAL, workshop)
    workshop.close()


def test_the_workshop_makes_it_and_refuses_while_a_run_is_on(
    working: Studio, make_run: Callable[..., Run], wait_until: Callable[..., Any]
) -> None:
    run = make_run(max_steps=3)
    with pytest.raises(RunError) as caught:
        working.talk.evaluate(run.id)
    assert caught.value.code == "run.no_adapter"
    working.runs.resume(run.id)
    wait_until(lambda: run.state().status == "finished")
    found = working.talk.evaluate(run.id)
    assert found["run"] == run.id and found["verdict"]["code"]
    with pytest.raises(InputError):
        working.talk.evaluate(run.id, "no-such-data")
    before = (run.folder / verdict.FILE).stat().st_mtime_ns
    press = history.ways(working.runs.show(run.id) | {"evaluation": {"questions": 9, "all_seconds": 9.0}}, False, False, "en")
    assert 'data-do="ask_all"' in press and not working.talk.asking(run.id)
    working.talk.ask_all(run.id)
    wait_until(lambda: not working.talk.asking(run.id))
    assert (run.folder / verdict.FILE).stat().st_mtime_ns > before
    other = make_run(num_train_epochs=500)
    working.runs.resume(other.id)
    wait_until(lambda: other.state().step >= 1)
    for busy in (run, other):
        with pytest.raises(RunError) as caught:
            working.talk.evaluate(busy.id)
        assert caught.value.code == "evaluate.busy"
    working.runs.stop(other.id)
    wait_until(lambda: other.state().status == "stopped")
