"""Multiple choice: the options are part of the question, the correct one is the answer, with its letter and its text.

Options stand in one column (a list, an object, or the JSON text of one) or in a column each; the answer is a letter, a number or a text.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Format, Targets, with_tools
from tuning.data.formats.tool_calls import TOOLS, parsed
from tuning.data.formats.turns import text
from tuning.data.records import MISSING, Number, Values, blank, given, shown, squeezed, value_at
from tuning.errors import InputError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COLUMNS = LETTERS[:8]  # options that may have a column each
_WHOLE = re.compile(r"\d{1,2}(\.0)?")
_LED = re.compile(r"[(\[]?([A-Za-z0-9])\s*[).:\]-]\s*")  # as in "B) Rome"
_OPTION = re.compile(  # what the column of an option is called, by its letter or its number
    r"(option|opzione|opción|opcion|choice|choix|op|opt|scelta|alternativ[ae]?|answer|risposta|antwort|réponse|reponse|respuesta|sol|ending|wahl)?"
    r"[(\[]?([a-h]|\d)[).:\]]?"
)
_TEXTS = ("text", "testo", "option", "opzione", "content", "value", "answer", "risposta", "texte", "texto")  # keys of an option
_SIGNS = ("label", "letter", "lettera", "key", "sign", "etichetta")
_BETWEEN = ("\n", "|", ";", ",")  # options in one text
_HEADER = 200  # characters of a header that may say what to write there
_ASIDE = re.compile(
    r"\s*(?:\n.*|\s[-–—]\s.*|\((?:optional|opzionale|facoltativ[ao])\))\s*$", re.IGNORECASE | re.DOTALL
)  # in a template's header


class MultipleChoice(Format):
    """A question, several options, and which of them is right."""

    name = "multiple-choice"
    reason = "data.reason.choices"
    example: ClassVar[Values] = {"question": "The capital of Italy?", "choices": ["Milan", "Rome"], "answer": "B"}
    targets: ClassVar[Targets] = {
        "question": (
            "question",
            "domanda",
            "quesito",
            "questionstem",
            "questiontext",
            "testodomanda",
            "testodelladomanda",
            "stem",
            "ctx",
            "prompt",
            "query",
            "instruction",
            "istruzione",
            "richiesta",
            *("frage", "pregunta", "pergunta", "goal", "sentence", "quiz", "quizfrage", "aufgabe", "text", "testo"),
        ),
        "choices": (
            *("choices", "options", "opzioni", "scelte", "alternative", "alternatives", "endings", "candidates"),
            *("optionen", "antworten", "auswahl", "antwortmöglichkeiten", "choix", "propositions", "opciones", "alternativas"),
        ),
        **dict.fromkeys((f"option_{letter.lower()}" for letter in COLUMNS), ()),
        "answer": (
            *(
                "accept",  # as Prodigy has it, where "answer" says whether the row is any good
                "answer",
                "answerkey",
                "answeridx",
                "answerindex",
                "correct",
                "correctanswer",
                "correctoption",
                "correctchoice",
                "correctidx",
            ),
            *("cop", "label", "target", "gold", "key", "solution", "risposta", "corretta", "rispostacorretta", "rispostaesatta"),
            *("opzionecorretta", "sceltacorretta", "esatta", "giusta", "rispostagiusta", "soluzione"),
            *("rightanswer", "rightoption", "right", "correctindex", "answerid", "answerletter", "solutionindex"),
            *(
                "correctanswer(s)",
                "correctanswers",
                "risposta/ecorretta/e",
                "rispostecorrette",
                "richtigeantwort(en)",
            ),  # Kahoot's
            *("richtig", "richtigeantwort", "korrekt", "korrekteantwort", "lösung", "loesung", "antwort"),
            *("bonneréponse", "réponsecorrecte", "correcte", "bonne", "réponse", "reponse"),
            *("respuestacorrecta", "opcióncorrecta", "correcta", "solución", "respuesta"),
        ),
        "context": (
            *("context", "contesto", "passage", "passaggio", "paragraph", "article", "brano", "premise", "kontext", "contexte", "contexto"),
        ),
        "system": ("system", "systemprompt", "sistema"),
        "tools": TOOLS,
    }
    required = frozenset({"question", "answer"})
    first: int | None = None  # what a number says of the first option, where it is known

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As any format's; the options are there as a list, or at least two of them.

        Where no names tell, they may stand before what a template says to do there: `Answer 1 - max 75 characters`, `Answer 3 (Optional)`.
        """
        mapping = self._completed(columns, given)
        bare = {_bare(column): column for column in columns} if mapping is None else {}
        if len(bare) != len(columns) or list(bare) == list(columns):
            return mapping
        mapping = self._completed(list(bare), {target: _bare(column) for target, column in given.items()})
        return None if mapping is None else {target: bare.get(column, column) for target, column in mapping.items()}

    def _completed(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        mapping = super().complete(columns, {**_option_columns(columns, given), **given})
        return mapping if mapping is not None and ("choices" in mapping or {"option_a", "option_b"} <= mapping.keys()) else None

    def seen(self, sample: Sequence[Values], mapping: Mapping[str, str]) -> "Format":
        """The same format, which counts from 0 or from 1 as the numbers of a sample show; a sheet's columns from 1, a list from 0."""
        form = copy.copy(self)
        found = []
        for row in sample:
            try:
                options = _options(row, mapping)
            except InputError:
                continue
            place = _number(value_at(row, mapping["answer"]))
            if place is not None:
                found.append((place, len(options)))
        one = any(place == count for place, count in found) or "choices" not in mapping
        form.first = 0 if any(place == 0 for place, _ in found) else int(one)
        return form

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        values = {target: value_at(row, mapping[target]) for target in ("question", "answer")}
        absent = next((target for target, value in values.items() if value is MISSING), None)
        if absent is not None:
            raise InputError("data.row.columns", column=shown(mapping[absent]))
        options = _options(row, mapping)
        parts = [_text(row, mapping, "question"), _text(row, mapping, "context")]
        if blank(parts[0]):
            raise InputError("data.row.empty_question")
        if not given(values["answer"]):
            raise InputError("data.row.empty_answer")
        right = _right(_by_id(values["answer"], value_at(row, mapping.get("choices", ""))), options, self.first)
        if not right:
            raise InputError("data.row.choices", column=shown(mapping["answer"]))
        offered = [f"{sign}) {said}" for sign, said in options]
        question = "\n\n".join([*(part for part in parts if not blank(part)), "\n".join(offered)])
        system = _text(row, mapping, "system")
        said = [{"role": "system", "content": system}] if not blank(system) else []
        said += [{"role": "user", "content": question}, {"role": "assistant", "content": "\n".join(offered[place] for place in right)}]
        return with_tools(row, mapping, {"messages": said}, notes, strict=False)


class NestedChoice(MultipleChoice):
    """Multiple choice whose question is an object that holds its text and its options (ARC's own files)."""

    by_content = True
    name = "nested-choice"
    example: ClassVar[Values] = {"question": {"stem": "The capital of Italy?", "choices": ["Milan", "Rome"]}, "answerKey": "B"}

    def complete(self, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
        """As any format's; what the question holds is for the row to show."""
        return Format.complete(self, columns, given)

    def seen(self, sample: Sequence[Values], mapping: Mapping[str, str]) -> Format:
        """As of options in a column; the columns are those within the question."""
        inside = next((found for row in sample if (found := _inside(row, mapping)) is not None), mapping)
        return super().seen(sample, inside)

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        inside = _inside(row, mapping)
        if inside is None:
            raise InputError("data.row.type", column=shown(mapping["question"]), found="value")
        held, used = row[mapping["question"]], set(inside.values())
        if notes is not None:
            left = {f"{mapping['question']}.{key}": value for key, value in held.items()}
            notes.leave("key", [name for name, value in left.items() if name not in used and given(value)])
        return super().convert(row, inside, mend, notes)


def _inside(row: Values, mapping: Mapping[str, str]) -> dict[str, str] | None:
    """The mapping with the text and the options of a question as dotted paths; None where it holds none."""
    column = mapping["question"]
    held = row.get(column)
    if not isinstance(held, dict):
        return None
    names = {squeezed(key): key for key in held}
    stem, choices = (
        next((names[name] for name in MultipleChoice.targets[part] if name in names), None) for part in ("question", "choices")
    )
    return None if stem is None or choices is None else {**mapping, "question": f"{column}.{stem}", "choices": f"{column}.{choices}"}


Options = list[tuple[str, str]]  # sign and text


def _bare(column: str) -> str:
    """A header without what a template says to do there."""
    return _ASIDE.sub("", column) if len(column) <= _HEADER else column


def _option_columns(columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """The columns that hold an option each, in the order of their letters or numbers; none where a list of them was mapped by hand."""
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        named = _OPTION.fullmatch(squeezed(column))
        if column not in given.values() and named is not None and (named[1] or not named[2].isdigit()):
            found.setdefault(named[1] or "", {}).setdefault(named[2], column)
    signs = max(found.values(), key=len, default={})
    in_order = [signs[sign] for sign in sorted(signs)]
    if len(in_order) < 2 or not signs.keys() & {"a", "0", "1"} or any(target in given for target in ("choices", "option_a")):
        return {}
    return {f"option_{letter.lower()}": column for letter, column in zip(COLUMNS, in_order, strict=False)}


def _text(row: Values, mapping: Mapping[str, str], target: str) -> str:
    value = value_at(row, mapping[target]) if target in mapping else None
    return "" if value is MISSING else text(value, mapping.get(target, ""))


def _options(row: Values, mapping: Mapping[str, str]) -> Options:
    """The options of a row. Raises InputError `data.row.type` (column) where there are less than two texts."""
    if "choices" in mapping:
        column = mapping["choices"]
        found = _listed(value_at(row, column), column)
    else:
        column = mapping["option_a"]
        targets = [(letter, f"option_{letter.lower()}") for letter in COLUMNS]
        found = [(letter, said) for letter, target in targets if target in mapping and not blank(said := _text(row, mapping, target))]
    if len(found) < 2 or len(found) > len(LETTERS):
        raise InputError("data.row.type", column=shown(column), found="value")
    return found


def _listed(value: Any, column: str) -> Options:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = parsed(value)
        except ValueError:
            return []
    if isinstance(value, str):
        mark = next((mark for mark in _BETWEEN if mark in value.strip()), "\n")
        value = [part.strip() for part in value.strip().split(mark) if not blank(part)]
    signs: Sequence[Any] = LETTERS
    if isinstance(value, list) and (led := _lettered(value)):
        signs, value = led
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        signs, value = value.get("label") or LETTERS, value["text"]
    elif isinstance(value, dict):
        signs, value = list(value), list(value.values())
    elif isinstance(value, list) and all(isinstance(one, dict) and _under(one, _TEXTS) is not None for one in value):
        labels = [_under(one, _SIGNS) for one in value]
        signs = [LETTERS[at % len(LETTERS)] if label is None else label for at, label in enumerate(labels)]
        value = [_under(one, _TEXTS) for one in value]
    if not isinstance(value, list) or not isinstance(signs, str | list) or len(value) > len(signs):
        return []
    return [(str(sign), text(said, column)) for sign, said in zip(signs, value, strict=False)]


def _under(option: Mapping[str, Any], names: Sequence[str]) -> Any:
    """What an option holds under the first of some names; None where it has none of them."""
    return next((held for name in names for key, held in option.items() if squeezed(key) == name and held is not None), None)


def _by_id(answer: Any, options: Any) -> Any:
    """The answer, names of options being their texts where each has an id and its text, as Prodigy has them."""
    if not isinstance(options, list) or not all(isinstance(one, dict) and "id" in one for one in options):
        return answer
    texts = {str(one["id"]): _under(one, _TEXTS) for one in options}
    if isinstance(answer, list):
        return [texts.get(str(one), one) for one in answer]
    return texts.get(str(answer), answer)


def _lettered(options: Sequence[Any]) -> tuple[list[str], list[str]] | None:
    """The letters, and the texts, of options that begin with their letter; None where they do not."""
    led = [_LED.match(one) if isinstance(one, str) else None for one in options]
    signs = "".join(match[1].upper() if match is not None else "?" for match in led)
    if len(signs) < 2 or signs not in (LETTERS[: len(signs)], "123456789"[: len(signs)]):
        return None
    return list(signs), [one[match.end() :] for one, match in zip(options, led, strict=True) if match is not None]


def _right(answer: Any, options: Options, first: int | None) -> list[int]:
    """Which options are meant: one, or several that are named in a list or by their letters; empty where any is none of them."""
    one = None if isinstance(answer, list) else _place(answer, options, first)
    if one is not None:
        return [one]
    several = answer if isinstance(answer, list) else re.split(r"[,;/+&\s]+", answer.strip()) if isinstance(answer, str) else []
    if isinstance(answer, str) and not all(len(word) == 1 for word in several):
        return []
    found = [_place(word, options, first) for word in several]
    return [] if None in found else [place for place in found if place is not None]


def _number(answer: Any) -> int | None:
    word = str(answer).strip() if isinstance(answer, str | int | float) and not isinstance(answer, bool) else ""
    return int(float(word)) if _WHOLE.fullmatch(word) else None


def _place(answer: Any, options: Options, first: int | None) -> int | None:
    """Which option is meant: by its sign, its text, or its number counted from `first`; None where none is."""
    number = _number(answer)
    signs, texts = [_plain(sign) for sign, _ in options], [_plain(said) for _, said in options]
    by_number = None if number is None else number - (first or 0)
    if number is not None and first is None:  # which it is will be known from all of them
        by_number = min(number, len(options) - 1) if number <= len(options) else None
    known = by_number if by_number is not None and 0 <= by_number < len(options) else None
    if isinstance(answer, Number | int | float) and known is not None and not any(sign.isdigit() for sign in signs):
        return known
    if not isinstance(answer, str):
        return known
    word = answer.strip()
    led = _LED.match(word)
    for said, among in ((word.strip("().: "), signs), (word, texts), (led.group(1) if led else "", signs)):
        if said and _plain(said) in among:
            return among.index(_plain(said))
    return known


def _plain(said: str) -> str:
    return " ".join(said.split()).casefold()
