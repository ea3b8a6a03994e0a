"""What the free files of a home hold, as types: metrics, answers on the way, the report, and what is noted for later.

Only what those who read them rely on; whatever else stands in a file stays in it. Specs and states have their types in `schema`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tuning.schema import Language, Message, Notice, Recipe, Record

Finite = Annotated[float, Field(allow_inf_nan=False, gt=-1e300, lt=1e300)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
VerdictCode = Literal["learned", "wrecked", "overfitted", "forgot", "no_change", "unclear"]
UnclearReason = Literal["no_rows", "worse", "few", "text", "slow", "ended", "no_facts", "style"]


class Loose(BaseModel):
    """A record with more in it than is asked for."""

    model_config = ConfigDict(extra="allow", frozen=True)


STRENGTHS = (0.0, 50.0, 75.0, 100.0, 150.0)  # percent, at which an adapter is measured on a press
STRENGTHS_FILE = "strengths.json"


class AnswerSettings(Record):
    """How answers are generated, by the names of transformers' GenerationConfig; None where nobody has said it.

    `system`: the system message. `remember`: the earlier turns of a conversation are sent, too. `thinking`: it thinks before it answers.
    `strength`: percent of its scaling with which an adapter is added to the base.
    """

    system: Annotated[str, Field(max_length=20_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_new_tokens: Annotated[int, Field(ge=1, le=8192)] | None = None
    seed: int | None = None
    remember: bool | None = None
    thinking: bool | None = None
    strength: Annotated[float, Field(ge=0, le=150)] | None = None


class KeptProof(Record):
    """What was proven of an answer, see `engine.question.Proof`: who was asked, by `name`, `step` and `strength`, and who `spoke`.

    `distance`: total variation from the base at the first token, 0 to 1. `kind`: `sure` and `base` where it is as asked, else the fault.
    """

    kind: Literal["sure", "unmeasured", "base", "dead", "other", "not_base"]
    name: str = ""
    step: Count | None = None
    strength: Finite = 100.0
    distance: Finite | None = None
    spoke: str | None = None


class KeptTurn(Message):
    """A turn of a conversation that is kept; of an answer, its proof."""

    proof: KeptProof | None = None


class KeptChat(Record):
    """A file of chats/: a conversation with a run or a model, and in `beside` the same with its base where that answered too."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_version: Literal[1] = Field(default=1, alias="schema")
    owner: str
    id: str
    name: str
    target: str
    created: Finite
    updated: Finite
    turns: list[KeptTurn] = Field(default_factory=list)
    beside: list[KeptTurn] = Field(default_factory=list)


class KeptSettings(Record):
    """How an owner's runs and models are to answer, by their ids."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_version: Literal[1] = Field(default=1, alias="schema")
    owner: str
    targets: dict[str, AnswerSettings] = Field(default_factory=dict)


class KeptScores(Record):
    """How often which of a pair was better, by their ids in alphabetical order, and how often neither. `on`: pairs are asked blind."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_version: Literal[1] = Field(default=1, alias="schema")
    owner: str
    on: bool = False
    pairs: dict[str, Annotated[list[Count], Field(min_length=3, max_length=3)]] = Field(default_factory=dict)


class KeptQuestions(Record):
    """questions.json of data: what somebody tests runs with."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_version: Literal[1] = Field(default=1, alias="schema")
    owner: str
    questions: list[str] = Field(default_factory=list)


class KeptRecipe(Record):
    """A file of recipes/: a recipe that somebody has saved."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_version: Literal[1] = Field(default=1, alias="schema")
    owner: str
    created: Finite
    recipe: Recipe


class LoggedStep(BaseModel):
    """A line of metrics.jsonl: numbers under their names, at a step."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Finite | None]
    step: Annotated[Count, Field(strict=True)]


class SampledAnswer(Loose):
    """What was answered to one question of a timeline."""

    prompt: str
    answer: str
    reference: str
    general: bool = False


class Moment(Loose):
    """A line of samples.jsonl."""

    step: Annotated[Count, Field(strict=True)]
    answers: list[SampledAnswer]
    seconds: Finite = 0.0
    token_seconds: Finite = 0.0


class Both(Loose):
    """A figure of base and tuned."""

    base: Finite | None
    tuned: Finite | None


class LossFigure(Loose):
    """A loss, or a share of facts, of base and tuned, with the interval of the change."""

    base: Finite
    tuned: Finite
    low: Finite | None
    high: Finite | None


class FactsFigure(LossFigure):
    """Shares of facts, and what luck brings of them."""

    chance: Finite


class Measures(Loose):
    """All figures of a report; one that was not taken is None."""

    loss: LossFigure | None = None
    facts: FactsFigure | None = None
    perplexity: Both | None = None
    exact: Both | None = None
    bleu: Both | None = None
    chrf: Both | None = None
    rouge_l: Both | None = None
    length: Both | None = None
    repetition: Both | None = None
    thinking: Both | None = None


class Judged(Loose):
    """The verdict of a report."""

    code: VerdictCode
    reason: UnclearReason | None
    also: list[VerdictCode]
    level: Literal["good", "warning", "info"]
    params: dict[str, Finite | list[Language]]
    advice: list[str]


class Right(Loose):
    """How many questions of the probe were answered right."""

    base: Count
    tuned: Count
    of: Count


class Probed(Loose):
    """What the probe found in one language."""

    loss: LossFigure
    right: Right | None


class ShownRow(Loose):
    """A row that a report shows."""

    question: str
    reference: str
    base: str
    tuned: str


class CorrectedAnswers(Loose):
    """How many corrected answers hold, and how many of those that were right before still are."""

    held: Count
    of: Count
    right: Count | None = None
    kept: Count | None = None


class EvaluationReport(Loose):
    """evaluation.json, see `engine.judge.report`."""

    schema_: Literal[1] = Field(alias="schema")
    seconds: Annotated[Finite, Field(ge=0)]
    of: Count
    rows: Count
    generated: Count
    questions: Count | None = None
    all_seconds: Finite | None = None
    general: Count | None = None
    verdict: Judged
    measures: Measures
    training_loss: Finite | None = None
    probe: dict[Language, Probed]
    best: list[ShownRow]
    worst: list[ShownRow]
    corrected: CorrectedAnswers | None = None


class StrengthPoint(Loose):
    """What an adapter comes to at one strength."""

    strength: Finite
    loss: Finite | None
    probe: dict[Language, Finite | None]


class StrengthsReport(Loose):
    """strengths.json, see `engine.judge.strengths`."""

    schema_: Literal[1] = Field(alias="schema")
    rows: Count
    done: bool
    points: list[StrengthPoint]
    error: Notice | None = None


class CalibrationRecord(Loose):
    """A line of calibration.jsonl: what a finished run showed of the machine."""

    device: str
    parameters: Annotated[int, Field(gt=0)]
    operations_per_token: Annotated[Finite, Field(gt=0)]
    slowed: Annotated[Finite, Field(gt=0)] = 1.0  # how much longer an operation took than plain ones, by what was planned
    raw_predicted_bytes: Count
    fixed_bytes: Count
    libraries_bytes: Count | None = None
    peak_bytes: Count
    tokens_per_second: Annotated[Finite, Field(gt=0)]


class Restarted(Loose):
    """How often a run was begun anew at one step."""

    step: Count
    count: Count


class Queued(Loose):
    """When a run was put in the queue, and when the operator put it ahead of all others, in seconds since 1970."""

    time: Finite
    ahead: Finite = 0.0


class WatchLink(Loose):
    """The run that a watch link shows, and the secret of its address."""

    run: str
    secret: str


class TakenRecord(Loose):
    """taken.json of an export that was made for the page: its file, when, and its certificate as a verdict and in words."""

    file: Annotated[str, Field(min_length=1, max_length=255)]
    made: Finite
    verdict: str
    words: dict[Language, str]
    command: str = ""


class PushedRecord(Loose):
    """hub.json of a form that was pushed to the Hub: where it is there, whether private, and when."""

    repo: str
    url: str
    private: bool
    time: Finite
    command: str = ""


class Holder(Loose):
    """Who wrote in a lock last. Empty in one that nobody has taken yet."""

    host: str | None = None
    pid: Count | None = None
    started: Finite = 0.0


class HashedFile(Loose):
    """A file of a checkpoint."""

    size: Count
    sha256: str


class CheckpointManifest(Loose):
    """manifest.json of a checkpoint."""

    step: Count
    files: dict[str, HashedFile]


class AdapterConfig(Loose):
    """adapter_config.json, as PEFT writes it."""

    peft_type: str
    r: Annotated[int, Field(gt=0)]
    target_modules: list[str] | str
    base_model_name_or_path: str | None = None


class ModelConfig(Loose):
    """config.json of a whole model, as transformers writes it."""

    model_type: str
