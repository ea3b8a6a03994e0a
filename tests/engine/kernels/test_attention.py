"""Attention of packed rows on a processor is that of PyTorch's kernel, forward and backward: shared keys, windows, any scale."""

import pytest
import torch
from torch.nn import functional

from tuning.engine.kernels import attention

CPU = torch.device("cpu")


def gradients(
    heads: int, keys: int, lengths: list[int], window: int | None, scale: float | None, kind: torch.dtype, plain: bool
) -> list[torch.Tensor]:
    """Of query, key and value, for a loss that weighs every number of the result; and the result itself."""
    torch.manual_seed(1)
    tokens = sum(lengths)
    made = [torch.randn(1, tokens, count, 8).to(kind).transpose(1, 2).requires_grad_() for count in (heads, keys, keys)]
    weights = torch.randn(1, tokens, heads, 8).to(kind)
    if plain:
        seen = torch.block_diag(*(~attention._unseen(length, 0, window, CPU) for length in lengths))
        done = functional.scaled_dot_product_attention(*made, seen, scale=scale, enable_gqa=True).transpose(1, 2)
    else:
        done = attention.PackedAttention.apply(*made, lengths, scale, window)
    return [*torch.autograd.grad((done * weights).sum(), made), done.detach()]


@pytest.mark.parametrize(("heads", "keys"), [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize("window", [None, 1, 7, 64])
def test_gradients_are_those_of_the_plain_sum(heads: int, keys: int, window: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "BLOCK", 16)
    for lengths, scale in (([1], None), ([16, 1, 17], None), ([5, 100, 33], 0.3)):
        for mine, plain in zip(
            gradients(heads, keys, lengths, window, scale, torch.float32, plain=False),
            gradients(heads, keys, lengths, window, scale, torch.float32, plain=True),
            strict=True,
        ):
            torch.testing.assert_close(mine, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [150, 500])
def test_16_bits_are_as_near_to_the_truth_as_the_kernel_is(length: int) -> None:
    truth = gradients(4, 2, [length], None, None, torch.float32, plain=True)
    kernel = gradients(4, 2, [length], None, None, torch.bfloat16, plain=True)
    mine = gradients(4, 2, [length], None, None, torch.bfloat16, plain=False)
    for exact, theirs, ours in zip(truth, kernel, mine, strict=True):
        assert (ours.float() - exact).norm() < 1.5 * (theirs.float() - exact).norm() + 1e-6


@pytest.mark.parametrize("window", [None, 40])
def test_blocks_of_a_row_are_alike_and_leave_nobody_out(window: int | None) -> None:
    for length in (1, 159, 160, 161, 320, 321, 512):
        blocks = list(attention._blocks(length, window))
        assert [start for _, start, _ in blocks] == [0, *(end for _, _, end in blocks[:-1])] and blocks[-1][2] == length
        assert max(end - start for _, start, end in blocks) <= attention.BLOCK
        assert [low for low, _, _ in blocks] == [max(0, start - 39) if window else 0 for _, start, _ in blocks]


def test_longer_rows_are_left_to_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "LONGEST", 16)
    made = torch.randn(1, 2, 33, 8, dtype=torch.bfloat16, requires_grad=True)

    def how(lengths: list[int]) -> tuple[str, torch.Tensor]:
        part = made[:, :, : sum(lengths)]
        done = attention.separately(part, part, part, attention.Packed.of(lengths, CPU))
        return str(done.grad_fn) + str(done.grad_fn.next_functions), done.detach()

    assert "PackedAttention" not in how([17])[0]
    assert "PackedAttention" in how([16])[0] and "PackedAttention" in how([16, 16])[0]
    mixed, done = how([17, 16])  # only the longer one
    assert "PackedAttention" in mixed
    torch.testing.assert_close(done[:, :17], how([17])[1])
