"""Real tokens per second: a run through the app (page served, evaluations and checkpoints in it) against a minimal TRL script.

`python -m tests.bench.training [PAIRS] [STEPS]`: the starter on its English data, same LoRA, batch, rate, length and threads.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

from gradio_client import Client

from tests.bench.measure import compare
from tests.bench.server import ROOT, running
from tuning import settings
from tuning.verbs import Verbs

MODEL = ROOT / "presets" / "starter" / "model"


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    with tempfile.TemporaryDirectory() as folder, running(pathlib.Path(folder)) as (address, _):
        verbs = Verbs(settings.read(home=folder))
        client = Client(address, verbose=False)
        spec = verbs.dataset("starter-en")
        rows = pathlib.Path(folder) / "data" / spec.id / "rows.jsonl"
        resolved = verbs.plan("starter", "starter-en", "facts")["settings"]

        def ours() -> float:
            started = client.predict("starter", "starter-en", "facts", {"max_steps": steps}, "bench", api_name="/train")
            run = verbs.store.find(started["run"])
            while run.state().status in ("queued", "starting", "running"):
                time.sleep(0.5)
            state = run.state()
            assert state.status == "finished", state
            logged = [record for record in run.metrics() if "loss" in record]
            share = (len(logged) - 1) / len(logged)
            tokens = (state.tokens_per_second or 0) * state.seconds * share
            return tokens / (logged[-1]["time"] - logged[0]["time"])

        def theirs() -> float:
            words = [str(MODEL), str(rows), str(steps), str(resolved["per_device_train_batch_size"])]
            words += [str(resolved["learning_rate"]), str(resolved["max_length"])]
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.plain_trl", *words], cwd=ROOT, capture_output=True, text=True, check=True
            )
            result = json.loads(done.stdout.strip().splitlines()[-1])
            return float(result["tokens"] / result["seconds"])

        compare(("through the app", "minimal TRL"), ours, theirs, pairs, "tokens/s")


if __name__ == "__main__":
    main()
