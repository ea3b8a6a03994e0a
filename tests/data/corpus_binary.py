"""Files that are no text: archives, spreadsheets, parquet, pictures; whole, damaged, and made to unfold."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any

from tests.data.cases import GOOD, LINE, TEXTS, Case, Kept, Refused, all_kept, case

CSV = "question,answer\na,b\n"
LIMITS = ("data.output", "data.memory", "data.slow")  # which of them is met first depends on the machine


def cases() -> Iterator[Case]:
    yield from _archives()
    yield from _documents()
    yield from _programs()
    yield from _parquet()
    yield from _damaged_parquet()
    yield from _bombs()


def zipped(members: Mapping[str, bytes | str | Iterable[bytes]]) -> bytes:
    """A zip; the content of a large member comes in pieces."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            if isinstance(content, bytes | str):
                archive.writestr(name, content)
                continue
            with archive.open(name, "w", force_zip64=True) as stream:
                for piece in content:
                    stream.write(piece)
    return out.getvalue()


def _archives() -> Iterator[Case]:
    def binary(kind: str) -> Refused:
        return Refused("data.binary", {"kind": kind})

    yield case("a table in gzip", gzip.compress(CSV.encode()), binary("gzip"))
    yield case("lines in gzip", gzip.compress(LINE.encode()), binary("gzip"))
    yield case("a table in a zip", zipped({"data.csv": CSV}), binary("zip"))
    yield case("an empty zip", zipped({}), binary("zip"))
    yield case("a zip that leaves its folder", zipped({"../../evil.csv": CSV, "/etc/evil": CSV}), binary("zip"))
    yield case("a zip cut in half", zipped({"data.csv": CSV * 100})[:40], binary("zip"))
    yield case("the first bytes of a zip", b"PK\x03\x04", binary("zip"))
    yield case("a table in bzip2", bz2.compress(CSV.encode()), binary("bzip2"))
    yield case("a table in xz", lzma.compress(CSV.encode()), binary("xz"))
    yield case("a table in zstd", b"\x28\xb5\x2f\xfd\x04\x00" + CSV.encode(), binary("zstd"))
    yield case("a table in 7z", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(40), binary("7z"))
    yield case("a table in rar", b"Rar!\x1a\x07\x01\x00" + bytes(40), binary("rar"))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("data.csv"))
    yield case("a tar", out.getvalue(), Refused(("data.binary", "data.nul")))
    yield case("a tar in gzip", gzip.compress(out.getvalue()), binary("gzip"))


def _documents() -> Iterator[Case]:
    def binary(kind: str) -> Refused:
        texts = ("pdf", "rtf", "doc", "docx", "ppt", "pptx", "odt", "odp")
        return Refused("data.document" if kind in texts else "data.binary", {"kind": kind})

    types = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
    yield case("a Word document", zipped({"[Content_Types].xml": types, "word/document.xml": "<w/>"}), binary("docx"))
    yield case("slides", zipped({"[Content_Types].xml": types, "ppt/presentation.xml": "<p/>"}), binary("pptx"))
    ods = {"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<c/>"}
    yield case("an empty sheet of LibreOffice", zipped(ods), Refused("data.no_rows"))
    yield case("a text of LibreOffice", zipped({**ods, "mimetype": "application/vnd.oasis.opendocument.text"}), binary("odt"))
    book = zipped({"[Content_Types].xml": types, "xl/workbook.bin": b"\x83\x01"})
    yield case("a binary sheet of Excel without its parts", book, Refused("data.xlsx"))
    yield case("a sheet of Numbers", zipped({"Index/Document.iwa": "x"}), Refused("data.spreadsheet", {"kind": "numbers"}))
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    yield case("an old sheet of Excel, in parts", ole + "Workbook".encode("utf-16-le") + bytes(512), Refused("data.xlsx"))
    yield case("old slides", ole + "PowerPoint Document".encode("utf-16-le") + bytes(512), binary("ppt"))
    yield case("a mail of Outlook", ole + "__substg1.0_0037001F".encode("utf-16-le") + bytes(512), binary("msg"))
    yield case("an old document of Word", ole + "WordDocument".encode("utf-16-le") + bytes(512), binary("doc"))
    locked = ole + "EncryptedPackage".encode("utf-16-le") + bytes(512)
    yield case("a sheet with a password", locked, Refused("data.password"))
    yield case("the first bytes of an old sheet", ole[:4], Refused("data.xlsx"))
    yield case("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", binary("pdf"))
    yield case("RTF", rb"{\rtf1\ansi Ciao, mondo.}", binary("rtf"))
    yield case("a picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20), binary("png"))
    yield case("a photograph", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(20), binary("jpeg"))
    yield case("a moving picture", b"GIF89a" + bytes(20), Refused(("data.binary", "data.nul")))
    yield case("a sound", b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(20), Refused(("data.binary", "data.nul")))


def _programs() -> Iterator[Case]:
    """What other programs keep their data in. Nothing of it is ever loaded."""
    base = sqlite3.connect(":memory:")
    base.execute("create table rows (question text, answer text)")
    yield case("a database", base.serialize(), Refused("data.binary", {"kind": "sqlite"}))
    odd = ("data.binary", "data.nul", "data.encoding")

    def named(kind: str) -> Refused:
        return Refused("data.binary", {"kind": kind})

    yield case("a pickle", pickle.dumps([GOOD] * 50), named("pickle"))
    yield case("a pickle of the first kind", b"(lp0\nI1\naI2\na.", named("pickle"))
    yield case(
        "an array of NumPy",
        b"\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'shape': (2,)}\n" + bytes(16),
        named("NumPy"),
    )
    yield case("a program of Windows", b"MZ\x90\x00\x03\x00" + bytes(100), Refused(odd))
    yield case("a program of Linux", b"\x7fELF\x02\x01\x01" + bytes(100), Refused(odd))
    weights = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    yield case("weights", struct.pack("<Q", len(weights)) + weights + bytes(4), named("safetensors"))
    yield case("weights in a zip", zipped({"archive/data.pkl": b"\x80\x02}."}), Refused("data.binary", {"kind": "zip"}))
    for protocol in range(2, 6):
        yield case(f"an object in a pickle of protocol {protocol}", pickle.dumps({"a": 1}, protocol), named("pickle"))
    yield case("a quantised model", b"GGUF\x03\x00\x00\x00" + bytes(100), named("GGUF"))
    yield case("a table of Arrow", _arrow(file=True), all_kept(1, kind="arrow"))
    yield case("a stream of Arrow", _arrow(file=False), all_kept(1, kind="arrow"))
    yield case("a stream of Arrow cut in half", _arrow(file=False)[:-60], Refused(("data.parquet", "data.no_rows")))
    yield case("what begins as a stream of Arrow", b"\xff\xff\xff\xff" + bytes(range(100)), Refused("data.parquet"))
    for name, row in {
        "one row": {"input_ids": [1, 2], "labels": [-100, 2]},
        "a column": {"input_ids": [[1, 2]], "attention_mask": [[1, 1]]},
    }.items():
        yield case(f"tokens, {name}", json.dumps(row), Refused("data.tokenized"))
    yield case("tokens, line by line", '{"input_ids": [1, 2], "labels": [1, 2]}\n' * 3, Refused("data.tokenized"))


def _arrow(file: bool) -> bytes:
    import pyarrow as pa

    table = pa.table({"question": ["a"], "answer": ["b"]})
    sink = io.BytesIO()
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(columns: Mapping[str, Any], **how: Any) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), out, **how)
    return out.getvalue()


def _parquet() -> Iterator[Case]:
    import pyarrow as pa

    def kept(count: int, *first: str) -> Kept:
        return all_kept(count, kind="parquet", first=first)

    pair = {"instruction": ["Chi sei?"] * 3, "output": ["Perché lo chiedi?"] * 3}
    yield case("parquet", parquet(pair), kept(3, *TEXTS))
    for codec in ("none", "snappy", "gzip", "zstd", "brotli", "lz4"):
        yield case(f"parquet in {codec}", parquet(pair, compression=codec), kept(3, *TEXTS))
    yield case("parquet in many groups", parquet(pair, row_group_size=1), kept(3, *TEXTS))
    yield case("parquet of the second version", parquet(pair, data_page_version="2.0"), kept(3, *TEXTS))
    turns = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]] * 2
    yield case("talks in parquet", parquet({"messages": turns}), kept(2, "a", "b"))
    yield case("rows in a struct in parquet", parquet({"row": [GOOD, GOOD]}), kept(2, *TEXTS))
    nulls = parquet({"question": ["a", None, "c"], "answer": ["b", "b", None]})
    faults = [(2, 2, "data.row.empty_question"), (3, 3, "data.row.empty_answer")]
    yield case("nulls in parquet", nulls, Kept(3, 1, faults, kind="parquet"))
    whole = parquet({"question": ["a"], "answer": pa.array([12345678901], pa.int64())})
    yield case("whole numbers in parquet", whole, kept(1, "a", "12345678901"))
    yield case("large texts in parquet", parquet({"question": pa.array(["a"], pa.large_string()), "answer": ["b"]}), kept(1, "a", "b"))
    coded = pa.array(["a", "c", "a"]).dictionary_encode()
    yield case("coded texts in parquet", parquet({"question": coded, "answer": ["b"] * 3}), kept(3, "a", "b"))
    day = pa.array([0], pa.date32())
    yield case("days in parquet", parquet({"question": ["a"], "answer": day}), kept(1, "a", "1970-01-01"))
    bits = parquet({"question": ["a", "c"], "answer": pa.array([b"b", b"\xff"], pa.binary())})
    yield case("bytes in parquet", bits, Refused("data.nothing", {"row": 1, "fault": "data.row.type"}))
    image = {"image": [{"bytes": b"\x89PNG", "path": "a.png"}] * 2, "text": ["a", "b"]}
    yield case("pictures in parquet", parquet(image), Refused("data.images"))
    yield case(
        "no rows in parquet", parquet({"question": pa.array([], pa.string()), "answer": pa.array([], pa.string())}), Refused("data.no_rows")
    )
    yield case("no columns in parquet", parquet({}), Refused("data.no_rows"))
    yield case("unknown columns in parquet", parquet({"foo": ["a"], "bar": ["b"]}), Refused("data.format", {"columns": "foo, bar"}))
    wide = parquet({**{f"c{number}": ["x"] for number in range(3000)}, "question": ["a"], "answer": ["b"]})
    yield case("3,000 columns in parquet", wide, kept(1, "a", "b"))
    deep: Any = "x"
    for _ in range(30):
        deep = [deep]
    odd = parquet({"question": ["a"], "answer": ["b"], "deep": [deep]})
    yield case("30 lists in parquet", odd, Refused("data.parquet.deep", {"column": "deep", "limit": 20}))
    long = parquet({"question": ["a", "b", "c"], "answer": ["d", "x" * 1_100_000, "e"]})
    yield case("a text of 1 MB in parquet", long, Kept(3, 2, [(2, 2, "data.row.long")], first=("a", "d")))


def _damaged_parquet() -> Iterator[Case]:
    good = parquet({"question": [f"Domanda {number}?" for number in range(2000)], "answer": ["b"] * 2000}, compression="none")
    bad = Refused("data.parquet")
    yield case("parquet cut in half", good[: len(good) // 2], bad)
    yield case("parquet cut in its last bytes", good[:-3], bad)
    yield case("the first bytes of parquet", b"PAR1\x15\x04", bad)
    yield case("parquet without an inside", b"PAR1\x15\x04" + bytes(50) + b"PAR1", bad)
    yield case("parquet with a foot of 2 GB", good[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1", bad)
    size = struct.unpack("<I", good[-8:-4])[0]
    foot = len(good) - 8 - size
    yield case("parquet with an empty foot", good[:-8] + struct.pack("<I", 0) + b"PAR1", bad)
    yield case("parquet with a foot of noise", good[:foot] + zlib.compress(good, 0)[:size] + good[-8:], bad)
    yield case("parquet with zeros in it", good[:100] + bytes(foot - 100) + good[foot:], bad)


def _bombs() -> Iterator[Case]:
    """What unfolds: read by a real child alone."""
    short = Refused(LIMITS)
    long = Refused((*LIMITS, "data.nothing"))  # no text of them is short enough to be a row
    yield case("gzip of 1 GB", _gzip_of_a_gigabyte, Refused("data.binary", {"kind": "gzip"}), large=True)
    yield case(
        "a zip of 1 GB", lambda: zipped({"data.csv": repeat(bytes(2**20), 1024)}), Refused("data.binary", {"kind": "zip"}), large=True
    )
    yield case("parquet of 10 GB in one text over and over", lambda: repeated(100_000_000, 100), long, large=True)
    yield case("parquet of 10 GB in long texts", lambda: repeated(2_000_000, 5_000), long, large=True)
    yield case("parquet of 10 GB in short texts", lambda: repeated(100_000, 100_000), short, large=True)
    yield case("parquet of 10 GB in words", lambda: repeated(1_000, 10_000_000), short, large=True)


def _gzip_of_a_gigabyte() -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b"a,b\n" * 2**18) for _ in range(1024)) + packer.flush()


def repeated(length: int, count: int) -> bytes:
    """Parquet of one text, held once and named in every row: a small file of `length * count` characters."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    schema = pa.schema([("question", pa.string()), ("answer", pa.dictionary(pa.int32(), pa.string()))])
    step = min(count, 100_000)
    names = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), step), ["x" * length])
    rows = pa.table([pa.repeat("a", step), names], schema=schema)
    out = io.BytesIO()
    with pq.ParquetWriter(out, schema, compression="zstd", dictionary_pagesize_limit=2**31 - 1, write_statistics=False) as writer:
        for _ in range(count // step):
            writer.write_table(rows, row_group_size=step)
    return out.getvalue()
