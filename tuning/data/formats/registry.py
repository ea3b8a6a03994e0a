"""The formats of data to learn from: which columns hold what, and which format a file is in.

To add one: a class with its own example row, and its place in `FORMATS`. How a row becomes its normal form is said in `shapes`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tuning.data.formats import exchanges, marks, unfit
from tuning.data.formats.kinds import templated
from tuning.data.formats.kinds.annotations import ArgillaRecord, LabelStudio, TextLabel
from tuning.data.formats.kinds.assistants import ChatGptExport, ClaudeExport, GeminiActivity
from tuning.data.formats.kinds.beside import beside
from tuning.data.formats.kinds.choices import MultipleChoice, NestedChoice
from tuning.data.formats.kinds.meant import MeantPairs
from tuning.data.formats.kinds.pairs import Alpaca, Dolly, FunctionCalling, Kto, Preference, PromptCompletion, QuestionAnswer, RankedAnswers
from tuning.data.formats.kinds.series import Series
from tuning.data.formats.kinds.talks import KtoMessages, Messages, PlainText, ShareGpt
from tuning.data.formats.kinds.tickets import Ticket
from tuning.data.formats.kinds.votes import Votes
from tuning.data.formats.shapes import Format, TurnsShape
from tuning.data.formats.tool_calls import parsed
from tuning.data.formats.turns import CONTENT_KEYS, ROLE_KEYS, WORDS
from tuning.data.records import MISSING, Values, broken, listed, shown, squeezed, value_at
from tuning.errors import InputError
from tuning.schema import Notice

__all__ = ["FORMATS", "WORDS", "ChosenFormat", "Format", "choose", "known", "reads"]

_OF_TABLES = "data"  # where pandas has the rows of a table as lists
_OF_QUESTIONS = frozenset({"questionid", "promptid"})  # columns beside which a list of texts is one of questions (MT-bench)
_CELL = 10  # characters within which a list of turns has its first one
_LEVELS = 2  # of objects within columns that are looked into


FORMATS: tuple[Format, ...] = (
    MultipleChoice(),
    NestedChoice(),
    Preference(),
    Votes(),
    Kto(),
    KtoMessages(),
    ChatGptExport(),
    ClaudeExport(),
    GeminiActivity(),
    Messages(),
    ShareGpt(),
    Alpaca(),
    Dolly(),
    PromptCompletion(),
    FunctionCalling(),
    Series(),
    RankedAnswers(),
    QuestionAnswer(),
    LabelStudio(),
    ArgillaRecord(),
    TextLabel(),
    MeantPairs(),
    Ticket(),
    PlainText(),
)


class ChosenFormat(NamedTuple):
    """The format of a file, the column of each target as the sample has them, and why it was taken."""

    form: Format
    mapping: dict[str, str]
    reason: Notice
    marks: Sequence[str] = ()  # columns that say which rows are not to be learned
    doubtful: Sequence[str] = ()  # and those that may


class _Fit(NamedTuple):
    """How well a format suits a sample."""

    form: Format
    mapping: dict[str, str]
    rows: int  # that become rows of ours


def known(columns: Sequence[str], given: Mapping[str, str]) -> bool:
    """Whether some format has a place for a row with these columns, `given` being the targets mapped by hand.

    A column of plain text that stands alone says nothing: `content` may as well hold a list of rows. Nor do headers that are only meant.
    """
    named = [column for target, column in given.items() if target not in WORDS]
    if any(column not in columns and column.split(".")[0] not in columns for column in named):
        return False
    told = (form for form in _candidates(given) if not (isinstance(form, MeantPairs) or form.by_content))
    forms = [form for form in told if form.complete(columns, given) is not None]
    return any(not isinstance(form, PlainText) or len(columns) > 1 or given for form in forms)


def reads(sample: Sequence[Values], given: Mapping[str, str]) -> bool:
    """Whether some format can use a row of a sample as it is."""
    try:
        return bool(choose(sample, given).reason.params["rows"] != "0")
    except InputError:
        return False


def choose(sample: Sequence[Values], given: Mapping[str, str]) -> ChosenFormat:
    """The format by which most rows of the sample are understood; the earlier in `FORMATS` where two are level.

    Where the names of the columns do not tell, a column that holds lists of turns is found by its content, then a column of
    objects that hold what a format needs. The form of the choice knows what was found so: `form.complete(columns, given)` has it.
    Raises InputError: `data.format` (columns, formats), `data.mapping.target`, `data.mapping.column`, `data.mapping.twice`, and
    those of `unfit.refuse` for data with another purpose.
    """
    columns = _columns(sample)
    _check_given(given, columns, sample)
    if not given:
        unfit.refuse_images(sample, columns)
    fit = _fit(sample, given, _LEVELS)
    if not given and (fit is None or isinstance(fit.form, PlainText | TextLabel | MeantPairs)):
        unfit.refuse(sample, columns, fit.mapping.get("text") if fit is not None else None, "label" in (fit.mapping if fit else ()))
    fit = fit or (None if given else _dialogues(sample, columns))
    if fit is None and not given:
        unfit.refuse_languages(sample, columns)
    fit = fit or _first(sample, given, columns)
    fit = fit._replace(form=fit.form.seen(sample, fit.mapping))
    if not given and isinstance(fit.form, PlainText) and (pair := beside(sample, fit.mapping["text"])) is not None:
        used = sum(_converts(pair, row, pair.complete(list(row), given) or {}) for row in sample)
        fit = _Fit(pair, pair.complete(columns, given) or {}, used)
    taken = {column for target, column in fit.mapping.items() if target not in WORDS}
    sure_or_not = marks.beside(sample, taken, isinstance(fit.form, PlainText | TextLabel))
    said = ", ".join(f"{target} -> {shown(column)}" for target, column in fit.mapping.items())
    params = {"format": fit.form.name, "columns": said, "rows": str(fit.rows), "of": str(len(sample))}
    return ChosenFormat(fit.form, fit.mapping, Notice(code=fit.form.reason, params=params), *sure_or_not)


def _columns(sample: Sequence[Values]) -> list[str]:
    return list(dict.fromkeys(column for row in sample for column in row))


def _candidates(given: Mapping[str, str]) -> Iterable[Format]:
    return (form for form in FORMATS if given.keys() <= form.targets.keys())


def _first(sample: Sequence[Values], given: Mapping[str, str], columns: Sequence[str]) -> _Fit:
    """The first format that has its columns, where no row of the sample can be used: its faults are the ones to tell."""
    for form in _candidates(given):
        mapping = None if form.by_content else form.complete(columns, given)
        if mapping is not None and not (isinstance(form, MeantPairs) and not form.bears_out(sample, mapping, given)):
            unfit.refuse_image_parts(form, mapping, sample)
            return _Fit(form, mapping, 0)
    raise InputError("data.format", columns=listed(columns), formats=", ".join(form.name for form in FORMATS))


def _fit(sample: Sequence[Values], given: Mapping[str, str], levels: int) -> _Fit | None:
    """The format that suits most rows: by the columns, by lists of turns, then by what objects within a column hold."""
    columns = _columns(sample)
    votes: dict[Format, int] = {}
    forms = [form for form in _candidates(given) if _rated(form, form.complete(columns, given), given, sample)]
    shapes: dict[tuple[str, ...], list[tuple[Format, dict[str, str]]]] = {}  # looked up once: rows may be wide
    for row in sample:
        shape = tuple(row)
        if shape not in shapes:
            shapes[shape] = [(form, mapping) for form in forms if (mapping := form.complete(shape, given)) is not None]
        winner = next((form for form, mapping in shapes[shape] if _converts(form, row, mapping)), None)
        if winner is not None:
            votes[winner] = votes.get(winner, 0) + 1
    best = max(votes, key=lambda form: (votes[form], -FORMATS.index(form)), default=None)
    fit = None if best is None else _Fit(best, best.complete(columns, given) or {}, votes[best])
    if fit is not None and not isinstance(fit.form, PlainText):
        return fit
    if not given.keys() <= WORDS:
        return fit
    found = [talk for column in columns if (talk := _talk(sample, column, given)) is not None]
    if not found and fit is None and levels:
        found = [within for column in columns if (within := _within(sample, column, given, levels)) is not None]
        if not all(isinstance(form, PlainText) for form in forms):  # where rows are pairs at fault, the text of one side is not all of them
            found = [fit for fit in found if not isinstance(fit.form, PlainText)]
    return found[0] if len(found) == 1 else fit


def _rated(form: Format, mapping: Mapping[str, str] | None, given: Mapping[str, str], sample: Sequence[Values]) -> bool:
    """Whether a format has its columns, and where it is of ratings, all labels are such: some of a scale from 1 to 5 are none.

    Where headers are only meant, the values must bear them out.
    """
    if mapping is not None and isinstance(form, MeantPairs):
        return form.bears_out(sample, mapping, given)
    if mapping is None or "label" not in form.required or isinstance(form, TextLabel) or "label" in given:
        return mapping is not None
    sure, _ = marks.columns(sample, [mapping["label"]])
    return bool(sure)


def _converts(form: Format, row: Values, mapping: Mapping[str, str]) -> bool:
    try:
        return bool(form.convert(row, mapping))
    except InputError as fault:
        return fault.code == "data.row.unwanted"


def _talk(sample: Sequence[Values], column: str, given: Mapping[str, str]) -> _Fit | None:
    """Conversations in a column whose name does not say so, if most rows hold one there."""
    role_keys = (given["role"],) if "role" in given else ROLE_KEYS
    content_keys = (given["content"],) if "content" in given else CONTENT_KEYS
    held = [turns for row in sample if (turns := _turns(row.get(column)))]
    if 2 * len(held) <= len(sample):
        return None  # most columns are so, and there may be thousands
    if _OF_QUESTIONS & set(map(squeezed, _columns(sample))):
        held = [turns for turns in held if not exchanges.in_turn(turns)]
    talks = [turns[0] for turns in held if _is_talk(turns, squeezed(column), role_keys, content_keys)]
    if 2 * len(talks) <= len(sample):
        return None
    turns_of: TurnsShape = ShareGpt() if isinstance(talks[0], dict) and "from" in talks[0] else Messages()
    form = turns_of.placed({turns_of.turns: column})
    mapping = form.complete(_columns(sample), given) or {}
    rows = sum(_converts(form, row, mapping) for row in sample)
    return _Fit(form, mapping, rows) if rows else None


def _turns(value: Any) -> list[Any]:
    """A list, or what a cell spells as a list of turns; an empty one for anything else."""
    if isinstance(value, str) and value.lstrip()[:1] == "[" and "{" in value[:_CELL]:
        try:
            value = parsed(value)
        except ValueError:
            return []
    return value if isinstance(value, list) else []


def _is_talk(turns: Sequence[Any], column: str, role_keys: Sequence[str], content_keys: Sequence[str]) -> bool:
    """Whether a list is a conversation: by the keys of its first turn, or, where nobody is named, by what the column is called too."""
    first = turns[0]
    if isinstance(first, dict) and not first.keys().isdisjoint(role_keys):
        return not first.keys().isdisjoint(content_keys)
    if column not in exchanges.NAMES:
        return False
    paired = exchanges.asked_and_answered(first) or (isinstance(first, list) and len(first) == 2 and exchanges.in_turn(first))
    return bool(paired and column != _OF_TABLES) or exchanges.in_turn(turns)


def _dialogues(sample: Sequence[Values], columns: Sequence[str]) -> _Fit | None:
    """The one column of texts in which most rows hold a dialogue, whatever it is called."""
    found = [column for column in columns if 2 * sum(templated.turns(row.get(column)) is not None for row in sample) > len(sample)]
    if len(found) != 1:
        return None
    form = templated.Templated().placed({"text": found[0]})
    rows = sum(_converts(form, row, {"text": found[0]}) for row in sample)
    return _Fit(form, {"text": found[0]}, rows) if rows else None


def _within(sample: Sequence[Values], column: str, given: Mapping[str, str], levels: int) -> _Fit | None:
    """What the objects hold that most rows have in a column, its names as dotted paths."""
    held = [row[column] for row in sample if isinstance(row.get(column), dict) and row[column]]
    if 2 * len(held) <= len(sample):
        return None
    fit = _fit(held, given, levels - 1)
    if fit is None:
        return None
    path = {target: name if target in WORDS else f"{column}.{name}" for target, name in fit.mapping.items()}
    return _Fit(fit.form.placed(path), path, fit.rows)


def _check_given(given: Mapping[str, str], columns: Sequence[str], sample: Sequence[Values]) -> None:
    targets = list(dict.fromkeys(target for form in FORMATS for target in form.targets))
    named = [column for target, column in given.items() if target not in WORDS]
    for target, column in given.items():
        if target not in targets:
            raise InputError("data.mapping.target", target=shown(target), targets=", ".join(targets))
        if target in WORDS:
            continue
        if broken(column) or not any(value_at(row, column) is not MISSING for row in sample):
            raise InputError("data.mapping.column", column=shown(column), columns=listed(columns))
        if named.count(column) > 1:
            raise InputError("data.mapping.twice", column=shown(column))
