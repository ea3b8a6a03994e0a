"""The parts of a zip archive of XML, as spreadsheets are, read as streams: whatever a part unfolds to, one row of it is held.

What the elements mean is not its business.
"""

import zipfile
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, iterparse

from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits

_ROOM, _SQUEEZED = 100 * MEGABYTE, 200  # what every workbook may unfold to, or this many times its size: real ones have 5 to 50


class XmlParts:
    """One archive. Raises what `check_size` does, and `zipfile.BadZipFile`."""

    def __init__(self, stream: BinaryIO, size: int, limits: Limits) -> None:
        self._stream, self._size = stream, size
        self._archive = zipfile.ZipFile(stream)
        check_size(self._archive, size, limits)
        self.names = frozenset(self._archive.namelist())

    def read(self, part: str, most: int = MEGABYTE) -> bytes:
        """The beginning of a part; nothing where there is none."""
        if part not in self.names:
            return b""
        with self._archive.open(part) as stream:
            return stream.read(most)

    def elements(self, part: str, *names: str, begun: tuple[str, ...] = ()) -> Iterator[Element]:
        """All elements of some names, in order, each forgotten when the next is asked for; of others, `begun`, the attributes alone."""
        with self._archive.open(part) as stream:
            path: list[Element] = []
            inside = 0  # elements asked for that are open
            for event, element in iterparse(stream, ("start", "end")):
                name = local_name(element)
                if event == "start":
                    path.append(element)
                    inside += name in names
                    if name in begun:
                        yield element
                    continue
                path.pop()
                inside -= name in names
                if name in names:
                    yield element
                if not inside and path:
                    path[-1].clear()

    def bytes_from(self, part: str, mark: bytes) -> Iterator[bytes]:
        """The bytes of a part from a mark on, in pieces that end with an element; quickly where there is no such mark."""
        with self._archive.open(part) as stream:
            held, inside = b"", False
            while chunk := stream.read(MEGABYTE):
                held += chunk
                at = 0 if inside else held.find(mark)
                inside = at >= 0
                if inside:
                    end = max(held.rfind(b">") + 1, len(held) - MEGABYTE)
                    yield held[at:end]
                    held = held[end:]
                else:
                    held = held[-len(mark) :]

    def position(self) -> int:
        """Bytes of the file that have been read."""
        return self._size if self._stream.closed else self._stream.tell()

    def close(self) -> None:
        self._archive.close()
        self._stream.close()


def check_size(archive: zipfile.ZipFile, size: int, limits: Limits) -> None:
    """Raises InputError `data.output` (limit) where an archive of so many bytes unfolds to too much; beyond what a part announces nothing
    is read."""
    most = min(limits.output_bytes, max(_ROOM, _SQUEEZED * size))
    if sum(part.file_size for part in archive.infolist()) > most:
        raise InputError("data.output", limit=most // MEGABYTE)


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]
