"""CSV and its kin: every separator, line end, charset and habit of quoting, and every way to get them wrong."""

import codecs
import csv
import io
from collections.abc import Iterator

from tests.data.cases import Case, Kept, Refused, all_kept, case

CELLS = ["None", "N/A", "null", "nan", "007", "12345678901234567890", "1e5", "1.50", "0,5", "TRUE", "=HYPERLINK(A1)", "-", "#N/A", "\\N"]
TABLE = [("Chi sei?", "Perché lo chiedi?"), ("E tu?", 'Tu, "certo"; sì'), ("Dove?", "Là\te qua")]
FIRST = TABLE[0]


def written(rows: list[tuple[str, ...]], header: tuple[str, ...] = ("domanda", "risposta"), **dialect: object) -> str:
    """Rows as Python's own writer puts them."""
    out = io.StringIO(newline="")
    csv.writer(out, **dialect).writerows([header, *rows])  # type: ignore[arg-type]
    return out.getvalue()


def cases() -> Iterator[Case]:
    yield from _dialects()
    yield from _charsets()
    yield from _quotes()
    yield from _widths()
    yield from _headers()
    yield from _cells()
    yield from _cuts()


def _dialects() -> Iterator[Case]:
    ends = {"Windows": "\r\n", "Unix": "\n", "old Mac": "\r"}
    for name, separator in (("commas", ","), ("semicolons", ";"), ("tabs", "\t"), ("bars", "|")):
        for system, end in ends.items():
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
                text = written(TABLE, delimiter=separator, lineterminator=end, quoting=quoting)
                title = f"{name}, {system}, {'all' if quoting else 'few'} in quotation marks"
                yield case(title, text, all_kept(3, first=FIRST, kind="csv", format="question-answer"))
        hinted = f"sep={separator}\r\n" + written(TABLE, delimiter=separator)
        yield case(f"Excel's hint of {name}", hinted, all_kept(3, first=FIRST))
        yield case(f"Excel's hint of {name}, with a mark", "\ufeff" + hinted, all_kept(3, first=FIRST))
    yield case("Excel's hint in quotation marks", '"sep=;"\n' + written(TABLE, delimiter=";"), all_kept(3, first=FIRST))
    yield case("mixed line ends", "question,answer\na,b\r\nc,d\ne,f", all_kept(3, first=("a", "b")))
    yield case("no line end at the end", "question,answer\na,b", all_kept(1, first=("a", "b")))
    yield case("blank lines", "\n\nquestion,answer\n\na,b\n  \n\nc,d\n\n\n", all_kept(2, first=("a", "b")))
    yield case("commas in a table of semicolons", "domanda;risposta\na, b, c;d, e\nf;g\n", all_kept(2, first=("a, b, c", "d, e")))
    yield case("decimal commas", "domanda;risposta;peso\nQuanto?;0,5;1,25\n", all_kept(1, first=("Quanto?", "0,5")))
    yield case("other columns, commas in them", "id;domanda;note\n1;a, b;c, d\n", Refused("data.format", {"columns": "id, domanda, note"}))
    unclear = "question;answer,weight\na;b,1\n"
    yield case("two separators at once", unclear, Refused("data.format"))


def _charsets() -> Iterator[Case]:
    text = written(TABLE, delimiter=";")
    for charset in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        yield case(f"a table in {charset}", text.encode(charset), all_kept(3, first=FIRST, encoding=charset))
    big = codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    yield case("a table in big-endian UTF-16", big, all_kept(3, first=FIRST, encoding="utf-16"))
    yield case("a table in Latin-1", text.encode("latin-1"), all_kept(3, first=FIRST, encoding="cp1252"))
    yield case("a table in UTF-16 without a mark", text.encode("utf-16-le"), Refused("data.nul", {"line": 1}))
    yield case("a table in big-endian UTF-16 without a mark", text.encode("utf-16-be"), Refused("data.nul", {"line": 1}))
    yield case("a table in UTF-32", text.encode("utf-32"), Refused("data.nul", {"line": 1}))
    yield case("a table in UTF-32 without a mark", text.encode("utf-32-be"), Refused("data.nul", {"line": 1}))
    yield case("a table from an old Mac", text.encode("mac-roman"), all_kept(3, encoding="mac-roman"))
    dos = text.encode("cp850", "replace")  # in which ì is a byte that cp1252 does not have
    yield case("a table from DOS", dos, all_kept(3, encoding="cp850"))
    yield case("a table from DOS without ì", dos.replace(b"\x8d", b"i"), all_kept(3, encoding="cp850"))
    # Where letters do not say it clearly, the rows come as Windows' and what is odd in them is told.
    yield case("one word from DOS", "question;answer\na;Citt\x85\n".encode("latin-1"), all_kept(1, encoding="cp1252"))
    ebcdic = "question;answer\na;b\n".encode("cp037")
    yield case("a table from a mainframe", ebcdic, Refused("data.encoding", {"line": 1}))
    others = {
        "Cyrillic": (("cp1251", "koi8-r", "iso8859-5", "cp866"), "Кто ты?;Я кот и живу дома.\n"),
        "Greek": (("cp1253", "iso8859-7"), "Ποιος είσαι;Είμαι η Μαρία από την Αθήνα\n"),
        "Hebrew": (("cp1255",), "מי אתה;אני גר בתל אביב\n"),
        "Arabic": (("cp1256",), "من أنت؟;أنا أسكن في القاهرة\n"),
        "Chinese": (("gb18030", "big5"), "你是誰？;我是一個助手，很高興見到你。\n"),
        "Japanese": (("shift_jis", "euc_jp"), "あなたはだれですか;わたしは東京に住んでいる日本人です。\n"),
        "Korean": (("euc_kr",), "당신은 누구입니까;저는 서울에 삽니다\n"),
    }
    for name, (charsets, row) in others.items():
        for charset in charsets:
            content = ("question;answer\n" + row).encode(charset, "replace")
            yield case(f"{name} in {charset}", content, Refused(("data.charset", "data.encoding")))
    ours = {
        "Icelandic": "Þýðir það eitthvað?;Íþróttir eru góðar, síðan það: þú ættir að þvo þér áður en þú borðar.",
        "Finnish": "Missä?;Pääsiäisenä hän häätää äänet yöllä, sää on tämä.",
        "Estonian": "Öö?;Jäääär, töö ja võrdsed õed väärikuselt.",
        "German": "Größe?;Füße, süß, Übergröße: «Ärger» – über Äußerung…",
        "French": "Créée?;Ça, à l'été, où «Noël» naît; œuvre déjà créée",
        "Spanish": "¿¡Qué!?;¡¡¡Año, niño!!! ¿¿¿Sí???",
        "Italian": "Già?;àèìòù: perché è così — … ———— •••••••• °°°°°°°°",
    }
    for name, row in ours.items():
        first = tuple(row.split(";")[:2]) if row.count(";") == 1 else None
        yield case(f"{name} in cp1252", f"question\tanswer\n{row.replace(';', chr(9), 1)}\n".encode("cp1252"), all_kept(1, first=first))
    euro = "domanda;risposta\nQuanto?;5 €, “già”…\n"
    yield case("euro and typographic quotation marks in cp1252", euro.encode("cp1252"), all_kept(1, first=("Quanto?", "5 €, “già”…")))
    undefined = b"question,answer\na,b\nc,\x81\n"
    yield case("a byte that no charset has", undefined, Refused("data.encoding", {"line": 3}))
    mixed = (text * 3).encode() + "Già?;Sì, è così\n".encode("cp1252")
    yield case("two charsets in one table", mixed, Refused("data.encoding", {"line": 13}))
    twice = "domanda;risposta\nPerché?;È così\n".encode().decode("cp1252", "replace").replace("\ufffd", "?")
    yield case("UTF-8 that was read as cp1252", twice, all_kept(1, encoding="utf-8"))
    yield case("replacement characters", "question;answer\nPerch\ufffd?;S\ufffd\n", all_kept(1, first=("Perch\ufffd?", "S\ufffd")))
    yield case("a NUL in a cell", "question,answer\na,b\nc,d\0e\n", Refused("data.nul", {"line": 3}))
    yield case("an end of file of DOS in a table", "question,answer\na,b\n\x1a", Kept(2, 1, [(3, 3, "data.row.ragged")]))


def _quotes() -> Iterator[Case]:
    head = "question,answer\n1,2\n"

    def fault(row: int, line: int) -> Refused:
        return Refused("data.csv.quote", {"row": row, "line": line})

    yield case("a quotation mark that never closes", head + '3,"4\n5,6\n', fault(3, 3))
    yield case("a quotation mark that never closes, long", lambda: (head + '3,"4\n' + "5,6\n" * 300_000).encode(), fault(3, 3))
    yield case("a quotation mark that opens the last cell", head + '3,"', fault(3, 3))
    yield case("text after a quotation mark", head + '3,"4"x\n5,6\n', fault(3, 3))
    yield case("a space after a quotation mark", head + '"3" ,4\n', fault(3, 3))
    yield case("quotation marks after backslashes", head + '3,"say \\"hi\\""\n', fault(3, 3))
    header = '"question,answer\n' + "a,b\n" * 3
    yield case("a header that never closes", header, all_kept(4, kind="text"))  # nothing tells it from a quotation
    yield case("a carriage return outside quotation marks", head + "3,old\rMac\n5,6\n", fault(3, 3))
    yield case("a fault after lines inside quotation marks", 'question,answer\n"a\nb\nc",d\n"e"f,g\n', fault(3, 5))
    yield case("a quotation mark within a cell", head + '3,5" disk\n', all_kept(2, first=("1", "2")))
    yield case("single quotation marks in a table", "question,answer\n'a','b'\n", all_kept(1, first=("'a'", "'b'")))
    yield case("typographic quotation marks in a table", "question,answer\n“a”,«b»\n", all_kept(1, first=("“a”", "«b»")))
    yield case("a space before a quotation mark", 'question,answer\n"a", "b"\n', all_kept(1, first=("a", ' "b"')))
    cut = 'question,answer\n"a", "b, c"\n"d","e"\n'
    yield case("a space before a quotation mark, and a comma", cut, Kept(2, 1, [(2, 2, "data.row.ragged")], first=("d", "e")))
    yield case("four quotation marks", 'question,answer\n"""",""""""\n', all_kept(1, first=('"', '""')))
    yield case(
        "lines inside quotation marks", 'question,answer\n"a\nb",c\nd\ne,f\n', Kept(3, 2, [(3, 4, "data.row.ragged")], first=("a\nb", "c"))
    )
    yield case("Windows lines inside quotation marks", 'question,answer\r\n"a\r\nb","c\rd"\r\n', all_kept(1, first=("a\r\nb", "c\rd")))
    yield case("blank lines inside quotation marks", 'question,answer\n"\n\na\n\n",b\n', all_kept(1, first=("\n\na\n\n", "b")))
    yield case("a table inside a cell", 'question,answer\n"a,b\n1,2\n""x"",y",c\n', all_kept(1, first=('a,b\n1,2\n"x",y', "c")))


def _widths() -> Iterator[Case]:
    ragged = "question,answer\na,b\nc\nd,e,f\ng,h\n"
    yield case("rows too short and too long", ragged, Kept(4, 2, [(3, 3, "data.row.ragged"), (4, 4, "data.row.ragged")]))
    short = "question,answer,note\na,b,c\nd,e\nf,g,h\n"
    yield case("a row without its last cell", short, Kept(3, 2, [(3, 3, "data.row.ragged")]))
    yield case(
        "a separator behind each row",
        "question,answer\na,b,\nc,d,\n",
        Refused("data.nothing", {"row": 2, "line": 2, "fault": "data.row.ragged"}),
    )
    yield case("a separator behind each line", "question,answer,\na,b,\nc,d,\n", all_kept(2, first=("a", "b")))
    yield case("many separators behind each line", "question,answer,,,,\na,b,,,,\n", all_kept(1, first=("a", "b")))
    yield case("a column of numbers without a name", ",question,answer\n0,a,b\n1,c,d\n", all_kept(2, first=("a", "b")))
    yield case("rows of separators alone", "question,answer\na,b\n,\n", all_kept(1))
    empty = "question,answer\na,b\n,x\nc,\n \t,y\n"
    faults = [(3, 3, "data.row.empty_question"), (4, 4, "data.row.empty_answer"), (5, 5, "data.row.empty_question")]
    yield case("empty cells", empty, Kept(4, 1, faults))
    yield case("a comment line in a table", "question,answer\na,b\n# note\nc,d\n", Kept(3, 2, [(3, 3, "data.row.ragged")]))
    yield case("a line of sums at the end", "question;answer\na;b\nTotal: 1\n", Kept(2, 1, [(3, 3, "data.row.ragged")]))
    wide = ",".join(f"c{number}" for number in range(10_000))
    cells = ",".join(["x"] * 10_000)
    yield case("10,000 columns in a table", f"{wide},question,answer\n{cells},a,b\n", all_kept(1, first=("a", "b")))
    unknown = f"{wide[:20_000].rpartition(',')[0]}\n"
    yield case("3,000 columns in a table and none known", unknown + unknown, Refused("data.format"))
    line = head_of("x" * 1_000_001)
    yield case("a line of 1 MB in a table", lambda: line.encode(), Refused("data.csv.long", {"line": 3}))
    record = "question,answer\n1,2\n" + ",".join(['"' + "x\n" * 300_000 + '"'] * 2) + "\n3,4\n"
    yield case("a record of 1 MB over many lines", lambda: record.encode(), Kept(3, 2, [(3, 3, "data.row.long")]))


def head_of(cell: str) -> str:
    """A table with one good row and one with a long cell."""
    return f"question,answer\n1,2\n3,{cell}\n"


def _headers() -> Iterator[Case]:
    yield case("a header alone", "question,answer\n", Refused("data.no_rows"))
    yield case("a header without its line end", "question;answer", Refused("data.no_rows"))
    yield case("a header and blank lines", "question,answer\n\n \n\n", Refused("data.no_rows"))
    yield case("a header after a mark", "\ufeffquestion,answer\n", Refused("data.no_rows"))
    yield case("a column twice", "question,answer,question\na,b,c\n", Refused("data.csv.header", {"column": "question"}))
    yield case("a column twice but for spaces", "question,answer, question \na,b,c\n", Refused("data.csv.header", {"column": "question"}))
    yield case("a column twice but for capitals", "question,answer,Question\na,b,c\n", all_kept(1, first=("a", "b")))
    yield case("columns with capitals and spaces", " Domanda ;RISPOSTA\na;b\n", all_kept(1, first=("a", "b")))
    yield case("columns in quotation marks", '"question","answer"\n"a","b"\n', all_kept(1, first=("a", "b")))
    yield case("a column name over two lines", '"question","answer","note\nof mine"\na,b,c\n', all_kept(1, first=("a", "b")))
    yield case("unknown columns", "foo,bar\na,b\nc,d\n", Refused("data.format", {"columns": "foo, bar"}))
    yield case("unknown columns, tabs", "foo\tbar\tbaz\na\tb\tc\n", Refused("data.format", {"columns": "foo, bar, baz"}))
    yield case("half of the columns", "domanda,nota\na,b\nc,d\n", Refused("data.format", {"columns": "domanda, nota"}))
    yield case("lines of numbers", "1,2,3\n4,5,6\n7,8,9\n", all_kept(3, kind="text", first=("1,2,3",)))
    yield case("a column of texts", "text\nOne.\nTwo.\n", all_kept(2, first=("One.",), kind="csv", format="text"))
    yield case("a column of texts in Italian", 'testo\n"Uno, due."\nTre.\n', all_kept(2, first=("Uno, due.",), kind="csv", format="text"))
    yield case("texts and numbers for them", "id,text\n1,One.\n2,Two.\n", all_kept(2, first=("One.",), kind="csv", format="text"))
    yield case("texts and classes for them", "text,label\nGood!,1\nBad.,0\n", all_kept(2, first=("Good!", "1")))
    lines_of = 'domanda;risposta\n"Chi;dove?";a\n'
    yield case("a separator in a quoted question", lines_of, all_kept(1, first=("Chi;dove?", "a")))


def _cells() -> Iterator[Case]:
    for cell in CELLS:
        text = written([("Cosa?", cell), (cell, "Questo.")], delimiter=";")
        yield case(f"the cell {cell}", text, all_kept(2, first=("Cosa?", cell)))
    odd = {
        "a line separator": "a\u2028b\u2029c",
        "a next line": "a\u0085b",
        "form feeds": "a\x0bb\x0cc\x1cd",
        "bells": "a\x07\x1b[31mb",
        "no-break spaces": "\u00a0a\u202fb\u00a0",
        "spaces around": "  a  ",
        "joined emoji": "👩\u200d👧🏽🇮🇹",
        "Arabic with marks of direction": "\u202bمرحبا\u202c\u200f",
        "combining letters": "e\u0301\u0302\u0303",
        "a mark within": "a\ufeffb",
        "private characters": "\ue000\U000f0000\ufffe",
        "a script": "<script>alert(1)</script>",
        "a template": "{{ system }} <|im_start|>",
    }
    for name, cell in odd.items():
        yield case(f"a cell with {name}", written([("Cosa?", cell), ("a", "b")]), all_kept(2, first=("Cosa?", cell)))


def _cuts() -> Iterator[Case]:
    """Tables that end within quotation marks."""
    text = written([(question, f"{answer}\nover two lines") for question, answer in TABLE], quoting=csv.QUOTE_ALL, lineterminator="\n")
    starts = [text.index(f'"{question}"') for question, _ in TABLE]
    for cut in range(30, len(text), 9):
        content = text[:cut]
        if content.count('"') % 2:
            row = sum(start < cut for start in starts)
            begin = starts[row - 1] if row else 0
            place = {"row": 1 + row, "line": 1 + text[:begin].count("\n")}
            yield case(f"a table cut at {cut}", content, Refused("data.csv.quote", place))
