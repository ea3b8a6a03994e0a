"""Rows of a question and an answer, by the names that each format has for them. Conversations are in `talks`."""

import copy
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

_ANSWERS = (  # of several annotators or models, or in a log
    *(
        "answers",
        "risposte",
        "expectedoutput",
        "outputs",
        "responses",
        "completions",
        "generations",
        "candidates",
        "antworten",
        "respuestas",
    ),
)
_BEST = (  # what an answer is called that has others beside it
    *("bestanswer", "bestresponse", "correctanswer", "rightanswer", "goldanswer", "correctanswers", "correctresponse", "goldenanswer"),
    *("migliorerisposta", "rispostamigliore", "rispostacorretta", "rispostaesatta", "rispostagiusta", "rispostecorrette"),
    *("besteantwort", "richtigeantwort", "bonneréponse", "meilleureréponse", "respuestacorrecta", "mejorrespuesta"),
)
_SCORES = (  # of an answer: the most is the best
    *("overallscore", "score", "rating", "overallrating", "points", "votes", "upvotes", "pmscore", "reward", "likes", "quality"),
    *("punteggio", "voto", "voti", "valutazione", "bewertung", "punkte", "puntuación", "votos"),
)
_RANKS = ("rank", "ranking", "rango", "posizione", "posto")  # the least is the best


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
        "query": QUESTION,
        "tools": TOOLS,
        "answers": (
            *("answers", "calls", "toolcalls", "functioncalls", "functioncall", "toolcall", "expectedcalls"),
            *("risposte", "chiamate", "antworten", "aufrufe", "respuestas", "llamadas", "réponses", "appels"),
        ),
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
        "question": (*QUESTION, "inputspretokenized", "inputs", "request", "requestbody", "textinput", "inputtext", "messages", "messaggi"),
        "answer": (*ANSWER, *_ANSWERS, "outputtext", "textoutput", "responsebody", *_BEST, "targetspretokenized", "targets"),
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


class RankedAnswers(QuestionAnswer):
    """A question and several answers, each with its score or its rank: the best one is learned, the first of those that are level."""

    by_content = True
    name = "ranked-answers"
    example: ClassVar[Values] = {
        "instruction": "Name a river in Italy.",
        "completions": [{"response": "The Rhine.", "overall_score": 2}, {"response": "The Po.", "overall_score": 9}],
    }
    targets: ClassVar[Targets] = {**QuestionAnswer.targets, "answer": (*_ANSWERS, *ANSWER)}
    reason = "data.reason.ranked"
    known = False  # whether it is known that most rows have such

    def seen(self, sample: Sequence[Values], mapping: Mapping[str, str]) -> Format:
        """The same format, which takes the first of answers without a score."""
        form = copy.copy(self)
        form.known = True
        return form

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        column = mapping["answer"]
        held = value_at(row, column)
        ranked = _ranked(held)
        if ranked is None and not self.known:
            raise InputError("data.row.type", column=shown(column), found="list")
        return super().convert(row if ranked is None else {**row, column: ranked}, mapping, mend, notes)


def _ranked(value: Any) -> list[dict[str, Any]] | None:
    """Several answers, the best first and without their scores, from a list of objects or an object of lists; None where they have none."""
    if isinstance(value, Mapping) and value and all(isinstance(held, list) for held in value.values()):
        lengths = {len(held) for held in value.values()}
        value = [dict(zip(value, held, strict=True)) for held in zip(*value.values(), strict=True)] if len(lengths) == 1 else None
    if not isinstance(value, list) or not value or not all(isinstance(one, Mapping) for one in value):
        return None
    scores = [_score(one) for one in value]
    if any(score is None for score in scores):
        return None
    order = sorted(range(len(value)), key=lambda place: -(scores[place] or (0.0, ""))[0])
    return [{key: held for key, held in value[place].items() if key != (scores[place] or (0.0, ""))[1]} for place in order]


def _score(answer: Mapping[str, Any]) -> tuple[float, str] | None:
    """How good an answer is, and the key that says so."""
    names = {squeezed(key): key for key in answer}
    for known, sign in ((_SCORES, 1), (_RANKS, -1)):
        key = next((names[name] for name in known if name in names), None)
        if key is None:
            continue
        try:
            return sign * float(str(answer[key])), key
        except ValueError:
            continue
    return None
