"""From bytes to text: which charset a file has, and whether it is text at all.

It reads the file once, piece by piece, and changes nothing. What the text means is not its business.
"""

import codecs
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from tuning.data.records import HEAD
from tuning.errors import InputError

_PIECE = 2**20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"PAR1\x15", "parquet"),  # 0x15: the first field of the Thrift header that always follows
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0", "xls"),
    (b"%PDF-", "pdf"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"ARROW1\x00", "arrow"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
)


@dataclass(frozen=True)
class Text:
    """A text file and its charset."""

    path: pathlib.Path
    encoding: str

    def open(self, newline: str = "") -> TextIO:
        """The text from its beginning, without a byte order mark. Lines end as `newline` says (any, or one way); ends stay as they are."""
        return open(self.path, encoding=self.encoding, newline=newline)

    def head(self) -> str:
        """The first 65,536 characters."""
        with self.open() as stream:
            return stream.read(HEAD)


def detect(path: pathlib.Path) -> Text:
    """UTF-8 with or without a byte order mark, UTF-16 with one, else cp1252.

    Raises InputError: `data.binary` for archives and other known binary files, `data.nul`, `data.encoding`, `data.empty`
    for a file of white space alone.
    """
    with open(path, "rb") as stream:
        head = stream.read(HEAD)
    kind = _binary(head)
    if kind is not None:
        raise InputError("data.binary", kind=kind)
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if marked is not None:
        _read_through(path, marked)
        return Text(path, marked)
    try:
        _read_through(path, "utf-8")
    except InputError as fault:
        if fault.code != "data.encoding" or _mostly_utf8(path):
            raise
        _read_through(path, "cp1252")
        return Text(path, "cp1252")
    return Text(path, "utf-8")


def _binary(head: bytes) -> str | None:
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    return "xlsx" if kind == "zip" and (b"[Content_Types].xml" in head or b"xl/" in head) else kind


def _read_through(path: pathlib.Path, encoding: str) -> None:
    line, blank = 1, True
    decoder = codecs.getincrementaldecoder(encoding)()
    for piece, last in _pieces(path):
        try:
            text = decoder.decode(piece, final=last)
        except UnicodeDecodeError as error:
            raise InputError("data.encoding", line=line + error.object[: error.start].count(b"\n")) from error
        if "\0" in text:
            raise InputError("data.nul", line=line + text.count("\n", 0, text.index("\0")))
        line += text.count("\n")
        blank = blank and (not text or text.isspace())
    if blank:
        raise InputError("data.empty")


def _mostly_utf8(path: pathlib.Path) -> bool:
    """Whether more non-ASCII characters read well as UTF-8 than not: then it is damaged UTF-8, and cp1252 would garble it.

    In cp1252 an accented letter stands before a plain one or a space, which UTF-8 never allows.
    """
    well = ill = 0
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for piece, last in _pieces(path):
        text = decoder.decode(piece, final=last)
        if text.isascii():
            continue
        escaped = len(text.encode("utf-8", "replace")) - len(text.encode("utf-8", "ignore"))
        ill += escaped
        well += len(text) - len(text.encode("ascii", "ignore")) - escaped
    return well > ill


def _pieces(path: pathlib.Path) -> Iterator[tuple[bytes, bool]]:
    """The file in pieces, and an empty last one."""
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece, False
    yield b"", True
