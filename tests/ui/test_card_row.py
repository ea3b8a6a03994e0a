"""The row for several cards: all of them with the whole model, or with the model in shares where that alone fits. The plans are played."""

import json
from html import unescape
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tuning.text import t
from tuning.ui.parts import card_row
from tuning.ui.slip import Order

BATCH = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 8}


def drawn(lang: str, fitting: set[str], asked: str = "auto") -> str:
    """The row on a machine with two cards where the devices of `fitting` have room for the model."""

    def plan(choice: Order, overrides: dict[str, str]) -> tuple[dict[str, Any], None]:
        figures = {"predicted_peak_bytes": 1 << 30, "available_bytes": 2 << 30, "seconds": 600.0, "settings": BATCH}
        return {"fits": overrides["device"] in fitting, **figures}, None

    hardware = SimpleNamespace(hardware=lambda: {"gpus": [{}, {}]})
    desk = SimpleNamespace(studio=hardware, space=None, lang=lang, plan=plan)
    return unescape(card_row.drawn(cast(Any, desk), Order(), {"device": asked}))


@pytest.mark.parametrize("lang", ["en", "it"])
def test_what_fits_is_offered_whole_before_it_is_in_shares(lang: str) -> None:
    shared = t(lang, "ui.cards.shared", cards=t(lang, "ui.cards.use.both"))
    for fitting, device in (({"auto", "all", "shard"}, "all"), ({"shard"}, "shard")):
        row = drawn(lang, fitting)
        assert json.dumps({"device": device}) in row and (shared in row) is (device == "shard")
    assert drawn(lang, set()) == ""


@pytest.mark.parametrize("lang", ["en", "it"])
def test_what_was_taken_leads_back_to_one_card(lang: str) -> None:
    row = drawn(lang, {"all", "shard"}, asked="shard")
    assert t(lang, "ui.cards.shared", cards=t(lang, "ui.cards.used.both")) in row
    assert json.dumps({"device": "auto"}) in row and t(lang, "ui.cards.one") in row
