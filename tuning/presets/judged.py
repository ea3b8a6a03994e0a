"""The one list of what SFTConfig and LoraConfig take from the open maps `sft` and `lora`: each of their fields is judged here once.

A field is passed with a type and bounds, stands for a setting of ours, or is refused with another way. Nothing of the libraries is
imported: a test holds the list against the fields of those that are installed, and fails for one that nobody has judged.
"""

import difflib
import functools
import re
import reprlib
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
from pydantic import AfterValidator, BeforeValidator, Field

from tuning.errors import InputError
from tuning.schema import TrainSettings, names

MAPS = ("sft", "lora")
WORDS = r"^[\w .,:()+-]{1,80}$"
LAYER = r"^\w+(\.\w+)*$"
PAIRS = r"^[a-z_]\w*=[\w.+-]+(, ?[a-z_]\w*=[\w.+-]+)*$"
SECRET = re.compile(r"\b(hf|sk|ghp|api)([_-])[\w-]{12,}|\b[0-9a-f]{40}\b", re.IGNORECASE)


class Judgement(NamedTuple):
    """What becomes of one upstream field: the type of what is passed (`takes`), the setting of ours that it is (`same`), or `why` not."""

    takes: Any = None
    same: str | None = None
    why: str | None = None  # settings.refused.<why> says it, and what to do instead
    web: bool = False  # whether a caller over a shared link may set it too: it names no tracker, and works no process


def check(settings: TrainSettings, where: str) -> TrainSettings:
    """The settings, with the open maps as the libraries take them.

    Raises InputError for a key that is refused or not known, or a value out of bounds. `where` is a file, or "--set".
    """
    maps = {group: {key: _taken(f"{group}.{key}", value, where) for key, value in getattr(settings, group).items()} for group in MAPS}
    return settings.model_copy(update=maps)


def same(path: str) -> str | None:
    """The setting of ours that `sft.name` or `lora.name` stands for."""
    found = FIELDS.get(path)
    return found.same if found else None


def over_the_web(path: str) -> bool:
    """Whether somebody who comes over a shared link may set `sft.name` or `lora.name`."""
    found = FIELDS.get(path)
    return found is not None and found.web


def shown(value: Any) -> str:
    """A value in a sentence: its beginning, without what looks like a token."""
    return SECRET.sub(r"\1\2…", value[:400] if isinstance(value, str) else reprlib.repr(value))[:80]


def described(annotation: Any) -> str:
    """What a type takes, in the notation of JSON Schema: `integer >= 1 | auto`."""
    return _options(pydantic.TypeAdapter(annotation).json_schema())


def _options(schema: dict[str, Any]) -> str:
    return " | ".join(_option(option) for option in schema.get("anyOf", [schema]))


def _option(option: dict[str, Any]) -> str:
    if "const" in option:
        return str(option["const"])
    if "enum" in option:
        return " | ".join(str(value) for value in option["enum"])
    if "pattern" in option:
        return _form(option["pattern"])
    if "propertyNames" in option:
        values = option.get("additionalProperties") or next(iter(option["patternProperties"].values()))
        return f"{{{_option(option['propertyNames'])}: {_options(values)}}}"
    if "items" in option:
        return f"[{_options(option['items'])}]"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {option[name]:.10g}" for name, sign in signs.items() if name in option]
    return " ".join([str(option.get("type", "value")), *bounds])


def _form(pattern: str) -> str:
    """A pattern as a person would write what fits it: `cuda:N` for the number of a card; one without such words by the name of its line."""
    for code, name in (("$words", WORDS), ("$layer", LAYER), ("$pairs", PAIRS)):
        if pattern == name:
            return code
    return re.sub(r"\\d\+|\[1-9\]\\d\{0,3\}", "N", pattern.removeprefix("^(").removesuffix(")$")).replace("|", " | ")


def _taken(path: str, value: Any, where: str) -> Any:
    if path not in FIELDS:
        group = path.partition(".")[0]
        near = difflib.get_close_matches(path, [name for name in FIELDS if name.startswith(f"{group}.")], n=1, cutoff=0.0)
        raise InputError("settings.unknown", where=where, key=shown(path), nearest=near[0])
    if path in OFF and value is False:
        return value
    if (why := FIELDS[path].why) is not None:
        raise InputError(f"settings.refused.{why}", key=path)
    try:
        return _adapter(path).validate_python(value)
    except (pydantic.ValidationError, RecursionError) as error:
        raise InputError("settings.value", key=path, value=shown(value), allowed=described(_type(path))) from error


def _type(path: str) -> Any:
    judged = FIELDS[path]
    return judged.takes if judged.same is None else TrainSettings.model_fields[judged.same].rebuild_annotation()


@functools.cache
def _adapter(path: str) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(_type(path))


# Types


def _no_switch(value: Any) -> Any:
    """`true` is no number, though Python would count it as 1."""
    if isinstance(value, bool):
        raise ValueError("no number")
    return value


def _listed(value: Any) -> Any:
    """One name is a list of one: as a string PEFT would take it for a pattern."""
    found = names(value)
    return [found] if isinstance(found, str | int) else found


def _no_secret(value: str) -> str:
    if SECRET.search(value):
        raise ValueError("a token")
    return value


def whole(least: int, most: int) -> Any:
    """A whole number from `least` to `most`."""
    return Annotated[int, Field(ge=least, le=most), BeforeValidator(_no_switch)]


def number(least: float, most: float) -> Any:
    """A number from `least` to `most`."""
    return Annotated[float, Field(ge=least, le=most, allow_inf_nan=False), BeforeValidator(_no_switch)]


def above(least: float, most: float) -> Any:
    """A number greater than `least`, up to `most`."""
    return Annotated[float, Field(gt=least, le=most, allow_inf_nan=False), BeforeValidator(_no_switch)]


def words(*options: str) -> Any:
    """One of these words."""
    return Literal[tuple(" ".join(options).split())]


def table(keys: Any, values: Any, most: int) -> Any:
    """A map of at most so many entries; maps and lists inside it are what `values` says, and no deeper."""
    return Annotated[dict[keys, values], Field(max_length=most)]


def several(values: Any, most: int = 1000) -> Any:
    """A list of at most so many; several with commas between them are taken apart."""
    return Annotated[list[values], Field(max_length=most), BeforeValidator(_listed)]


SHARE = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), BeforeValidator(_no_switch)]
TITLE = Annotated[str, Field(pattern=WORDS), AfterValidator(_no_secret)]  # no path and no address
MODULE = Annotated[str, Field(pattern=LAYER, max_length=200)]  # a layer's name, and nothing that a pattern could do with it
STEPS = whole(1, 1_000_000) | above(0, 1)  # or a share of all steps
TRACKER = Annotated[str, Field(max_length=100), AfterValidator(_no_secret)]
SCHEDULERS = words(
    "linear cosine cosine_with_restarts polynomial constant constant_with_warmup inverse_sqrt cosine_with_min_lr",
    "cosine_warmup_with_min_lr warmup_stable_decay",
)
SCHEDULER_OPTIONS = words(
    "num_cycles power lr_end min_lr min_lr_rate warmup_lr_rate timescale num_decay_steps num_stable_steps min_lr_ratio",
    "warmup_type decay_type",
)
SCHEDULER_VALUE: Any = whole(0, 10_000_000) | number(0, 10_000_000) | words("linear cosine 1-sqrt") | None
OPTIMIZERS = words(  # of PyTorch, transformers and bitsandbytes: no other package is asked for
    "adamw_torch adamw_torch_fused adafactor sgd adagrad rmsprop adamw_8bit adamw_bnb_8bit paged_adamw_32bit paged_adamw_8bit",
    "lion_32bit lion_8bit paged_lion_32bit paged_lion_8bit ademamix ademamix_8bit paged_ademamix_32bit paged_ademamix_8bit",
    "rmsprop_bnb rmsprop_bnb_8bit rmsprop_bnb_32bit",
)
OPTIMIZER_OPTIONS = Annotated[str, Field(pattern=PAIRS, max_length=200), AfterValidator(_no_secret)]


# The list


def _passed(web: bool = True, **types: Any) -> dict[str, Judgement]:
    return {name: Judgement(takes=takes, web=web) for name, takes in types.items()}


def _same(*fields: str, **others: str) -> dict[str, Judgement]:
    return {name: Judgement(same=key, web=True) for name, key in [*((name, name) for name in fields), *others.items()]}


def _refused(why: str, *fields: str) -> dict[str, Judgement]:
    return dict.fromkeys(fields, Judgement(why=why))


OFF = ("sft.torch_compile",)  # refused, and often said to be off, which it is
SFT: dict[str, Judgement] = {
    **_same("num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate"),
    **_same("max_length", "packing", "gradient_checkpointing", "seed"),
    **_same(activation_checkpointing="gradient_checkpointing", bf16="precision", fp16="precision", use_cpu="device"),
    **_passed(
        lr_scheduler_type=SCHEDULERS,
        lr_scheduler_kwargs=table(SCHEDULER_OPTIONS, SCHEDULER_VALUE, 12) | None,
        warmup_steps=number(0, 10_000_000),
        optim=OPTIMIZERS,
        optim_args=OPTIMIZER_OPTIONS | None,
        weight_decay=number(0, 10),
        adam_beta1=SHARE,
        adam_beta2=SHARE,
        adam_epsilon=above(0, 1),
        max_grad_norm=number(0, 1_000_000),
        neftune_noise_alpha=number(0, 100) | None,
        router_aux_loss_coef=number(0, 10) | None,
        label_smoothing_factor=SHARE,  # the plan takes 0 alone, and "nll"
        loss_type=words("nll dft"),
        data_seed=whole(0, 2**32 - 1) | None,
        train_sampling_strategy=words("random sequential group_by_length"),
        packing_strategy=words("bfd"),  # rows are packed by the app, as far as memory goes
        gradient_checkpointing_kwargs=table(words("use_reentrant"), bool, 1) | None,
        logging_steps=STEPS,
        logging_first_step=bool,
        save_steps=STEPS,
        eval_strategy=words("no"),
        per_device_eval_batch_size=whole(1, 1024),
        use_liger_kernel=bool,
        dataloader_drop_last=bool,
        dataloader_pin_memory=bool,
    ),
    **_passed(
        web=False,
        dataloader_num_workers=whole(0, 8),
        ddp_timeout=whole(5, 7 * 86_400),  # seconds
        report_to=TRACKER | bool | int | several(TRACKER, 8) | None,  # `runs.followers` knows the names
        run_name=TITLE | None,
        project=TITLE,
    ),
    **_refused("folder", "output_dir"),
    **_refused("hub", "push_to_hub", "hub_token", "hub_private_repo", "hub_model_id", "hub_strategy", "hub_always_push", "hub_revision"),
    **_refused("tracker", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
    **_refused("code", "trust_remote_code"),
    **_refused("loading", "model_init_kwargs", "use_cache"),
    **_refused("precision", "bf16_full_eval", "fp16_full_eval", "tf32"),
    **_refused("written", "chat_template_path"),
    **_refused("template", "eos_token", "pad_token"),
    **_refused("rows", "dataset_text_field", "dataset_kwargs", "dataset_num_proc", "remove_unused_columns", "label_names"),
    **_refused("rows", "length_column_name", "shuffle_dataset", "truncation_mode", "completion_only_loss", "assistant_only_loss"),
    **_refused("rows", "dataloader_persistent_workers", "dataloader_prefetch_factor", "dataloader_multiprocessing_context"),
    **_refused("rows", "dataloader_in_order"),
    **_refused("memory", "auto_find_batch_size", "activation_offloading", "activation_checkpointing_kwargs", "padding_free"),
    **_refused("memory", "pad_to_multiple_of", "eval_packing", "liger_kernel_config", "optim_target_modules", "torch_empty_cache_steps"),
    **_refused("compiler", "torch_compile", "torch_compile_backend", "torch_compile_mode"),
    **_refused("evaluation", "eval_steps", "eval_delay", "eval_on_start", "eval_accumulation_steps", "eval_do_concat_batches"),
    **_refused("evaluation", "eval_use_gather_object", "batch_eval_metrics", "prediction_loss_only", "include_for_metrics"),
    **_refused("evaluation", "load_best_model_at_end", "metric_for_best_model", "greater_is_better", "do_train", "do_eval", "do_predict"),
    **_refused("saving", "save_strategy", "save_total_limit", "save_only_model", "save_on_each_node", "enable_jit_checkpoint"),
    **_refused("resuming", "resume_from_checkpoint", "ignore_data_skip", "restore_callback_states_from_checkpoint"),
    **_refused("logging", "logging_strategy", "logging_nan_inf_filter", "log_level", "log_level_replica", "log_on_each_node"),
    **_refused("logging", "disable_tqdm", "debug", "skip_memory_metrics", "include_num_input_tokens_seen", "full_determinism"),
    **_refused("processes", "local_rank", "ddp_backend", "ddp_find_unused_parameters", "ddp_bucket_cap_mb"),
    **_refused("processes", "ddp_broadcast_buffers", "ddp_static_graph", "fsdp", "fsdp_config", "deepspeed"),
    **_refused("processes", "accelerator_config", "parallelism_config", "average_tokens_across_devices"),
}
LORA: dict[str, Judgement] = {
    **_same("lora_alpha", "lora_dropout", "target_modules", r="lora_r"),
    **_passed(
        use_rslora=bool,
        use_dora=bool,
        lora_bias=bool,
        fan_in_fan_out=bool,
        bias=words("none"),
        init_lora_weights=bool | words("gaussian orthogonal"),
        rank_pattern=table(MODULE, whole(1, 1024), 1000),
        alpha_pattern=table(MODULE, whole(1, 4096), 1000),
        exclude_modules=several(MODULE) | None,
        layers_to_transform=whole(0, 10_000) | several(whole(0, 10_000)) | None,
        layers_pattern=several(MODULE) | None,
    ),
    **_refused("base", "modules_to_save", "layer_replication", "trainable_token_indices", "target_parameters", "ensure_weight_tying"),
    **_refused("kind", "task_type", "peft_type", "peft_version", "auto_mapping", "inference_mode"),
    **_refused("kind", "base_model_name_or_path", "revision"),
    **_refused("variant", "megatron_config", "megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config"),
    **_refused("variant", "velora_config", "alora_invocation_tokens", "use_qalora", "qalora_group_size", "monteclora_config"),
    **_refused("variant", "runtime_config", "use_bdlora", "arrow_config", "kasa_config"),
}
FIELDS: dict[str, Judgement] = {
    f"{group}.{name}": judged for group, fields in zip(MAPS, (SFT, LORA), strict=True) for name, judged in fields.items()
}
