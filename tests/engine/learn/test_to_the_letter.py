"""From a file to the tokens that are learned, no character changes: in every form, through every kind of file, with hostile texts."""

import csv
import io
import itertools
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from tests.data.test_readers import HOSTILE
from tests.lots import lot
from tuning import settings
from tuning.data.ingest import ReadingOptions, ingest
from tuning.data.library import Library
from tuning.schema import LOCAL
from tuning.tokens import labels

Row = dict[str, Any]
STARTER = str(settings.PRESETS / "starter" / "model")
SIGNS = "<|begin|><|user|>{question}<|end|><|assistant|>{answer}<|end|>"  # what the starter's template puts around the texts


def said(question: str, answer: str, role: str, content: str, *names: str) -> list[Row]:
    return [{role: names[0], content: question}, {role: names[1], content: answer}]


FORMS: dict[str, Callable[[str, str], Row]] = {
    "alpaca": lambda question, answer: {"instruction": question, "input": "", "output": answer},
    "dolly": lambda question, answer: {"instruction": question, "context": "", "response": answer},
    "prompt-completion": lambda question, answer: {"prompt": question, "completion": answer},
    "question-answer": lambda question, answer: {"domanda": question, "risposta": answer},
    "preference": lambda question, answer: {"prompt": question, "chosen": answer, "rejected": "no"},
    "messages": lambda question, answer: {"messages": said(question, answer, "role", "content", "user", "assistant")},
    "sharegpt": lambda question, answer: {"conversations": said(question, answer, "from", "value", "human", "gpt")},
    "text": lambda question, answer: {"text": answer},
}


def as_csv(rows: list[Row], separator: str = ",") -> bytes:
    stream = io.StringIO(newline="")
    table = csv.DictWriter(stream, list(rows[0]), delimiter=separator, quoting=csv.QUOTE_ALL)
    table.writeheader()
    table.writerows(
        {key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for key, value in row.items()} for row in rows
    )
    return stream.getvalue().encode()


def as_parquet(rows: list[Row]) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


def escape(value: str) -> str:
    """As Excel writes what XML has no way for, and what looks like such an escape already."""
    return re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", value).replace("\r", "_x000D_")


def as_xlsx(rows: list[Row]) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(rows[0]))
    for row in rows:
        values = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in row.values()]
        sheet.append([escape(value) for value in values])
        for cell in sheet[sheet.max_row]:
            cell.data_type = "s"  # "=1+1" is a text, too
    book.save(stream)
    return stream.getvalue()


KINDS: dict[str, Callable[[list[Row]], bytes]] = {
    "jsonl": lambda rows: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(),
    "jsonl with escapes": lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode(),
    "json": lambda rows: json.dumps(rows, ensure_ascii=False, indent=1).encode(),
    "csv": as_csv,
    "csv of Italian Excel": lambda rows: b"\xef\xbb\xbf" + as_csv(rows, ";"),
    "tsv, UTF-16": lambda rows: as_csv(rows, "\t").decode().encode("utf-16"),
    "parquet": as_parquet,
    "xlsx": as_xlsx,
}
CELL = 32_767  # characters that a cell of a spreadsheet holds


PAIRS = list(itertools.product(KINDS, FORMS))
LOT = lot("to the letter").sample(range(len(PAIRS)), 12)  # the others are for the night; which these were stands in the names of the tests


@pytest.mark.parametrize(
    ("kind", "form"), [pytest.param(*pair, marks=[] if at in LOT else [pytest.mark.nightly]) for at, pair in enumerate(PAIRS)]
)
def test_no_character_changes_between_file_and_training(tmp_path: pathlib.Path, kind: str, form: str) -> None:
    texts = [text for text in HOSTILE if text.strip() and not (kind == "xlsx" and 3 * len(text) > CELL)]
    rows = [FORMS[form](f"{number}: {text}", text) for number, text in enumerate(texts, start=1)]
    path = tmp_path / "data"
    path.write_bytes(KINDS[kind](rows))
    spec = ingest(tmp_path / "home", LOCAL, [path], ReadingOptions(name="data"))
    assert (spec.format, spec.rows_kept, spec.rows_read) == (form, len(texts), len(texts))
    tokenizer = labels.load(STARTER)
    for number, (text, row) in enumerate(zip(texts, Library(tmp_path / "home").rows(spec.id, LOCAL), strict=True), start=1):
        encoded = labels.encode_row(tokenizer, row, 1_000_000)
        seen = tokenizer.decode([token for one in encoded for token in one.input_ids], clean_up_tokenization_spaces=False)
        whole = f"{text}<|end|>" if form == "text" else SIGNS.format(question=f"{number}: {text}", answer=text)
        assert seen.removeprefix("<|begin|>").encode() == whole.removeprefix("<|begin|>").encode()
        learned = [label for one in encoded for label in one.labels if label != labels.IGNORED]
        if form != "text":  # there the first token has none before it to be learned after
            assert tokenizer.decode(learned, clean_up_tokenization_spaces=False).encode() == f"{text}<|end|>".encode()
