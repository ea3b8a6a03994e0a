"""Text that is no table and no JSON: prose, logs, mails, pages, and what a failed download leaves."""

import random
from collections.abc import Iterator

from tests.data.cases import LINE, Case, Kept, Refused, all_kept, case

PROSE = (
    "# La città\n\nQuel ramo del lago di Como, che volge a mezzogiorno, tra due catene non interrotte di monti,\n"
    "tutto a seni e a golfi, vien, quasi a un tratto, a ristringersi.\n\nE il ponte, che ivi congiunge le due rive; par che renda\n"
)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "ab" * 32 + "\nsize 12345678\n"
PAGE = '<!DOCTYPE html>\n<html lang="en">\n<head><title>Sign in</title></head>\n<body>\n<p>Sign in, then try again.</p>\n</body></html>\n'


def cases() -> Iterator[Case]:
    yield from _nothing()
    yield from _prose()
    yield from _pages()
    yield from _single_bytes()
    yield from _random()


def _nothing() -> Iterator[Case]:
    for name, content in (
        ("nothing", b""),
        ("one line end", b"\n"),
        ("white space", b" \n\n\t\r\n"),
        ("1 MB of spaces", b" " * 2**20),
        ("a mark of UTF-8", b"\xef\xbb\xbf"),
        ("a mark of UTF-16", b"\xff\xfe"),
        ("the other mark of UTF-16", b"\xfe\xff"),
        ("a mark and a line end", b"\xef\xbb\xbf\r\n"),
        ("no-break spaces", "\u00a0\u2003\u3000\n".encode()),
    ):
        yield case(f"{name} alone", content, Refused("data.empty"))
    yield case("a mark of UTF-32 alone", b"\xff\xfe\x00\x00", Refused("data.nul", {"line": 1}))
    yield case("NULs alone", bytes(1000), Refused("data.nul", {"line": 1}))


def _prose() -> Iterator[Case]:
    def text(count: int, first: str) -> Kept:
        return all_kept(count, kind="text", format="text", first=(first,))

    yield case("prose with commas", PROSE, text(3, "# La città"))
    yield case("prose with Windows line ends", PROSE.replace("\n", "\r\n"), text(3, "# La città"))
    yield case("prose in cp1252", PROSE.encode("cp1252"), text(3, "# La città"))
    yield case("prose in UTF-16", PROSE.encode("utf-16"), text(3, "# La città"))
    yield case("prose with a mark", PROSE.encode("utf-8-sig"), text(3, "# La città"))
    yield case("one line of text", "Ciao, come stai? Bene, grazie.", text(1, "Ciao, come stai? Bene, grazie."))
    yield case("a line per text", "Uno.\nDue, tre.\nQuattro.\n", text(3, "Uno."))
    yield case("a line per text on an old Mac", "Uno.\rDue, tre.\rQuattro.\r", text(3, "Uno."))
    subtitles = "1\n00:00:01,000 --> 00:00:02,500\nCiao, mondo.\n\n2\n00:00:03,000 --> 00:00:04,000\nE ora?\n"
    yield case("subtitles", subtitles, text(2, "1\n00:00:01,000 --> 00:00:02,500\nCiao, mondo."))
    log = "2026-11-20 10:00:01,123 INFO start, pid 12\n2026-11-20 10:00:02,456 WARN slow\n2026-11-20 10:00:03,789 INFO end, code 0, ok\n"
    yield case("a log", log, text(3, log.split("\n")[0]))
    mail = "From: a@example.org\nTo: b@example.org\nSubject: Hi, you\n\nDear all,\nsee you.\n\nA.\n"
    yield case("a mail", mail, text(3, "From: a@example.org\nTo: b@example.org\nSubject: Hi, you"))
    poem = "Nel mezzo del cammin di nostra vita;\nmi ritrovai, per una selva oscura;\nché la diritta via era smarrita.\n"
    yield case("a poem with semicolons", poem, text(3, "Nel mezzo del cammin di nostra vita;"))
    code = "def f(a, b):\n    return a, b\n\n\nprint(f(1, 2))\n"
    yield case("a program", code, text(2, "def f(a, b):\n    return a, b"))
    yield case(
        "questions and answers as prose", "Q: Who?\nA: Me.\n\nQ: Where?\nA: Here.\n", all_kept(2, kind="text", first=("Who?", "Me."))
    )
    yield case("YAML", "- instruction: a, b\n  output: c\n- instruction: d\n  output: e\n", all_kept(2, kind="yaml", first=("a, b", "c")))
    yield case("a list with stars", "* one, two\n* three\n* four, five, six\n", text(3, "* one, two"))
    yield case("a table of Markdown in prose", "Some words, first.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", text(2, "Some words, first."))
    yield case("spaces within and around", "  One.  \n\n\tTwo\n   more\n", text(2, "  One.  "))
    yield case("a NUL in prose", "One.\nTwo\0.\n", Refused("data.nul", {"line": 2}))
    yield case(
        "prose with a damaged letter",
        PROSE.encode().replace("à".encode(), b"\xc3") * 2 + "è è è\n".encode() * 9,
        Refused("data.encoding", {"line": 1}),
    )
    yield case("a long paragraph", lambda: ("Una riga.\n" * 150_000).encode(), all_kept(150_000, kind="text", first=("Una riga.",)))
    long = "Una riga.\n" * 50_000 + "\nFine.\n"
    yield case("a paragraph of many lines", lambda: long.encode(), all_kept(2, kind="text"))
    yield case("prose with brackets", "[Applause] Thank you, all.\n[Laughter] And now.\n", text(2, "[Applause] Thank you, all."))


def _pages() -> Iterator[Case]:
    """What comes where a download went wrong: nobody wants to learn it."""
    yield case("a pointer of Git LFS", POINTER, Refused("data.pointer"))
    yield case("a page named csv", PAGE, Refused("data.page", {"kind": "HTML"}))
    yield case("a page in capitals", PAGE.replace("<!DOCTYPE html>", "<HTML>"), Refused("data.page", {"kind": "HTML"}))
    yield case("a page after blank lines", "\ufeff\n\n  " + PAGE, Refused("data.page", {"kind": "HTML"}))
    yield case("a table as a page", f"<html><table><tr><td>{'x' * 200}</td></tr></table></html>", Refused("data.page", {"kind": "HTML"}))
    xml = '<?xml version="1.0"?>\n<rows><row><question>a</question><answer>b</answer></row></rows>\n'
    yield case("XML", xml, Refused("data.binary", {"kind": "XML"}))
    for tag in ("<table border=1>", "<head>", "<META charset=utf-8>", "<body\n>", "<!-- sheet -->\n<table>", "\n <TABLE>"):
        part = f"{tag}<tr><td>question</td></tr></table>\n"
        yield case(f"a part of a page, {tag.strip()}", part, Refused("data.page", {"kind": "HTML"}))
    yield case("prose with a tag", "<header> is a tag.\n<b>So</b> is b.\n", all_kept(2, kind="text"))
    lol = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "' + "&a;" * 100 + '">]><l>&b;</l>'
    yield case("XML that unfolds", lol, Refused("data.binary", {"kind": "XML"}))
    yield case("an answer of an API", '{"error": "Repository not found"}', Refused("data.format", {"columns": "error"}))
    yield case("an answer of the Hub", '{"error": "Invalid username or password."}\n', Refused("data.format", {"columns": "error"}))
    yield case("a line of the Hub", "Entry not found", Refused("data.page"))
    yield case("another line of the Hub", "Invalid username or password.", Refused("data.page"))
    yield case("rows after a page", PAGE + LINE + "\n", Refused("data.page", {"kind": "HTML"}))


def _single_bytes() -> Iterator[Case]:
    for byte in b"x0,;-#<'":
        yield case(f"the one byte {chr(byte)}", bytes([byte]), all_kept(1, kind="text", first=(chr(byte),)))
    yield case('the one byte "', b'"', all_kept(1, kind="text", first=('"',)))
    for byte in b"[{":
        yield case(f"the one byte {chr(byte)}", bytes([byte]), Refused("data.json.cut", {"row": 1, "line": 1}))
    for byte in b"]}":
        yield case(f"the one byte {chr(byte)}", bytes([byte]), all_kept(1, kind="text"))
    yield case("a NUL and nothing else", b"\0", Refused("data.nul", {"line": 1}))
    yield case("the one byte 255", b"\xff", all_kept(1, kind="text", encoding="cp1252", first=("ÿ",)))
    yield case("the one byte 129", b"\x81", Refused("data.encoding", {"line": 1}))


def _random() -> Iterator[Case]:
    """Bytes of any kind: which line has the first that cp1252 has no letter for, can be told without reading them as text."""
    for seed in range(12):
        content = random.Random(seed).randbytes(4000)
        at = next(index for index, byte in enumerate(content) if byte in b"\x81\x8d\x8f\x90\x9d")
        yield case(f"random bytes {seed}", content, Refused("data.encoding", {"line": 1 + content[:at].count(b"\n")}))
