"""What is worth knowing about data before training on them: every row is looked at in passing, a sample of them closely.

Findings are notices `data.check.*`. Nothing is changed here (`repairs` does, when asked), and no tokens are counted.
"""

import re
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuning.data.checks import leftovers, personal
from tuning.data.checks.alike import EXAMPLES, Alike, short
from tuning.data.checks.near_duplicates import MOST, Near
from tuning.data.formats.content import KnownQuestions, Said, around, broken_letters, fold, mended, question_key, said, spoken, suspicious
from tuning.data.readers.languages import language
from tuning.data.records import listed, shown
from tuning.schema import Notice

LONG = 8000  # characters: about 2,000 tokens of English at 4 characters each, more than the recipes' max_length
CONSTANT = 0.5  # share of rows with the same answer, above which a model learns to say just that
FEWEST = 4  # rows below which the same answer says nothing
FEW, MANY = 10, 50  # at most this many different answers in at least so many rows: classes rather than answers
BRIEF, BRIEF_SHARE = 15, 0.5  # characters of a very short answer, and the share of them above which that is the style learned
SAMPLED = 5000  # rows looked at closely where not all of them can be: their share of the faults is known to a percent
SEVERAL, LETTERS = 2, 0.05  # rows, and their share, from which a sign that may be meant is told
SECOND = 0.05  # share from which a second language is said
NOTHING = leftovers.EMPTY | leftovers.ERRORS | {"-", "--", "---", "–", "—", ".", "...", "…", "?", "??"}

_SECOND_ROWS = 3  # and at least so many rows
_SHAPES = 1000  # different sets of columns remembered
_HELD = 32 * 2**20  # bytes of text held for the close look
_FULL = 2**32
_STRIDE = 2_654_435_761  # 2^32 by the golden ratio: its multiples fall evenly, and into step with no pattern in the rows
_KINDS = {  # of refusal, by the code without `data.row.`; any other is a row that could not be read
    **{kind: kind for kind in ("empty_question", "empty_answer", "empty_text", "formula", "unwanted", "tie")},
    **{kind: kind for kind in ("role", "roles", "type", "columns", "tools")},
    **{"part": "type", "ragged": "columns", "call": "tools", "speaker": "role"},
    **{"question_kind": "unread", "picture": "unread"},
}

_ASKS = ("?", "？", "؟")
_SWAPPED = 0.8  # share of the answers that ask, where as large a share of the questions do not
_TOTAL = re.compile(r"(?:(?:grand|sub)[ -]?)?tota(?:l|le|li|ls|ux)(?: [^\W\d_]{3,12})?|summe|gesamt(?:summe)?|somma", re.IGNORECASE)
_FIGURE = re.compile(r"[-+]?[€$£]?\s?\d[\d.,' ]*\s?[€$£%]?")

_Integers = npt.NDArray[np.int64]


class Findings:
    """Fed with the rows of one file in order; `finish` says what was found.

    About 130 MB for a million rows. Held-out rows have Findings of their own, made with `held_out`, whose `contents()` are
    `known` to those of the rows to learn from.
    """

    def __init__(self, known: KnownQuestions | None = None, held_out: bool = False) -> None:
        self.characters = 0  # of all that the rows say
        self._known = known
        self._folds = held_out or known is not None
        self._numbers, self._contents, self._questions, self._answers = array("q"), array("q"), array("q"), array("q")
        self._keys = array("q")
        self._refused: dict[str, Alike] = {}
        self._shapes: dict[Sequence[str] | None, Alike] = {}
        self._held: list[tuple[int, Said, Said]] = []  # row number, texts, those spoken by turns
        self._held_bytes = 0
        self._bar = _FULL
        self._brief = self._asking = self._asked = 0  # rows with a very short answer; whose answer, or last question, is one
        self._long, self._nothing, self._echo, self._lost = Alike(), Alike(), Alike(), Alike()
        self._mojibake, self._emails, self._leak, self._marked, self._unnamed = Alike(), Alike(), Alike(), Alike(), Alike()
        self._html, self._unfilled, self._no_value, self._signs = Alike(), Alike(), Alike(), Alike()
        self._control, self._escape, self._letter, self._total = Alike(), Alike(), Alike(), Alike()
        self._doubtful: dict[str, Alike] = {}
        self._several: dict[str, Alike] = {}
        self._printed: dict[str, Alike] = {}

    def add(self, row: Mapping[str, Any], shape: Sequence[str] | None = None) -> None:
        """One row that is kept, in normal form; `shape` are its columns in the file, hashable."""
        texts = said(row)
        number = row["row"]
        self._numbers.append(number)
        self._contents.append(hash(texts))
        whole = "\n".join(texts)
        self.characters += len(whole) + 1 - len(texts)
        if len(texts) > 1:
            answer = texts[-1]
            self._asking += answer.rstrip().endswith(_ASKS)
            self._asked += texts[-2].rstrip().endswith(_ASKS)
            self._questions.append(hash(texts[:-1]))
            self._answers.append(hash(answer))
            if len(answer) <= BRIEF:
                self._short(number, texts)
            elif abs(len(answer) - len(texts[-2])) < 8 and fold(answer) == fold(texts[-2]):
                self._echo.note(number, answer)
        if len(whole) > LONG:
            self._long.note(number)
        if "@" in whole:
            self._addresses(number, whole)
        self._leftovers(number, texts, whole)
        if not whole.isascii() and suspicious(whole):
            self._letters(number, texts)
        rows = self._shapes.get(shape)
        if rows is not None and rows.count >= EXAMPLES:
            rows.count += 1
        else:
            self._shape(number, shape)
        if self._folds:
            self._key(number, texts)
        if number * _STRIDE % _FULL < self._bar:
            self._held.append((number, texts, spoken(row, texts)))
            self._held_bytes += sum(map(sys.getsizeof, texts))
            self._thin()

    def refuse(self, row: int, code: str, mendable: bool = False) -> None:
        """One row that is refused, by the code of its fault; `mendable` where the repair `roles` would save it."""
        kind = _KINDS.get(code.removeprefix("data.row."), "broken")
        rows = self._refused.setdefault(kind, Alike())
        rows.note(row)
        rows.mendable += mendable

    def mark(self, row: int, answers: int) -> None:
        """One row that is kept, of which so many answers are marked as not to be learned."""
        self._marked.note(row)
        self._marked.count += answers - 1

    def unnamed(self, row: int) -> None:
        """One row that is kept, of whose turns only the order tells who speaks."""
        self._unnamed.note(row)

    def no_value(self, row: int, example: str) -> None:
        """One row that is kept, of which a cell holds a word that stands for nothing."""
        self._no_value.note(row, example)

    def doubt(self, row: int, column: str) -> None:
        """One row that is kept, though a column may say not to learn it."""
        self._doubtful.setdefault(column, Alike()).note(row)

    def several(self, row: int, column: str) -> None:
        """One row that is kept, of whose answers in a column the first alone is learned, though they may be parts of one."""
        self._several.setdefault(column, Alike()).note(row)

    def printed(self, row: int, column: str) -> None:
        """One row that is kept, whose answer in a column is a list written as text."""
        self._printed.setdefault(column, Alike()).note(row)

    def merge(self, other: "Findings") -> None:
        """Take in what was found in the rows that follow, by another process that was forked from this one's."""
        for name in ("_numbers", "_contents", "_questions", "_answers", "_keys"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("_long", "_nothing", "_echo", "_lost", "_mojibake", "_emails", "_leak", "_marked", "_unnamed"):
            getattr(self, name).merge(getattr(other, name))
        for name in ("_html", "_unfilled", "_no_value", "_signs", "_control", "_escape", "_letter", "_total"):
            getattr(self, name).merge(getattr(other, name))
        for name in ("_refused", "_shapes", "_doubtful", "_several", "_printed"):
            for key, rows in getattr(other, name).items():
                getattr(self, name).setdefault(key, Alike()).merge(rows)
        self.characters += other.characters
        for name in ("_brief", "_asking", "_asked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._bar = min(self._bar, other._bar)
        self._held = [held for held in (*self._held, *other._held) if held[0] * _STRIDE % _FULL < self._bar]
        self._held_bytes = sum(sys.getsizeof(text) for held in self._held for text in held[1])
        self._thin()

    def contents(self) -> KnownQuestions:
        """The questions of these rows, where they were said to be held out."""
        return KnownQuestions(self._keys)

    def finish(self) -> list[Notice]:
        """All findings. Asked once, after the last row; the close look at up to 20,000 rows takes some seconds.

        Nothing of the rows is held any more afterwards, but for `contents()`.
        """
        alike = [*self._repeats(), *self._same_answers()]
        del self._questions, self._answers, self._contents
        closely = self._closely()
        self._held.clear()
        return [
            *self._refusals(),
            *self._marked.notice("data.check.marked", "info"),
            *self._unnamed.notice("data.check.unnamed"),
            *(
                notice
                for column, rows in self._doubtful.items()
                for notice in rows.notice("data.check.doubtful", column=shown(column), repair="ratings")
            ),
            *(notice for column, rows in self._several.items() for notice in rows.notice("data.check.several", column=shown(column))),
            *(notice for column, rows in self._printed.items() for notice in rows.notice("data.check.printed", column=shown(column))),
            *self._leak.notice("data.check.leak", repair="leak"),
            *alike,
            *closely,
            *self._nothing.notice("data.check.nothing"),
            *self._total.notice("data.check.total"),
            *self._echo.notice("data.check.echo"),
            *self._mojibake.notice("data.check.mojibake", repair="encoding"),
            *self._lost.notice("data.check.lost"),
            *self._control.notice("data.check.control", repair="control"),
            *(self._escape.notice("data.check.escape", repair="escape") if self._escape.count >= SEVERAL else ()),
            *(self._letter.notice("data.check.letter") if self._letter.count >= max(SEVERAL, LETTERS * len(self._numbers)) else ()),
            *self._html.notice("data.check.html", repair="html"),
            *self._unfilled.notice("data.check.unfilled", repair="unfilled" if self._unfilled.count < len(self._numbers) else None),
            *self._signs.notice("data.check.signs"),
            *self._no_value.notice("data.check.no_value", repair="no_value"),
            *self._emails.notice("data.check.personal.email"),
            *self._columns(),
            *self._long.notice("data.check.long", "info", limit=LONG),
        ]

    def _key(self, row: int, texts: Said) -> None:
        key = question_key(texts)
        if self._known is None:
            self._keys.append(key)
        elif key in self._known:
            self._leak.note(row, texts[-2:][0])

    def _short(self, row: int, texts: Said) -> None:
        answer = texts[-1].strip()
        self._brief += 1
        if answer.casefold() in NOTHING:
            self._nothing.note(row, answer)
        elif fold(answer) == fold(texts[-2]):
            self._echo.note(row, answer)
        elif _FIGURE.fullmatch(answer) and _TOTAL.fullmatch(texts[-2].strip(" :\t")):
            self._total.note(row, texts[-2])

    def _addresses(self, row: int, whole: str) -> None:
        masked = next(personal.emails(whole), None)
        if masked is not None:
            self._emails.note(row, masked)

    def _leftovers(self, row: int, texts: Said, whole: str) -> None:
        """What other programs have left, one look a kind."""
        looks: list[tuple[Alike, Callable[[str], str | None]]] = []
        if "?" in whole and leftovers.asked(whole):
            looks.append((self._letter, leftovers.letter))
        if "\\n" in whole:
            looks.append((self._escape, leftovers.escape))
        if not all(map(str.isprintable, texts)):
            looks.append((self._control, leftovers.control))
        if "&" in whole or "<" in whole:
            looks.append((self._html, leftovers.markup))
        if "<" in whole or "[/INST]" in whole:
            looks.append((self._signs, leftovers.signs))
        if "{{" in whole or "[" in whole:
            looks.append((self._unfilled, leftovers.unfilled))
        for rows, look in looks:
            example = next(filter(None, map(look, texts)), None)
            if example is not None:
                rows.note(row, example)

    def _letters(self, row: int, texts: Said) -> None:
        """Whether letters are damaged, and whether that can be undone."""
        for text in texts:
            if mended(text) is not None:
                self._mojibake.note(row, around(text))
                return
        damaged = next((text for text in texts if broken_letters(text)), None)
        if damaged is not None:
            self._lost.note(row, around(damaged))

    def _shape(self, row: int, shape: Sequence[str] | None) -> None:
        rows = self._shapes.get(shape)
        if rows is None:
            if len(self._shapes) >= _SHAPES:
                return
            rows = self._shapes[shape] = Alike()
        rows.note(row)

    def _thin(self, most: int = MOST) -> None:
        """Where too much is kept for the close look, half of it goes, spread evenly."""
        while len(self._held) > 1 and (len(self._held) > most or self._held_bytes > _HELD):
            self._bar //= 2
            self._held = [held for held in self._held if held[0] * _STRIDE % _FULL < self._bar]
            self._held_bytes = sum(sys.getsizeof(text) for held in self._held for text in held[1])

    def _refusals(self) -> list[Notice]:
        found = []
        for kind, rows in sorted(self._refused.items()):
            repair = "roles" if rows.mendable else None
            found += rows.notice(f"data.check.refused.{kind}", mendable=rows.mendable, repair=repair)
        return found

    def _repeats(self) -> list[Notice]:
        """Rows that say what an earlier one says, and questions that have several answers."""
        if not self._contents:
            return []
        contents = np.frombuffer(self._contents, dtype=np.int64)
        first = np.unique(contents, return_index=True)[1]
        again = np.ones(len(contents), dtype=bool)
        again[first] = False
        found = self._at(np.flatnonzero(again)).notice("data.check.duplicates", repair="duplicates")
        if len(self._questions) == len(contents):
            questions = np.frombuffer(self._questions, dtype=np.int64)[first]
            _, group, counts = np.unique(questions, return_inverse=True, return_counts=True)
            found += self._at(np.sort(first[counts[group] > 1])).notice("data.check.contradictions", "info")
        return found

    def _at(self, places: _Integers) -> Alike:
        """Rows by their places; the example is the question of the first, where it is held."""
        rows = Alike(len(places), [self._numbers[place] for place in places[:EXAMPLES]])
        text = next((turns[-2:][0] for number, _, turns in self._held if len(places) and number == self._numbers[places[0]]), "")
        rows.example = short(text)
        return rows

    def _same_answers(self) -> list[Notice]:
        total = len(self._answers)
        if total < FEWEST:
            return []
        answers, counts = np.unique(np.frombuffer(self._answers, dtype=np.int64), return_counts=True)
        most = int(counts.argmax())
        found = self._swapped(total)
        if counts[most] > CONSTANT * total:
            answer = next((held[1][-1] for held in self._held if hash(held[1][-1]) == answers[most]), "")
            params = {"count": int(counts[most]), "percent": round(100 * int(counts[most]) / total), "answer": shown(answer, 60)}
            found.append(Notice(code="data.check.constant", level="warning", params=params))
        if 1 < len(answers) <= FEW and total >= MANY:
            found.append(Notice(code="data.check.few", level="info", params={"count": len(answers), "total": total}))
        if found:
            return found
        if self._brief > BRIEF_SHARE * total:
            params = {"count": self._brief, "percent": round(100 * self._brief / total), "limit": BRIEF}
            return [Notice(code="data.check.short", level="info", params=params)]
        return []

    def _swapped(self, total: int) -> list[Notice]:
        """That the answers are the questions, where they ask and the questions do not."""
        if self._asking < _SWAPPED * total or self._asked > (1 - _SWAPPED) * total:
            return []
        return [Notice(code="data.check.swapped", level="warning", params={"count": self._asking, "total": total})]

    def _columns(self) -> list[Notice]:
        """Rows that have other columns than most. The order of columns does not count."""
        sets: dict[frozenset[str], list[Alike]] = {}
        for shape, rows in self._shapes.items():
            sets.setdefault(frozenset(shape or ()), []).append(rows)
        if len(sets) < 2:
            return []
        usual = max(sets, key=lambda columns: sum(rows.count for rows in sets[columns]))
        others = [rows for columns, alike in sets.items() if columns != usual for rows in alike]
        odd = Alike(sum(rows.count for rows in others), sorted(number for rows in others for number in rows.first)[:EXAMPLES])
        return odd.notice("data.check.columns", "info", columns=listed(sorted(usual)))

    def _closely(self) -> list[Notice]:
        """What takes longer: near repeats, languages, and personal data but for e-mail addresses."""
        if len(self._held) < len(self._numbers):
            self._thin(SAMPLED)
        sampled = len(self._held) if len(self._held) < len(self._numbers) else None
        near, alike, like = Near(), Alike(), Alike()
        seen: set[int] = set()
        kinds = {kind: Alike() for kind in personal.KINDS if kind != "email"}
        languages: dict[str, Alike] = {}
        for number, texts, turns in self._held:
            masked = dict(reversed([found for text in texts for found in personal.find(text)]))
            for kind in kinds.keys() & masked:
                kinds[kind].note(number, masked[kind])
            name = language(texts[-1])
            if name is not None:
                languages.setdefault(name, Alike()).note(number, texts[-1])
            content = hash(texts)
            if content in seen:
                continue
            seen.add(content)
            other = near.add(number, turns)
            if other is not None:
                alike.note(number, turns[-2:][0])
                like.note(other)
        return [
            *alike.notice(
                "data.check.near_duplicates",
                like=", ".join(map(str, like.first)) + (", …" if like.count > EXAMPLES else ""),
                sampled=sampled,
                repair=None if sampled else "near_duplicates",
            ),
            *_languages(languages, sampled),
            *(notice for kind in sorted(kinds) for notice in kinds[kind].notice(f"data.check.personal.{kind}", sampled=sampled)),
        ]


def _languages(found: Mapping[str, Alike], sampled: int | None) -> list[Notice]:
    """Said where a second language has its share: "it 71 %, en 29 %", and where the rows are that are not in the first."""
    total = sum(rows.count for rows in found.values())
    order = sorted(found, key=lambda name: (-found[name].count, name))
    if len(order) < 2 or found[order[1]].count < max(SECOND * total, _SECOND_ROWS):
        return []
    shares = ", ".join(f"{name} {round(100 * found[name].count / total)} %" for name in order if found[name].count >= SECOND * total)
    return found[order[1]].notice("data.check.languages", "info", shares=shares, sampled=sampled)
