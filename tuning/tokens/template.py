"""Rows through a model's chat template: the text as the model will see it, and which characters of it are the answers.

Templates are strangers' programs: what takes part of a row away, or says no to it, is noticed here. No token is made.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from tuning.errors import EngineError
from tuning.sandbox.deadline import Deadline, Overdue
from tuning.tokens.boundaries import Span

MOST_SECONDS = 5.0  # of one rendering: an honest one takes a millisecond
MOST_CHARACTERS = 2_000_000  # of one rendered row; a row of a file has at most one million
# What a template raises, by itself or because a row is not as it thinks: all of it says no to this row.
REFUSALS = (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)

_MARKERS = re.compile(r"\{%-?\s*generation\s*-?%\}")
# A template whose prompt for an answer is another one than its own.
FOR_ANSWERS = (
    "{{% set answer_is_asked = add_generation_prompt %}}{{% set add_generation_prompt = false %}}"
    "{own}{{% if answer_is_asked %}}{{{{ {end} }}}}{{% endif %}}"
)
PROBE, NEXT = "\u2603", "\u2604"  # an answer and a question that are in no template and in no row

Dialogue = list[dict[str, Any]]
Spans = list[Span]


@dataclass(frozen=True)
class Rendered:
    """One row as text. `spans` are the answers with their end of turn, in characters: first, and one after the last."""

    row: int
    text: str
    spans: Spans
    plain: bool = False  # text without roles: no template, all of it is learned
    merged: bool = False  # the template takes no system message: it stands in front of the question
    unlearned: Spans = field(default_factory=list)  # answers that are given and marked as not to be learned
    rewritten: int = 0  # earlier answers that the template shows differently from how they were given: not learned
    asked: list[int] = field(default_factory=list)  # where a model is asked for an answer: what stands before is its prompt


@dataclass(frozen=True)
class Spoken:
    """A conversation through a template, with its answers: those that are learned and those that are not to be."""

    text: str
    learned: Spans
    unlearned: Spans = field(default_factory=list)
    rewritten: int = 0
    asked: list[int] = field(default_factory=list)  # as in `Rendered`


class Template:
    """The chat template of one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._words = dict(tokenizer.special_tokens_map)

    def render(self, row: Mapping[str, Any]) -> Rendered:
        """A row in normal form, rendered.

        Raises EngineError where the template does not take it: `tokens.tools` where the row has tools, `tokens.long`
        where it makes too much of it, else `tokens.template`.
        """
        if "text" in row:
            return Rendered(row["row"], row["text"], [], plain=True)
        tools = row.get("tools") or None
        for turns, merged in _variants(row["messages"]):
            try:
                said = self._speak(turns, tools, _unlearned(row["messages"]))
            except REFUSALS:
                continue
            made = Rendered(row["row"], said.text, said.learned, merged=merged, rewritten=said.rewritten)
            return replace(made, unlearned=said.unlearned, asked=said.asked)
        raise _refusal(row["messages"], tools)

    def prompt(self, turns: Dialogue, tools: list[dict[str, Any]] | None = None) -> Rendered:
        """What the model is given to answer to: a row's text up to where its last answer begins. Raises EngineError as `render` does.

        That is the template's own prompt for an answer where this begins as the rows do, and else as much of it as they have.
        """
        return self.framed(turns, tools)[0]

    def framed(self, turns: Dialogue, tools: list[dict[str, Any]] | None = None) -> tuple[Rendered, str]:
        """The `prompt`, and what the template writes between it and the answer's own words. Raises EngineError as `render` does."""
        for variant, _ in _variants([*turns, {"role": "assistant", "content": PROBE}]):
            try:
                said = self._speak(variant, tools)
            except REFUSALS:
                continue
            text, asked = said.text, said.asked
            end = asked.pop() if asked else text.rindex(PROBE)
            return Rendered(0, text[:end], [], asked=asked), text[end : text.rindex(PROBE)]
        raise _refusal(turns, tools)

    def taught(self) -> str:
        """The chat template for whoever asks the trained model elsewhere: its prompt for an answer is the one that rows begin with.

        The tokenizer's own where it is so already, or where it cannot be made so.
        """
        own = str(self._tokenizer.get_chat_template())
        asked, answered = [{"role": "user", "content": NEXT}], {"role": "assistant", "content": PROBE}
        several = [asked, [*asked, answered, *asked], [*asked, answered]]
        try:
            wanted = [self.prompt(asked).text, self.prompt(several[1]).text]
            if [self._text(turns, None, prompt=True)[0] for turns in several[:2]] == wanted:
                return own
            before = [self._text(turns, None, prompt=False)[0] for turns in several]
            ends = {text.removeprefix(start) for text, start in zip(wanted, before, strict=False)}
            made = FOR_ANSWERS.format(own=own.removesuffix("\n"), end=json.dumps(ends.pop(), ensure_ascii=False))
            shown = [self._text(turns, None, prompt=True, template=made)[0] for turns in several[:2]]
            same = [self._text(turns, None, prompt=False, template=made)[0] for turns in several]
        except (EngineError, *REFUSALS):
            return own
        return made if (shown, same) == (wanted, before) else own

    def own_system(self) -> str:
        """The system text that the template puts in where a conversation has none; nothing where it does not."""
        question = [{"role": "user", "content": NEXT}]
        try:
            bare = self._text(question, None, prompt=True)[0]
            told = self._text([{"role": "system", "content": PROBE}, *question], None, prompt=True)[0]
        except (EngineError, *REFUSALS):
            return ""
        before, _, after = told.partition(PROBE)
        whole = bare.startswith(before) and bare.endswith(after) and len(bare) > len(before + after)
        return bare[len(before) : len(bare) - len(after)].strip() if whole else ""

    def after(self, turns: Dialogue, tools: list[dict[str, Any]] | None = None) -> str:
        """What the template writes after the answer `PROBE`, up to the question `NEXT` or the end; nothing where it takes no such turns."""
        for variant, _ in _variants(turns):
            try:
                text = self._text(variant, tools, prompt=False)[0]
            except (EngineError, *REFUSALS):
                continue
            return text[text.rindex(PROBE) + len(PROBE) :].split(NEXT)[0] if PROBE in text else ""
        return ""

    def _speak(self, turns: Dialogue, tools: list[dict[str, Any]] | None, unlearned: Collection[int] = ()) -> "Spoken":
        """A conversation as text; of its answers those with the numbers `unlearned` are context."""
        template = str(self._tokenizer.get_chat_template(None, tools))
        text, marked = self._text(turns, tools, prompt=False)
        _check(text, turns, tools)
        answers = [position for position, turn in enumerate(turns) if turn["role"] == "assistant"]
        if _MARKERS.search(template):
            spans = [(start, min(end, len(text))) for start, end in marked if start < end]
            asked = self._asked(text, turns, spans, tools)
            if not unlearned:
                return Spoken(text, spans, asked=asked)
            if _one_each(text, spans, [turns[position] for position in answers]):
                return Spoken(text, *_apart(dict(enumerate(spans)), unlearned), asked=asked)
        elif turns[-1]["role"] == "assistant" and not turns[-1].get("tool_calls"):
            text += self._closing
        found: dict[int, Span] = {}
        rewritten = 0
        for number, position in enumerate(answers):
            turn, span = turns[position], self._span(text, turns, position, tools)
            if span is not None and not all(name in text[slice(*span)] for name in _called(turn)):
                raise ValueError("calls of tools are left out")
            if span is not None:
                found[number] = span
            elif number in unlearned:
                continue
            elif position == len(turns) - 1:
                raise ValueError("the last answer is nowhere")
            else:
                rewritten += 1
        asked = [start for number, (start, _) in found.items() if number or turns[0]["role"] != "assistant"]
        return Spoken(text, *_apart(found, unlearned), rewritten, asked)

    def _asked(self, text: str, turns: Dialogue, spans: Spans, tools: list[dict[str, Any]] | None) -> list[int]:
        """Where answers are asked for, of a template that marks what is learned: where its prompt ends, or later the mark begins."""
        places = {position: self._start(text, turns, position, tools) for position, turn in enumerate(turns) if turn["role"] == "assistant"}
        asked = [
            max(start, next((first for first, end in spans if end > start), start))
            for position, start in places.items()
            if position and start is not None
        ]
        if places.get(len(turns) - 1, 0) is None and spans:
            asked.append(spans[-1][0])
        return asked

    def _span(self, text: str, turns: Dialogue, position: int, tools: list[dict[str, Any]] | None) -> tuple[int, int] | None:
        """Where in `text` the answer at `position` stands: what a turn adds to the prompt before it.

        None where the template does not show it as it would have shown it last.
        """
        content = turns[position]["content"].strip()
        start = self._start(text, turns, position, tools)
        if start is None:
            return None
        if position == len(turns) - 1:
            return start, len(text)
        after = self._text(turns[: position + 1], tools, prompt=False)[0]
        end = len(after) if text.startswith(after) else _common(after, text)
        whole = end == len(after) or (content and content in text[start:end])  # some close the last turn in a way of its own
        return (start, end) if whole and start < end else None

    def _start(self, text: str, turns: Dialogue, position: int, tools: list[dict[str, Any]] | None) -> int | None:
        if position == 0:  # nobody asks a model for the first word: only the text itself is its
            found = text.find(turns[0]["content"].strip())
            return found if found >= 0 else None
        before = self._text(turns[:position], tools, prompt=True)[0].removesuffix(self._untaught)
        if text.startswith(before):
            return len(before)
        asked = self._text(turns[:position], tools, prompt=False)[0]
        return _common(before, text) if text.startswith(asked) else None

    @cached_property
    def _untaught(self) -> str:
        """What the template's prompt ends with and no plain answer of a row begins with, such as a thought that is opened."""
        question = {"role": "user", "content": NEXT}
        try:
            before = self._text([question], None, prompt=True)[0]
            return before[_common(before, self._text([question, {"role": "assistant", "content": PROBE}], None, prompt=False)[0]) :]
        except (EngineError, *REFUSALS):
            return ""

    @cached_property
    def _closing(self) -> str:
        """The sign that ends an answer where it is only the next turn that begins with one; else nothing."""
        question, answer = {"role": "user", "content": "?"}, {"role": "assistant", "content": PROBE}
        if self.after([question, answer]).strip():
            return ""
        following = self.after([question, answer, {"role": "user", "content": NEXT}])
        known = {str(token) for token in self._tokenizer.added_tokens_decoder.values()} - {self._tokenizer.bos_token}
        return max((sign for sign in known if following.startswith(sign)), key=len, default="")

    def _text(self, turns: Dialogue, tools: list[dict[str, Any]] | None, prompt: bool, template: str | None = None) -> tuple[str, Spans]:
        template = template or str(self._tokenizer.get_chat_template(None, tools))
        try:
            with Deadline(MOST_SECONDS):
                rendered, marked = render_jinja_template(
                    conversations=[turns],
                    tools=tools,
                    chat_template=template,
                    return_assistant_tokens_mask=bool(_MARKERS.search(template)),
                    add_generation_prompt=prompt,
                    **self._words,
                )
        except Overdue:
            raise EngineError("tokens.endless", reason="data") from None
        text = rendered[0]
        if len(text) > MOST_CHARACTERS:
            raise EngineError("tokens.long", reason="data", limit=MOST_CHARACTERS)
        return text, marked[0] if marked else []


def _unlearned(turns: Dialogue) -> frozenset[int]:
    """Which answers, counted from 0, are not to be learned."""
    answers = [turn for turn in turns if turn["role"] == "assistant"]
    return frozenset(number for number, turn in enumerate(answers) if turn.get("weight") == 0)


def _one_each(text: str, spans: Spans, answers: Dialogue) -> bool:
    """Whether a template marked every answer once, in their order."""
    return len(spans) == len(answers) and all(
        turn["content"].strip() in text[slice(*span)] for span, turn in zip(spans, answers, strict=True)
    )


def _apart(found: Mapping[int, Span], unlearned: Collection[int]) -> tuple[Spans, Spans]:
    """Answers by their numbers: those that are learned, and those that are not to be."""
    kept = [span for number, span in found.items() if number not in unlearned]
    return kept, [span for number, span in found.items() if number in unlearned]


def _refusal(turns: Dialogue, tools: list[dict[str, Any]] | None) -> EngineError:
    with_tools = tools or any(turn["role"] == "tool" or turn.get("tool_calls") for turn in turns)
    return EngineError("tokens.tools" if with_tools else "tokens.template", reason="data")


def _variants(turns: Dialogue) -> Iterator[tuple[Dialogue, bool]]:
    """A conversation as it is, then as stricter templates take it; and whether its system text was moved."""
    turns = [{key: value for key, value in turn.items() if value is not None and key != "weight"} for turn in turns]
    yield turns, False
    called = any(turn.get("tool_calls") or turn["role"] == "tool" for turn in turns)
    if called:
        yield _numbered(turns), False
    if any(turn["role"] == "system" for turn in turns):
        merged = _merged(turns)
        yield merged, True
        if called:
            yield _numbered(merged), True


def _merged(turns: Dialogue) -> Dialogue:
    """System texts in front of the question that follows them."""
    merged: Dialogue = []
    held: list[str] = []
    for turn in turns:
        if turn["role"] == "system":
            held.append(turn["content"])
        elif turn["role"] == "user" and held:
            merged.append({**turn, "content": "\n\n".join([*held, turn["content"]])})
            held = []
        else:
            merged.append(turn)
    return merged


def _numbered(turns: Dialogue) -> Dialogue:
    """Calls of tools and their answers with ids of nine letters and digits, which Mistral's templates ask for."""
    numbered: Dialogue = []
    waiting: list[str] = []
    count = 0
    for turn in turns:
        if turn.get("tool_calls"):
            calls = []
            for call in turn["tool_calls"]:
                count += 1
                waiting.append(f"call{count:05d}")
                calls.append({"id": waiting[-1], **call})
            numbered.append({**turn, "tool_calls": calls})
        elif turn["role"] == "tool" and waiting:
            numbered.append({"tool_call_id": waiting.pop(0), **turn})
        else:
            numbered.append(turn)
    return numbered


def _check(text: str, turns: Dialogue, tools: list[dict[str, Any]] | None) -> None:
    """Raises ValueError where a template left something out in silence, as some do with roles that they do not know."""
    names = [tool.get("function", tool).get("name") for tool in tools or []]
    for turn in turns:
        names.extend(_called(turn))
        content = turn["content"].strip()
        # Answers may lose their thoughts; what tools say is sometimes quoted.
        if turn["role"] != "assistant" and content not in text and json.dumps(content, ensure_ascii=False)[1:-1] not in text:
            raise ValueError(f"{turn['role']} is left out")
    if not all(name and name in text for name in names):
        raise ValueError("tools are left out")


def _called(turn: Mapping[str, Any]) -> list[str]:
    """The names of the tools that a turn calls."""
    return [call["function"]["name"] for call in turn.get("tool_calls") or []]


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
