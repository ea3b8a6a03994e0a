"""From bytes to text: which charset a file has, and whether it is text at all.

It reads the file once, piece by piece, and changes nothing. What the text means is not its business.
"""

import codecs
import io
import pathlib
import re
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from tuning.data.readers import old_charsets
from tuning.data.records import HEAD
from tuning.errors import InputError

_PIECE = 2**20
# Quotation marks, dashes, spaces and the like: in our texts, too, they stand in rows.
_SIGNS = bytes((0x80, 0x85, *range(0x91, 0x98), 0xA0, 0xA1, 0xAB, 0xB0, 0xB7, 0xBB, 0xBF))
_NO_LETTERS = bytes(range(0x80)) + _SIGNS
_ROW = re.compile(b"[" + re.escape(bytes(byte for byte in range(0x80, 0x100) if byte not in _SIGNS)) + b"]{3,}")
_ENOUGH = 12  # letters: a list of accents is shorter
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class TextFile:
    """A text file and its charset. It remembers the stream opened last, so that somebody else may ask how far it is read."""

    def __init__(self, path: pathlib.Path, encoding: str, doubt: str = "") -> None:
        self.path = path
        self.encoding = encoding
        self.doubt = doubt  # a word that does not look as if it had been written in this charset
        self._stream: BinaryIO | None = None

    def open(self, newline: str = "") -> TextIO:
        """The text from its beginning, without a byte order mark. Lines end as `newline` says (any, or one way); ends stay as they are."""
        return io.TextIOWrapper(self._opened(), encoding=self.encoding, newline=newline)

    def open_bytes(self) -> BinaryIO:
        """The bytes of the text, after a UTF-8 byte order mark."""
        stream = self._opened()
        if self.encoding == "utf-8-sig":
            stream.seek(len(codecs.BOM_UTF8))
        return stream

    def head(self) -> str:
        """The first 65,536 characters."""
        with self.open() as stream:
            return stream.read(HEAD)

    def position(self) -> int:
        """Bytes of the file that have been read; all of them once the stream is closed."""
        if self._stream is None:
            return 0
        return self.path.stat().st_size if self._stream.closed else self._stream.tell()

    def _opened(self) -> BinaryIO:
        self._stream = open(self.path, "rb")  # noqa: SIM115 (whoever asked for it closes it)
        return self._stream


def detect(path: pathlib.Path) -> TextFile:
    """UTF-8 with or without a byte order mark, UTF-16 with one, else cp1252, or an older charset where the letters say so clearly.

    Raises InputError: `data.nul`, `data.encoding` (line), `data.charset` for letters that none of these has, `data.empty` for a file
    of white space alone.
    """
    with open(path, "rb") as stream:
        head = stream.read(4)
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if marked is not None:
        _read_through(path, marked)
        return TextFile(path, marked)
    try:
        _read_through(path, "utf-8")
    except InputError as fault:
        if fault.code != "data.encoding" or _mostly_utf8(path):
            raise
        charset, doubt = old_charsets.told(piece for piece, _ in _pieces(path))
        _read_through(path, charset)
        if _of_other_letters(path):
            raise InputError("data.charset") from None
        return TextFile(path, charset, doubt)
    return TextFile(path, "utf-8")


def _read_through(path: pathlib.Path, encoding: str) -> None:
    # Lines are counted only where there is a fault to name: so the pass costs a fraction of the reading.
    blank, done = True, 0
    decoder = codecs.getincrementaldecoder(encoding)()
    for piece, last in _pieces(path):
        try:
            text = decoder.decode(piece, final=last)
        except UnicodeDecodeError as error:
            kept = len(error.object) - len(piece)  # bytes of the piece before, half a character
            raise InputError("data.encoding", line=_line(path, encoding, done - kept + error.start)) from error
        if "\0" in text:
            raise InputError("data.nul", line=_line(path, encoding, done) + text.count("\n", 0, text.index("\0")))
        blank = blank and (not text or text.isspace())
        done += len(piece)
    if blank:
        raise InputError("data.empty")


def _line(path: pathlib.Path, encoding: str, end: int) -> int:
    """The line that a byte of the file stands in."""
    line, newline = 1, "\n".encode("utf-16-le" if encoding == "utf-16" else "ascii")  # in either byte order, nearly
    for piece, _ in _pieces(path):
        line += piece.count(newline, 0, max(0, end))
        end -= len(piece)
    return line


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


def _of_other_letters(path: pathlib.Path) -> bool:
    """Whether a text that is no UTF-8 was written in an alphabet, or in signs, that cp1252 does not have.

    There a letter that is not ASCII stands alone, or by another one; three and more in a row are rare (`jäääär`). In Cyrillic,
    Greek, Hebrew or Arabic all letters are such bytes, in Chinese, Japanese or Korean nearly all.
    """
    all_of_them = in_rows = 0
    for piece, _ in _pieces(path):
        letters = piece.translate(None, _NO_LETTERS)  # what stands for a letter in all of these charsets
        all_of_them += len(letters)
        in_rows += sum(map(len, _ROW.findall(piece)))
    return in_rows >= _ENOUGH and 2 * in_rows > all_of_them


def _pieces(path: pathlib.Path) -> Iterator[tuple[bytes, bool]]:
    """The file in pieces, and an empty last one."""
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece, False
    yield b"", True
