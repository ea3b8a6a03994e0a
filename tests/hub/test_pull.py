"""From the Hub and back into the chat: a version that was pushed answers as the run does, and what is no adapter for here is said."""

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from tests.hub.hub_server import Repo
from tests.hub.receiving import Kept, Receiving
from tests.hub.test_push import QUICK, code
from tuning import settings
from tuning.cli import talking
from tuning.cli.main import main
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.hub import pulled
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio

REPO = "anna/prezzi"
ASKED = [{"role": "user", "content": "Quanto costa l'articolo 1?"}]


@pytest.fixture
def mine(run: Run) -> Studio:
    return Studio(settings.read(), LOCAL)


def said(studio: Studio, target: str, resident: Resident, base: bool = False) -> Question:
    """An answer of `target`, proven, over what is loaded already."""
    question = studio.talk.question(target, ASKED, base)
    question.proven, question.max_new_tokens = True, 24
    resident.load(question.model.path, question.device, question.precision, question.quantization, question.bare)
    answer(resident, question)
    return question


def text(question: Question) -> str:
    return "".join(question.stream())


def test_a_version_that_was_pushed_answers_as_the_run_does_beside_it_and_its_base(
    mine: Studio, run: Run, receiving: Receiving, capsys: pytest.CaptureFixture[str]
) -> None:
    mine.pushes.push(run.id, REPO, way=QUICK)
    target = f"{REPO}@{run.id}"
    assert code(lambda: mine.talk.whom(target)) == "pull.not_here" and mine.talk.pulled() == []
    assert main(["chat", target, "--prompt", ASKED[0]["content"], "--json", "--lang", "en"]) == 0  # fetched on the way
    told = json.loads(capsys.readouterr().out)
    resident = talking._resident
    live, back = (said(mine, one, resident) for one in (run.id, target))
    base = said(mine, target, resident, base=True)
    words = text(live)
    assert words == text(back) != text(base) and told["answer"].startswith(words[:20])
    assert back.proof is not None and live.proof is not None and back.proof.distance == live.proof.distance and not back.proof.fault
    assert {one["id"] for one in mine.talk.beside(run.id)} >= {target} and run.id in {one["id"] for one in mine.talk.beside(target)}
    assert mine.talk.called(target, "en") == target and mine.answering.habits(target).scaling == "all"
    folder = pulled.kept(mine.settings.home, LOCAL)[0].adapter
    assert {path.name for path in folder.iterdir()} == {*pulled.MOST, "sartoria.json"}
    asked = len(receiving.asked)
    assert mine.pulls.pull(target)["commit"] == receiving.kept(REPO).tagged[run.id]
    assert not [path for _, path, _ in receiving.asked[asked:] if path.endswith(".safetensors")]  # it is here already
    assert code(lambda: mine.runs.further(target)) == "pull.data"
    assert code(lambda: mine.runs.further(target, "starter-it", {"lora_r": 4})) == "run.shape"
    assert main(["remove", target, "--json"]) == 0 and mine.talk.pulled() == []


@pytest.fixture
def there(mine: Studio, run: Run, receiving: Receiving) -> Kept:
    """A repository with an adapter, as a run would push it."""
    made = Kept({}, tags=())
    made.commit("main", {name: (run.adapter / name).read_bytes() for name in pulled.MOST}, "an adapter")
    receiving.repos[REPO] = made
    return made


def but(repo: Kept, **keys: Any) -> dict[str, bytes]:
    """Its files with keys of the configuration changed, and without its card."""
    config = json.loads(repo.files[pulled.CONFIG]) | keys
    return {**repo.files, pulled.CONFIG: json.dumps(config).encode(), pulled.CARD: b"# ours"}


def of(repo: Kept, change: Callable[[str, torch.Tensor], tuple[str, torch.Tensor]], **more: torch.Tensor) -> dict[str, bytes]:
    """Its files with tensors of the weights changed, and more of them."""
    found = dict(change(name, one) for name, one in load(repo.files[pulled.WEIGHTS]).items())
    return {**repo.files, pulled.WEIGHTS: save({name: one.contiguous() for name, one in found.items()} | more)}


def same(name: str, one: torch.Tensor) -> tuple[str, torch.Tensor]:
    return name, one


FAULTS: dict[str, tuple[str, Callable[[Kept], dict[str, bytes]]]] = {
    "no configuration": ("pull.no_adapter", lambda repo: {"README.md": b"x"}),
    "a whole model": ("pull.whole", lambda repo: {"config.json": b"{}", "model.safetensors": b"x"}),
    "half a JSON": ("model.broken", lambda repo: {**repo.files, pulled.CONFIG: b'{"r": '}),
    "a pickle": ("pull.no_safetensors", lambda repo: {pulled.CONFIG: repo.files[pulled.CONFIG], "adapter_model.bin": b"x"}),
    "another kind": ("pull.kind", lambda repo: but(repo, peft_type="IA3")),
    "another task": ("pull.kind", lambda repo: but(repo, task_type="SEQ_CLS")),
    "no base": ("pull.no_base", lambda repo: but(repo, base_model_name_or_path=None)),
    "a base that is a folder": ("pull.no_base", lambda repo: but(repo, base_model_name_or_path="/srv/bruno/model")),
    "a base above": ("pull.no_base", lambda repo: but(repo, base_model_name_or_path="../..")),
    "a base that is gone": ("model.missing", lambda repo: but(repo, base_model_name_or_path="bruno/gone")),
    "a base behind a log-in": ("model.gated", lambda repo: but(repo, base_model_name_or_path="bruno/gated")),
    "another base": ("pull.other_base", lambda repo: but(repo, base_model_name_or_path="tailors/tiny")),
    "another width": ("pull.other_base", lambda repo: of(repo, lambda name, one: (name, one[:, :-1] if "lora_A" in name else one))),
    "more layers": ("pull.other_base", lambda repo: of(repo, lambda name, one: (name.replace(".3.", ".4."), one))),
    "half of a pair": ("pull.other_base", lambda repo: of(repo, same, **{"base_model.model.lm_head.lora_A.weight": torch.zeros(2, 256)})),
    "new embeddings": ("pull.embeddings", lambda repo: but(repo, modules_to_save=["embed_tokens"])),
    "embeddings in the weights": (
        "pull.embeddings",
        lambda repo: of(repo, same, **{"base_model.model.model.embed_tokens.weight": torch.zeros(9, 256)}),
    ),
    "new tokens": ("pull.embeddings", lambda repo: but(repo, trainable_token_indices=[3])),
    "a pattern as targets": ("pull.setting", lambda repo: but(repo, target_modules="(x+x+)+y")),
    "a pattern among targets": ("pull.setting", lambda repo: but(repo, target_modules=["(x+x+)+y"])),
    "a pattern of ranks": ("pull.setting", lambda repo: but(repo, rank_pattern={"(x+x+)+y": 2})),
    "a pattern of alphas": ("pull.setting", lambda repo: but(repo, alpha_pattern={"(x+x+)+y": 2})),
    "a rank of millions": ("pull.setting", lambda repo: but(repo, r=10**7)),
    "an infinite alpha": ("pull.setting", lambda repo: but(repo, lora_alpha=float("inf"))),
    "a base rewritten": ("pull.setting", lambda repo: but(repo, init_lora_weights="pissa")),
    "layers twice": ("pull.setting", lambda repo: but(repo, layer_replication=[[0, 2], [1, 3]])),
    "biases of the base": ("pull.setting", lambda repo: but(repo, bias="all")),
    "of tomorrow": ("pull.setting", lambda repo: but(repo, use_tomorrow={"x": 1})),
    "weights of nothing": ("model.broken", lambda repo: {**repo.files, pulled.WEIGHTS: b"\xff" * 100}),
}


def test_each_fault_is_its_own_sentence_and_nothing_is_kept(
    mine: Studio, there: Kept, receiving: Receiving, tiny_model: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    receiving.repos |= {"tailors/tiny": Repo.of(tiny_model), "bruno/gated": Repo.of(tiny_model, gated="manual")}
    mine, good, found = Studio(settings.read(), LOCAL), dict(there.files), {}
    for fault, (wanted, spoil) in FAULTS.items():
        there.commit("main", spoil(there), fault)
        found[fault] = (code(lambda: mine.pulls.pull(f"{REPO}@main")), wanted)
        there.commit("main", dict(good), "mended")
    assert not {fault: pair for fault, pair in found.items() if pair[0] != pair[1]}
    assert mine.talk.pulled() == [] and not [path for path in pulled.folder_of(mine.settings.home, LOCAL).iterdir() if path.is_dir()]


def test_who_may_not_see_it_what_is_no_version_and_what_came_wrong_are_told(
    mine: Studio, there: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(target: str = f"{REPO}@main", studio: Studio = mine) -> str:
        return code(lambda: studio.pulls.pull(target))

    assert pull(f"{REPO}@v9") == "pull.revision" and pull("anna/none@main") == "pull.missing"
    assert {pull(name) for name in (REPO, f"{REPO}@../x", "a--b/c@x", "x@y", f"{REPO}@", "../..@main")} == {"pull.name"}
    with monkeypatch.context() as smaller:
        smaller.setitem(pulled.MOST, pulled.WEIGHTS, 1000)
        assert pull() == "pull.large"
    monkeypatch.delenv("HF_TOKEN")
    for key, value, wanted in (("private", True, "pull.private"), ("gated", "manual", "pull.gated")):
        anybody = Studio(dataclasses.replace(mine.settings, token=None), LOCAL)
        setattr(there, key, value)
        assert pull(studio=anybody) == wanted
        setattr(there, key, False)
    there.lies = 9
    assert pull() == "model.wrong_hash" and mine.talk.pulled() == []
    there.lies, there.cuts = 0, 1
    mine.pulls.pull(f"{REPO}@main")
    assert pull(studio=Studio(dataclasses.replace(mine.settings, offline=True), LOCAL)) == "model.offline"
    shared = settings.opened(mine.settings, ("teacher",))
    assert pull(studio=Studio(shared, "pupil")) == "quota.model"
    assert code(lambda: Studio(shared, "pupil").talk.whom(f"{REPO}@main")) == "quota.model"
    teacher = Studio(shared, "teacher")
    assert teacher.talk.pulled() == [] and code(lambda: teacher.talk.whom(f"{REPO}@main")) == "pull.not_here"  # it is another owner's


def test_a_branch_that_has_moved_is_pulled_anew_and_a_pull_that_fails_leaves_what_was_there(mine: Studio, there: Kept) -> None:
    target, good = f"{REPO}@main", dict(there.files)
    first = mine.pulls.pull(target)["commit"]
    assert mine.talk.pulled()[0].id == f"{REPO}@{first}"
    there.commit("main", but(there, modules_to_save=["lm_head"]), "spoilt")
    assert code(lambda: mine.pulls.pull(target)) == "pull.embeddings"
    there.commit(
        "main", of(there, lambda name, one: (name, one[:, :-1] if "lora_A" in name else one)) | {pulled.CONFIG: good[pulled.CONFIG]}, "x"
    )
    assert code(lambda: mine.pulls.pull(target)) == "pull.other_base" and mine.talk.pulled()[0].id == f"{REPO}@{first}"
    dora = {name.replace("lora_A", "lora_magnitude_vector"): one[0] for name, one in load(good[pulled.WEIGHTS]).items() if "lora_A" in name}
    there.commit("main", good, "mended")
    there.commit("main", {**of(there, same, **dora), pulled.CONFIG: but(there, use_dora=True)[pulled.CONFIG]}, "with DoRA")
    told = mine.pulls.pull(target)
    assert told["commit"] == there.heads["main"] != first and mine.answering.habits(target).scaling == "direction"
    there.commit("main", {**but(there), "chat_template.jinja": b"{{ messages }}"}, "a stranger's template")
    assert told["template"] == "same" and mine.pulls.pull(target)["template"] == "other"


@pytest.mark.nightly
def test_a_run_goes_on_from_an_adapter_of_the_hub_as_from_one_of_its_own(
    mine: Studio, run: Run, there: Kept, rows_file: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["--set", "max_steps=1", "--set", "report=false", "--set", "learning_rate=1e-9"]
    losses = []
    for source in (f"{REPO}@main", run.id):
        assert main(["train", "--continue", source, "-d", str(rows_file), *settings, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        made = mine.shared.store.find(told["run"], LOCAL)
        assert made.spec().continues and made.start.read_bytes() == there.files[pulled.WEIGHTS]
        losses.append([told["base_eval_loss"], next(entry["eval_loss"] for entry in made.metrics() if "eval_loss" in entry)])
    print(losses)
    assert losses[0] == losses[1] and losses[0][0] != losses[0][1]  # it begins where the other has ended
