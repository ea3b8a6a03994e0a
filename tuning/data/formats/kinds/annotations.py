"""Answers as Label Studio, doccano and Argilla export them (its columns: `shapes.submitted`): the first handed in is the answer.

Other answers to the same text, and who gave them, are noted as not used.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tuning.data.formats.earlier import HISTORY
from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import PairShape, Targets, submitted
from tuning.data.formats.tool_calls import TOOLS
from tuning.data.formats.vocabulary import CONTEXT, LABEL, SYSTEM, TEXT
from tuning.data.records import Values, given, shown, squeezed, value_at
from tuning.errors import InputError

_TEXTS = ("text", "testo", "question", "domanda", "prompt", "instruction", "input", "query", "title")
_RESULT = frozenset({"value", "from_name", "to_name", "type"})


class TextLabel(PairShape):
    """Texts with a label each, as doccano has them: the label is the answer, the first where there are several."""

    name = "text-label"
    example: ClassVar[Values] = {"text": "Che bel film!", "label": ["positivo"]}
    targets: ClassVar[Targets] = {
        "text": (*TEXT, "question", "domanda", "frage", "pregunta", "sentence", "frase", "satz", "phrase", "review", "recensione", "tweet"),
        "label": LABEL,
        "context": ("context", "contesto", "passage", "brano", "paragraph", "kontext", "contexte", "contexto"),
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
        return super().convert(*studio(row, columns, notes or Notes()))


class ArgillaRecord(PairShape):
    """Records of Argilla: a text of their fields, and the first response to it."""

    name = "argilla"
    example: ClassVar[Values] = {"fields": {"instruction": "The capital of Italy?"}, "responses": {"answer": [{"value": "Rome."}]}}
    targets: ClassVar[Targets] = {"fields": ("fields",), "responses": ("responses",)}
    required = frozenset({"fields", "responses"})
    asks = ("fields", "context")
    answers = "responses"

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        notes = notes or Notes()
        fields, column = mapping["fields"], mapping["responses"]
        found = {key: submitted(held, f"{column}.{key}", notes) for key, held in _responses(value_at(row, column), column, notes).items()}
        answered = next((key for key, held in found.items() if isinstance(held, str) and given(held)), "")
        notes.leave("part", [f"{column}.{key}" for key, held in found.items() if key != answered and given(held)])
        asked = _fields(value_at(row, fields), "", fields, notes)
        return super().convert(*_pair(row, asked, ("fields", "responses"), column, found.get(answered)))


def label(value: Any, column: str, notes: Notes | None = None) -> Any:
    """What a label says: its text, or the first of several as doccano has them; a truth as JSON spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and value and all(one.__class__ is str for one in value):
        if notes is not None:
            notes.leave("part", [column] * (len(value) - 1))
        return value[0]
    return value


_Flat = tuple[dict[str, Any], dict[str, str]]  # a row of a pair, and the column of each target


def studio(row: Values, columns: tuple[str, str], notes: Notes) -> _Flat:
    """A task of Label Studio's as a pair. `columns` are those of its data and its annotations.

    Raises InputError `data.row.type`, `data.row.columns` (column) where they are none.
    """
    annotations = value_at(row, columns[1])
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise InputError("data.row.type", column=shown(columns[1]), found="value")
    done = [one for one in annotations if not one.get("was_cancelled")]
    chosen = next((one for one in done if one.get("ground_truth")), done[0] if done else {})
    held = chosen.get("result")
    results = [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
    result = next((one for one in results if _says(one) is not None), {})
    for one in annotations:
        if one is not chosen:
            notes.leave("part", [columns[1]])
    notes.leave("part", [f"{columns[1]}.{one.get('from_name', 'result')}" for one in results if one is not result])
    _leave_values(result, columns[1], notes)
    known = ("result", "was_cancelled", "ground_truth")
    notes.leave("key", [f"{columns[1]}.{key}" for key, held in chosen.items() if key not in known and given(held)])
    asked = _fields(value_at(row, columns[0]), str(result.get("to_name", "")), columns[0], notes)
    return _pair(row, asked, ("data", "annotations"), columns[1], _says(result))


def _pair(row: Values, asked: tuple[str, str | None], targets: tuple[str, str], column: str, answer: Any) -> _Flat:
    """A question, maybe its context, and an answer, in columns of their own."""
    mapping = {targets[0]: asked[0], targets[1]: column}
    flat = {asked[0]: value_at(row, asked[0]), column: answer}
    if asked[1] is not None:
        mapping["context"], flat[asked[1]] = asked[1], value_at(row, asked[1])
    return flat, mapping


def _responses(value: Any, column: str, notes: Notes) -> dict[str, Any]:
    """The answers to each question of a record of Argilla's: lists by question, or records by annotator as its older export has them."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(one, dict) and isinstance(one.get("values"), dict) for one in value):
        raise InputError("data.row.type", column=shown(column), found="value")
    found: dict[str, Any] = {}
    for one in value:
        notes.leave("key", [f"{column}.{key}" for key, held in one.items() if key not in ("values", "status") and given(held)])
        for key, held in one["values"].items():
            said = held.get("value") if isinstance(held, dict) else held
            found.setdefault(key, []).append({"value": said, "status": one.get("status")})
    return found


def _fields(data: Any, name: str, column: str, notes: Notes) -> tuple[str, str | None]:
    """The columns of the question and its context among the fields of a task; the others are noted.

    Raises InputError `data.row.type` (column) where they are none.
    """
    if not isinstance(data, dict):
        raise InputError("data.row.type", column=shown(column), found="value")
    asked = _asked(data, name)
    context = next((key for word in CONTEXT for key in data if squeezed(key) == word and key != asked and isinstance(data[key], str)), None)
    notes.leave("column", [f"{column}.{key}" for key, held in data.items() if key not in (asked, context) and given(held)])
    return f"{column}.{asked}", None if context is None else f"{column}.{context}"


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
