"""What is held of other libraries' insides is still there, and still does what the engine relies on; each hold has its test."""

import inspect
import json
import logging
import pathlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import bitsandbytes
import pytest
import torch
from accelerate import Accelerator
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from accelerate.state import AcceleratorState
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments
from trl import SFTTrainer

from tests.engine.conftest import losses
from tests.models import every
from tests.tiny import tokenizer
from tuning.engine import upstream
from tuning.engine.kernels import head
from tuning.engine.learn.train import train
from tuning.engine.learn.trainer import CheckedTrainer
from tuning.engine.resident import Resident
from tuning.runs.run_folder import Run
from tuning.studio import Studio

IDS = torch.arange(10).view(1, 10)


def llama(**changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(**sizes, **{"attn_implementation": "sdpa", **changes})).eval()


@pytest.fixture
def no_accelerator() -> Iterator[None]:
    upstream.forget_accelerator()
    yield
    upstream.forget_accelerator()


def test_a_registered_attention_gets_no_mask_and_is_taken_while_it_is_named() -> None:
    masks: list[Any] = []

    def nothing(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **_: Any) -> tuple[torch.Tensor, None]:
        masks.append(attention_mask)
        return query.transpose(1, 2), None

    upstream.register_attention("test_upstream", nothing)
    model, mask = llama(), torch.ones_like(IDS)
    before = model(IDS, attention_mask=mask).logits
    with upstream.attention_by(model.config, "test_upstream"):
        other = model(IDS, attention_mask=mask).logits
    assert masks == [None, None] and not torch.equal(before, other)
    assert torch.equal(before, model(IDS, attention_mask=mask).logits) and model.config._attn_implementation == "sdpa"


def test_the_decoder_layers_of_a_model_are_found() -> None:
    model = llama()
    assert upstream.decoder_layers(model) == [*model.model.layers]


def test_input_gradients_are_stopped_where_there_are_some() -> None:
    model = llama()
    model.requires_grad_(False)
    upstream.stop_input_gradients(model)
    model.enable_input_require_grads()
    assert model.base_model(IDS).last_hidden_state.requires_grad
    upstream.stop_input_gradients(model)
    assert not model.base_model(IDS).last_hidden_state.requires_grad


def test_a_model_forgets_its_folder(tmp_path: pathlib.Path) -> None:
    llama().save_pretrained(tmp_path / "here")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "here")
    assert model.config._name_or_path == str(tmp_path / "here")
    upstream.forget_origin(model)
    model.save_pretrained(tmp_path / "there")
    assert not json.loads((tmp_path / "there" / "config.json").read_text(encoding="utf-8")).get("_name_or_path")


def test_what_the_trainer_replaces_is_there_with_the_same_arguments() -> None:
    ours = {name: value for name, value in vars(CheckedTrainer).items() if inspect.isfunction(value)}
    replaced = {name for name in ours if hasattr(SFTTrainer, name)}
    assert replaced == {
        *("get_batch_samples", "training_step", "floating_point_ops"),
        *("_get_output_dir", "_save", "_load_from_checkpoint", "_save_checkpoint"),
        *("get_train_dataloader", "_get_train_sampler", "_save_rng_state", "store_flos"),
    }
    for name in replaced:
        assert list(inspect.signature(ours[name]).parameters) == list(inspect.signature(getattr(Trainer, name)).parameters), name


def test_transformers_saves_a_checkpoint_and_trl_a_card_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Any] = []
    monkeypatch.setattr(Trainer, "_save_checkpoint", lambda *given: saved.append(given))
    trainer = object.__new__(SFTTrainer)
    upstream.save_checkpoint(trainer, "model", "trial")
    assert saved == [(trainer, "model", "trial")]
    assert "create_model_card" in inspect.getsource(SFTTrainer._save_checkpoint)


def test_arguments_use_one_card_and_compute_where_they_are_put(tmp_path: pathlib.Path, no_accelerator: None) -> None:
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    before, place = arguments.device, torch.device("cpu", 0)
    arguments._n_gpu = 2
    assert arguments.n_gpu == 2 and before != place
    upstream.use_one_card(arguments)
    assert arguments.n_gpu == 1
    try:
        upstream.put_arguments_on(arguments, place)
        assert arguments.device == arguments.distributed_state.device == Accelerator(cpu=True).device == place
    finally:
        upstream.put_arguments_on(arguments, before)


def test_packed_rows_are_not_looked_for_while_nobody_packs() -> None:
    model, positions = llama(), torch.arange(10)[None] % 5

    def states() -> torch.Tensor:
        found: torch.Tensor = model.base_model(IDS, position_ids=positions, use_cache=False).last_hidden_state[:, -1]
        return found

    apart = states()
    with upstream.no_search_for_packed_rows():
        together = states()
    assert not torch.allclose(apart, together, atol=1e-5) and torch.equal(apart, states())


def test_the_next_accelerator_chooses_its_precision_anew(no_accelerator: None) -> None:
    assert Accelerator(cpu=True, mixed_precision="bf16").mixed_precision == "bf16"
    assert AcceleratorState().mixed_precision == "bf16"
    upstream.forget_accelerator()
    assert Accelerator(cpu=True, mixed_precision="no").mixed_precision == "no"


def batches(loader: Any) -> list[list[int]]:
    return [batch.tolist() for batch in loader]


def test_a_loader_hands_out_all_rows_in_each_process() -> None:
    plain = torch.utils.data.DataLoader(torch.arange(7), batch_size=2)
    dealt = prepare_data_loader(plain, torch.device("cpu"), num_processes=2, process_index=1, put_on_device=False)
    assert list(dealt.batch_sampler) == [[2, 3], [6, 0]]  # a share, filled up with what another process has had
    assert list(upstream.every_row(dealt).batch_sampler) == batches(plain) and len(dealt.batch_sampler) == len(plain)
    assert upstream.every_row(plain) is plain and batches(plain)[-1] == [6]


@pytest.mark.parametrize("processes", [1, 2])
def test_rows_by_length_have_an_order_by_seed_and_epoch_alone(processes: int, no_accelerator: None) -> None:
    """In whichever process, whatever was drawn before, and where an epoch goes on in its middle."""
    rows = [{"input_ids": torch.zeros(n % 7 + 1)} for n in range(40)]
    said = {"train_sampling_strategy": "group_by_length", "train_batch_size": 2, "gradient_accumulation_steps": 2, "data_seed": None}

    def loader(rank: int, seed: int = 3) -> Any:
        torch.manual_seed(rank)
        trainer: Any = SimpleNamespace(args=SimpleNamespace(**said, seed=seed), rows=rows)
        plain = torch.utils.data.DataLoader(torch.arange(40), batch_size=2, sampler=CheckedTrainer._get_train_sampler(trainer))
        dealt = prepare_data_loader(plain, torch.device("cpu"), num_processes=processes, process_index=rank, put_on_device=False)
        return upstream.every_row(dealt)

    def epoch(number: int, skipped: int = 0, rank: int = 0, **how: Any) -> list[list[int]]:
        found = skip_first_batches(loader(rank, **how), skipped) if skipped else loader(rank, **how)
        found.set_epoch(number)
        return batches(found)

    for number in range(3):
        whole = epoch(number)
        assert sorted(row for batch in whole for row in batch) == [*range(40)]
        assert [epoch(number, rank=rank) for rank in range(processes)] == [whole] * processes
        assert epoch(number, skipped=7, rank=processes - 1) == whole[7:]
    assert epoch(0) != epoch(1) and epoch(0) != epoch(0, seed=4)


def test_accelerate_s_gradients_are_left_alone(no_accelerator: None) -> None:
    accelerator, asked = Accelerator(cpu=True), []
    accelerator.prepare_model = lambda *given, **more: asked.append(more)
    upstream.leave_gradients(accelerator)
    accelerator.prepare(llama())
    assert [more["evaluation_mode"] for more in asked] == [True]


def test_what_accelerate_puts_over_forward_is_taken_away(no_accelerator: None) -> None:
    model = llama()
    Accelerator(cpu=True, mixed_precision="bf16").prepare_model(model)
    assert {"forward", "_original_forward"} <= vars(model).keys()
    upstream.uncover_forward(model)
    upstream.uncover_forward(model)
    assert not {"forward", "_original_forward"} & vars(model).keys()
    assert torch.equal(model(IDS).logits, llama()(IDS).logits)


def test_adapters_are_computed_by_a_variant_that_gets_the_input_as_it_is() -> None:
    seen: list[torch.dtype] = []

    class Seen(upstream.LoraVariant):  # type: ignore[misc]
        @staticmethod
        def forward(module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any) -> torch.Tensor:
            seen.append(x.dtype)
            return result

    model = get_peft_model(llama().to(torch.bfloat16), LoraConfig(r=4, target_modules=["q_proj"]))
    layers = [module for module in model.modules() if hasattr(module, "lora_variant")]
    assert len(layers) == 2 and all(layer.cast_input_dtype_enabled and not layer.lora_variant for layer in layers)
    for layer in layers:
        upstream.compute_adapters_by(layer, Seen)
    model(IDS)
    assert seen == [torch.bfloat16] * 2


def test_a_module_s_own_forward() -> None:
    module, other = torch.nn.Linear(2, 2), torch.nn.Identity().forward
    assert upstream.own_forward(module) is None
    module.forward = other  # type: ignore[method-assign]
    assert upstream.own_forward(module) is other
    assert torch.equal(module(torch.ones(2)), torch.ones(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_of_scores_is_autograd_s(dtype: torch.dtype) -> None:
    scores = torch.randn(3, 5, 7, dtype=dtype, requires_grad=True)
    shares, given = torch.softmax(scores, -1), torch.randn(3, 5, 7, dtype=dtype)
    (right,) = torch.autograd.grad(shares, scores, given)
    found = upstream.of_scores(given, shares.detach())
    assert found.dtype == dtype and torch.equal(found, right)


def test_a_storage_is_told_from_others_also_without_memory() -> None:
    with upstream.FakeTensorMode():
        one, other = torch.zeros(4), torch.zeros(4)
        names = [upstream.storage_name(tensor.untyped_storage()) for tensor in (one, one.view(2, 2), other)]
    assert names[0] == names[1] != names[2]


def test_a_tensor_counts_who_writes_to_it() -> None:
    tensor = torch.zeros(3)
    before = upstream.writes(tensor)
    tensor.add_(1)
    assert upstream.writes(tensor) == before + 1


def test_a_mode_sees_each_operation_on_fake_tensors() -> None:
    seen: list[str] = []

    class Seen(upstream.TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(function.name())
            return function(*args, **(kwargs or {}))

    with upstream.FakeTensorMode(), Seen():
        torch.zeros(2) + 1
    assert seen == ["aten::zeros", "aten::add.Tensor"]
    assert list(upstream.tree_iter(([1, (2,)], {"a": 3}))) == [1, 2, 3]


def test_parameters_and_buffers_are_replaced_in_their_places() -> None:
    module = torch.nn.BatchNorm1d(2)
    parameters, buffers = upstream.tensor_stores(module)
    parameters["weight"], buffers["running_mean"] = torch.nn.Parameter(torch.zeros(2)), torch.full((2,), 7.0)
    assert module.weight is parameters["weight"] and next(module.parameters()) is parameters["weight"]
    assert module.running_mean is buffers["running_mean"]


def test_layers_in_4_bits_stay_in_training_where_alone_nothing_is_packed_anew() -> None:
    model = torch.nn.Sequential(bitsandbytes.nn.Linear4bit(8, 8), torch.nn.Dropout()).eval()
    upstream.keep_4_bit_in_training(model)
    model.eval()
    assert [module.training for module in model] == [True, False]
    assert "self.training" in inspect.getsource(bitsandbytes.nn.Linear4bit.forward)


def test_the_logger_that_tells_of_casts_is_silent() -> None:
    from bitsandbytes.autograd import _functions

    upstream.silence_casts()
    assert _functions.logger.getEffectiveLevel() == logging.ERROR


def test_a_class_without_sdpa_says_so_in_these_words_and_then_attends_eagerly() -> None:
    def build(way: str) -> Any:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(every.config("gemma2"), attn_implementation=way)

    with pytest.raises(ValueError, match=upstream.NO_SDPA):
        build("sdpa")
    assert upstream.attending(build).config._attn_implementation == "eager"

    def other(way: str) -> Any:
        raise ValueError(f"{way}: something else")

    with pytest.raises(ValueError, match="sdpa: something else"):
        upstream.attending(other)


def saved(kind: str, folder: pathlib.Path) -> pathlib.Path:
    """A tiny model of this type, with a tokenizer."""
    words = tokenizer()
    every.build(kind, vocab_size=len(words)).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("kind", "targets"), [("gemma2", ["q_proj", "v_proj"]), ("mamba", ["in_proj", "x_proj"])])
def test_a_family_without_sdpa_is_loaded_and_learns(tmp_path: pathlib.Path, kind: str, targets: list[str]) -> None:
    resident = Resident()
    resident.load(str(saved(kind, tmp_path / kind)), "cpu", "fp32")
    model = resident.fresh_adapter("run", LoraConfig(r=4, target_modules=targets, task_type="CAUSAL_LM"))
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=0.01)
    found = []
    for _ in range(3):
        loss, count = head.nll(resident.base, {"input_ids": IDS, "attention_mask": torch.ones_like(IDS), "labels": IDS})
        found.append(loss.item() / int(count))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert found[2] < found[1] < found[0] and resident.base.config._attn_implementation == "eager"


def test_a_run_trains_a_family_without_sdpa(
    tmp_path: pathlib.Path, make_run: Callable[..., Run], studio: Studio, rows_file: pathlib.Path
) -> None:
    """Two steps of Gemma 2, whose soft cap sdpa does not know."""
    settings = {"max_steps": 2, "report": False, "validation_share": 0, "max_length": 64, "precision": "fp32"}
    run = studio.runs.create(str(saved("gemma2", tmp_path / "gemma2")), str(rows_file), "facts", settings)
    state = train(run, studio.shared.store, Resident())
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    assert len(losses(run)) == 2
