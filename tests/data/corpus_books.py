"""Workbooks (.xlsx), made by hand part by part, so that each part can be wrong."""

from collections.abc import Iterable, Iterator
from itertools import chain, repeat

from tests.data.cases import Case, Kept, Refused, all_kept, case
from tests.data.corpus_binary import LIMITS, zipped

NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OPEN = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
HEADER = ("question", "answer")


def cases() -> Iterator[Case]:
    yield from _good()
    yield from _odd()
    yield from _bombs()


def sheet(*rows: tuple[str, ...]) -> str:
    """A sheet with texts in its cells."""
    made = []
    for number, cells in enumerate(rows, start=1):
        inside = (f'<c r="{chr(65 + at)}{number}" t="inlineStr"><is><t>{text}</t></is></c>' for at, text in enumerate(cells))
        made.append(f'<row r="{number}">{"".join(inside)}</row>')
    return f'{HEAD}<worksheet xmlns="{NS}"><sheetData>{"".join(made)}</sheetData></worksheet>'


def book(*sheets: str | Iterable[bytes], **parts: str) -> bytes:
    """A workbook by hand, so that each part of it can be wrong. A part of "" is left out."""
    numbers = range(1, len(sheets) + 1)
    names = "".join(f'<sheet name="Foglio{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    relations = "".join(f'<Relationship Id="rId{n}" Type="{REL}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers)
    kinds = "".join(f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{OPEN}.worksheet+xml"/>' for n in numbers)
    members: dict[str, str | Iterable[bytes]] = {
        "[Content_Types].xml": f'{HEAD}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/'
        f'vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{OPEN}.sheet.main+xml"/>{kinds}</Types>',
        "_rels/.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{REL}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{HEAD}<workbook xmlns="{NS}" xmlns:r="{REL}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">{relations}</Relationships>',
    }
    members |= {f"xl/worksheets/sheet{number}.xml": content for number, content in zip(numbers, sheets, strict=True)}
    members |= parts
    return zipped({name: content for name, content in members.items() if content != ""})


def _good() -> Iterator[Case]:
    good = sheet(HEADER, ("a", "b"), ("c", "d"))
    two = all_kept(2, kind="xlsx", first=("a", "b"))
    yield case("a workbook", book(good), two)
    yield case("a workbook with another sheet", book(good, sheet(("x",), ("y",))), two)
    yield case("a workbook whose first sheet is empty", book(sheet(), good), two)
    yield case("a workbook without styles or a theme", book(good), two)
    yield case("a blank row in a workbook", book(sheet(HEADER, ("a", "b"), ("", ""), ("c", "d"))), two)
    yield case(
        "cells that are empty", book(sheet(HEADER, ("a", "b"), ("c", ""))), Kept(2, 1, [(3, 3, "data.row.empty_answer")], kind="xlsx")
    )
    yield case("a workbook that begins further down", book(sheet(("", ""), ("", ""), HEADER, ("a", "b"))), all_kept(1, first=("a", "b")))
    yield case("a workbook that begins further right", book(sheet(("", *HEADER), ("", "a", "b"))), all_kept(1, first=("a", "b")))
    yield case("a title above the header", book(sheet(("FAQ", ""), HEADER, ("a", "b"))), all_kept(1, first=("a", "b")))
    yield case("a header alone in a workbook", book(sheet(HEADER)), Refused("data.no_rows"))
    yield case("an empty workbook", book(sheet()), Refused(("data.no_rows", "data.empty")))
    yield case(
        "a column twice in a workbook",
        book(sheet(("answer", "answer"), ("a", "b"))),
        Refused(("data.csv.header", "data.header"), {"column": "answer"}),
    )
    yield case("unknown columns in a workbook", book(sheet(("foo", "bar"), ("a", "b"))), Refused("data.format", {"columns": "foo, bar"}))
    spaces = sheet(HEADER, ("  a  ", "x\ny\u2028z"), ("&lt;b&gt;", "007")).replace("<t>", '<t xml:space="preserve">')
    yield case("odd texts in a workbook", book(spaces), all_kept(2, first=("  a  ", "x\ny\u2028z")))
    cells = sheet(HEADER, ("n", "X"), ("t", "Y"), ("e", "Z"))
    cells = cells.replace('t="inlineStr"><is><t>X</t></is>', "><v>7</v>").replace('t="inlineStr"><is><t>Y</t></is>', 't="b"><v>1</v>')
    cells = cells.replace('t="inlineStr"><is><t>Z</t></is>', 't="e"><v>#N/A</v>')
    yield case("numbers and errors in a workbook", book(cells), all_kept(3, first=("n", "7")))
    formula = sheet(HEADER, ("a", "F"), ("c", "d")).replace('t="inlineStr"><is><t>F</t></is>', 't="str"><f>A1&amp;"x"</f><v>questionx</v>')
    yield case("a formula with its value", book(formula), all_kept(2, first=("a", "questionx")))
    bare = formula.replace("<v>questionx</v>", "")
    yield case("a formula that nobody has worked out", book(bare), Kept(2, 1, [(2, 2, "data.row.formula")], first=("c", "d")))


def _odd() -> Iterator[Case]:
    good = sheet(HEADER, ("a", "b"), ("c", "d"))
    two = all_kept(2, kind="xlsx", first=("a", "b"))
    bad = Refused("data.xlsx")
    link = f'<externalLink xmlns="{NS}" xmlns:r="{REL}"><externalBook r:id="rId1"/></externalLink>'
    target = f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{REL}/externalLinkPath" '
    target += 'Target="http://127.0.0.1:9/evil.xlsx" TargetMode="External"/></Relationships>'
    outside = {"xl/externalLinks/externalLink1.xml": link, "xl/externalLinks/_rels/externalLink1.xml.rels": target}
    yield case("a workbook that links outside", book(good, **outside), two)
    dimension = good.replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')
    yield case("a workbook that says it is huge", book(dimension), two)
    yield case("a workbook that says it is small", book(good.replace("<sheetData>", '<dimension ref="A1"/><sheetData>')), two)
    yield case("a workbook without its sheet", book(good, **{"xl/worksheets/sheet1.xml": ""}), bad)
    yield case("a workbook without its list of sheets", book(good, **{"xl/workbook.xml": ""}), Refused(("data.xlsx", "data.binary")))
    yield case("a workbook without its relations", book(good, **{"xl/_rels/workbook.xml.rels": ""}), bad)
    yield case("a workbook without types", book(good, **{"[Content_Types].xml": ""}), Refused(("data.xlsx", "data.binary")))
    yield case("a workbook with a sheet of noise", book("noise"), bad)
    yield case("a workbook with half a sheet", book(good[:-60]), bad)
    strings = good.replace('t="inlineStr"><is><t>a</t></is>', 't="s"><v>99</v>')
    yield case("a workbook without its texts", book(strings), bad)
    number = good.replace('t="inlineStr"><is><t>a</t></is>', ' t="n"><v>seven</v>')
    yield case("a workbook with a number that is none", book(number), bad)
    entity = good.replace(HEAD, HEAD + '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>').replace(">a<", ">&x;<")
    yield case("a workbook that asks for a file", book(entity), bad)
    declared = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    laughs = good.replace(HEAD, f'{HEAD}<!DOCTYPE w [<!ENTITY l0 "ha">{declared}]>').replace(">a<", ">&l9;<")
    yield case("a workbook that laughs", book(laughs), bad)
    far = good.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>far</t></is></c></row></sheetData>')
    yield case(
        "a cell in the last corner", book(far), Kept(3, 2, [(1048576, 1048576, "data.row.empty_question")], first=("a", "b")), large=True
    )
    deep = "<a>" * 20_000 + "</a>" * 20_000
    yield case("a workbook of nested elements", book(good.replace("<sheetData>", deep + "<sheetData>")), two)
    whole = book(good)
    yield case("a workbook cut in half", whole[: len(whole) // 2], Refused(("data.binary", "data.xlsx")))
    at = whole.index(b"xl/worksheets/sheet1.xml") + 40
    yield case("a workbook with a damaged part", whole[:at] + b"\xff" * 30 + whole[at + 30 :], bad)


def _bombs() -> Iterator[Case]:
    """What unfolds: read by a real child alone."""
    refused = Refused((*LIMITS, "data.xlsx"))
    row = b'<row><c t="inlineStr"><is><t>a</t></is></c><c t="inlineStr"><is><t>b</t></is></c></row>'
    begin = sheet(HEADER).partition("</sheetData>")[0].encode()
    piece = row * (2**20 // len(row))
    yield case("a workbook of 500 MB", lambda: book(chain([begin], repeat(piece, 500))), refused, large=True)
    yield case("a workbook of 2 GB", lambda: book(chain([begin], repeat(piece, 2048))), refused, large=True)
    yield case("a workbook of 2 GB of nothing", lambda: book(repeat(bytes(2**20), 2048)), refused, large=True)
    open_cell = begin.replace(b"</row>", b'<c t="inlineStr"><is><t>')
    yield case("a workbook with one text of 900 MB", lambda: book(chain([open_cell], repeat(b"x" * 2**20, 900))), refused, large=True)
