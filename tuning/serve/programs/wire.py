"""Requests and answers in the shape of OpenAI's chat completions, as types and documents. Nothing is asked of a model here.

A field that would change an answer and is not understood is refused by its name, never dropped; one that changes none is taken and left.
"""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic
from pydantic import Field

from tuning.errors import InputError
from tuning.runs.contents import AnswerSettings

if TYPE_CHECKING:
    from tuning.engine.question import Outcome

MOST_TOKENS = 8192  # of an answer; the context ends it sooner where it is shorter
Document = dict[str, Any]
Zero = Annotated[float, Field(ge=0, le=0)] | None


def _whole(text: str) -> str:
    """Raises ValueError for half a character, of which no tokenizer makes tokens."""
    return text.encode().decode()


Text = Annotated[str, pydantic.AfterValidator(_whole)]
Stop = Annotated[Text, Field(max_length=200)]


class TextPart(pydantic.BaseModel):
    """A part of a message; images and sound are none that a text model reads."""

    model_config = pydantic.ConfigDict(extra="forbid")
    type: Literal["text"]
    text: Text


class GivenTurn(pydantic.BaseModel):
    """A message of the conversation."""

    model_config = pydantic.ConfigDict(extra="forbid")
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]
    name: str | None = None

    def plain(self) -> dict[str, str]:
        """The message as the chat templates of transformers take it."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(pydantic.BaseModel):
    """What a stream brings beside the words."""

    include_usage: bool | None = None


class TextOnly(pydantic.BaseModel):
    """The one form of answers."""

    model_config = pydantic.ConfigDict(extra="forbid")
    type: Literal["text"]


class Asked(pydantic.BaseModel):
    """A request for a chat completion."""

    model_config = pydantic.ConfigDict(extra="forbid")
    model: Text
    messages: Annotated[list[GivenTurn], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    # Only as they are where nobody gives them:
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    presence_penalty: Zero = None
    frequency_penalty: Zero = None
    logprobs: Literal[False] | None = None
    logit_bias: Annotated[Document, Field(max_length=0)] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    response_format: TextOnly | None = None
    modalities: list[Literal["text"]] | None = None
    # They change no answer:
    user: Any = None
    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    parallel_tool_calls: Any = None
    prompt_cache_key: Any = None
    safety_identifier: Any = None

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    def how(self, usual: AnswerSettings) -> AnswerSettings:
        """The generation settings: what was given, over the usual ones."""
        length = self.max_completion_tokens or self.max_tokens
        given = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "max_new_tokens": length and min(length, MOST_TOKENS),
        }
        return usual.model_copy(update={name: value for name, value in given.items() if value is not None})


def read(body: bytes) -> Asked:
    """The request in a body. Raises InputError `v1.json` for what is none, `v1.field` with the first field that is not understood."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("v1.json") from error
    if not isinstance(found, dict):
        raise InputError("v1.json")
    try:
        return Asked.model_validate(found)
    except pydantic.ValidationError as error:
        place = error.errors(include_url=False)[0]["loc"]
        name = ".".join(map(str, place[: 3 if place[0] == "messages" else 1]))
        raise InputError("v1.field", name=name[:80]) from error


class Completion:
    """The documents of one answer: whole, or as the chunks of a stream."""

    def __init__(self, number: str, model: str) -> None:
        self._same = {"id": f"chatcmpl-{number}", "created": int(time.time()), "model": model}

    def whole(self, text: str, reason: str, outcome: "Outcome | None") -> Document:
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return {**self._same, "object": "chat.completion", "choices": [choice], "usage": usage(outcome)}

    def chunk(self, delta: Document, reason: str | None = None) -> Document:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._same, "object": "chat.completion.chunk", "choices": [choice]}

    def used(self, outcome: "Outcome | None") -> Document:
        """The last chunk, for whoever wants to know what was used."""
        return {**self._same, "object": "chat.completion.chunk", "choices": [], "usage": usage(outcome)}


def usage(outcome: "Outcome | None") -> Document:
    """Tokens of the prompt and of the answer."""
    prompt, answer = (outcome.prompt, outcome.answer) if outcome else (0, 0)
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def model(id: str, created: float = 0, name: str | None = None, owned_by: str = "base") -> Document:
    """An entry of the list of models; `name` is what some programs show in the place of the id."""
    return {"id": id, "object": "model", "created": int(created), "owned_by": owned_by, "name": name or id}
