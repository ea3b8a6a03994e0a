"""Tables that do not begin with the names of their columns: titles, comments, settings; and tables that are no CSV."""

from collections.abc import Iterator

from tests.data.cases import Case, Kept, Refused, all_kept, case
from tests.data.corpus_books import HEADER, book, sheet

PAIR = ("a", "b")


def cases() -> Iterator[Case]:
    yield from _titles()
    yield from _unnamed()
    yield from _sheets()
    yield from _other()
    yield from _talks()


def _titles() -> Iterator[Case]:
    two = all_kept(2, first=PAIR, kind="csv")
    yield case("a title and a blank line above a table", "FAQ del Comune\n\ndomanda;risposta\na;b\nc;d\n", two)
    yield case("a title of the width of its table", "FAQ;;\n;;\nDomanda;Risposta;Note\na;b;c\nd;e;f\n", two)
    yield case("a title with a separator in it", "FAQ, versione 2\r\ndomanda,risposta\r\na,b\r\nc,d\r\n", two)
    yield case("a title above a table of an old Mac", "FAQ\rdomanda;risposta\ra;b\rc;d\r", two)
    yield case("a title in cp1252", "Città\ndomanda;risposta\na;b\nc;è\n".encode("cp1252"), two)
    yield case("comments above a table", "# by X, on Monday, for Y\n#\nquestion,answer\na,b\nc,d\n", two)
    yield case("facts above a table", "Esportato:;01/02/2024\nUfficio:;URP\n\ndomanda;risposta\na;b\nc;d\n", two)
    yield case("Excel's hint and a title", "sep=;\r\nFAQ;\r\nquestion;answer\r\na;b\r\nc;d\r\n", two)
    faults = Kept(2, 1, [(4, 4, "data.row.ragged")], first=PAIR)
    yield case("lines below a title are those of the file", "FAQ\nquestion;answer\na;b\nc;d;e\n", faults)
    ten = "".join(f"# {number}\n" for number in range(10))
    yield case("ten comments above a table", f"{ten}question,answer\na,b\nc,d\n", two)
    far = f"{ten}#\nquestion,answer\na,b\nc,d\n"
    yield case("eleven comments above a table", far, all_kept(14, kind="text"))
    yield case("a title above unknown columns", "FAQ\n\nfoo,bar\n1,2\n3,4\n", Refused("data.format", {"columns": "foo, bar"}))
    yield case("a row that says text", "id,kind\n1,text\n2,image\n", Refused("data.format", {"columns": "id, kind"}))
    prose = "How to write a table.\n\nquestion,answer\na,b\n\nThat is all.\nNo more is needed.\nReally.\n"
    yield case("a small table within prose", prose, all_kept(3, kind="text"))
    yield case("verses below a title", "La sera\n\nVenne, e fu sera;\nandò, e fu notte;\nsolo, il mare.\n", all_kept(2, kind="text"))


def _unnamed() -> Iterator[Case]:
    def refused(columns: str) -> Refused:
        return Refused("data.header", {"columns": columns})

    yield case("questions where the names should be", "Chi sei?;Io\nDove?;Qua\n", refused("Chi sei?, Io"))
    yield case("sentences where the names should be", "Il sole;È una stella.\nLa luna;No.\n", refused("Il sole, È una stella."))
    long = "x" * 100
    yield case("a long cell where a name should be", f"a\t{long}\nb\t{long}\n", refused(f"a, {'x' * 39}…"))
    yield case("a question among names that are known", "question,answer,Why?\na,b,c\n", all_kept(1, first=PAIR))
    yield case("an abbreviation is a name", "Nr.;Risp.\n1;a\n", Refused("data.format", {"columns": "Nr., Risp."}))


def _sheets() -> Iterator[Case]:
    two = all_kept(2, first=PAIR, kind="xlsx")
    rows = (HEADER, PAIR, ("c", "d"))
    yield case("a title above a sheet", book(sheet(("FAQ",), ("",), *rows)), two)
    yield case("two titles above a sheet", book(sheet(("Comune di Roma", "2024"), ("FAQ",), *rows)), two)
    strange = book(sheet(("FAQ",), ("foo", "bar"), PAIR, PAIR))
    yield case("a title above a sheet of unknown columns", strange, Refused("data.format", {"columns": "foo, bar"}))
    yield case("a sheet without names", book(sheet(("Chi sei?", "Io."), PAIR)), Refused("data.header", {"columns": "Chi sei?, Io."}))
    below = book(sheet(("FAQ",), HEADER, PAIR, ("c", "")))
    yield case("rows below a title are those of the sheet", below, Kept(2, 1, [(4, 4, "data.row.empty_answer")], first=PAIR))


def _other() -> Iterator[Case]:
    two = all_kept(2, first=PAIR, kind="csv")
    markdown = "| question | answer |\n|---|:--:|\n| a | b |\n\n| - | - |\n"
    yield case("a table of Markdown", markdown, two)
    yield case("a table of Markdown without outer bars", "question | answer\n--- | ---\na | b\nc | d\n", two)
    yield case("a table of Markdown with a bar in a cell", markdown.replace("| a |", "| a \\| a |"), all_kept(2, first=("a | a", "b")))
    yield case("a table of Markdown below prose", "Ecco, questo:\n\n" + markdown, two)
    yield case(
        "a table of Markdown with quotation marks", markdown.replace("| a |", '| "a" or "b |'), all_kept(2, first=('"a" or "b', "b"))
    )
    unknown = markdown.replace("question", "foo").replace("answer", "bar")
    yield case("a table of Markdown with unknown columns", unknown, Refused("data.format", {"columns": "foo, bar"}))
    yield case("a table of Markdown, ragged", markdown + "| c |\n", Kept(3, 2, [(4, 6, "data.row.ragged")], first=PAIR))
    anki = "#separator:tab\n#html:true\n"
    yield case("cards of Anki with names", anki + "#columns:Question\tAnswer\tTags\na\tb\t\nc\td\tx\n", two)
    yield case("cards of Anki below a line of names", "#separator:Semicolon\n#html:false\nquestion;answer\na;b\nc;d\n", two)
    other = Refused("data.format", {"columns": "front, back"})
    yield case("cards of Anki with other names", "#separator:Comma\r\n#columns:front,back\r\na,b\r\n", other)
    yield case("no cards of Anki", "#separator:tab\n", Refused("data.no_rows"))
    yield case("cards of Anki without names", anki + "a\tb\nc\td\n", Refused("data.header", {"columns": "a, b"}))
    whole = '"question,answer"\n"a,b"\n"c,""d, e"""\n'
    yield case("each row in quotation marks", whole, two)
    yield case("each row in quotation marks on Windows", whole.replace("\n", "\r\n"), two)
    yield case("lines of prose in quotation marks", '"One, two."\n"Three, four."\n', all_kept(2, kind="text", first=('"One, two."',)))


def _talks() -> Iterator[Case]:
    """Conversations in the cells of a table."""
    kept = all_kept(1, first=("it's", 'a\n"b"'), kind="csv", format="messages")
    python = """messages\n"[{'role': 'user', 'content': ""it's""}, {'role': 'assistant', 'content': 'a\\n""b""'}]"\n"""
    yield case("a talk as Python prints it", python, kept)
    yield case("a talk as NumPy prints it", python.replace("}, {", "}\n {"), kept)
    open_text = """id,messages\n1,"[{'role': 'user', 'content': 'a}]"\n"""
    yield case("a talk by Python that breaks off", open_text, Refused("data.nothing", {"fault": "data.row.turns", "column": "messages"}))
    word = '{"messages": "a"}\n{"messages": "b"}\n'
    yield case("a word where a talk should be", word, Refused("data.nothing", {"fault": "data.row.turns", "column": "messages"}))
