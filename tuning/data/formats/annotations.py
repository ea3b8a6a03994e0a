"""Answers as Label Studio and doccano export them (Argilla's: `shapes.submitted`): the first that was handed in is the answer.

Other answers to the same text, and who gave them, are noted as not used.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tuning.data.formats.earlier import HISTORY
from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import PairShape, Targets
from tuning.data.formats.tool_calls import TOOLS
from tuning.data.formats.vocabulary import LABEL, SYSTEM, TEXT
from tuning.data.records import Values, given, shown, squeezed, value_at
from tuning.errors import InputError

_TEXTS = ("text", "testo", "question", "domanda", "prompt", "instruction", "input", "query", "title")
_RESULT = frozenset({"value", "from_name", "to_name", "type"})


class TextLabel(PairShape):
    """Texts with a label each, as doccano has them: the label is the answer, the first where there are several."""

    name = "text-label"
    example: ClassVar[Values] = {"text": "Che bel film!", "label": ["positivo"]}
    targets: ClassVar[Targets] = {
        "text": TEXT,
        "label": LABEL,
        "context": ("context", "contesto"),
        "system": SYSTEM,
        "history": HISTORY,
        "tools": TOOLS,
    }
    required = frozenset({"text", "label"})
    reason = "data.reason.label"
    asks = ("text", "context")
    answers = "label"

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As any format's; a text that was mapped by hand, and no label, is a text."""
        return None if "text" in given and "label" not in given else super().complete(columns, given)

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        said = label(value_at(row, mapping["label"]), mapping["label"], notes)
        flat = {**row, mapping["label"]: said} if mapping["label"] in row else row
        return super().convert(flat, mapping, mend, notes)


class LabelStudio(PairShape):
    """Tasks of Label Studio: a text of their data, and what was written or chosen for it first."""

    name = "label-studio"
    example: ClassVar[Values] = {
        "data": {"text": "The capital of Italy?"},
        "annotations": [{"result": [{"from_name": "answer", "to_name": "text", "type": "textarea", "value": {"text": ["Rome."]}}]}],
    }
    targets: ClassVar[Targets] = {"data": ("data",), "annotations": ("annotations", "completions")}
    required = frozenset({"data", "annotations"})
    asks = ("data", "context")
    answers = "annotations"

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        columns = mapping["data"], mapping["annotations"]
        question, answer = studio(task_of(row, *columns), columns, notes or Notes())
        return super().convert({question: value_at(row, question), columns[1]: answer}, {"data": question, "annotations": columns[1]})


def label(value: Any, column: str, notes: Notes | None = None) -> Any:
    """What a label says: its text, or the first of several as doccano has them; a truth as JSON spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and value and all(one.__class__ is str for one in value):
        if notes is not None:
            notes.leave("part", [column] * (len(value) - 1))
        return value[0]
    return value


def studio(task: Mapping[str, Any], columns: tuple[str, str], notes: Notes) -> tuple[str, Any]:
    """Question and answer of a task of Label Studio's. `columns` are those of its data and its annotations.

    Raises InputError `data.row.type` (column) where they are none.
    """
    data, annotations = task["data"], task["annotations"]
    if not isinstance(data, dict) or not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise InputError("data.row.type", column=shown(columns[1]), found="value")
    done = [one for one in annotations if not one.get("was_cancelled")]
    chosen = next((one for one in done if one.get("ground_truth")), done[0] if done else {})
    results = [one for one in chosen.get("result") or [] if isinstance(one, dict)]
    result = next((one for one in results if _says(one) is not None), {})
    for one in annotations:
        if one is not chosen:
            notes.leave("part", [columns[1]])
    notes.leave("part", [f"{columns[1]}.{one.get('from_name', 'result')}" for one in results if one is not result])
    _leave_values(result, columns[1], notes)
    known = ("result", "was_cancelled", "ground_truth")
    notes.leave("key", [f"{columns[1]}.{key}" for key, held in chosen.items() if key not in known and given(held)])
    name = _asked(data, str(result.get("to_name", "")))
    notes.leave("column", [f"{columns[0]}.{key}" for key, held in data.items() if key != name and given(held)])
    return f"{columns[0]}.{name}", _says(result)


def _leave_values(result: Mapping[str, Any], column: str, notes: Notes) -> None:
    """Notes what a result holds beside the answer."""
    value = result.get("value") or {}
    kind = next((key for key in ("text", "choices") if key in value), "")
    texts = value.get(kind)
    notes.leave("part", [f"{column}.{kind}"] * (len(texts) - 1 if isinstance(texts, list) else 0))
    notes.leave("key", [f"{column}.value.{key}" for key, held in value.items() if key != kind and given(held)])
    notes.leave("key", [f"{column}.{key}" for key, held in result.items() if key not in _RESULT and given(held)])


def _says(result: Mapping[str, Any]) -> str | None:
    """The text that was written, or the choice that was taken; a mark over a stretch of text is no answer."""
    value = result.get("value")
    if not isinstance(value, dict) or "start" in value:
        return None
    texts = value.get("text", value.get("choices"))
    if isinstance(texts, list) and texts:
        texts = texts[0]
    return texts if isinstance(texts, str) else None


def _asked(data: Mapping[str, Any], name: str) -> str:
    """The field of a task that was answered: the one of that name, the usual ones, the only one that is a text."""
    if isinstance(data.get(name), str):
        return name
    texts = [key for key, value in data.items() if isinstance(value, str)]
    usual = next((key for word in _TEXTS for key in texts if squeezed(key) == word), None)
    if usual is None and len(texts) != 1:
        raise InputError("data.row.columns", column="data")
    return usual or texts[0]


def task_of(row: Values, data: str, annotations: str) -> dict[str, Any]:
    """A task by its two columns. Raises InputError `data.row.columns` (column) where one is missing."""
    for column in (data, annotations):
        if column not in row:
            raise InputError("data.row.columns", column=shown(column))
    return {"data": row[data], "annotations": row[annotations]}
