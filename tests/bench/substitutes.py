"""What each thing that stands in for a library's own part on a processor gains in a whole run: LoRA's sums, attention of packed rows.

`python -m tests.bench.substitutes ROWS.json [ROUNDS] [STEPS]`: as `speed`, ours against ours with one of them left out, in turn. What
gains less than a twentieth of a run goes.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from tests.bench import one_run, speed
from tests.bench.server import ROOT
from tuning.engine.kernels import attention, lora_cpu

WITHOUT = ("nothing", "lora", "attention")


def leave_out(name: str) -> None:
    """Have this process compute in the library's own way what `name` stands for."""
    if name == "lora":
        lora_cpu.quicken = lambda model: None
    if name == "attention":
        attention.LONGEST = 0


def main() -> None:
    source = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    steps = sys.argv[3] if len(sys.argv) > 3 else "16"
    found: dict[str, list[float]] = {name: [] for name in WITHOUT}
    with tempfile.TemporaryDirectory() as folder:
        model, rows = speed.build(pathlib.Path(folder) / "model", source), speed.write(pathlib.Path(folder) / "rows.jsonl", source)
        words = [str(model), str(rows), steps, "2", "2e-4", "512", "4", "0.05", "apart"]
        for number in range(rounds):
            for name in WITHOUT:
                command = [sys.executable, "-m", "tests.bench.substitutes", f"--without={name}", *words]
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
                result = json.loads(done.stdout.strip().splitlines()[-1])
                found[name].append(result["tokens"] / result["seconds"])
                print(f"round {number + 1}: without {name}: {found[name][-1]:.0f} tokens/s", flush=True)
    for name in WITHOUT[1:]:
        gains = sorted(ours / left for ours, left in zip(found["nothing"], found[name], strict=True))
        print(f"{name} gains: {statistics.median(gains):.2f} ({gains[0]:.2f}-{gains[-1]:.2f})")


if __name__ == "__main__":
    if sys.argv[1].startswith("--without="):
        leave_out(sys.argv.pop(1).partition("=")[2])
        one_run.main()
    else:
        main()
