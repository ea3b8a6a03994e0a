"""Several questions and their answers in one row, each in a list of its own (CoQA, QuAC, MT-bench): a conversation about one context.

A list of question-and-answer objects is for `regroup.paragraphs`, turns that name their speakers are for `talks`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Format, Targets, context_of, needed, system_of
from tuning.data.formats.tool_calls import parsed
from tuning.data.formats.turns import ROLE_KEYS, RawMessage, text
from tuning.data.formats.vocabulary import CONTEXT, SYSTEM
from tuning.data.records import Values, blank, given, shown, squeezed
from tuning.errors import InputError

_TEXTS = (
    *("inputtext", "text", "texts", "question", "answer", "content", "value", "response", "reply", "span"),
    *("testo", "testi", "domanda", "risposta", "contenuto"),
)


class Series(Format):
    """A list of questions, a list of as many answers, and what they are about."""

    by_content = True
    name = "series"
    example: ClassVar[Values] = {
        "story": "The shop opens at nine.",
        "questions": ["When does it open?", "And what is it?"],
        "answers": ["At nine.", "A shop."],
    }
    targets: ClassVar[Targets] = {
        "questions": (
            *(
                "questions",
                "question",
                "domande",
                "domanda",
                "prompts",
                "prompt",
                "queries",
                "instructions",
                "turns",
                "turni",
                "istruzioni",
            ),
            *("fragen", "preguntas", "perguntas"),
        ),
        "answers": (
            *("answers", "answer", "risposte", "risposta", "responses", "completions", "outputs", "reference", "references", "replies"),
            *("antworten", "réponses", "respuestas", "respostas"),
        ),
        "context": (*CONTEXT, "storia", "histoire", "geschichte", "historia"),
        "system": SYSTEM,
    }
    required = frozenset({"questions", "answers"})

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        notes = notes or Notes()
        questions, answers = (_texts(needed(row, mapping, target), mapping[target], notes) for target in ("questions", "answers"))
        if len(questions) != len(answers):
            raise InputError("data.row.lengths", column=shown(mapping["questions"]), other=shown(mapping["answers"]))
        context = context_of(row, mapping, "context", notes) if "context" in mapping else ""
        said: list[RawMessage] = system_of(row, mapping, notes)
        for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
            if blank(question) or blank(answer):
                raise InputError("data.row.empty_question" if blank(question) else "data.row.empty_answer")
            asked = f"{question}\n\n{context}" if place == 0 and not blank(context) else question
            said += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        return {"messages": said}


def _texts(value: Any, column: str, notes: Notes) -> list[str]:
    """The texts of a list, of its objects, or of a list within an object; the first where several stand for one.

    Raises InputError `data.row.type` (column), `data.row.empty_question` where it is empty.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = parsed(value)
        except ValueError:
            raise _fault(column) from None
    if isinstance(value, Mapping):
        key = _key(value)
        notes.leave("key", [f"{column}.{name}" for name, held in value.items() if name != key and given(held)])
        value = value.get(key)
    if not isinstance(value, list):
        raise _fault(column)
    if not value:
        raise InputError("data.row.empty_question")
    found = []
    for one in value:
        if isinstance(one, list) and one:
            notes.leave("part", [column] * (len(one) - 1))
            one = one[0]
        if isinstance(one, Mapping):
            key = _key(one)
            if not key or not set(one).isdisjoint(ROLE_KEYS):
                raise _fault(column)
            notes.leave("key", [f"{column}.{name}" for name, held in one.items() if name != key and given(held)])
            one = one[key]
        found.append(text(one, column))
    return found


def _key(value: Mapping[str, Any]) -> str:
    """Under which key an object has its text or its texts; empty where there is none."""
    names = {squeezed(key): key for key in value}
    return next((names[name] for name in _TEXTS if name in names), "")


def _fault(column: str) -> InputError:
    return InputError("data.row.type", column=shown(column), found="list")
