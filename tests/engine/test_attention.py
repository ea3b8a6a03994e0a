"""The backward pass of attention on a processor is that of PyTorch's kernel: shared keys, windows, any scale."""

import pytest
import torch
from torch.nn import functional

from tuning.engine import attention


def gradients(
    rows: int, keys: int, length: int, window: int | None, scale: float | None, kind: torch.dtype, plain: bool
) -> list[torch.Tensor]:
    """Of query, key and value, for a loss that weighs every number of the result; and the result itself."""
    torch.manual_seed(1)
    made = [torch.randn(1, heads, length, 8).to(kind).requires_grad_() for heads in (rows, keys, keys)]
    weights = torch.randn(1, rows, length, 8).to(kind)
    if plain:
        seen = ~attention._unseen(length, window, torch.device("cpu"))
        done = functional.scaled_dot_product_attention(*made, seen, scale=scale, enable_gqa=True)
    else:
        done = attention.Row.apply(*made, scale, window)
    return [*torch.autograd.grad((done * weights).sum(), made), done.detach()]


@pytest.mark.parametrize(("rows", "keys"), [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize("window", [None, 1, 7, 64])
def test_gradients_are_those_of_the_plain_sum(rows: int, keys: int, window: int | None) -> None:
    for length, scale in ((1, None), (33, 0.3)):
        for mine, plain in zip(
            gradients(rows, keys, length, window, scale, torch.float32, plain=False),
            gradients(rows, keys, length, window, scale, torch.float32, plain=True),
            strict=True,
        ):
            torch.testing.assert_close(mine, plain, rtol=1e-4, atol=1e-5)


def test_16_bits_are_as_near_to_the_truth_as_the_kernel_is() -> None:
    truth = gradients(4, 2, 200, None, None, torch.float32, plain=True)
    kernel = gradients(4, 2, 200, None, None, torch.bfloat16, plain=True)
    mine = gradients(4, 2, 200, None, None, torch.bfloat16, plain=False)
    for exact, theirs, ours in zip(truth, kernel, mine, strict=True):
        assert (ours.float() - exact).norm() < 1.5 * (theirs.float() - exact).norm() + 1e-6


def test_longer_rows_are_left_to_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "LONGEST", 16)
    made = torch.randn(1, 2, 17, 8, dtype=torch.bfloat16, requires_grad=True)
    done = attention.separately(made, made, made, attention.Packed.of([17], torch.device("cpu")))
    assert "Row" not in str(done.grad_fn.next_functions)
    short = attention.separately(made[:, :, :16], made[:, :, :16], made[:, :, :16], attention.Packed.of([16], torch.device("cpu")))
    assert "Row" in str(short.grad_fn.next_functions) + str(short.grad_fn.next_functions[0][0].next_functions)
