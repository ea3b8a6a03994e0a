"""Which lines of a text stand within a fence of code (three backquotes or tildes): nothing in them is a heading, a label or a number."""

import contextlib
import re
from collections.abc import Iterable, Iterator

from tuning.data.readers.encoding import TextFile
from tuning.sandbox.limits import Limits

_FENCE = re.compile(r"(?P<before>.*?)(?P<sign>(?<![`~])(?:`{3,}|~{3,}))[ \t]*(?P<kind>[\w+#.-]*)(?P<rest>[^`~]*)$")
_LEAST = ("```", "~~~")


@contextlib.contextmanager
def opened(text: TextFile, limits: Limits) -> Iterator[tuple[Iterator[str], bytearray]]:
    """The lines of a file, without what ends them, and one byte for each as `coded` has them; a line beyond the limit comes in pieces."""
    newline = "\n" if "\n" in text.head() else ""
    with text.open(newline) as stream:
        code = coded(iter(lambda: stream.readline(limits.line + 2), ""))
    with text.open(newline) as stream:
        yield (line.rstrip("\r\n") for line in iter(lambda: stream.readline(limits.line + 2), "")), code


def coded(lines: Iterable[str]) -> bytearray:
    """One byte for each line: 1 within a fence, its own lines included, else 0. A fence that nothing closes is none.

    Where text stands before the opening fence (`A: ```python`), that line is none of it.
    """
    inside = bytearray()
    begin, sign = -1, ""
    for place, line in enumerate(lines):
        inside.append(0)
        found = _FENCE.match(line.rstrip("\r\n")) if _LEAST[0] in line or _LEAST[1] in line else None
        if found is None:
            continue
        alone = not found["before"].strip()
        if begin >= 0 and alone and found["sign"].startswith(sign) and not found["kind"] and not found["rest"].strip():
            inside[begin : place + 1] = b"\1" * (place + 1 - begin)
            begin = -1
        elif (begin < 0 or found["sign"][0] == sign[0]) and (alone or (found["before"][-1:] in " \t:" and not found["rest"].strip())):
            begin, sign = place + (not alone), found["sign"]
    return inside
