"""Rows through a model's chat template: the text as the model will see it, and which characters of it are the answers.

Templates are strangers' programs: what takes part of a row away, or says no to it, is noticed here. No token is made.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from tuning.errors import EngineError
from tuning.sandbox.deadline import Deadline, Overdue
from tuning.tokens import thoughts
from tuning.tokens.boundaries import Span
from tuning.tokens.variants import Dialogue, called_tools, check, refusal, unlearned_answers, variants

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
# One that is told by a variable whether to think, where nobody says it.
SWITCHED = "{{% if {name} is not defined %}}{{% set {name} = {on} %}}{{% endif %}}{own}"
PROBE, NEXT = "\u2603", "\u2604"  # an answer and a question that are in no template and in no row
ASKED, ANSWERED = {"role": "user", "content": NEXT}, {"role": "assistant", "content": PROBE}

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
    """The chat template of one tokenizer, and what it is to do with thoughts: see `thoughts`."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, thinking: str = "auto") -> None:
        self._tokenizer, self.thinking = tokenizer, thinking
        self._words = dict(tokenizer.special_tokens_map)

    def render(self, row: Mapping[str, Any]) -> Rendered:
        """A row in normal form, rendered.

        Raises EngineError where the template does not take it, as `refusal` says why; `tokens.long` where it makes too much of it;
        `tokens.unembedded` where the model has no embedding for a token.
        """
        if "text" in row:
            return Rendered(row["row"], self._embedded(row["text"]), [], plain=True)
        if self.choice(row["messages"]) != self.thinking:
            return self.keeping.render(row)
        tools = row.get("tools") or None
        said, merged = self._spoken(row["messages"], tools, unlearned_answers(row["messages"]))
        made = Rendered(row["row"], self._embedded(said.text), said.learned, merged=merged, rewritten=said.rewritten)
        return replace(made, unlearned=said.unlearned, asked=said.asked)

    def prompt(self, turns: Dialogue, tools: list[dict[str, Any]] | None = None) -> Rendered:
        """What the model is given to answer to: a row's text up to where its last answer begins. Raises EngineError as `render` does.

        That is the template's own prompt for an answer where this begins as the rows do, and else as much of it as they have.
        """
        return self.framed(turns, tools)[0]

    def framed(self, turns: Dialogue, tools: list[dict[str, Any]] | None = None) -> tuple[Rendered, str]:
        """The `prompt`, and what the template writes between it and the answer's own words. Raises EngineError as `render` does."""
        thought = {thoughts.KEY: thoughts.THOUGHT} if self.thinking == "learn" else {}
        said, _ = self._spoken([*turns, {"role": "assistant", "content": PROBE, **thought}], tools)
        text, asked = said.text, said.asked
        end = asked.pop() if asked else text.rindex(PROBE)
        return Rendered(0, self._embedded(text[:end]), [], asked=asked), text[end : text.rindex(PROBE)]

    def _embedded(self, text: str) -> str:
        """The text, unless it has a token that the tokenizer knows and the model does not, as Gemma 3's of pictures."""
        if any(token in text for token in getattr(self._tokenizer, "unembedded", ())):
            raise EngineError("tokens.unembedded", reason="data")
        return text

    def taught(self) -> str:
        """The chat template for whoever asks the trained model elsewhere: its prompt for an answer is the one that rows begin with.

        The tokenizer's own where it is so already, or where it cannot be made so.
        """
        own = str(self._tokenizer.get_chat_template())
        asked = [ASKED]
        several = [asked, [ASKED, ANSWERED, ASKED], [ASKED, ANSWERED]]

        def shown(template: str, prompt: bool) -> list[str]:
            """What one gets who knows of no variable."""
            return [self._text(turns, None, prompt, template, {})[0] for turns in several[: 2 if prompt else 3]]

        try:
            wanted = [self.prompt(asked).text, self.prompt(several[1]).text]
            switched = SWITCHED.format(name=self.manner.switch, on=str(self.thinking == "learn").lower(), own=own) if self._told else own
            for made in (own, switched):
                if shown(made, prompt=True) == wanted:
                    return made
            before = shown(own, prompt=False)
            ends = {text.removeprefix(start) for text, start in zip(wanted, before, strict=False)}
            made = FOR_ANSWERS.format(own=own.removesuffix("\n"), end=json.dumps(ends.pop(), ensure_ascii=False))
            fits = shown(made, prompt=True) == wanted and shown(made, prompt=False) == before
        except (EngineError, *REFUSALS):
            return own
        return made if fits else own

    def show(self, turns: Dialogue) -> str:
        """A conversation through the template as it is; whatever the template raises comes through."""
        return self._text(turns, None, prompt=False)[0]

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
        for variant, _ in variants(turns):
            try:
                text = self._text(variant, tools, prompt=False)[0]
            except (EngineError, *REFUSALS):
                continue
            return text[text.rindex(PROBE) + len(PROBE) :].split(NEXT)[0] if PROBE in text else ""
        return ""

    @cached_property
    def manner(self) -> thoughts.Manner:
        """What the template does with thoughts."""
        question = {"role": "user", "content": NEXT}

        def show(answer: Mapping[str, Any] | None, told: Mapping[str, Any]) -> str:
            turns = [question] if answer is None else [question, {"role": "assistant", **answer}]
            try:
                return self._text(turns, None, answer is None, told=told)[0]
            except (EngineError, *REFUSALS):
                return ""

        return thoughts.manner(show, str(self._tokenizer.get_chat_template()), PROBE)

    @cached_property
    def keeps_earlier(self) -> bool:
        """Whether thoughts of earlier answers stand in the prompt for the next."""
        try:
            thought = {**ANSWERED, thoughts.KEY: thoughts.THOUGHT}
            return thoughts.THOUGHT in Template(self._tokenizer, "learn").framed([ASKED, thought, ASKED])[0].text
        except (EngineError, *REFUSALS):
            return False

    @cached_property
    def keeping(self) -> "Template":
        """The same template, by the choice `keep`."""
        return Template(self._tokenizer, "keep")

    def choice(self, turns: Dialogue) -> str:
        """By what choice a conversation is learned: where thoughts are, an answer without any follows an empty one."""
        if self.thinking != "learn" or thoughts.has_thoughts(turns[-1:]) or not self.manner.thinks:
            return self.thinking
        return "learn" if thoughts.has_thoughts(turns) and self.keeps_earlier and not self._opens else "keep"

    @cached_property
    def _opens(self) -> bool:
        """Whether the prompt for an answer opens a thought."""
        _, opened, after = self._text([ASKED], None, prompt=True)[0].rpartition(thoughts.OPEN)
        return bool(opened) and thoughts.CLOSE not in after

    @cached_property
    def _told(self) -> dict[str, Any]:
        """The variables by which the template thinks, or does not."""
        if self.thinking not in ("learn", "keep") or not self.manner.switch:
            return {}
        return {self.manner.switch: self.thinking == "learn"}

    def _dressed(self, turns: Dialogue) -> Dialogue:
        """A conversation with its thoughts as the template is to take them; only the last answer has those that it would take away."""
        if self.thinking == "auto":
            return turns
        last = len(turns) - 1
        before = "off" if self.manner.drops else self.thinking

        def worded(turn: dict[str, Any], at: int) -> dict[str, Any]:
            choice, lead = (self.thinking, self._lead) if at == last else (before, "")
            return thoughts.worded(turn, choice, self.manner, lead) if turn["role"] == "assistant" else turn

        return [worded(turn, at) for at, turn in enumerate(turns)]

    @cached_property
    def _lead(self) -> str:
        """The empty thought that answers get which the template gives none, though its prompt has one, or opens one."""
        if self.thinking != "keep" or not self.manner.signs:
            return ""
        asked, shown = self._text([ASKED], None, prompt=True)[0], self._text([ASKED, ANSWERED], None, prompt=False)[0]
        missing = asked[_common(asked, shown) :]
        if missing:
            opened = thoughts.OPEN in missing and thoughts.CLOSE not in missing
            return missing + f"\n{thoughts.CLOSE}\n\n" if opened else missing if thoughts.CLOSE in missing else ""
        written = thoughts.NO_THOUGHT.fullmatch(shown[len(asked) : shown.index(PROBE)])
        return "" if written or self.manner.switch else thoughts.EMPTY

    @cached_property
    def _given(self) -> str:
        """The empty thought that stands between the template's own prompt and an answer, and is no part of the answer."""
        if self.thinking != "keep":
            return ""
        asked = self._text([ASKED], None, prompt=True)[0].removesuffix(self._untaught)
        shown = self._text(self._dressed([ASKED, ANSWERED]), None, prompt=False)[0]
        between = shown[len(asked) : shown.index(PROBE)] if shown.startswith(asked) else ""
        return between if thoughts.NO_THOUGHT.fullmatch(between) else ""

    def _spoken(self, turns: Dialogue, tools: list[dict[str, Any]] | None, unlearned: Collection[int] = ()) -> tuple[Spoken, bool]:
        """A conversation in the first variant that the template takes, and whether its system text was moved for it."""
        said_no: Exception | None = None
        for variant, merged in variants(turns):
            try:
                return self._speak(self._dressed(variant), tools, unlearned), merged
            except REFUSALS as error:
                said_no = error
        raise refusal(turns, tools, said_no)

    def _speak(self, turns: Dialogue, tools: list[dict[str, Any]] | None, unlearned: Collection[int] = ()) -> Spoken:
        """A conversation as text; of its answers those with the numbers `unlearned` are context."""
        template = str(self._tokenizer.get_chat_template(None, tools))
        text, marked = self._text(turns, tools, prompt=False)
        turns = [{**turn, "content": thoughts.unhidden(turn["content"])} for turn in turns]
        check(text, turns, tools)
        answers = [position for position, turn in enumerate(turns) if turn["role"] == "assistant"]
        if _MARKERS.search(template):
            spans = [(start, min(end, len(text))) for start, end in marked if start < end]
            asked = self._asked(text, turns, spans, tools)
            spans = self._after_given(spans, asked)
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
            if span is not None and not all(name in text[slice(*span)] for name in called_tools(turn)):
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

    def _after_given(self, spans: Spans, asked: list[int]) -> Spans:
        """What a template marks as learned, without empty thoughts that are given."""
        if self.thinking != "keep":
            return spans
        return [(max([start, *(at for at in asked if start < at < end)]), end) for start, end in spans]

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
        if text.startswith(before + self._given):
            return len(before + self._given)
        if self.thinking in ("learn", "keep") and position < len(turns) - 1:
            return None  # it is asked for in another way than it stands here
        asked = self._text(turns[:position], tools, prompt=False)[0]
        return _common(before, text) if text.startswith(asked) else None

    @cached_property
    def _untaught(self) -> str:
        """What the template's prompt ends with and no plain answer of a row begins with, such as a thought that is opened."""
        thought = {thoughts.KEY: thoughts.THOUGHT} if self.thinking == "learn" else {}
        try:
            before = self._text([ASKED], None, prompt=True)[0]
            return before[_common(before, self._text(self._dressed([ASKED, {**ANSWERED, **thought}]), None, prompt=False)[0]) :]
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

    def _text(
        self,
        turns: Dialogue,
        tools: list[dict[str, Any]] | None,
        prompt: bool,
        template: str | None = None,
        told: Mapping[str, Any] | None = None,
    ) -> tuple[str, Spans]:
        """A conversation by the template and variables for it: those of `thinking`, where no others are `told`."""
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
                    **(self._told if told is None else told),
                )
        except Overdue:
            raise EngineError("tokens.endless", reason="data") from None
        text = thoughts.unhidden(rendered[0])
        if len(text) > MOST_CHARACTERS:
            raise EngineError("tokens.long", reason="data", limit=MOST_CHARACTERS)
        return text, marked[0] if marked else []


def _one_each(text: str, spans: Spans, answers: Dialogue) -> bool:
    """Whether a template marked every answer once, in their order."""
    return len(spans) == len(answers) and all(
        turn["content"].strip() in text[slice(*span)] for span, turn in zip(spans, answers, strict=True)
    )


def _apart(found: Mapping[int, Span], unlearned: Collection[int]) -> tuple[Spans, Spans]:
    """Answers by their numbers: those that are learned, and those that are not to be."""
    kept = [span for number, span in found.items() if number not in unlearned]
    return kept, [span for number, span in found.items() if number in unlearned]


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
