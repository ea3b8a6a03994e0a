"""What the tables of kinds are written with: one input, what should come of it, and the files that it is put into.

Each outcome is thought, not copied from what the code says. Nothing is read here.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

Said = tuple[str, ...]  # texts of one row, turn by turn; a text that begins with "~" is context and not learned


@dataclass(frozen=True)
class Input:
    """One input of a kind: either its rows come out, or one sentence is said."""

    content: str | bytes
    rows: Sequence[Said] = ()  # of the first rows that are kept, or all of them
    code: str = ""  # of the sentence, where nothing can be read
    left: int = 0  # rows that are left out
    unused: Mapping[str, int] = field(default_factory=dict)  # names, with how often
    finding: str = ""  # one of what is told; with "-" before it, what is not
    repair: str = ""  # that is chosen
    mapping: Mapping[str, str] = field(default_factory=dict)
    thoughts: int = 0  # rows in which something is thought
    tools: int = 0  # rows with tools


def U(content: Any, **keys: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **keys}


def A(content: Any, **keys: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **keys}


def S(content: Any, **keys: Any) -> dict[str, Any]:
    return {"role": "system", "content": content, **keys}


def lines(*rows: Any) -> str:
    """JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def table(*rows: Sequence[Any], **dialect: Any) -> str:
    """CSV, the first row being the header."""
    out = io.StringIO()
    csv.writer(out, **dialect).writerows(rows)
    return out.getvalue()


def sheets(_formats: Mapping[str, str] | None = None, **named: Sequence[Sequence[Any]]) -> bytes:
    """A workbook; cells of its first sheet may have a number format."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in named.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    for place, code in (_formats or {}).items():
        book.worksheets[0][place].number_format = code
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(*rows: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), out)
    return out.getvalue()


def arrow(*rows: Any, stream: bool = False) -> bytes:
    out, made = io.BytesIO(), pa.Table.from_pylist(list(rows))
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, made.schema) as writer:
        writer.write_table(made)
    return out.getvalue()


QA: tuple[tuple[str, str], ...] = (
    ("Was kostet es, eine Hose zu kürzen?", "Zwölf Euro, fertig in zwei Tagen."),
    ("Combien de temps pour un costume ?", "Six semaines environ, avec deux essayages."),
    ("¿Abren los domingos por la mañana?", "No, los domingos está cerrado todo el día."),
    ("Che tessuti avete in negozio?", "Lana, lino e cotone di tre filati italiani."),
)


def paired(*names: str) -> list[dict[str, str]]:
    """The pairs under two names."""
    return [dict(zip(names, pair, strict=True)) for pair in QA]
