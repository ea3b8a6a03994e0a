"""Real tokens per second: a run through the app against a minimal TRL script, on the starter.

`python -m tests.bench.training [PAIRS] [STEPS]`: its English data, same LoRA, batch, rate, length and threads. Once by the steps
alone, as `speed` counts them, and once on the clock, with the evaluations, saves and answers between them, which the script lacks.
"""

import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from gradio_client import Client

from tests.bench.measure import compare
from tests.bench.server import ROOT, running
from tuning import settings
from tuning.schema import LOCAL
from tuning.studio import Studio

MODEL = ROOT / "presets" / "starter" / "model"


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    with tempfile.TemporaryDirectory() as folder, running(pathlib.Path(folder)) as (address, _):
        studio = Studio(settings.read(home=folder), LOCAL)
        client = Client(address, verbose=False)
        spec = studio.data.find("starter-en")
        rows = pathlib.Path(folder) / "data" / spec.id / "rows.jsonl"
        resolved = studio.plans.plan("starter", "starter-en", "facts")["settings"]

        steps_alone: list[float] = []
        scripts: list[float] = []

        def ours() -> float:
            started = client.predict("starter", "starter-en", "facts", {"max_steps": steps}, "bench", api_name="/train")
            run = studio.shared.store.find(started["run"], LOCAL)
            while run.state().status in ("queued", "starting", "running"):
                time.sleep(0.5)
            state = run.state()
            assert state.status == "finished", state
            logged = [record for record in run.metrics() if "loss" in record]
            tokens = logged[-1]["num_tokens"] - logged[0]["num_tokens"]  # the first step warms up
            counts = [later["num_tokens"] - earlier["num_tokens"] for earlier, later in itertools.pairwise(logged)]
            seconds = sum(count / record["tokens_per_second"] for count, record in zip(counts, logged[1:], strict=True))
            steps_alone.append(tokens / seconds)
            return float(tokens / (logged[-1]["time"] - logged[0]["time"]))

        def theirs() -> float:
            words = [str(MODEL), str(rows), str(steps), str(resolved["per_device_train_batch_size"])]
            words += [str(resolved["learning_rate"]), str(resolved["max_length"])]
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.plain_trl", *words], cwd=ROOT, capture_output=True, text=True, check=True
            )
            result = json.loads(done.stdout.strip().splitlines()[-1])
            scripts.append(float(result["tokens"] / result["seconds"]))
            return scripts[-1]

        compare(("on the clock", "minimal TRL"), ours, theirs, pairs, "tokens/s")
        ratios = [mine / plain for mine, plain in zip(steps_alone, scripts, strict=True)][-pairs:]
        listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"steps alone / minimal TRL: median {statistics.median(ratios):.2f} ({listed})")


if __name__ == "__main__":
    main()
