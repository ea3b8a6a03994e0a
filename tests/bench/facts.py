"""Does the starter learn its data? Held-out questions answered by base and tuned, per seed.

`python -m tests.bench.facts [SEEDS]` trains the starter on both data sets by the command line, and prints for every seed
perplexity before and after, the share of greedy answers that hold the taught fact, and the seconds of the whole command.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

from tests.bench.server import ROOT
from tuning.schema import LOCAL

STARTER = ROOT / "presets" / "starter"


def train(home: str, data: str, seed: int) -> tuple[dict[str, Any], float]:
    """The JSON of one `train`, and its seconds from process start to end."""
    command = [sys.executable, "-m", "tuning", "--home", home, "train", "-m", "starter", "-d", data, "--set", f"seed={seed}", "--json"]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, env=dict(os.environ))
    return json.loads(done.stdout), time.perf_counter() - started


def share(home: str, run_id: str, data: str, base: bool, most: int | None = None) -> float:
    """Share of held-out questions (of the first `most`, or of all) whose greedy answer holds the fact."""
    from tuning.engine.question import Question
    from tuning.engine.resident import Resident
    from tuning.engine.speak.chat import answer
    from tuning.runs.store import Store
    from tuning.schema import Message

    run = Store(pathlib.Path(home)).find(run_id, LOCAL)
    spec = run.spec()
    resident = Resident()
    resident.load(spec.model.path, "cpu", spec.settings.precision)
    hits, count = 0, 0
    for line in (STARTER / f"{data}.heldout.jsonl").read_text(encoding="utf-8").splitlines()[:most]:
        row = json.loads(line)
        question = Question(
            [Message(role="user", content=row["instruction"])], spec.model, "cpu", "fp32", None if base else run, max_new_tokens=60
        )
        answer(resident, question)
        hits += row["fact"].lower() in "".join(question.stream()).lower()
        count += 1
    return hits / count


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("data        seed  seconds  base ppl  tuned ppl  base facts  tuned facts")
    with tempfile.TemporaryDirectory() as home:
        for data in ("starter-en", "starter-it"):
            for seed in range(1, seeds + 1):
                result, seconds = train(home, data, seed)
                before, after = share(home, result["run"], data, True), share(home, result["run"], data, False)
                row = f"{data}  {seed:4}  {seconds:7.1f}  {result['base_perplexity']:8.1f}  {result['perplexity']:9.2f}"
                print(f"{row}  {before:10.0%}  {after:11.0%}", flush=True)


if __name__ == "__main__":
    main()
