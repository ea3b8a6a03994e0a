"""How long a plan takes: `python -m tests.bench.plan`. In a fresh process against one that only imports, and for a moved knob.

Every model of the catalog is planned for this machine and for cards of 24, 12 and 8 GB; nothing is downloaded.
"""

import statistics
import subprocess
import sys
import tempfile
import time

from tuning import presets, settings
from tuning.schema import LOCAL
from tuning.studio import Studio

CARDS = (None, 24.0, 12.0, 8.0)


def seconds(*words: str) -> float:
    """Of a process, from start to end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=settings.ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        one = ("-m", "tuning", "--home", home, "plan", "--json", "-d", "starter-en", "--gpu-memory", "12", "-m")
        pairs = [
            (seconds(*one, model), seconds("-c", "import tuning.cli.main"))
            for model in ("Qwen/Qwen2.5-7B", "ibm-granite/granite-4.0-h-1b", "HuggingFaceTB/SmolLM-360M")
        ]
        slowest, ratio = max(whole for whole, _ in pairs), statistics.median(whole / bare for whole, bare in pairs)
        print(f"a plan in a fresh process: {slowest:.2f} s at most, {ratio:.1f} x the imports alone")
        studio = Studio(settings.read(home=home), LOCAL)
        studio.plans.plan("starter", "starter-en")
        first, moved = [], []
        for model in presets.models(settings.PRESETS):
            for card in CARDS:
                started = time.perf_counter()
                studio.plans.plan(model, "starter-en", gpu_memory=card)
                between = time.perf_counter()
                studio.plans.plan(model, "starter-en", gpu_memory=card, settings={"lora_r": 8})
                first.append(between - started)
                moved.append(time.perf_counter() - between)
        print(f"{len(first)} plans: first {1000 * statistics.median(first):.1f} ms, at most {1000 * max(first):.1f} ms")
        print(f"a moved knob: {1000 * statistics.median(moved):.1f} ms, at most {1000 * max(moved):.1f} ms")


if __name__ == "__main__":
    main()
