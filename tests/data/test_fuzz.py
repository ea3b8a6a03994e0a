"""Files that nobody thought of: whatever is in them, rows come out to the letter or one sentence says why not.

2,000 files in the suite, 20,000 in the nightly form. The seed of each test is printed with its failure.
"""

import json
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.data.cases import GOOD, LINE
from tests.data.conftest import Taken, read_here
from tests.data.corpus import CASES
from tests.data.corpus_binary import parquet
from tests.data.corpus_books import HEADER, book, sheet
from tests.data.test_corpus import speaks
from tests.lots import lot
from tuning.data.records import blank, broken
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits

SMALL = Limits(line=20_000, output_bytes=4 * MEGABYTE, refused=200)
ROLES = ("system", "user", "assistant", "tool")
NASTY = (
    "",
    " ",
    "\n",
    "\r\n",
    '"',
    '""',
    ";",
    ",",
    "\t",
    "|",
    "\\",
    "'",
    "\u2028",
    "\x85",
    "\ufeff",
    "None",
    "1e5",
    "=1+1",
    "{",
    "[",
    "_x0041_",
)
LETTERS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=12)
WORDS = st.one_of(LETTERS, LETTERS, st.sampled_from(NASTY))
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map("".join)
ANY_TEXTS = st.one_of(TEXTS, st.text(max_size=8))  # with NULs and halves of pairs
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)
Holds = Callable[[pathlib.Path, Any], None]


def outcome(folder: pathlib.Path, content: bytes) -> Taken | InputError:
    """What comes of a file: never anything but rows, all of them accounted for, or an error that has its words."""
    source = folder / "upload"
    source.write_bytes(content)
    try:
        taken = read_here([source], folder / "rows", limits=SMALL)
    except InputError as error:
        assert error.code.startswith("data.") and not error.code.startswith("data.row."), error
        speaks(error.code, {**error.params, "file": "upload"})
        return error
    assert taken.reading.rows_refused >= len(taken.reading.refused)
    for fault in taken.reading.refused:
        assert fault["code"].startswith("data.row.") and fault["row"] >= 1 and fault["line"] >= 1
        speaks("data.nothing", {**fault["params"], "row": fault["row"], "line": fault["line"], "fault": fault["code"], "file": "upload"})
    for notice in taken.reading.findings:
        speaks(notice["code"], notice["params"])
    for row in taken.rows:
        assert ("text" in row) != ("messages" in row)
        assert all(message["role"] in ROLES for message in row.get("messages", []))
    return taken


def kept(folder: pathlib.Path, content: bytes, pairs: Sequence[tuple[str, str]], table: bool = False) -> None:
    """All pairs that say something come through to the letter, under their numbers; the others are refused for what they lack.

    Rows of a table without a letter are no rows, but are counted on. In a table and a sheet the header is row 1.
    """
    first = 2 if table or content.startswith(b"PK") else 1
    lacking = {
        number: "data.row.empty_question" if blank(question) else "data.row.empty_answer"
        for number, (question, answer) in enumerate(pairs, start=first)
        if blank(question) or blank(answer)
    }
    said = [(number, pair) for number, pair in enumerate(pairs, start=first) if number not in lacking]
    if table:
        lacking = {number: fault for number, fault in lacking.items() if any(map(str.strip, pairs[number - first]))}
    got = outcome(folder, content)
    if not said:
        assert isinstance(got, InputError) and got.code == ("data.nothing" if lacking else "data.no_rows")
        assert not lacking or got.params["fault"] == next(iter(lacking.values()))
        return
    assert isinstance(got, Taken), got
    assert [row["row"] for row in got.rows] == [number for number, _ in said]
    assert got.texts == [pair for _, pair in said]
    assert got.faults == sorted(lacking.items())


# Bytes of any kind, some after the marks by which files are told apart.
BEGINNINGS = [
    b"",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"PAR1\x15",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"[",
    b"{",
    b'"',
    b"sep=;\n",
    b"text\n",
]
BYTES = st.builds(lambda start, rest: start + rest, st.sampled_from(BEGINNINGS), st.binary(max_size=300))


def any_bytes(folder: pathlib.Path, content: bytes) -> None:
    outcome(folder, content)


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, str]]]:
    """A table as some program may write it: each cell in quotation marks where it must be, or where it likes."""
    separator, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    rows = draw(PAIRS)
    if end == "\r":  # a file of an old Mac: a line feed in it would make it another
        rows = [(question.replace("\n", " "), answer.replace("\n", " ")) for question, answer in rows]
    lines = []
    for cells in [("question", "answer"), *rows]:
        quoted = draw(st.tuples(st.booleans(), st.booleans()))
        written = [
            '"' + cell.replace('"', '""') + '"' if likes or any(sign in cell for sign in f'{separator}"\r\n') else cell
            for cell, likes in zip(cells, quoted, strict=True)
        ]
        lines.append(separator.join(written))
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))), rows


def tables_to_the_letter(folder: pathlib.Path, made: tuple[bytes, list[tuple[str, str]]]) -> None:
    kept(folder, *made, table=True)


@st.composite
def json_rows(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, str]]]:
    pairs = draw(PAIRS)
    names = draw(st.sampled_from([("question", "answer"), ("domanda", "risposta"), ("instruction", "output"), ("prompt", "completion")]))
    rows = [dict(zip(names, pair, strict=True)) for pair in pairs]
    how = {"ensure_ascii": draw(st.booleans())}
    text = {
        "lines": "\n".join(json.dumps(row, **how) for row in rows),
        "list": json.dumps(rows, **how),
        "indented": json.dumps(rows, indent=1, **how),
        "objects": "\n".join(json.dumps(row, indent=1, **how) for row in rows),
        "wrapped": json.dumps({"data": rows}, **how),
    }[draw(st.sampled_from(["lines", "list", "indented", "objects", "wrapped"]))]
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))), pairs


def json_to_the_letter(folder: pathlib.Path, made: tuple[bytes, list[tuple[str, str]]]) -> None:
    kept(folder, *made)


@st.composite
def containers(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, str]]]:
    """Parquet, or a workbook: in XML only what XML can say, an escape of Excel's escaped in its turn."""
    pairs = draw(PAIRS)
    if draw(st.booleans()):
        return parquet({"question": [pair[0] for pair in pairs], "answer": [pair[1] for pair in pairs]}), pairs
    pairs = [(_xml(question) or "q", _xml(answer) or "a") for question, answer in pairs]
    cells = [tuple(escape(re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text), {"\r": "&#13;"}) for text in pair) for pair in pairs]
    return book(sheet(HEADER, *cells)), pairs


def _xml(text: str) -> str:
    text = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
    return "" if blank(text) else text


def containers_to_the_letter(folder: pathlib.Path, made: tuple[bytes, list[tuple[str, str]]]) -> None:
    kept(folder, *made)


NAMES = st.sampled_from(
    ["instruction", "output", "messages", "conversations", "role", "from", "content", "value", "tool_calls", "tools", "text"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXTS | st.sampled_from(["user", "assistant", "tool", '{"name": 1}'])
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20)


@st.composite
def trees(draw: st.DrawFn) -> bytes:
    """JSON of any shape, alone or beside good rows."""
    rows = draw(st.lists(TREES, max_size=5))
    if draw(st.booleans()):
        rows.insert(draw(st.integers(0, len(rows))), draw(st.sampled_from([GOOD, {"messages": [{"role": "user", "content": "a"}]}])))
    shape = draw(st.sampled_from(["lines", "list", "wrapped"]))
    if shape == "lines":
        return "\n".join(map(json.dumps, rows)).encode()
    return json.dumps(rows if shape == "list" else {draw(NAMES): rows}, indent=draw(st.sampled_from([None, 2]))).encode()


SAYS = st.one_of(ANY_TEXTS, st.none(), st.integers())
ODD_TURNS = st.lists(st.tuples(st.sampled_from([*ROLES, "human", "gpt", "narrator"]), SAYS), max_size=6)
EVEN_TURNS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3).map(
    lambda pairs: [turn for question, answer in pairs for turn in (("user", question), ("assistant", answer))]
)
OPENED = st.builds(lambda text, turns: [("system", text), *turns], TEXTS, EVEN_TURNS)
TURNS = st.one_of(EVEN_TURNS, OPENED, ODD_TURNS)


def talks(folder: pathlib.Path, rows: list[list[tuple[str, Any]]]) -> None:
    """Conversations in any order: those that go as they should are kept, and what is kept is to the letter."""
    good = [("user", "a"), ("assistant", "b")]
    talk = [[{"role": role, "content": content} for role, content in turns] for turns in [good, *rows]]
    got = outcome(folder, "\n".join(json.dumps({"messages": turns}) for turns in talk).encode())
    assert isinstance(got, Taken), got
    numbers = [row["row"] for row in got.rows]
    assert [number for number, turns in enumerate(rows, start=2) if in_order(turns) and number not in numbers] == []
    for row, texts in zip(got.rows, got.texts, strict=True):
        turns = [good, *rows][row["row"] - 1]
        said = [str(content) for role, content in turns if content is not None and (not blank(str(content)) or role != "system")]
        assert list(texts) == said


def in_order(turns: list[tuple[str, Any]]) -> bool:
    """A question and an answer in turn, each of them a text that says something; before them, maybe, a system text."""
    turns = turns[1:] if turns and turns[0][0] == "system" and isinstance(turns[0][1], str) and not broken(turns[0][1]) else turns
    expected = ["user", "assistant"] * (len(turns) // 2)
    texts = [content for _, content in turns if isinstance(content, str) and not blank(content) and not broken(content)]
    return bool(turns) and [role for role, _ in turns] == expected and len(texts) == len(turns)


LINES = st.lists(st.one_of(st.just(""), st.text(st.characters(categories=["L", "P", "Zs"]), max_size=20)), max_size=12)


def plain_text(folder: pathlib.Path, made: tuple[list[str], str]) -> None:
    """Of a text nothing is lost but the white space around its parts."""
    lines, end = made
    text = end.join(["Ecco.", "Ecco.", *lines])  # too plain for a table
    got = outcome(folder, text.encode())
    if isinstance(got, InputError) or got.reading.kind != "text":
        return
    at = 0
    for (part,) in got.texts:
        found = text.index(part, at)
        assert not text[at:found].strip()
        at = found + len(part)
    assert not text[at:].strip() and not got.faults


SEEDS = [made for case in CASES if not case.large and "parquet" not in case.name and len(made := case.make()) < 3000]
SEEDS += [parquet({"question": ["a", "b"], "answer": ["c", "d"]}), LINE.encode() * 3]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A file of the corpus, damaged: cut, bits turned over, bytes put in, parts taken out or doubled, another file in the middle."""
    content = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 3))):
        at, to = sorted((draw(st.integers(0, len(content))), draw(st.integers(0, len(content)))))
        how = draw(st.sampled_from(["cut", "flip", "put", "take", "double", "splice"]))
        if how == "cut":
            content = content[:to]
        elif how == "flip" and at < len(content):
            content = content[:at] + bytes([content[at] ^ (1 << draw(st.integers(0, 7)))]) + content[at + 1 :]
        elif how == "put":
            content = (
                content[:at]
                + draw(st.sampled_from([b"\0", b'"', b"\r", b"\xff", b"{", b"]", b"\\", b"\n\n", b"\xed\xa0\x80"]))
                + content[at:]
            )
        elif how == "take":
            content = content[:at] + content[to:]
        elif how == "double":
            content = content[:to] + content[at:]
        elif how == "splice":
            content = content[:at] + draw(st.sampled_from(SEEDS)) + content[at:]
    return content


PROPERTIES: dict[str, tuple[Holds, st.SearchStrategy[Any], int]] = {  # the last: its share of every 100 files
    "any bytes": (any_bytes, BYTES, 15),
    "tables": (tables_to_the_letter, tables(), 20),
    "rows of JSON": (json_to_the_letter, json_rows(), 15),
    "parquet and workbooks": (containers_to_the_letter, containers(), 5),
    "trees of JSON": (any_bytes, trees(), 10),
    "conversations": (talks, st.lists(TURNS, max_size=5), 10),
    "plain text": (plain_text, st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\r"])), 5),
    "mutations": (any_bytes, mutations(), 20),
}


@pytest.mark.parametrize("files", [2_000, pytest.param(20_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("name", PROPERTIES)
def test_any_file_gives_its_rows_or_a_verdict(name: str, files: int, tmp_path: pathlib.Path) -> None:
    holds, made, share = PROPERTIES[name]
    number = lot(name).randrange(2**32)
    print(f"{name}: seed {number}")

    @seed(number)
    @settings(max_examples=files * share // 100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(made)
    def check(file: Any) -> None:
        holds(tmp_path, file)

    check()
