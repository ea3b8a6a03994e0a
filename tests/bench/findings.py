"""What finding costs: microseconds per row in passing, seconds of the close look, memory. `python -m tests.bench.findings [ROWS]`.

Rows are random words, 600 bytes as JSON. Times are of this process; memory is its peak over what it holds before.
"""

import random
import resource
import sys
import time
from typing import Any

import orjson

from tuning.data.checks.findings import Findings


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    random.seed(1)
    words = ["".join(random.choices("abcdefghilmnoprstuvzàèù", k=random.randint(2, 9))) for _ in range(5000)]
    lines = [" ".join(random.choices(words, k=20)) for _ in range(5000)]
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    findings, spent = Findings(), 0.0
    for start in range(0, count, 1000):  # fresh texts, as a reader makes them: what was hashed before costs nothing
        rows = [fresh(number, lines) for number in range(start, min(start + 1000, count))]
        before = time.process_time()
        for row in rows:
            findings.add(row, ("question", "answer"))
        spent += time.process_time() - before
    before = time.process_time()
    findings.finish()
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024
    print(f"{count} rows: {spent / count * 1e6:.2f} us each, close look {time.process_time() - before:.1f} s, {peak:.0f} MB")


def fresh(number: int, lines: list[str]) -> dict[str, Any]:
    question, answer = f"{random.choice(lines)} {number}", " ".join(random.choices(lines, k=3))
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    row: dict[str, Any] = orjson.loads(orjson.dumps({"row": number, "messages": turns}))
    return row


if __name__ == "__main__":
    main()
