"""Every causal decoder of the pinned transformers, tiny and random: it learns its own objective, alone and packed, or says why not.

The suite has a sample of them by lot, the nightly form has all; `-rP` shows the table, a line for each.
"""

import pytest
import torch

from tests.lots import lot
from tests.models import every
from tuning.engine.kernels import attention, packing
from tuning.engine.kernels import head as evaluate
from tuning.models import examine

NAMED = ["doge", "hyperclovax", "llama", "modernbert-decoder", "recurrent_gemma"]  # each of another outcome
DECODERS = every.decoders()
LOT = {*NAMED, *lot("every family").sample(sorted(set(DECODERS) - {"kimi_linear"}), 10)}
# Types that no test builds, and why. Their cards say that rows are not packed; what a run takes is tried on the model itself.
NOT_BUILT = {
    "blt": "latent bytes: three models in one, of sizes of their own",
    "cohere_compass_text": "its config has no default kinds of layers",
    "cpmant": "counts prompt tokens into its vocabulary",
    "dots3_note": "of pictures too; its text model is too large by default",
    "dots3_note_text": "its sizes stand in each layer",
    "llama4": "of pictures too, too large by default; its text model has a type of its own",
    "mllama": "of pictures too, too large by default",
    "phi4_multimodal": "of pictures and sound too, too large by default",
    "qwen4_exp": "of pictures too; its default config is none",
}
RIGHT = 1e-4  # relative, in 32 bits


def row(length: int) -> packing.TokenRow:
    ids = (torch.arange(length) * 7 + length) % 100 + 5
    return {"input_ids": ids, "labels": torch.where(torch.arange(length) < 4, -100, ids)}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[] if kind in LOT else [pytest.mark.nightly]) for kind in DECODERS])
def test_a_family_learns_its_own_objective(kind: str) -> None:
    if kind in NOT_BUILT:
        print(f"{kind:24} not built: {NOT_BUILT[kind]}")
        assert DECODERS[kind] in examine.known()
        return
    model, rows = every.build(kind), [row(19), row(12), row(26)]
    with torch.no_grad():
        alone = []
        for one in rows:
            batch = {"input_ids": one["input_ids"][None], "attention_mask": torch.ones(1, len(one["labels"]), dtype=torch.long)}
            labels = one["labels"][None]
            alone.append(model(**batch, labels=labels, use_cache=False).loss.item() * (len(one["labels"]) - 4))
            assert evaluate.nll(model, {**batch, "labels": labels})[0].item() == pytest.approx(alone[-1], rel=RIGHT)
        fits = packing.fits(model, attention.separately)
        if fits:
            batch, lengths = packing.packed(rows, model.device)
            with packing.apart(model, lengths):
                assert evaluate.nll(model, batch)[0].item() == pytest.approx(sum(alone), rel=RIGHT)
    head = "ours" if evaluate.head_fits(model) else "the model's own"
    print(
        f"{kind:24} head: {head:16} packed: {'yes' if fits else 'no':4} {'' if model.config._attn_implementation == 'sdpa' else 'no sdpa'}"
    )
    assert fits or not examine.packable({"architectures": [DECODERS[kind]]}), "the plan packs it, and the engine does not"


def test_neither_encoders_nor_halves_of_encoder_decoders_are_known() -> None:
    for name in (
        "BertLMHeadModel",
        "RobertaForCausalLM",
        "BartForCausalLM",
        "PegasusForCausalLM",
        "TrOCRForCausalLM",
        "WhisperForCausalLM",
    ):
        assert name not in examine.known()


@pytest.mark.nightly
def test_which_families_are_not_packed_is_written_down() -> None:
    from tests.models.make_known import unpacked

    assert sorted(examine._listed()["unpacked"]) == unpacked()
