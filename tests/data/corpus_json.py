"""JSON and JSON Lines: deep, cut, doubled, wrapped, commented, and in every odd charset."""

import json
from collections.abc import Iterator

from tests.data.cases import GOOD, LINE, TEXTS, Case, Kept, Refused, all_kept, alpaca, case, lines

DEEP = 20_000
PLAIN = [{"instruction": f"Domanda {number}: è vero?", "output": f'Sì, "{number}" \\ certo.'} for number in range(1, 5)]


def cases() -> Iterator[Case]:
    yield from _deep()
    yield from _broken()
    yield from _cuts()
    yield from _shapes()
    yield from _values()
    yield from _lengths()
    yield from _odd_bytes()


def _deep() -> Iterator[Case]:
    brackets, braces = "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP
    whole = {"row": 1, "line": 1, "limit": 20}
    yield case("brackets that never close", "[" * DEEP, Refused("data.json.deep", whole))
    yield case("nested brackets alone", brackets, Refused("data.json.deep", whole))
    yield case("nested brackets and rows after them", f"{brackets}\n{LINE}\n", Refused("data.json.deep", {"row": 1}))
    yield case("nested brackets in a list of rows", f"[{LINE},\n{brackets},\n{LINE}]", Refused("data.json.deep", {"row": 2, "line": 2}))
    yield case("nested brackets last in a list", f"[{LINE},\n{brackets}]", Refused("data.json.deep", {"row": 2, "line": 2}))
    yield case("nested braces alone", braces, Refused("data.nothing", {"row": 1, "line": 1, "fault": "data.row.deep"}))
    yield case("nested brackets between lines", lines(LINE, brackets, LINE), Kept(3, 2, [(2, 2, "data.row.deep")]))
    yield case("nested braces between lines", lines(LINE, LINE, braces), Kept(3, 2, [(3, 3, "data.row.deep")]))
    yield case("open brackets between lines", lines(LINE, "[" * DEEP, LINE), Kept(3, 2, [(2, 2, "data.row.deep")]))
    inside = '{"instruction": "a", "output": ' + brackets + "}"
    yield case("an answer of nested brackets", lines(LINE, inside), Kept(2, 1, [(2, 2, "data.row.deep")]))
    for depth, kept in ((19, 2), (20, 1), (25, 1), (900, 1)):
        row = alpaca(extra=0).replace("0}", "[" * depth + "]" * depth + "}")
        refused = [] if kept == 2 else [(2, 2, "data.row.deep")]
        yield case(f"{depth} brackets in a column, lines", lines(LINE, row), Kept(2, kept, refused))
        yield case(f"{depth} brackets in a column, list", f"[{LINE},\n{row}]", Kept(2, kept, refused))
    yield case("deep data in a wrapper", '{"data": [' + LINE + ",\n" + brackets + "]}", Refused("data.json.deep", {"row": 2, "line": 2}))
    yield case("brackets inside a text", alpaca(output="[" * DEEP), all_kept(1, first=("Chi sei?", "[" * DEEP)))


def _broken() -> Iterator[Case]:
    def whole(row: int, line: int) -> Refused:
        return Refused("data.json", {"row": row, "line": line})

    yield case("comma missing in a list", f"[{LINE}\n{LINE}]", whole(2, 2))
    yield case("comma too many in a list", f"[{LINE},\n{LINE},\n]", whole(3, 3))
    yield case("two commas in a list", f"[{LINE},\n,{LINE}]", whole(2, 2))
    yield case("comma too many in an object", '[{"question": "a", "answer": "b",}]', whole(1, 1))
    yield case("text after the list", f"[{LINE}]\n{LINE}", whole(2, 2))
    yield case("two lists", f"[{LINE}]\n[{LINE}]", whole(2, 2))
    yield case("single quotation marks in a list", "[{'question': 'a', 'answer': 'b'}, " + " " * 100 + "]", whole(1, 1))
    yield case("a comment in a list", f"[\n// the first\n{LINE}]" + " " * 50, whole(1, 2))
    yield case("a comment behind a row", f"[{LINE}, /* next */\n{LINE}]", whole(2, 1))
    yield case("names without quotation marks", '[{question: "a", answer: "b"}]' + "\n" * 40, whole(1, 1))
    yield case("rows with commas and no brackets", f"{LINE},\n{LINE},\n{LINE}", whole(2, 1))
    yield case("an ellipsis as in a manual", f"[{LINE},\n...\n]" + " " * 50, whole(2, 2))
    yield case("typographic quotation marks", "[{“question”: “a”, “answer”: “b”}]" + " " * 50, whole(1, 1))
    yield case("two values in a row", '[{"question": "a" "b", "answer": "c"}]' + " " * 50, whole(1, 1))
    python = "{'question': 'a', 'answer': None}"
    nothing = {"row": 1, "line": 1, "fault": "data.row.json", "position": 2}
    yield case("Python's own dictionaries", lines(python, python), Refused("data.nothing", nothing))
    yield case("rows on one line without a comma", LINE + LINE, Refused(("data.nothing", "data.json"), {"row": 1}))
    yield case("first line broken", lines(LINE[:-9], LINE), Kept(2, 1, [(1, 1, "data.row.json")]))
    yield case("first line without a value", lines('{"instruction": }', LINE), Kept(2, 1, [(1, 1, "data.row.json")]))
    yield case("a line broken in the middle", lines(LINE, LINE[:20], LINE), Kept(3, 2, [(2, 2, "data.row.json")]))
    yield case("a line with a comma too many", lines(LINE, LINE + ",", LINE), Kept(3, 2, [(2, 2, "data.row.json")]))
    yield case(
        "a comment line", lines(LINE, "# a note", "// another", LINE), Kept(4, 2, [(2, 2, "data.row.json"), (3, 3, "data.row.json")])
    )
    conflict = lines(LINE, "<<<<<<< HEAD", LINE, "=======", LINE, ">>>>>>> other")
    faults = [(2, 2, "data.row.json"), (4, 4, "data.row.json"), (6, 6, "data.row.json")]
    yield case("an unsolved merge", conflict, Kept(6, 3, faults))
    broken = lines(LINE, '{"instruction": "one', 'two", "output": "c"}', LINE)
    yield case("a line end inside a text", broken, Kept(4, 2, [(2, 2, "data.row.json"), (3, 3, "data.row.json")]))
    yield case("a bare tab inside a text", lines(LINE, LINE.replace("sei", "\t")), Kept(2, 1, [(2, 2, "data.row.json")]))
    yield case("an escape that is none", lines(LINE, LINE.replace("sei", "\\x")), Kept(2, 1, [(2, 2, "data.row.json")]))
    yield case("two rows on one line", lines(LINE, LINE + LINE), Kept(2, 1, [(2, 2, "data.row.json")]))
    yield case("a list element per line", lines(LINE, f"[{LINE}]"), Kept(2, 1, [(2, 2, "data.row.object")]))


def _cuts() -> Iterator[Case]:
    """Files that end too early: what was whole before stays right, and the place is that of the end."""
    rows = [json.dumps(row, ensure_ascii=False) for row in PLAIN]
    listed = "[" + ",\n".join(rows) + "]"
    ends = [listed.index(row) + len(row) for row in rows]
    for cut in range(1, len(listed), len(listed) // 40):
        content = listed[:cut]
        place = {"row": 1 + sum(end <= cut for end in ends), "line": 1 + content.count("\n")}
        yield case(f"a list cut at {cut}", content, Refused("data.json.cut", place))
    text = lines(*rows)
    first = len(rows[0]) + 1
    for cut in range(first, len(text) - 1, len(text) // 25):
        content = text[:cut]
        whole = sum(content.startswith(lines(*rows[:count]).rstrip("\n")) for count in range(1, 5))
        rest = content[len(lines(*rows[:whole])) :]
        refused = [(whole + 1, whole + 1, "data.row.json")] if rest else []
        yield case(f"lines cut at {cut}", content, Kept(whole + len(refused), whole, refused))
    wrapped = '{"data": [\n' + ",\n".join(rows) + "\n]}"
    for cut in (5, 10, 30, 200, len(wrapped) - 3, len(wrapped) - 1):
        yield case(f"data cut at {cut}", wrapped[:cut], Refused("data.json.cut", {"line": 1 + wrapped[:cut].count("\n")}))
    indented = json.dumps(PLAIN, indent=2, ensure_ascii=False)
    for cut in (len(indented) // 5 * part for part in range(1, 5)):
        yield case(f"an indented list cut at {cut}", indented[:cut], Refused("data.json.cut", {"row": 1 + indented[:cut].count("}")}))
    yield case("a row over many lines cut", json.dumps(GOOD, indent=2)[:-20], Refused("data.json.cut", {"row": 1}))
    half = Refused(("data.json.cut", "data.json"), {"row": 2, "line": 2})
    yield case("cut within an escape", f'[{LINE},\n{{"output": "\\u00', half)
    yield case("cut within a word", f'[{LINE},\n{{"output": tru', half)
    yield case("cut within a pair of halves", f'[{LINE},\n{{"output": "\\ud83d\\u', half)


def _shapes() -> Iterator[Case]:
    one = all_kept(1, first=TEXTS, kind="json", format="alpaca")
    two = all_kept(2, first=TEXTS, kind="json", format="alpaca")
    indented = json.dumps(GOOD, indent=2)
    yield case("one line", LINE, one)
    yield case("a list of one", f"[{LINE}]", one)
    yield case("one row over many lines", indented, one)
    yield case("rows over many lines", f"{indented}\n{indented}", two)
    yield case("rows over many lines, close together", indented + indented, two)
    yield case("rows over many lines, blank lines between", f"\n\n{indented}\n\n\n{indented}\n\n", two)
    yield case("an indented list", json.dumps([GOOD, GOOD], indent=4), two)
    yield case("a list with a row per line", f"[\n{LINE},\n{LINE}\n]\n", two)
    yield case("a list on one line, spaces around", f"  \n [ {LINE} , {LINE} ] \n\n", two)
    for key in ("data", "rows", "train", "examples", "items"):
        yield case(f"rows in “{key}”", json.dumps({key: [GOOD, GOOD]}), two)
    yield case("rows in “data”, indented", json.dumps({"data": [GOOD, GOOD]}, indent=1), two)
    yield case("blank lines between rows", lines("", LINE, "", "  ", LINE, "\t"), two)
    yield case("Windows line ends", f"{LINE}\r\n{LINE}\r\n", two)
    yield case("line ends of an old Mac", f"{LINE}\r{LINE}\r", two)
    yield case("mixed line ends between rows", f"{LINE}\n{LINE}\r\n{LINE}", all_kept(3, first=TEXTS))
    yield case("no rows", "[]", Refused("data.no_rows"))
    yield case("no rows, spaces", " [\n\n ] ", Refused("data.no_rows"))
    yield case("no rows in data", '{"data": []}', Refused("data.no_rows"))
    yield case("an empty object", "{}", Refused("data.nothing", {"row": 1, "line": 1, "fault": "data.row.object"}))
    yield case("a list of numbers", "[1, 2]", Refused("data.nothing", {"row": 1, "fault": "data.row.object"}))
    yield case("a list of texts", '["one", "two"]', all_kept(2, format="text", first=("one",)))
    yield case("a list of texts with a number", '["one", 2, "two"]', Kept(3, 2, [(2, 1, "data.row.object")]))
    table = '[["question", "answer"],\n["a", "b"],\n["c", 2],\n["d"],\n["e", "f", "g"]]'
    faults = [(4, 4, "data.row.columns"), (5, 5, "data.row.ragged")]
    yield case("a table as lists", table, Kept(4, 2, faults, first=("a", "b")))
    yield case("lists without names", '[["one", "two"], ["a", "b"]]', Refused("data.nothing", {"row": 1, "fault": "data.row.object"}))
    odd = f'[{LINE},\nnull,\n4,\n"a",\ntrue,\n[],\n{LINE}]'
    yield case("elements that are no rows", odd, Kept(7, 2, [(row, row, "data.row.object") for row in range(2, 7)]))
    text = lines(LINE, "null", "4", '"a"', "true", "[]", LINE)
    yield case("lines that are no rows", text, Kept(7, 2, [(row, row, "data.row.object") for row in range(2, 7)]))
    viewer = {"rows": [{"row_idx": number, "row": GOOD, "truncated_cells": []} for number in range(3)]}
    yield case("rows as the Hub's viewer gives them", json.dumps(viewer), all_kept(3, first=TEXTS, format="alpaca"))
    yield case("rows as the Hub's viewer gives them, indented", json.dumps(viewer, indent=1), all_kept(3, first=TEXTS))
    full = {"features": [{"feature_idx": 0, "name": "instruction"}], **viewer, "num_rows_total": 3, "partial": False}
    yield case("a whole answer of the Hub's viewer", json.dumps(full), all_kept(3, first=TEXTS))
    yield case("a whole answer of the Hub's viewer, indented", json.dumps(full, indent=1), all_kept(3, first=TEXTS))
    yield case("rows and a version", json.dumps({"version": "1.1", "data": [GOOD, GOOD]}), two)
    yield case("rows and a count after them", json.dumps({"data": [GOOD, GOOD], "count": 2}, indent=1), two)
    yield case("rows with an inner object", lines(*[json.dumps({"id": 1, "sample": GOOD})] * 2), all_kept(2, first=TEXTS))
    columns = {"instruction": {"0": "a", "1": "b"}, "output": {"0": "c", "1": "d"}}
    yield case("a table by columns", json.dumps(columns), Refused("data.columns", {"columns": "instruction, output"}))
    yield case("a table by columns, indented", json.dumps(columns, indent=1), Refused("data.columns"))
    yield case("lists by columns", '{"question": ["a", "b"], "answer": ["c", "d"]}', Refused("data.columns"))
    split = {"columns": ["question", "answer"], "index": [0], "data": [["a", "b"]]}
    yield case("a table in three parts", json.dumps(split), all_kept(1, first=("a", "b"), kind="json"))
    both = json.dumps({"train": [GOOD, GOOD], "test": [GOOD]})
    yield case("two sets in one file", both, Refused("data.lists", {"columns": "train, test"}))
    yield case("columns unknown", '{"foo": "a", "bar": "b"}\n', Refused("data.format", {"columns": "foo, bar"}))
    yield case("a JSON text on its own", '"question"\n', all_kept(1, kind="text", format="text"))


def _values() -> Iterator[Case]:
    def second(row: str, code: str) -> Kept:
        return Kept(2, 1, [(2, 2, code)])

    for name, row, code in (
        ("NaN", LINE.replace('""', "NaN"), "data.row.nan"),
        ("minus infinity", '{"instruction": "a", "output": -Infinity}', "data.row.nan"),
        ("infinity deep inside", alpaca(extra=[{"a": float("inf")}]), "data.row.nan"),
        ("a key twice", '{"output": "a", "output": "b", "instruction": "c"}', "data.row.key"),
        ("a key twice, deep inside", LINE.replace('""', '{"a": 1, "a": 1}'), "data.row.key"),
        ("a key twice, escaped once", '{"output": "a", "\\u006futput": "b", "instruction": "c"}', "data.row.key"),
        ("an answer of true", alpaca(output=True), "data.row.type"),
        ("an answer of a list", alpaca(output=["a"]), "data.row.type"),
        ("an answer of an object", alpaca(output={"text": "a"}), "data.row.type"),
        ("a question of false", alpaca(instruction=False), "data.row.type"),
        ("an answer of null", alpaca(output=None), "data.row.empty_answer"),
        ("an answer of spaces", alpaca(output=" \n\u3000\u00a0"), "data.row.empty_answer"),
        ("an empty answer", alpaca(output=""), "data.row.empty_answer"),
        ("an answer without width", alpaca(output="\u200b\ufeff \u2060"), "data.row.empty_answer"),
        ("a question without width", alpaca(instruction="\u200b"), "data.row.empty_question"),
        ("a question of null", alpaca(instruction=None), "data.row.empty_question"),
        ("a question of spaces", alpaca(instruction=" \t"), "data.row.empty_question"),
        ("the first half of a pair", '{"instruction": "a", "output": "\\ud83d"}', "data.row.surrogate"),
        ("the second half of a pair", '{"instruction": "\\ude42", "output": "a"}', "data.row.surrogate"),
        ("a pair the wrong way round", '{"instruction": "a", "output": "\\ude42\\ud83d"}', "data.row.surrogate"),
        ("no answer", '{"instruction": "a"}', "data.row.columns"),
        ("no column known", '{"a": "b"}', "data.row.columns"),
        ("an empty row", "{}", "data.row.columns"),
    ):
        yield case(f"{name}, in a line", lines(LINE, row), second(row, code))
        yield case(f"{name}, in a list", f"[{LINE},\n{row}]", second(row, code))
    for text in ("7", "1.50", "1e5", "-0", "1E400", "0.1000000000000000055", "12345678901234567890", "9" * 5000):
        shown = text if len(text) < 30 else "5,000 digits"
        row = '{"instruction": "Quanto?", "output": ' + text + "}"
        yield case(f"the number {shown} as an answer", row, all_kept(1, first=("Quanto?", text)))
        yield case(f"the number {shown} in a list", f"[{row},{row}]", all_kept(2, first=("Quanto?", text)))
    yield case("a number as the question", '{"question": 42, "answer": "a"}', all_kept(1, first=("42", "a")))
    yield case("a whole pair", '{"question": "a", "answer": "\\ud83d\\ude42"}', all_kept(1, first=("a", "\U0001f642")))
    spare = '{"instruction": "a", "output": "b", "spare": "\\ud800"}'
    yield case("half a pair where nobody looks", lines(LINE, spare), all_kept(2))
    yield case("half a pair as a name", '{"\\ud800": "a"}', Refused("data.format", {"columns": "\ufffd"}))
    yield case("an escaped NUL", '{"question": "a\\u0000b", "answer": "c"}', all_kept(1, first=("a\x00b", "c")))
    odd = "a\u2028b\u2029c\u0085d\u200be\ufefff\u00a0g"
    yield case(
        "separators within a text", lines(json.dumps({"question": odd, "answer": "b"}, ensure_ascii=False)), all_kept(1, first=(odd, "b"))
    )
    yield case("names in capitals and with spaces", '{" Question ": "a", "ANSWER": "b"}', all_kept(1, first=("a", "b")))
    yield case("an empty name", '{"": "x", "question": "a", "answer": "b"}', all_kept(1, first=("a", "b")))
    yield case("a null context", lines(LINE, alpaca(input=None)), all_kept(2, first=TEXTS))
    yield case("a column more from row to row", lines('{"instruction": "a", "output": "b"}', LINE, alpaca(extra=1)), all_kept(3))
    many = json.dumps({**{f"column {number}": "x" for number in range(10_000)}, "question": "a", "answer": "b"})
    yield case("10,000 columns", many, all_kept(1, first=("a", "b")))
    wide = json.dumps({f"{number}{'x' * 50}": "" for number in range(10_000)})
    yield case("10,000 columns and none known", wide, Refused("data.format"))
    yield case("0 rows that can be used", lines(*['{"question": "a", "answer": ""}'] * 9), Refused("data.nothing", {"row": 1, "line": 1}))


def _lengths() -> Iterator[Case]:
    long, longer = "x" * 1_000_000, "x" * 5_000_000
    refused = [(2, 2, "data.row.long")]
    yield case("a line of 1 MB", lambda: lines(LINE, alpaca(output=long), LINE).encode(), Kept(3, 2, refused))
    yield case("an element of 1 MB", lambda: f"[{LINE},\n{alpaca(output=long)},\n{LINE}]".encode(), Kept(3, 2, refused))
    yield case("a line of 5 MB", lambda: lines(LINE, alpaca(output=longer), LINE).encode(), Kept(3, 2, refused))
    too_long = Refused("data.json.long", {"row": 2, "line": 2})
    yield case("an element of 5 MB", lambda: f"[{LINE},\n{alpaca(output=longer)}]".encode(), too_long)
    yield case("just below the longest line", lambda: lines(LINE, alpaca(output="x" * 999_900)).encode(), all_kept(2))
    empty = [(row, 1, "data.row.columns") for row in range(2, 902)]
    yield case("900 empty elements", f"[{LINE}{',{}' * 900}]", Kept(901, 1, empty))


def _odd_bytes() -> Iterator[Case]:
    rows = lines(LINE, LINE)
    for charset in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        about = all_kept(2, first=TEXTS, encoding=charset, kind="json")
        yield case(f"lines in {charset}", rows.encode(charset), about)
        yield case(f"a list in {charset}", f"[{LINE},{LINE}]".encode(charset), about)
    yield case("lines in big-endian UTF-16 with a mark", ("\ufeff" + rows).encode("utf-16-be"), all_kept(2, first=TEXTS, encoding="utf-16"))
    yield case("lines in UTF-16 without a mark", rows.encode("utf-16-le"), Refused("data.nul", {"line": 1}))
    yield case("lines in UTF-32", rows.encode("utf-32"), Refused("data.nul", {"line": 1}))
    yield case("half a unit of UTF-16", rows.encode("utf-16") + b"\x00", Refused("data.encoding", {"line": 3}))
    yield case("a byte order mark on the second line", lines(LINE, "\ufeff" + LINE), Kept(2, 1, [(2, 2, "data.row.json")]))
    yield case("two byte order marks", "\ufeff\ufeff" + LINE, Refused(("data.nothing", "data.json"), {"row": 1}))
    damaged = lines(*[LINE] * 5).encode()
    yield case("damaged UTF-8", damaged.replace("é".encode(), b"\xc3", 1), Refused("data.encoding", {"line": 1}))
    place = damaged.rindex("é".encode())
    yield case("damaged UTF-8 at the end", damaged[:place] + b"\xc3" + damaged[place + 2 :], Refused("data.encoding", {"line": 5}))
    yield case("half a character at the end", damaged + "é".encode()[:1], Refused("data.encoding", {"line": 6}))
    yield case("a raw half of a pair", damaged + b'{"a": "\xed\xa0\x80"}\n', Refused("data.encoding", {"line": 6}))
    yield case("one line of another charset", rows.encode() * 3 + LINE.encode("cp1252"), Refused("data.encoding", {"line": 7}))
    yield case("a NUL between lines", rows.encode() + b"\0\n", Refused("data.nul", {"line": 3}))
    yield case("NULs at the end, as a crash leaves them", rows.encode() + bytes(4096), Refused("data.nul", {"line": 3}))
    yield case("an end of file of DOS", rows.encode() + b"\x1a", Kept(3, 2, [(3, 3, "data.row.json")]))
