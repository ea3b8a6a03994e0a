"""The types that flow from a choice to a run: frozen pydantic models that refuse unknown keys. No input or output happens here."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SCHEMA = 1
LAYER = re.compile(r"\w+(\.\w+)*", re.ASCII)
LOCAL = "local"  # the owner of everything on a machine that one person uses
SIGNED_IN, ANONYMOUS = "hf:", "visitor:"  # how owners on a Space begin: with an account of the Hub, and without; no log-in has a colon

Auto = Literal["auto"]
Language = Literal["en", "it"]
Goal = Literal["quick", "italian", "quality", "memory", "chatbot", "writing", "code", "research"]
Status = Literal["queued", "starting", "running", "paused", "stopped", "finished", "failed", "interrupted"]
ENDED: frozenset[str] = frozenset({"stopped", "finished", "failed"})
ALIVE: frozenset[str] = frozenset({"queued", "starting", "running"})
UNREADABLE = "unreadable"  # what is said in the place of a status that nobody knows


def names(value: Any) -> Any:
    """`q_proj,v_proj` on the command line is a list of names."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) and "," in value else value


def layers(value: Any) -> Any:
    """One name of a layer is a list of one: as a string PEFT would take it for a pattern, and patterns are refused."""
    found = names(value)
    return [found] if isinstance(found, str) and LAYER.fullmatch(found) and found not in ("attention", "all-linear") else found


_Off = BeforeValidator(lambda value: "off" if value is False else value)  # which it is to YAML 1.1, in an order as after `--set`
LayerNames = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1000)]


class Record(BaseModel):
    """Base of all: immutable, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Bilingual(Record):
    """The same words in both languages."""

    en: str
    it: str


def on_card(device: str) -> bool:
    """Whether a device of this name is a graphics card (or Apple's GPU) and no processor; nobody else compares the name."""
    return not device.startswith("cpu")


def on_nvidia(device: str) -> bool:
    """Whether a device of this name is one that kernels for CUDA run on: bitsandbytes, FlashAttention, Liger, NCCL."""
    return on_card(device) and not device.startswith("mps")


class TrainSettings(Record):
    """Every option of a training run, in the names of the contract. `auto` leaves the value to the plan.

    `2e-4` is a string to YAML 1.1, and a number to pydantic.
    """

    method: Literal["lora", "full"] = "lora"
    num_train_epochs: Annotated[float, Field(gt=0, le=1000)] = 3.0
    max_steps: Annotated[int, Field(ge=-1, le=10_000_000)] = -1
    per_device_train_batch_size: Annotated[int, Field(ge=1, le=1024)] | Auto = "auto"
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=1024)] | Auto = "auto"
    learning_rate: Annotated[float, Field(gt=0, le=1e31)] | Auto = "auto"
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "cosine"
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.03
    max_length: Annotated[int, Field(ge=16, le=1_048_576)] | Auto = "auto"
    max_samples: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    general_share: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # of the learned rows that are general ones, against forgetting
    thinking: Annotated[Literal["auto", "learn", "keep", "off"], _Off] = "auto"  # before it answers: `tokens.thoughts`
    chat_template: Annotated[str, Field(max_length=50_000)] | None = None  # Jinja, in the place of the model's own
    validation_share: Annotated[float, Field(ge=0, le=0.5)] | Auto = "auto"
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    quantization: Literal["none", "nf4", "int8"] | Auto = "auto"
    device: Annotated[str, Field(pattern=r"^(auto|all|cpu|mps|shard|cuda:\d+)$")] = "auto"
    lora_r: Annotated[int, Field(ge=1, le=1024)] = 16
    lora_alpha: Annotated[int, Field(ge=1, le=4096)] = 32
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: Annotated[LayerNames | Literal["attention", "all-linear"], BeforeValidator(layers)] = "all-linear"
    packing: bool | Auto = "auto"
    attn_implementation: Literal["auto", "sdpa", "varlen", "flash_attention_2"] = "auto"  # of packed rows; never a kernel of the Hub
    gradient_checkpointing: Annotated[str, Field(pattern=r"^(auto|none|full|every_[1-9]\d{0,3})$")] = "auto"
    allow_shorter: bool = False
    early_stopping_patience: Annotated[int, Field(ge=0, le=1_000_000)] | Auto = "auto"
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 42
    report: bool = True  # base against tuned at the end; many short runs can do without
    sft: dict[str, Any] = Field(default_factory=dict)
    lora: dict[str, Any] = Field(default_factory=dict)

    @property
    def on_card(self) -> bool:
        """Whether the run is computed on a card; "auto" counts as one until the plan has resolved it."""
        return on_card(self.device)

    @property
    def on_nvidia(self) -> bool:
        """Whether it is one for which there are kernels; `on_nvidia`."""
        return on_nvidia(self.device)


class ModelCard(Record):
    """One base model: what it is called, how big it is, and what is known of it before it is loaded."""

    id: str
    title: str
    why: Bilingual
    path: str | None = None  # a folder; relative ones are below presets/
    parameters: Annotated[int, Field(gt=0)]
    hidden_size: Annotated[int, Field(gt=0)]
    intermediate_size: Annotated[int, Field(gt=0)]
    num_hidden_layers: Annotated[int, Field(gt=0)]
    num_attention_heads: Annotated[int, Field(gt=0)]
    num_key_value_heads: Annotated[int, Field(gt=0)]
    vocab_size: Annotated[int, Field(gt=0)]
    context_length: Annotated[int, Field(gt=0)]
    license: str
    languages: list[str]
    italian: Literal["none", "limited", "fair", "good", "excellent"] = "none"
    model_type: str = "llama"
    config: dict[str, Any] = Field(default_factory=dict)  # keys of config.json from which the architecture is built
    free_license: bool = True  # false where the terms limit what may be done with it: read them
    quality: Literal["basic", "good_for_size", "good", "excellent_for_size", "excellent"] = "basic"
    speed: Annotated[int, Field(ge=1, le=3)] = 3  # 3 is the fastest
    stars: Annotated[int, Field(ge=0, le=3)] = 0
    goals: dict[Goal, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)  # place among the models advised for a goal
    instruct: bool = False  # already taught to answer
    thinking: bool = False  # its template may write its reasoning first
    text_part: bool = False  # of a model that takes pictures, too, the text model: that alone learns
    beside: str = ""  # what else of such a model is loaded: its modules, as a regular expression
    packing: bool = True  # rows may share a sequence; not for hybrids without their kernels
    target_modules: list[str] = Field(default_factory=list)  # linear layers that take an adapter, by their last name


class ProbeItem(Record):
    """Something that a model may forget: a question with the answers that are right, and a plain sentence that says it."""

    question: str
    answers: Annotated[list[str], Field(min_length=1)]
    text: str


class Probe(Record):
    """What is asked before and after a training, in one language (its `id`)."""

    id: str
    items: Annotated[list[ProbeItem], Field(min_length=8)]


class GeneralRow(Record):
    """A question of general knowledge, reasoning or manners with its answer, to be learned beside somebody's own rows."""

    question: str
    answer: str


class GeneralRows(Record):
    """The general rows in one language (its `id`)."""

    id: str
    items: Annotated[list[GeneralRow], Field(min_length=1)]


class DatasetCard(Record):
    """One set of data that is offered: files below presets/ with held-out rows of their own, or a data set of the Hub."""

    id: str
    title: Bilingual
    why: Bilingual
    path: str | None = None
    validation: str | None = None
    hub: str | None = None  # its id there
    config: str | None = None
    split: str | None = None
    rows: int | None = None  # about so many; the Hub knows better
    language: Language
    license: str | None = None  # None: its page may say
    free_license: bool = True  # false where commercial use is not allowed, or nobody says that it is

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("path | hub")
        return self


class Recipe(Record):
    """Settings with a purpose, as a file under presets/recipes/ holds them."""

    id: str
    title: Bilingual
    why: Bilingual
    model: str | None = None
    dataset: str | None = None
    max_samples: int | None = None
    settings: TrainSettings = Field(default_factory=TrainSettings)


class Notice(Record):
    """Something decided or found: a code with parameters, spoken by `tuning.text`."""

    code: str
    level: Literal["info", "warning", "error"] = "info"
    params: dict[str, Any] = Field(default_factory=dict)


class Message(Record):
    """One turn of a conversation, as the chat templates of transformers take it."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    reasoning_content: str | None = None  # what an assistant thought before it answered
    tool_calls: list[dict[str, Any]] | None = None
    name: str | None = None  # of the tool that answers


class NotUsed(Record):
    """Something of data that is neither learned nor context: in how many rows a column stands, or how often a key of turns or a part."""

    kind: Literal["column", "key", "part", "others"]  # others: of any of these, beyond those that are named
    name: str = ""
    count: int
    of: int | None = None  # rows


class CorrectedRows(Record):
    """The first `count` rows of data: answers of `run` that somebody has put right, over the data that are called `name`."""

    run: str
    name: str
    count: Annotated[int, Field(ge=1)]


class DataSpec(Record):
    """Data in our normal form, below home/data/<id>/: what was read, kept and refused."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    owner: str
    id: str
    name: str
    format: str
    kind: str = ""  # of file: json, csv, text, parquet, xlsx
    reason: Notice | None = None  # why the format was taken
    columns: list[str] = Field(default_factory=list)  # all that the first rows have
    mapping: dict[str, str] = Field(default_factory=dict)  # which column is what
    given: dict[str, str] = Field(default_factory=dict)  # the part of the mapping that was given by hand
    max_rows: int | None = None  # where only the first rows were wanted
    encoding: str | None = None
    sha256: str
    rows_read: int
    rows_kept: int
    refused: list[Notice] = Field(default_factory=list)  # params: row, and what names the fault
    findings: list[Notice] = Field(default_factory=list)  # params: count, rows, repair, sampled, and more by code
    unused: list[NotUsed] = Field(default_factory=list)  # all that is given, and neither learned nor context
    repairs: list[str] = Field(default_factory=list)  # what was mended on the way in
    edits: dict[int, dict[str, Any] | None] = Field(default_factory=dict)  # by hand: a row's new content by its number, None if removed
    last_row: int = 0  # number of the last row there was, kept or not
    rows_dropped: int = 0  # by the repairs: rows_read = rows_kept + rows_dropped + the refused ones
    sources: list[str] = Field(default_factory=list)  # the files as they came, where they are kept
    characters: int = 0  # of all that the kept rows say
    thoughts: int | None = None  # rows in which something is thought before an answer; None: read before that was counted
    validation_rows: int = 0  # rows of a validation file of its own
    license: str | None = None  # of data from the Hub
    corrected: CorrectedRows | None = None  # where they are a new version of a run's data
    created: float

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ModelRef(Record):
    """The base model of a run: where its files are, and which they were."""

    id: str
    path: str
    card: ModelCard


class DataRef(Record):
    """The data of a run: rows by id and hash, and how they are split."""

    id: str
    name: str
    sha256: str
    train_rows: int
    validation_rows: int
    general_rows: int = 0  # mixed in beside those to learn; see `presets.replay`


class Forecast(Record):
    """What a run is expected to need. Bytes and seconds."""

    peak_bytes: int
    parts: dict[str, int]
    available_bytes: int
    seconds: float
    steps: int
    fits: bool
    raw_peak_bytes: int  # before the correction by finished runs
    operations_per_token: float  # with its share of what each micro-batch costs
    evaluation_seconds: float = 0.0  # of `seconds`, for the looks at rows that are held out
    disk_bytes: int = 0  # that its folder takes at most; 0 where it was not said


class RunSpec(Record):
    """Everything a run was asked to do, with nothing left to decide. Written once, as spec.yaml."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    owner: str
    id: str
    name: str
    created: float
    model: ModelRef
    data: DataRef
    recipe: str
    continues: str | None = None  # the run whose adapter it begins with; a copy of its weights lies in the folder
    processes: int = 1  # that train it together, by the plan: a step has the micro-batches of all of them, whoever computes them
    shares: bool = False  # whether they share the base model out among them, layer by layer
    changes: dict[str, Any] | None = None  # what was set by hand, over the recipe; None where it was not written down
    settings: TrainSettings
    forecast: Forecast
    notices: list[Notice] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class RunState(Record):
    """How a run is getting on. Replaced as a whole by the engine, and by it alone."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    status: Status
    reason: str | None = None
    error: Notice | None = None
    step: int = 0
    total_steps: int = 0
    epoch: float = 0.0
    started: float | None = None
    ended: float | None = None
    heartbeat: float = 0.0
    seconds: float = 0.0  # spent training, over all attempts
    seconds_left: float | None = None
    finishing: Literal["saving", "measuring"] | None = None  # what is done after the last step, while it is
    tokens_per_second: float | None = None
    undisturbed_tokens_per_second: float | None = None  # on a processor: what it would have been with nothing else at work
    learned_tokens: int = 0
    train_loss: float | None = None
    eval_loss: float | None = None
    base_eval_loss: float | None = None
    best_step: int | None = None  # whose adapter is published, or would be now; None without early stopping
    peak_bytes: int | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    recoveries: list[Notice] = Field(default_factory=list)
    notices: list[Notice] = Field(default_factory=list)  # how it ended

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


Sums = list[list[float]]  # the highest of several sums over `forecast.activations.FEATURES`, in bytes


class LayerActivations(Record):
    """What one decoder layer holds in memory. `marked` is said of a layer that is checkpointed."""

    saved: list[float]  # kept for the backward pass: one sum over FEATURES
    marked: list[float]  # the same, marked: its input, and `copies`
    copies: list[float]  # of a marked layer's weights, in 16 bits: autocast remembers them until the loss is there
    forward: Sums  # at most, while the layer computes, beyond all that is kept after the forward pass
    forward_marked: Sums
    backward: Sums  # at most, while its gradients are computed, beyond all that is kept
    backward_marked: Sums  # the same, where the layer is computed anew first


class StepActivations(Record):
    """What a step holds beside weights, adapter and gradients."""

    base: list[float]  # kept outside the layers, less what the first layer spares
    base_marked: list[float]  # kept outside the layers where the first one is checkpointed: it spares nothing then
    layers: dict[str, LayerActivations]  # by kind of layer, as config.json names them


class ActivationProfile(Record):
    """The activations of one architecture; found by `engine.measure.dryrun`.

    Good for one choice of targets, dropout and precision and one code of the model (`key`), and any rank, batch, length, number
    of layers and checkpointing.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    key: str
    alone: StepActivations  # one row: no mask
    padded: StepActivations  # several rows of different length
    head: Sums  # at most, while LM head and loss are computed, over `Step.scores`
    head_backward: Sums = Field(default_factory=list)  # the same for their gradients, without `copies`
