"""The catalog's cards: every model that the requirements name, with its marks, and each card true to the model it speaks of."""

import functools
import json
import pathlib

import pytest
import torch
import yaml
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from tuning import presets, settings
from tuning.schema import Goal, ModelCard

ROOT = settings.PRESETS
CARDS = {name: card for name, card in presets.models(ROOT).items() if not card.path}

# id: quality, speed, Italian, stars. What the requirements leave open is None.
NAMED = {
    "distilbert/distilgpt2": ("basic", 3, "none", 0),
    "openai-community/gpt2": ("basic", 3, "none", 0),
    "openai-community/gpt2-medium": ("good", 3, "none", 0),
    "HuggingFaceTB/SmolLM-360M": ("basic", 3, "limited", 0),
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": ("good_for_size", 3, "limited", 0),
    "Qwen/Qwen2-1.5B": ("good", 3, "good", 0),
    "Qwen/Qwen2.5-1.5B": ("good", 3, "good", 1),
    "stabilityai/stablelm-2-1_6b": ("good", 3, "limited", 0),
    "HuggingFaceTB/SmolLM-1.7B": ("good", 3, "limited", 0),
    "microsoft/phi-2": ("excellent_for_size", 2, "limited", 2),
    "Qwen/Qwen2-7B": ("excellent", 1, "excellent", 0),
    "Qwen/Qwen2.5-7B": ("excellent", 1, "excellent", 3),
    "ibm-granite/granite-4.0-h-1b": (None, None, None, None),
}

ADVISED: dict[Goal, list[str]] = {
    "quick": ["microsoft/phi-2", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "HuggingFaceTB/SmolLM-360M"],
    "italian": ["Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-1.5B", "Qwen/Qwen2-7B"],
    "quality": ["Qwen/Qwen2.5-7B", "microsoft/phi-2", "Qwen/Qwen2-7B"],
    "memory": ["Qwen/Qwen2.5-1.5B", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "HuggingFaceTB/SmolLM-1.7B"],
    "writing": ["Qwen/Qwen2.5-7B", "microsoft/phi-2"],
    "research": ["microsoft/phi-2", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"],
}


@functools.cache
def _measured(config: str) -> tuple[int, dict[str, int], frozenset[str]]:
    """Parameters, sizes and the last names of the linear layers of a model that has no weights."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**json.loads(config)))
    text = model.config
    sizes = {name: getattr(text, name) for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")}
    sizes["num_key_value_heads"] = getattr(text, "num_key_value_heads", text.num_attention_heads)
    sizes["context_length"] = text.max_position_embeddings
    head = model.get_output_embeddings()
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
    }
    return sum(parameter.numel() for parameter in model.parameters()), sizes, frozenset(linear)


def measured(card: ModelCard) -> tuple[int, dict[str, int], frozenset[str]]:
    return _measured(json.dumps(card.config))


def ranked(goal: Goal) -> list[str]:
    return sorted((name for name, card in CARDS.items() if goal in card.goals), key=lambda name: CARDS[name].goals[goal])


@pytest.mark.parametrize("name", NAMED)
def test_a_named_model_has_its_marks(name: str) -> None:
    card = CARDS[name]
    found = (card.quality, card.speed, card.italian, card.stars)
    assert [mark for mark, want in zip(found, NAMED[name], strict=True) if want is not None] == [
        want for want in NAMED[name] if want is not None
    ]


@pytest.mark.parametrize("goal", ADVISED)
def test_the_advice_keeps_its_order(goal: Goal) -> None:
    assert ranked(goal)[: len(ADVISED[goal])] == ADVISED[goal]


@pytest.mark.parametrize("goal", [*ADVISED, "chatbot", "code"])
def test_no_two_models_share_a_place(goal: Goal) -> None:
    assert [CARDS[name].goals[goal] for name in ranked(goal)] == list(range(1, len(ranked(goal)) + 1))


def test_chatbots_are_instruct_models_of_middle_size() -> None:
    assert ranked("chatbot")
    for name in ranked("chatbot"):
        assert CARDS[name].instruct and 3e9 <= CARDS[name].parameters < 8e9, name


def test_code_is_for_an_instruct_model_before_the_base_one() -> None:
    first, second = ranked("code")[:2]
    assert CARDS[first].instruct and second == "Qwen/Qwen2.5-7B"


def test_italian_is_asked_of_models_that_know_it() -> None:
    assert {CARDS[name].italian for name in ranked("italian")} <= {"good", "excellent"}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_says_what_the_model_is(name: str) -> None:
    card = CARDS[name]
    parameters, sizes, linear = measured(card)
    assert card.parameters == parameters
    assert {key: getattr(card, key) for key in sizes} == sizes
    assert card.intermediate_size == card.config.get("intermediate_size", 4 * card.hidden_size)
    assert card.model_type == card.config["model_type"]
    hybrid = "mamba" in card.config.get("layer_types", [])
    assert len(card.target_modules) == len(set(card.target_modules))
    assert set(card.target_modules) == linear - ({"out_proj"} if hybrid else set())
    assert card.packing is not hybrid


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_card_speaks_both_languages_and_keeps_no_word_of_a_gate(path: pathlib.Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert all(len(content["why"][language]) > 20 for language in ("en", "it"))
    assert content["why"]["en"] != content["why"]["it"]
    assert all(content["why"][language].endswith(".") for language in ("en", "it"))
    assert not [key for key in content if "gate" in key.lower()]
    assert content["languages"] and all(isinstance(language, str) for language in content["languages"])


def test_terms_that_limit_are_marked() -> None:
    limited = {name for name, card in CARDS.items() if not card.free_license}
    assert limited == {name for name, card in CARDS.items() if card.license not in ("Apache-2.0", "MIT")}
    assert "stabilityai/stablelm-2-1_6b" in limited


def test_those_that_reason_first_are_marked() -> None:
    thinking = {name for name, card in CARDS.items() if card.thinking}
    assert thinking == {"HuggingFaceTB/SmolLM3-3B", *(f"Qwen/Qwen3-{size}" for size in ("0.6B", "1.7B", "4B", "8B"))}
    assert all(CARDS[name].instruct for name in thinking)
