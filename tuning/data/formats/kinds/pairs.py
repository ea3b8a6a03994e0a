"""Rows of a question and an answer, by the names that each format has for them. Conversations are in `talks`."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tuning.data.formats import unfit
from tuning.data.formats.earlier import HISTORY
from tuning.data.formats.kinds.sides import Sides
from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Format, PairShape, Targets
from tuning.data.formats.tool_calls import TOOLS, calls, tools
from tuning.data.formats.turns import text
from tuning.data.formats.vocabulary import ANSWER, CONTEXT, QUESTION, RATING, SYSTEM, THOUGHTS
from tuning.data.records import MISSING, Values, blank, shown, squeezed, value_at
from tuning.errors import InputError

_BESIDE: dict[str, Sequence[str]] = {"system": SYSTEM, "history": HISTORY, "tools": TOOLS, "reasoning": THOUGHTS}  # what any pair may have

_ANSWERS = ("answers", "risposte", "expectedoutput", "outputs", "responses")  # of several annotators, or in a log


class Preference(Sides):
    """Two answers, of which one was preferred (DPO): the preferred one is learned, the other is not."""

    name = "preference"
    example: ClassVar[Values] = {"prompt": "Name a river in Italy.", "chosen": "The Po.", "rejected": "The Rhine."}
    targets: ClassVar[Targets] = {
        "prompt": ("prompt", "question", "domanda", "instruction", "istruzione", "query", "input", "conversations", "messages"),
        "chosen": ("chosen", "chosenmessages", "preferredoutput", "responsej", "preferita", "scelta"),
        "rejected": ("rejected", "rejectedmessages", "nonpreferredoutput", "responsek", "rifiutata", "scartata"),
        "context": CONTEXT,
        **_BESIDE,
    }
    required = frozenset({"chosen", "rejected"})
    reason = "data.reason.preference"
    asks = ("prompt", "context")
    answers = "chosen"


class Kto(Sides):
    """A prompt, how it goes on, and whether that was wanted (KTO): what was not is refused."""

    name = "kto"
    example: ClassVar[Values] = {"prompt": "Name a river in Italy.", "completion": "The Po.", "label": True}
    targets: ClassVar[Targets] = {
        **{"prompt": QUESTION, "completion": ANSWER, "label": RATING, "context": CONTEXT, **_BESIDE},
        **dict.fromkeys(("question", "answer"), ()),  # as somebody may name them by hand
    }
    required = frozenset({"prompt", "completion", "label"})
    reason = "data.reason.kto"
    asks = ("prompt", "context")
    answers = "completion"

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As any format's; a question and an answer that were mapped by hand are its prompt and its completion."""
        named = {"question": "prompt", "answer": "completion"}
        return super().complete(columns, {named.get(target, target): column for target, column in given.items()})

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        unfit.refuse_unwanted(value_at(row, mapping["label"]), mapping["label"])
        return super().convert(row, mapping, mend, notes)


class Alpaca(PairShape):
    """Stanford Alpaca: an instruction, sometimes an input, and the output."""

    name = "alpaca"
    example: ClassVar[Values] = {"instruction": "Translate into Italian.", "input": "Good morning!", "output": "Buongiorno!"}
    targets: ClassVar[Targets] = {"instruction": ("instruction",), "input": ("input", *CONTEXT), "output": ("output",), **_BESIDE}
    required = frozenset({"instruction", "output"})
    asks = ("instruction", "input")
    answers = "output"


class Dolly(PairShape):
    """Databricks Dolly: an instruction, sometimes a context, and the response. Its category is not learned."""

    name = "dolly"
    example: ClassVar[Values] = {
        "instruction": "Who wrote it?",
        "context": "The Betrothed is by Manzoni.",
        "response": "Manzoni.",
        "category": "closed_qa",
    }
    targets: ClassVar[Targets] = {
        "instruction": ("instruction",),
        "context": CONTEXT,
        "response": ("response",),
        **_BESIDE,
    }
    required = frozenset({"instruction", "response"})
    asks = ("instruction", "context")
    answers = "response"


class PromptCompletion(Sides):
    """A prompt and how it goes on; either may be a list of messages, as TRL has them."""

    name = "prompt-completion"
    example: ClassVar[Values] = {"prompt": "Name a river in Italy.", "completion": "The Po."}
    targets: ClassVar[Targets] = {
        "prompt": ("prompt",),
        "completion": ("completion",),
        "context": CONTEXT,
        **_BESIDE,
    }
    required = frozenset({"prompt", "completion"})
    asks = ("prompt", "context")
    answers = "completion"


class FunctionCalling(Format):
    """A query, the tools at hand and the calls that answer it, as xLAM has them: lists, or their JSON text."""

    name = "function-calling"
    example: ClassVar[Values] = {
        "query": "What is the weather in Rome?",
        "tools": '[{"name": "weather", "description": "The weather of a city.", "parameters": {"city": {"type": "str"}}}]',
        "answers": '[{"name": "weather", "arguments": {"city": "Rome"}}]',
    }
    targets: ClassVar[Targets] = {
        "query": ("query", "question", "instruction", "prompt"),
        "tools": TOOLS,
        "answers": ("answers", "calls"),
        "system": SYSTEM,
    }
    required = frozenset({"query", "tools", "answers"})

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        values = {target: value_at(row, column) for target, column in mapping.items()}
        absent = next((target for target in values if target in self.required and values[target] is MISSING), None)
        if absent is not None:
            raise InputError("data.row.columns", column=shown(mapping[absent]))
        question = text(values["query"], mapping["query"])
        if blank(question):
            raise InputError("data.row.empty_question")
        answer = {"role": "assistant", "content": "", "tool_calls": calls(values["answers"], 2, notes=notes)}
        system = "" if values.get("system", MISSING) is MISSING else text(values["system"], mapping["system"])
        said = [] if blank(system) else [{"role": "system", "content": system}]
        return {"messages": [*said, {"role": "user", "content": question}, answer], "tools": tools(values["tools"], mapping["tools"])}


class QuestionAnswer(Sides):
    """Questions and answers, by any of the names that English and Italian have for them, also of several answers and of logs."""

    name = "question-answer"
    example: ClassVar[Values] = {"domanda": "Qual è la capitale d'Italia?", "risposta": "Roma."}
    targets: ClassVar[Targets] = {
        "question": (*QUESTION, "inputs", "request", "requestbody", "textinput", "inputtext", "messages", "messaggi"),
        "answer": (*ANSWER, *_ANSWERS, "outputtext", "textoutput", "responsebody"),
        "context": CONTEXT,
        **_BESIDE,
    }
    required = frozenset({"question", "answer"})
    asks = ("question", "context")
    answers = "answer"
    strict = False

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As any format's; a column A beside a column B is an option of several, and no answer."""
        mapping = super().complete(columns, given)
        option = mapping is not None and "answer" not in given and squeezed(mapping["answer"]) == "a"
        return None if option and "b" in map(squeezed, columns) else mapping
