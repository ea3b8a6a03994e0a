"""Memory runs out, once or for good, wherever a run may need it: it ends as if nothing had been, or pauses with its work saved."""

import contextlib
import itertools
import pathlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.engine.conftest import Trainer, Undisturbed, losses
from tests.lots import lot
from tuning.engine.device import ran_out
from tuning.engine.learn.healing import Ladder
from tuning.engine.learn.train import train
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, Message, Notice, RunState, TrainSettings
from tuning.studio import Studio

PLACES = ["load", "step", "step 50", "optimizer", "evaluation", "save"]
# Forty rows, eight held out, in steps of four.
BASE = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "lora_r": 2, "precision": "fp32"}


def changes(place: str, batch: int, dropout: float) -> dict[str, Any]:
    """Settings of a run of 56 steps for what happens at the fiftieth, of 16 else."""
    small = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": 4 // batch}
    return {**BASE, **small, "num_train_epochs": 7 if place == "step 50" else 2, "lora_dropout": dropout}


OUT = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@contextlib.contextmanager
def patched(owner: Any, name: str, fails: Callable[..., bool], error: Exception = OUT) -> Iterator[None]:
    """`owner.name` raises what torch raises when memory is out, whenever `fails` says so."""
    true = getattr(owner, name)

    def scarce(*values: Any, **named: Any) -> Any:
        if fails(*values, **named):
            raise type(error)(*error.args)
        return true(*values, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, staticmethod(scarce) if owner is AutoModelForCausalLM else scarce)
        yield


@contextlib.contextmanager
def scarce(place: str, times: float) -> Iterator[None]:
    """Memory runs out at `place`, so many times."""
    calls, failed = itertools.count(1), itertools.count(1)

    def fails(*values: Any, **named: Any) -> bool:
        if place in ("step", "step 50", "evaluation") and torch.is_grad_enabled() is (place == "evaluation"):
            return False
        # the optimizer after the first save: before it a run has nothing to go on from, as at load
        return next(calls) > {"step 50": 49, "optimizer": 3, "evaluation": 12}.get(place, 0) and next(failed) <= times

    owner, name = {
        "load": (AutoModelForCausalLM, "from_pretrained"),
        "optimizer": (torch.optim.AdamW, "step"),
        "save": (torch, "save"),
    }.get(place, (torch.nn.Embedding, "forward"))
    with patched(owner, name, fails):
        yield


def most_at_night(kept: list[tuple[str, int]]) -> list[Any]:
    """All places and two batches; the suite has `kept`."""
    both = itertools.product(PLACES, (4, 1))
    return [pytest.param(*one, marks=[] if one in kept else pytest.mark.nightly) for one in both]


@pytest.mark.parametrize(("place", "batch"), most_at_night([("load", 4), ("step", 1), ("optimizer", 4), ("evaluation", 4), ("save", 1)]))
def test_once(undisturbed: Undisturbed, trained: Trainer, place: str, batch: int) -> None:
    wanted = changes(place, batch, 0.1)
    with scarce(place, 1):
        run, state = trained(**wanted)
    assert (state.status, state.reason) == ("finished", None)
    assert losses(run) == pytest.approx(losses(undisturbed(**wanted)), abs=1e-6)
    if place != "evaluation":  # whose batch is halved, and nothing else is changed
        assert [notice.code for notice in state.recoveries] == ["recovery.release"]
    assert checkpoints.newest(run.checkpoints) is not None


@pytest.mark.parametrize("place", ["step", "evaluation"])
def test_what_is_kept_of_conversations_goes_first(
    undisturbed: Undisturbed, make_run: Callable[..., Run], studio: Studio, place: str
) -> None:
    wanted, resident = changes("step", 4, 0.1), Resident()
    held: list[int] = []

    def talk() -> None:
        if not held:
            question = Question([Message(role="user", content="How much?")], run.spec().model, "cpu", "fp32", None, whose=LOCAL)
            question.max_new_tokens = 4
            answer(resident, question)
            held.append(resident.kept.size)

    def fails(*values: Any, **named: Any) -> bool:
        return bool(held and resident.kept.size and torch.is_grad_enabled() is (place == "step"))

    run = make_run(**wanted)
    with patched(torch.nn.Embedding, "forward", fails):
        state = train(run, studio.shared.store, resident, talk)
    assert held[0] > 0 == resident.kept.size
    assert (state.status, state.recoveries) == ("finished", []), "no rung is taken for it"
    assert losses(run) == losses(undisturbed(**wanted))


@pytest.mark.parametrize(("place", "batch"), most_at_night([("load", 1), ("step 50", 4), ("save", 4), ("evaluation", 1)]))
def test_for_good(undisturbed: Undisturbed, trained: Trainer, studio: Studio, place: str, batch: int) -> None:
    wanted = changes(place, batch, 0.0)
    with scarce(place, 1000):
        run, state = trained(**wanted)
    assert (state.status, state.reason) == ("paused", "memory")
    codes = [notice.code for notice in state.recoveries]
    assert codes[:2] == ["recovery.release", "recovery.checkpointing"]
    assert ("recovery.micro_batch" in codes) is (batch > 1)
    assert "recovery.shorter" not in codes
    if place not in ("load", "save"):
        assert checkpoints.newest(run.checkpoints) is not None
    state = train(studio.runs.resumable(run.id), studio.shared.store, Resident())  # another program has ended
    assert state.status == "finished"
    assert losses(run) == pytest.approx(losses(undisturbed(**wanted)), abs=1e-4)  # sums in another order


WORDS = [
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "Triton Error [CUDA]: out of memory",
    "MPS backend out of memory (MPS allocated: 8.00 GB, other allocations: 1.00 GB, max allowed: 9.07 GB).",
    "[enforce fail at alloc_cpu.cpp:116] data. DefaultCPUAllocator: not enough memory: you tried to allocate 2147483648 bytes.",
]
LOT = lot("words of memory").choice(WORDS)  # in every suite a run meets one of them; all by night


@pytest.mark.parametrize("words", WORDS)
def test_the_words_of_a_library_that_misses_memory_are_known(words: str) -> None:
    assert ran_out(RuntimeError(words))


@pytest.mark.parametrize("words", [pytest.param(words, marks=[] if words == LOT else [pytest.mark.nightly]) for words in WORDS])
def test_memory_that_a_library_misses_in_its_own_words_is_memory_too(trained: Trainer, words: str) -> None:
    calls = itertools.count(1)
    with patched(torch.nn.Embedding, "forward", lambda *_: torch.is_grad_enabled() and next(calls) == 2, RuntimeError(words)):
        _, state = trained(**{**changes("step", 4, 0.0), "max_steps": 3})
    assert (state.status, [notice.code for notice in state.recoveries]) == ("finished", ["recovery.release"])


@pytest.mark.parametrize("times", [1, 1000])
def test_what_a_step_held_is_gone_before_memory_is_given_back(trained: Trainer, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    calls, failed, held, alive = itertools.count(1), itertools.count(1), list[Any](), list[bool]()
    forward = torch.nn.Embedding.forward

    def give_back() -> None:
        alive.append(any(tensor() is not None for tensor in held))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def embed(module: Any, ids: torch.Tensor) -> torch.Tensor:
        done = forward(module, ids)
        if torch.is_grad_enabled() and next(calls) > 4 and next(failed) <= times:
            held.append(weakref.ref(done))
            monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # until memory is given back
            raise torch.OutOfMemoryError
        return done

    monkeypatch.setattr(torch.nn.Embedding, "forward", embed)
    monkeypatch.setattr(torch.cuda, "empty_cache", give_back)
    _, state = trained(**{**changes("step", 4, 0.0), "max_steps": 8})
    assert state.status == ("finished" if times == 1 else "paused")
    assert alive and not any(alive)


def test_a_card_that_takes_so_many_tokens_gets_no_more(trained: Trainer, undisturbed: Undisturbed) -> None:
    wanted, most = changes("step", 4, 0.0), 0

    def too_many(module: Any, ids: torch.Tensor) -> bool:
        nonlocal most
        most = max(most, ids.numel())
        return torch.is_grad_enabled() and ids.numel() > 40

    with patched(torch.nn.Embedding, "forward", too_many):
        run, state = trained(**wanted)
    assert most > 40
    assert state.status == "finished"
    assert state.recoveries[-1].code == "recovery.micro_batch" and state.recoveries[-1].params["tokens"] <= 40
    assert losses(run) == pytest.approx(losses(undisturbed(**wanted)), abs=1e-4)  # sums in another order


@pytest.mark.parametrize("allowed", [True, False])
def test_rows_are_shortened_only_where_that_was_allowed(
    make_run: Callable[..., Run], studio: Studio, tmp_path: pathlib.Path, allowed: bool
) -> None:
    data = tmp_path / "long.json"
    text = "euro " * 60
    data.write_text("[" + ",".join(f'{{"instruction": "{n}", "output": "{text}{n}"}}' for n in range(24)) + "]", encoding="utf-8")
    run = make_run(str(data), max_length=200, allow_shorter=allowed, num_train_epochs=1, per_device_train_batch_size=1)
    with patched(torch.nn.Embedding, "forward", lambda module, ids: torch.is_grad_enabled() and ids.numel() > 64):
        state = train(run, studio.shared.store, Resident())
    assert (state.status, state.reason) == (("finished", None) if allowed else ("paused", "memory"))
    assert ("recovery.shorter" in [notice.code for notice in state.recoveries]) is allowed


def test_what_was_learned_about_the_memory_outlives_the_process() -> None:
    settings = TrainSettings(per_device_train_batch_size=4, gradient_accumulation_steps=1, max_length=64, gradient_checkpointing="none")
    ladder = Ladder(settings)
    taken: list[Notice] = []
    while (rung := ladder.next(3)) is not None:
        taken.append(rung)
    state = RunState.model_validate_json(RunState(status="paused", recoveries=taken).model_dump_json())
    later = Ladder(settings, state.recoveries)
    later.fit(64)
    assert (later.most_tokens, later.checkpointing) == (64, "full")
    assert [later.next(4), later.next(4)] == [later.taken[-1], None], "only what is unused can be released once more"
