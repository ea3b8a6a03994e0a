"""What kind of file a file is, told from its content alone, and the records it holds.

A name says nothing here: a spreadsheet called .csv is read as one. What can be read is handed to the reader of its kind; what
cannot is refused with its own way out. What the columns mean is not its business.
"""

import mmap
import pathlib
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from tuning.data.readers import csv_rows, json_around, json_lines, json_rows, parquet_rows, text_rows
from tuning.data.readers.books import workbook
from tuning.data.readers.books.calamine_rows import CalamineBook
from tuning.data.readers.books.ods_rows import OdsBook
from tuning.data.readers.books.xlsx_rows import XlsxBook
from tuning.data.readers.encoding import TextFile, detect
from tuning.data.readers.moodle import bank_rows
from tuning.data.readers.prose import (
    apart_rows,
    card_rows,
    dialogue_rows,
    faq_rows,
    foreign,
    gap_rows,
    gift_rows,
    quiz_rows,
    transcripts,
    whatsapp_rows,
    yaml_rows,
)
from tuning.data.readers.table_layout import layout
from tuning.data.records import HEAD, FileRecord, KnowsColumns, shown
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_MAGIC = (
    (b"PAR1\x15", "parquet"),  # 0x15: the first field of the Thrift header that always follows
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0", "office"),  # what Office wrote before 2007, and still writes around what has a password
    (b"\x1f\x8b", "gzip"),
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"BZh91AY&SY", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"ARROW1\x00", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),  # a stream: the length of its first message follows
    (b"GGUF", "GGUF"),
    (b"\x93NUMPY", "NumPy"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
)
_PAGE = re.compile(
    r"[\s\ufeff]*(?:<!--.{0,2000}?-->\s*)?<(?:(?:!doctype )?html|head|meta|body|table|\?(xml)\b.{0,500}?<(?:html|Error))\b",
    re.IGNORECASE | re.DOTALL,
)
_HTML = "details|h[1-6]|p|div|span|ul|ol|dl|table|section|article|main|b|i|em|strong|a|br|blockquote|pre|code"  # in texts, too
_MARKUP = re.compile(  # a declaration, or one element that is the whole of a short file
    r"[\s\ufeff]*(?:<!--.{0,2000}?-->\s*)?(?:<\?xml\b|<(?!think|(?:"
    + _HTML
    + r")\b)(?P<root>[a-z][\w.:-]*)(?:\s[^<>]*)?>.*</(?P=root)>\s*\Z)",
    re.IGNORECASE | re.DOTALL,
)
_PICKLE = re.compile(
    rb"[(][ld]p\d+\n|[\]}]q\x00|\x80[\x02-\x05](?:\x95.{8})?[\x5d\x7d\x28\x8c\x63\x80-\x95q]", re.DOTALL
)  # protocol, frame, first step
_TENSORS = re.compile(rb".{8}\{\s*\"", re.DOTALL)
_TELEGRAM = '<div class="from_name">'  # above a message of a chat that was saved as a page
_POINTER = "version https://git-lfs.github.com/spec/"
_HUB = frozenset(("Entry not found", "Repository not found", "Invalid username or password."))  # all that a failed download left
_DOCUMENTS = ("pdf", "rtf", "docx", "doc", "pptx", "ppt", "odt", "odp")
_MAIL = (frozenset({"from"}), frozenset({"subject", "message-id"}), frozenset({"date", "received"}))  # of each one is in any e-mail
_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_ODT, _ODP = _ODS.replace("spreadsheet", "text"), _ODS.replace("spreadsheet", "presentation")
_BOOKS: dict[str, Callable[[BinaryIO, int, Limits], workbook.Book]] = {
    "xlsx": XlsxBook,
    "ods": OdsBook,
    "xls": CalamineBook,
    "xlsb": CalamineBook,
}
_LEARNED = (
    gap_rows.learned,
    card_rows.unsure,
    transcripts.named,
    transcripts.timed,
    foreign.entries,
    faq_rows.asking,
)  # what is told of a text that is learned as it stands


@dataclass(frozen=True)
class Opened:
    """A file that can be read, and what it is."""

    kind: str  # json, csv, text, yaml, xml, parquet, arrow, xlsx, xls, xlsb or ods
    encoding: str | None  # of text
    records: Iterator[FileRecord]
    position: Callable[[], int] | None = None  # bytes of the file read so far
    notes: list[Notice] = field(default_factory=list)
    told: list[Notice] = field(default_factory=list)  # filled once all records are read
    sheets: Sequence[str] = ()  # of a workbook, those in which there is something
    sheet: str = ""  # and the one that is read


def open_kind(path: pathlib.Path, limits: Limits, known: KnowsColumns, sheet: workbook.SheetChoice | None = None) -> Opened:
    """Looks at the content of a file and opens it for the reader of its kind; `sheet` says which of a workbook is wanted.

    Raises InputError: `data.binary`, `data.document` (kind), `data.mail`, `data.spreadsheet` (kind) for those
    that can be saved in another form, `data.password`, `data.page` (kind), `data.pointer`, `data.sheet.none` (sheet),
    and what `json_around.check`, `encoding.detect`, `parquet_rows.open_rows` and `workbook.open_rows` raise.
    The records raise what their readers do.
    """
    with open(path, "rb") as stream:
        head = stream.read(HEAD)
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    kind = kind or ("pickle" if _PICKLE.match(head) else "safetensors" if head[5:8] == bytes(3) and _TENSORS.match(head) else None)
    if kind == "zip":
        kind = _zipped(path)
    if kind == "office":
        kind = _office(path)
    if sheet is not None and sheet.name and kind not in _BOOKS:
        raise InputError("data.sheet.none", sheet=shown(sheet.name))
    if kind == "numbers":
        raise InputError("data.spreadsheet", kind=kind)
    if kind == "parquet":
        table = parquet_rows.open_rows(path, limits)
        return Opened(kind, None, table.records(), table.position)
    if kind == "arrow":
        table = parquet_rows.open_arrow(path, limits)
        return Opened(kind, None, table.records(), table.position)
    if kind in _BOOKS:
        book = workbook.open_rows(_BOOKS[kind], path, limits, known, sheet)
        return Opened(kind, None, book.records(), book.position, book.notes, book.told, book.sheets, book.sheet)
    if kind is not None:
        raise InputError("data.document" if kind in _DOCUMENTS else "data.binary", kind=kind)
    return _text(path, limits, known)


def _text(path: pathlib.Path, limits: Limits, known: KnowsColumns) -> Opened:
    text = detect(path)
    opened = _of_text(text, limits, known)
    if text.doubt:
        opened.notes.append(
            Notice(code="data.note.charset", level="warning", params={"charset": text.encoding, "example": shown(text.doubt)})
        )
    return opened


def _of_text(text: TextFile, limits: Limits, known: KnowsColumns) -> Opened:
    head = text.head()
    told: list[Notice] = []
    if bank_rows.takes(head):
        return Opened("xml", text.encoding, bank_rows.records(text, limits, told), text.position, told=told)
    _check_download(head)
    if whatsapp_rows.takes(head):
        return Opened("text", text.encoding, whatsapp_rows.records(text, limits), text.position)
    if json_rows.takes(head):
        return Opened("json", text.encoding, json_rows.records(text, limits, known), text.position)
    bared = json_around.bare(text, head)
    if bared is not None:
        around = [Notice(code="data.note.around", params={"lines": ", ".join(map(str, bared[1][:5])), "count": len(bared[1])})]
        return Opened("json", text.encoding, json_rows.records(bared[0], limits, known), bared[0].position, around)
    if yaml_rows.takes(head, known):
        return Opened("yaml", text.encoding, yaml_rows.records(text, limits), text.position)
    prose = _of_prose(text, limits, known)
    if prose is not None:
        return prose
    table = layout(head, known)
    if table is not None:
        notes = [Notice(code="data.note.header", params={"line": table.above + 1})] if table.found else []
        return Opened("csv", text.encoding, csv_rows.records(text, limits, table, known, told), text.position, notes, told)
    if json_lines.are_texts(head):
        return Opened("json", text.encoding, json_rows.texts(text, limits, known), text.position)
    json_around.check(head, known)
    notes = [note for look in _LEARNED if (note := look(head)) is not None]
    return Opened("text", text.encoding, text_rows.records(text, limits), text.position, notes)


def _of_prose(text: TextFile, limits: Limits, known: KnowsColumns) -> Opened | None:
    """A text in which somebody asks and answers, or speaks; None where it is a table, or nothing but a text."""
    head = text.head()
    told: list[Notice] = []
    gift = gift_rows.takes(head)
    if gift is not None:
        return Opened("text", text.encoding, gift_rows.records(text, limits, gift, told), text.position, told=told)
    gaps = gap_rows.takes(head)
    if gaps is not None and (gaps.separator or layout(head, known) is None):
        return Opened("text", text.encoding, gap_rows.records(text, limits, gaps, told), text.position, told=told)
    if card_rows.takes(head) and layout(head, known) is None:
        return Opened("text", text.encoding, card_rows.records(text, limits, told), text.position, told=told)
    quiz = quiz_rows.takes(head)
    if quiz is not None:
        return Opened("text", text.encoding, quiz_rows.records(text, limits, quiz, told), text.position, told=told)
    apart = apart_rows.takes(head)
    if apart is not None:
        return Opened("text", text.encoding, apart_rows.records(apart, limits, told), text.position, told=told)
    questions = faq_rows.way(head)
    speakers = dialogue_rows.takes(head) if questions is None or questions.by != "labels" else None
    if speakers is not None:
        return Opened("text", text.encoding, dialogue_rows.records(text, limits, speakers, told), text.position, told=told)
    if questions is not None and (questions.by not in ("lines", "turn") or layout(head, known) is None):
        unsolved = [note] if (note := quiz_rows.unsolved(head)) is not None else []
        return Opened("text", text.encoding, faq_rows.records(text, limits, questions, told), text.position, unsolved, told)
    return None


def _check_download(head: str) -> None:
    """Raises InputError `data.page` (kind), `data.page.telegram`, `data.pointer` for what a download leaves that did not get the file."""
    page = _PAGE.match(head)
    if page and _TELEGRAM in head:
        raise InputError("data.page.telegram")
    if page or head.strip() in _HUB:
        raise InputError("data.page", kind=(page[1] or "html").upper() if page else "Hub")
    if _is_mail(head):
        raise InputError("data.mail")
    if head.startswith(_POINTER):
        raise InputError("data.pointer")
    if _MARKUP.match(head):
        raise InputError("data.binary", kind="XML")


def _is_mail(head: str) -> bool:
    """Whether a text begins with the headers of an e-mail, or with a mailbox of such."""
    lines = head.lstrip().split("\n\n", 1)[0].replace("\r", "").splitlines()
    names = {line.split(":", 1)[0].casefold() for line in lines if re.match(r"[A-Za-z][A-Za-z-]*: ", line)}
    plain = all(re.match(r"[A-Za-z][A-Za-z-]*:|\s|From ", line) for line in lines)
    return plain and all(known & names for known in _MAIL)


def _zipped(path: pathlib.Path) -> str:
    """What a zip archive is the clothing of."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            said = archive.open("mimetype").read(60).decode("ascii", "replace") if "mimetype" in names else ""
            found = next((name for name, mime in (("ods", _ODS), ("odt", _ODT), ("odp", _ODP)) if said.startswith(mime)), None)
            if found is not None:
                return found
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        with open(path, "rb") as stream:
            return "xlsx" if b"xl/work" in stream.read(HEAD) else "zip"  # a workbook that was cut off is damaged, not packed
    if "[Content_Types].xml" not in names:
        return "numbers" if names & {"Index/Document.iwa", "Index.zip"} else "zip"
    if "xl/workbook.bin" in names:
        return "xlsb"
    parts = {name.split("/", 1)[0] for name in names}
    return next((kind for part, kind in (("xl", "xlsx"), ("word", "docx"), ("ppt", "pptx")) if part in parts), "zip")


def _office(path: pathlib.Path) -> str:
    """What an old Office file is: its parts are listed somewhere in it, by names in UTF-16. Raises InputError `data.password`."""
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find("EncryptedPackage".encode("utf-16-le")) >= 0:
            raise InputError("data.password")
        parts = {"WordDocument": "doc", "PowerPoint Document": "ppt", "__substg1.0_": "msg"}
        return next((kind for name, kind in parts.items() if content.find(name.encode("utf-16-le")) >= 0), "xls")
