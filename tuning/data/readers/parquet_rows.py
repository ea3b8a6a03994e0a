"""Rows of Parquet and Arrow files, from small batches: a file of a megabyte may hold ten gigabytes, so nothing that its footer says
is believed.

Values come as JSON has them: numbers as `Number`, dates as ISO text, lists, objects; bytes stay bytes, for which no text has
a use. What the columns mean is not its business.
"""

import datetime
import decimal
import math
import pathlib
import struct
from collections.abc import Callable, Iterator
from typing import Any

from tuning.data.readers.csv_rows import check_header
from tuning.data.records import FileRecord, Number, shown
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits

_BATCH = 100  # rows: those of one batch are in memory together, and a text repeated in each of them is written out
_AT_ONCE = 16 * MEGABYTE  # of a batch, turned into values together; of a larger one, row by row
_SHORTEST = 20  # bytes that a row takes in our form at least
_SQUEEZED = 4  # times the limit of output that a file may announce: some of its columns are not read
_LARGEST_SINGLE = 3.4028234663852886e38

Convert = Callable[[Any], Any]


def open_rows(path: pathlib.Path, limits: Limits) -> "ParquetRows":
    """A Parquet file, its footer read.

    Raises InputError: `data.parquet` for a damaged one, `data.parquet.deep` (column, limit), `data.output` for one that announces
    too much, `data.csv.header` (column).
    """
    return ParquetRows(path, limits)


def open_arrow(path: pathlib.Path, limits: Limits) -> "ArrowRows":
    """An Arrow file or stream, as `datasets` keeps what it has loaded, its schema read. Raises as `open_rows`."""
    return ArrowRows(path, limits)


class _Deep(Exception):
    """A type nests too many lists and objects."""


class ParquetRows:
    """The rows of one file."""

    def __init__(self, path: pathlib.Path, limits: Limits) -> None:
        import pyarrow

        pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # the others reserve address space, which is limited here
        pyarrow.set_cpu_count(1)
        self._damage = (pyarrow.ArrowException, OSError, ValueError, OverflowError)
        self._limits = limits
        self._size = path.stat().st_size
        self._read = 0
        self._total = 0
        try:
            schema = self._open(path)
        except MemoryError:
            raise
        except self._damage as error:
            raise InputError("data.parquet") from error
        check_header(schema.names)
        self._columns = [(field.name, *self._understood(field)) for field in schema]

    def _open(self, path: pathlib.Path) -> Any:
        """The schema. Raises InputError `data.output` for a file that announces too much."""
        from pyarrow import parquet

        self._file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=65_536, arrow_extensions_enabled=False)
        self._total = self._file.metadata.num_rows
        self._check_announced()
        return self._file.schema_arrow

    def _batches(self) -> Iterator[Any]:
        yield from self._file.iter_batches(batch_size=_BATCH, use_threads=False)

    def records(self) -> Iterator[FileRecord]:
        """All rows in order. Raises InputError `data.parquet` where the file is damaged."""
        try:
            for batch in self._batches():
                columns = [
                    column if column.type == target else column.cast(target, safe=False)
                    for column, (_, target, _) in zip(batch.columns, self._columns, strict=True)
                ]
                step = 1 if batch.nbytes > _AT_ONCE else _BATCH
                for start in range(0, batch.num_rows, step):
                    yield from self._rows([column.slice(start, step) for column in columns])
        except MemoryError:
            raise
        except self._damage as error:
            raise InputError("data.parquet") from error
        finally:
            self._file.close()

    def position(self) -> int:
        """Bytes of the file that the rows read so far may have taken."""
        return int(self._size * self._read // max(1, self._total))

    def _understood(self, field: Any) -> tuple[Any, Convert | None]:
        """As what the values of a column are read, and what makes JSON of them."""
        try:
            convert = _converter(field.type, self._limits.depth - 1)
        except _Deep:
            raise InputError("data.parquet.deep", column=shown(field.name), limit=self._limits.depth) from None
        return _target(field.type), convert

    def _check_announced(self) -> None:
        metadata, most = self._file.metadata, self._limits.output_bytes
        announced = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
        if announced > _SQUEEZED * most or self._total * _SHORTEST > most:
            raise InputError("data.output", limit=most // MEGABYTE)

    def _rows(self, columns: list[Any]) -> Iterator[FileRecord]:
        try:
            values = [column.to_pylist() for column in columns]
        except UnicodeDecodeError:
            if len(columns[0]) > 1:
                for place in range(len(columns[0])):
                    yield from self._rows([column.slice(place, 1) for column in columns])
                return
            self._read += 1
            yield FileRecord(self._read, self._read, fault=InputError("data.row.surrogate", column=shown(self._undecodable(columns))))
            return
        converted = [
            [None if value is None else convert(value) for value in column] if convert else column
            for column, (_, _, convert) in zip(values, self._columns, strict=True)
        ]
        names = [name for name, _, _ in self._columns]
        for cells in zip(*converted, strict=True):
            self._read += 1
            size = sum(map(_size, cells))
            if size > self._limits.line:
                yield FileRecord(self._read, self._read, fault=InputError("data.row.long", limit=self._limits.line))
            else:
                yield FileRecord(self._read, self._read, values=dict(zip(names, cells, strict=True)), size=size)

    def _undecodable(self, columns: list[Any]) -> str:
        for column, (name, _, _) in zip(columns, self._columns, strict=True):
            try:
                column.to_pylist()
            except UnicodeDecodeError:
                return str(name)
        return ""


class ArrowRows(ParquetRows):
    """The rows of one Arrow file or stream."""

    def _open(self, path: pathlib.Path) -> Any:
        import pyarrow

        self._file = pyarrow.OSFile(str(path))
        whole = self._file.read(6) == b"ARROW1"
        self._file.seek(0)
        self._reader = pyarrow.ipc.open_file(self._file) if whole else pyarrow.ipc.open_stream(self._file)
        self._whole = whole
        return self._reader.schema

    def _batches(self) -> Iterator[Any]:
        reader = self._reader
        numbered = range(reader.num_record_batches) if self._whole else ()
        for batch in (reader.get_batch(number) for number in numbered) if self._whole else reader:
            for start in range(0, batch.num_rows, _BATCH):
                yield batch.slice(start, _BATCH)

    def position(self) -> int:
        """Bytes of the file that have been read."""
        return self._size if self._file.closed else int(self._file.tell())


def _size(value: Any) -> int:
    """Characters of all texts in a value."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 1


def _target(kind: Any) -> Any:
    """The type as which a column is read: without categories, and with times that Python can hold."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _target(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_time64(kind):
        return pa.time64("us")
    if pa.types.is_duration(kind):
        return pa.duration("us")
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_target(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_target(kind.key_type), _target(kind.item_type))
    if pa.types.is_nested(kind) and _target(kind.value_type) != kind.value_type:
        return pa.large_list(kind.value_field.with_type(_target(kind.value_type)))
    return kind


def _converter(kind: Any, deeper: int) -> Convert | None:
    """What makes a value of one type (that is not null) one that JSON has; None where it is one already. Raises _Deep."""
    import pyarrow as pa

    if deeper < 0:
        raise _Deep
    if pa.types.is_dictionary(kind):
        return _converter(kind.value_type, deeper)
    if pa.types.is_struct(kind):
        return _of_struct({field.name: _converter(field.type, deeper - 1) for field in kind})
    if pa.types.is_map(kind):
        return _of_map(_converter(kind.item_type, deeper - 1))
    if pa.types.is_nested(kind):
        return _of_list(_converter(kind.value_type, deeper - 1))
    if pa.types.is_float32(kind):
        return _single
    simple = pa.types.is_boolean(kind) or pa.types.is_null(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return None if simple or text else _plain


def _of_list(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda items: [None if item is None else convert(item) for item in items]


def _of_struct(converts: dict[str, Convert | None]) -> Convert | None:
    changes = {name: convert for name, convert in converts.items() if convert is not None}
    if not changes:
        return None
    return lambda item: {name: changes[name](value) if name in changes and value is not None else value for name, value in item.items()}


def _of_map(convert: Convert | None) -> Convert:
    return lambda pairs: {str(key): convert(value) if convert and value is not None else value for key, value in pairs}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else Number(repr(value))  # pandas writes what is missing as NaN
    if isinstance(value, (int, decimal.Decimal)):
        return Number(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return value if isinstance(value, bytes) else str(value)


def _single(value: float) -> Any:
    """A number of 32 bits in the fewest digits that mean it."""
    if math.isfinite(value):
        for digits in range(6, 9):
            short = float(f"{value:.{digits}g}")
            if abs(short) <= _LARGEST_SINGLE and struct.pack("f", short) == struct.pack("f", value):
                return Number(repr(short))
        value = float(f"{value:.9g}")
    return _plain(value)
