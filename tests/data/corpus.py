"""The corpus of bad and odd files: more than 300 of them, each with its verdict.

`python -m tests.data.corpus FOLDER` writes them all out, to be brought by hand. They are judged in `test_corpus`.
"""

import pathlib
import re
import sys

from tests.data import corpus_binary, corpus_books, corpus_formats, corpus_json, corpus_layouts, corpus_tables, corpus_texts
from tests.data.cases import Case

PARTS = (corpus_json, corpus_layouts, corpus_tables, corpus_texts, corpus_formats, corpus_binary, corpus_books)
CASES: tuple[Case, ...] = tuple(case for part in PARTS for case in part.cases())


def file_name(number: int, case: Case) -> str:
    """A name that says nothing of what is in the file: the content has to."""
    return f"{number:03}-{re.sub('[^a-z0-9]+', '-', case.name.lower()).strip('-')[:80]}.csv"


def write(folder: pathlib.Path) -> None:
    """All files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(CASES):
        (folder / file_name(number, case)).write_bytes(case.make())


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
    print(f"{len(CASES)} files in {sys.argv[1]}")
