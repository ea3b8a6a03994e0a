"""Faster ways of a card give what the plain ones give, or are left out and told. Wheels are played by plain arithmetic behind their names.

That the real kernels do what their stand-ins do here is for a card to say: tests/gpu.
"""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import bitsandbytes
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, MistralConfig
from transformers.utils import import_utils

from tests import families
from tests.conftest import ROOT
from tests.engine.conftest import Trainer, losses
from tests.engine.kernels.test_packing import KINDS, rows_of
from tests.machine.test_wheels import wheel
from tuning.engine.kernels import attention, head, packing, ready
from tuning.engine.learn.train import train
from tuning.engine.learn.trainer import sft_config
from tuning.engine.resident import Resident
from tuning.errors import EngineError
from tuning.forecast.acceleration import LIGER
from tuning.runs.checkpoints import newest
from tuning.runs.run_folder import Run
from tuning.schema import TrainSettings
from tuning.studio import Studio

FLASH = """
import torch
CALLS = []
def flash_attn_varlen_func(q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0.0, softmax_scale=None,
                           causal=False, window_size=(-1, -1)):
    CALLS.append((tuple(q.shape), cu_seqlens_q.tolist(), max_seqlen_q, window_size))
    assert cu_seqlens_q.dtype == torch.int32 and cu_seqlens_q is cu_seqlens_k and max_seqlen_q == max_seqlen_k and causal
    assert q.shape[0] == int(cu_seqlens_q[-1]) and (cu_seqlens_q.diff() <= max_seqlen_q).all() and k.shape == v.shape
    k, v = (one.repeat_interleave(q.shape[1] // k.shape[1], 1) for one in (k, v))
    place, row = torch.arange(len(q)), torch.bucketize(torch.arange(len(q)), cu_seqlens_q[1:].long(), right=True)
    back = place[:, None] - place[None]
    seen = (row[:, None] == row[None]) & (back >= 0) & ((back <= window_size[0]) | (window_size[0] < 0))
    scores = torch.einsum("qhd,khd->hqk", q, k) * (softmax_scale or q.shape[-1] ** -0.5)
    return torch.einsum("hqk,khd->qhd", scores.masked_fill(~seen, float("-inf")).softmax(-1), v)
"""
WRONG = FLASH.replace("(row[:, None] == row[None]) & ", "")  # rows see each other
BROKEN = "def flash_attn_varlen_func(*given, **more):\n    raise RuntimeError('no kernel image is available for execution on the device')\n"

NORM = """
import torch
class LigerRMSNormFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, X, W, eps, offset=0.0, casting_mode="llama", in_place=True, row_mode=None):
        assert casting_mode == "llama" and in_place is False
        rstd = torch.rsqrt(X.float().pow(2).mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(X, W, rstd)
        return (W + offset) * (X.float() * rstd).to(X.dtype)
    @staticmethod
    def backward(ctx, dY):
        X, W, rstd = ctx.saved_tensors
        slope = dY * W
        return rstd * (slope - X * rstd**2 * (slope * X).mean(-1, keepdim=True)), None, None, None, None, None, None
"""
PRODUCT = """
import torch
class LigerSiLUMulFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return torch.nn.functional.silu(a) * b
    @staticmethod
    def backward(ctx, dc):
        a, b = ctx.saved_tensors
        sigmoid = a.sigmoid()
        da, db = dc * b * sigmoid * (1 + a * (1 - sigmoid)), dc * a * sigmoid
        a.data.copy_(da), b.data.copy_(db)  # as the kernel does: into what it had kept
        return a, b
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package on the path: files by name. It is gone afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    packages: set[str] = set()

    def put(package: str, **files: str) -> None:
        packages.add(package)
        for name, text in {"__init__": "", **files}.items():
            path = tmp_path / "site" / package / f"{name.replace('__of__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    yield put
    for name in [name for name in sys.modules if name.split(".")[0] in packages]:
        del sys.modules[name]


def mistral() -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(
        MistralConfig(
            vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
            sliding_window=8, attn_implementation="sdpa",
        )
    )  # fmt: skip


def measured(model: Any, attend: attention.Attend, lengths: list[int]) -> tuple[float, list[torch.Tensor]]:
    model.zero_grad()
    rows = rows_of(lengths)
    batch, lengths = packing.packed(rows, torch.device("cpu"))
    with packing.apart(model, lengths, attend):
        loss, _ = head.labelled_nll(model, batch)
        loss.backward()
    return loss.item() / packing.learned(rows), [weights.grad for weights in model.parameters() if weights.grad is not None]


def same(one: tuple[float, list[torch.Tensor]], other: tuple[float, list[torch.Tensor]]) -> None:
    assert other[0] == pytest.approx(one[0], abs=1e-5)
    assert len(one[1]) == len(other[1]) > 0
    for right, found in zip(one[1], other[1], strict=True):
        torch.testing.assert_close(found, right, atol=1e-4, rtol=1e-3)


def test_the_wheel_is_given_what_it_wants_and_rows_stay_apart(install: Install) -> None:
    install("flash_attn", __init__=FLASH)
    model = mistral()
    attend, used = attention.working("flash_attention_2", model.config, model.device, torch.float32)
    assert used == "flash_attention_2" and attend is attention.flash
    calls: list[Any] = sys.modules["flash_attn"].CALLS  # type: ignore[attr-defined]
    calls.clear()
    same(measured(model, attention.separately, [30, 1, 5, 20]), measured(model, attend, [30, 1, 5, 20]))
    assert calls == [((56, 4, 8), [0, 30, 31, 36, 56], 30, (7, 0))] * 3
    calls.clear()
    same(measured(model, attention.separately, [6]), measured(model, attend, [6]))
    assert calls[0] == ((6, 4, 8), [0, 6], 6, (-1, 0)), "shorter than the window"


@pytest.mark.parametrize("text", [WRONG, BROKEN, "import nothing_that_is_there"])
def test_a_kernel_that_fails_or_errs_is_left_out_and_told(install: Install, text: str) -> None:
    install("flash_attn", __init__=text)
    model = mistral()
    settings = TrainSettings(attn_implementation="flash_attention_2", precision="fp32")
    before = torch.get_rng_state()
    found = ready.ready(settings, model)
    assert found.attend is attention.separately  # PyTorch's own kernel is not there on a processor
    assert [(notice.code, notice.params["used"]) for notice in found.notices] == [("recovery.attention", "sdpa")]
    assert torch.equal(torch.get_rng_state(), before)


def test_pytorch_s_kernel_takes_what_it_is_given_here() -> None:
    """Only shapes are looked at: the kernel itself is on cards alone."""
    from torch.nn.attention.varlen import varlen_attn

    query, key = torch.randn(1, 4, 36, 16), torch.randn(1, 2, 36, 16)
    rows = attention.Packed.of([30, 1, 5], torch.device("cpu"))
    assert rows.starts.tolist() == [0, 30, 31, 36] and rows.starts.dtype == torch.int32
    flat = [one.to("meta") for one in attention._flat(query, key, key)]
    done = varlen_attn(
        *flat, rows.starts.to("meta"), rows.starts.to("meta"), rows.longest, rows.longest, window_size=(-1, 0), enable_gqa=True
    )
    assert done[None].shape == attention.separately(query, key, key, rows).shape == (1, 36, 4, 16)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in LIGER])
def test_liger_s_layers_learn_what_the_model_s_own_learn(tmp_path: pathlib.Path, install: Install, kind: str) -> None:
    install("liger_kernel", ops__of__rms_norm=NORM, ops__of__swiglu=PRODUCT)
    base = AutoModelForCausalLM.from_pretrained(families.build(tmp_path / kind, KINDS[kind]), dtype=torch.float32)
    lora = LoraConfig(r=4, target_modules=KINDS[kind].target_modules, init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(base, lora)
    base.activation_checkpointing_enable({"use_reentrant": False})
    plain = measured(base, attention.separately, [40, 3, 17])
    settings = TrainSettings(precision="fp32", sft={"use_liger_kernel": True})
    assert not ready.ready(settings, base).notices
    quick = [module for module in base.modules() if isinstance(module.__dict__.get("forward"), functools.partial)]
    assert len(quick) >= 2 * base.config.num_hidden_layers + 1
    same(plain, measured(base, attention.separately, [40, 3, 17]))
    ready.ready(TrainSettings(precision="fp32"), base)  # the next run does without
    assert not any("forward" in module.__dict__ for module in quick)


def test_without_the_wheel_every_layer_is_transformers_own() -> None:
    model = mistral()
    for settings in (TrainSettings(precision="fp32", device="cpu"), TrainSettings(precision="fp32")):
        assert not ready.ready(settings, model).notices
        assert not any("forward" in module.__dict__ for module in model.modules())


@pytest.mark.parametrize(
    ("norm", "product"),
    [
        (NORM.replace("(W + offset)", "(W + 1)"), PRODUCT),
        (NORM, PRODUCT.replace("dc * a * sigmoid", "dc * a")),
        ("import triton_is_not_there", PRODUCT),
    ],
)
def test_liger_is_left_out_where_it_fails_or_errs(install: Install, norm: str, product: str) -> None:
    install("liger_kernel", ops__of__rms_norm=norm, ops__of__swiglu=product)
    model = mistral()
    found = ready.ready(TrainSettings(precision="fp32", sft={"use_liger_kernel": True}), model)
    assert [notice.code for notice in found.notices] == ["recovery.liger"]
    assert not any("forward" in module.__dict__ for module in model.modules())


def test_an_optimizer_in_8_bits_goes_on_where_it_was(make_run: Callable[..., Run], studio: Studio) -> None:
    changes = {"sft": {"optim": "adamw_8bit"}, "lora_r": 64, "max_steps": 4, "validation_share": 0, "learning_rate": 0.001}
    whole, cut = make_run(**changes), make_run(**changes)

    def stop() -> None:
        if len(losses(cut)) == 1 and not cut.stop_requested():
            cut.request_stop()

    assert train(whole, studio.shared.store, Resident()).status == "finished"
    assert train(cut, studio.shared.store, Resident(), stop).status == "stopped"
    states = torch.load(pathlib.Path(str(newest(cut.checkpoints))) / "optimizer.pt", weights_only=True)["state"].values()
    assert torch.uint8 in {one["__bnb_optimizer_quant_state__"]["state1"].dtype for one in states}
    state = train(studio.runs.resumable(cut.id), studio.shared.store, Resident())
    assert state.status == "finished" and not state.recoveries
    assert losses(cut) == pytest.approx(losses(whole), abs=1e-6) and losses(whole)[4] < losses(whole)[1]


def test_what_does_not_work_here_is_replaced_and_told(trained: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **more: Any) -> None:
        raise RuntimeError("CUDA Setup failed")

    monkeypatch.setattr(bitsandbytes.optim.AdamW, "step", broken)
    resident = Resident()
    run, state = trained(resident=resident, sft={"optim": "adamw_8bit"}, max_steps=1, validation_share=0)
    assert state.status == "finished"
    assert [notice.code for notice in state.recoveries] == ["recovery.optimizer"]
    assert "CUDA Setup failed" in (run.folder / "log.txt").read_text(encoding="utf-8")
    assert resident.base.config._attn_implementation == "sdpa" and not getattr(resident.base, "_use_kernels", False)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, {"optim": "adamw_torch_fused", "use_liger_kernel": False, "torch_compile": False}),
        ({"optim": "adamw_8bit", "use_liger_kernel": True}, {"optim": "adamw_8bit", "use_liger_kernel": False}),
    ],
)
def test_the_trainer_is_told_what_the_plan_decided_but_for_liger(
    make_run: Callable[..., Run], said: dict[str, Any], told: dict[str, Any]
) -> None:
    """Liger's layers are put in here, for TRL would replace classes of transformers for the whole process."""
    run = make_run()
    spec = run.spec()
    spec = spec.model_copy(update={"settings": spec.settings.model_copy(update={"sft": said})})
    arguments = sft_config(run, spec)
    assert {key: getattr(arguments, key) for key in told} == told


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"])
def test_a_kernel_that_a_model_names_is_not_fetched(tmp_path: pathlib.Path, tiny_model: pathlib.Path, key: str) -> None:
    """The second of these stands above what `from_pretrained` is told: then there is nothing that could fetch it."""
    folder, resident = pathlib.Path(shutil.copytree(tiny_model, tmp_path / "named")), Resident()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, key: "evil/attention"}), encoding="utf-8")
    if key == "_attn_implementation":
        with pytest.raises(EngineError) as raised:
            resident.load(str(folder), "cpu", "fp32")
        assert raised.value.code == "model.cannot_load" and "kernels" in str(raised.value.__cause__)
    else:
        resident.load(str(folder), "cpu", "fp32")
        assert resident.base.config._attn_implementation == "sdpa"


LOOK = """
import importlib.util
print(importlib.util.find_spec("kernels") is not None)
import tuning.engine
from transformers.utils import import_utils
try:
    import kernels
except ImportError:
    print(import_utils.is_kernels_available())
"""


def test_the_package_that_downloads_kernels_is_kept_out(tmp_path: pathlib.Path) -> None:
    """It is there, in a version that transformers would take, until the engine comes: from then on nobody finds it."""
    wheel(tmp_path, "kernels", "kernels", import_utils.KERNELS_MIN_VERSION)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run([sys.executable, "-c", LOOK], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
