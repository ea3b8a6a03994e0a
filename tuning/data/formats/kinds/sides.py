"""What stands on either side of a pair: a text, messages, an entry of a service's log, or the answers of several annotators.

Which columns the two sides have is for the formats to say; dialogues within a text are taken apart by `templated`.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.data.formats.kinds import printed
from tuning.data.formats.kinds.templated import dialogue
from tuning.data.formats.kinds.templated import turns as turns_of
from tuning.data.formats.marks import verdict
from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Format, PairShape, context_of, learnable, needed, submitted, system_of, think, wanted, with_tools
from tuning.data.formats.tool_calls import parsed, tools
from tuning.data.formats.tool_parts import is_item
from tuning.data.formats.turns import ROLE_KEYS, RawMessage, mended, messages, ordered, text
from tuning.data.formats.vocabulary import ANSWER, QUESTION, TEXT
from tuning.data.records import MISSING, Values, blank, given, shown, squeezed, value_at
from tuning.data.roles import ROLES
from tuning.errors import InputError

_TALKS = ("messages", "messaggi", "contents", "conversations")  # keys under which a log has the messages of a request
_SAYS = {"user": (*QUESTION, *TEXT), "assistant": (*TEXT, "value", "valore", *ANSWER, "answertext", "span", "spans")}
_MARKED = re.compile(r"\s*(?:[\[{<]|#{0,3} ?\w+ ?:)")  # what a text may begin with that is more than a text; most are none
_RIGHT = ("correct", "iscorrect", "right", "corretta", "corretto", "giusta", "richtig", "correcta", "correcte", "preferred", "chosen")
_WAYS = frozenset(  # what a list is called whose texts are answers of their own: by several models, or the ways to put a right one
    {
        *("responses", "completions", "generations", "candidates", "outputs", "expectedoutput", "ideal", "idealresponse", "groundtruth"),
        *("expectedresponse", "expectedanswer", "correctanswers", "rispostecorrette", "réponses"),
    }
)
_PLURALS = frozenset(("answers", "risposte", "antworten", "respuestas", "text", "spans"))
_STARTS = "answerstart"  # where SQuAD has each of its answers in the context
_WORD = re.compile(r"\w+")
_IN_LINE = ("ASSISTANT:", "ASSISTANT: ")  # at the end of a prompt
_SIGNS = re.compile(r"""["'](?:role|from|speaker|ruolo|answer_?[sS]tart)["']\s*:""")
_ANNOTATED = re.compile(r"""["']answer_?[sS]tart["']\s*:""")
_ARRAY = re.compile(r"\barray\((\[[^\[\]]*\])(?:,\s*dtype=\w+)?\)")  # as NumPy prints a list


class Sides(PairShape):
    """A pair, either side of which may be a list of messages; where the answer begins with a question, it is the whole conversation.

    Of several answers to one question the first is learned.
    """

    strict = True
    several: bool | None = None  # whether sides are more than texts; None where it is not known yet
    truths: bool | None = None  # and whether answers are true or false
    lists: bool | None = None  # whether lists that stand as text are taken apart; None where answers are none

    def seen(self, sample: Sequence[Values], mapping: Mapping[str, str]) -> Format:
        """The same format, which takes objects and lists for answers only where most rows of a sample have such."""
        held = sum(isinstance(wanted(row, mapping, target), list | dict) for row in sample for target in (self.asks[0], self.answers))
        truths = sum(isinstance(wanted(row, mapping, self.answers), bool) for row in sample)
        answers = [answer for row in sample if given(answer := wanted(row, mapping, self.answers))]
        name = squeezed(mapping[self.answers].rpartition(".")[2])
        lists = printed.apart(answers, name, name in _WAYS or name in _PLURALS)
        if not held and not truths and lists is None:
            return self
        form = copy.copy(self)
        form.lists = lists
        form.truths = 2 * truths > len(sample)
        form.several = 2 * held > len(sample) if held else None
        return form

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        asks, column = self.asks[0], mapping[self.answers]
        prompt, answer = row.get(mapping.get(asks, "")), row.get(column)
        if prompt.__class__ is str and answer.__class__ is str and not _more(prompt, answer):  # most are so
            return super().convert(row, mapping, notes=notes)
        prompt, answer = wanted(row, mapping, asks), value_at(row, column)
        if isinstance(answer, bool) and self.truths is not False:
            answer = "true" if answer else "false"  # as JSON spells it
            row = {**row, column: answer}
        if answer is MISSING:
            return super().convert(row, mapping, notes=notes)
        notes = notes or Notes()
        if self.lists is not None and (texts := printed.texts(answer)) is not None:
            answer = texts if self.lists else answer
            notes.printed = "" if self.lists else column
        question = self._opened(prompt, mapping.get(asks, ""), "user", notes)
        said = self._opened(submitted(answer, column, notes), column, "assistant", notes)
        question, said = _taken_apart(question, said)
        if isinstance(question, list | dict) or isinstance(said, list | dict):
            return self._talk(row, mapping, _side(said, column, "assistant", notes), question, mend, notes)
        flat = {**row, column: said}
        if question is not prompt:
            flat[mapping[asks]] = question
        return super().convert(flat, mapping, notes=notes)

    def _opened(self, value: Any, column: str, role: str, notes: Notes) -> Any:
        """What a side says: its text where that is all, or messages. Raises InputError `data.row.type` (column)."""
        held = _unpacked(value, column, notes)
        if not isinstance(held, list | dict) or _speaks(held):
            return held
        if self.several is not False:
            return _first(held, column, role, notes)
        if not any(
            isinstance(turn, dict) and not turn.keys().isdisjoint(ROLE_KEYS) for turn in (held if isinstance(held, list) else [held])
        ):
            text(held, column)
        return held

    def _talk(
        self, row: Values, mapping: Mapping[str, str], said: list[RawMessage], question: Any, mend: bool, notes: Notes
    ) -> dict[str, Any]:
        """The conversation that two sides make, of which one at least is more than a text."""
        asks, with_context = self.asks
        spoken = next((message["role"] for message in said if message["role"] != "system"), "")
        if spoken != "user":
            needed(row, mapping, asks)
            asked = _side(question, mapping[asks], "user", notes)
            context = context_of(row, mapping, with_context, notes) if with_context in mapping else ""
            if not blank(context):
                if not asked or asked[-1]["role"] != "user":  # where it would belong, nobody says
                    raise InputError("data.row.type", column=shown(mapping[asks]), found="list")
                asked[-1] = {**asked[-1], "content": "\n\n".join(part for part in (asked[-1]["content"], context) if not blank(part))}
            said = [*asked, *said]
        else:  # the whole conversation: what stands elsewhere is a part of it, or not used
            notes.leave("column", (mapping[key] for key in (asks, with_context) if key in mapping and not _within(row, mapping, key, said)))
        if "reasoning" in mapping:
            think(row, mapping, said[-1] if said else {"role": ""}, notes)
        if given(wanted(row, mapping, "history")):
            notes.leave("column", [mapping["history"]])
        system = system_of(row, mapping, notes)
        said = [*system, *said]
        kept = ordered(mended(said) or said if mend else said, 1 - len(system))
        return with_tools(row, mapping, {"messages": learnable(kept, notes)}, notes, self.strict)


def _more(prompt: str, answer: str) -> bool:
    """Whether a prompt or an answer may be more than a text."""
    return _MARKED.match(prompt) is not None or _MARKED.match(answer) is not None or prompt.endswith(_IN_LINE)


def _unpacked(value: Any, column: str, notes: Notes) -> Any:
    """What a cell or an entry of a log holds of messages, out of its JSON text and what a service puts around them; else the value."""
    if isinstance(value, str):
        if value.lstrip()[:1] not in ("[", "{") or not _SIGNS.search(value):
            return value
        try:
            held = parsed(_ARRAY.sub(r"\1", value))
        except ValueError:
            return value
        if _ANNOTATED.search(value):
            return _first(held, column, "assistant", notes)
        if not _speaks(held):
            return value
        value = held
    for around in ("body", "choices", "message"):  # as OpenAI sends an answer
        held = value.get(around) if isinstance(value, dict) else None
        if held and isinstance(held, list | dict):
            notes.leave("key", (f"{column}.{key}" for key, said in value.items() if key != around and given(said)))
            notes.leave("part", [f"{column}.{around}"] * (len(held) - 1 if isinstance(held, list) else 0))
            value = held[0] if isinstance(held, list) else held
    return value


def _speaks(value: Any) -> bool:
    """Whether a value is messages, one of them, or an object that holds them: somebody who is known speaks in it."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict) and _speaks(value[0])
    if not isinstance(value, dict):
        return False
    inside = next((value[key] for key in (*_TALKS, "choices", "message") if isinstance(value.get(key), list | dict)), None)
    if inside is not None:
        return bool(inside)
    return is_item(value) or any(isinstance(value.get(key), str) and squeezed(value[key]) in ROLES for key in ROLE_KEYS)


def _first(value: Any, column: str, role: str, notes: Notes) -> Any:
    """The first of several answers, or the one text that an object holds; the others are noted. Anything else is as it was."""
    if isinstance(value, list) and role == "assistant":
        if not value:
            return ""
        if isinstance(value[0], dict):
            value = sorted(value, key=_wrong)  # what is marked as the right one is first
            notes.leave("part", [column] * (len(value) - 1))
            return _first(value[0], column, role, notes)
        if all(isinstance(one, str) for one in value):
            notes.leave("part", [column] * (len(value) - 1))
            notes.several = notes.several or (column if _parts(value, column) else "")
            return value[0]
    if isinstance(value, dict):
        names = {squeezed(key): key for key in value}
        key = next((names[name] for name in _SAYS[role] if name in names), None)
        said = None if key is None else _first(value[key], f"{column}.{key}", role, notes)
        if isinstance(said, str):
            notes.leave("key", (f"{column}.{name}" for name, held in value.items() if name != key and given(held)))
            notes.several = "" if _STARTS in names else notes.several
            return said
    return value


def _parts(answers: list[str], column: str) -> bool:
    """Whether several answers may be the parts of one: nothing says that they are as many ways to put it.

    A name can say so, or in a column for several that each has a word in common with the first.
    """
    name = squeezed(column.rpartition(".")[2])
    first, *others = (frozenset(_WORD.findall(answer.casefold())) for answer in answers)
    others = [words for words in others if words and words != first]
    return bool(others) and name not in _WAYS and not (name in _PLURALS and all(first & words for words in others))


def _wrong(answer: Any) -> bool:
    """Whether one of several answers is marked as not the right one."""
    return isinstance(answer, dict) and any(squeezed(key) in _RIGHT and verdict(held) is False for key, held in answer.items())


def _taken_apart(question: Any, answer: Any) -> tuple[Any, Any]:
    """A prompt that ends where the assistant is to speak, and an answer that is all of a dialogue, as their turns."""
    if isinstance(question, str) and isinstance(answer, str) and ("<" in question or question.endswith(_IN_LINE)):
        whole = turns_of(question + answer)  # in a template, which ends where the answer begins
        if whole is not None and len(whole) > 1 and turns_of(question) != whole and whole[-1]["content"] in answer:
            return whole[:-1], whole[-1]["content"]
    if isinstance(question, str) and question.rstrip().endswith(":"):
        turns = dialogue(question)
        if turns is not None and turns[-1]["role"] == "user":
            return turns, answer.strip() if isinstance(answer, str) else answer
    if isinstance(answer, str) and (not question or (isinstance(question, str) and question.strip() in answer)):
        turns = dialogue(answer)
        if turns is not None and turns[-1]["role"] == "assistant":
            return question, turns
    return question, answer


def _side(value: Any, column: str, role: str, notes: Notes) -> list[RawMessage]:
    talk = next((key for key in _TALKS if isinstance(value.get(key), list)), None) if isinstance(value, dict) else None
    if talk is not None:  # as OpenAI has the question of a preference
        notes.leave("key", (f"{column}.{key}" for key, held in value.items() if key not in (talk, "tools") and given(held)))
        notes.tools += tools(value.get("tools"), f"{column}.tools")
        value = value[talk]
    if isinstance(value, dict):
        value = [value]
    return messages(value, column, notes=notes) if isinstance(value, list) else [{"role": role, "content": text(value, column)}]


def _within(row: Values, mapping: Mapping[str, str], target: str, said: Sequence[RawMessage]) -> bool:
    """Whether what a row holds for a target says nothing, or is said in the conversation as well."""
    value = wanted(row, mapping, target)
    if isinstance(value, dict | list):
        try:
            texts = [message["content"] for message in _side(value, "", "user", Notes())]
        except InputError:
            return False
        return all(any(text in message["content"] for message in said) for text in texts)
    return not given(value) or any(str(value) in message["content"] for message in said)
