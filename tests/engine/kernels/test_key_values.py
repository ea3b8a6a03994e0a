"""Keys and values that are kept of conversations: answers are the same with and without them, and they are nobody else's."""

import pathlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, set_seed

from tests import families, seeing
from tests.engine.kernels.test_families import CARDS
from tests.lots import lot
from tuning.engine.kernels.key_values import KeyValues, weight_marks
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import Saying, answer
from tuning.models import catalog
from tuning.schema import Message

LOT = lot("kept families").sample(list(CARDS), 3)
FIRST = "How much is item 3?"
Talk = list[tuple[str, str]]


class Watched(KeyValues):
    """It tells how many tokens were kept for what was asked, each time."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[int] = []

    def take(self, *asked: Any) -> tuple[Any, int]:
        found = super().take(*asked)
        self.known.append(found[1])
        return found


def loaded(folder: pathlib.Path, card: Any) -> tuple[Resident, Any]:
    """The model in a folder, which needs no trial: it was made here."""
    resident = Resident(trusts=lambda path: True)
    resident.load(str(folder), "cpu", "fp32")
    return resident, SimpleNamespace(card=card.model_copy(update={"context_length": families.CONTEXT}), path=str(folder))


def speaker(folder: pathlib.Path, card: Any) -> Callable[..., tuple[str, list[int]]]:
    """Ask the model in a folder; the answer, and how many tokens were kept at each of its turns, of `slice` tokens each."""
    resident, model = loaded(folder, card)
    resident.kept = kept = Watched()

    def ask(turns: Talk, whose: str | None = None, slice: int | None = None, **how: Any) -> tuple[str, list[int]]:
        kept.known = []
        said = [Message(role=role, content=content) for role, content in turns]  # type: ignore[arg-type]
        question = Question(said, model, "cpu", "fp32", max_new_tokens=8, whose=whose, **how)
        saying, tokens = Saying(question), 0

        def enough() -> bool:
            nonlocal tokens
            tokens += 1
            return slice is not None and tokens % slice == 0

        while not saying.turn(resident, enough):
            assert slice is not None
        return "".join(question.stream()), kept.known

    return ask


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in LOT else [pytest.mark.nightly]) for kind in (*CARDS, *seeing.KINDS)]
)
def test_a_second_turn_goes_on_from_the_first_and_says_the_same(kind: str, tmp_path: pathlib.Path) -> None:
    sees = kind in seeing.KINDS
    folder = seeing.build(tmp_path / "model", kind) if sees else families.build(tmp_path / "model", CARDS[kind])
    ask = speaker(folder, catalog.describe(folder) if sees else CARDS[kind])
    recurrent = "mamba" in kind or kind == "qwen3_5"
    for how in ({}, {"seed": 3, "temperature": 1.5}):
        plain, unkept = ask([("user", FIRST)], **how)
        assert unkept == [0] and ask([("user", FIRST)], "me", **how)[0] == plain
        talk = [("user", FIRST), ("assistant", plain), ("user", "And item 4, please?")]
        cold, _ = ask(talk, **how)
        warm, known = ask(talk, "me", **how)
        assert warm == cold and (known == [0]) is recurrent, "a recurrent state cannot go on by several tokens, and is not kept"
        again, known = ask(talk, "me", **how)
        assert again == cold and (known[0] > 20) is not recurrent, "asked once more: of what was kept the answer goes"
        sliced, known = ask(talk, slice=3, **how)
        assert sliced == cold and known[0] == 0 and all(known[1:]) and len(known) >= 2, "in slices none reads anything anew"


def test_a_window_that_has_slid_goes_on_and_is_not_cropped(tmp_path: pathlib.Path) -> None:
    card = CARDS["mistral-untied"]
    folder = families.build(tmp_path / "model", card)
    config = AutoConfig.from_pretrained(folder, sliding_window=16)
    set_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    ask = speaker(folder, card)
    plain, _ = ask([("user", FIRST)], "me")
    again, known = ask([("user", FIRST)], "me")
    assert (again, known) == (plain, [0]), "the answer cannot be taken from it"
    sliced, known = ask([("user", FIRST)], slice=2)
    assert sliced == plain and all(known[1:])
    begun = plain[:4]
    cold = ask([("user", FIRST)], begun=begun)[0]
    assert ask([("user", FIRST)], "me", begun=begun)[0] == cold


def cache(tokens: int) -> DynamicCache:
    """A cache of one layer, eight bytes for each token."""
    made = DynamicCache()
    made.update(torch.zeros(1, 1, tokens, 1), torch.zeros(1, 1, tokens, 1), 0)
    return made


def test_the_oldest_goes_where_there_is_no_room_for_all() -> None:
    kept = KeyValues(100 * 8)
    talks = {name: [number] * 40 for number, name in enumerate("abc")}
    for name, tokens in talks.items():
        kept.keep(name, b"", tokens, cache(40))
        assert kept.size <= 100 * 8
    assert kept.take("a", b"", [*talks["a"], 9]) == (None, 0)
    assert kept.take("c", b"", [*talks["c"], 9])[1] == 40 and kept.take("c", b"", [*talks["c"], 9]) == (None, 0), "it was taken out"
    with kept.within(0):
        assert kept.size == 0
        kept.keep("a", b"", talks["a"], cache(40))
        assert kept.size == 0
    kept.keep("a", b"", talks["a"], cache(40))
    assert kept.forget() == 40 * 8 and kept.size == 0 == kept.forget()


def test_what_is_kept_is_of_one_owner_one_speaker_and_the_weights_as_they_are() -> None:
    tokens = [*range(20)]
    for key, marks, known in (("me", b"1", 20), ("you", b"1", 0), ("me", b"2", 0)):
        kept = KeyValues()
        kept.keep("me", b"1", tokens, cache(20))
        assert kept.take(key, marks, [*tokens, 5])[1] == known
        assert bool(kept.size) is (key == "you"), "what other weights have made is let go"


def test_another_conversation_does_not_lose_its_own() -> None:
    kept, system = KeyValues(), [1] * 10
    kept.keep("me", b"", system + [2] * 30, cache(40))
    assert kept.take("me", b"", system + [3] * 30) == (None, 0)
    kept.keep("me", b"", system + [3] * 30, cache(40))
    found, known = kept.take("me", b"", system + [2] * 25 + [4] * 9)
    assert known == 35 == found.get_seq_length(), "an edit near the end takes it over, up to there"
    assert kept.take("me", b"", system + [3] * 30)[1] == 39, "one token is left to be read"


def test_weights_that_moved_are_seen_whoever_wrote_them() -> None:
    model = torch.nn.ModuleDict({"lora_A": torch.nn.ModuleDict({"default": torch.nn.Linear(40, 4), "other": torch.nn.Linear(40, 4)})})
    first = weight_marks(model, "default")
    assert first == weight_marks(model, "default") != weight_marks(model, "other")
    with torch.no_grad():
        model["lora_A"]["other"].weight.add_(1)  # type: ignore[index]
    assert first == weight_marks(model, "default")
    model["lora_A"]["default"].weight.data.add_(1e-4)  # type: ignore[index]
    assert first != weight_marks(model, "default"), "by way of `data`, as an optimizer in 8 bits writes"


def test_of_nobody_s_conversation_nothing_is_kept_and_all_leaves_with_the_model(tmp_path: pathlib.Path) -> None:
    resident, model = loaded(families.build(tmp_path / "model", CARDS["llama-tied"]), CARDS["llama-tied"])
    for whose in (None, "me"):
        answer(resident, Question([Message(role="user", content=FIRST)], model, "cpu", "fp32", max_new_tokens=4, whose=whose))
        assert bool(resident.kept.size) is (whose is not None)
    resident.unload()
    assert resident.kept.size == 0
